"""The tables behind the board at a glance: targets, languages, difficulty. Each is a sheet; one
without a row is left out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Literal, TypeVar

from harness.common.text import signed, some
from harness.page.cautions import (
    NOT_LEARNED,
    OF_ANY,
    OF_MOST,
    OWN_DATA,
    flags_of,
    having_flag,
    languages_of,
    lost,
)
from harness.page.glance import hardness, mean_cell
from harness.page.points import DASH, count_cell, gain_cell, plain, plain_cell, score_cell
from harness.page.reading import Reading, shown_mean
from harness.page.sheet import Column, Field, Line, Sheet
from harness.page.words import range_of, verdict_of
from harness.release.schema_derived import DifficultyRow, ScoredCell, Subsets
from harness.statistics.study import OWN_DATA as OWN_FLAGS

Choice = Literal["glance", "targets", "languages", "difficulty", "full"]
Maker = Callable[[Reading], list[Sheet]]
Key = TypeVar("Key")
NOTHING, LEAK = Field(DASH), "leak"
LISTED = 8  # languages in a list; the others are counted
WRONG = {"few_rows": "under 50 test rows"} | OF_MOST | OF_ANY
EXPECTED = (
    "Whether it was written before the run, the history of the suite's file says. All but a primary"
    " one are exploratory. Of several numbers the one that decides is shown; one of n fails it by"
    " its interval at 1 − 5%/n."
)
SLICES = {
    "unknown": "by the share of subwords that the encoder does not know",
    "family": "by language family",
    "script": "by script",
}


def sheets(reading: Reading, choice: Choice) -> list[Sheet]:
    """Those that a reader asks for, in the order in which they are read."""
    makers: dict[Choice, list[Maker]] = {
        "targets": [targets, averages, english, centred, baseline, best],
        "languages": [slices, wrong_where, languages],
        "difficulty": [difficulty, easy_hard, expected, compared, learned],
    }
    makers["full"] = [maker for of in makers.values() for maker in of]
    found: list[Sheet] = []
    for maker in makers.get(choice, []):
        found += maker(reading)
    return [sheet for sheet in found if sheet.rows]


def _sheet(
    reading: Reading,
    name: str,
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Line],
    *notes: str,
) -> Sheet:
    """Without columns that have nothing to show."""
    every = range(len(columns))
    filled = {n for row in rows for n in every if row.cells[n].text not in ("", DASH)}
    shown = [n for n in every if n in filled]
    kept = [_only(row, shown) for row in rows]
    heads = [columns[n] for n in shown]
    return Sheet(name, f"{reading.encoder} · {caption}", heads, kept, notes)


def _only(row: Line, shown: Sequence[int]) -> Line:
    return Line(row.kind, [row.cells[n] for n in shown])


def _texts(*names: str) -> list[Column]:
    return [Column(name, numeric=False) for name in names]


def _numbers(*names: str) -> list[Column]:
    return [Column(name) for name in names]


def _row(*fields: str | Field, kind: Literal["task", "subset", "summary"] = "task") -> Line:
    return Line(kind, [Field(one) if isinstance(one, str) else one for one in fields])


def _conditions(
    reading: Reading, columns: Mapping[str, Key], field: Callable[[str, Key], Field]
) -> tuple[list[Column], list[Line]]:
    """A condition a row, in the board's order, only those with a number. `columns`: heading → what
    `field` makes a condition's field from."""
    rows = []
    for average in reading.ranked:
        arm = average.arm
        fields = [field(arm, key) for key in columns.values()]
        if any(one.number is not None for one in fields):
            kind = reading.release.arms[arm].kind
            rows.append(Line(kind, [Field(reading.condition(arm)), *fields]))
    return [*_texts("intermediate"), *_numbers(*columns)], rows


def _by_name(reading: Reading, of: Iterable[str]) -> dict[str, str]:
    return {reading.task(target): target for target in of}


# Targets


def targets(reading: Reading) -> list[Sheet]:
    """Each gain."""

    def field(arm: str, target: str) -> Field:
        flags = flags_of(reading.cells.get((arm, target), []))
        gain = reading.gains.get((arm, target))
        if gain is None or gain.gain.value is None:
            return Field(LEAK) if "leak" in flags else NOTHING
        marks = {
            NOT_LEARNED: lost(reading, arm, target),
            OWN_DATA: bool(flags & OWN_FLAGS),
            LEAK: "leak" in flags,
        }
        return gain_cell(gain.gain, "".join(mark for mark, holds in marks.items() if holds))

    columns, rows = _conditions(reading, _by_name(reading, reading.targets), field)
    scores = [plain_cell(reading.score([target])) for target in reading.targets]
    note = (
        f"{OWN_DATA}: trained first on the target's own data. {NOT_LEARNED}: the target was not"
        f" learned then. {LEAK}: its test rows were trained on, so it counts nowhere."
    )
    whole = [Line("baseline", [Field("baseline score"), *scores]), *rows] if rows else []
    return [_sheet(reading, "targets", "gain on each target task", columns, whole, note)]


