"""Folders that are no encoder: each is one line that names the file and what to do, before anything
is trained."""

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from harness import cli
from harness.common.errors import HarnessError, MissingError, SpecError, StoreError
from harness.models.loaded import LoadedEncoder
from harness.run import steps
from harness.run.choice import Choice
from harness.sources.encoder_files import DECISIVE
from harness.sources.encoders import find
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.spec.encoder import Encoder
from harness.store import HashIndex, Store

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 90868376\n"


class Case(NamedTuple):
    """How a folder is broken, and what is said of it: the file's name and a few words."""

    damage: Callable[[Path], object]
    file: str
    says: str
    error: type[HarnessError] = SpecError


def write(name: str, text: str | bytes) -> Callable[[Path], object]:
    raw = text.encode() if isinstance(text, str) else text
    return lambda folder: (folder / name).write_bytes(raw)


def cut(name: str, share: float = 0.5) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        raw = (folder / name).read_bytes()
        (folder / name).write_bytes(raw[: int(len(raw) * share)])

    return damage


def edit(name: str, **changes) -> Callable[[Path], object]:
    """Change fields of a JSON file; one that becomes ... goes."""

    def damage(folder: Path) -> None:
        held = json.loads((folder / name).read_text()) | changes
        (folder / name).write_text(
            json.dumps({field: value for field, value in held.items() if value is not ...})
        )

    return damage


