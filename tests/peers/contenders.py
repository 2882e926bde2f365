"""Who is compared: transformers' Trainer over its own models, this harness's own loop, and the bare
matrix products that either has to do. A function each, in a process of its own (`rounds`).

Ours is what the harness runs today: `Ours` is the only place here that knows its inner names.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch.nn import functional

from harness.jobs import train
from harness.jobs.context import device, make_deterministic
from harness.jobs.part import Part
from harness.jobs.predict import predict_rows
from harness.models.batching import feature_length
from harness.models.half import Feature
from harness.spec.recipe import Recipe
from tests.peers.material import SEED, Material, Row
from tests.peers.rounds import Meter

IGNORE = -100
HEADS = "heads.pt"


@dataclass
class Work:
    """What a contender computes.

    batches  of features (training) or of rows, in order
    padding  Trainer's: max_length, or longest (of a batch)
    """

    material: Material
    batches: list[list[Any]]
    padding: str = "longest"
    precision: str = "fp32"
    grouped: bool = False  # Trainer's evaluation reads by length
    encoded: list[list[Feature]] | None = None  # of evaluation: the features of each batch's rows


class Given(Part):
    """Rows whose batches are those that all contenders get."""

    batches: Sequence[list[Feature]] = ()

    def batch(self, number: int) -> list[Feature]:
        return self.batches[number]


class Ours:
    """This harness's part in one place: its rows, its model, its loop."""

    def __init__(self, material: Material):
        self.context = material.context()
        make_deterministic(self.context.job)
        self.encoder = self.context.encoder()
        self.part = Given(self.context, self.encoder, "rows")

    def features(self, rows: list[Row]) -> list[Feature]:
        """As an evaluation reads them."""
        return self.part.half.encode(rows, self.encoder, self.part.task, training=False)

    def updates(self, batches: Sequence[list[Feature]]) -> Iterator[Callable[[], float]]:
        """Does an update a batch; gives what says its loss when it is asked."""
        self.part.batches, count = batches, len(batches)
        loop = train._Loop(self.context, self.encoder, [self.part], [(0, i) for i in range(count)])
        with train.ahead(loop.read, 0, count) as coming:
            for number in range(count):
                loop.update(next(coming))
                yield partial(_loss, loop, number)

    def decoded(self, logits: Any, features: list[Feature], rows: list[Row]) -> list[Any]:
        """Predictions of logits, (tokens, classes) or (classes,) a feature, padding included."""
        own = []
        for scores, feature in zip(logits, features, strict=True):
            read = feature.get("reads")  # what the head looks at; None: everything
            everything = slice(len(feature["input_ids"]))
            own.append(scores[everything if read is None else read] if scores.ndim > 1 else scores)
        return self.part.half.decode(own, features, rows, self.part.task)

    def model(self) -> Any:
        return train.fresh_model(self.context, self.encoder).to(device()).eval()

    def predictions(self, model: Any, rows: list[Row]) -> list[Any]:
        family, task = self.part.family, self.part.task
        return predict_rows(model, family, self.encoder, task, rows, device())[0]

    def save_heads(self) -> None:
        """What both start from: the weights that the encoder's folder does not hold."""
        state = train.fresh_model(self.context, self.encoder).state_dict()
        heads = {name: state[name] for name in state if not name.startswith("encoder.")}
        torch.save(heads, self.context.workdir / HEADS)


def _loss(loop: train._Loop, update: int) -> float:
    loop.settle()  # it looks at its losses now and then
    return float(loop.loss[update])


def ours(work: Work, meter: Meter) -> None:
    """Updates by the loop that every training of this harness is."""
    done = Ours(work.material).updates(work.batches)
    first = next(done)  # builds the model
    meter.start()
    meter.updated(first)
    for loss in done:
        meter.updated(loss)


def our_evaluation(work: Work, meter: Meter) -> None:
    """What an evaluation job does with rows, tokenising included."""
    own = Ours(work.material)
    model = own.model()
    meter.start()
    for rows in work.batches:
        predictions = own.predictions(model, rows)
        meter.updated(lambda found=predictions: found)


# transformers' Trainer


class Rows(torch.utils.data.Dataset):
    """Features as transformers' models take them, in the order in which they are read."""

    def __init__(self, features: Sequence[Feature], family: str):
        self.inputs = [_inputs(feature, family) for feature in features]

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return dict(self.inputs[i])


def _inputs(feature: Feature, family: str) -> dict[str, Any]:
    inputs = {n: feature[n] for n in ("input_ids", "token_type_ids") if n in feature}
    inputs["attention_mask"] = [1] * len(feature["input_ids"])
    if family == "classification":
        inputs["labels"] = feature["label"]
    elif family == "tagging":
        labels = [IGNORE] * len(feature["input_ids"])
        words = feature["reads"]
        for place, label in zip(words, feature["labels"], strict=True):
            labels[place] = label
        inputs["labels"] = labels
    elif "span" in feature:
        inputs["start_positions"], inputs["end_positions"] = feature["span"]
    return inputs


