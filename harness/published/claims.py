"""Level 3, rerun at scale: does a release agree with what a paper says, by a margin that was set before the run?

Two one-sided tests at 2.5% each (Schuirmann 1987; Lakens 2017): the release's 95% interval lies wholly within the margin
around the printed number (holds), wholly outside (fails), or neither (inconclusive). Which interval: the wider of the one
over test examples and the one over seeds, so with fewer than three seeds nothing is concluded where anything was trained.
"""

from statistics import fmean
from typing import NamedTuple

from harness.leaderboard.gains import measure
from harness.leaderboard.statistics import interval, t_interval
from harness.leaderboard.study import Study
from harness.published.arithmetic import bounds
from harness.published.spec import Check, Claim, Published
from harness.published.verdict import Outcome, Verdict

NORMAL = 1.96  # 97.5% point, for the mean of many languages' scores


class Sure(NamedTuple):
    """A number with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


class Unknown(Exception):
    """The release cannot answer; the message says what it lacks."""


def claimed(check: Check, document: Published, content: dict, name: str) -> Verdict:
    """The verdict of a `claim` check over a release's content (of the present schema, see `leaderboard.upgrade`)."""
    claim = check.claim
    try:
        if claim.encoder not in content["encoders"]:
            raise Unknown(f"{name} has no encoder {claim.encoder}")
        if claim.printed:
            low, high = bounds(claim.printed, document)
            outcome, says = _within(_number(claim, content), float(low + high) / 2, claim.margin)
        else:
            outcome, says = _KINDS[claim.kind](claim, content)
    except Unknown as why:
        return Verdict(check, "inconclusive", str(why))
    return Verdict(check, outcome, f"{says} ({name})")


def _within(found: Sure, printed: float, margin: float) -> tuple[Outcome, str]:
    low, high = printed - margin, printed + margin
    inside, outside = low <= found.low and found.high <= high, found.high < low or found.low > high
    outcome = "holds" if inside else "fails" if outside else "inconclusive"
    return outcome, f"{found}, printed {printed:+.1f} within {margin:g}"


def _number(claim: Claim, content: dict) -> Sure:
    """The number that stands beside the printed one."""
    if claim.kind == "gain":
        row = _row(content["averages"], claim, arm=_arm(claim.arm, content))
        counted, all_of = row["targets"], list(content["targets"])
        if row["average_gain"] is None or len(counted) < len(all_of):
            left = ", ".join(sorted(set(all_of) - set(counted)))
            raise Unknown(f"the average leaves out {left}, so it is not the paper's")
        return _sure(row["average_gain"], row["interval"], row["seed_interval"])
    return _best(claim, content) if claim.kind == "best" else _score(claim, content)


def _best(claim: Claim, content: dict) -> Sure:
    rows = [row for row in content["best"] if row["encoder"] == claim.encoder]
    whole = next((row for row in rows if row["target"] is None), None)
    chosen = {row["target"]: row["arm"] for row in rows if row["target"] and row["arm"]}
    if whole is None or whole["gain"] is None or set(chosen) != set(content["targets"]):
        raise Unknown("no best arm is known for every target")
    gains = {(row["arm"], row["target"]): row["per_seed"] for row in content["gains"] if row["encoder"] == claim.encoder}
    seeds = [str(seed) for seed in content["suite"]["seeds"]]
    per_seed = [fmean(gains.get((arm, target), {}).get(seed, 0.0) for target, arm in chosen.items()) for seed in seeds]
    return _sure(whole["gain"], whole["interval"], t_interval(per_seed))


def _score(claim: Claim, content: dict) -> Sure:
    """The baseline's score on one target: over seeds by Student's t, over test examples by the languages' standard errors."""
    (target,) = _targets(claim, content)
    baseline = next(arm for arm, facts in content["arms"].items() if facts["kind"] == "baseline")
    cells = [c for c in content["cells"] if (c["encoder"], c["arm"], c["target"]) == (claim.encoder, baseline, target)]
    if any(cell["score"] is None for cell in cells):
        raise Unknown(f"{target} has no score")
    value = fmean(cell["score"] for cell in cells)
    errors = [said["stderr"] for said in cells[0]["languages"].values()]
    half = NORMAL * sum(error**2 for error in errors) ** 0.5 / len(errors)
    examples = [value - half, value + half]
    trained = content["targets"][target]["trained"]
    return _sure(value, examples, t_interval([cell["score"] for cell in cells]) if trained else examples)


