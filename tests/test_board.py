"""The board in words, in a terminal and in Markdown: every number is the release's, rounded once;
beside it stands what a reader must know, and all of it fits a screen."""

import json
import re
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import board_made as made
import pytest
from conftest import ROOT, Rig, once, releases, write_jsonl
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from harness.common.text import signed
from harness.page import render, tables, words
from harness.page.glance import glance
from harness.page.reading import Reading, readings, surest
from harness.page.sheet import Column, Field, Line, Sheet
from harness.release.document import Board
from harness.release.schema import Concluded, Content
from harness.release.schema_derived import Contrast

QUICK = settings(max_examples=200, deadline=None)
SHELF = Board(ROOT / "leaderboard")
COMMITTED = [path.stem for path in SHELF.list()]


@cache
def committed(name: str) -> Content:
    return Content.model_validate(SHELF.load(SHELF.find(name)))


def printed(release: Concluded, *choices: tables.Choice, width: int = 100) -> list[str]:
    """The lines on a terminal of that width."""
    stream = StringIO()
    console = Console(file=stream, width=width, color_system=None)
    render.print_release(release, "release 0001-x", console, choices or ("glance",))
    return stream.getvalue().splitlines()


def rows(sheet: Sheet) -> dict[str, list[str]]:
    """Name of a row → its texts, without what stands before the name."""
    names = [column.name for column in sheet.columns]
    at = names.index("intermediate") if "intermediate" in names else 0
    return {line.cells[at].text: [one.text for one in line.cells[at + 1 :]] for line in sheet.rows}


def only(release: Concluded) -> tuple[dict[str, list[str]], Any]:
    """(rows, board) of a release with one encoder."""
    (board,) = glance(release, "release 0001-x").boards
    return rows(board.sheet), board


ADVICE = "What was not learned: `eval`, run again, says what to change."

# One table for a glance


def study(**sections: Any) -> Concluded:
    """Three tasks, a part and a control on five targets."""
    every = list(made.GROUPS)
    averages = [
        made.average("easy_one", made.mean(made.sure(0.44, 1.06), *every)),
        made.average(
            "squad",
            made.mean(made.sure(-0.52, 1.33), *every),
            pair=made.mean(made.sure(-1.04, 4.3), "xnli"),
            qa=made.mean(made.sure(3.06, 1.42, "up"), "xquad", "mlqa"),
            retrieval=made.mean(made.sure(-3.56, 1.77, "down"), "tatoeba"),
        ),
        made.average("part", made.mean(made.sure(2.0), *every)),
        made.average("shuffled", made.mean(made.sure(9.0), *every)),
    ]
    conditions = {
        "squad": made.arm(),
        "easy_one": made.arm(),
        "shuffled": made.arm("control"),
        "part": made.arm("subset"),
    }
    hardness = [made.difficulty("squad", "hard"), made.difficulty("easy_one", "easy")]
    given = {"averages": averages, "difficulty": hardness}
    return made.release(conditions, **(given | sections))


def test_squad_on_retrieval_is_read_at_a_glance():
    table, board = only(study())
    assert [column.name for column in board.sheet.columns] == [
        *("", "intermediate", "pairs", "tagging", "QA", "retrieval", "average gain")
    ]
    assert table["squad"] == ["−1.0 ±4.3", "–", "+3.1 ±1.4 ▲", "−3.6 ±1.8 ▼", "−0.5 [−1.9, +0.8]"]
    assert table["target tasks"] == ["1", "1", "2", "1", "5"]
    assert table["baseline score"] == ["40.0"] * 5
    tones = {line.cells[1].text: [one.tone for one in line.cells[2:]] for line in board.sheet.rows}
    assert tones["squad"] == ["unsure", "none", "help", "hurt", "unsure"]


def test_best_first_and_what_answers_other_questions_last():
    table, board = only(study())
    assert list(table)[2:] == ["easy_one", "squad", "part", "shuffled"]
    assert [line.cells[0].text for line in board.sheet.rows[2:]] == ["easy", "hard", "", ""]


