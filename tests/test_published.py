"""leaderboard/published/*.yaml say what their sources say, and the arithmetic and the claims over
them can fail."""

import json
import subprocess
import sys
import zipfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import MIRROR, ORACLES, ROOT, SHARED, needs_shared
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.common.errors import SpecError
from harness.published import arithmetic, claims
from harness.published import numbers as spec
from harness.published.claims import Committed
from harness.published.exact import compare_release
from harness.published.numbers import Check, Published
from harness.published.reproduce import judge
from harness.published.verdict import Verdict
from harness.release.schema import Concluded
from harness.sources.hub import Where
from harness.sources.inspect import check_data
from harness.spec.catalog import Catalog
from harness.spec.reader import Places
from harness.statistics.gains import measured
from harness.statistics.study import Study
from tests import mini_rows
from tests.made_up import Release, right, target
from tests.made_up import arm as an_arm

FILES = {document.published: document for document in spec.load([spec.folder()])}
ARITHMETIC = [
    (check, document)
    for document in FILES.values()
    for check in document.checks
    if check.level == 2
]


class Thing(SimpleNamespace):
    """A value with some of a release's fields."""


def level_2(check: Check, document: Published) -> Verdict:
    """Arithmetic, which asks for nothing but the file."""
    return judge(check, document, None)


def read(name: str) -> dict:
    return json.loads((SHARED / "published" / name).read_text())


# --- the numbers are the sources'


@needs_shared
def test_mteb_cells_are_those_of_the_source():
    models = read("mteb_tatoeba.json")["models"]
    document = FILES["mteb-tatoeba"]
    assert {table: found.cells for table, found in document.tables.items()} == {
        name.split("/")[1]: found["per_language"] for name, found in models.items()
    }


def test_mock_scores_are_those_of_the_official_scorer():
    official = json.loads((ORACLES / "xtreme_mock_scores.json").read_text())
    scores, constants = official["seqeval_0.0.12"], official["expected_in_evaluate_test.py"]
    document = FILES["xtreme-mock"]
    tasks = [name for name in document.tables if name != "averages"]
    assert len(tasks) == 9
    for task in tasks:
        for language, numbers in document.tables[task].cells.items():
            assert numbers == {metric: scores[task][metric][language] for metric in numbers}
        assert set(document.tables[task].cells) == set(
            next(of for of in scores[task].values() if isinstance(of, dict))
        )
        main = constants[task].get("avg_f1", constants[task].get("avg_accuracy"))
        if "avg_exact_match" in constants[task]:
            main = (constants[task]["avg_exact_match"] + main) / 2
        assert document.tables["averages"].cells[task]["score"] == pytest.approx(main, abs=1e-10)
    assert document.tables["averages"].cells["overall"]["score"] == scores["all_task"]


@needs_shared
def test_xtreme_cells_are_those_of_the_source():
    table, document = read("xtreme_2020.json")["main_table"], FILES["xtreme-2020"]
    named = {
        "XNLI": "xnli",
        "PAWS-X": "pawsx",
        "POS_v3": "pos",
        "NER": "ner",
        "BUCC": "bucc",
        "Tatoeba": "tatoeba",
    }
    for encoder, cells in table.items():
        wanted = {named[task]: said["value"] for task, said in cells.items() if task in named}
        for task in ("XQuAD", "MLQA", "TyDiQA"):
            f1_only = "F1 only" in cells[task]["source"]
            wanted |= {
                f"{task.lower()}_{m}": v
                for m, v in cells[task]["value"].items()
                if m == "f1" or not f1_only
            }
        assert document.tables["main"].cells[encoder] == wanted
    assert (
        document.tables["average"].cells["xlm-roberta-large"]["overall"]
        == table["xlm-roberta-large"]["Avg_v1"]["value"]
    )
    human = read("xtreme_2020.json")["human"]["XQuAD"]["value"]
    assert document.tables["human"].cells == {
        "human": {f"xquad_{metric}": value for metric, value in human.items()}
    }


