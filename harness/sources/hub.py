"""Where data and weights lie on this machine, what was read there, and the only calls that ask the
hub.

`snapshot` looks and never downloads: `plan`, `show` and `validate` must not surprise anyone with
gigabytes. What it does not find it notes in `Where.wanted`, and `fetch` downloads that: for `data
fetch`, and for `eval` before it runs. A leaf, like `errors`: every room may import it.
huggingface_hub is imported only when the hub or its cache is asked.
"""

import errno
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from harness.common.errors import HarnessError, MissingError, SpecError, StoreError

# the hub's word for a kind of repository → ours
SECTIONS = {"dataset": "datasets", "model": "encoders"}
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Entry(TypedDict):
    """What is locked, or was read, of one name."""

    revision: str | None  # a commit
    files: dict[str, str]  # path → SHA-256


Entries = dict[str, dict[str, Entry]]  # section → name → entry


@dataclass(eq=False)
class Lock:
    """A lock file: section → name → {"revision": commit or None, "files": {path: SHA-256}}.

    Sections: `datasets` and `encoders` by hub id (an encoder that no hub has by its own name),
    `tasks` for a task's own files.
    """

    path: Path
    entries: Entries = field(default_factory=dict)

    def entry(self, section: str, name: str) -> Entry:
        """What is locked of that name; nothing if it is not in the file."""
        return self.entries.get(section, {}).get(name, {"revision": None, "files": {}})

    def check(self, section: str, name: str, folder: Path, files: dict[str, str]) -> None:
        """SpecError if one of `files` (path → SHA-256), which lie in `folder`, is not the one that
        is locked."""
        locked = self.entry(section, name)["files"]
        for path, sha in files.items():
            if locked.get(path, sha) != sha:
                raise SpecError(
                    f"{folder / path} is not the file that {self.path} names: its SHA-256 is {sha},"
                    f" locked is {locked[path]}. Delete it and fetch it again (xstilts-harness data"
                    " fetch); if the new one is meant, run xstilts-harness data lock"
                )


@dataclass(frozen=True)
class Wanted:
    """A part of a hub repository that is not on this machine. `complete(folder)` says whether a
    snapshot holds it.

    `patterns`: where its files usually lie. `named(folder)`: where they do, once a data set's card
    is in the folder.
    """

    repo: str
    kind: str
    revision: str | None
    patterns: tuple[str, ...]
    complete: Callable[[Path], bool] = field(compare=False)
    named: Callable[[Path], tuple[str, ...]] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Where:
    """Where to look on this machine, the lock to hold it against, and notes of what was found.
    Never part of a key."""

    data_root: Path | None = None
    encoder_root: Path | None = None
    offline: bool = False
    lock: Lock | None = field(default=None, compare=False)
    wanted: list[Wanted] = field(default_factory=list, compare=False, repr=False)
    found: dict[tuple[str, str, Path], dict[str, str]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def may_fetch(self) -> bool:
        """Whether the network may be asked at all."""
        said = os.environ.get("HF_HUB_OFFLINE", "").upper()
        return not self.offline and said not in ("1", "TRUE", "YES", "ON")

    def revision(self, section: str, name: str, pinned: str | None) -> str | None:
        """The revision to read: a commit that the spec pins, else the locked one, else the spec's
        branch, else None."""
        locked = self.lock.entry(section, name)["revision"] if self.lock else None
        return pinned if pinned and _COMMIT.fullmatch(pinned) else locked or pinned

    def read(self, section: str, name: str, folder: Path, files: dict[str, str]) -> None:
        """Note that these files (path in `folder` → SHA-256) are read. SpecError if one is not what
        the lock says."""
        if self.lock:
            self.lock.check(section, name, folder, files)
        self.found.setdefault((section, name, folder), {}).update(files)

    def sources(self) -> Entries:
        """What was read, as a lock's entries: section → name → {"revision", "files"}; revision None
        where it is not known.

        raises  SpecError: a repository is read at two commits, or a path has two contents
        """
        made: Entries = {}
        for (section, name, folder), files in sorted(self.found.items()):
            entry = made.setdefault(section, {}).setdefault(name, {"revision": None, "files": {}})
            commit = commit_of(folder)
            if commit and entry["revision"] not in (None, commit):
                raise SpecError(
                    f"{name} is read at two commits, {entry['revision']} and {commit}; let its"
                    " specs pin one"
                )
            entry["revision"] = entry["revision"] or commit
            for path, sha in files.items():
                if entry["files"].setdefault(path, sha) != sha:
                    raise SpecError(
                        f"{name}: {path} has two contents on this machine, the other one is"
                        f" {folder / path}"
                    )
        return made


def commit_of(folder: Path) -> str | None:
    """The commit of a snapshot in the hub cache (.../snapshots/COMMIT); None for any other
    folder."""
    in_cache = folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name)
    return folder.name if in_cache else None


