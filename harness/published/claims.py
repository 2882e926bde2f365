"""Level 3, rerun at scale: does a release agree with what a paper says, by a margin that was set
before the run?

Two one-sided tests at 2.5% each (Schuirmann 1987; Lakens 2017): the release's 95% interval lies
wholly within the margin around the printed number (holds), wholly outside (fails), or neither
(inconclusive). Of a claim about several numbers all must lie within, and one alone fails it, by its
interval as one of so many. The interval is for other test rows and other seeds, so with fewer than
three seeds nothing is concluded where anything was trained.

A claim is about one experiment, so a release that has other targets, arms, seeds or recipes than
the suite's YAML concludes nothing. A gain counts where the intermediate shares its rows with the
target (MNLI before XNLI, SQuAD before XQuAD and MLQA), as in the paper. What leaked or was not
learned counts nowhere.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from harness.published.arithmetic import bounds
from harness.published.numbers import Check, Claim, Published
from harness.published.verdict import Outcome, Verdict
from harness.release.schema import Concluded, SuiteFacts
from harness.release.schema_derived import Estimate
from harness.statistics.gains import measured
from harness.statistics.hypotheses import Range, Sure, why_unsure
from harness.statistics.intervals import Noise
from harness.statistics.measured import Quantity
from harness.statistics.study import REFUSED, Study

COUNTS_NOWHERE = REFUSED | {"unlearned"}
# Of a suite, what its numbers follow from.
DECIDES = ("version", "seeds", "protocol", "caps", "task_caps", "cuts", "recipes", "settings")


class Committed(NamedTuple):
    """What a suite's YAML says: its facts, its arms and targets by the names that a release
    shows."""

    suite: SuiteFacts
    arms: set[str]
    targets: set[str]


class Unknown(Exception):
    """The release cannot answer; the message says what it lacks."""


def claimed(
    check: Check,
    document: Published,
    content: Concluded,
    name: str,
    studies: dict[str, Study],
    committed: Committed | None,
) -> Verdict:
    """The verdict of a `claim` check over a release's content.

    studies    the release's encoders as measured for claims; filled here, for the next claim over
               it
    committed  what the suite's YAML says; None where there is no such suite
    """
    claim = check.claim
    assert claim, "a claim check"
    try:
        _as_committed(claim, content, committed)
        if claim.encoder not in content.encoders:
            raise Unknown(f"{name} has no encoder {claim.encoder}")
        if claim.encoder not in studies:
            studies[claim.encoder] = measured(Study.of(content, content.cells, claim.encoder))
        if claim.printed:
            low, high = bounds(claim.printed, document)
            found = _number(claim, content, studies[claim.encoder])
            printed, margin = float(low + high) / 2, _margin(claim)
            outcome, says = _within(found, printed, margin)
        else:
            outcome, says = _KINDS[claim.kind](claim, studies[claim.encoder])
    except Unknown as why:
        return Verdict(check, "inconclusive", str(why))
    return Verdict(check, outcome, f"{says} ({name})")


def _as_committed(claim: Claim, content: Concluded, committed: Committed | None) -> None:
    """Unknown if the release is of another experiment than the suite's YAML: a part of it, it with
    tasks of the user's own, or one with other settings."""
    if committed is None:
        raise Unknown(f"not the suite as committed: no suite is called {claim.suite} here")
    # an arm may be called as a target is
    targets, arms = set(content.targets), set(content.arms)
    without = (committed.targets - targets) | (committed.arms - arms)
    beyond = (targets - committed.targets) | (arms - committed.arms)
    read = _read_by(content)
    suite, other = _deciding(content.suite, read), _deciding(committed.suite, read)
    differs = {
        "left out": content.suite.left_out,
        "without": sorted(without),
        "beyond it": sorted(beyond),
        "other": [name for name in DECIDES if suite[name] != other[name]],
    }
    if said := [f"{what} {', '.join(names)}" for what, names in differs.items() if names]:
        raise Unknown(f"not the suite as committed: {'; '.join(said)}")


def _read_by(content: Concluded) -> set[str]:
    """Families, tasks and conditions of a release: what is said of others decides none of its
    numbers."""
    names = {*content.arms}
    for target in content.targets.values():
        names |= {target.task, target.family}
    for arm in content.arms.values():
        names |= {*arm.families, *(arm.intermediate or [])}
    for training in content.evidence.trainings.values():
        names |= {*training.tasks}  # XQuAD's is SQuAD
    return names


def _deciding(suite: SuiteFacts, read: set[str]) -> dict[str, object]:
    """What a suite's numbers follow from, without the words for its reader."""
    facts = suite.model_dump(include=set(DECIDES))
    for cut in facts["cuts"].values():
        cut.pop("why", None)
    recipes = facts["recipes"]
    for holder, table in ((recipes, "families"), (recipes, "tasks"), (facts, "settings")):
        holder[table] = {name: of for name, of in holder[table].items() if name in read}
    return facts


def _margin(claim: Claim) -> float:
    assert claim.margin is not None, "claims of this kind have one"
    return claim.margin


def _within(found: Sure, printed: float, margin: float) -> tuple[Outcome, str]:
    outcome, _ = _judged({"": found}, Range(printed - margin, printed + margin))
    return outcome, f"{found}, printed {printed:+.1f} within {margin:g}"


