"""README.md of a bundle: which commands its reader types, and what stands in the files beside
it."""

from collections.abc import Iterable, Iterator
from typing import Any

from harness.common.text import markdown
from harness.sources.lock import DEFAULT
from harness.spec.catalog import Catalog

SUMS = "SHA256SUMS"
PACKAGES = ["requirements.lock", "requirements-torch.lock"]
LOCK = DEFAULT.name
README = """\
# Release {name}, to be checked

{about}
{cells} cells from {jobs} jobs, made by xstilts-harness {version}. Run everything in the folder
of this page.
First, are these the files that were packed?

    sha256sum -c {sums}

## Install

{install}
{packages}

## Check the numbers, without data or torch

Every score, gain and interval, computed again from the evidence that the release holds for each
test row:

    xstilts-harness leaderboard verify {name}
    xstilts-harness leaderboard show {name}

## Score the predictions again

{rescore}
## Rerun from nothing

    xstilts-harness eval {run} --store rerun/store --board rerun/board
    xstilts-harness leaderboard compare {name} rerun/board/releases/0001-{suite}.json

On other hardware answers differ a little. `compare` says what it holds exactly, what within a
tolerance, and what differs.

## Data and encoders

{data}
Commands that run in this folder read `{lock}`, which names each file that was read: one with
another SHA-256 is an error.
`eval` fetches from the hub what is not here. An encoder can also come from a folder:
`--encoder-root DIR`.

| what | name | commit | files |
| --- | --- | --- | --- |
{read}

## Specs and environment

`specs/builtin` are the harness's own YAML files as they were when this was packed. Where the
installed ones have changed since,
`eval` has other keys and finds nothing in the store: copy these over them.{own}

The numbers were computed on:

{environments}

In the sidecar PATH stands for paths of the machine that wrote it.

## Licences

No rows of any task are here. Predictions of question answering are spans of the data's texts,
so the data's licences apply:

{licences}
"""
RESCORE = """\
From what the models answered and the gold rows; then the whole suite, which finds every result
in the store and ends with
`the same content as before`:

    xstilts-harness leaderboard verify {name} --data {data}{tasks}
    xstilts-harness eval {run}
"""
NO_PREDICTIONS = "Not with this bundle: it was made `--without-predictions`.\n"
MADE = "The rows are made at run time, by the harness."
DATA = (
    "`DATA` is a folder in the hub's layout; `.` will do where all rows are in the hub cache. Own"
    " rows of tasks go there too."
)


def page(
    name: str,
    content: dict[str, Any],
    sidecar: dict[str, Any],
    lock: dict[str, Any],
    files: Iterable[str],
    catalog: Catalog,
    everything: bool = False,
) -> str:
    """The page's text.

    lock        what was read, as the lock file says it
    files       paths in the bundle
    everything  tasks of the user's own folders joined the suite: `--all`
    """
    files, suite = list(files), content["suite"]["name"]
    code = sidecar.get("harness", {})
    made = not (lock["datasets"] or lock["tasks"])
    tasks = " --specs specs/own" if any(file.startswith("specs/own/") for file in files) else ""
    more = ["--all"] * everything + [f"--without {left}" for left in content["suite"]["left_out"]]
    run = " ".join([f"--suite {suite}{tasks}", *more, *([] if made else ["--data-root DATA"])])
    rescore = RESCORE.format(name=name, data="." if made else "DATA", tasks=tasks, run=run)
    return README.format(
        name=name,
        about=markdown(content["suite"]["about"]),
        cells=len(content["cells"]),
        jobs=len(content["jobs"]),
        version=code.get("version") or "of unknown version",
        sums=SUMS,
        rescore=rescore
        if any(file.startswith("runs/store/") for file in files)
        else NO_PREDICTIONS,
        install=_install(code),
        packages=(
            f"`pip install --no-deps -r {' -r '.join(PACKAGES)}` gives the packages."
            if PACKAGES[0] in files
            else "The environment stands below."
        ),
        run=run,
        suite=suite,
        data=MADE if made else DATA,
        lock=LOCK,
        read="\n".join(_read(lock)),
        own=" `specs/own` are those of the user's folders." if tasks else "",
        environments="\n".join(_environments(sidecar)),
        licences="\n".join(_licences(content, catalog)),
    )


def _install(code: dict[str, Any]) -> str:
    """What to install, as far as the release's sidecar says."""
    version, commit = code.get("version"), code.get("commit")
    what = f"xstilts-harness {version}, the version named above" if version else "xstilts-harness"
    if not commit:
        return (
            f"Install {what}, from where you got this bundle: the release says no more of its code"
            " than that."
        )
    changed = (
        " Its code or specs had changes that are in no commit: what they were, the release does not"
        " say."
    )
    return (
        f"Install {what}, of commit\n{commit}, from where you got this"
        f" bundle.{changed * bool(code.get('changed'))}"
    )


def _read(lock: dict[str, Any]) -> Iterator[str]:
    for section in ("datasets", "encoders", "tasks"):
        for name, entry in sorted(lock[section].items()):
            commit = (
                "own rows, not in this bundle"
                if section == "tasks"
                else entry["revision"] or "not known"
            )
            yield f"| {section} | {markdown(name)} | {markdown(commit)} | {len(entry['files'])} |"


def _environments(sidecar: dict[str, Any]) -> Iterator[str]:
    for facts in sidecar.get("environments", []):
        yield "- " + ", ".join(markdown(f"{name} {value}") for name, value in sorted(facts.items()))


def _licences(content: dict[str, Any], catalog: Catalog) -> Iterator[str]:
    for name in sorted({facts["task"] for facts in content["targets"].values()}):
        about = catalog.task(name).about
        yield "- " + markdown(
            f"{name}: {about.licence or 'none in its YAML file'}"
            + (f" ({about.url})" if about.url else "")
        )