class MeasuredTrainer(transformers.Trainer):
    """Trainer as it is, but that it reads rows in the order they come, so that all see the same
    batches; and that padding cannot be chosen as an answer, else padding decides the loss."""

    def __init__(self, *arguments: Any, meter: Meter, **options: Any):
        super().__init__(*arguments, **options)
        self.losses: list[torch.Tensor] = []
        self.add_callback(_Told(self, meter))

    def training_step(self, *arguments: Any, **options: Any) -> torch.Tensor:
        loss = super().training_step(*arguments, **options)
        self.losses.append(loss)
        return loss

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, **options: Any
    ) -> Any:
        if "start_positions" not in inputs:
            return super().compute_loss(model, inputs, return_outputs=return_outputs, **options)
        starts, ends = inputs.pop("start_positions"), inputs.pop("end_positions")
        outputs = model(**inputs)
        padding = inputs["attention_mask"] == 0
        start = outputs.start_logits.float().masked_fill(padding, float("-inf"))
        end = outputs.end_logits.float().masked_fill(padding, float("-inf"))
        loss = (functional.cross_entropy(start, starts) + functional.cross_entropy(end, ends)) / 2
        return (loss, outputs) if return_outputs else loss


def _number(losses: Sequence[Any], at: int) -> float:
    return float(losses[at])


class _Told(transformers.TrainerCallback):
    """Tells the meter of every update."""

    def __init__(self, trainer: MeasuredTrainer, meter: Meter):
        self.trainer, self.meter = trainer, meter

    def on_train_begin(self, *arguments: Any, **options: Any) -> None:
        self.meter.start()

    def on_step_end(self, *arguments: Any, **options: Any) -> None:
        losses = self.trainer.losses
        self.meter.updated(partial(_number, losses, len(losses) - 1))


def trainer(work: Work, meter: Meter) -> None:
    """Updates by Trainer."""
    features = [feature for batch in work.batches for feature in batch]
    _trainer(work, meter, Rows(features, work.material.shape.family)).train()


def trainer_evaluation(work: Work, meter: Meter) -> None:
    """Predictions by Trainer, of rows that are tokenised already."""
    shape, own = work.material.shape, Ours(work.material)
    assert work.encoded is not None
    orders = [_order(features, work.grouped) for features in work.encoded]
    sets = [
        Rows([features[i] for i in order], shape.family)
        for features, order in zip(work.encoded, orders, strict=True)
    ]
    peer = _trainer(work, meter, sets[0])
    meter.start()
    for number, given in enumerate(sets):
        logits = peer.predict(given).predictions

        def decoded(logits: Any = logits, number: int = number) -> list[Any]:
            features = work.encoded[number]
            if isinstance(logits, tuple):  # of the start and of the end
                logits = np.stack(logits, axis=-1)
            as_given = [logits[place] for place in np.argsort(orders[number])]
            return own.decoded(as_given, features, work.batches[number])

        meter.updated(decoded)


def _order(features: list[Feature], grouped: bool) -> list[int]:
    """In which Trainer reads them: as they come, or the longest first, as its sampler of a set of
    a few thousand would, which has no use for as few as these."""
    order = list(range(len(features)))
    return sorted(order, key=lambda i: -feature_length(features[i])) if grouped else order


def _trainer(work: Work, meter: Meter, rows: Rows) -> MeasuredTrainer:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    shape, recipe = work.material.shape, work.material.full_recipe
    tokenizer = transformers.AutoTokenizer.from_pretrained(work.material.encoder)
    padding: dict[str, Any] = {"padding": work.padding}
    if work.padding == "max_length":
        padding["max_length"] = shape.max_length
    kind = transformers.DataCollatorWithPadding
    if shape.family == "tagging":
        kind = transformers.DataCollatorForTokenClassification
    arguments = transformers.TrainingArguments(
        output_dir=str(work.material.folder / "trainer"),
        per_device_train_batch_size=shape.batch,
        per_device_eval_batch_size=shape.batch,
        max_steps=len(work.batches),
        learning_rate=recipe.learning_rate,
        max_grad_norm=recipe.max_grad_norm,
        adam_epsilon=recipe.adam_epsilon,
        weight_decay=recipe.weight_decay,
        train_sampling_strategy="sequential",
        bf16=work.precision == "bf16",
        use_cpu=device() == "cpu",
        dataloader_pin_memory=device() != "cpu",
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=SEED,
    )
    peer = MeasuredTrainer(
        _peer_model(work.material, recipe),
        arguments,
        meter=meter,
        data_collator=kind(tokenizer, **padding),
        train_dataset=rows,
        eval_dataset=rows,
        processing_class=tokenizer,
    )
    peer.remove_callback(transformers.PrinterCallback)
    return peer


