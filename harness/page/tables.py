"""The board's own table, and what is wrong with its numbers: a release → (header, rows of text).

`grid`       the baseline's scores, then each arm's gains, with the marks that qualify a number
`details`    the baseline on each target: English against the rest, what is at chance
`languages`  the baseline on each target: in which languages something is wrong with the number

The tables that explain it stand in `explained.py`. Numbers are rounded here and there, and nowhere
else.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from harness.common.text import signed

Table = tuple[list[str], list[list[str]]]
Release = dict[str, Any]  # a release's document, as JSON has it
Entry = dict[str, Any]  # of one of its sections
Interval = Sequence[float | None] | None

# Of a cell: the release says so itself.
CELL_MARKS = {
    "unlearned": ("u", "at chance in English, on test rows and on dev: not learned"),
    "shared": ("s", "the intermediate shares training rows with the target"),
    "same": (
        "k",
        (
            "trained on other rows of the target's own data set: its gain may be that of more rows"
            " of one kind"
        ),
    ),
    "leak": ("L", "refused: training rows stand in the test set"),
    "overlap": ("o", "a few test rows stand in training rows, too few to refuse"),
    "placeholder": ("p", "some test labels carry no information"),
}
# Of a cell's languages. A board of forty languages nearly always has one at chance, and one whose
# script an English vocabulary lacks; these two stand on a cell only if they hold in most of its
# languages.
MOST_MARKS = {
    "floor": ("f", "at chance in most languages"),
    "unknown": (
        "v",
        "over 5% of the pieces are not in the encoder's vocabulary, in most languages",
    ),
}
ANY_MARKS = {
    "constant": ("c", "one answer for every row, in some language"),
    "below_majority": (
        "m",
        "less accurate than always saying the most frequent tag, in some language",
    ),
    "truncated": ("t", "over 1% of the rows lost text, in some language"),
    "few_rows": ("n", "under 50 test rows, in some language"),
    "empty_text": ("e", "rows with an empty text, in some language"),
    "misplaced": ("a", "answers that are not where the row says, in some language"),
}
MARKS = CELL_MARKS | MOST_MARKS | ANY_MARKS
COLUMNS = {
    "floor": "at chance",
    "unknown": "not in the vocabulary",
    "constant": "one answer",
    "below_majority": "below majority tag",
    "truncated": "lost text",
    "few_rows": "under 50 rows",
    "empty_text": "empty texts",
    "misplaced": "misplaced answers",
}
SHOWN = 6  # languages in a list; the others are counted


def baseline_of(release: Release) -> str:
    """The name of the arm that trains on nothing first."""
    arms: Mapping[str, Entry] = release["arms"]
    return next(name for name, arm in arms.items() if arm["intermediate"] is None)


def grid(release: Release, encoder: str) -> Table:
    """An encoder's board: the baseline's scores, then each arm's gains, one decimal, signed, tasks
    first, best arm first.

    `*`: more than the noise of the test examples after correction for the number of tests. The
    average stands with its interval and the letter of its tie group. Mixtures, subsets and controls
    have no difficulty.
    """
    targets = list(release["targets"])
    gains = {(g["arm"], g["target"]): g for g in release["gains"] if g["encoder"] == encoder}
    baseline = baseline_of(release)
    cells = fields(release, encoder)
    scores = [_score(cells.get((baseline, target), [])) for target in targets]
    rows = [[f"{baseline} (score)", "", *scores, ""]]
    difficult = {
        entry["arm"]: entry for entry in release["difficulty"] if entry["encoder"] == encoder
    }
    for average in ranked(release, encoder):
        arm = average["arm"]
        row = [shown(release, arm), _difficulty(release["arms"][arm], difficult.get(arm))]
        for target in targets:
            gain = gains.get((arm, target), {})
            star = "*" if gain.get("significant") else ""
            row.append(signed(gain.get("gain")) + star + _suffix(cells.get((arm, target), [])))
        tie = f" {average['tie']}" if average.get("tie") else ""
        rows.append([*row, signed(average["average_gain"]) + between(average["interval"]) + tie])
    return ["intermediate", "difficulty", *targets, "average gain"], rows


def _score(cells: list[Entry]) -> str:
    """A field of the baseline: the mean over seeds."""
    known = [cell["score"] for cell in cells if cell["score"] is not None]
    return _one(fmean(known) if known else None) + _suffix(cells)


def fields(release: Release, encoder: str) -> dict[tuple[str, str], list[Entry]]:
    """(arm, target) → its cells, all seeds."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for cell in release["cells"]:
        if cell["encoder"] == encoder:
            found.setdefault((cell["arm"], cell["target"]), []).append(cell)
    return found


