"""Gains by what a language is like: its family, its script, and how much of its text the encoder's
vocabulary lacks."""

from statistics import fmean
from typing import Literal, get_args

from harness.release.schema_derived import Slice
from harness.spec.languages import ENGLISH
from harness.statistics.measured import mean_of
from harness.statistics.study import Study

# share of pieces not in the vocabulary: (below this, name)
BUCKETS = ((0.01, "under 1%"), (0.05, "1-5%"), (0.25, "5-25%"), (float("inf"), "over 25%"))
By = Literal["family", "script", "unknown"]
Point = tuple[str, str]  # target, language


def slices(study: Study) -> list[Slice]:
    """Mean gain over (target, language) pairs by language family, script, and share of unknown
    pieces in the baseline's input.

    Over the headline targets of which the arm's gain is known. Without English: that is what the
    target was trained in.
    """
    found = []
    for arm in study.arms:
        points = _points(study, arm)
        for by in get_args(By):
            groups: dict[str, list[Point]] = {}
            for point in points:
                groups.setdefault(_value(study, by, *point), []).append(point)
            for name in sorted(groups, key=_place if by == "unknown" else None):
                found.append(_slice(study, arm, by, name, groups[name]))
    return found


def _points(study: Study, arm: str) -> list[Point]:
    return [
        (target, language)
        for target in study.known_targets(arm, study.headline)
        for language in study.gains[arm, target].by_language
        if language != ENGLISH
    ]


def _slice(study: Study, arm: str, by: By, value: str, points: list[Point]) -> Slice:
    gains = [study.gains[arm, target].by_language[language] for target, language in points]
    average = mean_of(gains)
    assert average is not None, "a slice has a point"
    return Slice(
        encoder=study.encoder,
        arm=arm,
        by=by,
        slice=value,
        gain=average.estimate,
        languages=sorted({language for _, language in points}),
        points=len(points),
    )


def _value(study: Study, by: By, target: str, language: str) -> str:
    """Which slice a target's language belongs to."""
    if by == "family":
        return study.known.languages[language].family
    if by == "script":
        return study.known.languages[language].script
    # the baseline's share, so that a language is in the same slice for every arm
    cells = study.cells_of(study.baseline, target).values()
    given = [cell.languages[language] for cell in cells if language in cell.languages]
    share = fmean(scores.unknown for scores in given)
    return next(name for below, name in BUCKETS if share < below)


def _place(bucket: str) -> int:
    return [name for _, name in BUCKETS].index(bucket)
