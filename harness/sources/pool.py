"""Queries, and the one pool of candidates that all languages share, from one dataset's files: of
each part the queries' file first, then those of the pool."""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from harness.common.errors import SpecError
from harness.families import FAMILIES
from harness.families.columns import Row, Unfit
from harness.families.ranking import Candidate, Ranking
from harness.sources.read import read_file
from harness.spec.split_part import SplitPart
from harness.store import signature
from harness.store.job import RowsJson


def queries(dataset: RowsJson) -> list[Row]:
    """The queries, each with the ids of its right candidates (`relevant`), which may be of any
    language.

    raises  SpecError: a query or a candidate that is not of its family's layout; two candidates
            with one id
    """
    identity = dataset["identity"]
    family = _family(identity)
    by_key: dict[str, list[str]] = {}
    for candidate in pool(dataset):
        for key in candidate.keys:
            by_key.setdefault(key, []).append(candidate.id)

    rows: list[Row] = []
    for part, place in zip(identity["parts"], dataset["location"], strict=True):
        file = Path(place["files"][0])
        try:
            found = list(family.queries(read_file(file, tuple(signature(file)), ())))
        except Unfit as wrong:
            raise SpecError(f"{dataset['name']}: {file}: a row {wrong}") from None
        split = SplitPart(name=part["split"], start=part["start"], stop=part["stop"])
        start, stop = split.bounds(len(found))
        rows += found[start:stop]
    for row in rows:
        row["relevant"] = by_key.get(row.pop("key"), [])
    return rows


def pool(dataset: RowsJson) -> list[Candidate]:
    """All candidates, in the order of the files."""
    identity = dataset["identity"]
    files: dict[str, str] = {}  # of several parts of one split the pool is the same
    for place in dataset["location"]:
        files |= dict(zip(place["files"][1:], identity["pool"], strict=True))
    seen = tuple(tuple(signature(Path(file))) for file in files)
    return _pool(identity["family"], tuple(files.items()), seen)


# of every language of a task it is the same one
@functools.lru_cache(maxsize=1)
def _pool(
    family: str, files: tuple[tuple[str, str], ...], seen: tuple[Any, ...]
) -> list[Candidate]:
    found: dict[str, Candidate] = {}
    for (file, language), of_file in zip(files, seen, strict=True):
        for candidate in _candidates(family, Path(file), of_file, language):
            if candidate.id in found:
                raise SpecError(f"{file}: two candidates have the id {candidate.id!r}")
            found[candidate.id] = candidate
    return list(found.values())


def _candidates(
    family: str, file: Path, seen: tuple[int, ...], language: str
) -> Iterable[Candidate]:
    try:
        return list(_family({"family": family}).candidates(read_file(file, seen, ()), language))
    except Unfit as wrong:
        raise SpecError(f"{file}: a row {wrong}") from None


def _family(identity: dict[str, Any]) -> Ranking:
    return cast(Ranking, FAMILIES[identity["family"]])
