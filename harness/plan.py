"""A suite as a directed acyclic graph of jobs, each with the key of its result.

A key is the SHA-256 of everything that decides a job's result (DESIGN, invariant 2), upstream keys included, so two
suites that need the same training share it. Paths, worker counts and checkpoint intervals are not in it.

    for encoder, seed:  train(intermediate) ─► train(target) ─► evaluate(target)      for each arm
                        overlap(chain, target)                                        may refuse a cell
"""

from dataclasses import dataclass, field

from harness.data.locate import Dataset, Locator
from harness.encoder import FoundEncoder, find
from harness.errors import MissingError
from harness.hub import Where
from harness.metrics import METRIC_VERSIONS
from harness.spec.catalog import Catalog
from harness.spec.family import FAMILIES
from harness.spec.suite import BASELINE, Arm, Caps, Suite
from harness.spec.task import Rows, Task
from harness.store import HashIndex, Store, key_of

# Raised when the code of that job moves a result; a golden test fails when results move and these do not.
JOB_VERSIONS = {"train": 1, "evaluate": 1, "overlap": 2}
WEIGHTS = "model.safetensors"
WORLD_SIZE = 1  # processes that share one training job


@dataclass
class Job:
    """One node: its key, what kind of work, whose results it reads, and the JSON a worker takes."""

    key: str
    kind: str
    name: str
    needs: list[str]
    body: dict
    rank: tuple = ()  # scheduling order: finish an arm before starting the next, so that weights can go


@dataclass
class Cell:
    """One number of the board: encoder × arm × target × seed, and the jobs it comes from."""

    encoder: str
    arm: str
    target: str
    seed: int
    evaluate: str
    overlap: str | None
    trained: str | None
    intermediate: str | None


@dataclass
class Plan:
    """Jobs by key, cells of the board, and what is not on this machine (`blocked`: reason → what it blocks)."""

    suite: Suite
    jobs: dict[str, Job] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    blocked: dict[str, list[str]] = field(default_factory=dict)
    encoders: dict[str, FoundEncoder] = field(default_factory=dict)

    def dependants(self, key: str) -> list[str]:
        """Keys of the jobs that read the result of `key`."""
        return [job.key for job in self.jobs.values() if key in job.needs]

    def todo(self, store: Store, refused: frozenset[str] = frozenset()) -> list[Job]:
        """Jobs to run, in order: what is not committed, and trainings whose dropped weights somebody needs again.

        `refused` evaluations, and trainings that serve nothing else, are left out.
        """
        manifests = {key: store.manifest(key) for key in self.jobs}
        wanted: set[str] = set()

        def want(key: str) -> None:
            if key in wanted:
                return
            wanted.add(key)
            for upstream in self.jobs[key].needs:
                manifest = manifests[upstream]
                if manifest is None or WEIGHTS in manifest.dropped:
                    want(upstream)

        for cell in self.cells:
            for key in (cell.overlap, cell.intermediate, cell.trained, cell.evaluate):
                if key and cell.evaluate not in refused and manifests[key] is None:
                    want(key)
            if cell.overlap and manifests[cell.overlap] is None:
                want(cell.overlap)
        return sorted((self.jobs[key] for key in wanted), key=lambda job: job.rank)


# Test rows of a language that may stand in training rows before a cell is refused. Intermediate rows favour one arm only.
# A target's own training set favours none, and the official sets have such rows (PAN-X 3%); more means a wrong cut.
LEAK_SHARE = {"intermediate": 0.01, "target": 0.10}


def refused_leaks(overlap: dict) -> dict[str, dict[str, int]]:
    """The leaks in an overlap result that refuse a cell: phase → language → test rows that stand in training rows."""
    found = {}
    for phase, by_language in overlap["leaks"].items():
        over = {lang: n for lang, n in by_language.items() if n > LEAK_SHARE[phase] * overlap["test_rows"][lang]}
        if over:
            found[phase] = over
    return found


def shown_name(suite: Suite, task: str) -> str:
    """A task's name on the board: `task@suite` where the suite cuts or caps it, so that it never shares a column."""
    caps = suite.task_caps.get(task, suite.caps)
    return f"{task}@{suite.suite}" if task in suite.cuts or caps != Caps() else task