def cached(repo: str, kind: str, revision: str | None, patterns: list[str]) -> Path | None:
    """The snapshot folder in the hub cache, if there is one and it is not known to lack files that
    match the patterns."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        where = snapshot_download(
            repo, repo_type=kind, revision=revision, allow_patterns=patterns, local_files_only=True
        )
    except HFValidationError as error:
        raise SpecError(f"{repo!r} is no id of a repository on the hub: {error}") from None
    except OSError:
        return None
    return Path(where)


def snapshot(
    repo: str,
    kind: str,
    revision: str | None,
    patterns: list[str],
    where: Where,
    complete: Callable[[Path], bool],
    named: Callable[[Path], tuple[str, ...]] | None = None,
) -> Path | None:
    """The folder of a hub snapshot that is `complete`, from the cache: at the pinned commit, else
    the locked one.

    `kind` is "dataset" or "model"; the rest as in `Wanted`. None when it is not there, noted in
    `where.wanted`; the caller says how to get it.
    """
    at = where.revision(SECTIONS[kind], repo, revision)
    folder = cached(repo, kind, at, patterns)
    if folder and complete(folder):
        if kind == "model":  # asked for in one format after the other: any is enough
            where.wanted[:] = [
                wanted for wanted in where.wanted if (wanted.repo, wanted.kind) != (repo, kind)
            ]
        return folder
    wanted = Wanted(repo, kind, at, tuple(patterns), complete, named)
    if wanted not in where.wanted:
        where.wanted.append(wanted)
    return None


def fetch(where: Where, say: Callable[[str], None]) -> list[str]:
    """Download what is wanted into the hub cache, one repository after the other; returns a line
    for each that failed.

    Files that are there already are not asked for again. `say` hears of each repository: how many
    files, bytes, where to. A repository of which some commit is cached stays at that commit, so
    that one snapshot holds all that is read of it.
    raises  MissingError: there is no way to the hub.  StoreError: the disk is full or cannot be
                                                       written
    """
    from huggingface_hub.errors import (  # type: ignore[attr-defined]  # of the library below it
        HFValidationError,
        HTTPError,
    )

    groups: dict[tuple[str, str, str | None], list[Wanted]] = {}
    for wanted in where.wanted:
        groups.setdefault((wanted.repo, wanted.kind, wanted.revision), []).append(wanted)
    where.wanted.clear()
    failed = []
    for (repo, kind, revision), group in groups.items():
        try:
            failed += _fetch_repo(repo, kind, revision, group, say)
        except (HTTPError, HFValidationError, OSError, RuntimeError) as error:
            # RuntimeErrors are those of hf_xet, which the library downloads with.
            failed.append(_reason(error, repo, kind, revision))
    return failed


def to_download(where: Where) -> int | None:
    """Bytes of all that is wanted, as the hub lists them; None where it cannot be asked, or does
    not say. Nothing is downloaded."""
    if not where.may_fetch:
        return None
    from huggingface_hub.errors import (  # type: ignore[attr-defined]  # of the library below it
        HFValidationError,
        HTTPError,
    )

    repos: dict[tuple[str, str, str | None], list[Wanted]] = {}
    for wanted in where.wanted:
        repos.setdefault((wanted.repo, wanted.kind, wanted.revision), []).append(wanted)
    total = 0
    for (repo, kind, revision), group in repos.items():
        try:
            _, sizes = _listed(repo, kind, revision)
        except (HTTPError, HFValidationError, OSError, RuntimeError):
            return None
        parts = [_chosen(sizes, wanted.patterns) for wanted in group]
        # of a model's formats the first that is there will do
        some = {path for part in parts for path in part}
        if kind == "model":
            some = next((set(part) for part in parts if part), set())
        if not some:
            return None
        total += sum(sizes[path] for path in some)
    return total


def _listed(repo: str, kind: str, revision: str | None) -> tuple[str, dict[str, int]]:
    """(commit, bytes of each file) of a repository."""
    from huggingface_hub import HfApi

    commit = HfApi().repo_info(repo, repo_type=kind, revision=revision).sha
    assert commit is not None  # the hub names one of every repository that it has
    tree = HfApi().list_repo_tree(repo, repo_type=kind, revision=commit, recursive=True)
    return commit, {entry.path: entry.size for entry in tree if hasattr(entry, "size")}


def _chosen(sizes: dict[str, int], patterns: Iterable[str]) -> list[str]:
    """Paths that match a pattern."""
    from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]

    return list(filter_repo_objects(sizes, allow_patterns=list(patterns)))


def _fetch_repo(
    repo: str, kind: str, revision: str | None, group: list[Wanted], say: Callable[[str], None]
) -> list[str]:
    """Parts of one repository: all parts of a data set at once; of a model one format after the
    other until one is there."""
    here = cached(repo, kind, revision, [])
    revision = here.name if here else revision
    if kind == "model":
        for wanted in group:
            folder = _download(repo, kind, revision, list(wanted.patterns), say)
            if folder and wanted.complete(folder):
                return []
        return [f"{repo}: the hub has no weights there that can be read"]
    # The card first, which is small: it says where the files of each config and split lie.
    asked = any(wanted.named for wanted in group)
    about = ["README.md", "dataset_infos.json"]
    card = _download(repo, kind, revision, about, lambda line: None) if asked else None
    patterns: dict[str, None] = {}  # each once, in their order
    for wanted in group:
        named = wanted.named(card) if card and wanted.named else wanted.patterns
        patterns |= dict.fromkeys(named)
    folder = _download(repo, kind, revision, list(patterns), say)
    lacking = [wanted for wanted in group if not (folder and wanted.complete(folder))]
    return [
        f"{repo}: the hub has no complete {wanted.patterns[0]} there; check config and split"
        for wanted in lacking
    ]


def _download(
    repo: str, kind: str, revision: str | None, patterns: list[str], say: Callable[[str], None]
) -> Path | None:
    """The snapshot's folder with all files that match the patterns; None if there are none."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.file_download import repo_folder_name

    commit, sizes = _listed(repo, kind, revision)
    chosen = _chosen(sizes, patterns)
    if not chosen:
        return None
    cache = Path(constants.HF_HUB_CACHE)
    folder = cache / repo_folder_name(repo_id=repo, repo_type=kind) / "snapshots" / commit
    missing = [path for path in chosen if not (folder / path).is_file()]
    size = sum(sizes[path] for path in missing)
    say(
        f"{repo} at {commit[:12]}: {len(missing)} of {len(chosen)} files to fetch, {size:,} bytes,"
        f" to {folder}"
    )
    cache.mkdir(parents=True, exist_ok=True)
    if size > (free := shutil.disk_usage(cache).free):
        raise OSError(errno.ENOSPC, f"{size:,} bytes are to come, {free:,} are free", str(cache))
    return Path(
        snapshot_download(
            repo, repo_type=kind, revision=revision, allow_patterns=patterns, tqdm_class=_bars()
        )
    )


