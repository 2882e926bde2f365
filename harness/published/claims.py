"""Level 3, rerun at scale: does a release agree with what a paper says, by a margin that was set
before the run?

Two one-sided tests at 2.5% each (Schuirmann 1987; Lakens 2017): the release's 95% interval lies
wholly within the margin around the printed number (holds), wholly outside (fails), or neither
(inconclusive). Which interval: the wider of the one over test examples and the one over seeds, so
with fewer than three seeds nothing is concluded where anything was trained.

A claim is about one experiment, so a release that has other targets, arms, seeds or recipes than
the suite's YAML concludes nothing. The board leaves a gain out where the intermediate shares its
rows with the target (MNLI before XNLI, SQuAD before XQuAD and MLQA); the paper counts it, so claims
do. What leaked or was not learned counts nowhere.
"""

import json
from statistics import fmean
from typing import NamedTuple

from harness.published.arithmetic import bounds
from harness.published.numbers import Check, Claim, Published
from harness.published.verdict import Outcome, Verdict
from harness.statistics.bootstrap import replicate_scores
from harness.statistics.gains import EXCLUDING, measure
from harness.statistics.intervals import interval, t_interval
from harness.statistics.study import Study, averaged

COUNTS_HERE = {"shared"}
# Of a suite, what its numbers follow from.
DECIDES = ("version", "seeds", "protocol", "caps", "task_caps", "cuts", "recipes", "settings")


class Sure(NamedTuple):
    """A number with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


class Committed(NamedTuple):
    """What a suite's YAML says: its facts (`collect.suite_facts`), its arms and targets by the
    names that a release shows."""

    suite: dict
    arms: set[str]
    targets: set[str]


class Unknown(Exception):
    """The release cannot answer; the message says what it lacks."""


def claimed(
    check: Check,
    document: Published,
    content: dict,
    name: str,
    studies: dict[str, Study],
    committed: Committed | None,
) -> Verdict:
    """The verdict of a `claim` check over a release's content (of the present schema, see
    `leaderboard.upgrade`).

    studies    the release's encoders as measured for claims; filled here, for the next claim over
               it
    committed  what the suite's YAML says; None where there is no such suite
    """
    claim = check.claim
    try:
        _as_committed(claim, content, committed)
        if claim.encoder not in content["encoders"]:
            raise Unknown(f"{name} has no encoder {claim.encoder}")
        if claim.encoder not in studies:
            studies[claim.encoder] = study = Study.of(content, content["cells"], claim.encoder)
            measure(study, EXCLUDING - COUNTS_HERE)
        if claim.printed:
            low, high = bounds(claim.printed, document)
            outcome, says = _within(
                _number(claim, studies[claim.encoder]), float(low + high) / 2, claim.margin
            )
        else:
            outcome, says = _KINDS[claim.kind](claim, studies[claim.encoder])
    except Unknown as why:
        return Verdict(check, "inconclusive", str(why))
    return Verdict(check, outcome, f"{says} ({name})")


def _as_committed(claim: Claim, content: dict, committed: Committed | None) -> None:
    """Unknown if the release is of another experiment than the suite's YAML: a part of it, it with
    tasks of the user's own, or one with other settings."""
    if committed is None:
        raise Unknown(f"not the suite as committed: no suite is called {claim.suite} here")
    # an arm may be called as a target is
    suite, targets, arms = content["suite"], set(content["targets"]), set(content["arms"])
    without, beyond = (
        (committed.targets - targets) | (committed.arms - arms),
        (targets - committed.targets) | (arms - committed.arms),
    )
    differs = {
        "left out": suite["left_out"],
        "without": sorted(without),
        "beyond it": sorted(beyond),
    }
    differs["other"] = [
        name for name in DECIDES if _deciding(suite, name) != _deciding(committed.suite, name)
    ]
    if said := [f"{what} {', '.join(names)}" for what, names in differs.items() if names]:
        raise Unknown(f"not the suite as committed: {'; '.join(said)}")


def _deciding(suite: dict, name: str) -> object:
    """A fact of a suite as JSON has it, without the words for its reader."""
    value = json.loads(json.dumps(suite.get(name)))
    return (
        {task: {**cut, "why": None} for task, cut in value.items()}
        if name == "cuts" and value
        else value
    )