def test_the_sentences_say_no_more_than_the_arrows_and_the_intervals():
    _, board = only(study())
    helps, hurts, unknown = board.sentences
    assert helps == "Helps: QA after squad +3.1 [+1.6, +4.5]."
    assert hurts == "Hurts: retrieval after squad −3.6 [−5.3, −1.8]."
    assert unknown.startswith("Not known: whether easy or hard tasks transfer better.")
    # a control that gains 9 points, and a part, are named nowhere
    assert "shuffled" not in " ".join(board.sentences) and "part" not in " ".join(board.sentences)


def test_what_is_beyond_0_without_an_arrow_only_may_be():
    every = list(made.GROUPS)
    averages = [
        made.average("a", made.mean(made.sure(2.0), *every)),
        made.average("b", made.mean(made.sure(1.5), *every)),
        made.average("c", made.mean(made.sure(3.0), *every)),
        made.average("d", made.mean(made.sure(0.9), *every)),  # contains 0
    ]
    conditions = {name: made.arm() for name in "abcd"}
    _, board = only(made.release(conditions, averages=averages))
    assert board.sentences[0] == (
        "Helps: nothing for sure. May help: the average after c, a, b (+3.0 to +1.5)."
    )
    assert board.sentences[1] == "Hurts: nothing for sure."


@pytest.mark.parametrize(("seeds", "said"), [([1], "One seed"), ([1, 2], "Two seeds")])
def test_of_one_or_two_seeds_nothing_is_sure_and_the_caption_says_so(seeds, said):
    release = study(suite=made.suite(seeds=seeds))
    _, board = only(release)
    assert board.sheet.caption.endswith(f"{said.lower()}: intervals are over test rows alone")
    assert f"{said}: nothing is sure before there are three" in board.sentences[2]
    assert "▲" not in " ".join(board.sheet.footnotes)
    _, board = only(study())
    assert "three seeds" in board.sheet.caption and "alone" not in board.sheet.caption
    assert any("▲ ▼: sure after correction" in note for note in board.sheet.footnotes)


def test_one_kind_of_target_is_its_own_average():
    targets = {"xquad": "qa", "mlqa": "qa"}
    number = made.mean(made.sure(3.0), *targets)
    release = made.release(
        {"squad": made.arm()}, targets, averages=[made.average("squad", number, qa=number)]
    )
    table, board = only(release)
    assert [column.name for column in board.sheet.columns] == ["", "intermediate", "QA"]
    assert table["squad"] == ["+3.0 ±1.0"] and table["target tasks"] == ["2"]
    assert board.sentences[0] == (
        "Helps: nothing for sure. May help: QA after squad +3.0 [+2.0, +4.0]."
    )


def test_what_is_mostly_english_is_named_with_what_is_left_without_it():
    targets = {"xquad": "qa", "mlqa": "qa"}
    number, rest = made.mean(made.sure(3.0), *targets), made.mean(made.sure(1.4), *targets)
    zero_shot = {"groups_zero_shot": {"qa": rest}}
    average = made.average("squad", number, qa=number, **zero_shot)
    _, board = only(made.release({"squad": made.arm()}, targets, averages=[average]))
    assert "+3.0 [+2.0, +4.0] (without English +1.4 [+0.4, +2.4])." in board.sentences[0]
    zero_shot["groups_zero_shot"]["qa"] = made.mean(made.sure(1.6), *targets)
    average = made.average("squad", number, qa=number, **zero_shot)
    _, board = only(made.release({"squad": made.arm()}, targets, averages=[average]))
    assert "English" not in board.sentences[0]


def test_easy_minus_hard_stands_last_with_what_a_claim_takes():
    why = "No claim can be made: too few tasks."
    every = list(made.GROUPS)
    groups = {group: made.contrast(1.0, 2.0, *every[:1]) for group in made.GROUPS.values()}
    split = made.split(made.contrast(-1.47, 2.63, *every), why, **groups)
    table, board = only(study(split=[split]))
    assert list(table)[-1] == "easy − hard"
    assert table["easy − hard"] == ["+1.0 ±2.0"] * 4 + ["−1.5 [−4.1, +1.2]"]
    assert board.sentences[2].startswith(
        "Not known: whether easy or hard tasks transfer better:"
        f" easy − hard −1.5 [−4.1, +1.2]. {why}"
    )


