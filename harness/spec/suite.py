"""A suite: encoders × arms × targets × seeds, with recipes, caps and cuts. One experiment, one YAML
file."""

from collections.abc import Collection
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from harness.common.strict import Name, Strict, later
from harness.families import FAMILIES
from harness.spec.encoder import Encoder
from harness.spec.explain import nearest, show
from harness.spec.hypothesis import Hypothesis
from harness.spec.recipe import PHASES, TWINS, Cut, Protocol, Recipe, RecipeChange, Recipes, Setting
from harness.spec.regime import Regime
from harness.spec.sampler import Sampler
from harness.spec.task import Languages, Rows, Task

BASELINE = "none"


# What a suite can let pass that is refused otherwise. The last two are rows that say nothing
# (`data.shapes.Odd`).
Waived = Literal["unlearned", "leak", "placeholder", "empty_text", "misplaced"]


class Subset(Strict):
    """A part of one task's training rows, so that easy and hard parts of the same task compare at
    equal size.

    Each label gives the same share of its rows, so that all subsets of a task have the same size
    and label balance.

    by pvi          −log2 g(y) + log2 g'(y | x), by a model that has not trained on the row
                    (Ethayarajh et al. 2022)
    by confidence   mean probability of the gold label over the epochs of a training (Swayamdipta et
                    al. 2020)
    by variability  its standard deviation over the epochs; ranks `ambiguous` rows only
    """

    by: Literal["pvi", "confidence", "variability"] | None = None
    keep: Literal["easiest", "hardest", "ambiguous", "random"] = Field(description="which rows")
    fraction: float = Field(
        gt=0, lt=1, description="share of the task's training rows, before a cap"
    )

    @model_validator(mode="after")
    def _ranked(self) -> Self:
        if (self.by is None) != (self.keep == "random"):
            raise ValueError(
                "by: easiest, hardest and ambiguous need `by:` (pvi, confidence, variability),"
                " random has none"
            )
        if (self.by == "variability") != (self.keep == "ambiguous"):
            raise ValueError("by: `variability` ranks `ambiguous` rows, and only they go with it")
        return self


class Intermediate(Strict):
    """What an arm trains on first: one task, several at once with a head each, a subset of one, or
    a control."""

    tasks: list[Name] = Field(min_length=1)
    sampler: Annotated[
        Sampler, BeforeValidator(lambda value: {"by": value} if isinstance(value, str) else value)
    ] = Sampler()
    languages: Languages = Field(
        [], description="train on rows of these languages in place of English (translated data)"
    )
    subset: Subset | None = Field(
        None, description="train on a part of the rows, chosen by how hard they are"
    )
    control: Literal["shuffled_labels", "masked_lm"] | None = Field(
        None,
        description=(
            "the same rows with their labels shuffled, or as text for masked-LM: more updates"
            " without the content"
        ),
    )
    cut: Cut | None = Field(
        None, description="other rows than the suite's, so that a target can train on the rest"
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"tasks": [value]}
        if isinstance(value, list):
            return {"tasks": value}
        if isinstance(value, dict) and "task" in value and "tasks" not in value:
            others = {name: of for name, of in value.items() if name != "task"}
            return {"tasks": [value["task"]], **others}
        return value

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if len(set(self.tasks)) != len(self.tasks):
            raise ValueError("tasks: one is listed twice")
        for field in ("subset", "control", "cut"):
            if len(self.tasks) > 1 and getattr(self, field):
                raise ValueError(f"{field}: it is of one task, not of a mixture")
        if self.cut and (self.cut.test or self.cut.languages or self.cut.label):
            raise ValueError("cut: a condition's has `train`, `dev` and `why`, no more")
        if len(self.tasks) == 1 and self.sampler != Sampler():
            raise ValueError("sampler: it is of a mixture; one task is drawn every time")
        if self.sampler.weights and set(self.sampler.weights) != set(self.tasks):
            raise ValueError("sampler: weights name each of the tasks, and no other")
        return self


def _breadth(name: str) -> int:
    """Phases, then families, then tasks and arms."""
    return 0 if name in PHASES else 1 if name in FAMILIES else 2


def _without(own: RecipeChange, broader: RecipeChange) -> RecipeChange:
    """What is left of a narrower change where a broader one of the suite speaks."""
    said = set(broader.model_dump(exclude_none=True))
    for pair in TWINS.items():
        if said & set(pair):
            said |= set(pair)
    return own.model_copy(update=dict.fromkeys(said))


def _arm(value: Any) -> Any:
    return {"intermediate": value} if isinstance(value, str) else value