def ranked(release: Release, encoder: str) -> list[Entry]:
    """An encoder's averages: tasks, mixtures, subsets, controls; within each the best first, those
    without a number last."""
    kinds = ("task", "mixture", "subset", "control")
    mine = [average for average in release["averages"] if average["encoder"] == encoder]

    def place(average: Entry) -> tuple[int, bool, float]:
        kind, gain = release["arms"][average["arm"]]["kind"], average["average_gain"]
        return kinds.index(kind), gain is None, -(gain or 0.0)

    return sorted(mine, key=place)


def shown(release: Release, arm: str) -> str:
    """An arm's name on the board."""
    return str(release["arms"][arm]["shown"] or arm)


def _difficulty(arm: Entry, measured: Entry | None) -> str:
    """The bucket and the headroom it comes from; of a part or a control what it is."""
    if arm["kind"] == "subset":
        return f"{arm['subset']['keep']} {arm['subset']['fraction']:.0%}"
    if arm["kind"] == "control" or measured is None:
        return "control" if arm["kind"] == "control" else ""
    headroom = "" if measured["headroom"] is None else f" {measured['headroom']:.2f}"
    return f"{measured['bucket'] or ''}{headroom}".strip()


def trained_dev(release: Release, encoder: str, arm: str) -> float | None:
    """What an arm's intermediate training reached on its task's English dev, mean over seeds; with
    shuffled labels, on the true ones. None where that is not known, and of masked-LM, which is
    scored by the pieces that it fills in."""
    facts = release["arms"][arm]
    if facts.get("control") == "masked_lm":
        return None
    keys = {run["key"] for run in facts.get("trained") or [] if run["encoder"] == encoder}
    known = [
        row["main"]
        for row in release.get("dev_scores") or []
        if row["key"] in keys and row["main"] is not None
    ]
    return fmean(known) if known else None


def details(release: Release, encoder: str) -> Table:
    """The baseline per target: English against the rest, languages at chance, tagging's
    accuracy."""
    header = [
        "baseline on",
        "metric",
        "English",
        "other languages",
        "mean above chance",
        "at chance",
        "accuracy (majority tag)",
    ]
    rows = []
    for target, facts in release["targets"].items():
        for cell in _of_baseline(release, encoder, target)[:1]:
            scored = {lang: s for lang, s in cell["languages"].items() if "main" in s}
            if scored:
                rows.append([target, facts["metric"], *_of_languages(cell, scored)])
    return header, rows


def _of_languages(cell: Entry, scored: Mapping[str, Entry]) -> list[str]:
    """The numbers of a row of `details`. `scored`: language → its scores."""
    low = sum("floor" in s["flags"] for s in scored.values())
    majority = [s["metrics"] for s in scored.values() if "majority" in s["metrics"]]
    return [
        _one(scored["en"]["main"]) if "en" in scored else "–",
        _one(cell["zero_shot"]),
        _one(cell["above_floor"]),
        f"{low} of {len(scored)}",
        f"{_average(majority, 'accuracy')} ({_average(majority, 'majority')})" if majority else "",
    ]