@needs_shared
def test_numbers_beside_the_main_table_are_those_of_the_source():
    """What the source derived is not called verbatim, and no check holds it against what it was
    derived from."""
    source, document = read("xstilts_2020.json"), FILES["xtreme-2020"]
    dev = source["baseline_dev_per_language"]
    assert document.tables["retrieval-dev"].cells == {
        "bucc": dev["BUCC_f1"],
        "tatoeba": dev["Tatoeba_acc"],
    }
    means, said = document.tables["retrieval-dev-means"], source["baseline_dev_retrieval_means"]
    assert means.cells == {
        "means": {"bucc": round(said["BUCC_f1"], 1), "tatoeba": round(said["Tatoeba_acc"], 1)}
    }
    assert means.provenance == said["provenance"] == "derived"
    groups = source["xtreme_test"]["groups_xlmr"]
    found = document.tables["rembert-groups"].cells["groups"]
    assert found == {
        name: groups[name] for name in ("sentence_pair", "structured", "question_answering")
    }
    first = document.tables["first-version"]
    assert f"POS {first.cells['xlm-roberta-large']['pos']} (first arXiv version)" in groups["note"]
    assert first.provenance == "derived"
    derived = {name for name, table in document.tables.items() if table.provenance == "derived"}
    used = {
        (check.name, path.split("/")[0]) for check in document.checks for path in spec._paths(check)
    }
    # XTREME's own 68.1, from which nothing was derived
    assert {pair for pair in used if pair[1] in derived} == {
        ("xtreme-xlmr-overall-first-version", "first-version")
    }


@needs_shared
def test_xstilts_cells_are_those_of_the_source():
    source, document = read("xstilts_2020.json"), FILES["xstilts-2020"]
    for row, name in (("leaderboard_row", "xstilts"), ("baseline_row", "xlmr")):
        said = source["xtreme_test"][row]
        wanted = {
            "xnli": said["XNLI"],
            "pawsx": said["PAWS-X"],
            "pos": said["POS"],
            "ner": said["NER"],
        }
        for task in ("XQuAD", "MLQA", "TyDiQA"):
            wanted |= {f"{task.lower()}_{metric}": value for metric, value in said[task].items()}
        averages = {"seven_tasks": said["Avg_task_7"], "three_groups": said["Avg_3_categories"]}
        found = document.tables["row"].cells[name]
        assert {column: found[column] for column in wanted} == wanted
        reprinted = (
            FILES["xtreme-2020"].tables["rembert-row"].cells["averages"]
            if name == "xlmr"
            else found
        )
        assert {column: reprinted[column] for column in averages} == averages
    claimed = source["claims_average_gain"]
    wanted = [claimed[name] for name in ("SQuAD", "MNLI", "HellaSwag", "multi-task on all 9")]
    assert list(document.tables["average-gains"].cells["gains"].values()) == wanted
    best = source["abstract_claims"]["v2"]["xtreme_gain_best_per_task"]["value"]
    assert document.tables["best-per-target"].cells["xtreme"]["gain"] == best
    other = source["xtreme_test"]["other_published_row"]
    known = {
        name.lower().replace("-", ""): value
        for name, value in other.items()
        if isinstance(value, float)
    }
    assert document.tables["other-row"].cells == {"xstilts": known}
    retrieval = source["xtreme_test"]["retrieval_xlmr"] | {
        "overall": source["xtreme_test"]["overall"]["xlmr"]
    }
    wanted = {
        name.lower(): said["value"]
        for name, said in retrieval.items()
        if said["provenance"] == "verbatim"
    }
    assert document.tables["retrieval"].cells == {"xlmr": wanted}
    groups = source["xtreme_test"]["groups_xstilts"]
    assert document.tables["groups"].cells["xstilts"] == {
        name: groups[name] for name in document.tables["groups"].cells["xstilts"]
    }


