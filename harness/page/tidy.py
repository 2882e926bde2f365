"""A release as tables of numbers, one observation a row: what a notebook works with, and the CSV
files of `leaderboard export`.

Scores are 0-100, gains and their intervals in points of 100, both unrounded. What is not known is
missing: NaN, an empty cell of CSV.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.common.errors import SpecError
from harness.release.schema import Concluded
from harness.release.schema_derived import Average, Estimate, MeanGain, ScoredCell, Tested

if TYPE_CHECKING:
    from pandas import DataFrame

Row = dict[str, Any]  # column → value; a column that is left out has none
TableName = Literal["scores", "metrics", "gains", "language_gains", "averages", "difficulty"]


@dataclass(frozen=True)
class TidyColumn:
    """What a column holds; `dtype`: pandas's, where it might guess another."""

    about: str
    dtype: str = ""


@dataclass(frozen=True)
class Tidy:
    """A table: what one row is, its columns in their order, and its rows."""

    row: str
    columns: dict[str, TidyColumn]
    rows: Callable[[Concluded], Iterator[Row]]


def number(about: str) -> TidyColumn:
    return TidyColumn(about, "float64")


def count(about: str) -> TidyColumn:
    return TidyColumn(about, "Int64")


# What several tables have

SUITE = {
    "suite": TidyColumn("the suite's name"),
    "smoke": TidyColumn("whether its data are made up, so that its numbers say nothing", "bool"),
}
CONDITION = {
    "encoder": TidyColumn("the encoder's name"),
    "condition": TidyColumn("the intermediate, or `none`: the baseline"),
}
TARGET = CONDITION | {"target": TidyColumn("the target task, a reduced one with its suffix")}
CELL = TARGET | {
    "language": TidyColumn("ISO code; missing where the whole cell is refused or not there"),
    "seed": count("the suite's seed"),
}
FLAGS = {
    "flags": TidyColumn(
        "what qualifies it, separated by blanks: docs/suites.md says what they mean"
    )
}
INTERVAL = {
    "value": number("points: the score minus the baseline's, paired by seed"),
    "low": number("points: where its 95% interval begins"),
    "high": number("points: where it ends"),
    "p": number("two-sided, of no difference; missing with fewer than three seeds"),
}
CORRECTED = INTERVAL | {
    "q": number("p after the correction for all numbers of the release"),
    "arrow": TidyColumn("`up` or `down`: significant by q"),
}


# Their rows


def _at(cell: ScoredCell) -> Row:
    return {
        "encoder": cell.encoder,
        "condition": cell.arm,
        "target": cell.target,
        "seed": cell.seed,
    }


def _scores(release: Concluded) -> Iterator[Row]:
    for cell in release.cells:
        at = _at(cell) | {"metric": release.targets[cell.target].metric}
        if not cell.languages:
            yield at | {"flags": " ".join(cell.flags)}
        for language, said in cell.languages.items():
            yield at | {
                "language": language,
                "score": said.main,
                "stderr": said.stderr,
                "null": said.null,
                "n": said.n,
                "truncated": said.truncated,
                "unknown": said.unknown,
                "flags": " ".join([*cell.flags, *said.flags]),
            }


def _metrics(release: Concluded) -> Iterator[Row]:
    for cell in release.cells:
        for language, said in cell.languages.items():
            for name, value in said.metrics.items():
                yield _at(cell) | {"language": language, "metric": name, "value": value}


def _estimate(of: Estimate) -> Row:
    low, high = of.interval or (None, None)
    said: Row = {"value": of.value, "low": low, "high": high, "p": of.p}
    if isinstance(of, Tested):
        said |= {"q": of.q, "arrow": of.arrow}
    return said


def _gains(release: Concluded) -> Iterator[Row]:
    for gain in release.gains:
        at = {"encoder": gain.encoder, "condition": gain.arm, "target": gain.target}
        yield (
            at
            | _estimate(gain.gain)
            | {
                "english": gain.english,
                "zero_shot": gain.zero_shot,
                "above_floor": gain.above_floor,
                "seeds": len(gain.per_seed),
                "flags": " ".join(gain.flags),
            }
        )


def _language_gains(release: Concluded) -> Iterator[Row]:
    for gain in release.gains:
        at = {"encoder": gain.encoder, "condition": gain.arm, "target": gain.target}
        for language, of in gain.per_language.items():
            yield at | {"language": language} | _estimate(of.gain)


def _averages(release: Concluded) -> Iterator[Row]:
    for average in release.averages:
        at = {"encoder": average.encoder, "condition": average.arm}
        for name, mean in _ways(average).items():
            yield (
                at | {"average": name} | _estimate(mean.gain) | {"targets": " ".join(mean.targets)}
            )


