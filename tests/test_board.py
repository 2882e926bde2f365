"""The board says what is wrong with its numbers: marks, the table by language, and old releases
that still render."""

import json
from io import StringIO
from pathlib import Path

import pytest
from conftest import ROOT, Rig, once, releases, write_jsonl
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from harness.page import explained, render, tables
from harness.page.tables import (
    ANY_MARKS,
    CELL_MARKS,
    COLUMNS,
    MARKS,
    MOST_MARKS,
    grid,
    languages,
    marks,
)

QUICK = settings(max_examples=200, deadline=None)
COMMITTED = sorted(
    path for path in (ROOT / "leaderboard" / "releases").glob("*.json") if ".env." not in path.name
)


# Contents made by hand


def scores(**flags: str) -> dict:
    """language → its scores; `flags` are given as words: de="floor few_rows"."""
    return {
        language: {
            "n": 100,
            "main": 50.0,
            "metrics": {"accuracy": 50.0},
            "truncated": 0,
            "unknown": 0.0,
            "flags": words.split(),
        }
        for language, words in flags.items()
    }


def cell(arm: str, target: str, by_language: dict, *flags: str, seed: int = 1) -> dict:
    facts = {
        "encoder": "enc",
        "arm": arm,
        "target": target,
        "seed": seed,
        "flags": list(flags),
        "languages": by_language,
    }
    score = 50.0 if by_language else None
    return facts | {"score": score, "zero_shot": score, "above_floor": score}


def release(*cells: dict, arms: dict | None = None, **suite) -> dict:
    """A content document that holds these cells, and no intervals; every arm but the baseline has
    gained 1.0 everywhere."""
    arms = {
        "none": {"intermediate": None, "kind": "baseline", "shown": "none", "difficulty": None}
    } | (arms or {})
    targets = list(dict.fromkeys(c["target"] for c in cells))
    others = [arm for arm in arms if arm != "none"]
    facts = {
        "smoke": False,
        "seeds": [1],
        "waives": [],
        "split_rule": {"by": "declared"},
        "caps": {},
        "cuts": {},
    }
    return {
        "schema": 4,
        "suite": {"name": "s", "about": "about", **facts, **suite},
        "encoders": {"enc": {"pretrained_on": "english", "seen": []}},
        "arms": arms,
        "targets": {target: {"metric": "accuracy"} for target in targets},
        "cells": list(cells),
        "gains": [gain(arm, target) for arm in others for target in targets],
        "averages": [
            {
                "encoder": "enc",
                "arm": arm,
                "average_gain": 1.0,
                "interval": None,
                "targets": targets,
                "groups": {},
                "tie": None,
            }
            for arm in others
        ],
        "difficulty": [
            {
                "encoder": "enc",
                "arm": arm,
                "headroom": None,
                "bucket": facts["difficulty"]["declared"],
            }
            for arm, facts in arms.items()
            if facts["difficulty"]
        ],
        **{section: [] for section in ("split", "slices", "subsets", "best")},
    }


def gain(arm: str, target: str, **facts) -> dict:
    unknown = dict.fromkeys(("interval", "seed_interval", "english", "zero_shot", "centred"))
    return {
        "encoder": "enc",
        "arm": arm,
        "target": target,
        "gain": 1.0,
        "counted": True,
        **unknown,
        **facts,
    }


def arm(*tasks: str, difficulty: str | None = None) -> dict:
    return {
        "intermediate": list(tasks),
        "kind": "task" if len(tasks) == 1 else "mixture",
        "shown": "+".join(tasks),
        "difficulty": {"declared": difficulty} if difficulty else None,
    }


def printed(content: dict) -> str:
    out = StringIO()
    render.print_release(content, "title", Console(file=out, width=400))
    return out.getvalue()


def table_cells(line: str) -> list[str]:
    return [part.strip() for part in line.replace("│", "|").replace("┃", "|").split("|")[1:-1]]


FOUR = {"ar": "", "de": "", "en": "", "zh": ""}