def _within(found: Sure, printed: float, margin: float) -> tuple[Outcome, str]:
    low, high = printed - margin, printed + margin
    inside, outside = low <= found.low and found.high <= high, found.high < low or found.low > high
    outcome = "holds" if inside else "fails" if outside else "inconclusive"
    return outcome, f"{found}, printed {printed:+.1f} within {margin:g}"


def _number(claim: Claim, study: Study) -> Sure:
    """The number that stands beside the printed one."""
    if claim.kind == "gain":
        return _sure(*_average(study, _arm(claim.arm, study)))
    return _best(claim, study.content) if claim.kind == "best" else _score(claim, study)


def _average(
    study: Study, arm: str, than: str | None = None
) -> tuple[float, list[float], list[float] | None]:
    """(average gain over all targets, interval over test examples, over seeds) of an arm, or of it
    minus that of another."""
    for one in filter(None, (arm, than)):
        if left := set(study.content["targets"]) - set(study.counted(one)):
            raise Unknown(
                f"the average of {one} leaves out {', '.join(sorted(left))}, so it is not the"
                " paper's"
            )
    targets = sorted(study.content["targets"])
    (value, drawn), seeds = study.average(arm, targets), study.per_seed(arm, targets)
    if than:
        (other, others), of = study.average(than, targets), study.per_seed(than, targets)
        value, drawn, seeds = (
            value - other,
            drawn - others,
            {seed: seeds[seed] - of[seed] for seed in seeds if seed in of},
        )
    return value, interval(drawn), t_interval(list(seeds.values()))


def _best(claim: Claim, content: dict) -> Sure:
    rows = [row for row in content["best"] if row["encoder"] == claim.encoder]
    whole = next((row for row in rows if row["target"] is None), None)
    chosen = {row["target"]: row for row in rows if row["target"] and row["arm"]}
    if whole is None or whole["gain"] is None or set(chosen) != set(content["targets"]):
        raise Unknown("no best arm is known for every target")
    gains = {
        (row["arm"], row["target"]): row["per_seed"]
        for row in content["gains"]
        if row["encoder"] == claim.encoder
    }
    seeds = [str(seed) for seed in content["suite"]["seeds"]]
    per_seed = [0.0] * len(seeds)
    for target, row in chosen.items():
        if content["arms"][row["arm"]]["kind"] == "baseline":
            continue  # which gains nothing, with every seed
        known = gains[row["arm"], target]
        if lacking := [seed for seed in seeds if seed not in known]:
            raise Unknown(f"{row['arm']} on {target} has no gain with seed {', '.join(lacking)}")
        # Where half of the rows chose, the gain is the other half's; how seeds spread around it is
        # known from all rows.
        shift = row["gain"] - fmean(known[seed] for seed in seeds)
        per_seed = [
            sum_ + (known[seed] + shift) / len(chosen)
            for sum_, seed in zip(per_seed, seeds, strict=True)
        ]
    return _sure(whole["gain"], whole["interval"], t_interval(per_seed))


def _score(claim: Claim, study: Study) -> Sure:
    """The baseline's score on one target, and how sure it is: over seeds by Student's t, over test
    examples by their bootstrap (not by the release's `stderr`, which is that of the score above a
    null predictor)."""
    (target,) = _targets(claim, study.content)
    cells = {
        (arm, seed): c
        for (arm, t, seed), c in study.cells.items()
        if (arm, t) == (study.baseline, target)
    }
    if not cells or any(cell["score"] is None for cell in cells.values()):
        raise Unknown(f"{target} has no score")
    facts, keys = study.content["targets"][target], list(cells)
    languages = [
        lang
        for lang in facts["languages"]
        if all("main" in cell["languages"].get(lang, {}) for cell in cells.values())
    ]
    drawn = replicate_scores(
        target,
        facts["metric"],
        languages,
        facts["parallel"],
        lambda lang: study.read(target, lang, keys),
    )
    examples = interval(averaged([averaged(drawn[language]) for language in sorted(drawn)]))
    scores = [cell["score"] for cell in cells.values()]
    return _sure(fmean(scores), examples, t_interval(scores) if facts["trained"] else examples)


