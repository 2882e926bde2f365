"""Recipes: the hyper-parameters of one training phase, and protocols: published sets of them with
the tasks' settings.

A protocol is field values, never code: `protocols/xtreme.yaml` holds what the benchmark's scripts
set, `protocols/xstilts.yaml` what the paper's released code sets. A suite names one and may change
single values.
"""

from importlib.util import find_spec
from typing import Any, Literal, Self, TypeVar, get_args

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from harness.common.errors import MissingError
from harness.common.strict import Name, Strict, later
from harness.spec.task import SHORTEST, Languages, Rows

Phase = Literal["intermediate", "target"]
PHASES = get_args(Phase)
Precision = Literal["fp32", "tf32", "bf16"]
PRECISIONS = get_args(Precision)
Averaged = Literal["batch", "micro_batch"]


def _together(loss: str | None, rows: int | None) -> None:
    """ValueError if only one of `loss: micro_batch` and `micro_rows` is said."""
    if (loss == "micro_batch") != (rows is not None):
        raise ValueError(
            "loss: `micro_batch` and `micro_rows: number` go together (the rows that a script gives"
            " to one forward pass)"
        )


class Lora(Strict):
    """Low-rank adapters that are trained in place of the encoder's weights (Hu et al. 2021, arXiv
    2106.09685), by the package peft; heads and pooler are trained as ever.

    Each phase has its own: what an intermediate hands over is its adapters, merged into the
    encoder, under which the target's are new. A result holds adapters and heads, not the encoder.
    """

    rank: PositiveInt = 8
    alpha: PositiveFloat = Field(16.0, description="an adapter counts alpha/rank times")
    dropout: NonNegativeFloat = Field(0.0, lt=1.0, description="of what an adapter reads")
    targets: list[str] = Field(
        [],
        description=(
            "names of the linear layers that have one (query, value); default: all of the encoder"
            " (Dettmers et al. 2023, arXiv 2305.14314)"
        ),
    )

    @staticmethod
    def check_package() -> None:
        """MissingError if the package that trains them is not installed."""
        if find_spec("peft") is None:
            raise MissingError(
                "a recipe has `lora`, which needs the package peft: pip install"
                " xstilts-harness[lora]"
            )


