"""Gains: score with an intermediate minus score of the same encoder, target, seed and recipe
without one; and the baseline's own scores. Each with its interval, for other seeds and other test
rows of the same kind."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.metrics.metric import Array
from harness.release.evidence import mean
from harness.release.schema_derived import Gain, LanguageGain, ScoredCell, Tested
from harness.spec.languages import ENGLISH
from harness.statistics.measured import Block, Quantity, estimate_of, mean_of
from harness.statistics.sampling import Influences, System
from harness.statistics.study import At, MeasuredGain, Pair, Study


def measured(study: Study) -> Study:
    """The study with all its scores and gains, target by target within each arm."""
    scores: dict[str, Quantity] = {}
    found: dict[At, MeasuredGain] = {}
    for target in study.targets:
        pairs = {arm: study.pairs(arm, target) for arm in study.arms}
        moved = _influences(study, target, pairs)
        score = _baseline(study, target, moved)
        if score:
            scores[target] = score
        # an arm without a pair has no gain at all; one without a common language an unknown one
        for arm, of in pairs.items():
            if of:
                found[arm, target] = _measured(study, arm, target, of, moved)

    # made target by target, since the arms of a target share their baseline
    order = [(arm, target) for arm in study.arms for target in study.targets]
    return replace(study, scores=scores, gains={at: found[at] for at in order if at in found})


def _influences(study: Study, target: str, pairs: Mapping[str, Sequence[Pair]]) -> Influences:
    """Of all systems whose scores or gains are asked for, each once."""
    wanted: dict[str, dict[System, None]] = {}
    baseline = study.cells_of(study.baseline, target)
    for language in _common(list(baseline.values())):
        wanted.setdefault(language, {}).update({(study.baseline, seed): None for seed in baseline})
    for arm, of in pairs.items():
        for language in _languages(of):
            systems = wanted.setdefault(language, {})
            for pair in of:
                systems[study.baseline, pair.seed] = systems[arm, pair.seed] = None
    moved = Influences(study, target)
    moved.read({language: list(wanted[language]) for language in sorted(wanted)})
    return moved


def _common(cells: Sequence[ScoredCell]) -> list[str]:
    """Languages with a score in every cell, by code; none where a cell has no score at all."""
    return sorted(set.intersection(*[set(cell.mains) for cell in cells])) if cells else []


def _languages(pairs: Sequence[Pair]) -> list[str]:
    return _common([cell for pair in pairs for cell in (pair.cell, pair.base)])


def _baseline(study: Study, target: str, moved: Influences) -> Quantity | None:
    """The baseline's score: the mean over languages; None where a cell has none."""
    cells = study.cells_of(study.baseline, target)
    systems = [(study.baseline, seed) for seed in cells]
    by_language = []
    for language in _common(list(cells.values())):
        per_seed = {str(seed): cell.mains[language] for seed, cell in cells.items()}
        rows = {moved.block(language): moved.of(language, systems)}
        by_language.append(_of_seeds(per_seed, rows, study.is_seedless(study.baseline, target)))
    return mean_of(by_language)


def _measured(
    study: Study, arm: str, target: str, pairs: Sequence[Pair], moved: Influences
) -> MeasuredGain:
    mine = [(arm, pair.seed) for pair in pairs]
    base = [(study.baseline, pair.seed) for pair in pairs]
    seedless = all(study.is_seedless(one, target) for one in (arm, study.baseline))
    by_language = {}
    for language in _languages(pairs):
        rows = moved.of(language, mine) - moved.of(language, base)
        per_seed = {str(pair.seed): pair.difference([language]) for pair in pairs}
        by_language[language] = _of_seeds(per_seed, {moved.block(language): rows}, seedless)
    return MeasuredGain(_gain(study, arm, target, pairs, by_language), by_language)


def _of_seeds(
    per_seed: Mapping[str, float], rows: Mapping[Block, Array], seedless: bool
) -> Quantity:
    value = mean(per_seed.values())
    assert value is not None, "there is a seed"
    return Quantity(value, per_seed, rows, seedless)


def _gain(
    study: Study,
    arm: str,
    target: str,
    pairs: Sequence[Pair],
    by_language: Mapping[str, Quantity],
) -> Gain:
    """What a release says of it, before it is tested with the others.

    by_language  of the languages that all pairs have; none: nothing is known
    """
    languages = sorted(by_language)
    others = [language for language in languages if language != ENGLISH]
    if study.known.targets[target].regime:  # it trained on rows of them
        others = []
    per_seed = {str(pair.seed): pair.difference(languages) for pair in pairs if languages}
    whole = mean_of([by_language[language] for language in languages])
    said = estimate_of(whole).model_copy(update={"value": mean(per_seed.values())})
    return Gain(
        encoder=study.encoder,
        arm=arm,
        target=target,
        flags=sorted({flag for pair in pairs for flag in pair.flags}),
        gain=Tested(**dict(said)),
        english=mean(by_language[ENGLISH].per_seed.values()) if ENGLISH in by_language else None,
        zero_shot=mean(pair.difference(others) for pair in pairs if others),
        above_floor=_above_floor(pairs, languages),
        centred=_centred(pairs) if languages else None,
        per_seed=per_seed,
        per_language={
            language: LanguageGain(gain=one.estimate, per_seed=dict(one.per_seed))
            for language, one in by_language.items()
        },
    )


def _above_floor(pairs: Sequence[Pair], languages: Sequence[str]) -> float | None:
    """The mean over seeds and languages in which neither side is at the floor."""
    return mean(
        pair.difference([language])
        for pair in pairs
        for language in languages
        if not pair.at_floor(language)
    )


def _centred(pairs: Sequence[Pair]) -> float | None:
    """Of the scores after centring; None where a cell has none."""
    differences = []
    for _, cell, base in pairs:
        if cell.centred is None or base.centred is None:
            return None
        differences.append(cell.centred - base.centred)
    return mean(differences)
