"""Two releases: what moved between them, by how much, and why: data, code, recipes, environment or
seeds.

Numbers are compared by what they are of, so that two suites compare as far as they have the same
cells; a mean over other targets or languages than before says so. A reason is whatever differs
beside the numbers. Whether two runs of one suite gave the same is `tolerance`'s to say.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from harness.common.text import signed, some
from harness.release.comparer import ABSENT, At, Difference, differences, leaves
from harness.release.schema import Content, EvaluateJob, PviJob, SelectJob, TrainJob
from harness.release.schema_derived import Contrast, Estimate, MeanGain

SHOWN = 15  # lines of one kind in the text
KINDS = ("scores", "gains", "averages", "split", "difficulty")
Interval = list[float] | None
Names = dict[str, list[str]]
Sidecar = dict[str, Any]


class Number(NamedTuple):
    """A number of a release, its 95% interval, and the names of what it is a mean over, as far as
    another release may have others."""

    value: float
    interval: Interval = None
    over: Sequence[str] = ()


Numbers = dict[str, Number]  # by what they are of


class Moved(NamedTuple):
    """One number in both releases: which, its two values, their difference, and both 95% intervals
    where there are such."""

    what: str
    before: float
    after: float
    change: float
    intervals: list[Interval]


class Comparison(NamedTuple):
    """What differs between two releases.

    moved                KINDS → numbers that differ, largest change first
    appeared, vanished   arms, targets, languages, seeds, encoders → names; KINDS → numbers that one
                         release alone has
    why                  reason → what differs: name → [before, after]
    """

    moved: dict[str, list[Moved]]
    appeared: Names
    vanished: Names
    why: dict[str, dict[str, list[Any]]]


def compare(a: Content, b: Content, a_env: Sidecar, b_env: Sidecar) -> Comparison:
    """Two releases, each with its sidecar."""
    moved: dict[str, list[Moved]] = {}
    appeared: Names = {}
    vanished: Names = {}
    for kind in KINDS:
        before, after = dict(_READ[kind](a)), dict(_READ[kind](b))
        moved[kind] = _moved(before, after)
        _note(kind, set(before), set(after), appeared, vanished)
    for what in ("encoders", "arms", "targets", "languages"):
        _note(what, set(getattr(a, what)), set(getattr(b, what)), appeared, vanished)
    seeds = [set(map(str, content.suite.seeds)) for content in (a, b)]
    _note("seeds", seeds[0], seeds[1], appeared, vanished)
    return Comparison(moved, appeared, vanished, _why(a, b, a_env, b_env))


def _moved(before: Numbers, after: Numbers) -> list[Moved]:
    found = []
    for what in before:
        if what not in after or before[what].value == after[what].value:
            continue
        (old, first, _), (new, second, _) = before[what], after[what]
        said = what + _over_others(before[what].over, after[what].over)
        found.append(Moved(said, old, new, new - old, [first, second]))
    return sorted(found, key=lambda one: -abs(one.change))


def _over_others(before: Sequence[str], after: Sequence[str]) -> str:
    """What is said of a mean that is not over the same; nothing, if it is."""
    gone = [name for name in before if name not in after]
    new = [name for name in after if name not in before]
    told = [f"without {some(gone, 3)}"] * bool(gone) + [f"with {some(new, 3)}"] * bool(new)
    return f" ({', '.join(told)})" if told else ""


def _note(what: str, old: set[str], new: set[str], appeared: Names, vanished: Names) -> None:
    for into, names in ((appeared, new - old), (vanished, old - new)):
        if names:
            into[what] = sorted(names)


# The numbers of a release


def _scores(content: Content) -> Iterator[tuple[str, Number]]:
    for cell in content.cells:
        at = f"{cell.encoder} · {cell.arm} · {cell.target} · seed {cell.seed}"
        if cell.score is not None:
            yield at, Number(cell.score, over=list(cell.mains))
        for language, main in cell.mains.items():
            yield f"{at} · {language}", Number(main)


def _gains(content: Content) -> Iterator[tuple[str, Number]]:
    for gain in content.gains:
        at = f"{gain.encoder} · {gain.arm} · {gain.target}"
        yield from _known(at, gain.gain, [*gain.per_language])


def _averages(content: Content) -> Iterator[tuple[str, Number]]:
    for average in content.averages:
        at = f"{average.encoder} · {average.arm}"
        means: dict[str, MeanGain | None] = {
            "average": average.overall,
            "average over the rest": average.rest,
            "average without its own data": average.without_own,
            "average without English": average.zero_shot,
            **average.groups,
        }
        for name, mean in means.items():
            if mean:
                yield from _known(f"{at} · {name}", mean.gain, mean.targets)


def _split(content: Content) -> Iterator[tuple[str, Number]]:
    for split in content.split:
        at, tasks = f"{split.encoder} · easy - hard", [*split.easy.arms, *split.hard.arms]
        contrasts: dict[str, Contrast] = {at: split.overall}
        contrasts |= {f"{at} · {group}": contrast for group, contrast in split.groups.items()}
        for what, contrast in contrasts.items():
            yield from _known(what, contrast.easy_minus_hard, [*contrast.targets, *tasks])


def _known(what: str, number: Estimate, over: list[str]) -> Iterator[tuple[str, Number]]:
    if number.value is not None:
        yield what, Number(number.value, number.interval, over)


def _difficulty(content: Content) -> Iterator[tuple[str, Number]]:
    for row in content.difficulty:
        for name in ("headroom", "pvi_share", "dev"):
            if (value := getattr(row, name)) is not None:
                yield f"{row.encoder} · {row.arm} · {name}", Number(value)


_READ = {
    "scores": _scores,
    "gains": _gains,
    "averages": _averages,
    "split": _split,
    "difficulty": _difficulty,
}


# Why they moved


def _why(a: Content, b: Content, a_env: Sidecar, b_env: Sidecar) -> dict[str, dict[str, list[Any]]]:
    """Reasons that differ, each with what differs, before → after."""
    files = [content.inputs.model_dump(include={"files", "labels_read"}) for content in (a, b)]
    weights = [content.model_dump(include={"encoders"})["encoders"] for content in (a, b)]
    code = [env.get("harness", {}) for env in (a_env, b_env)]
    reasons = {
        "data": _differing(files[0], files[1]) | _in_both("rows: ", _rows_read(a), _rows_read(b)),
        "code": _in_both("", _versions(a), _versions(b)) | _differing(code[0], code[1]),
        "specs": _differing(_specs(a), _specs(b)),
        "encoders": _differing(weights[0], weights[1]),
        "environment": _differing(_environments(a_env), _environments(b_env)),
        "seeds": _differing({"seeds": a.suite.seeds}, {"seeds": b.suite.seeds}),
    }
    return {reason: found for reason, found in reasons.items() if found}


def _differing(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[Any]]:
    """Path → [before, after] where they differ."""
    return {one.path: [_side(one, 0), _side(one, 1)] for one in _apart(old, new)}


def _apart(old: Any, new: Any, at: At = ()) -> Iterator[Difference]:
    """Where they differ. What one side lacks, a task with all its files, is one difference."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        yield from differences(old, new, at)
        return
    for name in {**old, **new}:
        if name in old and name in new:
            yield from _apart(old[name], new[name], (*at, name))
        else:
            yield Difference((*at, name), old.get(name, ABSENT), new.get(name, ABSENT))


