"""Which files hold a split: cards, folders without one, shards, two exports side by side, and what
columns name their numbers."""

import json
import os
import re
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import yaml
from datasets import ClassLabel, Features, List, Value

from harness.common.errors import MissingError, SpecError
from harness.sources import known_splits
from harness.sources.hub import Where
from harness.sources.locate import FilesHere, SplitFiles
from harness.sources.split_files import Found, class_names, disagreement, named_files, split_files
from harness.spec.catalog import Catalog
from harness.spec.task import Task
from harness.store import HashIndex

CARD = """---
configs:
- config_name: en
  default: true
  data_files:
  - {split: train, path: "parts/english-train-*"}
  - {split: test, path: ["parts/english-test-*"]}
- config_name: de
  data_dir: german
  data_files:
  - {split: test, path: "*.parquet"}
- config_name: far
  data_files:
  - {split: test, path: "https://example.org/test.parquet"}
  - {split: dev, path: "../outside/dev-*"}
dataset_info:
- config_name: en
  features:
  - {name: text, dtype: string}
  - name: label
    dtype: {class_label: {names: {"0": neutral, "1": entailment}}}
---
"""


def lay(folder: Path, *names: str) -> Path:
    """A data set's folder with these files, one row each."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.table({"text": [name], "label": [1]}), folder / name)
    return folder


def found(folder: Path, config: str, split: str, first: int | None = None) -> list[str]:
    """The split's files, by their paths in the folder."""
    return [
        file.relative_to(folder).as_posix()
        for file in split_files(folder, config, split, first).files
    ]


def shards(split: str, total: int, *numbers: int, folder: str = "en") -> list[str]:
    return [
        f"{folder}/{split}-{number:05}-of-{total:05}.parquet" for number in numbers or range(total)
    ]


def test_a_card_says_which_files_a_split_has(tmp_path):
    lay(
        tmp_path,
        *shards("english-train", 2, folder="parts"),
        "parts/english-test-00000-of-00001.parquet",
        "german/x.parquet",
    )
    # no config of the card
    lay(tmp_path, "fr/test-00000-of-00001.parquet", "en/test-00000-of-00001.parquet")
    (tmp_path / "README.md").write_text(CARD)
    assert found(tmp_path, "en", "train") == shards("english-train", 2, folder="parts")
    assert found(tmp_path, "en", "test") == ["parts/english-test-00000-of-00001.parquet"]
    assert found(tmp_path, "de", "test") == ["german/x.parquet"]
    assert named_files(tmp_path, "en", "test") == ("parts/english-test-*",)
    assert named_files(tmp_path, "de", "test") == ("german/*.parquet",)
    for config, split, why in [
        ("fr", "test", "names no config fr"),
        ("en", "dev", "no file of split dev .*names train, test"),
        (
            "far",
            "test",
            "names https://example.org/test.parquet for split test, which is not",
        ),  # an address is not fetched behind anybody's back
        ("far", "dev", "names ../outside/dev-* for split dev"),
    ]:
        assert found(tmp_path, config, split) == []
        assert why.split(" .*")[0] in split_files(tmp_path, config, split).missing


def test_a_changed_card_is_read_again(tmp_path):
    lay(tmp_path, "parts/english-test-00000-of-00001.parquet", "other/test-00000-of-00001.parquet")
    (tmp_path / "README.md").write_text(CARD)
    assert found(tmp_path, "en", "test") == ["parts/english-test-00000-of-00001.parquet"]
    (tmp_path / "README.md").write_text(CARD.replace("parts/english-test-*", "other/test-*"))
    assert found(tmp_path, "en", "test") == ["other/test-00000-of-00001.parquet"]


@pytest.mark.parametrize(
    "text",
    ["---\nconfigs: 7\n---\n", "---\nconfigs: [\n---\n", "---\nconfigs:\n- {data_files: x}\n---\n"],
)
def test_a_broken_card_is_named(tmp_path, text):
    lay(tmp_path, *shards("test", 1))
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(SpecError, match=r"README\.md: the configs it names cannot be read"):
        split_files(tmp_path, "en", "test")


def carded(folder: Path, patterns: str, *names: str, said: str = "") -> Path:
    """A data set's folder with these files, and with a card that names patterns for `train`."""
    entry = f"{{config_name: en, {said}data_files: [{{split: train, path: {patterns}}}]}}"
    other = "{config_name: other, data_files: [{split: more, path: x/*}]}"
    lay(folder, *names)
    (folder / "README.md").write_text(f"---\nconfigs: [{entry}, {other}]\n---\n")
    return folder


