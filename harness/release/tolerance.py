"""Is a release what the same suite gives again, here and today? Two documents, each leaf held by
what it rests on.

    stated    what specs, data and counts say: keys, jobs, rows, hashes, gold, which entries a table
              has. Exactly
    answered  what the test rows gave: right or wrong, counts, bits; which rows a subset chose. As
              many of them
    scored    0-100, by language, over languages, and on dev. Within a tolerance
    follows   all else that `derive` makes of these: gains, averages, intervals, flags, splits. Not
              by itself

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

from harness.metrics import METRICS
from harness.metrics.vectors import unpack
from harness.release.comparer import ABSENT, At, Difference, Leaf, leaves, named, unequal, written
from harness.release.counts import length
from harness.release.schema_derived import SECTIONS

# of one language, and on dev. A language of suite mini has 40 to 80 test rows: 5 points are two to
# four of them
POINTS = 5.0
SHOWN = 200  # lines of differences in the text
MANY = 4  # values of one entry that one side lacks
MEAN = 0.5  # a cell's score, which is a mean over languages: of what one language may
_OF_METRICS = {name for metric in METRICS.values() for name in metric.prediction_side}
ANSWERED = {*_OF_METRICS, "centred", "bits", "null_bits", "ids"}
# facts of an evaluation that its answers decide
MEASURED = {"constant", "candidates", "threshold", "dev_f1"}
SCORED = {
    "dev_scores": {"main"},
    "cells": {"main", "metrics", "score", "dev"},
    "difficulty": {"dev", "dev_per_seed"},
}
CELL = {"encoder", "arm", "target", "seed"}
_ROWS = {"leaks", "shared_rows", "n", "null", "null_name", "truncated", "unknown"}
_ARM = {"encoder", "arm"}
_KNOWN = {"of", "rows", "chance", "chance_known", "human", "human_known"}
STATED = {  # of derived sections: which entry it is, and what its rows say
    "dev_scores": {"key", "encoder", "phase", "seed", "null"},
    "selections": {"arm", "encoder", "seed", "rows"},
    "cells": {*CELL, "key", *_ROWS},
    "headline": set(),
    "scores": {"encoder", "target"},
    "gains": CELL,
    "averages": _ARM,
    "slices": {*_ARM, "by", "slice"},
    "difficulty": {*_ARM, *_KNOWN},
    "split": {"encoder", "by"},
    "subsets": {"encoder", "of"},
    "best": {"encoder", "target", "selected_on"},
    "hypotheses": {"encoder", "hypothesis"},
}
_Leaves = dict[At, Leaf]


class Held(NamedTuple):
    """`differences`: all that is beyond the tolerance; none if the two are the same. The rest says
    how far from equal.

    answers  (rows that were answered otherwise, rows), of all cells
    points   by which each score moved that did, largest first
    flips    flags, ties and choices that follow, and came out otherwise
    """

    differences: list[Difference]
    answers: tuple[int, int]
    points: list[float]
    flips: list[Difference]


def hold(a: dict[str, Any], b: dict[str, Any], points: float = POINTS) -> Held:
    """Two releases' documents. `points`: by which the score of a language may differ."""
    old, new = _by_kind(a), _by_kind(b)
    wrong = list(unequal(old["stated"], new["stated"]))
    wrong += unequal(_counts(old["answered"]), _counts(new["answered"]))
    wrong += _beyond(old["scored"], new["scored"], points)
    follows = list(unequal(old["follows"], new["follows"]))
    moved = list(_moved(old["scored"], new["scored"]))
    if not moved and not any(unequal(old["answered"], new["answered"])):
        wrong += follows
    flips = [one for one in follows if not (_is_measure(one.before) and _is_measure(one.after))]
    answers = _answers(old["answered"], new["answered"])
    return Held(wrong, answers, sorted(moved, reverse=True), flips)


def _by_kind(content: dict[str, Any]) -> dict[str, _Leaves]:
    found: dict[str, _Leaves] = {"stated": {}, "answered": {}, "scored": {}, "follows": {}}
    for at, leaf in leaves(content):
        found[_kind(at)][at] = leaf
    return found


