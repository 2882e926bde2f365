"""Processes that publish a release that is made already, one each, to be killed or to run into one
another.

`Publishers` starts this file once, which imports and renders all that takes seconds, and then forks
a process for each order.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Order:
    """What a process is to do: publish the content of that file on that board.

    at        not before this moment of the monotonic clock
    step      it kills itself just before its n-th access to a file of the board (Python's own audit
              events)
    host      what it takes for its host, as if it were another machine
    alone     it sees nobody's lease on the board, as one who was taken for dead and woke up
    limit     bytes that a file of it may have: a disk that is full
    """

    board: str
    content: str
    at: float = 0.0
    step: int | None = None
    host: str | None = None
    alone: bool = False
    limit: int | None = None


class Publishers:
    """The process that forks publishers. `start` gives a process id, `wait` how it ended: its exit
    status and what it said."""

    def __init__(self):
        env = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        }
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen([sys.executable, __file__], env=env, text=True, **pipes)

    def _ask(self, **what) -> list:
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, order: Order) -> int:
        return self._ask(order=asdict(order))[0]

    def wait(self, pid: int) -> tuple[int, str]:
        """(exit status, negative if a signal ended it; its last words)"""
        return tuple(self._ask(wait=pid))

    def run(self, order: Order) -> tuple[int, str]:
        return self.wait(self.start(order))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def _publish(order: Order, said: int) -> NoReturn:
    """In the new process: publish, say how it went, and end."""
    from harness.common.errors import StoreError
    from harness.release import shelve
    from harness.release.document import Board
    from harness.run import publishing
    from harness.store import lease

    if order.host:
        lease._host = lambda: order.host
    if order.alone:
        shelve._LEASE = f".publishing.{os.getpid()}"
    if order.limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order.limit, order.limit))
    if order.step:
        _die_at(order.step, order.board)
    content = json.loads(Path(order.content).read_bytes())
    sidecar = {"command": f"publish {order.content}", "environments": []}
    while time.monotonic() < order.at:
        pass
    words, status = [], 0
    try:
        done = publishing.put(content, sidecar, Board(Path(order.board)), words.append)
        words = [done.path.name, "new" if done.new else "known", *done.rendered, *words]
    except StoreError as error:
        words, status = [str(error)], error.exit_code
    os.write(said, "\n".join(words).encode())
    os._exit(status)


def _die_at(step: int, board: str) -> None:
    left = step

    def hear(event: str, arguments: tuple) -> None:
        nonlocal left
        if any(
            isinstance(one, (str, os.PathLike)) and os.fspath(one).startswith(board)
            for one in arguments
        ):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)


def _serve() -> None:
    from harness.page import page
    from harness.run import publishing  # noqa: F401, so that no publisher has to

    page._library()
    pipes: dict[int, int] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            pid = asked["wait"]
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            with os.fdopen(pipes.pop(pid), "rb") as pipe:
                print(json.dumps([status, pipe.read().decode()]), flush=True)
            continue
        ear, mouth = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                _publish(Order(**asked["order"]), mouth)
            except BaseException:
                traceback.print_exc()
            os._exit(70)
        os.close(mouth)
        pipes[pid] = ear
        print(json.dumps([pid]), flush=True)


if __name__ == "__main__":
    _serve()
