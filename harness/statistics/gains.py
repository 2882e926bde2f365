"""Gains: score with an intermediate minus score of the same encoder, target, seed and recipe
without one.

A gain counts unless a flag of one of its cells says that it is meaningless or unfair. Its interval
and p say how sure it is about other test rows (bootstrap); its `seed_interval` how sure about other
seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from harness.metrics.metric import Array
from harness.release.evidence import mean
from harness.release.schema_derived import Gain, LanguageGain
from harness.statistics.intervals import holm, interval, rounded, t_interval, two_sided
from harness.statistics.replicated import averaged
from harness.statistics.sampling import sample
from harness.statistics.study import ENGLISH, At, Pair, ReplicatedGain, Study

EXCLUDING = frozenset({"shared", "leak", "placeholder", "unlearned"})
SIGNIFICANT = 0.05


def measured(study: Study, excluding: frozenset[str] = EXCLUDING) -> Study:
    """The study with all its gains, target by target within each arm.

    excluding  the flags with which a gain does not count; "unlearned" not where the suite waives it
    """
    excluding -= {"unlearned"} & set(study.known.suite.waives)
    found: dict[At, ReplicatedGain] = {}
    for target in study.targets:
        found |= _of_target(study, target, excluding)

    # they were made target by target, since the arms of a target share their draws
    order = [(arm, target) for arm in study.arms for target in study.targets]
    gains = {at: found[at] for at in order if at in found}
    return replace(study, gains=_with_p(gains))


def _of_target(study: Study, target: str, excluding: frozenset[str]) -> dict[At, ReplicatedGain]:
    pairs = {arm: study.pairs(arm, target) for arm in study.arms}
    # an arm without a pair has no gain at all; one without a common language has an unknown one
    languages = {arm: _languages(of) for arm, of in pairs.items() if of}
    known = [arm for arm, of in languages.items() if of]
    drawn = sample(study, target, {arm: study.seeds(arm, target) for arm in known}, languages)
    found = {}
    for arm in languages:
        by_language = drawn.gains.get(arm, {})  # nothing where a cell has no score
        said = _gain(study, arm, target, by_language, drawn.units, excluding)
        found[arm, target] = ReplicatedGain(said, by_language)
    return found


def _languages(pairs: Sequence[Pair]) -> list[str]:
    """Languages with a score in every cell and baseline, by code; none where a cell has no score at
    all."""
    scored = [set(pair.cell.mains) & set(pair.base.mains) for pair in pairs]
    return sorted(set.intersection(*scored))


def _gain(
    study: Study,
    arm: str,
    target: str,
    drawn: Mapping[str, Array],
    units: Mapping[str, int],
    excluding: frozenset[str],
) -> Gain:
    """A gain before its p.

    drawn  language → replicates, of the languages that all pairs have; none: nothing is known
    units  language → how many units there were to draw from. One tells nothing about its spread: no
           interval then
    """
    languages, pairs = sorted(drawn), study.pairs(arm, target)
    flags = sorted({flag for pair in pairs for flag in pair.flags})
    by_language = {language: _by_seed(pairs, language) for language in languages}
    others = [language for language in languages if language != ENGLISH]
    per_seed = {str(pair.seed): pair.difference(languages) for pair in pairs if languages}
    zero_shot = [pair.difference(others) for pair in pairs if others]
    sure = any(units[language] > 1 for language in languages)
    return Gain(
        encoder=study.encoder,
        arm=arm,
        target=target,
        flags=flags,
        counted=bool(languages) and not excluding & set(flags),
        gain=mean(per_seed.values()),
        english=mean(by_language.get(ENGLISH, {}).values()),
        zero_shot=mean(zero_shot),
        above_floor=_above_floor(pairs, languages),
        centred=_centred(pairs) if languages else None,
        interval=interval(averaged([drawn[language] for language in languages])) if sure else None,
        seed_interval=t_interval(list(per_seed.values())),
        p=None,
        p_corrected=None,
        per_seed=per_seed,
        significant=False,
        per_language={
            language: LanguageGain(
                gain=fmean(gains.values()),
                per_seed=gains,
                interval=interval(drawn[language]) if units[language] > 1 else None,
            )
            for language, gains in by_language.items()
        },
    )


def _by_seed(pairs: Sequence[Pair], language: str) -> dict[str, float]:
    # JSON has no numbers for names
    return {str(pair.seed): pair.difference([language]) for pair in pairs}


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


def _with_p(gains: Mapping[At, ReplicatedGain]) -> dict[At, ReplicatedGain]:
    """The gains with their p, and Holm's correction over all of the encoder's that count."""
    ps = {
        at: two_sided(gain.whole.replicates)
        for at, gain in gains.items()
        if gain.whole is not None and gain.said.interval is not None
    }
    # what does not count is shown beside the others, and costs them nothing
    tested = [at for at in ps if gains[at].said.counted]
    corrected = dict(zip(tested, corrections([ps[at] for at in tested]), strict=True))
    found = {}
    for at, gain in gains.items():
        p, (p_corrected, significant) = ps.get(at), corrected.get(at, (None, False))
        tests = {
            "p": None if p is None else rounded(p),
            "p_corrected": p_corrected,
            "significant": significant,
        }
        found[at] = replace(gain, said=gain.said.model_copy(update=tests))
    return found


def corrections(ps: Sequence[float]) -> list[tuple[float, bool]]:
    """(corrected p, rounded; whether it is below SIGNIFICANT) of each test, by Holm's method.

    The smallest p is 2 / (REPLICATES + 1): with 5,000 replicates and 125 gains or more none can be
    significant, and `words` says so.
    """
    corrected = [rounded(p) for p in holm(ps)]
    return [(p, p < SIGNIFICANT) for p in corrected]
