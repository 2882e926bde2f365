"""From a release back to predictions and gold: score them again, and compare with the release's
per-example evidence.

`leaderboard.verify` shows that a release's numbers follow from its evidence; this shows that the
evidence follows from what was predicted, and the keys from the data on this machine. It needs the
data, the store that holds the predictions, and torch (families say what a row's gold is); no GPU
and no weights beyond those whose hash is in the keys.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from harness.common.errors import MissingError, StoreError
from harness.metrics.vectors import pack
from harness.plan.planner import Plan
from harness.release import collect
from harness.release.complete import Problem, label
from harness.release.evidence import WITH_EVIDENCE
from harness.store import Store
from harness.store.job import identity_of


class Rechecked(NamedTuple):
    """How many cells were scored again from predictions, over how many rows; what differs; cells
    whose predictions lack."""

    cells: int
    rows: int
    problems: list[Problem]
    missing: list[Problem]

    @property
    def summary(self) -> str:
        return f"{self.cells:,} cells scored again from {self.rows:,} predictions and gold rows"


def recheck(
    content: dict, plan: Plan, store: Store, progress: Callable[[str], None] = lambda name: None
) -> Rechecked:
    """Score every prediction of a release again, against the gold rows that the plan found.

    plan    of the same suite with the data on this machine
    raises  StoreError for a release without evidence; MissingError if data or weights are not here
    """
    if content["schema"] < WITH_EVIDENCE:
        raise StoreError(
            f"a release of schema {content['schema']} holds no per-example evidence to compare"
            " predictions with"
        )
    if plan.blocked:
        raise MissingError("\n".join(plan.blocked))
    found = list(_plans_differ(content, plan))
    done: dict[str, tuple[dict, dict] | None] = {}
    missing, cells, rows = [], 0, 0
    for i, cell in enumerate(content["evidence"]["cells"]):
        if cell["refused"] or cell["key"] not in plan.jobs:
            continue
        if cell["key"] not in done:
            done[cell["key"]] = _scored(cell, plan, store, progress)
        if done[cell["key"]] is None:
            absent = f"no result {cell['key'][:12]} in {store.root}"
            missing.append(
                Problem(f"evidence.cells[{i}].key", absent, "its predictions", label(cell))
            )
            continue
        facts, examples = done[cell["key"]]
        cells, rows = cells + 1, rows + sum(of["n"] for of in facts.values())
        found += _compared(f"evidence.cells[{i}]", cell, content, facts, examples)
    found += _subsets(content, store)
    found += _measured(content, plan, store)
    return Rechecked(cells, rows, found, missing)


def _plans_differ(content: dict, plan: Plan) -> Iterator[Problem]:
    """Evaluations that this machine's data and specs would key otherwise, and what of them is
    different."""
    suite = plan.suite
    keys = {(c.encoder, c.arm, c.target, c.seed): c.evaluate for c in plan.cells}
    tasks = {name: facts["task"] for name, facts in content["targets"].items()}
    for i, cell in enumerate(content["evidence"]["cells"]):
        planned = keys.get((cell["encoder"], cell["arm"], tasks[cell["target"]], cell["seed"]))
        if planned is None:
            wanted = f"a cell of suite {suite.suite}, version {suite.version}, as it is here"
            yield Problem(
                f"evidence.cells[{i}].key", "not planned on this machine", wanted, label(cell)
            )
        elif planned != cell["key"]:
            why = (
                f"{planned[:12]} with the data and specs here:"
                f" {'; '.join(_why(content, plan, cell['key'], planned))}"
            )
            yield Problem(f"evidence.cells[{i}].key", cell["key"][:12], why, label(cell))


def _why(content: dict, plan: Plan, key: str, planned: str) -> list[str]:
    """What differs between a release's job and the planned one: in itself, else in the jobs before
    it."""
    old = content["jobs"][key]
    new = identity_of(plan.jobs[planned].body)
    encoder = (
        {name: content["encoders"][old["encoder"]][name] for name in ("files", "max_length")}
        if old["encoder"]
        else None
    )
    found = []
    if encoder != new["encoder"]:
        found.append("the encoder's files or max_length")
    if content["rows"][old["data"]] != new["data"]:
        found.append("the rows: " + ", ".join(_paths(content["rows"][old["data"]], new["data"])))
    names = [
        name for name in ("version", "family", "metric", "world_size") if old[name] != new[name]
    ]
    found += [f"the result version of its {name if name != 'version' else 'job'}" for name in names]
    chain = [(old["spec"].get(link), new["spec"].get(link)) for link in ("model", "init")]
    same = dict.fromkeys(("model", "init", "rows"))
    if {**old["spec"], **same} != {**new["spec"], **same}:
        found.append(
            "the spec: " + ", ".join(_paths({**old["spec"], **same}, {**new["spec"], **same}))
        )
    for before, now in chain:
        if before and now and before != now:
            found += [f"the training before it ({why})" for why in _why(content, plan, before, now)]
    return found or ["a job before it"]


def _paths(old: Any, new: Any, at: str = "") -> list[str]:
    """Where two documents differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            p
            for name in dict.fromkeys([*old, *new])
            for p in _paths(old.get(name), new.get(name), f"{at}.{name}".strip("."))
        ]
    return [] if old == new else [at or "all of it"]


