"""From files to raw rows, as the file has them: one reader a format. What a family makes of them is `rows`' business."""

import csv
import functools
import json
from pathlib import Path

from harness.errors import SpecError


@functools.lru_cache(maxsize=2)  # XNLI keeps all its languages in one file: read it once, not fifteen times
def read_file(path: Path, changed: int, needed: tuple[str, ...]) -> list[dict]:
    try:
        rows = _read_parquet(path, needed) if path.suffix == ".parquet" else _FORMATS[path.suffix](path)
    except (UnicodeDecodeError, ValueError, csv.Error) as error:  # pyarrow's errors are ValueErrors
        raise SpecError(f"{path}: not readable as {path.suffix[1:]}: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SpecError(f"{path}: rows must be objects with named columns, one row each")
    return rows


def _read_parquet(path: Path, needed: tuple[str, ...]) -> list[dict]:
    """Only the needed columns, since a shard may be large; all of them if one lacks, so that the error can name them."""
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(path)
    names = set(file.schema_arrow.names)
    wanted = {column if column in names else column.split(".")[0] for column in needed}
    return file.read(columns=sorted(wanted) if wanted and wanted <= names else None).to_pylist()


def _read_jsonl(path: Path) -> list[dict]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise SpecError(f"{path}:{number}:1: no JSON object: {error}") from None
    return rows


def _read_json(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))


def _read_table(path: Path) -> list[dict]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


def _read_conll(path: Path) -> list[dict]:
    """One `token TAB tag` a line, a blank line between sentences; columns are called tokens and tags."""
    sentences: list[dict] = []
    tokens: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*path.read_text(encoding="utf-8").split("\n"), ""], 1):
        if line.strip():
            token, tab, tag = line.rstrip("\r").partition("\t")
            if not tab:
                raise SpecError(f"{path}:{number}:1: no tab between token and tag")
            tokens.append(token)
            tags.append(tag)
        elif tokens:
            sentences.append({"tokens": tokens, "tags": tags})
            tokens, tags = [], []
    return sentences


_FORMATS = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_table,
    ".tsv": _read_table,
    ".conll": _read_conll,
}


def heaps(dataset: dict) -> list[dict]:
    """Both heaps of a BUCC split: lines `id TAB text` of the source side, then of the English side; gold is `id TAB id`."""
    rows: list[dict] = []
    for part, place in zip(dataset["identity"]["parts"], dataset["location"], strict=True):
        if part["start"] or part["stop"]:
            raise SpecError(f"{dataset['name']}: a heap of sentences cannot be sliced; its pairs would be torn apart")
        source, target, gold = map(Path, place["files"])
        pairs: dict[str, list[str]] = {}
        for left, right in _two_columns(gold):
            pairs.setdefault(left, []).append(right)
        rows += [{"id": i, "side": "source", "text": text, "pairs": pairs.pop(i, [])} for i, text in _two_columns(source)]
        rows += [{"id": i, "side": "target", "text": text, "pairs": []} for i, text in _two_columns(target)]
        known = {row["id"] for row in rows if row["side"] == "target"}
        strangers = [i for row in rows for i in row["pairs"] if i not in known]
        for names, file in ((list(pairs), source), (strangers, target)):
            if names:
                raise SpecError(f"{gold}: it names {names[0]!r}, which {file.name} does not have")
    return rows


def _two_columns(path: Path) -> list[tuple[str, str]]:
    lines = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        left, tab, right = line.rstrip("\r").partition("\t")
        if line and not tab:
            raise SpecError(f"{path}:{number}:1: no tab between the two columns")
        if line:
            lines.append((left, right))
    return lines
