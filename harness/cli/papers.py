"""reproduce: published numbers, held against what is computed here."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import app, console, print_json, say, store_to_read
from harness.cli.options import BoardDir, Json, Offline, Sources, StoreDir, Workers, with_groups
from harness.run.here import BOARD, STORE

if TYPE_CHECKING:
    from harness.published.numbers import Check, Published
    from harness.published.verdict import Verdict


@dataclass(frozen=True)
class ChecksWanted:
    """Which checks, of which files of published numbers, and which of them must run."""

    names: Annotated[
        list[str] | None, typer.Argument(metavar="[CHECK]...", help="Only these. Default: all.")
    ] = None
    levels: Annotated[
        list[int] | None,
        typer.Option(
            "--level",
            min=1,
            max=3,
            help="1: exact reruns; 2: arithmetic; 3: claims over a release. Default: all.",
        ),
    ] = None
    required: Annotated[
        list[str] | None,
        typer.Option(
            "--require", help="A check, or level-1 and so on: it fails if it did not run."
        ),
    ] = None
    published: Annotated[
        list[Path] | None,
        typer.Option(
            "--published", exists=True, help="Your own published numbers, in place of ours."
        ),
    ] = None

    def chosen(self) -> "tuple[list[Published], list[tuple[Check, Published]]]":
        """The files, and the checks that are asked for. SpecError for a name that nothing has."""
        from harness.published import numbers
        from harness.published.reproduce import chosen

        documents = numbers.load(self.published or [numbers.folder()])
        wanted = chosen(documents, self.names or [], self.levels or [])
        _known(self.required or [], [check for check, _ in wanted])
        return documents, wanted


@app.command("reproduce")
@with_groups
def reproduce(
    sources: Sources,
    checks: ChecksWanted,
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
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="Where --ci writes.")
    ] = Path("reproduce"),
    mock: Annotated[
        Path | None,
        typer.Option(
            envvar="XSTILTS_MOCK", exists=True, file_okay=False, help="XTREME's own mock_test_data."
        ),
    ] = None,
    store: StoreDir = STORE,
    board: BoardDir = BOARD,
    workers: Workers = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Check published numbers: rerun what a laptop can, redo the arithmetic, hold claims against a
    release.

    Exit code 0 only if at least one check ran, all that ran hold, and all that are required ran.
    What cannot run here is "not run", and says why.
    """
    from harness.published import report
    from harness.published.reproduce import Means, judge_all
    from harness.release.document import Board

    # every name is looked at before anything is run
    documents, wanted = checks.chosen()
    shelf = Board(board)
    stated = [shelf.find(name) for name in releases or []]
    where, opened = sources.where(offline), store_to_read(store)
    means = Means(sources.catalog(), opened, where, shelf, say, stated, mock, workers)

    verdicts = judge_all(wanted, means)
    required = checks.required or []
    sound = report.sound(verdicts, required)
    if ci:
        _write(output, verdicts, required, documents)
    if as_json:
        print_json({"sound": sound, "checks": [_listed(verdict) for verdict in verdicts]})
    else:
        _print_table(verdicts, required)
    if not sound:
        raise typer.Exit(1)


def _known(required: Sequence[str], wanted: Sequence["Check"]) -> None:
    """SpecError for a requirement that no chosen check can meet: a slip of the name, or of what was
    chosen, would stay green."""
    from harness.common.errors import SpecError
    from harness.spec.explain import nearest

    known = {check.name for check in wanted} | {f"level-{check.level}" for check in wanted}
    for name in required:
        if name not in known:
            raise SpecError(
                f"--require {name}: no check among those chosen is called"
                f" so{nearest(name, sorted(known))}"
            )


def _write(
    output: Path,
    verdicts: Sequence["Verdict"],
    required: Sequence[str],
    documents: "Sequence[Published]",
) -> None:
    """reproduce.xml and reproduce.md; the latter also where GitHub shows a job's summary."""
    from harness.published import report
    from harness.store import atomic_write, disk_errors

    gaps = {document.published: document.gaps for document in documents if document.gaps}
    summary = report.markdown(verdicts, gaps)
    with disk_errors("write", output):
        output.mkdir(parents=True, exist_ok=True)
        atomic_write(output / "reproduce.xml", report.junit(verdicts, required))
        atomic_write(output / "reproduce.md", summary.encode())
        if page := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(page).open("a", encoding="utf-8") as file:
                file.write(summary)


def _print_table(verdicts: Sequence["Verdict"], required: Sequence[str]) -> None:
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


def _listed(verdict: "Verdict") -> dict[str, object]:
    """A verdict as `--json` prints it."""
    return {
        "check": verdict.check.name,
        "level": verdict.check.level,
        "claim": verdict.check.says,
        "outcome": verdict.outcome,
        "verdict": verdict.word,
        "found": verdict.says,
        "details": list(verdict.details),
    }
