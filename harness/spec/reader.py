"""Read one YAML file into a model; every problem becomes one line `file:line:column: what is wrong;
what to write`.

The YAML here is a small, safe part of YAML 1.2: mappings, lists, text, numbers, true/false, null.
Unquoted, only `true`, `false`, `null`, `~`, nothing, and numbers like `12`, `1.5`, `1e-5` are not
text; so `no`, `on`, `True`, `2020-01-01`, `1:30`, `0x1F`, `1_000`, `.nan` are text, and `010` is an
error, because readers disagree on its value. Anchors, aliases, merge keys and tags are refused:
nothing expands, no code runs, what you see is what you get. We work on the parser's events, so that
depth and anchors are checked before anything is built from them.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from harness.common.errors import SpecError
from harness.common.text import HIDDEN, line, short
from harness.spec.explain import FLOAT, MAX_SHOWN, Finding, Trail, close, finding, say, settle, show

MAX_BYTES, MAX_DEPTH, MAX_DIGITS, MAX_LINES, MAX_TEXT = 1_000_000, 30, 100, 100, 10_000
MAX_WHOLE = 2**63 - 1
# only its parser is used, never its constructors
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
PLAIN = {"true": True, "false": False, "null": None, "~": None, "": None}
INTEGER = re.compile(r"[-+]?[0-9]+")
# Tabs, what YAML calls unprintable, and the invisible line breaks that would shift our line numbers
# from an editor's.
REFUSED = re.compile(
    "[^\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
HINTS = {  # what the parser says -> what most likely happened
    "mapping values are not allowed": "text with ': ' in it needs quotes",
    "cannot start any token": "text that starts with this character needs quotes",
    "expected ',' or": "a comma or a closing bracket is missing",
    "expected key": "check the indentation, and the quotes and brackets of the line above",
    "<block end>": "check the indentation, and the quotes and brackets of the line above",
    "end of stream": "a quote or a bracket is not closed",
}


Place = tuple[int, int]  # line and column, from 1


class Spot(NamedTuple):
    """Where a value and its key stand, and the same of its parts."""

    value: Place
    key: Place
    parts: dict[str | int, "Spot"]


Model = TypeVar("Model", bound=BaseModel)


class Mistake(Exception):
    """(line, column), what is wrong there; `load` adds the file's name."""


@dataclass(frozen=True)
class Places:
    """Where each part of a document stands."""

    path: Path
    root: Spot

    def at(self, *loc: str | int) -> str:
        """`file:line:column` of the value at loc, or of its nearest parent that is in the file."""
        return _line(self.path, self.place(loc))

    def key_at(self, *loc: str | int) -> str:
        """The same for the key itself."""
        return _line(self.path, self.place(loc, on_key=True))

    def place(self, loc: Iterable[str | int], on_key: bool = False) -> Place:
        spot = self.root
        for part in loc:
            if part not in spot.parts:
                return spot.value
            spot = spot.parts[part]
        return spot.key if on_key else spot.value


def load(path: Path) -> tuple[dict[str, Any], Places]:
    """The file as plain data, and where its parts stand."""
    path = Path(path)
    try:
        events = yaml.parse(_text(path), Loader=LOADER)
        next(events)  # the start of the stream
        if isinstance(next(events), yaml.StreamEndEvent):
            raise Mistake((1, 1), "the file is empty; write 'key: value' lines")
        data, root = _value(next(events), events, 1)
        if not isinstance(data, dict):
            raise Mistake(root.value, f"expected 'key: value' lines at the top, got {show(data)}")
        next(events)  # the end of the document
        if not isinstance(more := next(events), yaml.StreamEndEvent):
            raise Mistake(
                _place(more), "a second document starts here; write one document per file"
            )
        return data, Places(path, root)
    except Mistake as problem:
        place, text = problem.args
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or "cannot be read"
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        likely = next((f"; {hint}" for words, hint in HINTS.items() if words in said), "")
        text = f"not valid YAML: {said}{likely}"
    raise SpecError(f"{_line(path, place)}: {text}")


def read(path: Path, model: type[Model]) -> tuple[Model, Places]:
    """The file as a checked model, and where its parts stand."""
    data, source = load(path)
    return validate(data, source, model), source