def averages(reading: Reading) -> list[Sheet]:
    """Average gains, over more and fewer targets."""
    means = {average.arm: average for average in reading.ranked}

    def field(arm: str, over: str) -> Field:
        whole = shown_mean(means[arm])
        mean = {
            "whole": whole,
            "others": means[arm].without_own or whole,
            "zero-shot": means[arm].zero_shot,
        }[over]
        return mean_cell(mean, len(reading.headline), "", brackets=True)

    over = {
        "headline targets": "whole",
        "not on own data": "others",
        "without English": "zero-shot",
    }
    columns, rows = _conditions(reading, over, field)
    note = "(n): over n target tasks only."
    return [_sheet(reading, "averages", "average gains", columns, rows, note)]


def english(reading: Reading) -> list[Sheet]:
    """Gains in the language of the training, and in those that were never trained on."""

    def field(arm: str, target: str) -> Field:
        gain = reading.gains.get((arm, target))
        if gain is None or gain.english is None:
            return NOTHING
        return Field(f"{signed(gain.english)} / {signed(gain.zero_shot)}", gain.english)

    caption = "gain in English / mean over the other languages"
    of_targets = _by_name(reading, reading.targets)
    return [_sheet(reading, "english", caption, *_conditions(reading, of_targets, field))]


def centred(reading: Reading) -> list[Sheet]:
    """Retrieval without what only tells languages apart."""

    def field(arm: str, target: str) -> Field:
        value = reading.gains[arm, target].centred if (arm, target) in reading.gains else None
        return Field(signed(value), value)

    having = {target for (_, target), gain in reading.gains.items() if gain.centred is not None}
    shown = _by_name(reading, [target for target in reading.targets if target in having])
    caption = "gain of retrieval after each language's mean vector is subtracted"
    return [_sheet(reading, "centred", caption, *_conditions(reading, shown, field))]


def baseline(reading: Reading) -> list[Sheet]:
    """The encoder without an intermediate: English against the rest, what is at chance."""
    names = ("score", "English", "other languages", "mean above chance", "at chance in")
    columns = [*_texts("target task", "metric"), *_numbers(*names)]
    columns += _numbers("accuracy (majority tag)", "unknown subwords (worst)")
    rows = []
    for target in reading.targets:
        cells = reading.cells.get((reading.baseline, target), [])
        if target in reading.scores:
            metric = reading.release.targets[target].metric
            score = score_cell(reading.scores[target].score)
            rows.append(_row(reading.task(target), metric, score, *_of_baseline(cells)))
    return [_sheet(reading, "baseline", "the baseline", columns, rows)]


def _of_baseline(cells: Sequence[ScoredCell]) -> list[Field]:
    low, every = having_flag(cells, "floor"), languages_of(cells)
    return [
        plain_cell(_mean(cell.mains.get("en") for cell in cells)),
        plain_cell(_mean(cell.zero_shot for cell in cells)),
        plain_cell(_mean(cell.above_floor for cell in cells)),
        Field(f"{len(low)}/{len(every)}", len(low)),
        _majority(cells),
        _unknown(cells),
    ]


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _majority(cells: Sequence[ScoredCell]) -> Field:
    scored = [scores.metrics for cell in cells for scores in cell.languages.values()]
    having = [metrics for metrics in scored if "majority" in metrics]
    accuracy = _mean(metrics["accuracy"] for metrics in having)
    majority = _mean(metrics["majority"] for metrics in having)
    return Field(f"{plain(accuracy)} ({plain(majority)})", accuracy) if having else Field("")


def _unknown(cells: Sequence[ScoredCell]) -> Field:
    """Mean share of subwords that the encoder does not know, and of the worst language."""
    shares: dict[str, float] = {}
    for cell in cells:
        shares |= {language: scores.unknown for language, scores in cell.languages.items()}
    if not shares:
        return NOTHING
    worst = max(sorted(shares), key=shares.__getitem__)
    mean = fmean(shares.values())
    return Field(f"{mean:.1%} ({worst} {shares[worst]:.1%})", mean)