@pytest.mark.slow
@needs_shared
def test_the_mirrors_rows_are_those_of_the_published_cells():
    """1,000 pairs, fewer in the languages where Tatoeba has fewer; the count decides which
    accuracies are possible."""
    cells = FILES["mteb-tatoeba"].tables["all-MiniLM-L6-v2"].cells
    lines = list(
        check_data(Catalog.load([]), ["tatoeba_mteb"], Where(data_root=MIRROR, offline=True))
    )
    assert [line.exit_code for line in lines] == [0] * 36
    rows = {line.text.split()[2].rstrip(":"): int(line.text.split()[3]) for line in lines}
    assert (rows.keys(), max(rows.values()), rows["jv"]) == (cells.keys(), 1000, 205)
    for language, count in rows.items():
        hits = cells[language]["accuracy"] * count
        assert hits == pytest.approx(round(hits), abs=1e-3 * count)


def test_every_file_says_what_was_not_read():
    """But the mock submission's, of which nothing is left to read."""
    assert {name for name, document in FILES.items() if not document.gaps} == {"xtreme-mock"}


def test_no_claim_is_about_rows_that_its_suite_does_not_report():
    """Protocol xtreme reports test, as XTREME does; `xstilts-2020` dev, by the paper's own protocol
    (docs/protocols.md)."""
    reported = {"xtreme-baselines": "test", "xstilts-xtreme": "test", "xstilts-2020": "dev"}
    splits = {
        (check.claim.suite, document.tables[path.split("/")[0]].split)
        for document in FILES.values()
        for check in document.checks
        if check.claim and check.claim.printed
        for path in check.claim.printed.cells
    }
    assert splits == set(reported.items())


def test_an_installed_package_brings_the_numbers_and_the_smoke_rows(tmp_path):
    """The wheel that pip builds holds them where they are looked for."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"harness/builtin/leaderboard/published/{name}.yaml" for name in FILES} <= set(names)
    rows = {f"harness/builtin/tasks/mini/{path.name}" for path in mini_rows.FOLDER.iterdir()}
    assert rows <= set(names)


# --- bad files say what is wrong, and where


GOOD = """
published: mine
version: 1
about: a test
paper: {title: t, url: u}
sources: {here: my notes}
tables:
  t: {title: t, split: test, protocol: p, decimals: 1, provenance: verbatim, source: here,
      cells: {r: {a: 1.0, b: 2.5}}}
checks:
  - {name: one, says: s, why: w, derive: {formula: {mean: [t/r/a, t/r/b]}, printed: t/r/b}}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("source: here", "source: there", ":8:86: no source 'there'; there are here"),
        ("b: 2.5", "b: 2.55", "2.55 has more than the 1 decimals of table t"),
        (
            "a: 1.0",
            "a: 101.0",
            ":9:22: 101.0 has more than a perfect score, the `scale: 100` of table t",
        ),
        ("printed: t/r/b", "printed: t/r/c", "no cell 't/r/c'; write table/row/column"),
        ("printed: t/r/b", "printed: t", "no cell 't'; write table/row/column"),
        (
            "{mean: [t/r/a, t/r/b]}",
            "{}",
            "a formula is a cell, or has one of mean, sum, minus, or times with of",
        ),
        ("{mean: [t/r/a, t/r/b]}", "{times: 2.0}", "a formula is a cell"),
        (
            "derive: {formula: {mean: [t/r/a, t/r/b]}, printed: t/r/b}",
            "",
            "a check has exactly one of rerun",
        ),
        ("provenance: verbatim", "provenance: memory", "provenance"),
        ("says: s,", "", "missing key 'says'"),
        ("cells: {r: {a: 1.0, b: 2.5}}", "cells: {}", ":9:14: expected 1 or more entries, got 0"),
        (
            "cells: {r: {a: 1.0, b: 2.5}}",
            "cells: {r: {a: 1.0, b: 2.5}, s: {}}",
            ":9:39: expected 1 or more entries, got 0",
        ),
    ],
)
def test_a_bad_file(tmp_path, old, new, said):
    (tmp_path / "mine.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(SpecError) as error:
        spec.load([tmp_path])
    assert "mine.yaml:" in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize("value", [84, 84.0, 80.0, 100.0, 0.0])
def test_whole_numbers_have_no_decimals(tmp_path, value):
    (tmp_path / "mine.yaml").write_text(
        GOOD.replace("decimals: 1", "decimals: 0").replace("a: 1.0, b: 2.5", f"a: {value}, b: 2")
    )
    assert spec.load([tmp_path])[0].tables["t"].cells["r"]["a"] == value


def test_a_name_twice(tmp_path):
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD)
    with pytest.raises(SpecError, match=r"check 'one' stands at .*a\.yaml:11:12 too"):
        spec.load([tmp_path])


