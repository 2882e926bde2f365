"""A release as text: a Rich table in the terminal, Markdown in leaderboard/README.md. Numbers are rounded here and only here."""

from tabulate import tabulate

from harness.spec.suite import BASELINE

MARKS = {
    "unlearned": ("u", "at chance in English: not learned"),
    "shared": ("s", "the intermediate shares training rows with the target"),
    "leak": ("L", "refused: training rows stand in the test set"),
    "overlap": ("o", "a few test rows stand in training rows, too few to refuse"),
    "placeholder": ("p", "some test labels carry no information"),
}
FLOOR_MARK = ("f", "at chance in most languages")


def grid(release: dict, encoder: str) -> tuple[list[str], list[list[str]]]:
    """(header, rows) of an encoder's board: the baseline's scores, then each arm's gains, one decimal, signed."""
    targets = list(release["targets"])
    cells = [c for c in release["cells"] if c["encoder"] == encoder]
    gains = {(g["arm"], g["target"]): g for g in release["gains"] if g["encoder"] == encoder}
    averages = {a["arm"]: a for a in release["averages"] if a["encoder"] == encoder}
    header = ["intermediate", "difficulty", *targets, "average gain"]
    rows = []
    baseline = next(name for name, arm in release["arms"].items() if arm["intermediate"] is None)
    scores = []
    for target in targets:
        mine = [c for c in cells if c["arm"] == baseline and c["target"] == target]
        known = [c["score"] for c in mine if c["score"] is not None]
        scores.append((f"{sum(known) / len(known):.1f}" if known else "–") + _marks(mine))
    rows.append([f"{baseline} (score)", "", *scores, ""])
    for arm in sorted(
        averages, key=lambda a: -(averages[a]["average_gain"] if averages[a]["average_gain"] is not None else -1e9)
    ):
        row = [release["arms"][arm]["shown"], release["arms"][arm]["difficulty"]["declared"]]
        for target in targets:
            gain = gains.get((arm, target), {})
            mine = [c for c in cells if c["arm"] == arm and c["target"] == target]
            row.append((signed(gain.get("gain")) if mine else "–") + _marks(mine))
        rows.append([*row, signed(averages[arm]["average_gain"])])
    return header, rows


def details(release: dict, encoder: str) -> tuple[list[str], list[list[str]]]:
    """(header, rows) of the baseline per target: English against the rest, languages at chance, tagging's accuracy."""
    baseline = next(name for name, arm in release["arms"].items() if arm["intermediate"] is None)
    header = ["baseline on", "metric", "English", "other languages", "mean above chance", "at chance", "accuracy (majority tag)"]
    rows = []
    for target, facts in release["targets"].items():
        cells = [c for c in release["cells"] if (c["encoder"], c["arm"], c["target"]) == (encoder, baseline, target)]
        scored = {language: s for c in cells[:1] for language, s in c["languages"].items() if "main" in s}
        if not scored:
            continue
        low = sorted(language for language, s in scored.items() if "floor" in s["flags"])
        majority = [s["metrics"] for s in scored.values() if "majority" in s["metrics"]]
        rows.append(
            [
                target,
                facts["metric"],
                _one(scored["en"]["main"]) if "en" in scored else "–",
                _one(cells[0]["zero_shot"]),
                _one(cells[0]["above_floor"]),
                f"{len(low)} of {len(scored)}",
                f"{_average(majority, 'accuracy')} ({_average(majority, 'majority')})" if majority else "",
            ]
        )
    return header, rows


