"""leaderboard seeds: how many seeds an answer takes."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import leaderboard_app, print_json, say
from harness.cli.options import BoardDir, Json, Release
from harness.run.here import BOARD

if TYPE_CHECKING:
    from harness.release.schema import Concluded
    from harness.release.schema_derived import Estimate

LOOKED_AT = (3, 5, 7, 10, 15, 20)


@leaderboard_app.command("seeds")
def leaderboard_seeds(
    release: Release = None,
    margin: Annotated[
        float, typer.Option(min=0.01, help="Points that half the 95% interval may have.")
    ] = 1.0,
    board: BoardDir = BOARD,
    as_json: Json = False,
) -> None:
    """How many seeds a margin takes, by the noise that a release has.

    For a run of the same encoder, recipes and test rows. The noise is known as well as the
    release's seeds allow: plan with room to spare.
    """
    from harness.common.errors import RefusedError
    from harness.release.document import Board, as_content

    shelf = Board(board)
    path, document = shelf.open(release, say)
    rows = _rows(as_content(path, document), margin)
    if not rows:
        raise RefusedError(
            f"{path}: fewer than three seeds, or no gain: how seeds differ is not known; run its"
            " suite with `seeds: [1, 2, 3]` at least"
        )
    if as_json:
        print_json({"release": path.stem, "margin": margin, "numbers": rows})
        return
    print(f"{shelf.title(path)}: half the 95% interval in points, with so many seeds (median)")
    for row in rows:
        widths = ", ".join(f"{seeds}: ±{half:.1f}" for seeds, half in row["half_with"].items())
        needed = row["seeds_needed"]
        enough = f"{needed} seeds" if needed else "more test rows, whatever the seeds"
        print(f"  {row['encoder']} · {row['number']}: {widths}; ±{margin:g} takes {enough}")


def _rows(content: "Concluded", margin: float) -> list[dict[str, Any]]:
    """One for each encoder and kind of number."""
    from harness.statistics.needed import half_with, seeds_for

    had, found = len(content.suite.seeds), []
    for encoder in content.encoders:
        for name, numbers in _numbers(content, encoder).items():
            widths = {}
            for seeds in LOOKED_AT:
                half = half_with(numbers, had, seeds)
                if half is not None:
                    widths[seeds] = round(half, 4)
            needed = seeds_for(numbers, had, margin)
            row = {"encoder": encoder, "number": name, "half_with": widths, "seeds_needed": needed}
            if widths:
                found.append(row)
    return found


def _numbers(content: "Concluded", encoder: str) -> dict[str, list["Estimate"]]:
    """What it is asked of → the numbers of that kind."""
    averages = [one for one in content.averages if one.encoder == encoder]
    found: dict[str, list[Estimate]] = {
        "average gain": [(one.rest or one.overall).gain for one in averages]
    }
    for average in averages:
        for group, mean in average.groups.items():
            found.setdefault(f"{group} gain", []).append(mean.gain)
    found["gain on one target"] = [one.gain for one in content.gains if one.encoder == encoder]
    return found
