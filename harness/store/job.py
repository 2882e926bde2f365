"""What a job's JSON says, and the key that follows from it. The planner writes it, a worker checks
it, both by this file.

The key is the hash of the job's identity: everything that decides the result (DESIGN, invariant 2),
upstream keys included. The identity is no part of the JSON, which says each thing once: it is made
of it (`identity_of`), without the names and places of data and encoder.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict, cast

from harness.common.errors import StoreError
from harness.families import FAMILIES
from harness.metrics import METRICS
from harness.spec.versions import ResultVersions
from harness.store import key_of

# Raised when the code of that job moves a result; a golden test fails when results move and these
# do not.
JOB_VERSIONS = {"train": 4, "select": 2, "pvi": 2, "evaluate": 4, "overlap": 3}
WORLD_SIZE = 1  # processes that share a job, where its recipe says nothing

# of a train job's result; dropped once all that depends on it is committed
WEIGHTS = "model.safetensors"


class RowsJson(TypedDict):
    """One split of one task: what it is (`identity`, in the key), what it is called and where it
    lies (not)."""

    name: str
    identity: dict[str, Any]
    location: list[Any]


class EncoderJson(TypedDict):
    """An encoder: what it is (`identity`, in the key), its folder and what its spec declares
    (not)."""

    name: str
    identity: dict[str, Any]
    folder: str
    declared: dict[str, Any]


class Versions(TypedDict):
    """The result-versions of a job's code. One `family` and one `metric` for each of its tasks, in
    the order in which the suite names them, which a file of sorted JSON loses."""

    version: int
    family: list[int]
    metric: list[int]
    world_size: int


class JobJson(TypedDict):
    """A job, as ROOT/jobs/KEY.json holds it. `spec` is what its kind reads: the task, the recipe,
    the seed, keys of the jobs before it. `needs` has those keys by themselves, for schedulers."""

    key: str
    kind: str
    name: str
    versions: Versions
    spec: dict[str, Any]
    needs: list[str]
    encoder: NotRequired[EncoderJson]
    # task → rows, of train, select and pvi
    train: NotRequired[dict[str, RowsJson]]
    dev: NotRequired[dict[str, RowsJson]]
    # language → rows, of evaluate and overlap
    tests: NotRequired[dict[str, RowsJson]]
    devs: NotRequired[dict[str, RowsJson]]
    # phase → rows, and the English original of parallel tests, of overlap
    trained: NotRequired[dict[str, list[RowsJson]]]
    english: NotRequired[RowsJson]


_NO_DATA = {"key", "kind", "name", "versions", "spec", "needs", "encoder"}


def versions_here(readers: Mapping[str, int]) -> ResultVersions:
    """The result-versions of the code that is installed here; `readers`: those of formats."""
    return ResultVersions(
        jobs=JOB_VERSIONS,
        families={name: family.version for name, family in FAMILIES.items()},
        metrics={name: metric.version for name, metric in METRICS.items()},
        readers=dict(readers),
        world_size=WORLD_SIZE,
    )


def described(
    kind: str,
    name: str,
    spec: dict[str, Any],
    data: dict[str, Any],
    encoder: EncoderJson | None,
    versions: ResultVersions | None = None,
) -> JobJson:
    """The JSON of a job.

    data      rows under the names that a job of this kind reads them by
    versions  those that its result has; by default what the code here gives
    """
    numbers = versions_of(kind, spec, versions or versions_here({}))
    body: dict[str, Any] = {"kind": kind, "name": name, "versions": numbers}
    body |= {"spec": spec, "needs": needs_of(kind, spec), **data}
    if encoder:
        body["encoder"] = encoder
    return cast(JobJson, body | {"key": key_of(identity_of(body))})


def versions_of(kind: str, spec: dict[str, Any], known: ResultVersions) -> Versions:
    """The result-versions of a job's code, of those that are known."""
    tasks = list(spec.get("tasks", {}).values())
    if "task" in spec:
        tasks = [spec["task"]]
    return {
        "version": known.jobs[kind],
        "family": [known.families[task["family"]] for task in tasks],
        "metric": [known.metrics[task["metric"]] for task in tasks],
        "world_size": (spec.get("recipe") or {}).get("world_size", known.world_size),
    }


def identity_of(job: JobJson | dict[str, Any]) -> dict[str, Any]:
    """What a job's key is the hash of."""
    data = {name: value for name, value in job.items() if name not in _NO_DATA}
    encoder = job.get("encoder")
    return {
        "kind": job["kind"],
        **job["versions"],
        "spec": job["spec"],
        "data": _identities(data),
        "encoder": encoder["identity"] if encoder else None,
    }


def needs_of(kind: str, spec: dict[str, Any]) -> list[str]:
    """Keys of the jobs whose results a job reads, as its spec names them."""
    if kind == "train":
        subset = (spec["rows"] or {}).get("subset")
        return [key for key in (subset, spec["init"]) if key]
    if kind == "select":
        return list(spec["models"])
    return [spec["model"]] if spec.get("model") else []


def verify_job(key: str, job: Any) -> None:
    """StoreError if what was read from the file of that key is not that job, as this version does
    it: it was edited, or comes from another version.

    A result is kept under its key for good, so a worker hashes again what it is about to do.
    """
    try:
        wrong = list(_wrong(key, job))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        wrong = [f"it has no sound {error}"]
    if wrong:
        raise StoreError(
            f"job {key[:12]}: its description is not the one that its key names"
            f" ({', '.join(wrong)}): the file jobs/{key}.json was changed, or another version of"
            " xstilts-harness wrote it. Run the command that planned it again, which rewrites it"
        )


def _wrong(key: str, job: dict[str, Any]) -> Iterator[str]:
    """Names of the result-versions that are not this code's; `key`, if the rest is another job."""
    if job["needs"] != needs_of(job["kind"], job["spec"]):
        yield "needs"

    now: dict[str, Any] = {**versions_of(job["kind"], job["spec"], versions_here({}))}
    for name, version in now.items():
        said = job["versions"][name]
        if isinstance(version, list):  # one a task, and the file sorts the tasks by name
            said, version = sorted(said), sorted(version)
        if said != version:
            yield name

    if job["key"] != key or key_of(identity_of(job)) != key:
        yield "key"


def _identities(data: Any) -> Any:
    """Job data without names and locations: what the rows are, not where they lie."""
    if isinstance(data, list):
        return [_identities(value) for value in data]
    if not isinstance(data, dict):
        return data
    if "identity" in data:
        return data["identity"]
    return {name: _identities(value) for name, value in data.items()}
