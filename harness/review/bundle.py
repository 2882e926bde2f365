"""One release with all that scores it again or reruns it, in one file that a reviewer unpacks.

    RELEASE-bundle/
        README.md                  the commands: check, score again, rerun
        SHA256SUMS                 of every other file, for `sha256sum -c`
        runs/board/releases/       the release and its sidecar: a board of one
        specs/builtin, specs/own   the YAML files that lead to its keys: the harness's, and those of
                                   the user's own folders
        requirements*.lock         Python packages, where the harness runs from a checkout
        xstilts.lock.json          revision and SHA-256 of everything that was read, as `--lock`
                                   reads it
        runs/store/results/KEY/    what its jobs left, without weights: a store in which `eval`
                                   finds all of it cached

Nothing goes in on trust: specs and data here must give the release's keys, the store its evidence,
every file its own hash. One release and one store give the same bytes. In it are no rows of any
task, and no path of this machine.
"""

import copy
import gzip
import hashlib
import io
import json
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from harness.common.errors import MissingError, SpecError, StoreError
from harness.engines.drive import refusals
from harness.plan.graph import Plan
from harness.plan.planner import make_plan
from harness.release import collect
from harness.release.comparer import ABSENT, differences, named
from harness.release.document import content_bytes, is_listed
from harness.release.places import ABSOLUTE
from harness.review.bundle_page import LOCK, PACKAGES, SUMS, page
from harness.sources.hub import Lock, Where
from harness.sources.lock import read_lock, write_lock
from harness.spec.catalog import Catalog, builtin_root
from harness.spec.changes import with_user_tasks, without
from harness.spec.suite import Suite
from harness.store import HashIndex, Manifest, Store, disk_errors, draft_of, flush, key_of
from harness.store.files import seal
from harness.store.job import WEIGHTS
from harness.store.results import MANIFEST

SHOWN = 10  # differences, or names, in a message
Part = Callable[[], bytes]  # a file of the bundle, read when its turn comes
# Fields of specs that name tasks or a protocol, or map their names.
NAMING = {
    "task",
    "tasks",
    "targets",
    "protocol",
    "variant_of",
    "task_caps",
    "cuts",
    "settings",
    "changes",
}
# Of the command in a sidecar: values of options that are paths. Anywhere in it: absolute paths,
# which older sidecars have.
_OPTION = re.compile(
    r"(?<!\S)(--(?:data-root|encoder-root|specs|tasks|store|board|lock)|-t)[ =].*?(?= -|$)"
)


class Opened(NamedTuple):
    """A release as a board holds it: its name (0006-mini), the file's bytes, what they say, and its
    sidecar."""

    name: str
    data: bytes
    content: dict[str, Any]
    sidecar: dict[str, Any]


def opened(path: Path, content: dict[str, Any], sidecar: dict[str, Any]) -> Opened:
    """The release of that file, by a name that a board lists: its own, or 0001-SUITE where the file
    has no number.

    StoreError if its sidecar is not its own.
    """
    if sidecar.get("content_sha256") != key_of(content):
        beside = path.with_suffix(".env.json").name
        raise StoreError(
            f"{path}: its sidecar {beside} is gone or of another content; restore both from version"
            " control"
        )
    name = path.stem if is_listed(path) else f"0001-{content['suite']['name']}"
    return Opened(name, path.read_bytes(), content, sidecar)


def bundle(release: Opened, catalog: Catalog, where: Where, store: Store | None) -> dict[str, Part]:
    """Path in the bundle → what gives its bytes; `write` adds SHA256SUMS. `store` None: without
    predictions.

    raises  MissingError: data or weights are not here, or the release's results are not in the
            store SpecError: specs and data here lead to other keys or facts than the release's
    """
    # every file is hashed anew: no index of hashes is believed
    with tempfile.TemporaryDirectory() as scratch:
        plan = plan_of(release.content, catalog, where, HashIndex(Path(scratch, "files.json")))
        _check_specs(release, plan)
        lock = _lock(release.sidecar, where, Path(scratch, LOCK))
    files = _specs(release.content, catalog) | {LOCK: lambda: lock}
    at = f"runs/board/releases/{release.name}"
    files |= {
        f"{at}.json": lambda: release.data,
        f"{at}.env.json": lambda: content_bytes(_no_paths(release.sidecar)),
    }
    for name in PACKAGES:
        if (packages := builtin_root() / name).is_file():
            files[name] = packages.read_bytes
    if store is not None:
        _check_store(release, plan, store)
        files |= _results(release.content, store)
    joined = bool(_suite(release.content, catalog)[1])
    text = page(
        release.name, release.content, release.sidecar, json.loads(lock), files, catalog, joined
    )
    return files | {"README.md": text.encode}


