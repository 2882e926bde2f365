"""What an encoder's YAML would say, from the files of a folder or of a hub id."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT, write_encoder
from fake_hub import FakeHub
from test_encoders import CORPUS, DECODERS, KINDS, LENGTH, task_of

from harness.common.errors import MissingError, SpecError
from harness.jobs import evaluate
from harness.models.encoder_read import TESTED
from harness.models.loaded import LoadedEncoder
from harness.sources.encoders import find
from harness.sources.hub import Where
from harness.sources.infer import NOT_NAMED, inferred
from harness.spec.catalog import Catalog, read_spec
from harness.spec.encoder import Encoder, Prompts
from harness.store import HashIndex

REPO = "someone/tiny-bert"
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {
        "idx": 2,
        "name": "2",
        "path": "2_Normalize",
        "type": "sentence_transformers.models.Normalize",
    },
]
CARD = "---\nlanguage:\n- en\n- de\ndatasets:\n- glue\nmodel-index:\n- name: x\n---\n# tiny\n"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("encoders") / "tiny"
    write_encoder(folder)
    return folder


@pytest.fixture
def folder(tiny, tmp_path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(tiny, tmp_path / "my tiny"))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load([])


def write_json(file: Path, content: object) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content))


def edit(file: Path, **changes) -> None:
    write_json(file, json.loads(file.read_text()) | changes)


def sentence_encoder(folder: Path, pooling: dict, prompts: dict | None = None) -> None:
    write_json(folder / "modules.json", MODULES)
    write_json(folder / "1_Pooling" / "config.json", pooling)
    if prompts is not None:
        write_json(folder / "config_sentence_transformers.json", prompts)


def of(folder: Path | str, catalog: Catalog, where: Where | None = None) -> tuple[Encoder, str]:
    spec, lines = inferred(str(folder), where or Where(offline=True), catalog)
    return spec, "\n".join(lines)


def test_a_folder_gives_a_spec_that_finds_its_files(folder, catalog, tmp_path):
    spec, said = of(folder, catalog)
    assert (spec.encoder, spec.source.path) == ("my-tiny", str(folder))
    assert (spec.architecture, spec.lower_case, spec.token_types) == ("bert", True, True)
    assert (spec.pooling, spec.layer, spec.max_length) == ("mean", 1, 256)
    assert (spec.pretrained_on, spec.seen) == ("unknown", [NOT_NAMED])
    assert "layer 1 of 2 (a default, no modules.json: the depth of mBERT's layer 8 of 12)" in said
    assert "pretrained_on unknown (no file says)" in said
    found = find(spec, Where(offline=True), HashIndex(tmp_path / "index.json"))
    assert found.folder == folder
    assert str(tmp_path) not in json.dumps(found.identity)


def test_a_path_is_taken_from_the_folder_of_its_yaml(folder, catalog, tmp_path):
    spec, _ = of(folder, catalog)
    said = {**spec.model_dump(exclude_none=True), "source": {"path": "my tiny"}}
    write_json(tmp_path / "mine.yaml", said)  # JSON is YAML
    mine = Catalog.load([tmp_path / "mine.yaml"]).encoder("my-tiny")
    assert mine == spec
    assert read_spec(tmp_path / "mine.yaml")[0] == "encoder"


def test_a_card_says_languages_and_data(folder, catalog):
    (folder / "README.md").write_text(CARD)
    spec, said = of(folder, catalog)
    assert (spec.pretrained_on, spec.seen) == ("multilingual", ["glue (its model card)"])
    assert "README.md, language: en, de" in said
    (folder / "README.md").write_text("---\nlanguage: en\n---\n")
    assert of(folder, catalog)[0].pretrained_on == "english"
    (folder / "README.md").write_text("---\nlanguage: de\ndatasets: [\n---\n")
    spec, said = of(folder, catalog)
    assert (spec.pretrained_on, spec.seen) == ("unknown", [NOT_NAMED])


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_lasttoken": True}, "last_token"),
        ({"embedding_dimension": 32, "pooling_mode": "lasttoken"}, "last_token"),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, "mean"),
    ],
)
def test_a_sentence_encoder_says_its_pooling(pooling, expected, folder, catalog):
    sentence_encoder(folder, pooling)
    spec, said = of(folder, catalog)
    assert (spec.pooling, spec.layer) == (expected, -1)
    assert f"pooling {expected} of the last layer (1_Pooling/config.json)" in said


@pytest.mark.parametrize(
    ("said", "query", "passage"),
    [
        ({"prompts": {"query": "query: ", "passage": "passage: "}}, "query: ", "passage: "),
        ({"prompts": {"query": "", "document": ""}, "default_prompt_name": None}, "", ""),
        ({"prompts": {"x": "X "}, "default_prompt_name": "x"}, "X ", "X "),
        ({"prompts": {"query": "q ", "sts_query": "s ", "bitext_query": "b "}}, "b ", ""),
        ({}, "", ""),
    ],
)
def test_a_sentence_encoder_says_its_prompts(said, query, passage, folder, catalog):
    sentence_encoder(folder, {"pooling_mode_mean_tokens": True}, said)
    spec, lines = of(folder, catalog)
    assert (spec.prompts.of_pairs, spec.prompts.passage) == (query, passage)
    assert (repr(query) in lines) == bool(query)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "mode"), [("bert uncased", "mean"), ("xlm-roberta", "cls"), ("qwen3", "lasttoken")]
)
def test_vectors_are_those_of_sentence_transformers(kind, mode, catalog, tmp_path, monkeypatch):
    """The library itself on the same files, with the prompt that is inferred."""
    library = pytest.importorskip("sentence_transformers")
    folder = (KINDS | DECODERS)[kind].build(tmp_path / "mine")
    sentence_encoder(
        folder,
        {"embedding_dimension": 32, "pooling_mode": mode},
        {"prompts": {"query": "the fox "}},
    )
    spec, _ = of(folder, catalog)

    task = task_of("retrieval", LENGTH, pooling=spec.pooling, layer=spec.layer)
    task["options"]["prompt"] = spec.prompts.query
    context = SimpleNamespace(job={"spec": {"task": task, "model": None}}, tokens=0)
    monkeypatch.setattr("harness.models.retriever.predict", lambda embed, *_: (embed(CORPUS), {}))
    encoder = LoadedEncoder(str(folder), {"max_length": spec.max_length})
    ours, _ = evaluate._embedded(context, encoder)([], [])
    model = library.SentenceTransformer(str(folder), device="cpu")
    theirs = model.encode(CORPUS, prompt_name="query")
    ours /= np.linalg.norm(ours, axis=1, keepdims=True)
    assert np.allclose(ours, theirs, atol=1e-5)


def test_a_prompt_that_only_the_card_speaks_of_is_said_and_not_taken(folder, catalog):
    sentence_encoder(folder, {"pooling_mode_mean_tokens": True})
    (folder / "README.md").write_text('---\n---\nEach text starts with "query: " or "passage: ".')
    spec, said = of(folder, catalog)
    assert spec.prompts == Prompts()
    assert "its model card speaks of a prompt 'query: '" in said


def test_every_tested_architecture_is_one_that_transformers_has(folder, catalog):
    for kind in TESTED:
        edit(folder / "config.json", model_type=kind)
        if kind != "qwen3":  # a decoder
            assert of(folder, catalog)[0].architecture == kind


def test_what_is_not_as_published_is_said(folder, catalog):
    sentence_encoder(folder, {"pooling_mode_mean_tokens": True})
    dense = {"path": "3_Dense", "type": "sentence_transformers.models.Dense"}
    write_json(folder / "modules.json", [*MODULES, dense])
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 128})
    spec, said = of(folder, catalog)
    assert "NOT as published: Dense after the pooling" in said
    assert spec.max_length == 256 and "write max_length: 128" in said


def test_what_sentence_transformers_would_do_otherwise_is_said(folder, catalog):
    """A pooling of another kind, and text that it lowers before the tokenizer sees it."""
    edit(folder / "tokenizer.json", normalizer={"type": "BertNormalizer", "lowercase": False})
    write_json(folder / "tokenizer_config.json", {"do_lower_case": True})
    write_json(folder / "sentence_bert_config.json", {"do_lower_case": True})
    write_json(
        folder / "modules.json", [MODULES[0], {"path": "1_SpladePooling", "type": "x.Splade"}]
    )
    said = of(folder, catalog)[1]
    assert "NOT as published: modules.json names Transformer, Splade, and no pooling" in said
    assert "(a default, no pooling that is known: the depth of" in said
    assert "NOT as published: sentence-transformers lowers all text first" in said
    assert "tokenizer_config.json says do_lower_case true, which is not read" in said


def test_of_two_files_of_weights_the_one_that_is_read_is_named(folder, catalog):
    """As transformers chooses; a training that saves the other kind leaves the old one there."""
    shutil.copy(folder / "model.safetensors", folder / "pytorch_model.bin")
    assert "weights model.safetensors; pytorch_model.bin beside it not" in of(folder, catalog)[1]


def test_half_of_a_sentence_encoder_is_said_to_be_one(folder, catalog):
    sentence_encoder(folder, {"pooling_mode_cls_token": True})
    (folder / "modules.json").unlink()
    said = of(folder, catalog)[1]
    assert "NOT as published: there is 1_Pooling/config.json, and no modules.json" in said


def test_padding_of_robertas_is_counted_where_its_config_names_none(folder, catalog):
    edit(folder / "config.json", model_type="roberta", max_position_embeddings=514)
    for padding, positions in ((1, 512), (0, 513), (None, 512)):
        edit(folder / "config.json", pad_token_id=padding)
        assert of(folder, catalog)[0].max_length == positions


def test_token_types_that_are_no_number_are_not_checked(folder, catalog):
    edit(folder / "config.json", type_vocab_size="two")
    assert of(folder, catalog)[0].token_types is None


def test_a_card_of_odd_values_says_nothing(folder, catalog):
    (folder / "README.md").write_text("---\nlanguage: 2020-13-45\n---\n")
    assert of(folder, catalog)[0].pretrained_on == "unknown"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda folder: (
                shutil.copytree(folder, folder / "checkpoint-5")
                and (folder / "config.json").unlink()
            ),
            MissingError,
            "has no config.json, .*; one lies in checkpoint-5",
        ),
        (
            lambda folder: write_json(folder / "modules.json", MODULES),
            MissingError,
            "lacks 1_Pooling/config.json, which modules.json names",
        ),
        (
            lambda folder: sentence_encoder(folder, {"pooling_mode": 5}),
            SpecError,
            "pools by 5, which is not known here",
        ),
        (
            lambda folder: sentence_encoder(folder, {}, {"prompts": {"query": 5}}),
            SpecError,
            "has prompts that are no texts by name",
        ),
        (
            lambda folder: sentence_encoder(folder, {}, {"prompts": {"query": "\ud800"}}),
            SpecError,
            "its files give no prompts.query that can be used",
        ),
        (
            lambda folder: sentence_encoder(folder, {}, {"prompts": ["query: "]}),
            SpecError,
            "has prompts that are no texts by name",
        ),
        (
            lambda folder: (folder / "model.safetensors").unlink(),
            MissingError,
            "has none of model.safetensors",
        ),
        (
            lambda folder: (folder / "config.json").unlink(),
            MissingError,
            "has no config.json, so it is no encoder: .* tokenizer.* model.safetensors",
        ),
        (
            lambda folder: (
                [(folder / name).unlink() for name in ("config.json", "model.safetensors")]
                and (folder / "adapter_config.json").write_text("{}")
            ),
            SpecError,
            "adapter_config.json would add an adapter .* merge_and_unload",
        ),
        (
            lambda folder: edit(folder / "config.json", model_type="llama"),
            SpecError,
            "is of a decoder",
        ),
        (
            lambda folder: edit(folder / "config.json", model_type="new", auto_map={}),
            SpecError,
            r"architecture 'new', which the installed .*, and names code of its own \(auto_map\)",
        ),
        (
            lambda folder: sentence_encoder(folder, {"pooling_mode_max_tokens": True}),
            SpecError,
            "pools by max, which is not known here",
        ),
        (
            lambda folder: sentence_encoder(
                folder,
                {"pooling_mode_mean_tokens": True, "include_prompt": False},
                {"prompts": {"query": "q: "}},
            ),
            SpecError,
            "include_prompt: false",
        ),
        (
            lambda folder: write_json(folder / "modules.json", {"no": "list"}),
            SpecError,
            "is no list of modules",
        ),
    ],
)
def test_what_cannot_be_inferred_is_an_error(change, error, message, folder, catalog):
    change(folder)
    with pytest.raises(error, match=message) as raised:
        of(folder, catalog)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (
            "bert-base-case",
            SpecError,
            "owner/name.*./bert-base-case; did you mean 'bert-base-cased'",
        ),
        ("MiniLM", SpecError, "did you mean 'all-MiniLM-L6-v2'"),
        (
            "roberta-base",
            SpecError,
            "is in the catalog already: .*copy its YAML .*roberta-base.yaml",
        ),
        ("./nothing-there", MissingError, "nothing-there is not there"),
        ("someone/nothing", MissingError, "offline.*hf download someone/nothing"),
        ("a//b", SpecError, "no id of a repository"),
    ],
)
def test_what_is_no_name_is_an_error(name, error, message, catalog):
    with pytest.raises(error, match=message):
        of(name, catalog)


def test_a_checkpoint_of_a_training_carries_the_trainings_name(folder, catalog):
    run = Path(shutil.copytree(folder, folder.parent / "run 7" / "checkpoint-500"))
    assert of(run, catalog)[0].encoder == "run-7-checkpoint-500"
    cached = folder.parent / "models--me--tiny" / "snapshots" / ("0" * 40)
    assert of(Path(shutil.copytree(folder, cached)), catalog)[0].encoder == "tiny"
    same = Path(shutil.copytree(folder, folder.parent / "roberta-base"))
    assert of(same, catalog)[0].encoder == "roberta-base-local"


def test_a_hub_id_of_the_catalog_is_that_encoder(catalog):
    spec, said = of("FacebookAI/xlm-roberta-base", catalog)
    assert spec is catalog.encoder("xlm-roberta-base")
    # its files name no prompts, the catalog does
    small, _ = of("intfloat/multilingual-e5-small", catalog)
    assert small.prompts == Prompts(query="query: ", passage="passage: ")
    assert said == "FacebookAI/xlm-roberta-base is encoder xlm-roberta-base of the catalog"


SCRIPT = """
import json, sys
from harness.common.errors import HarnessError
from harness.sources.hub import Where
from harness.sources.infer import NOT_NAMED, inferred
from harness.spec.catalog import Catalog
catalog = Catalog()
for offline in json.loads(sys.argv[2]):
    try:
        spec, lines = inferred(sys.argv[1], Where(offline=offline), catalog)
        print(json.dumps([spec.model_dump(), lines]))
    except HarnessError as error:
        print(json.dumps([type(error).__name__, str(error)]))
