"""Do the rows that jobs read agree: with the suite's caps and cuts, with the list of files, and
with the check for overlap?

Rows that were trained on or tested on stand twice in a release, in the job that read them and in
the overlap job that compared them; so a change in one of the two shows, although each is a hash of
nothing but itself.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from harness.release.complete import Problem, label, must
from harness.release.evidence import data_of, hashes, leaves
from harness.spec.task import split_parts
from harness.store import key_of

ENGLISH = "en"


class Use(NamedTuple):
    """Rows that a job reads. `names`: the task whose rows they should be, and the one after which
    its cap may be named too. `cut`: that of the rows' task, of the suite or of the arm that trains
    on them."""

    path: str
    rows: dict
    phase: str
    language: str | None
    names: tuple[str, ...]
    whole: bool  # all of them, whatever the suite caps: what a subset is chosen from
    cut: dict


def read(content: dict) -> Iterator[Problem]:
    """All that contradicts something else in the document."""
    for check in (_caps_and_cuts, _shapes, _files, _overlaps):
        yield from check(content)


def named_cap(content: dict, phase: str, *names: str) -> int | None:
    """The cap that the suite names for the first of these tasks that it names, else for all."""
    suite = content["suite"]
    return next(
        (suite["task_caps"][name] for name in names if name in suite["task_caps"]), suite["caps"]
    )[phase]


def _uses(content: dict) -> Iterator[Use]:
    """Rows of trainings and evaluations. A training may serve several targets (XQuAD and MLQA):
    once for each."""
    serves: dict[str, set[str]] = {}
    for cell in content["evidence"]["cells"]:
        task = content["targets"][cell["target"]]["task"]
        for key in (cell["key"], cell["trained"]):
            serves.setdefault(key, set()).add(task)
    cuts, own = content["suite"]["cuts"], _arm_cuts(content)
    for key, job in content["jobs"].items():
        data, spec = data_of(content, job), job["spec"]
        if job["kind"] == "train":
            whole = bool(spec["rows"]) or spec["watch"]
            for phase in ("train", "dev"):
                for task, rows in data[phase].items():
                    path = f"jobs.{key[:12]}: rows.{job['data']}.{phase}.{task}"
                    for target, cut in product(serves.get(key, {task}), own.get(key) or [None]):
                        yield Use(
                            path,
                            rows,
                            phase,
                            None,
                            (target, task),
                            whole and phase == "train",
                            cut or cuts.get(task, {}),
                        )
        if job["kind"] == "evaluate":
            for phase, kind in (("test", "tests"), ("dev", "devs")):
                for language, rows in data.get(kind, {}).items():
                    path = f"jobs.{key[:12]}: rows.{job['data']}.{kind}.{language}"
                    for target in serves[key]:
                        yield Use(
                            path, rows, phase, language, (target,), False, cuts.get(target, {})
                        )


def _arm_cuts(content: dict) -> dict[str, list[dict | None]]:
    """Trainings of arms' intermediates, and those that rank the rows of a subset → each arm's own
    cut; None: it has none."""
    jobs, found = content["jobs"], {}
    for arm in content["arms"].values():
        for run in arm["trained"]:
            part = jobs[run["key"]]["spec"]["rows"] or {}
            ranking = jobs[part["subset"]]["spec"]["models"] if "subset" in part else []
            for key in (run["key"], *ranking):
                found.setdefault(key, []).append(arm["cut"])
    return found


def _caps_and_cuts(content: dict) -> Iterator[Problem]:
    """Rows are capped as the suite says, and cut to the splits that it names; those of an arm with
    a cut of its own to that."""
    suite = content["suite"]
    for use in _uses(content):
        allowed = (
            {None}
            if use.whole
            else {
                named_cap(content, use.phase, *use.names),
                named_cap(content, use.phase, use.names[-1]),
            }
        )
        # a spec may take them from another task
        if use.phase != "train" and use.names[0] not in suite["task_caps"]:
            allowed |= {caps[use.phase] for caps in suite["task_caps"].values()}
        if use.rows["cap"] not in allowed:
            yield Problem(f"{use.path}.cap", use.rows["cap"], " or ".join(map(str, allowed)))
        for leaf in leaves(use.rows) if "union" in use.rows else []:
            yield from must(f"{use.path}.union.cap", leaf["cap"], None)
        cut = use.cut.get(use.phase) if len(set(use.names)) == 1 or use.phase == "train" else None
        if cut and cut.get("split"):
            wanted = [
                {"split": part.name, "start": part.start, "stop": part.stop}
                for part in split_parts(cut["split"])
            ]
            for leaf in leaves(use.rows):
                found = [
                    {name: part[name] for name in ("split", "start", "stop")}
                    for part in leaf["parts"]
                ]
                yield from must(f"{use.path}.parts", found, wanted)


def _shapes(content: dict) -> Iterator[Problem]:
    """The splits of one task have one family and the same columns and labels; its languages the
    same split."""
    shapes: dict[str, Any] = {}
    owners = _owners(content)
    for use in _uses(content):
        for leaf in leaves(use.rows):
            shape = {name: leaf[name] for name in ("family", "columns", "labels")}
            named = owners.get(tuple(hashes(leaf)), set()) & set(use.names)
            if len(named) == 1:  # two tasks may read one file, each in its own way
                yield from must(
                    use.path, shape, shapes.setdefault(named.pop(), shape), "other rows of the task"
                )
            if use.language and "union" not in use.rows:
                same = [
                    len(leaf["parts"]),
                    *({n: part[n] for n in ("split", "start", "stop")} for part in leaf["parts"]),
                ]
                same += [
                    leaf["unless"],
                    sorted(leaf["where"]),
                    leaf.get("numbering", {}).get("rows"),
                ]
                wanted = shapes.setdefault(f"{use.names[0]} {use.phase}", same)
                yield from must(f"{use.path}.parts", same, wanted, "other languages of the target")


def _owners(content: dict) -> dict[tuple[str, ...], set[str]]:
    """File hashes → the tasks whose rows those are, by the names in `data` ("xnli test de")."""
    owners: dict[tuple[str, ...], set[str]] = {}
    for name, files in content["data"].items():
        owners.setdefault(tuple(files), set()).add(name.split(" ")[0])
    return owners


def _files(content: dict) -> Iterator[Problem]:
    """`data` lists the files of all rows that jobs read, and no others; a test of a language stands
    under its language."""
    listed = {tuple(files): name for name, files in content["data"].items()}
    found = set()
    for use in _uses(content):
        files = hashes(use.rows)
        names = [name for name, known in content["data"].items() if known == files]
        wanted = f" {use.phase} {use.language or ''}"
        if not any(name.endswith(wanted) if use.language else wanted in name for name in names):
            yield Problem(use.path, files, f"files that `data` lists as{wanted}")
        found.add(tuple(files))
    for use in content["rows"].values():  # what only the overlap job reads
        found |= {
            tuple(hashes(rows)) for several in use.get("trained", {}).values() for rows in several
        }
    for files in listed.keys() - found:
        yield Problem(f"data.{listed[files]}", list(files), "the files of rows that some job reads")


def overlap_keys(content: dict) -> dict[tuple[str, str], str]:
    """(arm, target) → key of the job that compared what is trained on with what is tested on;
    absent where there is none."""
    known = {}
    for key, job in content["jobs"].items():
        if job["kind"] == "overlap":
            data = data_of(content, job)
            known.setdefault(key_of({name: data[name] for name in ("trained", "tests")}), key)
    found = {}
    for cell in content["evidence"]["cells"]:
        wanted = _compared(content, cell)
        if wanted and (key := known.get(key_of(wanted))):
            found[cell["arm"], cell["target"]] = key
    return found


def _compared(content: dict, cell: dict) -> dict | None:
    """What the overlap job of a cell reads, from the jobs that the cell names; None where nothing
    is trained."""
    trained = {}
    for phase, key in (("intermediate", cell["intermediate"]), ("target", cell["trained"])):
        if key:
            rows = data_of(content, content["jobs"][key])["train"].values()
            trained[phase] = [
                {name: value for name, value in one.items() if name != "as_text"} for one in rows
            ]
    return (
        {"trained": trained, "tests": data_of(content, content["jobs"][cell["key"]])["tests"]}
        if trained
        else None
    )


def _overlaps(content: dict) -> Iterator[Problem]:
    """Each trained cell has its overlap job, which read the same rows; of a parallel target also
    the English test."""
    found = overlap_keys(content)
    for i, cell in enumerate(content["evidence"]["cells"]):
        target = content["targets"][cell["target"]]
        if not _compared(content, cell):
            continue
        key = found.get((cell["arm"], cell["target"]))
        if key is None:
            wanted = "an overlap job that read the rows of this cell's trainings and tests"
            yield Problem(f"evidence.cells[{i}]", "none", wanted, label(cell))
            continue
        data = data_of(content, content["jobs"][key])
        path = f"rows.{content['jobs'][key]['data']}.english"
        if target["parallel"] and ENGLISH in target["languages"]:
            yield from must(
                path, data.get("english"), data["tests"][ENGLISH] | {"cap": None}, label(cell)
            )
        elif not target["parallel"]:
            yield from must(path, data.get("english"), None, label(cell))
