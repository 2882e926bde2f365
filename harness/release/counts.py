"""Can a release's evidence be what it says: as many examples as rows, counts that are possible,
units numbered as they appear?

What jobs reported follows from nothing else in a release, so it is held against itself: rows that
two jobs read are as many in both, what goes right is no more than what there is. Which entries the
evidence has, and whose they are, the plan decides (`entries`). Each check yields Problems.
"""

from collections.abc import Iterable, Iterator
from operator import gt
from typing import Any, NamedTuple

from harness.families import FAMILIES
from harness.metrics import METRICS
from harness.metrics.flags import ODD
from harness.metrics.vectors import pack
from harness.plan.graph import refused_leaks
from harness.release.comparer import Difference, named, short
from harness.release.schema import (
    Content,
    EvidenceCell,
    Examples,
    Said,
    TargetFacts,
    Training,
    TrainingTask,
    TrainJob,
)
from harness.release.units import BLOCKS
from harness.store import key_of

# facts that an evaluation of some families alone reports
OF_FAMILIES = {"candidates", "threshold", "dev_f1"}

Unpacked = dict[str, list[Any]]  # vectors by name


class Problem(NamedTuple):
    """One thing that is wrong: where in the document, what stands there, what should, and of which
    cell that is."""

    path: str
    found: Any
    wanted: Any
    of: str = ""

    def __str__(self) -> str:
        where = named(self.path, self.of)
        return f"{where}: found {short(self.found)}, should be {short(self.wanted)}"


def problem(differs: Difference) -> Problem:
    """A leaf that is not what it should be: `before` is what stands there."""
    return Problem(differs.path, differs.before, differs.after, differs.of)


def length(vector: str) -> int:
    """How many values a packed vector has."""
    return vector.count(",") or len(vector)


def named_cell(cell: EvidenceCell) -> str:
    """How a message names a cell."""
    return f"{cell.encoder} · {cell.arm} · {cell.target} · seed {cell.seed}"


def counted(content: Content) -> Iterator[Problem]:
    """All in the evidence that cannot be."""
    for check in (_entries, _languages, _units, _trainings, _same_rows, _overlaps, _subsets, _pvi):
        yield from check(content)


def _must(path: str, found: Any, wanted: Any, of: str = "") -> Iterator[Problem]:
    if found != wanted:
        yield Problem(path, found, wanted, of)


# Which trainings, measurements and subsets there are


def _entries(content: Content) -> Iterator[Problem]:
    """Every training that a cell needs is there, and none that no cell names; so are subsets."""
    evidence = content.evidence
    needed, named_keys = set[str](), set[str]()
    for cell in evidence.cells:
        keys = {key for key in (cell.intermediate, cell.trained) if key}
        named_keys |= keys
        needed |= set() if cell.refused else keys
    for key in sorted(needed - evidence.trainings.keys()):
        yield Problem("evidence.trainings", "absent", f"training {key[:12]}, which a cell names")
    for key in sorted(evidence.trainings.keys() - named_keys):
        yield Problem(f"evidence.trainings.{key[:12]}", "a training", "none: no cell names it")

    for name, arm in content.arms.items():
        done = [run.key for run in arm.trained if run.key in evidence.trainings]
        wanted = sorted({_select(content, key) for key in done} - {""})
        found = sorted(run.key for run in evidence.subsets.get(name, []))
        yield from _must(f"evidence.subsets.{name}", found, wanted)


def _select(content: Content, key: str) -> str:
    """The job that chose the rows of a training; "" where none did."""
    job = content.jobs[key]
    return job.spec.rows.subset if isinstance(job, TrainJob) and job.spec.rows else ""


# Evaluations


def _languages(content: Content) -> Iterator[Problem]:
    """Every cell that is not refused has all languages of its target, each with all vectors, one
    entry a row or block."""
    scored: dict[str, set[str]] = {name: set() for name in content.targets}
    golds: dict[tuple[str, str], Unpacked] = {}  # of all cells of a target, so read once
    for number, cell in enumerate(content.evidence.cells):
        target, path = content.targets[cell.target], f"evidence.cells[{number}].languages"
        wanted = [] if cell.refused else sorted(target.languages)
        yield from _must(path, sorted(cell.languages), wanted, named_cell(cell))
        units = content.evidence.units.get(cell.target, {})
        for language, said in cell.languages.items():
            at = cell.target, language
            if at not in golds:
                golds[at] = units[language].numbers if language in units else {}
            for found in _language(f"{path}.{language}", said, golds[at], target):
                yield found._replace(of=named_cell(cell))
            if not said.facts.placeholder:
                scored[cell.target].add(language)
    for name, languages in scored.items():
        found_units = sorted(content.evidence.units.get(name, {}))
        yield from _must(f"evidence.units.{name}", found_units, sorted(languages))


