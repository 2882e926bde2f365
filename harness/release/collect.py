"""From a plan and committed results to a release: what no later reader can compute again, and all
that follows from it.

Evidence is per example: what each row contributes to a score (correct or not; counts of spans; EM
and F1), packed as text (`metrics.vectors`). Scores, gains and intervals come from it alone
(`derive`), here and in `leaderboard verify`. What is declared follows from the plan alone, so that
`verify` declares it again. No times, paths or environment: the same results give the same bytes.
"""

from collections.abc import Container
from typing import Any

from pydantic import TypeAdapter

from harness.families import FAMILIES
from harness.metrics import METRICS
from harness.metrics.flags import ODD
from harness.metrics.vectors import pack
from harness.plan.graph import Cell, Plan
from harness.plan.recorded import PlanInputs
from harness.release.schema import (
    SCHEMA,
    ArmFacts,
    Chosen,
    Content,
    Declared,
    EncoderFacts,
    Evidence,
    EvidenceCell,
    Examples,
    Facts,
    KeyedJob,
    Known,
    LanguageFacts,
    MeasuredRun,
    OverlapCounts,
    RowsRead,
    Said,
    SuiteFacts,
    TargetFacts,
    TrainedRun,
    Training,
    TrainingTask,
)
from harness.release.units import joint_units, of_blocks
from harness.spec.languages import language_facts
from harness.spec.suite import Arm, Caps, Suite
from harness.spec.task import Task
from harness.statistics.derive import derive
from harness.store import Store, key_of
from harness.store.job import identity_of

FACTS = (
    "n",
    "truncated",
    "unknown",
    "constant",
    "placeholder",
    *ODD,
    "candidates",
    "threshold",
    "dev_f1",
)
_JOB: TypeAdapter[KeyedJob] = TypeAdapter(KeyedJob)
Vectors = dict[str, list[Any]]  # by name, a value for each row
# language → (block of each row or None, gold-side vectors with `unit`)
GoldSide = dict[str, tuple[list[int] | None, Vectors]]


def content(plan: Plan, store: Store, refused: Container[str]) -> Content:
    """A whole release: declared facts, evidence, and all that follows from them."""
    known = Known(**sections(declared(plan)), evidence=evidence(plan, store, refused))
    return Content(**sections(known), inputs=plan.inputs, **dict(derive(known)))


def sections(of: Declared) -> dict[str, Any]:
    """The sections of a model, as the constructor of a larger one takes them."""
    return {("schema" if name == "number" else name): value for name, value in of}


# What specs say


def declared(plan: Plan) -> Declared:
    """What a plan says before anything runs: its suite, encoders, arms, targets and languages; its
    jobs, and the hashes of all rows read."""
    suite, inputs = plan.suite, plan.inputs
    tasks = [inputs.task(name) for name in suite.targets]
    targets = {suite.shown_name(task): _target(task, suite) for task in tasks}
    spoken = {language for target in targets.values() for language in target.languages}
    jobs, rows = _jobs(plan)
    return Declared(
        schema=SCHEMA,
        suite=suite_facts(suite),
        encoders={name: _encoder(name, plan, inputs) for name in plan.encoders},
        arms={arm.name: _arm(arm, plan, inputs) for arm in suite.arms},
        targets=targets,
        languages={one: LanguageFacts(**language_facts(one)) for one in sorted(spoken)},
        jobs=jobs,
        rows=rows,
    )


def suite_facts(suite: Suite) -> SuiteFacts:
    """A suite as a release holds it."""
    assert suite.recipes
    return SuiteFacts(
        name=suite.suite,
        version=suite.version,
        about=suite.about,
        smoke=suite.smoke,
        seeds=suite.seeds,
        protocol=suite.protocol,
        left_out=suite.left_out,
        waives=suite.waives,
        split_rule=suite.split_rule,
        pvi=suite.measures_pvi,
        caps=suite.caps,
        task_caps=suite.task_caps,
        cuts=suite.cuts,
        recipes=suite.recipes,
        settings=suite.settings,
        average_over=suite.average_over,
        trained=suite.trained,
        regimes=suite.regimes,
        hypotheses=suite.hypotheses,
    )


def _jobs(plan: Plan) -> tuple[dict[str, KeyedJob], dict[str, RowsRead]]:
    """What each key is the hash of; and which rows jobs read, by the reference that stands for
    them in the first.

    So a reader sees which seed, recipe, version or file stands behind a number.
    """
    jobs: dict[str, KeyedJob] = {}
    rows: dict[str, RowsRead] = {}
    for key, job in sorted(plan.jobs.items()):
        identity = identity_of(job.body)
        reference = key_of(identity["data"])[:16]
        if reference not in rows:
            rows[reference] = RowsRead.model_validate(identity["data"])
        encoder = job.body["encoder"]["name"] if "encoder" in job.body else None
        jobs[key] = _JOB.validate_python(identity | {"data": reference, "encoder": encoder})
    return jobs, dict(sorted(rows.items()))