def best(reading: Reading) -> list[Sheet]:
    """What one would have gained who chose an intermediate for each target without its test."""
    rows = []
    for one in reading.release.best:
        if one.encoder != reading.encoder or one.gain.value is None:
            continue
        gain = gain_cell(one.gain, brackets=True)
        if one.target is None:
            rows.append(_row("mean", "", "", gain, kind="summary"))
        else:
            chosen = reading.condition(one.arm or reading.baseline)
            rows.append(_row(reading.task(one.target), one.selected_on or "", chosen, gain))
    columns = [*_texts("target task", "chosen on", "intermediate"), *_numbers("gain")]
    caption = "the intermediate that one would choose, and its gain on rows that had no say"
    return [_sheet(reading, "best", caption, columns, rows)]


# Languages


def slices(reading: Reading) -> list[Sheet]:
    """Gains by what a language is like."""
    found = []
    for by, words in SLICES.items():
        mine = [one for one in reading.release.slices if one.by == by]
        mine = [one for one in mine if one.encoder == reading.encoder]
        most: dict[str, int] = {}
        for one in mine:
            most[one.slice] = max(one.points, most.get(one.slice, 0))
        fields = {}
        for one in mine:
            fewer = f"({one.points})" if one.points < most[one.slice] else ""
            fields[one.arm, one.slice] = gain_cell(one.gain, fewer)
        names = {f"{name} ({points})": name for name, points in most.items()}
        columns, rows = _conditions(reading, names, _looked_up(fields))
        caption = f"average gain {words}, English left out (n pairs of target and language)"
        found.append(_sheet(reading, by, caption, columns, rows))
    return found


def _looked_up(fields: Mapping[tuple[str, str], Field]) -> Callable[[str, str], Field]:
    return lambda arm, name: fields.get((arm, name), NOTHING)


def wrong_where(reading: Reading) -> list[Sheet]:
    """In which languages something is wrong with the baseline's number."""
    rows = []
    for target in reading.targets:
        cells = reading.cells.get((reading.baseline, target), [])
        every = languages_of(cells)
        for flag, words in WRONG.items():
            if having := having_flag(cells, flag):
                count = Field(f"{len(having)}/{len(every)}", len(having))
                rows.append(_row(reading.task(target), words, count, _where(having, every)))
    columns = [*_texts("target task", "what is wrong"), *_numbers("languages"), *_texts("which")]
    return [_sheet(reading, "wrong", "what is wrong with the baseline", columns, rows)]


def _where(having: Sequence[str], every: Iterable[str]) -> str:
    """These languages; of many, those that are not among them."""
    others = sorted(set(every) - set(having))
    if not others:
        return "all"
    is_many = len(having) > LISTED and len(others) < len(having)
    named = others if is_many else having
    listed = some(named, LISTED)
    return f"all but {listed}" if is_many else listed


def languages(reading: Reading) -> list[Sheet]:
    """Each gain, language by language: a sheet a target."""
    return [_of_languages(reading, target) for target in reading.targets]


def _of_languages(reading: Reading, target: str) -> Sheet:
    cells = reading.cells.get((reading.baseline, target), [])
    arms = [one.arm for one in reading.ranked if (one.arm, target) in reading.gains]
    rows = []
    for language in sorted(languages_of(cells)):
        of = [cell.languages[language] for cell in cells if language in cell.languages]
        unknown = fmean(scores.unknown for scores in of)
        fields = [Field(f"{unknown:.1%}", unknown), plain_cell(_mean(one.main for one in of))]
        for arm in arms:
            gain = reading.gains[arm, target].per_language.get(language)
            fields.append(gain_cell(gain.gain) if gain else NOTHING)
        rows.append(_row(f"{reading.release.languages[language].name} ({language})", *fields))
    names = ("unknown subwords", "baseline", *map(reading.condition, arms))
    columns = [*_texts("language"), *_numbers(*names)]
    what = "gain" if arms else "score"
    caption = f"{what} on {reading.task(target)} in each language"
    return _sheet(reading, f"languages {target}", caption, columns, rows)


# Difficulty


def difficulty(reading: Reading) -> list[Sheet]:
    """How hard each intermediate task was for the encoder, the easiest first."""
    known = [row for row in reading.difficulty.values() if row.headroom is not None]
    rows = [_hard(reading, row) for row in sorted(known, key=lambda row: row.headroom or 0.0)]
    notes = ["Headroom: the share of the way from chance to people that is left on English dev."]
    if any(row.pvi_share is not None for row in known):
        notes.append("PVI share: of the labels' entropy, how much the encoder explains.")
    split = reading.split
    for found in (split.correlation, split.correlation_pvi) if split else ():
        if found:
            measure, limits = found.measure.replace("_", " "), found.interval
            sure = f" [{_rho(limits[0])}, {_rho(limits[1])}]" if limits else ""
            notes.append(
                f"Rank correlation of {measure} with average gain: {_rho(found.rho)}{sure}."
            )
    columns = _texts("intermediate", "so it is")
    columns += _numbers("rows", "dev score", "chance", "people", "headroom", "PVI share")
    caption = "difficulty, as measured on each intermediate's own English dev"
    return [_sheet(reading, "difficulty", caption, columns, rows, *notes)]


