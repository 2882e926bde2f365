"""Average gains over the headline targets, which are the same for every arm."""

from collections.abc import Sequence

from harness.release.schema_derived import Average, MeanGain, Tested
from harness.statistics.measured import Quantity, estimate_of
from harness.statistics.study import Study


def averages(study: Study) -> list[Average]:
    """One entry an arm, before its numbers are tested with the others."""
    return [_average(study, arm) for arm in study.arms]


def tested(number: Quantity | None) -> Tested:
    """As a release says it, before it is tested with the others."""
    return Tested(**dict(estimate_of(number)))


def _average(study: Study, arm: str) -> Average:
    headline = study.headline
    overall = study.average(arm, headline)
    known = study.known_targets(arm, headline)
    own = [target for target in known if study.own_data(arm, target)]
    others = [target for target in known if target not in own]
    groups: dict[str, list[str]] = {}
    for target in headline:
        groups.setdefault(study.group_of(target), []).append(target)
    return Average(
        encoder=study.encoder,
        arm=arm,
        overall=_mean(overall, headline),
        rest=None if overall else _mean(study.average(arm, known), known),
        own_data=own,
        without_own=_mean(study.average(arm, others), others) if own else None,
        zero_shot=_zero_shot(study, arm, headline),
        groups={
            group: _of(study, arm, study.known_targets(arm, targets))
            for group, targets in sorted(groups.items())
        },
        groups_zero_shot={
            group: _zero_shot(study, arm, study.known_targets(arm, targets))
            for group, targets in sorted(groups.items())
        },
    )


def _of(study: Study, arm: str, targets: Sequence[str]) -> MeanGain:
    return _mean(study.average(arm, targets), targets)


def _zero_shot(study: Study, arm: str, targets: Sequence[str]) -> MeanGain:
    """Without English: over those of the targets that have another language."""
    known = study.known_targets(arm, targets)
    others = [target for target in known if study.gains[arm, target].zero_shot]
    return _mean(study.average(arm, targets, zero_shot=True), others)


def _mean(number: Quantity | None, targets: Sequence[str]) -> MeanGain:
    return MeanGain(gain=tested(number), targets=list(targets) if number else [])
