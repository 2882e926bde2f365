"""The tables that explain a board: a release → [(title, (header, rows of text))].

Gains with their intervals, average gains cut in every way, difficulty as measured, parts and
controls of one task against each other, the intermediate that one would have chosen, and slices by
language. Empty tables are left out, so that an old release shows what it has.
"""

from collections.abc import Callable

from harness.common.text import signed
from harness.page.tables import (
    Entry,
    Release,
    Table,
    baseline_of,
    between,
    by_both,
    ranked,
    shown,
    trained_dev,
)
from harness.statistics.averages import elsewhere

SLICES = {
    "family": "language family",
    "script": "script",
    "unknown": "share of pieces not in the vocabulary",
}


def tables(release: Release, encoder: str, full: bool) -> list[tuple[str, Table]]:
    """Those that have rows, in the order in which a reader asks; every gain and slices by language
    only if `full`."""
    every = [
        ("Each gain that counts [95% interval over test examples]", gains(release, encoder)),
        (
            "Retrieval after subtracting each language's mean vector: gain",
            centred(release, encoder),
        ),
    ]
    found = [
        ("Gains that are not 0, by both 95% intervals", sure(release, encoder)),
        *(every if full else []),
        (
            "Average gain, in every cut [95% interval over test examples]",
            averages(release, encoder),
        ),
        (
            "Difficulty, as measured on each intermediate's own English dev",
            difficulty(release, encoder),
        ),
        (
            (
                "Hard tasks' mean gain minus easy tasks', target by target, without arms on a"
                " target's own data"
            ),
            within(release, encoder),
        ),
        ("Parts and controls of one task: differences of average gains", subsets(release, encoder)),
        ("Parts and controls of one task: what each learned of it", parts(release, encoder)),
        (
            "The intermediate that one would choose on rows that are not reported",
            best(release, encoder),
        ),
        *(
            (f"Average gain by {name}", slices(release, encoder, by))
            for by, name in SLICES.items()
            if full
        ),
    ]
    return [(title, table) for title, table in found if table[1]]


def sure(release: Release, encoder: str) -> Table:
    """Gains that count and are on one side of 0 over test examples and over seeds, target by
    target, the largest first; and how much of each is English. One gain in twenty would be there by
    chance."""
    names = list(release["targets"])
    found = [g for g in release["gains"] if g["encoder"] == encoder and g["counted"] and by_both(g)]
    rows = []
    for g in sorted(found, key=lambda g: (names.index(g["target"]), -g["gain"])):
        values = signed(g["gain"]) + between(g["interval"]), between(g["seed_interval"]).strip()
        rows.append(
            [
                g["target"],
                shown(release, g["arm"]),
                *values,
                signed(g["english"]),
                signed(g["zero_shot"]),
            ]
        )
    return [
        "target",
        "intermediate",
        "gain",
        "over seeds",
        "in English",
        "in other languages",
    ], rows


def gains(release: Release, encoder: str) -> Table:
    """An arm a row, a target a column."""
    return _by_target(
        release, encoder, "gain", lambda gain: signed(gain["gain"]) + between(gain["interval"])
    )


def centred(release: Release, encoder: str) -> Table:
    """An arm a row, a target of retrieval a column."""
    return _by_target(release, encoder, "centred", lambda gain: signed(gain["centred"]))


def _by_target(release: Release, encoder: str, field: str, text: Callable[[Entry], str]) -> Table:
    """Gains that count and have the field; arms and targets without one are left out."""
    mine = [
        g
        for g in release["gains"]
        if g["encoder"] == encoder and g["counted"] and g[field] is not None
    ]
    known = {(gain["arm"], gain["target"]): text(gain) for gain in mine}
    there = {target for _, target in known}
    targets = [target for target in release["targets"] if target in there]
    rows = []
    for average in ranked(release, encoder):
        arm = average["arm"]
        cells = [known.get((arm, target), "–") for target in targets]
        if set(cells) - {"–"}:
            rows.append([shown(release, arm), *cells])
    return ["intermediate", *targets], rows


