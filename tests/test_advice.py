"""What a run that learned nothing is told to change."""

import json
from dataclasses import replace

import pytest
from conftest import ROOT

from harness.release.document import Board
from harness.release.schema import Content
from harness.run.advice import FEW_UPDATES, Failing, not_learned
from harness.spec.catalog import Catalog
from harness.spec.recipe import PHASES

NOTHING = Failing(
    rows=5000,
    updates=900,
    rate=2e-5,
    dev_rows=500,
    score=49.0,
    null=51.0,
    above=-2.0,
    error=1.5,
    loss=(0.70, 0.69),
)


@pytest.mark.parametrize(
    ("seen", "said", "unsaid"),
    [
        ({}, "a higher `learning_rate` than 2e-05", "min_updates"),
        ({"rate": 2e-4}, "a lower `learning_rate` than 0.0002", "higher"),
        ({"updates": 39, "rows": 200}, "39 updates over 200 rows are few", "loss"),
        ({"loss": (0.7, 0.01)}, "5,000 rows were learned by heart", "learning_rate"),
        ({"null": 97.0, "score": 97.0}, "97% of the dev rows have one label", "by heart"),
        ({"null": None}, "a higher `learning_rate`", "one label"),  # of span F1
        ({"above": 4.0, "dev_rows": 60}, "60 dev rows cannot tell", "by heart"),
    ],
)
def test_the_advice_follows_what_was_seen(seen, said, unsaid):
    advice = replace(NOTHING, **seen).advice()
    assert said in advice
    assert unsaid not in advice
    assert len(advice) < 300


class Results:
    """A store in which every training ended alike."""

    def __init__(self, folder):
        self.folder = folder

    def read_json(self, key, name):
        tasks = {"mini_squad": {"rows": 400, "features": 410}}
        part = {"main": 1.0, "null": 9.0, "above_null": -8.0, "stderr": 2.0, "dev_rows": 60}
        return {"updates": 26, "tasks": tasks, "best": {"tasks": {"mini_squad": part}}}

    def path(self, key, name):
        file = self.folder / name
        log = [{"update": i, "loss": 5.0 - i / 10} for i in range(1, 21)]
        file.write_text("".join(json.dumps(line) + "\n" for line in [*log, {"dev": {}}]))
        return file


def test_a_run_names_each_task_that_was_not_learned_and_what_to_change(tmp_path):
    released = Content.model_validate_json(Board(ROOT / "leaderboard").find("mini").read_bytes())
    assert not_learned(released, Results(tmp_path)) == []  # a smoke suite is to show no more
    suite = released.suite.model_copy(update={"waives": []})
    (line,) = not_learned(released.model_copy(update={"suite": suite}), Results(tmp_path))
    start = "not learned: mini_squad (all-MiniLM-L6-v2, intermediate; English dev 1.0)"
    assert line.startswith(f"{start}. 26 updates over 400 rows are few")


@pytest.mark.parametrize(
    ("rows", "updates"), [(50, 200), (200, 208), (500, 224), (393_000, 3 * 24_563)]
)
def test_the_default_protocol_gives_small_data_enough_updates_and_large_data_three_epochs(
    rows, updates
):
    protocol = Catalog.load([]).protocols["default"]
    for phase in PHASES:
        recipe = protocol.recipes.of(phase, None, [])
        assert recipe.updates(-(-rows // recipe.batch_size)) == updates >= FEW_UPDATES
