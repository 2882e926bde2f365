"""What the numbers of a release say, in sentences, and what a reader must know beside them. Never
more than the intervals say."""

from collections.abc import Iterable
from typing import TypedDict

from harness.common.text import signed
from harness.page.tables import (
    MARKS,
    Entry,
    Interval,
    Release,
    between,
    by_both,
    cuts,
    marks,
    tone,
)
from harness.statistics.averages import elsewhere, split_elsewhere
from harness.statistics.bootstrap import REPLICATES
from harness.statistics.gains import SIGNIFICANT


class Answered(TypedDict):
    """What the board answers: the question, help, hurt or unsure, the answer."""

    ask: str
    say: str
    tone: str


Note = tuple[str, list[str]]  # heading, sentences
SMALLEST_P = 2 / (REPLICATES + 1)  # of a gain, before correction
RULES = {
    "declared": "as each task's YAML declares it",
    "median": "hard is above the median headroom of the learned tasks",
    "threshold": "hard is a headroom above {value}",
    "pvi": "hard is below the median share of usable information (PVI)",
}


def verdict(release: Release, encoder: str) -> list[Answered]:
    """One {ask, tone, say} for each question the board answers; tone is help, hurt or unsure."""
    lines = [
        _best_average(release, encoder),
        _pairs(release, encoder),
        _easy_hard(release, encoder),
        _chosen(release, encoder),
    ]
    return [line for line in lines if line]


def _line(ask: str, say: str, interval: Interval = None) -> Answered:
    return {"ask": ask, "say": say, "tone": tone(interval)}


def _mine(release: Release, section: str, encoder: str) -> list[Entry]:
    return [row for row in release.get(section) or [] if row["encoder"] == encoder]


def _shown(release: Release, arm: str) -> str:
    return release["arms"].get(arm, {}).get("shown") or arm


def _best_average(release: Release, encoder: str) -> Answered:
    """The task or mixture that gains most on average; controls and subsets answer other
    questions."""
    ask = "Which intermediate helps most, on average?"
    averages = [a for a in _mine(release, "averages", encoder) if a["average_gain"] is not None]
    kind = {arm: facts.get("kind") or "task" for arm, facts in release["arms"].items()}
    rivals = [a for a in averages if kind[a["arm"]] in ("task", "mixture")]
    if not rivals:
        return _line(ask, "No intermediate has an average gain in this release.")
    best = max(rivals, key=lambda a: float(a["average_gain"]))
    interval, seeds = best.get("interval"), best.get("seed_interval")
    many = f" over {len(best['targets'])} target{'s' * (len(best['targets']) != 1)}"
    say = (
        f"{_shown(release, best['arm'])}, {signed(best['average_gain'])}{between(interval)}"
        f" points{many}: {_beyond_noise(interval, seeds)}"
    )
    if other := elsewhere(best):
        mean = f"{signed(other['gain'])}{between(other['interval'])} points"
        known = mean if other["targets"] else "there are none"
        say += f" Over other tasks' targets ({len(other['targets'])}): {known}."
    ties = [_shown(release, a["arm"]) for a in rivals if a is not best and _tied(a, best)]
    if ties:
        say += f" Tied with {', '.join(ties) if len(ties) <= 3 else f'{len(ties)} others'}."
    if len(rivals) > 1:
        say += f" Being the best of {len(rivals)} flatters it."
    return _line(ask, say, interval if _agree(interval, seeds) else None)


def _tied(average: Entry, other: Entry) -> bool:
    """Whether they share a letter."""
    return bool(set(average.get("tie") or "") & set(other.get("tie") or ""))


def _agree(interval: Interval, seeds: Interval) -> bool:
    """Whether the interval over seeds is known and says the same."""
    return bool(between(seeds)) and tone(seeds) == tone(interval)


def _beyond_noise(interval: Interval, seeds: Interval) -> str:
    """What both intervals say of the best average."""
    if not between(interval):
        return "no interval is known."
    if tone(interval) == "unsure":
        return "its interval contains 0, so not told apart from no effect."
    helps, more = tone(interval) == "help", "more than the noise of the test examples"
    if _agree(interval, seeds):
        return f"{more}." if helps else "even the best one does harm."
    if between(seeds):
        more += f", not more than that of the seeds{between(seeds)}."
    else:
        more += ", on these seeds alone."
    return more if helps else f"even the best one loses, {more}"


def _pairs(release: Release, encoder: str) -> Answered | None:
    """How many gains are more than noise, after correction for their number."""
    counted = [g for g in _mine(release, "gains", encoder) if g["counted"]]
    ask = "Is it more than noise?"
    if not counted:
        return None
    if all(g.get("significant") is None for g in counted):
        return _line(ask, "This release has no intervals: nothing can be told from noise.")
    up = sum(bool(g.get("significant")) and g["gain"] > 0 for g in counted)
    down = sum(bool(g.get("significant")) and g["gain"] < 0 for g in counted)
    say = (
        f"Of {len(counted)} gains that count, {up} {'is' if up == 1 else 'are'} above 0 and {down}"
        " below"
    )
    say += " after correction for the number of tests; the others are not told apart from 0."
    if len(counted) * SMALLEST_P >= SIGNIFICANT:
        say += f" No gain could be: for {len(counted)} tests the bootstrap has too few draws."
    if len(release["suite"]["seeds"]) == 1:
        say += " One seed: how much another seed would change them is not known."
    else:
        say += " That is the noise of the test examples; that of the seeds stands beside each gain."
    if sure := [g for g in counted if between(g["seed_interval"])]:
        both = [g for g in sure if by_both(g)]
        above = sum(tone(g["interval"]) == "help" for g in both)
        say += (
            f" By both intervals, over test examples and over seeds, {len(both)} of {len(sure)}"
            f" leave out 0, {above} of them"
        )
        say += f" above; of so many about {0.05 * len(sure):.0f} would by chance."
    return _line(ask, say)