def _peer_model(material: Material, recipe: Recipe) -> Any:
    """transformers' own model of the task, with the heads that ours starts from."""
    family = material.shape.family
    name = {
        "classification": "AutoModelForSequenceClassification",
        "tagging": "AutoModelForTokenClassification",
        "span_qa": "AutoModelForQuestionAnswering",
    }[family]
    options: dict[str, Any] = {
        "hidden_dropout_prob": recipe.dropout,
        "attention_probs_dropout_prob": recipe.attention_dropout,
    }
    if family != "span_qa":
        options["num_labels"] = len(material.shape.task["labels"])
    model = getattr(transformers, name).from_pretrained(
        material.encoder, dtype=torch.float32, **options
    )
    heads = torch.load(Path(material.folder, HEADS), weights_only=True)
    mine = model.state_dict()
    renamed = {_name_there(name, model.base_model_prefix, mine): heads[name] for name in heads}
    model.load_state_dict(renamed, strict=False)
    assert renamed.keys() <= mine.keys(), sorted(renamed.keys() - mine.keys())
    return model


def _name_there(name: str, prefix: str, theirs: dict[str, Any]) -> str:
    """What transformers calls a weight of ours that is no encoder's."""
    if name.startswith("pooler."):
        return f"{prefix}.{name}"
    if "qa_outputs.weight" in theirs:
        return name.replace("heads.0.", "qa_outputs.")
    if "classifier.out_proj.weight" in theirs:  # RoBERTa's
        return name.replace("heads.0.out.", "classifier.out_proj.").replace(
            "heads.0.", "classifier."
        )
    return name.replace("heads.0.out.", "classifier.")


# The limit


def products(work: Work, meter: Meter) -> None:
    """The matrix products over the real tokens of each batch and nothing else, of an update those
    of the backward pass too: nobody who computes the same in this precision takes less."""
    config = transformers.AutoConfig.from_pretrained(work.material.encoder)
    where, backward = device(), work.encoded is None
    lengths = [
        [len(feature["input_ids"]) for feature in batch] for batch in work.encoded or work.batches
    ]
    kind = torch.bfloat16 if work.precision == "bf16" else torch.float32
    draw = _matrices(where, kind, config, lengths)
    heads = config.num_attention_heads
    head = config.hidden_size // heads
    meter.start()
    for batch in lengths:
        for _ in range(config.num_hidden_layers):
            for rows, inner, columns in layer_products(config, sum(batch)):
                _multiply(draw, (rows, inner), (inner, columns), backward)
            for length in batch:
                _multiply(draw, (heads, length, head), (heads, head, length), backward)
                _multiply(draw, (heads, length, length), (heads, length, head), backward)
        meter.updated(lambda: None)


def layer_products(config: Any, tokens: int) -> list[tuple[int, int, int]]:
    """(rows, inner, columns) of a layer's linear maps, forward."""
    width, wide = config.hidden_size, config.intermediate_size
    return [(tokens, width, width)] * 4 + [(tokens, width, wide), (tokens, wide, width)]


def operations(config: Any, lengths: list[int], backward: bool = True) -> float:
    """Of the matrix products of one batch; a multiplication and an addition are two."""
    linear = sum(2 * a * b * c for a, b, c in layer_products(config, sum(lengths)))
    attention = sum(4 * length**2 * config.hidden_size for length in lengths)
    passes = 3.0 if backward else 1.0
    return passes * config.num_hidden_layers * (linear + attention)


def _matrices(where: str, kind: torch.dtype, config: Any, batches: list[list[int]]) -> Any:
    """Gives a matrix of any shape that the batches need: a view of one piece of memory."""
    tokens, longest = max(sum(batch) for batch in batches), max(max(batch) for batch in batches)
    largest = max(tokens, config.hidden_size) * config.intermediate_size
    largest = max(largest, config.num_attention_heads * longest**2)
    memory = torch.randn(largest, device=where, dtype=kind)
    return lambda *shape: memory[: math.prod(shape)].view(shape)


def _multiply(draw: Any, left: tuple[int, ...], right: tuple[int, ...], backward: bool) -> None:
    """A product, and the two of its gradients."""
    a, b = draw(*left), draw(*right)
    torch.matmul(a, b)
    if backward:
        product = draw(*left[:-1], right[-1])
        torch.matmul(product, b.transpose(-1, -2))
        torch.matmul(a.transpose(-1, -2), product)
