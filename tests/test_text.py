"""Text of others is neutral wherever it is shown: on a terminal, as JSON and YAML, in Markdown, on
the page."""

import io
import itertools
import json
import os
import pty
import re
import subprocess
import sys

import page_fixtures as made
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from stress import times

from harness.common.streams import console
from harness.common.text import HIDDEN, as_yaml, line, markdown, neutral, neutral_values, short
from harness.page.page import render
from harness.page.render import markdown as board
from harness.page.render import print_release

MANY = settings(max_examples=times(200, 5000), deadline=None)
HOSTILE = [
    "\x1b[31mred\x1b]0;title\x07",
    "\x9b2J\x85next",
    "abc\u202edcba\u2066x\u2069\u200e",
    "ze\u200bro\ufeff\u2060w\u00adi\u200ddth",
    "[bold red]x[/] [link=https://e.vil]y[/link] [/nothing]",
    "a|b\n# head\n\n<script>alert(1)</script>",
    "[x](javascript:alert(1)) ![y](data:text/html,z) [r][s]\n\n[s]: vbscript:x",
    "<img src=x onerror=alert(1)> &#x202e; &lt;b&gt; <javascript:alert(1)> `c` \\| \\",
    "```\nfence",
    "tag\U000e0041 half\ud800",
]
TEXTS = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from([*HOSTILE, *"[]()<>|`\\&:!#*_~ \n", "](", "]:", "<a", "javascript:"])
    ).map("".join),
)


@MANY
@given(st.text(st.characters()))
def test_nothing_hidden_is_left_and_json_means_the_same(text):
    assert not HIDDEN.search(neutral(text)) and neutral(neutral(text)) == neutral(text)
    assert "\n" not in line(text)
    # halves that stand side by side would be read as one
    plain = text.encode("utf-8", "replace").decode()
    shown = neutral(json.dumps({"a": [plain, {plain: 1}]}, ensure_ascii=False))
    assert json.loads(shown) == {"a": [plain, {plain: 1}]}


def test_what_is_seen_stays():
    for text in (
        "a\tb\nc",
        "Ünïcödé — × · ≠",
        "中文 العربية עברית हिन्दी",
        "می‌خواهم क्‍ष",
        "❤️ 👍🏽",
        "−0.3 [±0.0]",
    ):
        assert neutral(text) == text
    assert neutral("a\x1b[31m\u202e\r\U000e0041") == "a\\u001b[31m\\u202e\\u000d\\udb40\\udc41"
    assert neutral_values({"a\x1b": ["\u202e", 1, None, ("\x07",)]}) == {
        "a\\u001b": ["\\u202e", 1, None, ["\\u0007"]]
    }
    assert short("x" * 5000 + "\ny").splitlines()[1] == "y" and len(short("x" * 5000)) < 2001


@pytest.mark.parametrize("text", HOSTILE)
def test_yaml_shows_and_means_the_same(text):
    shown = neutral(as_yaml({"title": text}))
    assert not HIDDEN.search(shown)
    if text.isprintable() or "\ud800" not in text:
        assert yaml.safe_load(shown)["title"].encode("utf-16", "surrogatepass") == text.encode(
            "utf-16", "surrogatepass"
        )


# Markdown -----------------------------------------------------------------------------------------

READER = MarkdownIt("commonmark", {"html": True}).enable("table")


def tokens(text: str) -> list:
    found = READER.parse(text)
    return found + [child for token in found for child in token.children or []]


def assert_harmless(text: str) -> None:
    for token in tokens(text):
        assert token.type not in ("html_block", "html_inline", "image", "fence"), (token, text)
        assert not token.attrs.get("href") or re.match(
            r"https?://|releases/|index\.html$", token.attrs["href"]
        ), token


@MANY
@given(TEXTS, TEXTS)
def test_markdown_has_no_html_no_link_and_the_cells_it_was_given(one, other):
    one, other = markdown(one), markdown(other)
    assert "\n" not in one and not HIDDEN.search(one)
    page = (
        f"## {one}\n\n{one}\n\n- {other}\n\n| {one} | {other} |\n| --- | --- |\n| {other} | {one}"
        f" |\n\n{other}\n\n**{one}**\n"
    )
    assert_harmless(page)
    assert sum(token.type == "td_open" for token in tokens(page)) == 2, page


