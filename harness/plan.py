"""A suite as a directed acyclic graph of jobs, each with the key of its result.

A key is the SHA-256 of everything that decides a job's result (DESIGN, invariant 2), upstream keys included, so two
suites that need the same training share it. Paths, worker counts and checkpoint intervals are not in it.

    for encoder, seed:  train(intermediate) ─► train(target) ─► evaluate(target)      for each arm
                        overlap(chain, target)                                        may refuse a cell
"""

from dataclasses import dataclass, field
from pathlib import Path

from harness.data.locate import ENGLISH, Dataset, Locator, file_hashes
from harness.encoder import FoundEncoder, find
from harness.errors import MissingError, SpecError
from harness.hub import Where
from harness.metrics import METRIC_VERSIONS
from harness.spec.catalog import Catalog
from harness.spec.explain import nearest
from harness.spec.family import FAMILIES
from harness.spec.suite import Arm, Caps, Intermediate, Suite
from harness.spec.task import Task
from harness.store import HashIndex, Store, key_of

# Raised when the code of that job moves a result; a golden test fails when results move and these do not.
JOB_VERSIONS = {"train": 2, "evaluate": 2, "overlap": 3}
WEIGHTS = "model.safetensors"
HEAD_OPTIONS = {"head", "outside"}  # options of a family that decide the shape of its head
WORLD_SIZE = 1  # processes that share one training job


@dataclass
class Job:
    """One node: its key, what kind of work, whose results it reads, and the JSON a worker takes.

    `blocked` says what it lacks on this machine, itself or upstream; its key is then a stand-in.
    """

    key: str
    kind: str
    name: str
    needs: list[str]
    body: dict
    rank: tuple = ()  # scheduling order: finish an arm before starting the next, so that weights can go
    blocked: tuple[str, ...] = ()


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
    sources: dict = field(default_factory=dict)  # revision and SHA-256 of every file read, as the lock file has them

    def dependants(self, key: str) -> list[str]:
        """Keys of the jobs that read the result of `key`."""
        return [job.key for job in self.jobs.values() if key in job.needs]

    def todo(self, store: Store, refused: frozenset[str] = frozenset()) -> list[Job]:
        """Jobs to run, in order: what is not committed, and trainings whose dropped weights somebody needs again.

        `refused` evaluations, and trainings that serve nothing else, are left out; so is what is blocked.
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
        return sorted((self.jobs[key] for key in wanted if not self.jobs[key].blocked), key=lambda job: job.rank)

    def files_read(self) -> dict[str, list[str]]:
        """Every split that jobs read, by name: SHA-256 of its files."""
        found = {}
        for job in self.jobs.values():
            body = job.body
            sets = [*body.get("tests", {}).values(), *body.get("devs", {}).values()]
            sets += [rows for phase in ("train", "dev") for rows in body.get(phase, {}).values()]
            sets += [rows for several in body.get("trained", {}).values() for rows in several]
            found.update((rows["name"], file_hashes(rows["identity"])) for rows in sets)
        return dict(sorted(found.items()))

    @property
    def trainings_unshared(self) -> int:
        """How many trainings there would be if no two cells shared one."""
        return sum((cell.intermediate is not None) + (cell.trained is not None) for cell in self.cells)


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


def shown_name(suite: Suite, task: Task) -> str:
    """A task's name on the board: `task@LABEL` where its rows, or those it trains on, are cut or capped.

    So a number of fewer rows never shares a column with the whole one.
    """
    cut = suite.cuts.get(task.task)
    read = [(getattr(cut, phase, None) or getattr(task, phase)) for phase in ("train", "dev", "test")]
    related = [task.task, *(name for rows in read if rows for name in [rows.task, *rows.tasks] if name)]
    capped = any(suite.task_caps.get(name, suite.caps) != Caps() for name in related)
    cuts = [suite.cuts[name] for name in related if name in suite.cuts]
    label = suite.suite if capped or any(not own.label for own in cuts) else cuts[0].label if cuts else None
    return f"{task.task}@{label}" if label else task.task


def with_user_tasks(suite: Suite, catalog: Catalog) -> Suite:
    """The suite plus every task of the user's own folders, each in the roles its YAML declares."""
    own = [catalog.tasks[name] for kind, name in sorted(catalog.user) if kind == "task"]
    targets = [t.task for t in own if "target" in t.role and t.task not in suite.targets]
    present = {arm.name for arm in suite.arms}
    wanted = [t.task for t in own if "intermediate" in t.role and t.task not in present]
    arms = [Arm(intermediate=Intermediate(tasks=[task]), name=task) for task in wanted]
    return suite.model_copy(update={"targets": [*suite.targets, *targets], "arms": [*suite.arms, *arms]})