@pytest.mark.parametrize(("value", "said"), [(3.0, "Easy"), (-3.0, "Hard")])
def test_easy_or_hard_tasks_transfer_better_where_a_claim_is_possible(value, said):
    split = made.split(made.contrast(value, 1.0, "xnli"))
    _, board = only(study(split=[split]))
    assert board.sentences[2].startswith(
        f"{said} tasks transfer better: easy − hard {signed(value)}"
    )
    # not where the interval contains 0, nor where no claim is possible, nor with one or two seeds
    few = made.estimate(value).model_copy(update={"p": None})
    for other in (
        made.split(Contrast(easy_minus_hard=few, targets=["xnli"])),
        made.split(made.contrast(value, 4.0, "xnli")),
        made.split(made.contrast(value, 1.0, "xnli"), "Too few."),
    ):
        _, board = only(study(split=[other]))
        assert board.sentences[2].startswith(
            "Not known: whether easy or hard tasks transfer better"
        )


# What qualifies a number


def refused_and_own() -> Concluded:
    every = list(made.GROUPS)
    known = [target for target in every if target != "mlqa"]
    averages = [
        made.average("fine", made.mean(made.sure(-1.0), *every)),
        made.average(
            "leaks",
            made.UNKNOWN,
            rest=made.mean(made.sure(5.0), *known),
            qa=made.mean(made.sure(4.0), "xquad"),
        ),
        made.average(
            "kin",
            made.mean(made.sure(-2.0), *every),
            own_data=["xnli"],
            without_own=made.mean(made.sure(-2.5, 0.5), *every[1:]),
            pair=made.mean(made.sure(7.0), "xnli"),
        ),
    ]
    release = made.release({name: made.arm() for name in ("leaks", "kin", "fine")})
    cells = [
        *release.cells,
        made.cell("leaks", "mlqa", "leak"),
        made.cell("kin", "xnli", "same"),
        made.cell("fine", "udpos", "unlearned"),
    ]
    averages[0].groups["tagging"] = made.mean(made.sure(-6.0), "udpos")
    return release.model_copy(update={"averages": averages, "cells": cells})


def test_a_condition_with_a_refused_cell_is_below_the_ranked_with_what_is_left():
    table, board = only(refused_and_own())
    assert list(table)[2:] == ["fine", "kin", "leaks"]
    assert table["leaks"][2] == "+4.0 ±1.0 (1)" and table["leaks"][-1] == "+5.0 [+4.0, +6.0] (4)"
    assert (
        "(n): over n target tasks only, unranked. Trained on test rows: leaks on mlqa."
        in board.sheet.footnotes
    )
    # nor is it named among what helps on average
    assert "the average after leaks" not in board.sentences[0]
    assert "QA after leaks" in board.sentences[0]


def test_own_data_are_marked_and_the_average_without_them_is_given():
    table, board = only(refused_and_own())
    assert table["kin"][0] == "+7.0 ±1.0 ⚠" and table["kin"][-1] == "−2.0 [−3.0, −1.0] ⚠"
    assert table["fine"][-1] == "−1.0 [−2.0, 0.0]"
    (note,) = (note for note in board.sheet.footnotes if note.startswith("⚠ "))
    assert note.endswith("Average gain without such targets: kin −2.5 ±0.5 (4).")


def test_a_target_that_was_not_learned_then_is_marked_at_its_cell():
    table, board = only(refused_and_own())
    assert table["fine"][1] == "−6.0 ±1.0 †"
    (note,) = (note for note in board.sheet.footnotes if note.startswith("†"))
    assert note.endswith("(at chance in English): udpos after fine.")


