"""What a source may hold between braces, where its paths may lead, and what in a tasks folder is no
file."""

import os
import re
import socket
import tracemalloc
from pathlib import Path

import pytest
from conftest import marked

from harness.common.errors import SpecError
from harness.spec.catalog import Catalog, read_spec
from harness.spec.task import split_parts
from harness.spec.template import fill

TASK = """\
task: mine
version: 1
role: [target]
family: classification
languages: [en, de]
source: {files: "rows.{language}.{split}.jsonl"}
train: {split: train}
dev: {split: dev}
test: {split: test}
columns: {text: text, label: label}
labels: [no, yes]
metric: accuracy
about: {title: a task of my own}
"""
FILES = '{files: "rows.{language}.{split}.jsonl"}'
HUB = '{hub: a/b, config: "{language}"'
BLOCK = "source:\n  files: ‸PATH"


def refusal(tmp_path: Path, old: str, new: str) -> str:
    """The one line that refuses TASK with `new` for `old`; the mark ‸ in `new` is where it must
    point."""
    assert TASK.count(old) == 1
    text, (line, column) = marked(TASK.replace(old, new))
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_spec(path)
    (said,) = str(caught.value).split("\n")
    place = f"{path}:{line}:{column}: "
    assert said.startswith(place), said
    assert len(said) < 700, said
    return said.removeprefix(place)


KNOWN = "here there are {language}, {name}, {split}, {part}"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{phase}", "'{phase}' is no placeholder; " + KNOWN),
        ("{langauge}", "did you mean '{language}'?; " + KNOWN),
        ("{0}", "'{0}' is no placeholder"),
        ("{}", "'{}' is no placeholder"),
        ("{", "a lone '{'; " + KNOWN),
        ("}", "a lone '}'"),
        ("{language", "a lone '{'"),
        ("{{language}", "a lone '}'"),
        ("{language!r}", "'{language!r}' is no placeholder; did you mean '{language}'?"),
        ("{language.x}", "did you mean '{language}'?"),
        ("{language.__class__.__mro__}", "did you mean '{language}'?"),
        ("{language[0]}", "did you mean '{language}'?"),
        ("{language:>3000000000}", "did you mean '{language}'?"),
        ("{language:{split}", "a lone '{'"),
        ("{ language }", "did you mean '{language}'?"),
        ("{Language}", "did you mean '{language}'?"),
        ("{" + "x" * 5000 + "}", "is no placeholder"),
    ],
)
def test_a_typo_between_braces_is_told_with_its_place_and_what_there_is(tmp_path, template, says):
    for field, source in {
        "files": f'{{files: ‸"{template}.jsonl"}}',
        "config": f'{{hub: a/b, config: ‸"{template}"}}',
        "where": HUB + f', where: {{column: ‸"{template}"}}}}',
    }.items():
        known = KNOWN if field == "files" else KNOWN.replace(", {part}", "")
        known = known.replace(", {split}", "") if field == "where" else known
        assert says.replace(KNOWN, known) in refusal(tmp_path, FILES, source), field


def test_a_format_takes_no_memory(tmp_path):
    tracemalloc.start()
    refusal(tmp_path, FILES, '{files: ‸"{language:>3000000000}.jsonl"}')
    refusal(
        tmp_path,
        FILES,
        HUB + ', names: {de: "{0:>3000000000}"}, where: {a: ‸"{name:>3000000000}"}}',
    )
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            HUB + ', where: {a: ‸"{split}"}}',
            "'{split}' is no placeholder; here there are {language}, {name}",
        ),
        (
            '{hub: a/b, config: ‸"{part}"}',
            "'{part}' is no placeholder; here there are {language}, {name}, {split}",
        ),
        ('‸{files: "{language}.{part}"}', "{part} is for bitext_mining"),
        (
            HUB + ', unless: {a: ‸"{language}"}}',
            "{language} is not filled in here, only in files, config and where",
        ),
        (HUB + ', names: {de: ‸"{language}"}}', "{language} is not filled in here"),
        (
            '‸{files: "{name}.jsonl", names: {dde: German}}',
            "the task has no 'dde'; did you mean 'de'?",
        ),
        ('{hub: ‸"a/{language}", config: x}', "'a/{language}' is no id of a repository on the hub"),
        (HUB + ', revision: ‸"{language}"}', "is no revision"),
        (
            '{files: "{language}.jsonl", label_file: ‸"{language}.txt"}',
            "'{language}' is no placeholder; nothing is filled in here",
        ),
    ],
)
def test_a_placeholder_stands_only_where_it_is_filled_in(tmp_path, source, says):
    assert says in refusal(tmp_path, FILES, source)


