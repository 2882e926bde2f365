"""Tokenised rows that jobs share: what comes back is what was encoded, whatever became of the file,
and no result hangs on it."""

import copy
import errno
import json
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_loop import TRAINED, context, dataset, make_encoder, make_job, outputs, task_part
from typer.testing import CliRunner

from harness.cli.app import app
from harness.jobs import part, tokenised, train
from harness.jobs.part import Part
from harness.models import span_reader
from harness.models.batching import feature_length
from harness.models.loaded import LoadedEncoder
from harness.sources import rows as data_rows
from harness.store import Store, results
from harness.store.columnar import NotPlainError, packed, reader


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def warm() -> dict:
    return {}


@pytest.fixture(autouse=True)
def all_are_kept(monkeypatch):
    monkeypatch.setattr(tokenised, "WORTH", 0)


def exactly(value):
    """The value with the types of all that is in it; of a dictionary the order says nothing."""
    if isinstance(value, dict):
        return {name: exactly(inner) for name, inner in sorted(value.items())}
    if isinstance(value, np.ndarray):
        return ["array", value.dtype.str, value.tolist()]
    if isinstance(value, list | tuple):
        return [type(value), *map(exactly, value)]
    return type(value), value


def through_a_file(values, path):
    """What gives the values back, from a file that is mapped."""
    form, column = packed(values)
    table = pa.table({"value": column})
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    return reader(json.loads(json.dumps(form)), table["value"].chunk(0))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("family", sorted(TRAINED))
def test_features_come_back_as_they_were(folder, tmp_path, family, training):
    rows = data_rows.load(dataset(tmp_path / "rows.jsonl", family, 40))
    encoder, task = LoadedEncoder(str(folder), {"max_length": 64}), task_part(family)
    # some are cut, and say so; of a text of this family's there are several windows
    task["max_length"] = 12 if family != "span_qa" else 24
    features = TRAINED[family].encode(rows, encoder, task, training)
    read = through_a_file(features, tmp_path / "rows.arrow")
    assert exactly(read(0, len(features))) == exactly(features)
    assert exactly(read(7, 9)) == exactly(features[7:9])


# One shape of values, and lists of values of that shape.
LEAVES = st.sampled_from([st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(width=64)])


def containers(inner):
    return st.one_of(
        inner.map(lambda one: st.lists(one, max_size=3)),
        inner.map(lambda one: st.tuples(one, st.booleans())),
        inner.map(lambda one: st.fixed_dictionaries({"a": one}, optional={"b": one})),
    )


ARRAYS = st.just(st.lists(st.integers(0, 200), max_size=4).map(lambda some: np.array(some, "u1")))
SHAPES = st.recursive(LEAVES | ARRAYS, containers, max_leaves=3)


@settings(max_examples=50, deadline=None)
@given(SHAPES.flatmap(lambda shape: st.lists(shape, min_size=1, max_size=5)))
def test_any_plain_values_come_back(values):
    form, column = packed(values)
    read = reader(json.loads(json.dumps(form)), column)
    # repr: NaN is no number like another
    assert repr(exactly(read(0, len(values)))) == repr(exactly(values))
    assert repr([exactly(read(i, i + 1)[0]) for i in range(len(values))]) == repr(
        [exactly(value) for value in values]
    )


@pytest.mark.parametrize(
    "values",
    [
        [1, True],
        [1, 1.0],
        [1, None],
        ["text"],
        [2**63],
        [[1], (1,)],
        [(1,), (1, 2)],
        [()],
        [{}],
        [{1: 2}],
        [{"a": 1}, {"a": [1]}],
        [np.zeros((2, 2))],
        [np.zeros(1), np.zeros(1, dtype=np.int8)],
        [np.array(["text"])],
    ],
    ids=str,
)
def test_what_would_come_back_otherwise_is_refused(values):
    with pytest.raises(NotPlainError):
        packed(values)


