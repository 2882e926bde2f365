"""leaderboard/published/*.yaml: numbers as somebody else printed them, each with where it was read,
and checks over them.

A number that was not read is not here; `gaps` lists what is missing. The three kinds of check are
named for what they prove:

    level 1   rerun: we compute the cells again, from data and weights, and they equal what is
              printed
    level 2   derive: a printed average follows from printed cells by the benchmark's own definition
    level 3   claim: a release of the suite that repeats the experiment agrees with the paper,
              within a margin set beforehand
"""

from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator

from harness.common.errors import SpecError
from harness.common.strict import Name, Strict
from harness.spec.catalog import builtin_root
from harness.spec.reader import Places, read

Provenance = Literal["verbatim", "derived", "secondary"]


class Paper(Strict):
    """Who printed the numbers."""

    title: str
    url: str
    venue: str | None = None


class PrintedTable(Strict):
    """Numbers that were printed side by side: row → column → number. `decimals`: digits after the
    point, as printed."""

    title: str
    split: str = Field(description="which rows the scores are of: dev, test")
    protocol: str = Field(
        description="recipes and settings they were made with; unknown if the source does not say"
    )
    scale: Literal[1, 100] = Field(100, description="what a perfect score is")
    decimals: NonNegativeInt
    provenance: Provenance = Field(
        description=(
            "verbatim: read there; derived: computed from such; secondary: quoted by another text"
        )
    )
    source: str = Field(description="keys of `sources`")
    note: str | None = None
    # a table without a number would agree with anything
    cells: dict[str, Annotated[dict[str, float], Field(min_length=1)]] = Field(min_length=1)


class Rerun(Strict):
    """Cells of one encoder and target in a release of `suite`; rows of `table` are languages, its
    columns metrics."""

    suite: Name
    encoder: Name
    target: Name
    table: Name
    tolerance: NonNegativeFloat = Field(
        0.0, description="on the table's scale, after rounding to the printed digits"
    )


class Submission(Strict):
    """A submission folder that XTREME's own scorer has scored; `tables`: per task, rows are
    languages (or "average")."""

    folder: Literal["mock"] = Field(
        description="mock: predictions and labels of the benchmark's own test (`mock_test_data`)"
    )
    tables: list[Name]
    averages: Name
    tolerance: NonNegativeFloat = 0.0


