"""`python -m harness.jobs.follow STORE KEY NUMBER MEETING`: one of the processes that share a
training, but the first (`ranks`), which starts it. It ends when its stdin does."""

import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from harness.common.errors import HarnessError
from harness.jobs.context import Context, JobError
from harness.jobs.ranks import Ranks, join
from harness.jobs.train import follow
from harness.store import Store


def _wait_for_the_end() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


def main(arguments: list[str]) -> None:
    """Entry point of such a process."""
    for number in (signal.SIGTERM, signal.SIGINT):  # the first hears them, and saves
        signal.signal(number, signal.SIG_IGN)
    waiting = threading.Thread(target=_wait_for_the_end, daemon=True)
    waiting.start()
    store, key = Store(Path(arguments[0])), arguments[1]
    job = store.read_job(key)
    ctx = Context(store, key, job, Path(os.devnull), lambda *_: None, lambda: False)
    ranks = Ranks(int(arguments[2]), job["versions"]["world_size"])
    try:
        join(ranks, Path(arguments[3]))
        follow(ctx, ranks)
        waiting.join()  # others may still read what this one has sent
    except (JobError, HarnessError) as error:
        print(error, file=sys.stderr, flush=True)
    except Exception:
        traceback.print_exc()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