@pytest.mark.parametrize("flag", sorted(MOST_MARKS | ANY_MARKS))
@pytest.mark.parametrize("having", range(5))
def test_most_languages_or_any(flag, having):
    flagged = FOUR | dict.fromkeys(sorted(FOUR)[:having], flag)
    needed = 3 if flag in ("floor", "unknown") else 1
    content = release(cell("none", "t", scores(**flagged)))
    letter = {
        "floor": "f",
        "unknown": "v",
        "constant": "c",
        "below_majority": "m",
        "truncated": "t",
        "few_rows": "n",
    }
    letter = (letter | {"empty_text": "e", "misplaced": "a"})[flag]
    assert grid(content, "enc")[1][0][2] == ("50.0" if having < needed else f"50.0 {letter}")
    legend = [line for line in render.footnotes(content, "enc") if line.startswith("Marks: ")]
    assert legend == ([] if having < needed else [f"Marks: {letter} = {MARKS[flag][1]}"])


@pytest.mark.parametrize("flag", sorted(CELL_MARKS))
def test_flags_of_a_cell(flag):
    content = release(cell("none", "t", scores(en=""), flag), cell("none", "u", scores(en="")))
    letter = {
        "unlearned": "u",
        "shared": "s",
        "same": "k",
        "leak": "L",
        "overlap": "o",
        "placeholder": "p",
    }[flag]
    assert grid(content, "enc")[1][0][2:4] == [f"50.0 {letter}", "50.0"]


def test_all_marks_in_one_order_with_letters_of_their_own():
    everything = cell("none", "t", scores(en=" ".join(MOST_MARKS | ANY_MARKS)), *CELL_MARKS)
    assert grid(release(everything), "enc")[1][0][2] == "50.0 usLopfvcmtnea"
    assert len({letter for letter, _ in MARKS.values()}) == len(MARKS)
    assert set(COLUMNS) == set(MOST_MARKS | ANY_MARKS)


def test_rows_that_are_shared_say_more_than_that_they_are_of_one_kind():
    first, second = (
        cell("none", "t", scores(en=""), "same"),
        cell("none", "t", scores(en=""), "shared", "same", seed=2),
    )
    assert (
        marks([first]) == ["same"]
        and marks([second]) == ["shared"]
        and marks([first, second]) == ["shared", "same"]
    )


def test_a_field_has_the_marks_of_any_seed_and_a_refused_cell_its_own():
    content = release(
        cell("none", "t", scores(en="")),
        cell("none", "t", scores(en="constant"), seed=2),
        seeds=[1, 2],
    )
    assert grid(content, "enc")[1][0][2] == "50.0 c"
    content = release(cell("none", "t", {}, "leak"))
    assert grid(content, "enc")[1][0][2] == "– L"
    assert languages(content, "enc")[1] == []


some = st.dictionaries(
    st.sampled_from(["en", "de", "zh", "th"]),
    st.sets(st.sampled_from(sorted(MOST_MARKS | ANY_MARKS))),
    min_size=1,
)


@QUICK
@given(by_language=some, flag=st.sampled_from(sorted(MOST_MARKS | ANY_MARKS)), data=st.data())
def test_one_more_flag_takes_no_mark_away(by_language, flag, data):
    def marked(of: dict) -> set[str]:
        return set(
            marks(
                [
                    cell(
                        "none",
                        "t",
                        scores(**{language: " ".join(flags) for language, flags in of.items()}),
                    )
                ]
            )
        )

    language = data.draw(st.sampled_from(sorted(by_language)))
    more = by_language | {language: by_language[language] | {flag}}
    assert marked(by_language) <= marked(more) <= marked(by_language) | {flag}
    assert marked(by_language) <= set().union(*by_language.values())


def test_by_language():
    wide = [f"a{letter}" for letter in "bcdefghijklmnopqrs"]
    first = scores(**dict.fromkeys(wide, "floor") | {"en": ""})
    first["ab"]["unknown"], first["en"]["unknown"] = 0.5, 0.07
    second = scores(de="truncated", en="few_rows truncated", ar="")
    header, rows = languages(release(cell("none", "t", first), cell("none", "u", second)), "enc")
    assert header == [
        "baseline by language on",
        "unknown pieces: mean (worst)",
        "at chance",
        "lost text",
        "under 50 rows",
    ]
    assert rows == [
        ["t", "3.0% (ab 50.0%)", "ab, ac, ad, ae, af, ag +12", "", ""],
        ["u", "0.0% (ar 0.0%)", "", "de, en", "en"],
    ]


def test_by_language_is_of_the_baseline_and_of_all_its_seeds():
    content = release(
        cell("none", "t", scores(de="", en="")),
        cell("none", "t", scores(de="constant", en=""), seed=2),
        cell("mood", "t", scores(de="truncated", en="truncated")),
        arms={"mood": arm("mood", difficulty="easy")},
    )
    assert languages(content, "enc") == (
        ["baseline by language on", "unknown pieces: mean (worst)", "one answer"],
        [["t", "0.0% (de 0.0%)", "de"]],
    )


