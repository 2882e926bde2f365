"""The training loop: gradients, schedule, order of rows, and the same bytes after any
interruption."""

import copy
import json
import os
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from harness.common import signals
from harness.families import FAMILIES
from harness.jobs import memory, train
from harness.jobs.adamw import adamw, rate, step
from harness.jobs.ahead import ahead
from harness.jobs.context import Context, HostError, JobError, Stopped, device, make_deterministic
from harness.jobs.part import Part
from harness.jobs.predict import forward
from harness.jobs.vocabulary import OccurringRows
from harness.models import build
from harness.models.batching import epoch_batches, feature_length, micro_batches, stream_seed
from harness.sources import rows as data_rows
from harness.sources.encoder_files import DECISIVE
from harness.spec.recipe import Recipe, RecipeChange
from harness.store import Store, file_sha256, key_of
from harness.store.job import described

TRAINED = {name: family.trainer() for name, family in FAMILIES.items() if family.trained}

QUICK = settings(max_examples=60, deadline=None)
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"abcdefghijklmnopqrstuvwxyz.?",
    *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
]


def make_encoder(folder: Path) -> Path:
    """A BERT of two layers and a vocabulary of letters. Its weights come from numpy, the same on
    every machine."""
    from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordPiece
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    fast = Tokenizer(WordPiece({piece: i for i, piece in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    fast.normalizer, fast.pre_tokenizer = (
        normalizers.BertNormalizer(lowercase=True),
        pre_tokenizers.BertPreTokenizer(),
    )
    fast.decoder = decoders.WordPiece()
    fast.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    PreTrainedTokenizerFast(
        tokenizer_object=fast, model_input_names=inputs, **names
    ).save_pretrained(folder)
    size = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    config = BertConfig(vocab_size=len(VOCABULARY), max_position_embeddings=64, **size)
    config.save_pretrained(folder)
    rng, weights = np.random.default_rng(1), {}
    for name, tensor in sorted(BertModel(config).state_dict().items()):
        if tensor.is_floating_point():
            drawn = rng.standard_normal(tuple(tensor.shape)).astype(np.float32) * 0.2
            weights[name] = torch.from_numpy(drawn + name.endswith("LayerNorm.weight"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


# Small data sets of each family, whose answers depend on the words.


def words(rng: np.random.Generator, count: int) -> list[str]:
    return ["".join(rng.choice(list("abcde"), size=rng.integers(1, 5))) for _ in range(count)]


def raw_rows(family: str, count: int, seed: int = 1) -> list[dict]:
    rng, rows = np.random.default_rng(seed), []
    for _ in range(count):
        tokens = words(rng, int(rng.integers(2, 9)))
        if family == "classification":
            rows.append(
                {"text": " ".join(tokens), "text_pair": tokens[0], "label": int(tokens[0] < "c")}
            )
        elif family == "tagging":
            rows.append({"tokens": tokens, "tags": [int(token < "c") for token in tokens]})
        elif family == "multiple_choice":
            rows.append(
                {
                    "text": " ".join(tokens),
                    "one": tokens[0],
                    "two": tokens[1],
                    "label": int(tokens[0] > tokens[1]),
                }
            )
        elif family == "mlm":
            rows.append({"text": " ".join(tokens)})
        else:
            text = " ".join(tokens)
            answers = {"text": [tokens[-1]], "answer_start": [len(text) - len(tokens[-1])]}
            rows.append({"context": text, "question": tokens[0] + " ?", "answers": answers})
    return rows


COLUMNS = {
    "classification": {"text": "text", "text_pair": "text_pair", "label": "label"},
    "tagging": {"tokens": "tokens", "tags": "tags"},
    "multiple_choice": {"text": "text", "choices": ["one", "two"], "label": "label"},
    "mlm": {"text": "text"},
    "span_qa": {"context": "context", "question": "question", "answers": "answers"},
}
LABELS = {
    "classification": ["no", "yes"],
    "tagging": ["A", "B"],
    "multiple_choice": ["first", "second"],
}
METRIC = {
    "classification": "accuracy",
    "multiple_choice": "accuracy",
    "tagging": "span_f1",
    "span_qa": "squad",
    "mlm": "masked_accuracy",
}


def dataset(path: Path, family: str, count: int, seed: int = 1) -> dict:
    """A data set in a file, as a job's JSON describes it."""
    path.write_text("".join(json.dumps(row) + "\n" for row in raw_rows(family, count, seed)))
    parts = [{"sha256": [file_sha256(path)], "split": "train", "start": None, "stop": None}]
    identity = {"family": family, "parts": parts, "where": {}, "unless": {}, "cap": None}
    identity |= {"columns": COLUMNS[family], "labels": LABELS.get(family)}
    return {"name": path.stem, "identity": identity, "location": [{"files": [str(path)]}]}


def task_part(family: str) -> dict:
    options = {"span_qa": {"doc_stride": 8, "max_query_length": 8}}.get(family, {})
    return {
        "family": family,
        "version": 1,
        "labels": LABELS.get(family, []),
        "max_length": 32,
        "options": FAMILIES[family].options(**options).model_dump(),
        "metric": METRIC[family],
    }


def make_job(tmp: Path, folder: Path, family: str, rows: int = 22, **recipe) -> dict:
    recipe = {
        "learning_rate": 1e-3,
        "batch_size": 8,
        "epochs": 2,
        "micro_tokens": 64,
        "evaluations": 2,
    } | recipe
    spec = {
        "phase": "target",
        "seed": 1,
        "tasks": {"toy": task_part(family)},
        "recipe": Recipe(**recipe).model_dump(),
    }
    spec |= {"sampler": None, "control": None, "rows": None, "watch": False, "init": None}
    sets = {
        "train": dataset(tmp / "train.jsonl", family, rows),
        "dev": dataset(tmp / "dev.jsonl", family, 12, seed=2),
    }
    data = {phase: {"toy": rows} for phase, rows in sets.items()}
    read = [name for name in (*DECISIVE, "model.safetensors") if (folder / name).is_file()]
    files = {name: file_sha256(folder / name) for name in read}
    found = {
        "name": "tiny",
        "folder": str(folder),
        "identity": {"files": files, "max_length": 64},
        "declared": {},
    }
    return described("train", f"train toy {family}", spec, data, found)


def context(
    tmp: Path, job: dict, stop_before: int | None = None, warm: dict | None = None, **kept
) -> Context:
    """`stop_before`: the driver asks to stop when that many updates are done."""
    done, workdir = [], tmp / "work"
    workdir.mkdir(parents=True, exist_ok=True)

    def progress(step: int, total: int, tokens: int) -> None:
        done.append(step)

    def stopping() -> bool:
        return stop_before is not None and (done[-1] if done else resumed()) >= stop_before

    def resumed() -> int:
        return ctx.facts.get("resumed_at", 0)

    ctx = Context(
        Store(tmp / "store"),
        job["key"],
        job,
        workdir,
        progress,
        stopping,
        encoders={} if warm is None else warm,
        **kept,
    )
    return ctx


def outputs(ctx: Context) -> dict[str, bytes]:
    return {
        name: (ctx.workdir / name).read_bytes()
        for name in ("model.safetensors", "metrics.jsonl", "train.json")
    }


@pytest.fixture
def tmp(tmp_path) -> Path:
    return tmp_path


@pytest.fixture(scope="module")
def warm() -> dict:
    """What a worker keeps between jobs: the encoder is loaded once."""
    return {}


def trained(tmp: Path, job: dict, warm: dict, **kept) -> dict[str, bytes]:
    ctx = context(tmp, job, warm=warm, **kept)
    train.run(ctx)
    return outputs(ctx)


def loop_of(tmp: Path, job: dict, warm: dict) -> train._Loop:
    """The loop of a job before its first of ten updates."""
    ctx = context(tmp, job, warm=warm)
    parts = [Part(ctx, ctx.encoder(), name) for name in job["spec"]["tasks"]]
    return train._Loop(ctx, ctx.encoder(), parts, [(0, i) for i in range(10)])


# Gradients


def gradients(
    encoder, family_name: str, groups: list[np.ndarray], features: list[dict]
) -> tuple[float, list[torch.Tensor]]:
    """Loss and gradient of one batch, cut into `groups`, as the loop sums them."""
    family, task = TRAINED[family_name], task_part(family_name)
    model = build(encoder, {"toy": task}, 0.0, 0.0, seed=lambda name: 7).train()
    terms, total = family.terms(features), 0.0
    for group in groups:
        examples = [features[i] for i in group]
        loss = family.loss(model(encoder.pack(examples)), family.targets(examples)) / terms
        loss.backward()
        total += loss.item()
    return total, [p.grad for p in model.parameters() if p.grad is not None]


def encoded(encoder, tmp: Path, family: str, count: int) -> list[dict]:
    """Features as an update sees them."""
    rows = data_rows.load(dataset(tmp / "encoded.jsonl", family, count))
    features = TRAINED[family].encode(rows, encoder, task_part(family), training=True)
    if family == "mlm":
        return TRAINED[family].corrupt(
            features, np.random.default_rng(1), encoder, task_part(family)
        )
    return features


@pytest.mark.parametrize("family", sorted(TRAINED))
@pytest.mark.parametrize("budget", [1, 60, 10_000])
def test_micro_batches_have_the_gradient_of_the_batch(encoder, tmp, family, budget):
    features = encoded(encoder, tmp, family, 13)
    lengths = np.array([feature_length(feature) for feature in features])
    whole = gradients(encoder, family, [np.arange(len(features))], features)
    groups = micro_batches(np.arange(len(features)), lengths, budget)
    assert len(groups) == {1: len(features), 10_000: 1}.get(budget, len(groups))
    cut = gradients(encoder, family, groups, features)
    assert cut[0] == pytest.approx(whole[0], abs=1e-5)
    assert len(cut[1]) == len(whole[1])
    for a, b in zip(cut[1], whole[1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", sorted(TRAINED))
def test_an_update_moves_by_the_mean_over_its_own_rows(tmp, folder, encoder, warm, family):
    """With clipping out of the way, the gradient that reaches the optimizer for a batch of 3 is the
    mean over those 3."""
    features = encoded(encoder, tmp, family, 9)
    job = make_job(
        tmp,
        folder,
        family,
        dropout=0.0,
        attention_dropout=0.0,
        max_grad_norm=1e9,
        learning_rate=1e-9,
    )
    loop, seen = loop_of(tmp, job, warm), {}

    def note(*_) -> None:
        seen.update(
            {
                name: p.grad.clone()
                for name, p in loop.model.named_parameters()
                if p.grad is not None
            }
        )
        if narrowed := loop.narrowed:
            table = torch.zeros_like(narrowed.weight)
            table[narrowed.occurring] = narrowed.rows.grad
            seen["encoder.embeddings.word_embeddings.weight"] = table

    loop.optimizer.register_step_pre_hook(note)
    examples = [features[i] for i in (1, 4, 7)]
    loop.parts[0].batch = lambda number: examples
    loop.update(loop.read(0))
    loop.settle()
    make_deterministic(job)
    model = train.fresh_model(loop.ctx, encoder).train()
    half = TRAINED[family]
    loss = half.loss(model(encoder.pack(examples)), half.targets(examples))
    (loss / TRAINED[family].terms(examples)).backward()
    assert loop.loss == [pytest.approx(loss.item() / TRAINED[family].terms(examples), rel=1e-4)]
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(seen[name].cpu(), parameter.grad, rtol=1e-4, atol=1e-5)


STEADY = {  # nothing random, and no gradient of rounding errors that Adam would blow up to a step
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "adam_epsilon": 1e-4,
    "evaluations": 0,
    "epochs": 3,
    "batch_size": 8,
}


def scripts_weights(loop: train._Loop, updates: int, accumulated: int) -> dict[str, torch.Tensor]:
    """The weights after training as XTREME's run_tag.py and jiant's runner do it: transformers'
    model, all rows padded to one length, its own loss of each micro-batch over `accumulated`."""
    from transformers import AutoModelForTokenClassification

    part, recipe = loop.parts[0], loop.recipe
    classes = loop.model.heads[0].out.out_features
    model = AutoModelForTokenClassification.from_pretrained(
        loop.encoder.folder,
        num_labels=classes,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    ).train()
    model.classifier.load_state_dict(loop.model.heads[0].out.state_dict())
    optimizer = torch.optim.AdamW(
        model.parameters(), recipe["learning_rate"], eps=recipe["adam_epsilon"], weight_decay=0.0
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: (updates - n) / updates)
    for update in range(updates):
        rows = part.batch(update)
        size = len(rows) // accumulated
        for start in range(0, len(rows), size):
            inputs = {name: torch.zeros(size, 32, dtype=torch.long) for name in ("ids", "mask")}
            labels = torch.full((size, 32), torch.nn.CrossEntropyLoss().ignore_index)
            for i, row in enumerate(rows[start : start + size]):
                inputs["ids"][i, : len(row["input_ids"])] = torch.tensor(row["input_ids"])
                inputs["mask"][i, : len(row["input_ids"])] = 1
                labels[i, row["reads"]] = torch.tensor(row["labels"])
            loss = model(inputs["ids"], attention_mask=inputs["mask"], labels=labels).loss
            (loss / accumulated).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        model.zero_grad()
    return {name.removeprefix("bert."): tensor for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    ("averaged", "accumulated", "same"),
    [
        ({"loss": "micro_batch", "micro_rows": 2}, 4, True),
        ({"loss": "micro_batch", "micro_rows": 4}, 2, True),
        ({}, 1, True),
        ({}, 4, False),
    ],
)
def test_taggings_loss_is_the_scripts_mean_of_each_micro_batch(
    tmp, folder, warm, averaged, accumulated, same
):
    job = make_job(tmp, folder, "tagging", rows=24, **STEADY, **averaged)
    expected = scripts_weights(loop_of(tmp, job, warm), 9, accumulated)
    trained(tmp, job, warm)
    found = load_file(tmp / "work" / "model.safetensors")
    of_head = {"heads.0.out.weight": "classifier.weight", "heads.0.out.bias": "classifier.bias"}
    apart = [
        float((tensor - expected[of_head.get(name, name.removeprefix("encoder."))]).abs().max())
        for name, tensor in found.items()
    ]
    assert len(apart) > 20
    assert max(apart) < 1e-6 if same else max(apart) > 1e-4, max(apart)


@pytest.mark.parametrize("given", [{"loss": "micro_batch"}, {"micro_rows": 4}])
@pytest.mark.parametrize("model", [Recipe, RecipeChange])
def test_micro_batches_are_of_so_many_rows(model, given):
    with pytest.raises(ValidationError, match="go together"):
        model(learning_rate=1e-3, **given)


def test_the_short_last_batch_is_trained_on(tmp, folder, warm):
    """9 rows in batches of 8: two updates an epoch, and every token of every row is counted."""
    files = trained(
        tmp, make_job(tmp, folder, "classification", rows=9, epochs=3, evaluations=0), warm
    )
    summary = json.loads(files["train.json"])
    assert summary["updates"] == 6
    assert summary["tokens"] % 3 == 0
    log = [json.loads(line) for line in files["metrics.jsonl"].splitlines()]
    per_epoch = [log[i]["tokens"] for i in (1, 3, 5)]
    assert per_epoch == [summary["tokens"] // 3 * n for n in (1, 2, 3)]


# Schedule


@pytest.mark.parametrize(
    ("warmup", "factors"),
    [
        (0.0, [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]),
        (0.2, [0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0]),
        (1.0, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.0]),
    ],
)
def test_rate_warms_up_and_falls_to_zero(warmup, factors):
    """The n-th update runs at the n-th factor; after the last one the rate is 0."""
    recipe = Recipe(warmup=warmup, learning_rate=0.5).model_dump()
    rates = [rate(recipe, 10, update) for update in range(11)]
    assert rates == pytest.approx([0.5 * factor for factor in factors])


def test_every_update_runs_at_its_own_rate(tmp, folder, warm, monkeypatch):
    """And the log has that of the next."""
    seen, step = [], train.step

    def noted(optimizer, learning_rate, most):
        norm = step(optimizer, learning_rate, most)
        seen.append([group["lr"] for group in optimizer.param_groups])
        return norm

    monkeypatch.setattr(train, "step", noted)
    job = make_job(tmp, folder, "classification", warmup=0.5, learning_rate=0.3, evaluations=0)
    log = [json.loads(line) for line in trained(tmp, job, warm)["metrics.jsonl"].splitlines()]
    assert [first for first, _ in seen] == pytest.approx([0, 0.1, 0.2, 0.3, 0.2, 0.1])
    assert all(first == second for first, second in seen)
    assert [line["learning_rate"] for line in log] == pytest.approx([0.1, 0.2, 0.3, 0.2, 0.1, 0])


def test_a_number_of_warm_up_updates_replaces_the_share():
    recipe = Recipe(warmup=0.5, warmup_updates=4, learning_rate=1.0).model_dump()
    rates = [rate(recipe, 10, update) for update in range(6)]
    assert rates == pytest.approx([0, 0.25, 0.5, 0.75, 1, 5 / 6])


@QUICK
@given(updates=st.integers(1, 500), count=st.integers(0, 20), every=st.none() | st.integers(1, 600))
def test_the_last_look_at_dev_is_after_the_last_update(updates, count, every):
    found = train.looks({"evaluations": count, "evaluate_every": every}, updates)
    if count == 0:
        assert found == set()
    else:
        assert max(found) == updates
        assert len(found) <= (-(-updates // every) if every else count)
    if count and every:
        assert found - {updates} == {n for n in range(1, updates) if n % every == 0}


def test_weight_decay_spares_biases_and_layer_norms(tmp, folder, warm):
    job = make_job(tmp, folder, "classification", weight_decay=0.1)
    loop = loop_of(tmp, job, warm)
    decayed, plain = loop.optimizer.param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)
    spared = {
        name for name, p in loop.model.named_parameters() if any(p is q for q in plain["params"])
    }
    assert spared == {
        name
        for name, _ in loop.model.named_parameters()
        if name.endswith("bias") or "LayerNorm" in name
    }


# Order of rows


@QUICK
@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=80),
    batch_size=st.integers(1, 20),
    seed=st.integers(0, 2**62),
    batching=st.sampled_from(["random", "grouped"]),
)
def test_an_epoch_holds_every_row_once(lengths, batch_size, seed, batching):
    lengths = np.array(lengths)
    epochs = [epoch_batches(lengths, batch_size, seed, epoch, batching) for epoch in (0, 1)]
    for batches in epochs:
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
        sizes = Counter(map(len, batches))
        full, rest = divmod(len(lengths), batch_size)
        assert sizes == Counter({batch_size: full}) + Counter({rest: 1} if rest else {})
    again = epoch_batches(lengths.copy(), batch_size, seed, 0, batching)
    assert [batch.tolist() for batch in again] == [batch.tolist() for batch in epochs[0]]


@pytest.mark.parametrize("batching", ["random", "grouped"])
def test_epochs_and_seeds_have_orders_of_their_own(batching):
    lengths = np.arange(64) % 7 + 1
    orders = {
        tuple(np.concatenate(epoch_batches(lengths, 8, seed, epoch, batching)))
        for seed in (1, 2)
        for epoch in (0, 1, 2)
    }
    assert len(orders) == 6


def test_the_order_does_not_look_at_lengths_unless_it_is_grouped():
    short, mixed = np.ones(64, dtype=int), np.arange(64)
    random = [
        np.concatenate(epoch_batches(lengths, 8, 1, 0, "random")).tolist()
        for lengths in (short, mixed)
    ]
    assert random[0] == random[1]
    grouped = epoch_batches(mixed, 8, 1, 0, "grouped")
    assert all(np.ptp(mixed[batch]) == 7 for batch in grouped)
    assert [int(mixed[batch].min()) for batch in grouped] != sorted(
        int(mixed[batch].min()) for batch in grouped
    )


def test_streams_are_told_apart_by_each_part():
    names = [
        (1, "target", "xnli", "order"),
        (1, "target", "xnli", "head"),
        (2, "target", "xnli", "order"),
        (1, "targetx", "nli", "order"),
    ]
    assert len({stream_seed(*name) for name in names}) == 4
    assert stream_seed(1, "a") == stream_seed("1", "a") < 2**63


@QUICK
@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=100),
    budget=st.integers(1, 1000),
    data=st.data(),
)
def test_micro_batches_fit_their_budget(lengths, budget, data):
    lengths = np.array(lengths)
    rows = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, unique=True)))
    groups = micro_batches(rows, lengths, budget)
    assert sorted(np.concatenate(groups).tolist()) == sorted(rows.tolist())
    for group in groups:
        assert len(group) == 1 or lengths[group].sum() <= budget
    for group, following in pairwise(groups):
        assert lengths[group].min() >= lengths[following].max()
        # not cut earlier than it has to be
        assert lengths[group].sum() + lengths[following[0]] > budget


# Same bytes


@pytest.mark.parametrize("family", sorted(TRAINED))
def test_two_runs_give_the_same_bytes(tmp, folder, warm, family):
    runs = [trained(tmp / str(i), make_job(tmp, folder, family), warm) for i in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("stops", [[0], [1], [3], [5], [1, 2, 4]], ids=str)
def test_a_stopped_run_resumes_to_the_same_bytes(tmp, folder, warm, stops):
    """22 rows, batches of 8, two epochs: six updates, a look at dev after the third and the sixth.
    Dropout is on, and rows out of use decay."""
    job = make_job(tmp, folder, "classification", weight_decay=0.1)
    expected = trained(tmp / "straight", job, warm)
    for stop in stops:
        with pytest.raises(Stopped):
            train.run(context(tmp / "broken", job, stop_before=stop, warm=warm))
    ctx = context(tmp / "broken", job, warm=warm)
    train.run(ctx)
    assert ctx.facts["resumed_at"] == stops[-1]
    assert outputs(ctx) == expected


def test_dropout_has_a_stream_for_each_micro_batch_of_each_update(tmp, folder, warm, monkeypatch):
    """Which hangs on nothing that was drawn before it: not on a look, nor on where a run began."""
    passes, runs = train._Loop._passes, []

    def noted(loop, *given):
        runs[-1].append((loop.step, torch.rand(1).item()))
        return passes(loop, *given)

    monkeypatch.setattr(train._Loop, "_passes", noted)
    job = make_job(tmp, folder, "classification")
    for folder_of, stop in (("straight", None), ("broken", 4), ("broken", None)):
        runs.append([])
        try:
            train.run(context(tmp / folder_of, job, stop_before=stop, warm=warm))
        except Stopped:
            torch.rand(7)
    straight, before, after = runs
    assert straight == before + after
    drawn = [number for _, number in straight]
    assert len({*drawn}) == len(drawn) > 6


def test_what_is_made_ahead_comes_in_order_and_its_error_when_its_turn_comes():
    made, seen = [], []

    def make(number: int) -> int:
        made.append(number)
        return number // (5 - number)

    with pytest.raises(ZeroDivisionError), ahead(make, 2, 9) as coming:
        for number in coming:
            seen.append(number)
    assert (seen, made) == ([0, 1, 4], [2, 3, 4, 5])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.mark.parametrize("stops", [[2], [3], [4], [1, 5]])
def test_a_watched_run_resumes_to_the_same_dynamics(tmp, folder, warm, stops):
    """Epochs end after the third and the sixth update; watching changes no weight."""
    plain = make_job(tmp, folder, "classification")
    job = {**plain, "spec": plain["spec"] | {"watch": True}, "key": key_of("watched")}
    straight = context(tmp / "straight", job, warm=warm)
    train.run(straight)
    dynamics = (straight.workdir / "dynamics.json").read_bytes()
    assert np.array(json.loads(dynamics)["gold_probability"]).shape == (2, 22)
    assert outputs(straight) == trained(tmp / "plain", plain, warm)
    for stop in stops:
        with pytest.raises(Stopped):
            train.run(context(tmp / "broken", job, stop_before=stop, warm=warm))
    ctx = context(tmp / "broken", job, warm=warm)
    train.run(ctx)
    assert (ctx.workdir / "dynamics.json").read_bytes() == dynamics and outputs(ctx) == outputs(
        straight
    )


def test_a_job_killed_after_a_checkpoint_loses_no_more_than_the_interval(
    tmp, folder, warm, monkeypatch
):
    """Checkpoints fall due all the time; the machine goes away in the middle of the fifth
    update."""
    job = make_job(tmp, folder, "classification")
    expected = trained(tmp / "straight", job, warm)
    update = train._Loop.update

    def killed(loop, batch):
        if loop.step == 4:
            raise KeyboardInterrupt
        update(loop, batch)

    monkeypatch.setattr(train._Loop, "update", killed)
    with pytest.raises(KeyboardInterrupt):
        train.run(context(tmp / "broken", job, warm=warm, checkpoint_seconds=-1.0))
    monkeypatch.undo()
    ctx = context(tmp / "broken", job, warm=warm)
    train.run(ctx)
    assert ctx.facts["resumed_at"] == 4
    assert outputs(ctx) == expected


def test_a_signal_while_a_look_is_kept_takes_nothing_of_it(tmp, folder, warm, monkeypatch):
    """Of equal looks the first is kept, also where a signal comes between its line in the log and
    its weights."""
    score, note = train.Part.score, train._Loop._note
    monkeypatch.setattr(train.Part, "score", lambda *args: score(*args) | {"main": 50.0})
    job = make_job(tmp, folder, "classification")
    expected = trained(tmp / "straight", job, warm)
    assert json.loads(expected["train.json"])["best"]["update"] == 3

    def signalled(loop, line) -> None:
        note(loop, line)
        if "dev" in line and not signals.stop._holds:
            raise signals.Interrupted

    monkeypatch.setattr(train._Loop, "_note", signalled)
    with pytest.raises(Stopped):
        train.run(context(tmp / "broken", job, stop_before=3, warm=warm))
    monkeypatch.setattr(train._Loop, "_note", note)
    ctx = context(tmp / "broken", job, warm=warm)
    train.run(ctx)
    assert ctx.facts["resumed_at"] == 3
    assert outputs(ctx) == expected


@pytest.mark.parametrize("look", [1, 2, 3, 4])
def test_a_signal_breaks_a_look_off_and_the_next_run_looks_again(
    tmp, folder, warm, monkeypatch, look
):
    """Looks at dev, which watching takes part in here, follow the third and the sixth update: a
    long one is not waited for."""
    plain = make_job(tmp, folder, "classification")
    job = {**plain, "spec": plain["spec"] | {"watch": True}, "key": key_of("watched")}
    straight = context(tmp / "straight", job, warm=warm)
    train.run(straight)
    forwards = []

    def signalled(*_) -> None:
        forwards.append(signals.stop._holds)
        if len(forwards) == look:
            raise signals.Interrupted

    for name in ("score", "gold_bits"):
        real = getattr(train.Part, name)
        monkeypatch.setattr(
            train.Part, name, lambda *args, real=real: (signalled(), real(*args))[1]
        )
    broken = context(tmp / "broken", job, warm=warm)
    with pytest.raises(Stopped):
        train.run(broken)
    monkeypatch.undo()
    assert forwards == [0] * look  # a signal raises there
    ctx = context(tmp / "broken", job, warm=warm)
    train.run(ctx)
    assert ctx.facts["resumed_at"] == (3 if look <= 2 else 6)
    assert outputs(ctx) == outputs(straight)
    assert (ctx.workdir / "dynamics.json").read_bytes() == (
        straight.workdir / "dynamics.json"
    ).read_bytes()


def test_a_checkpoint_is_on_the_disk_before_anything_names_it(tmp, folder, warm, monkeypatch):
    steps, fsync, replace = [], os.fsync, Path.replace

    def name(path) -> str:
        return "pointer" if "latest" in path.name else path.name.strip(".").split(".")[0]

    def note_flush(fd: int) -> None:
        steps.append(f"flush {name(Path(f'/proc/self/fd/{fd}').readlink())}")
        fsync(fd)

    def note_name(path: Path, to: Path) -> Path:
        steps.append(f"name {name(to)}")
        return replace(path, to)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(Path, "replace", note_name)
    loop = loop_of(tmp, make_job(tmp, folder, "classification"), warm)
    loop.checkpoint()
    # both flushes first: what takes time lies before the lease is asked for
    assert steps[:4] == ["flush update-0", "flush pointer", "name update-0", "name pointer"]


def test_who_lost_the_lease_writes_no_checkpoint(tmp, folder, warm):
    loop = loop_of(tmp, make_job(tmp, folder, "classification"), warm)
    loop.checkpoint()
    kept = loop.ctx.store.checkpoint_dir(loop.ctx.key)
    before = {path: path.read_bytes() for path in kept.iterdir()}
    loop.step, loop.ctx.held = 1, lambda: False
    with pytest.raises(Stopped):
        loop.checkpoint()
    assert before == {path: path.read_bytes() for path in kept.iterdir()}


def test_checkpoints_come_as_asked_else_for_a_twentieth_of_the_time():
    assert [train.interval(asked, took) for asked in (0.0, 5.0, 600.0) for took in (0.1, 30.0)] == [
        0,
        0,
        5,
        5,
        600,
        600,
    ]
    assert [train.interval(None, took) for took in (0.0, 2.9, 30.0)] == [60, 60, 600]


@pytest.mark.parametrize("damage", ["torn", "pointer", "gone"])
def test_a_damaged_checkpoint_is_refused_aloud(tmp, folder, warm, damage):
    job = make_job(tmp, folder, "classification")
    expected = trained(tmp / "straight", job, warm)
    broken = context(tmp / "broken", job, stop_before=3, warm=warm)
    with pytest.raises(Stopped):
        train.run(broken)
    checkpoints = broken.store.checkpoint_dir(job["key"])
    (file,) = checkpoints.glob("update-*.pt")
    if damage == "torn":
        file.write_bytes(file.read_bytes()[:-100])
    elif damage == "pointer":
        (checkpoints / "latest.json").write_text("{")
    else:
        file.unlink()
    ctx = context(tmp / "broken", job, warm=warm)
    train.run(ctx)
    assert outputs(ctx) == expected
    assert "resumed_at" not in ctx.facts
    assert damage == "gone" or ctx.facts["checkpoint_refused"]


def test_a_checkpoint_of_a_version_that_trained_other_rows_is_refused_aloud(
    tmp, folder, warm, monkeypatch
):
    """Of the full table, where only some of its rows are trained now."""
    job = make_job(tmp, folder, "classification")
    with monkeypatch.context() as older:
        older.setattr(train, "narrow", lambda *_: None)
        with pytest.raises(Stopped):
            train.run(context(tmp / "broken", job, stop_before=3, warm=warm))
    ctx = context(tmp / "broken", job, warm=warm)
    train.run(ctx)
    assert ctx.facts["checkpoint_refused"] == "another version of the harness wrote it"
    assert outputs(ctx) == trained(tmp / "straight", job, warm)


# Word embeddings: only the rows that occur are trained


NARROWED = sorted(set(TRAINED) - {"mlm"})


@pytest.mark.parametrize("family", NARROWED)
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("most", [0.01, 1e9])
def test_training_only_the_rows_that_occur_gives_the_same_weights(
    tmp, folder, warm, family, decay, most, monkeypatch
):
    """Clipped in every update or in none; dropout is on, dev holds pieces that training does not.
    Without decay and clip, where rounding has no part, the bytes are the same."""
    recipe = {"max_grad_norm": most, "weight_decay": decay, "adam_epsilon": 1e-4}
    job = make_job(tmp, folder, family, learning_rate=1e-2, **recipe)
    rows = loop_of(tmp, job, warm).narrowed.rows
    assert 0 < len(rows) < len(VOCABULARY)
    narrowed = trained(tmp / "narrowed", job, warm)
    monkeypatch.setattr(train, "narrow", lambda *_: None)
    assert loop_of(tmp, job, warm).narrowed is None
    assert (trained(tmp / "full", job, warm) == narrowed) or decay or most < 1
    full, ours = (
        load_file(tmp / way / "work" / "model.safetensors") for way in ("full", "narrowed")
    )
    assert full.keys() == ours.keys()
    for name, tensor in full.items():
        torch.testing.assert_close(ours[name], tensor, rtol=2e-5, atol=2e-6)


@QUICK
@given(data=st.data())
def test_rows_out_of_use_decay_as_in_the_full_table(data):
    """Over any schedule, whichever rows occur and whichever an update reads."""
    updates, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 5))
    recipe = Recipe(
        learning_rate=data.draw(st.floats(1e-5, 0.3)),
        weight_decay=data.draw(st.floats(0.0, 0.5)),
        warmup=data.draw(st.floats(0.0, 1.0)),
    ).model_dump()
    occurring = sorted(data.draw(st.sets(st.integers(0, 7), min_size=1)))
    table = torch.nn.Embedding.from_pretrained(torch.randn(8, width), freeze=False)
    small = OccurringRows(copy.deepcopy(table), torch.tensor(occurring))
    optimizers = [adamw(module, recipe) for module in (table, small)]
    for update in range(updates):
        ids = torch.tensor(data.draw(st.lists(st.sampled_from(occurring), min_size=1, max_size=4)))
        share = rate(recipe, updates, update)
        for module, optimizer in zip((table, small), optimizers, strict=True):
            module(ids).square().sum().backward()
            step(optimizer, share, 1.0)
        small.decay(share * recipe["weight_decay"])
    torch.testing.assert_close(small.full(), table.weight.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(small.eval()(torch.arange(8)), small.full(), rtol=0, atol=0)


def test_the_rows_that_do_not_occur_are_the_encoders_own(tmp, folder, warm):
    job = make_job(tmp, folder, "classification")
    trained(tmp, job, warm)
    before, after = (load_file(path)[name] for path, name in (
        (folder / "model.safetensors", "embeddings.word_embeddings.weight"),
        (tmp / "work" / "model.safetensors", "encoder.embeddings.word_embeddings.weight"),
    ))  # fmt: skip
    moved = {VOCABULARY[i] for i in (before != after).any(1).nonzero().flatten()}
    assert {"[CLS]", "[SEP]", "a", "##b"} <= moved  # the words are of the letters a to e
    assert moved <= {"[CLS]", "[SEP]", *"abcde", *(f"##{c}" for c in "abcde")}


def test_where_masks_are_drawn_anew_every_row_is_trained(tmp, folder, warm):
    assert loop_of(tmp, make_job(tmp, folder, "mlm"), warm).narrowed is None


def test_a_piece_that_was_not_announced_is_an_error_in_training_and_none_on_dev(tmp, folder, warm):
    loop = loop_of(tmp, make_job(tmp, folder, "classification"), warm)
    loop.model.cpu()  # a GPU says it later, and nothing works there any more
    ids = torch.tensor([[VOCABULARY.index("z")]])
    table = loop.model.encoder.get_input_embeddings()
    assert torch.equal(table.eval()(ids)[0, 0], table.weight[VOCABULARY.index("z")])
    with pytest.raises(IndexError):
        table.train()(ids)


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(TRAINED))
def test_the_loop_learns(tmp, folder, warm, family):
    """Toy tasks whose answers are in the words; enough updates bring the loss down, or the loop is
    broken."""
    job = make_job(
        tmp, folder, family, rows=64, epochs=8, learning_rate=1e-2, evaluations=1, warmup=0.1
    )
    log = [json.loads(line) for line in trained(tmp, job, warm)["metrics.jsonl"].splitlines()]
    losses = [line["loss"] for line in log if "loss" in line]
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])


