"""Is a release what it says it is? Recomputed from its own evidence: no data, no torch, no store.

    schema        the bytes are those of a content document, spelt as `release.content_bytes` spells
                  it
    hash          the sidecar's content_sha256; the sidecar's jobs, and its hashes of the encoders'
                  files
    completeness  `complete`: every cell, language, seed, training, and as many examples as rows
    agreement     `provenance`, `rows_read`: keys, jobs, recipes, rows against what the release
                  declares
    derivation    every derived number again, exactly

What the jobs predicted is taken from the evidence; `harness.review.recheck` goes back to
predictions and gold. A release of an older schema that holds evidence is checked as a present one
without what came later (`upgrade.lifted`, `as_of`). Releases of schema 1 and 2 hold none: of them
only sums and differences of the stored scores can be checked.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from harness.release import verify_old
from harness.release.complete import Problem, complete, label, length
from harness.release.document import content_bytes, parsed
from harness.release.evidence import SCHEMAS, WITH_EVIDENCE
from harness.release.provenance import agreement
from harness.release.rows_read import read
from harness.release.schema import mismatches
from harness.release.upgrade import as_of, lifted
from harness.statistics import derive as derivation
from harness.store import key_of

SHOWN = 20  # differing leaves of one section in a report
Derive = Callable[[dict], dict]


def verify(data: bytes, sidecar: dict, derive: Derive = derivation.sections) -> list[Problem]:
    """All that is wrong with a release's bytes and its sidecar; nothing if it stands.

    Where the document is not of its schema, nothing further is looked at; nor are numbers derived
    from facts that do not agree.
    """
    return list(problems(data, sidecar, derive))


def problems(data: bytes, sidecar: dict, derive: Derive = derivation.sections) -> Iterator[Problem]:
    """The same, one by one, cheap checks first."""
    try:
        content = parsed(data)
        schema, spelt, digest = content["schema"], content_bytes(content), key_of(content)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        yield Problem(
            "the file", f"no release ({error!r})", "a JSON document with a schema version"
        )
        return
    if schema not in SCHEMAS:
        yield Problem(
            "schema", schema, f"one of {SCHEMAS}; a newer one needs a newer xstilts-harness"
        )
        return
    if data != spelt:
        yield Problem(
            "the file",
            "JSON in another spelling, or with a name twice",
            "the bytes that the harness writes",
        )
    if sidecar.get("content_sha256") != digest:
        yield Problem("sidecar content_sha256", sidecar.get("content_sha256"), digest)
    if schema < WITH_EVIDENCE:
        yield from _guarded(verify_old.arithmetic, content)
        return
    found = False
    for problem in _guarded(_shape, content):
        found = True
        yield problem
    if found:
        return
    present = lifted(content)
    for check in (complete, agreement, read, lambda known: _sidecar(known, sidecar)):
        for problem in _guarded(check, present):
            found = True
            yield problem
    if not found:
        yield from _guarded(lambda known: _derived(known, derive), content)


def _shape(content: dict) -> Iterator[Problem]:
    """The document is of its schema, and has nothing of a later one."""
    present = lifted(content)
    for path, found in mismatches(content_bytes(present)):
        yield Problem(path, found, "as leaderboard/release.schema.json says")
    if present is not content:
        yield from differences(
            f"schema {content['schema']}", content, as_of(present, content["schema"])
        )


def _guarded(check: Callable[[dict], Iterator[Problem]], content: dict) -> Iterator[Problem]:
    """A check that falls over on what it reads has found something too."""
    try:
        yield from check(content)
    except (
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        ZeroDivisionError,
        AssertionError,
        StopIteration,
        RuntimeError,
    ) as error:
        name = getattr(check, "__name__", "derive").replace("<lambda>", "derive")
        yield Problem(
            name,
            f"{type(error).__name__}: {error}",
            "facts that can be followed: something names what is not there",
        )


def _sidecar(content: dict, sidecar: dict) -> Iterator[Problem]:
    """The jobs that ran, and the encoders' files that they read, are the release's."""
    for key in sidecar.get("jobs", {}).keys() - content["jobs"].keys():
        yield Problem(
            "jobs",
            "absent",
            f"{key[:12]}, which the sidecar says was run: {sidecar['jobs'][key].get('name')}",
        )
    listed = [entry["files"] for entry in sidecar.get("data", {}).get("encoders", {}).values()]
    for name, facts in content["encoders"].items():
        if listed and facts["files"] not in listed:
            yield Problem(f"encoders.{name}.files", facts["files"], f"as the sidecar: {listed}")


def _derived(content: dict, derive: Derive) -> Iterator[Problem]:
    """Every leaf of every derived section that is not what the evidence gives, SHOWN of each; of an
    older schema what it has."""
    known = {
        name: value for name, value in lifted(content).items() if name not in derivation.SECTIONS
    }
    again = as_of(json.loads(json.dumps(derive(known))), content["schema"])
    for section in derivation.SECTIONS:
        count = 0
        for count, problem in enumerate(
            differences(section, content[section], again[section]), start=1
        ):
            if count <= SHOWN:
                yield problem
        if count > SHOWN:
            yield Problem(section, f"{count - SHOWN} further differences", "none")


def differences(path: str, found: Any, wanted: Any, of: str = "") -> Iterator[Problem]:
    """Leaf by leaf, exactly: 0 and 0.0 differ. `of`: the nearest entry around a leaf that says
    which cell it is about."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        of = label(found) or of
        for name in dict.fromkeys([*found, *wanted]):
            yield from differences(
                f"{path}.{name}", found.get(name, "absent"), wanted.get(name, "absent"), of
            )
    elif isinstance(found, list) and isinstance(wanted, list):
        if len(found) != len(wanted):
            yield Problem(path, f"{len(found)} entries", f"{len(wanted)}", of)
        for i, (one, other) in enumerate(zip(found, wanted, strict=False)):
            yield from differences(f"{path}[{i}]", one, other, of)
    elif type(found) is not type(wanted) or found != wanted:
        yield Problem(path, found, wanted, of)


def summary(content: dict) -> str:
    """What `verify` looked at, in one line."""
    if content["schema"] < WITH_EVIDENCE:
        return (
            f"{len(content['gains'])} gains and the averages are differences and means of the"
            f" scores of {len(content['cells'])} cells; the scores cannot be recomputed, since"
            f" schema {content['schema']} holds no per-example statistics"
        )
    evidence = content["evidence"]
    numbers = sum(_numbers(content[section]) for section in derivation.SECTIONS)
    said = [one for cell in evidence["cells"] for one in cell["languages"].values()]
    examples = sum(
        length(next((vector for name, vector in one.items() if name != "facts"), ""))
        for one in said
    )
    return (
        f"{numbers:,} numbers recomputed from {examples:,} examples; {len(evidence['cells']):,}"
        f" cells complete, {len(content['jobs']):,} keys and {len(evidence['trainings']):,}"
        " trainings agree"
    )


def _numbers(value: Any) -> int:
    """Leaves that are numbers."""
    if isinstance(value, (dict, list)):
        return sum(map(_numbers, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (int, float)) and not isinstance(value, bool)
