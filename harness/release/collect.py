"""From a plan and committed results to a release's declared facts and evidence: what no later
reader can compute again.

Evidence is per example: what each row contributes to a score (correct or not; counts of spans; EM
and F1), packed as text (`metrics.vectors`). Scores, gains and intervals come from it alone
(`derive`), here and in `leaderboard verify`. No times, paths or environment: the same results give
the same bytes.
"""

from collections.abc import Container

from harness.families import FAMILIES
from harness.metrics import METRICS
from harness.metrics.flags import ODD
from harness.metrics.vectors import pack
from harness.plan.planner import Cell, Plan
from harness.release.evidence import hashes
from harness.release.units import joint_units, of_blocks
from harness.spec.catalog import Catalog
from harness.spec.languages import language_facts
from harness.spec.suite import Arm, Caps, Suite
from harness.spec.task import Task
from harness.statistics.derive import sections
from harness.store import Store, key_of
from harness.store.job import identity_of

SCHEMA = 5
FACTS = (
    "n",
    "truncated",
    "unknown",
    "constant",
    "placeholder",
    *ODD,
    "candidates",
    "threshold",
    "dev_f1",
)


def content(plan: Plan, catalog: Catalog, store: Store, refused: Container[str]) -> dict:
    """A release's content document (schema SCHEMA): declared facts, evidence, and all that follows
    from them."""
    known = declared(plan, catalog) | {"evidence": evidence(plan, catalog, store, refused)}
    return known | sections(known)


def declared(plan: Plan, catalog: Catalog) -> dict:
    """What specs say: suite, encoders, arms, targets, languages; and the hashes of all rows
    read."""
    suite = plan.suite
    targets = {
        suite.shown_name(catalog.task(name)): _target(catalog.task(name), plan)
        for name in suite.targets
    }
    languages = sorted(
        {language for target in targets.values() for language in target["languages"]}
    )
    return {
        "schema": SCHEMA,
        "suite": suite_facts(suite),
        "encoders": {name: _encoder(name, plan, catalog) for name in plan.encoders},
        "arms": {arm.name: _arm(arm, plan, catalog) for arm in suite.arms},
        "targets": targets,
        "languages": {language: language_facts(language) for language in languages},
        "data": _files_read(plan),
        **_jobs(plan),
    }


def suite_facts(suite: Suite) -> dict:
    """A suite as a release holds it."""
    return {
        "name": suite.suite,
        "version": suite.version,
        "about": suite.about,
        "smoke": suite.smoke,
        "seeds": suite.seeds,
        "protocol": suite.protocol,
        "left_out": suite.left_out,
        "waives": suite.waives,
        "split_rule": suite.split_rule.model_dump(),
        "pvi": suite.measures_pvi,
        "caps": suite.caps.model_dump(),
        "task_caps": {task: caps.model_dump() for task, caps in suite.task_caps.items()},
        "cuts": {task: cut.model_dump(exclude_none=True) for task, cut in suite.cuts.items()},
        "recipes": suite.recipes.model_dump(),
        "settings": {name: setting.model_dump() for name, setting in suite.settings.items()},
    }


def _files_read(plan: Plan) -> dict[str, list[str]]:
    """Every split that jobs read, by name: SHA-256 of its files. Where an arm's own cut reads
    others, those are "... 2"."""
    found: dict[str, list[str]] = {}
    for job in plan.jobs.values():
        body = job.body
        sets = [*body.get("tests", {}).values(), *body.get("devs", {}).values()]
        sets += [rows for phase in ("train", "dev") for rows in body.get(phase, {}).values()]
        sets += [rows for several in body.get("trained", {}).values() for rows in several]
        for rows in sets:
            name, files, count = rows["name"], hashes(rows["identity"]), 1
            while found.setdefault(name, files) != files:
                count += 1
                name = f"{rows['name']} {count}"
    return dict(sorted(found.items()))


def _jobs(plan: Plan) -> dict:
    """`jobs`: what each key is the hash of; `rows`: which rows jobs read, by the reference that
    stands for them in `jobs`.

    So a reader can hash every key again, and see which seed, recipe, version or file stands behind
    a number.
    """
    rows = {}
    jobs = {}
    for key, job in plan.jobs.items():
        identity = identity_of(job.body)
        reference = key_of(identity["data"])[:16]
        rows[reference] = identity["data"]
        jobs[key] = {
            **identity,
            "data": reference,
            "encoder": job.body["encoder"]["name"] if "encoder" in job.body else None,
        }
    return {"jobs": dict(sorted(jobs.items())), "rows": dict(sorted(rows.items()))}


