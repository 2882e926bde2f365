"""The environment variables that set a user's defaults, for the commands and for Python."""

import os

DATA_ROOT = "XSTILTS_DATA_ROOT"
ENCODER_ROOT = "XSTILTS_ENCODER_ROOT"
LOCK = "XSTILTS_LOCK"
STORE = "XSTILTS_STORE"
BOARD = "XSTILTS_BOARD"
DEVICE = "XSTILTS_DEVICE"
PLACES = (DATA_ROOT, ENCODER_ROOT, LOCK, STORE, BOARD)
CORES = "XSTILTS_CORES"  # a worker's own; its engine says so


def told(variable: str) -> str | None:
    """What it is set to; None if it is not set, or empty."""
    return os.environ.get(variable) or None


def at_home(path: str) -> str:
    """The path with the home folder for its `~`, which no shell has seen in --store=~/runs, in a
    file of variables, or in Python."""
    return os.path.expanduser(path) if path.startswith("~") else path  # noqa: PTH111 - never raises


def settle_places() -> None:
    """The same of all places that the environment names."""
    for variable in PLACES:
        if path := told(variable):
            os.environ[variable] = at_home(path)


def own_cores() -> int:
    """How many cores may work for one job where that changes no digit: one, unless an engine has
    said more."""
    return int(told(CORES) or 1)
