"""Code that follows a release which somebody has edited: what it falls over on is the release's."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.common.errors import StoreError
from harness.release.document import FALLS, Board, plain_bytes


@contextmanager
def followed(shelf: Board, path: Path) -> Iterator[None]:
    """Show a release of that file, which is of its schema. StoreError where that falls over, and
    `verify` finds something in it; else the error is ours."""
    try:
        yield
    except FALLS as error:
        from harness.release.verify import verify  # takes a while, and is needed by few

        if found := verify(plain_bytes(path), shelf.sidecar(path)):
            raise StoreError(
                f"{path}: cannot be shown: {found[0]}; see `xstilts-harness leaderboard verify"
                f" {path}`, and restore it from version control"
            ) from error
        raise
