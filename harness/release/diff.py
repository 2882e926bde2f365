"""What moved between two releases, by how much, and why: data, code, recipes, environment or seeds.

Numbers are compared as they stand, across schemas too (`upgrade`). A reason is whatever differs
beside the numbers.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from harness.common.text import signed
from harness.release.evidence import WITH_EVIDENCE
from harness.release.upgrade import upgraded
from harness.statistics.averages import elsewhere, split_elsewhere
from harness.store import key_of

SHOWN = 15  # lines of one kind in the text
KINDS = ("scores", "gains", "averages", "split", "difficulty")
_NOT_SAID = (".parallel", ".max_length")  # facts that old schemas lack


class Moved(NamedTuple):
    """One number in both releases: which, its two values, their difference, and both 95% intervals
    where there are such."""

    what: str
    before: float
    after: float
    change: float
    intervals: list


def diff(a: dict, b: dict, a_env: dict, b_env: dict) -> dict:
    """Two releases (content, sidecar each), ready for JSON.

    same      whether the contents are equal
    moved     KINDS → numbers that differ, largest change first: {what, before, after, change,
              intervals: [before, after]}
    appeared, vanished   arms, targets, languages, seeds, encoders → names; `numbers` → those known
                         in one release only
    why       reason → what differs: name → [before, after]
    unknown   reasons of which a release of an old schema says nothing
    """
    if key_of(a) == key_of(b):
        return {"same": True, "moved": {}, "appeared": {}, "vanished": {}, "why": {}, "unknown": []}
    old, new = upgraded(a), upgraded(b)
    moved, appeared, vanished = {}, {}, {}
    for kind in KINDS:
        before, after = dict(_READ[kind](old)), dict(_READ[kind](new))
        changes = [
            Moved(
                name,
                before[name][0],
                after[name][0],
                after[name][0] - before[name][0],
                [before[name][1], after[name][1]],
            )
            for name in before
            if name in after and before[name][0] != after[name][0]
        ]
        moved[kind] = [change._asdict() for change in sorted(changes, key=lambda m: -abs(m.change))]
        for into, names in ((appeared, after.keys() - before), (vanished, before.keys() - after)):
            if names:
                into.setdefault("numbers", {})[kind] = sorted(names)
    for what in ("encoders", "arms", "targets", "languages", "seeds"):
        before, after = (_names(content, what) for content in (old, new))
        for into, names in ((appeared, after - before), (vanished, before - after)):
            if names:
                into[what] = sorted(names, key=str)
    why, unknown = (
        _why(old, new, a_env, b_env),
        (["code"] if min(a["schema"], b["schema"]) < WITH_EVIDENCE else []),
    )
    if a["schema"] != b["schema"]:
        why["schema"] = {"schema": [a["schema"], b["schema"]]}
    return {
        "same": False,
        "moved": moved,
        "appeared": appeared,
        "vanished": vanished,
        "why": why,
        "unknown": unknown,
    }


def _names(content: dict, what: str) -> set:
    return set(content["suite"]["seeds"] if what == "seeds" else content[what])


def _scores(content: dict) -> Iterator[tuple[str, tuple[float, None]]]:
    for cell in content["cells"]:
        at = f"{cell['encoder']} · {cell['arm']} · {cell['target']} · seed {cell['seed']}"
        numbers = {at: cell["score"]} | {
            f"{at} · {lang}": scored.get("main") for lang, scored in cell["languages"].items()
        }
        yield from ((name, (value, None)) for name, value in numbers.items() if value is not None)


def _gains(content: dict) -> Iterator[tuple[str, tuple[float, list | None]]]:
    for gain in content["gains"]:
        if gain["gain"] is not None:
            yield (
                f"{gain['encoder']} · {gain['arm']} · {gain['target']}",
                (
                    gain["gain"],
                    gain["interval"],
                ),
            )


def _averages(content: dict) -> Iterator[tuple[str, tuple[float, list | None]]]:
    for average in content["averages"]:
        at = f"{average['encoder']} · {average['arm']}"
        for name, interval in (
            ("average_gain", "interval"),
            ("zero_shot", "zero_shot_interval"),
            ("without_retrieval", "without_retrieval_interval"),
        ):
            if average[name] is not None:
                yield f"{at} · {name}", (average[name], average[interval])
        if (other := elsewhere(average)) and other["gain"] is not None:
            yield f"{at} · other tasks' targets", (other["gain"], other["interval"])


def _split(content: dict) -> Iterator[tuple[str, tuple[float, list | None]]]:
    for split in content["split"]:
        numbers = {
            "hard - easy": (split["hard_minus_easy"], split["interval"]),
            "permutation p": (split["permutation_p"], None),
        }
        if other := split_elsewhere(split):
            numbers["hard - easy, other tasks' targets"] = (
                other["hard_minus_easy"],
                other["interval"],
            )
        numbers |= {side: (split[side]["average_gain"], None) for side in ("easy", "hard")}
        yield from (
            (f"{split['encoder']} · {name}", value)
            for name, value in numbers.items()
            if value[0] is not None
        )


def _difficulty(content: dict) -> Iterator[tuple[str, tuple[float, None]]]:
    for row in content["difficulty"]:
        for name in ("headroom", "pvi_share", "dev"):
            if row[name] is not None:
                yield f"{row['encoder']} · {row['arm']} · {name}", (row[name], None)


_READ = {
    "scores": _scores,
    "gains": _gains,
    "averages": _averages,
    "split": _split,
    "difficulty": _difficulty,
}


def _why(a: dict, b: dict, a_env: dict, b_env: dict) -> dict[str, Any]:
    """Reasons that differ, each with what differs, before → after. Of old releases (`upgraded`) the
    jobs are not known."""
    reasons = {
        "data": (
            _differing(a["data"], b["data"], short=True)
            | _named("rows: ", *map(_rows_read, (a, b)))
        ),
        "code": (
            _named("", *map(_versions, (a, b)))
            | _differing(a_env.get("harness", {}), b_env.get("harness", {}))
        ),
        "specs": _differing(_specs(a), _specs(b)),
        "encoders": _differing(_flat(a["encoders"]), _flat(b["encoders"]), short=True),
        "environment": _differing(_environments(a_env), _environments(b_env)),
        "seeds": _differing({"seeds": a["suite"]["seeds"]}, {"seeds": b["suite"]["seeds"]}),
    }
    return {reason: found for reason, found in reasons.items() if found}


def _differing(old: dict, new: dict, short: bool = False) -> dict[str, list]:
    """name → [before, after] where they differ; `short`: of hashes the first digits say enough."""
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    names = [
        name
        for name in names
        if not name.endswith(_NOT_SAID) or None not in (old.get(name), new.get(name))
    ]
    return {
        name: [_cut(one.get(name)) if short else one.get(name) for one in (old, new)]
        for name in names
    }


def _cut(value: Any) -> Any:
    if isinstance(value, list):
        return [_cut(one) for one in value]
    return value[:12] if isinstance(value, str) and len(value) == 64 else value


def _named(prefix: str, old: dict, new: dict) -> dict[str, list]:
    return {
        prefix + name: values
        for name, values in _differing(old, new).items()
        if name in old and name in new
    }


def _rows_read(content: dict) -> dict[str, list[str]]:
    """Which rows each kind of job reads, by what it is about: a cap or a split may change where the
    files stay."""
    found: dict[str, set[str]] = {}
    for job in content.get("jobs", {}).values():
        spec = job["spec"]
        about = (
            "+".join(spec["tasks"])
            if "tasks" in spec
            else spec["task"]["family"]
            if "task" in spec
            else ""
        )
        found.setdefault(
            " ".join(filter(None, (job["kind"], spec.get("phase"), about))), set()
        ).add(job["data"])
    return {name: sorted(references) for name, references in found.items()}


def _versions(content: dict) -> dict[str, list[int]]:
    """Result versions of job kinds, families and metrics; nothing is known of old releases."""
    found: dict[str, set[int]] = {}
    for job in content.get("jobs", {}).values():
        spec = job["spec"]
        parts = (
            list(spec["tasks"].values())
            if "tasks" in spec
            else [spec["task"]]
            if "task" in spec
            else []
        )
        found.setdefault(f"job {job['kind']}", set()).add(job["version"])
        for what in ("family", "metric"):
            for part, number in zip(parts, job[what], strict=False):
                found.setdefault(f"{what} {part[what]}", set()).add(number)
    return {name: sorted(numbers) for name, numbers in sorted(found.items())}


def _specs(content: dict) -> dict[str, Any]:
    """All that YAML says of suite, arms and targets, by path."""
    suite = {
        name: value for name, value in content["suite"].items() if name not in ("seeds", "about")
    }
    arms = {
        arm: {n: v for n, v in facts.items() if n != "trained"}
        for arm, facts in content["arms"].items()
    }
    return _flat({"suite": suite, "arms": arms, "targets": content["targets"]})


def _flat(value: Any, at: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {
            path: leaf
            for name, one in value.items()
            for path, leaf in _flat(one, f"{at}.{name}" if at else name).items()
        }
    return {at: value}


def _environments(sidecar: dict) -> dict[str, list]:
    """Each fact about the machines, with all values it has in a release."""
    found: dict[str, list] = {}
    for environment in sidecar.get("environments", []):
        for name, value in environment.items():
            if name != "jobs" and value not in found.setdefault(name, []):
                found[name].append(value)
    return found


def lines(found: dict, before: str, after: str) -> Iterator[str]:
    """The diff as text. `before`, `after`: how the two releases are called."""
    if found["same"]:
        yield f"{before} and {after}: same content"
        return
    yield f"{before} → {after}"
    for kind, changes in found["moved"].items():
        if changes:
            yield f"{kind}: {len(changes)} moved, by up to {abs(changes[0]['change']):.2f}"
        for change in changes[:SHOWN]:
            known = [f" [{signed(i[0])}, {signed(i[1])}]" if i else "" for i in change["intervals"]]
            what, (old, new) = change["what"], (change["before"], change["after"])
            yield f"  {change['change']:+8.2f}  {what}: {old:.2f}{known[0]} → {new:.2f}{known[1]}"
        if len(changes) > SHOWN:
            yield f"            … {len(changes) - SHOWN} smaller ones"
    for verb in ("appeared", "vanished"):
        for what, names in found[verb].items():
            for kind, some in names.items() if isinstance(names, dict) else [(what, names)]:
                yield f"{verb}: {len(some)} {kind}" + ("" if kind in KINDS else f": {_some(some)}")
    for reason, differs in found["why"].items():
        yield f"{reason} changed:"
        yield from (
            f"  {name}: {_text(old)} → {_text(new)}"
            for name, (old, new) in list(differs.items())[:SHOWN]
        )
        if len(differs) > SHOWN:
            yield f"  … {len(differs) - SHOWN} more"
    for reason in found["unknown"]:
        said = f"since a release before schema {WITH_EVIDENCE} does not name its jobs' versions"
        yield f"{reason}: not known whether it changed, {said}"
    if not found["why"] and not found["unknown"]:
        yield "nothing beside the numbers changed: neither data, code, specs, environment nor seeds"


def _some(names: list) -> str:
    return ", ".join(map(str, names[:6])) + (
        f" and {len(names) - 6} more" if len(names) > 6 else ""
    )


def _text(value: Any) -> str:
    text = (
        "–"
        if value is None
        else ", ".join(map(str, value))
        if isinstance(value, list)
        else str(value)
    )
    return text if len(text) <= 60 else f"{text[:57]}..."
