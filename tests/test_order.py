"""The order in which a run hands out its jobs, and the run of it, simulated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plan.graph import Job
from harness.plan.order import EACH, Queue, course, inputs_first

HOUR = 1e15


def job(key: str, needs: tuple[str, ...] = (), rank: tuple[int, ...] = (), kind: str = "train"):
    return Job(key, kind, key, list(needs), {}, rank)


def taken(queue: Queue) -> list[str]:
    """All jobs by one worker, in the order in which it takes them."""
    keys = []
    while found := queue.take():
        keys.append(found.key)
        queue.end(found.key)
    return keys


@st.composite
def plans(draw):
    """Jobs that need any of those before them, in any order of rank, and what each costs."""
    count = draw(st.integers(1, 12))
    jobs, costs = [], {}
    for i in range(count):
        needs = draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else set()
        rank = (draw(st.integers(0, 5)), i)
        jobs.append(job(f"j{i}", tuple(f"j{need}" for need in sorted(needs)), rank))
        costs[f"j{i}"] = draw(st.floats(0, 10)) * HOUR
    return jobs, costs


@given(plans(), st.integers(1, 5))
def test_each_job_comes_once_and_after_what_it_needs(plan, workers):
    jobs, costs = plan
    keys = taken(Queue(jobs, costs, workers))
    assert sorted(keys) == sorted(job.key for job in jobs)
    for one in jobs:
        assert all(keys.index(need) < keys.index(one.key) for need in one.needs)


@given(plans(), st.integers(1, 5))
def test_a_run_is_no_shorter_than_its_longest_chain_and_its_share_of_the_work(plan, workers):
    jobs, costs = plan
    run = course(jobs, costs, workers)
    total = sum(costs.values()) + EACH * len(jobs)
    assert run.length >= max(run.chain, total / workers) * (1 - 1e-9)
    # whoever leaves nobody idle while a job is ready is not worse than this (Graham 1969)
    assert run.length <= (total / workers + run.chain) * (1 + 1e-9)
    assert run.busy == pytest.approx(total / (workers * run.length))
    assert course(jobs, costs, 1).length == pytest.approx(total)


def test_the_plan_s_order_holds_until_a_chain_is_as_long_as_the_rest():
    """Nine short jobs and a long one, which the plan has last: two workers must not meet it
    alone."""
    jobs = [job(f"short{i}", rank=(i,)) for i in range(9)]
    jobs.append(job("long", rank=(9,)))
    costs = {one.key: 5.1 * HOUR if one.key == "long" else HOUR for one in jobs}
    # 14.1 hours are left, 7 a worker: the plan's order; at 10 the long one is half of the rest
    assert taken(Queue(jobs, costs, 2)).index("long") == 4
    assert course(jobs, costs, 2).length == pytest.approx(7.1 * HOUR, rel=1e-3)
    # a worker alone has no reason to hurry
    assert taken(Queue(jobs, costs, 1))[-1] == "long"


def test_an_evaluation_is_taken_before_the_next_training_and_only_after_its_own():
    """A model waits on the disk for what reads it; ranks say so (an evaluation's is lower)."""
    cells = []
    for i in range(3):
        cells += [job(f"train{i}", rank=(i, 1)), job(f"test{i}", (f"train{i}",), (i, 0), "test")]
    assert taken(Queue(cells, {}, 1)) == ["train0", "test0", "train1", "test1", "train2", "test2"]
    assert [one.key for one in inputs_first(reversed(cells))].index("test0") > 0
    assert course(cells, {}, 1).models == 1


def test_what_comes_back_is_taken_again_and_what_failed_is_not():
    queue = Queue([job("a", rank=(0,)), job("b", ("a",), (1,)), job("c", rank=(2,))], {}, 1)
    first = queue.take()
    assert first and first.key == "a"
    queue.give_back("a")
    assert queue.take() == first
    for key in ("a", "b"):  # a fails, and b with it
        queue.end(key)
    assert taken(queue) == ["c"] and not queue.ready


def grid(conditions: int, targets: int, hours: float) -> tuple[list[Job], dict[str, float]]:
    """The paper's: an intermediate, and targets after it; the last condition is many tasks at
    once."""
    jobs, costs = [], {}
    for c in range(conditions):
        middle = f"middle{c}"
        jobs.append(job(middle, (), (c, 1)))
        costs[middle] = HOUR * (hours if c == conditions - 1 else 0.3)
        for t in range(targets):
            train, test = f"train{c}.{t}", f"test{c}.{t}"
            jobs.append(job(train, (middle,), (c, t, 1)))
            jobs.append(job(test, (train,), (c, t, 0), "evaluate"))
            costs[train], costs[test] = 0.2 * HOUR, 0.05 * HOUR
    return jobs, costs


@pytest.mark.parametrize("workers", [4, 8, 16])
def test_a_grid_with_a_long_chain_takes_what_the_work_takes(workers):
    """The plan's order alone leaves the long intermediate for last, with one worker on it; taking
    the longest chain first keeps all models at once."""
    jobs, costs = grid(conditions=20, targets=9, hours=3.0)
    run = course(jobs, costs, workers)
    bound = max(run.chain, sum(costs.values()) / workers)
    assert run.length <= 1.08 * bound
    assert run.longest[0].key == "middle19"
    assert run.models <= 3 * workers


@given(plans(), st.integers(1, 5), st.data())
def test_a_shared_job_takes_all_its_workers_and_less_time(plan, workers, data):
    jobs, costs = plan
    for one in jobs:
        one.slots = data.draw(st.integers(1, 6))
    run = course(jobs, costs, workers)
    slots = {one.key: min(one.slots, workers) for one in jobs}
    work = sum(costs[one.key] + EACH * slots[one.key] for one in jobs)
    assert run.busy == pytest.approx(work / (workers * run.length))
    assert run.chain * (1 - 1e-9) <= run.length
    assert course(jobs, costs, 1).length == pytest.approx(sum(costs.values()) + EACH * len(jobs))


def test_nothing_that_is_smaller_goes_before_a_shared_job_whose_turn_it_is():
    """One of two workers idles while the other ends its hour."""
    jobs = [job("a", rank=(0,)), job("wide", rank=(1,)), job("b", rank=(2,)), job("c", rank=(3,))]
    jobs[1].slots = 2
    costs = dict.fromkeys("abc", HOUR) | {"wide": 2 * HOUR}
    run = course(jobs, costs, 2)
    assert run.length == pytest.approx(3 * HOUR, rel=1e-3)
    assert run.chain == pytest.approx(HOUR, rel=1e-3)