def with_limit(suite: Suite, rows: int) -> Suite:
    """The suite with at most `rows` test rows everywhere: a partial run, which no release takes."""

    def limited(caps: Caps) -> Caps:
        return caps.model_copy(update={"test": min(rows, caps.test or rows)})

    task_caps = {task: limited(caps) for task, caps in suite.task_caps.items()}
    return suite.model_copy(update={"caps": limited(suite.caps), "task_caps": task_caps})


def without(suite: Suite, names: list[str]) -> Suite:
    """The suite without these tasks, as targets, as arms, and in mixtures: what a licence or a missing archive keeps away.

    raises  SpecError: a name that the suite does not have, or nothing left
    """
    tasks = {task for arm in suite.arms if arm.intermediate for task in arm.intermediate.tasks}
    known = {*tasks, *suite.targets, *(arm.name for arm in suite.arms if not arm.is_baseline)}
    for name in names:
        if name not in known:
            raise SpecError(f"--without {name}: suite {suite.suite} has no such task or arm{nearest(name, known)}")
    arms = []
    for arm in suite.arms:
        left = [task for task in arm.intermediate.tasks if task not in names] if arm.intermediate else []
        if arm.name in names or (arm.intermediate and not left):
            continue
        if arm.intermediate and left != arm.intermediate.tasks:
            sampler = arm.intermediate.sampler
            weights = {task: weight for task, weight in sampler.weights.items() if task in left}
            sampler = sampler.model_copy(update={"weights": weights})
            arm = arm.model_copy(update={"intermediate": arm.intermediate.model_copy(update={"tasks": left, "sampler": sampler})})
        arms.append(arm)
    targets = [target for target in suite.targets if target not in names]
    if not targets or len(arms) < 1:
        raise SpecError(f"--without {' '.join(names)}: nothing is left of suite {suite.suite}")
    return suite.model_copy(update={"arms": arms, "targets": targets, "left_out": sorted(set(names))})


def make_plan(suite: Suite, catalog: Catalog, where: Where, index: HashIndex) -> Plan:
    """All jobs of a suite. What is missing on this machine does not raise; it stands in `blocked`."""
    plan = Plan(suite)
    for name in suite.encoders:
        try:
            plan.encoders[name] = find(catalog.encoder(name), where, index)
        except MissingError as error:
            plan.encoders[name] = FoundEncoder(name, Path(), {"missing": name}, str(error))
    planner = _Planner(plan, catalog, where, index)
    for e, name in enumerate(suite.encoders):
        for s, seed in enumerate(suite.seeds):
            for a, arm in enumerate(suite.arms):
                planner.arm(name, seed, arm, (e, s, a))
    index.save()
    plan.sources = where.sources()
    return plan