LONG = "x" * 10_000


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("~/{language}.jsonl", "~ is not looked up"),
        ("a\\\\{language}.jsonl", "is not allowed in a path"),
        ("a\\n{language}.jsonl", "is not allowed in a path"),
        ("a\\0{language}.jsonl", "the invisible character U+0000"),
        ("a\\u202e{language}.jsonl", "the invisible character U+202E"),
        ("{language}/" + LONG[:300] + ".jsonl", "a name in it has at most 255 bytes"),
        ("{language}/" + "字" * 90 + ".jsonl", "a name in it has at most 255 bytes"),
        ("{language}/" + "a/" * 500 + ".jsonl", "all of it 1000"),
        (LONG + "{language}.jsonl", "characters; at most 10,000 are read"),
        ("", "is no path"),
    ],
)
def test_a_path_can_be_one(tmp_path, path, says):
    assert says in refusal(tmp_path, FILES, f'{{files: ‸"{path}"}}')
    assert says in refusal(
        tmp_path,
        FILES,
        f'{{files: "a.{{language}}.jsonl", label_file: ‸"{path.replace("{language}", "x")}"}}',
    )


def test_who_writes_a_path_may_lead_it_anywhere(tmp_path):
    """The rows of one's own machine, beside the folder of specs or elsewhere; a bundle for others
    refuses whole paths."""
    for path in ("/data/{language}.jsonl", "../data/{language}.jsonl"):
        (tmp_path / "spec.yaml").write_text(TASK.replace(FILES, f'{{files: "{path}"}}'))
        assert read_spec(tmp_path / "spec.yaml")[1].source.files == path


def test_what_is_filled_in_and_what_the_hub_has_leads_nowhere(tmp_path):
    for config in ("/etc/{language}", "../{language}", "a/../../{language}"):
        assert "leads out of the folder" in refusal(
            tmp_path, FILES, f'{{hub: a/b, config: ‸"{config}"}}'
        )
    for name in ("../../etc/passwd", "/etc/passwd", "a/../b", LONG[:300]):
        assert "names: " in refusal(
            tmp_path, FILES, f'{{files: "x/{{name}}.jsonl", names: ‸{{de: "{name}"}}}}'
        )
        assert "names: " in refusal(
            tmp_path, FILES, f'{{hub: a/b, config: "{{name}}", names: ‸{{de: "{name}"}}}}'
        )


def test_a_language_is_a_code_and_no_path(tmp_path):
    for code in ("en-../../etc", "en-", "en-" + "x" * 9, "en/de", "EN", LONG[:200], "en\\u200b"):
        refusal(tmp_path, "[en, de]", f'[en, ‸"{code}"]')


def test_filling_in_takes_values_as_they_are():
    assert (
        fill("{{{language}}} {name}{{0}}", {"language": "{name}", "name": "{0:>9}"})
        == "{{name}} {0:>9}{0}"
    )


def test_braces_that_are_meant(tmp_path):
    (tmp_path / "spec.yaml").write_text(
        TASK.replace(FILES, HUB + ', where: {a: "{{x}} {language}"}, unless: {b: "{x}"}}')
    )
    _, task, _ = read_spec(tmp_path / "spec.yaml")
    assert fill(task.source.where["a"], {"language": "de", "name": "de"}) == "{x} de"
    assert task.source.speaks


@pytest.mark.parametrize(
    "split",
    [
        "train[999999999999999999999:]",
        "train[:" + "9" * 5000 + "]",
        "train[:150%]",
        "train[100%:]",
        "train[50%:20%]",
        "train[20%:20%]",
        "train[7:3]",
        "train[:0]",
        "train[:0%]",
        "+".join(["train"] * 51),
        "t" * 81,
        "train\n",
        "train[١:]",
    ],
)
def test_a_slice_that_holds_nothing_or_is_none(tmp_path, split):
    with pytest.raises(ValueError) as caught:
        split_parts(split if split != "train\n" else "a b")
    assert len(str(caught.value)) < 300
    if len(split) < 99 and "\n" not in split:
        refusal(tmp_path, "test: {split: test}", f'test: ‸{{split: "{split}"}}')


def test_slices_that_hold_something():
    for split in (
        "train[:100%]",
        "train[20%:50%]",
        "train[99%:]",
        "train[3:]",
        "train[50%:100]",
        "train[5:90%]",
        "train[:]",
    ):
        assert split_parts(split)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "//x",
        "https://a b",
        "https://a)<b>",
        "",
    ],
)
def test_an_address_is_one_of_the_web(tmp_path, url):
    assert "is no address of a page" in refusal(
        tmp_path, "title: a task of my own", f'title: x, url: ‸"{url}"'
    )


