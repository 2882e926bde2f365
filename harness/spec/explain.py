"""What a model refused, as words: one finding per mistake, the nearest valid name beside it.

`reader` knows where things stand in a file; this knows what pydantic meant, and says it without
naming pydantic.
"""

import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Union

from pydantic import BaseModel

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
    known = (
        sorted(str(k) for k in known)
        if isinstance(known, (set, frozenset))
        else [str(k) for k in known]
    )
    if meant := close(name, known):
        return f"; did you mean {show(meant)}?"
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


class Branch(str):
    """A part of an error's loc that names a branch of a union, and so no part of the document."""


class Finding(NamedTuple):
    """One error of a model, with what is needed to place it and to say it."""

    trail: tuple  # the way to it in the document, with Branch marks until `settle` has chosen
    kind: str
    value: Any
    context: dict
    text: str
    known: list  # the names that would be right here
    on_key: bool


def finding(model: type[BaseModel], error: dict) -> Finding:
    kind, value, context, known = error["type"], error["input"], error.get("ctx", {}), []
    on_key = error["loc"][-1:] == ("[key]",)
    trail, parent, here = _trace(model, error["loc"][:-1] if on_key else error["loc"])
    if kind == "extra_forbidden":
        known, on_key = list(_fields(parent)), True
    elif kind in ("literal_error", "missing"):
        choices = typing.get_args(parent)[0] if on_key else here
        known = [
            name
            for m in _members(choices)
            if typing.get_origin(m) is Literal
            for name in typing.get_args(m)
        ]
    elif kind == "union_tag_invalid":  # of a discriminated union: the key that says which branch
        kind, value, trail = (
            "literal_error",
            context["tag"],
            (*trail, context["discriminator"].strip("'")),
        )
        known = re.findall("'([^']*)'", context["expected_tags"])
    elif kind == "union_tag_not_found":
        kind, trail = "missing", (*trail, context["discriminator"].strip("'"))
        if isinstance(value, dict) and (
            typo := next((key for key in value if close(key, trail[-1:])), None)
        ):
            kind, trail, known, on_key = "extra_forbidden", (*trail[:-1], typo), [trail[-1]], True
    return Finding(trail, kind, value, context, error["msg"], known, on_key)


def _trace(model: Any, loc: tuple) -> tuple[tuple, Any, Any]:
    """Follow an error's loc through the types: the loc with union branches marked, the last parent,
    the type there."""
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
        here = _fields(parent).get(
            part, args[part if part in range(len(args)) else -1] if args else Any
        )
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
    return {
        field.alias or name: field.annotation
        for name, field in getattr(kind, "model_fields", {}).items()
    }


def _rank(branch: Any, label: str) -> int:
    """How badly pydantic's label fits this branch of a union; it holds a type's name, or the data's
    own tag."""
    members = _members(branch)
    if any(label in typing.get_args(kind) for m in members for kind in _fields(m).values()):
        return -1
    kind = typing.get_origin(members[0]) or members[0]
    name = (
        "union"
        if len(members) > 1
        else "literal"
        if kind is Literal
        else getattr(kind, "__name__", "?")
    )
    match = re.search(rf"\b{re.escape(name)}\b", label)
    return match.start() if match else len(label)


def settle(found: list[Finding]) -> list[Finding]:
    """For each union keep the findings of one branch, the one that got furthest: one mistake, one
    line."""
    done, unions = [], {}
    for f in found:
        i = next((i for i, part in enumerate(f.trail) if isinstance(part, Branch)), None)
        if i is None:
            done.append(f)
        else:
            branches = unions.setdefault(f.trail[:i], {})
            branches.setdefault(f.trail[i], []).append(
                f._replace(trail=f.trail[:i] + f.trail[i + 1 :])
            )
    for where, branches in unions.items():
        far = [(-max(len(f.trail) for f in b), len(b), b) for b in map(settle, branches.values())]
        depth, _, best = min(far, key=lambda b: b[:2])
        done += best if -depth > len(where) else [_refused_by_all([b[0] for *_, b in far])]
    return done


def _refused_by_all(found: list[Finding]) -> Finding:
    """No branch of a union took the value at all: the most telling refusal, else all that would
    have been right."""
    for f in found:
        if f.kind not in NOUNS and (f.kind != "literal_error" or isinstance(f.value, str)):
            return f
    nouns = dict.fromkeys(NOUNS.get(f.kind) or _one_of(f.known) for f in found)
    return found[0]._replace(kind="union", context={"noun": " or ".join(nouns)})


def say(f: Finding) -> str:
    last, value = f.trail[-1] if f.trail else "", show(f.value)
    if f.kind == "extra_forbidden":
        return f"unknown key {show(last)}{nearest(last, f.known)}"
    if f.kind == "missing":
        return f"missing key {show(last)}" + (f"; {_one_of(f.known)}" if f.known else "")
    if f.kind == "literal_error":
        key = next(
            (p for p in reversed(f.trail[: -1 if f.on_key else None]) if isinstance(p, str)),
            "the file",
        )
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


def close(name: Any, known: Iterable) -> str | None:
    """The known name most like this one, whatever its case; None when nothing is close."""
    by_lower = {str(k).lower(): str(k) for k in known}
    match = difflib.get_close_matches(str(name)[:MAX_SHOWN].lower(), by_lower, 1)
    return by_lower[match[0]] if match else None


def _one_of(known: list) -> str:
    return f"one of {', '.join(str(k) for k in known[:8])}{', ...' if len(known) > 8 else ''}"
