"""Where two documents differ, leaf by leaf: the one comparer of releases, of what is planned or
derived again with what stands there, and of two runs.

A leaf is a value, or a list without lists and objects in it: names, an interval.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

SHOWN = 80  # characters of a value in a message
ABSENT = "absent"
At = tuple[str | int, ...]
_NAMES = ("encoder", "hypothesis", "arm", "target", "of", "by", "slice")


class Difference(NamedTuple):
    """A leaf that is not the same: where it stands, before, after, and of which entry that is."""

    at: At
    before: Any
    after: Any
    of: str = ""

    @property
    def path(self) -> str:
        """As Python would write it: cells[2].languages.de.main."""
        return written(self.at)

    def __str__(self) -> str:
        return f"{named(self.path, self.of)}: {short(self.before)}, {short(self.after)}"


class Leaf(NamedTuple):
    """A value, and the nearest entry around it that says which cell it is about."""

    value: Any
    of: str


_NONE = Leaf(ABSENT, "")


def differences(before: Any, after: Any, at: At = ()) -> Iterator[Difference]:
    """Leaf by leaf, exactly: 0 and 0.0 differ, and so does what is there on one side only."""
    # nearly always nothing differs, and equal text (0.0 is not 0 in it) is found without walking
    if before is after or _text(before) == _text(after):
        return
    yield from unequal(dict(leaves(before, at)), dict(leaves(after, at)))


def _text(document: Any) -> str:
    return json.dumps(document, sort_keys=True)


def unequal(before: dict[At, Leaf], after: dict[At, Leaf]) -> Iterator[Difference]:
    """The same of two documents' leaves by place."""
    for at in {**before, **after}:
        old, new = before.get(at, _NONE), after.get(at, _NONE)
        if not same(old.value, new.value):
            yield Difference(at, old.value, new.value, old.of or new.of)


def leaves(value: Any, at: At = (), of: str = "") -> Iterator[tuple[At, Leaf]]:
    """(place, leaf) of all leaves of a document, in its order."""
    if isinstance(value, dict) and value:
        of = label(value) or of
        for name, one in value.items():
            yield from leaves(one, (*at, name), of)
    elif isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
        for number, one in enumerate(value):
            yield from leaves(one, (*at, number), of)
    else:
        yield at, Leaf(value, of)


def same(one: Any, other: Any) -> bool:
    """Whether two leaves are the same, types included."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def label(entry: dict[str, Any]) -> str:
    """How a message names an entry of a section: encoder · arm · target · seed, as far as it has
    them."""
    names = [str(entry[name]) for name in _NAMES if isinstance(entry.get(name), (str, float))]
    return " · ".join([*names, *([f"seed {entry['seed']}"] if "seed" in entry else [])])


def written(at: At) -> str:
    """A place as Python would write it."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in at)
    return "".join(parts).removeprefix(".")


def named(path: str, of: str) -> str:
    """A path, with the entry that it is of behind it."""
    return f"{path} ({of})" if of else path


def short(value: Any) -> str:
    """A value in a message."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