def _side(one: Difference, side: int) -> Any:
    """A value of a difference; of hashes the first digits say enough."""
    value = (one.before, one.after)[side]
    if isinstance(value, list):
        return [_cut(entry) for entry in value]
    return _cut(value)


def _cut(value: Any) -> Any:
    return value[:12] if isinstance(value, str) and len(value) == 64 else value


def _in_both(prefix: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[Any]]:
    common = [name for name in old if name in new]
    found = _differing({name: old[name] for name in common}, {name: new[name] for name in common})
    return {prefix + name: values for name, values in found.items()}


def _rows_read(content: Content) -> dict[str, list[str]]:
    """Which rows each kind of job reads, by what it is about: a cap or a split may change where the
    files stay."""
    found: dict[str, set[str]] = {}
    for job in content.jobs.values():
        phase, about = "", ""
        if isinstance(job, TrainJob):
            phase, about = job.spec.phase, "+".join(job.spec.tasks)
        elif isinstance(job, (SelectJob, PviJob, EvaluateJob)):
            about = job.spec.task.family
        name = " ".join(filter(None, (job.kind, phase, about)))
        found.setdefault(name, set()).add(job.data)
    return {name: sorted(references) for name, references in found.items()}


def _versions(content: Content) -> dict[str, int]:
    """Result versions of job kinds, families, metrics and readers."""
    said = content.inputs.versions.model_dump(exclude={"world_size"})
    names = {"jobs": "job", "families": "family", "metrics": "metric", "readers": "reader"}
    found = {}
    for kind, table in said.items():
        for name, number in table.items():
            found[f"{names[kind]} {name}"] = number
    return found


