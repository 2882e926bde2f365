"""The releases of schema 5, from git's history, carried over to schema 6: planned again from the
specs here and the hashes that they record, so that each then carries its specs itself.

    python tests/carry_over.py COMMIT [--write]

COMMIT has the old ones; all nine are planned again, and every section that a release has before and
after is the same, leaf for leaf. `data`, which named the files read, is what `inputs` says now.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.plan.graph import Plan
from harness.plan.planner import plan_from
from harness.plan.recorded import Inputs
from harness.release.collect import declared, sections
from harness.release.comparer import Difference, differences
from harness.release.document import beside, content_bytes
from harness.release.places import command, without_places
from harness.release.schema import Content, Evidence, Known
from harness.release.verify import verify
from harness.sources.encoders import FoundEncoder
from harness.sources.locate import SplitFiles, _fill
from harness.sources.read import READER_VERSIONS
from harness.spec.catalog import Catalog
from harness.spec.template import fill
from harness.statistics.derive import derive
from harness.store import key_of
from harness.store.job import versions_here

RELEASES = Path(__file__).parents[1] / "leaderboard" / "releases"


class Old(Inputs):
    """The specs of a catalog, with the hashes that an old release's rows have."""

    def __init__(self, content: dict, catalog: Catalog):
        self.content, self.catalog = content, catalog
        self.leaves = [leaf for rows in content["rows"].values() for leaf in _leaves(rows)]

    def task(self, name: str):
        return self.catalog.task(name)

    def encoder(self, name: str):
        return self.catalog.encoder(name)

    def found(self, encoder) -> FoundEncoder:
        facts = self.content["encoders"][encoder.encoder]
        identity = {"files": facts["files"], "max_length": facts["max_length"]}
        return FoundEncoder(encoder.encoder, Path(), identity)

    def split(self, task, source, split: str, language: str) -> SplitFiles:
        where = {column: fill(v, _fill(source, language)) for column, v in source.where.items()}
        named = [
            files
            for name, files in self.content["data"].items()
            if name.split()[0] == task.task and name.split()[2] == language
        ]
        found = {
            tuple(part["sha256"])
            for leaf in self.leaves
            for part in leaf["parts"]
            if part["split"] == split
            and [leaf["family"], leaf["where"], leaf["columns"]]
            == [task.family, where, task.columns]
            and part["sha256"] in named
        }
        (files,) = found
        return SplitFiles(list(files), "parquet" if source.hub else source.format, {})

    def labels(self, task) -> list[str]:
        raise NotImplementedError


def _leaves(value: Any) -> Iterator[dict]:
    if isinstance(value, dict) and "parts" in value:
        yield value
    elif isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _leaves(one)


def planned(content: dict) -> Plan:
    """The plan of an old release, with the specs of today."""
    catalog = Catalog.load([])
    suite = catalog.suite(content["suite"]["name"])
    return plan_from(suite, Old(content, catalog), versions_here(READER_VERSIONS))


def carried(content: dict) -> Content:
    """The release as schema 6 has it: declared from the plan, derived from the old evidence."""
    plan = planned(content)
    known = Known(**sections(declared(plan)), evidence=Evidence.model_validate(content["evidence"]))
    return Content(**sections(known), inputs=plan.inputs, **dict(derive(known)))


def moved(old: dict, new: dict) -> list[Difference]:
    """What differs in the sections that both have: nothing."""
    common = [name for name in old if name in new and name != "schema"]
    return list(differences({n: old[n] for n in common}, {n: new[n] for n in common}))


CARRIED = {  # in their order, under the next numbers
    "0009-mini": "0018-mini",
    "0010-mteb-tatoeba": "0019-mteb-tatoeba",
    "0011-study": "0020-study",
    "0012-study-e5": "0021-study-e5",
    "0013-study-e5-qa": "0022-study-e5-qa",
    "0014-study-rates": "0023-study-rates",
    "0015-study-tune": "0024-study-tune",
    "0016-study-tuned": "0025-study-tuned",
    "0017-study-tuned-e5": "0026-study-tuned-e5",
}


def before(name: str, commit: str) -> Any:
    """A JSON file of the board as it was."""
    path = f"{commit}:leaderboard/releases/{name}"
    return json.loads(subprocess.run(["git", "show", path], check=True, capture_output=True).stdout)


def plain(sidecar: dict) -> dict:
    """Without the places of the machines that the oldest sidecars name."""
    words = shlex.split(sidecar["command"])
    return without_places(sidecar) | {"command": command(words[1:])}


def main(commit: str, write: bool) -> None:
    for name, now in CARRIED.items():
        old = before(f"{name}.json", commit)
        new = carried(old)
        document = new.document()
        different = moved(old, document)
        sidecar = plain(before(f"{name}.env.json", commit)) | {"content_sha256": key_of(document)}
        wrong = verify(content_bytes(document), sidecar)
        path = RELEASES / f"{now}.json"
        if write:
            path.write_bytes(content_bytes(document))
            beside(path).write_bytes(content_bytes(sidecar))
        written = path.read_bytes() == content_bytes(document)
        print(f"{name}: {len(different)} leaves differ, {len(wrong)} problems, written: {written}")
        print(*different[:5], *wrong[:5], sep="\n", end="")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] == ["--write"])