# --- arithmetic


def test_the_example_of_the_docs_adds_up(tmp_path):
    page = (ROOT / "docs" / "reproducing.md").read_text()
    (text,) = [
        block.split("```")[0]
        for block in page.split("```yaml\n")
        if block.startswith("# published/")
    ]
    (tmp_path / "mine.yaml").write_text(text)
    (mine,) = spec.load([tmp_path])
    assert mine.sources == {"paper": "my paper, camera ready"}
    assert [level_2(check, mine).outcome for check in mine.checks if check.level == 2] == ["holds"]


def test_the_docs_count_the_claims():
    claims = Counter(
        check.claim.suite for document in FILES.values() for check in document.checks if check.claim
    )
    gains = sum(check.claim.kind == "gain" for check in FILES["xstilts-2020"].checks if check.claim)
    assert (claims, gains) == ({"xstilts-2020": 9, "xstilts-xtreme": 1, "xtreme-baselines": 9}, 4)
    page = (ROOT / "docs" / "reproducing.md").read_text()
    assert "Nineteen claims: nine over a release of `xstilts-2020` (four average gains" in page


@pytest.mark.parametrize(
    ("check", "document"), ARITHMETIC, ids=[check.name for check, _ in ARITHMETIC]
)
def test_arithmetic_comes_out_as_recorded(check, document):
    assert level_2(check, document).outcome == "holds"


def changed(document: Published, path: str, by: float) -> Published:
    """The document with another number in one cell."""
    table, row, column = path.split("/")
    said = document.model_dump()
    cells = said["tables"][table]["cells"][row]
    cells[column] = round(cells[column] + by, said["tables"][table]["decimals"])
    return Published.model_validate(said)


@pytest.mark.parametrize(
    ("check", "document"), ARITHMETIC, ids=[check.name for check, _ in ARITHMETIC]
)
def test_another_printed_average_is_noticed(check, document):
    """An average moved by a point no longer is as recorded; of an order, its total by enough."""
    if check.derive:
        low, high = arithmetic.bounds(check.derive.formula, document)
        (path,) = check.derive.printed.cells
        by = (
            float((low + high) / 2 - document.cell(path))
            if check.derive.found == "differs"
            else 1.0
        )
    else:
        path, by = "best-per-target/xtreme/gain", -1.0
    assert level_2(check, changed(document, path, by)).outcome == "fails"


MINE = {
    "paper": {"title": "t", "url": "u"},
    "sources": {"x": "y"},
    "published": "p",
    "version": 1,
    "about": "a",
}


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=9), st.integers(0, 10))
@settings(max_examples=200)
def test_an_average_of_unrounded_numbers_always_agrees(thousandths, decimals):
    """Whatever the true scores: rounded cells and the rounded mean of the true scores never
    contradict each other."""
    decimals = decimals % 3
    true = [Decimal(t) / 10 for t in thousandths]
    unit = Decimal(1).scaleb(-decimals)
    cells = {str(i): float(value.quantize(unit)) for i, value in enumerate(true)}
    cells["mean"] = float((sum(true) / len(true)).quantize(unit))
    facts = {
        "title": "t",
        "split": "s",
        "protocol": "p",
        "decimals": decimals,
        "provenance": "verbatim",
        "source": "x",
    }
    tables = {"t": facts | {"cells": {"r": cells}}}
    formula = {"mean": [f"t/r/{i}" for i in range(len(true))]}
    check = {
        "name": "c",
        "says": "s",
        "why": "w",
        "derive": {"formula": formula, "printed": "t/r/mean"},
    }
    document = Published.model_validate(MINE | {"tables": tables, "checks": [check]})
    assert not spec._broken(document, Places(Path("p.yaml"), {}))
    assert level_2(document.checks[0], document).outcome == "holds"


