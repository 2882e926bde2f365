"""The tables that explain a board: a release → [(title, (header, rows of text))].

Gains with their intervals, average gains cut in every way, difficulty as measured, parts and
controls of one task against each other, the intermediate that one would have chosen, and slices by
language. Empty tables are left out, so that an old release shows what it has.
"""

from collections.abc import Callable

from harness.common.text import signed
from harness.page.tables import Table, baseline_of, between, by_both, ranked, shown, trained_dev
from harness.statistics.averages import elsewhere

SLICES = {
    "family": "language family",
    "script": "script",
    "unknown": "share of pieces not in the vocabulary",
}


def tables(release: dict, encoder: str, full: bool) -> list[tuple[str, Table]]:
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


def sure(release: dict, encoder: str) -> Table:
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


def gains(release: dict, encoder: str) -> Table:
    """An arm a row, a target a column."""
    return _by_target(
        release, encoder, "gain", lambda gain: signed(gain["gain"]) + between(gain["interval"])
    )


def centred(release: dict, encoder: str) -> Table:
    """An arm a row, a target of retrieval a column."""
    return _by_target(release, encoder, "centred", lambda gain: signed(gain["centred"]))


def _by_target(release: dict, encoder: str, field: str, text: Callable[[dict], str]) -> Table:
    """Gains that count and have the field; arms and targets without one are left out."""
    mine = [
        g
        for g in release["gains"]
        if g["encoder"] == encoder and g["counted"] and g[field] is not None
    ]
    known = {(gain["arm"], gain["target"]): text(gain) for gain in mine}
    targets = [target for target in release["targets"] if any(target == of for _, of in known)]
    arms = [average["arm"] for average in ranked(release, encoder)]
    rows = [
        [shown(release, arm), *(known.get((arm, target), "–") for target in targets)]
        for arm in arms
    ]
    return ["intermediate", *targets], [row for row in rows if any(cell != "–" for cell in row[1:])]


def averages(release: dict, encoder: str) -> Table:
    """An arm a row. `seeds`: the t-interval over seeds; below three seeds there is none. Other
    tasks' targets only where an arm has others than all have, and how many."""
    mine = ranked(release, encoder)
    differ = any(map(elsewhere, mine))
    groups = sorted({group for average in mine for group in average["groups"]})
    cuts = [
        *["other tasks' targets", "over seeds"] * differ,
        "without retrieval",
        "without English",
    ]
    header = ["intermediate", "all targets", "over seeds", *cuts, *groups]
    rows = []
    for average in mine:
        if average["average_gain"] is None or average["interval"] is None:
            continue
        parts = [(average["average_gain"], average["interval"])]
        parts += [
            (average[name], average[f"{name}_interval"])
            for name in ("without_retrieval", "zero_shot")
        ]
        parts += [
            (of.get("gain"), of.get("interval"))
            for of in (average["groups"].get(group, {}) for group in groups)
        ]
        first, *others = [signed(value) + between(interval) for value, interval in parts]
        seeds = _over_seeds(average)
        other = _elsewhere(average) if differ else []
        rows.append([shown(release, average["arm"]), first, seeds, *other, *others])
    return header, rows


def _elsewhere(average: dict) -> list[str]:
    """The average over other tasks' targets, where these are others than all arms have, how many;
    and over seeds."""
    other = average["other_tasks"]
    count = (
        f" ({len(other['targets'])} target{'s' * (len(other['targets']) != 1)})"
        if elsewhere(average)
        else ""
    )
    return [signed(other["gain"]) + between(other["interval"]) + count, _over_seeds(other)]


def within(release: dict, encoder: str) -> Table:
    """Easy against hard, a target a row: which arms are compared there, and the mean over
    targets."""
    rows = []
    for split in (one for one in release["split"] if one["encoder"] == encoder):
        found = [
            (target, of, of["hard"], of["easy"])
            for target, of in split.get("by_target", {}).items()
        ]
        whole = [(f"mean over {len(found)}", split["other_tasks"], [], [])] * bool(found)
        for name, of, *sides in found + whole:
            arms = [", ".join(shown(release, arm) for arm in side) for side in sides]
            rows.append(
                [
                    name,
                    signed(of["hard_minus_easy"]) + between(of["interval"]),
                    _over_seeds(of),
                    *arms,
                ]
            )
    return ["target", "hard − easy", "over seeds", "hard", "easy"], rows


def _over_seeds(entry: dict) -> str:
    return between(entry["seed_interval"]).strip() or "–"


def difficulty(release: dict, encoder: str) -> Table:
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
    rows = []
    for entry in sorted(
        (e for e in release["difficulty"] if e["encoder"] == encoder),
        key=lambda e: (e["headroom"] is None, e["headroom"]),
    ):
        if entry["headroom"] is None:
            continue
        people = f"{entry['human']:.1f}" if entry["human_known"] else "100 (no figure)"
        share = "–" if entry["pvi_share"] is None else f"{entry['pvi_share']:.2f}"
        chance = f"{entry['chance']:.1f}" + (
            "" if entry["chance_known"] else " (measured)" if entry["chance"] else " (assumed)"
        )
        numbers = [f"{entry['dev']:.1f}", chance, people, f"{entry['headroom']:.2f}", share]
        rows.append(
            [shown(release, entry["arm"]), str(entry["rows"]), *numbers, entry["bucket"] or "–"]
        )
    return header, rows


def subsets(release: dict, encoder: str) -> Table:
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
        elsewhere = {(c["a"], c["b"]): c for c in group["other_tasks"]["comparisons"]}
        for c in group["comparisons"]:
            ps = ["<0.001" if p < 0.001 else f"{p:.3f}" for p in (c["p"], c["p_corrected"])]
            over = ", ".join(group["targets"])
            there = _difference(elsewhere.get((c["a"], c["b"]))) if differ else []
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


def _difference(comparison: dict | None) -> list[str]:
    """With its interval over test examples; the interval over seeds."""
    if comparison is None:
        return ["–", "–"]
    return [
        signed(comparison["difference"]) + between(comparison["interval"]),
        _over_seeds(comparison),
    ]


def parts(release: dict, encoder: str) -> Table:
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


def best(release: dict, encoder: str) -> Table:
    header = ["target", "chosen on", "intermediate", "gain on the reported rows"]
    rows = []
    for row in (
        row for row in release["best"] if row["encoder"] == encoder and row["gain"] is not None
    ):
        arm = (
            ""
            if row["target"] is None
            else baseline_of(release)
            if row["arm"] is None
            else shown(release, row["arm"])
        )
        target = row["target"] or "mean over targets"
        rows.append(
            [target, row["selected_on"] or "", arm, signed(row["gain"]) + between(row["interval"])]
        )
    return header, rows


def slices(release: dict, encoder: str, by: str) -> Table:
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
            said = (
                one and signed(one["gain"]) + between(one["interval"] if by == "unknown" else None)
                for one in of
            )
            rows.append([shown(release, average["arm"]), *(text or "–" for text in said)])
    return ["intermediate", *(f"{value} ({n})" for value, n in points.items())], rows
