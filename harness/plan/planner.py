"""A suite as a directed acyclic graph of jobs, each with the key of its result.

A key is the SHA-256 of everything that decides a job's result (DESIGN, invariant 2), upstream keys
included, so two suites that need the same training share it. Paths, worker counts and checkpoint
intervals are not in it.

For each encoder, seed and arm:

    train(intermediate) ─► train(target) ─► evaluate(target)
    overlap(chain, target)                                         may refuse a cell
    train(parts of a task) ─► select(subset) ─► train(intermediate)
    train(intermediate) ─► pvi                                     measures difficulty
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from harness.common.errors import MissingError, SpecError
from harness.families import FAMILIES
from harness.plan.graph import Cell, Job, Plan, Rank
from harness.plan.recorded import Inputs, InputsHere, Noted, PlanInputs
from harness.sources.encoders import FoundEncoder
from harness.sources.hub import Where
from harness.sources.locate import Dataset, Resolver, as_text
from harness.sources.outputs import as_answered, as_named
from harness.sources.read import READER_VERSIONS
from harness.spec.catalog import Catalog
from harness.spec.encoder import Encoder
from harness.spec.languages import ENGLISH
from harness.spec.recipe import Phase, Recipe, Recipes
from harness.spec.suite import Arm, Finished, Intermediate, Subset, Suite
from harness.spec.task import Task
from harness.spec.versions import ResultVersions
from harness.store import HashIndex
from harness.store.job import RowsJson, described, versions_here

Sets = dict[str, Dataset]  # rows by language
TrainData = dict[str, tuple[Dataset, Dataset]]  # task → training rows, dev rows

FOLDS = 2  # a row's PVI is measured by the model that trained on the other fold


@dataclass(frozen=True)
class _How:
    """How one training goes, beside its tasks and rows: what of a job's spec comes from the arm."""

    recipe: Recipe
    sampler: dict[str, Any] | None = None
    control: str | None = None  # shuffled_labels, masked_lm
    rows: dict[str, Any] | None = None  # {"fold": [i, n]} or {"subset": key of the select job}
    watch: bool = False  # note the gold label's probability after each epoch

    def part(self) -> str:
        """What a training of it is called, where it is not one on all rows as they are."""
        return self.control or ("watched" if self.watch else next(iter(self.rows or {}), ""))


def make_plan(suite: Suite, catalog: Catalog, where: Where, index: HashIndex) -> Plan:
    """All jobs of a suite with the files of this machine. What is missing on it does not raise; it
    stands in `blocked`."""
    inputs = InputsHere(catalog, where, index)
    plan = plan_from(suite, inputs, versions_here(READER_VERSIONS))
    index.save()
    plan.sources = where.sources()
    return plan


def plan_again(recorded: PlanInputs) -> Plan:
    """The plan that was made from what a release records: no job of it can run, its files lie
    nowhere.

    Raises SpecError for what is not recorded.
    """
    return plan_from(recorded.suite, recorded, recorded.versions)


def plan_from(suite: Suite, inputs: Inputs, versions: ResultVersions) -> Plan:
    """All jobs of a suite, keyed by these result versions."""
    noted = Noted(inputs)
    plan = Plan(suite, noted=noted, versions=versions)
    for name in suite.encoder_names:
        encoder = noted.encoder(name)
        try:
            plan.encoders[name] = noted.found(encoder)
        except MissingError as error:
            plan.encoders[name] = FoundEncoder.absent(encoder, str(error))
    planner = _Planner(plan, noted, versions)
    for e, name in enumerate(suite.encoder_names):
        for s, seed in enumerate(suite.seeds):
            for a, arm in enumerate(suite.arms):
                planner.arm(name, seed, arm, (e, s, a))
    return plan


