"""What the `datasets` library said of a folder, remembered: to import it and to read a long card
takes longer than all else that a plan does.

An answer is known by what it follows from: the library's version, the hashes of what describes the
data set (its card, its infos) and the names of all that is in the folder; of a file's class names,
that file's hash.
"""

import os
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.sources.read import has_lines
from harness.sources.split_files import CARD, INFOS, Found, class_names, split_files
from harness.spec.formats import format_of
from harness.store import HashIndex, key_of


@cache  # the metadata of the package are read anew for every question
def _library() -> str:
    return version("datasets")


class KnownSplits:
    """`split_files` and `class_names`, by an index of hashes; made for one plan, in which folders
    stay as they are."""

    def __init__(self, index: HashIndex) -> None:
        self._index = index
        self._folders: dict[Path, list[Any]] = {}

    def split(self, folder: Path, config: str, split: str, first: int | None) -> Found:
        """As `split_files`."""
        if not folder.is_dir():
            return split_files(folder, config, split, first)

        def look() -> tuple[list[str], str]:
            found = split_files(folder, config, split, first)
            return [str(file.relative_to(folder)) for file in found.files], found.missing

        of = ["split", str(folder), *self._state(folder), config, split, first]
        names, missing = self._index.answer(of, look)
        return Found([folder / name for name in names], missing)

    def classes(
        self, folder: Path | None, config: str | None, file: Path, sha: str
    ) -> dict[str, list[str]]:
        """As `class_names`; `sha`: the file's."""
        card = self._card(folder) if folder else {}
        if file.suffix != ".parquet" and not card:
            return {}
        of = ["classes", _library(), card, config, sha]
        found: dict[str, list[str]] = self._index.answer(
            of, lambda: class_names(folder, config, file)
        )
        return found

    def _state(self, folder: Path) -> list[Any]:
        if folder not in self._folders:
            names = []
            for place, folders, files in os.walk(folder):
                # a link whose file is not there is none
                real = [file for file in files if os.path.isfile(f"{place}/{file}")]  # noqa: PTH113
                names += [f"{place}/{name}" for name in (*folders, "", *real)]
            listing = key_of(sorted(os.path.relpath(name, folder) for name in names))
            self._folders[folder] = [_library(), self._card(folder), listing]
        return self._folders[folder]

    def lines(self, file: Path, sha: str) -> bool:
        """As `has_lines`; `sha`: the file's."""
        if format_of(file.name) != "json":
            return False
        found: bool = self._index.answer(["lines", sha], lambda: has_lines(file))
        return found

    def _card(self, folder: Path) -> dict[str, str]:
        said = [folder / name for name in (CARD, INFOS)]
        return {file.name: self._index.sha256(file) for file in said if file.is_file()}
