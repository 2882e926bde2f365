"""A written spec is put in its place only if it is sound, and its rows too."""

import os
from pathlib import Path

from harness.common.errors import HarnessError, MissingError, SpecError, StoreError
from harness.sources.hub import Where
from harness.sources.inspect import check_data
from harness.spec.catalog import Catalog, builtin_root, yaml_files

SCHEMAS = "schemas"


def place_of(name: str, output: Path | None, force: bool) -> Path:
    """Where a spec goes: `tasks/NAME.yaml`, where specs are read without being asked for, or where
    the user says (a file, or a folder). SpecError if something is there already."""
    place = output or Path("tasks")
    if place.suffix not in (".yaml", ".yml"):
        place = place / f"{name}.yaml"
    if place.exists() and not force:
        raise SpecError(f"{place} is there already; --force writes over it, --output elsewhere")
    return place


def refuse_known(kind: str, name: str, place: Path, catalog: Catalog) -> None:
    """SpecError where another file has a spec of that kind and name."""
    known = catalog.sources.get((kind, name))
    if known is None or _same(known.path, place):
        return
    raise SpecError(
        f"{kind} {name} is there already, at {known.at(kind)}; give this one another name (--name)"
    )


def files_beside(template: str, place: Path) -> str:
    """A template of files as it stands in a YAML file at `place`: from there, where both lie in the
    working directory, else whole."""
    here, folder = Path.cwd(), place.absolute().parent
    fixed = Path(template.split("{", 1)[0] + "x").parent
    if fixed.is_relative_to(here) and folder.is_relative_to(here):
        return Path(os.path.relpath(template, folder)).as_posix()
    return template


def schema_beside(kind: str, place: Path) -> str:
    """The JSON Schema of a kind, as an editor finds it from a file at `place`."""
    schema = builtin_root() / SCHEMAS / f"{kind}.schema.json"
    folder = place.absolute().parent
    if folder.is_relative_to(builtin_root()):
        return Path(os.path.relpath(schema, folder)).as_posix()
    return schema.as_uri()


def write(
    place: Path,
    text: str,
    user: list[Path],
    rows_of: str | None = None,
    may_lack: bool = False,
) -> list[str]:
    """Write a spec: under a hidden name first, under which it is read beside the `user`'s own, and
    with it the rows of task `rows_of`.

    may_lack  rows of another task may not be on this machine
    returns   what was seen in the rows
    raises    what `validate --data` would end with, and nothing is written
    """
    draft = place.with_name(f".{place.stem}.draft.yaml")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{place}: cannot be written: {error.strerror}") from None
    try:
        seen = _read(draft, place, user, rows_of, may_lack)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
    return seen


def _read(
    draft: Path, place: Path, user: list[Path], rows_of: str | None, may_lack: bool
) -> list[str]:
    others = [file for one in user for file in yaml_files(one) if not _same(file, place)]
    try:
        catalog = Catalog.load([*others, draft])
    except SpecError as error:
        raise SpecError(str(error).replace(draft.name, place.name)) from None
    if rows_of is None:
        return []
    found = list(check_data(catalog, [rows_of], Where(None, None, offline=True)))
    passed = MissingError.exit_code if may_lack else 0
    worst = max((one.exit_code for one in found if one.exit_code != passed), default=0)
    lines = [one.text for one in found]
    if worst > 1:  # 1: placeholder labels, which may be meant
        refused = HarnessError("\n".join(lines))
        refused.exit_code = worst
        raise refused
    return lines


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
