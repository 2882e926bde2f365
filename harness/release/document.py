"""Releases: numbered, immutable, append-only documents under BOARD/releases.

    0003-small.json       the content: scores, gains, keys, flags; no times, paths or environment
    0003-small.suite.yaml its suite, if options made it
    0003-small.env.json   the sidecar: what may differ between machines that compute the same
                          content

A new number is taken only when the content is new; old files are never written again. `shelve` says
how they come to be.
"""

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from harness.common.errors import SpecError, StoreError
from harness.plan.graph import Plan
from harness.release.places import without_places
from harness.release.schema import SCHEMA, Content, reasons
from harness.store import Store, key_of

PROJECTS = "leaderboard"  # the board of a checkout
OURS = f"the project's own are on the board `{PROJECTS}`, in a checkout of it"
NO_SIDECAR = "no sidecar to check it against"
# what is raised where one part of an edited document names what another has not
FALLS = (
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    AssertionError,
    StopIteration,
    RuntimeError,
    AttributeError,
)
_NAME = re.compile(r"^(\d{4})-([A-Za-z0-9._+-]+)\.json$")


class NewerError(StoreError):
    """A release of a later schema than this code knows: nothing is wrong with it, and nothing of it
    can be shown."""


class Read(NamedTuple):
    """A release that was looked at: its content, or why it cannot be shown."""

    path: Path
    content: dict[str, Any]
    error: StoreError | None = None


def content_bytes(content: dict[str, Any]) -> bytes:
    """The file's bytes: readable, in the suite's own order, and the same for the same content."""
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def is_listed(path: Path) -> bool:
    """Whether a board takes a file of that name for a release: NNNN-name.json, and no sidecar."""
    return bool(_NAME.match(path.name)) and not path.name.endswith(".env.json")


def beside(path: Path) -> Path:
    """The sidecar of a release's file."""
    return path.with_suffix(".env.json")


def suite_beside(path: Path) -> Path:
    """The YAML of its suite, of a release that was chosen by options."""
    return path.with_suffix(".suite.yaml")


def plain_bytes(path: Path) -> bytes:
    """A plain file's bytes; OSError for anything else: whoever opens a FIFO waits for its writer,
    for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a plain file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def parsed(data: bytes) -> Any:
    """What a JSON file says. ValueError for what is none, NaN and infinity included, which Python
    would read."""
    try:
        return json.loads(data, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number in JSON")


def as_content(path: Path, document: dict[str, Any]) -> Content:
    """A release's document as values; `path` is its file's. StoreError if it is not of the
    schema."""
    try:
        return Content.model_validate(document)
    except ValidationError as error:
        where, why = reasons(error)[0]
        raise StoreError(
            f"{path}: not a release: {where}: {why}; restore it from version control"
        ) from None


class Board:
    """A folder with releases/ and the README rendered from them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.releases = folder / "releases"

    def list(self) -> list[Path]:
        """Release files, oldest first."""
        return sorted(filter(is_listed, self.releases.glob("*.json")))

    def load(self, path: Path) -> dict[str, Any]:
        """A release's content.

        raises  StoreError: it is no release of this schema, or not the content that its sidecar was
                written for
                NewerError: it is of a later schema than this code knows
        """
        content, digest = self.read(path)
        said = self.content_hash(path)
        if said not in (None, digest):
            raise StoreError(
                f"{path}: changed since it was released: its content is not the one that"
                f" {beside(path).name} names; see `xstilts-harness leaderboard verify {path}`, and"
                " restore both from version control"
            )
        schema = content["schema"]
        if schema > SCHEMA:
            raise NewerError(
                f"{path}: a release of schema {schema}, and this version reads schema {SCHEMA};"
                " update xstilts-harness"
            )
        if schema < SCHEMA:
            raise StoreError(
                f"{path}: a release of schema {schema}, and this version reads schema {SCHEMA};"
                " show it with the version in which it was made, or make a new one"
                " (xstilts-harness eval)"
            )
        # what has a sidecar was of this schema when it was written; whoever shows it looks again
        if not said:
            as_content(path, content)
        return content

    def read(self, path: Path) -> tuple[dict[str, Any], str]:
        """What the file says, whatever its schema, and the content hash of that. StoreError if it
        is no release."""
        try:
            content = parsed(plain_bytes(path))
            digest = key_of(content)
        except (OSError, ValueError, RecursionError) as error:
            raise StoreError(
                f"{path}: not a readable release ({error}); restore it from version control"
            ) from None
        if not isinstance(content, dict) or type(content.get("schema")) is not int:
            raise StoreError(
                f"{path}: not a release: no schema version in it; restore it from version control"
            )
        return content, digest

    def read_all(self) -> Iterator[Read]:
        """Every release that is listed, oldest first, those that cannot be shown with the
        reason."""
        for path in self.list():
            try:
                yield Read(path, self.load(path))
            except StoreError as error:
                yield Read(path, {}, error)

    def sidecar(self, path: Path) -> dict[str, Any]:
        """A release's sidecar; empty if it is gone (the content stands without it)."""
        try:
            found = parsed(plain_bytes(beside(path)))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def content_hash(self, path: Path) -> str | None:
        """The content hash that a release's sidecar says; None if there is no sidecar, or it says
        none."""
        return self.sidecar(path).get("content_sha256")

    def title(self, path: Path) -> str:
        """How a release is headed: its number, whether it can be checked, and whether its numbers
        come from unlike machines."""
        sidecar = self.sidecar(path)
        environments = sidecar.get("environments")
        unchecked = "" if sidecar.get("content_sha256") else f" · {NO_SIDECAR}"
        mixed = (
            f" · MIXED: {len(environments)} environments"
            if isinstance(environments, list) and len(environments) > 1
            else ""
        )
        return f"release {path.stem}{unchecked}{mixed}"

    def lacks(self, suite: str | None = None) -> str:
        """What is said where there is no release, or none of a suite: what makes one, and where
        others are."""
        what, how = (f" of suite {suite}", f"--suite {suite}") if suite else ("", "--all")
        return (
            f"no release{what} in {self.releases}; `xstilts-harness eval {how}` makes one"
            f"{self.elsewhere()}"
        )

    def elsewhere(self) -> str:
        """Where others may be; nothing for whoever reads those."""
        return "" if self.folder.name == PROJECTS else f"; {OURS}"

    def find(self, name: str | None) -> Path:
        """A release by number, name or suite (its latest), or any by its file's path; without a
        name the latest of all."""
        return _meant(self, name)[-1]

    def open(self, name: str | None, say: Callable[[str], None]) -> tuple[Path, dict[str, Any]]:
        """The release that `find` finds, and its content. `say` hears of one of a later schema that
        was passed over for an older one of its suite, and of one without a sidecar.

        raises  as `load`
        """
        newer: list[NewerError] = []
        for path in reversed(_meant(self, name)):
            try:
                content = self.load(path)
            except NewerError as error:
                newer.append(error)
                continue
            for passed in newer:
                say(f"passed over: {passed}")
            if self.content_hash(path) is None:
                say(f"{path}: {NO_SIDECAR}: {beside(path).name} is gone, or names no content")
            return path, content
        raise newer[0]