def _rho(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _hard(reading: Reading, row: DifficultyRow) -> Line:
    bucket = "not learned" if row.bucket == "unlearned" else hardness(reading, row.arm) or DASH
    chance = plain(row.chance)
    if not row.chance_known:
        chance += " (measured)" if row.chance else " (assumed)"
    people = plain(row.human) if row.human_known else "100 (no figure)"
    shares = [
        Field(DASH if share is None else f"{share:.2f}", share)
        for share in (row.headroom, row.pvi_share)
    ]
    numbers = [count_cell(row.rows), plain_cell(row.dev), Field(chance, row.chance)]
    return _row(reading.condition(row.arm), bucket, *numbers, Field(people, row.human), *shares)


def easy_hard(reading: Reading) -> list[Sheet]:
    """Easy against hard, target by target: which conditions are compared there."""
    split = reading.split
    if split is None:
        return []
    rows = []
    for target, of in split.by_target.items():
        sides = reading.conditions(of.easy), reading.conditions(of.hard)
        difference = gain_cell(of.easy_minus_hard, brackets=True)
        rows.append(_row(reading.task(target), difference, *sides))
    means = {"": split.overall, " not on own data": split.without_own}
    for name, mean in (means | {" without English": split.zero_shot}).items():
        if mean and mean.targets:
            difference = gain_cell(mean.easy_minus_hard, brackets=True)
            said = f"mean{name} ({len(mean.targets)})"
            rows.append(_row(said, difference, "", "", kind="summary"))
    columns = [*_texts("target task"), *_numbers("easy − hard"), *_texts("easy", "hard")]
    caption = "mean gain of easy tasks minus that of hard ones"
    return [_sheet(reading, "easy-hard", caption, columns, rows, *filter(None, [split.why]))]


def expected(reading: Reading) -> list[Sheet]:
    """What the suite expected, and what came."""
    rows, notes = [], []
    for asked, came in reading.hypotheses:
        name = f"{asked.hypothesis} (primary)" if asked.primary else asked.hypothesis
        found = gain_cell(came.number, brackets=True)
        rows.append(_row(name, range_of(asked), came.at, found, verdict_of(came)))
        parts = [asked.says.strip(), f"Not decided: {came.why}" if came.why else ""]
        parts += [f"Without {', '.join(came.without)}: not learned"] if came.without else []
        said = ". ".join(part.removesuffix(".") for part in parts if part)
        notes.append(f"{asked.hypothesis}: {said}.")
    columns = [*_texts("hypothesis", "range", "decided by"), *_numbers("came"), *_texts("verdict")]
    caption = "what the suite expects, and what came"
    return [_sheet(reading, "hypotheses", caption, columns, rows, *notes, EXPECTED)]


def compared(reading: Reading) -> list[Sheet]:
    """Parts and controls of one task, two by two."""
    rows = []
    for group in _parts(reading):
        for one in group.comparisons:
            q = one.difference.q
            shown = DASH if q is None else "<0.001" if q < 0.001 else f"{q:.3f}"
            difference = gain_cell(one.difference, brackets=True)
            counted = count_cell(group.rows[one.a])
            fields = (group.of, one.a, one.b, counted, difference, Field(shown, q))
            rows.append(_row(*fields, kind="subset"))
    columns = [*_texts("of", "a", "b"), *_numbers("rows", "a − b", "p, corrected")]
    caption = "parts and controls of one task: differences of average gains"
    return [_sheet(reading, "subsets", caption, columns, rows)]


def learned(reading: Reading) -> list[Sheet]:
    """What each part or control learned of its task: to have changed nothing is another thing where
    nothing was learned."""
    rows = []
    for group in _parts(reading):
        for label, arm in group.arms.items():
            numbers = count_cell(group.rows[label]), plain_cell(reading.trained_dev(arm))
            rows.append(_row(group.of, label, *numbers, kind="subset"))
    columns = [*_texts("of", "trained on"), *_numbers("rows", "dev score")]
    caption = "parts and controls of one task: what each learned of it"
    return [_sheet(reading, "parts", caption, columns, rows)]


def _parts(reading: Reading) -> list[Subsets]:
    return [group for group in reading.release.subsets if group.encoder == reading.encoder]
