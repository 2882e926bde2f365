"""Write committed results of one run as a submission folder in XTREME's layout, which `scoring`
reads.

classification  the label of each row                 tagging  a tag a line, a blank line between
sentences
span_qa         JSON: question id → answer            mining   source id TAB target id
retrieval       the row number of each answer; XTREME sorts the English side by code point before it
                asks, and a line of the file is a line of that order (utils_preprocess.py,
                evaluate_retrieval.py)
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from harness.common.errors import MissingError, SpecError
from harness.engines.drive import refusals
from harness.families import FAMILIES
from harness.plan.planner import Cell, Plan
from harness.sources import rows as data_rows
from harness.spec.explain import nearest
from harness.store import Store, disk_errors
from harness.xtreme.scoring import XTREME


class Submission(NamedTuple):
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
    for field, wanted in (("encoder", encoder), ("arm", arm), ("seed", seed)):
        there = list(dict.fromkeys(getattr(cell, field) for cell in plan.cells))
        names = ", ".join(map(str, there))
        if wanted is None and len(there) > 1:
            raise SpecError(
                f"suite {plan.suite.suite} has several {field}s: {names}; choose one with --{field}"
            )
        if wanted is not None and wanted not in there:
            raise SpecError(
                f"--{field}: suite {plan.suite.suite} has no {field} {wanted!r}; it has {names}"
            )
        cells = [
            cell
            for cell in cells
            if getattr(cell, field) == (there[0] if wanted is None else wanted)
        ]
    return cells


def renamed(plan: Plan, pairs: Iterable[str]) -> dict[str, str]:
    """XTREME's task → the suite's target that stands for it: the one of that name, or as
    `TARGET=TASK` says."""
    targets = {task: task for task in XTREME if task in plan.suite.targets}
    said: dict[str, str] = {}
    for pair in pairs:
        target, equals, task = pair.partition("=")
        if not equals:
            raise SpecError(f"--as {pair}: write TARGET=TASK, such as --as my_xnli=xnli")
        if task not in XTREME:
            raise SpecError(f"--as {pair}: XTREME has no task {task!r}{nearest(task, XTREME)}")
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
    plan: Plan, store: Store, cells: list[Cell], names: dict[str, str], want_labels: bool
) -> Submission:
    """What the run can submit; nothing is written yet.

    Raises SpecError if a target is of another family than the task that it is submitted as,
    MissingError if the store has no result of any task, StoreError or DamagedError if a result
    cannot be read.
    """
    found = Submission({}, {}, [])
    by_target = {cell.target: cell for cell in cells}
    refused = refusals(plan, store)
    for task in XTREME:
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
            _add(found, task, plan.jobs[cell.evaluate].body, store, want_labels)
    if not found.predictions:
        raise MissingError(
            "\n".join(
                [*found.notes, f"the run has nothing of XTREME's to submit (store: {store.root})"]
            )
        )
    return found


def _not_whole(task: str, cell: Cell, plan: Plan) -> list[str]:
    """Why the rows are not the benchmark's own test rows, as far as the suite says so."""
    suite, notes = plan.suite, []
    cap, cut = suite.task_caps.get(cell.target, suite.caps).test, suite.cuts.get(cell.target)
    if cap:
        notes.append(f"{task}: at most {cap} test rows a language, as suite {suite.suite} caps it")
    if cut and cut.test:
        notes.append(
            f"{task}: other rows than the benchmark's test rows, as suite {suite.suite} cuts it"
            f" ({cut.why})"
        )
    return notes


def _add(found: Submission, task: str, job: dict, store: Store, want_labels: bool) -> None:
    """One task's files."""
    benchmark, spec, tests = XTREME[task], job["spec"]["task"], job["tests"]
    family = FAMILIES[benchmark.family]
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
        name, key = f"{task}/{benchmark.file(language)}", job["key"]
        text = store.path(key, f"predictions/{language}.jsonl").read_text(encoding="utf-8")
        # `splitlines` would cut at U+2028 too
        answers = [json.loads(line) for line in text.split("\n") if line]
        whole = tests[language]["identity"].get("numbering", {"rows": 0})["rows"]
        if len(answers) < whole and not tests[language]["identity"]["cap"]:
            found.notes.append(
                f"{task}: {language} has {len(answers)} of the benchmark's {whole} rows"
            )
        rows = (
            data_rows.load(tests[language])
            if want_labels or benchmark.family == "retrieval"
            else answers
        )
        found.predictions[name] = _file(
            benchmark.family, rows, [answer["prediction"] for answer in answers], name
        )
        if want_labels and family.placeholder(rows):
            found.notes.append(f"{task}: {language} has no real labels, so none are written")
        elif want_labels and benchmark.family == "span_qa":
            found.labels[name] = _squad_layout(rows)
        elif want_labels:
            found.labels[name] = _file(
                benchmark.family, rows, [family.gold(row) for row in rows], name
            )


def _file(family: str, rows: list[dict], answers: list[Any], name: str) -> str:
    """A file of one answer a row; `rows` have `id`, and for retrieval `target`, the English
    sentence."""
    if family == "span_qa":
        by_id = {row["id"]: answer for row, answer in zip(rows, answers, strict=True)}
        return json.dumps(by_id, indent=1, ensure_ascii=False) + "\n"
    if family == "tagging":
        sentences = ["".join(_line(tag, name) for tag in tags) for tags in answers]
        # a last sentence of no words is a blank line too
        return "\n".join(sentences) + ("" if sentences[-1] else "\n")
    if family == "bitext_mining":
        pairs = [
            f"{row['id']}\t{partner}"
            for row, partners in zip(rows, answers, strict=True)
            for partner in partners
        ]
        return "".join(_line(pair, name) for pair in pairs)
    if family == "retrieval":
        # of equal sentences, the first stays first
        order = sorted(range(len(rows)), key=lambda i: rows[i]["target"].strip())
        answers = [answers[i] for i in order]
    return "".join(_line(answer, name) for answer in answers)


def _line(text: str, name: str) -> str:
    if (
        not text
        or text != text.strip()
        or text.startswith("\ufeff")
        or {"\n", "\r", "\0"} & set(text)
    ):
        raise SpecError(
            f"{name}: {text!r} cannot stand on a line of its own; give the label another name in"
            " the task's `labels:`"
        )
    return f"{text}\n"


def _squad_layout(rows: list[dict]) -> str:
    """Questions with their answers under their contexts, in the layout of SQuAD 1.1."""
    paragraphs: list[dict] = []
    for row in rows:
        if not paragraphs or paragraphs[-1]["context"] != row["context"]:
            paragraphs.append({"context": row["context"], "qas": []})
        answers = [
            {"text": text, "answer_start": start}
            for text, start in zip(
                row["answers"]["text"], row["answers"]["answer_start"], strict=True
            )
        ]
        paragraphs[-1]["qas"].append(
            {"id": row["id"], "question": row["question"], "answers": answers}
        )
    return (
        json.dumps(
            {"version": "1.1", "data": [{"paragraphs": paragraphs}]}, indent=1, ensure_ascii=False
        )
        + "\n"
    )


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