# --- reruns


def reseeded(
    *accuracies: float, cells: dict | None = None, printed: float = 50.0, **how
) -> Verdict:
    """A table that prints 50.0, against a release with these accuracies, one a seed."""
    table = {
        "title": "t",
        "split": "s",
        "protocol": "p",
        "decimals": 1,
        "provenance": "verbatim",
        "source": "x",
    }
    how = {"suite": "s", "encoder": "e", "target": "x", "table": "t"} | how
    known = {"tables": {"t": table | {"cells": {"en": {"accuracy": printed}}}}}
    known["checks"] = [{"name": "c", "says": "s", "why": "w", "rerun": how}]
    document = Published.model_validate(MINE | known)
    of_seeds = [{"en": Thing(metrics={"accuracy": value})} for value in accuracies]
    if cells:
        of_seeds.append(cells["languages"])
    content = Thing(
        arms={"none": Thing(kind="baseline")},
        targets={"x": Thing(task="x"), "y": Thing(task="y")},
        encoders={"e": Thing()},
        suite=Thing(left_out=["z"]),
        cells=[
            Thing(encoder="e", arm="none", target="x", languages=languages)
            for languages in of_seeds
        ],
    )
    (check,) = document.checks
    return compare_release(check, check.rerun, document, content, "a release")


def test_a_rerun_of_several_seeds_is_compared_by_their_mean():
    assert reseeded(50.0).outcome == reseeded(49.0, 50.0, 51.0).outcome == "holds"
    last_alone_would_hold = reseeded(40.0, 50.0)
    assert last_alone_would_hold.outcome == "fails"
    assert last_alone_would_hold.details == ("t/en/accuracy: printed 50.0, computed 45.0",)
    assert "not in a release" in reseeded(50.0, cells={"languages": {}}).details[0]


@pytest.mark.parametrize(
    ("computed", "outcome"), [(84.3, "holds"), (83.9, "holds"), (84.4, "fails"), (83.8, "fails")]
)
def test_a_cell_that_is_off_by_the_tolerance_is_within_it(computed, outcome):
    """84.3 - 84.1 is 0.20000000000000284 in binary."""
    assert reseeded(computed, printed=84.1, tolerance=0.2).outcome == outcome


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ({"target": "xx"}, "fails"),
        ({"encoder": "ee"}, "fails"),
        # of the suite, but nothing was computed: its data are not here
        ({"target": "y"}, "not run"),
        ({"target": "z"}, "not run"),
    ],
)
def test_a_name_that_the_suite_does_not_have_is_a_slip_and_not_a_lack(how, outcome):
    assert reseeded(50.0, **how).outcome == outcome


# --- claims

ROWS = 400


def claim(kind: str, printed: float | None = None, **how) -> tuple[Check, Published]:
    facts = {
        "title": "t",
        "split": "s",
        "protocol": "p",
        "decimals": 1,
        "provenance": "verbatim",
        "source": "x",
    }
    tables = {"t": facts | {"cells": {"r": {"c": printed or 0.0}}}}
    said = {"kind": kind, "suite": "s", "encoder": "e", **how} | (
        {"printed": "t/r/c"} if printed is not None else {}
    )
    check = {"name": "c", "says": "s", "why": "w", "claim": said}
    document = Published.model_validate(MINE | {"tables": tables, "checks": [check]})
    return document.checks[0], document


ENCODER = {"version": 1, "pretrained_on": "", "seen": [], "files": {}, "max_length": 128}


def whole(made: Release) -> Concluded:
    """A made-up release of encoder e, whose targets are called as their tasks are."""
    for name, facts in made.content["targets"].items():
        facts["task"] = name
    made.content["encoders"] = {"e": ENCODER}
    return Concluded.model_validate(made.content | made.derive())