def _language(path: str, said: Said, gold: Unpacked, target: TargetFacts) -> Iterator[Problem]:
    facts, own = said.facts, said.vectors
    family = FAMILIES[target.family]
    special = {name for name in OF_FAMILIES if getattr(facts, name) is not None}
    yield from _must(f"{path}.facts", sorted(special), sorted(family.facts))
    for name in ODD:
        if (getattr(facts, name) or 0) > facts.n:
            most = f"no more than the {facts.n} rows"
            yield Problem(f"{path}.facts.{name}", getattr(facts, name), most)
    wanted = set() if facts.placeholder else set(METRICS[target.metric].prediction_side)
    if family.centred and not facts.placeholder:
        wanted.add("centred")
    yield from _must(path, sorted(own), sorted(wanted))
    if facts.placeholder or own.keys() != wanted:
        return

    entries, every = len(next(iter(gold.values()))), gold | said.numbers
    for name, vector in every.items():
        yield from _must(f"{path}.{name}", f"{len(vector)} entries", f"{entries} entries")
    rows = sum(gold["n"]) if "n" in gold else entries
    yield from _must(f"{path}.facts.n", facts.n, rows)
    yield from _possible(path, _without(every, "unit", "group"))
    if "predicted" in own and not _numbered([*gold["gold"], *every["predicted"]]):
        yield Problem(f"{path}.predicted", own["predicted"], "numbered as they first appear")


def _without(vectors: Unpacked, *names: str) -> Unpacked:
    return {name: vector for name, vector in vectors.items() if name not in names}


def _possible(path: str, of: Unpacked) -> Iterator[Problem]:
    """Counts of what goes right are no larger than counts of what there is; a row is right or not.
    Blocks are sums of rows."""
    rows = of.get("n") or [1] * max(map(len, of.values()), default=0)
    tokens = of.get("tokens") or of.get("masked")
    most: dict[str, list[Any] | None] = dict.fromkeys(
        ("correct", "em", "f1", "no_answer", "has_answer", "centred"), rows
    )
    most |= {"null": tokens or rows, "right": tokens, "tp": of.get("gold")}
    for name in most.keys() & of.keys():
        if _over(of[name], most[name]):
            yield Problem(f"{path}.{name}", pack(of[name]), "no more than there are rows or tokens")
    if "tp" in of and _over(of["tp"], of["pred"]):
        yield Problem(f"{path}.tp", pack(of["tp"]), "no more than were predicted")


def _over(values: list[Any], most: list[Any] | None) -> bool:
    return bool(most) and (min(values, default=0) < 0 or any(map(gt, values, most or [])))


def _numbered(values: Iterable[float]) -> bool:
    """Whether numbers are given by first appearance: each is one of those before it, or the
    next."""
    known = 0
    for value in values:
        if not 0 <= value <= known:
            return False
        known += value == known
    return True


def _units(content: Content) -> Iterator[Problem]:
    """Gold sides: the metric's vectors; blocks by number; units numbered as they appear, and no
    paragraph in two of them."""
    for name, by_language in content.evidence.units.items():
        target = content.targets[name]
        numbers: list[float] = []
        for language, examples in sorted(by_language.items()):
            path, vectors = f"evidence.units.{name}.{language}", examples.vectors
            blocks = {"n"} if "n" in vectors and METRICS[target.metric].additive else set()
            wanted = sorted({*METRICS[target.metric].gold_side, *blocks})
            yield from _must(path, sorted(vectors.keys() - {"unit"}), wanted)
            if "unit" in vectors:
                unit = examples.numbers["unit"]
            else:
                unit = list(range(length(next(iter(vectors.values())))))
            if blocks:
                if unit != sorted(set(unit) & set(range(BLOCKS))):
                    within = f"blocks below {BLOCKS}, ascending"
                    yield Problem(f"{path}.unit", vectors["unit"], within)
                continue
            yield from _grouped(path, examples, unit, target)
            numbers += unit
            if not _numbered(numbers if target.parallel else unit):
                found = vectors.get("unit", "absent")
                yield Problem(f"{path}.unit", found, "units numbered as they first appear")


