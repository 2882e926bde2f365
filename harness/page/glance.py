"""The board at a glance: for each encoder one table, its footnotes and three sentences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.page import words
from harness.page.cautions import ALL, Cautions
from harness.page.points import gain_cell, plain_cell, score_cell
from harness.page.reading import AVERAGE, Reading, group_name, readings, shown_mean
from harness.page.sheet import Column, Field, Line, Sheet
from harness.release.schema import Concluded
from harness.release.schema_derived import Average, Estimate, MeanGain

NOTHING = Estimate()
BUCKETS = {"easy": "easy", "hard": "hard", "median": "middle"}  # how hard a task was


@dataclass(frozen=True)
class EncoderBoard:
    """One encoder's table, and what it says in sentences."""

    encoder: str
    sheet: Sheet
    sentences: Sequence[str]


@dataclass(frozen=True)
class Glance:
    """`boards`: one an encoder; of a release without intermediates one for all. `together`: a line
    that compares the encoders; "" where there is one. `warning`: what stands before all of it."""

    boards: Sequence[EncoderBoard]
    together: str
    warning: str


def glance(release: Concluded, title: str) -> Glance:
    """`title`: the release's number and name."""
    mine = readings(release)
    with_gains = [reading for reading in mine if reading.ranked]
    boards = [_board(reading, title) for reading in with_gains]
    if not boards:
        boards = [_side_by_side(mine, title)]
    warning = words.SMOKE if release.suite.smoke else ""
    return Glance(boards, words.together(mine) if with_gains else "", warning)


def _board(reading: Reading, title: str) -> EncoderBoard:
    cautions = Cautions.of(reading)
    columns = [Column("", numeric=False, wide=True), Column("intermediate", numeric=False)]
    columns += [Column(group_name(of), mark=cautions.mark(ALL, of)) for of in reading.columns]
    notes = [*cautions.footnotes, *words.footnotes(reading)]
    rows = list(_rows(reading, cautions))
    sheet = Sheet("glance", words.caption(reading, title), columns, rows, notes)
    return EncoderBoard(reading.encoder, sheet, words.sentences(reading))


def _rows(reading: Reading, cautions: Cautions) -> Iterator[Line]:
    over = reading.columns.values()
    counts = [Field(str(len(targets)), len(targets)) for targets in over]
    yield Line("baseline", [Field(""), Field("target tasks"), *counts])
    scores = [plain_cell(reading.score(targets)) for targets in over]
    yield Line("baseline", [Field(""), Field("baseline score"), *scores])
    for average in reading.ranked:
        yield _condition(reading, average, cautions)
    split = reading.split
    if split and split.overall.targets:
        sides = split.groups | {AVERAGE: split.overall}
        differences = [
            gain_cell(sides[of].easy_minus_hard, brackets=of == AVERAGE) for of in reading.columns
        ]
        yield Line("summary", [Field(""), Field("easy − hard"), *differences])


def _condition(reading: Reading, average: Average, cautions: Cautions) -> Line:
    arm = average.arm
    name = f"{reading.condition(arm)} {cautions.mark(arm, ALL)}".strip()
    means = average.groups | {AVERAGE: shown_mean(average)}
    cells = []
    for of, targets in reading.columns.items():
        mark = cautions.mark(arm, of)
        mean = mean_cell(means.get(of), len(targets), mark, brackets=of == AVERAGE)
        cells.append(mean if of == AVERAGE else replace(mean, tip=_behind(reading, arm, targets)))
    kind = reading.release.arms[arm].kind
    return Line(kind, [Field(hardness(reading, arm)), Field(name), *cells])


def _behind(reading: Reading, arm: str, targets: Sequence[str]) -> str:
    """The gains of which a mean is, one a line."""
    gains = {target: reading.gains.get((arm, target)) for target in targets}
    said = [
        f"{reading.task(target)}: {gain_cell(gain.gain, brackets=True).text}"
        for target, gain in gains.items()
        if gain is not None and gain.gain.value is not None
    ]
    return "\n".join([f"after {reading.condition(arm)}", *said]) if said else ""


def hardness(reading: Reading, arm: str) -> str:
    """Which side of the split a task falls on; "" for neither, and where there are no sides."""
    row = reading.difficulty.get(arm)
    return BUCKETS.get(row.bucket or "", "") if row and reading.has_sides else ""


def mean_cell(mean: MeanGain | None, of: int, mark: str, brackets: bool = False) -> Field:
    """A mean gain; over how many targets, if not over all `of` them."""
    if mean is None or not mean.targets:
        return gain_cell(NOTHING, mark)
    fewer = f"({len(mean.targets)})" if len(mean.targets) < of else ""
    return gain_cell(mean.gain, f"{fewer}{mark}", brackets)


def _side_by_side(mine: Sequence[Reading], title: str) -> EncoderBoard:
    """Encoders beside each other, a target a row: what a release without intermediates shows."""
    first, *others = mine
    columns = [Column("target task", numeric=False), Column(first.encoder)]
    for other in others:
        columns += [Column(other.encoder), Column(f"− {first.encoder}")]
    targets = list(dict.fromkeys(target for reading in mine for target in reading.targets))
    rows = [_target_row(mine, target) for target in targets]
    if any(len(reading.headline) > 1 for reading in mine):
        rows.append(_target_row(mine, None))
    caption, notes = words.score_caption(mine, title), words.score_notes(mine)
    sheet = Sheet("glance", caption, columns, rows, notes)
    return EncoderBoard("", sheet, words.score_sentences(mine))


def _target_row(mine: Sequence[Reading], target: str | None) -> Line:
    cells = [Field(mine[0].task(target) if target else "average")]
    for reading in mine:
        of = reading.scores.get(target)
        cells.append(score_cell(of.score if of else NOTHING))
        if reading is not mine[0]:
            cells.append(gain_cell(of.difference if of and of.difference else NOTHING))
    return Line("task" if target else "summary", cells)