class _Planner:
    def __init__(self, plan: Plan, inputs: Noted, versions: ResultVersions):
        self.plan, self.suite, self.inputs, self.versions = plan, plan.suite, inputs, versions
        self.locator = Resolver(inputs, plan.suite, versions.readers)
        self.of_arm = {
            arm.name: Resolver(inputs, plan.suite.for_arm(arm), versions.readers)
            for arm in plan.suite.arms
        }

    @property
    def recipes(self) -> Recipes:
        """The suite's, its protocol's filled in."""
        assert self.suite.recipes
        return self.suite.recipes

    def arm(self, encoder: str, seed: int, arm: Arm, rank: Rank) -> None:
        """All cells of one arm with one seed."""
        if own := self.suite.trained.get(encoder):
            if arm.is_baseline:
                self._finished(encoder, seed, arm, own, rank)
            return
        intermediate = None
        if arm.intermediate:
            intermediate = self._intermediate(encoder, seed, arm, arm.intermediate, rank)
        self._note(intermediate, f"condition {arm.name}")
        for t, target in enumerate(self.suite.targets):
            self._cell(encoder, seed, arm, self.inputs.task(target), intermediate, (*rank, t))

    def _finished(self, encoder: str, seed: int, arm: Arm, own: Finished, rank: Rank) -> None:
        """The cells of a model that was trained elsewhere. Nothing is known of the rows it saw, so
        that nothing can be held against the test rows."""
        targets = [self.inputs.task(name) for name in self.suite.targets]
        fitting = [target for target in targets if own.task in self.suite.trains_on(target)]
        for t, target in enumerate(fitting):
            tests = self._tests(target)
            evaluate = self._evaluate(encoder, target, None, tests, (*rank, t), arm.name, own)
            self._note(evaluate, f"target {target.task}")
            self.plan.cells.append(
                Cell(encoder, arm.name, target.task, seed, evaluate.key, None, None, None)
            )

    def _tests(self, target: Task) -> Sets:
        return {
            language: self.locator.rows(target, "test", language)
            for language in self._languages(target)
        }

    def _cell(
        self, encoder: str, seed: int, arm: Arm, target: Task, intermediate: Job | None, rank: Rank
    ) -> None:
        tests = self._tests(target)
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

    def _intermediate(
        self, encoder: str, seed: int, arm: Arm, given: Intermediate, rank: Rank
    ) -> Job:
        tasks = [self.inputs.task(name) for name in given.tasks]
        own = self.of_arm[arm.name]
        data: TrainData = {}
        for task in tasks:
            data[task.task] = self._train_rows(arm.name, given, task), own.rows(task, "dev")
        only = [tasks[0].task] if len(tasks) == 1 else []
        recipe = self.recipes.of("intermediate", None, [*only, arm.name])
        # dev with true labels must not choose its weights: the last ones, after as many updates
        if given.control:
            recipe = recipe.model_copy(update={"evaluations": 1, "evaluate_every": None})
        sampler = given.sampler.model_dump() if len(tasks) > 1 else None
        how = _How(recipe, sampler, given.control)

        needs: list[Job] = []
        if given.subset:
            needs = [self._select(encoder, seed, arm, given, given.subset, rank)]
            pool = self._pool(arm.name, given, tasks[0])
            data = {name: (pool, dev) for name, (_, dev) in data.items()}
            how = replace(how, rows={"subset": needs[0].key})
        if given.control == "masked_lm":
            data = {name: (as_text(train), as_text(dev)) for name, (train, dev) in data.items()}
        trained = self._train(encoder, seed, "intermediate", tasks, data, how, None, rank, needs)
        whole = arm.kind == "task" and not self.suite.variant_of(arm, tasks[0])
        if whole and self.suite.measures_pvi and FAMILIES[tasks[0].family].bits:
            self._pvi(encoder, seed, arm.name, trained, rank)
        return trained

    def _train_rows(self, arm: str, given: Intermediate, task: Task) -> Dataset:
        return self.of_arm[arm].rows(task, "train", languages=tuple(given.languages))

    def _pool(self, arm: str, given: Intermediate, task: Task) -> Dataset:
        """All training rows of a task: what a subset is a fraction of, whatever the suite caps."""
        return self.of_arm[arm].uncapped(task, "train", languages=tuple(given.languages))

    def _select(
        self, encoder: str, seed: int, arm: Arm, given: Intermediate, subset: Subset, rank: Rank
    ) -> Job:
        """The job that chooses a subset's rows, after the trainings that rank them: by the task's
        own recipe, on all its rows."""
        task = self.inputs.task(given.tasks[0])
        pool = self._pool(arm.name, given, task)
        dev = self.of_arm[arm.name].rows(task, "dev")
        recipe = self.recipes.of("intermediate", None, [task.task])
        if subset.by in ("confidence", "variability") and recipe.epochs < 2:
            raise SpecError(
                f"condition {arm.name}: {subset.by} is taken over the epochs of {task.task}; its"
                " recipe has one, give it two"
            )
        if subset.by == "pvi":
            ways = [_How(recipe, rows={"fold": [i, FOLDS]}) for i in range(FOLDS)]
        else:
            ways = [_How(recipe, watch=True)] if subset.by else []
        data = {task.task: (pool, dev)}
        models = [
            self._train(encoder, seed, "intermediate", [task], data, how, None, (*rank, -2))
            for how in ways
        ]
        spec = {
            "task": self._task_part(task),
            "subset": subset.model_dump(),
            "cap": self.locator.cap(task, "train"),
            "seed": seed,
            "models": [model.key for model in models],
            **_computed_in(recipe.precision),
        }
        by = f" by {subset.by}" if subset.by else ""
        name = f"select {encoder} {subset.keep} {task.task}{by} seed {seed}"
        rows = {"train": {task.task: pool.to_json()}}
        return self._add(
            "select",
            name,
            spec,
            rows,
            encoder if models else None,
            models,
            (*rank, -1),
            [pool.missing],
        )

    def _pvi(self, encoder: str, seed: int, arm: str, trained: Job, rank: Rank) -> None:
        spec = {"task": next(iter(trained.body["spec"]["tasks"].values())), "model": trained.key}
        recipe = trained.body["spec"]["recipe"]
        spec |= {"dev_rows": recipe["dev_rows"], **_computed_in(recipe["precision"])}
        data = {side: trained.body[side] for side in ("train", "dev")}
        job = self._add(
            "pvi",
            f"pvi {encoder} {arm} seed {seed}",
            spec,
            data,
            encoder,
            [trained],
            (*rank, 2),
            [],
        )
        self.plan.measures[job.key] = (encoder, arm, seed)

    def _target(self, encoder: str, seed: int, target: Task, init: Job | None, rank: Rank) -> Job:
        # XQuAD and MLQA say `train: {task: squad}`: they train as squad does, on squad's dev, and
        # share the model.
        owner = self.locator.owner(target, "train")
        dev = self.locator.rows(target if self.locator.own(target, "dev") else owner, "dev")
        data = {owner.task: (self._rows_of_target(target, seed), dev)}
        how = _How(self._of_target(target))
        return self._train(encoder, seed, "target", [owner], data, how, init, rank)

    def _of_target(self, target: Task) -> Recipe:
        """The recipe of a target. One that trains nothing has it for its precision, so that it is
        the same in every condition."""
        trained = FAMILIES[target.family].trained
        owner = self.locator.owner(target, "train") if trained else target
        return self.recipes.of("target", owner.family, [owner.task, target.task])

    def _rows_of_target(self, target: Task, seed: int | None) -> Dataset:
        """What a target trains on with a seed; None: all that it could train on with any."""
        regime = self.suite.regimes.get(target.task)
        if regime is None:
            return self.locator.rows(target, "train")
        test = self.locator.own(target, "test")
        if test and test.split and regime.draws_from(test.split):
            raise SpecError(
                f"regimes: {target.task}: {regime.split} may hold its test rows ({test.split});"
                " name another split, or parts in percent that have no row in common"
            )
        languages = regime.languages or self._not_trained_on(target)
        dev = self.locator.own(target, "dev")
        if dev and dev.split and regime.draws_from(dev.split) and {*languages} & {*dev.spoken}:
            raise SpecError(
                f"regimes: {target.task}: {regime.split} may hold the dev rows ({dev.split},"
                f" {', '.join(dev.spoken)}) by which weights are chosen; name other languages, or"
                " another split"
            )
        return self.locator.in_regime(target, regime, languages, seed)

    def _not_trained_on(self, target: Task) -> list[str]:
        """The languages that it is tested in and, without a regime, neither trains nor chooses its
        weights on."""
        owner = self.locator.owner(target, "train")
        dev = self.locator.own(target, "dev") or self.locator.own(owner, "dev")
        known: set[str] = set()
        for rows in (self.locator.own(owner, "train"), dev):
            known.update(rows.spoken if rows else [])
        return [language for language in self._languages(target) if language not in known]

    def _train(
        self,
        encoder: str,
        seed: int,
        phase: Phase,
        tasks: list[Task],
        data: TrainData,
        how: _How,
        init: Job | None,
        rank: Rank,
        needs: Sequence[Job] = (),
    ) -> Job:
        if self.plan.encoders[encoder].decoder:
            raise SpecError(
                f"encoder {encoder} is a decoder: a subword sees only those before it, and heads"
                " read the first. It runs on targets that compare vectors, untrained; give"
                f" another encoder to train on {' and '.join(task.task for task in tasks)}"
            )
        together = how.recipe.world_size
        if together > how.recipe.batch_size:
            raise SpecError(
                f"world_size: {together} processes are to share the training on"
                f" {' and '.join(task.task for task in tasks)}, whose batch_size is"
                f" {how.recipe.batch_size}: each needs a row of it"
            )
        described_as = self._text_part if how.control == "masked_lm" else self._task_part
        spec = {
            "phase": phase,
            "seed": seed,
            "tasks": {task.task: described_as(task) for task in tasks},
            "recipe": how.recipe.model_dump(),
            "sampler": how.sampler,
            "control": how.control,
            "rows": how.rows,
            "watch": how.watch,
            "init": init.key if init else None,
        }
        body = {
            "train": {task: train.to_json() for task, (train, _) in data.items()},
            "dev": {task: dev.to_json() for task, (_, dev) in data.items()},
        }
        part = f"{how.part()} " if how.part() else ""
        name = f"train {encoder} {phase} {'+'.join(task.task for task in tasks)} {part}seed {seed}"
        name += f" after {'+'.join(init.body['spec']['tasks'])}" if init else ""
        missing = [rows.missing for pair in data.values() for rows in pair]
        return self._add(
            "train",
            name,
            spec,
            body,
            encoder,
            [*needs, *([init] if init else [])],
            (*rank, 1),
            missing,
        )

    def _evaluate(
        self,
        encoder: str,
        target: Task,
        model: Job | None,
        tests: Sets,
        rank: Rank,
        arm: str,
        finished: Finished | None = None,
    ) -> Job:
        task = self._task_part(target)
        outputs = self.plan.encoders[encoder].outputs
        head = FAMILIES[target.family].head_options
        if finished:
            if outputs is not None:
                as_answered(task, outputs, finished.labels, encoder)  # or it says what is wrong
            # with a head of its own, what ours would be decides nothing
            task["options"] = {name: of for name, of in task["options"].items() if name not in head}
        # an embedded family reads a hidden state: the encoder's own by default
        if not FAMILIES[target.family].trained:
            spec, options = self.inputs.encoder(encoder), task["options"]
            layer = (
                options["layer"].get(encoder)
                if isinstance(options["layer"], dict)
                else options["layer"]
            )
            options["pooling"] = options["pooling"] or spec.pooling
            # in the key only where there is one
            for side, own in _prompts(target, spec).items():
                given = options.pop(side, None)
                if text := own if given is None else given:
                    options[side] = text
            options["layer"] = spec.layer if layer is None else layer
            last = self.plan.encoders[encoder].layers
            if last is not None and not -last - 1 <= options["layer"] <= last:
                raise SpecError(
                    f"{target.task}: layer {options['layer']}, but encoder {encoder} has hidden"
                    f" states 0 to {last}"
                )
        elif finished is None:  # the head is that of the task it was trained on: XNLI's is MNLI's
            owner = self._task_part(self.locator.owner(target, "train"))["options"]
            task["options"] |= {name: owner[name] for name in head & owner.keys()}
        sets = {"tests": tests}
        if FAMILIES[target.family].tuned:
            sets["devs"] = {
                language: self.locator.rows(target, "dev", language) for language in tests
            }
        body = {
            "task": task,
            "model": model.key if model else None,
            **_computed_in(self._of_target(target).precision),
        }
        if finished:
            body["own_head"] = {"labels": as_named(finished.labels, task["labels"])}
        data = {kind: _to_json(of) for kind, of in sets.items()}
        name = f"evaluate {encoder} {target.task} after {arm}"
        missing = [rows.missing for of in sets.values() for rows in of.values()]
        return self._add(
            "evaluate", name, body, data, encoder, [model] if model else [], (*rank, 0), missing
        )

    def _overlap(self, arm: Arm, target: Task, tests: Sets, rank: Rank) -> Job | None:
        trained: dict[str, list[Dataset]] = {}
        if given := arm.intermediate:
            # Of a subset all rows it could be of: the check runs before any training, and errs on
            # the safe side.
            rows = self._pool if given.subset else self._train_rows
            tasks = [self.inputs.task(name) for name in given.tasks]
            trained["intermediate"] = [rows(arm.name, given, task) for task in tasks]
        if FAMILIES[target.family].trained:
            trained["target"] = [self._rows_of_target(target, None)]
        if not trained:
            return None
        data: dict[str, Any] = {
            "trained": {phase: _as_json(sets) for phase, sets in trained.items()},
            "tests": {language: rows.to_json() for language, rows in tests.items()},
        }
        read = [*tests.values(), *chain.from_iterable(trained.values())]
        cut, own = self.locator.own(target, "test"), target.test
        assert cut and own
        parallel = own.parallel if cut.parallel is None else cut.parallel
        if parallel and ENGLISH in target.languages:
            read.append(self.locator.uncapped(target, "test", (ENGLISH,)))
            data["english"] = read[-1].to_json()
        missing = [rows.missing for rows in read]
        return self._add(
            "overlap", f"overlap {arm.name} {target.task}", {}, data, None, [], (-1, *rank), missing
        )

    def _add(
        self,
        kind: str,
        name: str,
        spec: dict[str, Any],
        data: dict[str, Any],
        encoder: str | None,
        needs: list[Job],
        rank: Rank,
        missing: Iterable[str | None],
    ) -> Job:
        found = self.plan.encoders[encoder] if encoder else None
        body = described(
            kind, name, spec, data, found.to_json() if found else None, versions=self.versions
        )
        if found:
            missing = [found.missing, *missing]
        blocked = dict.fromkeys(
            [*filter(None, missing), *(reason for job in needs for reason in job.blocked)]
        )
        slots = body["versions"]["world_size"] if kind == "train" else 1
        return self.plan.jobs.setdefault(
            body["key"],
            Job(body["key"], kind, name, body["needs"], body, rank, tuple(blocked), slots),
        )

    def _note(self, job: Job | None, what: str, beside: Job | None = None) -> None:
        """Say what a missing thing blocks; an encoder's own lack is said once, and an arm's is not
        said of its targets."""
        for reason in job.blocked if job else ():
            of_encoder = next(
                (
                    f"encoder {found.name}"
                    for found in self.plan.encoders.values()
                    if found.missing == reason
                ),
                None,
            )
            if of_encoder or not (beside and reason in beside.blocked):
                self.plan.blocked.setdefault(reason, []).append(of_encoder or what)

    def _task_part(self, task: Task) -> dict[str, Any]:
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

    def _text_part(self, task: Task) -> dict[str, Any]:
        """The same task as text for masked-LM."""
        length = self._task_part(task)["max_length"]
        mlm = {
            "family": "mlm",
            "labels": [],
            "metric": "masked_accuracy",
            "options": FAMILIES["mlm"].options().model_dump(),
        }
        return {"version": task.version, "max_length": length, **mlm}

    def _languages(self, task: Task) -> list[str]:
        cut = self.suite.cuts.get(task.task)
        return cut.languages if cut and cut.languages else task.languages


def _computed_in(precision: str) -> dict[str, str]:
    """Of a job's spec the precision in which it uses a model; nothing for fp32."""
    return {} if precision == "fp32" else {"precision": precision}


def _prompts(target: Task, encoder: Encoder) -> dict[str, str]:
    """Option of the target's family → the encoder's own text. A family that has no passages
    compares the two sides of a pair."""
    prompts = encoder.prompts
    if "passage_prompt" in FAMILIES[target.family].options.model_fields:
        return {"prompt": prompts.query, "passage_prompt": prompts.passage}
    return {"prompt": prompts.of_pairs}


def _as_json(datasets: list[Dataset]) -> list[RowsJson]:
    return [rows.to_json() for rows in datasets]


def _to_json(sets: Sets) -> dict[str, RowsJson]:
    return {language: rows.to_json() for language, rows in sets.items()}