def test_what_the_baseline_did_not_learn_either_is_no_effect_of_a_condition():
    release = refused_and_own()
    cells = [made.cell("none", "udpos", "unlearned"), *release.cells[5:]]
    _, board = only(release.model_copy(update={"cells": cells}))
    assert not any(note.startswith("†") for note in board.sheet.footnotes)


@pytest.mark.parametrize("kind", ["task", "mixture"])
def test_a_condition_that_learned_nothing_is_marked_and_never_named_best(kind):
    every = list(made.GROUPS)
    averages = [made.average("squad", made.mean(made.sure(9.0, arrow="up"), *every))]
    conditions = {"squad": made.arm(kind, trained=[made.run()])}
    for learned in (True, False):
        given = {"averages": averages, "dev_scores": [made.dev_score(learned)]}
        table, board = only(made.release(conditions, **given))
        assert ("squad" in table, "squad ⚠1" in table) == (learned, not learned)
        why = "its own English dev is not above chance by three standard errors"
        note = f"⚠1 Not learned: squad ({why})."
        assert (note in board.sheet.footnotes) is not learned
        assert (ADVICE in board.sheet.footnotes) is not learned
        said = "the average after squad +9.0 [+8.0, +10.0]" if learned else "nothing for sure"
        assert board.sentences[0] == f"Helps: {said}."
    waived = made.suite(waives=["unlearned"])  # nobody minds
    assert ADVICE not in only(made.release(conditions, suite=waived, **given))[1].sheet.footnotes


def test_of_several_seeds_it_is_said_how_many_learned_nothing():
    """Conditions of which the same is said share a footnote."""
    arms = {arm: made.arm(trained=[made.run()]) for arm in ("squad", "mnli")}
    averages = [made.average(arm, made.mean(made.sure(1.0), *made.GROUPS)) for arm in arms]
    devs = [made.dev_score(True), made.dev_score(False)]
    release = made.release(arms, averages=averages)
    _, board = only(release.model_copy(update={"dev_scores": devs}))
    (note,) = (note for note in board.sheet.footnotes if "Not learned" in note)
    assert "squad, mnli (" in note and note.endswith("errors with 1 of 2 seeds).")


def test_a_training_whose_dev_nobody_looked_at_is_not_called_unlearned():
    every = list(made.GROUPS)
    averages = [made.average("squad", made.mean(made.sure(1.0), *every))]
    conditions = {"squad": made.arm(trained=[made.run()])}
    dev = made.dev_score(False).model_copy(update={"main": None})
    table, _ = only(made.release(conditions, averages=averages, dev_scores=[dev]))
    assert "squad" in table


def test_what_is_wrong_with_a_column_stands_once_in_its_header():
    low = {"en": made.scores(), "sw": made.scores("floor"), "th": made.scores("floor", "few_rows")}
    some = {"en": made.scores(), "sw": made.scores("floor", "unknown"), "th": made.scores()}
    release = study()
    cells = [
        made.cell("none", "xnli", **low),
        made.cell("none", "udpos", "overlap", **some),
        *release.cells[2:],
    ]
    table, board = only(release.model_copy(update={"cells": cells}))
    marks = {column.name: column.mark for column in board.sheet.columns}
    assert marks["pairs"] == "⚠1" and marks["tagging"] == "⚠2" and marks["QA"] == ""
    # of one language of three nothing is said
    assert board.sheet.footnotes[:2] == [
        "⚠1 pairs: not above chance in xnli 2/3 languages.",
        "⚠2 tagging: a few test rows in the training data of udpos.",
    ]
    assert not any("⚠" in text for texts in table.values() for text in texts)


def test_a_target_at_chance_is_named_and_counts_in_no_average():
    release = study()
    headline = {"enc": ["mlqa", "tatoeba", "udpos", "xnli"]}
    table, board = only(release.model_copy(update={"headline": headline}))
    assert table["target tasks"] == ["1", "1", "1", "1", "4"]
    assert "In no average (the baseline is at chance): xquad." in board.sheet.footnotes


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        ("unlearned", "the baseline is at chance"),
        ("placeholder", "test labels that carry no information"),
        ("leak", "trained on test rows"),
    ],
)
def test_why_a_target_counts_in_no_average(flag, why):
    release = study()
    headline = {"enc": ["mlqa", "tatoeba", "udpos", "xnli"]}
    cells = [*release.cells, made.cell("none", "xquad", flag, seed=2)]
    _, board = only(release.model_copy(update={"headline": headline, "cells": cells}))
    assert f"In no average ({why}): xquad." in board.sheet.footnotes