def test_a_mixture_and_a_control_have_no_difficulty():
    arms = {"mood": arm("mood", difficulty="easy"), "mix": arm("mood", "mlm"), "mlm": arm("mlm")}
    cells = [cell(name, "t", scores(en="")) for name in ("none", *arms)]
    content = release(*cells, arms=arms)
    assert {row[0]: row[1] for row in grid(content, "enc")[1]} == {
        "none (score)": "",
        "mood": "easy",
        "mood+mlm": "",
        "mlm": "",
    }
    assert "mood+mlm" in render.markdown(content, "title") and "mood+mlm" in printed(content)


def test_a_cut_is_named_by_its_label():
    content = release(
        cell("none", "t", scores(en="")),
        cuts={"t": {"why": "dev", "label": "xstilts"}, "u": {"why": "half"}},
    )
    assert tables.cuts(content) == ["t@xstilts: dev", "u@s: half"]


def test_an_arms_own_cut_is_named_once_for_all_that_have_it():
    half, rest = (
        {"why": why, "train": {"split": f"train[{split}]"}}
        for why, split in (("half", ":50%"), ("rest", "50%:"))
    )
    arms = {
        "t": arm("t") | {"cut": half},
        "easy": arm("t") | {"cut": half, "shown": "easy"},
        "u": arm("u") | {"cut": rest},
    }
    content = release(cell("none", "t", scores(en="")), arms=arms, cuts={"t": {"why": "dev"}})
    assert tables.cuts(content) == ["t@s: dev", "t in arms t, easy: half", "u in arm u: rest"]
    assert "Cuts and caps: t@s: dev t in arms t, easy: half u in arm u: rest" in render.footnotes(
        content, "enc"
    )


# The average over other tasks' targets


def averaged(arm: str, gain: float | None, other: float | None, own: int) -> dict:
    """An average over five targets, `own` of them of the arm's own data."""
    targets, around = list("abcde"), lambda value: None if value is None else [value - 1, value + 1]
    elsewhere = {
        "gain": other,
        "interval": around(other),
        "seed_interval": None,
        "targets": targets[own:],
    }
    facts = {
        "encoder": "enc",
        "arm": arm,
        "average_gain": gain,
        "interval": around(gain),
        "seed_interval": None,
    }
    facts |= {
        "without_retrieval": gain,
        "without_retrieval_interval": around(gain),
        "zero_shot": gain,
    }
    return facts | {
        "zero_shot_interval": around(gain),
        "targets": targets,
        "groups": {},
        "tie": "a",
        "other_tasks": elsewhere,
    }


def compared(*averages: dict, easy_hard: float | None = 1.5) -> dict:
    names = [average["arm"] for average in averages]
    content = release(
        cell("none", "t", scores(en="")),
        arms={name: arm(name, difficulty="easy") for name in names},
    )
    sides = {
        side: {"arms": {name: 1.0}, "average_gain": 1.0}
        for side, name in zip(("easy", "hard"), names, strict=True)
    }
    contrast = {
        "hard_minus_easy": 2.0,
        "interval": [1.0, 3.0],
        "seed_interval": None,
        "permutation_p": 1.0,
        "claim": False,
    }
    other = {"hard_minus_easy": easy_hard, "interval": None, "seed_interval": None}
    split = {"encoder": "enc", "why": "Too few.", **sides, **contrast, "other_tasks": other}
    return content | {"averages": list(averages), "split": [split]}


def test_an_average_over_other_targets_stands_beside_the_first():
    content = compared(averaged("nli", 3.0, -0.5, 2), averaged("qa", 1.0, 1.0, 0))
    header, rows = explained.averages(content, "enc")
    assert header[:5] == [
        "intermediate",
        "all targets",
        "over seeds",
        "other tasks' targets",
        "over seeds",
    ]
    assert [row[3] for row in rows] == ["-0.5 [-1.5, +0.5] (3 targets)", "+1.0 [±0.0, +2.0]"]
    said = " ".join(render.lines(content, "enc"))
    assert "Over other tasks' targets (3): -0.5 [-1.5, +0.5] points." in said
    assert (
        "Within each target, arms on its own data left out, and then averaged: hard − easy +1.5."
        in said
    )
    (note,) = [line for line in render.footnotes(content, "enc") if line.startswith("Average")]
    assert "Other tasks' targets: without those on whose own data" in note
    assert "-0.5 [-1.5, +0.5] (3 targets)" in render.markdown(
        content, "title"
    ) and "(3 targets)" in printed(content)


