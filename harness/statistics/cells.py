"""Cells: the scores of one encoder, arm, target and seed, language by language, computed again from
the vectors; and what trainings and selections say of themselves.

What makes a number meaningless or unfair is a flag on its cell:

    unlearned    at chance in English after training: neither the English test rows nor English dev
                 are three standard errors above a predictor that learned nothing. Either will do:
                 the one may have a few dozen rows, the other be cut
    shared       at least 1% of the target's training rows stand in the intermediate's: its gain may
                 be just more epochs
    leak         more training rows than chance stand in the test set; refused unless the suite
                 waives it
    overlap      a few do, as in the official sets; counted, not refused
    placeholder  the test labels carry no information; refused unless the suite waives it
    same         the intermediate trained on rows of a file that the target trains on: its gain may
                 be that of more rows of one kind. The rows are others (`shared` says where they are
                 not)

`shared` and `same` are the target's own data: a gain with it counts, and a second average is
without it.

Flags of a language: `harness.metrics.flags`.
"""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from harness.metrics import METRICS, Scored, rescore
from harness.metrics.flags import RowFacts, language_flags
from harness.plan.graph import refused_leaks
from harness.release.evidence import mean, vectors
from harness.release.schema import EvidenceCell, Examples, Facts, Known, OverlapCounts, Said, hashes
from harness.release.schema_derived import (
    DevScore,
    PerLanguage,
    Phase,
    ScoredCell,
    Scores,
    Selection,
)
from harness.spec.languages import ENGLISH

SHARED_SHARE = 0.01
Vectors = dict[str, list[float]]


def cells(known: Known, devs: Mapping[str, DevScore]) -> list[ScoredCell]:
    """All cells, in the order of the evidence. `devs`: training key → its dev score."""
    golds = {target: _golds(known, target) for target in known.targets}
    return [_cell(known, cell, golds[cell.target], devs) for cell in known.evidence.cells]


def dev_scores(known: Known) -> list[DevScore]:
    """How each training did on its own English dev, by key: of parts and controls it stands only
    here."""
    return [_dev_score(known, key) for key in sorted(known.evidence.trainings)]


def selections(known: Known) -> list[Selection]:
    """How many rows each subset arm chose, by arm."""
    return [
        Selection(
            arm=arm,
            encoder=run.encoder,
            seed=run.seed,
            rows=run.rows,
            ids_sum=sum(map(ord, run.ids)),
        )
        for arm, runs in sorted(known.evidence.subsets.items())
        for run in runs
    ]


def _golds(known: Known, target: str) -> dict[str, Vectors]:
    """Language → the gold side's vectors, which all cells of a target share."""
    packed: Mapping[str, Examples] = known.evidence.units.get(target, {})
    metric = known.targets[target].metric
    return {language: vectors(gold, metric) for language, gold in packed.items()}


def _cell(
    known: Known,
    cell: EvidenceCell,
    golds: Mapping[str, Vectors],
    devs: Mapping[str, DevScore],
) -> ScoredCell:
    target = known.targets[cell.target]
    # None where the gold labels are placeholders
    rescored: dict[str, Scored | None] = {}
    for language, said in sorted(cell.languages.items()):
        if not cell.refused:
            rescored[language] = _rescored(said, golds.get(language, {}), target.metric)

    languages = {lang: _scores(cell.languages[lang], score) for lang, score in rescored.items()}
    scored = {language: score for language, score in rescored.items() if score is not None}
    dev = devs.get(cell.trained) if cell.trained else None
    learned_dev = dev is not None and dev.learned
    flags = _flags(known, cell, rescored, learned_dev)
    others = [score.main for language, score in scored.items() if language != ENGLISH]
    if target.regime:  # it trained on rows of them
        others = []
    above = [score.main for score in scored.values() if score.learned]
    centred = [scores.centred for scores in languages.values() if scores.centred is not None]
    return ScoredCell(
        encoder=cell.encoder,
        arm=cell.arm,
        target=cell.target,
        seed=cell.seed,
        key=cell.key,
        flags=flags,
        leaks=_leaks(cell.overlap),
        shared_rows=(cell.overlap.shared or None) if cell.overlap else None,
        languages=languages,
        score=mean(score.main for score in scored.values()),
        zero_shot=mean(others),
        above_floor=mean(above),
        languages_above_floor=len(above),
        centred=mean(centred),
        dev=dev.main if dev and target.trained else None,
        dev_learned=learned_dev if target.trained else None,
    )


