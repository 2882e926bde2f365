"""new task, new encoder, new suite: a commented YAML of one's own, that validates as written."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import app, say
from harness.cli.options import Offline, Sources, Specs, SuiteChoice, with_groups
from harness.common.errors import SpecError
from harness.run.here import HERE, catalog_of

if TYPE_CHECKING:
    from harness.draft.new_task import Drafted

MOST_LINES = 12  # on the rows of a new task

new_app = typer.Typer(help="Write the YAML of a task, an encoder or a suite.", no_args_is_help=True)
app.add_typer(new_app, name="new")

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File or folder; default: tasks/NAME.yaml."),
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
Name = Annotated[str | None, typer.Option(help="Its name; default: as the files or the id say.")]


@new_app.command("task")
def new_task(
    path: Annotated[
        str,
        typer.Option(
            "--from",
            help=(
                "A file (.csv, .tsv, .jsonl, .json, .parquet, .conll, a sentence a line), a folder"
                " of them, or a path with {split} and {language}."
            ),
        ),
    ],
    name: Name = None,
    family: Annotated[str | None, typer.Option(help="What kind of task it is.")] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="The column of texts; twice: both as one text.")
    ] = None,
    text_pair: Annotated[str | None, typer.Option(help="The column of second texts.")] = None,
    label: Annotated[str | None, typer.Option(help="The column of labels.")] = None,
    language: Annotated[
        str | None, typer.Option(help="Of a file whose name says none; default: en.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="What scores it.")] = None,
    role: Annotated[str, typer.Option(help="target, or intermediate.")] = "target",
    difficulty: Annotated[
        str | None, typer.Option(help="easy or hard: what an intermediate is believed to be.")
    ] = None,
    train_task: Annotated[
        str | None,
        typer.Option("--train-task", help="The task whose rows train, where there are none here."),
    ] = None,
    parts: Annotated[
        bool, typer.Option("--parts", help="Take train, dev and test as parts of the one split.")
    ] = False,
    output: Output = None,
    force: Force = False,
    specs: Specs = None,
) -> None:
    """Write a task's YAML from its rows: what they say is guessed, and said."""
    from harness.draft import write
    from harness.draft.guess import Wishes
    from harness.draft.new_task import drafted
    from harness.draft.task_page import page

    wanted = Wishes(
        family,
        text or [],
        text_pair,
        label,
        name,
        language,
        role,
        difficulty,
        metric,
        train_task,
        parts,
    )
    catalog = catalog_of(specs, all_sound=False)
    task = drafted(path, wanted, catalog.task(train_task) if train_task else None)
    place = write.place_of(task.name, output, force)
    write.refuse_known("task", task.name, place, catalog)
    text_of = page(
        task,
        write.files_beside(task.found.template, place),
        write.schema_beside("task", place),
        f"xstilts-harness new task --from {shlex.quote(path)}",
    )
    seen = write.write(place, text_of, _user(specs), task.name, bool(train_task))
    _tell_task(task, place, seen)


def _user(specs: list[Path] | None) -> list[Path]:
    return ([HERE] if HERE.is_dir() else []) + (specs or [])


def _tell_task(task: "Drafted", place: Path, seen: list[str]) -> None:
    from harness.draft.task_page import summary

    print(place)
    for line in [*summary(task), *_few(seen)]:
        print(f"  {line}")
    english = task.languages == ["en"]
    encoder = "all-MiniLM-L6-v2" if english else "xlm-roberta-base"
    chosen = f"--targets {task.name}"
    if task.splits.test is None:
        chosen = f"--intermediate {task.name} --targets xnli,panx"
    say(f"next: xstilts-harness eval --encoder {encoder} {chosen}{_own(place)}")


def _few(seen: list[str]) -> list[str]:
    """What was seen of each split; of many languages the first and how many more."""
    if len(seen) <= MOST_LINES:
        return seen
    return [*seen[: MOST_LINES - 1], f"and {len(seen) - MOST_LINES + 1} more languages"]


@new_app.command("encoder")
def new_encoder(
    source: Annotated[
        str, typer.Argument(metavar="NAME_OR_FOLDER", help="A hub id (owner/name), or ./folder.")
    ],
    name: Name = None,
    output: Output = None,
    force: Force = False,
    offline: Offline = False,
    specs: Specs = None,
) -> None:
    """Write an encoder's YAML from what its files say."""
    from harness.draft import new_encoder as draft
    from harness.draft import write
    from harness.sources.hub import Where
    from harness.sources.infer import inferred

    where = Where(None, None, offline)
    encoder, said = inferred(source, where, say=say)
    if name:
        encoder = encoder.model_copy(update={"encoder": name})
    place = write.place_of(encoder.encoder, output, force)
    write.refuse_known("encoder", encoder.encoder, place, catalog_of(specs, all_sound=False))
    command = f"xstilts-harness new encoder {shlex.quote(source)}"
    text = draft.page(encoder, said, write.schema_beside("encoder", place), command)
    write.write(place, text, _user(specs))
    for line in said:
        print(line)
    print(place)


@new_app.command("suite")
@with_groups
def new_suite(
    chosen: SuiteChoice,
    sources: Sources,
    output: Output = None,
    force: Force = False,
    offline: Offline = False,
) -> None:
    """Write a suite's YAML by the options of `eval`."""
    from harness.draft import new_suite as draft
    from harness.draft import write
    from harness.run.choice import ask

    if chosen.limit:
        raise SpecError("--limit is no part of a suite; write `caps: {test: N}` into it")
    catalog = sources.catalog()
    asked = ask(chosen.choice(), catalog, sources.where(offline), say)
    if asked.written is None:
        raise SpecError("say what the suite is made of: --encoder, --targets, --intermediate")
    place = write.place_of(asked.suite.suite, output, force)
    write.refuse_known("suite", asked.suite.suite, place, catalog)
    command = f"xstilts-harness {shlex.join(sys.argv[1:])}"
    text = draft.page(asked.written, write.schema_beside("suite", place), command)
    write.write(place, text, _user(sources.specs))
    for line in asked.lines:
        print(line)
    print(place)
    say(f"next: xstilts-harness plan --suite {asked.suite.suite}{_own(place)}")


def _own(place: Path) -> str:
    """The option by which a file is found that is not in ./tasks."""
    return "" if place.parent == HERE else f" -t {shlex.quote(str(place))}"
