"""Is a release whole, and do its counts agree? Every cell, language, seed and training, and as many
examples as rows.

Each check yields Problems. Nothing is scored here.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from harness.families import FAMILIES
from harness.metrics import METRICS
from harness.metrics.flags import ODD
from harness.metrics.vectors import unpack
from harness.plan.planner import refused_leaks
from harness.release.units import BLOCKS

SHOWN = 80  # characters of a value in a message


class Problem(NamedTuple):
    """One thing that is wrong: where in the document, what stands there, what should, and of which
    cell that is."""

    path: str
    found: Any
    wanted: Any
    of: str = ""

    def __str__(self) -> str:
        return (
            f"{self.path}{f' ({self.of})' if self.of else ''}: found {_short(self.found)}, should"
            f" be {_short(self.wanted)}"
        )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def label(entry: dict) -> str:
    """How a message names an entry of a section: encoder · arm · target · seed, as far as it has
    them."""
    names = [
        str(entry[name])
        for name in ("encoder", "arm", "target", "of", "by", "value")
        if entry.get(name) is not None
    ]
    return " · ".join([*names, *([f"seed {entry['seed']}"] if "seed" in entry else [])])


def length(vector: str) -> int:
    """How many values a packed vector has."""
    return vector.count(",") or len(vector)


def must(path: str, found: Any, wanted: Any, of: str = "") -> Iterator[Problem]:
    """A Problem if they differ."""
    if found != wanted:
        yield Problem(path, found, wanted, of)


def complete(content: dict) -> Iterator[Problem]:
    """All that is missing, too much, or of the wrong number."""
    for check in (
        _arms,
        _targets,
        _cells,
        _languages,
        _units,
        _trainings,
        _counts,
        _overlaps,
        _subsets,
    ):
        yield from check(content)


def _arms(content: dict) -> Iterator[Problem]:
    """An arm's kind follows from what it trains on; its trainings are one for each encoder and
    seed."""
    pairs = set(product(content["encoders"], content["suite"]["seeds"]))
    for name, arm in content["arms"].items():
        tasks = arm["intermediate"]
        kind = (
            "baseline"
            if tasks is None
            else "control"
            if arm["control"]
            else "subset"
            if arm["subset"]
            else None
        )
        kind = kind or ("mixture" if len(tasks) > 1 else "task")
        if arm["kind"] != kind:
            yield Problem(f"arms.{name}.kind", arm["kind"], kind)
        of = tasks[0] if tasks and len(tasks) == 1 else None
        if arm["of"] != of and arm.get("control") != "variant":  # a variant is of another task
            yield Problem(f"arms.{name}.of", arm["of"], of)
        found = Counter((run["encoder"], run["seed"]) for run in arm["trained"])
        if found != (Counter(pairs) if tasks else Counter()):
            yield Problem(
                f"arms.{name}.trained", sorted(found.elements()), sorted(pairs) if tasks else []
            )
        if arm["cut"] and (of is None or arm["cut"].keys() - {"train", "dev", "why"}):
            yield Problem(
                f"arms.{name}.cut", arm["cut"], "train, dev and why, of an arm of one task"
            )
        if tasks and set(arm["versions"]) != set(tasks):
            yield Problem(f"arms.{name}.versions", list(arm["versions"]), tasks)
    whole = Counter(arm["of"] for arm in content["arms"].values() if arm["kind"] == "task")
    for name, arm in content["arms"].items():
        if arm["kind"] == "task" and whole[arm["of"]] > 1:
            yield Problem(
                f"arms.{name}.kind", "task", f"one arm is {arm['of']}, others are variants of it"
            )
        if (
            arm.get("control") == "variant"
            and [arm["of"]] == arm["intermediate"]
            and not whole[arm["of"]]
        ):
            yield Problem(
                f"arms.{name}.control", "variant", f"there is no arm {arm['of']} that it is one of"
            )
    if [arm["kind"] for arm in content["arms"].values()].count("baseline") != 1:
        yield Problem("arms", "no baseline, or several", "one arm that trains on nothing first")


def _targets(content: dict) -> Iterator[Problem]:
    """What of a target follows from its family, and from the suite's cuts and caps."""
    suite = content["suite"]
    for name, target in content["targets"].items():
        cut, caps = (
            suite["cuts"].get(target["task"]),
            suite["task_caps"].get(target["task"], suite["caps"]),
        )
        wanted = {
            "task": name.split("@")[0],
            "group": FAMILIES[target["family"]].group,
            "trained": FAMILIES[target["family"]].trained,
            "capped": any(caps.values()),
            "cut": cut["why"] if cut else None,
        }
        if cut and cut.get("languages"):
            wanted["languages"] = sorted(cut["languages"])
        for field, value in wanted.items():
            if target[field] != value:
                yield Problem(f"targets.{name}.{field}", target[field], value)
    spoken = sorted(
        {language for target in content["targets"].values() for language in target["languages"]}
    )
    if sorted(content["languages"]) != spoken:
        yield Problem("languages", sorted(content["languages"]), spoken)


