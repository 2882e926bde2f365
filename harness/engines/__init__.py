"""Where workers run. An engine starts them, hands them keys and passes on what they say; it never
sees a score.

Two forms, in `engine.py`: `Engine` is handed jobs one by one by a driver (`drive.py`), on this
machine or over a network; `Agents` are told of a run and take its jobs from the store by
themselves, each a driver of its own node (`agent.py`), and `watch.py` follows them. `progress.py`
shows what is heard of either.

Adding an engine: one file with such a class, a line in ENGINES. A package outside adds one by an
entry point of the same form, in the group `xstilts_harness.engines`.
"""

from harness.common.plugins import Table
from harness.engines.engine import EngineClass

METHODS = ("start", "restart", "submit", "poll", "stop"), ("run", "farewell")


def _sound(name: str, found: object) -> str | None:
    there = set(dir(found))
    if callable(found) and any(there.issuperset(form) for form in METHODS):
        return None
    return f"it is no engine: a class with {' or '.join(', '.join(form) for form in METHODS)}"


ENGINES: Table[EngineClass] = Table(
    "engines",
    {
        "process": "harness.engines.process:ProcessEngine",
        "slurm": "harness.engines.slurm:SlurmEngine",
        "ray": "harness.engines.ray:RayEngine",
    },
    _sound,
)
