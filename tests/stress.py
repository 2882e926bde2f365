"""How long a test's long form is: `XSTILTS_STRESS=50 pytest` (make stress) does fifty times what CI does."""

import os


def times(n: int) -> int:
    return max(1, int(n * float(os.environ.get("XSTILTS_STRESS", "1"))))