def languages(release: Release, encoder: str) -> Table:
    """The baseline per target: the share of unknown pieces, and for each flag that occurs the
    languages that have it.

    A language has a flag if it has it with any seed. Releases of schema 1 do not know what is in
    the vocabulary.
    """
    flagged: dict[str, dict[str, list[str]]] = {}
    unknown: dict[str, dict[str, float]] = {}
    for target in release["targets"]:
        scored = [
            (language, s)
            for c in _of_baseline(release, encoder, target)
            for language, s in c["languages"].items()
        ]
        if scored:
            flagged[target] = {flag: _having(flag, scored) for flag in COLUMNS}
            unknown[target] = {language: s["unknown"] for language, s in scored if "unknown" in s}
    occurring = {flag for of in flagged.values() for flag, having in of.items() if having}
    used = [flag for flag in COLUMNS if flag in occurring]
    header = ["baseline by language on", "unknown pieces: mean (worst)"]
    header += [COLUMNS[flag] for flag in used]
    rows = []
    for target, of in flagged.items():
        rows.append([target, _unknown(unknown[target]), *[_short(of[flag]) for flag in used]])
    return header, rows


def _having(flag: str, scored: list[tuple[str, Entry]]) -> list[str]:
    """The languages that have a flag, by code. `scored`: (language, its scores) of every seed."""
    return sorted({language for language, s in scored if flag in s["flags"]})


def cuts(release: Release) -> list[str]:
    """One line for each cut task: what the suite changed; and for each cut of a task that arms have
    for themselves."""
    suite = release["suite"]
    lines = [
        f"{task}@{cut.get('label', suite['name'])}: {cut['why']}"
        for task, cut in suite["cuts"].items()
    ]
    own: dict[tuple[str, str], list[str]] = {}
    for name, arm in release["arms"].items():
        if arm.get("cut"):
            own.setdefault((arm["intermediate"][0], arm["cut"]["why"]), []).append(
                shown(release, name)
            )
    lines += [
        f"{task} in arm{'s' * (len(arms) > 1)} {', '.join(arms)}: {why}"
        for (task, why), arms in own.items()
    ]
    caps = {split: cap for split, cap in suite["caps"].items() if cap}
    if caps:
        said = ", ".join(f"{split} {cap}" for split, cap in caps.items())
        lines.append(f"Rows at most: {said} (single tasks may differ).")
    return lines


def marks(cells: list[Entry]) -> list[str]:
    """The flags (keys of MARKS, in their order) of one field of the board: its cells with all
    seeds."""
    found = {flag for cell in cells for flag in MARKS if _marked(cell, flag)}
    return [flag for flag in MARKS if flag in found]


def _marked(cell: Entry, flag: str) -> bool:
    if flag == "same" and "shared" in cell["flags"]:  # on the very same rows, which says more
        return False
    if flag in CELL_MARKS:
        return flag in cell["flags"]
    having = sum(flag in s["flags"] for s in cell["languages"].values())
    return 2 * having > len(cell["languages"]) if flag in MOST_MARKS else having > 0


def _suffix(cells: list[Entry]) -> str:
    letters = "".join(MARKS[flag][0] for flag in marks(cells))
    return f" {letters}" if letters else ""


def _of_baseline(release: Release, encoder: str, target: str) -> list[Entry]:
    wanted = encoder, baseline_of(release), target
    return [c for c in release["cells"] if (c["encoder"], c["arm"], c["target"]) == wanted]


def _unknown(shares: dict[str, float]) -> str:
    if not shares:
        return "–"
    worst = max(sorted(shares), key=shares.__getitem__)
    return f"{fmean(shares.values()):.1%} ({worst} {shares[worst]:.1%})"


def _short(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" +{more}" if more > 0 else "")


def between(interval: Interval) -> str:
    """A 95% interval in brackets; nothing for none."""
    if not interval or None in interval:
        return ""
    return f" [{signed(interval[0])}, {signed(interval[1])}]"


def tone(interval: Interval) -> str:
    """What a 95% interval says about a gain."""
    low, high = interval or (None, None)
    if low is None or high is None or low <= 0 <= high:
        return "unsure"
    return "help" if low > 0 else "hurt"


def by_both(gain: Entry) -> bool:
    """Whether a gain's intervals over test examples and over seeds leave out 0, on the same
    side."""
    return tone(gain["interval"]) == tone(gain["seed_interval"]) != "unsure"


def _one(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _average(metrics: list[dict[str, float]], name: str) -> str:
    return _one(fmean(m[name] for m in metrics))
