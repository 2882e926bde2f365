"""Put small faults into the code that makes numbers, one at a time, and see whether the tests
notice.

    make mutants                                  a sample, ten minutes on two cores
    make mutants MUTANTS="--since main"           of the lines that changed since a commit
    make mutants MUTANTS="--seed 2 --seconds 3600 --only harness/metrics"

The faults are cosmic-ray's: another operator, number, comparison or boolean, a loop that never
runs, an exception that is not caught. Its own sessions take one test command for all modules and
know no sample and no end, hence this driver: every mutant meets the tests of its module, quickest
first, in a copy of the checkout, and one place in the code gives at most one mutant. What survives
is printed as a diff. It may change nothing that matters (a message, a block size); where it could
print a wrong number, a test is missing.
"""

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, TimeoutError, as_completed
from pathlib import Path

from attrs import evolve
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.testing import run_tests
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult

ROOT = Path(__file__).parents[1]
# seconds that a mutant may take beside three times what its tests take without it; beyond, it is
# killed
PATIENCE = 60

# Module → the names of its test files, quickest first. The first pattern that fits counts.
TESTS = {
    "harness/metrics/knn.py": "mining",
    "harness/metrics/mining.py": "metrics mining rescore",
    "harness/metrics/confusion.py": "confusion metrics rescore",
    "harness/metrics/*.py": "metrics qa_cases metrics_more rescore metrics_properties",
    "harness/models/batching.py": "mixtures loop",
    "harness/families/*.py": "rows data families",
    "harness/sources/lock.py": "lock",
    "harness/sources/split_files.py": "split_files read data",
    "harness/sources/locate.py": "data split_files",
    "harness/sources/overlap.py": "data",
    "harness/sources/*.py": "read data",
    "harness/store/inputs.py": "inputs",
    "harness/store/*.py": "store",
    "harness/statistics/needed.py": "needed",
}
_DERIVED = (
    "arrows",
    "averages",
    "baselines",
    "best",
    "difficulty",
    "gains",
    "intervals",
    "jackknife",
    "measured",
    "sampling",
    "slices",
    "split",
    "subsets",
)
TESTS |= {f"harness/statistics/{name}.py": "jackknife statistics split derive" for name in _DERIVED}


def test_command(module: Path) -> str:
    names = next(names for pattern, names in TESTS.items() if module.match(pattern))
    files = " ".join(f"tests/test_{name}.py" for name in names.split())
    return f"{sys.executable} -m pytest -x -q -p no:cacheprovider {files}"


def modules(only: list[str]) -> list[Path]:
    """The modules that mutants are made of, relative to the checkout."""
    found = {path.relative_to(ROOT) for pattern in TESTS for path in ROOT.glob(pattern)}
    return sorted(path for path in found if not only or str(path).startswith(tuple(only)))


def mutants(paths: list[Path], chance: random.Random) -> list[MutationSpec]:
    """One mutant for each place in the code that has any, in random order; types are left alone,
    nothing reads them."""
    places: dict[tuple, list[MutationSpec]] = {}
    with use_db(":memory:", WorkDB.Mode.create) as work:
        init([ROOT / path for path in paths], work, {})
        for item in work.work_items:
            (mutant,) = item.mutations
            places.setdefault((str(mutant.module_path), mutant.start_pos), []).append(mutant)
    typed = {path: set(_annotations(ROOT / path)) for path in paths}
    found = []
    for (name, start), choices in sorted(places.items()):
        path = Path(name).relative_to(ROOT)
        if not any(first <= start < last for first, last in typed[path]):
            found.append(evolve(chance.choice(choices), module_path=path))
    return chance.sample(found, len(found))


def _annotations(path: Path) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """(start, end) of each type annotation, as (line, column)."""
    for node in ast.walk(ast.parse(path.read_text())):
        for kind in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if kind is not None:
                yield (kind.lineno, kind.col_offset), (kind.end_lineno, kind.end_col_offset)