def _grouped(
    path: str, examples: Examples, unit: list[Any], target: TargetFacts
) -> Iterator[Problem]:
    """Of questions each paragraph is in one unit; of other rows each is one."""
    vectors = examples.vectors
    if "group" not in vectors:
        if len(set(unit)) != len(unit):
            yield Problem(f"{path}.unit", vectors["unit"], "a unit for each row")
        return
    group = examples.numbers["group"]
    torn = len(set(zip(group, unit, strict=True))) != len(set(group))
    if not _numbered(group) or torn or (not target.parallel and group != unit):
        wanted = "numbered as they appear, each in one unit"
        yield Problem(f"{path}.group", vectors["group"], wanted)


# Trainings


def _trainings(content: Content) -> Iterator[Problem]:
    """A training's rows, features, dev examples and updates, against its job and each other."""
    for key, training in content.evidence.trainings.items():
        path, job = f"evidence.trainings.{key[:12]}", content.jobs[key]
        assert isinstance(job, TrainJob)
        for name, part in training.tasks.items():
            yield from _part(f"{path}.tasks.{name}", part, job, name, content)
        yield from _must(f"{path}.updates", training.updates, _updates(training, job))


def _updates(training: Training, job: TrainJob) -> int:
    recipe = job.spec.recipe
    each = sum(-(-part.features // recipe.batch_size) for part in training.tasks.values())
    return recipe.updates(each)


def _part(
    path: str, part: TrainingTask, job: TrainJob, name: str, content: Content
) -> Iterator[Problem]:
    recipe, read = job.spec.recipe, content.rows[job.data]
    if FAMILIES[job.spec.tasks[name].family].one_feature:
        yield from _must(f"{path}.features", part.features, part.rows)
    if part.dev_rows and not recipe.evaluations:
        yield Problem(f"{path}.dev_rows", part.dev_rows, 0)
    for what, count, limits in (
        ("rows", part.rows, [read.train[name].cap]),
        ("dev_rows", part.dev_rows, [read.dev[name].cap, recipe.dev_rows]),
    ):
        if any(limit and count > limit for limit in limits):
            yield Problem(f"{path}.{what}", count, f"at most {limits}")
    wanted = (
        {*METRICS[part.metric].gold_side, *METRICS[part.metric].prediction_side}
        if part.dev_rows
        else set()
    )
    yield from _must(path, sorted(part.vectors), sorted(wanted))
    for vector, text in sorted(part.vectors.items()):
        yield from _must(f"{path}.{vector}", f"{length(text)} entries", f"{part.dev_rows} entries")
    yield from _possible(path, _without(part.numbers, "group"))


def _same_rows(content: Content) -> Iterator[Problem]:
    """The same rows are as many, and have one gold side, wherever they are read."""
    counts: dict[str, list[int]] = {}
    sides: dict[str, dict[str, str]] = {}
    for key, training in content.evidence.trainings.items():
        job, read = content.jobs[key], content.rows_of(key)
        assert isinstance(job, TrainJob)
        for name, part in training.tasks.items():
            path = f"evidence.trainings.{key[:12]}.tasks.{name}"
            own = job.spec.tasks[name].model_dump()
            chosen = job.spec.rows.model_dump() if job.spec.rows else None
            at = key_of([job.encoder, read.train[name].model_dump(), own, chosen])
            found = [part.rows, part.features]
            first = counts.setdefault(at, found)
            yield from _must(f"{path}.rows", found, first, "the same rows elsewhere")
            if not part.dev_rows:
                continue
            # what masked-LM hides depends on the encoder
            by = job.encoder if own["family"] == "mlm" else None
            at = key_of([read.dev[name].model_dump(), own, job.spec.recipe.dev_rows, by])
            names = METRICS[part.metric].gold_side or ("masked", "null")
            gold = {vector: part.vectors[vector] for vector in names}
            same = sides.setdefault(at, gold)
            yield from _must(path, gold, same, "the same dev rows elsewhere")


# What compares rows, ranks or measures them


def _overlaps(content: Content) -> Iterator[Problem]:
    """What the overlap check counted: the rows that were trained on and tested on; the same for all
    seeds and encoders. A cell is refused for leaks, and for nothing else."""
    seen: dict[tuple[str, str], Any] = {}
    for number, cell in enumerate(content.evidence.cells):
        path, of, overlap = f"evidence.cells[{number}]", named_cell(cell), cell.overlap
        said = overlap.model_dump() if overlap else None
        if (overlap is None) != (not cell.trained and not cell.intermediate):
            yield Problem(f"{path}.overlap", said, "counts, where anything is trained", of)
        leaks = bool(said and refused_leaks(said)) and "leak" not in content.suite.waives
        yield from _must(f"{path}.refused", cell.refused, leaks, of)
        # of a model that was trained elsewhere nothing is counted
        if overlap is None:
            continue
        first = seen.setdefault((cell.arm, cell.target), said)
        if said != first:
            yield Problem(f"{path}.overlap", said, f"{first}, as for another seed or encoder", of)
        tested = {language: one.facts.n for language, one in cell.languages.items()}
        if not cell.refused:
            yield from _must(f"{path}.overlap.test_rows", overlap.test_rows, tested, of)
        rows = _rows_trained(content, cell)
        found = {phase: count for phase, count in overlap.rows.items() if phase in rows}
        yield from _must(f"{path}.overlap.rows", found, rows, of)
        over = [
            count > overlap.test_rows.get(language, 0)
            for by_language in overlap.leaks.values()
            for language, count in by_language.items()
        ]
        shared = overlap.shared > overlap.rows.get("target", 0)
        if any(over) or shared or overlap.leaks.keys() - overlap.rows.keys():
            yield Problem(f"{path}.overlap", said, "no more rows shared than there are", of)


def _rows_trained(content: Content, cell: EvidenceCell) -> dict[str, int]:
    """Phase → rows that a cell's trainings read, as far as they are known; of a subset all those
    that it was chosen from."""
    evidence, rows = content.evidence, {}
    for phase, key in (("intermediate", cell.intermediate), ("target", cell.trained)):
        if key in evidence.trainings:
            rows[phase] = sum(part.rows for part in evidence.trainings[key].tasks.values())
    chosen = evidence.subsets.get(cell.arm)
    if cell.intermediate and chosen:
        rows["intermediate"] = chosen[0].pool
    regime = content.suite.regimes.get(content.targets[cell.target].task)
    if regime and regime.few_shot:  # counted are all rows that some seed could have drawn
        rows.pop("target", None)
    return rows


def _subsets(content: Content) -> Iterator[Problem]:
    """Sizes of subsets: ids, labels, and what was trained on; all seeds of an arm chose as many
    from as many."""
    sizes = {}
    for arm, runs in content.evidence.subsets.items():
        first = runs[0]
        for number, run in enumerate(runs):
            path = f"evidence.subsets.{arm}[{number}]"
            sizes[run.key] = run.rows
            yield from _must(f"{path}.ids", len(set(run.ids.split(" "))), run.rows)
            yield from _must(f"{path}.labels", sum(run.labels.values()) or run.rows, run.rows)
            found = (run.pool, run.rows, run.labels)
            yield from _must(path, found, (first.pool, first.rows, first.labels))
            if run.rows > run.pool:
                yield Problem(f"{path}.rows", run.rows, f"at most {run.pool}")
    for key, training in content.evidence.trainings.items():
        wanted = sizes.get(_select(content, key))
        for name, part in training.tasks.items():
            if wanted:
                yield from _must(f"evidence.trainings.{key[:12]}.tasks.{name}", part.rows, wanted)


def _pvi(content: Content) -> Iterator[Problem]:
    """Bits for each dev row that the training looked at; those without the text are of label shares
    alone, so that no seed and no encoder is in them."""
    trainings = content.evidence.trainings
    for arm, runs in content.evidence.pvi.items():
        keys = {(run.encoder, run.seed): run.key for run in content.arms[arm].trained}
        for number, run in enumerate(runs):
            path, training = f"evidence.pvi.{arm}[{number}]", keys[run.encoder, run.seed]
            parts = trainings[training].tasks.values() if training in trainings else []
            for rows in [part.dev_rows for part in parts if part.dev_rows]:
                yield from _must(f"{path}.bits", length(run.bits), rows)
                yield from _must(f"{path}.null_bits", length(run.null_bits), rows)
            yield from _must(f"{path}.null_bits", run.null_bits, runs[0].null_bits)
