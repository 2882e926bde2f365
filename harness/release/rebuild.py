"""Is a release what the same suite gives again, here and today? Two documents, each leaf held by
what it rests on.

    stated    what specs, data and counts say: keys, jobs, rows, hashes, gold, which entries a table
    has     exactly
    answered  what the test rows gave: right or wrong, counts, bits; which rows a subset chose
    as many of them
    scored    0-100, by language, over languages, and on dev
    within a tolerance
    follows   all else that `derive` makes of these: gains, averages, intervals, flags, splits
    not by itself

On one machine two runs are equal, byte by byte. On another processor or library sums round
otherwise, and an answer whose two best choices are nearly tied comes out the other way. That, and
nothing else, is what the tolerance is for. A GPU draws dropout from a stream of its own: a training
there is another draw than on a CPU, and only what was not trained can be held against it.

What follows is a pure function of the rest, on every machine (`leaderboard verify`): a gain moves
by at most twice what its scores move by, and a flag or a tie may flip where a number stands at its
threshold. Such flips are listed. Where no answer and no score moved, what follows must be equal
too.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from harness.common.errors import SpecError
from harness.metrics import METRICS
from harness.metrics.vectors import unpack
from harness.release.complete import label, length
from harness.release.evidence import WITH_EVIDENCE
from harness.statistics.derive import SECTIONS

# of one language, and on dev. A language of suite mini has 40 to 80 test rows: 5 points are two to
# four of them
POINTS = 5.0
MEAN = 0.5  # a cell's score, which is a mean over languages: of what one language may
ANSWERED = {
    *(name for metric in METRICS.values() for name in metric.prediction_side),
    "centred",
    "bits",
    "null_bits",
    "ids",
}
# facts of an evaluation that its answers decide
MEASURED = {"constant", "candidates", "threshold", "dev_f1"}
SCORED = {
    "dev_scores": {"main"},
    "cells": {"main", "metrics", "score", "dev"},
    "difficulty": {"dev", "dev_per_seed"},
}
CELL = {"encoder", "arm", "target", "seed"}
STATED = {  # of derived sections: which entry it is, and what its rows say
    "dev_scores": {"key", "encoder", "phase", "seed", "null"},
    "selections": {"arm", "encoder", "seed", "rows"},
    "cells": {
        *CELL,
        "key",
        "leaks",
        "shared_rows",
        "n",
        "null",
        "null_name",
        "truncated",
        "unknown",
    },
    "gains": CELL,
    "averages": {"encoder", "arm"},
    "slices": {"encoder", "arm", "by", "value"},
    "difficulty": {
        "encoder",
        "arm",
        "of",
        "rows",
        "chance",
        "chance_known",
        "human",
        "human_known",
    },
    "split": {"encoder", "by"},
    "subsets": {"encoder", "of"},
    "best": {"encoder", "target", "selected_on"},
}


class Difference(NamedTuple):
    """A leaf that is not the same: where, before, after, and of which cell."""

    path: str
    before: Any
    after: Any
    of: str = ""

    def __str__(self) -> str:
        before, after = (f"{value!r:.60}" for value in (self.before, self.after))
        return f"{self.path}{f' ({self.of})' if self.of else ''}: {before}, {after}"


class Comparison(NamedTuple):
    """`differences`: all that is beyond the tolerance; none if the two are the same. The rest says
    how far from equal.

    answers  (rows that were answered otherwise, rows), of all cells
    moved    points by which each score moved that did, largest first
    flips    flags, ties and choices that follow, and came out otherwise
    """

    differences: list[Difference]
    answers: tuple[int, int]
    moved: list[float]
    flips: list[Difference]


class _Leaf(NamedTuple):
    value: Any
    of: str


_ABSENT = _Leaf("absent", "")
_Leaves = dict[tuple, _Leaf]  # by path; a list of numbers or names is one leaf


def compare(a: dict, b: dict, points: float = POINTS) -> Comparison:
    """Two releases' contents. `points`: by which the score of a language may differ.

    raises  SpecError: one is of an old schema, which holds no answers
    """
    for content in (a, b):
        if content["schema"] < WITH_EVIDENCE:
            raise SpecError(
                f"a release of schema {content['schema']} holds no answers to compare; `leaderboard"
                " diff` reads it"
            )
    old, new = _by_kind(a), _by_kind(b)
    differences = [
        *_unequal(old["stated"], new["stated"]),
        *_unequal(_counts(old["answered"]), _counts(new["answered"])),
    ]
    differences += _beyond(old["scored"], new["scored"], points)
    follows = list(_unequal(old["follows"], new["follows"]))
    moved = list(_moved(old["scored"], new["scored"]))
    if not moved and not any(_unequal(old["answered"], new["answered"])):
        differences += follows
    flips = [one for one in follows if not (_is_measure(one.before) and _is_measure(one.after))]
    return Comparison(
        differences, _answers(old["answered"], new["answered"]), sorted(moved, reverse=True), flips
    )


def _by_kind(content: dict) -> dict[str, _Leaves]:
    found: dict[str, _Leaves] = {"stated": {}, "answered": {}, "scored": {}, "follows": {}}
    for path, leaf in _leaves(content):
        found[_kind(path)][path] = leaf
    return found


def _leaves(value: Any, path: tuple = (), of: str = "") -> Iterator[tuple[tuple, _Leaf]]:
    if isinstance(value, dict) and value:
        of = label(value) or of
        for name, one in value.items():
            yield from _leaves(one, (*path, name), of)
    elif isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
        for i, one in enumerate(value):
            yield from _leaves(one, (*path, i), of)
    else:
        yield path, _Leaf(value, of)


def _kind(path: tuple) -> str:
    """Of the four that the module's first lines name."""
    section, names = path[0], set(path[2:])
    if section == "evidence":
        if path[-1] in ANSWERED and path[1] != "units":
            return "answered"
        return "follows" if path[-1] in MEASURED and "facts" in names else "stated"
    if section not in SECTIONS:
        return "stated"
    if names & SCORED.get(section, set()):
        return "scored"
    return (
        "stated" if path[-1] in STATED[section] or set(path[2:3]) & STATED[section] else "follows"
    )


