"""reproduce: published numbers, held against what is computed here."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import (
    BoardDir,
    DataRoot,
    EncoderRoot,
    Json,
    LockFile,
    Offline,
    StoreDir,
    Tasks,
    app,
    catalog_of,
    console,
    say,
    store_to_read,
)


@app.command("reproduce")
def reproduce(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[CHECK]...", help="Only these. Default: all.")
    ] = None,
    levels: Annotated[
        list[int] | None,
        typer.Option(
            "--level",
            min=1,
            max=3,
            help="1: exact reruns; 2: arithmetic; 3: claims over a release. Default: all.",
        ),
    ] = None,
    releases: Annotated[
        list[str] | None,
        typer.Option(
            "--from", help="Check this release, by number, name or file; nothing runs, no torch."
        ),
    ] = None,
    ci: Annotated[
        bool,
        typer.Option("--ci", help="Also write JUnit XML and a Markdown summary into --output."),
    ] = False,
    required: Annotated[
        list[str] | None,
        typer.Option(
            "--require", help="A check, or level-1 and so on: it fails if it did not run."
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="Where --ci writes.")
    ] = Path("reproduce"),
    published: Annotated[
        list[Path] | None,
        typer.Option(
            "--published", exists=True, help="Your own published numbers, in place of ours."
        ),
    ] = None,
    mock: Annotated[
        Path | None,
        typer.Option(
            envvar="XSTILTS_MOCK", exists=True, file_okay=False, help="XTREME's own mock_test_data."
        ),
    ] = None,
    data_root: DataRoot = None,
    encoder_root: EncoderRoot = None,
    tasks: Tasks = None,
    store: StoreDir = Path("store"),
    board: BoardDir = Path("leaderboard"),
    workers: Annotated[
        int | None, typer.Option(min=1, help="Default: one per GPU, or per CPU core.")
    ] = None,
    offline: Offline = False,
    lock: LockFile = None,
    as_json: Json = False,
) -> None:
    """Check published numbers: rerun what a laptop can, redo the arithmetic, hold claims against a
    release.

    Exit code 0 only if at least one check ran, all that ran hold, and all that are required ran.
    What cannot run here is "not run", and says why.
    """
    from harness.published import numbers as spec
    from harness.published import report
    from harness.published.reproduce import Means, chosen, judge_all
    from harness.release.document import Board
    from harness.sources.hub import Where
    from harness.sources.lock import read_lock

    documents = spec.load(published or [spec.folder()])
    wanted = chosen(documents, names or [], levels or [])
    _known(required or [], [check for check, _ in wanted])
    shelf = Board(board)
    means = Means(
        catalog_of(tasks or []),
        store_to_read(store),
        Where(data_root, encoder_root, offline, read_lock(lock)),
        shelf,
        say,
    )
    means.releases, means.mock, means.workers = (
        [shelf.find(name) for name in releases or []],
        mock,
        workers,
    )
    verdicts = judge_all(wanted, means)
    sound = report.sound(verdicts, required or [])
    if ci:
        _write(
            output,
            verdicts,
            required or [],
            {document.published: document.gaps for document in documents if document.gaps},
        )
    if as_json:
        _print_json(verdicts, sound)
    else:
        _print_table(verdicts, required or [])
    if not sound:
        raise typer.Exit(1)


def _known(required: list[str], wanted: list) -> None:
    """SpecError for a requirement that no chosen check can meet: a slip of the name, or of what was
    chosen, would stay green."""
    from harness.common.errors import SpecError
    from harness.spec.explain import nearest

    known = {name for check in wanted for name in (check.name, f"level-{check.level}")}
    for name in required:
        if name not in known:
            raise SpecError(
                f"--require {name}: no check among those chosen is called"
                f" so{nearest(name, sorted(known))}"
            )


def _write(output: Path, verdicts: list, required: list[str], gaps: dict[str, list[str]]) -> None:
    """reproduce.xml and reproduce.md; the latter also where GitHub shows a job's summary."""
    from harness.published import report
    from harness.store import atomic_write, disk_errors

    summary = report.markdown(verdicts, gaps)
    with disk_errors("write", output):
        output.mkdir(parents=True, exist_ok=True)
        atomic_write(output / "reproduce.xml", report.junit(verdicts, required))
        atomic_write(output / "reproduce.md", summary.encode())
        if page := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(page).open("a", encoding="utf-8") as file:
                file.write(summary)


def _print_table(verdicts: list, required: list[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from harness.published import report

    ran = [verdict for verdict in verdicts if verdict.outcome != "not run"]
    table = Table(*report.HEAD)
    for row in report.rows(ran):
        table.add_row(*map(Text, row))  # brackets in a claim are no markup
    if ran:
        console().print(table)
    for verdict in ran:
        for detail in verdict.details:
            print(f"{verdict.check.name}: {detail}")
    for why, names in report.not_run(verdicts).items():
        print(f"not run: {', '.join(names)}\n    {why}")
    print(report.tally(verdicts) or "no check was chosen")
    if absent := report.missing(verdicts, required):
        say("required, but not run: " + ", ".join(verdict.check.name for verdict in absent))


def _print_json(verdicts: list, sound: bool) -> None:
    lines = [
        {
            "check": v.check.name,
            "level": v.check.level,
            "claim": v.check.says,
            "outcome": v.outcome,
            "verdict": v.word,
            "found": v.says,
            "details": list(v.details),
        }
        for v in verdicts
    ]
    print(json.dumps({"sound": sound, "checks": lines}, indent=1, ensure_ascii=False))
