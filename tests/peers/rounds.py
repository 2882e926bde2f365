"""Contenders side by side in one run: each in a process of its own, which computes one round when
it is told to and then waits, so that whatever else the machine does hits all alike.
"""

import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from harness.engines.process import KEEP_MEMORY

PATIENCE = 600  # seconds until a round that does not come is given up


@dataclass
class Round:
    """What one contender did in one round. `real`, `padded`: tokens of the texts, and tokens that
    went through the encoder (0: not known)."""

    cpu: float
    wall: float
    updates: int
    real: int
    padded: int
    began: float  # seconds of the clock on the wall
    results: list[Any] = field(default_factory=list)  # losses, or predictions


@dataclass
class Measured:
    """A contender's rounds, and its peak memory in bytes; `failed`: why there are none."""

    rounds: list[Round] = field(default_factory=list)
    peak: int = 0
    device_peak: int = 0
    failed: str = ""


class Meter:
    """What a contender tells of its work. The first of `rounds` warms up, and is not counted.

    rounds  for each the tokens of its updates: (real, padded)
    """

    def __init__(self, pipe: Connection, rounds: Sequence[Sequence[tuple[int, int]]]):
        self.pipe, self.rounds = pipe, rounds
        self.number = self.done = 0
        self.results: list[Callable[[], Any]] = []

    def start(self) -> None:
        """Everything is prepared: wait for the word, and start the clocks."""
        self.pipe.send("ready")
        self._wait()

    def _wait(self) -> None:
        self.pipe.recv()
        self.began = time.time()
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def updated(self, result: Callable[[], Any]) -> None:
        """One update is done. `result` gives what came of it, asked for when the clocks stand."""
        self.results.append(result)
        self.done += 1
        tokens = self.rounds[self.number]
        if self.done < len(tokens):
            return
        synchronise()
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        real, padded = (sum(column) for column in zip(*tokens, strict=True))
        results = [result() for result in self.results]
        self.pipe.send(Round(cpu, wall, self.done, real, padded, self.began, results))
        self.results, self.done = [], 0
        self.number += 1
        if self.number < len(self.rounds):
            self._wait()


def synchronise() -> None:
    """Wait until a GPU has done what it was given."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


Contender = Callable[[Any, Meter], None]


def compare(
    contenders: dict[str, tuple[Contender, Any]],
    tokens: dict[str, Sequence[Sequence[tuple[int, int]]]],
    core: int | None = None,
    together: bool = False,
    processes: Any = None,
) -> dict[str, Measured]:
    """Each contender's rounds, taken in turn.

    contenders  by name: a function of a module, and what it works on
    tokens      by name, for each round (the first warms up) those of its updates: (real, padded)
    core        of the CPU that all are pinned to; None: none, for a GPU
    together    all compute their round at once, as several workers on one card do
    processes   what has Process and Pipe, where those of the system are too slow to start (a test)
    """
    processes = processes or _forked()
    running: dict[str, tuple[Any, Connection]] = {}
    found = {name: Measured() for name in contenders}
    try:
        for name, (contender, work) in contenders.items():
            here, there = processes.Pipe()
            arguments = (contender, work, tokens[name], there, core)
            process = processes.Process(target=_serve, args=arguments)
            process.daemon = True
            process.start()
            there.close()
            running[name] = process, here
            _heard(here, found[name])
        rounds = max(len(of_one) for of_one in tokens.values())
        for number in range(rounds):
            _round(running, found, number, together)
        for name, (_, pipe) in running.items():
            _peaks(pipe, found[name])
    finally:
        for process, pipe in running.values():
            pipe.close()
            process.join(10)
            if process.is_alive():
                process.kill()
    return found


def _forked() -> Any:
    """Processes that fork from one that has the libraries and has computed nothing yet."""
    os.environ |= {"GLIBC_TUNABLES": KEEP_MEMORY, "OMP_NUM_THREADS": "1"}
    os.environ |= {"TOKENIZERS_PARALLELISM": "false"}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "transformers", "tests.peers.contenders"])
    return context


def _round(
    running: dict[str, tuple[Any, Connection]],
    found: dict[str, Measured],
    number: int,
    together: bool,
) -> None:
    alive = {name: pipe for name, (_, pipe) in running.items() if not found[name].failed}
    if together:
        for pipe in alive.values():
            pipe.send("go")
    for name, pipe in alive.items():
        if not together:
            pipe.send("go")
        answer = _heard(pipe, found[name])
        if number and isinstance(answer, Round):
            found[name].rounds.append(answer)


def _heard(pipe: Connection, measured: Measured) -> Any:
    """The next that a contender says, or None, noted, if it says that it failed or nothing."""
    try:
        answer = pipe.recv() if pipe.poll(PATIENCE) else RuntimeError("no answer")
    except EOFError:
        answer = RuntimeError("its process ended")
    if isinstance(answer, Exception):
        measured.failed = f"{type(answer).__name__}: {answer}".splitlines()[0]
        return None
    return answer


def _peaks(pipe: Connection, measured: Measured) -> None:
    if not measured.failed and (peaks := _heard(pipe, measured)):
        measured.peak, measured.device_peak = peaks


def _serve(
    contender: Contender,
    work: Any,
    tokens: Sequence[Sequence[tuple[int, int]]],
    pipe: Connection,
    core: int | None,
) -> None:
    """A contender's process."""
    import torch

    if core is not None:
        torch.set_num_threads(1)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {core})
    try:
        contender(work, Meter(pipe, tokens))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak *= 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
        on_device = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0
        pipe.send((peak, on_device))
    except Exception as error:
        pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))