def _scored(
    cell: dict, plan: Plan, store: Store, progress: Callable[[str], None]
) -> tuple[dict, dict] | None:
    """language → facts, language → the metric's examples with ids, as the evaluation made them from
    its predictions; None: not in the store. `truncated` and `unknown` are not among the facts: they
    were counted on the encoder's input.
    """
    from harness.jobs.evaluate import score_language
    from harness.sources import rows as data_rows

    key = cell["key"]
    if store.manifest(key) is None:
        return None
    progress(label(cell))
    body, facts, examples = plan.jobs[key].body, {}, {}
    task = body["spec"]["task"]
    for language, dataset in sorted(body["tests"].items()):
        rows = data_rows.load(dataset)
        text = store.path(key, f"predictions/{language}.jsonl").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.split("\n") if line]
        if [line["id"] for line in lines] != [row["id"] for row in rows]:
            raise StoreError(
                f"{store.root}: predictions of {plan.jobs[key].name} in {language} are of other"
                " rows than the data here"
            )
        said, examples[language] = score_language(
            task,
            rows,
            [line["prediction"] for line in lines],
            language,
            {"truncated": 0, "unknown": 0.0},
        )
        facts[language] = {name: said[name] for name in ("n", "constant", "placeholder")}
    return facts, examples


def _compared(
    path: str, cell: dict, content: dict, facts: dict, examples: dict
) -> Iterator[Problem]:
    """What the release says of a cell's examples against what was scored now, packed by the code
    that made the release.

    `centred` is not compared: it comes from vectors, which no prediction file holds.
    """
    target, known = (
        content["targets"][cell["target"]],
        content["evidence"]["units"].get(cell["target"], {}),
    )
    gold = collect.gold_side(examples, target["metric"], target["parallel"])
    for language in sorted(cell["languages"].keys() | examples.keys()):
        said = {
            name: v
            for name, v in cell["languages"].get(language, {}).items()
            if name not in ("facts", "centred")
        }
        now = (
            collect.prediction_side(examples[language], gold[language], target["metric"])
            if examples.get(language)
            else {}
        )
        said |= {
            name: cell["languages"].get(language, {"facts": {}})["facts"].get(name)
            for name in facts.get(language, {})
        }
        now |= facts.get(language, {})
        for name in sorted(said.keys() | now.keys()):
            if said.get(name) != now.get(name):
                at = f"{path}.languages.{language}.{name}"
                yield Problem(at, said.get(name, "absent"), now.get(name, "absent"), label(cell))
        packed = (
            {name: pack(v) for name, v in gold[language][1].items()} if language in gold else {}
        )
        for name in sorted(packed.keys() | known.get(language, {}).keys()):
            if packed.get(name) != known.get(language, {}).get(name):
                at = f"evidence.units.{cell['target']}.{language}.{name}"
                yield Problem(
                    at,
                    known.get(language, {}).get(name, "absent"),
                    packed.get(name, "absent"),
                    label(cell),
                )


def _subsets(content: dict, store: Store) -> Iterator[Problem]:
    """The ids of subsets against what their select jobs left in the store."""
    for arm, runs in content["evidence"]["subsets"].items():
        for i, run in enumerate(runs):
            if store.manifest(run["key"]):
                said = store.read_json(run["key"], "subset.json")
                wanted = said | {"ids": " ".join(said["ids"])}
                for name, value in wanted.items():
                    if run[name] != value:
                        yield Problem(
                            f"evidence.subsets.{arm}[{i}].{name}", run[name], value, label(run)
                        )


def _measured(content: dict, plan: Plan, store: Store) -> Iterator[Problem]:
    """What trainings did on dev, and the PVI of intermediates, against what their jobs left in the
    store."""
    for name, known in (
        ("trainings", collect.trainings(plan, store)),
        ("pvi", collect.pvi(plan, store)),
    ):
        for entry, value in known.items():
            said = content["evidence"][name].get(entry)
            if said != value:
                yield Problem(f"evidence.{name}.{entry[:12]}", said, "as its job in the store says")