def _ways(average: Average) -> dict[str, MeanGain]:
    found = {
        "overall": average.overall,
        "rest": average.rest,
        "without_own": average.without_own,
        "zero_shot": average.zero_shot,
        **average.groups,
    }
    return {name: mean for name, mean in found.items() if mean is not None}


def _difficulty(release: Concluded) -> Iterator[Row]:
    for row in release.difficulty:
        said = row.model_dump(exclude={"dev_per_seed", "headroom_per_seed"})
        yield {"condition": said.pop("arm")} | said


TABLES: dict[TableName, Tidy] = {
    "scores": Tidy(
        "an encoder, a condition, a target, a language and a seed",
        SUITE
        | CELL
        | {
            "metric": TidyColumn("the target's metric"),
            "score": number(
                "0-100 (Matthews from -100): the main score; missing where labels are placeholders"
            ),
            "stderr": number("points: standard error of the score over test rows"),
            "null": number(
                "0-100: what the most frequent answer, or chance, reaches; of tagging in accuracy"
            ),
            "n": count("test rows"),
            "truncated": count("test rows that were too long to be read whole"),
            "unknown": number("0-1: share of subwords that the encoder's vocabulary does not know"),
        }
        | FLAGS,
        _scores,
    ),
    "metrics": Tidy(
        "one number that the target's metric reports, of a row of `scores`",
        SUITE
        | CELL
        | {
            "metric": TidyColumn("its name, as f1 or exact_match"),
            "value": number("0-100 (Matthews from -100)"),
        },
        _metrics,
    ),
    "gains": Tidy(
        "an encoder, a condition and a target: the mean over seeds and languages",
        SUITE
        | TARGET
        | CORRECTED
        | {
            "english": number("points: the gain in English"),
            "zero_shot": number("points: in the mean over the other languages"),
            "above_floor": number("points: over languages in which neither side is at chance"),
            "seeds": count("seeds that both sides have"),
        }
        | FLAGS,
        _gains,
    ),
    "language_gains": Tidy(
        "an encoder, a condition, a target and a language: the mean over seeds",
        SUITE | TARGET | {"language": TidyColumn("ISO code")} | INTERVAL,
        _language_gains,
    ),
    "averages": Tidy(
        "an encoder, a condition and a way to average its gains",
        SUITE
        | CONDITION
        | {
            "average": TidyColumn(
                "`overall`: the headline targets; `rest`: those that are known where not all are;"
                " `without_own`: without those on whose own data it trained; `zero_shot`: without"
                " English; else a kind of target"
            )
        }
        | CORRECTED
        | {"targets": TidyColumn("the targets of the mean, separated by blanks")},
        _averages,
    ),
    "difficulty": Tidy(
        "an encoder and an intermediate task",
        SUITE
        | CONDITION
        | {
            "of": TidyColumn("the task that it is, or is made of"),
            "rows": count("rows that it trained on"),
            "dev": number("0-100: score on the task's own English dev rows"),
            "chance": number("0-100: what guessing reaches there"),
            "chance_known": TidyColumn("whether the task's YAML says that", "bool"),
            "human": number("0-100: what people reach; 100 where no figure is published"),
            "human_known": TidyColumn("whether such a figure is published", "bool"),
            "headroom": number("share of the way from chance to people that is left"),
            "pvi": number("bits of the labels that the encoder explains, a row"),
            "pvi_share": number("the same as a share of their entropy"),
            "learned": TidyColumn("whether dev is above chance, by three standard errors", "bool"),
            "bucket": TidyColumn("`easy`, `hard`, `median` or `unlearned`"),
        },
        _difficulty,
    ),
}


def tidy(release: Concluded, name: TableName) -> list[Row]:
    """The rows of a table, each with every column in its order; None where there is nothing.
    SpecError if no table is called so."""
    if name not in TABLES:
        raise SpecError(f"no table is called {name!r}; there is {', '.join(TABLES)}")
    of = TABLES[name]
    suite = {"suite": release.suite.name, "smoke": release.suite.smoke}
    found = []
    for row in of.rows(release):
        said = suite | row
        found.append({column: said.get(column) for column in of.columns})
    return found


def frame(release: Concluded, name: TableName) -> "DataFrame":
    """The same as pandas has it. `attrs["columns"]`: what each column holds, and in which unit."""
    from pandas import DataFrame

    rows = tidy(release, name)
    columns = TABLES[name].columns
    made = DataFrame(rows, columns=list(columns))
    made = made.astype({column: kind.dtype for column, kind in columns.items() if kind.dtype})
    made.attrs["columns"] = {column: kind.about for column, kind in columns.items()}
    return made