def test_a_leak_is_named_where_its_number_stands_and_where_it_does_not():
    cells = [made.cell("squad", "xnli", "leak"), made.cell("squad", "mlqa", "leak")]
    release = study(gains=[made.gain("squad", "xnli", made.sure(3.0), "leak")])
    release = release.model_copy(update={"cells": [*release.cells, *cells]})
    (reading,) = readings(release)
    (sheet,) = tables.targets(reading)
    assert rows(sheet)["squad"] == ["+3.0 ±1.0 leak", "–", "–", "leak", "–"]


def test_a_column_with_nothing_to_show_is_left_out():
    rows_of = [made.difficulty("squad", "hard"), made.difficulty("easy_one", "easy")]
    measured = [one.model_copy(update={"pvi_share": 0.25}) for one in rows_of]
    for found, names in ((rows_of, []), (measured, ["PVI share"])):
        (reading,) = readings(study(difficulty=found))
        (sheet,) = tables.difficulty(reading)
        assert [one.name for one in sheet.columns if "PVI" in one.name] == names
        assert any("PVI" in note for note in sheet.footnotes) == bool(names)
        assert {len(line.cells) for line in sheet.rows} == {len(sheet.columns)}


def test_a_target_that_the_suite_does_not_name_is_told_from_one_at_chance():
    known = made.suite(average_over=["a task"])
    facts = {"xquad": made.target("qa", task="another")}
    release = study(suite=known)
    targets = release.targets | {
        "xquad": release.targets["xquad"].model_copy(update={"task": "another"})
    }
    assert facts["xquad"]["task"] == targets["xquad"].task
    headline = {"enc": ["mlqa", "tatoeba", "udpos", "xnli"]}
    _, board = only(release.model_copy(update={"headline": headline, "targets": targets}))
    assert "In no average (the suite names other targets): xquad." in board.sheet.footnotes


def test_what_the_encoder_has_seen_stands_beside_its_gains():
    seen = ["SNLI (as pairs)", "SQuAD 2.0", "PAQ", "ELI5"]
    _, board = only(study(seen=seen))
    assert board.sheet.footnotes[-1] == ("enc has seen: SNLI, SQuAD 2.0, PAQ and 1 more.")


# Names


def names(*targets: str, **shown: str) -> Reading:
    kinds = dict.fromkeys(targets, "pair")
    release = made.release({name: made.arm(shown=of) for name, of in shown.items()}, kinds)
    (reading,) = readings(release)
    return reading


def test_a_suffix_that_all_reduced_tasks_have_stands_in_the_caption():
    reading = names("xnli@study", "udpos@study", squad="squad@study", part="part")
    assert reading.suffix == "@study" and reading.task("xnli@study") == "xnli"
    assert reading.condition("squad") == "squad" and reading.condition("part") == "part"
    assert "tasks @study" in words.caption(reading, "t")


@pytest.mark.parametrize(
    "targets", [["xnli@study", "udpos@other"], ["xnli@study", "xnli"], ["xnli", "udpos"]]
)
def test_a_suffix_stays_where_it_tells_tasks_apart(targets):
    reading = names(*targets)
    assert reading.suffix == "" and [reading.task(target) for target in targets] == targets


def few_shot(counts: bool, **facts: Any) -> Concluded:
    """XNLI, and PAN-X on a few rows of each language, which `counts` in the average or not."""
    regimes = {"panx": {"few_shot": 3, "split": "dev"}}
    name = "panx@few_shot_3"
    release = made.release(targets={"xnli": "pair", name: "tagging"}, **facts)
    few = release.targets[name].model_copy(update={"task": "panx", "regime": "few_shot_3"})
    suite = release.suite.model_validate(made.suite(regimes=regimes))
    return release.model_copy(
        update={
            "targets": release.targets | {name: few},
            "suite": suite,
            "headline": {"enc": [name] if counts else ["xnli"]},
        }
    )