def test_where_no_other_target_is_left_it_says_so():
    content = compared(averaged("nli", 3.0, None, 5), averaged("qa", 1.0, 1.0, 0), easy_hard=None)
    assert [row[3] for row in explained.averages(content, "enc")[1]] == [
        "– (0 targets)",
        "+1.0 [±0.0, +2.0]",
    ]
    said = " ".join(render.lines(content, "enc"))
    assert (
        "Over other tasks' targets (0): there are none." in said
        and "Within each target" not in said
    )


def test_a_board_without_such_targets_and_an_old_one_have_no_second_average():
    same = compared(averaged("nli", 3.0, 3.0, 0), averaged("qa", 1.0, 1.0, 0), easy_hard=2.0)
    old = json.loads(json.dumps(same))
    for entry in (*old["averages"], *old["split"]):
        entry["other_tasks"] = None
    for content in (same, old):
        assert "other tasks' targets" not in explained.averages(content, "enc")[0]
        text = " ".join([*render.lines(content, "enc"), *render.footnotes(content, "enc")])
        assert "ther tasks' targets" not in text and "Within each target" not in text


@pytest.mark.parametrize(
    "facts, listed",
    [
        (
            {"interval": [0.5, 1.5], "seed_interval": [0.1, 1.9]},
            ["t", "nli", "+1.0 [+0.5, +1.5]", "[+0.1, +1.9]", "–", "–"],
        ),
        (
            {
                "gain": -1.0,
                "interval": [-2, -1],
                "seed_interval": [-3, -1],
                "english": 4,
                "zero_shot": -2,
            },
            ["t", "nli", "-1.0 [-2.0, -1.0]", "[-3.0, -1.0]", "+4.0", "-2.0"],
        ),
        ({"interval": [0.5, 1.5], "seed_interval": [-0.1, 2.1]}, None),
        ({"interval": [-0.5, 2.5], "seed_interval": [0.1, 1.9]}, None),
        # surely something, and no one knows on which side
        ({"interval": [0.5, 1.5], "seed_interval": [-1.5, -0.5]}, None),
        ({"interval": [0.5, 1.5]}, None),  # one seed
        ({"interval": [0.5, 1.5], "seed_interval": [0.1, 1.9], "counted": False}, None),
    ],
)
def test_gains_that_are_not_0_are_listed_if_both_intervals_say_so(facts, listed):
    content = compared(averaged("nli", 1.0, 1.0, 0), averaged("qa", 1.0, 1.0, 0)) | {
        "gains": [gain("nli", "t", **facts)]
    }
    assert explained.sure(content, "enc")[1] == ([listed] if listed else [])
    assert ("Gains that are not 0, by both" in printed(content)) == bool(listed)


def test_every_gain_stands_with_its_interval_and_retrieval_after_centring():
    names = {name: arm(name) for name in ("nli", "qa")}
    content = release(
        cell("none", "t", scores(en="")), cell("none", "u", scores(en="")), arms=names
    )
    content["averages"] = [averaged(name, 1.0, 1.0, 0) for name in names]
    content["gains"] = [
        gain("nli", "t", interval=[-0.5, 2.5], centred=-2.0),
        gain("nli", "u"),
        gain("qa", "u", counted=False),
    ]
    assert explained.gains(content, "enc") == (
        ["intermediate", "t", "u"],
        [["nli", "+1.0 [-0.5, +2.5]", "+1.0"]],
    )
    assert explained.centred(content, "enc") == (["intermediate", "t"], [["nli", "-2.0"]])
    assert "mean vector" in render.markdown(content, "title") and "mean vector" not in printed(
        content
    )


