"""What the numbers of a release say, in sentences, and what a reader must know beside them. Never
more than the intervals say."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.common.text import signed, some
from harness.page.cautions import OWN_DATA, flags_of, wrong_with
from harness.page.points import arrow, between, half, plain
from harness.page.reading import AVERAGE, Reading, group_name, shown_mean
from harness.release.schema import Concluded, EncoderFacts
from harness.release.schema_derived import HypothesisOutcome, Tested
from harness.spec.hypothesis import Hypothesis
from harness.statistics.measured import FEWEST_SEEDS

SMOKE = (
    "SMOKE SUITE: its data are made up to prove the machine; no claim follows from these numbers."
)
BRACKETS = re.compile(r" \([^)]*\)")
SHOWN = 3  # names in a list; the others are counted
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def counted(number: int, noun: str) -> str:
    """As in "two seeds"."""
    said = WORDS[number] if number < len(WORDS) else f"{number:,}"
    return f"{said} {noun}{'s' * (number != 1)}"


# Above the table


def caption(reading: Reading, title: str) -> str:
    """What was run, on how much."""
    seeds = len(reading.release.suite.seeds)
    alone = ": intervals are over test rows alone" if seeds < FEWEST_SEEDS else ""
    parts = [title, reading.encoder, _test_rows(reading)]
    parts += [f"tasks {reading.suffix}"] if reading.suffix else []
    return " · ".join([*parts, f"{counted(seeds, 'seed')}{alone}"])


def _test_rows(reading: Reading) -> str:
    rows: set[int] = set()
    for target in reading.targets:
        for cell in reading.cells.get((reading.baseline, target), []):
            rows |= {scores.n for scores in cell.languages.values()}
    if not rows:
        return "no test rows"
    few, many = f"{min(rows):,}", f"{max(rows):,}"
    return f"{few if few == many else f'{few}-{many}'} test rows a language"


# Below it: what qualifies all of it


def footnotes(reading: Reading) -> list[str]:
    said = [_how_to_read(reading), _over_fewer(reading), *_not_counted(reading)]
    return list(filter(None, [*said, _what_to_change(reading), _seen(reading)]))


def _how_to_read(reading: Reading) -> str:
    if len(reading.release.suite.seeds) < FEWEST_SEEDS:
        said = "Points over the baseline, with 95% intervals."
        depends = "easy − hard depends" if reading.has_sides else ""
    else:
        said = (
            "Points over the baseline, with 95% intervals over seeds and test rows. ▲ ▼: sure after"
            " correction for the whole table (may: before it)."
        )
        depends = "these and easy − hard depend" if reading.has_sides else "these depend"
    return f"{said} Only {depends} on the conditions run." if depends else said


def _over_fewer(reading: Reading) -> str:
    """Which cells a mean over fewer targets does without."""
    leaked: list[str] = []
    missing: list[str] = []
    for average in reading.ranked:
        known = shown_mean(average).targets
        for target in (t for t in reading.headline if t not in known):
            leaks = "leak" in flags_of(reading.cells.get((average.arm, target), []))
            (leaked if leaks else missing).append(_on(reading, average.arm, target))
    if not leaked + missing:
        return ""
    said = "(n): over n target tasks only, unranked."
    said += f" Trained on test rows: {', '.join(leaked)}." if leaked else ""
    return said + (f" No score: {', '.join(missing)}." if missing else "")


def _on(reading: Reading, arm: str, target: str) -> str:
    condition, task = reading.condition(arm), reading.task(target)
    return condition if condition == task else f"{condition} on {task}"


def _not_counted(reading: Reading) -> list[str]:
    """Targets that stand in no average, and why."""
    why: dict[str, list[str]] = {}
    for target in reading.targets:
        if target not in reading.headline:
            why.setdefault(_why_not_counted(reading, target), []).append(target)
    return [f"In no average ({said}): {reading.tasks(of)}." for said, of in why.items()]


def _why_not_counted(reading: Reading, target: str) -> str:
    named = reading.release.suite.average_over
    is_named = reading.release.targets[target].task in named
    if target in reading.not_zero_shot and not is_named:
        return f"not zero-shot: trained on {reading.not_zero_shot[target]}"
    if named and not is_named:
        return "the suite names other targets"
    flags = flags_of(reading.cells.get((reading.baseline, target), []))
    if "placeholder" in flags:
        return "test labels that carry no information"
    return "trained on test rows" if "leak" in flags else "the baseline is at chance"


def _what_to_change(reading: Reading) -> str:
    """Where something was not learned that was meant to be: who says what to do about it."""
    learned = [reading.learned(average.arm) for average in reading.rivals]
    at_chance = [cells for cells in reading.cells.values() if "unlearned" in flags_of(cells)]
    if "unlearned" in reading.release.suite.waives or (all(learned) and not at_chance):
        return ""
    return "What was not learned: `eval`, run again, says what to change."


def _seen(reading: Reading) -> str:
    seen = reading.release.encoders[reading.encoder].seen
    if not seen:
        return ""
    names = [BRACKETS.sub("", name) for name in seen]
    return f"{reading.encoder} has seen: {some(names, SHOWN)}."


# Sentences


class Effect(NamedTuple):
    """A number of the table, and where it stands."""

    arm: str
    where: str
    number: Tested
    zero_shot: Tested  # the same without English

    @property
    def elsewhere(self) -> str:
        """What is left of it without English, where that is less than half."""
        whole, value = self.number.value, self.zero_shot.value
        if not whole or value is None or value / whole >= 0.5:
            return ""
        return f" (without English {signed(value)}{between(self.zero_shot.interval)})"


def side(number: Tested) -> int:
    """1, -1: its own interval is above, below 0; 0: it contains 0, or is not known."""
    low, high = number.interval or [0.0, 0.0]
    return (low > 0) - (high < 0)


def sentences(reading: Reading) -> list[str]:
    """What helps, what hurts, what cannot be said and what it would take; what came of the
    hypothesis that was tested, if there is one."""
    found = list(_effects(reading))
    learned = [one for one in found if reading.learned(one.arm)]
    return [
        _one_way(reading, "help", learned, 1),
        _one_way(reading, "hurt", found, -1),
        " ".join(filter(None, [_easy_hard(reading), *_what_it_takes(reading)])),
        *_primary(reading),
    ]


def _effects(reading: Reading) -> Iterator[Effect]:
    """Of tasks and mixtures: parts and controls answer other questions."""
    if AVERAGE in reading.columns:
        for average in reading.rivals:
            numbers = average.overall.gain, average.zero_shot.gain
            yield Effect(average.arm, "the average", *numbers)
    for group in reading.groups:
        for average in reading.rivals:
            if mean := average.groups.get(group):
                numbers = mean.gain, average.groups_zero_shot[group].gain
                yield Effect(average.arm, group_name(group), *numbers)


def _one_way(reading: Reading, verb: str, effects: Sequence[Effect], wanted: int) -> str:
    """`wanted`: 1 for what is above 0, -1 below."""
    found = [one for one in effects if side(one.number) == wanted]
    sure = [one for one in found if one.number.arrow]
    unsure = [one for one in found if not one.number.arrow]
    said = f"{verb.capitalize()}s: {_listed(reading, sure) or 'nothing for sure'}"
    return f"{said}. May {verb}: {_listed(reading, unsure)}." if unsure else f"{said}."


def _listed(reading: Reading, found: Sequence[Effect]) -> str:
    """Column by column; of a single one its interval, of several how far they reach."""
    columns: dict[str, list[Effect]] = {}
    for one in found:
        columns.setdefault(one.where, []).append(one)
    return "; ".join(_column(reading, where, of) for where, of in columns.items())


def _column(reading: Reading, where: str, found: Sequence[Effect]) -> str:
    ordered = sorted(found, key=lambda one: -abs(one.number.value or 0.0))
    if len(ordered) <= 2:
        said = " and ".join(
            f"{reading.condition(one.arm)} {signed(one.number.value)}{between(one.number.interval)}"
            + one.elsewhere
            for one in ordered
        )
        return f"{where} after {said}"
    most, least = ordered[0].number.value, ordered[-1].number.value
    names = reading.conditions(one.arm for one in ordered)
    return f"{where} after {names} ({signed(most)} to {signed(least)})"


def _easy_hard(reading: Reading) -> str:
    """Whether anything follows for tasks in general; "" where one task alone was trained on."""
    split = reading.split
    if len(reading.rivals) < 2:
        return ""
    unknown = "Not known: whether easy or hard tasks transfer better"
    if split is None or split.overall.easy_minus_hard.value is None:
        return f"{unknown}. {split.why if split else ''}".strip()
    number = split.overall.easy_minus_hard
    value = f"easy − hard {signed(number.value)}{between(number.interval)}"
    low, high = number.interval or [0.0, 0.0]
    # of fewer than three seeds there is no p, and nothing is concluded
    if not split.claim or number.p is None or low <= 0 <= high:
        return f"{unknown}: {value}. {split.why}".strip()
    return f"{'Easy' if low > 0 else 'Hard'} tasks transfer better: {value}."


def _primary(reading: Reading) -> Iterator[str]:
    for asked, came in reading.hypotheses:
        if asked.primary:
            says = asked.says.strip().removesuffix(".")
            found = f"{came.at} {signed(came.number.value)}{between(came.number.interval)}"
            why = f" ({came.why})" if came.why else ""
            yield (
                f"Primary hypothesis: {says} ({range_of(asked)}). It {verdict_of(came)}{why}:"
                f" {found}."
            )


def verdict_of(came: HypothesisOutcome) -> str:
    if came.verdict == "undecided":
        return "is not decided"
    many = f" ({came.beyond} of {came.numbers})" if came.beyond and came.numbers > 1 else ""
    return f"{came.verdict}{many}"


def range_of(asked: Hypothesis) -> str:
    """The range of a hypothesis, its bounds as they were written."""
    low, high = (_bound(value) for value in (asked.above, asked.below))
    if low and high:
        return f"{low} to {high}"
    return f"above {low}" if low else f"below {high}"


def _bound(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:+g}".replace("-", "−") if value else "0"


def _what_it_takes(reading: Reading) -> Iterator[str]:
    seeds = len(reading.release.suite.seeds)
    if seeds < FEWEST_SEEDS:
        have = counted(seeds, "seed").capitalize()
        yield f"{have}: nothing is sure before there are three, better five."
        return
    numbers = [average.overall.gain for average in reading.rivals]
    of_rows = sum(number.rows or 0.0 for number in numbers)
    of_seeds = sum(number.seeds or 0.0 for number in numbers)
    if of_seeds > of_rows:
        yield f"Averages vary most between seeds: more than {seeds} would narrow them."
    elif of_rows:
        yield "Averages are unsure mostly for their few test rows: more would narrow them."


# What was run

RULES = {
    "declared": "as each task's YAML declares it",
    "median": "hard is above the median headroom of the learned tasks",
    "threshold": "hard is a headroom above {value}",
    "pvi": "hard is below the median share of usable information (PVI)",
}


def facts(release: Concluded) -> list[str]:
    """What a release was made from: encoders, seeds, rules, reduced tasks."""
    suite = release.suite
    rule = suite.split_rule
    recipes = f"of the protocol {suite.protocol}" if suite.protocol else "the suite's own"
    said = [*(_encoder(name, of) for name, of in release.encoders.items())]
    said += trained_elsewhere(release)
    said.append(f"Seeds: {', '.join(map(str, suite.seeds))}. Recipes: {recipes}.")
    if len(release.arms) > 1:
        said.append(f"Easy and hard, by {rule.by}: {RULES[rule.by].format(value=rule.value)}.")
    if suite.left_out:
        said.append(f"This run did without {', '.join(suite.left_out)}.")
    if suite.waives:
        said.append(f"The suite accepts what is else refused: {', '.join(suite.waives)}.")
    return said + _reduced(release)


def _encoder(name: str, facts: EncoderFacts) -> str:
    seen = ", ".join(facts.seen) or "nothing known"
    text = f"pretrained on {facts.pretrained_on} text"
    if facts.pretrained_on == "unknown":
        text = "what it was pretrained on is not known"
    return f"{name}: {text}; has been trained on {seen}."


def trained_elsewhere(release: Concluded) -> list[str]:
    """A line for each encoder that came with a trained head."""
    return [
        f"{OWN_DATA} {name}: trained elsewhere on {of.task}, on rows that are not known here: test"
        " rows may be among them."
        for name, of in release.suite.trained.items()
    ]


def not_zero_shot(release: Concluded) -> list[str]:
    """A line for each target that trained on rows of other languages than English."""
    regimes = release.suite.regimes
    return [f"{task}: not zero-shot: trained on {of.about}." for task, of in regimes.items()]


def _reduced(release: Concluded) -> list[str]:
    """A line for each reduced task; and for each reduced form that conditions have of their
    own."""
    suite = release.suite
    said = [f"{task}: {cut.why}." for task, cut in suite.cuts.items()]
    said += not_zero_shot(release)
    own: dict[tuple[str, str], list[str]] = {}
    for name, arm in release.arms.items():
        if arm.cut and arm.intermediate:
            own.setdefault((arm.intermediate[0], arm.cut.why), []).append(arm.shown or name)
    said += [f"{task} in {', '.join(arms)}: {why}." for (task, why), arms in own.items()]
    caps = {split: rows for split, rows in suite.caps.model_dump().items() if rows}
    if caps:
        most = ", ".join(f"{split} {rows:,}" for split, rows in caps.items())
        said.append(f"Rows at most: {most} (single tasks may differ).")
    return said


# Encoders beside each other


def score_caption(mine: Sequence[Reading], title: str) -> str:
    """Of a release without intermediates."""
    said = caption(mine[0], title)
    others = ", ".join(reading.encoder for reading in mine[1:])
    return f"{said} · beside it: {others}" if others else said


def score_notes(mine: Sequence[Reading]) -> list[str]:
    """What qualifies scores: what is wrong with them, and what the encoders have seen."""
    said = ["Scores in points, with 95% intervals."]
    if len(mine) > 1:
        said[0] += " Differences are over the same test rows; ▲ ▼: sure after correction."
    for reading in mine:
        of = f"{reading.encoder}: " if len(mine) > 1 else ""
        wrong = [found for group in reading.groups if (found := wrong_with(reading, group))]
        said += [f"{of}{note}" for note in (*wrong, *_not_counted(reading))]
        said += filter(None, [_what_to_change(reading), _seen(reading)])
    return [*said, *trained_elsewhere(mine[0].release)]


def score_sentences(mine: Sequence[Reading]) -> list[str]:
    """What an encoder scores on average, or by how much encoders differ."""
    if line := together(mine):
        return [line]
    score = mine[0].scores[None]
    number = f"{plain(score.score.value)}{half(score.score)}"
    over = f"on average over {counted(len(score.targets), 'target task')}"
    if len(score.targets) == 1:
        over = f"on {mine[0].tasks(score.targets)}"
    return [f"{mine[0].encoder} scores {number} {over}, without an intermediate."]


def together(mine: Sequence[Reading]) -> str:
    """One line that compares encoders without an intermediate; "" for one."""
    if len(mine) < 2:
        return ""
    said = []
    for reading in mine:
        score = reading.scores[None]
        apart = score.difference
        differs = (
            f" ({signed(apart.value)}{between(apart.interval)}{arrow(apart)})" if apart else ""
        )
        said.append(f"{reading.encoder} {plain(score.score.value)}{differs}")
    return f"Without an intermediate task, average score: {', '.join(said)}."