def _encoder(name: str, plan: Plan, inputs: PlanInputs) -> EncoderFacts:
    spec, files = inputs.encoder(name), plan.encoders[name].identity
    return EncoderFacts(
        version=spec.version, pretrained_on=spec.pretrained_on, seen=spec.seen, **files
    )


def _arm(arm: Arm, plan: Plan, inputs: PlanInputs) -> ArmFacts:
    """An arm's intermediate tasks, and what is declared of their difficulty (of one whole task)."""
    given = arm.intermediate
    if given is None:
        return ArmFacts(
            intermediate=None,
            kind=arm.kind,
            of=None,
            shown=arm.name,
            cut=None,
            difficulty=None,
            trained=[],
        )
    tasks = [inputs.task(name) for name in given.tasks]
    only = tasks[0] if len(tasks) == 1 else None
    variant = plan.suite.variant_of(arm, only) if only else None
    shown, difficulty = arm.name, None
    if only and arm.name == only.task:
        shown = plan.suite.for_arm(arm).reduced_name(only)
    if only and arm.kind == "task" and not variant:
        difficulty = only.difficulty
    return ArmFacts(
        intermediate=given.tasks,
        kind="control" if variant else arm.kind,
        of=variant or (only.task if only else None),
        shown=shown,
        versions={task.task: task.version for task in tasks},
        families=sorted({task.family for task in tasks}),
        title=only.about.title if only else " + ".join(task.task for task in tasks),
        sampler=None if only else given.sampler,
        languages=given.languages,
        control="variant" if variant else given.control,
        subset=given.subset,
        cut=given.cut,
        difficulty=difficulty,
        trained=_trained(arm, plan),
    )


def _trained(arm: Arm, plan: Plan) -> list[TrainedRun]:
    """The arm's trainings, one for each encoder and seed."""
    keys = {(c.encoder, c.seed): c.intermediate for c in plan.cells if c.arm == arm.name}
    return [
        TrainedRun(encoder=encoder, seed=seed, key=key)
        for (encoder, seed), key in keys.items()
        if key is not None
    ]


def _target(task: Task, suite: Suite) -> TargetFacts:
    cut = suite.cuts.get(task.task)
    regime = suite.regimes.get(task.task)
    rows = cut.test if cut and cut.test and cut.test.parallel is not None else task.test
    assert rows
    return TargetFacts(
        task=task.task,
        version=task.version,
        family=task.family,
        group=FAMILIES[task.family].group_of(task.columns),
        trained=FAMILIES[task.family].trained,
        parallel=bool(rows.parallel),
        metric=task.metric,
        title=task.about.title,
        languages=sorted(cut.languages if cut and cut.languages else task.languages),
        capped=suite.task_caps.get(task.task, suite.caps) != Caps(),
        cut=cut.why if cut else None,
        regime=regime.label if regime else None,
    )


# What jobs reported


def evidence(plan: Plan, store: Store, refused: Container[str]) -> Evidence:
    """What jobs reported. `refused`: evaluations that did not run, by key."""
    tasks = {name: plan.inputs.task(name) for name in plan.suite.targets}
    gold: dict[str, GoldSide] = {}
    cells = []
    for cell in plan.cells:
        task = tasks[cell.target]
        shown = plan.suite.shown_name(task)
        ran = cell.evaluate not in refused and store.manifest(cell.evaluate) is not None
        examples = store.read_json(cell.evaluate, "examples.json") if ran else {}
        if examples and shown not in gold:
            parallel = _target(task, plan.suite).parallel
            gold[shown] = gold_side(examples, task.metric, parallel)
        counts = store.read_json(cell.overlap, "overlap.json") if cell.overlap else None
        cells.append(
            EvidenceCell(
                encoder=cell.encoder,
                arm=cell.arm,
                target=shown,
                seed=cell.seed,
                key=cell.evaluate,
                trained=cell.trained,
                intermediate=cell.intermediate,
                overlap=OverlapCounts.model_validate(counts) if counts else None,
                refused=cell.evaluate in refused,
                languages=_said(cell, store, gold[shown], task.metric) if ran else {},
            )
        )
    return Evidence(
        units={target: _units(by_language) for target, by_language in gold.items()},
        cells=cells,
        trainings=trainings(plan, store),
        pvi=pvi(plan, store),
        subsets=subsets(plan, store),
    )