def _bars() -> type:
    """The library's progress bars, which draw over themselves, past the filter of what commands
    print."""
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

    class Bars(tqdm):
        def __init__(self, *args: Any, **how: Any) -> None:
            how.setdefault("file", getattr(sys.stderr, "painted", sys.stderr))
            super().__init__(*args, **how)  # type: ignore[no-untyped-call]

    return Bars


def _reason(error: BaseException, repo: str, kind: str, revision: str | None) -> str:
    """Why the hub gave nothing, in a line, and what to do; raises where trying other repositories
    makes no sense."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RevisionNotFoundError

    # the library wraps what happened into one or two errors of its own
    cause: BaseException | None = error
    while cause and getattr(cause, "response", None) is None and cause.__cause__:
        cause = cause.__cause__
    if isinstance(cause, HFValidationError):
        return f"{repo!r} is no id of a repository on the hub"
    status = getattr(getattr(cause, "response", None), "status_code", None)
    if status is None:
        raise _out_of_order(cause, constants.ENDPOINT, constants.HF_HUB_CACHE) from error
    page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{repo}"
    login = "log in with `hf auth login`, or set HF_TOKEN"
    if isinstance(cause, GatedRepoError):
        return f"{repo} is gated: accept its terms at {page}, then {login}"
    if isinstance(cause, RevisionNotFoundError):
        return (
            f"{repo} has no revision {revision or 'main'} on the hub: check the spec's `revision:`"
            " and the lock file"
        )
    if status in (401, 403, 404):
        return (
            f"{repo} is not to be had from {page} ({status}): check the id; if it is private or"
            f" gated, {login}"
        )
    if status == 429:
        return (
            f"{repo}: the hub's rate limit is reached; run the same command again in some minutes"
            f" ({login} for a higher limit)"
        )
    return f"{repo}: the hub answers {status}; run the same command again later"


def _out_of_order(cause: BaseException | None, endpoint: str, cache: str) -> HarnessError:
    """The error for a hub that cannot be reached, or a cache that cannot be written."""
    said = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    if isinstance(cause, OSError) and cause.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
    ):
        advice = (
            "free space, or set HF_HOME to a folder on another disk, then run the same command"
            " again"
        )
        return StoreError(f"cannot write the hub cache {cache}: {cause.strerror}; {advice}")
    return MissingError(
        f"no way to the hub at {endpoint}: {said}. Files that came whole are kept; run the same"
        " command again where there is a network"
    )