def _judged(found: Mapping[str, Sure], asked: Range) -> tuple[Outcome, str]:
    """The outcome, and the number that decides it."""
    verdict, name = asked.verdict(found)
    says = f"{name}, {found[name]}"
    if verdict == "undecided" and (doubt := asked.doubt(found, name)):
        says += f", {doubt}"
    return ("inconclusive" if verdict == "undecided" else verdict), says


def _number(claim: Claim, content: Concluded, study: Study) -> Sure:
    """The number that stands beside the printed one."""
    if claim.kind == "gain":
        assert claim.arm, "a gain is a condition's"
        return _sure_of(_average(study, _arm(claim.arm, study)))
    return _best(claim, content, study) if claim.kind == "best" else _score(claim, study)


def _average(study: Study, arm: str) -> Quantity:
    """An arm's average gain over all targets."""
    targets = sorted(study.known.targets)
    left = {target for target in targets if _uncounted(study, arm, target)}
    average = study.average(arm, targets)
    if average is None or left:
        raise Unknown(
            f"the average of {arm} leaves out {', '.join(sorted(left))}, so it is not the paper's"
        )
    return average


def _uncounted(study: Study, arm: str, target: str) -> bool:
    gain = study.gain(arm, target)
    return gain is None or gain.gain.value is None or bool(COUNTS_NOWHERE & set(gain.flags))


def _best(claim: Claim, content: Concluded, study: Study) -> Sure:
    rows = [row for row in content.best if row.encoder == claim.encoder]
    whole = next((row for row in rows if row.target is None), None)
    chosen = {row.target: row.arm for row in rows if row.target and row.arm}
    if whole is None or whole.gain.value is None or set(chosen) != set(content.targets):
        raise Unknown("no best condition is known for every target")
    for target, arm in chosen.items():
        gain = study.gain(arm, target)
        if gain and (lacking := {*map(str, content.suite.seeds)} - gain.per_seed.keys()):
            raise Unknown(f"{arm} on {target} has no gain with seed {', '.join(sorted(lacking))}")
    return _sure(whole.gain, [])  # it is the only number


def _score(claim: Claim, study: Study) -> Sure:
    """The baseline's score on one target."""
    (target,) = _targets(claim, study)
    score = study.scores.get(target)
    if score is None:
        raise Unknown(f"{target} has no score")
    return _sure_of(score)


def _most(claim: Claim, study: Study) -> tuple[Outcome, str]:
    chosen = _targets(claim, study)
    rest = [target for target in study.known.targets if target not in chosen]
    if not rest:
        raise Unknown(
            "all targets of the release are named, so there is none that they could gain more than"
        )
    found = {}
    for arm in claim.arms:
        gains = {target: _gain(study, arm, target) for target in study.known.targets}
        for target in chosen:
            for other in rest:
                found[f"{arm}, {target} above {other}"] = _sure_of(gains[target] - gains[other])
    outcome, least = _judged(found, Range(above=0))
    return outcome, f"least: {least}"


def _consistent(claim: Claim, study: Study) -> tuple[Outcome, str]:
    outcome, least = _judged(_each(claim, study), Range(above=0))
    return outcome, f"least: {least}"


def _none(claim: Claim, study: Study) -> tuple[Outcome, str]:
    return _at_most(_each(claim, study), _margin(claim))


def _each(claim: Claim, study: Study) -> dict[str, Sure]:
    """The gain of each of its conditions on each of its targets."""
    return {
        f"{arm} on {target}": _sure_of(_gain(study, arm, target))
        for arm in claim.arms
        for target in _targets(claim, study)
    }


def _no_better(claim: Claim, study: Study) -> tuple[Outcome, str]:
    assert claim.than, "one condition is no better than another"
    than, arms = _arm(claim.than, study), [_arm(name, study) for name in claim.arms]
    found = {}
    for arm in arms:
        found[f"{arm} minus {than}"] = _sure_of(_average(study, arm) - _average(study, than))
    return _at_most(found, _margin(claim))


def _at_most(found: Mapping[str, Sure], margin: float) -> tuple[Outcome, str]:
    """Whether none of these numbers, by what they are called, is above `margin`."""
    outcome, most = _judged(found, Range(below=margin))
    return outcome, f"most: {most}, at most {margin:g} is claimed"


_KINDS: dict[str, Callable[[Claim, Study], tuple[Outcome, str]]] = {
    "most": _most,
    "consistent": _consistent,
    "none": _none,
    "no_better": _no_better,
}


def _gain(study: Study, arm: str, target: str) -> Quantity:
    found = study.gains.get((_arm(arm, study), target))
    if found is None:
        raise Unknown(f"the release has no {arm} on {target}")
    if _uncounted(study, arm, target) or found.whole is None:
        flags = ", ".join(found.said.flags) or "no score"
        raise Unknown(f"the gain of {arm} on {target} does not count ({flags})")
    return found.whole


def _sure_of(number: Quantity) -> Sure:
    return _sure(number.estimate, number.parts)


def _sure(number: Estimate, errors: Sequence[Noise]) -> Sure:
    if why := why_unsure(number):
        raise Unknown(why)
    return Sure.of(number, errors)


def _arm(name: str, study: Study) -> str:
    if name not in study.arms:
        raise Unknown(f"the release has no condition {name}")
    return name


def _targets(claim: Claim, study: Study) -> list[str]:
    """The release's names of the claim's tasks (a cut task is called `task@LABEL`)."""
    named = {facts.task: target for target, facts in study.known.targets.items()}
    missing = [task for task in claim.targets if task not in named]
    if missing:
        raise Unknown(f"the release has no target {', '.join(missing)}")
    return [named[task] for task in claim.targets]