@pytest.mark.parametrize(
    "char", "\u202e\u2066\u200b\u200e\ufeff\u00ad\u3164\u2060\U000e0041\x9b\u200d"
)
def test_what_nobody_sees_is_refused_with_its_place(tmp_path, char):
    said = f"the invisible character U+{ord(char):04X} is not allowed; remove it"
    for escape in (char, "\\x1b" if char == "\x9b" else f"\\U{ord(char):08x}"):
        text = said.replace("009B", "001B") if escape == "\\x1b" else said
        # of an escape the text is named that holds it
        mark = ("", "‸") if escape == char else ("‸", "")
        assert text in refusal(
            tmp_path, "labels: [no, yes]", f'labels: [no, {mark[0]}"y{mark[1]}{escape}es"]'
        )


def test_joiners_are_letters_of_the_scripts_that_have_them(tmp_path):
    (tmp_path / "spec.yaml").write_text(
        TASK.replace("a task of my own", "می‌خواهم क्‍ष"), encoding="utf-8"
    )
    assert read_spec(tmp_path / "spec.yaml")[1].about.title == "می‌خواهم क्‍ष"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: ‸1e300"),
        ("version: 1", f"version: ‸{'9' * 90}"),
        ("version: 1", f"version: ‸{2**63}"),
        ("task: mine", f"task: ‸{LONG}"),
        ("task: mine", f"task: ‸{LONG[:500]}"),
        ("metric: accuracy", f"metric: ‸{LONG[:5000]}"),
        ("family: classification", f"family: ‸{LONG[:5000]}"),
        ("{text: text, label: label}", f"‸{{text: text, label: label, {LONG[:900]}: a}}"),
        ("{title: a task of my own}", f"{{title: ‸'{'x ' * 40_000}'}}"),
        ("labels: [no, yes]", f"labels: {'[' * 29}‸{'[' * 11}{']' * 40}"),
        (FILES, '{hub: wikimedia/x, config: "{language}", first_files: ‸1000000000}'),
    ],
)
def test_what_is_too_long_or_too_large_is_one_short_line(tmp_path, old, new):
    refusal(tmp_path, old, new)


# What lies in a tasks folder ----------------------------------------------------------------------


def lines_of(folder: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        Catalog.load([folder])
    return str(caught.value).split("\n")


def test_what_is_no_file_is_a_line_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.yaml")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "b.yaml"))
        (tmp_path / "c.yaml").mkdir()
        (tmp_path / "d.yaml").symlink_to("d.yaml")
        (tmp_path / "e.yaml").symlink_to("/dev/zero")
        (tmp_path / "f.yaml").symlink_to("nowhere")
        (tmp_path / ".#g.yaml").symlink_to("user@host:1")  # an editor's lock
        (tmp_path / "h.yml").symlink_to("/proc/self/mem")
        said = lines_of(tmp_path)
    words = [
        "a pipe",
        "a socket",
        "a folder",
        "symbolic links",
        "a device",
        "No such file",
        "cannot be read|not UTF-8|NUL",
    ]
    assert len(said) == len(words), said
    for line, name, word in zip(
        said, [*(f"{c}.yaml" for c in "abcdef"), "h.yml"], words, strict=True
    ):
        assert line.startswith(f"{tmp_path / name}:1:1: ") and re.search(word, line), line


def test_names_that_are_no_text_are_shown(tmp_path):
    for name in (
        b"\xff.yaml",
        b"a\nb.yaml",
        b"\x1b[31m.yaml",
        "\u202eb.yaml".encode(),
        b"c" * 240 + b".yaml",
    ):
        (tmp_path / os.fsdecode(name)).write_text("task: [")
    said = lines_of(tmp_path)
    assert len(said) == 5
    shown = "".join(said)
    for text in (
        "\\udcff.yaml:2:1: ",
        "a\\nb.yaml:2:1: ",
        "\\u001b[31m.yaml:2:1: ",
        "\\u202eb.yaml:2:1: ",
    ):
        assert text in shown, shown


@pytest.mark.parametrize("name", ["x" * 10_000, "a\0b", "x/" * 5000, "\udcff", "a.yaml/b"])
def test_a_path_that_can_be_none_is_a_line(tmp_path, name):
    (tmp_path / "a.yaml").write_text("")
    (line,) = lines_of(tmp_path / name)
    assert ":1:1: " in line and len(line) < 2500


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path, monkeypatch):
    """For root nothing is unreadable, so the system's answer is made up here."""
    monkeypatch.setattr(
        Path,
        "iterdir",
        lambda self: (_ for _ in ()).throw(PermissionError(13, "Permission denied")),
    )
    with pytest.raises(SpecError, match=r":1:1: cannot be read: Permission denied"):
        Catalog.load([tmp_path])