def _cells(content: dict) -> Iterator[Problem]:
    wanted = Counter(
        product(content["encoders"], content["arms"], content["targets"], content["suite"]["seeds"])
    )
    found = Counter(
        (c["encoder"], c["arm"], c["target"], c["seed"]) for c in content["evidence"]["cells"]
    )
    for encoder, arm, target, seed in wanted - found:
        yield Problem(
            "evidence.cells",
            "no such cell",
            "a cell",
            f"{encoder} · {arm} · {target} · seed {seed}",
        )
    for encoder, arm, target, seed in found - wanted:
        yield Problem(
            "evidence.cells",
            "a cell",
            "none, or not twice",
            f"{encoder} · {arm} · {target} · seed {seed}",
        )


def _languages(content: dict) -> Iterator[Problem]:
    """Every cell that is not refused has all languages of its target, each with all vectors, one
    entry a row or block."""
    units = content["evidence"]["units"]
    for i, cell in enumerate(content["evidence"]["cells"]):
        target, path = content["targets"][cell["target"]], f"evidence.cells[{i}].languages"
        wanted = [] if cell["refused"] else sorted(target["languages"])
        if sorted(cell["languages"]) != wanted:
            yield Problem(path, sorted(cell["languages"]), wanted, label(cell))
        for language, said in cell["languages"].items():
            gold = units.get(cell["target"], {}).get(language, {})
            for problem in _language(f"{path}.{language}", said, gold, target):
                yield problem._replace(of=label(cell))
    for target, by_language in units.items():
        scored = {
            language
            for cell in content["evidence"]["cells"]
            for language, said in cell["languages"].items()
            if cell["target"] == target and not said["facts"]["placeholder"]
        }
        if set(by_language) != scored:
            yield Problem(f"evidence.units.{target}", sorted(by_language), sorted(scored))


def _language(path: str, said: dict, gold: dict, target: dict) -> Iterator[Problem]:
    facts = said["facts"]
    family = FAMILIES[target["family"]]
    if facts.keys() & {"candidates", "threshold", "dev_f1"} != family.facts:
        yield Problem(f"{path}.facts", sorted(facts), f"those of {target['family']}")
    wanted = {
        *METRICS[target["metric"]].prediction_side,
        *(["centred"] if family.centred else []),
    }
    if said.keys() - {"facts"} != (set() if facts["placeholder"] else wanted):
        yield Problem(path, sorted(said), sorted(wanted))
    for name in ODD:
        if facts.get(name, 0) > facts["n"]:
            yield Problem(
                f"{path}.facts.{name}", facts[name], f"no more than the {facts['n']} rows"
            )
    if facts["placeholder"]:
        return
    entries = {name: length(vector) for name, vector in (gold | said).items() if name != "facts"}
    rows = sum(unpack(gold["n"])) if "n" in gold else max(entries.values())
    for name, count in entries.items():
        if count != length(next(iter(gold.values()))):
            yield Problem(
                f"{path}.{name}",
                f"{count} entries",
                f"{length(next(iter(gold.values())))}, as the gold side has",
            )
    yield from _possible(
        path,
        {
            name: vector
            for name, vector in (gold | said).items()
            if name not in ("facts", "unit", "group")
        },
    )
    if rows != facts["n"]:
        yield Problem(f"{path}.facts.n", facts["n"], rows)
    if "predicted" in said and not _numbered([*unpack(gold["gold"]), *unpack(said["predicted"])]):
        yield Problem(f"{path}.predicted", said["predicted"], "numbered as they first appear")


def _possible(path: str, vectors: dict[str, str]) -> Iterator[Problem]:
    """Counts of what goes right are no larger than counts of what there is; a row is right or not.
    Blocks are sums of rows."""
    of = {name: unpack(text) for name, text in vectors.items()}
    rows = of.get("n") or [1] * max(map(len, of.values()), default=0)
    tokens = of.get("tokens") or of.get("masked")
    whole = dict.fromkeys(("correct", "em", "f1", "no_answer", "has_answer", "centred"), rows)
    whole |= {"null": tokens or rows, "right": tokens, "tp": of.get("gold")}
    for name, most in whole.items():
        if (
            name in of
            and most
            and any(not 0 <= value <= limit for value, limit in zip(of[name], most, strict=False))
        ):
            yield Problem(f"{path}.{name}", vectors[name], "no more than there are rows or tokens")
    if "tp" in of and any(tp > pred for tp, pred in zip(of["tp"], of["pred"], strict=False)):
        yield Problem(f"{path}.tp", vectors["tp"], "no more than were predicted")