class Arm(Strict):
    """One intermediate of a suite; `none` is the baseline. In YAML a bare task name is enough."""

    intermediate: Intermediate | None
    name: Name

    @model_validator(mode="before")
    @classmethod
    def _named_after_its_task(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        given = value.get("intermediate")
        if isinstance(given, str):
            value = {"name": given, **value}
        return {**value, "intermediate": None} if given == BASELINE else value

    @property
    def is_baseline(self) -> bool:
        """Whether nothing is trained before the target."""
        return self.intermediate is None

    @property
    def tasks(self) -> list[str]:
        """The tasks that are trained on first; none of the baseline."""
        return self.intermediate.tasks if self.intermediate else []

    @property
    def kind(self) -> Literal["baseline", "task", "mixture", "subset", "control"]:
        """What it is compared as: only tasks are easy or hard."""
        given = self.intermediate
        if given is None:
            return "baseline"
        if given.control:
            return "control"
        if given.subset:
            return "subset"
        return "mixture" if len(given.tasks) > 1 else "task"


class Caps(Strict):
    """At most this many rows per split, chosen by a hash of the row's id: the same in every
    language that has the same ids."""

    train: PositiveInt | None = None
    dev: PositiveInt | None = None
    test: PositiveInt | None = None


class SplitRule(Strict):
    """How learned intermediates are told easy from hard (DESIGN, "Difficulty").

    median     hard = above the median headroom; with an odd number the median one joins neither
               side
    threshold  hard = headroom above `value`
    pvi        as median, by PVI as a share of H(Y); hard = below
    declared   each task's own `difficulty.declared`
    """

    by: Literal["median", "threshold", "pvi", "declared"] = "median"
    value: float | None = Field(
        None, ge=-1, le=1, description="of `by: threshold`: a headroom, 1 = chance, 0 = people"
    )

    @model_validator(mode="after")
    def _value_when_asked(self) -> Self:
        if (self.by == "threshold") != (self.value is not None):
            raise ValueError("`value: number` goes with `by: threshold`, and only with it")
        return self


class Finished(Strict):
    """What an encoder of a suite was trained on elsewhere: it comes with a head of its own.

    Its targets are those that train on `task`; they are scored without training, and without
    conditions other than the baseline. In YAML a bare task name is enough.
    """

    task: Name
    labels: list[str] = Field(
        [],
        description="the label of each of its outputs, in their order; default: as config.json"
        " names them (id2label)",
    )


def _finished(value: Any) -> Any:
    return {"task": value} if isinstance(value, str) else value


def _among(names: Collection[str], known: Collection[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"hypotheses: {what} is called {show(name)}{nearest(name, known)}")


class Suite(Strict):
    """One experiment. Every arm sees the same targets, seeds and recipes."""

    suite: Name = Field(description="its name, which `--suite` takes")
    version: PositiveInt = Field(description="raised when its meaning changes")
    about: str = Field(description="one line for whoever reads the board")
    smoke: bool = Field(
        False, description="proves the machine, not a claim; every rendering says so"
    )
    encoders: list[Name | Encoder] = Field(
        min_length=1, description="names, or whole encoders as their own files would say them"
    )
    arms: list[Annotated[Arm, BeforeValidator(_arm)]] = Field(
        min_length=1, description="conditions: `none`, the baseline, and what is trained on first"
    )
    targets: list[Name] = Field(min_length=1, description="tasks that are tested")
    seeds: list[NonNegativeInt] = Field(
        min_length=1, description="of fewer than three nothing is called an effect"
    )
    protocol: Name | None = Field(
        None,
        description=(
            "a published set of recipes, settings and reduced tasks; then `recipes` is left out"
        ),
    )
    recipes: Recipes | None = Field(None, description="in place of a protocol's")
    changes: dict[str, RecipeChange] = Field(
        {}, description="by phase, family or task: what differs from the protocol's recipes"
    )
    settings: dict[str, Setting] = Field(
        {}, description="by family or task: max_length and options in place of the task's own"
    )
    caps: Caps = Field(Caps(), description="at most so many rows a split, of every task")
    task_caps: dict[str, Caps] = Field({}, description="caps of single tasks, in place of `caps`")
    cuts: dict[str, Cut] = Field({}, description="tasks with other rows or fewer languages")
    label: Name | None = later(
        None, description="what a reduced task shows under, behind its @; default: the suite's name"
    )
    average_over: list[Name] = later(
        [], description="the targets of the headline average, for every condition; default: all"
    )
    trained: dict[Name, Annotated[Finished, BeforeValidator(_finished)]] = later(
        {},
        description=(
            "encoders that somebody fine-tuned already → the task they were trained on; scored"
            " without training"
        ),
    )
    regimes: dict[Name, Regime] = later(
        {},
        description=(
            "targets that train on rows of other languages too, in no average with zero-shot ones"
        ),
    )
    split_rule: SplitRule = Field(
        SplitRule(), description="how easy intermediates are told from hard ones"
    )
    pvi: bool = Field(
        False,
        description="measure every intermediate's PVI too; `split_rule: {by: pvi}` does so anyway",
    )
    hypotheses: list[Hypothesis] = later(
        [], description="what is expected, written down before the run; the board says what came"
    )
    left_out: list[str] = Field(
        [], description="tasks that a run did without (`eval --without NAME`), shown on the board"
    )
    waives: list[Waived] = Field(
        [], description="refusals this suite does without, shown on the board"
    )

    @model_validator(mode="after")
    def _no_twins(self) -> Self:
        given: dict[str, list[Any]] = {
            "encoders": self.encoder_names,
            "targets": self.targets,
            "seeds": self.seeds,
            "average_over": self.average_over,
        }
        for field, values in given.items():
            if len(set(values)) != len(values):
                raise ValueError(f"{field}: one is listed twice")
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError("arms: two have one name; give each its own `name:`")
        if (baselines := [arm.is_baseline for arm in self.arms].count(True)) != 1:
            wrong = "is there twice; keep one" if baselines else "is missing; add `none`"
            raise ValueError(f"arms: the baseline {wrong}, gains are measured against it")
        return self

    @model_validator(mode="after")
    def _trained_are_encoders(self) -> Self:
        if unknown := [name for name in self.trained if name not in self.encoder_names]:
            raise ValueError(f"trained: {', '.join(unknown)}: not among `encoders:`")
        if self.trained and self.regimes:
            raise ValueError("regimes: a model that is trained already trains on nothing more")
        return self

    @model_validator(mode="after")
    def _regimes_are_of_targets(self) -> Self:
        unknown = [name for name in self.regimes if name not in self.targets]
        if unknown and not self.left_out:
            raise ValueError(f"regimes: {', '.join(unknown)}: not among `targets:`")
        return self

    @model_validator(mode="after")
    def _averages_are_over_targets(self) -> Self:
        unknown = [name for name in self.average_over if name not in self.targets]
        if unknown and not self.left_out:
            raise ValueError(f"average_over: {', '.join(unknown)}: not among `targets:`")
        return self

    @model_validator(mode="after")
    def _hypotheses_are_about_it(self) -> Self:
        named = [one.hypothesis for one in self.hypotheses]
        if len(set(named)) != len(named):
            raise ValueError("hypotheses: two have one name")
        if sum(one.primary for one in self.hypotheses) > 1:
            raise ValueError("hypotheses: one can be primary; the others are exploratory")
        trained = [arm.name for arm in self.arms if not arm.is_baseline]
        for one in self.hypotheses:
            _among(one.conditions, trained, f"{one.hypothesis}: no condition that trains")
            _among(one.targets, self.targets, f"{one.hypothesis}: no target")
            if one.by == "pvi" and not self.measures_pvi:
                raise ValueError(f"hypotheses: {one.hypothesis}: `by: pvi` takes `pvi: true`")
        return self

    @model_validator(mode="after")
    def _recipes_once(self) -> "Suite":
        if [self.protocol, self.recipes].count(None) != 1:
            raise ValueError(
                "recipes: give either `protocol:` (its recipes, with `changes:`) or `recipes:`"
            )
        if self.changes and self.recipes:
            raise ValueError(
                "changes: they change a protocol's recipes; here, write them into `recipes:`"
            )
        return self

    @property
    def encoder_names(self) -> list[str]:
        """Its encoders, by name."""
        return [one if isinstance(one, str) else one.encoder for one in self.encoders]

    @property
    def measures_pvi(self) -> bool:
        """Whether the PVI of intermediates is measured."""
        return self.pvi or self.split_rule.by == "pvi"

    @property
    def baseline(self) -> str:
        """The name of the arm that trains on nothing first."""
        return next(arm.name for arm in self.arms if arm.is_baseline)

    def of_targets(self, names: Collection[str]) -> dict[str, Any]:
        """What changes in it where it has these targets: their list, and what hangs on each."""
        regimes = {name: of for name, of in self.regimes.items() if name in names}
        return {"targets": list(names), "regimes": regimes}

    def trains_on(self, target: Task) -> set[str]:
        """The tasks by whose name a target's training goes: its own, and whose rows it reads; none
        where it trains on nothing."""
        if not FAMILIES[target.family].trained:
            return set()
        cut = self.cuts.get(target.task)
        rows = [target.train, cut.train if cut else None]
        return {target.task, *(one.task for one in rows if one and one.task)}

    def variant_of(self, arm: Arm, task: Task) -> str | None:
        """The task that an arm trains in another way: translated, or as an earlier arm does with
        other rows or another recipe.

        It is compared with that task and is no task of its own: easy and hard count tasks, and a
        task counts once.
        """
        if arm.kind != "task":
            return None
        alike = [one for one in self.arms if one.kind == "task" and one.tasks == arm.tasks]
        first = alike[0]
        again = None if first.name == arm.name else task.task
        return (task.difficulty.variant_of if task.difficulty else None) or again

    def for_arm(self, arm: Arm) -> "Suite":
        """This suite with the arm's own cut of its task in place of the suite's."""
        cut = arm.intermediate.cut if arm.intermediate else None
        if cut is None:
            return self
        return self.model_copy(update={"cuts": {**self.cuts, arm.tasks[0]: cut}})

    def rows_of(self, task: Task) -> list[str]:
        """The task, and the others whose rows it takes."""
        cut = self.cuts.get(task.task)
        found = [task.task]
        for phase in ("train", "dev", "test"):
            rows: Rows | None = getattr(cut, phase, None) or getattr(task, phase)
            if rows:
                found += [name for name in (rows.task, *rows.tasks) if name]
        return found

    def shown_name(self, task: Task) -> str:
        """A target's name on the board: as `reduced_name`, and the regime that it trains in
        (`panx@few_shot_16`, of a reduced one `panx@laptop+few_shot_16`)."""
        name, regime = self.reduced_name(task), self.regimes.get(task.task)
        if regime is None:
            return name
        return f"{name}{'+' if '@' in name else '@'}{regime.label}"

    def reduced_name(self, task: Task) -> str:
        """A task's name on the board: `task@LABEL` where its rows, or those it trains on, are cut
        or capped.

        So a number of fewer rows never shares a column with the whole one.
        """
        related = self.rows_of(task)
        cuts = [self.cuts[name] for name in related if name in self.cuts]
        capped = any(self.task_caps.get(name, self.caps) != Caps() for name in related)
        if capped or any(not own.label for own in cuts):
            return f"{task.task}@{self.label or self.suite}"
        return f"{task.task}@{cuts[0].label}" if cuts else task.task

    def under(self, protocol: Protocol, family_of: dict[str, str]) -> "Suite":
        """This suite with the protocol's recipes, settings and cuts filled in.

        The suite's values win, also over narrower ones of the protocol: its `target` over the
        protocol's `span_qa`, its `span_qa` over the protocol's `squad`. `family_of`: task → family.
        """
        cuts = {
            task: cut.model_copy(update={"label": cut.label or protocol.protocol})
            for task, cut in protocol.cuts.items()
        }
        filled_in = {
            "recipes": self._changed(protocol.recipes, family_of),
            "settings": self._set(protocol.settings, family_of),
            "cuts": cuts | self.cuts,
        }
        return self.model_copy(update=filled_in)

    def _changed(self, recipes: Recipes, family_of: dict[str, str]) -> Recipes:
        """A protocol's recipes with this suite's changes."""
        tasks, families = dict(recipes.tasks), dict(recipes.families)
        phases: dict[str, Recipe] = {}
        for name, change in sorted(self.changes.items(), key=lambda item: _breadth(item[0])):
            if name in PHASES:
                phases[name] = change.applied_to(getattr(recipes, name))
            if name == "target":
                families = {family: _without(own, change) for family, own in families.items()}
            narrower = [task for task in tasks if name in PHASES or family_of.get(task) == name]
            tasks |= {task: _without(tasks[task], change) for task in narrower}
            if name not in PHASES:
                table = families if name in FAMILIES else tasks
                table[name] = change.applied_to(table.get(name, RecipeChange()))
        return recipes.model_copy(update={**phases, "tasks": tasks, "families": families})

    def _set(
        self, of_protocol: dict[str, Setting], family_of: dict[str, str]
    ) -> dict[str, Setting]:
        """A protocol's settings with this suite's."""
        settings = dict(of_protocol)
        for name, setting in sorted(self.settings.items(), key=lambda item: _breadth(item[0])):
            for task in [task for task in settings if family_of.get(task) == name]:
                own = settings[task]
                said = setting.options
                left = {name: value for name, value in own.options.items() if name not in said}
                length = None if setting.max_length else own.max_length
                settings[task] = Setting(max_length=length, options=left)
            base = settings.get(name, Setting())
            settings[name] = Setting(
                max_length=setting.max_length or base.max_length,
                options=base.options | setting.options,
            )
        return settings

    def task_as_run(self, task: Task) -> Task:
        """The task with this suite's settings: its family's first, then its own."""
        for setting in (self.settings.get(task.family), self.settings.get(task.task)):
            if setting:
                options = task.options | setting.options
                task = task.model_copy(
                    update={"max_length": setting.max_length or task.max_length, "options": options}
                )
        return task


class SuiteAsRun(Suite):
    """A suite with its protocol filled in: what a plan is made of, and what a release holds."""

    @model_validator(mode="after")
    def _recipes_once(self) -> "SuiteAsRun":
        if self.recipes is None or self.changes:
            raise ValueError("recipes: those of the protocol, with all changes, stand here")
        return self