class Formula(Strict):
    """A cell `table/row/column` (in YAML its bare path), or one of: the unweighted mean of several,
    their sum, the first minus the second, a number times another."""

    cell: str | None = None
    mean: "list[Formula] | None" = Field(None, min_length=1)
    sum: "list[Formula] | None" = Field(None, min_length=1)
    minus: "list[Formula] | None" = Field(None, min_length=2, max_length=2)
    times: PositiveFloat | None = None
    of: "Formula | None" = Field(None, description="what `times` multiplies")

    @model_validator(mode="before")
    @classmethod
    def _bare_path(cls, value: Any) -> Any:
        return {"cell": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [self.cell, self.mean, self.sum, self.minus, self.times]
        if kinds.count(None) != 4 or (self.times is None) != (self.of is None):
            raise ValueError(
                "mean: a formula is a cell, or has one of mean, sum, minus, or times with of"
            )
        return self

    @property
    def parts(self) -> "list[Formula]":
        """The formulas it is made of; none in a cell."""
        return self.mean or self.sum or self.minus or ([self.of] if self.of else [])

    @property
    def cells(self) -> list[str]:
        """All cells that it reads."""
        if self.cell:
            return [self.cell]
        return list(chain.from_iterable(part.cells for part in self.parts))


class Derivation(Strict):
    """`formula` over cells named `table/row/column`, held against what is printed (a cell, or again
    a formula)."""

    formula: Formula
    printed: Formula
    found: Literal["agrees", "differs"] = Field(
        "agrees", description="what holds of these numbers; `differs` needs a why"
    )


class Order(Strict):
    """`most` exceeds each of `rest`: formulas again."""

    most: Formula
    rest: list[Formula] = Field(min_length=1)


class Claim(Strict):
    """What a paper says, as a test over a release of `suite`, for one encoder.

    gain        the average gain of `arm` is `printed`, within `margin`
    best        the mean over targets of the gain with the best arm of each is `printed`, within
                `margin`
    score       the baseline's score on the one of `targets` is `printed`, within `margin`
    most        with each of `arms`, each of `targets` gains more than each other target
    consistent  with each of `arms`, each of `targets` gains more than nothing
    none        with each of `arms`, no target of `targets` gains more than `margin`
    no_better   the average gain of each of `arms` is at most `margin` above that of `than`
    """

    kind: Literal["gain", "best", "score", "most", "consistent", "none", "no_better"]
    suite: Name
    encoder: Name
    arm: Name | None = None
    arms: list[Name] = []
    targets: list[Name] = []
    than: Name | None = None
    printed: Formula | None = Field(
        None, description="what the paper prints: table/row/column, or a formula over such"
    )
    margin: PositiveFloat | None = Field(None, description="points on 0-100; set before any run")


NEEDS = {
    "gain": {"arm", "printed", "margin"},
    "best": {"printed", "margin"},
    "score": {"targets", "printed", "margin"},
    "most": {"arms", "targets"},
    "consistent": {"arms", "targets"},
    "none": {"arms", "targets", "margin"},
    "no_better": {"arms", "than", "margin"},
}


class Check(Strict):
    """One line of the report."""

    name: Name
    says: str = Field(description="what is claimed, in one line")
    rerun: Rerun | None = None
    submission: Submission | None = None
    derive: Derivation | None = None
    order: Order | None = None
    claim: Claim | None = None
    why: str = Field(description="why this tolerance, margin or finding")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [self.rerun, self.submission, self.derive, self.order, self.claim]
        if len(list(filter(None, kinds))) != 1:
            raise ValueError(
                "name: a check has exactly one of rerun, submission, derive, order, claim"
            )
        return self

    @model_validator(mode="after")
    def _whole_claim(self) -> Self:
        claim = self.claim
        if claim is None:
            return self
        fields = ("arm", "arms", "targets", "than", "printed", "margin")
        needed = NEEDS[claim.kind]
        if {name for name in fields if getattr(claim, name)} != needed:
            raise ValueError(f"claim: kind {claim.kind} goes with {', '.join(sorted(needed))}")
        if claim.kind == "score" and len(claim.targets) != 1:
            raise ValueError("claim: kind score is about one target")
        return self

    @property
    def level(self) -> int:
        """What the check proves: see the top of this file."""
        return 1 if self.rerun or self.submission else 3 if self.claim else 2


class Published(Strict):
    """One file: the numbers of a paper or board, and what can be checked of them."""

    published: Name
    version: int
    about: str
    paper: Paper
    sources: dict[str, str]
    tables: dict[str, PrintedTable]
    checks: list[Check] = []
    gaps: list[str] = Field([], description="what the paper holds and nobody has read yet")

    def cell(self, path: str) -> Decimal:
        """The number at `table/row/column`, 0-100. KeyError or ValueError if there is none."""
        table, row, column = path.split("/")
        found = self.tables[table]
        return Decimal(str(found.cells[row][column])) * 100 / found.scale

    def half_unit(self, path: str) -> Decimal:
        """Half a unit of the last printed digit, on 0-100: how far the true number may be from the
        printed one."""
        found = self.tables[path.split("/")[0]]
        return Decimal(5).scaleb(-found.decimals - 1) * 100 / found.scale


def folder() -> Path:
    """Where the project's own published numbers lie."""
    return builtin_root() / "leaderboard" / "published"


def load(where: list[Path]) -> list[Published]:
    """All files of these folders, in order of name; SpecError lists what is wrong in them, with
    line and column."""
    files: list[Path] = []
    for place in where:
        files += sorted(place.glob("*.yaml")) if place.is_dir() else [place]

    lines: list[str] = []
    found: list[Published] = []
    names: dict[str, str] = {}
    for file in files:
        try:
            document, source = read(file, Published)
        except SpecError as error:
            lines.append(str(error))
            continue
        lines += _broken(document, source)
        for i, check in enumerate(document.checks):
            if check.name in names:
                lines.append(
                    f"{source.at('checks', i, 'name')}: check {check.name!r} stands at"
                    f" {names[check.name]} too"
                )
            names.setdefault(check.name, source.at("checks", i, "name"))
        found.append(document)
    if lines:
        raise SpecError("\n".join(lines))
    return found


def _broken(document: Published, source: Places) -> list[str]:
    """References to sources, tables and cells that the file does not have; numbers with more digits
    than were printed."""
    lines = []
    for name, table in document.tables.items():
        lines += _broken_table(document, source, name, table)
    for i, check in enumerate(document.checks):
        for path in _paths(check):
            try:
                document.cell(path)
            except (KeyError, ValueError):
                at = source.at("checks", i)
                lines.append(f"{at}: no cell {path!r}; write table/row/column")
        for name in _tables(check):
            if name not in document.tables:
                lines.append(f"{source.at('checks', i)}: no table {name!r}")
    return lines


def _broken_table(document: Published, source: Places, name: str, table: PrintedTable) -> list[str]:
    lines = []
    for key in table.source.split(", "):
        if key not in document.sources:
            lines.append(
                f"{source.at('tables', name, 'source')}: no source {key!r}; there are"
                f" {', '.join(document.sources)}"
            )
    for row, columns in table.cells.items():
        for column, value in columns.items():
            if wrong := _misprinted(value, table):
                at = source.at("tables", name, "cells", row, column)
                lines.append(f"{at}: {value} has more than {wrong} of table {name}")
    return lines


def _misprinted(value: float, table: PrintedTable) -> str:
    """What of its table a number goes beyond; empty if it does not."""
    if abs(value) > table.scale:
        return f"a perfect score, the `scale: {table.scale}`"
    return f"the {table.decimals} decimals" if _decimals(value) > table.decimals else ""


def _decimals(value: float) -> int:
    """Digits after the point; normalized, since a whole number is read as 84.0."""
    exponent = Decimal(str(value)).normalize().as_tuple().exponent
    assert isinstance(exponent, int), "a file's numbers are finite"
    return -exponent


def _tables(check: Check) -> list[str]:
    """Tables that it is held against as a whole."""
    if check.rerun:
        return [check.rerun.table]
    return [*check.submission.tables, check.submission.averages] if check.submission else []


def _paths(check: Check) -> list[str]:
    formulas = [check.derive.formula, check.derive.printed] if check.derive else []
    formulas += [check.order.most, *check.order.rest] if check.order else []
    formulas += [check.claim.printed] if check.claim and check.claim.printed else []
    return list(chain.from_iterable(formula.cells for formula in formulas))