def _numbered(values: list[int]) -> bool:
    """Whether numbers are given by first appearance: each is one of those before it, or the
    next."""
    known = 0
    for value in values:
        if not 0 <= value <= known:
            return False
        known += value == known
    return True


def _units(content: dict) -> Iterator[Problem]:
    """Gold sides: the metric's vectors; blocks by number; units numbered as they appear, and no
    paragraph in two of them."""
    for name, by_language in content["evidence"]["units"].items():
        target, numbers = content["targets"][name], []
        for language, vectors in sorted(by_language.items()):
            path, own = f"evidence.units.{name}.{language}", vectors.keys() - {"unit"}
            blocks = {"n"} if "n" in vectors and METRICS[target["metric"]].additive else set()
            if own != {*METRICS[target["metric"]].gold_side, *blocks}:
                yield Problem(path, sorted(own), sorted(METRICS[target["metric"]].gold_side))
            unit = (
                unpack(vectors["unit"])
                if "unit" in vectors
                else list(range(length(next(iter(vectors.values())))))
            )
            if blocks and unit != sorted(set(unit) & set(range(BLOCKS))):
                yield Problem(f"{path}.unit", vectors["unit"], f"blocks below {BLOCKS}, ascending")
            if blocks:
                continue
            if "group" in vectors:
                group = unpack(vectors["group"])
                torn = len(set(zip(group, unit, strict=True))) != len(set(group))
                if not _numbered(group) or torn or (not target["parallel"] and group != unit):
                    yield Problem(
                        f"{path}.group",
                        vectors["group"],
                        "numbered as they appear, each in one unit",
                    )
            elif len(set(unit)) != len(unit):
                yield Problem(f"{path}.unit", vectors["unit"], "a unit for each row")
            numbers += unit
            if not _numbered(numbers if target["parallel"] else unit):
                yield Problem(
                    f"{path}.unit",
                    vectors.get("unit", "absent"),
                    "units numbered as they first appear",
                )


def _trainings(content: dict) -> Iterator[Problem]:
    """The trainings that cells name, and no other; an arm's own are those that its cells name."""
    evidence = content["evidence"]
    trained = {
        (arm, r["encoder"], r["seed"]): r["key"]
        for arm, facts in content["arms"].items()
        for r in facts["trained"]
    }
    named: dict[str, bool] = {}
    for i, cell in enumerate(evidence["cells"]):
        for key in filter(None, (cell["intermediate"], cell["trained"])):
            named[key] = named.get(key, False) or not cell["refused"]
        wanted = trained.get((cell["arm"], cell["encoder"], cell["seed"]))
        if cell["intermediate"] != wanted:
            yield Problem(
                f"evidence.cells[{i}].intermediate", cell["intermediate"], wanted, label(cell)
            )
        if bool(cell["trained"]) != content["targets"][cell["target"]]["trained"]:
            yield Problem(
                f"evidence.cells[{i}].trained",
                cell["trained"],
                "the target's training, if it has one",
                label(cell),
            )
    for key in [
        key for key, needed in named.items() if needed and key not in evidence["trainings"]
    ]:
        yield Problem("evidence.trainings", "absent", f"training {key[:12]}, which a cell names")
    for key in evidence["trainings"].keys() - named:
        yield Problem(f"evidence.trainings.{key[:12]}", "a training", "none: no cell names it")


