"""What to change where a training learned nothing, by what was seen of it."""

import json
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Self

from harness.common.errors import StoreError
from harness.metrics import METRICS
from harness.release.schema import Content, TrainJob
from harness.store import Store

# A new head learns little from fewer. protocols/default.yaml gives small data as many.
FEW_UPDATES = 200
# A share of dev rows with one label above which accuracy has no room to show anything.
ONE_LABEL = 80.0
# A loss that is this share of what it began with has not fallen.
STILL = 0.95
# Above this a loss that stays where it was asks for a lower rate rather than a higher one.
HIGH_RATE = 1e-4


@dataclass(frozen=True)
class Failing:
    """One task of a training, as its result in the store has it.

    score, null, above, error  on dev, 0-100: what was reached, what a guess reaches (None where
                               that is another number: of span F1 it is tokens that are right); the
                               difference in the number that is compared, and its standard error
    loss                       mean over the first and the last tenth of the updates
    """

    rows: int
    updates: int
    rate: float
    dev_rows: int
    score: float
    null: float | None
    above: float
    error: float
    loss: tuple[float, float]

    @classmethod
    def read(cls, store: Store, key: str, name: str, metric: str, rate: float) -> Self | None:
        """None where dev was not looked at, or the result is not in the store."""
        try:
            summary = store.read_json(key, "train.json")
            log = store.path(key, "metrics.jsonl").read_text(encoding="utf-8")
        except StoreError:
            return None
        part: dict[str, Any] | None = summary["best"].get("tasks", {}).get(name)
        if part is None:
            return None
        return cls(
            rows=summary["tasks"][name]["rows"],
            updates=summary["updates"],
            rate=rate,
            dev_rows=part["dev_rows"],
            score=part["main"],
            null=part["null"] if METRICS[metric].null_is_main else None,
            above=part["above_null"],
            error=part["stderr"],
            loss=_ends(log),
        )

    def advice(self) -> str:
        """One or two sentences: what was seen, and what to change."""
        said = []
        if self.null is not None and self.null >= ONE_LABEL:
            said.append(
                f"{self.null:.0f}% of the dev rows have one label, so that this metric has no room:"
                " balance the rows, or take `metric: macro_f1`."
            )
        elif self.above > self.error:
            said.append(
                f"It may have learned, and {self.dev_rows} dev rows cannot tell: give more of them."
            )
        return " ".join([*said, self._of_the_loss()])

    def _of_the_loss(self) -> str:
        first, last = self.loss
        if self.updates < FEW_UPDATES:
            return (
                f"{self.updates:,} updates over {self.rows:,} rows are few: more `epochs`, or"
                f" `min_updates: {2 * FEW_UPDATES}`, in the recipe (a suite's `changes:`)."
            )
        if last > STILL * first:
            way = "lower" if self.rate > HIGH_RATE else "higher"
            return (
                f"The loss did not fall ({first:.2f} to {last:.2f}): a {way} `learning_rate` than"
                f" {self.rate:g}; and do the labels belong to their texts?"
            )
        return (
            f"The loss fell ({first:.2f} to {last:.2f}) and dev did not follow: {self.rows:,} rows"
            " were learned by heart. More rows; and do labels mean the same in train and dev?"
        )


def _ends(log: str) -> tuple[float, float]:
    """Of metrics.jsonl: the mean loss of the first and the last tenth of its lines."""
    losses = [line["loss"] for line in map(json.loads, log.splitlines()) if "loss" in line]
    tenth = max(1, len(losses) // 10)
    return fmean(losses[:tenth]), fmean(losses[-tenth:])


def not_learned(content: Content, store: Store) -> list[str]:
    """One line for each task that an encoder did not learn, as target or as intermediate."""
    if "unlearned" in content.suite.waives:
        return []
    found: dict[tuple[str, str, str], list[str]] = {}
    for key in _at_chance(content):
        training = content.evidence.trainings[key]
        for name in training.tasks:
            found.setdefault((name, training.phase, training.encoder), []).append(key)

    lines = []
    for (name, phase, encoder), keys in found.items():
        seen = _worst(content, store, name, keys)
        if seen is None:
            continue
        of = f"{encoder}, {phase}" + (f", {len(keys)} trainings" if len(keys) > 1 else "")
        guess = "" if seen.null is None else f", a guess {seen.null:.1f}"
        score = f"English dev {seen.score:.1f}{guess}"
        lines.append(f"not learned: {name} ({of}; {score}). {seen.advice()}")
    return lines


def _at_chance(content: Content) -> list[str]:
    """Keys of trainings whose target is at chance, and of intermediates that are; not of controls,
    which are to learn nothing."""
    told = {cell.key for cell in content.cells if "unlearned" in cell.flags}
    keys = [cell.trained for cell in content.evidence.cells if cell.key in told]
    poor = {dev.key for dev in content.dev_scores if dev.main is not None and not dev.learned}
    for cell in content.evidence.cells:
        if cell.intermediate in poor and content.arms[cell.arm].kind != "control":
            keys.append(cell.intermediate)
    trainings = content.evidence.trainings  # not those of who was fine-tuned elsewhere
    return [key for key in dict.fromkeys(keys) if key in trainings]


def _worst(content: Content, store: Store, name: str, keys: list[str]) -> Failing | None:
    """Of several trainings the one that is furthest below a guess."""
    seen = []
    for key in keys:
        job, metric = content.jobs[key], content.evidence.trainings[key].tasks[name].metric
        assert isinstance(job, TrainJob)
        if one := Failing.read(store, key, name, metric, job.spec.recipe.learning_rate):
            seen.append(one)
    return min(seen, key=lambda one: one.above, default=None)
