"""The command line: parse, call, print. Rooms are imported inside commands, so that --help wakes
nothing heavy.

xstilts-harness eval --all                                  the smoke suite `demo`, on any laptop
xstilts-harness eval --suite small --data-root DIR          real data, in the hub's layout
xstilts-harness plan --suite small --data-root DIR          what that would do
"""

# Each registers its commands.
from harness.cli import (  # noqa: F401
    board,
    cache,
    data,
    eval,
    new,
    papers,
    plan,
    push,
    runs,
    score,
    seeds,
    specs,
)
from harness.cli.app import app, main

__all__ = ["app", "main"]