def _counts(content: dict) -> Iterator[Problem]:
    """A training's rows, features, dev examples and updates, against its job and each other."""
    for key, training in content["evidence"]["trainings"].items():
        path, job = f"evidence.trainings.{key[:12]}", content["jobs"][key]
        recipe, per_epoch = job["spec"]["recipe"], 0
        for name, part in training["tasks"].items():
            metric, family = part["metric"], job["spec"]["tasks"][name]["family"]
            if FAMILIES[family].one_feature and part["features"] != part["rows"]:
                yield Problem(
                    f"{path}.tasks.{name}.features", part["features"], f"{part['rows']}, one a row"
                )
            vectors = part.keys() - {"rows", "features", "metric", "dev_rows"}
            looked = part["dev_rows"] > 0
            if looked and not recipe["evaluations"]:
                yield Problem(f"{path}.tasks.{name}.dev_rows", part["dev_rows"], 0)
            if vectors != ({*METRICS[metric].vectors} if looked else set()):
                yield Problem(
                    f"{path}.tasks.{name}",
                    sorted(vectors),
                    f"the vectors of {metric}" if looked else "none",
                )
            for vector in sorted(vectors):
                if length(part[vector]) != part["dev_rows"]:
                    yield Problem(
                        f"{path}.tasks.{name}.{vector}",
                        f"{length(part[vector])} entries",
                        part["dev_rows"],
                    )
            yield from _possible(
                f"{path}.tasks.{name}", {vector: part[vector] for vector in vectors - {"group"}}
            )
            per_epoch += -(-part["features"] // recipe["batch_size"])
        updates = min(
            per_epoch * recipe["epochs"], recipe["max_updates"] or per_epoch * recipe["epochs"]
        )
        if training["updates"] != updates:
            yield Problem(f"{path}.updates", training["updates"], updates)


def _overlaps(content: dict) -> Iterator[Problem]:
    """What the overlap check counted: the rows that were trained on and tested on; the same for all
    seeds and encoders."""
    evidence, seen = content["evidence"], {}
    pools = {arm: chosen[0]["pool"] for arm, chosen in evidence["subsets"].items() if chosen}
    for i, cell in enumerate(evidence["cells"]):
        path, overlap = f"evidence.cells[{i}].overlap", cell["overlap"]
        if (overlap is None) != (not cell["trained"] and not cell["intermediate"]):
            yield Problem(path, overlap, "counts, where anything is trained", label(cell))
        refused = (
            bool(overlap)
            and "leak" not in content["suite"]["waives"]
            and bool(refused_leaks(overlap))
        )
        if cell["refused"] != refused:
            yield Problem(f"evidence.cells[{i}].refused", cell["refused"], refused, label(cell))
        first = seen.setdefault((cell["arm"], cell["target"]), overlap)
        if overlap != first:
            yield Problem(path, overlap, f"{first}, as for another seed or encoder", label(cell))
        if overlap is None:
            continue
        tested = {language: said["facts"]["n"] for language, said in cell["languages"].items()}
        if not cell["refused"] and overlap["test_rows"] != tested:
            yield Problem(f"{path}.test_rows", overlap["test_rows"], tested, label(cell))
        rows = {}
        for phase, key in (("intermediate", cell["intermediate"]), ("target", cell["trained"])):
            if key in evidence["trainings"]:
                rows[phase] = sum(
                    part["rows"] for part in evidence["trainings"][key]["tasks"].values()
                )
            if key and phase == "intermediate" and cell["arm"] in pools:
                rows[phase] = pools[cell["arm"]]
        if any(overlap["rows"].get(phase) != count for phase, count in rows.items()):
            yield Problem(f"{path}.rows", overlap["rows"], rows, label(cell))
        over = [
            n > overlap["test_rows"].get(lang, 0)
            for of in overlap["leaks"].values()
            for lang, n in of.items()
        ]
        if (
            any(over)
            or overlap["shared"] > overlap["rows"].get("target", 0)
            or overlap["leaks"].keys() - overlap["rows"].keys()
        ):
            yield Problem(path, overlap, "no more rows shared than there are", label(cell))


def _subsets(content: dict) -> Iterator[Problem]:
    """Sizes of subsets: ids, labels, and what was trained on; all seeds of an arm chose as many
    from as many."""
    jobs, trainings = content["jobs"], content["evidence"]["trainings"]
    chosen = {run["key"]: run for runs in content["evidence"]["subsets"].values() for run in runs}
    for arm, runs in content["evidence"]["subsets"].items():
        for i, run in enumerate(runs):
            path, ids = f"evidence.subsets.{arm}[{i}]", run["ids"].split(" ")
            for what, count in (
                ("ids", len(set(ids))),
                ("labels", sum(run["labels"].values()) or run["rows"]),
            ):
                if count != run["rows"]:
                    yield Problem(
                        f"{path}.{what}", count, f"{run['rows']} different rows", label(run)
                    )
            same = ("pool", "rows", "labels")
            if [run[name] for name in same] != [runs[0][name] for name in same] or run[
                "rows"
            ] > run["pool"]:
                yield Problem(
                    path, {n: run[n] for n in same}, {n: runs[0][n] for n in same}, label(run)
                )
    for key, training in trainings.items():
        part = jobs[key]["spec"]["rows"]
        if part and part["subset"] in chosen:
            rows, size = (
                chosen[part["subset"]]["rows"],
                next(iter(training["tasks"].values()))["rows"],
            )
            if size != rows:
                yield Problem(f"evidence.trainings.{key[:12]}.tasks", f"{size} rows", rows)
