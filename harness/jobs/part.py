"""One task's share of a training: its rows as features, its batches in order, its dev rows. Most
trainings have one part."""

import numpy as np

from harness.jobs.context import Context, JobError
from harness.jobs.predict import measured_bits
from harness.models import TRAINED
from harness.models.batching import epoch_batches, feature_length, stream_seed
from harness.sources import rows as data_rows


class Part:
    """`batch(n)` is the n-th batch this task gives, whatever the other parts of a mixture do in
    between."""

    def __init__(self, ctx: Context, encoder, name: str):
        spec, recipe = ctx.job["spec"], ctx.job["spec"]["recipe"]
        self.name, self.task, self.recipe, self.encoder = name, spec["tasks"][name], recipe, encoder
        self.family = TRAINED[self.task["family"]]
        rows = self.training = training_rows(ctx, name)
        self.rows = len(rows)
        self.features = self.family.encode(rows, encoder, self.task, training=True)
        if not self.features:
            raise JobError(
                f"{ctx.job['name']}: none of {len(rows)} rows of {name} can be used (no answer"
                " found in any context?)"
            )
        self.lengths = np.array([feature_length(feature) for feature in self.features])
        dev = ctx.rows(ctx.job["dev"][name], self.task["metric"]) if recipe["evaluations"] else []
        self.dev = dev[: recipe["dev_rows"]]
        # masked-LM can hide nothing in a text of one piece
        may_be_short = hasattr(self.family, "corrupt") and self.dev
        if may_be_short and not self.family.encode(self.dev, encoder, self.task, training=False):
            raise JobError(
                f"{ctx.job['name']}: none of {len(self.dev)} dev rows of {name} has a text of two"
                " pieces or more"
            )
        self.per_epoch = -(-len(self.features) // recipe["batch_size"])
        self._seed = lambda purpose: stream_seed(spec["seed"], spec["phase"], name, purpose)
        self._drawn: tuple[int, list[np.ndarray]] = (-1, [])  # an epoch and its batches

    def gold_bits(self, model, where: str) -> list[float]:
        """Per training row −log2 of the probability that the model gives its gold label."""
        return measured_bits(model, self.family, self.encoder, self.task, self.training, where)

    def _epoch(self, epoch: int) -> list[np.ndarray]:
        if self._drawn[0] != epoch:
            recipe, seed = self.recipe, self._seed("order")
            self._drawn = (
                epoch,
                epoch_batches(self.lengths, recipe["batch_size"], seed, epoch, recipe["batching"]),
            )
        return self._drawn[1]

    def batch(self, number: int) -> list[dict]:
        """The features of batch `number` (from 0; epochs follow each other, each in its own
        order)."""
        epoch, place = divmod(number, self.per_epoch)
        features = [self.features[i] for i in self._epoch(epoch)[place]]
        # masked-LM draws its masks anew for each update
        corrupt = getattr(self.family, "corrupt", None)
        if corrupt is None:
            return features
        return corrupt(
            features, np.random.default_rng([self._seed("mask"), number]), self.encoder, self.task
        )


def training_rows(ctx: Context, name: str) -> list[dict]:
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
        rows = shuffled_labels(rows, stream_seed(spec["seed"], spec["phase"], name, "labels"))
    return rows


def shuffled_labels(rows: list[dict], seed: int) -> list[dict]:
    """The same texts and the same labels (or words and tags), dealt out anew: all that labels could
    teach is gone."""
    rng = np.random.default_rng(seed)
    if "label" in rows[0]:
        return [
            {**row, "label": rows[i]["label"]}
            for row, i in zip(rows, rng.permutation(len(rows)), strict=True)
        ]
    tags = [tag for row in rows for tag in row["tags"]]
    dealt = iter([tags[i] for i in rng.permutation(len(tags))])
    return [{**row, "tags": [next(dealt) for _ in row["tags"]]} for row in rows]