def test_comparisons_of_parts_over_other_tasks_targets_stand_beside_the_first():
    both = {"a": "easiest", "b": "random"}
    first = both | {
        "difference": 2.0,
        "interval": [1.0, 3.0],
        "seed_interval": None,
        "p": 0.01,
        "p_corrected": 0.02,
    }
    other = both | {"difference": -1.0, "interval": [-2.0, 0.5], "seed_interval": [-3.0, 1.0]}
    group = {
        "encoder": "enc",
        "of": "nli",
        "rows": {"easiest": 9, "random": 9},
        "targets": ["t", "u"],
        "comparisons": [first],
    }
    content = compared(averaged("nli", 1.0, 1.0, 0), averaged("qa", 1.0, 1.0, 0))
    content["subsets"] = [group | {"other_tasks": {"targets": ["u"], "comparisons": [other]}}]
    header, (row,) = explained.subsets(content, "enc")
    assert header[4:8] == ["a − b", "over seeds", "other tasks' targets", "over seeds"]
    assert row[4:8] == ["+2.0 [+1.0, +3.0]", "–", "-1.0 [-2.0, +0.5]", "[-3.0, +1.0]"]
    # the same, and none (an older release too)
    for targets, comparisons in (["t", "u"], [first]), ([], []):
        content["subsets"] = [
            group | {"other_tasks": {"targets": targets, "comparisons": comparisons}}
        ]
        header, (row,) = explained.subsets(content, "enc")
        assert "other tasks' targets" not in header and row[4:7] == [
            "+2.0 [+1.0, +3.0]",
            "–",
            "0.010",
        ]


def test_easy_against_hard_stands_target_by_target():
    content = compared(averaged("nli", 3.0, -0.5, 2), averaged("qa", 1.0, 1.0, 0))
    (split,) = content["split"]
    assert explained.within(content, "enc")[1] == []  # an older release does not know it
    one = {
        "hard_minus_easy": 1.5,
        "interval": [1.0, 2.0],
        "seed_interval": None,
        "easy": ["nli"],
        "hard": ["qa"],
    }
    split["by_target"] = {
        "t": one,
        "u": one | {"hard_minus_easy": -0.5, "interval": None, "seed_interval": [-1.0, 0.5]},
    }
    assert explained.within(content, "enc")[1] == [
        ["t", "+1.5 [+1.0, +2.0]", "–", "qa", "nli"],
        ["u", "-0.5", "[-1.0, +0.5]", "qa", "nli"],
        ["mean over 2", "+1.5", "–", "", ""],
    ]
    assert "| mean over 2" in render.markdown(content, "title") and "mean over 2" in printed(
        content
    )


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_releases_render_alike_in_terminal_and_markdown(path):
    content = json.loads(path.read_text())
    text, page = printed(content), render.markdown(content, "title")
    shown = [table_cells(line) for line in text.splitlines()]
    written = [table_cells(line) for line in page.splitlines()]
    for encoder in content["encoders"]:
        for header, rows in (
            tables.grid(content, encoder),
            tables.details(content, encoder),
            tables.languages(content, encoder),
        ):
            for row in (header, *rows):
                assert [part.strip() for part in row] in shown
                assert [part.strip() for part in row] in written
        for line in render.footnotes(content, encoder):
            assert " ".join(line.split()) in " ".join(text.split())
            assert f"- {line}" in page


# A run in which all of it happens


MOOD = """
task: wide_mood
version: 1
role: [target]
family: classification
languages: [de, en, fr, hi]
source: {files: "mood.{language}.{split}.jsonl"}
train: {split: train}
dev: {split: dev}
test: {split: test}
columns: {text: text, label: mood}
labels: [sad, glad]
metric: accuracy
max_length: 32
about: {title: glad or sad}
"""

TAGS = """
task: wide_tags
version: 1
role: [target]
family: tagging
languages: [ar, de, el, en, ru]
source: {files: "tags.{language}.{split}.jsonl"}
train: {split: train}
dev: {split: dev}
test: {split: test}
columns: {tokens: tokens, tags: tags}
labels: [DET, NOUN]
metric: span_f1
max_length: 64
about: {title: word classes}
"""

WRONG = """
suite: wrong
version: 1
about: everything that a board has a mark for
smoke: true
encoders: [tiny]
arms: [none]
targets: [wide_mood, wide_tags]
seeds: [1]
recipes:
  intermediate: {learning_rate: 1e-3}
  target: {learning_rate: 1e-2, batch_size: 8, epochs: 2, evaluations: 1}
waives: [unlearned]
"""