def with_user_tasks(suite: Suite, catalog: Catalog) -> Suite:
    """The suite plus every task of the user's own folders, each in the roles its YAML declares."""
    own = [catalog.tasks[name] for kind, name in sorted(catalog.user) if kind == "task"]
    targets = [t.task for t in own if "target" in t.role and t.task not in suite.targets]
    present = {arm.name for arm in suite.arms}
    arms = [Arm(intermediate=t.task, name=t.task) for t in own if "intermediate" in t.role and t.task not in present]
    return suite.model_copy(update={"targets": [*suite.targets, *targets], "arms": [*suite.arms, *arms]})


def with_limit(suite: Suite, rows: int) -> Suite:
    """The suite with at most `rows` test rows everywhere: a partial run, which no release takes."""

    def limited(caps: Caps) -> Caps:
        return caps.model_copy(update={"test": min(rows, caps.test or rows)})

    task_caps = {task: limited(caps) for task, caps in suite.task_caps.items()}
    return suite.model_copy(update={"caps": limited(suite.caps), "task_caps": task_caps})


def make_plan(suite: Suite, catalog: Catalog, where: Where, index: HashIndex) -> Plan:
    """All jobs of a suite. What is missing on this machine does not raise; it stands in `blocked`."""
    plan = Plan(suite)
    planner = _Planner(plan, catalog, where, index)
    for e, name in enumerate(suite.encoders):
        try:
            plan.encoders[name] = find(catalog.encoder(name), where, index)
        except MissingError as error:
            plan.blocked.setdefault(str(error), []).append(f"encoder {name}")
            continue
        for s, seed in enumerate(suite.seeds):
            for a, arm in enumerate(suite.arms):
                planner.arm(name, seed, arm, (e, s, a))
    index.save()
    return plan