def _kind(at: At) -> str:
    """Of the four that the module's first lines name."""
    section, names = str(at[0]), set(at[2:])
    if section == "evidence":
        if at[1] != "units" and at[-1] in ANSWERED:
            return "answered"
        return "follows" if at[-1] in MEASURED and "facts" in names else "stated"
    if section not in SECTIONS:
        return "stated"
    if names & SCORED.get(section, set()):
        return "scored"
    stated = at[-1] in STATED[section] or set(at[2:3]) & STATED[section]
    return "stated" if stated else "follows"


def _counts(answered: _Leaves) -> _Leaves:
    """How many entries each vector has, and how many ids."""
    found = {}
    for at, leaf in answered.items():
        count = len(leaf.value.split()) if at[-1] == "ids" else length(leaf.value)
        found[at] = leaf._replace(value=f"{count} entries")
    return found


def _beyond(old: _Leaves, new: _Leaves, points: float) -> Iterator[Difference]:
    """Scores that moved too far, or are there on one side only."""
    languages = Counter(at[:2] for at in old if at[-1] == "main" and at[0] == "cells")
    for one in unequal(old, new):
        is_mean = one.at[-1] == "score" and languages[one.at[:2]] > 1
        most = points * (MEAN if is_mean else 1)
        numbers = _is_number(one.before) and _is_number(one.after)
        if not numbers or abs(one.before - one.after) > most + 1e-9:
            yield one


def _moved(old: _Leaves, new: _Leaves) -> Iterator[float]:
    for one in unequal(old, new):
        if _is_number(one.before) and _is_number(one.after):
            yield abs(one.before - one.after)


def _answers(old: _Leaves, new: _Leaves) -> tuple[int, int]:
    """Of all languages of all cells: (rows, or blocks of rows, of which some count differs;
    all)."""
    changed: dict[At, set[int]] = {}
    rows: dict[At, int] = {}
    for at in old.keys() & new.keys():
        if at[1] == "cells" and at[-1] != "centred":
            before, after = unpack(old[at].value), unpack(new[at].value)
            rows[at[:-1]] = len(before)
            pairs = enumerate(zip(before, after, strict=False))
            differ = {number for number, (one, other) in pairs if one != other}
            changed.setdefault(at[:-1], set()).update(differ)
    return sum(map(len, changed.values())), sum(rows.values())


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_measure(value: Any) -> bool:
    """A number, none where there was nothing to measure, or an interval."""
    if isinstance(value, list):
        return all(map(_is_number, value))
    return value is None or _is_number(value)


def _told(differences: list[Difference]) -> Iterator[str]:
    """A line a difference; of leaves that one side lacks, MANY below one entry are one line."""
    groups: dict[tuple[At, bool], list[Difference]] = {}
    for one in differences:
        if ABSENT in (one.before, one.after):
            groups.setdefault((one.at[:2], one.before == ABSENT), []).append(one)
    for one in differences:
        is_new = one.before == ABSENT
        group = groups[one.at[:2], is_new] if is_new or one.after == ABSENT else []
        if len(group) < MANY:
            yield str(one)
        elif one is group[0]:
            values = f"{len(group)} values"
            sides = f"{ABSENT}, {values}" if is_new else f"{values}, {ABSENT}"
            yield f"{named(written(one.at[:2]), one.of)}: {sides}"


def lines(found: Held, points: float = POINTS) -> Iterator[str]:
    """The same as text, each difference as `path: before, after`, and an entry that one of them
    lacks as one."""
    told = list(_told(found.differences))
    yield from told[:SHOWN]
    if len(told) > SHOWN:
        yield f"… {len(told) - SHOWN:,} more lines (--json lists every difference)"
    changed, rows = found.answers
    if changed or found.points:
        largest = max(found.points, default=0.0)
        yield (
            f"{changed:,} of {rows:,} rows answered otherwise; {len(found.points):,} scores moved,"
            f" by up to {largest:.2f} points"
        )
    for line in _told(found.flips):
        yield f"came out otherwise, as it follows from scores: {line}"
    if found.differences:
        yield f"not the same: {len(found.differences):,} differences"
    else:
        yield (
            f"the same: what is stated equal, scores within {points:g} points for a language and"
            f" {points * MEAN:g} for a mean over languages"
        )
