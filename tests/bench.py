"""`make bench`: speeds that users feel, as ratios within one run. Nothing here is asserted; a score
never depends on it.

Groups put the alternatives side by side: read the relative column of pytest-benchmark's table.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from harness.engines.process import KEEP_MEMORY
from harness.families import FAMILIES
from harness.jobs.adamw import adamw, step
from harness.jobs.predict import forward
from harness.jobs.vocabulary import narrow
from harness.metrics import METRICS
from harness.metrics.neighbours import search
from harness.models import build
from harness.models.batching import micro_batches
from harness.models.loaded import LoadedEncoder
from harness.page import page
from harness.plan.planner import make_plan
from harness.release.document import Board
from harness.release.verify import verify
from harness.sources import mini
from harness.sources.encoders import find
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.spec.recipe import Recipe
from harness.statistics.derive import sections
from harness.store import HashIndex

ROWS = 64


@pytest.fixture(scope="module")
def catalog():
    return Catalog.load([])


@pytest.fixture(scope="module")
def encoder(catalog, tmp_path_factory):
    index = HashIndex(tmp_path_factory.mktemp("bench") / "index.json")
    try:
        found = find(catalog.encoder("all-MiniLM-L6-v2"), Where(offline=True), index)
    except Exception as error:
        pytest.skip(str(error))
    torch.set_num_threads(1)
    return LoadedEncoder(str(found.folder), found.identity, found.declared)


@pytest.fixture(scope="module")
def work(encoder):
    """A model and features of varied length: mini's XNLI rows, repeated to spread the lengths as
    real pairs do."""
    task = {
        "family": "classification",
        "labels": mini.NLI_LABELS,
        "max_length": 128,
        "options": {},
        "metric": "accuracy",
    }
    rows = [
        {
            "id": str(i),
            "text": r["sentence1"] * (1 + i % 4),
            "text_pair": r["sentence2"],
            "label": r["gold_label"],
        }
        for i, r in enumerate(mini.rows("xnli", "en", "train")[:ROWS])
    ]
    family = FAMILIES["classification"].trainer()
    features = family.encode(rows, encoder, task, training=True)
    model = build(encoder, {"xnli": task}, 0.1, 0.0, seed=lambda name: 0)
    return family, model, features


def _update(encoder, family, model, features, groups, optimizer):
    model.train()
    for group in groups:
        examples = [features[i] for i in group]
        loss = family.loss(model(encoder.pack(examples)), family.targets(examples))
        (loss / len(features)).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


@pytest.mark.benchmark(group="one update of 64 rows")
@pytest.mark.parametrize(
    "how", ["padded to 128", "micro-batches in drawn order", "micro-batches by length"]
)
def test_update(benchmark, encoder, work, how):
    family, model, features = work
    lengths = np.array([len(f["input_ids"]) for f in features])
    if how == "padded to 128":
        pad = encoder.tokenizer.pad_token_id
        features = [
            {**f, "input_ids": f["input_ids"] + [pad] * (128 - len(f["input_ids"]))}
            for f in features
        ]
        features = [
            {**f, "token_type_ids": f["token_type_ids"] + [0] * (128 - len(f["token_type_ids"]))}
            for f in features
        ]
        groups = np.array_split(np.arange(ROWS), 4)
    elif how == "micro-batches in drawn order":
        groups = np.array_split(np.arange(ROWS), 4)
    else:
        groups = micro_batches(np.arange(ROWS), lengths, 2048)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    benchmark.pedantic(
        _update, (encoder, family, model, features, groups, optimizer), rounds=5, warmup_rounds=1
    )


UPDATES = """
import torch, transformers
torch.set_num_threads(1)
config = transformers.BertConfig(hidden_size=384, num_hidden_layers=6, intermediate_size=1536)
model = transformers.BertModel(config)
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
while input():
    for micro_batch in range(6):
        model(torch.arange(256).view(2, 128)).last_hidden_state.square().mean().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    print("done", flush=True)
