"""A suite: encoders × arms × targets × seeds, with recipes, caps and cuts. One experiment, one YAML file."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from harness.spec.base import Name, Strict
from harness.spec.task import Language, Rows

BASELINE = "none"


class Recipe(Strict):
    """Hyper-parameters of one training phase. Defaults follow XTREME's scripts (AdamW, linear decay, clip 1.0)."""

    learning_rate: PositiveFloat
    batch_size: PositiveInt = Field(32, description="rows per update (windows for span_qa)")
    epochs: PositiveInt = 1
    max_updates: PositiveInt | None = Field(None, description="stop here even if epochs are left")
    warmup: NonNegativeFloat = Field(0.0, le=1.0, description="share of the updates")
    weight_decay: NonNegativeFloat = 0.0
    adam_epsilon: PositiveFloat = 1e-8
    max_grad_norm: PositiveFloat = 1.0
    dropout: NonNegativeFloat = Field(0.1, lt=1.0, description="hidden states and heads")
    attention_dropout: NonNegativeFloat = Field(0.1, lt=1.0)
    evaluations: NonNegativeInt = Field(
        4, description="looks at English dev, evenly spaced, last one at the end; the best is kept. 0 = keep the last weights"
    )
    batching: Literal["random", "grouped"] = Field(
        "random", description="grouped: batches of similar length; not what the papers did"
    )
    micro_tokens: PositiveInt = Field(2048, description="padded tokens per forward pass; a batch is split to fit")
    precision: Literal["fp32", "bf16"] = "fp32"


class RecipeChange(Strict):
    """The fields of a recipe that one task overrides."""

    learning_rate: PositiveFloat | None = None
    batch_size: PositiveInt | None = None
    epochs: PositiveInt | None = None
    max_updates: PositiveInt | None = None
    warmup: NonNegativeFloat | None = None
    weight_decay: NonNegativeFloat | None = None
    evaluations: NonNegativeInt | None = None
    micro_tokens: PositiveInt | None = None


class Recipes(Strict):
    """One recipe per phase, and per task what differs from it (in either phase)."""

    intermediate: Recipe
    target: Recipe
    tasks: dict[str, RecipeChange] = {}

    def of(self, phase: Literal["intermediate", "target"], task: str) -> Recipe:
        """The recipe that trains `task` in `phase`."""
        change = self.tasks.get(task)
        return getattr(self, phase).model_copy(update=change.model_dump(exclude_none=True) if change else {})


def _arm(value: Any) -> Any:
    return {"intermediate": value} if isinstance(value, str) else value


class Arm(Strict):
    """One intermediate of a suite; `none` is the baseline. In YAML a bare task name is enough."""

    intermediate: Name
    name: Name = ""

    @model_validator(mode="before")
    @classmethod
    def _named_after_its_task(cls, value):
        if isinstance(value, dict) and "name" not in value and isinstance(value.get("intermediate"), str):
            return {**value, "name": value["intermediate"]}
        return value


class Cut(Strict):
    """A suite's override of a task's rows or languages. The task then shows as `task@suite`."""

    train: Rows | None = None
    dev: Rows | None = None
    test: Rows | None = None
    languages: list[Language] | None = None
    why: str = Field(description="one line for the reader of the board")


class Caps(Strict):
    """At most this many rows per split, chosen by a hash of the row's id: the same rows in every language."""

    train: PositiveInt | None = None
    dev: PositiveInt | None = None
    test: PositiveInt | None = None


class SplitRule(Strict):
    """How learned intermediates are told easy from hard. `declared`: each task's own `difficulty.declared`."""

    by: Literal["declared"] = "declared"


class Suite(Strict):
    """One experiment. Every arm sees the same targets, seeds and recipes."""

    suite: Name
    version: PositiveInt
    about: str
    smoke: bool = Field(False, description="proves the machine, not a claim; every rendering says so")
    encoders: list[Name] = Field(min_length=1)
    arms: list[Annotated[Arm, BeforeValidator(_arm)]] = Field(min_length=1)
    targets: list[Name] = Field(min_length=1)
    seeds: list[NonNegativeInt] = Field(min_length=1)
    recipes: Recipes
    caps: Caps = Caps()
    task_caps: dict[str, Caps] = Field({}, description="caps of single tasks, in place of `caps`")
    cuts: dict[str, Cut] = {}
    split_rule: SplitRule = SplitRule()
    waives: list[Literal["unlearned", "leak"]] = Field([], description="refusals this suite does without, shown on the board")

    @model_validator(mode="after")
    def _no_twins(self):
        for field in ("encoders", "targets", "seeds"):
            values = getattr(self, field)
            if len(set(values)) != len(values):
                raise ValueError(f"{field}: one is listed twice")
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError("arms: two have one name; give each its own `name:`")
        if BASELINE not in [arm.intermediate for arm in self.arms]:
            raise ValueError("arms: the baseline is missing; add `none`, gains are measured against it")
        return self