class Recipe(Strict):
    """Hyper-parameters of one training phase. Defaults follow XTREME's scripts (AdamW, linear
    decay, clip 1.0)."""

    learning_rate: PositiveFloat = Field(description="the highest; then linear to 0")
    batch_size: PositiveInt = Field(32, description="rows per update (windows for span_qa)")
    epochs: PositiveInt = Field(1, description="how often the rows are gone through")
    max_updates: PositiveInt | None = Field(None, description="stop here even if epochs are left")
    warmup: NonNegativeFloat = Field(0.0, le=1.0, description="share of the updates")
    warmup_updates: PositiveInt | None = Field(
        None, description="a number of updates, in place of `warmup`"
    )
    weight_decay: NonNegativeFloat = Field(0.0, description="of matrices, not of biases and norms")
    adam_epsilon: PositiveFloat = 1e-8
    max_grad_norm: PositiveFloat = 1.0
    dropout: NonNegativeFloat = Field(0.1, lt=1.0, description="hidden states and heads")
    attention_dropout: NonNegativeFloat = Field(0.1, lt=1.0)
    evaluations: NonNegativeInt = Field(
        4,
        description=(
            "looks at English dev, evenly spaced, last one at the end; the best is kept. 1 = keep"
            " the last, scored"
        ),
    )
    evaluate_every: PositiveInt | None = Field(
        None,
        description="a look each so many updates and one at the end, in place of `evaluations`",
    )
    dev_rows: PositiveInt | None = Field(
        None, description="only the first rows of dev are looked at (jiant: 500)"
    )
    batching: Literal["random", "grouped"] = Field(
        "random", description="grouped: batches of similar length; not what the papers did"
    )
    micro_tokens: PositiveInt = Field(
        2048, description="tokens per forward pass; a batch is split to fit the memory"
    )
    precision: Precision = Field(
        "fp32",
        description=(
            "of the model, trained and evaluated. tf32: a GPU since 2020 rounds the factors of"
            " matrix products to 10 bits, any other device computes fp32; bf16, to 7 bits of most"
            " values, needs a GPU"
        ),
    )
    min_updates: PositiveInt | None = later(
        None,
        description=(
            "epochs are repeated until there are so many updates, for data of a few hundred rows;"
            " `max_updates` has the last word"
        ),
    )
    loss: Averaged = later(
        "batch",
        description=(
            "batch: the mean over all terms of an update's batch; micro_batch: the mean over its"
            " parts of `micro_rows` rows, as drawn, of each one's own mean, as scripts that"
            " accumulate gradients have it. Tagging differs, whose rows have many terms"
        ),
    )
    lora: Lora | None = later(
        None, description="train adapters and heads, and no weight of the encoder"
    )
    micro_rows: PositiveInt | None = later(
        None, description="rows of a script's micro-batch (`per_gpu_train_batch_size`)"
    )
    world_size: PositiveInt = later(
        1,
        description=(
            "processes that share one training, each with a GPU of its own on one machine (without"
            " GPUs, with a CPU thread). It is set here and never follows from the machine"
        ),
    )

    @model_validator(mode="after")
    def _rows_of_a_micro_batch(self) -> Self:
        _together(self.loss, self.micro_rows)
        return self

    def rounds(self, an_epoch: int) -> int:
        """How often the rows are gone through, of which one epoch has `an_epoch` updates."""
        return max(self.epochs, -(-(self.min_updates or 0) // an_epoch))

    def updates(self, an_epoch: int) -> int:
        """Updates of a training of which one epoch has `an_epoch`."""
        everything = an_epoch * self.rounds(an_epoch)
        return min(everything, self.max_updates or everything)


# the second goes where the first is said; of the first two pairs it wins if both are set
TWINS = {"warmup": "warmup_updates", "evaluations": "evaluate_every", "loss": "micro_rows"}


Changed = TypeVar("Changed", "Recipe", "RecipeChange")


class RecipeChange(Strict):
    """The fields of a recipe that a family, a task or an arm overrides."""

    learning_rate: PositiveFloat | None = None
    batch_size: PositiveInt | None = None
    epochs: PositiveInt | None = None
    max_updates: PositiveInt | None = None
    warmup: NonNegativeFloat | None = None
    warmup_updates: PositiveInt | None = None
    weight_decay: NonNegativeFloat | None = None
    evaluations: NonNegativeInt | None = None
    evaluate_every: PositiveInt | None = None
    dev_rows: PositiveInt | None = None
    micro_tokens: PositiveInt | None = None
    precision: Precision | None = None
    min_updates: PositiveInt | None = later(None)
    loss: Averaged | None = later(None)
    lora: Lora | None = later(None)
    micro_rows: PositiveInt | None = later(None)
    world_size: PositiveInt | None = later(None)

    @model_validator(mode="after")
    def _rows_of_a_micro_batch(self) -> Self:
        _together(self.loss, self.micro_rows)
        return self

    def applied_to(self, other: Changed) -> Changed:
        """`other` with these values; a share of the updates takes the place of their number, and so
        on."""
        given = {name: getattr(self, name) for name in self.model_dump(exclude_none=True)}
        for share, count in TWINS.items():
            if share in given:
                given.setdefault(count, None)
        return other.model_copy(update=given)


class Recipes(Strict):
    """One recipe per phase; what differs per family, and per task (or arm of several tasks), in
    either phase."""

    intermediate: Recipe
    target: Recipe
    families: dict[str, RecipeChange] = {}
    tasks: dict[str, RecipeChange] = {}

    def of(self, phase: Phase, family: str | None, names: list[str]) -> Recipe:
        """The recipe of `phase`: the family's change, then that of each name in turn (the owner of
        the rows, then the target; the task, then the arm).

        A family's change holds for the phase `target` only: X-STILTs' intermediates share one
        recipe, its targets do not.
        """
        recipe: Recipe = getattr(self, phase)
        changes = [self.families.get(family or "")]
        changes += [self.tasks.get(name) for name in dict.fromkeys(names)]
        for change in changes:
            recipe = change.applied_to(recipe) if change else recipe
        return recipe


class Setting(Strict):
    """What a protocol or a suite sets in place of a task's (or a whole family's) own value."""

    max_length: int | None = Field(
        None, ge=SHORTEST, description="subwords, special tokens included"
    )
    options: dict[str, Any] = Field({}, description="the family's own")


class Cut(Strict):
    """An override of a task's rows or languages. The task then shows as `task@LABEL`, never in the
    uncut one's column."""

    train: Rows | None = None
    dev: Rows | None = None
    test: Rows | None = None
    languages: Languages | None = Field(None, min_length=1)
    label: Name | None = Field(None, description="default: the suite's name")
    why: str = Field(description="one line for the reader of the board")


class Protocol(Strict):
    """A published way to run the benchmark, as values."""

    protocol: Name = Field(description="its name, which suites use")
    version: PositiveInt = Field(description="raised when its meaning changes")
    about: str = Field(description="one line on what it is for")
    source: str = Field(description="where these values were read")
    recipes: Recipes = Field(description="hyper-parameters by phase, family and task")
    settings: dict[str, Setting] = Field({}, description="by family or task; the task's wins")
    cuts: dict[str, Cut] = Field({}, description="tasks with other rows or fewer languages")
