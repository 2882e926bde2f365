"""Do a release's keys, and the jobs that they name, agree with what the release says of itself?

A key is the hash of its job, the job names rows, recipe, seed and the jobs before it; the declared
facts say the same in other words, and rows stand both in the training that read them and in the
check for overlap. Everything is held against everything, so that a change in one place shows in
another, whoever hashed it again.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from harness.families import FAMILIES
from harness.metrics import METRICS
from harness.plan.planner import FOLDS
from harness.release.complete import Problem, label, length, must
from harness.release.rows_read import data_of, named_cap, overlap_keys
from harness.spec.recipe import Recipes
from harness.store import key_of


def agreement(content: dict) -> Iterator[Problem]:
    """All that contradicts something else in the document."""
    for check in (_keys, _cells, _arms, _trainings, _measures, _parts, _versions, _needed):
        yield from check(content)


def upstream(job: dict) -> list[str]:
    """Keys of the jobs whose results a job reads."""
    spec = job["spec"]
    found = [
        spec.get("init"),
        spec.get("model"),
        (spec.get("rows") or {}).get("subset"),
        *spec.get("models", []),
    ]
    return [key for key in found if key]


def identity(content: dict, job: dict) -> dict:
    """What a job's key is the hash of."""
    encoder = content["encoders"][job["encoder"]] if job["encoder"] else None
    encoder = encoder and {name: encoder[name] for name in ("files", "max_length")}
    return {**job, "data": content["rows"][job["data"]], "encoder": encoder}


def _keys(content: dict) -> Iterator[Problem]:
    for reference, rows in content["rows"].items():
        yield from must(f"rows.{reference}", reference, key_of(rows)[:16])
    for key, job in content["jobs"].items():
        yield from must(f"jobs.{key[:12]}", key, key_of(identity(content, job)), job["kind"])


def _cells(content: dict) -> Iterator[Problem]:
    """Each cell: its evaluation reads its training, which starts from its intermediate; encoder,
    seed, phase, version agree."""
    jobs = content["jobs"]
    read: dict[tuple, str] = {}
    for i, cell in enumerate(content["evidence"]["cells"]):
        path, of, target = f"evidence.cells[{i}]", label(cell), content["targets"][cell["target"]]
        job = jobs[cell["key"]]
        part = job["spec"]["task"]
        facts = {"kind": job["kind"], "encoder": job["encoder"], "model": job["spec"]["model"]}
        facts |= {name: part[name] for name in ("family", "version", "metric")}
        model = cell["trained"] or cell["intermediate"]
        wanted = {"kind": "evaluate", "encoder": cell["encoder"], "model": model}
        wanted |= {name: target[name] for name in ("family", "version", "metric")}
        yield from must(f"{path}.key", facts, wanted, of)
        yield from must(
            f"{path}.languages",
            sorted(data_of(content, job)["tests"]),
            sorted(target["languages"]),
            of,
        )
        yield from must(
            f"{path}.key", job["data"], read.setdefault(("test", cell["target"]), job["data"]), of
        )
        for phase, key, init in (
            ("target", cell["trained"], cell["intermediate"]),
            ("intermediate", cell["intermediate"], None),
        ):
            if key:
                spec = jobs[key]["spec"]
                facts = [
                    jobs[key]["kind"],
                    jobs[key]["encoder"],
                    spec["phase"],
                    spec["seed"],
                    spec["init"],
                ]
                yield from must(
                    f"{path}.{phase}",
                    facts,
                    ["train", cell["encoder"], phase, cell["seed"], init],
                    of,
                )
                same = read.setdefault(
                    (phase, cell["target" if phase == "target" else "arm"]), jobs[key]["data"]
                )
                yield from must(f"{path}.{phase}", jobs[key]["data"], same, of)


