"""From a finished run to a release on a board: what was refused, what may be released, and the
files that show it."""

import copy
import json
import os
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

import harness
from harness.common.errors import RefusedError
from harness.common.text import as_yaml
from harness.engines.drive import Outcome
from harness.families.odd import ODD_SHARE, in_words, too_many
from harness.page.board_files import outdated, write_board
from harness.plan.graph import Plan
from harness.release import collect
from harness.release import document as release
from harness.release.shelve import shelve
from harness.store import Store, atomic_write

# of a checkout, what a score can depend on
CODE = ("harness", "tasks", "encoders", "suites", "protocols")


def content_of(plan: Plan, store: Store, outcome: Outcome) -> dict[str, Any]:
    """The release document of a finished run.

    Raises RefusedError when test labels are placeholders (and the suite does not waive that), or no
    cell has a score.
    """
    content = collect.content(plan, store, outcome.refused).document()
    hidden = sorted({cell["target"] for cell in content["cells"] if "placeholder" in cell["flags"]})
    if hidden and "placeholder" not in plan.suite.waives:
        raise RefusedError(
            f"{', '.join(hidden)}: test labels are placeholders (all empty or all the same), so"
            " nothing can be scored on them. Reduce the task to rows with labels, drop those"
            " languages, or write `waives: [placeholder]` into the suite"
        )
    for cell in content["cells"]:
        _refuse_odd(cell, plan.suite.waives)
    if all(cell["score"] is None for cell in content["cells"]):
        flags = sorted({flag for cell in content["cells"] for flag in cell["flags"]})
        raise RefusedError(
            f"no cell of suite {plan.suite.suite} has a score ({', '.join(flags)}); there is"
            " nothing to release"
        )
    return content


def _refuse_odd(cell: dict[str, Any], waived: Collection[str]) -> None:
    """Raise RefusedError if too many test rows of a language say nothing: jobs that a scheduler ran
    were not asked before."""
    for language, said in cell["languages"].items():
        if flags := set(too_many(said, said["n"])) - set(waived):
            raise RefusedError(
                f"{cell['target']} {language}: of {said['n']} test rows {in_words(said)}, more than"
                f" {ODD_SHARE:.0%}; mend them, or write `waives: [{', '.join(sorted(flags))}]` into"
                " the suite"
            )


def refusals(outcome: Outcome) -> list[str]:
    """What was refused and why: one line for the arms of a target that share the reason."""
    arms: dict[tuple[str, str], list[str]] = {}
    for refusal in outcome.refused.values():
        named = arms.setdefault((refusal.target, json.dumps(refusal.leaks)), [])
        if refusal.arm not in named:
            named.append(refusal.arm)

    lines = []

    # many arms read the same rows, and would say the same
    for (target, leaks), names in arms.items():
        counts = "; ".join(
            f"of the {phase} rows, in {_counts(by_language)}"
            for phase, by_language in json.loads(leaks).items()
        )
        lines.append(
            f"refused: condition {', '.join(names)} on {target}: training rows stand in its test"
            f" set ({counts} test rows); take those out of the training rows, or write"
            " `waives: [leak]` into the suite, and its scores carry the flag"
        )
    return lines


def _counts(by_language: dict[str, int]) -> str:
    return ", ".join(f"{language} {count}" for language, count in by_language.items())


class Publication(NamedTuple):
    """A release's file, whether its content is new, and what an old one lacked: its sidecar, files
    of the board that show it."""

    path: Path
    new: bool
    repaired: bool
    rendered: list[str]

    def __str__(self) -> str:
        """What was done."""
        if self.new:
            return f"{self.path} (new)"
        what = "its sidecar written again" if self.repaired else "nothing written"
        shown = f"; rendered again: {', '.join(self.rendered)}" if self.rendered else ""
        return f"{self.path} (the same content as before, {what}){shown}"


def publish(
    content: dict[str, Any],
    plan: Plan,
    store: Store,
    board: Path,
    command: str,
    say: Callable[[str], None],
) -> Publication:
    """Write the release and the board that shows it. Killed in between, the same call does what is
    missing.

    `say` hears of releases of the board that cannot be shown.
    """
    return put(content, release.sidecar(plan, store, command, code()), release.Board(board), say)


def put(
    content: dict[str, Any],
    sidecar: dict[str, Any],
    shelf: release.Board,
    say: Callable[[str], None],
) -> Publication:
    """`publish`, of a content and a sidecar that are made."""
    path, new, repaired = shelve(shelf, content, sidecar)
    # also without a new release: whoever published last may have been killed before this
    old = outdated(shelf)
    if old:
        write_board(shelf, say)
    return Publication(path, new, repaired, [] if new else old)


def write_suite(written: dict[str, Any], path: Path) -> Path:
    """The suite of a release as a YAML file beside it, which runs it again; its path. Folders of
    encoders are named from that file's folder."""
    file = release.suite_beside(path)
    if file.exists():
        return file
    said = copy.deepcopy(written)
    for encoder in said["encoders"]:
        if isinstance(encoder, dict) and "path" in encoder["source"]:
            encoder["source"]["path"] = os.path.relpath(encoder["source"]["path"], file.parent)
    head = f"# What release {path.stem} ran: xstilts-harness eval --suite {file.name}\n"
    atomic_write(file, (head + as_yaml(said, flow=True)).encode())
    return file


def code() -> dict[str, Any]:
    """{"version", "commit", "changed"} of this harness. A checkout knows its commit, and whether
    files differ from it; an image is told (XSTILTS_COMMIT, set when it is built); a wheel does not
    know: null. `changed` is null where nobody can look."""
    folder = Path(harness.__file__).resolve().parent
    told = {
        "version": harness.__version__,
        "commit": os.environ.get("XSTILTS_COMMIT") or None,
        "changed": None,
    }
    # another repository may hold the environment that this is installed in
    if not (folder.parent / ".git").exists():
        return told

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", folder.parent, *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    try:
        files = git("status", "--porcelain", "--", *CODE)
        return told | {"commit": git("rev-parse", "HEAD"), "changed": bool(files)}
    except (OSError, subprocess.CalledProcessError):
        return told  # no git here, or a checkout of somebody else's: it says nothing