@pytest.mark.parametrize("conditions", [{}, {"squad": made.arm()}])
def test_what_is_few_shot_is_said_with_where_it_counts(conditions):
    averages = [made.average(name, made.mean(made.sure(1.0), "xnli")) for name in conditions]
    trained = "not zero-shot: trained on English and 3 rows of each test language, split dev"
    for counts, said in (
        (False, f"In no average ({trained}): panx@few_shot_3."),
        (True, f"tagging: panx@few_shot_3 {trained}."),
    ):
        release = few_shot(counts, conditions=conditions, averages=averages)
        notes = glance(release, "t").boards[0].sheet.footnotes
        assert [note for note in notes if "zero-shot" in note and note.endswith(said)]
        # its name is not cut, nor is the caption that of all targets
        (reading,) = readings(release)
        assert reading.suffix == "" and "@" not in words.caption(reading, "t")


def test_one_intermediate_alone_is_neither_easy_nor_hard_nor_between_them():
    averages = [made.average("squad", made.mean(made.sure(1.0), *made.GROUPS))]
    hardness = [made.difficulty("squad", "median")]
    given = {"averages": averages, "difficulty": hardness}
    board = only(made.release({"squad": made.arm()}, **given))[1]
    said = [field.text for row in board.sheet.rows for field in row.cells]
    said += [*board.sentences, *board.sheet.footnotes]
    assert not [text for text in said if "easy" in text or text == "middle"]


# Several encoders, and none that trained on anything first


def test_each_encoder_has_its_table_and_a_line_compares_them():
    encoders, every = ("first", "second"), tuple(made.GROUPS)
    release = made.release({"squad": made.arm()}, encoders=encoders)
    averages = [
        made.average("squad", made.mean(made.sure(gain), *every), encoder)
        for encoder, gain in zip(encoders, (1.0, 2.0), strict=True)
    ]
    scores = [
        made.score(None, 40.0, "first", every),
        made.score(None, 43.2, "second", every, made.sure(3.2, 0.4)),
    ]
    shown = glance(release.model_copy(update={"averages": averages, "scores": scores}), "t")
    assert [board.encoder for board in shown.boards] == ["first", "second"]
    assert [rows(board.sheet)["squad"][-1] for board in shown.boards] == [
        "+1.0 [0.0, +2.0]",
        "+2.0 [+1.0, +3.0]",
    ]
    assert shown.together == (
        "Without an intermediate task, average score: first 40.0, second 43.2 (+3.2 [+2.8, +3.6])."
    )


def test_without_intermediates_encoders_stand_beside_each_other_target_by_target():
    encoders, targets = ("first", "second"), {"xnli": "pair", "tatoeba": "retrieval"}
    release = made.release({}, targets, encoders)
    scores = [
        made.score("xnli", 40.0, "first"),
        made.score("tatoeba", 10.0, "first"),
        made.score(None, 25.0, "first", tuple(targets)),
        made.score("xnli", 42.0, "second", difference=made.sure(2.0, 0.5, "up")),
        made.score("tatoeba", 9.0, "second", difference=made.sure(-1.0, 1.5)),
        made.score(None, 25.5, "second", tuple(targets), made.sure(0.5, 1.0)),
    ]
    table, board = only(release.model_copy(update={"scores": scores}))
    assert [column.name for column in board.sheet.columns] == [
        *("target task", "first", "second", "− first")
    ]
    assert table == {
        "xnli": ["40.0 ±1.0", "42.0 ±1.0", "+2.0 ±0.5 ▲"],
        "tatoeba": ["10.0 ±1.0", "9.0 ±1.0", "−1.0 ±1.5"],
        "average": ["25.0 ±1.0", "25.5 ±1.0", "+0.5 ±1.0"],
    }


# In a terminal and in Markdown