# Selection


def fake_scores(monkeypatch, mains: list[float]) -> None:
    scores = iter(mains)

    def score(*_) -> dict:
        main = next(scores)
        return {"main": main, "metrics": {"accuracy": main}, "examples": {}}

    monkeypatch.setattr(train.Part, "score", score)


@pytest.mark.parametrize(
    ("mains", "best"),
    [([50, 70, 70, 60], 3), ([70, 60, 50, 40], 2), ([1, 2, 3, 4], 6), ([0, 0, 0, 0], 2)],
)
def test_the_first_of_the_best_weights_is_kept(tmp, folder, warm, monkeypatch, mains, best):
    """Four looks at dev in six updates, after the 2nd, 3rd, 4th (round half to even) and 6th."""
    job = make_job(tmp, folder, "classification", evaluations=4)
    fake_scores(monkeypatch, mains)
    files = trained(tmp / "selected", job, warm)
    summary = json.loads(files["train.json"])
    looks = [
        line["update"]
        for line in map(json.loads, files["metrics.jsonl"].splitlines())
        if "dev" in line
    ]
    assert looks == [2, 3, 4, 6]
    assert summary["best"]["update"] == best
    assert summary["best"]["main"] == max(mains)
    monkeypatch.setattr(train.Part, "score", None)  # the same training, stopped where the best was
    weights = {}
    finish, update = train._Loop.finish, train._Loop.update

    def remember(loop, batch):
        update(loop, batch)
        if loop.step == best:
            weights.update(
                {name: tensor.cpu().clone() for name, tensor in loop.model.state_dict().items()}
            )

    monkeypatch.setattr(train._Loop, "update", remember)
    monkeypatch.setattr(train._Loop, "look_at_dev", lambda *_: None)
    monkeypatch.setattr(train._Loop, "finish", finish)
    trained(tmp / "watched", job, warm)
    kept = load_file(tmp / "selected" / "work" / "model.safetensors")
    assert set(kept) == set(weights)
    assert all(torch.equal(kept[name], tensor) for name, tensor in weights.items())


