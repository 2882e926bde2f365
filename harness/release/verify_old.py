"""Releases of schema 1 and 2: their gains and averages are differences and means of the scores that
they store.

The scores themselves cannot be recomputed, since these schemas hold no per-example statistics.
"""

from collections.abc import Iterator

from harness.families import FAMILIES
from harness.release.complete import Problem, label, must
from harness.release.evidence import mean

ENGLISH = "en"


def arithmetic(content: dict) -> Iterator[Problem]:
    """All that is missing, or no sum or difference of what it should be."""
    cells = {(c["encoder"], c["arm"], c["target"], c["seed"]): c for c in content["cells"]}
    for seed in content["suite"]["seeds"]:
        for at in (
            (e, a, t, seed)
            for e in content["encoders"]
            for a in content["arms"]
            for t in content["targets"]
        ):
            if at not in cells:
                yield Problem("cells", "no such cell", "a cell", " · ".join(map(str, at)))
    for i, cell in enumerate(content["cells"]):
        yield from _cell(f"cells[{i}]", cell, content["targets"][cell["target"]]["languages"])
    baseline = next(name for name, arm in content["arms"].items() if arm["intermediate"] is None)
    for i, gain in enumerate(content["gains"]):
        yield from _gain(f"gains[{i}]", gain, baseline, cells, content["suite"])
    for i, average in enumerate(content["averages"]):
        yield from _average(f"averages[{i}]", average, content)
    for i, split in enumerate(content["split"]):
        yield from _split(f"split[{i}]", split, content["averages"])


def _cell(path: str, cell: dict, spoken: list[str]) -> Iterator[Problem]:
    languages = cell["languages"]
    if languages:
        yield from must(f"{path}.languages", sorted(languages), sorted(spoken), label(cell))
    scored = {language: s for language, s in languages.items() if "main" in s}
    above = [s["main"] for s in scored.values() if "floor" not in s["flags"]]
    wanted = {
        "score": mean(s["main"] for s in scored.values()),
        "zero_shot": mean(s["main"] for language, s in scored.items() if language != ENGLISH),
        "above_floor": mean(above),
    }
    wanted |= {"languages_above_floor": len(above)} if languages else {}
    for name, value in wanted.items():
        yield from must(f"{path}.{name}", cell[name], value, label(cell))
    for language, s in scored.items():
        floor = not (s["above_null"] > 0 and s["above_null"] > 3 * s["stderr"])
        yield from must(
            f"{path}.languages.{language}.flags", "floor" in s["flags"], floor, label(cell)
        )
        if s["main"] not in (numbers := list(s["metrics"].values())) and len(numbers) > 1:
            yield from must(
                f"{path}.languages.{language}.main", s["main"], sum(numbers[:2]) / 2, label(cell)
            )
        elif len(numbers) == 1:
            yield from must(f"{path}.languages.{language}.main", s["main"], numbers[0], label(cell))


def _gain(path: str, gain: dict, baseline: str, cells: dict, suite: dict) -> Iterator[Problem]:
    at = gain["encoder"], gain["arm"], gain["target"]
    pairs = [
        (seed, cells[(*at, seed)], cells[gain["encoder"], baseline, gain["target"], seed])
        for seed in suite["seeds"]
    ]
    flags = {flag for _, cell, base in pairs for flag in cell["flags"] + base["flags"]}
    yield from must(f"{path}.flags", gain["flags"], sorted(flags), label(gain))
    known = all(cell["score"] is not None and base["score"] is not None for _, cell, base in pairs)
    excluding = {"shared", "leak", "placeholder"} | (
        set() if "unlearned" in suite["waives"] else {"unlearned"}
    )
    yield from must(
        f"{path}.counted", gain["counted"], known and not flags & excluding, label(gain)
    )
    if not known:
        return
    per_seed = {str(seed): cell["score"] - base["score"] for seed, cell, base in pairs}
    by_language: dict[str, list[float]] = {}
    above = []
    for _, cell, base in pairs:
        for language in cell["languages"].keys() & base["languages"].keys():
            score, other = cell["languages"][language], base["languages"][language]
            if "main" in score and "main" in other:
                by_language.setdefault(language, []).append(score["main"] - other["main"])
                if "floor" not in score["flags"] + other["flags"]:
                    above.append(by_language[language][-1])
    zero_shot = [(cell["zero_shot"], base["zero_shot"]) for _, cell, base in pairs]
    wanted = {
        "per_seed": per_seed,
        "gain": mean(per_seed.values()),
        "zero_shot": None if None in zero_shot[0] else mean(a - b for a, b in zero_shot),
        "per_language": {
            language: mean(values) for language, values in sorted(by_language.items())
        },
        "above_floor": mean(above),
    }
    for name, value in wanted.items():
        yield from must(f"{path}.{name}", gain[name], value, label(gain))


def _average(path: str, average: dict, content: dict) -> Iterator[Problem]:
    own = [gain for gain in content["gains"] if gain["encoder"] == average["encoder"]]
    counted: dict[str, dict[str, float]] = {gain["arm"]: {} for gain in own}
    for gain in own:
        if gain["counted"]:
            counted[gain["arm"]][gain["target"]] = gain["gain"]
    common = (
        sorted(set.intersection(*(set(c) for c in counted.values() if c)))
        if any(counted.values())
        else []
    )
    mine = counted[average["arm"]]
    embedded = {
        name
        for name, target in content["targets"].items()
        if not FAMILIES[target["family"]].trained
    }
    wanted = {
        "targets": common,
        "own_targets": sorted(mine),
        "average_gain": mean(mine[t] for t in common) if mine else None,
        "without_retrieval": mean(mine[t] for t in common if t not in embedded) if mine else None,
        "average_gain_own": mean(mine[t] for t in sorted(mine)),
    }
    for name, value in wanted.items():
        yield from must(f"{path}.{name}", average[name], value, label(average))


def _split(path: str, split: dict, averages: list[dict]) -> Iterator[Problem]:
    known = {a["arm"]: a["average_gain"] for a in averages if a["encoder"] == split["encoder"]}
    for side in ("easy", "hard"):
        arms = split[side]["arms"]
        yield from must(
            f"{path}.{side}.arms", arms, {arm: known[arm] for arm in arms}, split["encoder"]
        )
        yield from must(
            f"{path}.{side}.average_gain",
            split[side]["average_gain"],
            mean(arms.values()),
            split["encoder"],
        )
    easy, hard = split["easy"]["average_gain"], split["hard"]["average_gain"]
    wanted = None if easy is None or hard is None else hard - easy
    yield from must(f"{path}.hard_minus_easy", split["hard_minus_easy"], wanted, split["encoder"])