def _unequal(old: _Leaves, new: _Leaves) -> Iterator[Difference]:
    """Exactly: 0 and 0.0 differ, and so does what is there on one side only."""
    for path in dict.fromkeys([*old, *new]):
        before, after = old.get(path, _ABSENT), new.get(path, _ABSENT)
        if type(before.value) is not type(after.value) or before.value != after.value:
            yield _difference(path, before, after)


def _counts(leaves: _Leaves) -> _Leaves:
    """How many entries each vector has, and how many ids."""
    found = {}
    for path, leaf in leaves.items():
        count = len(leaf.value.split()) if path[-1] == "ids" else length(leaf.value)
        found[path] = leaf._replace(value=f"{count} entries")
    return found


def _beyond(old: _Leaves, new: _Leaves, points: float) -> Iterator[Difference]:
    """Scores that moved too far, or are there on one side only."""
    languages = Counter(path[:2] for path in old if path[-1] == "main" and path[0] == "cells")
    for path in dict.fromkeys([*old, *new]):
        before, after = old.get(path, _ABSENT), new.get(path, _ABSENT)
        most = points * (MEAN if path[-1] == "score" and languages[path[:2]] > 1 else 1)
        close = (
            _is_number(before.value, after.value) and abs(before.value - after.value) <= most + 1e-9
        )
        if not close and before.value != after.value:
            yield _difference(path, before, after)


def _moved(old: _Leaves, new: _Leaves) -> Iterator[float]:
    for path in old.keys() & new.keys():
        before, after = old[path].value, new[path].value
        if _is_number(before, after) and before != after:
            yield abs(before - after)


def _answers(old: _Leaves, new: _Leaves) -> tuple[int, int]:
    """Of all languages of all cells: (rows, or blocks of rows, of which some count differs;
    all)."""
    changed: dict[tuple, set[int]] = {}
    rows: dict[tuple, int] = {}
    for path in old.keys() & new.keys():
        if path[1] == "cells" and path[-1] != "centred":
            before, after = unpack(old[path].value), unpack(new[path].value)
            rows[path[:-1]] = len(before)
            differ = {
                i for i, (one, other) in enumerate(zip(before, after, strict=False)) if one != other
            }
            changed.setdefault(path[:-1], set()).update(differ)
    return sum(map(len, changed.values())), sum(rows.values())


def _difference(path: tuple, before: _Leaf, after: _Leaf) -> Difference:
    name = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in path
    ).removeprefix(".")
    return Difference(name, before.value, after.value, before.of or after.of)


def _is_number(*values: Any) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _is_measure(value: Any) -> bool:
    """A number, none where there was nothing to measure, or an interval."""
    return value is None or _is_number(*(value if isinstance(value, list) else [value]))


def hardware(before: dict, after: dict) -> str | None:
    """What two sidecars say of unlike hardware, as far as it explains unlike scores; None if they
    name the same or nothing."""
    a, b = (_hardware(sidecar) for sidecar in (before, after))
    if (
        not a
        or not b
        or a == b
        or ("cpu" in {*a, *b} and all(name.startswith("cpu") for name in {*a, *b}))
    ):
        return None
    named = f"computed on {' and '.join(sorted(a))}, and on {' and '.join(sorted(b))}: "
    if {name.startswith("cpu") for name in a} == {name.startswith("cpu") for name in b}:
        return (
            named + "sums round otherwise, and a training at a high learning rate may go elsewhere"
        )
    return (
        named + "a GPU draws dropout from a stream of its own, so what was trained differs as with"
        " another seed"
    )


def _hardware(sidecar: dict) -> set[str]:
    """What trained and evaluated: a GPU's name, or "cpu" with its processor where that was
    noted."""
    facts = sidecar.get("environments", [])
    return {
        " ".join(filter(None, [one.get("device"), one.get("processor")]))
        for one in facts
        if one.get("device")
    }


def lines(found: Comparison, points: float = POINTS) -> Iterator[str]:
    """The comparison as text, each difference as `path: before, after`."""
    yield from (f"{one}" for one in found.differences)
    changed, rows = found.answers
    if changed or found.moved:
        largest = max(found.moved, default=0.0)
        yield (
            f"{changed:,} of {rows:,} rows answered otherwise; {len(found.moved):,} scores moved,"
            f" by up to {largest:.2f} points"
        )
    for one in found.flips:
        yield f"came out otherwise, as it follows from scores: {one}"
    if found.differences:
        yield f"not the same: {len(found.differences):,} differences"
    else:
        yield (
            f"the same: what is stated equal, scores within {points:g} points for a language and"
            f" {points * MEAN:g} for a mean over languages"
        )