"""


@pytest.mark.benchmark(group="one update of 6 x 256 tokens in a worker")
@pytest.mark.parametrize("memory", ["given back", "kept"])
def test_memory(benchmark, memory):
    """A process of its own: glibc reads its tunables when it starts."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "GLIBC_TUNABLES": KEEP_MEMORY if memory == "kept" else "",
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", UPDATES], env=environment, **pipes) as worker:

        def update():
            worker.stdin.write("go\n")
            worker.stdin.flush()
            assert worker.stdout.readline() == "done\n"

        benchmark.pedantic(update, rounds=10, warmup_rounds=2)
        worker.stdin.write("\n")


@pytest.mark.benchmark(group="one update of 4 x 256 tokens under 250,002 word pieces")
@pytest.mark.parametrize("trained", ["all word embeddings", "those that occur"])
def test_word_embeddings(benchmark, trained):
    """E5-small's size: 12 layers of width 384. Of the pieces 3,000 occur."""
    torch.set_num_threads(1)
    size = {
        "hidden_size": 384,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
    }
    model = BertModel(BertConfig(vocab_size=250_002, **size), add_pooling_layer=False).train()
    ids = torch.randint(3000, (4, 2, 128))
    part = SimpleNamespace(
        half=FAMILIES["classification"].trainer(), features=[{"input_ids": list(range(3000))}]
    )
    if trained == "those that occur":
        narrow(model, [part], 0)
    optimizer = adamw(model, Recipe(learning_rate=1e-5).model_dump())

    def update():
        for micro_batch in ids:
            model(micro_batch).last_hidden_state.square().mean().backward()
        step(optimizer, 1e-5, 1.0)

    benchmark.pedantic(update, rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="optimizer step, 22M parameters")
@pytest.mark.parametrize("fused", [False, True])
def test_optimizer(benchmark, work, fused):
    _, model, _ = work
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-9, fused=fused)
    benchmark.pedantic(optimizer.step, rounds=10, warmup_rounds=1)
    model.zero_grad(set_to_none=True)


@pytest.mark.benchmark(group="forward over 64 rows")
@pytest.mark.parametrize("how", ["by length", "one row at a time"])
def test_forward(benchmark, encoder, work, how):
    _, model, features = work
    model.eval()

    def by_length():
        forward(lambda batch: model(batch), encoder, features, "cpu")

    def one_by_one():
        for feature in features:
            forward(lambda batch: model(batch), encoder, [feature], "cpu")

    benchmark.pedantic(by_length if how == "by length" else one_by_one, rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="planning suite mini")
@pytest.mark.parametrize("seeds", [1, 10])
def test_plan(benchmark, catalog, tmp_path, seeds):
    suite = catalog.suite("mini").model_copy(update={"seeds": list(range(seeds))})
    index = HashIndex(tmp_path / "index.json")
    benchmark.pedantic(
        make_plan, (suite, catalog, Where(offline=True), index), rounds=3, warmup_rounds=1
    )


@pytest.mark.benchmark(group="reading every spec")
def test_catalog(benchmark):
    benchmark(Catalog.load, [])


@pytest.mark.benchmark(group="nearest neighbours, 1,000 x 1,000 x 384")
def test_search(benchmark):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((2, 1000, 384)).astype(np.float32)
    benchmark(search, vectors[0], vectors[1])


@pytest.mark.benchmark(group="span F1 of 10,000 sentences")
def test_span_f1(benchmark):
    rows = mini.rows("panx", "en", "train")
    golds = [[mini.NER_TAGS[tag] for tag in row["ner_tags"]] for row in rows] * 21
    benchmark.pedantic(METRICS["span_f1"], (golds, golds, "en"), rounds=3)


# The leaderboard: what `verify` and `build` cost on the newest release that holds evidence


@pytest.fixture(scope="module")
def release():
    board = Board(Path(__file__).parents[1] / "leaderboard")
    path = board.list()[-1]
    return path.read_bytes(), board.sidecar(path), board.load(path)


@pytest.mark.benchmark(group="a release")
@pytest.mark.parametrize("what", ["load", "derive", "verify", "page"])
def test_a_release(benchmark, release, what):
    data, sidecar, content = release
    page.render([("warm", content)])  # the library is read once a process
    do = {
        "load": lambda: json.loads(data),
        "derive": lambda: sections(content),
        "verify": lambda: verify(data, sidecar),
        "page": lambda: page.render([("0000-any", content)]),
    }
    benchmark.pedantic(do[what], rounds=3, iterations=1)
