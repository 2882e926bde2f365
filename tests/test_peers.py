"""`make bench` runs: on tiny shapes, in threads in place of processes. What it says about speed is
nobody's business here; that all compute the same is."""

import ast
import json
import multiprocessing.dummy
from pathlib import Path

import pytest

from tests.peers import cpu, gpu, page, rounds
from tests.peers.contenders import Ours
from tests.peers.material import Shape, Sizes, material
from tests.peers.names import OURS, PADDED

BENCHES = sorted(Path(__file__).parent.glob("bench*.py"))


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> dict:
    out = tmp_path_factory.mktemp("peers") / "cpu.json"
    cpu.main([str(out), "--smoke", "--rounds", "2"], processes=multiprocessing.dummy)
    return json.loads(out.read_text())


def test_all_contenders_compute_the_same(compared):
    training, tags, windows, spans = compared["comparisons"]
    assert 0 <= training["largest_loss_difference"] < 1e-6
    assert 0 <= windows["largest_loss_difference"] < 1e-6
    assert (tags["predictions"], tags["differ"]) == (8, 0)
    assert (spans["predictions"], spans["differ"]) == (8, 0)
    for one in compared["comparisons"]:
        assert len(one["contenders"]) == (5 if one["what"] == "evaluation" else 6)
        for name, row in one["contenders"].items():
            assert "failed" not in row, (name, row)
            assert row["cpu"][1] <= row["cpu"][0] <= row["cpu"][2] and row["peak"] > 0


def test_a_comparison_becomes_a_table(compared):
    made = page.rendered("<!-- cpu: made -->\nold\n<!-- end -->\n", page.taken(compared))
    assert "old" not in made
    assert "| this harness, by length |" in made and "#### PAN-X tags, evaluation" in made


def test_seconds_of_processes_count_before_those_of_the_clock():
    stats = {"median": 2.0, "min": 1.0, "max": 3.0}
    one = {"group": "commands", "name": "test", "params": {"name": "plan"}, "stats": stats}
    found = {"machine_info": {"cpu": {"brand_raw": "a CPU"}}, "benchmarks": [one]}
    made = {}
    for seconds in ({}, {"cpu": [0.5, 0.25, 0.125]}):
        one["extra_info"] = seconds
        made[bool(seconds)] = page.others(page.taken(found)["others"])
    assert "| plan | 2 [1–3] |" in made[False] and "| plan | 0.25 [0.125–0.5] |" in made[True]


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
@pytest.mark.parametrize("family", ["classification", "span_qa"])
def test_rows_of_one_length_have_it(tmp_path, kind, family):
    sizes = Sizes(kind, 1, 32, 200, 200)
    given = material(Shape("even", family, 48, sizes, pool=3, tokens=48), tmp_path / "rows", False)
    assert [len(feature["input_ids"]) for feature in Ours(given).part.features] == [48] * 3


def test_workers_on_one_device_are_measured_together(tmp_path):
    gpu.main([str(tmp_path / "gpu.json"), "--smoke"], processes=multiprocessing.dummy)
    found = json.loads((tmp_path / "gpu.json").read_text())
    who = [one["who"] for one in found["comparisons"]]
    assert who == [PADDED, OURS, f"{OURS}, 2 workers"]
    assert all(one["tokens_per_second"][0] > 0 for one in found["comparisons"])
    assert "| smoke | this harness, 2 workers |" in page.gpu(found)


def test_without_a_gpu_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no GPU is seen here"):
        gpu.main([str(tmp_path / "gpu.json")])


def _breaks(work: object, meter: rounds.Meter) -> None:
    meter.start()
    meter.updated(lambda: None)
    raise ValueError("no room")


def _works(work: object, meter: rounds.Meter) -> None:
    meter.start()
    for _ in range(3):
        meter.updated(lambda: 1.0)


def test_who_fails_is_named_and_the_others_go_on():
    tokens = dict.fromkeys(("breaks", "works"), [[(4, 8)]] * 3)
    both = {"breaks": (_breaks, None), "works": (_works, None)}
    found = rounds.compare(both, tokens, processes=multiprocessing.dummy)
    assert "no room" in found["breaks"].failed and not found["breaks"].rounds
    assert [(done.real, done.padded) for done in found["works"].rounds] == [(4, 8), (4, 8)]


def test_no_figure_of_the_page_is_typed_by_hand():
    written = page.PAGE.read_text()
    assert page.rendered(written, json.loads(page.KEPT.read_text())) == written


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.name)
def test_what_a_benchmark_imports_is_there(path):
    """Nobody runs them in CI, and what they use moves."""
    tree = ast.parse(path.read_text())
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), str(path), "exec"), {})