@pytest.mark.parametrize("name", COMMITTED)
@pytest.mark.parametrize("width", [80, 100, 300])
def test_a_committed_release_fits_a_screen(name, width):
    release = committed(name)
    lines = printed(release, width=width)
    assert max(map(len, lines)) <= min(width, 100)
    # a line more for each condition beyond the eleven of the study
    most = sum(40 + max(0, len(one.ranked) - 11) for one in readings(release))
    assert width == 80 or len(lines) <= most + len(release.encoders)


@pytest.mark.parametrize("name", COMMITTED)
def test_every_table_of_it_fits_too(name):
    assert max(map(len, printed(committed(name), "full"))) <= 100


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_releases_say_the_same_in_terminal_and_markdown(name):
    release = committed(name)
    page = render.markdown(release, "release 0001-x")
    text = " ".join(" ".join(printed(release, "full", width=100)).split())
    for board in glance(release, "release 0001-x").boards:
        for line in (board.sheet.caption, *board.sentences, *board.sheet.footnotes):
            assert " ".join(line.split()) in text and render.plain(line) in page
    shown = [sheet for reading in readings(release) for sheet in tables.sheets(reading, "full")]
    for sheet in shown:
        for line in sheet.rows:
            cells = " | ".join(render.plain(one.text) for one in line.cells)
            assert cells.split() in [row.strip("|").split() for row in page.splitlines()]


@pytest.mark.parametrize("name", COMMITTED)
def test_every_number_of_it_is_the_releases_own_rounded_once(name):
    """Each gain and each average with its interval, by name."""
    release = committed(name)
    for reading, board in zip(readings(release), glance(release, "t").boards, strict=True):
        table = rows(board.sheet)
        for average in reading.ranked:
            name = reading.condition(average.arm)
            (texts,) = (of for row, of in table.items() if row.split(" ⚠")[0] == name)
            mean = average.rest or average.overall
            if len(reading.groups) > 1:
                assert texts[-1].startswith(bracketed(mean.gain))
            for group, text in zip(reading.groups, texts, strict=False):
                of = average.groups[group].gain
                assert text.startswith(halved(of)), (average.arm, group)
                assert ("▲" in text, "▼" in text) == (of.arrow == "up", of.arrow == "down")
        (sheet,) = tables.targets(reading)
        of_targets = rows(sheet)
        for (arm, target), gain in reading.gains.items():
            text = of_targets[reading.condition(arm)][reading.targets.index(target)]
            assert text.startswith("leak" if gain.gain.value is None else halved(gain.gain))


def bracketed(number: Any) -> str:
    low, high = number.interval
    return f"{signed(number.value)} [{signed(low)}, {signed(high)}]"


def halved(number: Any) -> str:
    low, high = number.interval
    return f"{signed(number.value)} ±{(high - low) / 2:.1f}"


@pytest.mark.parametrize("name", COMMITTED)
def test_every_field_of_every_table_is_its_number_rounded_once(name):
    release = committed(name)
    shown = [board.sheet for board in glance(release, "t").boards]
    for reading in readings(release):
        shown += tables.sheets(reading, "full")
    fields = [field for sheet in shown for line in sheet.rows for field in line.cells]
    numbers = [field for field in fields if field.number is not None]
    assert numbers
    for field in numbers:
        text = field.text.replace("−", "-").replace(",", "")
        first = re.match(r"<?([+-]?\d+(?:\.(\d+))?)(%?)", text)
        assert first, field
        unit = 10.0 ** -len(first[2] or "")
        value = field.number * (100 if first[3] else 1)
        # half a unit, and what a double cannot hold of it
        assert abs(float(first[1]) - value) <= unit / 2 + 1e-9 or "<" in text, field


# Whatever is in a table, it fits


FIELDS = st.builds(
    lambda value, half: Field(
        f"{signed(value)} ±{half:.1f} ▲", value, short=f"{signed(value)}±{half:.1f}▲"
    ),
    st.floats(-99, 99),
    st.floats(0, 99),
)