# What a release was made from, as it is here


def plan_of(content: dict[str, Any], catalog: Catalog, where: Where, index: HashIndex) -> Plan:
    """The plan of a release's suite with specs and data as they are here: without what it left out,
    with the user's tasks that joined it, and no others. SpecError if a suite or task of it is not
    here."""
    suite, joined = _suite(content, catalog)
    if unknown := [name for name in joined if ("task", name) not in catalog.user]:
        raise SpecError(
            f"the release has {', '.join(unknown)}, which suite {suite.suite} here has not and no"
            " YAML file of yours defines; give their folder with --specs, or the suite as it was"
        )
    if joined:
        theirs = copy.copy(catalog)
        theirs.user = {("task", name) for name in joined}
        suite = with_user_tasks(suite, theirs)
    return make_plan(suite, catalog, where, index)


def _suite(content: dict[str, Any], catalog: Catalog) -> tuple[Suite, list[str]]:
    """The suite as its file says now, less what the release left out; and tasks and arms that the
    release has beyond it."""
    said = content["suite"]
    suite = catalog.suite(said["name"])
    suite = without(suite, said["left_out"]) if said["left_out"] else suite
    named = {*content["arms"], *(facts["task"] for facts in content["targets"].values())}
    return suite, sorted(named - {*suite.targets, *(arm.name for arm in suite.arms)})


def _check_specs(release: Opened, plan: Plan) -> None:
    if plan.blocked:
        raise MissingError(
            "\n".join(
                [
                    *plan.blocked,
                    "without them it cannot be told whether specs here lead to the release",
                ]
            )
        )
    # What the plan was made from says why all that follows from it, every key, is another one.
    inputs = {"inputs": plan.inputs.model_dump(mode="json")}
    for now in (inputs, collect.declared(plan).document()):
        then = {name: release.content.get(name, ABSENT) for name in now}
        if found := list(_changes(then, now)):
            break
    if found:
        raise SpecError(
            "specs, data or code here no longer lead to release"
            f" {release.name}:\n{_some(found)}\ncheck out the version in which it was made, or make"
            f" a new release (xstilts-harness eval --suite {plan.suite.suite})"
        )


def _check_store(release: Opened, plan: Plan, store: Store) -> None:
    """The store has every result of the release, and they are those it was made from, not the same
    keys computed elsewhere."""
    refused = refusals(plan, store)
    advice = (
        "give --store DIR, the store in which the release was made; or --without-predictions, for a"
        " bundle that can be checked and rerun, but not scored again"
    )
    wanted = [
        *release.sidecar.get("jobs", {}),
        *(job.key for job in plan.todo(store, frozenset(refused))),
    ]
    lacking = [
        plan.jobs[key].name
        for key in dict.fromkeys(wanted)
        if key in plan.jobs and store.manifest(key) is None
    ]
    if lacking:
        count = f"{len(lacking)} of the {len(plan.jobs)} results of release {release.name}"
        raise MissingError(f"{store.root} lacks {count}:\n{_some(lacking)}\n{advice}")
    now = collect.evidence(plan, store, refused).model_dump(mode="json")
    if found := list(_changes({"evidence": release.content["evidence"]}, {"evidence": now})):
        raise MissingError(
            f"{store.root} has results under the keys of release {release.name}, but of another"
            f" run:\n{_some(found)}\n{advice}"
        )


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """What differs, by section. A field that the release does not know and that says nothing here
    is no difference."""
    for section in new:
        for one in differences(old[section], new[section], (section,)):
            if one.before != ABSENT or one.after not in (None, False, 0, "", [], {}):
                where = named(one.path, one.of)
                yield f"{where}: {one.before!r:.80} in the release, {one.after!r:.80} here"


def _some(lines: list[str]) -> str:
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join(f"  {line}" for line in [*lines[:SHOWN], *more])


# The files