def _most(claim: Claim, content: dict) -> tuple[Outcome, str]:
    chosen, weakest = _targets(claim, content), []
    for arm in claim.arms:
        found = {target: _gain(claim, content, arm, target) for target in content["targets"]}
        rest = {target: sure for target, sure in found.items() if target not in chosen}
        for target in chosen:
            rival = max(rest, key=lambda other: rest[other].high)
            weakest.append((found[target].low - rest[rival].high, found[target].high - rest[rival].low, arm, target, rival))
    apart, at_best, arm, target, rival = min(weakest)
    says = f"closest: {arm}, {target} above {rival} by {apart:+.1f} or more"
    return "holds" if apart > 0 else "fails" if at_best < 0 else "inconclusive", says


def _consistent(claim: Claim, content: dict) -> tuple[Outcome, str]:
    found = [(arm, t, _gain(claim, content, arm, t)) for arm in claim.arms for t in _targets(claim, content)]
    arm, target, least = min(found, key=lambda entry: entry[2].low)
    fails = any(sure.high < 0 for *_, sure in found)
    return "fails" if fails else "holds" if least.low > 0 else "inconclusive", f"least: {arm} on {target}, {least}"


def _none(claim: Claim, content: dict) -> tuple[Outcome, str]:
    pairs = [(arm, target) for arm in claim.arms for target in _targets(claim, content)]
    return _at_most({f"{arm} on {target}": _gain(claim, content, arm, target) for arm, target in pairs}, claim.margin)


def _no_better(claim: Claim, content: dict) -> tuple[Outcome, str]:
    study = Study.of(content, content["cells"], claim.encoder)
    measure(study)
    than, found = _arm(claim.than, content), {}
    for arm in (_arm(name, content) for name in claim.arms):
        targets = study.common_of([arm, than])
        a, b = study.average(arm, targets), study.average(than, targets)
        if len(targets) < len(content["targets"]) or a is None or b is None:
            raise Unknown(f"{arm} and {than} have no average over all targets")
        mine, other = study.per_seed(arm, targets), study.per_seed(than, targets)
        seeds = t_interval([mine[seed] - other[seed] for seed in mine if seed in other])
        found[f"{arm} minus {than}"] = _sure(a[0] - b[0], interval(a[1] - b[1]), seeds)
    return _at_most(found, claim.margin)


def _at_most(found: dict[str, Sure], margin: float) -> tuple[Outcome, str]:
    """Whether none of these numbers, by what they are called, is above `margin`."""
    name = max(found, key=lambda name: found[name].high)
    fails = any(sure.low > margin for sure in found.values())
    outcome = "fails" if fails else "holds" if found[name].high <= margin else "inconclusive"
    return outcome, f"most: {name}, {found[name]}, at most {margin:g} is claimed"


_KINDS = {"most": _most, "consistent": _consistent, "none": _none, "no_better": _no_better}


def _gain(claim: Claim, content: dict, arm: str, target: str) -> Sure:
    row = _row(content["gains"], claim, arm=_arm(arm, content), target=target)
    if row["gain"] is None or not row["counted"]:
        raise Unknown(f"the gain of {arm} on {target} does not count ({', '.join(row['flags']) or 'no score'})")
    return _sure(row["gain"], row["interval"], row["seed_interval"])


def _sure(value: float, examples: list[float] | None, seeds: list[float] | None) -> Sure:
    if examples is None or seeds is None:
        raise Unknown(f"{value:+.1f}, but fewer than three seeds: nothing is concluded")
    return Sure(value, min(examples[0], seeds[0]), max(examples[1], seeds[1]))


def _row(rows: list[dict], claim: Claim, **wanted: str) -> dict:
    wanted = {"encoder": claim.encoder, **wanted}
    found = next((row for row in rows if all(row[name] == value for name, value in wanted.items())), None)
    if found is None:
        raise Unknown("the release has no " + ", ".join(wanted.values()))
    return found


def _arm(name: str, content: dict) -> str:
    if name not in content["arms"]:
        raise Unknown(f"the release has no arm {name}")
    return name


def _targets(claim: Claim, content: dict) -> list[str]:
    """The release's names of the claim's tasks (a cut task is called `task@LABEL`)."""
    named = {facts["task"]: target for target, facts in content["targets"].items()}
    missing = [task for task in claim.targets if task not in named]
    if missing:
        raise Unknown(f"the release has no target {', '.join(missing)}")
    return [named[task] for task in claim.targets]