def _most(claim: Claim, study: Study) -> tuple[Outcome, str]:
    chosen, pairs = _targets(claim, study.content), {}
    for arm in claim.arms:
        found = {target: _gain(study, arm, target) for target in study.content["targets"]}
        rest = [target for target in found if target not in chosen]
        pairs |= {
            (arm, target, other): (found[target], found[other])
            for target in chosen
            for other in rest
        }
    if not pairs:
        raise Unknown(
            "all targets of the release are named, so there is none that they could gain more than"
        )
    # the pair with the least room, and the one in which the other target is the furthest above
    apart, (arm, target, rival) = min(
        (mine.low - other.high, at) for at, (mine, other) in pairs.items()
    )
    above, (by, below, first) = max(
        (other.low - mine.high, at) for at, (mine, other) in pairs.items()
    )
    if above > 0:
        return "fails", f"{by}, {first} above {below} by {above:+.1f} or more"
    return (
        "holds" if apart > 0 else "inconclusive"
    ), f"closest: {arm}, {target} above {rival} by {apart:+.1f} or more"


def _consistent(claim: Claim, study: Study) -> tuple[Outcome, str]:
    found = [
        (arm, t, _gain(study, arm, t)) for arm in claim.arms for t in _targets(claim, study.content)
    ]
    arm, target, least = min(found, key=lambda entry: entry[2].low)
    fails = any(sure.high < 0 for *_, sure in found)
    return (
        "fails" if fails else "holds" if least.low > 0 else "inconclusive"
    ), f"least: {arm} on {target}, {least}"


def _none(claim: Claim, study: Study) -> tuple[Outcome, str]:
    pairs = [(arm, target) for arm in claim.arms for target in _targets(claim, study.content)]
    return _at_most(
        {f"{arm} on {target}": _gain(study, arm, target) for arm, target in pairs}, claim.margin
    )


def _no_better(claim: Claim, study: Study) -> tuple[Outcome, str]:
    than = _arm(claim.than, study)
    arms = [_arm(name, study) for name in claim.arms]
    return _at_most(
        {f"{arm} minus {than}": _sure(*_average(study, arm, than)) for arm in arms}, claim.margin
    )


def _at_most(found: dict[str, Sure], margin: float) -> tuple[Outcome, str]:
    """Whether none of these numbers, by what they are called, is above `margin`."""
    name = max(found, key=lambda name: found[name].high)
    fails = any(sure.low > margin for sure in found.values())
    outcome = "fails" if fails else "holds" if found[name].high <= margin else "inconclusive"
    return outcome, f"most: {name}, {found[name]}, at most {margin:g} is claimed"


_KINDS = {"most": _most, "consistent": _consistent, "none": _none, "no_better": _no_better}


def _gain(study: Study, arm: str, target: str) -> Sure:
    gain = study.gains.get((_arm(arm, study), target))
    if gain is None:
        raise Unknown(f"the release has no {arm} on {target}")
    if gain["gain"] is None or not gain["counted"]:
        raise Unknown(
            f"the gain of {arm} on {target} does not count"
            f" ({', '.join(gain['flags']) or 'no score'})"
        )
    return _sure(gain["gain"], gain["interval"], gain["seed_interval"])


def _sure(value: float, examples: list[float] | None, seeds: list[float] | None) -> Sure:
    if examples is None or seeds is None:
        raise Unknown(f"{value:+.1f}, but fewer than three seeds: nothing is concluded")
    return Sure(value, min(examples[0], seeds[0]), max(examples[1], seeds[1]))


def _arm(name: str, study: Study) -> str:
    if name not in study.arms:
        raise Unknown(f"the release has no arm {name}")
    return name


def _targets(claim: Claim, content: dict) -> list[str]:
    """The release's names of the claim's tasks (a cut task is called `task@LABEL`)."""
    named = {facts["task"]: target for target, facts in content["targets"].items()}
    missing = [task for task in claim.targets if task not in named]
    if missing:
        raise Unknown(f"the release has no target {', '.join(missing)}")
    return [named[task] for task in claim.targets]