def _meant(shelf: Board, name: str | None) -> list[Path]:
    """The releases that a name means, oldest first, at least one. SpecError if there is none."""
    if name and name.endswith(".json") and Path(name).is_file():
        return [Path(name)]
    if name and name.endswith(".json") and Path(name).name != name:
        raise SpecError(f"{name}: there is no such file")
    known = shelf.list()
    if not known:
        raise SpecError(shelf.lacks())
    if name is None:
        return known
    exact = [path for path in known if name in (path.name, path.stem)]
    numbered = [path for path in known if _same_number(path, name)]
    if len(numbered) > 1:  # of two boards that were merged
        names = " and ".join(path.stem for path in numbered)
        raise SpecError(f"{shelf.releases}: number {name} is of {names}; say which by its name")
    matches = exact or numbered or [path for path in known if path.stem.split("-", 1)[1] == name]
    if not matches:
        raise SpecError(
            f"no release {name!r} in {shelf.releases}; there are"
            f" {', '.join(path.stem for path in known)}{shelf.elsewhere()}"
        )
    return matches


def _same_number(path: Path, name: str) -> bool:
    return name.isdecimal() and int(path.name[:4]) == int(name)


def sidecar(plan: Plan, store: Store, command: str, harness: dict[str, Any]) -> dict[str, Any]:
    """What a release's numbers were computed with: environments (and how many jobs each), seconds
    and tokens per job. No place of this machine is named in it."""
    environments: list[dict[str, Any]] = []
    jobs = {}
    for key, job in sorted(plan.jobs.items()):
        manifest = store.manifest(key)
        if manifest is None:
            continue
        environment = manifest.meta["environment"]
        if "torch" in environment:  # overlap checks compute no score
            _count(environments, environment)
        jobs[key] = {"name": job.name, **manifest.meta["facts"]}
    said = {
        "command": command,
        "harness": harness,
        "data": plan.sources,
        "environments": environments,
        "mixed_environments": len(environments) > 1,
        "jobs": jobs,
    }
    told: dict[str, Any] = without_places(said)
    return told


def _count(environments: list[dict[str, Any]], environment: dict[str, Any]) -> None:
    """One more job of an environment: of one that is known, unless they disagree. A package that
    some jobs use (peft) tells no two apart."""
    for known in environments:
        if all(known.get(name, of) == of for name, of in environment.items()):
            known |= environment
            known["jobs"] += 1
            return
    environments.append({**environment, "jobs": 1})