def release(gains: dict[str, dict[str, list[int]]], base: int = 100) -> Concluded:
    """arm → target → how many more of 400 rows are right in each of the seeds, in both
    languages."""
    names = list(dict.fromkeys(name for of in gains.values() for name in of))
    seeds = [1, 2, 3][: len(next(iter(next(iter(gains.values())).values())))]
    made = Release(
        {name: an_arm(of=name) for name in gains},
        {name: target() for name in names},
        seeds=seeds,
    )
    for name in names:
        for i, seed in enumerate(seeds):
            made.cell("none", name, {"en": right(base, ROWS), "sw": right(base, ROWS)}, seed=seed)
            for arm, of in gains.items():
                more = right(base + of[name][i], ROWS)
                made.cell(arm, name, {"en": more, "sw": more}, seed=seed)
    return whole(made)


def verdict(content: Concluded, kind: str, **how) -> str:
    return judged(content, kind, **how).outcome


def judged(content: Concluded, kind: str, **how) -> Verdict:
    return claims.claimed(*claim(kind, **how), content, "a release", {}, committed(content))


def committed(content: Concluded) -> Committed:
    """What the suite's YAML says if the release is of it."""
    return Committed(content.suite, set(content.arms), set(content.targets))


STRONG = release(
    {"a": {"x": [40, 41, 42], "y": [200, 201, 202]}, "b": {"x": [0, 1, 2], "y": [160, 161, 162]}}
)


@pytest.mark.parametrize(
    ("printed", "margin", "outcome"),
    [
        (30.3, 6.0, "holds"),
        (30.3, 0.1, "inconclusive"),
        (50.0, 6.0, "fails"),
        (10.0, 6.0, "fails"),
        (36.5, 6.0, "inconclusive"),
    ],
)
def test_an_average_gain_is_equivalent_by_its_margin(printed, margin, outcome):
    """Arm a gains 10.25 and 50.25 points: 30.25 on average."""
    assert verdict(STRONG, "gain", arm="a", printed=printed, margin=margin) == outcome


def test_fewer_than_three_seeds_conclude_nothing():
    two = release({"a": {"x": [40, 41], "y": [200, 201]}})
    found = judged(two, "gain", arm="a", printed=30.1, margin=6.0)
    assert (found.outcome, "fewer than three seeds" in found.says) == ("inconclusive", True)


def flagged(flag: str) -> Concluded:
    """Arm a gains 10.25 and 50.25 points; its cells on y carry a flag."""
    content = release(
        {"a": {"x": [40, 41, 42], "y": [200, 201, 202]}, "b": {"x": [0, 1, 2], "y": [0, 1, 2]}}
    )
    for cell in content.cells:
        if (cell.arm, cell.target) == ("a", "y"):
            cell.flags.append(flag)
    return content


LONGER = STRONG.suite.recipes.model_copy(
    update={"target": STRONG.suite.recipes.target.model_copy(update={"epochs": 9})}
)


def test_an_average_that_leaves_a_target_out_is_not_the_papers():
    found = judged(flagged("unlearned"), "gain", arm="a", printed=30.3, margin=6.0)
    assert (found.outcome, "leaves out y" in found.says) == ("inconclusive", True)


@pytest.mark.parametrize(
    ("left_out", "wanted", "said"),
    [
        (["ccg"], {}, "left out ccg"),
        ([], {"targets": {"x", "y", "z"}}, "without z"),
        ([], {"targets": {"x"}}, "beyond it y"),
        ([], {"targets": {"x@s", "y"}}, "without x@s; beyond it x"),
        ([], {"arms": {"none", "a"}}, "beyond it b"),
        ([], {"arms": {"none", "a", "b", "c"}}, "without c"),
        # an arm that is called as a target is
        ([], {"arms": {"none", "a", "b", "x"}}, "without x"),
        ([], {"suite": {"version": 2, "seeds": [1, 2]}}, "other version, seeds"),
        ([], {"suite": {"recipes": LONGER}}, "other recipes"),
        ([], None, "no suite is called s here"),
    ],
)
def test_a_part_of_the_papers_experiment_or_more_than_it_concludes_nothing(left_out, wanted, said):
    suite, expected = STRONG.suite, committed(STRONG)
    content = STRONG.model_copy(update={"suite": suite.model_copy(update={"left_out": left_out})})
    if wanted and "suite" in wanted:
        wanted = {"suite": suite.model_copy(update=wanted["suite"])}
    expected = expected._replace(**wanted) if wanted is not None else None
    how = {"arm": "a", "printed": 30.3, "margin": 6.0}
    found = claims.claimed(*claim("gain", **how), content, "a release", {}, expected)
    assert (found.outcome, found.says) == ("inconclusive", f"not the suite as committed: {said}")