def test_a_look_at_dev_changes_no_training(tmp, folder, warm):
    """Same recipe but for `evaluations`, last weights kept: the losses are the same to the last
    bit."""
    logs = []
    for evaluations in (0, 3):
        job = make_job(tmp, folder, "classification", evaluations=evaluations)
        lines = trained(tmp / str(evaluations), job, warm)["metrics.jsonl"].splitlines()
        logs.append([line for line in map(json.loads, lines) if "loss" in line])
    assert logs[0] == logs[1]


# What a job hands over, and what it refuses


def test_an_intermediate_hands_over_its_encoder_and_no_head(tmp, folder, encoder, warm):
    job = make_job(tmp, folder, "tagging", learning_rate=1e-2)
    ctx = context(tmp, job, warm=warm)
    train.run(ctx)
    ctx.store.commit(job["key"], ctx.workdir, {})
    follow = make_job(tmp, folder, "classification")
    follow["spec"]["init"] = job["key"]
    model = train.fresh_model(context(tmp, follow, warm=warm), encoder)
    weights = load_file(ctx.store.path(job["key"], "model.safetensors"))
    for name, tensor in model.encoder.state_dict().items():
        assert torch.equal(tensor, weights[f"encoder.{name}"])
    plain = train.fresh_model(
        context(tmp, make_job(tmp, folder, "classification"), warm=warm), encoder
    )
    for name, tensor in plain.heads.state_dict().items():
        # the same first head in every arm
        assert torch.equal(tensor, model.heads.state_dict()[name])
    assert not torch.equal(
        plain.encoder.embeddings.word_embeddings.weight,
        model.encoder.embeddings.word_embeddings.weight,
    )