def _said(cell: Cell, store: Store, gold: GoldSide, metric: str) -> dict[str, Said]:
    """What an evaluation reported, by language; without vectors where labels are placeholders."""
    reported = store.read_json(cell.evaluate, "scores.json")
    examples = store.read_json(cell.evaluate, "examples.json")
    found = {}
    for language, of in reported.items():
        facts = Facts.model_validate({name: of[name] for name in FACTS if name in of})
        given = examples[language]
        packed = prediction_side(given, gold[language], metric) if given else {}
        found[language] = Said(facts=facts, **packed)
    return found


def _units(by_language: GoldSide) -> dict[str, Examples]:
    return {language: Examples(**packed(gold)) for language, (_, gold) in by_language.items()}


def packed(vectors: Vectors) -> dict[str, str]:
    """Each vector as a release holds it."""
    return {name: pack(vector) for name, vector in vectors.items()}


def gold_side(examples: dict[str, Vectors], metric: str, parallel: bool) -> GoldSide:
    """language → (block of each row or None, gold-side vectors with `unit`): the same for all cells
    of a target."""
    scored = {language: vectors for language, vectors in examples.items() if vectors}
    unit_of = joint_units(scored, parallel)
    blocks = of_blocks(unit_of) if METRICS[metric].additive else None
    found: GoldSide = {}
    for language, vectors in scored.items():
        gold = {name: vectors[name] for name in METRICS[metric].gold_side}
        rows = len(vectors["id"])
        if blocks:
            own = blocks[language]
            gold = {name: _summed(v, own) for name, v in (gold | {"n": [1] * rows}).items()}
            found[language] = own, gold | {"unit": sorted(set(own))}
        elif unit_of[language] == list(range(rows)):
            found[language] = None, gold  # each row its own unit
        else:
            found[language] = None, gold | {"unit": unit_of[language]}
    return found


def prediction_side(
    vectors: Vectors, known: tuple[list[int] | None, Vectors], metric: str
) -> dict[str, str]:
    """Of one language the packed vectors that predictions decide, over the blocks of its gold
    side."""
    blocks, _ = known
    own = {
        name: v
        for name, v in vectors.items()
        if name != "id" and name not in METRICS[metric].gold_side
    }
    return packed({name: _summed(v, blocks) if blocks else v for name, v in own.items()})


def _summed(vector: list[Any], blocks: list[int]) -> list[Any]:
    """Sums over the rows of each block, in order of the blocks."""
    sums = dict.fromkeys(sorted(set(blocks)), 0)
    for value, block in zip(vector, blocks, strict=True):
        sums[block] += value
    return list(sums.values())


def trainings(plan: Plan, store: Store) -> dict[str, Training]:
    """Each training behind a cell: its size, and what its dev score is made of."""
    found: dict[str, Training] = {}
    for cell in plan.cells:
        for key in (cell.intermediate, cell.trained):
            if key and key not in found and store.manifest(key):
                found[key] = _training(key, cell.encoder, plan, store)
    return found


def _training(key: str, encoder: str, plan: Plan, store: Store) -> Training:
    spec, summary = plan.jobs[key].body["spec"], store.read_json(key, "train.json")
    dev = store.read_json(key, "dev.json")
    looked = summary["best"].get("tasks", {})
    tasks = {}
    for name, part in summary["tasks"].items():
        said = part | {"metric": spec["tasks"][name]["metric"]}
        said |= {"dev_rows": looked.get(name, {}).get("dev_rows", 0)}
        tasks[name] = TrainingTask.model_validate(said | packed(dev.get(name, {})))
    return Training(
        encoder=encoder,
        phase=spec["phase"],
        seed=spec["seed"],
        updates=summary["updates"],
        tasks=tasks,
    )


def pvi(plan: Plan, store: Store) -> dict[str, list[MeasuredRun]]:
    """Of each arm whose PVI is measured: the bits of its dev rows, with and without the text."""
    found: dict[str, list[MeasuredRun]] = {}
    for key, (encoder, arm, seed) in plan.measures.items():
        if store.manifest(key):
            said = store.read_json(key, "pvi.json")
            bits, null = pack(said["bits"]), pack(said["null_bits"])
            measured = MeasuredRun(encoder=encoder, seed=seed, key=key, bits=bits, null_bits=null)
            found.setdefault(arm, []).append(measured)
    return found


def subsets(plan: Plan, store: Store) -> dict[str, list[Chosen]]:
    """Of each arm that trains on a subset: which rows were selected."""
    found: dict[str, dict[str, Chosen]] = {}
    for cell in plan.cells:
        part = plan.jobs[cell.intermediate].body["spec"]["rows"] if cell.intermediate else None
        if part and store.manifest(part["subset"]):
            key = part["subset"]
            said = store.read_json(key, "subset.json")
            chosen = said | {"ids": " ".join(said["ids"])}
            found.setdefault(cell.arm, {})[key] = Chosen(
                encoder=cell.encoder, seed=cell.seed, key=key, **chosen
            )
    return {arm: list(of.values()) for arm, of in found.items()}