def validate(data: Any, source: Places, model: type[Model]) -> Model:
    """What `load` returned as a checked model; one SpecError tells all that is wrong with it."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SpecError("\n".join(problems(error, source, model))) from None


def problems(
    error: ValidationError, source: Places, model: type[BaseModel], prefix: Trail = ()
) -> list[str]:
    """One line per mistake, in the file's order; `prefix`: where in the file the data of `model`
    stands."""
    told = settle([finding(model, e) for e in error.errors()])
    found = [f._replace(trail=(*prefix, *f.trail, *_named(f))) for f in told]
    found.sort(key=lambda f: source.place(f.trail, f.on_key))

    unknown: dict[Trail, list[Finding]] = {}
    for f in found:
        if f.kind == "extra_forbidden":
            unknown.setdefault(f.trail[:-1], []).append(f)

    lines: dict[str, None] = {}  # in order and without doubles
    for f in found:
        place = source.place(f.trail, f.on_key)
        beside = unknown.get(f.trail[:-1], [])[:9]
        if f.kind == "missing" and any(close(u.trail[-1], u.known) == f.trail[-1] for u in beside):
            continue  # a misspelt key that is also required is one mistake, not two
        if len(lines) == MAX_LINES:
            return [*lines, f"{_line(source.path, place)}: and more problems from here on"]
        lines[short(f"{_line(source.path, place)}: {' '.join(say(f).splitlines())}")] = None
    return list(lines)


def _named(f: Finding) -> tuple[str, ...]:
    """A validator of a whole model begins its message with the key it means: "metric: ..."."""
    match = re.match(r"Value error, (\w+): ", f.text) if f.kind == "value_error" else None
    return (match[1],) if match else ()


def _text(path: Path) -> str:
    try:
        with _opened(path) as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise Mistake(
                (1, 1),
                "the file is larger than 1 MB; a spec is a page or two, data belongs into other"
                " files",
            )
        # a byte-order mark, as some editors write, is no part of the text
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place_after(raw[: error.start].decode("utf-8-sig", "replace"))
        raise Mistake(
            place, f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None
    except (OSError, ValueError) as error:
        raise Mistake(
            (1, 1), f"cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    if bad := REFUSED.search(text) or HIDDEN.search(text.replace("\r", "\n")):
        name = {"\t": "a tab", "\0": "a NUL byte"}.get(
            bad[0], f"the invisible character U+{ord(bad[0]):04X}"
        )
        fix = 'use spaces; in text write "\\t"' if bad[0] == "\t" else "remove it"
        raise Mistake(_place_after(text[: bad.start()]), f"{name} is not allowed; {fix}")
    return text


def _opened(path: Path) -> BinaryIO:
    """The file, if it is one: a pipe that nobody writes to would keep us waiting for ever, a device
    never ends."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
        raise OSError(
            f"it is {next((kind for of, kind in kinds if of(mode)), 'a device')}, not a file"
        )
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def _value(
    event: Any, events: Iterator[yaml.Event], depth: int, key: Place | None = None
) -> tuple[Any, Spot]:
    """One value and where its parts stand, from the event that starts it (of a scalar, a
    sequence, a mapping or an alias; the types of yaml have no name for these four)."""
    spot = Spot(_place(event), key or _place(event), {})
    _refuse_references(event, spot.value)
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event), spot
    if depth > MAX_DEPTH:
        raise Mistake(spot.value, f"nested deeper than {MAX_DEPTH} levels; write it flatter")
    if isinstance(event, yaml.SequenceStartEvent):
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            item, spot.parts[len(items)] = _value(event, events, depth + 1)
            items.append(item)
        return items, spot
    data: dict[str, Any] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        name, place = _key(event, events, depth + 1, spot)
        data[name], spot.parts[name] = _value(next(events), events, depth + 1, place)
    return data, spot


def _refuse_references(event: Any, place: Place) -> None:
    """Nothing stands for something that is written elsewhere: no anchor, no alias, no tag."""
    if event.anchor:  # an alias has one too
        what = "alias '*" if isinstance(event, yaml.AliasEvent) else "anchor '&"
        raise Mistake(
            place,
            f"{what}{event.anchor[:MAX_SHOWN]}' is not allowed; write the value out in each place",
        )
    if event.tag:
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")
        raise Mistake(place, f"tag {show(tag)} is not allowed; write plain values, text in quotes")


def _key(event: Any, events: Iterator[yaml.Event], depth: int, spot: Spot) -> tuple[str, Place]:
    """The next key of the mapping at `spot`, and where it stands."""
    name, here = _value(event, events, depth)
    if not isinstance(name, str):
        fix = f"; put it in quotes: {show(event.value)}" if getattr(event, "value", "") else ""
        raise Mistake(here.value, f"a key must be text, got {show(name)}{fix}")
    if name == "<<" and event.implicit[0]:
        what = "merge key '<<' is not allowed; write the keys out where they are needed"
        raise Mistake(here.value, what)
    if name in spot.parts:
        first = "line {}, column {}".format(*spot.parts[name].key)
        what = f"key {show(name)} is here a second time, the first is at {first}; keep one"
        raise Mistake(here.value, what)
    return name, here.value


def _scalar(event: yaml.ScalarEvent) -> Any:
    """Text, unless it is unquoted and one of the few spellings named at the top of this file."""
    word, plain = event.value, event.implicit[0]
    if bad := HIDDEN.search(word):  # from an escape; a name that holds it looks like another one
        raise Mistake(
            _place(event), f"the invisible character U+{ord(bad[0]):04X} is not allowed; remove it"
        )
    if len(word) > MAX_TEXT:
        raise Mistake(
            _place(event),
            f"the text {show(word)} has {len(word):,} characters; at most {MAX_TEXT:,} are read",
        )
    if not plain or (word not in PLAIN and not FLOAT.fullmatch(word)):
        return word
    if word in PLAIN:
        return PLAIN[word]
    whole = INTEGER.fullmatch(word)
    if (
        len(word) > MAX_DIGITS
        or abs(float(word)) == float("inf")
        or (whole and abs(int(word)) > MAX_WHOLE)
    ):
        raise Mistake(
            _place(event),
            f"the number {show(word)} is too long or too large; if it is text, put it in quotes",
        )
    if whole and re.match("[-+]?0[0-9]", word):
        raise Mistake(
            _place(event),
            f"{word} starts with 0, octal to some readers; write {int(word)}, or '{word}' as text",
        )
    return int(word) if whole else float(word)


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    assert mark is not None  # the parser marks every event that it makes
    return mark.line + 1, mark.column + 1


def _place_after(text: str) -> Place:
    lines = re.split("\r\n|\r|\n", text)
    return len(lines), len(lines[-1]) + 1


def _line(path: Path, place: Place) -> str:
    with suppress(OSError):  # the working directory may be gone
        here = Path.cwd()
        path = (here / path).relative_to(here) if (here / path).is_relative_to(here) else path
    return f"{line(path)}:{place[0]}:{place[1]}"
