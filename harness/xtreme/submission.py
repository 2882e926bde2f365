"""Write committed results of one run as a submission folder in XTREME's layout (`layouts`), which
`scoring` reads."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from harness.common.errors import MissingError, SpecError
from harness.engines.drive import refusals
from harness.families import FAMILIES
from harness.plan.graph import Cell, Plan
from harness.sources import rows as data_rows
from harness.spec.explain import nearest
from harness.store import Store, disk_errors
from harness.store.job import JobJson, RowsJson
from harness.xtreme.layouts import Line, layout_of
from harness.xtreme.scoring import Benchmark


class FolderMade(NamedTuple):
    """Relative path → text, of predictions and of labels; and a line for each thing that is not in
    them, or not whole."""

    predictions: dict[str, str]
    labels: dict[str, str]
    notes: list[str]


def choose(plan: Plan, encoder: str | None, arm: str | None, seed: int | None) -> list[Cell]:
    """The cells of one run: one encoder, arm and seed. None: the only one there is.

    Raises SpecError that lists the choices.
    """
    cells = plan.cells
    choices = (("encoder", "encoder", encoder), ("arm", "condition", arm), ("seed", "seed", seed))
    for field, word, wanted in choices:
        there = list(dict.fromkeys(getattr(cell, field) for cell in plan.cells))
        names = ", ".join(map(str, there))
        if wanted is None and len(there) > 1:
            raise SpecError(
                f"suite {plan.suite.suite} has several {word}s: {names}; choose one with --{word}"
            )
        if wanted is not None and wanted not in there:
            raise SpecError(
                f"--{word}: suite {plan.suite.suite} has no {word} {wanted!r}; it has {names}"
            )
        chosen = there[0] if wanted is None else wanted
        cells = [cell for cell in cells if getattr(cell, field) == chosen]
    return cells


Tasks = Mapping[str, Benchmark]  # those of a benchmark


def renamed(plan: Plan, pairs: Iterable[str], tasks: Tasks) -> dict[str, str]:
    """The benchmark's task → the suite's target that stands for it: the one of that name, or as
    `TARGET=TASK` says."""
    targets = {task: task for task in tasks if task in plan.suite.targets}
    said: dict[str, str] = {}
    for pair in pairs:
        target, equals, task = pair.partition("=")
        if not equals:
            raise SpecError(f"--as {pair}: write TARGET=TASK, such as --as my_xnli=xnli")
        if task not in tasks:
            raise SpecError(f"--as {pair}: the benchmark has no {task!r}{nearest(task, tasks)}")
        if target not in plan.suite.targets:
            raise SpecError(
                f"--as {pair}: suite {plan.suite.suite} has no target"
                f" {target!r}{nearest(target, plan.suite.targets)}"
            )
        if task in said:
            raise SpecError(f"--as {pair}: {said[task]} is submitted as {task} already")
        said[task] = target
    return targets | said


def collect(
    plan: Plan,
    store: Store,
    cells: list[Cell],
    names: dict[str, str],
    tasks: Tasks,
    want_labels: bool,
) -> FolderMade:
    """What the run can submit; nothing is written yet.

    Raises SpecError if a target is of another family than the task that it is submitted as,
    MissingError if the store has no result of any task, StoreError or DamagedError if a result
    cannot be read.
    """
    found = FolderMade({}, {}, [])
    by_target = {cell.target: cell for cell in cells}
    refused = refusals(plan, store)
    for task, benchmark in tasks.items():
        cell = by_target.get(names.get(task, ""))
        if cell is None:
            found.notes.append(f"{task}: missing: no target of suite {plan.suite.suite}")
        elif cell.evaluate in refused:
            found.notes.append(f"{task}: missing: refused, training rows stand in its test set")
        elif store.manifest(cell.evaluate) is None:
            why = plan.jobs[cell.evaluate].blocked or [
                f"not evaluated yet; xstilts-harness eval --suite {plan.suite.suite} does it"
            ]
            found.notes.append(f"{task}: missing: {'; '.join(why)}")
        else:
            found.notes.extend(_not_whole(task, cell, plan))
            job = plan.jobs[cell.evaluate].body
            _add(found, task, benchmark, job, store, want_labels)
    if not found.predictions:
        nothing = f"the run has nothing of XTREME's to submit (store: {store.root})"
        raise MissingError("\n".join([*found.notes, nothing]))
    return found


def _not_whole(task: str, cell: Cell, plan: Plan) -> list[str]:
    """Why the rows are not the benchmark's own test rows, as far as the suite says so."""
    suite, notes = plan.suite, []
    cap, cut = suite.task_caps.get(cell.target, suite.caps).test, suite.cuts.get(cell.target)
    if cap:
        notes.append(f"{task}: at most {cap} test rows a language, as suite {suite.suite} caps it")
    if cut and cut.test:
        notes.append(
            f"{task}: other rows than the benchmark's test rows, as suite {suite.suite} reduces it"
            f" ({cut.why})"
        )
    own = plan.inputs.task(cell.target).test
    if own and own.split == "dev":
        notes.append(f"{task}: rows of its split dev, whose answers are public, and not of test")
    return notes


