"""The paired bootstrap of test examples: what a score might have been with other rows of the same
kind.

One draw of units serves all encoders, arms and seeds of a target, so that a gain's interval is that
of a difference between systems that answered the same rows (Berg-Kirkpatrick et al. 2012, An
Empirical Investigation of Statistical Significance in NLP; Efron and Tibshirani 1993, chapter 8). A
unit is what was sampled as one: a row, or a paragraph with all its questions. Where a target is
parallel the same units stand in every language, and are drawn once for all of them; elsewhere each
language draws its own.

The same numbers on every machine: the streams are numpy's RandomState, which is frozen (NEP 19);
sums are of whole numbers below 2^53, which no order of addition changes; the rest is one operation
an element.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.metrics import METRICS
from harness.metrics.metric import Array

REPLICATES = 5000
FLOAT_SCALE = 10**6  # a fractional vector (F1 of an answer) counts in millionths
_DRAWN_AT_ONCE = 1 << 17  # unit numbers; 1 MiB, which a core's cache holds

# unit number of each example, (n,); of each system, vector name → (n,)
Systems = tuple[Array, Sequence[Mapping[str, Array]]]
Reader = Callable[[str], Systems]  # of a language


class _Table(NamedTuple):
    """One language's vectors, summed by unit.

    units   (u,) ascending unit numbers
    values  (u, columns) whole numbers as float64; equal columns (the gold side of all systems)
            stand once
    places  for each system, vector name → (column, scale)
    """

    units: npt.NDArray[np.int64]
    values: Array
    places: list[dict[str, tuple[int, int]]]


def stream(*names: str) -> np.random.RandomState:
    """The random stream of these names, the same on every machine and in every version of numpy."""
    return np.random.RandomState(
        np.frombuffer(sha256("\n".join(names).encode()).digest(), dtype="<u4")
    )


def draws(units: int, random: np.random.RandomState) -> Iterator[tuple[slice, Array]]:
    """(which replicates, how often each of `units` is drawn in them): float64 (replicates, units),
    each row sums to `units`."""
    at_once = max(1, _DRAWN_AT_ONCE // units)
    for start in range(0, REPLICATES, at_once):
        rows = min(at_once, REPLICATES - start)
        drawn = random.randint(0, units, size=(rows, units), dtype=np.int64)
        drawn += units * np.arange(rows, dtype=np.int64)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * units)
        yield slice(start, start + rows), counts.reshape(rows, units).astype(np.float64)


def replicate_scores(
    target: str,
    metric: str,
    languages: Sequence[str],
    parallel: bool,
    read: Reader,
    purpose: str = "bootstrap",
) -> dict[str, list[Array]]:
    """Main scores, 0-100, of each replicate: language → for each system, (REPLICATES,).

    read     called once a language; where languages draw apart, one language's vectors are in
             memory at a time
    purpose  names the stream beside target and language ("" where one draw serves all languages)
    """
    groups = [("", sorted(languages))]
    if not parallel:
        groups = [(language, [language]) for language in sorted(languages)]

    scores: dict[str, list[Array]] = {}
    for name, group in groups:
        tables = {language: _table(metric, *read(language)) for language in group}
        sums = _sums(tables, stream(target, name, purpose))
        for language, table in tables.items():
            scores[language] = _scores(metric, table, sums.pop(language).T)
    return scores


def _sums(tables: Mapping[str, _Table], random: np.random.RandomState) -> dict[str, Array]:
    """Language → sums of its columns over the drawn units, (REPLICATES, columns), for languages
    that share their draws."""
    units = np.unique(np.concatenate([table.units for table in tables.values()]))
    for table in tables.values():
        assert len(units) * np.abs(table.values).max() < 2**53, "sums would not be exact"

    at = {language: np.searchsorted(units, table.units) for language, table in tables.items()}
    sums = {
        language: np.empty((REPLICATES, table.values.shape[1]))
        for language, table in tables.items()
    }
    for rows, counts in draws(len(units), random):
        for language, table in tables.items():
            # a parallel language may lack some of the units that are drawn for all
            mine = counts if len(table.units) == len(units) else counts[:, at[language]]
            np.matmul(mine, table.values, out=sums[language][rows])
    return sums


def _scores(metric: str, table: _Table, sums: Array) -> list[Array]:
    """Each system's main scores from the sums of the table's columns, (columns, REPLICATES)."""
    main = METRICS[metric].main_from_totals
    scores = []
    for places in table.places:
        totals = {name: sums[column] / scale for name, (column, scale) in places.items()}
        scores.append(main(totals))
    return scores


def _table(metric: str, units: Array, systems: Sequence[Mapping[str, Array]]) -> _Table:
    """What the metric sums of these examples, summed by unit before anything is drawn."""
    numbers, index = np.unique(np.asarray(units, dtype=np.int64), return_inverse=True)
    columns: dict[bytes, int] = {}
    places = []
    for examples in systems:
        place = {}
        vectors = {"n": np.ones(len(units))} | METRICS[metric].resampled(examples)
        for name, vector in vectors.items():
            values = np.asarray(vector, dtype=np.float64)
            # whole numbers, so that sums are exact and no order of addition changes them
            scale = 1 if (values == np.rint(values)).all() else FLOAT_SCALE
            whole = np.rint(values * scale)
            column = np.bincount(index, weights=whole, minlength=len(numbers)).tobytes()
            place[name] = (columns.setdefault(column, len(columns)), scale)
        places.append(place)
    # one row a column as they were found, turned so that a draw's counts multiply them
    values = np.frombuffer(b"".join(columns)).reshape(len(columns), len(numbers))
    return _Table(numbers, np.ascontiguousarray(values.T), places)