@pytest.mark.parametrize(
    ("patterns", "names", "lacking"),
    [
        ("[a.parquet, b.parquet]", ["a.parquet"], "b.parquet"),
        ("['data/a-*', 'data/b-*']", ["data/a-00000-of-00001.parquet"], "data/b-*"),
        ("[a.parquet, 'https://example.org/b']", ["a.parquet"], "https://example.org/b"),
        ("[../a.parquet, b.parquet]", ["b.parquet"], "../a.parquet"),
    ],
)
def test_half_of_what_a_card_names_is_no_split(tmp_path, patterns, names, lacking):
    files, missing = split_files(carded(tmp_path, patterns, *names), "en", "train")
    assert files == []
    assert missing == f"the card names {lacking} for split train, which is not here"


def test_the_first_of_the_files_that_a_card_names_are_enough(tmp_path):
    carded(tmp_path, "[a.parquet, b.parquet, c.parquet]", "a.parquet", "b.parquet")
    assert found(tmp_path, "en", "train", first=2) == ["a.parquet", "b.parquet"]
    assert found(tmp_path, "en", "train", first=3) == []


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        # as `datasets` reads them, whatever they are called
        ("[train.parquet, extra.parquet]", ["train.parquet", "extra.parquet"]),
        ("data/*.parquet", ["data/more.parquet", "data/train.parquet"]),
        ("train*.parquet", ["train.parquet", "train_2.parquet"]),
        ("data/*.parquet", ["data/train.a.parquet", "data/train.b.parquet"]),
        ("[de/train.parquet, fr/train.parquet]", ["de/train.parquet", "fr/train.parquet"]),
        ("'*/train-*'", [*shards("train", 2, folder="de"), *shards("train", 1, folder="fr")]),
        ("['d/train-00000-*', 'd/train-00001-*']", shards("train", 2, folder="d")),
        ("years/*.parquet", ["years/2016.parquet", "years/2017.parquet"]),
        ("['x/train-*', 'x/train-*']", shards("train", 2, folder="x")),
    ],
)
def test_what_a_card_names_is_a_split_whatever_it_is_called(tmp_path, patterns, names):
    assert found(carded(tmp_path, patterns, *names), "en", "train") == names


def test_a_cards_wildcard_takes_no_other_split_and_no_half_export(tmp_path):
    (tmp_path / "README.md").write_text(
        "---\nconfigs: [{config_name: en, data_files: [{split: dev, path: 'en/dev*'},"
        " {split: dev_r2, path: 'en/dev_r2*'}]}]\n---\n"
    )
    lay(tmp_path, *shards("dev", 1), *shards("dev_r2", 1))
    assert found(tmp_path, "en", "dev") == shards("dev", 1)
    assert found(tmp_path, "en", "dev_r2") == shards("dev_r2", 1)
    carded(tmp_path / "half", "'en/*'", *shards("train", 3, 0, 2), "en/more.parquet")
    assert "file 1 of 3 of train lacks" in split_files(tmp_path / "half", "en", "train").missing
    # nor are two exports of one name one split because the split has another
    lay(tmp_path / "spelled", "en/dev-00000-of-00001.parquet", "en/dev-00000-of-00002.parquet")
    with pytest.raises(SpecError, match="two exports of split validation"):
        split_files(tmp_path / "spelled", "en", "validation")


@pytest.mark.parametrize(
    ("said", "file", "refused"),
    [
        ("sep: ';', ", "a.csv", "sep: ';'"),
        ("names: [label, text], ", "a.csv", "names: ['label', 'text']"),
        ("header: null, ", "a.csv", "header: None"),
        ("sep: null, ", "a.csv", ""),
        ("sep: ',', header: 0, encoding: UTF-8, ", "a.csv", ""),
        ('sep: "\\t", ', "a.tsv", ""),
        ('sep: "\\t", ', "a.csv", r"sep: '\t'"),
        ("sep: ';', ", "a.jsonl", ""),
        ("field: rows, ", "a.json", "field: 'rows'"),
        ("field: data, ", "a.json", ""),
    ],
)
def test_what_a_card_says_of_reading_is_obeyed_or_refused(tmp_path, said, file, refused):
    carded(tmp_path, file, said=said)
    (tmp_path / file).write_text("")
    if not refused:
        assert found(tmp_path, "en", "train") == [file]
        return
    with pytest.raises(SpecError) as error:
        split_files(tmp_path, "en", "train")
    assert f"README.md: {file} of config en is to be read with {refused}, which is" in str(
        error.value
    )