def _add(
    found: FolderMade,
    task: str,
    benchmark: Benchmark,
    job: JobJson,
    store: Store,
    want_labels: bool,
) -> None:
    """One task's files."""
    spec, tests = job["spec"]["task"], job["tests"]
    if spec["family"] != benchmark.family:
        raise SpecError(
            f"{job['name']}: {task} is of family {benchmark.family}, this target of"
            f" {spec['family']}"
        )
    if spec["options"].get("direction") == "foreign_to_english":
        found.notes.append(
            f"{task}: missing: XTREME asks from English, the run asked from the other side"
        )
        return
    for language in sorted(set(tests) - set(benchmark.languages)):
        found.notes.append(f"{task}: {language} is no language of it, left out")
    if absent := [language for language in benchmark.languages if language not in tests]:
        found.notes.append(f"{task}: missing: {', '.join(absent)}")
    for language in sorted(set(tests) & set(benchmark.languages)):
        text = store.path(job["key"], f"predictions/{language}.jsonl").read_text(encoding="utf-8")
        # `splitlines` would cut at U+2028 too
        answers = [json.loads(line) for line in text.split("\n") if line]
        name = f"{task}/{benchmark.file(language)}"
        _add_language(found, name, benchmark.family, tests[language], answers, want_labels)


def _add_language(
    found: FolderMade,
    name: str,
    of_family: str,
    tests: RowsJson,
    answers: list[Line],
    want_labels: bool,
) -> None:
    """One language's file of predictions, from the lines that its evaluation wrote; if wanted, its
    file of labels."""
    family, layout = FAMILIES[of_family], layout_of(of_family)
    whole = tests["identity"].get("numbering", {"rows": 0})["rows"]
    if len(answers) < whole and not tests["identity"]["cap"]:
        found.notes.append(f"{name}: {len(answers)} of the benchmark's {whole} rows")

    # the rows themselves are read only for what an answer's line does not hold
    need_rows = want_labels or layout.needs_rows
    rows = data_rows.load(tests) if need_rows else answers
    predictions = [answer["prediction"] for answer in answers]
    found.predictions[name] = layout.write(rows, predictions, name)
    if not want_labels:
        return
    if family.placeholder(rows):
        found.notes.append(f"{name}: no real labels, so none are written")
    else:
        golds = [family.gold(row) for row in rows]
        found.labels[name] = (layout.write_labels or layout.write)(rows, golds, name)


def empty_folder(folder: Path) -> None:
    """Raise SpecError unless the folder is new or empty: files of another run must not be mixed
    in."""
    with disk_errors("read", folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SpecError(
                f"{folder}: is there already and not empty; name a new folder, or empty that one"
            )


def write(folder: Path, files: dict[str, str]) -> None:
    """Write the files under a folder, as UTF-8."""
    with disk_errors("write", folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
