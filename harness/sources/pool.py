"""Queries, and the one pool of candidates that all languages share, from one dataset's files: of
each part the queries' file first, then those of the pool."""

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

from harness.common.errors import SpecError
from harness.families import FAMILIES
from harness.families.columns import Row, Unfit
from harness.families.ranking import Candidate, Ranking, Raw
from harness.sources.read import read_records
from harness.spec.split_part import SplitPart
from harness.store import signature
from harness.store.job import RowsJson

Read = TypeVar("Read", Row, Candidate)


def queries(dataset: RowsJson) -> list[Row]:
    """The queries, each with the ids of its right candidates (`relevant`), which may be of any
    language, and whether there is one that has a text (`found`).

    raises  SpecError: a query or a candidate that is not of its family's layout; two candidates
            with one id
    """
    identity = dataset["identity"]
    family = _family(identity)
    by_key: dict[str, list[Candidate]] = {}
    for candidate in pool(dataset):
        for key in candidate.keys:
            by_key.setdefault(key, []).append(candidate)

    rows: list[Row] = []
    for part, place in zip(identity["parts"], dataset["location"], strict=True):
        found = _each(Path(place["files"][0]), family.queries, f"{dataset['name']}: ")
        split = SplitPart(name=part["split"], start=part["start"], stop=part["stop"])
        start, stop = split.bounds(len(found))
        rows += found[start:stop]
    for row in rows:
        right = by_key.get(row.pop("key"), [])
        row["relevant"] = [one.id for one in right]
        row["found"] = any(one.text.strip() for one in right)
    return rows


def pool(dataset: RowsJson) -> list[Candidate]:
    """All candidates, in the order of the files."""
    identity = dataset["identity"]
    files: dict[str, str] = {}  # of several parts of one split the pool is the same
    for place in dataset["location"]:
        files |= dict(zip(place["files"][1:], identity["pool"], strict=True))
    seen = tuple(tuple(signature(Path(file))) for file in files)
    return _pool(identity["family"], tuple(files.items()), seen)


# of every language of a task it is the same one; `seen`: a file that changed is read again
@functools.lru_cache(maxsize=1)
def _pool(
    family: str, files: tuple[tuple[str, str], ...], seen: tuple[Any, ...]
) -> list[Candidate]:
    found: dict[str, Candidate] = {}
    reader = _family({"family": family})
    for file, language in files:
        of_language = functools.partial(reader.candidates, language=language)
        for candidate in _each(Path(file), of_language):
            if candidate.id in found:
                raise SpecError(f"{file}: two candidates have the id {candidate.id!r}")
            found[candidate.id] = candidate
    return list(found.values())


def _each(
    file: Path, read: Callable[[Iterable[Raw]], Iterator[Read]], name: str = ""
) -> list[Read]:
    """What a family reads of all records of a file; an error names the one that was read last."""
    at = ""

    def records() -> Iterator[Raw]:
        nonlocal at
        for place, record in read_records(file):
            at = place
            yield record

    try:
        return list(read(records()))
    except Unfit as wrong:
        raise SpecError(f"{name}{file}: {at} {wrong}") from None


def _family(identity: dict[str, Any]) -> Ranking:
    return cast(Ranking, FAMILIES[identity["family"]])
