"""What a model refused, as words: one finding per mistake, the nearest valid name beside it.

`reader` knows where things stand in a file; this knows what pydantic meant, and says it without
naming pydantic.
"""

import difflib
import functools
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union

from pydantic import BaseModel
from pydantic_core import ErrorDetails

MAX_SHOWN = 60
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
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


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the name most likely meant, else the first few
    that are known."""
    names = [str(k) for k in known]
    if isinstance(known, (set, frozenset)):
        names.sort()  # a set's own order differs from run to run
    if meant := close(name, names):
        return f"; did you mean {show(meant)}?"
    return f"; {_one_of(names)}" if names else ""


def show(value: Any) -> str:
    """A value as a message names it: on one line, cut at 60 characters."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple, set)):
        return "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= MAX_SHOWN else value[: MAX_SHOWN - 3] + "...")
    return "nothing" if value is None else str(value).lower()[:MAX_SHOWN]


class Branch(str):
    """A part of an error's loc that names a branch of a union, and so no part of the document."""


Trail = tuple[str | int, ...]


class Finding(NamedTuple):
    """One error of a model, with what is needed to place it and to say it."""

    trail: Trail  # the way to it in the document, with Branch marks until `settle` has chosen
    kind: str
    value: Any
    context: dict[str, Any]
    text: str
    known: list[str]  # the names that would be right here
    on_key: bool


def finding(model: type[BaseModel], error: ErrorDetails) -> Finding:
    """What one of pydantic's errors is about: where in the document, and what would be right."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    known: list[str] = []
    on_key = error["loc"][-1:] == ("[key]",)
    trail, parent, here = _trace(model, error["loc"][:-1] if on_key else error["loc"])
    if kind == "extra_forbidden":
        known, on_key = list(_fields(parent)), True
    elif kind in ("literal_error", "missing"):
        known = _literals(typing.get_args(parent)[0] if on_key else here)
    elif kind == "union_tag_invalid":  # of a discriminated union: the key that says which branch
        kind, value = "literal_error", context["tag"]
        trail = (*trail, context["discriminator"].strip("'"))
        known = re.findall("'([^']*)'", context["expected_tags"])
    elif kind == "union_tag_not_found":
        kind, trail = "missing", (*trail, context["discriminator"].strip("'"))
        wanted = str(trail[-1])
        written = value if isinstance(value, dict) else {}
        if typo := next((key for key in written if close(key, [wanted])), None):
            kind, trail, known, on_key = "extra_forbidden", (*trail[:-1], typo), [wanted], True
    return Finding(trail, kind, value, context, error["msg"], known, on_key)


def _literals(kind: Any) -> list[str]:
    """The values that a type allows by name."""
    found: list[str] = []
    for member in _members(kind):
        if typing.get_origin(member) is Literal:
            found += typing.get_args(member)
    return found


def _trace(model: Any, loc: Trail) -> tuple[Trail, Any, Any]:
    """Follow an error's loc through the types: the loc with union branches marked, the last parent,
    the type there."""
    trail: list[str | int] = []
    parent, here = model, model
    for part in loc:
        branches = _members(here)
        if len(branches) > 1:  # at a union pydantic puts the branch's name into loc
            label = Branch(part)
            trail.append(label)
            here = min(branches, key=functools.partial(_rank, label=label))
            continue
        trail.append(part)
        parent = branches[0]
        here = _fields(parent).get(str(part)) or _entry(parent, part)
    return tuple(trail), parent, here


def _entry(kind: Any, place: str | int) -> Any:
    """The type of what stands at a place of a tuple, of a list, or behind a dict's key."""
    kinds = [of for of in typing.get_args(kind) if of is not Ellipsis]
    if not kinds:
        return Any
    return kinds[place] if isinstance(place, int) and place < len(kinds) else kinds[-1]


def _members(kind: Any) -> list[Any]:
    """The branches of a union without None; of any other type, itself, bare of annotations."""
    if typing.get_origin(kind) is Annotated:
        return _members(typing.get_args(kind)[0])
    if typing.get_origin(kind) not in (Union, types.UnionType):
        return [kind]
    members = [m for m in typing.get_args(kind) if m is not type(None)]
    return members if len(members) > 1 else _members(members[0])


def _fields(kind: Any) -> dict[str, Any]:
    """The keys that a model takes, each with its type."""
    fields = getattr(kind, "model_fields", {})
    return {field.alias or name: field.annotation for name, field in fields.items()}