def averages(release: Release, encoder: str) -> Table:
    """An arm a row. `seeds`: the t-interval over seeds; below three seeds there is none. Other
    tasks' targets only where an arm has others than all have, and how many."""
    mine = ranked(release, encoder)
    differ = any(map(elsewhere, mine))
    groups = sorted({group for average in mine for group in average["groups"]})
    others = ["other tasks' targets", "over seeds"] if differ else []
    header = ["intermediate", "all targets", "over seeds", *others]
    header += ["without retrieval", "without English", *groups]
    rows = []
    for average in mine:
        if average["average_gain"] is None or average["interval"] is None:
            continue
        row = [shown(release, average["arm"])]
        row += [_with(average, "average_gain", "interval"), _over_seeds(average)]
        row += _elsewhere(average) if differ else []
        row.append(_with(average, "without_retrieval", "without_retrieval_interval"))
        row.append(_with(average, "zero_shot", "zero_shot_interval"))
        row += [_with(average["groups"].get(group, {}), "gain", "interval") for group in groups]
        rows.append(row)
    return header, rows


def _with(entry: Entry, value: str, interval: str) -> str:
    """A number with its interval, by the names of their fields."""
    return signed(entry.get(value)) + between(entry.get(interval))


def _elsewhere(average: Entry) -> list[str]:
    """The average over other tasks' targets, where these are others than all arms have, how many;
    and over seeds."""
    other = average["other_tasks"]
    count = (
        f" ({len(other['targets'])} target{'s' * (len(other['targets']) != 1)})"
        if elsewhere(average)
        else ""
    )
    return [signed(other["gain"]) + between(other["interval"]) + count, _over_seeds(other)]


def within(release: Release, encoder: str) -> Table:
    """Easy against hard, a target a row: which arms are compared there, and the mean over
    targets."""
    rows = []
    for split in (one for one in release["split"] if one["encoder"] == encoder):
        found: dict[str, Entry] = split.get("by_target", {})
        for target, of in found.items():
            rows.append([target, *_contrast(of), *_sides(release, of)])
        if found:
            rows.append([f"mean over {len(found)}", *_contrast(split["other_tasks"]), "", ""])
    return ["target", "hard − easy", "over seeds", "hard", "easy"], rows


def _contrast(of: Entry) -> list[str]:
    return [_with(of, "hard_minus_easy", "interval"), _over_seeds(of)]


def _sides(release: Release, of: Entry) -> list[str]:
    """The arms that are compared: the hard ones, the easy ones."""
    hard = [shown(release, arm) for arm in of["hard"]]
    easy = [shown(release, arm) for arm in of["easy"]]
    return [", ".join(hard), ", ".join(easy)]


def _over_seeds(entry: Entry) -> str:
    return between(entry["seed_interval"]).strip() or "–"


def difficulty(release: Release, encoder: str) -> Table:
    """Headroom: the share of the way from chance to people that is left. PVI: the share of H(Y)
    that the encoder explains."""
    header = [
        "intermediate",
        "rows",
        "dev score",
        "chance",
        "people",
        "headroom",
        "PVI share of H(Y)",
        "so it is",
    ]
    mine = [entry for entry in release["difficulty"] if entry["encoder"] == encoder]
    known = [entry for entry in mine if entry["headroom"] is not None]
    rows = []
    for entry in sorted(known, key=lambda entry: float(entry["headroom"])):
        people = f"{entry['human']:.1f}" if entry["human_known"] else "100 (no figure)"
        share = "–" if entry["pvi_share"] is None else f"{entry['pvi_share']:.2f}"
        chance = f"{entry['chance']:.1f}"
        if not entry["chance_known"]:
            chance += " (measured)" if entry["chance"] else " (assumed)"
        numbers = [f"{entry['dev']:.1f}", chance, people, f"{entry['headroom']:.2f}", share]
        rows.append(
            [shown(release, entry["arm"]), str(entry["rows"]), *numbers, entry["bucket"] or "–"]
        )
    return header, rows


