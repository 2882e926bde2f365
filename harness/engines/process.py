"""Workers as child processes of the driver: one per GPU, or one per CPU core, each warm for the
whole run."""

import os
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

from harness.common import variables
from harness.common.errors import SpecError
from harness.engines.engine import Event
from harness.plan.devices import PEAKS, Machine, card

# glibc: keep up to half a GiB of freed memory for the next update. Else a CPU worker returns and
# fetches it update by update, tens of thousands of page faults a second. What is computed stays the
# same.
KEEP_MEMORY = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in {
        "mmap_threshold": 1 << 30,
        "trim_threshold": 1 << 29,
        "top_pad": 1 << 26,
    }.items()
)

DEVICE = r"cpu|mps|cuda(:[0-9]+)?"
MOST = 4  # on one GPU: they take turns, and fill what launching small kernels leaves idle
SHARE = 0.9  # of the free memory: the rest is fragments
OWN_DEVICES = ("cpu", "mps")  # what a worker must be told: it takes a GPU where it sees one
GRACE = 8.0  # `docker stop` kills all after 10


def gpus() -> list[str]:
    """Indices of the GPUs this process may use, without importing torch: device files, which a
    container gets on request."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [gpu for gpu in visible.split(",") if gpu.strip() and gpu.strip() != "-1"]
    return [str(i) for i in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


def cores() -> int:
    """How many CPU cores this process may use: a scheduler gives less than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS ties no process to cores


def chosen_gpus(device: str | None) -> list[str]:
    """Those of them that workers compute on, as torch counts: `cuda:1` is the second. None: all.

    raises  SpecError: no such device, or none of that number here
    """
    if device and not re.fullmatch(DEVICE, device):
        raise SpecError(
            f"--device {device}: write cpu, cuda, cuda:1 (the second GPU) or mps; `plan` also takes"
            f" a card that is not here, such as 8xH100, of {', '.join(PEAKS)}"
        )
    if device == "mps" and sys.platform != "darwin":
        raise SpecError("--device mps: only a Mac has it")
    if device in OWN_DEVICES:
        return []

    visible = gpus()
    if device and not visible:
        raise SpecError(
            f"--device {device}: no GPU is visible (in a container: docker run --gpus all); without"
            " --device the CPU computes; `plan` takes a card's name too, such as H100"
        )
    _, one, index = (device or "").partition(":")
    if one and int(index) >= len(visible):
        raise SpecError(f"--device {device}: the GPUs here are cuda:0 to cuda:{len(visible) - 1}")
    return [visible[int(index)]] if one else visible


def machine(device: str | None = None) -> Machine:
    """What this machine's workers compute on. SpecError as `chosen_gpus`."""
    if found := chosen_gpus(device):
        return Machine(len(found), card())
    return Machine(1, "mps") if device == "mps" else Machine(cores(), "cpu")


