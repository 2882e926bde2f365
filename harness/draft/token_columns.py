"""Which columns of a file with one token a line are the word and its tag."""

import re
from pathlib import Path
from typing import Any

from harness.common.errors import SpecError
from harness.draft.classes import is_bio
from harness.sources.text_files import read_lines

_OF_CONLLU, _WIDTH = {"token": 2, "tag": 4}, 10
_NUMBER = re.compile(r"\d+([-.]\d+)?")


def token_columns(file: Path, suffix: str) -> dict[str, Any] | None:
    """As `conll:` of a source has them; None where nothing need be said.

    suffix  how the file's name ends
    raises  SpecError: no rows; a numbered word has several columns that may be its tag
    """
    lines = read_lines(file)
    rows = [_cells(line) for line in lines if line.strip() and not line.startswith("#")]
    if not rows:
        raise SpecError(f"{file}: it has no rows")
    width = len(rows[0])
    if suffix == ".conllu" or width == _WIDTH:
        return _OF_CONLLU
    columns = enumerate(zip(*(cells[:width] for cells in rows), strict=False), 1)
    tags = [at for at, cells in columns if is_bio(set(cells))]
    if all(_NUMBER.fullmatch(cells[0]) for cells in rows) and width > 2:
        if len(tags) > 1 or (width > 3 and not tags):
            raise SpecError(
                f"{file}: which of its {width} columns is the tag? Write the task's YAML by hand,"
                " with `conll: {token: 2, tag: N}` in its `source`"
            )
        return {"token": 2, "tag": tags[0] if tags else width}
    # the last column, unless others look like tags and it does not
    tag = max(2, width) if width in tags or not tags else tags[-1]
    found = {"token": 2 if tag == 1 else 1, "tag": tag}
    if _each_noted(lines):
        return {**found, "comment": "#"}
    own = suffix == ".conll" and "\t" in next(filter(str.strip, lines))
    return None if own and width == 2 and tag == 2 else found


def _cells(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else line.split()


def _each_noted(lines: list[str]) -> bool:
    """Whether a comment stands before each of several sentences."""
    sentences = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    return len(sentences) > 1 and all(one.startswith("#") for one in sentences)