TASK = """
task: toy
version: 1
role: [target]
family: classification
languages: [en]
source: {hub: org/set, config: en}
train: {split: train}
dev: {split: train}
test: {split: train}
columns: {text: text, label: label}
labels: [pos, neg]
metric: accuracy
about: {title: toy}
"""


def read(folder: Path) -> SplitFiles:
    """The split `train` of a data set below that data root, as a task reads it."""
    task = Task.model_validate(yaml.safe_load(TASK))
    files = FilesHere(Catalog(), Where(data_root=folder, offline=True), HashIndex())
    return files.split(task, task.source, "train", "en")


@pytest.mark.parametrize("name", ["train.txt", "train.jsonl.zst", "train/data-0.arrow", "train.7"])
def test_a_format_without_a_reader_is_refused(tmp_path, name):
    file = tmp_path / "org/set/en" / name
    file.parent.mkdir(parents=True)
    file.write_text("")
    with pytest.raises(
        SpecError, match=rf"{re.escape(name)}: \{file.suffix} is not read here; save"
    ):
        read(tmp_path)


def test_what_lies_beside_the_rows_is_none_and_other_rows_are_not_left_out(tmp_path):
    lay(tmp_path / "org/set", "en/train/a.parquet")
    for beside in ("notes.md", "LICENSE", "_SUCCESS"):
        (tmp_path / "org/set/en/train" / beside).write_text("")
    assert read(tmp_path).format == "parquet"
    assert found(tmp_path / "org/set", "en", "train") == ["en/train/a.parquet"]
    (tmp_path / "org/set/en/train/b.jsonl.zst").write_text("")
    with pytest.raises(SpecError, match=r"b\.jsonl\.zst: \.zst is not read here"):
        read(tmp_path)


def test_files_of_two_formats_are_no_split(tmp_path):
    lay(tmp_path / "org/set", "en/train/a.parquet")
    (tmp_path / "org/set/en/train/b.jsonl").write_text("")
    with pytest.raises(SpecError, match=r"a\.parquet and b\.jsonl of one split are of two formats"):
        read(tmp_path)


def test_a_half_fetched_split_is_fetched(tmp_path, monkeypatch):
    snapshot = tmp_path / "hub/datasets--org--set/snapshots" / ("0" * 40)
    carded(snapshot, "[a.parquet, b.parquet]", "a.parquet")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(
        MissingError, match=r"in the hub cache \(the card names b\.parquet for split"
    ):
        read(tmp_path)


NAMED = (
    "{config_name: en, features: [{name: label, dtype: {class_label: {names: {0: neg, 1: pos}}}}]}"
)
CARDS = {
    "README.md": f"---\ndataset_info: {NAMED}\n---\n",
    "dataset_infos.json": json.dumps(
        {"en": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}
    ),
}


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize(
    ("name", "rows", "wrong"),
    [
        ("train.jsonl", '{"text": "bad", "label": 0}\n', True),
        ("train.jsonl", '{"text": "bad", "label": null}\n{"text": "bad", "label": 0}\n', True),
        ("train.csv", "text,label\nbad,0\n", True),
        ("train.csv", "text,label\nbad,neg\n", False),  # a name means itself, in any order
        ("train.jsonl", '{"text": "bad", "label": "neg"}\n', False),
    ],
)
def test_numbers_of_a_text_are_called_as_the_data_set_says(tmp_path, card, name, rows, wrong):
    folder = tmp_path / "org/set/en"
    folder.mkdir(parents=True)
    (folder / name).write_text(rows)
    assert read(tmp_path).format == name.split(".")[1]  # nobody says
    (folder.parent / card).write_text(CARDS[card])
    if not wrong:
        read(tmp_path)
        return
    with pytest.raises(
        SpecError, match=r"the data name their numbers 0 neg, 1 pos; .* calls 0 pos"
    ):
        read(tmp_path)


