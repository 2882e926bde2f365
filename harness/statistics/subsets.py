"""Parts and controls of one task against each other: is it what the rows say, or how many there
are?"""

from collections.abc import Mapping, Sequence
from itertools import combinations

from harness.release.schema_derived import ArmDifference, Subsets
from harness.statistics.arrows import arrow
from harness.statistics.averages import tested
from harness.statistics.difficulty import rows_trained
from harness.statistics.intervals import holm
from harness.statistics.study import Study

LABELS = (
    "easiest",
    "hardest",
    "ambiguous",
    "random",
    "shuffled_labels",
    "masked_lm",
    "variant",
    "all",
)


def subsets(study: Study) -> list[Subsets]:
    """Per task with subsets or controls: average gains compared two by two, Holm within the task.

    Only arms that trained on as many rows are compared: parts with parts, controls with the whole.
    Over the headline targets whose gain is known in both. `difference` is a's average gain minus
    b's, paired by row and by seed.
    """
    groups: dict[str, list[str]] = {}
    for arm in study.arms:
        facts = study.known.arms[arm]
        if facts.of and facts.kind in ("task", "subset", "control"):
            groups.setdefault(facts.of, []).append(arm)
    found = []
    for of, arms in sorted(groups.items()):
        kinds = {study.known.arms[arm].kind for arm in arms}
        if kinds != {"task"}:
            found.append(_compared(study, of, _labelled(study, arms)))
    return found


def _labelled(study: Study, arms: Sequence[str]) -> dict[str, str]:
    """label → arm, in the order of LABELS; where two arms share one, the arm's name is added to
    it."""
    labels = {arm: _label(study, arm) for arm in arms}
    shared = [label for label in labels.values() if list(labels.values()).count(label) > 1]
    found = {}
    for arm in sorted(arms, key=lambda arm: (_place(labels[arm]), arm)):
        label = labels[arm]
        found[f"{label} ({arm})" if label in shared else label] = arm
    return found


def _label(study: Study, arm: str) -> str:
    facts = study.known.arms[arm]
    return facts.control or (facts.subset.keep if facts.subset else "all")


def _place(label: str) -> int:
    return LABELS.index(label) if label in LABELS else len(LABELS)


def _compared(study: Study, of: str, arms: Mapping[str, str]) -> Subsets:
    rows = {label: rows_trained(study.known, study.encoder, arm) for label, arm in arms.items()}
    found = []
    # two by two, but for arms that differ in how many rows they saw as well as in which
    for a, b in combinations(arms, 2):
        if rows[a] == rows[b]:
            found += _difference(study, arms, a, b)
    return Subsets(
        encoder=study.encoder,
        of=of,
        arms=dict(arms),
        rows=rows,
        comparisons=_corrected(found),
    )


def _difference(study: Study, arms: Mapping[str, str], a: str, b: str) -> list[ArmDifference]:
    """One entry; none where the two share no target."""
    targets = study.known_targets(arms[a], study.known_targets(arms[b], study.headline))
    mine, other = (study.average(arms[label], targets) for label in (a, b))
    if not mine or not other:
        return []
    return [ArmDifference(a=a, b=b, targets=targets, difference=tested(mine - other))]


def _corrected(found: Sequence[ArmDifference]) -> list[ArmDifference]:
    ps = [one.difference.p for one in found]
    qs = iter(holm([p for p in ps if p is not None]))
    corrected = []
    for one in found:
        if one.difference.p is not None:
            one = one.model_copy(update={"difference": arrow(one.difference, next(qs))})
        corrected.append(one)
    return corrected
