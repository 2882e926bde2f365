"""How long the long forms of some tests run: `make stress` sets XSTILTS_STRESS."""

import os


def times(quick: int, long: int) -> int:
    """`quick` in the test suite, `long` under `make stress`."""
    return long if os.environ.get("XSTILTS_STRESS") else quick
