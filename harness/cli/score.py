"""score, submission: the benchmark's own file layout, read and written."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import app, print_json, say
from harness.cli.options import (
    All,
    BenchmarkName,
    Json,
    Offline,
    Sources,
    StoreDir,
    names_of,
    with_groups,
)
from harness.common.text import line
from harness.run.here import STORE

if TYPE_CHECKING:
    from harness.xtreme.scoring import Report

ONLY = "Default: the suite's only one."
Folder = {"exists": True, "file_okay": False}


@app.command("score")
def score(
    predictions: Annotated[
        Path,
        typer.Argument(**Folder, help="A submission: TASK/test-LANGUAGE.tsv, .json, .jsonl."),
    ],
    labels: Annotated[Path, typer.Argument(**Folder, help="The gold labels, in the same layout.")],
    benchmark: BenchmarkName = "xtreme",
    as_json: Json = False,
) -> None:
    """Score a submission folder as XTREME's evaluate.py does, whole or in part."""
    from harness.xtreme import scoring

    report = scoring.score(predictions, labels, benchmark)
    if as_json:
        print_json(report)
    else:
        _print_scores(report)
    _say_notes(report)


def _say_notes(report: "Report") -> None:
    """On stderr, what a reader of the numbers must know beside them."""
    for task, languages in report["missing"].items():
        some = ", ".join(languages) if task in report["scores"] else "every language"
        say(f"missing: {task}: {some}")
    for name, why in report["not_scored"].items():
        say(line(f"not scored: {name}: {why}"))
    for task, counts in report["unanswered"].items():
        shown = ", ".join(f"{language} {count}" for language, count in counts.items())
        say(f"questions without an answer, each counts 0: {task}: {shown}")
    for warning in report["warnings"]:
        say(f"warning: {warning}")


def _print_scores(report: "Report") -> None:
    """Three tables: languages, tasks, groups of tasks."""
    from tabulate import tabulate

    def print_table(rows: list[dict[str, Any]]) -> None:
        print(tabulate(rows, headers="keys", tablefmt="plain", floatfmt=".2f"))

    languages: list[dict[str, Any]] = []
    for task, by_language in report["scores"].items():
        for language, numbers in by_language.items():
            languages.append({"task": task, "language": language, **numbers})
    print_table(languages)
    print()

    averages: list[dict[str, Any]] = []
    for task, average in report["averages"].items():
        rest = dict(average)
        of = f"{rest.pop('languages')} of {rest.pop('of')}"
        averages.append({"task": task, "languages": of, "score": rest.pop("metric"), **rest})
    print_table(averages)

    totals = dict(report["groups"])
    if report["overall"] is not None:
        totals["overall, nine tasks"] = report["overall"]
    if totals:
        print()
        print_table([{"group": name, "score": value} for name, value in totals.items()])


def _renamed(value: str | None) -> None:
    if value is not None:
        raise typer.BadParameter(f"no such option; it is --condition {value}")


@app.command("submission")
@with_groups
def submission(
    sources: Sources,
    run: Annotated[
        str, typer.Argument(help="The suite that was run.", autocompletion=names_of("suite"))
    ],
    out: Annotated[Path, typer.Argument(help="A new folder for the predictions.")],
    encoder: Annotated[str | None, typer.Option(help=ONLY)] = None,
    condition: Annotated[
        str | None, typer.Option(help=f"After which intermediate, or `none`. {ONLY}")
    ] = None,
    arm: Annotated[str | None, typer.Option(hidden=True, callback=_renamed)] = None,
    seed: Annotated[int | None, typer.Option(help=ONLY)] = None,
    labels: Annotated[
        Path | None, typer.Option(help="A new folder for the gold labels of the same rows.")
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            "--as", metavar="TARGET=TASK", help="Submit a target as XTREME's task; repeatable."
        ),
    ] = None,
    benchmark: BenchmarkName = "xtreme",
    everything: All = False,
    store: StoreDir = STORE,
    offline: Offline = False,
) -> None:
    """Write a run's predictions as a submission folder in XTREME's layout, from the store."""
    from harness.run.choice import Choice
    from harness.run.steps import plan_suite
    from harness.store import Store
    from harness.xtreme import submission as made
    from harness.xtreme.scoring import BENCHMARKS

    # before anything is read: a slip in the command is told at once
    for folder in filter(None, (out, labels)):
        made.empty_folder(folder)

    opened = Store(store, writable=False)
    choice = Choice(run, everything)
    plan = plan_suite(sources.catalog(), choice, sources.where(offline), opened)
    cells = made.choose(plan, encoder, condition, seed)

    tasks = BENCHMARKS[benchmark]
    names = made.renamed(plan, rename or [], tasks)
    found = made.collect(plan, opened, cells, names, tasks, labels is not None)
    made.write(out, found.predictions)
    print(f"{out}: {len(found.predictions)} files")
    if labels:
        made.write(labels, found.labels)
        print(f"{labels}: {len(found.labels)} files")
    for note in found.notes:
        say(note)