def _arms(content: dict) -> Iterator[Problem]:
    """Each intermediate training is what its arm says: tasks, versions, sampler, control, subset;
    recipes of all trainings."""
    jobs, recipes = content["jobs"], Recipes.model_validate(content["suite"]["recipes"])

    def recipe(path: str, key: str, *asked) -> Iterator[Problem]:
        found, wanted = jobs[key]["spec"]["recipe"], recipes.of(*asked).model_dump()
        if jobs[key]["spec"]["control"]:  # a control keeps its last weights, see plan._intermediate
            wanted |= {"evaluations": 1, "evaluate_every": None}
        yield from must(f"{path}.recipe", found, {name: wanted[name] for name in found})

    for name, arm in content["arms"].items():
        for run in arm["trained"]:
            path, spec = f"jobs.{run['key'][:12]}.spec", jobs[run["key"]]["spec"]
            facts = {
                "tasks": list(spec["tasks"]),
                "versions": {task: part["version"] for task, part in spec["tasks"].items()},
            }
            facts |= {
                "sampler": spec["sampler"],
                "control": spec["control"],
                "watch": spec["watch"],
            }
            families = sorted({part["family"] for part in spec["tasks"].values()})
            wanted = {
                "tasks": arm["intermediate"],
                "versions": arm["versions"],
                "sampler": arm["sampler"],
            }
            # another wording is trained as any task
            control = None if arm["control"] == "variant" else arm["control"]
            yield from must(path, facts, wanted | {"control": control, "watch": False}, name)
            yield from must(
                path, families, ["mlm"] if arm["control"] == "masked_lm" else arm["families"], name
            )
            alone = arm["intermediate"] if len(arm["intermediate"]) == 1 else []
            yield from recipe(path, run["key"], "intermediate", None, [*alone, name])
            yield from must(f"{path}.rows", bool(spec["rows"]), bool(arm["subset"]), name)
            if not arm["subset"]:
                continue
            select = jobs[spec["rows"]["subset"]]
            facts = [select["kind"], select["spec"]["subset"], select["spec"]["seed"]]
            yield from must(
                f"{path}.rows.subset", facts, ["select", arm["subset"], run["seed"]], name
            )
            yield from must(
                f"{path}.rows.subset.cap",
                select["spec"]["cap"],
                named_cap(content, "train", alone[0]),
                name,
            )
            ways = _ways(arm["subset"]["by"])
            found = [
                (jobs[model]["spec"]["rows"], jobs[model]["spec"]["watch"])
                for model in select["spec"]["models"]
            ]
            yield from must(f"{path}.rows.subset", found, ways, name)
            for model in select["spec"]["models"]:
                of = jobs[model]["spec"]
                facts = [
                    of["phase"],
                    of["seed"],
                    of["init"],
                    of["control"],
                    of["sampler"],
                    list(of["tasks"]),
                    jobs[model]["data"],
                ]
                wanted = [
                    "intermediate",
                    run["seed"],
                    None,
                    None,
                    None,
                    alone,
                    jobs[run["key"]]["data"],
                ]
                yield from must(f"jobs.{model[:12]}.spec", facts, wanted, name)
                yield from must(
                    f"jobs.{model[:12]}.encoder", jobs[model]["encoder"], run["encoder"], name
                )
                yield from recipe(f"jobs.{model[:12]}.spec", model, "intermediate", None, alone)
            pool = {"train": data_of(content, jobs[run["key"]])["train"]}
            yield from must(f"{path}.rows.subset", data_of(content, select), pool, name)
    for cell in content["evidence"]["cells"]:
        if cell["trained"]:
            owner, part = next(iter(jobs[cell["trained"]]["spec"]["tasks"].items()))
            names = [owner, content["targets"][cell["target"]]["task"]]
            yield from recipe(
                f"jobs.{cell['trained'][:12]}.spec",
                cell["trained"],
                "target",
                part["family"],
                names,
            )


def _ways(by: str | None) -> list[tuple]:
    """(rows, watch) of the trainings that rank a subset's rows: one on each half, or one that is
    watched."""
    folds = [({"fold": [number, FOLDS]}, False) for number in range(FOLDS)]
    return [] if by is None else folds if by == "pvi" else [(None, True)]


