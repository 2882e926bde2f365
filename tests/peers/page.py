"""The tables of docs/performance.md, made of what was measured, so that nobody types a figure.

    python -m tests.peers.page              the page anew from docs/performance.json
    python -m tests.peers.page FILE ...     takes these into docs/performance.json first

FILE is what `tests.peers.cpu`, `tests.peers.gpu` or pytest-benchmark (`--benchmark-json`) wrote.
The text around the tables is written by hand, in the page.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.peers.names import DYNAMIC, GROUPED, OURS, PADDED, PRODUCTS

DOCS = Path(__file__).parents[2] / "docs"
KEPT, PAGE = DOCS / "performance.json", DOCS / "performance.md"
PART = re.compile(r"(<!-- (\w+): .*? -->\n).*?(<!-- end -->)", re.DOTALL)

# What we want: times the padded Trainer, times the one that reads by length (training) or pads to
# the longest of a batch (evaluation).
GOALS = {
    ("XNLI pairs", "training"): (3.0, 1.4),
    ("PAN-X tags", "training"): (7.5, 1.4),
    ("SQuAD windows", "training"): (2.2, 1.4),
    ("XNLI pairs, 250,002 subwords", "training"): (4.0, 1.4),
    ("XNLI pairs", "evaluation"): (3.0, 1.5),
    ("PAN-X tags", "evaluation"): (3.0, 1.5),
    ("SQuAD windows", "evaluation"): (3.0, 1.5),
}


def main(arguments: Sequence[str]) -> None:
    kept = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    for name in arguments:
        kept |= taken(json.loads(Path(name).read_text()))
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    PAGE.write_text(rendered(PAGE.read_text(), kept))


def taken(found: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a file, by the part of the page that it makes."""
    if "benchmarks" in found:
        return {
            "others": {
                "machine": found["machine_info"]["cpu"]["brand_raw"],
                "groups": _groups(found),
            }
        }
    return {"gpu" if "card" in found else "cpu": found}


def _groups(found: dict[str, Any]) -> dict[str, Any]:
    """Of pytest-benchmark's file median, least and most, by group and name: CPU seconds of the
    processes that a benchmark started, if it says so (`cpu`), else what its timer gave."""
    groups: dict[str, Any] = {}
    for one in found["benchmarks"]:
        name = next(iter((one["params"] or {}).values()), one["name"])
        times = [one["stats"][part] for part in ("median", "min", "max")]
        if cpu_seconds := one["extra_info"].get("cpu"):
            times = [median(cpu_seconds), min(cpu_seconds), max(cpu_seconds)]
        rounded = [float(f"{seconds:.4g}") for seconds in times]
        groups.setdefault(one["group"] or one["name"], {})[str(name)] = rounded
    return groups


def rendered(page: str, kept: dict[str, Any]) -> str:
    """The page with every marked part made anew."""

    def part(found: re.Match[str]) -> str:
        start, name, end = found.groups()
        read = "cpu" if name == "goals" else name
        made = PARTS[name](kept[read]) if read in kept else "Not measured yet.\n"
        return f"{start}\n{made}\n{end}"

    return PART.sub(part, page)


# Parts


def cpu(found: dict[str, Any]) -> str:
    """Every comparison on a CPU, headed by the machine."""
    machine = found["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    head = (
        f"{machine['processor']}, one thread of {machine['cores']} cores (load {machine['load']}"
        f" when it began); {packages}; revision {machine['revision']}, {machine['day']};"
        f" {found['rounds']} rounds.\n"
    )
    return "\n".join([head, *(_comparison(one) for one in found["comparisons"])])


def _comparison(one: dict[str, Any]) -> str:
    what = f"{one['shape']}, {one['what']}"
    if one["what"] == "training":
        what += f", dropout {one['dropout']:g}" if one["dropout"] else ", no dropout"
    lines = [f"#### {what}\n", _said(one)]
    unit = "update" if one["what"] == "training" else "round"
    lines.append(
        table(
            [
                "",
                f"CPU s / {unit}",
                f"wall s / {unit}",
                "tokens / CPU s",
                "× padded Trainer",
                "peak memory",
            ],
            [_contender(name, row) for name, row in one["contenders"].items()],
        )
    )
    lines += [f"{_checked(one)}\n"]
    return "\n".join(lines)


def _said(one: dict[str, Any]) -> str:
    rows = f"batches of {one['batch']}, " if one["what"] == "training" else ""
    return f"{one['encoder']}; rows: {one['rows']}; {rows}at most {one['max_length']} subwords.\n"


