"""Where workers run. An engine starts them, hands them keys and passes on what they say; it never
sees a score.

The protocol is `Engine` in `engine.py`, five methods; every engine's workers run `harness.jobs` on
a store that all of them see. `drive.py` feeds an engine, `progress.py` shows what it hears.

Adding an engine = one file with such a class and one line in ENGINES.
"""

from harness.engines.engine import EngineClass
from harness.engines.process import ProcessEngine

ENGINES: dict[str, EngineClass] = {"process": ProcessEngine}