def fitting(need: float, device: str | None) -> int:
    """How many workers this machine has room for, each of which takes `need` bytes of a GPU: on
    GPUs as many as memory and cores allow, as many on each; elsewhere the usual number."""
    cards = chosen_gpus(device)
    if not cards:
        return machine(device).workers
    free = min(map(free_memory, cards))
    each = min(int(SHARE * free / need), cores() // len(cards), MOST)
    return len(cards) * max(1, each)


def free_memory(card: str) -> float:
    """Bytes that are free on a card, by NVIDIA's own tool; 0 where that does not say."""
    query = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits", "-i", card]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
        return float(said.stdout.strip()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return 0.0


class ProcessEngine:
    """`workers` child processes, each with a log in the store."""

    def __init__(
        self,
        store: Path,
        workers: int | None = None,
        checkpoint_seconds: float | None = None,
        device: str | None = None,
        grace: float = GRACE,
        logs: Path | None = None,
        first: int = 0,
        each: int | None = None,
    ):
        """
        grace  seconds for the last checkpoint
        logs   where each worker writes one; None: in the store
        first  number of the first worker
        each   how many cores a worker has; None: all of this machine's, in equal parts
        """
        self.logs = logs or store / "logs"
        self.store, self.checkpoint_seconds, self.device = store, checkpoint_seconds, device
        self.grace = grace
        self.gpus = chosen_gpus(device)
        count = workers or machine(device).workers
        self.slots = [f"worker-{first + i}" for i in range(count)]
        self.each = each or max(1, cores() // count)
        self._process: dict[str, subprocess.Popen[bytes]] = {}
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
            environment["CUDA_VISIBLE_DEVICES"] = self._gpu(slot)
        if self.device in OWN_DEVICES:
            environment |= {variables.DEVICE: self.device, "CUDA_VISIBLE_DEVICES": ""}
        environment |= {
            variables.CORES: str(self.each),
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        seconds = [] if self.checkpoint_seconds is None else [str(self.checkpoint_seconds)]
        self.logs.mkdir(exist_ok=True)
        with self._log(slot).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.jobs", str(self.store), *seconds],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                # a Ctrl-C in the terminal reaches the driver, which stops workers in order
                start_new_session=True,
            )
        self._process[slot], self._buffer[slot] = process, b""
        said = _pipe(process.stdout)
        os.set_blocking(said.fileno(), False)
        self._selector.register(said, selectors.EVENT_READ, slot)

    def _gpu(self, slot: str) -> str:
        return self.gpus[self.slots.index(slot) % len(self.gpus)]

    def share(self, idle: Sequence[str], count: int) -> list[str]:
        """The first idle slots, each on another GPU; without GPUs at most all that there are."""
        apart: dict[str, str] = {}
        for slot in idle:
            apart.setdefault(self._gpu(slot) if self.gpus else slot, slot)
        wanted = count if self.gpus else min(count, len(self.slots))
        if len(apart) < wanted or (count > 1 and self.device == "mps"):
            return []
        return [*apart.values()][:wanted]

    def may_hold(self, count: int) -> bool:
        """Whether there are so many slots, each on another GPU."""
        return bool(self.share(self.slots, count))

    def submit(self, slot: str, key: str, again: bool, beside: Sequence[str] = ()) -> None:
        """Send a key to an idle worker (`again`: its dropped weights are needed; `beside`: whose
        GPUs it may use too). If it just died, poll() says so."""
        self.send(slot, key, again, [self._gpu(other) for other in beside if self.gpus])

    def send(self, slot: str, key: str, again: bool, cards: Sequence[str]) -> None:
        """The same; `cards`: GPUs that the worker may use too."""
        keys = _pipe(self._process[slot].stdin)
        words = [key, *(["again"] if again else [])]
        if cards:
            words.append(f"beside={','.join(cards)}")
        with suppress(BrokenPipeError):
            keys.write(" ".join(words).encode() + b"\n")
            keys.flush()

    def poll(self, timeout: float) -> list[tuple[str, Event]]:
        """What workers said within `timeout` seconds, at once if there is something."""
        # A child that a worker left behind may hold its end of the pipe open, so that the end of
        # the worker does not show there.
        ended = {slot for slot, process in self._process.items() if process.poll() is not None}
        ready = [key.data for key, _ in self._selector.select(timeout)]
        heard = [key.data for key in self._selector.get_map().values()]
        left = [slot for slot in heard if slot in ended and slot not in ready]
        events = []
        for slot in [*ready, *left]:
            events += [(slot, event) for event in self._hear(slot, slot in ended)]
        return events

    def _hear(self, slot: str, ended: bool) -> list[Event]:
        """What one worker has said and nobody has heard yet; its death, if it is dead."""
        events = []
        stream = _pipe(self._process[slot].stdout)
        while data := stream.read():
            *lines, self._buffer[slot] = (self._buffer[slot] + data).split(b"\n")
            for line in filter(bytes.strip, lines):
                if event := Event.of(line):
                    at = str(self._log(slot)) if event.event == "failed" else ""
                    events.append(replace(event, log=at))
                else:
                    self._note(slot, line)

        if data == b"" or ended:
            self._selector.unregister(stream)
            code = self._process[slot].wait()
            events.append(Event("died", code=code, log=str(self._log(slot))))
        return events

    def _note(self, slot: str, line: bytes) -> None:
        """Keep what was said and is no event in the worker's log."""
        with self._log(slot).open("ab") as log:
            log.write(b"on the channel of events, and none: " + line + b"\n")

    def _log(self, slot: str) -> Path:
        return self.logs / f"{slot}.log"

    def stop(self) -> int:
        """Ask workers to save and end; kill what has not ended after `grace` seconds, or at once
        if this is interrupted. Returns how many were killed."""
        deadline, killed = time.monotonic() + self.grace, 0
        try:
            for process in self._process.values():
                if process.poll() is None:
                    process.terminate()
                    with suppress(BrokenPipeError):
                        _pipe(process.stdin).close()
            for process in self._process.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        finally:
            for process in self._process.values():
                if process.poll() is None:
                    process.kill()
                    process.wait()
                    killed += 1
                _pipe(process.stdout).close()
            self._selector.close()
        return killed


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    """Our end of a pipe to a worker: `restart` asks for both."""
    assert end is not None
    return end
