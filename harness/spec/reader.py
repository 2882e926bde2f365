"""Read one YAML file into a model; every problem becomes one line `file:line:column: what is wrong; what to write`.

The YAML here is a small, safe part of YAML 1.2: mappings, lists, text, numbers, true/false, null. Unquoted, only
`true`, `false`, `null`, `~`, nothing, and numbers like `12`, `1.5`, `1e-5` are not text; so `no`, `on`, `True`,
`2020-01-01`, `1:30`, `0x1F`, `1_000`, `.nan` are text, and `010` is an error, because readers disagree on its value.
Anchors, aliases, merge keys and tags are refused: nothing expands, no code runs, what you see is what you get.
We work on the parser's events, so that depth and anchors are checked before anything is built from them.
"""

import difflib
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union

import yaml
from pydantic import BaseModel, ValidationError

from harness.errors import SpecError

MAX_BYTES, MAX_DEPTH, MAX_DIGITS, MAX_LINES, MAX_SHOWN = 1_000_000, 30, 100, 100, 60
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # only its parser is used, never its constructors
PLAIN = {"true": True, "false": False, "null": None, "~": None, "": None}
INTEGER = re.compile(r"[-+]?[0-9]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# Tabs, what YAML calls unprintable, and the invisible line breaks that would shift our line numbers from an editor's.
REFUSED = re.compile("[^\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
HINTS = {  # what the parser says -> what most likely happened
    "mapping values are not allowed": "text with ': ' in it needs quotes",
    "cannot start any token": "text that starts with this character needs quotes",
    "expected ',' or": "a comma or a closing bracket is missing",
    "expected key": "check the indentation, and the quotes and brackets of the line above",
    "<block end>": "check the indentation, and the quotes and brackets of the line above",
    "end of stream": "a quote or a bracket is not closed",
}
NOUNS = {  # pydantic's error type -> what it wants
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "none_required": "nothing",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
LIMITS = {  # and the same for bounds
    "greater_than": "a number above {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "a number below {lt}",
    "less_than_equal": "{le} or less",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "{min_length} or more entries",
    "too_long": "{max_length} or fewer entries",
    "string_too_short": "{min_length} or more characters",
    "string_too_long": "{max_length} or fewer characters",
    "string_pattern_mismatch": "text that matches {pattern}",
    "union": "{noun}",
}


class Spot(NamedTuple):
    value: tuple[int, int]  # line and column, from 1
    key: tuple[int, int]
    parts: dict[str | int, "Spot"]


class Problem(Exception):
    """(line, column), what is wrong there; `load` adds the file's name."""


@dataclass(frozen=True)
class Source:
    """Where each part of a document stands."""

    path: Path
    root: Spot

    def at(self, *loc: str | int) -> str:
        """`file:line:column` of the value at loc, or of its nearest parent that is in the file."""
        return _line(self.path, self.place(loc))

    def key_at(self, *loc: str | int) -> str:
        """The same for the key itself."""
        return _line(self.path, self.place(loc, on_key=True))

    def place(self, loc: Iterable[str | int], on_key: bool = False) -> tuple[int, int]:
        spot = self.root
        for part in loc:
            if part not in spot.parts:
                return spot.value
            spot = spot.parts[part]
        return spot.key if on_key else spot.value


def load(path: Path) -> tuple[dict, Source]:
    """The file as plain data, and where its parts stand."""
    path = Path(path)
    try:
        events = yaml.parse(_text(path), Loader=LOADER)
        next(events)  # the start of the stream
        if isinstance(next(events), yaml.StreamEndEvent):
            raise Problem((1, 1), "the file is empty; write 'key: value' lines")
        data, root = _value(next(events), events, 1)
        if not isinstance(data, dict):
            raise Problem(root.value, f"expected 'key: value' lines at the top, got {show(data)}")
        next(events)  # the end of the document
        if not isinstance(more := next(events), yaml.StreamEndEvent):
            raise Problem(_place(more), "a second document starts here; write one document per file")
        return data, Source(path, root)
    except Problem as problem:
        place, text = problem.args
    except yaml.YAMLError as error:
        mark, said = getattr(error, "problem_mark", None), getattr(error, "problem", None) or "cannot be read"
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        text = f"not valid YAML: {said}" + next((f"; {hint}" for words, hint in HINTS.items() if words in said), "")
    raise SpecError(f"{_line(path, place)}: {text}")


def read(path: Path, model: type[BaseModel]) -> tuple[BaseModel, Source]:
    """The file as a checked model, and where its parts stand."""
    data, source = load(path)
    return validate(data, source, model), source


def validate(data: Any, source: Source, model: type[BaseModel]) -> BaseModel:
    """What `load` returned as a checked model; one SpecError tells all that is wrong with it."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SpecError("\n".join(problems(error, source, model))) from None


def problems(error: ValidationError, source: Source, model: type[BaseModel], prefix: tuple = ()) -> list[str]:
    """One line per mistake, in the file's order; `prefix`: where in the file the data of `model` stands."""
    found = [f._replace(trail=(*prefix, *f.trail)) for f in _settle([_finding(model, e) for e in error.errors()])]
    unknown: dict[tuple, list[Finding]] = {}
    for f in found:
        if f.kind == "extra_forbidden":
            unknown.setdefault(f.trail[:-1], []).append(f)
    lines: dict[str, None] = {}  # in order and without doubles
    for place, f in sorted(((source.place(f.trail, f.on_key), f) for f in found), key=lambda pair: pair[0]):
        beside = unknown.get(f.trail[:-1], [])[:9]
        if f.kind == "missing" and any(_close(u.trail[-1], u.known) == f.trail[-1] for u in beside):
            continue  # a misspelt key that is also required is one mistake, not two
        if len(lines) == MAX_LINES:
            return [*lines, f"{_line(source.path, place)}: and more problems from here on"]
        lines[f"{_line(source.path, place)}: {' '.join(_say(f).splitlines())}"] = None
    return list(lines)


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the name most likely meant, else the first few that are known."""
    known = [str(k) for k in known]
    if close := _close(name, known):
        return f"; did you mean {show(close)}?"
    return f"; {_one_of(known)}" if known else ""


def show(value: Any) -> str:
    """A value as a message names it: on one line, cut at 60 characters."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple, set)):
        return "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= MAX_SHOWN else value[: MAX_SHOWN - 3] + "...")
    return "nothing" if value is None else str(value).lower()[:MAX_SHOWN]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise Problem((1, 1), "the file is larger than 1 MB; a spec is a page or two, data belongs into other files")
        text = raw.decode("utf-8-sig")  # a byte-order mark, as some editors write, is no part of the text
    except UnicodeDecodeError as error:
        place = _place_after(raw[: error.start].decode("utf-8-sig", "replace"))
        raise Problem(place, f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8") from None
    except (OSError, ValueError) as error:
        raise Problem((1, 1), f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if bad := REFUSED.search(text):
        name = {"\t": "a tab", "\0": "a NUL byte"}.get(bad[0], f"the invisible character U+{ord(bad[0]):04X}")
        fix = 'use spaces; in text write "\\t"' if bad[0] == "\t" else "remove it"
        raise Problem(_place_after(text[: bad.start()]), f"{name} is not allowed; {fix}")
    return text


def _value(event: yaml.Event, events: Iterator, depth: int, key: tuple[int, int] | None = None) -> tuple[Any, Spot]:
    """One value and where its parts stand, from the event that starts it."""
    spot = Spot(_place(event), key or _place(event), {})
    if event.anchor:  # an alias has one too
        what = "alias '*" if isinstance(event, yaml.AliasEvent) else "anchor '&"
        raise Problem(spot.value, f"{what}{event.anchor[:MAX_SHOWN]}' is not allowed; write the value out in each place")
    if event.tag:
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")
        raise Problem(spot.value, f"tag {show(tag)} is not allowed; write plain values, text in quotes")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event), spot
    if depth > MAX_DEPTH:
        raise Problem(spot.value, f"nested deeper than {MAX_DEPTH} levels; write it flatter")
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            item, spot.parts[len(items)] = _value(event, events, depth + 1)
            items.append(item)
        return items, spot
    data = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        name, here = _value(event, events, depth + 1)
        if not isinstance(name, str):
            fix = f"; put it in quotes: {show(event.value)}" if getattr(event, "value", "") else ""
            raise Problem(here.value, f"a key must be text, got {show(name)}{fix}")
        if name == "<<" and event.implicit[0]:
            raise Problem(here.value, "merge key '<<' is not allowed; write the keys out where they are needed")
        if name in data:
            first = "line {}, column {}".format(*spot.parts[name].key)
            raise Problem(here.value, f"key {show(name)} is here a second time, the first is at {first}; keep one")
        data[name], spot.parts[name] = _value(next(events), events, depth + 1, here.value)
    return data, spot


def _scalar(event: yaml.ScalarEvent) -> Any:
    """Text, unless it is unquoted and one of the few spellings named at the top of this file."""
    word, plain = event.value, event.implicit[0]
    if bad := re.search("[\0\ud800-\udfff]", word):  # from an escape; no name, path or key of ours could hold it
        raise Problem(_place(event), f"the character U+{ord(bad[0]):04X} is not allowed; remove it")
    if not plain or (word not in PLAIN and not FLOAT.fullmatch(word)):
        return word
    if word in PLAIN:
        return PLAIN[word]
    whole = INTEGER.fullmatch(word)
    if len(word) > MAX_DIGITS or abs(float(word)) == float("inf"):
        raise Problem(_place(event), f"the number {show(word)} is too long or too large; if it is text, put it in quotes")
    if whole and re.match("[-+]?0[0-9]", word):
        raise Problem(_place(event), f"{word} starts with 0, octal to some readers; write {int(word)}, or '{word}' as text")
    return int(word) if whole else float(word)


def _place(event: yaml.Event) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _place_after(text: str) -> tuple[int, int]:
    lines = re.split("\r\n|\r|\n", text)
    return len(lines), len(lines[-1]) + 1


def _line(path: Path, place: tuple[int, int]) -> str:
    here = Path.cwd()
    full = here / path
    return f"{full.relative_to(here) if full.is_relative_to(here) else path}:{place[0]}:{place[1]}"


class Branch(str):
    """A part of an error's loc that names a branch of a union, and so no part of the document."""


class Finding(NamedTuple):
    """One error of a model, with what is needed to place it and to say it."""

    trail: tuple  # the way to it in the document, with Branch marks until `_settle` has chosen
    kind: str
    value: Any
    context: dict
    text: str
    known: list  # the names that would be right here
    on_key: bool


def _finding(model: type[BaseModel], error: dict) -> Finding:
    kind, value, context, known = error["type"], error["input"], error.get("ctx", {}), []
    on_key = error["loc"][-1:] == ("[key]",)
    trail, parent, here = _trace(model, error["loc"][:-1] if on_key else error["loc"])
    if kind == "extra_forbidden":
        known, on_key = list(_fields(parent)), True
    elif kind in ("literal_error", "missing"):
        choices = typing.get_args(parent)[0] if on_key else here
        known = [name for m in _members(choices) if typing.get_origin(m) is Literal for name in typing.get_args(m)]
    elif kind == "union_tag_invalid":  # of a discriminated union: the key that says which branch
        kind, value, trail = "literal_error", context["tag"], (*trail, context["discriminator"].strip("'"))
        known = re.findall("'([^']*)'", context["expected_tags"])
    elif kind == "union_tag_not_found":
        kind, trail = "missing", (*trail, context["discriminator"].strip("'"))
        if isinstance(value, dict) and (typo := next((key for key in value if _close(key, trail[-1:])), None)):
            kind, trail, known, on_key = "extra_forbidden", (*trail[:-1], typo), [trail[-1]], True
    return Finding(trail, kind, value, context, error["msg"], known, on_key)


def _trace(model: Any, loc: tuple) -> tuple[tuple, Any, Any]:
    """Follow an error's loc through the types: the loc with union branches marked, the last parent, the type there."""
    trail, parent, here = [], model, model
    for part in loc:
        branches = _members(here)
        if len(branches) > 1:  # at a union pydantic puts the branch's name into loc
            trail.append(Branch(part))
            here = min(branches, key=lambda branch: _rank(branch, str(part)))
            continue
        trail.append(part)
        parent, args = branches[0], [a for a in typing.get_args(branches[0]) if a is not Ellipsis]
        # A model's field, the values of a dict, the entry of a tuple, the entries of a list.
        here = _fields(parent).get(part, args[part if part in range(len(args)) else -1] if args else Any)
    return tuple(trail), parent, here


def _members(kind: Any) -> list:
    """The branches of a union without None; of any other type, itself, bare of annotations."""
    if typing.get_origin(kind) is Annotated:
        return _members(typing.get_args(kind)[0])
    if typing.get_origin(kind) not in (Union, types.UnionType):
        return [kind]
    members = [m for m in typing.get_args(kind) if m is not type(None)]
    return members if len(members) > 1 else _members(members[0])


def _fields(kind: Any) -> dict[str, Any]:
    """The keys that a model takes, each with its type."""
    return {field.alias or name: field.annotation for name, field in getattr(kind, "model_fields", {}).items()}


def _rank(branch: Any, label: str) -> int:
    """How badly pydantic's label fits this branch of a union; it holds a type's name, or the data's own tag."""
    members = _members(branch)
    if any(label in typing.get_args(kind) for m in members for kind in _fields(m).values()):
        return -1
    kind = typing.get_origin(members[0]) or members[0]
    name = "union" if len(members) > 1 else "literal" if kind is Literal else getattr(kind, "__name__", "?")
    match = re.search(rf"\b{re.escape(name)}\b", label)
    return match.start() if match else len(label)


def _settle(found: list[Finding]) -> list[Finding]:
    """For each union keep the findings of one branch, the one that got furthest: one mistake, one line."""
    done, unions = [], {}
    for f in found:
        i = next((i for i, part in enumerate(f.trail) if isinstance(part, Branch)), None)
        if i is None:
            done.append(f)
        else:
            branches = unions.setdefault(f.trail[:i], {})
            branches.setdefault(f.trail[i], []).append(f._replace(trail=f.trail[:i] + f.trail[i + 1 :]))
    for where, branches in unions.items():
        far = [(-max(len(f.trail) for f in b), len(b), b) for b in map(_settle, branches.values())]
        depth, _, best = min(far, key=lambda b: b[:2])
        done += best if -depth > len(where) else [_refused_by_all([b[0] for *_, b in far])]
    return done


def _refused_by_all(found: list[Finding]) -> Finding:
    """No branch of a union took the value at all: the most telling refusal, else all that would have been right."""
    for f in found:
        if f.kind not in NOUNS and (f.kind != "literal_error" or isinstance(f.value, str)):
            return f
    nouns = dict.fromkeys(NOUNS.get(f.kind) or _one_of(f.known) for f in found)
    return found[0]._replace(kind="union", context={"noun": " or ".join(nouns)})


def _say(f: Finding) -> str:
    last, value = f.trail[-1] if f.trail else "", show(f.value)
    if f.kind == "extra_forbidden":
        return f"unknown key {show(last)}{nearest(last, f.known)}"
    if f.kind == "missing":
        return f"missing key {show(last)}" + (f"; {_one_of(f.known)}" if f.known else "")
    if f.kind == "literal_error":
        key = next((p for p in reversed(f.trail[: -1 if f.on_key else None]) if isinstance(p, str)), "the file")
        article = "an" if key[:1] in "aeiou" else "a"
        noun = f"{article} {key}" if key == last and not f.on_key else f"known in {show(key)}"
        end = nearest(str(f.value), f.known)
        return f"{value} is not {noun}{end}" + (f" ({_one_of(f.known)})" if end.endswith("?") else "")
    if f.kind in ("value_error", "assertion_error"):
        return re.sub("^(Value error|Assertion failed), ", "", f.text)
    noun = NOUNS.get(f.kind) or LIMITS.get(f.kind, "").format(**f.context)
    if not noun:
        return f"{f.text.replace('Input should be', 'expected')}, got {value}"
    if "actual_length" in f.context:
        value = str(f.context["actual_length"])
    quoted = isinstance(f.value, str) and "number" in noun and FLOAT.fullmatch(f.value)
    wants_quotes = isinstance(f.value, (int, float, dict)) and noun == "text"  # a dict: {language} without quotes
    hint = "; remove the quotes" if quoted else "; put it in quotes" if wants_quotes else ""
    return f"expected {noun}, got {value}{hint}"


def _close(name: Any, known: Iterable) -> str | None:
    """The known name most like this one, whatever its case; None when nothing is close."""
    by_lower = {str(k).lower(): str(k) for k in known}
    match = difflib.get_close_matches(str(name)[:MAX_SHOWN].lower(), by_lower, 1)
    return by_lower[match[0]] if match else None


def _one_of(known: list) -> str:
    return f"one of {', '.join(str(k) for k in known[:8])}{', ...' if len(known) > 8 else ''}"
