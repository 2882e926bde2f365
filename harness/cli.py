"""The command line: parse, call, print. Rooms are imported inside commands, so that --help wakes nothing heavy.

xstilts-harness eval --all                                  the smoke suite `mini`, on any laptop
xstilts-harness eval --suite small --data-root DIR          real data from a folder in the hub's layout
xstilts-harness plan --suite small --data-root DIR          what that would do
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.errors import HarnessError, RefusedError

app = typer.Typer(
    help="Does English intermediate-task training help zero-shot cross-lingual transfer? Trains, evaluates, keeps a leaderboard.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
leaderboard_app = typer.Typer(help="Show and render releases.", no_args_is_help=True)
cache_app = typer.Typer(help="Look after the store of job results.", no_args_is_help=True)
job_app = typer.Typer(help="Run single jobs of a plan (what workers do).", no_args_is_help=True)
app.add_typer(leaderboard_app, name="leaderboard")
app.add_typer(cache_app, name="cache")
app.add_typer(job_app, name="job")

DEFAULT_SUITE = "mini"


def _version(wanted: bool) -> None:
    if wanted:
        from harness import __version__

        print(f"xstilts-harness {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Does English intermediate-task training help zero-shot cross-lingual transfer? Trains, evaluates, keeps a leaderboard."""


def _names(kind: str):
    def complete(incomplete: str) -> list[str]:
        return [name for name in getattr(_catalog([]), f"{kind}s") if name.startswith(incomplete)]

    return complete


SuiteName = Annotated[
    str, typer.Option("--suite", "-s", help="Which suite; `list suites` names them.", autocompletion=_names("suite"))
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        envvar="XSTILTS_DATA_ROOT", exists=True, file_okay=False, help="Folder in the hub's layout, searched before the hub."
    ),
]
EncoderRoot = Annotated[
    Path | None,
    typer.Option(envvar="XSTILTS_ENCODER_ROOT", exists=True, file_okay=False, help="Folder with one folder per encoder."),
]
Tasks = Annotated[
    list[Path] | None, typer.Option("--tasks", "-t", help="A folder or file of your own YAML specs; ./tasks is read anyway.")
]
StoreDir = Annotated[Path, typer.Option("--store", envvar="XSTILTS_STORE", help="Where job results are kept.")]
BoardDir = Annotated[Path, typer.Option("--board", envvar="XSTILTS_BOARD", help="Where releases are kept.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never touch the network.")]
All = Annotated[bool, typer.Option("--all", help="Every target and arm of the suite, and every task of your own folder.")]
Limit = Annotated[int | None, typer.Option("--limit", "-L", min=1, help="At most N test rows: partial, no release.")]


def _catalog(user: list[Path]):
    from harness.spec.catalog import Catalog

    here = Path("tasks")
    return Catalog.load(([here] if here.is_dir() else []) + user)


