"""The tables behind the board at a glance: targets, languages, difficulty. Each is a sheet; one
without a row is left out."""

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Literal

from harness.common.text import signed
from harness.page.cautions import (
    NOT_LEARNED,
    OF_ANY,
    OF_MOST,
    OWN_DATA,
    flags_of,
    having_flag,
    languages_of,
)
from harness.page.glance import hardness
from harness.page.points import DASH, gain_cell, plain, plain_cell, score_cell
from harness.page.reading import Reading
from harness.page.sheet import Column, Field, Line, Sheet
from harness.release.schema_derived import DifficultyRow, Estimate, MeanGain, ScoredCell

Choice = Literal["glance", "targets", "languages", "difficulty", "full"]
Maker = Callable[[Reading], list[Sheet]]
NOTHING = Field(DASH)
NUMBER_OF = "(n): over n target tasks only."
LISTED = 10  # languages in a list; of more, those that are not in it
WRONG = {"few_rows": "under 50 test rows"} | OF_MOST | OF_ANY
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
        "difficulty": [difficulty, easy_hard, compared, learned],
    }
    every = [maker for of in makers.values() for maker in of]
    found: list[Sheet] = []
    for maker in every if choice == "full" else makers.get(choice, []):
        found += maker(reading)
    return [sheet for sheet in found if sheet.rows]


def _sheet(
    reading: Reading,
    name: str,
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Line],
    notes: Sequence[str] = (),
) -> Sheet:
    return Sheet(name, f"{reading.encoder} · {caption}", columns, rows, notes)


def _text(name: str) -> Column:
    return Column(name, numeric=False)


def _conditions(reading: Reading, fields: Callable[[str], list[Field]]) -> list[Line]:
    """A condition a row, in the board's order; only those with a number."""
    rows = []
    for average in reading.ranked:
        found = fields(average.arm)
        if any(field.number is not None for field in found):
            kind = reading.release.arms[average.arm].kind
            rows.append(Line(kind, [Field(reading.condition(average.arm)), *found]))
    return rows


# Targets


def targets(reading: Reading) -> list[Sheet]:
    """Each gain."""
    columns = [_text("intermediate"), *(Column(reading.task(t)) for t in reading.targets)]
    scores = [plain_cell(reading.score([target])) for target in reading.targets]
    rows = [Line("baseline", [Field("baseline score"), *scores])]
    rows += _conditions(
        reading, lambda arm: [_gain(reading, arm, target) for target in reading.targets]
    )
    notes = [
        f"{OWN_DATA}: trained first on the target's own data. {NOT_LEARNED}: then not above chance"
        " in English. refused: test rows were trained on."
    ]
    return [_sheet(reading, "targets", "gain on each target task", columns, rows, notes)]


def _gain(reading: Reading, arm: str, target: str) -> Field:
    flags = flags_of(reading.cells.get((arm, target), []))
    gain = reading.gains.get((arm, target))
    if gain is None or gain.gain.value is None:
        return Field("refused") if "leak" in flags else NOTHING
    mark = (NOT_LEARNED if "unlearned" in flags else "") + (
        OWN_DATA if flags & {"same", "shared"} else ""
    )
    return gain_cell(gain.gain, mark)


def averages(reading: Reading) -> list[Sheet]:
    """Average gains, taken over more and fewer targets."""
    columns = [_text("intermediate"), Column("headline targets"), Column("not on own data")]
    columns.append(Column("without English"))
    means = {average.arm: average for average in reading.ranked}

    def fields(arm: str) -> list[Field]:
        of = means[arm]
        every = [of.rest or of.overall, of.without_own or of.rest or of.overall, of.zero_shot]
        return [_mean(mean, len(reading.headline)) for mean in every]

    rows = _conditions(reading, fields)
    return [_sheet(reading, "averages", "average gains", columns, rows, [NUMBER_OF])]


def _mean(mean: MeanGain, of: int) -> Field:
    few = 0 < len(mean.targets) < of
    return gain_cell(mean.gain, f"({len(mean.targets)})" if few else "", brackets=True)


