"""SIGTERM and SIGINT end every command, with 143 and 130. Also as process 1 of a container, whom no
signal ends by itself.

A signal raises Interrupted in the main thread, so that whatever is open is closed in order. That
thread may not get there, because it waits for a hub that does not answer or for the threads of a
library: then a watchdog ends the process after GRACE seconds. Who has something to save says so:
`hold` takes note of the signal and raises nothing, `patient` raises and gives time. A second signal
ends at once.
"""

import fcntl
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

GRACE = 0.5  # seconds to close what is open
PATIENCE = 9.0  # seconds to save a checkpoint: `docker stop` kills after 10
# a scheduler may signal a whole process group, and the process in it, in one moment: that is one
# signal
ECHO = 0.2
INTERRUPTED = "interrupted; what was done is kept, the same command goes on from there"


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end."""


class Stop:
    """Whether this process was asked to end, and how long it may take. There is one, `stop`."""

    def __init__(self) -> None:
        self.number = 0  # of the first signal
        # when the last signal came; when the last reason for patience went
        self._heard = self._calm = 0.0
        self._holds = self._patients = 0
        self._numbers: tuple[int, ...] = ()
        self._patience, self._again, self._words = PATIENCE, True, INTERRUPTED

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self.number != 0

    def install(self, patience: float | None = None, worker: bool = False) -> None:
        """Hear signals from now on; once. Only the main thread may call it. `patience`: seconds
        that saving may take, PATIENCE if not given.

        worker  Ctrl-C is the driver's to handle, and a second SIGTERM (a scheduler's, then the
                driver's) says nothing new.
        """
        if self._numbers:
            return
        self._numbers = (signal.SIGTERM,) if worker else (signal.SIGTERM, signal.SIGINT)
        self._patience = PATIENCE if patience is None else patience
        self._again, self._words = not worker, "" if worker else INTERRUPTED
        reading, writing = _pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(reading,), name="signals", daemon=True).start()
        if worker:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        # SIGINT too where it was ignored: a script starts background jobs so
        for number in self._numbers:
            signal.signal(number, self._hear)
        os.register_at_fork(after_in_child=self._forget)
        sys.excepthook, sys.unraisablehook = self._excepthook, self._unraisablehook

    @contextmanager
    def heard(self) -> Iterator[None]:
        """All that a command does. If a signal came meanwhile, the process ends here, whatever else
        happened."""
        self.install()
        try:
            yield
        finally:
            if self.asked:
                self.leave()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """No exception in this block, which asks `asked` and comes to a good end."""
        self._holds += 1
        try:
            yield
        finally:
            self._calm = time.monotonic()
            self._holds -= 1

    @contextmanager
    def loose(self) -> Iterator[None]:
        """Inside `hold`, what takes long and can be done again: here a signal raises, also one that
        came before."""
        holds, self._holds = self._holds, 0
        with self.patient():
            try:
                if holds and self.asked:
                    raise Interrupted
                yield
            finally:
                self._holds = holds

    @contextmanager
    def patient(self) -> Iterator[None]:
        """A signal raises, but what is then to be done in this block may take a while."""
        self._patients += 1
        try:
            yield
        finally:
            self._calm = time.monotonic()
            self._patients -= 1

    def leave(self) -> None:
        """End the process, without waiting for threads that others started."""
        with suppress(Exception):
            sys.stdout.flush()
        self._end()

    def _end(self) -> None:
        words, self._words = self._words, ""
        if words:
            with suppress(OSError):
                os.write(2, words.encode() + b"\n")
        os._exit(128 + self.number)

    def _hear(self, number: int, _frame: object) -> None:
        # not `asked`: the watchdog may have been faster
        now, first = time.monotonic(), not self._heard
        if not first and (not self._again or now - self._heard < ECHO):
            return
        self.number, self._heard = self.number or number, now
        if not (first and self._holds):
            raise Interrupted

    def _watch(self, reading: int) -> None:
        """In a thread of its own: end the process when its time is over, whatever the main thread
        does."""
        first = last = 0.0
        while True:
            ready, _, _ = select.select([reading], [], [], 0.05 if first else None)
            now = time.monotonic()
            for number in os.read(reading, 64) if ready else b"":
                if number in self._numbers and (not first or (self._again and now - last >= ECHO)):
                    self.number, first, last = self.number or number, first or now, now
            if first and now > self._deadline(first, last):
                self._end()

    def _deadline(self, first: float, last: float) -> float:
        if last > first:
            return last + GRACE
        if self._holds or self._patients:
            return first + self._patience
        return max(first, self._calm) + GRACE

    def _forget(self) -> None:
        """A fork is not who was meant."""
        signal.set_wakeup_fd(-1)
        for number in self._numbers:
            signal.signal(number, signal.SIG_DFL)

    def _excepthook(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Interrupted):
            self.leave()
        sys.__excepthook__(kind, error, trace)

    def _unraisablehook(self, what: "sys.UnraisableHookArgs") -> None:
        # it hit a destructor: the watchdog goes on with it
        if not isinstance(what.exc_value, Interrupted):
            sys.__unraisablehook__(what)


def _pipe() -> list[int]:
    """A pipe whose numbers are none of the standard streams', which whoever started us may have
    closed."""
    pair = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in pair]
    for end in pair:
        os.close(end)
    return moved


stop = Stop()
