"""A release in other people's formats: tidy CSV tables, and the Hub's evaluation results. Files
only; nothing is uploaded.

    csv            scores.csv, gains.csv, averages.csv, difficulty.csv: one number a row, all 0-100
                   and unrounded
    eval-results   ENCODER/ARM/.eval_results/DATASET.yaml, one folder for each model that somebody
                   may publish

https://huggingface.co/docs/hub/eval-results says what the second is for.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from harness.common.errors import SpecError
from harness.metrics import METRICS
from harness.release.upgrade import upgraded
from harness.spec.catalog import Catalog
from harness.store import atomic_write, disk_errors

FORMATS = ("csv", "eval-results")


def export(
    content: dict, title: str, form: str, folder: Path, catalog: Catalog
) -> tuple[list[Path], list[str]]:
    """Write a release under `folder` in one of FORMATS: (files written, what could not be exported
    and why).

    title   names the release, such as "0005-small"
    raises  SpecError: no such format, or nothing of the release can be exported; StoreError: the
            disk
    """
    if form not in FORMATS:
        raise SpecError(f"--format {form}: there are {', '.join(FORMATS)}")
    release, left_out = upgraded(content), []
    files = _csv(release) if form == "csv" else _eval_results(release, title, catalog, left_out)
    written = []
    for name, data in files:
        path = folder / name
        with disk_errors("write", path):
            path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, data)
        written.append(path)
    if not written:
        raise SpecError(f"{title}: nothing to export as {form}: {'; '.join(left_out)}")
    return written, left_out


def _table(rows: Iterable[dict[str, Any]]) -> bytes:
    rows, text = list(rows), io.StringIO()
    writer = csv.DictWriter(
        text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _csv(release: dict) -> Iterator[tuple[str, bytes]]:
    tables = {"scores": _scores, "gains": _gains, "averages": _averages, "difficulty": _difficulty}
    for name, rows in tables.items():
        # made-up data stay marked as such
        of = {"suite": release["suite"]["name"], "smoke": release["suite"]["smoke"]}
        yield f"{name}.csv", _table(of | row for row in rows(release))


def _scores(release: dict) -> Iterator[dict]:
    """One row for each encoder, arm, target, language, seed and metric; the null predictor's score
    and the flags beside it."""
    for cell in release["cells"]:
        at = {name: cell[name] for name in ("encoder", "arm", "target", "seed")}
        for language, said in cell["languages"].items():
            numbers = said.get("metrics", {}) | ({"main": said["main"]} if "main" in said else {})
            facts = {"n": said["n"], "null": said.get("null"), "stderr": said.get("stderr")}
            flags = " ".join([*cell["flags"], *said["flags"]])
            for metric, value in numbers.items():
                yield (
                    at
                    | {"language": language, "metric": metric, "value": value}
                    | facts
                    | {"flags": flags}
                )


def _limits(interval: list | None, name: str = "") -> dict:
    low, high = interval or (None, None)
    return {f"{name}low": low, f"{name}high": high}


def _gains(release: dict) -> Iterator[dict]:
    """One row a gain (language empty: over all) and one a language of it; 95% intervals."""
    for gain in release["gains"]:
        at = {name: gain[name] for name in ("encoder", "arm", "target")}
        whole = (
            {"gain": gain["gain"]}
            | _limits(gain["interval"])
            | _limits(gain["seed_interval"], "seed_")
        )
        rest = {name: gain[name] for name in ("p", "p_corrected", "counted")} | {
            "flags": " ".join(gain["flags"])
        }
        yield at | {"language": ""} | whole | rest
        for language, of in gain["per_language"].items():
            yield at | {"language": language, "gain": of["gain"]} | _limits(of["interval"])


def _averages(release: dict) -> Iterator[dict]:
    """One row for each encoder, arm and way to average: common targets, without retrieval,
    zero-shot, targets of other tasks' data, by group."""
    for average in release["averages"]:
        at = {"encoder": average["encoder"], "arm": average["arm"]}
        for name, interval in (
            ("average_gain", "interval"),
            ("without_retrieval", "without_retrieval_interval"),
            ("zero_shot", "zero_shot_interval"),
        ):
            targets = " ".join(average["targets"])
            yield (
                at
                | {"average": name, "gain": average[name]}
                | _limits(average[interval])
                | {"targets": targets}
            )
        if other := average["other_tasks"]:
            targets = " ".join(other["targets"])
            yield (
                at
                | {"average": "other_tasks", "gain": other["gain"]}
                | _limits(other["interval"])
                | {"targets": targets}
            )
        for group, of in average["groups"].items():
            yield (
                at
                | {"average": group, "gain": of["gain"]}
                | _limits(of["interval"])
                | {"targets": " ".join(of["targets"])}
            )