@QUICK
@given(st.integers(1, 30), st.integers(0, 12), st.integers(40, 120), st.data())
def test_a_table_of_any_size_keeps_its_width_and_every_field(columns, lines, width, data):
    heads = [Column("intermediate", numeric=False), *(Column(f"c{n}") for n in range(columns))]
    body = [
        Line(
            "task",
            [Field(f"row{n}"), *data.draw(st.lists(FIELDS, min_size=columns, max_size=columns))],
        )
        for n in range(lines)
    ]
    drawings = list(render.fitting(Sheet("x", "", heads, body), width))
    assert all(drawing.width <= width for drawing in drawings)
    drawn = [number for drawing in drawings for number in drawing.columns if number]
    assert drawn == list(range(1, columns + 1))
    for drawing in drawings:
        for number, texts in zip(drawing.columns, drawing.texts, strict=True):
            of = [line.cells[number] for line in body]
            assert all(
                text.strip() in (one.text, one.short)
                for text, one in zip(texts[1:], of, strict=True)
            )


def test_numbers_stand_below_each_other_by_their_points():
    body = [Line("task", [Field("a"), Field(text)]) for text in ("+1.5 ±0.5 ▲", "−12.0 ±1.0", "–")]
    (drawing,) = render.fitting(Sheet("x", "", [Column("", numeric=False), Column("n")], body), 80)
    assert drawing.texts[1] == ["n", " +1.5 ±0.5 ▲", "−12.0 ±1.0", "–"]


def test_the_readme_is_one_screen_and_a_list():
    made_of = [
        render.Listed(Path("0001-study.json"), "release 0001-study", study()),
        render.Listed(
            Path("0002-smoke.json"), "release 0002-smoke", study(suite=made.suite(smoke=True))
        ),
    ]
    text = render.readme(made_of)
    # the newest of real data, not the smoke test that came after it
    assert "release 0001-study · enc" in text and "release 0002-smoke · enc" not in text
    assert (
        text.index("- ± is half its 95% interval")
        < text.index("−3.6 ±1.8 ▼")
        < text.index("## All")
    )
    assert text.endswith(
        "- [0001-study](releases/0001-study.md): made by hand ([data](releases/0001-study.json))\n"
        "- [0002-smoke](releases/0002-smoke.md): made by hand ([data](releases/0002-smoke.json))\n"
    )


def test_what_has_a_claim_is_seen_before_what_came_after_it():
    asked = {"hypothesis": "h", "says": "s", "of": "easy_minus_hard", "above": -3.0, "below": 3.0}
    claims, describes = (
        study(suite=made.suite(hypotheses=[asked | {"primary": primary}]))
        for primary in (True, False)
    )
    more = study(suite=made.suite(seeds=[1, 2, 3, 4, 5]))
    assert surest([claims, describes, more]) == 0
    assert surest([describes, more, study()]) == 1
    assert surest([study(), describes]) == 1


def test_a_smoke_test_is_named_first():
    release = study(suite=made.suite(smoke=True))
    assert printed(release)[0] == words.SMOKE
    assert words.SMOKE in render.markdown(release, "t")


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
    said = " ".join(text.split())
    assert "tagging: not above chance in wide_tags" in said
    assert "over 5% unknown subwords in wide_tags 3/5 languages" in said
    (reading,) = readings(Content.model_validate(content))
    (sheet,) = tables.wrong_where(reading)
    found = {}
    for line in sheet.rows:
        target, what, count, which = (one.text for one in line.cells)
        found[target, what] = count, which
    assert found["wide_mood", "truncated rows"] == ("1/4", "fr")
    assert found["wide_mood", "under 50 test rows"] == ("1/4", "de")
    assert found["wide_mood", "over 5% unknown subwords"] == ("1/4", "hi")
    assert found["wide_tags", "over 5% unknown subwords"] == ("3/5", "ar, el, ru")
    assert found["wide_tags", "below the most frequent tag alone"] == ("1/5", "de")
    (baseline,) = tables.baseline(reading)
    assert rows(baseline)["wide_mood"][-1] == "25.0% (hi 100.0%)"
