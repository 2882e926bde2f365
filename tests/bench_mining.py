"""Nearest neighbours both ways, as bitext mining asks for them: ours beside faiss's exact search
(`IndexFlatIP`, once for each side) and the bare matrix product, which no exact search beats.

    OMP_NUM_THREADS=1 pytest tests/bench_mining.py --benchmark-only

CPU seconds of one thread. SIZE="20000 50000 384" gives another size.
"""

import importlib.util
import os
import time

import numpy as np
import pytest

from harness.metrics.knn import knn, normalise

NEIGHBOURS = 4
AT_ONCE = 2048  # the product's fastest block


def two_sides(n: int, m: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of two heaps of sentences."""
    rng = np.random.default_rng(0)
    x, y = (normalise(rng.standard_normal((rows, width), np.float32)) for rows in (n, m))
    return x, y


def product(x: np.ndarray, y: np.ndarray) -> None:
    """x times y, each block over the last one."""
    block = np.empty((AT_ONCE, AT_ONCE), np.float32)
    for i in range(0, len(x), AT_ONCE):
        for j in range(0, len(y), AT_ONCE):
            some, others = x[i : i + AT_ONCE], y[j : j + AT_ONCE]
            np.matmul(some, others.T, out=block[: len(some), : len(others)])


def ours(x: np.ndarray, y: np.ndarray) -> None:
    """Both ways from one product."""
    knn(x, y, NEIGHBOURS)


def exact_faiss(x: np.ndarray, y: np.ndarray) -> None:
    """As XTREME's mine_bitext asks: an index of each side, searched with the other."""
    import faiss

    faiss.omp_set_num_threads(1)
    for queries, rows in ((x, y), (y, x)):
        index = faiss.IndexFlatIP(rows.shape[1])
        index.add(rows)
        index.search(queries, NEIGHBOURS)


WAYS = {"product": product, "ours": ours, "faiss": exact_faiss}


@pytest.mark.benchmark(group="nearest neighbours, both ways", timer=time.process_time)
@pytest.mark.parametrize("way", WAYS)
def test_neighbours(benchmark, way):
    if way == "faiss" and not importlib.util.find_spec("faiss"):
        pytest.skip("pip install faiss-cpu, to compare with it")
    sides = two_sides(*map(int, os.environ.get("SIZE", "8000 16000 384").split()))
    benchmark.pedantic(WAYS[way], sides, rounds=3, warmup_rounds=1)