@pytest.mark.parametrize(
    ("what", "wrong"), [("loss", "loss is nan"), ("gradient", "gradient's norm is nan")]
)
@pytest.mark.parametrize("due", ["log", "look", "checkpoint"])
def test_an_update_that_goes_wrong_is_named_and_nothing_after_it_is_kept(
    tmp, folder, warm, monkeypatch, what, wrong, due
):
    """The third of six: it is looked at where a line of the log, a look at dev or a checkpoint is
    due."""
    monkeypatch.setattr(train, "LOG_POINTS", 6 if due == "log" else 1)
    recipe = {"evaluations": 1} | ({"evaluate_every": 3} if due == "look" else {})
    passes = train._Loop._passes

    def gone_wrong(loop, *given):
        loss = passes(loop, *given)
        if loop.step == 2:
            next(p for p in loop.model.parameters() if p.grad is not None).grad.fill_(np.nan)
            loss = loss * np.nan if what == "loss" else loss
        return loss

    monkeypatch.setattr(train._Loop, "_passes", gone_wrong)
    monkeypatch.setattr(train.Part, "score", None)  # of such a model there is none
    job = make_job(tmp, folder, "classification", **recipe)
    ctx = context(tmp, job, warm=warm, stop_before=4 if due == "checkpoint" else None)
    with pytest.raises(JobError, match=rf"{wrong} at update 3; lower the learning rate"):
        train.run(ctx)
    assert not [*ctx.workdir.iterdir()] and not [*ctx.store.checkpoint_dir(ctx.key).iterdir()]