def _difficulty(release: dict) -> Iterator[dict]:
    names = (
        "encoder",
        "arm",
        "of",
        "rows",
        "dev",
        "chance",
        "human",
        "chance_known",
        "human_known",
        "headroom",
        "pvi",
        "pvi_share",
        "learned",
        "bucket",
    )
    return ({name: row[name] for name in names} for row in release["difficulty"])


def _eval_results(
    release: dict, title: str, catalog: Catalog, left_out: list[str]
) -> Iterator[tuple[str, bytes]]:
    """One YAML file for each encoder, arm and dataset. A target whose dataset is not on the Hub
    goes to `left_out`.

    The Hub's `value` is the mean over languages and seeds; `notes` says so, and what else a reader
    must know.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    sources = {}
    for name, target in release["targets"].items():
        task = catalog.tasks.get(target["task"])
        source = (task.test and task.test.source) or task.source if task else None
        if source is None or source.hub is None:
            why = "its data are not on the Hub" if source else "no task of that name is known here"
            left_out.append(f"target {name}: {why}")
        else:
            sources[name] = source
    found: dict[tuple[str, str, str], list[EvalResultEntry]] = {}
    for encoder in release["encoders"]:
        for arm in release["arms"]:
            for name, source in sources.items():
                cells = [
                    c
                    for c in release["cells"]
                    if (c["encoder"], c["arm"], c["target"]) == (encoder, arm, name)
                ]
                value = _mean([cell["score"] for cell in cells])
                if value is not None:
                    notes = _notes(release, title, arm, name, cells)
                    revision = source.revision
                    entry = EvalResultEntry(
                        source.hub, release["targets"][name]["task"], value, revision, notes=notes
                    )
                    found.setdefault((encoder, arm, source.hub), []).append(entry)
    for (encoder, arm, hub), entries in found.items():
        text = yaml.safe_dump(
            eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True, width=1000
        )
        yield f"{encoder}/{arm}/.eval_results/{hub.replace('/', '--')}.yaml", text.encode()


def _mean(values: list) -> float | None:
    return None if not values or None in values else fmean(values)


def _notes(release: dict, title: str, arm: str, target: str, cells: list[dict]) -> str:
    """What the one number is: metric, languages, seeds, intermediate; cuts and flags that qualify
    it."""
    facts, suite = release["targets"][target], release["suite"]
    intermediate, cut = release["arms"][arm]["intermediate"], release["arms"][arm]["cut"]
    lowest = METRICS[facts["metric"]].lowest
    scale = f"{lowest} to 100" if lowest else "0-100"
    languages, seeds = len(facts["languages"]), len(cells)
    said = [
        (
            f"{facts['metric']}, {scale}, mean over {languages} languages and {seeds}"
            f" seed{'s' * (seeds > 1)}"
        ),
        (
            f"intermediate training on {release['arms'][arm]['shown']}"
            if intermediate
            else "no intermediate training"
        ),
        f"xstilts-harness release {title}, suite {suite['name']}",
    ]
    if cut:
        said.insert(2, f"that is {cut['why']}")
    if suite["smoke"]:
        said.append("smoke test on made-up data, no claim")
    if facts["cut"] or facts["capped"]:
        said.append(
            "not the whole official data"
            + (f": {facts['cut']}" if facts["cut"] else ": fewer rows")
        )
    if flags := sorted({flag for cell in cells for flag in cell["flags"]}):
        said.append("flags: " + ", ".join(flags))
    return "; ".join(said)
