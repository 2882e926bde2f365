"""Every problem of a YAML file becomes one line with its place, and no bytes at all make the reader
stumble."""

import enum
import re
import time
import tracemalloc
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from harness.common.errors import SpecError
from harness.common.text import HIDDEN
from harness.spec.explain import nearest, show
from harness.spec.reader import load, problems, read

LINE = re.compile(r"^.+:\d+:\d+: .+")
QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Hub(Closed):
    kind: Literal["hub"]
    dataset: str
    revision: str = ""

    @model_validator(mode="after")
    def _pinned(self):
        if self.revision == "main":
            raise ValueError("'main' is no pinned revision;\nwrite a commit")
        return self


class Files(Closed):
    kind: Literal["files"]
    folder: str


class Rows(Closed):
    split: str
    first: int = 0


class Colour(enum.Enum):
    RED = "red"


class Task(Closed):
    task: str = Field(pattern=r"^[a-z]+$", max_length=12)
    family: Literal["classification", "tagging", "span_qa"]
    version: int = Field(1, ge=1, lt=100)
    rate: float = Field(1e-5, gt=0)
    cased: bool = True
    languages: list[str] = Field(["en"], min_length=1)
    role: list[Literal["target", "intermediate"]] = []
    source: Annotated[Hub | Files, Field(discriminator="kind")] | None = None
    mirror: Annotated[Hub | Files, Field(discriminator="kind")] | str | None = None
    train: Rows | str | None = None
    plain: Hub | Files | None = None
    epochs: int | Literal["auto"] = 1
    labels: list[str] | dict[str, int] | None = None
    parts: dict[str, Rows] = {}
    pair: tuple[int, Rows] | None = None
    sizes: dict[Literal["small", "large"], int] = {}
    colour: Colour = Colour.RED

    @field_validator("languages")
    @classmethod
    def _no_twins(cls, value):
        if len(set(value)) != len(value):
            raise ValueError("a language is listed twice")
        return value


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def lines_of(text: str | bytes, model: type[BaseModel] | None = None) -> list[str]:
    path = Path("t.yaml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SpecError) as caught:
        read(path, model) if model else load(path)
    lines = str(caught.value).split("\n")
    assert all(
        LINE.match(line) and "pydantic" not in line and "http" not in line for line in lines
    ), lines
    return lines


def data_of(text: str | bytes) -> dict:
    path = Path("t.yaml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path)[0]


BROKEN = {
    "duplicate": (
        "a: 1\nb:\n  c: 1\n  'c': 2\n",
        "4:3",
        "key 'c' is here a second time, the first is at line 3, column 3",
    ),
    "anchor": ("a: &x 1\n", "1:4", "anchor '&x' is not allowed"),
    "anchor on a list": ("a: &x [1]\n", "1:4", "anchor '&x'"),
    "alias": (
        "a: 1\nb: *x\n",
        "2:4",
        "alias '*x' is not allowed; write the value out in each place",
    ),
    "merge": ("a:\n  <<: {b: 1}\n", "2:3", "merge key"),
    "python tag": (
        "a: !!python/object/apply:os.system ['touch hacked']\n",
        "1:4",
        "tag '!!python/object/apply:os.system' is not",
    ),
    "own tag": ("a: !thing 1\n", "1:4", "tag '!thing'"),
    "str tag": ("a: !!str 1\n", "1:4", "text in quotes"),
    "unknown handle": ("a: !x!y 1\n", "1:4", "not valid YAML"),
    "octal": ("a: 010\n", "1:4", "write 10, or '010' as text"),
    "too large a float": ("a: 1e999\n", "1:4", "too large; if it is text"),
    "too long an integer": (f"a: {'9' * 5000}\n", "1:4", "too large"),
    "integer key": ("a:\n  1: x\n", "2:3", "a key must be text, got 1; put it in quotes: '1'"),
    "boolean key": ("true: x\n", "1:1", "got true; put it in quotes: 'true'"),
    "null key": ("a: 1\n~: x\n", "2:1", "a key must be text, got nothing"),
    "list as key": ("? [a]\n: x\n", "1:3", "got a list"),
    "deep list": ("a: " + "[" * 31 + "]" * 31, "1:33", "nested deeper than 30"),
    "deep and unclosed": ("a: " + "[" * 200_000, "1:33", "nested deeper than 30"),
    "large": ("a: '" + "x" * 1_000_000 + "'", "1:1", "larger than 1 MB"),
    "latin-1": ("a: é\nb: x".encode() + "é".encode("latin-1"), "2:5", "byte 0xe9 is not UTF-8"),
    "utf-16": ("a: 1".encode("utf-16"), "1:1", "is not UTF-8"),
    "nul": (b"a: 1\nb: \0", "2:4", "a NUL byte"),
    "escaped nul": ('a: "\\0"', "1:4", "U+0000"),
    "bell": (b"a: \x07", "1:4", "the invisible character U+0007"),
    "tab indent": ("a:\n\tb: 1\n", "2:1", "a tab is not allowed; use spaces"),
    "tab inside": ("a: 1\nb: x\ty\n", "2:5", "a tab"),
    "empty": ("", "1:1", "the file is empty"),
    "only a comment": ("# nothing\n", "1:1", "the file is empty"),
    "two documents": ("a: 1\n---\nb: 2\n", "2:1", "a second document starts here"),
    "top list": ("- a\n", "1:1", "at the top, got a list"),
    "top text": ("\n hello\n", "2:2", "at the top, got 'hello'"),
    "top null": ("---\n", "2:1", "at the top, got nothing"),
    "colon in text": ("a: b: c\n", "1:5", "text with ': ' in it needs quotes"),
    "bad start": ("a: @b\n", "1:4", "text that starts with this character needs quotes"),
    "open bracket": ("a: [1, 2\nb: 3\n", "2:2", "a comma or a closing bracket is missing"),
    "open quote": ("a: 'b\n", "2:1", "a quote or a bracket is not closed"),
    "bad indent": ("a:\n    b: 1\n  c: 2\n", "3:3", "check the indentation"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_yaml(name):
    text, place, words = BROKEN[name]
    (line,) = lines_of(text)
    assert line.startswith(f"t.yaml:{place}: ") and words in line, line
    assert len(line) < 300 and not Path("hacked").exists()


def test_unreadable_files(tmp_path):
    for path in ("absent.yaml", tmp_path, "a\0b"):
        with pytest.raises(SpecError, match=r":1:1: cannot be read: "):
            load(path)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (w, w)
        for w in [
            "no",
            "yes",
            "on",
            "off",
            "No",
            "NO",
            "True",
            "FALSE",
            "None",
            "2020-01-01",
            "1:30",
            "0x1F",
            "0o17",
            "1_000",
            ".nan",
            ".inf",
            "1e-",
            "1.2.3",
            "١",
        ]
    ]
    + [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
    ]
    + [
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-2.e-3", -2e-3),
        ("'1'", "1"),
        ('"no"', "no"),
        ("'<<'", "<<"),
    ],
)
def test_plain_words(word, value):
    got = data_of(f"a: {word}\n")["a"]
    assert got == value and type(got) is type(value)


def test_norwegian_is_a_language_also_as_a_key():
    assert data_of("no: {on: [no, 'yes']}\n") == {"no": {"on": ["no", "yes"]}}


def test_byte_order_mark_and_line_ends():
    assert data_of("\ufeffa: 1\r\nb: 2\r\n".encode()) == {"a": 1, "b": 2}
    assert lines_of("\ufeffa: 1\r\nb: \x07".encode())[0].startswith("t.yaml:2:4: ")


def test_positions(tmp_path):
    Path("t.yaml").write_text("# about\na:\n  b: [x, {c: 1}]\n'd':\n  - y\n")
    _, source = load(tmp_path / "t.yaml")
    assert source.at() == "t.yaml:2:1"
    assert (source.key_at("a", "b"), source.at("a", "b")) == ("t.yaml:3:3", "t.yaml:3:6")
    assert (source.at("a", "b", 1, "c"), source.at("d", 0)) == ("t.yaml:3:14", "t.yaml:5:5")
    assert source.at("a", "b", 1, "absent", "more") == "t.yaml:3:10"
    assert source.key_at("a", "absent") == source.at("a")
    assert source.path == tmp_path / "t.yaml"


def test_a_file_elsewhere_keeps_its_whole_path(tmp_path, monkeypatch):
    (tmp_path / "below").mkdir()
    Path("t.yaml").write_text("a: 1")
    monkeypatch.chdir(tmp_path / "below")
    assert load(tmp_path / "t.yaml")[1].at("a") == f"{tmp_path / 't.yaml'}:1:4"


GOOD = """\
task: xnli
family: classification
rate: 1e-5
languages: [en, no]
source: {kind: hub, dataset: xtreme}
mirror:
  kind: files
  folder: data
train: train
epochs: auto
labels: {a: 0, b: 1}
parts:
  x: {split: dev}
pair: [1, {split: dev}]
"""


def test_a_good_file():
    Path("t.yaml").write_text(GOOD)
    task, source = read(Path("t.yaml"), Task)
    assert (task.rate, task.languages, task.mirror.folder) == (1e-5, ["en", "no"], "data")
    assert source.at("mirror", "folder") == "t.yaml:8:11"


HEAD = "task: x\nfamily: tagging\n"
WRONG = {
    "unknown key": (
        HEAD + "langages: [en]\n",
        ["3:1: unknown key 'langages'; did you mean 'languages'?"],
    ),
    "unknown key, nothing close": (
        "task: x\nfamily: tagging\nqqq: 1\n",
        ["3:1: unknown key 'qqq'; one of task, family, version, rate"],
    ),
    "misspelt required key is one mistake": (
        "task: x\nfamly: tagging\n",
        ["2:1: unknown key 'famly'; did you mean 'family'?"],
    ),
    "missing key": (
        "# x\ntask: x\n",
        ["2:1: missing key 'family'; one of classification, tagging, span_qa"],
    ),
    "wrong literal": (
        "task: x\nfamily: clasification\n",
        [
            "2:9: 'clasification' is not a family; did you mean 'classification'? (one of"
            " classification, tagging, span_qa)"
        ],
    ),
    "literal in a list": (
        HEAD + "role: [target, intermediat]\n",
        ["3:16: 'intermediat' is not known in 'role'; did you mean 'intermediate'?"],
    ),
    "literal as key": (
        HEAD + "sizes: {smal: 1}\n",
        ["3:9: 'smal' is not known in 'sizes'; did you mean 'small'?"],
    ),
    "enum": (HEAD + "colour: blue\n", ["3:9: expected 'red', got 'blue'"]),
    "whole number": (HEAD + "version: abc\n", ["3:10: expected a whole number, got 'abc'"]),
    "fraction": (HEAD + "version: 1.5\n", ["3:10: expected a whole number, got 1.5"]),
    "number": (HEAD + "rate: fast\n", ["3:7: expected a number, got 'fast'"]),
    "nothing": (HEAD + "rate:\n", ["3:6: expected a number, got nothing"]),
    "boolean": (HEAD + "cased: maybe\n", ["3:8: expected true or false, got 'maybe'"]),
    "text": ("task: 12\nfamily: tagging\n", ["1:7: expected text, got 12; put it in quotes"]),
    "braces": (
        "task: {language}\nfamily: tagging\n",
        ["1:7: expected text, got a mapping; put it in quotes"],
    ),
    "list": (HEAD + "languages: en\n", ["3:12: expected a list, got 'en'"]),
    "mapping": (HEAD + "parts: [a]\n", ["3:8: expected a mapping, got a list"]),
    "mapping inside": (HEAD + "parts: {a: 1}\n", ["3:12: expected a mapping, got 1"]),
    "too small": (HEAD + "rate: 0\n", ["3:7: expected a number above 0.0, got 0"]),
    "bounds": (HEAD + "version: 0\n", ["3:10: expected 1 or more, got 0"]),
    "above": (HEAD + "version: 100\n", ["3:10: expected a number below 100, got 100"]),
    "too short": (HEAD + "languages: []\n", ["3:12: expected 1 or more entries, got 0"]),
    "too long": (
        "task: abcdefghijklmn\nfamily: tagging\n",
        ["1:7: expected 12 or fewer characters, got 'abcdefghijklmn'"],
    ),
    "pattern": (
        "task: X Y\nfamily: tagging\n",
        ["1:7: expected text that matches ^[a-z]+$, got 'X Y'"],
    ),
    "validator": (HEAD + "languages: [en, en]\n", ["3:12: a language is listed twice"]),
    "validator of two lines": (
        HEAD + "source: {kind: hub, dataset: d, revision: main}\n",
        ["3:9: 'main' is no pinned revision; write a commit"],
    ),
    "long value": (
        HEAD + f"rate: {'y' * 99}\n",
        ["3:7: expected a number, got '" + "y" * 57 + "...'"],
    ),
    "tagged union": (
        HEAD + "source:\n  kind: files\n  foldr: x\n",
        ["5:3: unknown key 'foldr'; did you mean 'folder'?"],
    ),
    "wrong tag": (
        HEAD + "source:\n  kind: fils\n",
        ["4:9: 'fils' is not a kind; did you mean 'files'? (one of hub, files)"],
    ),
    "missing tag": (HEAD + "source:\n  folder: x\n", ["4:3: missing key 'kind'"]),
    "misspelt tag": (
        HEAD + "source:\n  folder: x\n  knd: files\n",
        ["5:3: unknown key 'knd'; did you mean 'kind'?"],
    ),
    "not even a mapping": (HEAD + "source: x\n", ["3:9: expected a mapping, got 'x'"]),
    "tagged union beside text": (
        HEAD + "mirror: {kind: files, foldr: x}\n",
        ["3:23: unknown key 'foldr'; did you mean 'folder'?"],
    ),
    "wrong tag beside text": (
        HEAD + "mirror: {kind: fils}\n",
        ["3:16: 'fils' is not a kind; did you mean 'files'?"],
    ),
    "union takes the mapping": (
        HEAD + "train: {split: a, frst: 1}\n",
        ["3:19: unknown key 'frst'; did you mean 'first'?"],
    ),
    "union refuses all": (HEAD + "train: [a]\n", ["3:8: expected a mapping or text, got a list"]),
    "union of models": (
        HEAD + "plain: {kind: hub, dataset: 1}\n",
        ["3:29: expected text, got 1; put it in quotes"],
    ),
    "union with a literal": (
        HEAD + "epochs: atuo\n",
        ["3:9: 'atuo' is not an epochs; did you mean 'auto'?"],
    ),
    "union with a literal, number": (
        HEAD + "epochs: 1.5\n",
        ["3:9: expected a whole number or one of auto, got 1.5"],
    ),
    "union of list and mapping": (
        HEAD + "labels: [a, 2]\n",
        ["3:13: expected text, got 2; put it in quotes"],
    ),
    "union of list and mapping, neither": (
        HEAD + "labels: a\n",
        ["3:9: expected a list or a mapping, got 'a'"],
    ),
    "union, values of the mapping": (
        HEAD + "labels: {a: b}\n",
        ["3:13: expected a whole number, got 'b'"],
    ),
    "inside a dict": (
        HEAD + "parts:\n  x: {split: a}\n  y: {splt: b}\n",
        ["5:7: unknown key 'splt'; did you mean 'split'?"],
    ),
    "inside a tuple": (
        HEAD + "pair: [1, {splt: a}]\n",
        ["3:12: unknown key 'splt'; did you mean 'split'?"],
    ),
    "all at once, in the file's order": (
        "zzz: 1\nversion: 0\ntask: ok\nrole: [x]\n",
        [
            "1:1: missing key 'family'",
            "1:1: unknown key 'zzz'",
            "2:10: expected 1 or more",
            "4:8: 'x' is not known in 'role'",
        ],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values(name):
    text, wanted = WRONG[name]
    lines = lines_of(text, Task)
    assert len(lines) == len(wanted), lines
    for line, start in zip(lines, wanted, strict=True):
        assert line.startswith(f"t.yaml:{start}"), line


class Exact(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    rows: int


def test_a_strict_model_says_to_remove_the_quotes():
    assert lines_of("rows: '3'\n", Exact) == [
        "t.yaml:1:7: expected a whole number, got '3'; remove the quotes"
    ]


def test_problems_of_a_part_of_the_file():
    Path("t.yaml").write_text("options:\n  row: 1\n")
    data, source = load(Path("t.yaml"))
    try:
        Exact.model_validate(data["options"])
    except ValueError as error:
        assert problems(error, source, Exact, prefix=("options",)) == [
            "t.yaml:2:3: unknown key 'row'; did you mean 'rows'?"
        ]


def test_many_problems_are_cut():
    keys = "".join(f"key{i}: 1\n" for i in range(5_000))
    start = time.process_time()
    lines = lines_of(HEAD + "role:\n" + "- targt\n" * 30_000 + keys, Task)
    assert time.process_time() - start < 8
    assert len(lines) == 101 and lines[-1].startswith("t.yaml:104:3: and more")


def test_nearest():
    assert nearest("xnl", ["xnli", "mnli"]) == "; did you mean 'xnli'?"
    assert nearest("XNLI", ["xnli"]) == "; did you mean 'xnli'?"
    assert nearest("zz", ["a", "b"]) == "; one of a, b"
    assert nearest("zz", map(str, range(20))) == "; one of 0, 1, 2, 3, 4, 5, 6, 7, ..."
    assert nearest("zz", []) == ""


def test_show():
    assert [show(v) for v in (None, True, 3, 1e-5, "a\nb", [1], {})] == [
        "nothing",
        "true",
        "3",
        "1e-05",
        "'a\\nb'",
        "a list",
        "a mapping",
    ]


def test_a_billion_laughs_fail_at_once():
    bomb = "a0: &a0 [lol, lol]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
    )
    tracemalloc.start()
    start = time.process_time()
    (line,) = lines_of(bomb)
    assert time.process_time() - start < 1 and tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    assert line.startswith("t.yaml:1:5: anchor '&a0'")


def result_of(raw: bytes, model: type[BaseModel] | None = None) -> Any:
    """What the reader makes of these bytes: data, a model, or well-formed lines of complaint; never
    anything else."""
    path = Path("fuzz.yaml")
    path.write_bytes(raw)
    try:
        return (read(path, model) if model else load(path))[0]
    except SpecError as error:
        assert all(LINE.match(line) for line in str(error).split("\n")), str(error)
        return None


SNIPPETS = st.sampled_from(
    [
        *"-:?,[]{}#&*!|>'\"%@` \n\t\r",
        ": ",
        "- ",
        "\n  ",
        "---\n",
        "...\n",
        "a",
        "1",
        "<<",
        "!!",
        "é",
        "\0",
        "\x85",
        "\u2028",
        "\ufeff",
        "%YAML 1.1\n",
    ]
)


@pytest.mark.slow
@QUICK
@given(
    st.one_of(
        st.binary(),
        st.text().map(lambda t: t.encode("utf-8", "surrogatepass")),
        st.lists(SNIPPETS, max_size=40).map(lambda s: "".join(s).encode()),
    )
)
def test_any_bytes_are_a_dict_or_an_error(raw):
    assert isinstance(result_of(raw), dict | None)


# A plain safe_dump leaves '1e5' and '010' unquoted, which it takes for text and we do not.
WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: not HIDDEN.search(text)),
    st.sampled_from(["no", "true", "null", "~", "12", "1.5", "1:30", "<<", "=", "2020-01-01"]),
)
TEXTS = WORDS.filter(lambda s: not re.fullmatch(r"[-+.0-9eE]+", s) or s in ("12", "1.5"))
NUMBERS = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda v: st.lists(v, max_size=4) | st.dictionaries(TEXTS, v, max_size=4),
    max_leaves=20,
)


class Quoting(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


@pytest.mark.slow
@QUICK
@given(st.dictionaries(TEXTS, VALUES, max_size=5), st.booleans(), st.booleans())
def test_what_is_dumped_is_read_back(data, flow, allow_unicode):
    text = yaml.dump(
        data, Dumper=Quoting, default_flow_style=flow, allow_unicode=allow_unicode, sort_keys=False
    )
    assert repr(result_of(text.encode())) == repr(data)


@QUICK
@given(st.data())
def test_a_mutated_file_is_a_model_or_lines(data):
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 6))
        text = (
            text[:start]
            + data.draw(st.one_of(SNIPPETS, st.text(max_size=4), st.just(text[start - 9 : start])))
            + text[end:]
        )
    assert isinstance(result_of(text.encode("utf-8", "surrogatepass"), Task), Task | None)