def _specs(content: dict[str, Any], catalog: Catalog) -> dict[str, Part]:
    """The YAML files of suite and encoders, and of every task and protocol that they lead to,
    left-out ones too: a suite that names an unknown task does not load. Those of the user's folders
    lie in one folder, for `--specs`."""
    suite, joined = content["suite"]["name"], _suite(content, catalog)[1]
    waiting = [("suite", suite), *(("task", name) for name in joined)]
    found = dict.fromkeys(("encoder", name) for name in content["encoders"])
    while waiting:
        kind, name = waiting.pop()
        if (kind, name) not in found:
            found[kind, name] = None
            said = getattr(catalog, f"{kind}s")[name].model_dump()
            waiting += [
                (k, word)
                for word in _names(said)
                for k in ("task", "protocol")
                if (k, word) in catalog.sources
            ]
    files: dict[str, Part] = {}
    for kind, name in sorted(found):
        path = catalog.sources[kind, name].path
        at = (
            f"specs/own/{path.name}"
            if (kind, name) in catalog.user
            else f"specs/builtin/{kind}s/{path.name}"
        )
        for file in _files_named(getattr(catalog, f"{kind}s")[name].model_dump()):
            if file.startswith(("/", "~")):
                raise SpecError(
                    f"{path}: {file} is a path of this machine; name it relative to the YAML file"
                    " or to --data-root"
                )
        files[f"specs/own/{kind}-{name}.yaml" if at in files else at] = path.read_bytes
    return files


def _names(value: Any) -> Iterator[str]:
    """Tasks and protocols that a spec names, among other names."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name in NAMING:
                yield from [one] if isinstance(one, str) else one or ()
            yield from _names(one)
    elif isinstance(value, list):
        for one in value:
            yield from _names(one)


def _files_named(value: Any) -> Iterator[str]:
    """Files that a spec names, in any of its sources."""
    if isinstance(value, dict):
        yield from (
            value[name] for name in ("files", "label_file") if isinstance(value.get(name), str)
        )
    if isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _files_named(one)


def _results(content: dict[str, Any], store: Store) -> dict[str, Part]:
    """Files of every result that is there: a refused cell has none. Each is hashed when it is
    read."""
    files: dict[str, Part] = {}
    for manifest in filter(None, map(store.manifest, content["jobs"])):
        at, light = f"runs/store/results/{manifest.key}", _without_weights(manifest)
        files[f"{at}/{MANIFEST}"] = partial(seal, asdict(light))
        files |= {f"{at}/{name}": partial(_read, store, manifest.key, name) for name in light.files}
    return files


def _without_weights(manifest: Manifest) -> Manifest:
    """The manifest as `Store.drop` leaves it."""
    files = {name: entry for name, entry in manifest.files.items() if name != WEIGHTS}
    weights = {name: entry for name, entry in manifest.files.items() if name == WEIGHTS}
    return replace(
        manifest, files=files, dropped=manifest.dropped | weights, meta=_no_paths(manifest.meta)
    )


def _read(store: Store, key: str, name: str) -> bytes:
    return store.path(key, name).read_bytes()


def _lock(sidecar: dict[str, Any], where: Where, at: Path) -> bytes:
    """What the release's run read, as a lock file. Where the run could not know a commit, that of
    the lock which names the same files is taken."""
    entries: dict[str, dict[str, Any]] = {}
    for section, names in (sidecar.get("data") or {}).items():
        for name, entry in names.items():
            known = (
                where.lock.entry(section, name) if where.lock else {"revision": None, "files": {}}
            )
            same = all(known["files"].get(path) == sha for path, sha in entry["files"].items())
            revision = entry["revision"] or (known["revision"] if same else None)
            entries.setdefault(section, {})[name] = {"revision": revision, "files": entry["files"]}
    write_lock(Lock(at, entries))
    read_lock(at)  # whoever edited the sidecar hears of it now
    return at.read_bytes()


def _no_paths(value: Any) -> Any:
    """The same document with paths of this machine, in the command and in messages, replaced by
    PATH."""
    if isinstance(value, dict):
        return {name: _no_paths(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_no_paths(one) for one in value]
    return ABSOLUTE.sub("PATH", _OPTION.sub(r"\1 PATH", value)) if isinstance(value, str) else value


# The archive


def write(out: Path, folder: str, files: dict[str, Part]) -> tuple[int, int]:
    """Write `files` and their SHA256SUMS as a .tar.gz, everything under `folder`: (files, bytes).
    Whole or not at all.

    raises  StoreError: it cannot be written.  DamagedError: a result is not what its manifest says
    """
    with disk_errors("write the bundle", out), draft_of(out) as draft:
        # No name and no time in the header of either: the same files give the same bytes.
        with (
            draft.open("xb") as raw,
            gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w|") as tar,
        ):
            sums = [f"{_add(tar, folder, name, files[name]())}  {name}\n" for name in sorted(files)]
            _add(tar, folder, SUMS, "".join(sums).encode())
        flush(draft)
        draft.replace(out)
    return len(files) + 1, out.stat().st_size


def _add(tar: tarfile.TarFile, folder: str, name: str, data: bytes) -> str:
    """Add a file of nobody, of no time; its SHA-256."""
    entry = tarfile.TarInfo(f"{folder}/{name}")  # 0644, root, time 0
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))
    return hashlib.sha256(data).hexdigest()