@pytest.mark.parametrize(
    ("kind", "how", "outcome"),
    [
        ("gain", {"arm": "a", "printed": 30.3, "margin": 6.0}, "holds"),
        ("gain", {"arm": "a", "printed": 10.3, "margin": 6.0}, "fails"),  # what x alone gains
        ("most", {"arms": ["a"], "targets": ["y"]}, "holds"),
        ("consistent", {"arms": ["a"], "targets": ["y"]}, "holds"),
        ("none", {"arms": ["a"], "targets": ["y"], "margin": 1.0}, "fails"),
        ("no_better", {"arms": ["b"], "than": "a", "margin": 1.0}, "holds"),
    ],
)
def test_a_paper_counts_what_it_trained_on_shared_rows(kind, how, outcome):
    """As X-STILTs does: MNLI before XNLI, whose training set is MNLI, and SQuAD before XQuAD and
    MLQA."""
    assert verdict(flagged("shared"), kind, **how) == outcome


def test_targets_that_gain_most():
    assert verdict(STRONG, "most", arms=["a", "b"], targets=["y"]) == "holds"
    assert verdict(STRONG, "most", arms=["a"], targets=["x"]) == "fails"
    close = release({"a": {"x": [40, 41, 42], "y": [41, 42, 43]}})
    assert verdict(close, "most", arms=["a"], targets=["y"]) == "inconclusive"


def test_one_target_certainly_above_a_chosen_one_decides_most():
    """The chosen x is close to v, whose seeds are all over the place, and far below y: the closest
    pair alone says nothing."""
    found = judged(
        release({"a": {"x": [40, 41, 42], "y": [200, 201, 202], "v": [0, 100, 250]}}),
        "most",
        arms=["a"],
        targets=["x"],
    )
    assert (found.outcome, "a, x above y, -40" in found.says) == ("fails", True)


def test_pairs_of_gains_share_their_seeds():
    """y is ten points above x with each seed, which differ by far more than that."""
    content = release({"a": {"x": [0, 100, 200], "y": [40, 140, 240]}})
    assert verdict(content, "most", arms=["a"], targets=["y"]) == "holds"
    assert verdict(content, "most", arms=["a"], targets=["x"]) == "fails"


def test_most_of_all_targets_says_nothing():
    found = judged(STRONG, "most", arms=["a"], targets=["x", "y"])
    assert (found.outcome, "all targets of the release are named" in found.says) == (
        "inconclusive",
        True,
    )


def test_a_target_that_gains_always():
    assert verdict(STRONG, "consistent", arms=["a", "b"], targets=["y"]) == "holds"
    assert verdict(STRONG, "consistent", arms=["a", "b"], targets=["x"]) == "inconclusive"
    assert (
        verdict(release({"a": {"x": [-40, -41, -42]}}), "consistent", arms=["a"], targets=["x"])
        == "fails"
    )


def test_a_target_that_does_not_gain():
    assert verdict(STRONG, "none", arms=["b"], targets=["x"], margin=3.0) == "holds"
    assert verdict(STRONG, "none", arms=["b"], targets=["x"], margin=0.1) == "inconclusive"
    assert verdict(STRONG, "none", arms=["a", "b"], targets=["x"], margin=1.0) == "fails"


def test_an_arm_that_is_no_better():
    assert verdict(STRONG, "no_better", arms=["b"], than="a", margin=1.0) == "holds"
    assert verdict(STRONG, "no_better", arms=["a"], than="b", margin=1.0) == "fails"
    assert verdict(STRONG, "no_better", arms=["a"], than="a", margin=0.1) == "holds"