def _specs(content: Content) -> dict[str, Any]:
    """All that YAML says of suite, arms and targets."""
    facts = content.model_dump(mode="json", include={"suite", "arms", "targets"})
    for name in ("seeds", "about"):
        del facts["suite"][name]
    for arm in facts["arms"].values():
        del arm["trained"]
    return facts


def _environments(sidecar: Sidecar) -> dict[str, list[Any]]:
    """Each fact about the machines, with all values it has in a release."""
    found: dict[str, list[Any]] = {}
    for environment in sidecar.get("environments", []):
        for name, value in environment.items():
            if name != "jobs" and value not in found.setdefault(name, []):
                found[name].append(value)
    return found


def hardware(before: Sidecar, after: Sidecar) -> str | None:
    """What two sidecars say of unlike hardware, as far as it explains unlike scores; None if they
    name the same or nothing."""
    a, b = (_hardware(sidecar) for sidecar in (before, after))
    both = a | b
    # an old sidecar does not name its processor
    unnamed = "cpu" in both and all(name.startswith("cpu") for name in both)
    if not a or not b or a == b or unnamed:
        return None
    where = f"computed on {' and '.join(sorted(a))}, and on {' and '.join(sorted(b))}: "
    if {name.startswith("cpu") for name in a} == {name.startswith("cpu") for name in b}:
        return (
            where + "sums round otherwise, and a training at a high learning rate may go elsewhere"
        )
    return (
        where + "a GPU draws dropout from a stream of its own, so what was trained differs as with"
        " another seed"
    )


def _hardware(sidecar: Sidecar) -> set[str]:
    """What trained and evaluated: a GPU's name, or "cpu" with its processor where that was
    noted."""
    return {
        " ".join(filter(None, [one.get("device"), one.get("processor")]))
        for one in sidecar.get("environments", [])
        if one.get("device")
    }


# As text


def lines(found: Comparison) -> Iterator[str]:
    """What moved, and why, as text."""
    for kind, changes in found.moved.items():
        yield from _biggest(kind, changes)
    for verb, names in (("appeared", found.appeared), ("vanished", found.vanished)):
        for what, those in names.items():
            which = f"numbers among {what}" if what in KINDS else f"{what}: {some(those, 6)}"
            yield f"{verb}: {len(those)} {which}"
    for reason, differs in found.why.items():
        yield f"{reason} changed:"
        for name, (old, new) in list(differs.items())[:SHOWN]:
            yield f"  {name}: {_text(old)} → {_text(new)}"
        if len(differs) > SHOWN:
            yield f"  … {len(differs) - SHOWN} more"
    if not found.why:
        yield "nothing beside the numbers changed: neither data, code, specs, environment nor seeds"


def _biggest(kind: str, changes: list[Moved]) -> Iterator[str]:
    if changes:
        yield f"{kind}: {len(changes)} moved, by up to {abs(changes[0].change):.2f}"
    for one in changes[:SHOWN]:
        before, after = f"{one.before:.2f}", f"{one.after:.2f}"
        first, second = map(_interval, one.intervals)
        yield f"  {one.change:+8.2f}  {one.what}: {before}{first} → {after}{second}"
    if len(changes) > SHOWN:
        yield f"            … {len(changes) - SHOWN} smaller ones"


def _interval(interval: Interval) -> str:
    return f" [{signed(interval[0])}, {signed(interval[1])}]" if interval else ""


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return f"{sum(1 for _ in leaves(value))} values"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    if value is None:
        text = "–"
    return text if len(text) <= 60 else f"{text[:57]}..."
