"""One task's share of a training: its rows as features, its batches in order, its dev rows. Most
trainings have one part."""

import functools
from typing import Any, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from harness.families import FAMILIES, Family
from harness.families.columns import Row
from harness.jobs.context import Context, JobError
from harness.jobs.predict import measured_bits, predict_rows
from harness.jobs.tokenised import RowsAsked, Tokenised, tokenised
from harness.metrics import METRICS
from harness.metrics.scored import Examples
from harness.models import TaskModel
from harness.models.batching import epoch_batches, stream_seed
from harness.models.half import Corrupting, Feature, TaskJson
from harness.models.loaded import LoadedEncoder
from harness.sources import rows as data_rows

Numbers = npt.NDArray[np.int64]


class PartScore(TypedDict):
    """What a training reached on the dev rows of one task, 0-100; `examples`: what it follows
    from."""

    metrics: dict[str, float]
    main: float
    null: float
    above_null: float
    stderr: float
    learned: bool
    dev_rows: int
    examples: NotRequired[Examples]  # taken out where the score is written


class Part:
    """`batch(n)` is the n-th batch this task gives, whatever the other parts of a mixture do in
    between."""

    def __init__(self, ctx: Context, encoder: LoadedEncoder, name: str):
        spec: dict[str, Any] = ctx.job["spec"]
        recipe: dict[str, Any] = spec["recipe"]
        self.name, self.recipe, self.encoder = name, recipe, encoder
        self.task: TaskJson = spec["tasks"][name]
        self.family = FAMILIES[self.task["family"]]
        self.half = self.family.trainer()

        self._ctx, self._stream = ctx, (spec["seed"], spec["phase"], name)
        self.rows, self.features, self.lengths = self._of_training(training=True)
        if not self.features:
            raise JobError(
                f"{ctx.job['name']}: none of {self.rows} rows of {name} can be used (no answer"
                " found in any context?)"
            )

        dev = ctx.rows(ctx.job["dev"][name], self.task["metric"]) if recipe["evaluations"] else []
        self.dev = dev[: recipe["dev_rows"]]
        # made once, however often they are looked at
        self.dev_features: list[Feature] = []
        if self.dev:
            rows = RowsAsked(ctx.job["dev"][name], {"first": recipe["dev_rows"]}, lambda: self.dev)
            made = tokenised(ctx, encoder, self.family, self.task, rows, training=False)
            self.dev_features = [*made.features]
        # masked-LM can hide nothing in a text of one piece
        if self.dev and not self.dev_features:
            raise JobError(
                f"{ctx.job['name']}: none of {len(self.dev)} dev rows of {name} has a text of two"
                " subwords or more"
            )

        self.per_epoch = -(-len(self.features) // recipe["batch_size"])
        self._drawn: tuple[int, list[Numbers]] = (-1, [])  # an epoch and its batches

    def _seed(self, purpose: str) -> int:
        return stream_seed(*self._stream, purpose)

    @functools.cached_property
    def training(self) -> list[Row]:
        """The rows it trains on; not read where their features are kept and nobody asks."""
        return training_rows(self._ctx, self.name, self.family)

    def _of_training(self, training: bool) -> Tokenised:
        spec = self._ctx.job["spec"]
        shuffled = self._stream if spec["control"] == "shuffled_labels" else None
        rows = RowsAsked(
            self._ctx.job["train"][self.name],
            {"part": spec["rows"], "shuffled": shuffled},
            lambda: self.training,
        )
        return tokenised(self._ctx, self.encoder, self.family, self.task, rows, training)

    def score(self, model: TaskModel, head: int, where: str) -> PartScore:
        """How the model, by this part's head, does on the dev rows."""
        predictions, _ = predict_rows(
            model, self.family, self.encoder, self.task, self.dev, where, head, self.dev_features
        )
        golds = [self.family.gold(row) for row in self.dev]
        scored = METRICS[self.task["metric"]](golds, predictions, "en")
        return {
            "metrics": scored.metrics,
            "main": scored.main,
            "null": scored.null,
            "above_null": scored.above_null,
            "stderr": scored.stderr,
            "learned": bool(scored.learned),
            "dev_rows": len(self.dev),
            "examples": scored.examples,
        }

    def gold_bits(self, model: TaskModel, where: str) -> list[float]:
        """Per training row −log2 of the probability that the model gives its gold label."""
        features = [*self._of_training(training=False).features]
        return measured_bits(
            model, self.family, self.encoder, self.task, self.training, where, features
        )

    def _epoch(self, epoch: int) -> list[Numbers]:
        if self._drawn[0] != epoch:
            size, batching = self.recipe["batch_size"], self.recipe["batching"]
            drawn = epoch_batches(self.lengths, size, self._seed("order"), epoch, batching)
            self._drawn = epoch, drawn
        return self._drawn[1]

    def batch(self, number: int) -> list[Feature]:
        """The features of batch `number` (from 0; epochs follow each other, each in its own
        order)."""
        epoch, place = divmod(number, self.per_epoch)
        return self._seen([self.features[i] for i in self._epoch(epoch)[place]], number)

    def longest(self) -> list[Feature]:
        """As many features as a batch has, the longest there are."""
        order = np.argsort(-self.lengths, kind="stable")[: self.recipe["batch_size"]]
        return self._seen([self.features[i] for i in order], 0)

    def _seen(self, features: list[Feature], number: int) -> list[Feature]:
        """What the model sees of batch `number`."""
        if not isinstance(self.half, Corrupting):
            return features
        # masked-LM draws its masks anew for each update
        rng = np.random.default_rng([self._seed("mask"), number])
        return self.half.corrupt(features, rng, self.encoder, self.task)


def training_rows(ctx: Context, name: str, family: Family) -> list[Row]:
    """The rows a training reads: all of its task's, a fold, or a subset that a select job chose;
    shuffled for a control."""
    spec, rows = ctx.job["spec"], ctx.rows(ctx.job["train"][name])
    part = spec["rows"] or {}
    if "fold" in part:
        rows = data_rows.fold(rows, *part["fold"])
    if "subset" in part:
        chosen = set(ctx.store.read_json(part["subset"], "subset.json")["ids"])
        rows = [row for row in rows if row["id"] in chosen]
    if spec["control"] == "shuffled_labels":
        seed = stream_seed(spec["seed"], spec["phase"], name, "labels")
        rows = shuffled_labels(family, rows, seed)
    return rows


def shuffled_labels(family: Family, rows: list[Row], seed: int) -> list[Row]:
    """The same texts and the same labels (or words and tags), dealt out anew: all that labels could
    teach is gone."""
    counts = [len(family.labels(row)) for row in rows]
    labels = [label for row in rows for label in family.labels(row)]
    order = np.random.default_rng(seed).permutation(len(labels))
    dealt = iter([labels[i] for i in order])
    shuffled = []
    for row, count in zip(rows, counts, strict=True):
        # each row keeps how many it has: a sentence's words stay tagged
        own = [next(dealt) for _ in range(count)]
        shuffled.append(family.relabelled(row, own))
    return shuffled
