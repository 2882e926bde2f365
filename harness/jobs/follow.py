"""`python -m harness.jobs.follow STORE KEY NUMBER MEETING DEVICE`: one of the processes that share
a training, but the first (`ranks`), which starts it and computes on DEVICE. It ends when its stdin
does."""

import json
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path

from harness.common.errors import HarnessError
from harness.jobs.context import Context, HostError, JobError, device, failure
from harness.jobs.ranks import Ranks, join, reason
from harness.jobs.train import follow
from harness.store import Store


def _wait_for_the_end() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


def _hold_device(name: str, ranks: Ranks, wanted: str) -> None:
    """HostError if this is not what the first computes on: they would wait for each other."""
    if (found := device()) != wanted:
        card = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
        raise HostError(
            f"{name}: process {ranks.number} of {ranks.size}, which share it, computes on {found},"
            f" the first on {wanted}: see whether nvidia-smi shows its GPU"
            f" (CUDA_VISIBLE_DEVICES={card})"
        )


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
    meeting = Path(arguments[3])
    try:
        _hold_device(job["name"], ranks, arguments[4])
        join(ranks, meeting)
        follow(ctx, ranks)
        waiting.join()  # others may still read what this one has sent
    except (JobError, HarnessError) as error:
        print(error, file=sys.stderr, flush=True)
        with suppress(OSError):  # the first has ended, and its folder with it
            reason(meeting, ranks.number).write_text(json.dumps(failure(error)))
    except Exception:
        traceback.print_exc()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
