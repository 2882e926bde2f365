"""How hard each intermediate task was for the encoder that trained on it, and which side of the
split it falls on.

headroom   1 - (dev - chance) / (human - chance): the share of the way from chance to people that is
           left; negative above people. Where no chance is published it is what the null predictor
           reaches on that dev (0 where that is another number than the dev score); no known human
           score counts as 100.
pvi        mean of -log2 g(y | null) + log2 g'(y | x) over dev rows, in bits: V-usable information,
           H_V(Y) - H_V(Y | X) (Ethayarajh et al. 2022, arXiv 2110.08420, section 2); pvi_share is
           its share of H_V(Y), so that label spaces compare.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Literal

from harness.metrics.vectors import unpack
from harness.release.evidence import mean
from harness.release.schema import Known, MeasuredRun
from harness.release.schema_derived import DevScore, DifficultyRow
from harness.spec.suite import SplitRule
from harness.spec.task import Figure

CEILING = 100.0
Bucket = Literal["easy", "hard", "median", "unlearned"]


def difficulty(known: Known, encoder: str, devs: Mapping[str, DevScore]) -> list[DifficultyRow]:
    """One entry an arm of kind task, by name; means over seeds. `devs`: training key → its dev
    score."""
    arms = sorted(arm for arm, facts in known.arms.items() if facts.kind == "task")
    found = [_measured(known, encoder, arm, devs) for arm in arms]
    return bucketed(known, found, known.suite.split_rule)


def bucketed(known: Known, rows: Sequence[DifficultyRow], rule: SplitRule) -> list[DifficultyRow]:
    """These rows, each on its side by a rule, whichever it was on before."""
    line = split_line(rows, rule)
    return [
        row.model_copy(update={"bucket": _bucket(row, rule, line, _declared(known, row.arm))})
        for row in rows
    ]


def split_line(rows: Sequence[DifficultyRow], rule: SplitRule) -> float | None:
    """The value that tells easy from hard: the median of the learned tasks, or the suite's own.
    None of declared buckets."""
    if rule.by in ("declared", "threshold"):
        return rule.value
    values = [_looked_at(row, rule) for row in rows if row.learned]
    known = [value for value in values if value is not None]
    return median(known) if known else None


def rows_trained(known: Known, encoder: str, arm: str) -> int | None:
    """How many rows an arm's intermediate trained on, with its first seed."""
    for key in _trainings(known, encoder, arm).values():
        return sum(part.rows for part in known.evidence.trainings[key].tasks.values())
    return None


def _trainings(known: Known, encoder: str, arm: str) -> dict[int, str]:
    """Seed → key of each intermediate training that has a result, by seed."""
    keys = {run.seed: run.key for run in known.arms[arm].trained if run.encoder == encoder}
    return {seed: key for seed, key in sorted(keys.items()) if key in known.evidence.trainings}


def _looked_at(row: DifficultyRow, rule: SplitRule) -> float | None:
    return row.pvi_share if rule.by == "pvi" else row.headroom


def _declared(known: Known, arm: str) -> Literal["easy", "hard"] | None:
    facts = known.arms[arm].difficulty
    return facts.declared if facts else None


def _bucket(
    row: DifficultyRow,
    rule: SplitRule,
    line: float | None,
    declared: Literal["easy", "hard"] | None,
) -> Bucket | None:
    """None where the task was not trained, or what the rule looks at is not known."""
    if not row.dev_per_seed:
        return None
    if not row.learned:
        return "unlearned"
    if rule.by == "declared":
        return declared
    value = _looked_at(row, rule)
    if value is None or line is None:
        return None
    if value == line:  # with an odd number the median task joins neither side
        return "easy" if rule.by == "threshold" else "median"
    # little headroom is easy, and so is much usable information
    return "hard" if (value < line) == (rule.by == "pvi") else "easy"


def _measured(known: Known, encoder: str, arm: str, devs: Mapping[str, DevScore]) -> DifficultyRow:
    """Before it is known on which side it falls."""
    looked = {seed: devs[key] for seed, key in _trainings(known, encoder, arm).items()}
    scores = {str(seed): dev.main for seed, dev in looked.items() if dev.main is not None}
    facts = known.arms[arm].difficulty
    chance, human = (
        _published(facts.chance if facts else None),
        _published(facts.human if facts else None),
    )
    # null is None where it is another number than the dev score, and then says nothing of chance
    measured = mean(dev.null for dev in looked.values() if dev.null is not None) or 0.0
    low = measured if chance is None else chance
    high = CEILING if human is None else human
    headrooms = {seed: _headroom(dev, low, high) for seed, dev in scores.items() if high != low}

    runs = [run for run in known.evidence.pvi.get(arm, []) if run.encoder == encoder]
    shares = [_pvi_share(run) for run in runs]
    return DifficultyRow(
        encoder=encoder,
        arm=arm,
        of=known.arms[arm].of,
        rows=rows_trained(known, encoder, arm),
        dev=mean(scores.values()),
        dev_per_seed=scores,
        chance=low,
        chance_known=chance is not None,
        human=high,
        human_known=human is not None,
        headroom=mean(headrooms.values()),
        headroom_per_seed=headrooms,
        pvi=mean(_pvi(run) for run in runs),
        pvi_share=mean(share for share in shares if share is not None),
        learned=bool(looked) and all(dev.learned for dev in looked.values()),
        bucket=None,
    )


def _published(figure: Figure | None) -> float | None:
    return figure.value if figure else None


def _headroom(dev: float, chance: float, human: float) -> float:
    return 1 - (dev - chance) / (human - chance)


def _pvi(run: MeasuredRun) -> float:
    """Mean PVI of one training's dev rows, in bits."""
    bits, null = unpack(run.bits), unpack(run.null_bits)
    return fmean(b - a for a, b in zip(bits, null, strict=True))


def _pvi_share(run: MeasuredRun) -> float | None:
    """Its share of the mean of -log2 g(y | null); None where that is 0."""
    entropy = fmean(unpack(run.null_bits))
    return _pvi(run) / entropy if entropy else None