def _console():
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else max(160, int(os.environ.get("COLUMNS", 0))))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@app.command("eval")
def evaluate(
    suite: SuiteName = DEFAULT_SUITE,
    everything: All = False,
    data_root: DataRoot = None,
    encoder_root: EncoderRoot = None,
    tasks: Tasks = None,
    store: StoreDir = Path("store"),
    board: BoardDir = Path("leaderboard"),
    workers: Annotated[int | None, typer.Option(min=1, help="Default: one per GPU, or per CPU core.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Print the plan and stop.")] = False,
    limit: Limit = None,
    keep_weights: Annotated[bool, typer.Option("--keep-weights", help="Keep every trained model in the store.")] = False,
    checkpoint_seconds: Annotated[float, typer.Option(help="A killed training loses at most this much.")] = 60.0,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Run a suite: train, evaluate, write a release. The same command resumes and does only what is missing."""
    from harness import runner
    from harness.hub import Where
    from harness.leaderboard.release import Board
    from harness.leaderboard.render import print_release
    from harness.store import Store

    _first_line(suite, as_json)
    catalog, opened = _catalog(tasks or []), Store(store)
    plan = runner.plan_suite(catalog, suite, everything, limit, Where(data_root, encoder_root, offline), opened)
    if dry_run:
        _print_plan(plan, opened, as_json)
        return
    outcome = runner.run_plan(plan, opened, workers, checkpoint_seconds, keep_weights)
    for line in runner.refusals(outcome):
        _say(line)
    content = runner.content_of(plan, catalog, opened, outcome)
    path, news, title = None, "", f"PARTIAL: at most {limit} test rows, no release"
    if not limit:
        path, new = runner.publish(content, plan, opened, board, "xstilts-harness " + " ".join(sys.argv[1:]))
        title = Board(board).title(path)
        news = "new" if new else "the same content as before, nothing written"
    if as_json:
        print(json.dumps({"release": str(path) if path else None, "content": content}, indent=1))
    else:
        print_release(content, title, _console())
    if path:
        _say(f"release {path} ({news}); table in {board / 'README.md'}")


def _first_line(suite: str, as_json: bool) -> None:
    """Which suite, why, and how to choose another; on stdout unless a program reads that."""
    line = f"suite {suite} (you chose it with --suite)"
    if suite == DEFAULT_SUITE:
        line = (
            f"suite {suite} (the default: made-up smoke data, runs anywhere); "
            "choose another with --suite NAME, see `xstilts-harness list suites`"
        )
    print(line, file=sys.stderr if as_json else sys.stdout, flush=True)


@app.command("plan")
def show_plan(
    suite: SuiteName = DEFAULT_SUITE,
    everything: All = False,
    data_root: DataRoot = None,
    encoder_root: EncoderRoot = None,
    tasks: Tasks = None,
    store: StoreDir = Path("store"),
    limit: Limit = None,
    write: Annotated[bool, typer.Option("--write", help="Write the jobs into the store; print keys in running order.")] = False,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Print what eval would do: what is cached, to run, blocked, and an estimate."""
    from harness import runner
    from harness.hub import Where
    from harness.store import Store

    _first_line(suite, as_json or write)
    opened = Store(store)
    where = Where(data_root, encoder_root, offline)
    plan = runner.plan_suite(_catalog(tasks or []), suite, everything, limit, where, opened)
    if write:
        for job in runner.write_jobs(plan, opened):
            print(job.key, job.name)
    else:
        _print_plan(plan, opened, as_json)


def _print_plan(plan, store, as_json: bool) -> None:
    from harness.estimate import estimate

    todo = plan.todo(store)
    summary = estimate(plan, store, todo)
    if as_json:
        print(json.dumps(summary, indent=1))
        return
    from rich.table import Table

    table = Table("job", "jobs", "cached", "to run", "tokens to run", "hours (1 worker)")
    for kind, row in summary["kinds"].items():
        table.add_row(kind, *(f"{row[c]:,}" for c in ("jobs", "cached", "to_run", "tokens")), f"{row['seconds'] / 3600:.2f}")
    console = _console()
    console.print(table)
    console.print(f"{len(plan.cells)} cells; estimate: {summary['basis']}", highlight=False)
    for reason, blocks in plan.blocked.items():
        console.print(f"blocked: {', '.join(dict.fromkeys(blocks))}: {reason}", style="red", markup=False, highlight=False)


@app.command("list")
def list_specs(
    what: Annotated[str, typer.Argument(help="tasks, encoders, suites, releases, or all")] = "all",
    tasks: Tasks = None,
    board: BoardDir = Path("leaderboard"),
    as_json: Json = False,
) -> None:
    """Name the tasks, encoders and suites there are."""
    from harness.leaderboard.release import Board
    from harness.spec.describe import listing

    rows = [] if what == "releases" else listing(what, _catalog(tasks or []))
    if what in ("releases", "all"):
        rows += [{"kind": "release", "name": path.stem, "what": str(path), "from": ""} for path in Board(board).list()]
    _print_rows(rows, as_json)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A task, encoder or suite.", autocompletion=_names("task"))],
    samples: Annotated[int, typer.Option("-n", "--samples", min=0, help="Rows of a task to show.")] = 0,
    data_root: DataRoot = None,
    tasks: Tasks = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Print one spec with its defaults filled in, and sample rows of a task."""
    from harness.data.inspect import samples_of
    from harness.hub import Where
    from harness.spec.describe import described

    catalog = _catalog(tasks or [])
    spec = described(name, catalog)
    if samples:
        spec["samples"] = samples_of(catalog, catalog.task(name), samples, Where(data_root, None, offline))
    if as_json:
        print(json.dumps(spec, indent=1, ensure_ascii=False))
        return
    import yaml

    print(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True, width=110), end="")


@app.command("validate")
def validate(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders; default: ./tasks and the built-in ones.")] = None,
    data: Annotated[bool, typer.Option("--data", help="Also read the data: columns, labels, placeholders.")] = False,
    data_root: DataRoot = None,
    offline: Offline = False,
) -> None:
    """Check specs, and with --data the rows they name. Exit code 2 and one line per problem."""
    from harness.data.inspect import check_data
    from harness.hub import Where

    catalog = _catalog(paths or [])
    print(f"{len(catalog.tasks)} tasks, {len(catalog.encoders)} encoders, {len(catalog.suites)} suites: sound")
    if not data:
        return
    wanted = [name for kind, name in sorted(catalog.user) if kind == "task"] if paths else sorted(catalog.tasks)
    worst = 0
    for line in check_data(catalog, wanted, Where(data_root, None, offline)):
        print(line.text, flush=True)
        worst = max(worst, line.exit_code)
    if worst:
        raise typer.Exit(worst)


@leaderboard_app.command("show")
def leaderboard_show(
    release: Annotated[str | None, typer.Argument(help="A number, a name, or a suite (its latest). Default: the latest.")] = None,
    board: BoardDir = Path("leaderboard"),
    as_json: Json = False,
) -> None:
    """Print a release."""
    from harness.leaderboard.release import Board
    from harness.leaderboard.render import print_release

    shelf = Board(board)
    path = shelf.find(release)
    content = shelf.load(path)
    if as_json:
        print(json.dumps(content, indent=1, ensure_ascii=False))
    else:
        print_release(content, shelf.title(path), _console())


@leaderboard_app.command("build")
def leaderboard_build(board: BoardDir = Path("leaderboard")) -> None:
    """Render README.md from the releases."""
    from harness.leaderboard.release import Board
    from harness.runner import write_readme

    write_readme(Board(board))
    print(board / "README.md")


@cache_app.command("ls")
def cache_ls(store: StoreDir = Path("store"), as_json: Json = False) -> None:
    """List committed results with their sizes."""
    from harness.store import Store

    opened = Store(store, writable=False)
    rows = []
    for key, size in sorted(opened.sizes().items()):
        manifest = opened.manifest(key)
        name = manifest.meta.get("name", "") if manifest else ""
        rows.append({"key": key[:12], "name": name, "bytes": size, "dropped": ", ".join(manifest.dropped) if manifest else ""})
    _print_rows(rows, as_json)


@cache_app.command("verify")
def cache_verify(store: StoreDir = Path("store")) -> None:
    """Re-hash every committed result. Exit code 1 if one is damaged; the next eval computes it again."""
    from harness.store import Store

    opened = Store(store, writable=False)
    keys = opened.keys(complete=False)
    bad = {key: problems for key in keys if (problems := opened.verify(key))}
    for key, problems in bad.items():
        _say(f"{key}: {'; '.join(problems)}")
    print(f"{len(keys) - len(bad)} of {len(keys)} results are sound")
    if bad:
        raise typer.Exit(1)


@cache_app.command("gc")
def cache_gc(
    store: StoreDir = Path("store"),
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would go.")] = False,
) -> None:
    """Remove what the dead left: working directories, leases, checkpoints of finished jobs, damaged results."""
    from harness.store import Store

    report = Store(store).collect(dry_run=dry_run)
    for name, size in report.removed:
        print(f"{name}  {size:,} bytes")
    print(f"{'would free' if dry_run else 'freed'} {report.bytes:,} bytes")


@job_app.command("run")
def job_run(
    key: Annotated[str, typer.Argument(help="A key that a plan wrote into the store.")], store: StoreDir = Path("store")
) -> None:
    """Run one job of a plan in this process and commit its result (for schedulers; eval does this by itself)."""
    from harness.jobs.run import run_alone
    from harness.store import Store

    outcome = run_alone(Store(store), key)
    print(f"{key}: {outcome}")
    if outcome == "busy":
        raise typer.Exit(75)


@app.command("doctor")
def doctor(store: StoreDir = Path("store"), encoder_root: EncoderRoot = None, as_json: Json = False) -> None:
    """Check this machine: packages, GPU, cores, disk, encoders."""
    from harness.doctor import checkup

    rows = checkup(store, encoder_root, _catalog([]))
    _print_rows(rows, as_json)
    if any(row["state"] == "error" for row in rows):
        raise typer.Exit(1)


def _print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    if not rows:
        print("nothing here")
        return
    from tabulate import tabulate

    print(tabulate(rows, headers="keys", tablefmt="plain", disable_numparse=True))


def main() -> None:
    """The console script: turns errors a user can act on into one clear message and their exit code."""
    try:
        app()
    except HarnessError as error:
        prefix = "refused: " if isinstance(error, RefusedError) else ""
        _say(f"{prefix}{error}")
        sys.exit(error.exit_code)
    except SystemExit as end:  # the parser turns Ctrl-C into an exit of its own
        if end.code == 130:
            _say("interrupted; what was done is kept, the same command goes on from there")
        raise
    except KeyboardInterrupt:
        _say("interrupted; what was done is kept, the same command goes on from there")
        sys.exit(130)