def english(reading: Reading) -> list[Sheet]:
    """Gains in the language of the training, and in those that were never trained on."""
    columns = [_text("intermediate"), *(Column(reading.task(t)) for t in reading.targets)]

    def field(arm: str, target: str) -> Field:
        gain = reading.gains.get((arm, target))
        if gain is None or gain.english is None:
            return NOTHING
        return Field(f"{signed(gain.english)} / {signed(gain.zero_shot)}", gain.english)

    rows = _conditions(reading, lambda arm: [field(arm, target) for target in reading.targets])
    caption = "gain in English / mean over the other languages"
    return [_sheet(reading, "english", caption, columns, rows)]


def centred(reading: Reading) -> list[Sheet]:
    """Retrieval without what only tells languages apart."""
    mine = [t for (_, t), gain in reading.gains.items() if gain.centred is not None]
    shown = [target for target in reading.targets if target in mine]
    columns = [_text("intermediate"), *(Column(reading.task(t)) for t in shown)]

    def field(arm: str, target: str) -> Field:
        gain = reading.gains.get((arm, target))
        value = gain.centred if gain else None
        return Field(signed(value), value)

    rows = _conditions(reading, lambda arm: [field(arm, target) for target in shown])
    caption = "gain of retrieval after each language's mean vector is subtracted"
    return [_sheet(reading, "centred", caption, columns, rows)]


def baseline(reading: Reading) -> list[Sheet]:
    """The encoder without an intermediate: English against the rest, what is at chance."""
    names = ("score", "English", "other languages", "mean above chance", "at chance in")
    columns = [_text("target task"), _text("metric"), *map(Column, names)]
    columns += [Column("accuracy (majority tag)"), Column("unknown subwords (worst)")]
    rows = []
    for target in reading.targets:
        cells = reading.cells.get((reading.baseline, target), [])
        metric = reading.release.targets[target].metric
        if any(cell.score is not None for cell in cells):
            name = [Field(reading.task(target)), Field(metric)]
            rows.append(Line("task", [*name, *_of_baseline(reading, target, cells)]))
    return [_sheet(reading, "baseline", "the baseline", columns, rows)]


def _of_baseline(reading: Reading, target: str, cells: Sequence[ScoredCell]) -> list[Field]:
    of_english = _average(cell.mains.get("en") for cell in cells)
    low, every = having_flag(cells, "floor"), languages_of(cells)
    return [
        score_cell(reading.scores[target].score) if target in reading.scores else NOTHING,
        plain_cell(of_english),
        plain_cell(_average(cell.zero_shot for cell in cells)),
        plain_cell(_average(cell.above_floor for cell in cells)),
        Field(f"{len(low)}/{len(every)}", len(low)),
        _majority(cells),
        _unknown(cells),
    ]


