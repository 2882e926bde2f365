"""The releases of schema 6, from git's history, derived anew: the same specs, jobs and evidence,
and what follows from them by the statistics of schema 7.

    python tests/carry_over.py COMMIT [--write]

COMMIT has the old ones. Their cells, and all else that is a score and no gain, come out as they
were, to the last digit; they are written under the next numbers.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.release.comparer import Difference, differences
from harness.release.document import beside, content_bytes
from harness.release.schema import Content, Known
from harness.release.verify import verify
from harness.statistics.derive import derive
from harness.store import key_of

RELEASES = Path(__file__).parents[1] / "leaderboard" / "releases"
CARRIED = {  # in their order, under the next numbers
    "0018-mini": "0027-mini",
    "0019-mteb-tatoeba": "0028-mteb-tatoeba",
    "0020-study": "0029-study",
    "0021-study-e5": "0030-study-e5",
    "0022-study-e5-qa": "0031-study-e5-qa",
    "0023-study-rates": "0032-study-rates",
    "0024-study-tune": "0033-study-tune",
    "0025-study-tuned": "0034-study-tuned",
    "0026-study-tuned-e5": "0035-study-tuned-e5",
}
SCORES = ("dev_scores", "selections", "cells", "difficulty")


def before(name: str, commit: str) -> Any:
    """A JSON file of the board as it was."""
    path = f"{commit}:leaderboard/releases/{name}"
    return json.loads(subprocess.run(["git", "show", path], check=True, capture_output=True).stdout)


def carried(old: dict[str, Any]) -> Content:
    """The release as schema 7 has it."""
    read = {field.alias or name for name, field in Known.model_fields.items()}
    stated = {name: value for name, value in old.items() if name in read} | {"schema": 7}
    known = Known.model_validate(stated)
    return Content.model_validate(stated | {"inputs": old["inputs"]} | derive(known).model_dump())


def moved(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
    """What differs in what is no gain: nothing."""
    for section in SCORES:
        yield from differences(old[section], new[section], (section,))


def main(commit: str, write: bool) -> None:
    for name, now in CARRIED.items():
        old = before(f"{name}.json", commit)
        document = carried(old).document()
        different = list(moved(old, document))
        sidecar = before(f"{name}.env.json", commit) | {"content_sha256": key_of(document)}
        wrong = verify(content_bytes(document), sidecar)
        path = RELEASES / f"{now}.json"
        if write:
            path.write_bytes(content_bytes(document))
            beside(path).write_bytes(content_bytes(sidecar))
            (RELEASES / f"{name}.json").unlink(missing_ok=True)
            beside(RELEASES / f"{name}.json").unlink(missing_ok=True)
        print(f"{now}: {len(different)} leaves differ, {len(wrong)} problems", flush=True)
        print(*different[:5], *wrong[:5], sep="\n", end="")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] == ["--write"])