def test_a_release_of_hostile_text_as_markdown():
    text = board(made.spoilt(made.committed(made.SUITE), HOSTILE), "0001-<b>[x](javascript:y)")
    assert_harmless(text)
    assert not HIDDEN.search(text)


@pytest.mark.parametrize("width", [60, 300])
def test_a_release_of_hostile_text_on_a_terminal(width):
    stream = io.StringIO()
    release = made.spoilt(made.committed(made.SUITE), HOSTILE)
    print_release(release, "0001-[red]x", console(stream, width), ["full"])
    said = stream.getvalue()
    assert not HIDDEN.search(said)
    assert "[bold" in said and "[/nothing]" in "".join(said.split())


def test_a_release_of_hostile_text_on_the_page():
    html = render([("0001-x", made.spoilt(made.committed(made.SUITE), HOSTILE))])
    data = html.split('id="data">')[1].split("</script>")[0]
    assert not HIDDEN.search(data)
    shown = json.loads(data)["releases"][0]

    assert not any(map(HIDDEN.search, texts(shown)))


def texts(value) -> list[str]:
    """Every text in plain data."""
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return list(itertools.chain.from_iterable(map(texts, inside)))


# Commands -----------------------------------------------------------------------------------------

SPEC = """
task: hostile
version: 1
role: [target]
family: classification
languages: [en]
source: {files: "rows.{split}.jsonl"}
train: {split: train}
dev: {split: train}
test: {split: train}
columns: {text: text, label: label}
labels: ["<b>[red]x", "[x](javascript:y)"]
metric: accuracy
about: {title: "[red]title[/] <script>", note: "{0} [link=x]"}
"""
LABELS = ["<b>[red]x", "[x](javascript:y)"]


@pytest.fixture
def hostile(tmp_path):
    rows = [{"text": text, "label": LABELS[i % 2]} for i, text in enumerate(HOSTILE)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "hostile.yaml").write_text(SPEC)
    # without half a character
    (tmp_path / "tasks" / "rows.train.jsonl").write_text("".join(text.splitlines(True)[:9]))
    return tmp_path


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_rows_of_hostile_text(rig, hostile, form):
    done = rig.run(rig.command("show", "hostile", "-n", 9, *form), hostile)
    assert done.returncode == 0, done.stderr
    assert not HIDDEN.search(done.stdout) and "\\u202e" in done.stdout
    shown = json.loads(done.stdout) if form else yaml.safe_load(done.stdout)
    assert [row["text"] for row in shown["samples"]] == HOSTILE[:9]


def test_errors_that_quote_hostile_text(rig, hostile):
    (hostile / "tasks" / "rows.train.jsonl").write_text(
        json.dumps({"text": "a", "label": "".join(HOSTILE[:4])})
    )
    (hostile / "tasks" / "\x1b[31m\u202e\udcff.yaml").write_text(
        SPEC.replace("hostile", "other").replace("rows", "\\x1brows")
    )
    for words in (["validate", "tasks", "--data"], ["validate", "\x1b[2J\u202e"]):
        done = rig.run(rig.command(*words), hostile)
        assert done.returncode == 2, done.stderr
        assert not HIDDEN.search(done.stdout + done.stderr), done.stderr
        (hostile / "tasks" / "\x1b[31m\u202e\udcff.yaml").unlink(missing_ok=True)


def on_a_terminal(words: list, folder) -> str:
    """What the command writes when its standard streams are a terminal."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        list(map(str, words)), cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 65536):
            said += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    done.wait()
    return said.decode("utf-8")


def test_colours_of_our_own_survive_and_those_of_others_do_not(tmp_path):
    code = (
        "from harness.common.streams import console, terminal\nimport sys\n"
        "with terminal():\n"
        "    console().print('[green]own\\x1b[2Jtheirs\\u202e', style='bold', highlight=False)\n"
        "    print('\\x1b[2Jprinted'); print('\\x9b1mtold', file=sys.stderr)\n"
    )
    said = on_a_terminal([sys.executable, "-c", code], tmp_path)
    assert (
        "own\\u001b[2Jtheirs\\u202e" in said
        and "\\u001b[2Jprinted" in said
        and "\\u009b1mtold" in said
    )
    assert "\x1b[1;32m" in said and not HIDDEN.search(
        re.sub("\x1b\\[[0-9;]*m", "", said).replace("\r\n", "\n")
    )