def git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


def changed_lines(commit: str, path: Path) -> set[int]:
    """The lines of a module that a commit does not have."""
    text = git("diff", "--unified=0", commit, "--", str(path))
    hunks = re.findall(r"^@@ [^+]*\+(\d+)(?:,(\d+))? @@", text, re.MULTILINE)
    return {
        line for first, count in hunks for line in range(int(first), int(first) + int(count or 1))
    }


def move_to_a_copy(folder: str) -> None:
    """Give a worker process a checkout of its own, which Python finds before the installed one."""
    copy = Path(folder) / str(os.getpid()) / "checkout"
    for name in git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    if (shared := ROOT.parent / "shared").exists():
        (copy.parent / "shared").symlink_to(shared.resolve())
    os.environ["PYTHONPATH"] = str(copy)
    os.chdir(copy)


def workers(count: int, folder: str) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, initializer=move_to_a_copy, initargs=(folder,))


def alone(command: str) -> tuple[float, str]:
    """How long tests take without a fault, and what they say if they fail by themselves."""
    start = time.monotonic()
    outcome, output = run_tests(command, 3600)
    return time.monotonic() - start, "" if outcome == TestOutcome.SURVIVED else output


def tried(
    pool: ProcessPoolExecutor, sample: list[MutationSpec], seconds: float
) -> Iterator[tuple[MutationSpec, WorkResult]]:
    """Mutants with what became of them, as they finish, until the time is up.

    Tests that fail by themselves would kill every mutant: their modules are named on stderr and
    left out.
    """
    end = time.monotonic() + seconds
    commands = {mutant.module_path: test_command(mutant.module_path) for mutant in sample}
    patience: dict[str, float] = {}
    sound = {pool.submit(alone, command): command for command in dict.fromkeys(commands.values())}
    for future in as_completed(sound):
        took, output = future.result()
        if output:
            print(
                f"left out, fails without a fault: {sound[future]}\n{output[-1000:]}",
                file=sys.stderr,
                flush=True,
            )
        else:
            patience[sound[future]] = PATIENCE + 3 * took
    running: dict[Future, MutationSpec] = {}
    for mutant in sample:
        if (command := commands[mutant.module_path]) in patience:
            running[pool.submit(mutate_and_test, [mutant], command, patience[command])] = mutant
    try:
        for future in as_completed(running, timeout=max(1.0, end - time.monotonic())):
            yield running[future], future.result()
    except TimeoutError:
        for future in running:
            future.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(prog="make mutants")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--count", type=int, help="at most so many mutants")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--since", metavar="COMMIT", help="only lines that it does not have")
    parser.add_argument("--only", nargs="*", default=[], help="modules or folders")
    given = parser.parse_args()
    paths = modules(given.only)
    sample = mutants(paths, random.Random(given.seed))
    everything = len(sample)
    if given.since:
        new = {path: changed_lines(given.since, path) for path in paths}
        sample = [mutant for mutant in sample if mutant.start_pos[0] in new[mutant.module_path]]
    killed = survived = 0
    with tempfile.TemporaryDirectory() as folder, workers(given.workers, folder) as pool:
        for mutant, result in tried(pool, sample[: given.count], given.seconds):
            if result.worker_outcome != WorkerOutcome.NORMAL:
                raise RuntimeError(f"{mutant}: {result.output}")
            if result.test_outcome == TestOutcome.SURVIVED:
                survived += 1
                print(
                    f"survived: {mutant.module_path}:{mutant.start_pos[0]}"
                    f" {mutant.definition_name or ''}"
                )
                print(
                    *re.findall(r"^[+-](?![+-]).*$", result.diff, re.MULTILINE),
                    sep="\n",
                    flush=True,
                )
            else:
                killed += 1
    print(
        f"{survived} of {killed + survived} mutants survived; {everything} places in {len(paths)}"
        " modules have one"
    )


if __name__ == "__main__":
    main()