def _encoder(name: str, plan: Plan, catalog: Catalog) -> dict:
    spec = catalog.encoder(name)
    facts = {"version": spec.version, "pretrained_on": spec.pretrained_on, "seen": spec.seen}
    return facts | plan.encoders[name].identity


def _arm(arm: Arm, plan: Plan, catalog: Catalog) -> dict:
    """An arm's intermediate tasks, and what is declared of their difficulty (of one whole task)."""
    if arm.is_baseline:
        return {
            "intermediate": None,
            "kind": arm.kind,
            "of": None,
            "shown": arm.name,
            "cut": None,
            "difficulty": None,
            "trained": [],
        }
    given = arm.intermediate
    tasks = [catalog.task(name) for name in given.tasks]
    only = tasks[0] if len(tasks) == 1 else None
    variant = plan.suite.variant_of(arm, only) if only else None
    trained = {
        (cell.encoder, cell.seed): cell.intermediate for cell in plan.cells if cell.arm == arm.name
    }
    return {
        "intermediate": given.tasks,
        "kind": "control" if variant else arm.kind,
        "of": variant or (only.task if only else None),
        "shown": (
            plan.suite.for_arm(arm).shown_name(only) if only and arm.name == only.task else arm.name
        ),
        "versions": {task.task: task.version for task in tasks},
        "families": sorted({task.family for task in tasks}),
        "title": only.about.title if only else " + ".join(task.task for task in tasks),
        "sampler": None if only else given.sampler.model_dump(),
        "languages": given.languages,
        "control": "variant" if variant else given.control,
        "subset": given.subset.model_dump() if given.subset else None,
        "cut": given.cut.model_dump(exclude_none=True) if given.cut else None,
        "difficulty": (
            only.difficulty.model_dump()
            if only and only.difficulty and arm.kind == "task" and not variant
            else None
        ),
        "trained": [
            {"encoder": encoder, "seed": seed, "key": key}
            for (encoder, seed), key in trained.items()
        ],
    }


def _target(task: Task, plan: Plan) -> dict:
    cut = plan.suite.cuts.get(task.task)
    rows = cut.test if cut and cut.test and cut.test.parallel is not None else task.test
    return {
        "task": task.task,
        "version": task.version,
        "family": task.family,
        "group": FAMILIES[task.family].group,
        "trained": FAMILIES[task.family].trained,
        "parallel": bool(rows.parallel),
        "metric": task.metric,
        "title": task.about.title,
        "languages": sorted(cut.languages if cut and cut.languages else task.languages),
        "capped": plan.suite.task_caps.get(task.task, plan.suite.caps) != Caps(),
        "cut": cut.why if cut else None,
    }


def evidence(plan: Plan, catalog: Catalog, store: Store, refused: Container[str]) -> dict:
    """What jobs reported. `refused`: evaluations that did not run, by key."""
    shown = {name: plan.suite.shown_name(catalog.task(name)) for name in plan.suite.targets}
    units: dict[str, dict] = {}
    cells = []
    for cell in plan.cells:
        task, missing = (
            catalog.task(cell.target),
            cell.evaluate in refused or store.manifest(cell.evaluate) is None,
        )
        said, examples = ({}, {}) if missing else _reported(cell, store)
        if examples and shown[cell.target] not in units:
            units[shown[cell.target]] = gold_side(
                examples, task.metric, _target(task, plan)["parallel"]
            )
        known = units.get(shown[cell.target], {})
        languages = {
            language: (
                {"facts": {name: of[name] for name in FACTS if name in of}}
                | (
                    prediction_side(examples[language], known[language], task.metric)
                    if examples[language]
                    else {}
                )
            )
            for language, of in said.items()
        }
        cells.append(
            {
                "encoder": cell.encoder,
                "arm": cell.arm,
                "target": shown[cell.target],
                "seed": cell.seed,
                "key": cell.evaluate,
                "trained": cell.trained,
                "intermediate": cell.intermediate,
                "overlap": store.read_json(cell.overlap, "overlap.json") if cell.overlap else None,
                "refused": cell.evaluate in refused,
                "languages": languages,
            }
        )
    return {
        "units": {
            target: {
                language: {name: pack(v) for name, v in gold.items()}
                for language, (_, gold) in by_language.items()
            }
            for target, by_language in units.items()
        },
        "cells": cells,
        "trainings": trainings(plan, store),
        "pvi": pvi(plan, store),
        "subsets": _subsets(plan, store),
    }


