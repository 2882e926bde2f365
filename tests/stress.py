"""How long the long forms of some tests run: `make stress` sets XSTILTS_STRESS."""

import os
from typing import TypeVar

Much = TypeVar("Much")


def times(quick: Much, long: Much) -> Much:
    """`quick` in the test suite, `long` under `make stress`."""
    return long if os.environ.get("XSTILTS_STRESS") else quick