class _Planner:
    def __init__(self, plan: Plan, catalog: Catalog, where: Where, index: HashIndex):
        self.plan, self.suite, self.catalog = plan, plan.suite, catalog
        self.locator = Locator(catalog, where, index)
        self._datasets: dict[tuple, Dataset] = {}

    def arm(self, encoder: str, seed: int, arm: Arm, rank: tuple) -> None:
        """All cells of one arm with one seed."""
        intermediate = None
        if arm.intermediate != BASELINE:
            task = self.catalog.task(arm.intermediate)
            try:
                intermediate = self._train(encoder, seed, task, "intermediate", None, rank)
            except MissingError as error:
                self.plan.blocked.setdefault(str(error), []).append(f"arm {arm.name}")
                return
        for t, target in enumerate(self.suite.targets):
            try:
                self._cell(encoder, seed, arm, self.catalog.task(target), intermediate, (*rank, t))
            except MissingError as error:
                self.plan.blocked.setdefault(str(error), []).append(f"target {target}")

    def _cell(self, encoder: str, seed: int, arm: Arm, target: Task, intermediate: Job | None, rank: tuple) -> None:
        tests = {language: self._rows(target, "test", language) for language in self._languages(target)}
        trained = intermediate
        if FAMILIES[target.family].trained:
            trained = self._train(encoder, seed, target, "target", intermediate, rank)
        evaluate = self._evaluate(encoder, target, trained, tests, rank, arm.name)
        overlap = self._overlap(arm, target, tests, rank)
        self.plan.cells.append(
            Cell(
                encoder,
                arm.name,
                target.task,
                seed,
                evaluate.key,
                overlap.key if overlap else None,
                trained.key if trained and trained is not intermediate else None,
                intermediate.key if intermediate else None,
            )
        )

    def _train(self, encoder: str, seed: int, task: Task, phase: str, init: Job | None, rank: tuple) -> Job:
        # XQuAD and MLQA say `train: {task: squad}`: they train as squad does, on squad's dev, and share the model.
        owner, _ = self._split(task, "train")
        own_dev = self._split(task, "dev")[1]
        train, dev = self._rows(task, "train"), self._rows(task if own_dev else owner, "dev")
        spec = {
            "phase": phase,
            "seed": seed,
            "task": self._task_part(owner) | {"name": owner.task},
            "recipe": self.suite.recipes.of(phase, owner.task).model_dump(),
            "init": init.key if init else None,
        }
        data = {"train": train.to_json(), "dev": dev.to_json()}
        name = f"train {encoder} {phase} {owner.task} seed {seed}" + (
            f" after {init.body['spec']['task']['name']}" if init else ""
        )
        return self._add("train", name, spec, data, encoder, [init.key] if init else [], (*rank, 1))

    def _evaluate(self, encoder: str, target: Task, model: Job | None, tests: dict, rank: tuple, arm: str) -> Job:
        task = self._task_part(target)
        if not FAMILIES[target.family].trained:  # an embedded family reads a hidden state: the encoder's own by default
            spec = self.catalog.encoder(encoder)
            options = task["options"]
            options["pooling"] = options["pooling"] or spec.pooling
            options["layer"] = spec.layer if options["layer"] is None else options["layer"]
        body = {"task": task, "model": model.key if model else None}
        data = {"tests": {language: dataset.to_json() for language, dataset in tests.items()}}
        name = f"evaluate {encoder} {target.task} arm {arm}"
        return self._add("evaluate", name, body, data, encoder, [model.key] if model else [], (*rank, 0))

    def _overlap(self, arm: Arm, target: Task, tests: dict, rank: tuple) -> Job | None:
        trained = {}
        if arm.intermediate != BASELINE:
            trained["intermediate"] = self._rows(self.catalog.task(arm.intermediate), "train").to_json()
        if FAMILIES[target.family].trained:
            trained["target"] = self._rows(target, "train").to_json()
        if not trained:
            return None
        data = {"trained": trained, "tests": {language: dataset.to_json() for language, dataset in tests.items()}}
        cut = self._split(target, "test")[1].parallel
        parallel = bool(target.test.parallel if cut is None else cut)
        name = f"overlap {arm.name} {target.task}"
        return self._add("overlap", name, {"parallel": parallel}, data, None, [], (-1, *rank))

    def _add(self, kind: str, name: str, spec: dict, data: dict, encoder: str | None, needs: list[str], rank: tuple) -> Job:
        found = self.plan.encoders[encoder] if encoder else None
        task = spec.get("task")
        identity = {
            "kind": kind,
            "version": JOB_VERSIONS[kind],
            "family": FAMILIES[task["family"]].version if task else None,
            "metric": METRIC_VERSIONS[task["metric"]] if task else None,
            "world_size": WORLD_SIZE,
            "spec": spec,
            "data": _identities(data),
            "encoder": found.identity if found else None,
        }
        key = key_of(identity)
        body = {"key": key, "kind": kind, "name": name, "identity": identity, "spec": spec, "needs": needs, **data}
        if found:
            body["encoder"] = found.to_json()
        return self.plan.jobs.setdefault(key, Job(key, kind, name, needs, body, rank))

    def _task_part(self, task: Task) -> dict:
        return {
            "family": task.family,
            "version": task.version,
            "labels": task.label_names,
            "max_length": task.max_length,
            "options": task.family_options.model_dump(),
            "metric": task.metric,
        }

    def _languages(self, task: Task) -> list[str]:
        cut = self.suite.cuts.get(task.task)
        return cut.languages if cut and cut.languages else task.languages

    def _split(self, task: Task, phase: str) -> tuple[Task, Rows | None]:
        """Whose rows a split is made of, and which: the suite's cut before the task's own, another task's if it says so."""

        def own(task: Task) -> Rows | None:
            cut = self.suite.cuts.get(task.task)
            return (getattr(cut, phase) if cut else None) or getattr(task, phase)

        rows = own(task)
        if rows and rows.task:
            task = self.catalog.task(rows.task)
            rows = own(task)
        return task, rows

    def _rows(self, task: Task, phase: str, language: str | None = None) -> Dataset:
        at = (task.task, phase, language)
        if at not in self._datasets:
            owner, rows = self._split(task, phase)
            if rows is None:
                raise MissingError(f"task {owner.task} has no {phase} rows")
            cap = getattr(self.suite.task_caps.get(owner.task, self.suite.caps), phase)
            self._datasets[at] = self.locator.dataset(owner, rows, phase, language or rows.language or "en", cap)
        return self._datasets[at]


def _identities(data: object) -> object:
    """Job data without names and locations: what the rows are, not where they lie."""
    if isinstance(data, dict):
        return data["identity"] if "identity" in data else {name: _identities(value) for name, value in data.items()}
    return data