def no_encoding(*_, **__):
    raise AssertionError("rows were encoded")


def made(tmp_path, job, warm) -> Part:
    ctx = context(tmp_path, job, warm=warm)
    return Part(ctx, ctx.encoder(), "toy")


def stored(store: Store) -> list[str]:
    return [store.manifest(key).meta["name"] for key in store.sizes()]


def test_a_second_job_neither_reads_nor_encodes(tmp_path, folder, warm, monkeypatch):
    job = make_job(tmp_path, folder, "span_qa")
    first = made(tmp_path, job, warm)
    store = Store(tmp_path / "store")
    assert sorted(stored(store)) == ["tokenised dev", "tokenised train"]

    monkeypatch.setattr(span_reader, "encode", no_encoding)
    monkeypatch.setattr(part, "training_rows", no_encoding)
    second = made(tmp_path, job, warm)
    assert second.rows == 22
    assert exactly(list(second.features)) == exactly(list(first.features))
    assert [exactly(second.features[i]) for i in (0, -1)] == [
        exactly(first.features[i]) for i in (0, -1)
    ]
    assert second.lengths.tolist() == [feature_length(one) for one in first.features]
    assert exactly(second.dev_features) == exactly(first.dev_features)
    with pytest.raises(IndexError):
        second.features[len(second.features)]


def of_task(name, value):
    return lambda job: job["spec"]["tasks"]["toy"].update({name: value})


def of_files(name):
    return lambda job: job["encoder"]["identity"]["files"].update({name: "0" * 64})


OTHERS = {
    "max_length": of_task("max_length", 30),
    "labels": of_task("labels", ["yes", "no"]),
    "options": of_task("options", {"head": "pooled"}),
    "rows": lambda job: job["spec"].update(rows={"fold": [0, 2]}),
    "labels dealt out": lambda job: job["spec"].update(control="shuffled_labels"),
    "dealt out otherwise": lambda job: job["spec"].update(control="shuffled_labels", seed=2),
    "the data": lambda job: job["train"]["toy"]["identity"].update(cap=5),
    "the tokenizer": of_files("tokenizer.json"),
    "its settings": of_files("tokenizer_config.json"),
    "the positions": lambda job: job["encoder"]["identity"].update(max_length=63),
}
SAME = {
    "the weights": of_files("model.safetensors"),
    "another seed": lambda job: job["spec"].update(seed=2),
    "another recipe": lambda job: job["spec"]["recipe"].update(batch_size=4),
}


def test_their_key_has_all_that_decides_them_and_nothing_else(tmp_path, folder, warm, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(tokenised, "_kept", lambda store, key: asked.append(key))
    monkeypatch.setattr(tokenised, "_keep", lambda *_: None)
    context(tmp_path, make_job(tmp_path, folder, "classification"), warm=warm).encoder()
    (encoder,) = warm.values()

    def key(change=lambda job: None) -> str:
        job = make_job(tmp_path, folder, "classification", evaluations=0)
        change(job)
        mine = copy.copy(encoder)
        mine.identity = job["encoder"]["identity"]
        Part(context(tmp_path, job), mine, "toy")
        return asked[-1]

    assert {key(), *map(key, SAME.values())} == {key()}
    assert len({key(), *map(key, OTHERS.values())}) == 1 + len(OTHERS)
    before, tokenised_code = key(), tokenised._code
    monkeypatch.setattr(tokenised, "_code", lambda family: [*tokenised_code(family), "changed"])
    assert key() != before


def spoilt(store: Store) -> None:
    """Change a byte of each file of tokenised rows; the job's own results are not there."""
    for key in store.sizes():
        path = store.root / "results" / key / tokenised.FILE
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)