def _one(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _average(metrics: list[dict], name: str) -> str:
    return _one(sum(m[name] for m in metrics) / len(metrics))


def signed(value: float | None) -> str:
    """One decimal with its sign; a dash for no number."""
    return "–" if value is None else "±0.0" if abs(value) < 0.05 else f"{value:+.1f}"


def _marks(cells: list[dict]) -> str:
    marks = "".join(mark for flag, (mark, _) in MARKS.items() if any(flag in cell["flags"] for cell in cells))
    for cell in cells:
        floored = sum("floor" in s["flags"] for s in cell["languages"].values())
        if cell["languages"] and 2 * floored > len(cell["languages"]):
            return f" {marks}{FLOOR_MARK[0]}"
    return f" {marks}" if marks else ""


def notes(release: dict, encoder: str) -> list[str]:
    """What a reader must know beside the table: smoke label, marks, common targets, easy against hard."""
    lines = []
    suite = release["suite"]
    if suite["smoke"]:
        lines.append("SMOKE SUITE: its data are made up to prove the machine; no claim follows from these numbers.")
    facts = release["encoders"][encoder]
    lines.append(
        f"{encoder}: pretrained on {facts['pretrained_on']} text; has seen {', '.join(facts['seen']) or 'nothing known'}."
    )
    averages = [a for a in release["averages"] if a["encoder"] == encoder]
    common = averages[0]["targets"] if averages else []
    lines.append(f"Average gain over the targets that count in every arm: {', '.join(common) or 'none'}.")
    split = next((s for s in release["split"] if s["encoder"] == encoder), None)
    if split:
        easy, hard = split["easy"], split["hard"]
        lines.append(
            f"By {suite['split_rule']['by']} difficulty: easy {signed(easy['average_gain'])} ({len(easy['arms'])} tasks), "
            f"hard {signed(hard['average_gain'])} ({len(hard['arms'])} tasks), hard − easy {signed(split['hard_minus_easy'])}."
            " Too few tasks for a claim." * (min(len(easy["arms"]), len(hard["arms"])) < 4)
        )
        if split["unlearned"]:
            lines.append(f"Not learned as intermediates, kept out of easy and hard: {', '.join(split['unlearned'])}.")
    seeds = suite["seeds"]
    lines.append("One seed: no seed variance is known." if len(seeds) == 1 else f"Means over {len(seeds)} seeds.")
    if suite["waives"]:
        lines.append(f"This suite waives: {', '.join(suite['waives'])}.")
    used = {flag for c in release["cells"] if c["encoder"] == encoder for flag in c["flags"]}
    legend = [f"{mark} = {meaning}" for flag, (mark, meaning) in MARKS.items() if flag in used]
    lines.append("Marks: " + "; ".join([*legend, f"{FLOOR_MARK[0]} = {FLOOR_MARK[1]}"]) + ".")
    return lines


def cuts(release: dict) -> list[str]:
    """One line for each cut task: what the suite changed."""
    lines = [f"{task}@{release['suite']['name']}: {cut['why']}" for task, cut in release["suite"]["cuts"].items()]
    caps = {split: cap for split, cap in release["suite"]["caps"].items() if cap}
    if caps:
        lines.append(
            "Rows at most: " + ", ".join(f"{split} {cap}" for split, cap in caps.items()) + " (single tasks may differ)."
        )
    return lines


def print_release(release: dict, title: str, console) -> None:
    """The board in a terminal."""
    from rich.table import Table

    for encoder in release["encoders"]:
        header, rows = grid(release, encoder)
        table = Table(title=f"{title} · {encoder}", title_justify="left", header_style="bold")
        for i, name in enumerate(header):
            table.add_column(name, justify="left" if i < 2 else "right", overflow="fold")
        for row in rows:
            styled = [f"[green]{c}[/]" if c.startswith("+") else f"[red]{c}[/]" if c.startswith("-") else c for c in row]
            table.add_row(*styled, style="dim" if row[0].startswith(BASELINE) else "")
        console.print(table)
        header, rows = details(release, encoder)
        table = Table(*header, header_style="bold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        for line in notes(release, encoder) + cuts(release):
            console.print(line, style="dim", markup=False, highlight=False)


def markdown(release: dict, title: str) -> str:
    """The board as Markdown."""
    parts = [f"## {title}", "", release["suite"]["about"], ""]
    for encoder in release["encoders"]:
        header, rows = grid(release, encoder)
        align = ("left", "left", *["right"] * (len(header) - 2))
        parts += [f"### {encoder}", "", tabulate(rows, header, tablefmt="github", colalign=align, disable_numparse=True), ""]
        header, rows = details(release, encoder)
        parts += [tabulate(rows, header, tablefmt="github", disable_numparse=True), ""]
        parts += [f"- {line}" for line in notes(release, encoder) + cuts(release)] + [""]
    return "\n".join(parts)


def readme(board) -> str:
    """leaderboard/README.md: the latest release of every suite, and the list of all releases."""
    files = board.list()
    latest = {path.stem.split("-", 1)[1]: path for path in files}
    parts = ["# Leaderboard", "", "Rendered from the releases beside this file by `xstilts-harness leaderboard build`.", ""]
    for suite in sorted(latest, key=lambda s: (board.load(latest[s])["suite"]["smoke"], s)):
        parts.append(markdown(board.load(latest[suite]), f"Suite `{suite}`, {board.title(latest[suite])}"))
    parts += ["## All releases", ""] + [f"- [{path.stem}](releases/{path.name})" for path in files]
    return "\n".join(parts) + "\n"