def _trainings(content: dict) -> Iterator[Problem]:
    """What is reported of a training is of its job; the same rows are as many, and have one gold
    side, wherever they are read."""
    seen: dict[str, Any] = {}
    for key, training in content["evidence"]["trainings"].items():
        path, job = f"evidence.trainings.{key[:12]}", content["jobs"][key]
        spec, data = job["spec"], data_of(content, job)
        facts = [
            training["encoder"],
            training["phase"],
            training["seed"],
            sorted(training["tasks"]),
        ]
        yield from must(
            path, facts, [job["encoder"], spec["phase"], spec["seed"], sorted(spec["tasks"])]
        )
        for name, part in training["tasks"].items():
            own = spec["tasks"][name]
            yield from must(f"{path}.tasks.{name}.metric", part["metric"], own["metric"])
            limits = [data["dev"][name].get("cap"), spec["recipe"]["dev_rows"]]
            if any(limit and part["dev_rows"] > limit for limit in limits):
                yield Problem(
                    f"{path}.tasks.{name}.dev_rows", part["dev_rows"], f"at most {limits}"
                )
            cap = data["train"][name].get("cap")
            if cap and part["rows"] > cap:
                yield Problem(f"{path}.tasks.{name}.rows", part["rows"], f"at most {cap}")
            read = key_of([job["encoder"], data["train"][name], own, spec["rows"]])
            counts = [part["rows"], part["features"]]
            yield from must(
                f"{path}.tasks.{name}.rows",
                counts,
                seen.setdefault(read, counts),
                "the same rows elsewhere",
            )
            if part["dev_rows"]:
                read = key_of(
                    [
                        data["dev"][name],
                        own,
                        spec["recipe"]["dev_rows"],
                        own["family"] == "mlm" and job["encoder"],
                    ]
                )
                gold = {
                    vector: part[vector]
                    for vector in METRICS[part["metric"]].gold_side or ("masked", "null")
                }
                same = seen.setdefault(read, gold)
                for vector in gold:
                    yield from must(
                        f"{path}.tasks.{name}.{vector}",
                        gold[vector],
                        same[vector],
                        "the same dev rows elsewhere",
                    )


def _measures(content: dict) -> Iterator[Problem]:
    """PVI of each whole task whose family has it, if the suite measures it; and the select job of
    each subset."""
    jobs, evidence = content["jobs"], content["evidence"]
    for name, arm in content["arms"].items():
        measured = (
            content["suite"]["pvi"] and arm["kind"] == "task" and FAMILIES[arm["families"][0]].bits
        )
        found = [[run["encoder"], run["seed"]] for run in evidence["pvi"].get(name, [])]
        wanted = [[run["encoder"], run["seed"]] for run in arm["trained"]] if measured else []
        yield from must(f"evidence.pvi.{name}", sorted(found), sorted(wanted))
        trained = {(run["encoder"], run["seed"]): run["key"] for run in arm["trained"]}
        for i, run in enumerate(evidence["pvi"].get(name, [])):
            job, model = jobs[run["key"]], trained[run["encoder"], run["seed"]]
            part, dev_rows = (
                next(iter(jobs[model]["spec"]["tasks"].values())),
                jobs[model]["spec"]["recipe"]["dev_rows"],
            )
            facts = [job["kind"], job["encoder"], job["data"], job["spec"]]
            spec = {"task": part, "model": model, "dev_rows": dev_rows}
            yield from must(
                f"evidence.pvi.{name}[{i}]",
                facts,
                ["pvi", run["encoder"], jobs[model]["data"], spec],
                label(run),
            )
            rows = next(
                iter(
                    evidence["trainings"]
                    .get(model, {"tasks": {"": {"dev_rows": 0}}})["tasks"]
                    .values()
                )
            )["dev_rows"]
            for vector in ("bits", "null_bits"):
                yield from must(
                    f"evidence.pvi.{name}[{i}].{vector}",
                    length(run[vector]),
                    rows or length(run[vector]),
                    label(run),
                )
            # of label shares alone: no seed and no encoder is in it
            same = evidence["pvi"][name][0]["null_bits"]
            yield from must(
                f"evidence.pvi.{name}[{i}].null_bits", run["null_bits"], same, label(run)
            )
        found = sorted(run["key"] for run in evidence["subsets"].get(name, []))
        done = [run["key"] for run in arm["trained"] if run["key"] in evidence["trainings"]]
        wanted = sorted(
            {jobs[key]["spec"]["rows"]["subset"] for key in done} if arm.get("subset") else []
        )
        yield from must(f"evidence.subsets.{name}", found, wanted)
        for i, run in enumerate(evidence["subsets"].get(name, [])):
            facts = [
                jobs[run["key"]]["spec"]["seed"],
                jobs[run["key"]]["encoder"] or run["encoder"],
            ]
            yield from must(
                f"evidence.subsets.{name}[{i}]", [run["seed"], run["encoder"]], facts, label(run)
            )


