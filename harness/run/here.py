"""Where a user's things lie, unless they say otherwise. Nothing heavy is imported here: every
`--help` reads this."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.spec.catalog import Catalog

DEFAULT_SUITE = "demo"
# One folder of the working directory holds what its user computed. The project's own releases, in a
# checkout's `leaderboard/`, are read and written only by who names them: `--board leaderboard`.
STORE, BOARD = Path("runs/store"), Path("runs/board")
HERE = Path("tasks")  # specs in a folder of that name are read without being asked for


def catalog_of(own: Sequence[Path] | None, all_sound: bool = True) -> "Catalog":
    """The built-in specs, those of ./tasks and those of `own` files and folders.

    raises  SpecError: one is wrong, where all of them must be sound; a folder of `own` has none
    """
    from harness.common.errors import SpecError
    from harness.spec.catalog import Catalog, yaml_files

    for place in own or []:
        with suppress(OSError):  # which `load` says
            if place.is_dir() and not yaml_files(place):
                raise SpecError(f"{place}: no YAML file is in it; none of its folders is read")
    return Catalog.load([*([HERE] if HERE.is_dir() else []), *(own or [])], all_sound)