@pytest.mark.parametrize(
    ("names", "split", "expected"),
    [
        (shards("test", 3), "test", shards("test", 3)),
        (
            ["en/test/0000.parquet", "en/test/0001.parquet"],
            "test",
            ["en/test/0000.parquet", "en/test/0001.parquet"],
        ),
        ([*shards("test", 1), *shards("test-translated", 1)], "test", shards("test", 1)),
        (
            [*shards("dev_r1", 1), *shards("dev_r2", 1), *shards("dev", 1)],
            "dev_r2",
            shards("dev_r2", 1),
        ),
        (
            [*shards("validation_matched", 1), *shards("validation", 1)],
            "validation",
            shards("validation", 1),
        ),
        (["en/dev.parquet", "en/test.parquet"], "dev", ["en/dev.parquet"]),
        # one of the library's spellings of it
        (["en/dev.parquet", "en/test.parquet"], "validation", ["en/dev.parquet"]),
        (
            ["en/test-00000-of-00001-6ef3991c06080e14.parquet"],
            "test",
            ["en/test-00000-of-00001-6ef3991c06080e14.parquet"],
        ),
        (shards("test", 3, 0, 2), "test", []),  # a shard lacks
        (["en/test-0000-of-0002.parquet"], "test", []),
        (["en/test-0-of-2.parquet"], "test", []),
        (["en/test-2-of-2.parquet"], "test", []),
        (
            ["en/test-1-of-2.parquet", "en/test-2-of-2.parquet"],
            "test",
            ["en/test-1-of-2.parquet", "en/test-2-of-2.parquet"],
        ),
        (["en/test/0000.parquet", "en/test/0002.parquet"], "test", []),
        (shards("test", 1, folder="data"), "test", []),  # another config's
        (shards("test", 1, folder="de"), "test", []),
    ],
)
def test_a_folder_without_a_card(tmp_path, names, split, expected):
    assert found(lay(tmp_path, *names), "en", split) == expected


def test_the_default_config_may_be_the_whole_folder(tmp_path):
    lay(tmp_path, *shards("test", 2, folder="data"))
    assert found(tmp_path, "default", "test") == shards("test", 2, folder="data")
    assert found(tmp_path, "plain_text", "test") == []
    assert found(tmp_path / "nowhere", "default", "test") == []


@pytest.mark.parametrize(
    "names",
    [
        [*shards("test", 1), *shards("test", 2)],
        [*shards("test", 1), "en/test-00000-of-00001-6ef3991c06080e14.parquet"],
        [*shards("test", 2), *shards("test", 3, 0)],
    ],
)
@pytest.mark.parametrize("card", [False, True])
def test_two_exports_of_a_split_are_refused(tmp_path, names, card):
    lay(tmp_path, *names)
    if card:
        text = CARD.replace("parts/english-test-*", "en/test-*").replace(
            "parts/english-train-*", "en/train-*"
        )
        (tmp_path / "README.md").write_text(text)
    with pytest.raises(
        SpecError,
        match=r"two exports of split test lie side by side: test-00000-of-0000.*remove the older",
    ):
        split_files(tmp_path, "en", "test")


def test_only_the_first_of_many_shards(tmp_path):
    lay(tmp_path, *shards("train", 41, 0, 1, 2))
    assert found(tmp_path, "en", "train", first=2) == shards("train", 41, 0, 1)
    assert found(tmp_path, "en", "train", first=4) == []
    assert named_files(tmp_path, "en", "train", first=1)[0] == "en/train-00000-of-*.parquet"


def test_rows_of_test_are_not_trained_on_for_a_capital(tmp_path):
    """The library takes all files as train where no name says a split as it writes them."""
    lay(tmp_path, "one/Train.parquet", "two/Train.parquet", "two/Test.parquet", "two/x.md")
    assert found(tmp_path, "one", "train") == ["one/Train.parquet"]
    with pytest.raises(SpecError, match=r"two: Test\.parquet would be read as rows of split train"):
        found(tmp_path, "two", "train")


def test_odd_folders(tmp_path):
    odd = lay(tmp_path / "a [b] *c", *shards("test", 2))
    assert found(odd, "en", "test") == shards("test", 2)
    # not fetched: it is not there
    (odd / "en" / "test-00002-of-00003.parquet").symlink_to("nowhere")
    assert found(odd, "en", "test") == shards("test", 2)
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert found(Path("a [b] *c"), "en", "test") == shards("test", 2)
    finally:
        os.chdir(before)


