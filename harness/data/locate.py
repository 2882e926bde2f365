"""From a task's `source:` to files on this machine and their hashes.

One code path for all: the hub, and a folder in the hub's layout (`--data-root DIR`, DIR/google/xtreme/XNLI/...),
differ only in the folder that is searched. What a result depends on is the content hash, never the path.
"""

from dataclasses import dataclass, field
from pathlib import Path

from harness.data import mini
from harness.errors import MissingError
from harness.hub import Where, snapshot
from harness.spec.catalog import Catalog
from harness.spec.task import Rows, Source, Task, split_parts
from harness.store import HashIndex, key_of


@dataclass(frozen=True)
class Dataset:
    """One split of one task in one language: what it is (`identity`, in keys) and where it lies (`location`, not)."""

    name: str
    identity: dict = field(hash=False)
    location: list[dict] = field(hash=False)

    def to_json(self) -> dict:
        """As a job's JSON carries it."""
        return {"name": self.name, "identity": self.identity, "location": self.location}


class Locator:
    """Resolves specs to datasets, remembering file hashes in the store's index."""

    def __init__(self, catalog: Catalog, where: Where, index: HashIndex):
        self.catalog, self.where, self.index = catalog, where, index
        self._generated: dict[tuple[str, str, str], str] = {}

    def dataset(self, task: Task, rows: Rows, phase: str, language: str, cap: int | None) -> Dataset:
        """The `rows` of `task` for `phase` (train, dev, test) in one language, at most `cap` of them.

        Raises MissingError naming the file or hub id that is not here.
        """
        source = rows.source or task.source
        parts, location = [], []
        for part in split_parts(rows.split or ""):
            hashes, place = self._find(source, task, part.name, language)
            parts.append({"sha256": hashes, "split": part.name, "start": part.start, "stop": part.stop})
            location.append(place)
        identity = {
            "family": task.family,
            "parts": parts,
            "where": {column: value.format(**_fill(source, language)) for column, value in source.where.items()},
            "columns": task.columns,
            "labels": task.labels,
            "cap": cap,
        }
        if source.numbering:
            identity["numbering"] = {"rows": source.numbering.rows, "absent": source.numbering.absent.get(language, [])}
        return Dataset(f"{task.task} {phase} {language}", identity, location)

    def _find(self, source: Source, task: Task, split: str, language: str) -> tuple[list[str], dict]:
        fill = _fill(source, language) | {"split": split}
        if source.generated:
            config = source.generated.format(**fill)
            return [self._generated_hash(config, language, split)], {"generated": [config, language, split]}
        if source.files:
            base = self.catalog.sources["task", task.task].path.parent
            files = [base / source.files.format(**fill)]
            if not files[0].is_file():
                raise MissingError(f"{task.task}: no file {files[0]}, which its source names for {language} {split}")
        else:
            files = self._hub_files(source, source.config.format(**fill), split)
        return [self.index.sha256(file) for file in files], {"files": [str(file.resolve()) for file in files]}

    def _generated_hash(self, config: str, language: str, split: str) -> str:
        at = (config, language, split)
        if at not in self._generated:
            self._generated[at] = key_of(mini.rows(config, language, split))
        return self._generated[at]

    def _hub_files(self, source: Source, config: str, split: str) -> list[Path]:
        root = self.where.data_root
        if root and (files := _in_layout(root / source.hub, config, split)):
            return files
        folder = snapshot(
            source.hub,
            "dataset",
            source.revision,
            _layouts(config, split),
            self.where,
            complete=lambda folder: bool(_in_layout(folder, config, split)),
        )
        if folder:
            return _in_layout(folder, config, split)
        looked = f"under {root / source.hub} or " if root else ""
        revision = f" --revision {source.revision}" if source.revision else ""
        raise MissingError(
            f"{source.hub}, config {config}, split {split}: not {looked}in the hub cache. "
            f"Fetch it where there is a network: hf download {source.hub} --repo-type dataset{revision}; "
            f"or give --data-root DIR, a folder that holds {source.hub}/{config}/{split}-*.parquet"
        )


def _fill(source: Source, language: str) -> dict[str, str]:
    """What {language} and {name} stand for in a source."""
    return {"language": language, "name": source.names.get(language, language)}


def _layouts(config: str, split: str) -> list[str]:
    """Where the hub's data sets keep a split's files, in the order in which we look."""
    return [f"{config}/{split}-*.parquet", f"{config}/{split}/*.parquet", f"data/{split}-*.parquet"]


def _in_layout(folder: Path, config: str, split: str) -> list[Path]:
    for pattern in _layouts(config, split):
        if files := sorted(folder.glob(pattern)):
            return files
    return []
