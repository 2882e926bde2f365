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
from harness.store.job import JobJson, RowsJson
from harness.xtreme.scoring import XTREME

Line = dict[str, Any]  # a row of the data, or a line of the predictions of one: each has `id`


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
        chosen = there[0] if wanted is None else wanted
        cells = [cell for cell in cells if getattr(cell, field) == chosen]
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
) -> FolderMade:
    """What the run can submit; nothing is written yet.

    Raises SpecError if a target is of another family than the task that it is submitted as,
    MissingError if the store has no result of any task, StoreError or DamagedError if a result
    cannot be read.
    """
    found = FolderMade({}, {}, [])
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
            f"{task}: other rows than the benchmark's test rows, as suite {suite.suite} cuts it"
            f" ({cut.why})"
        )
    return notes


def _add(found: FolderMade, task: str, job: JobJson, store: Store, want_labels: bool) -> None:
    """One task's files."""
    benchmark, spec, tests = XTREME[task], job["spec"]["task"], job["tests"]
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
        _add_language(found, task, language, tests[language], answers, want_labels)


def _add_language(
    found: FolderMade,
    task: str,
    language: str,
    tests: RowsJson,
    answers: list[Line],
    want_labels: bool,
) -> None:
    """One language's file of predictions, from the lines that its evaluation wrote; if wanted, its
    file of labels."""
    benchmark = XTREME[task]
    family, name = FAMILIES[benchmark.family], f"{task}/{benchmark.file(language)}"
    whole = tests["identity"].get("numbering", {"rows": 0})["rows"]
    if len(answers) < whole and not tests["identity"]["cap"]:
        found.notes.append(f"{task}: {language} has {len(answers)} of the benchmark's {whole} rows")

    # the rows themselves are read only for what an answer's line does not hold
    need_rows = want_labels or benchmark.family == "retrieval"
    rows = data_rows.load(tests) if need_rows else answers
    predictions = [answer["prediction"] for answer in answers]
    found.predictions[name] = _file(benchmark.family, rows, predictions, name)
    if not want_labels:
        return
    if family.placeholder(rows):
        found.notes.append(f"{task}: {language} has no real labels, so none are written")
    elif benchmark.family == "span_qa":
        found.labels[name] = _squad_layout(rows)
    else:
        golds = [family.gold(row) for row in rows]
        found.labels[name] = _file(benchmark.family, rows, golds, name)


def _file(family: str, rows: list[Line], answers: list[Any], name: str) -> str:
    """A file of one answer a row; `rows` have `id`, and for retrieval `target`, the English
    sentence."""
    if family == "span_qa":
        by_id = {row["id"]: answer for row, answer in zip(rows, answers, strict=True)}
        return json.dumps(by_id, indent=1, ensure_ascii=False) + "\n"
    if family == "tagging":
        sentences = [_lines(tags, name) for tags in answers]
        # a last sentence of no words is a blank line too
        return "\n".join(sentences) + ("" if sentences[-1] else "\n")
    if family == "bitext_mining":
        pairs = [
            f"{row['id']}\t{partner}"
            for row, partners in zip(rows, answers, strict=True)
            for partner in partners
        ]
        return _lines(pairs, name)
    if family == "retrieval":
        # of equal sentences, the first stays first
        order = sorted(range(len(rows)), key=lambda i: rows[i]["target"].strip())
        answers = [answers[i] for i in order]
    return _lines(answers, name)


def _lines(texts: Iterable[str], name: str) -> str:
    return "".join(_line(text, name) for text in texts)


def _line(text: str, name: str) -> str:
    odd = text.startswith("\ufeff") or {"\n", "\r", "\0"} & set(text)
    if not text or text != text.strip() or odd:
        raise SpecError(
            f"{name}: {text!r} cannot stand on a line of its own; give the label another name in"
            " the task's `labels:`"
        )
    return f"{text}\n"


def _squad_layout(rows: list[Line]) -> str:
    """Questions with their answers under their contexts, in the layout of SQuAD 1.1."""
    paragraphs: list[dict[str, Any]] = []
    for row in rows:
        if not paragraphs or paragraphs[-1]["context"] != row["context"]:
            paragraphs.append({"context": row["context"], "qas": []})
        said = zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
        answers = [{"text": text, "answer_start": start} for text, start in said]
        paragraphs[-1]["qas"].append(
            {"id": row["id"], "question": row["question"], "answers": answers}
        )
    whole = {"version": "1.1", "data": [{"paragraphs": paragraphs}]}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


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
