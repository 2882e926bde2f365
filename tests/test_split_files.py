"""Which files hold a split: cards, folders without one, shards, two exports side by side, and what
columns name their numbers."""

import os
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from datasets import ClassLabel, Features, List, Value

from harness.common.errors import SpecError
from harness.sources import known_splits
from harness.sources.split_files import Found, class_names, disagreement, named_files, split_files
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
        ("far", "test", "no file of split test"),  # an address is not fetched behind anybody's back
        ("far", "dev", "no file of split dev"),
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
        (GLUE, ["entailment", "contradiction"], "{entailment: 0, contradiction: 2}"),
    ],
)
def test_labels_that_the_data_name_otherwise_are_refused(names, labels, right):
    assert f"Write labels: {right}" in disagreement(names, labels)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (GLUE, GLUE),
        (GLUE, {"contradiction": 2, "entailment": 0, "neutral": 1}),
        (GLUE, {"yes": 0, "maybe": 1, "no": 2}),
        (["not_duplicate", "duplicate"], ["0", "1"]),
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
