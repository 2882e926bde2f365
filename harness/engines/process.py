"""Workers as child processes of the driver: one per GPU, or one per CPU core, each warm for the whole run."""

import json
import os
import selectors
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

# glibc: keep up to half a GiB of freed memory for the next update. Else a CPU worker returns and fetches it update by update,
# tens of thousands of page faults a second. What is computed stays the same.
KEEP_MEMORY = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in {"mmap_threshold": 1 << 30, "trim_threshold": 1 << 29, "top_pad": 1 << 26}.items()
)

GRACE = 8.0  # seconds for the last checkpoint: `docker stop` kills all after 10


def gpus() -> list[str]:
    """Indices of the GPUs this process may use, without importing torch: device files, which a container gets on request."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [gpu for gpu in visible.split(",") if gpu.strip() and gpu.strip() != "-1"]
    return [str(i) for i in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


class ProcessEngine:
    """`workers` child processes. A worker that dies is reported as an event {"event": "died"} and can be restarted."""

    def __init__(self, store: Path, workers: int | None = None, checkpoint_seconds: float | None = None):
        self.store, self.checkpoint_seconds = store, checkpoint_seconds
        self.gpus = gpus()
        count = workers or len(self.gpus) or len(os.sched_getaffinity(0))
        self.slots = [f"worker-{i}" for i in range(count)]
        self._process: dict[str, subprocess.Popen] = {}
        self._buffer: dict[str, bytes] = {}
        self._selector = selectors.DefaultSelector()

    def start(self) -> None:
        """Start every worker that does not run yet."""
        for slot in self.slots:
            if slot not in self._process:
                self.restart(slot)

    def restart(self, slot: str) -> None:
        """Start a slot's worker, anew if it died."""
        environment = {"GLIBC_TUNABLES": KEEP_MEMORY} | os.environ
        if self.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self.gpus[self.slots.index(slot) % len(self.gpus)]
        environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        seconds = [] if self.checkpoint_seconds is None else [str(self.checkpoint_seconds)]
        logs = self.store / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{slot}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.jobs", str(self.store), *seconds],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,  # a Ctrl-C in the terminal reaches the driver, which stops workers in order
            )
        self._process[slot], self._buffer[slot] = process, b""
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, slot)

    def submit(self, slot: str, key: str, again: bool) -> None:
        """Send a key to an idle worker (`again`: its dropped weights are needed). If it just died, poll() says so."""
        with suppress(BrokenPipeError):
            self._process[slot].stdin.write(key.encode() + (b" again\n" if again else b"\n"))
            self._process[slot].stdin.flush()

    def poll(self, timeout: float) -> list[tuple[str, dict]]:
        """What workers said within `timeout` seconds, at once if there is something."""
        events = []
        for ready, _ in self._selector.select(timeout):
            slot, stream = ready.data, ready.fileobj
            data = stream.read()
            if data:
                *lines, self._buffer[slot] = (self._buffer[slot] + data).split(b"\n")
                events += [(slot, json.loads(line)) for line in lines if line.strip()]
            elif data == b"":
                self._selector.unregister(stream)
                code = self._process[slot].wait()
                events.append((slot, {"event": "died", "code": code, "log": str(self.store / "logs" / f"{slot}.log")}))
        return events

    def stop(self) -> int:
        """Ask workers to save and end; kill what has not ended after GRACE seconds, or at once if this is interrupted.
        Returns how many were killed."""
        deadline, killed = time.monotonic() + GRACE, 0
        try:
            for process in self._process.values():
                if process.poll() is None:
                    process.terminate()
                    with suppress(BrokenPipeError):
                        process.stdin.close()
            for process in self._process.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        finally:
            for process in self._process.values():
                if process.poll() is None:
                    process.kill()
                    process.wait()
                    killed += 1
                process.stdout.close()
            self._selector.close()
        return killed