def _rank(branch: Any, label: str) -> int:
    """How badly pydantic's label fits this branch of a union; it holds a type's name, or the data's
    own tag."""
    members = _members(branch)
    for member in members:
        if any(label in typing.get_args(kind) for kind in _fields(member).values()):
            return -1
    kind = typing.get_origin(members[0]) or members[0]
    name = getattr(kind, "__name__", "?")
    if kind is Literal:
        name = "literal"
    if len(members) > 1:
        name = "union"
    match = re.search(rf"\b{re.escape(name)}\b", label)
    return match.start() if match else len(label)


def settle(found: list[Finding]) -> list[Finding]:
    """For each union keep the findings of one branch, the one that got furthest: one mistake, one
    line."""
    done: list[Finding] = []
    unions: dict[Trail, dict[str | int, list[Finding]]] = {}
    for f in found:
        i = next((i for i, part in enumerate(f.trail) if isinstance(part, Branch)), None)
        if i is None:
            done.append(f)
            continue
        beyond = f._replace(trail=f.trail[:i] + f.trail[i + 1 :])
        unions.setdefault(f.trail[:i], {}).setdefault(f.trail[i], []).append(beyond)

    for where, branches in unions.items():
        settled = [settle(branch) for branch in branches.values()]
        best = max(settled, key=lambda branch: (_depth(branch), -len(branch)))
        further = _depth(best) > len(where)
        done += best if further else [_refused_by_all([branch[0] for branch in settled])]
    return done


def _depth(branch: list[Finding]) -> int:
    """How far into the document a branch of a union was followed."""
    return max(len(f.trail) for f in branch)


def _refused_by_all(found: list[Finding]) -> Finding:
    """No branch of a union took the value at all: the most telling refusal, else all that would
    have been right."""
    for f in found:
        if f.kind not in NOUNS and (f.kind != "literal_error" or isinstance(f.value, str)):
            return f
    nouns = dict.fromkeys(NOUNS.get(f.kind) or _one_of(f.known) for f in found)
    return found[0]._replace(kind="union", context={"noun": " or ".join(nouns)})


def say(f: Finding) -> str:
    """A finding in words, without its place."""
    last, value = f.trail[-1] if f.trail else "", show(f.value)
    if f.kind == "extra_forbidden":
        return f"unknown key {show(last)}{nearest(str(last), f.known)}"
    if f.kind == "missing":
        return f"missing key {show(last)}" + (f"; {_one_of(f.known)}" if f.known else "")
    if f.kind == "literal_error":
        way = f.trail[:-1] if f.on_key else f.trail
        key = next((part for part in reversed(way) if isinstance(part, str)), "the file")
        article = "an" if key[:1] in "aeiou" else "a"
        noun = f"{article} {key}" if key == last and not f.on_key else f"known in {show(key)}"
        end = nearest(str(f.value), f.known)
        return f"{value} is not {noun}{end}" + (
            f" ({_one_of(f.known)})" if end.endswith("?") else ""
        )
    if f.kind in ("value_error", "assertion_error"):
        return re.sub("^(Value error|Assertion failed), ", "", f.text)
    noun = NOUNS.get(f.kind) or LIMITS.get(f.kind, "").format(**f.context)
    if not noun:
        return f"{f.text.replace('Input should be', 'expected')}, got {value}"
    if "actual_length" in f.context:
        value = str(f.context["actual_length"])
    quoted = isinstance(f.value, str) and "number" in noun and FLOAT.fullmatch(f.value)
    # a dict: {language} without quotes
    wants_quotes = isinstance(f.value, (int, float, dict)) and noun == "text"
    hint = "; remove the quotes" if quoted else "; put it in quotes" if wants_quotes else ""
    return f"expected {noun}, got {value}{hint}"


def close(name: Any, known: Iterable[Any]) -> str | None:
    """The known name most like this one, whatever its case, else the only one of which it is a
    part; None when nothing is close."""
    by_lower, word = {str(k).lower(): str(k) for k in known}, str(name)[:MAX_SHOWN].lower()
    holding = [one for one in by_lower if word in one] if len(word) > 2 else []
    match = difflib.get_close_matches(word, by_lower, 1) or holding
    return by_lower[match[0]] if len(match) == 1 else None


def _one_of(known: Sequence[str]) -> str:
    return f"one of {', '.join(str(k) for k in known[:8])}{', ...' if len(known) > 8 else ''}"
