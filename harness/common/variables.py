"""The environment variables that set a user's defaults, for the commands and for Python."""

import os

DATA_ROOT = "XSTILTS_DATA_ROOT"
ENCODER_ROOT = "XSTILTS_ENCODER_ROOT"
LOCK = "XSTILTS_LOCK"
STORE = "XSTILTS_STORE"
BOARD = "XSTILTS_BOARD"
DEVICE = "XSTILTS_DEVICE"


def told(variable: str) -> str | None:
    """What it is set to; None if it is not set, or empty."""
    return os.environ.get(variable) or None