def tokenizer(change: Callable[[dict], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        held = json.loads((folder / "tokenizer.json").read_text())
        change(held)
        (folder / "tokenizer.json").write_text(json.dumps(held))

    return damage


def without_tokenizer(**files: bytes) -> Callable[[Path], object]:
    """No tokenizer.json, but these (dots are written as __)."""

    def damage(folder: Path) -> None:
        (folder / "tokenizer.json").unlink()
        edit("tokenizer_config.json", tokenizer_class="BertTokenizer", backend=...)(folder)
        for name, raw in files.items():
            (folder / name.replace("__", ".")).write_bytes(raw)

    return damage


def a_folder(name: str) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return damage


def a_link(name: str, to: str) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(to)

    return damage


def a_pipe(name: str) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return damage


def weights(change: Callable[[dict], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        change(held)
        save_file(held, folder / "model.safetensors", {"format": "pt"})

    return damage


def sharded(change: Callable[[Path, dict], object]) -> Callable[[Path], object]:
    """Two parts and their index, which `change` may damage."""

    def damage(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        names, index = sorted(held), {}
        for i, half in enumerate((names[::2], names[1::2]), 1):
            part = f"model-0000{i}-of-00002.safetensors"
            save_file({name: held[name] for name in half}, folder / part, {"format": "pt"})
            index |= dict.fromkeys(half, part)
        held = {"metadata": {}, "weight_map": index}
        change(folder, held)
        (folder / "model.safetensors.index.json").write_text(json.dumps(held))

    return damage


def pickled(change: Callable[[Path], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        torch.save(
            {name: torch.from_numpy(tensor) for name, tensor in held.items()},
            folder / "pytorch_model.bin",
        )
        change(folder)

    return damage


def legacy(folder: Path) -> None:
    """As torch.save wrote before 1.6, and half of it."""
    held = {"embeddings.weight": torch.zeros(100, 100)}
    torch.save(held, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    cut("pytorch_model.bin")(folder)


def renamed(field: str, name: str) -> Callable[[Path, dict], object]:
    """One tensor's file in an index."""
    return lambda folder, index: index["weight_map"].update({"embeddings.LayerNorm.bias": name})


FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"
WORDS = "embeddings.word_embeddings.weight"
LACKS = "has none of model.safetensors, "

# What a plan says, from names, sizes, headers and JSON.
PLANNED = {
    "no tokenizer": Case(
        without_tokenizer(), "tiny", "has no tokenizer: none of tokenizer.json, ", MissingError
    ),
    "no config": Case(
        lambda folder: (folder / "config.json").unlink(), "tiny", "has no config.json", MissingError
    ),
    "no weights": Case(
        lambda folder: (folder / "model.safetensors").unlink(), "tiny", LACKS, MissingError
    ),
    **{
        f"LFS pointer for {name}": Case(
            write(name, POINTER), name, "Git LFS pointer in place of", MissingError
        )
        for name in (
            "model.safetensors",
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.txt",
        )
    },
    "LFS pointer for sentencepiece": Case(
        without_tokenizer(sentencepiece__bpe__model=POINTER.encode()),
        "sentencepiece.bpe.model",
        "Git LFS pointer",
        MissingError,
    ),
    "LFS pointer for a part": Case(
        sharded(lambda f, _: write(FIRST, POINTER)(f)), FIRST, "Git LFS pointer", MissingError
    ),
    "LFS pointer for an index": Case(
        lambda folder: ((folder / "model.safetensors").unlink(), write(INDEX, POINTER)(folder)),
        INDEX,
        "Git LFS pointer",
        MissingError,
    ),
    "LFS pointer for a pickle": Case(
        pickled(write("pytorch_model.bin", POINTER)),
        "pytorch_model.bin",
        "Git LFS pointer",
        MissingError,
    ),
    "git-annex pointer": Case(
        write("model.safetensors", "/annex/objects/SHA256E-s9--0\n"),
        "model.safetensors",
        "git-annex",
        MissingError,
    ),
    **{
        f"empty {name}": Case(write(name, b""), name, "is empty (0 bytes)")
        for name in (
            "model.safetensors",
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
        )
    },
    **{
        f"a folder as {name}": Case(a_folder(name), name, "is a directory, not a file")
        for name in ("tokenizer.json", "config.json")
    },
    "a folder as weights": Case(
        a_folder("model.safetensors"), "model.safetensors", "is a directory, not a file"
    ),
    "a pipe as a config": Case(a_pipe("config.json"), "config.json", "is no regular file"),
    "a pipe as weights": Case(
        a_pipe("model.safetensors"), "model.safetensors", "is no regular file"
    ),
    "a link to nothing": Case(
        a_link("tokenizer.json", "../blobs/gone"),
        "tokenizer.json",
        "only a link to nothing",
        MissingError,
    ),
    "weights a link to nothing": Case(
        a_link("model.safetensors", "gone"), "model.safetensors", "link to nothing", MissingError
    ),
    "a link to itself": Case(
        a_link("config.json", "config.json"), "config.json", "link to nothing", MissingError
    ),
    "weights cut": Case(cut("model.safetensors"), "model.safetensors", "is truncated: it has "),
    "weights cut in the header": Case(
        cut("model.safetensors", 0.01), "model.safetensors", "its header alone "
    ),
    "weights cut in the first bytes": Case(
        write("model.safetensors", b"\x10\x00"), "model.safetensors", "is no safetensors file"
    ),
    "weights too long": Case(
        lambda folder: (folder / "model.safetensors").open("ab").write(b"more"),
        "model.safetensors",
        "is too long: it has ",
    ),
    "weights a web page": Case(
        write("model.safetensors", "<!DOCTYPE html><html>"),
        "model.safetensors",
        "is no safetensors file",
    ),
    "weights a header of another kind": Case(
        write("model.safetensors", (4).to_bytes(8, "little") + b"[1] "),
        "model.safetensors",
        "header that is none of safetensors",
    ),
    "weights without a tensor": Case(
        write("model.safetensors", (2).to_bytes(8, "little") + b"{}"),
        "model.safetensors",
        "names no tensor",
    ),
    "pickle cut": Case(
        pickled(cut("pytorch_model.bin")), "pytorch_model.bin", "is truncated or damaged"
    ),
    "pickle of text": Case(
        pickled(write("pytorch_model.bin", "no such thing")),
        "pytorch_model.bin",
        "no file that torch.save",
    ),
    "config cut": Case(cut("config.json"), "config.json", "is no JSON that can be read"),
    "config a list": Case(
        write("config.json", "[]"), "config.json", "holds list, not a JSON object"
    ),
    "config in UTF-16": Case(
        write("config.json", "{}".encode("utf-16")), "config.json", "is no JSON that can be read"
    ),
    "config with a byte-order mark": Case(
        write("config.json", "\ufeff{}"), "config.json", "is no JSON that can be read"
    ),
    "config of brackets": Case(
        write("config.json", "[" * 100_000), "config.json", "is no JSON that can be read"
    ),
    "no model_type": Case(
        edit("config.json", model_type=...), "config.json", "names no model_type"
    ),
    "model_type null": Case(
        edit("config.json", model_type=None), "config.json", "says model_type None"
    ),
    "model_type a list": Case(
        edit("config.json", model_type=["bert"]), "config.json", "says model_type ['bert']"
    ),
    "width a text": Case(
        edit("config.json", hidden_size="32"), "config.json", "says hidden_size '32'"
    ),
    "no layers": Case(
        edit("config.json", num_hidden_layers=0), "config.json", "says num_hidden_layers 0"
    ),
    "half a layer": Case(
        edit("config.json", num_hidden_layers=1.5), "config.json", "says num_hidden_layers 1.5"
    ),
    "positions a text": Case(
        edit("config.json", max_position_embeddings="512"),
        "config.json",
        "max_position_embeddings '512'",
    ),
    "padding a text": Case(
        edit("config.json", pad_token_id="0"), "config.json", "says pad_token_id '0'"
    ),
    "quantised": Case(
        edit("config.json", quantization_config={"quant_method": "bitsandbytes"}),
        "config.json",
        "quantization_config",
    ),
    "weights of another name": Case(
        edit("config.json", transformers_weights="other.safetensors"),
        "config.json",
        "'other.safetensors' where model.safetensors",
    ),
    "encoder and decoder": Case(
        edit("config.json", is_encoder_decoder=True), "config.json", "encoder with a decoder"
    ),
    "a kernel from the hub": Case(
        edit("config.json", attn_implementation="kernels-community/flash-attn"),
        "config.json",
        "no code of an encoder's is run",
    ),
    "an adapter": Case(
        write("adapter_config.json", "{}"),
        "adapter_config.json",
        "would add an adapter to the weights",
    ),
    "a distributed checkpoint": Case(
        write("shard-00000-model-00000-of-00001.safetensors", b"x"),
        "shard-00000",
        "would be read in place of the weights",
    ),
    "tokenizer cut": Case(cut("tokenizer.json"), "tokenizer.json", "is no JSON that can be read"),
    "tokenizer a text": Case(
        write("tokenizer.json", '"x"'), "tokenizer.json", "holds str, not a JSON object"
    ),
    "tokenizer without a model": Case(
        tokenizer(lambda held: held.pop("model")), "tokenizer.json", "holds no vocabulary"
    ),
    "tokenizer without pieces": Case(
        tokenizer(lambda held: held["model"].update(vocab={})),
        "tokenizer.json",
        "holds an empty vocabulary",
    ),
    "ids that are no numbers": Case(
        tokenizer(lambda held: held["model"]["vocab"].update(a="1")),
        "tokenizer.json",
        "an id that is no number",
    ),
    "ids past the embedding": Case(
        tokenizer(lambda held: held["model"]["vocab"].update(zebra=5000)),
        "tokenizer.json",
        "gives ids up to 5000, the encoder embeds ",
    ),
    "an added piece past the embedding": Case(
        tokenizer(
            lambda held: held["added_tokens"].append(
                {**held["added_tokens"][0], "id": 7000, "content": "<x>"}
            )
        ),
        "tokenizer.json",
        "gives ids up to 7000",
    ),
    "pieces and no merges": Case(
        tokenizer(
            lambda held: held["model"].update(
                type="BPE", merges=[], vocab={"the": 0, "of": 1, "a": 2}
            )
        ),
        "tokenizer.json",
        "no merges to make them",
    ),
    "layers beyond all tensors": Case(
        edit("config.json", num_hidden_layers=10_000),
        "config.json",
        "says num_hidden_layers 10,000, and the weights are ",
    ),
    "layers beyond all of a pickle": Case(
        lambda folder: (
            pickled(lambda _: None)(folder),
            edit("config.json", num_hidden_layers=10_000)(folder),
        ),
        "config.json",
        "says num_hidden_layers 10,000",
    ),
    "whole numbers for weights": Case(
        weights(lambda held: held.update({WORDS: held[WORDS].astype(np.int8)})),
        "model.safetensors",
        f"holds {WORDS} as I8",
    ),
    "tokenizer by version": Case(
        edit("tokenizer_config.json", fast_tokenizer_files=["tokenizer.4.0.0.json"]),
        "tokenizer_config.json",
        "tokenizer.4.0.0.json",
    ),
    "tokenizer settings cut": Case(
        cut("tokenizer_config.json"), "tokenizer_config.json", "is no JSON that can be read"
    ),
    "special tokens a list": Case(
        write("special_tokens_map.json", "[]"), "special_tokens_map.json", "holds list"
    ),
    "added tokens cut": Case(
        write("added_tokens.json", '{"<x>": 3'), "added_tokens.json", "is no JSON that can be read"
    ),
    "pieces without merges": Case(
        without_tokenizer(vocab__json=b'{"a": 0}'),
        "tiny",
        "has vocab.json without merges.txt",
        MissingError,
    ),
    "merges without pieces": Case(
        without_tokenizer(merges__txt=b"#version: 0.2\na b\n"),
        "tiny",
        "has merges.txt without vocab.json",
        MissingError,
    ),
    "no pieces, merges": Case(
        without_tokenizer(vocab__json=b"{}", merges__txt=b"a b\n"),
        "vocab.json",
        "is an empty vocabulary",
    ),
    "capitals that would be lowered": Case(
        without_tokenizer(vocab__txt=b"[PAD]\n[UNK]\n" + b"Ann\n##Bo\n" * 6),
        "vocab.txt",
        "has words in capitals, and tokenizer_config.json does not say do_lower_case",
    ),
    "empty vocab.txt": Case(without_tokenizer(vocab__txt=b""), "vocab.txt", "is empty (0 bytes)"),
    "empty sentencepiece": Case(
        without_tokenizer(spm__model=b""), "spm.model", "is empty (0 bytes)"
    ),
    "tiktoken": Case(
        without_tokenizer(vocab__txt=b"a\n", tekken__json=b"{}"),
        "tekken.json",
        "of a kind that is not read",
    ),
    "a part is gone": Case(sharded(lambda f, _: (f / FIRST).unlink()), FIRST, LACKS, MissingError),
    "a part is cut": Case(sharded(lambda f, _: cut(SECOND)(f)), SECOND, "is truncated: it has "),
    "a part lacks a tensor": Case(
        sharded(renamed(WORDS, SECOND)), SECOND, "lacks embeddings.LayerNorm.bias, which model."
    ),
    "a part outside": Case(
        sharded(renamed(WORDS, "../x.safetensors")),
        INDEX,
        "outside this folder for embeddings.LayerNorm.bias",
    ),
    "a part of the machine's": Case(
        sharded(renamed(WORDS, "/etc/passwd")), INDEX, "outside this folder"
    ),
    "a part without a name": Case(sharded(renamed(WORDS, 3)), INDEX, "outside this folder"),
    "an index of nothing": Case(
        sharded(lambda _, index: index.update(weight_map={})), INDEX, "names no files"
    ),
    "an index of a list": Case(
        sharded(lambda _, index: index.update(weight_map=[])), INDEX, "names no files"
    ),
    "an index cut": Case(
        lambda folder: (
            (folder / "model.safetensors").unlink(),
            write(INDEX, '{"weight_map"')(folder),
        ),
        INDEX,
        "is no JSON that can be read",
    ),
}

ALONE = {
    "type": "TemplateProcessing",
    "single": [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ],
    "pair": [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ],
    "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}},
}
# What shows only when the encoder is loaded: still before it is trained.
LOADED = {
    "zeros where a download ended": Case(
        weights(lambda held: held["encoder.layer.1.output.dense.weight"].fill(0)),
        "model.safetensors",
        "holds nothing but zeros in 1 of its tensors, such as encoder.layer.1.output.dense.weight",
    ),
    "NaN": Case(
        weights(lambda held: held[WORDS].__setitem__((3, 4), np.nan)),
        "model.safetensors",
        f"NaN or infinity in 1 of its tensors, such as {WORDS}",
    ),
    "infinity": Case(
        weights(lambda held: held[WORDS].__setitem__((3, 4), np.inf)),
        "model.safetensors",
        "NaN or infinity",
    ),
    "NaN in the pooler": Case(
        weights(lambda held: held["pooler.dense.bias"].__setitem__(0, np.nan)),
        "model.safetensors",
        "in its pooler",
    ),
    "an old pickle cut": Case(pickled(legacy), "pytorch_model.bin", "cannot be read ("),
    "a pickle of code": Case(
        pickled(lambda folder: torch.save({"x": Path("x")}, folder / "pytorch_model.bin")),
        "pytorch_model.bin",
        "cannot be read (",
    ),
    "a pickle of a list": Case(
        pickled(lambda folder: torch.save([1], folder / "pytorch_model.bin")),
        "pytorch_model.bin",
        "cannot be read (",
    ),
    "an unknown architecture": Case(
        edit("config.json", model_type="berrt"),
        "config.json",
        "does not know (did you mean 'bert'?); give an encoder of bert, ",
    ),
    "no encoder": Case(edit("config.json", model_type="vit"), "config.json", ""),
    "a setting transformers refuses": Case(
        edit("config.json", hidden_act="nonsense"),
        "model.safetensors",
        "cannot be read (KeyError: ",
    ),
    "heads that do not divide the width": Case(
        edit("config.json", num_attention_heads=5),
        "model.safetensors",
        "cannot be read (ValueError: ",
    ),
    "a dropout that is a text": Case(
        edit("config.json", hidden_dropout_prob="x"), "config.json", "cannot be read ("
    ),
    "tokenizer of an unknown model": Case(
        tokenizer(lambda held: held["model"].update(type="Nonsense")),
        "tokenizer.json",
        "cannot be read (",
    ),
    "tokenizer settings of odd types": Case(
        edit("tokenizer_config.json", added_tokens_decoder={"0": 3}),
        "tokenizer.json",
        "cannot be read (",
    ),
    "no letters": Case(
        without_tokenizer(vocab__txt=b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"),
        "vocab.txt",
        "not one of the letters a to z is known",
    ),
    "files of another tokenizer's class": Case(
        without_tokenizer(vocab__json=b'{"a": 0, "b": 1}', merges__txt=b"#version: 0.2\na b\n"),
        "vocab.json",
        "not one of the letters",
    ),
    "padding past the embedding": Case(
        edit("tokenizer_config.json", pad_token="<new>"), "tokenizer.json", "gives ids up to "
    ),
    "a vocabulary longer than the embedding": Case(
        without_tokenizer(
            vocab__txt="\n".join(
                ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(str, range(900)), *"abc"]
            ).encode()
        ),
        "vocab.txt",
        "gives ids up to 907, the encoder embeds ",
    ),
    "no layout of special tokens": Case(
        tokenizer(lambda held: held.update(post_processor=None)),
        "tokenizer.json",
        "puts no special token before a text",
    ),
    "no padding token": Case(
        lambda folder: (
            edit("tokenizer_config.json", pad_token=...)(folder),
            (folder / "special_tokens_map.json").unlink(missing_ok=True),
        ),
        "tiny",
        "no padding token",
    ),
    "a pair of special tokens alone": Case(
        tokenizer(lambda held: held.update(post_processor=ALONE)),
        "tokenizer.json",
        "puts no special token between two texts",
    ),
    "special tokens past the embedding": Case(
        tokenizer(
            lambda held: held.update(
                post_processor={
                    "type": "BertProcessing",
                    "sep": ["[SEP]", 9999],
                    "cls": ["[CLS]", 2],
                }
            )
        ),
        "tokenizer.json",
        "gives ids up to 9999",
    ),
    "no piece for what is unknown": Case(
        tokenizer(lambda held: held["model"].update(unk_token="[NOPE]")),
        "tokenizer.json",
        "cannot be read (",
    ),
    "a map of characters that panics": Case(
        tokenizer(
            lambda held: held.update(
                normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}
            )
        ),
        "tokenizer.json",
        "cannot be read (PanicException: ",
    ),
    "a slow tokenizer": Case(
        edit("tokenizer_config.json", tokenizer_class="BertJapaneseTokenizer"), "tokenizer.json", ""
    ),
}


@pytest.fixture
def tiny(rig, tmp_path) -> Path:
    """A folder of the encoder `tiny`, to be broken; its parent is an encoder root."""
    return Path(shutil.copytree(rig.encoders / "tiny", tmp_path / "encoders" / "tiny"))


def spec(**fields) -> Encoder:
    given = {
        "source": {"hub": "nobody/tiny"},
        "pretrained_on": "english",
        "seen": [],
        "max_length": 96,
    }
    return Encoder(encoder="tiny", version=1, **(given | fields))


def look_up(folder: Path, **fields):
    return find(
        spec(**fields),
        Where(encoder_root=folder.parent, offline=True),
        HashIndex(folder.parent / "index.json"),
    )


def load(folder: Path, **fields) -> None:
    """As a job does, up to the first update."""
    found = look_up(folder, **fields)
    encoder = LoadedEncoder(str(found.folder), found.identity, found.declared)
    assert len(encoder.template) == 3
    encoder.fresh(0.1, 0.1)
    encoder.pretrained_pooler()


def one_line(said: str, case: Case) -> None:
    (line,) = said.splitlines()
    assert "encoder " in line and case.file in line and case.says in line
    assert "Traceback" not in line and len(line) < 700


@pytest.fixture
def command(rig, monkeypatch, tmp_path, capsys):
    """`eval` of suite `tiny` in this process, as main() runs it: its exit code and the lines of its
    stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def run(root: Path) -> tuple[int, list[str]]:
        words = rig.eval("tiny", "--encoder-root", root)[len(rig.command()) :]
        monkeypatch.setattr("sys.argv", ["xstilts-harness", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capsys.readouterr().err.splitlines()

    return run


@pytest.mark.parametrize("name", PLANNED)
def test_a_plan_says_what_is_wrong(name, tiny):
    case = PLANNED[name]
    case.damage(tiny)
    with pytest.raises(case.error) as raised:
        look_up(tiny)
    one_line(str(raised.value), case)


@pytest.mark.parametrize("name", LOADED)
def test_what_only_loading_shows_is_a_line_too(name, tiny):
    case = LOADED[name]
    case.damage(tiny)
    with pytest.raises(case.error) as raised:
        load(tiny)
    one_line(str(raised.value), case)


@pytest.mark.parametrize("name", sorted(PLANNED))
def test_a_job_says_it_where_the_file_broke_after_the_plan(name, tiny):
    found = look_up(tiny)
    PLANNED[name].damage(tiny)
    with pytest.raises(HarnessError) as raised:
        LoadedEncoder(str(found.folder), found.identity, found.declared)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("name", [*PLANNED][::7])
def test_eval_ends_with_that_line_and_its_code(name, tiny, command):
    case = PLANNED[name]
    case.damage(tiny)
    code, lines = command(tiny.parent)
    assert code == case.error.exit_code
    one_line(lines[0], case)
    assert lines[1:] == ["    blocks: encoder tiny"] * (case.error is MissingError)


def test_a_spec_with_fewer_positions_than_special_tokens(tiny):
    with pytest.raises(
        SpecError,
        match="says max_length 4, and the special tokens of a pair alone are 3; write more",
    ):
        load(tiny, max_length=4)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "."])
def test_what_this_user_may_not_read_is_said(rig, name):
    """Root may read everything, so a test by root becomes nobody for a moment, where nobody gets to
    at all."""
    folder = Path(tempfile.mkdtemp()) / "tiny"
    shutil.copytree(rig.encoders / "tiny", folder)
    folder.parent.chmod(0o755)
    (folder / name).chmod(0)
    look_up_as = os.geteuid()
    try:
        if look_up_as == 0:
            os.seteuid(65534)
        with pytest.raises(
            StoreError, match=f"^encoder tiny: cannot read .*{name}: Permission denied; [^\n]*$"
        ):
            look_up(folder)
    finally:
        os.seteuid(look_up_as)
        (folder / name).chmod(0o755)
        shutil.rmtree(folder.parent)


def test_what_a_snapshot_lacks_is_asked_of_the_hub(tiny, monkeypatch):
    """A download that was cut short: the weights are there, the tokenizer is not."""
    (tiny.parent / "snapshots").mkdir()
    snapshot = tiny.rename(tiny.parent / "snapshots" / ("ab" * 20))
    (snapshot / "tokenizer.json").unlink()
    monkeypatch.setattr("harness.sources.encoders.snapshot", lambda *_: snapshot)
    where = Where()
    for _ in range(2):
        with pytest.raises(
            MissingError,
            match=r"has no tokenizer: .*; fetch it again: hf download nobody/tiny --force-download",
        ):
            find(spec(), where, HashIndex(tiny.parent / "index.json"))
    (wanted,) = where.wanted
    assert (wanted.repo, wanted.patterns) == ("nobody/tiny", DECISIVE)


# Code in the folder

CODE = """
from pathlib import Path
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
Path({mark!r}).touch()
class Config(PretrainedConfig):
    model_type = "own"
class Model(PreTrainedModel):
    config_class = Config
class Tokenizer(PreTrainedTokenizerFast):
    pass
"""


def with_code(folder: Path, mark: Path, **config) -> None:
    (folder / "own.py").write_text(CODE.format(mark=str(mark)))
    edit("config.json", auto_map={"AutoConfig": "own.Config", "AutoModel": "own.Model"}, **config)(
        folder
    )
    names = {"AutoTokenizer": ["own.Tokenizer", "own.Tokenizer"]}
    edit("tokenizer_config.json", tokenizer_class="Tokenizer", auto_map=names)(folder)


@pytest.mark.slow
def test_code_of_a_folder_is_not_run_even_if_somebody_says_yes(rig, tiny, tmp_path):
    """`yes | xstilts-harness job run KEY`: transformers asks, unless it is told not to."""
    mark, store = tmp_path / "it ran", Store(tmp_path / "runs/store")
    with_code(tiny, mark, model_type="own")
    where = Where(encoder_root=tiny.parent, offline=True)
    plan = steps.plan_suite(Catalog.load([rig.specs]), Choice("tiny"), where, store)
    job = next(job for job in plan.jobs.values() if job.kind == "train" and not job.needs)
    store.write_job(job.key, job.body)
    yes = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
    words, env = rig.command("job", "run", job.key), rig.environment()
    done = subprocess.run(
        words, cwd=tmp_path, env=env, stdin=yes.stdout, capture_output=True, text=True, timeout=300
    )
    yes.kill(), yes.wait()
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "config.json is of architecture 'own', which transformers " in line
    assert (
        "names code of its own (auto_map); no code of an encoder's folder is run here; give an"
        " encoder of bert, " in line
    )
    assert not mark.exists()


def test_where_transformers_has_a_class_of_its_own_that_is_taken(tiny, tmp_path):
    with_code(tiny, tmp_path / "it ran")
    load(tiny)
    assert not (tmp_path / "it ran").exists()


def test_a_tokenizer_that_only_code_can_make(tiny, tmp_path):
    with_code(tiny, tmp_path / "it ran")
    edit("config.json", model_type="mpt")(tiny)  # an architecture without a tokenizer of its own
    with pytest.raises(SpecError) as raised:
        load(tiny)
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "it ran").exists()


# What is read, and what is hashed


def test_every_file_that_is_opened_is_hashed(tiny):
    """As Python opens them; strace adds the weights, which safetensors maps, and tokenizer.json,
    which tokenizers reads."""
    for name in (
        "generation_config.json",
        "chat_template.jinja",
        "vocab.txt",
        "pytorch_model.bin",
        "tf_model.h5",
        "README.md",
    ):
        (tiny / name).write_text("{}")
    found, opened = look_up(tiny), set()
    encoder = LoadedEncoder(str(found.folder), found.identity, found.declared)

    def note(event: str, details: tuple) -> None:
        if (
            event == "open"
            and isinstance(details[0], str | os.PathLike)
            and Path(details[0]).parent == tiny
        ):
            opened.add(Path(details[0]).name)

    sys.addaudithook(note)
    LoadedEncoder(str(found.folder), found.identity, found.declared)
    for make in (lambda: encoder.fresh(0.1, 0.1), encoder.masked_lm, encoder.pretrained_pooler):
        make()
    assert {"config.json", "tokenizer_config.json", "tokenizer.json"} <= opened
    assert opened - found.identity["files"].keys() <= {"chat_template.jinja"}  # no chat is had here


# A sentencepiece model alone


@pytest.fixture(scope="module")
def sentencepiece_model() -> bytes:
    trainer = pytest.importorskip(
        "sentencepiece", reason="sentencepiece is not here"
    ).SentencePieceTrainer
    pytest.importorskip("google.protobuf", reason="protobuf is not here")
    made, texts = (
        io.BytesIO(),
        ["the old man and the box of the day", "a red city is in the month of the name"] * 5,
    )
    trainer.train(
        sentence_iterator=iter(texts),
        model_writer=made,
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return made.getvalue()


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
def test_a_cut_sentencepiece_model_is_a_line(share, sentencepiece_model, tiny):
    """A message of protobuf that ends between two fields parses: what stands at the end must be
    there too."""
    without_tokenizer(spm__model=sentencepiece_model[: int(len(sentencepiece_model) * share)])(tiny)
    edit("tokenizer_config.json", tokenizer_class="XLMRobertaTokenizer")(tiny)
    with pytest.raises(SpecError) as raised:
        load(tiny)
    one_line(str(raised.value), Case(..., "spm.model", ""))