class _Planner:
    def __init__(self, plan: Plan, catalog: Catalog, where: Where, index: HashIndex):
        self.plan, self.suite, self.catalog = plan, plan.suite, catalog
        self.locator = Locator(catalog, where, index, plan.suite)

    def arm(self, encoder: str, seed: int, arm: Arm, rank: tuple) -> None:
        """All cells of one arm with one seed."""
        intermediate = self._intermediate(encoder, seed, arm, rank) if arm.intermediate else None
        self._note(intermediate, f"arm {arm.name}")
        for t, target in enumerate(self.suite.targets):
            self._cell(encoder, seed, arm, self.catalog.task(target), intermediate, (*rank, t))

    def _cell(self, encoder: str, seed: int, arm: Arm, target: Task, intermediate: Job | None, rank: tuple) -> None:
        tests = {language: self.locator.rows(target, "test", language) for language in self._languages(target)}
        trained = intermediate
        if FAMILIES[target.family].trained:
            trained = self._target(encoder, seed, target, intermediate, rank)
        evaluate = self._evaluate(encoder, target, trained, tests, rank, arm.name)
        self._note(evaluate, f"target {target.task}", beside=intermediate)
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

    def _intermediate(self, encoder: str, seed: int, arm: Arm, rank: tuple) -> Job:
        tasks = [self.catalog.task(name) for name in arm.intermediate.tasks]
        data = {task.task: (self._train_rows(arm, task), self.locator.rows(task, "dev")) for task in tasks}
        recipe = self.suite.recipes.of("intermediate", None, [*(t.task for t in tasks if len(tasks) == 1), arm.name])
        sampler = arm.intermediate.sampler.model_dump() if len(tasks) > 1 else None
        return self._train(encoder, seed, "intermediate", tasks, data, (recipe, sampler), None, rank)

    def _train_rows(self, arm: Arm, task: Task) -> Dataset:
        return self.locator.rows(task, "train", languages=tuple(arm.intermediate.languages))

    def _target(self, encoder: str, seed: int, target: Task, init: Job | None, rank: tuple) -> Job:
        # XQuAD and MLQA say `train: {task: squad}`: they train as squad does, on squad's dev, and share the model.
        owner = self.locator.owner(target, "train")
        dev = self.locator.rows(target if self.locator.own(target, "dev") else owner, "dev")
        data = {owner.task: (self.locator.rows(target, "train"), dev)}
        recipe = self.suite.recipes.of("target", owner.family, [owner.task, target.task])
        return self._train(encoder, seed, "target", [owner], data, (recipe, None), init, rank)

    def _train(
        self, encoder: str, seed: int, phase: str, tasks: list[Task], data: dict, how: tuple, init: Job | None, rank: tuple
    ) -> Job:
        recipe, sampler = how
        spec = {
            "phase": phase,
            "seed": seed,
            "tasks": {task.task: self._task_part(task) for task in tasks},
            "recipe": recipe.model_dump(),
            "sampler": sampler,
            "init": init.key if init else None,
        }
        body = {side: {task: rows[i].to_json() for task, rows in data.items()} for i, side in enumerate(("train", "dev"))}
        names = "+".join(spec["tasks"])
        name = f"train {encoder} {phase} {names} seed {seed}" + (f" after {'+'.join(init.body['spec']['tasks'])}" if init else "")
        missing = [rows.missing for pair in data.values() for rows in pair]
        return self._add("train", name, spec, body, encoder, [init] if init else [], (*rank, 1), missing)

    def _evaluate(self, encoder: str, target: Task, model: Job | None, tests: dict, rank: tuple, arm: str) -> Job:
        task = self._task_part(target)
        if not FAMILIES[target.family].trained:  # an embedded family reads a hidden state: the encoder's own by default
            spec, options = self.catalog.encoder(encoder), task["options"]
            layer = options["layer"].get(encoder) if isinstance(options["layer"], dict) else options["layer"]
            options["pooling"] = options["pooling"] or spec.pooling
            options["layer"] = spec.layer if layer is None else layer
            last = self.plan.encoders[encoder].layers
            if last is not None and not -last - 1 <= options["layer"] <= last:
                raise SpecError(f"{target.task}: layer {options['layer']}, but encoder {encoder} has hidden states 0 to {last}")
        else:  # the head is that of the task it was trained on: XNLI's is MNLI's
            owner = self._task_part(self.locator.owner(target, "train"))["options"]
            task["options"] |= {name: owner[name] for name in HEAD_OPTIONS & owner.keys()}
        sets = {"tests": tests}
        if FAMILIES[target.family].tuned:
            sets["devs"] = {language: self.locator.rows(target, "dev", language) for language in tests}
        body = {"task": task, "model": model.key if model else None}
        data = {kind: {language: rows.to_json() for language, rows in of.items()} for kind, of in sets.items()}
        name = f"evaluate {encoder} {target.task} arm {arm}"
        missing = [rows.missing for of in sets.values() for rows in of.values()]
        return self._add("evaluate", name, body, data, encoder, [model] if model else [], (*rank, 0), missing)

    def _overlap(self, arm: Arm, target: Task, tests: dict, rank: tuple) -> Job | None:
        trained = {}
        if arm.intermediate:
            trained["intermediate"] = [self._train_rows(arm, self.catalog.task(name)) for name in arm.intermediate.tasks]
        if FAMILIES[target.family].trained:
            trained["target"] = [self.locator.rows(target, "train")]
        if not trained:
            return None
        data = {
            "trained": {phase: [rows.to_json() for rows in sets] for phase, sets in trained.items()},
            "tests": {language: rows.to_json() for language, rows in tests.items()},
        }
        missing = [rows.missing for sets in (*trained.values(), tests.values()) for rows in sets]
        cut = self.locator.own(target, "test").parallel
        if (target.test.parallel if cut is None else cut) and ENGLISH in target.languages:
            english = self.locator.uncapped(target, "test", ENGLISH)
            data["english"] = english.to_json()
            missing.append(english.missing)
        return self._add("overlap", f"overlap {arm.name} {target.task}", {}, data, None, [], (-1, *rank), missing)

    def _add(
        self, kind: str, name: str, spec: dict, data: dict, encoder: str | None, needs: list[Job], rank: tuple, missing: list
    ) -> Job:
        found = self.plan.encoders[encoder] if encoder else None
        tasks = list(spec["tasks"].values()) if "tasks" in spec else [spec["task"]] if "task" in spec else []
        identity = {
            "kind": kind,
            "version": JOB_VERSIONS[kind],
            "family": [FAMILIES[task["family"]].version for task in tasks],
            "metric": [METRIC_VERSIONS[task["metric"]] for task in tasks],
            "world_size": WORLD_SIZE,
            "spec": spec,
            "data": _identities(data),
            "encoder": found.identity if found else None,
        }
        key = key_of(identity)
        needed = [job.key for job in needs]
        body = {"key": key, "kind": kind, "name": name, "identity": identity, "spec": spec, "needs": needed, **data}
        if found:
            body["encoder"] = found.to_json()
            missing = [found.missing, *missing]
        blocked = dict.fromkeys([*filter(None, missing), *(reason for job in needs for reason in job.blocked)])
        return self.plan.jobs.setdefault(key, Job(key, kind, name, needed, body, rank, tuple(blocked)))

    def _note(self, job: Job | None, what: str, beside: Job | None = None) -> None:
        """Say what a missing thing blocks; an encoder's own lack is said once, and an arm's is not said of its targets."""
        for reason in job.blocked if job else ():
            of_encoder = next((f"encoder {found.name}" for found in self.plan.encoders.values() if found.missing == reason), None)
            if of_encoder or not (beside and reason in beside.blocked):
                self.plan.blocked.setdefault(reason, []).append(of_encoder or what)

    def _task_part(self, task: Task) -> dict:
        task = self.suite.task_as_run(task)
        try:
            labels = self.locator.labels(task)
        except MissingError:
            labels = []  # its rows are missing too, which blocks the job
        return {
            "family": task.family,
            "version": task.version,
            "labels": labels,
            "max_length": task.max_length,
            "options": task.family_options.model_dump(),
            "metric": task.metric,
        }

    def _languages(self, task: Task) -> list[str]:
        cut = self.suite.cuts.get(task.task)
        return cut.languages if cut and cut.languages else task.languages


def _identities(data: object) -> object:
    """Job data without names and locations: what the rows are, not where they lie."""
    if isinstance(data, dict):
        return data["identity"] if "identity" in data else {name: _identities(value) for name, value in data.items()}
    return [_identities(value) for value in data] if isinstance(data, list) else data
