"""Verdicts as a table for people, JUnit XML for a CI server, and Markdown for a job's page."""

import xml.etree.ElementTree as xml
from collections import Counter
from collections.abc import Sequence

from harness.common.text import markdown as plain
from harness.common.text import neutral
from harness.published.verdict import Outcome, Verdict

LEVELS = {1: "exact rerun", 2: "arithmetic", 3: "rerun at scale"}
SIGNS = {"holds": "✓", "fails": "✗", "inconclusive": "?", "not run": "–"}


def sound(verdicts: Sequence[Verdict], required: Sequence[str]) -> bool:
    """Whether at least one check ran, all that ran hold, and all required ones did run."""
    ran = [verdict for verdict in verdicts if verdict.outcome != "not run"]
    return (
        bool(ran)
        and all(verdict.outcome == "holds" for verdict in ran)
        and not missing(verdicts, required)
    )


def missing(verdicts: Sequence[Verdict], required: Sequence[str]) -> list[Verdict]:
    """Checks that had to run (by name, or all of `level-1` and so on) and did not."""
    return [
        verdict
        for verdict in verdicts
        if verdict.outcome == "not run" and is_required(verdict, required)
    ]


def is_required(verdict: Verdict, required: Sequence[str]) -> bool:
    return verdict.check.name in required or f"level-{verdict.check.level}" in required


def not_run(verdicts: Sequence[Verdict]) -> dict[str, list[str]]:
    """Why checks did not run → their names: many lack the same release."""
    reasons: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.outcome == "not run":
            reasons.setdefault(verdict.says, []).append(verdict.check.name)
    return reasons


def tally(verdicts: Sequence[Verdict]) -> str:
    """How many came to what: "5 hold, 1 fails, 9 not run"."""
    words: dict[Outcome, str] = {
        "holds": "hold",
        "fails": "fail",
        "inconclusive": "inconclusive",
        "not run": "not run",
    }
    counts = Counter(verdict.outcome for verdict in verdicts)
    said = ", ".join(
        f"{counts[outcome]} {word}" for outcome, word in words.items() if counts[outcome]
    )
    known = sum(verdict.known_to_differ for verdict in verdicts)
    if not known:
        return said
    return (
        f"{said}; of those that hold, {known} printed averages do not recompute, as the files"
        " record"
    )


def rows(verdicts: Sequence[Verdict]) -> list[tuple[str, ...]]:
    """One row a check: level, name, claim, verdict, what was found."""
    return [
        (
            f"{v.check.level} {LEVELS[v.check.level]}",
            v.check.name,
            v.check.says,
            f"{'≠' if v.known_to_differ else SIGNS[v.outcome]} {v.word}",
            v.says,
        )
        for v in verdicts
    ]


HEAD = ("level", "check", "what is claimed", "verdict", "what was found")


def markdown(verdicts: Sequence[Verdict], gaps: dict[str, list[str]]) -> str:
    """The page of a CI job: the table, then what differs, then what nobody has read yet."""
    lines = ["## Published numbers, checked", "", f"{tally(verdicts)}.", ""]
    lines += ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD)]
    lines += ["| " + " | ".join(map(plain, row)) + " |" for row in rows(verdicts)]
    for verdict in verdicts:
        if verdict.details:
            lines += [
                "",
                f"**{plain(verdict.check.name)}**",
                "",
                *(f"- {plain(detail)}" for detail in verdict.details),
            ]
    if gaps:
        lines += [
            "",
            (
                "<details><summary>Numbers that were not read, so that nothing is checked against"
                " them</summary>"
            ),
            "",
        ]
        lines += [f"- {plain(name)}: {plain(gap)}" for name, found in gaps.items() for gap in found]
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def junit(verdicts: Sequence[Verdict], required: Sequence[str]) -> bytes:
    """JUnit XML as CI servers read it: what did not run is skipped, or failed if it was
    required."""
    root = xml.Element("testsuites", name="xstilts-harness reproduce")
    for level, title in LEVELS.items():
        mine = [verdict for verdict in verdicts if verdict.check.level == level]
        if not mine:
            continue
        suite = xml.SubElement(
            root, "testsuite", name=f"level {level}: {title}", tests=str(len(mine))
        )
        counts = {"failures": 0, "skipped": 0}
        for verdict in mine:
            case = xml.SubElement(
                suite, "testcase", classname=f"reproduce.level{level}", name=verdict.check.name
            )
            if verdict.outcome == "not run" and not is_required(verdict, required):
                xml.SubElement(case, "skipped", message=verdict.says)
                counts["skipped"] += 1
            elif verdict.outcome != "holds":
                failure = xml.SubElement(
                    case,
                    "failure",
                    type=verdict.word,
                    message=f"{verdict.check.says}: {verdict.says}",
                )
                failure.text = "\n".join(verdict.details)
                counts["failures"] += 1
            else:
                xml.SubElement(case, "system-out").text = f"{verdict.check.says}: {verdict.says}"
        for name, count in counts.items():
            suite.set(name, str(count))
    for element in root.iter():  # XML has no control characters at all, not even escaped
        element.text = element.text and neutral(element.text)
        element.attrib.update({name: neutral(value) for name, value in element.attrib.items()})
    xml.indent(root)
    text: bytes = xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"