def test_a_training_ends_with_the_same_bytes_whatever_became_of_them(
    tmp_path, folder, warm, monkeypatch, capsys
):
    job = make_job(tmp_path, folder, "multiple_choice", rows=12, epochs=1)
    job["spec"]["watch"] = True
    store = Store(tmp_path / "store")

    def ended() -> dict[str, bytes]:
        ctx = context(tmp_path, job, warm=warm)
        train.run(ctx)
        return outputs(ctx) | {"dynamics": (ctx.workdir / "dynamics.json").read_bytes()}

    with monkeypatch.context() as patch:
        patch.setattr(tokenised, "WORTH", 10**9)
        without = ended()
    assert store.keys() == []
    assert ended() == without  # cold
    assert len(store.keys()) == 3  # train as it trains and as it is measured, dev
    assert ended() == without  # warm
    assert capsys.readouterr().err == ""

    spoilt(store)
    assert ended() == without
    assert "features.arrow is damaged (SHA-256 is" in capsys.readouterr().err
    assert len(list((store.root / "damaged").iterdir())) == 3
    assert [store.verify(key) for key in store.sizes()] == [[], [], []]


@pytest.mark.parametrize(
    ("of", "name"), [(Path, "mkdir"), (pa.ipc, "new_file"), (results, "flush")]
)
def test_a_disk_that_takes_nothing_stops_no_job(
    tmp_path, folder, warm, monkeypatch, capsys, of, name
):
    def fails(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    job = make_job(tmp_path, folder, "tagging", evaluations=0)
    whole = [exactly(one) for one in made(tmp_path / "other", job, warm).features]
    ctx = context(tmp_path, job, warm=warm)
    with monkeypatch.context() as patch:
        patch.setattr(of, name, fails)
        mine = Part(ctx, ctx.encoder(), "toy")
    assert [exactly(one) for one in mine.features] == whole
    assert "are not kept" in capsys.readouterr().err
    assert stored(ctx.store) == []


def test_features_that_are_not_plain_are_encoded_each_time(tmp_path, folder, warm, monkeypatch):
    plain = TRAINED["classification"].encode

    def encode(*asked):
        return [one | {"words": {"a", "b"}} for one in plain(*asked)]

    monkeypatch.setattr(TRAINED["classification"], "encode", encode)
    mine = made(tmp_path, make_job(tmp_path, folder, "classification"), warm)
    assert mine.features[0]["words"] == {"a", "b"}
    assert Store(tmp_path / "store").keys() == []


def test_dev_rows_are_encoded_once_however_often_they_are_looked_at(
    tmp_path, folder, warm, monkeypatch
):
    calls, plain = [], TRAINED["classification"].encode

    def encode(rows, encoder, task, training):
        calls.append(training)
        return plain(rows, encoder, task, training)

    monkeypatch.setattr(TRAINED["classification"], "encode", encode)
    monkeypatch.setattr(tokenised, "WORTH", 10**9)
    job = make_job(tmp_path, folder, "classification", evaluations=4)
    train.run(context(tmp_path, job, warm=warm))
    assert calls == [True, False]


def test_gc_removes_those_that_nobody_used_for_a_week(tmp_path, folder, warm):
    job = make_job(tmp_path, folder, "classification")
    made(tmp_path, job, warm)
    store = Store(tmp_path / "store")
    names = {store.manifest(key).meta["name"]: key for key in store.sizes()}
    old = time.time() - 8 * 86400
    for key in names.values():
        os.utime(store.root / "results" / key, (old, old))
    made(tmp_path, job | {"dev": job["train"]}, warm)  # uses the training rows again
    os.utime(store.root / "results" / names["tokenised dev"], (old, old))

    def gc(*options):
        done = CliRunner().invoke(app, ["cache", "gc", "--store", str(store.root), *options])
        assert done.exit_code == 0
        return done.stdout

    assert names["tokenised dev"] in gc("--dry-run", "--unused-days", "7")
    gc()
    assert "tokenised train" in stored(store)
    assert "tokenised dev" not in stored(store)
    gc("--unused-days", "0")
    assert store.keys() == []
