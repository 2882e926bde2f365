"""Encoders side by side: what each scores without an intermediate, and by how much it differs from
the first."""

from collections.abc import Mapping, Sequence

from harness.release.schema_derived import TargetScore
from harness.statistics.averages import tested
from harness.statistics.measured import Quantity, estimate_of, mean_of

Scores = Mapping[str, Quantity]  # target → a baseline's score
Headlines = Mapping[str, Sequence[str]]  # encoder → its headline targets


def target_scores(scores: Mapping[str, Scores], headlines: Headlines) -> list[TargetScore]:
    """One entry a target, and one for the mean over an encoder's headline targets; encoder by
    encoder. Differences are before they are tested with the others."""
    found = []
    first = next(iter(scores), None)
    for encoder, mine in scores.items():
        base = scores[first] if first is not None and encoder != first else None
        for target in mine:
            found.append(_one(encoder, target, [target], mine, base))
        found.append(_one(encoder, None, headlines[encoder], mine, base))
    return found


def _one(
    encoder: str, target: str | None, targets: Sequence[str], mine: Scores, base: Scores | None
) -> TargetScore:
    known = [name for name in targets if name in mine]
    difference = None
    if base is not None:
        both = [name for name in known if name in base]
        difference = tested(mean_of([mine[name] - base[name] for name in both]))
    return TargetScore(
        encoder=encoder,
        target=target,
        targets=known,
        score=estimate_of(mean_of([mine[name] for name in known])),
        difference=difference,
    )
