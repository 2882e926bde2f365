"""What a run shows while it works: its lines, its screen, and the time that it says is left."""

import io
import json
from itertools import pairwise

import pytest
from conftest import only_line

from harness.engines.engine import Event
from harness.engines.listener import Listener, Listeners, Logged
from harness.engines.progress import Progress
from harness.engines.remaining import Remaining
from harness.plan.graph import Job
from harness.plan.order import EACH


def job(key: str, kind: str = "train", needs: tuple[str, ...] = (), rank: int = 0) -> Job:
    body = {"encoder": {"name": "toyenc"}}
    return Job(key, kind, f"{kind} toyenc {key}", list(needs), body, (rank,))


# The time that is left ----------------------------------------------------------------------------


def test_what_is_left_follows_the_work_and_not_the_number_of_jobs():
    """Ten small jobs are done, one as big as a hundred of them waits."""
    left = Remaining()
    left.costs = {**{f"small{i}": 1e12 for i in range(10)}, "big": 100e12}
    left.set([job(key) for key in left.costs])
    left.reach("small0", 0.0, now=100.0)
    for i in range(10):
        left.end(f"small{i}", worked=True)
    assert left.part == pytest.approx(10 / 110, rel=0.02)
    assert left.seconds(now=110.0, workers=1) == pytest.approx(100, rel=0.02)


def test_it_does_not_jump_when_a_job_ends_or_another_run_did_one():
    left = Remaining()
    left.costs = dict.fromkeys("abcd", 1e12)
    left.set([job(key) for key in "abcd"])
    left.reach("a", 0.0, now=0.0)
    left.reach("a", 0.99, now=9.9)
    before = left.seconds(9.9, workers=1)
    left.end("a", worked=True)
    assert before == pytest.approx(left.seconds(10.0, workers=1), rel=0.02)
    left.end("b", worked=False)
    assert left.seconds(10.0, workers=1) == pytest.approx(20, rel=0.02)


def test_jobs_that_wait_for_each_other_are_not_shared_out():
    """Two workers, and three jobs of which each needs the one before."""
    left = Remaining()
    left.costs = dict.fromkeys("abcd", 1e12 - EACH)
    left.set([job("a"), job("b"), job("c", needs=("b",), rank=1), job("d", needs=("c",), rank=2)])
    left.reach("a", 0.0, now=0.0)
    left.end("a", worked=True)
    # one job in ten seconds, by both; the chain of three has one of them
    assert left.seconds(10.0, workers=2) == pytest.approx(60)


def test_what_a_checkpoint_held_is_done_and_says_nothing_of_speed():
    left = Remaining()
    left.costs = {"a": 1e12}
    left.set([job("a")])
    left.reach("a", 0.8, now=0.0)
    left.reach("a", 0.9, now=100.0)
    assert left.part == pytest.approx(0.9)
    assert left.seconds(100.0, workers=1) == pytest.approx(100)


def test_no_guess_before_there_is_something_to_guess_from():
    left = Remaining()
    left.costs = {"a": 1e12, "b": 1e12}
    left.set([job("a"), job("b")])
    assert left.seconds(1e9, workers=1) is None
    left.reach("a", 0.0, now=0.0)
    left.reach("a", 0.5, now=1.0)
    assert left.seconds(4.9, workers=1) is None
    assert left.seconds(5.1, workers=1) is not None
    left.reach("a", 0.01, now=5.2)
    assert left.seconds(5.2, workers=1) is None


# Lines and screen ---------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [1000.0]
    monkeypatch.setattr("harness.engines.progress.time.monotonic", lambda: now[0])
    return now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_says_how_a_long_job_goes_ever_more_seldom(clock):
    said, one, two = io.StringIO(), job("one"), job("two")
    with Progress(said) as shown:
        shown.todo([one, two])
        shown.weigh({"one": 1e12, "two": 1e12})
        shown.start(one, "worker-0")
        shown.progress(one, 0, 400, 0)
        for _ in range(400):
            clock[0] += 1
            done = int(clock[0]) - 1000
            shown.logged(one, Logged(done, loss=1 / done, learning_rate=0.1, tokens=done * 500))
            shown.progress(one, done, 400, done * 500)
        shown.done(one)
    lines = said.getvalue().splitlines()
    assert lines[0] == "2 jobs to run"
    seen = [int(line.split(": ")[1].split(" of ")[0]) for line in lines[1:-1]]
    gaps = [after - before for before, after in pairwise(seen)]
    assert seen[0] == 31 and gaps == sorted(gaps) and gaps[-1] > 60
    assert only_line(said.getvalue(), "  train toyenc one: 31 of 400").endswith(
        "31 of 400, loss 0.0323, 500 tokens/s, about 13 min left"
    )
    assert lines[-1] == (
        "[1/2] train toyenc one (400.0 s, loss 0.0025, 500 tokens/s), about 7 min left"
    )


def test_a_terminal_shows_what_every_worker_does(clock):
    said, one, two = Terminal(), job("one"), job("two", kind="evaluate")
    with Progress(said) as shown:
        shown.todo([one, two])
        shown.start(one, "worker-0")
        shown.start(two, "worker-1")
        shown.progress(two, 0, 8, 0)
        clock[0] += 10
        shown.progress(one, 3, 60, 900)
        shown.progress(two, 1, 8, 4000)
        clock[0] += 10
        shown.progress(one, 6, 60, 1800)
        shown.logged(one, Logged(6, loss=0.69314))
        shown.live.refresh()
        shown.done(two)
        shown.live.refresh()
    text = said.getvalue()
    assert "0 of 2 jobs" in text and "1 of 2 jobs" in text
    assert "train one" in text and "6/60" in text and "loss 0.693, 90 tokens/s" in text
    assert "evaluate two" in text and "1/8" in text and "400 tokens/s" in text
    assert "waits for a job" in text


def test_a_training_that_goes_on_is_as_fast_as_it_is_now(clock):
    """The tokens of before its checkpoint took it no time."""
    said, one = io.StringIO(), job("one")
    with Progress(said) as shown:
        shown.todo([one])
        shown.start(one, "worker-0")
        for tokens in (1_000_000, 1_001_000):
            clock[0] += 10
            shown.progress(one, 50, 60, tokens)
        shown.done(one)
    assert "100 tokens/s" in said.getvalue()


# Events -------------------------------------------------------------------------------------------


def test_a_line_of_the_log_comes_through_with_what_a_listener_knows():
    line = {"update": 3, "loss": 0.5, "learning_rate": 1e-4, "tokens": 99, "of_later": 1}
    heard = Event.of(json.dumps({"event": "logged", "key": "k", "line": line}).encode())
    assert Logged.of(heard.line) == Logged(3, 0.5, 1e-4, 99)
    look = {"update": 3, "dev": {"toy": {"accuracy": 50.0}}}
    assert Logged.of(look).dev == {"toy": {"accuracy": 50.0}}


def test_each_of_several_listeners_hears_everything():
    class Hears(Listener):
        def __init__(self) -> None:
            self.heard = []

        def start(self, job, slot) -> None:
            self.heard.append((job.key, slot))

        def done(self, job) -> None:
            self.heard.append(job.key)

    both = Hears(), Hears()
    told = Listeners(*both)
    told.start(job("one"), "worker-0")
    told.progress(job("one"), 1, 2, 3)
    told.done(job("one"))
    assert [one.heard for one in both] == [[("one", "worker-0"), "one"]] * 2