def test_the_best_arm_of_each_target():
    """On dev all are equal, so the baseline is chosen, and gains nothing."""
    assert verdict(STRONG, "best", printed=0.0, margin=1.0) == "holds"
    assert verdict(STRONG, "best", printed=5.4, margin=1.0) == "fails"


def test_the_best_of_each_target_is_as_sure_as_the_release_says():
    """Nothing is concluded where one of those that were chosen lacks a seed."""
    content = release({"a": {"x": [120, 120, 120], "y": [0, 0, 0]}})
    x, y, mean = content.best
    said = mean.gain.model_copy(update={"value": 10.0, "interval": [9.95, 10.05], "p": 0.0})
    best = [
        x.model_copy(update={"arm": "a"}),
        y.model_copy(update={"arm": "none"}),
        mean.model_copy(update={"gain": said}),
    ]
    content = content.model_copy(update={"best": best})
    study = measured(Study.of(content, content.cells, "e"))
    check, _ = claim("best", printed=10.0, margin=1.0)
    assert claims._best(check.claim, content, study)[:3] == (10.0, 9.95, 10.05)

    del study.gain("a", "x").per_seed["2"]
    with pytest.raises(claims.Unknown, match="a on x has no gain with seed 2"):
        claims._best(check.claim, content, study)


def test_a_baselines_score():
    assert verdict(STRONG, "score", targets=["x"], printed=25.0, margin=4.0) == "holds"
    assert verdict(STRONG, "score", targets=["x"], printed=79.2, margin=1.5) == "fails"


def width(languages: tuple[str, ...], parallel: bool) -> float:
    """Of the interval of a baseline's score: 100 of 400 rows are right, the same ones in each
    language and seed."""
    made = Release({}, {"x": target(languages=languages, parallel=parallel)}, seeds=[1, 2, 3])
    for seed in (1, 2, 3):
        made.cell("none", "x", dict.fromkeys(languages, right(100, ROWS)), seed=seed)
    content = whole(made)
    check, _ = claim("score", targets=["x"], printed=25.0, margin=4.0)
    study = measured(Study.of(content, content.cells, "e"))
    found = claims._score(check.claim, study)
    assert found.value == 25.0 and found.low < 25 < found.high
    return found.high - found.low


def test_a_scores_interval_is_that_of_the_score():
    """Binomial for one language; two that are translations of each other, answered alike, are no
    surer than one."""
    one = width(("en",), parallel=True)
    assert one == pytest.approx(2 * 1.96 * 100 * (0.25 * 0.75 / ROWS) ** 0.5, rel=0.05)
    assert width(("en", "sw"), parallel=True) == one
    assert width(("en", "sw"), parallel=False) == pytest.approx(one / 2**0.5, rel=0.05)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"kind": "gain", "arm": "z", "printed": 1.0, "margin": 1.0}, "no condition z"),
        ({"kind": "consistent", "arms": ["a"], "targets": ["z"]}, "no target z"),
        (
            {"kind": "gain", "arm": "a", "printed": 1.0, "margin": 1.0, "encoder": "f"},
            "no encoder f",
        ),
    ],
)
def test_what_a_release_does_not_have_concludes_nothing(how, said):
    kind = how.pop("kind")
    found = judged(STRONG, kind, **how)
    assert (found.outcome, said in found.says) == ("inconclusive", True)


def test_a_claim_has_what_its_kind_needs(tmp_path):
    text = GOOD.replace(
        "derive: {formula: {mean: [t/r/a, t/r/b]}, printed: t/r/b}",
        "claim: {kind: gain, suite: s, encoder: e}",
    )
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(SpecError, match="kind gain goes with arm, margin, printed"):
        spec.load([tmp_path])
    how = "kind: score, suite: s, encoder: e, targets: [xnli, pawsx], printed: t/r/b, margin: 1.0"
    (tmp_path / "mine.yaml").write_text(text.replace("kind: gain, suite: s, encoder: e", how))
    with pytest.raises(SpecError, match="kind score is about one target"):
        spec.load([tmp_path])