def _reported(cell: Cell, store: Store) -> tuple[dict, dict]:
    """language → its scores and facts; language → its per-example vectors ({} where labels are
    placeholders)."""
    return store.read_json(cell.evaluate, "scores.json"), store.read_json(
        cell.evaluate, "examples.json"
    )


def gold_side(
    examples: dict[str, dict], metric: str, parallel: bool
) -> dict[str, tuple[list[int] | None, dict]]:
    """language → (block of each row or None, gold-side vectors with `unit`): the same for all cells
    of a target."""
    scored = {language: vectors for language, vectors in examples.items() if vectors}
    unit_of = joint_units(scored, parallel)
    blocks = of_blocks(unit_of) if METRICS[metric].additive else None
    found = {}
    for language, vectors in scored.items():
        gold = {name: vectors[name] for name in METRICS[metric].gold_side}
        rows = len(vectors["id"])
        if blocks:
            own = blocks[language]
            gold = {name: _summed(v, own) for name, v in (gold | {"n": [1] * rows}).items()}
            found[language] = own, gold | {"unit": sorted(set(own))}
        elif unit_of[language] == list(range(rows)):
            found[language] = None, gold  # each row its own unit
        else:
            found[language] = None, gold | {"unit": unit_of[language]}
    return found


def prediction_side(
    vectors: dict, known: tuple[list[int] | None, dict], metric: str
) -> dict[str, str]:
    blocks, _ = known
    own = {
        name: v
        for name, v in vectors.items()
        if name != "id" and name not in METRICS[metric].gold_side
    }
    return {name: pack(_summed(v, blocks) if blocks else v) for name, v in own.items()}


def _summed(vector: list, blocks: list[int]) -> list:
    """Sums over the rows of each block, in order of the blocks."""
    sums = dict.fromkeys(sorted(set(blocks)), 0)
    for value, block in zip(vector, blocks, strict=True):
        sums[block] += value
    return list(sums.values())


def trainings(plan: Plan, store: Store) -> dict[str, dict]:
    """Each training behind a cell: its size, and what its dev score is made of."""
    found = {}
    for cell in plan.cells:
        for key in (cell.intermediate, cell.trained):
            if key and key not in found and store.manifest(key):
                spec, summary = plan.jobs[key].body["spec"], store.read_json(key, "train.json")
                found[key] = {
                    "encoder": cell.encoder,
                    "phase": spec["phase"],
                    "seed": spec["seed"],
                    "updates": summary["updates"],
                    "tasks": _training_parts(spec, summary, store.read_json(key, "dev.json")),
                }
    return found


def _training_parts(spec: dict, summary: dict, dev: dict) -> dict[str, dict]:
    looked = summary["best"].get("tasks", {})
    return {
        name: (
            part
            | {
                "metric": spec["tasks"][name]["metric"],
                "dev_rows": looked.get(name, {}).get("dev_rows", 0),
            }
            | {vector: pack(values) for vector, values in dev.get(name, {}).items()}
        )
        for name, part in summary["tasks"].items()
    }


def pvi(plan: Plan, store: Store) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for key, (encoder, arm, seed) in plan.measures.items():
        if store.manifest(key):
            said = store.read_json(key, "pvi.json")
            facts = {"encoder": encoder, "seed": seed, "key": key}
            found.setdefault(arm, []).append(
                facts | {name: pack(said[name]) for name in ("bits", "null_bits")}
            )
    return found


def _subsets(plan: Plan, store: Store) -> dict[str, list[dict]]:
    """Of each arm that trains on a subset: which rows were selected."""
    found: dict[str, dict[str, dict]] = {}
    for cell in plan.cells:
        part = plan.jobs[cell.intermediate].body["spec"]["rows"] if cell.intermediate else None
        if part and store.manifest(part["subset"]):
            said = store.read_json(part["subset"], "subset.json")
            facts = {"encoder": cell.encoder, "seed": cell.seed, "key": part["subset"]}
            found.setdefault(cell.arm, {})[part["subset"]] = (
                facts | said | {"ids": " ".join(said["ids"])}
            )
    return {arm: list(of.values()) for arm, of in found.items()}