def write_wrong(folder: Path) -> None:
    """mood: German has 30 rows, French loses text at 32 pieces, Hindi is one unknown word. tags: a
    model that has seen next to nothing but DET is asked for German nouns; three alphabets that the
    vocabulary does not have."""
    folder.mkdir()
    for name, text in {"mood": MOOD, "tags": TAGS, "wrong": WRONG}.items():
        (folder / f"{name}.yaml").write_text(text.lstrip())
    sentences = {
        "en": lambda i: f"it is {'good' if i % 2 else 'bad'} {i}",
        "de": lambda i: f"es ist {'gut' if i % 2 else 'arg'} {i}",
        "fr": lambda i: (
            f"{'bon' if i % 2 else 'triste'} et encore une longue phrase numero {i} qui continue"
        ),
        "hi": lambda i: "अच्छा" if i % 2 else "बुरा",
    }
    for language, sentence in sentences.items():
        for split, size, first in (
            ("train", 40, 0),
            ("dev", 10, 100),
            ("test", 30 if language == "de" else 60, 200),
        ):
            rows = [
                {"text": sentence(first + i), "mood": ["sad", "glad"][i % 2]} for i in range(size)
            ]
            write_jsonl(folder / f"mood.{language}.{split}.jsonl", rows)
    words = {
        "en": "the house",
        "de": "das Haus",
        "ru": "этот дом",
        "el": "αυτό σπίτι",
        "ar": "هذا بيت",
    }
    for language, two in words.items():
        for split, size, first in (("train", 40, 100), ("dev", 10, 200), ("test", 60, 300)):
            tags = ["NOUN", "NOUN"] if language == "de" else ["DET", "DET"]
            rows = [
                {"tokens": [*two.split(), str(first + i)], "tags": [*tags, "DET" if i else "NOUN"]}
                for i in range(size)
            ]
            write_jsonl(folder / f"tags.{language}.{split}.jsonl", rows)


@pytest.fixture(scope="module")
def wrong(rig: Rig, tmp_path_factory) -> tuple[dict, str]:
    """(release, what was printed) of suite `wrong`."""

    def make(folder: Path) -> tuple[dict, str]:
        write_wrong(folder / "tasks")
        done = rig.run(rig.through("wrong"), folder, COLUMNS="300")
        assert done.returncode == 0, done.stderr
        (content,) = releases(folder).values()
        return json.loads(content), done.stdout

    return once(tmp_path_factory, "wrong", make)


def flags(content: dict, target: str) -> dict[str, set[str]]:
    (mine,) = (c for c in content["cells"] if c["target"] == target)
    return {language: set(s["flags"]) for language, s in mine["languages"].items()}


def test_a_run_flags_what_is_wrong(wrong):
    content, _ = wrong
    mood, tags = flags(content, "wide_mood"), flags(content, "wide_tags")
    assert {language for language, of in mood.items() if "few_rows" in of} == {"de"}
    assert {language for language, of in mood.items() if "truncated" in of} == {"fr"}
    assert {language for language, of in mood.items() if "unknown" in of} == {"hi"}
    assert {"constant", "floor"} <= mood["hi"]
    assert {language for language, of in tags.items() if "below_majority" in of} == {"de"}
    assert {language for language, of in tags.items() if "unknown" in of} == {"ar", "el", "ru"}
    (cells,) = (
        [c["languages"] for c in content["cells"] if c["target"] == target]
        for target in ["wide_mood"]
    )
    assert cells[0]["fr"]["truncated"] == 60
    assert cells[0]["hi"]["unknown"] == 1.0
    assert cells[0]["en"]["unknown"] == 0.0


def test_and_its_board_shows_it(wrong):
    content, text = wrong
    row = next(table_cells(line) for line in text.splitlines() if line.startswith("│ none (score)"))
    by_target = dict(zip(content["targets"], row[2:], strict=False))
    assert {"c", "t", "n"} <= set(by_target["wide_mood"].split()[1]) and "v" not in by_target[
        "wide_mood"
    ].split()[1]
    assert {"v", "m"} <= set(by_target["wide_tags"].split()[1])
    for flag in ("constant", "truncated", "few_rows", "unknown", "below_majority"):
        assert f"{MARKS[flag][0]} = {MARKS[flag][1]}" in " ".join(text.split())
    assert "L = " not in text
    lines = [table_cells(line) for line in text.splitlines()]
    at = next(i for i, line in enumerate(lines) if line[:1] == ["baseline by language on"])
    table = {
        line[0]: dict(zip(lines[at], line, strict=True))
        for line in lines[at:]
        if line and line[0] in content["targets"]
    }
    assert table["wide_mood"]["lost text"] == "fr"
    assert table["wide_mood"]["under 50 rows"] == "de"
    assert table["wide_mood"]["unknown pieces: mean (worst)"] == "25.0% (hi 100.0%)"
    assert table["wide_tags"]["not in the vocabulary"] == "ar, el, ru"
    assert table["wide_tags"]["below majority tag"] == "de"