def _contender(name: str, row: dict[str, Any]) -> list[str]:
    if "failed" in row:
        return [name, f"failed: {row['failed']}", "", "", "", ""]
    shown = [ranged(row["cpu"]), ranged(row["wall"]), f"{row['tokens_per_second'][0]:,.0f}"]
    shown.append(ranged(row["ratio"]) if "ratio" in row else "")
    return [name, *shown, f"{row['peak'] / 2**20:,.0f} MiB"]


def _checked(one: dict[str, Any]) -> str:
    """What agreed, what of the padded tokens is real, and how far from the limit this harness
    is."""
    said = []
    if "differ" in one:
        said.append(f"Predictions that differ: {one['differ']} of {one['predictions']}.")
    elif not one["dropout"]:
        gap = one["largest_loss_difference"]
        said.append(f"Largest difference between losses over the same batches: {gap:.1e}.")
    rows = {name: row for name, row in one["contenders"].items() if "failed" not in row}
    named = {PADDED: "to the task's maximum", DYNAMIC: "to a batch's longest", GROUPED: "by length"}
    shares = [
        f"{1 - rows[name]['padding']:.0%} {how}" for name, how in named.items() if name in rows
    ]
    said.append(f"Of the padded tokens are real: {', '.join(shares)}.")
    if PRODUCTS in rows and OURS in rows:
        share = rows[PRODUCTS]["cpu"][0] / rows[OURS]["cpu"][0]
        rate = one["products_per_second"] / 1e9
        said.append(
            f"The matrix products run at {rate:.0f}·10⁹ operations a second, and are {share:.0%} of"
            " what this harness takes."
        )
    return " ".join(said)


def goals(found: dict[str, Any]) -> str:
    """What we want, what there is, and what the limit is, of medians."""
    rows = []
    for one in found["comparisons"]:
        wanted = GOALS.get((one["shape"], one["what"]))
        rates = {
            name: row["tokens_per_second"][0]
            for name, row in one["contenders"].items()
            if "failed" not in row
        }
        other = GROUPED if one["what"] == "training" else DYNAMIC
        if not wanted or one["dropout"] or not {PADDED, OURS, other} <= rates.keys():
            continue
        cells = [f"{one['shape']}, {one['what']}"]
        for against, least in zip((PADDED, other), wanted, strict=True):
            limit = f"{rates[PRODUCTS] / rates[against]:.2f}" if PRODUCTS in rates else ""
            cells += [f"{least:g}", f"{rates[OURS] / rates[against]:.2f}", limit]
        rows.append(cells)
    columns = ["times", "padded: wanted", "is", "limit", "by length¹: wanted", "is", "limit"]
    note = "¹ Of evaluation: dynamic padding. Is: this harness on random batches.\n"
    return "\n".join([table(columns, rows), note])


def gpu(found: dict[str, Any]) -> str:
    """Every comparison on a GPU."""
    if not found["comparisons"]:
        return "Not measured yet.\n"
    peak = found["peak"]
    head = f"{found['card']}, peak in bf16 "
    head += f"{peak / 1e12:,.0f}·10¹² operations a second;" if peak else "not known here;"
    head += f" revision {found['machine']['revision']}, {found['machine']['day']}.\n"
    columns = ["workload", "", "tokens / s", "MFU", "× padded Trainer", "memory", "busy"]
    rows = [
        [
            one["shape"],
            one["who"],
            *(
                [f"failed: {one['failed']}", "", "", "", ""]
                if one.get("failed")
                else [
                    ranged(one["tokens_per_second"]),
                    f"{one['mfu']:.1%}" if one["mfu"] is not None else "",
                    f"{one['ratio']:.2f}" if one.get("ratio") else "",
                    f"{one['memory'] / 2**30:.1f} GiB",
                    f"{one['busy']:.0%}" if one.get("busy") is not None else "",
                ]
            ),
        ]
        for one in found["comparisons"]
    ]
    left_out = [f"Not measured, the time was over: {name}.\n" for name in found["left_out"]]
    return "\n".join([head, table(columns, rows), *left_out])


def others(found: dict[str, Any]) -> str:
    """What pytest-benchmark measured, a table a group."""
    parts = [f"{found['machine']}.\n"]
    for group, times in found["groups"].items():
        parts.append(f"#### {group}\n")
        parts.append(table(["", "seconds"], [[name, ranged(t)] for name, t in times.items()]))
    return "\n".join(parts)


PARTS = {"goals": goals, "cpu": cpu, "gpu": gpu, "others": others}


def ranged(three: Sequence[float]) -> str:
    """Median, and in brackets least and most."""
    middle, least, most = (f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" for value in three)
    return f"{middle} [{least}–{most}]"


def table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] + ["--:"] * (len(columns) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
