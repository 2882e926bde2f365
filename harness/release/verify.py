"""Is a release what it says it is? Made again from its own inputs and its own evidence: no data, no
torch, no store.

    document      the bytes are those of a content document, spelt as `content_bytes` spells it; the
                  sidecar names its hash, and no job or encoder's files that it has not
    plan          planned again from the specs, hashes and result versions that it carries: every
                  key, job, row hash and declared fact, exactly
    evidence      `counts`: what jobs reported is possible, and of the jobs that were planned
    derivation    every derived number again, exactly

What the jobs predicted is taken from the evidence; `harness.review.predictions` goes back to
predictions and gold.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import ValidationError

from harness.common.errors import HarnessError
from harness.common.plugins import NotInstalled
from harness.families import FAMILIES
from harness.plan.graph import Plan
from harness.plan.planner import plan_again
from harness.release.collect import declared
from harness.release.comparer import Difference, differences
from harness.release.counts import Problem, counted, length, problem
from harness.release.document import FALLS, content_bytes, parsed
from harness.release.schema import SCHEMA, Content, Known, TrainedRun, reasons
from harness.release.schema_derived import SECTIONS, Derived
from harness.statistics.derive import derive as derived
from harness.store import key_of

SHOWN = 20  # differing leaves of one section in a report
Derive = Callable[[Known], Derived]
Sidecar = dict[str, Any]
Check = Callable[[Content], Iterator[Problem]]


def verify(data: bytes, sidecar: Sidecar, derive: Derive = derived) -> list[Problem]:
    """All that is wrong with a release's bytes and its sidecar; nothing if it stands.

    Where the document is not of its schema, nothing further is looked at; nor are numbers derived
    from facts that do not agree.
    """
    return list(problems(data, sidecar, derive))


def problems(data: bytes, sidecar: Sidecar, derive: Derive = derived) -> Iterator[Problem]:
    """The same, one by one."""
    try:
        document = parsed(data)
        schema, spelt, digest = document["schema"], content_bytes(document), key_of(document)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        wanted = "a JSON document with a schema version"
        yield Problem("the file", f"no release ({error!r})", wanted)
        return
    if schema != SCHEMA:
        wanted = f"{SCHEMA}; a newer one needs a newer xstilts-harness"
        yield Problem("schema", schema, wanted)
        return
    if data != spelt:
        spelling = "JSON in another spelling, or with a name twice"
        yield Problem("the file", spelling, "the bytes that the harness writes")
    if sidecar.get("content_sha256") != digest:
        yield Problem("sidecar content_sha256", sidecar.get("content_sha256"), digest)
    try:
        content = content_of(data)
    except ValidationError as error:
        yield from _not_here(document)
        for path, said in reasons(error):
            yield Problem(path, said, "as leaderboard/release.schema.json says")
        return

    sound = True
    for check in (planned, counted, lambda known: _sidecar(known, sidecar)):
        for found in _guarded(check, content):
            sound = False
            yield found
    if sound:
        yield from _guarded(lambda known: _derived(known, document, derive), content)


@lru_cache(maxsize=1)  # whoever has verified a release says next what it holds
def content_of(data: bytes) -> Content:
    """A release's bytes as its models; ValidationError if they are none."""
    return Content.model_validate_json(data)


def _not_here(document: dict[str, Any]) -> Iterator[Problem]:
    """Families of a release that a package brings which is not installed here."""
    inputs = document.get("inputs")
    tasks = inputs.get("tasks") if isinstance(inputs, dict) else None
    for name, task in (tasks if isinstance(tasks, dict) else {}).items():
        try:
            FAMILIES[str(task.get("family"))]
        except (NotInstalled, AttributeError) as error:
            path = f"inputs.tasks.{name}.family"
            yield Problem(path, str(error.args[0]), "a family of this harness, or of a package")


def _guarded(check: Check, content: Content) -> Iterator[Problem]:
    """A check that falls over on what it reads has found something too."""
    try:
        yield from check(content)
    except (HarnessError, *FALLS) as error:
        name = getattr(check, "__name__", "").replace("<lambda>", "") or "derive"
        wanted = "facts that can be followed: something names what is not there"
        yield Problem(name, f"{type(error).__name__}: {error}", wanted)


class CellOf(NamedTuple):
    """Whose a cell of the evidence is, and the jobs that it comes from."""

    encoder: str
    arm: str
    target: str
    seed: int
    key: str
    trained: str | None
    intermediate: str | None


class TrainingOf(NamedTuple):
    """Whose a training is: what of it the plan decides. `metrics`: by task."""

    encoder: str
    phase: str
    seed: int
    metrics: dict[str, str]


class RunOf(NamedTuple):
    """Whose a measurement is, or a choice of rows."""

    encoder: str
    seed: int
    key: str


def planned(content: Content) -> Iterator[Problem]:
    """Whatever is not as a plan of the release's inputs has it: inputs that no plan asks for,
    declared facts, keys and jobs, and whose the entries of the evidence are."""
    plan = plan_again(content.inputs)
    again = declared(plan).document() | {"inputs": plan.inputs.model_dump(mode="json")}
    found = content.model_dump(mode="json", by_alias=True, include={*again, "number"})
    yield from map(problem, _shortened(differences(found, again)))
    yield from map(problem, differences(_found(content), _wanted(plan, content)))