@pytest.mark.skipif(device() != "cpu", reason="there is a GPU here, where bf16 works")
def test_bf16_on_a_cpu_is_an_error(tmp, folder, warm):
    with pytest.raises(JobError, match="bf16, which needs a GPU; use precision: tf32 or fp32"):
        train.run(
            context(tmp, make_job(tmp, folder, "classification", precision="bf16"), warm=warm)
        )


@pytest.mark.skipif(device() != "cpu", reason="there is a GPU here, which may have tf32")
def test_a_cpu_computes_fp32_where_tf32_is_allowed(tmp, folder, warm):
    found = [
        trained(tmp / precision, make_job(tmp, folder, "tagging", precision=precision), warm)
        for precision in ("fp32", "tf32")
    ]
    assert found[0] == found[1]


def test_a_worker_takes_each_jobs_own_precision(tmp, folder):
    job = make_job(tmp, folder, "tagging")
    evaluations = [{**job, "spec": {"precision": "tf32"}}, {**job, "spec": {"task": {}}}]
    allowed = []
    for one in (make_job(tmp, folder, "tagging", precision="tf32"), job, *evaluations):
        make_deterministic(one)
        allowed.append(torch.backends.cuda.matmul.allow_tf32)
    assert allowed == [True, False, True, False]


def test_training_and_evaluation_compute_in_bf16_where_the_recipe_says_so(
    tmp, folder, encoder, warm, monkeypatch
):
    """A CPU can, only too slowly to be of use. Weights, gradients and loss stay as they are."""
    loop = loop_of(tmp, make_job(tmp, folder, "tagging"), warm)
    seen, features = [], encoded(encoder, tmp, "tagging", 4)
    loop.model.heads[0].register_forward_hook(lambda _, inputs, out: seen.append(out.dtype))
    for half in (False, True):
        monkeypatch.setattr("harness.jobs.context._half", half)
        loop.update(loop.read(0))
        assert {p.dtype for p in loop.model.parameters()} == {torch.float32}
        found = forward(lambda batch: loop.model(batch), encoder, features, "cpu")
        assert {one.dtype for one in found} == {np.dtype("float32")}
    assert {*seen[: len(seen) // 2]} == {torch.float32}
    assert {*seen[len(seen) // 2 :]} == {torch.bfloat16}
    loop.settle()


# A GPU's memory. Here it runs out by decree


def gpu_of(monkeypatch, loop: train._Loop, room: int, others: float = 0) -> list[int]:
    """A GPU on which no more than `room` tokens are computed at once, and other programs hold
    `others` bytes. Returns what was tried."""
    passes, tried = train._Loop._passes, []

    def full(self, part, given):
        tried.append(sum(given.packed.lengths))
        if tried[-1] > room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        with monkeypatch.context() as really:
            really.setattr(self, "device", "cpu")
            return passes(self, part, given)

    monkeypatch.setattr(train._Loop, "_passes", full)
    before = memory.Memory(10 * 10**9, 0, 24 * 10**9, others)
    held = iter([before, memory.Memory(0, 14 * 10**9, 0, 0)])
    monkeypatch.setattr(memory, "of_gpu", lambda: next(held))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(train.MicroBatch, "pinned", lambda self, where: self)
    loop.device = "cuda"
    return tried


@pytest.mark.parametrize("family", ["mlm", "span_qa"])
def test_what_fits_the_memory_leaves_nothing_behind(tmp, folder, warm, monkeypatch, family):
    loop = loop_of(tmp, make_job(tmp, folder, family, micro_tokens=200), warm)
    tried = gpu_of(monkeypatch, loop, 200)
    loop.rehearse()
    assert len(tried) == 1 and tried[0] >= 2 * loop.parts[0].lengths.max()
    assert not loop.optimizer.state
    assert all(p.grad is None for p in loop.model.parameters())


@pytest.mark.parametrize("others", [1e9, 9e9], ids=["alone", "beside other programs"])
def test_what_does_not_fit_the_memory_fails_with_the_number_to_write(
    tmp, folder, warm, monkeypatch, others
):
    loop = loop_of(tmp, make_job(tmp, folder, "span_qa", micro_tokens=200), warm)
    tried = gpu_of(monkeypatch, loop, 60, others)
    with pytest.raises(JobError) as refused:
        loop.rehearse()
    assert refused.type is (HostError if others > memory.OURS else JobError)
    assert str(refused.value) == (
        "train toy span_qa: micro_tokens: 200 takes about 26.0 GB, more than this GPU has left"
        " (24.0 GB in all); write micro_tokens: 50 in its recipe"
    )
    assert [tokens <= 200 for tokens in tried] == [True] * 3 and tried[1] > 60 >= tried[2]


def test_a_row_that_does_not_fit_the_memory_is_no_matter_of_the_recipe(
    tmp, folder, warm, monkeypatch
):
    loop = loop_of(tmp, make_job(tmp, folder, "span_qa"), warm)
    longest = loop.parts[0].lengths.max()
    gpu_of(monkeypatch, loop, 5)
    with pytest.raises(JobError, match=rf"one row of {longest} subwords does not fit .*24.0 GB"):
        loop.rehearse()


def test_memory_that_runs_out_later_is_said_in_one_line(tmp, folder, warm, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(train._Loop, "update", full)
    with pytest.raises(HostError, match=r"ran out.* fewer --workers.* micro_tokens: 32 in its"):
        train.run(context(tmp, make_job(tmp, folder, "classification"), warm=warm))


def test_training_rows_without_any_answer_are_an_error(tmp, folder, warm):
    job = make_job(tmp, folder, "span_qa")
    path = tmp / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["answers"]["text"] = ["not in there"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    job["train"]["toy"]["identity"]["parts"][0]["sha256"] = [file_sha256(path)]
    with pytest.raises(JobError, match="none of 22 rows of toy can be used"):
        train.run(context(tmp, job, warm=warm))


def test_max_updates_ends_training_early_and_moves_the_schedule(tmp, folder, warm):
    files = trained(tmp, make_job(tmp, folder, "classification", max_updates=4), warm)
    assert json.loads(files["train.json"])["updates"] == 4
    last = [
        json.loads(line)
        for line in files["metrics.jsonl"].splitlines()
        if "loss" in json.loads(line)
    ][-1]
    assert (last["update"], last["learning_rate"]) == (4, 0.0)


# 22 rows in batches of 8 are 3 updates an epoch, and the recipe has 2 epochs
@pytest.mark.parametrize(
    ("recipe", "updates"),
    [
        ({"min_updates": 20}, 21),  # whole epochs
        ({"min_updates": 6}, 6),
        ({"min_updates": 20, "max_updates": 10}, 10),
    ],
)
def test_small_data_is_gone_through_until_there_are_enough_updates(
    tmp, folder, warm, recipe, updates
):
    files = trained(tmp, make_job(tmp, folder, "classification", **recipe), warm)
    assert json.loads(files["train.json"])["updates"] == updates