assert not {"torch", "transformers"} & set(sys.modules)
"""


def of_hub(hub: FakeHub, repo: str, home: Path, *offline: bool) -> list:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, repo, json.dumps(offline)],
        env={"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "PATH": "/usr/bin:/bin"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_hub_id_is_inferred_from_its_small_files_and_pinned(folder, tmp_path):
    sentence_encoder(folder, {"pooling_mode_cls_token": True}, {"prompts": {"query": "q: "}})
    (folder / "README.md").write_text(CARD)
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    with FakeHub() as hub:
        commit = hub.commit("model", REPO, files)
        (refused, online, offline) = of_hub(hub, REPO, tmp_path / "home", True, False, True)
        assert refused[0] == "MissingError" and f"hf download {REPO}" in refused[1]
        spec, lines = online
        assert spec["source"] | {"hub": REPO, "revision": commit} == spec["source"]
        assert (spec["encoder"], spec["pooling"]) == ("tiny-bert", "cls")
        assert spec["prompts"]["query"] == "q: "
        assert lines[0] == f"encoder tiny-bert: {REPO} on the hub, commit {commit}"
        assert offline == online
        # metadata only, once
        assert "model.safetensors" not in hub.downloads()
        assert len(hub.downloads()) == len(set(hub.downloads()))
        ((error, why),) = of_hub(hub, "someone/nothing", tmp_path / "home", False)
        assert error == "MissingError" and "check the id" in why
        hub.commit("model", "someone/adapter", {"adapter_config.json": b"{}", "README.md": b""})
        ((error, why),) = of_hub(hub, "someone/adapter", tmp_path / "home", False)
        assert error == "MissingError"
        assert why.startswith("encoder someone/adapter: the hub has no config.json there")
