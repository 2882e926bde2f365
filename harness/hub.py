"""Where data and weights lie on this machine, and the one call that fetches a snapshot from the hub.

A leaf, like `errors`: every room may import it. huggingface_hub is imported only when the hub is asked.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Where:
    """Where to look on this machine. Never part of a key."""

    data_root: Path | None = None
    encoder_root: Path | None = None
    offline: bool = False

    @property
    def may_fetch(self) -> bool:
        """Whether the network may be asked at all."""
        return not self.offline and os.environ.get("HF_HUB_OFFLINE", "").upper() not in ("1", "TRUE", "YES", "ON")


def snapshot(
    repo: str, kind: str, revision: str | None, patterns: list[str], where: Where, complete: Callable[[Path], bool]
) -> Path | None:
    """The folder of a hub snapshot that is `complete`: from the cache, else fetched. None when it is not to be had.

    `kind` is "dataset" or "model". The caller says what is missing and how to get it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    for cached_only in (True, False) if where.may_fetch else (True,):
        try:
            folder = snapshot_download(
                repo, repo_type=kind, revision=revision, allow_patterns=patterns, local_files_only=cached_only
            )
        except (LocalEntryNotFoundError, HfHubHTTPError, OSError):
            continue  # not cached, no such revision, or no way to the hub
        if complete(Path(folder)):
            return Path(folder)
    return None
