"""How hard each intermediate task was for the encoder that trained on it, and which side of the
split it falls on.

headroom   1 - (dev - chance) / (human - chance): the share of the way from chance to people that is
           left; negative above people. Where no chance is published it is what the null predictor
           reaches on that dev (0 where that is another number than the dev score); no known human
           score counts as 100.
pvi        mean of -log2 g(y | null) + log2 g'(y | x) over dev rows, in bits: V-usable information,
           H_V(Y) - H_V(Y | X) (Ethayarajh et al. 2022, arXiv 2110.08420, section 2); pvi_share is
           its share of H_V(Y), so that label spaces compare.
"""

from statistics import fmean, median

from harness.metrics.vectors import unpack
from harness.release.evidence import dev_of, mean

CEILING = 100.0


def difficulty(content: dict, encoder: str) -> list[dict]:
    """One entry an arm of kind task, by name; means over seeds."""
    arms = sorted(arm for arm, facts in content["arms"].items() if facts["kind"] == "task")
    found = [_measured(content, encoder, arm) for arm in arms]
    line = split_line(found, content["suite"]["split_rule"])
    for entry in found:
        declared = (content["arms"][entry["arm"]]["difficulty"] or {}).get("declared")
        entry["bucket"] = _bucket(entry, content["suite"]["split_rule"]["by"], line, declared)
    return found


def split_line(entries: list[dict], rule: dict) -> float | None:
    """The value that tells easy from hard: the median of the learned tasks, or the suite's own.
    None of declared buckets."""
    if rule["by"] in ("declared", "threshold"):
        return rule["value"]
    measure = "pvi_share" if rule["by"] == "pvi" else "headroom"
    known = [entry[measure] for entry in entries if entry["learned"] and entry[measure] is not None]
    return median(known) if known else None


def _bucket(entry: dict, by: str, line: float | None, declared: str | None) -> str | None:
    """None where the task was not trained, or what the rule looks at is not known."""
    if not entry["dev_per_seed"]:
        return None
    if not entry["learned"]:
        return "unlearned"
    if by == "declared":
        return declared
    value = entry["pvi_share"] if by == "pvi" else entry["headroom"]
    if value is None or line is None:
        return None
    if value == line:  # with an odd number the median task joins neither side
        return "easy" if by == "threshold" else "median"
    return "hard" if (value < line) == (by == "pvi") else "easy"


def _measured(content: dict, encoder: str, arm: str) -> dict:
    facts, evidence = content["arms"][arm], content["evidence"]
    runs = sorted(
        (run for run in facts["trained"] if run["encoder"] == encoder), key=lambda run: run["seed"]
    )
    trainings = {
        run["seed"]: evidence["trainings"][run["key"]]
        for run in runs
        if run["key"] in evidence["trainings"]
    }
    looked = {seed: dev_of(training) for seed, training in trainings.items()}
    devs = {str(seed): dev["main"] for seed, dev in looked.items() if dev["main"] is not None}
    chance, human = (
        ((facts["difficulty"] or {}).get(name) or {}).get("value") for name in ("chance", "human")
    )
    measured = mean(dev["null"] for dev in looked.values() if dev["null"] is not None) or 0.0
    low, high = measured if chance is None else chance, CEILING if human is None else human
    headrooms = (
        {seed: 1 - (dev - low) / (high - low) for seed, dev in devs.items()} if high != low else {}
    )
    bits = [_pvi(run) for run in evidence.get("pvi", {}).get(arm, []) if run["encoder"] == encoder]
    return {
        "encoder": encoder,
        "arm": arm,
        "of": facts["of"],
        "rows": next(
            (sum(part["rows"] for part in t["tasks"].values()) for t in trainings.values()), None
        ),
        "dev": mean(devs.values()),
        "dev_per_seed": devs,
        "chance": low,
        "chance_known": chance is not None,
        "human": high,
        "human_known": human is not None,
        "headroom": mean(headrooms.values()),
        "headroom_per_seed": headrooms,
        "pvi": mean(pvi for pvi, _ in bits),
        "pvi_share": mean(share for _, share in bits if share is not None),
        "learned": bool(looked) and all(dev["learned"] for dev in looked.values()),
    }


def _pvi(run: dict) -> tuple[float, float | None]:
    """(mean PVI in bits, its share of the mean of -log2 g(y | null); None where that is 0) of one
    training's dev rows."""
    bits, null = unpack(run["bits"]), unpack(run["null_bits"])
    pvi, entropy = fmean(b - a for a, b in zip(bits, null, strict=True)), fmean(null)
    return pvi, pvi / entropy if entropy else None