def _flags(
    known: Known, cell: EvidenceCell, scored: Mapping[str, Scored | None], learned_dev: bool
) -> list[str]:
    """`scored`: language → its score, None where the labels are placeholders."""
    flags = _overlap_flags(cell.overlap)
    if None in scored.values():
        flags.append("placeholder")
    # English test rows or dev, either will do; never looked at: not known to have learned
    english = scored.get(ENGLISH)
    learned = learned_dev or (english is not None and english.learned)
    if scored and known.targets[cell.target].trained and not learned:
        flags.append("unlearned")
    if _reads_the_same_file(known, cell):
        flags.append("same")
    return flags


def _leaks(overlap: OverlapCounts | None) -> dict[Phase, PerLanguage]:
    """phase → language → test rows that stand in training rows."""
    leaks = sorted(overlap.leaks.items()) if overlap else []
    return {phase: dict(sorted(found.items())) for phase, found in leaks}


def _overlap_flags(overlap: OverlapCounts | None) -> list[str]:
    """`overlap`: what the overlap job counted; None where nothing is trained, so that nothing can
    overlap."""
    if overlap is None:
        return []
    flags = []
    if overlap.leaks:
        flags.append("leak" if refused_leaks(overlap.model_dump()) else "overlap")
    if overlap.shared and overlap.shared >= SHARED_SHARE * overlap.rows.get("target", 0):
        flags.append("shared")
    return flags


def _reads_the_same_file(known: Known, cell: EvidenceCell) -> bool:
    """Whether a cell's intermediate trained on rows of a file whose rows its target trains on: by
    the files' hashes, so that a task under another name is found too, and parts and controls of
    it."""
    if cell.intermediate is None or cell.trained is None:
        return False
    first, second = _files(known, cell.intermediate), _files(known, cell.trained)
    return not first.isdisjoint(second)


def _files(known: Known, training: str) -> set[str]:
    return {sha for rows in known.rows_of(training).train.values() for sha in hashes(rows)}


def _rescored(said: Said, gold: Vectors, metric: str) -> Scored | None:
    """None where the gold labels are placeholders."""
    return None if said.facts.placeholder else rescore(metric, gold | vectors(said, metric))


def _scores(said: Said, score: Scored | None) -> Scores:
    """What the release says of one language."""
    facts, numbers = said.facts, said.numbers
    # which wrong answer was given moves no score: a sum, so that no answer can be changed unseen
    answers = sum(map(int, numbers["predicted"])) if "predicted" in numbers else None
    return Scores(
        n=facts.n,
        **_numbers(score),
        candidates=facts.candidates,
        threshold=facts.threshold,
        dev_f1=facts.dev_f1,
        empty_text=facts.empty_text,
        misplaced=facts.misplaced,
        truncated=facts.truncated,
        unknown=facts.unknown,
        flags=language_flags(_row_facts(facts), score),
        answers_sum=answers,
        centred=100 * fmean(numbers["centred"]) if "centred" in numbers else None,
    )


def _row_facts(facts: Facts) -> RowFacts:
    return {
        "n": facts.n,
        "truncated": facts.truncated,
        "unknown": facts.unknown,
        "constant": facts.constant,
        "placeholder": facts.placeholder,
        "empty_text": facts.empty_text or 0,
        "misplaced": facts.misplaced or 0,
    }


def _numbers(score: Scored | None) -> dict[str, Any]:
    """All of a score but its examples, which stand in the evidence."""
    if score is None:
        return {}
    return {name: value for name, value in score._asdict().items() if name != "examples"}


def _dev_score(known: Known, key: str) -> DevScore:
    training = known.evidence.trainings[key]
    parts = [part for _, part in sorted(training.tasks.items())]
    scores: list[Scored] = []
    for part in parts:
        examples = vectors(part, part.metric)
        if any(examples.values()):
            scores.append(rescore(part.metric, examples))

    whole = bool(parts) and len(scores) == len(parts)
    comparable = whole and all(METRICS[part.metric].null_is_main for part in parts)
    return DevScore(
        key=key,
        encoder=training.encoder,
        phase=training.phase,
        seed=training.seed,
        main=mean(score.main for score in scores) if whole else None,
        learned=whole and all(score.learned for score in scores),
        null=mean(score.null for score in scores) if comparable else None,
    )
