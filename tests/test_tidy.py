"""A release as tables of numbers: every number of it once, in its place, and nothing left out."""

import math
import re
from collections import Counter

import page_fixtures as made
import pytest
from conftest import ROOT

from harness import load_release
from harness.common.errors import SpecError
from harness.page.tidy import TABLES, frame, tidy

STUDY = made.committed(made.SUITE)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_columns_that_it_explains_and_no_row_twice(name):
    table = frame(STUDY, name)
    assert list(table.columns) == list(TABLES[name].columns) == list(table.attrs["columns"])
    assert len(table) and not table.duplicated().any()
    # a name that no row has is a slip in one of the two
    assert set(table.columns) == {column for row in tidy(STUDY, name) for column in row}
    assert not [column for column in table.columns if table[column].isna().all()]


def test_scores_are_those_of_the_release_one_for_each_cell_language_and_seed():
    table = frame(STUDY, "scores")
    at = ["encoder", "condition", "target", "language", "seed"]
    assert not table.duplicated(at).any()

    scores = table.dropna(subset="language").set_index(at)["score"].to_dict()
    said = {}
    for cell in STUDY.cells:
        for language, of in cell.languages.items():
            said[cell.encoder, cell.arm, cell.target, language, cell.seed] = of.main
    assert scores == said


def test_a_refused_cell_is_a_row_without_a_language():
    release = made.with_a_refused_gain("panx", "panx")
    table = frame(release, "scores")
    empty = table[table.language.isna()]
    refused = Counter((c.arm, c.target) for c in release.cells if not c.languages)
    assert refused and Counter(zip(empty.condition, empty.target, strict=True)) == refused
    assert empty.score.isna().all() and empty.n.isna().all() and empty["flags"].ne("").all()


def test_a_gain_is_the_mean_difference_of_scores():
    """Computed from the one table, it stands in the other."""
    table = frame(STUDY, "scores").dropna(subset="score")
    means = table.groupby(["condition", "target", "seed"])["score"].mean()
    for row in frame(STUDY, "gains").dropna(subset="value").itertuples():
        gain = (means[row.condition, row.target] - means["none", row.target]).mean()
        assert math.isclose(gain, row.value, abs_tol=1e-9)
        assert row.low < row.value < row.high


def test_the_library_gives_them_by_name():
    release = load_release(made.SUITE, made.SHELF.folder)
    assert release.to_dataframe().equals(frame(STUDY, "scores"))
    assert release.gains().equals(frame(STUDY, "gains"))
    assert release.averages().equals(frame(STUDY, "averages"))
    with pytest.raises(SpecError, match="no table is called 'score'; there is scores, metrics"):
        release.table("score")


@pytest.mark.parametrize(("name", "call"), [("scores", "to_dataframe()"), ("gains", "gains()")])
def test_the_docs_have_the_columns_and_what_they_hold(name, call):
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    table = text.split(f"\n`{call}`, a row for {TABLES[name].row}:\n")[1].split("\n\n")[0]
    said = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, flags=re.MULTILINE))
    assert said == {column: of.about for column, of in TABLES[name].columns.items()}
