"""From a release back to predictions and gold: score them again, and compare with the release's
per-example evidence.

`release.verify` shows that a release's numbers follow from its evidence; this shows that the
evidence follows from what was predicted, and the keys from the data on this machine. It needs the
data, the store that holds the predictions, and torch (families say what a row's gold is); no GPU
and no weights beyond those whose hash is in the keys.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from harness.common.errors import MissingError, StoreError
from harness.plan.graph import Plan
from harness.release import collect
from harness.release.comparer import Difference, differences
from harness.release.counts import Problem, named_cell, problem
from harness.release.schema import Content, EvaluateJob, EvidenceCell, KeyedJob, TrainJob
from harness.store import Store
from harness.store.job import identity_of

# Facts that follow from predictions and gold. `truncated` and `unknown` were counted on the
# encoder's input.
FACTS = ("n", "constant", "placeholder")


class PredictionsVerified(NamedTuple):
    """How many cells were scored again from predictions, over how many rows; what differs; cells
    whose predictions lack."""

    cells: int
    rows: int
    problems: list[Problem]
    missing: list[Problem]

    @property
    def summary(self) -> str:
        """The same in one line."""
        return f"{self.cells:,} cells scored again from {self.rows:,} predictions and gold rows"


class Rescored(NamedTuple):
    """An evaluation as its predictions make it now, by language: facts, and the metric's examples
    with ids."""

    facts: dict[str, dict[str, Any]]
    examples: dict[str, collect.Vectors]


def verify_predictions(
    content: Content, plan: Plan, store: Store, progress: Callable[[str], None] = lambda name: None
) -> PredictionsVerified:
    """Score every prediction of a release again, against the gold rows that the plan found.

    plan    of the same suite with the data on this machine
    raises  MissingError if data or weights are not here
    """
    if plan.blocked:
        raise MissingError("\n".join(plan.blocked))
    found = list(_plans_differ(content, plan))
    done: dict[str, Rescored | None] = {}
    missing: list[Problem] = []
    cells = rows = 0
    for number, cell in enumerate(content.evidence.cells):
        if cell.refused or cell.key not in plan.jobs:
            continue
        if cell.key not in done:
            done[cell.key] = _scored(cell, plan, store, progress)
        now = done[cell.key]
        if now is None:
            absent = f"no result {cell.key[:12]} in {store.root}"
            path = f"evidence.cells[{number}].key"
            missing.append(Problem(path, absent, "its predictions", named_cell(cell)))
            continue
        cells, rows = cells + 1, rows + sum(of["n"] for of in now.facts.values())
        found += _compared(number, cell, content, now)
    found += _reported(content, plan, store)
    return PredictionsVerified(cells, rows, found, missing)


def _plans_differ(content: Content, plan: Plan) -> Iterator[Problem]:
    """Evaluations that this machine's data and specs would key otherwise, and what of them is
    different."""
    suite = plan.suite
    keys = {(c.encoder, c.arm, c.target, c.seed): c.evaluate for c in plan.cells}
    for number, cell in enumerate(content.evidence.cells):
        path, of = f"evidence.cells[{number}].key", named_cell(cell)
        at = (cell.encoder, cell.arm, content.targets[cell.target].task, cell.seed)
        planned = keys.get(at)
        if planned is None:
            wanted = f"a cell of suite {suite.suite}, version {suite.version}, as it is here"
            yield Problem(path, "not planned on this machine", wanted, of)
        elif planned != cell.key:
            why = "; ".join(_why(content, plan, cell.key, planned))
            here = f"{planned[:12]} with the data and specs here: {why}"
            yield Problem(path, cell.key[:12], here, of)


def _why(content: Content, plan: Plan, key: str, planned: str) -> list[str]:
    """What differs between a release's job and the planned one: in itself, else in the jobs before
    it."""
    job, new = content.jobs[key], identity_of(plan.jobs[planned].body)
    old = job.model_dump(mode="json")
    found = []
    facts = content.encoders[job.encoder] if job.encoder else None
    if new["encoder"] != (facts and facts.model_dump(include={"files", "max_length"})):
        found.append("the encoder's files or max_length")
    if rows := _paths(content.rows[job.data].model_dump(mode="json"), new["data"]):
        found.append(f"the rows: {rows}")
    for name in ("version", "family", "metric", "world_size"):
        if old[name] != new[name]:
            found.append(f"the result version of its {name if name != 'version' else 'job'}")
    same = dict.fromkeys(("model", "init", "rows"))
    if spec := _paths({**old["spec"], **same}, {**new["spec"], **same}):
        found.append(f"the spec: {spec}")
    before, now = _upstream(job), new["spec"].get("model") or new["spec"].get("init")
    if before and now and before != now:
        found += [f"the training before it ({why})" for why in _why(content, plan, before, now)]
    return found or ["a job before it"]


def _upstream(job: KeyedJob) -> str | None:
    """The training that an evaluation reads, or that a training starts from."""
    if isinstance(job, EvaluateJob):
        return job.spec.model
    return job.spec.init if isinstance(job, TrainJob) else None


def _paths(old: Any, new: Any) -> str:
    """Where two documents differ."""
    return ", ".join(one.path for one in differences(old, new))


def _scored(
    cell: EvidenceCell, plan: Plan, store: Store, progress: Callable[[str], None]
) -> Rescored | None:
    """An evaluation again; None: its predictions are not in the store."""
    from harness.jobs.evaluate import score_language
    from harness.sources import rows as data_rows

    if store.manifest(cell.key) is None:
        return None
    progress(named_cell(cell))
    job = plan.jobs[cell.key]
    again = Rescored({}, {})
    for language, dataset in sorted(job.body["tests"].items()):
        rows = data_rows.load(dataset)
        text = store.path(cell.key, f"predictions/{language}.jsonl").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.split("\n") if line]
        if [line["id"] for line in lines] != [row["id"] for row in rows]:
            raise StoreError(
                f"{store.root}: predictions of {job.name} in {language} are of other rows than the"
                " data here"
            )
        predictions = [line["prediction"] for line in lines]
        inputs = {"truncated": 0, "unknown": 0.0}
        said, again.examples[language] = score_language(
            job.body["spec"]["task"], rows, predictions, language, inputs
        )
        again.facts[language] = {name: said[name] for name in FACTS}
    return again


def _compared(
    number: int, cell: EvidenceCell, content: Content, now: Rescored
) -> Iterator[Problem]:
    """What the release says of a cell's examples against what was scored now, packed by the code
    that made the release.

    `centred` is not compared: it comes from vectors, which no prediction file holds.
    """
    target = content.targets[cell.target]
    units = content.evidence.units.get(cell.target, {})
    gold = collect.gold_side(now.examples, target.metric, target.parallel)
    before, after = {}, {}
    for language, said in cell.languages.items():
        vectors = {name: text for name, text in said.vectors.items() if name != "centred"}
        before[language] = vectors | said.facts.model_dump(include=set(FACTS))
    for language, examples in now.examples.items():
        side = gold.get(language)
        vectors = collect.prediction_side(examples, side, target.metric) if side else {}
        after[language] = vectors | now.facts[language]

    found = list(differences(before, after, ("evidence", "cells", number, "languages")))
    found += differences(
        {language: examples.vectors for language, examples in units.items()},
        {language: collect.packed(of) for language, (_, of) in gold.items()},
        ("evidence", "units", cell.target),
    )
    for one in found:
        yield problem(one)._replace(of=named_cell(cell))


def _reported(content: Content, plan: Plan, store: Store) -> Iterator[Problem]:
    """What trainings did on dev, the PVI of intermediates and the ids of subsets, against what
    their jobs left in the store."""
    evidence = content.evidence
    found: list[Difference] = []
    for key, training in collect.trainings(plan, store).items():
        at = ("evidence", "trainings", key[:12])
        said = evidence.trainings.get(key)
        found += differences(said and said.model_dump(), training.model_dump(), at)
    for name, of, now in (
        ("pvi", evidence.pvi, collect.pvi(plan, store)),
        ("subsets", evidence.subsets, collect.subsets(plan, store)),
    ):
        for arm, runs in now.items():
            known = {run.key: run.model_dump() for run in of.get(arm, [])}
            again = {run.key: run.model_dump() for run in runs}
            found += differences(known, again, ("evidence", name, arm))
    yield from map(problem, found)
