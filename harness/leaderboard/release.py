"""Releases: numbered, immutable, append-only documents under BOARD/releases.

    0003-small.json       the content: scores, gains, keys, flags; no times, paths or environment
    0003-small.env.json   the sidecar: what may differ between machines that compute the same content

A new number is taken only when the content is new; old files are never written again.
"""

import json
import os
import re
from pathlib import Path

from harness.errors import SpecError, StoreError
from harness.store import atomic_write, disk_errors, key_of

SCHEMAS = (1, 2, 3, 4, 5)  # all that were ever written; `load` reads them forever
WITH_EVIDENCE = 3  # the first that holds evidence and jobs, so that its numbers can be computed again
_NAME = re.compile(r"^(\d{4})-([A-Za-z0-9._+-]+)\.json$")


def content_bytes(content: dict) -> bytes:
    """The file's bytes: readable, in the suite's own order, and the same for the same content."""
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def is_listed(path: Path) -> bool:
    """Whether a board takes a file of that name for a release: NNNN-name.json, and no sidecar."""
    return bool(_NAME.match(path.name)) and ".env." not in path.name


class Board:
    """A folder with releases/ and the README rendered from them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.releases = folder / "releases"

    def list(self) -> list[Path]:
        """Release files, oldest first."""
        return sorted(filter(is_listed, self.releases.glob("*.json")))

    def load(self, path: Path) -> dict:
        """A release's content as it was written, of any schema so far (`upgrade.upgraded` gives all one shape).

        StoreError if it is no release, or one of a later schema than this code knows.
        """
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise StoreError(f"{path}: not a readable release ({error}); restore it from version control") from None
        if not isinstance(content, dict) or "schema" not in content:
            raise StoreError(f"{path}: not a release: no schema version in it")
        if content["schema"] not in SCHEMAS:
            found, last = content["schema"], SCHEMAS[-1]
            raise StoreError(
                f"{path}: a release of schema {found!r}, and this version reads up to {last}; update xstilts-harness"
            )
        return content

    def sidecar(self, path: Path) -> dict:
        """A release's sidecar; empty if it is gone (the content stands without it)."""
        try:
            return json.loads(path.with_suffix(".env.json").read_bytes())
        except (OSError, ValueError):
            return {}

    def title(self, path: Path) -> str:
        """How a release is headed: its number, and whether its numbers come from unlike machines."""
        environments = self.sidecar(path).get("environments", [])
        return f"release {path.stem}" + (f" · MIXED: {len(environments)} environments" if len(environments) > 1 else "")

    def find(self, name: str | None) -> Path:
        """A release by number, name or suite (its latest), or any by its file's path; without a name the latest of all."""
        if name and name.endswith(".json") and Path(name).is_file():
            return Path(name)
        known = self.list()
        if not known:
            raise SpecError(f"no release in {self.releases}; `xstilts-harness eval --all` makes one")
        if name is None:
            return known[-1]
        matches = [p for p in known if name in (p.name, p.stem) or p.stem.split("-", 1)[1] == name or _same_number(p, name)]
        if not matches:
            raise SpecError(f"no release {name!r} in {self.releases}; there are {', '.join(p.stem for p in known)}")
        return matches[-1]

    def add(self, content: dict, sidecar: dict) -> tuple[Path, bool]:
        """Write a new release unless its content is there already: (path, whether it is new)."""
        digest = key_of(content)
        for path in reversed(self.list()):
            if key_of(self.load(path)) == digest:
                return path, False
        try:
            self.releases.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make {self.releases}: {error.strerror}; choose another folder with --board") from None
        number = max((int(path.name[:4]) for path in self.list()), default=0) + 1
        path = self.releases / f"{number:04d}-{content['suite']['name']}.json"
        # Written beside and then linked: never half, and never over a release that another run finished meanwhile.
        draft = path.with_suffix(f".draft-{os.getpid()}")
        try:
            atomic_write(draft, content_bytes(content))
            with disk_errors("write the release", path):
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        atomic_write(path.with_suffix(".env.json"), content_bytes(sidecar | {"content_sha256": digest}))
        return path, True


def _same_number(path: Path, name: str) -> bool:
    return name.isdigit() and int(path.name[:4]) == int(name)


def sidecar(plan, store, command: str, harness: dict) -> dict:
    """What a release's numbers were computed with: environments (and how many jobs each), seconds and tokens per job."""
    environments: dict[str, dict] = {}
    jobs = {}
    for key, job in sorted(plan.jobs.items()):
        manifest = store.manifest(key)
        if manifest is None:
            continue
        environment = manifest.meta["environment"]
        if "torch" in environment:  # overlap checks compute no score
            entry = environments.setdefault(key_of(environment), environment | {"jobs": 0})
            entry["jobs"] += 1
        jobs[key] = {"name": job.name, **manifest.meta["facts"]}
    return {
        "command": command,
        "harness": harness,
        "data": plan.sources,
        "environments": list(environments.values()),
        "mixed_environments": len(environments) > 1,
        "jobs": jobs,
    }