def _parts(content: dict) -> Iterator[Problem]:
    """A task is described alike in every job, as the suite's settings say; a target as the task
    that trains it."""
    evaluated = {
        cell["key"]: content["targets"][cell["target"]]["task"]
        for cell in content["evidence"]["cells"]
    }
    # (task, whether as text, encoder of an evaluation) → its first description
    described: dict[tuple, dict] = {}
    for key, job in content["jobs"].items():
        spec, path, text = (
            job["spec"],
            f"jobs.{key[:12]}.spec",
            job["spec"].get("control") == "masked_lm",
        )
        named = dict(spec.get("tasks") or {})
        if "task" in spec:
            named = {evaluated.get(key) or next(iter(data_of(content, job)["train"])): spec["task"]}
        for task, part in named.items():
            first = described.setdefault(
                (task, text, job["encoder"] if key in evaluated else None), part
            )
            yield from must(f"{path}.tasks.{task}", part, first, "the same task in another job")
            if not text:
                yield from _settings(
                    f"{path}.tasks.{task}",
                    content["suite"]["settings"],
                    task,
                    part,
                    key in evaluated,
                )
    for (task, text, encoder), part in described.items():
        other = described.get((task, False, None), part)
        same = (
            ("version", "max_length")
            if text
            else ("version", "max_length", "family", "labels", "metric")
        )
        facts, wanted = ({name: of[name] for name in same} for of in (part, other))
        yield from must(
            f"jobs: {task}", facts, wanted, f"{'as text' if text else 'evaluated'}: as trained"
        )
        if encoder and other["family"] == part["family"]:
            options = {
                name: value
                for name, value in other["options"].items()
                if name not in FAMILIES[part["family"]].head_options
            }
            yield from must(
                f"jobs: {task}.options", {name: part["options"][name] for name in options}, options
            )


def _settings(
    path: str, settings: dict, task: str, part: dict, evaluated: bool
) -> Iterator[Problem]:
    """What the suite sets in place of a task's own values: its family's first, then its own."""
    for name, broader in ((task, False), (part["family"], True)):
        own = settings.get(task, {}) if broader else {}
        setting = settings.get(name, {"max_length": None, "options": {}})
        if setting["max_length"] and not own.get("max_length"):
            yield from must(f"{path}.max_length", part["max_length"], setting["max_length"])
        # a map of layers names encoders, and the plan took one
        for option, value in setting["options"].items():
            if (
                option not in own.get("options", {})
                and not isinstance(value, dict)
                and not (evaluated and option in FAMILIES[part["family"]].head_options)
            ):
                yield from must(f"{path}.options.{option}", part["options"][option], value)


def _versions(content: dict) -> Iterator[Problem]:
    """One version of each kind of job, family and metric, one world size."""
    seen: dict[tuple, int] = {}
    for key, job in content["jobs"].items():
        spec = job["spec"]
        parts = (
            list(spec["tasks"].values())
            if "tasks" in spec
            else [spec["task"]]
            if "task" in spec
            else []
        )
        numbers = {("version", job["kind"]): job["version"], ("world_size", ""): job["world_size"]}
        for what in ("family", "metric"):
            yield from must(f"jobs.{key[:12]}.{what}", len(job[what]), len(parts))
            numbers |= {
                (what, part[what]): number for part, number in zip(parts, job[what], strict=False)
            }
        for at, number in numbers.items():
            yield from must(
                f"jobs.{key[:12]}.{at[0]}",
                number,
                seen.setdefault(at, number),
                f"{at[1]}: as in other jobs",
            )


def _needed(content: dict) -> Iterator[Problem]:
    """Every job serves a cell or a measurement, and every rows entry a job."""
    jobs, evidence = content["jobs"], content["evidence"]
    waiting = [
        key
        for cell in evidence["cells"]
        for key in (cell["key"], cell["trained"], cell["intermediate"])
        if key
    ]
    waiting += [run["key"] for run in chain.from_iterable(evidence["pvi"].values())]
    waiting += overlap_keys(content).values()
    needed: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key not in needed:
            needed.add(key)
            waiting += upstream(jobs[key])
    for key in jobs.keys() - needed:
        yield Problem(
            f"jobs.{key[:12]}", f"a job of kind {jobs[key]['kind']}", "none: no cell needs it"
        )
    for reference in content["rows"].keys() - {job["data"] for job in jobs.values()}:
        yield Problem(f"rows.{reference}", "rows", "none: no job reads them")
