"""A drafted task as YAML, and in a few lines for whoever asked for it."""

from collections.abc import Iterator

from harness.common.text import some
from harness.draft import yaml_text
from harness.draft.classes import Classes
from harness.draft.new_task import Drafted
from harness.families import FAMILIES


def summary(task: Drafted) -> Iterator[str]:
    """What was guessed."""
    yield f"{task.guess.family}: {task.guess.why}"
    yield f"columns {yaml_text.inline(task.guess.columns)}"
    if left := _left_out(task):
        yield left
    if task.classes:
        names = list(task.classes.labels)
        yield f"{len(names)} labels: {some(names, 12)}"
        yield from task.classes.said
        if task.classes.numbers:
            yield "the labels are numbers: name them in the file by what they mean"
    for what in ("labels", "metric"):
        if why := task.said.get(what):
            yield f"{what}: {why}"
    yield f"languages {some(task.languages, 12)}: {task.said['languages']}"
    yield from task.splits.said


def page(task: Drafted, files: str, schema: str, command: str) -> str:
    """The YAML. `files`: the template as it stands in the file; `command`: what wrote it."""
    head = yaml_text.head(schema, command, "docs/adding-a-task.md")
    return "\n".join([*head, *_body(task, files), *_about(task)]) + "\n"


def _body(task: Drafted, files: str) -> Iterator[str]:
    guess, line = task.guess, yaml_text.field
    either = (
        "trained on first" if task.role == "intermediate" else "tested; or intermediate, or both"
    )
    yield line("task", task.name)
    yield line("version", 1, "raised when the task's meaning changes")
    yield line("role", [task.role], either)
    yield line("family", guess.family, guess.why)
    yield line("languages", task.languages, task.said["languages"])
    yield line("source", {"files": files, **task.source})
    for phase in ("train", "dev", "test"):
        if rows := getattr(task.splits, phase):
            yield line(phase, rows, "selects the best weights" if phase == "dev" else "")
    yield line("columns", guess.columns, _left_out(task))
    if task.classes:
        yield line("labels", task.classes.labels, _of_labels(task.classes))
    yield line("metric", guess.metric, task.said.get("metric", ""))
    if guess.options:
        yield line("options", guess.options)
    yield line("max_length", task.max_length, "subwords, special tokens included")


def _left_out(task: Drafted) -> str:
    """The columns that are not read."""
    read = {*task.guess.read, *task.source.get("where", ()), *task.source.get("unless", ())}
    left = dict.fromkeys(name for row in task.rows for name in row if name not in read)
    return f"not read: {some(list(left))}" if left else ""


def _of_labels(classes: Classes) -> str:
    if classes.numbers and isinstance(classes.labels, dict):
        value = yaml_text.inline(next(iter(classes.labels.values())))
        return f"name: its value in the data; name them by what they mean, as {{bad: {value}}}"
    return "; ".join(classes.said)


def _about(task: Drafted) -> Iterator[str]:
    yield "about:"
    yield yaml_text.field("  title", task.name, "one line for readers of the board")
    yield yaml_text.remark("  licence", "CC BY 4.0", "the data's")
    yield yaml_text.remark("  citation", "Who et al. 2024, arXiv 2401.00000")
    if task.wanted.role != "intermediate" or not FAMILIES[task.guess.family].difficulty:
        return
    yield "difficulty:"
    yield yaml_text.field("  declared", task.wanted.difficulty, "--difficulty")
    yield yaml_text.field("  why", "not said yet", "one line for readers of the board")
    if task.classes and task.guess.metric == "accuracy":
        guess = round(task.classes.majority, 1)
        chance = {"value": guess, "source": f"the most frequent label of all {len(task.rows)} rows"}
        yield yaml_text.field("  chance", chance)
    else:
        yield yaml_text.remark("  chance", "{value: 0.0, source: what a guess reaches}")
    yield yaml_text.remark("  human", "{value: 95.0, source: where it was read}")