def _shortened(found: Iterator[Difference]) -> Iterator[Difference]:
    """Up to SHOWN differences of each section: one spec moves all keys after it."""
    count: Counter[str | int] = Counter()
    for differs in found:
        count[differs.at[0]] += 1
        if count[differs.at[0]] <= SHOWN:
            yield differs


def _found(content: Content) -> dict[str, Any]:
    """Whose cells, trainings, measurements and subsets the evidence has."""
    evidence = content.evidence
    trainings = {}
    for key, one in evidence.trainings.items():
        metrics = {name: part.metric for name, part in sorted(one.tasks.items())}
        trainings[key] = TrainingOf(one.encoder, one.phase, one.seed, metrics)
    cells = []
    for cell in evidence.cells:
        cells.append(CellOf._make(getattr(cell, name) for name in CellOf._fields))
    return _as_sections(cells, trainings, _runs(evidence.pvi), _runs(evidence.subsets))


def _runs(of: Mapping[str, Sequence[TrainedRun]]) -> dict[str, list[RunOf]]:
    found: dict[str, list[RunOf]] = {}
    for arm, some in of.items():
        found[arm] = [RunOf(one.encoder, one.seed, one.key) for one in some]
    return found


def _wanted(plan: Plan, content: Content) -> dict[str, Any]:
    """The same as the plan has it. Trainings and subsets, which refused cells may lack, as far as
    they are there: `counts` says which must be."""
    there = content.evidence.trainings
    chosen = {run.key for runs in content.evidence.subsets.values() for run in runs}
    shown = {name: plan.suite.shown_name(plan.inputs.task(name)) for name in plan.suite.targets}
    cells: list[CellOf] = []
    trainings: dict[str, TrainingOf] = {}
    subsets: dict[str, list[RunOf]] = {}
    for one in plan.cells:
        name, jobs = shown[one.target], (one.evaluate, one.trained, one.intermediate)
        cells.append(CellOf(one.encoder, one.arm, name, one.seed, *jobs))
        for key in (one.trained, one.intermediate):
            if key in there:
                trainings[key] = _training(plan, key, one.encoder)
        select = _select(plan, one.intermediate)
        run = RunOf(one.encoder, one.seed, select)
        if select in chosen and run not in subsets.setdefault(one.arm, []):
            subsets[one.arm].append(run)
    pvi: dict[str, list[RunOf]] = {}
    for key, (encoder, arm, seed) in plan.measures.items():
        pvi.setdefault(arm, []).append(RunOf(encoder, seed, key))
    return _as_sections(cells, trainings, pvi, subsets)


def _training(plan: Plan, key: str, encoder: str) -> TrainingOf:
    spec = plan.jobs[key].body["spec"]
    metrics = {name: part["metric"] for name, part in sorted(spec["tasks"].items())}
    return TrainingOf(encoder, spec["phase"], spec["seed"], metrics)


def _select(plan: Plan, key: str | None) -> str:
    """The job that chose the rows of a training; "" where none did."""
    rows = plan.jobs[key].body["spec"]["rows"] if key else None
    return str(rows["subset"]) if rows else ""


def _documents(found: Sequence[CellOf | RunOf]) -> list[dict[str, Any]]:
    return [one._asdict() for one in found]


def _as_sections(
    cells: list[CellOf],
    trainings: dict[str, TrainingOf],
    pvi: dict[str, list[RunOf]],
    subsets: dict[str, list[RunOf]],
) -> dict[str, Any]:
    """As a document, for the comparer."""
    return {
        "evidence.cells": _documents(cells),
        "evidence.trainings": {key: one._asdict() for key, one in trainings.items()},
        "evidence.pvi": {arm: _documents(of) for arm, of in pvi.items()},
        "evidence.subsets": {arm: _documents(of) for arm, of in subsets.items()},
    }


def _sidecar(content: Content, sidecar: Sidecar) -> Iterator[Problem]:
    """The jobs that ran, and the encoders' files that they read, are the release's."""
    for key in sidecar.get("jobs", {}).keys() - content.jobs.keys():
        name = sidecar["jobs"][key].get("name")
        yield Problem("jobs", "absent", f"{key[:12]}, which the sidecar says was run: {name}")
    listed = [entry["files"] for entry in sidecar.get("data", {}).get("encoders", {}).values()]
    for encoder, facts in content.encoders.items():
        if listed and facts.files not in listed:
            wanted = f"as the sidecar: {listed}"
            yield Problem(f"encoders.{encoder}.files", facts.files, wanted)


def _derived(content: Content, document: dict[str, Any], derive: Derive) -> Iterator[Problem]:
    """Every leaf of every derived section that is not what the evidence gives, SHOWN of each."""
    again = derive(content).model_dump(mode="json")
    found = {section: document[section] for section in SECTIONS if section in document}
    for differs in _shortened(differences(found, again)):
        yield problem(differs)


def summary(content: Content) -> str:
    """What `verify` looked at, in one line."""
    evidence = content.evidence
    numbers = _numbers([getattr(content, section) for section in Derived.model_fields])
    examples = 0
    for cell in evidence.cells:
        for said in cell.languages.values():
            examples += length(next(iter(said.vectors.values()), ""))
    return (
        f"{numbers:,} numbers recomputed from {examples:,} examples; {len(evidence.cells):,} cells"
        f" complete, {len(content.jobs):,} keys planned again,"
        f" {len(evidence.trainings):,} trainings agree"
    )


def _numbers(value: Any) -> int:
    """Leaves that are numbers."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if isinstance(value, (dict, list)):
        return sum(map(_numbers, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (int, float)) and not isinstance(value, bool)
