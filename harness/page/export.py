"""A release as tidy CSV tables: scores.csv, gains.csv, averages.csv, difficulty.csv; one number a
row, all 0-100 and unrounded.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.page.tables import Entry, Interval, Release
from harness.store import atomic_write, disk_errors


def export(content: Release, folder: Path) -> list[Path]:
    """Write a release under `folder`; the files. StoreError if the disk does not take them."""
    written = []
    for name, data in _csv(content):
        path = folder / name
        with disk_errors("write", path):
            path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, data)
        written.append(path)
    return written


def _table(rows: Iterable[Entry]) -> bytes:
    rows, text = list(rows), io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _csv(release: Release) -> Iterator[tuple[str, bytes]]:
    tables = {"scores": _scores, "gains": _gains, "averages": _averages, "difficulty": _difficulty}
    for name, rows in tables.items():
        # made-up data stay marked as such
        of = {"suite": release["suite"]["name"], "smoke": release["suite"]["smoke"]}
        yield f"{name}.csv", _table(of | row for row in rows(release))


def _scores(release: Release) -> Iterator[Entry]:
    """One row for each encoder, arm, target, language, seed and metric; the null predictor's score
    and the flags beside it."""
    for cell in release["cells"]:
        at = {name: cell[name] for name in ("encoder", "arm", "target", "seed")}
        for language, said in cell["languages"].items():
            numbers = said.get("metrics", {}) | ({"main": said["main"]} if "main" in said else {})
            facts = {"n": said["n"], "null": said.get("null"), "stderr": said.get("stderr")}
            flags = " ".join([*cell["flags"], *said["flags"]])
            for metric, value in numbers.items():
                what = {"language": language, "metric": metric, "value": value}
                yield at | what | facts | {"flags": flags}


def _limits(interval: Interval, name: str = "") -> Entry:
    low, high = interval or (None, None)
    return {f"{name}low": low, f"{name}high": high}


def _gains(release: Release) -> Iterator[Entry]:
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


def _averages(release: Release) -> Iterator[Entry]:
    """One row for each encoder, arm and way to average: common targets, without retrieval,
    zero-shot, targets of other tasks' data, by group."""
    for average in release["averages"]:
        at = {"encoder": average["encoder"], "arm": average["arm"]}
        # name, gain, interval, targets
        ways = [("average_gain", average["average_gain"], average["interval"], average["targets"])]
        for name in ("without_retrieval", "zero_shot"):
            ways.append((name, average[name], average[f"{name}_interval"], average["targets"]))
        if other := average["other_tasks"]:
            ways.append(("other_tasks", other["gain"], other["interval"], other["targets"]))
        for group, of in average["groups"].items():
            ways.append((group, of["gain"], of["interval"], of["targets"]))
        for name, gain, interval, targets in ways:
            found = at | {"average": name, "gain": gain} | _limits(interval)
            yield found | {"targets": " ".join(targets)}


def _difficulty(release: Release) -> Iterator[Entry]:
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
    for row in release["difficulty"]:
        yield {name: row[name] for name in names}
