"""One worker on a node of somebody's cluster, far from its driver: a process engine of one slot,
whose driver may have to ask twice."""

import logging
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path

from harness.common.errors import HarnessError, SpecError
from harness.engines.engine import Event
from harness.engines.process import ProcessEngine

LISTEN = 5.0  # seconds of waiting for news before the answer that there are none

# its number, a key, whether dropped weights are needed again, GPUs that the worker may use too
Order = tuple[int, str, bool, list[str]]


class Seat:
    """What the worker says is kept until the driver has it, and an order is taken once, so that
    whatever got lost on the way can be asked again. Several questions may be open at a time."""

    def __init__(
        self,
        number: int,
        store: str,
        checkpoint_seconds: float | None,
        device: str,
        each: int,
        settings: Mapping[str, str],
    ):
        os.environ.update(settings)
        self.news = threading.Condition()
        self.said: list[Event] = []  # what the driver may not have yet
        self.heard = self.orders = 0  # how much it has; the number of its latest order
        self.ending, self.wrong = False, ""
        try:
            if not (Path(store) / "jobs").is_dir():  # the driver has just written some
                raise SpecError(f"no store {store}: all nodes must see it under this path")
            self.engine = ProcessEngine(
                Path(store), 1, checkpoint_seconds, device, first=number, each=each
            )
            self.engine.start()
        except (HarnessError, OSError) as error:
            self.wrong = str(error)
            return
        (self.slot,) = self.engine.slots
        threading.Thread(target=self._listen, daemon=True).start()

    def begin(self) -> tuple[str, str, str]:
        """The host's name, this seat's GPU, and why no worker can run there, if none can."""
        return socket.gethostname(), os.environ.get("CUDA_VISIBLE_DEVICES", ""), self.wrong

    def hear(self, since: int, order: Order | None) -> list[Event]:
        """What the worker said after the first `since` events, as soon as there is something. Takes
        `order`, unless it has."""
        with self.news:
            del self.said[: max(0, since - self.heard)]
            self.heard = max(self.heard, since)
            if order and order[0] > self.orders:
                self.orders = order[0]
                self.engine.send(self.slot, *order[1:])
                # one that died before is not the one that has it
                self.said = [event for event in self.said if event.event != "died"]
            self.news.wait_for(lambda: self.said, LISTEN)
            return list(self.said)

    def stop(self) -> int:
        """Let the worker save and end. How many had to be killed."""
        self.ending = True
        return self.engine.stop()

    def _listen(self) -> None:
        while not self.ending:
            try:
                self._take([event for _, event in self.engine.poll(0.5)])
            except Exception:
                if self.ending:
                    return  # it hears the end of its pipes
                logging.exception("the worker cannot be heard")
                os._exit(1)  # the driver sees this one lost

    def _take(self, events: list[Event]) -> None:
        """Keep what the worker said. One that died gets no order between its end and the next."""
        with self.news:
            if any(event.event == "died" for event in events) and not self.ending:
                self.engine.restart(self.slot)
            self.said += events
            self.news.notify_all()