def subsets(release: Release, encoder: str) -> Table:
    """Arms that trained on as many rows, two by two; over other tasks' targets too where these are
    others."""
    mine = [group for group in release["subsets"] if group["encoder"] == encoder]
    differ = any(group["other_tasks"]["targets"] not in ([], group["targets"]) for group in mine)
    others = ["other tasks' targets", "over seeds"] * differ
    header = [
        "of",
        "rows",
        "a",
        "b",
        "a − b",
        "over seeds",
        *others,
        "p",
        "p, corrected",
        "average over",
    ]
    rows = []
    for group in mine:
        others_of = {(c["a"], c["b"]): c for c in group["other_tasks"]["comparisons"]}
        for c in group["comparisons"]:
            ps = ["<0.001" if p < 0.001 else f"{p:.3f}" for p in (c["p"], c["p_corrected"])]
            over = ", ".join(group["targets"])
            there = _difference(others_of.get((c["a"], c["b"]))) if differ else []
            rows.append(
                [
                    group["of"],
                    str(group["rows"][c["a"]]),
                    c["a"],
                    c["b"],
                    *_difference(c),
                    *there,
                    *ps,
                    over,
                ]
            )
    return header, rows


def _difference(comparison: Entry | None) -> list[str]:
    """With its interval over test examples; the interval over seeds."""
    if comparison is None:
        return ["–", "–"]
    return [
        signed(comparison["difference"]) + between(comparison["interval"]),
        _over_seeds(comparison),
    ]


def parts(release: Release, encoder: str) -> Table:
    """The arms of each group that is compared, with the dev score of the training: to have changed
    nothing is another thing where nothing was learned."""
    rows = []
    for group in (one for one in release["subsets"] if one["encoder"] == encoder):
        for label, arm in group.get("arms", {}).items():
            dev = trained_dev(release, encoder, arm)
            rows.append(
                [
                    group["of"],
                    label,
                    str(group["rows"][label] or "–"),
                    "–" if dev is None else f"{dev:.1f}",
                ]
            )
    return ["of", "trained on", "rows", "dev score"], rows


def best(release: Release, encoder: str) -> Table:
    header = ["target", "chosen on", "intermediate", "gain on the reported rows"]
    rows = []
    for row in release["best"]:
        if row["encoder"] != encoder or row["gain"] is None:
            continue
        chosen = row["arm"] or baseline_of(release)
        arm = shown(release, chosen) if row["arm"] else chosen
        target = row["target"] or "mean over targets"
        gain = _with(row, "gain", "interval")
        rows.append([target, row["selected_on"] or "", arm if row["target"] else "", gain])
    return header, rows


def slices(release: Release, encoder: str, by: str) -> Table:
    """An arm a row, a slice a column, with how many pairs of target and language it is the mean of.
    Intervals where they fit: of the few shares of unknown pieces, not of the many families and
    scripts (a release holds them)."""
    mine = [one for one in release["slices"] if (one["encoder"], one["by"]) == (encoder, by)]
    points = {one["value"]: one["points"] for one in mine}
    gains = {(one["arm"], one["value"]): one for one in mine}
    rows = []
    for average in ranked(release, encoder):
        of = [gains.get((average["arm"], value)) for value in points]
        if any(of):
            rows.append([shown(release, average["arm"]), *[_slice(one, by) for one in of]])
    return ["intermediate", *(f"{value} ({n})" for value, n in points.items())], rows


def _slice(entry: Entry | None, by: str) -> str:
    if entry is None:
        return "–"
    return signed(entry["gain"]) + between(entry["interval"] if by == "unknown" else None)
