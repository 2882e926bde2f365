"""Where workers run. An engine starts them, hands them keys and passes on what they say; it never
sees a score.

The protocol is `Engine` in `engine.py`, five methods; every engine's workers run `harness.jobs` on
a store that all of them see. `drive.py` feeds an engine, `progress.py` shows what it hears.

Adding an engine: one file with such a class, a line in ENGINES. A package outside adds one by an
entry point of the same form, in the group `xstilts_harness.engines`.
"""

from harness.common.plugins import Table
from harness.engines.engine import EngineClass

METHODS = ("start", "restart", "submit", "poll", "stop")


def _sound(name: str, found: object) -> str | None:
    lacking = [method for method in METHODS if not hasattr(found, method)]
    if not callable(found) or lacking:
        return f"it is no engine: a class with {', '.join(METHODS)}"
    return None


ENGINES: Table[EngineClass] = Table(
    "engines", {"process": "harness.engines.process:ProcessEngine"}, _sound
)
