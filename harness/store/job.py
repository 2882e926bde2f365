"""What a job's JSON says, and the key that follows from it. The planner writes it, a worker checks
it, both by this file.

A job is {"key", "kind", "name", "identity", "spec", "needs"}, the data it reads under names of its
kind ("train", "dev", "tests", ...), and "encoder" if it has one. `identity` is what the key is the
hash of: everything that decides the result (DESIGN, invariant 2), upstream keys included. Paths are
beside it: where the rows lie, not what they are.
"""

from typing import Any

from harness.common.errors import StoreError
from harness.metrics import METRIC_VERSIONS
from harness.spec.family import FAMILIES
from harness.store import key_of

# Raised when the code of that job moves a result; a golden test fails when results move and these
# do not.
JOB_VERSIONS = {"train": 3, "select": 1, "pvi": 1, "evaluate": 3, "overlap": 3}
WORLD_SIZE = 1  # processes that share one training job

# of a train job's result; dropped once all that depends on it is committed
WEIGHTS = "model.safetensors"

_NO_DATA = {"key", "kind", "name", "identity", "spec", "needs", "encoder"}


def described(
    kind: str, name: str, spec: dict, data: dict, encoder: dict | None, order: dict | None = None
) -> dict:
    """The JSON of a job.

    encoder   as `FoundEncoder.to_json` gives it
    order     an identity in whose order the versions of several tasks stand: JSON sorts the tasks
              of a mixture by name
    """
    identity = _identity(kind, spec, data, encoder)
    for part in ("family", "metric"):
        if order and sorted(order[part]) == sorted(identity[part]):
            identity[part] = order[part]
    body = {"key": key_of(identity), "kind": kind, "name": name, "identity": identity, "spec": spec}
    body |= {"needs": needs_of(kind, spec), **data}
    return body | ({"encoder": encoder} if encoder else {})


def needs_of(kind: str, spec: dict) -> list[str]:
    """Keys of the jobs whose results a job reads, as its spec names them."""
    if kind == "train":
        subset = (spec["rows"] or {}).get("subset")
        return [key for key in (subset, spec["init"]) if key]
    if kind == "select":
        return list(spec["models"])
    return [spec["model"]] if spec.get("model") else []


def check(key: str, job: dict) -> None:
    """StoreError if that job is not the one whose key it stands under: its file was edited, or
    comes from another version.

    A result is kept under its key for good, so a worker hashes again what it is about to do.
    """
    try:
        data = {name: value for name, value in job.items() if name not in _NO_DATA}
        right = described(
            job["kind"], job["name"], job["spec"], data, job.get("encoder"), order=job["identity"]
        )
        wrong = _differences(job, right)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        wrong = [f"it has no sound {error}"]
    else:
        if right["key"] != key:
            wrong = wrong or ["key"]
    if wrong:
        raise StoreError(
            f"job {key[:12]}: its description is not the one that its key names"
            f" ({', '.join(wrong)}): the file jobs/{key}.json was changed, or another version of"
            " xstilts-harness wrote it. Run the command that planned it again, which rewrites it"
        )


def _differences(job: dict, right: dict) -> list[str]:
    """Names of the parts in which two descriptions differ; of `identity` those inside it."""
    found = [
        name for name in right if name not in ("key", "identity") and job.get(name) != right[name]
    ]
    before = job["identity"]
    return found + [
        name
        for name in {**before, **right["identity"]}
        if before.get(name) != right["identity"].get(name)
    ]


def _identity(kind: str, spec: dict, data: dict, encoder: dict | None) -> dict:
    tasks = (
        list(spec["tasks"].values())
        if "tasks" in spec
        else [spec["task"]]
        if "task" in spec
        else []
    )
    return {
        "kind": kind,
        "version": JOB_VERSIONS[kind],
        "family": [FAMILIES[task["family"]].version for task in tasks],
        "metric": [METRIC_VERSIONS[task["metric"]] for task in tasks],
        "world_size": WORLD_SIZE,
        "spec": spec,
        "data": _identities(data),
        "encoder": encoder["identity"] if encoder else None,
    }


def _identities(data: Any) -> Any:
    """Job data without names and locations: what the rows are, not where they lie."""
    if isinstance(data, dict):
        return (
            data["identity"]
            if "identity" in data
            else {name: _identities(value) for name, value in data.items()}
        )
    return [_identities(value) for value in data] if isinstance(data, list) else data
