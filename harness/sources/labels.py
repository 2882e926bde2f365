"""A file of labels, for sets of hundreds of classes: one name a line, or a JSON map from name to
number.

The order is that of the head's outputs, and a whole number in the data is a place in it: so a file
that can be read in two orders, or that has a name twice, is refused.
"""

from pathlib import Path
from typing import Any

from harness.common.errors import SpecError
from harness.families.columns import shown
from harness.sources.text_files import parse_json, read_lines, read_text
from harness.spec.formats import PACKED


def read_labels(path: Path) -> list[str]:
    """Class names in the order of the head's outputs.

    raises  SpecError: the file, the line or the name, and what is wrong there
    """
    numbered = path.name.removesuffix(PACKED).endswith(".json")
    names = _numbered(path, read_text(path)) if numbered else _lines(path, read_lines(path))
    if not names:
        raise SpecError(f"{path}: no labels; write one name a line")
    return names


def _lines(path: Path, lines: list[str]) -> list[str]:
    lines = [line.strip() for line in lines]
    while lines and not lines[-1]:  # the end of a file is no label
        lines.pop()
    first: dict[str, int] = {}
    for number, name in enumerate(lines, 1):
        at = f"{path}:{number}:1"
        if not name:
            raise SpecError(f"{at}: an empty line among the labels; remove it")
        if not name.isprintable():
            raise SpecError(
                f"{at}: {shown(name)} has characters that cannot be seen; write one name a line"
            )
        if name in first:
            raise SpecError(
                f"{at}: label {shown(name)} is here a second time, the first is in line"
                f" {first[name]}"
            )
        first[name] = number
    if lines and lines[0].lower() in ("label", "labels"):
        raise SpecError(
            f"{path}:1:1: {shown(lines[0])} names the column, and would be the first label: remove"
            " the line"
        )
    return lines


def _numbered(path: Path, text: str) -> list[str]:
    """The names of a JSON map by their numbers, which must be all from 0 on."""
    try:
        found: Any = parse_json(text)
    except ValueError as error:
        raise SpecError(f"{path}: no JSON map from label to number: {error}") from None
    if not isinstance(found, dict):
        raise SpecError(
            f'{path}: no JSON map from label to number; write {{"O": 0, "B-LOC": 1, ...}}'
        )
    names: dict[int, str] = {}
    for name, number in found.items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise SpecError(
                f"{path}: label {shown(name)} has the number {shown(number)}; a whole number is"
                " needed"
            )
        if not name.strip() or not name.isprintable():
            raise SpecError(
                f"{path}: {shown(name)} is no name for label {shown(number)}; write one that can be"
                " seen"
            )
        if number in names:
            raise SpecError(
                f"{path}: labels {shown(names[number])} and {shown(name)} have one number,"
                f" {shown(number)}"
            )
        names[number] = name
    gap = next((number for number in range(len(names)) if number not in names), None)
    if gap is not None:
        what = (
            f"{len(names)} labels have the numbers 0 to {len(names) - 1}, each once; none has {gap}"
        )
        raise SpecError(f"{path}: {what}")
    return [names[number] for number in range(len(names))]
