"""Text with places to fill in, `data/{split}.{language}.jsonl`, and the paths that it may make.

`{language}`, `{name}`, `{split}`, `{part}` and nothing else: no format specification, no attribute,
no index, so that a spec can neither ask for a gigabyte of spaces nor look into an object. A brace
that is meant is written twice, `{{`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated

from pydantic import AfterValidator

from harness.spec.explain import close, show

MEANINGS = {
    "language": "the language's code",
    "name": "what `names:` says for the language",
    "split": "the split's name",
    "part": "the language, `en` and `gold` in turn (bitext_mining)",
}
_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|[{}]")
# characters of a path; bytes of one of its names, as file systems have it
MAX_TEXT, MAX_PART = 1000, 255


def fill(template: str, values: Mapping[str, str | None]) -> str:
    """The template with each {name} replaced by its value; values are put in as they are, braces
    and all."""

    def value(token: re.Match[str]) -> str:
        return str(values[token["name"]]) if token["name"] else token[0][0]

    return _TOKEN.sub(value, template)


def placeholders(template: str) -> set[str]:
    """The names that a template has filled in."""
    return {token["name"] for token in _TOKEN.finditer(template) if token["name"]}


def checked(template: str, known: Iterable[str]) -> str:
    """The template itself. ValueError that names what is wrong with its braces, and the
    placeholders there are."""
    known = list(known)
    there = "nothing is filled in here"
    if known:
        there = f"here there are {', '.join(f'{{{name}}}' for name in known)}"
    for token in _TOKEN.finditer(template):
        name = token["name"]
        if name in known or token[0] in ("{{", "}}"):
            continue
        if name is None:
            raise ValueError(
                f"{show(template)}: a lone {show(token[0])}; {there}; a brace that is meant is"
                " written twice"
            )
        # A name with something behind it, {language!r} or {name:>9}, means the name.
        plain = re.findall(r"^\s*(\w*)", name)[0]
        meant = plain if plain in known and plain != name else close(name, known)
        better = f"; did you mean '{{{meant}}}'?" if meant else ""
        raise ValueError(f"{show(template)}: {show(token[0])} is no placeholder{better}; {there}")
    return template


def possible(path: str) -> str:
    """The path itself. ValueError unless a file system can hold it, and it says what it seems to
    say."""
    parts = path.split("/")
    if not path or len(path) > MAX_TEXT or any(len(part.encode()) > MAX_PART for part in parts):
        raise ValueError(
            f"{show(path)} is no path: a name in it has at most {MAX_PART} bytes, all of it"
            f" {MAX_TEXT}, at least 1"
        )
    if path.startswith("~"):
        raise ValueError(
            f"{show(path)}: ~ is not looked up; write a path from the YAML's folder, or the whole"
            " path"
        )
    if bad := next((char for char in path if char < " " or char in "\\\x7f"), None):
        raise ValueError(
            f"{show(path)}: {show(bad)} is not allowed in a path; write '/' between its parts"
        )
    return path


def inside(path: str) -> str:
    """The path itself. ValueError unless it is possible and stays in the folder in which it is
    looked for."""
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"{show(path)} leads out of the folder in which it is looked for")
    return possible(path)


def _template(*known: str, path: Callable[[str], str] = str) -> Callable[[str], str]:
    def check(text: str) -> str:
        return path(checked(text, known))

    return check


def _config(text: str) -> str:
    inside(checked(text, ("language", "name", "split")))
    # the hub has none of these in a config's name
    if bad := next((char for char in text if char in '*?[]<>:"|'), None):
        raise ValueError(f"{show(text)}: {show(bad)} is not in the name of a config")
    return text


def _fixed(text: str) -> str:
    """Braces are text here; but who writes a placeholder expects it to be filled in."""
    if meant := placeholders(text) & set(MEANINGS):
        raise ValueError(
            f"{show(text)}: {{{min(meant)}}} is not filled in here, only in files, config and where"
        )
    return text


def _hub_id(text: str) -> str:
    if (
        len(text) > 200
        or not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", text, re.ASCII)
        or ".." in text
    ):
        raise ValueError(f"{show(text)} is no id of a repository on the hub; write 'owner/name'")
    return text


def _revision(text: str) -> str:
    if len(text) > 200 or not re.fullmatch(r"\w[\w./-]*", text, re.ASCII) or ".." in text:
        raise ValueError(
            f"{show(text)} is no revision; write a commit, a branch or a tag of the repository"
        )
    return text


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[!-~]+", text) or set(text) & set("<>\"'`\\"):
        raise ValueError(f"{show(text)} is no address of a page; write 'https://...'")
    return text


FileTemplate = Annotated[
    str, AfterValidator(_template("language", "name", "split", "part", path=possible))
]
ConfigTemplate = Annotated[str, AfterValidator(_config)]
ValueTemplate = Annotated[str, AfterValidator(_template("language", "name"))]
FilePath = Annotated[str, AfterValidator(_template(path=possible))]
FolderPath = Annotated[str, AfterValidator(possible)]
InnerPath = Annotated[str, AfterValidator(inside)]
HubId = Annotated[str, AfterValidator(_hub_id)]
Revision = Annotated[str, AfterValidator(_revision)]
Fixed = Annotated[str, AfterValidator(_fixed)]
Url = Annotated[str, AfterValidator(_url)]