def _easy_hard(release: Release, encoder: str) -> Answered:
    """Easy against hard: the difference on these tasks, and whether anything follows for tasks in
    general."""
    ask = "Do hard tasks help more than easy ones?"
    split = next(iter(_mine(release, "split", encoder)), None)
    if split is None or split.get("hard_minus_easy") is None:
        return _line(
            ask, "Not known here: there are not both easy and hard tasks that were learned."
        )
    interval = split.get("interval")
    easy, hard = split["easy"], split["hard"]
    say = (
        f"Hard {signed(hard['average_gain'])} ({_tasks(len(hard['arms']))}), easy"
        f" {signed(easy['average_gain'])} ({_tasks(len(easy['arms']))}), hard − easy"
        f" {signed(split['hard_minus_easy'])}{between(interval)}"
    )
    p = split.get("permutation_p")
    seeds = split.get("seed_interval")
    say += _over_seeds(seeds)
    say += f", permutation p over tasks {p:.3f}." if p is not None else "."
    if other := split_elsewhere(split):
        over = _over_seeds(other["seed_interval"])
        say += " Within each target, arms on its own data left out, and then averaged: hard − easy "
        say += f"{signed(other['hard_minus_easy'])}{between(other['interval'])}{over}."
    claim, apart = bool(split.get("claim")), not between(seeds) or tone(seeds) == tone(interval)
    if not claim:
        say += f" {split.get('why') or 'No claim about tasks in general can be made.'}"
    elif tone(interval) == "unsure" or not apart or p is None or p >= 0.05:
        say += " Not told apart from no difference."
    else:
        better = "Hard" if split["hard_minus_easy"] > 0 else "Easy"
        say += f" {better} tasks helped more"
        say += "." if between(seeds) else ", on these seeds."
    return _line(ask, say, interval if claim and apart and p is not None and p < 0.05 else None)


def _over_seeds(seeds: Interval) -> str:
    return f", over seeds{between(seeds)}" if between(seeds) else ""


def _tasks(count: int) -> str:
    return f"{count} task{'s' * (count != 1)}"


def _chosen(release: Release, encoder: str) -> Answered | None:
    """What one gains who picks the intermediate per target without looking at the test."""
    row = next((b for b in _mine(release, "best", encoder) if b["target"] is None), None)
    if row is None or row.get("gain") is None:
        return None
    say = (
        "Picking for each target the intermediate that looks best on rows that are not reported"
        f" gains {signed(row['gain'])}"
    )
    say += (
        f"{between(row.get('interval'))} points on average (the noise of the test examples; that of"
        " the seeds is not in it)."
    )
    return _line("What if I pick per target?", say)


def notes(release: Release, encoder: str, fields: Iterable[list[Entry]]) -> list[Note]:
    """`fields`: the cells of each (arm, target) of this encoder, all
    seeds together."""
    suite, facts = release["suite"], release["encoders"][encoder]
    flags = {flag for cells in fields for flag in marks(cells)}
    used = [mark for flag, mark in MARKS.items() if flag in flags]
    rule = suite.get("split_rule") or {"by": "declared"}
    left_out, waived = suite.get("left_out"), suite.get("waives")
    rows: list[Note] = [
        (
            "Encoder",
            [
                f"{encoder}: pretrained on {facts['pretrained_on']} text.",
                f"Has seen: {', '.join(facts['seen']) or 'nothing known'}.",
            ],
        ),
        ("Seeds", [_seeds(suite["seeds"])]),
        ("Average", _averages(_mine(release, "averages", encoder))),
        (
            "Easy and hard",
            [f"By {rule['by']}: {RULES.get(rule['by'], '').format(value=rule.get('value'))}."],
        ),
        ("Protocol", [_protocol(suite.get("protocol"))]),
        ("Left out", [f"This run did without {', '.join(left_out)}."] if left_out else []),
        (
            "Waived",
            [f"This suite waives the refusal of {', '.join(waived)}."] if waived else [],
        ),
        ("Cuts and caps", cuts(release)),
        ("Marks", [f"{mark} = {meaning}" for mark, meaning in used]),
    ]
    return [row for row in rows if row[1]]


def _seeds(seeds: list[int]) -> str:
    if len(seeds) == 1:
        return "One seed: no seed variance is known."
    return f"Means over {len(seeds)} seeds: {', '.join(map(str, seeds))}."


def _averages(averages: list[Entry]) -> list[str]:
    """Over which targets the averages are."""
    if not averages:
        return []
    targets = ", ".join(averages[0]["targets"]) or "none"
    said = [f"Over the targets that count in every task: {targets}."]
    if any(map(elsewhere, averages)):
        said.append(
            "Other tasks' targets: without those on whose own data an arm trained (marks k and s),"
            " with those that count in every arm but that of their own data; each arm has its own."
        )
    return said


def _protocol(name: str | None) -> str:
    if not name:
        return "The suite's own recipes."
    return f"Recipes, settings and cuts of the protocol {name}."
