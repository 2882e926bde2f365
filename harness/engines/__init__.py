"""Where workers run. An engine starts them, hands them keys and passes on what they say; it never
sees a score.

The protocol is five methods; every engine's workers run `harness.jobs` on a store that all of them
see.

    start()                      submit(slot, key, again)     poll(timeout) → [(slot, event), ...]
    restart(slot)                stop(grace)
    slots: list of slot names

Adding an engine = one file with such a class and one line in ENGINES.
"""

from harness.engines.process import ProcessEngine

ENGINES = {"process": ProcessEngine}
