"""Which rows of a task are its easiest, hardest, most ambiguous, or a random share: the rows that a
subset arm trains on.

Each label gives the same share of its rows whatever is kept, so that all subsets of a task have one
size and one label balance. Writes subset.json: ids, and counts per label; ranks.json: what each row
was ranked by.
"""

import hashlib
import json
from collections import Counter, defaultdict
from statistics import fmean, pstdev

from harness.families import FAMILIES
from harness.families.columns import Row
from harness.jobs.context import Context, JobError, Stopped, device, make_deterministic
from harness.jobs.handed import load_model
from harness.jobs.predict import measured_bits, measuring
from harness.sources import rows as data_rows


def run(ctx: Context) -> None:
    """Rank the rows of the job's one task and keep the share that its subset names."""
    spec, (name,) = ctx.job["spec"], ctx.job["train"]
    rows, subset = ctx.rows(ctx.job["train"][name]), spec["subset"]
    ranks: dict[str, list[float]] = {}
    if subset["by"] == "pvi":
        ranks = _by_pvi(ctx, rows)
    elif subset["by"]:
        ranks = _by_dynamics(ctx, rows)
    values, share = ranks.get(subset["by"]), subset["fraction"]
    ids = chosen(rows, values, subset["keep"], share, spec["seed"], spec["cap"])

    kept = set(ids)
    labels = Counter(row["label"] for row in rows if row["id"] in kept and "label" in row)
    found = {
        "ids": ids,
        "pool": len(rows),
        "rows": len(ids),
        "labels": dict(sorted(labels.items())),
    }
    (ctx.workdir / "subset.json").write_text(json.dumps(found, indent=1))
    (ctx.workdir / "ranks.json").write_text(
        json.dumps({"id": [row["id"] for row in rows], **ranks})
    )


def chosen(
    rows: list[Row],
    values: list[float] | None,
    keep: str,
    fraction: float,
    seed: int,
    cap: int | None = None,
) -> list[str]:
    """Ids, in the order of the rows: of each label the share `fraction` (rounded down, at least one
    row), a smaller share where all would be more than `cap`.

    `values`: one a row, high = easy (pvi, confidence) or ambiguous (variability); None for random.
    Ties, and random rows, go by a hash of seed and id.
    """
    # what is wanted sorts first
    sign = -1 if keep in ("easiest", "ambiguous") else 1
    by_label: dict[str, list[tuple[float, bytes, str]]] = defaultdict(list)
    for i, row in enumerate(rows):
        dice = hashlib.sha256(f"{seed}\0{row['id']}".encode()).digest()
        by_label[row.get("label", "")].append(
            (sign * values[i] if values else 0.0, dice, row["id"])
        )
    if cap is not None:
        fraction = min(fraction, cap / len(rows))
    kept: set[str] = set()
    for some in by_label.values():
        most = max(1, int(fraction * len(some)))
        kept |= {own for _, _, own in sorted(some)[:most]}
    return [row["id"] for row in rows if row["id"] in kept]


def _by_pvi(ctx: Context, rows: list[Row]) -> dict[str, list[float]]:
    """PVI of each row by a model that has not seen it: model i trained on fold i, so it measures
    the other folds.

    A row that several models measure gets the mean.
    """
    make_deterministic(ctx.job)
    task, models = ctx.job["spec"]["task"], ctx.job["spec"]["models"]
    encoder, where, family = ctx.encoder(), device(), FAMILIES[task["family"]]
    found: dict[str, list[float]] = {row["id"]: [] for row in rows}
    ctx.progress(0, len(models), 0)
    for number, key in enumerate(models):
        if ctx.stopping():
            raise Stopped
        training = data_rows.fold(rows, number, len(models))
        # a model knows the rows that it trained on too well to say how hard they are
        seen = {row["id"] for row in training}
        others = [row for row in rows if row["id"] not in seen]
        model = load_model(ctx, encoder, task, key, where)
        bits = measured_bits(model, family, encoder, task, others, where)
        null_bits = measuring(family).null_bits(training, others, task)
        for row, known, null in zip(others, bits, null_bits, strict=True):
            found[row["id"]].append(null - known)
        ctx.progress(number + 1, len(models), 0)
    return {"pvi": [round(fmean(found[row["id"]]), 6) for row in rows]}


def _by_dynamics(ctx: Context, rows: list[Row]) -> dict[str, list[float]]:
    """Mean and standard deviation over the epochs of the gold label's probability (Swayamdipta et
    al. 2020, section 2)."""
    (key,) = ctx.job["spec"]["models"]
    dynamics = ctx.store.read_json(key, "dynamics.json")
    if len(dynamics["gold_probability"]) < 2:
        raise JobError(
            f"{ctx.job['name']}: {len(dynamics['gold_probability'])} whole epochs were trained;"
            " dynamics need two"
        )
    of = dict(zip(dynamics["id"], zip(*dynamics["gold_probability"], strict=True), strict=True))
    per_row = [of[row["id"]] for row in rows]
    return {
        "confidence": [round(fmean(one), 6) for one in per_row],
        "variability": [round(pstdev(one), 6) for one in per_row],
    }