def _average(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _majority(cells: Sequence[ScoredCell]) -> Field:
    scored = [scores.metrics for cell in cells for scores in cell.languages.values()]
    having = [metrics for metrics in scored if "majority" in metrics]
    accuracy = _average(metrics["accuracy"] for metrics in having)
    majority = _average(metrics["majority"] for metrics in having)
    return Field(f"{plain(accuracy)} ({plain(majority)})", accuracy) if having else Field("")


def _unknown(cells: Sequence[ScoredCell]) -> Field:
    """Mean share of subwords that the encoder does not know, and of the worst language."""
    shares: dict[str, float] = {}
    for cell in cells:
        shares |= {language: scores.unknown for language, scores in cell.languages.items()}
    worst = max(sorted(shares), key=shares.__getitem__)
    mean = fmean(shares.values())
    return Field(f"{mean:.1%} ({worst} {shares[worst]:.1%})", mean)


def best(reading: Reading) -> list[Sheet]:
    """What one would have gained who chose an intermediate for each target without its test."""
    columns = [_text("target task"), _text("chosen on"), _text("intermediate"), Column("gain")]
    rows = []
    for one in reading.release.best:
        if one.encoder != reading.encoder or one.gain.value is None:
            continue
        gain = gain_cell(one.gain, brackets=True)
        if one.target is None:
            rows.append(Line("summary", [Field("mean"), Field(""), Field(""), gain]))
            continue
        chosen = reading.condition(one.arm or reading.baseline)
        name = [Field(reading.task(one.target)), Field(one.selected_on or ""), Field(chosen)]
        rows.append(Line("task", [*name, gain]))
    caption = "the intermediate that one would choose, and its gain on rows that had no say"
    return [_sheet(reading, "best", caption, columns, rows)]


# Languages


def slices(reading: Reading) -> list[Sheet]:
    """Gains by what a language is like, with how many pairs of target and language are in each."""
    mine = [one for one in reading.release.slices if one.encoder == reading.encoder]
    found = []
    for by, words in SLICES.items():
        of = {(one.arm, one.slice): one.gain for one in mine if one.by == by}
        points = {one.slice: one.points for one in mine if one.by == by}
        columns = [Column(f"{name} ({count})") for name, count in points.items()]
        rows = _conditions(reading, _slice_fields(of, list(points)))
        caption = f"average gain {words}, English left out (n pairs of target and language)"
        found.append(_sheet(reading, by, caption, [_text("intermediate"), *columns], rows))
    return found


def _slice_fields(
    gains: dict[tuple[str, str], Estimate], names: Sequence[str]
) -> Callable[[str], list[Field]]:
    return lambda arm: [
        gain_cell(gains[arm, name]) if (arm, name) in gains else NOTHING for name in names
    ]


def wrong_where(reading: Reading) -> list[Sheet]:
    """In which languages something is wrong with the baseline's number."""
    columns = [_text("target task"), Column("languages"), _text("what is wrong"), _text("where")]
    rows = []
    for target in reading.targets:
        cells = reading.cells.get((reading.baseline, target), [])
        every = languages_of(cells)
        for flag, words in WRONG.items():
            if having := having_flag(cells, flag):
                count = Field(f"{len(having)}/{len(every)}", len(having))
                where = Field(_where(having, every))
                rows.append(Line("task", [Field(reading.task(target)), count, Field(words), where]))
    caption = "what is wrong with the baseline in which languages"
    return [_sheet(reading, "wrong", caption, columns, rows)]


def _where(having: Sequence[str], every: Iterable[str]) -> str:
    if len(having) <= LISTED:
        return ", ".join(having)
    others = sorted(set(every) - set(having))
    return f"all but {', '.join(others)}" if others else "all"


def languages(reading: Reading) -> list[Sheet]:
    """Each gain, language by language: a sheet a target."""
    return [_of_languages(reading, target) for target in reading.targets]


def _of_languages(reading: Reading, target: str) -> Sheet:
    cells = reading.cells.get((reading.baseline, target), [])
    arms = [one.arm for one in reading.ranked if (one.arm, target) in reading.gains]
    columns = [_text("language"), Column("unknown subwords"), Column("baseline")]
    columns += [Column(reading.condition(arm)) for arm in arms]
    rows = []
    for language in sorted(languages_of(cells)):
        of = [cell.languages[language] for cell in cells if language in cell.languages]
        unknown = fmean(scores.unknown for scores in of)
        fields = [Field(f"{unknown:.1%}", unknown), plain_cell(_average(s.main for s in of))]
        for arm in arms:
            gain = reading.gains[arm, target].per_language.get(language)
            fields.append(gain_cell(gain.gain) if gain else NOTHING)
        name = reading.release.languages[language].name
        rows.append(Line("task", [Field(f"{name} ({language})"), *fields]))
    caption = f"gain on {reading.task(target)} in each language"
    return _sheet(reading, f"languages {target}", caption, columns, rows)


# Difficulty


def difficulty(reading: Reading) -> list[Sheet]:
    """How hard each intermediate task was for the encoder, the easiest first."""
    names = ("rows", "dev score", "chance", "people", "headroom", "PVI share")
    columns = [_text("intermediate"), _text("so it is"), *map(Column, names)]
    known = [row for row in reading.difficulty.values() if row.headroom is not None]
    rows = [
        Line("task", [Field(reading.condition(row.arm)), *_hard(reading, row)])
        for row in sorted(known, key=lambda row: row.headroom or 0.0)
    ]
    notes = [
        "Headroom: the share of the way from chance to people that is left on English dev. PVI"
        " share: of the labels' entropy, how much the encoder explains."
    ]
    split = reading.split
    for found in (split.correlation, split.correlation_pvi) if split else ():
        if found:
            measure = found.measure.replace("_", " ")
            rho = f"{signed_two(found.rho)}{_rho_interval(found.interval)}"
            notes.append(f"Rank correlation of {measure} with average gain: {rho}.")
    caption = "difficulty, as measured on each intermediate's own English dev"
    return [_sheet(reading, "difficulty", caption, columns, rows, notes)]


def signed_two(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _rho_interval(interval: Sequence[float] | None) -> str:
    return f" [{signed_two(interval[0])}, {signed_two(interval[1])}]" if interval else ""


def _hard(reading: Reading, row: DifficultyRow) -> list[Field]:
    bucket = "not learned" if row.bucket == "unlearned" else hardness(reading, row.arm)
    chance = plain(row.chance)
    if not row.chance_known:
        chance += " (measured)" if row.chance else " (assumed)"
    people = plain(row.human) if row.human_known else "100 (no figure)"
    headroom = DASH if row.headroom is None else f"{row.headroom:.2f}"
    share = DASH if row.pvi_share is None else f"{row.pvi_share:.2f}"
    return [
        Field(bucket or DASH),
        Field(f"{row.rows:,}" if row.rows else DASH, row.rows),
        plain_cell(row.dev),
        Field(chance, row.chance),
        Field(people, row.human),
        Field(headroom, row.headroom),
        Field(share, row.pvi_share),
    ]


def easy_hard(reading: Reading) -> list[Sheet]:
    """Easy against hard, target by target: which conditions are compared there."""
    split = reading.split
    if split is None:
        return []
    rows = [
        Line(
            "task",
            [
                Field(reading.task(target)),
                gain_cell(of.easy_minus_hard, brackets=True),
                Field(reading.conditions(of.easy)),
                Field(reading.conditions(of.hard)),
            ],
        )
        for target, of in split.by_target.items()
    ]
    means = {
        "all": split.overall,
        "not on own data": split.without_own,
        "without English": split.zero_shot,
    }
    for name, mean in means.items():
        if mean and mean.targets:
            many = Field(f"{name} ({len(mean.targets)})")
            difference = gain_cell(mean.easy_minus_hard, brackets=True)
            rows.append(Line("summary", [many, difference, Field(""), Field("")]))
    columns = [_text("target task"), Column("easy − hard"), _text("easy"), _text("hard")]
    caption = "mean gain of easy tasks minus that of hard ones"
    return [_sheet(reading, "easy-hard", caption, columns, rows, [split.why] if split.why else [])]


def compared(reading: Reading) -> list[Sheet]:
    """Parts and controls of one task, two by two."""
    columns = [_text("of"), _text("a"), _text("b"), Column("rows"), Column("a − b")]
    columns.append(Column("p, corrected"))
    rows = []
    for group in reading.release.subsets:
        if group.encoder != reading.encoder:
            continue
        for one in group.comparisons:
            many, q = group.rows[one.a], one.difference.q
            shown = DASH if q is None else "<0.001" if q < 0.001 else f"{q:.3f}"
            fields = [
                *map(Field, (group.of, one.a, one.b)),
                Field(f"{many:,}" if many else DASH, many),
                gain_cell(one.difference, brackets=True),
                Field(shown, q),
            ]
            rows.append(Line("subset", fields))
    caption = "parts and controls of one task: differences of average gains"
    return [_sheet(reading, "subsets", caption, columns, rows)]


def learned(reading: Reading) -> list[Sheet]:
    """What each part or control learned of its task: to have changed nothing is another thing where
    nothing was learned."""
    columns = [_text("of"), _text("trained on"), Column("rows"), Column("dev score")]
    rows = []
    for group in reading.release.subsets:
        if group.encoder != reading.encoder:
            continue
        for label, arm in group.arms.items():
            many = group.rows[label]
            rows.append(
                Line(
                    "subset",
                    [
                        *map(Field, (group.of, label)),
                        Field(f"{many:,}" if many else DASH, many),
                        plain_cell(reading.trained_dev(arm)),
                    ],
                )
            )
    caption = "parts and controls of one task: what each learned of it"
    return [_sheet(reading, "parts", caption, columns, rows)]