def test_class_names_come_from_the_file_and_from_the_card(tmp_path):
    names = ["entailment", "neutral", "contradiction"]
    features = Features(
        {
            "t": Value("string"),
            "label": ClassLabel(names=names),
            "of": {"tags": List(ClassLabel(names=["O", "B"]))},
        }
    )
    rows = {"t": ["a"], "label": [2], "of": [{"tags": [0, 1]}]}
    table = pyarrow.table(rows, schema=features.arrow_schema)
    pyarrow.parquet.write_table(table, tmp_path / "own.parquet")
    assert class_names(None, None, tmp_path / "own.parquet") == {
        "label": names,
        "of.tags": ["O", "B"],
    }
    lay(tmp_path, "en/test.parquet")
    (tmp_path / "README.md").write_text(CARD)
    assert class_names(tmp_path, "en", tmp_path / "en" / "test.parquet") == {
        "label": ["neutral", "entailment"]
    }
    assert class_names(tmp_path, "de", tmp_path / "en" / "test.parquet") == {}
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")  # whoever reads its rows says so
    assert class_names(None, None, tmp_path / "broken.parquet") == {}
    assert class_names(None, None, tmp_path / "rows.jsonl") == {}


GLUE = ["entailment", "neutral", "contradiction"]


@pytest.mark.parametrize(
    ("names", "labels", "right"),
    [
        (
            GLUE,
            ["contradiction", "entailment", "neutral"],
            "{contradiction: 2, entailment: 0, neutral: 1}",
        ),
        (
            GLUE,
            {"contradiction": 0, "entailment": 1, "neutral": 2},
            "{contradiction: 2, entailment: 0, neutral: 1}",
        ),
        # who means that says so, by a map
        (["neg", "pos"], ["positive", "negative"], "{positive: 0, negative: 1}"),
        (["0", "1"], ["1", "0"], "{1: 1, 0: 0}"),
        (["1", "0"], ["0", "1"], "{0: 1, 1: 0}"),
        (GLUE, ["entailment", "contradiction"], "{entailment: 0, contradiction: 2}"),
        (["neg", "pos"], {"pos": "0", "neg": "1"}, "{pos: 1, neg: 0}"),
    ],
)
def test_labels_that_the_data_name_otherwise_are_refused(names, labels, right):
    assert f"Write labels: {right}" in disagreement(names, labels)
    as_text = re.sub(r": (\d)", r': "\1"', right)
    assert f"Write labels: {as_text}" in disagreement(names, labels, of_text=True)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (GLUE, GLUE),
        (GLUE, {"contradiction": 2, "entailment": 0, "neutral": 1}),
        (GLUE, {"yes": 0, "maybe": 1, "no": 2}),
        (["neg", "pos"], {"pos": "1", "neg": "0"}),  # as a CSV has them
        (["not_duplicate", "duplicate"], ["0", "1"]),
        (["0", "1"], ["0", "1", "2"]),
        (GLUE, GLUE[:2]),
        (GLUE, []),
    ],
)
def test_labels_that_agree_with_the_data(names, labels):
    assert disagreement(names, labels) is None


def test_an_answer_is_remembered_until_the_folder_or_its_card_changes(tmp_path, monkeypatch):
    index = tmp_path / "index.json"
    data = lay(tmp_path / "data", "parts/english-train-a.parquet", "parts/english-test-a.parquet")
    (data / "README.md").write_text(CARD)
    asked: list[str] = []

    def looked(folder, config, split, first):
        asked.append(split)
        return split_files(folder, config, split, first)

    monkeypatch.setattr(known_splits, "split_files", looked)

    def told(split: str) -> Found:
        remembered = HashIndex(index)
        now = known_splits.KnownSplits(remembered).split(data, "en", split, None)
        remembered.save()
        assert now == split_files(data, "en", split)
        return now

    for split in ("train", "test", "dev", "train", "test", "dev"):
        told(split)
    assert asked == ["train", "test", "dev"]
    lay(data, "parts/english-train-b.parquet")
    assert len(told("train").files) == 2
    (data / "parts" / "english-train-a.parquet").unlink()
    (data / "parts" / "english-train-a.parquet").symlink_to("gone")
    assert len(told("train").files) == 1
    (data / "README.md").write_text(CARD.replace("english-train", "english-test"))
    assert told("train").files == told("test").files
    assert len(asked) == 7


def test_names_of_classes_are_those_of_the_file_as_it_is(tmp_path):
    index = HashIndex()
    data = lay(tmp_path / "data", "en/test.parquet")
    (data / "README.md").write_text(CARD)
    file = data / "en" / "test.parquet"
    known = known_splits.KnownSplits(index)
    for config, sha in (("en", "a"), ("de", "a"), ("en", "a")):
        assert known.classes(data, config, file, sha) == class_names(data, config, file)
    assert known.classes(None, None, data / "README.md", "b") == {}
