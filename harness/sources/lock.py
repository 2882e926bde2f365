"""The lock file: which commit of each data set and encoder was read, and the SHA-256 of every file.

A person commits it beside their suites; whoever runs with it reads the same bytes, or is told which
file differs. `harness.sources.hub.Lock` is the lock in memory; here it is read, brought up to date,
written, and held against the disk.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from harness.common.errors import SpecError
from harness.common.strict import Strict
from harness.sources.encoders import package_folder
from harness.sources.hub import SECTIONS, Entries, Lock, Where, cached
from harness.spec.catalog import Catalog
from harness.spec.encoder import Encoder
from harness.spec.task import Source
from harness.store import atomic_write, file_sha256

DEFAULT = Path("xstilts.lock.json")


class _Locked(Strict):
    revision: str | None = Field(pattern=r"^[0-9a-f]{40}$")
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]


class _File(Strict):
    number: Literal[1] = Field(alias="schema")
    datasets: dict[str, _Locked] = {}
    encoders: dict[str, _Locked] = {}
    tasks: dict[str, _Locked] = {}


def read_lock(path: Path | None) -> Lock | None:
    """The lock of that file, by default of ./xstilts.lock.json if there is one.

    raises  as `named_lock`
    """
    return named_lock(path or DEFAULT) if path or DEFAULT.exists() else None


def named_lock(path: Path | None) -> Lock:
    """The lock of that file, by default of ./xstilts.lock.json.

    raises  SpecError: it is not there, or is no lock file
    """
    chosen = path or DEFAULT
    if found := _lock_of(chosen):
        return found
    raise SpecError(
        f"{chosen}: no such lock file; `xstilts-harness data lock --lock {chosen}` writes one"
    )


def lock_to_write(path: Path | None) -> Lock:
    """The same, to add to: an empty one if it is not there."""
    chosen = path or DEFAULT
    return _lock_of(chosen) or Lock(chosen)


def _lock_of(path: Path) -> Lock | None:
    try:
        file = _File.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise SpecError(
            f"{path}: is no lock file: {_first_problem(error)}; repair or delete it"
        ) from None
    return Lock(path, file.model_dump(exclude={"number"}))


def _first_problem(error: OSError | ValidationError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}".lstrip(": ")


def write_lock(lock: Lock) -> None:
    """Write it whole or not at all; equal locks give equal bytes."""
    entries = {name: lock.entries.get(name, {}) for name in ("datasets", "encoders", "tasks")}
    text = json.dumps({"schema": 1, **entries}, indent=1, sort_keys=True, ensure_ascii=False)
    atomic_write(lock.path, text.encode() + b"\n")


def unchecked(lock: Lock) -> Lock:
    """The lock's revisions without its hashes: to look for what is meant, whatever the bytes are
    now."""
    bare: Entries = {}
    for section, entries in lock.entries.items():
        for name, entry in entries.items():
            bare.setdefault(section, {})[name] = {"revision": entry["revision"], "files": {}}
    return Lock(lock.path, bare)


def updated(lock: Lock, sources: Entries) -> tuple[Lock, list[str]]:
    """The lock with what was read (`Where.sources`), and a line for each thing that was locked
    otherwise before.

    What was not read stays, so that suites can be locked one after the other. A data set that has
    moved to another commit loses the files that were not read: their hashes are of the old one.
    """
    entries = {section: dict(names) for section, names in lock.entries.items()}
    changes = []
    for section, names in sources.items():
        for name, now in names.items():
            before = lock.entry(section, name)
            kept = before["files"]
            differ = [path for path, sha in now["files"].items() if kept.get(path, sha) != sha]
            for path in differ:
                changes.append(f"{name}: {path}: {kept[path]} is now {now['files'][path]}")
            # Files of unknown origin (--data-root) with the locked hashes are those of the locked
            # commit.
            revision = now["revision"] or (None if differ else before["revision"])
            if before["revision"] and now["revision"] and before["revision"] != now["revision"]:
                changes.append(f"{name}: commit {before['revision']} is now {now['revision']}")
                kept = {}
            entries.setdefault(section, {})[name] = {
                "revision": revision,
                "files": kept | now["files"],
            }
    return Lock(lock.path, entries), changes


def verify(lock: Lock, catalog: Catalog, where: Where) -> Iterator[tuple[str, str | None]]:
    """(file, what is wrong with it or None) for every file that the lock names, each one read and
    hashed now."""
    for section, names in lock.entries.items():
        for name, entry in names.items():
            folders = list(_folders(section, name, entry["revision"], catalog, where))
            for path, sha in entry["files"].items():
                yield f"{name}: {path}", _problem(path, sha, folders)


def _problem(path: str, sha: str, folders: list[Path]) -> str | None:
    """What is wrong with one file, in the first folder that has it."""
    place = next((folder / path for folder in folders if (folder / path).is_file()), None)
    if place is None:
        looked = ", ".join(map(str, folders)) or "no folder, for none is there"
        return f"is gone; looked in {looked}"
    try:
        now = file_sha256(place)
    except OSError as error:
        return f"cannot be read: {place}: {error.strerror}"
    return None if now == sha else f"differs: {place} has SHA-256 {now}, locked is {sha}"


def _folders(
    section: str, name: str, revision: str | None, catalog: Catalog, where: Where
) -> Iterator[Path]:
    """Folders that may hold an entry's files, in the order in which a run looks."""
    if section == "tasks":
        if ("task", name) in catalog.sources:
            yield catalog.sources["task", name].path.parent
        if where.data_root:
            yield where.data_root
        return
    if section == "datasets":
        pins = {source.revision for source in _sources(catalog) if source.hub == name}
        if where.data_root:
            yield where.data_root / name
    else:
        known = catalog.encoders.values()
        encoders = [one for one in known if name in (one.source.hub, one.encoder)]
        pins = {encoder.source.revision for encoder in encoders}
        yield from _encoder_folders(encoders, where)
    kind = next(kind for kind, of in SECTIONS.items() if of == section)
    for at in [revision] if revision else sorted(pins or {None}, key=str):
        if "/" in name and (folder := cached(name, kind, at, [])):
            yield folder


def _encoder_folders(encoders: list[Encoder], where: Where) -> Iterator[Path]:
    for encoder in encoders:
        if encoder.source.path:
            yield Path(encoder.source.path)
        if where.encoder_root:
            yield where.encoder_root / encoder.encoder
        if folder := package_folder(encoder):
            yield folder


def _sources(catalog: Catalog) -> Iterator[Source]:
    """Where the catalog's tasks read rows from."""
    for task in catalog.tasks.values():
        yield task.source
        for rows in (task.train, task.dev, task.test):
            if rows and rows.source:
                yield rows.source
