"""A release as text: Rich tables in the terminal, Markdown in leaderboard/README.md. What is in them: `tables.py`."""

from tabulate import tabulate

from harness.leaderboard.tables import MARKS, details, grid, languages, marks, signed


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
    if suite.get("left_out"):
        lines.append(f"This run did without: {', '.join(suite['left_out'])}.")
    if suite["waives"]:
        lines.append(f"This suite waives: {', '.join(suite['waives'])}.")
    used = {flag for c in release["cells"] if c["encoder"] == encoder for flag in marks([c])}
    if used:
        legend = [f"{mark} = {meaning}" for flag, (mark, meaning) in MARKS.items() if flag in used]
        lines.append("Marks: " + "; ".join(legend) + ".")
    return lines


def cuts(release: dict) -> list[str]:
    """One line for each cut task: what the suite changed."""
    suite = release["suite"]
    lines = [f"{task}@{cut.get('label', suite['name'])}: {cut['why']}" for task, cut in suite["cuts"].items()]
    caps = {split: cap for split, cap in suite["caps"].items() if cap}
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
            table.add_row(*styled, style="dim" if row is rows[0] else "")
        console.print(table)
        for header, rows in (details(release, encoder), languages(release, encoder)):
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
        for header, rows in (details(release, encoder), languages(release, encoder)):
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
