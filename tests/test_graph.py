"""`plan` prints the whole graph: what is trained on what, for which targets, what is done, and what
cannot be."""

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import Rig, copied
from test_loop import dataset
from test_plan import SUITE, TASKS, World, commit

from harness.engines.drive import Outcome, Refusal
from harness.plan import shown as graph
from harness.plan.devices import Machine, by_card
from harness.plan.estimate import Sizes, _characters, _search, estimate
from harness.plan.graph import Plan
from harness.run.publishing import refusals
from harness.sources import rows as data_rows
from harness.spec.recipe import Recipe
from harness.store import Store


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path / "world")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "runs/store")


def states(plan: Plan, store: Store) -> dict[str, str]:
    return graph.states(plan, store, plan.todo(store))


def tree(plan: Plan, store: Store) -> list[str]:
    """Lines without the padding before the state."""
    return [re.sub(r"(?<=\S)  +", " | ", line) for line in graph.tree(plan, states(plan, store))]


WHOLE = """
toyenc, seeds 1, 2
  none
  train reading (intermediate) | to run
  train mood (intermediate) | to run
    then, after each of these 3:
      train reading → quiz, exam | to run
      train mood → mood | to run
      train words → words | to run
      evaluate pairs | to run
overlap of training with test rows, once for all encoders and seeds
  none: 4 test sets | to run
  reading, mood: 5 test sets each | to run
""".strip().split("\n")


def test_the_whole_graph_with_seeds_and_like_arms_folded(world, store):
    assert tree(world.plan(), store) == WHOLE


def test_arms_part_where_their_states_do(world, store):
    """The baseline is done with one seed, arm reading's tagger with both."""
    plan, done = world.plan(), set()
    for cell in plan.cells:
        if cell.arm == "none" and cell.seed == 1:
            done |= {cell.trained, cell.evaluate}
        if (cell.arm, cell.target) == ("reading", "words"):
            done |= {cell.intermediate, cell.trained, cell.evaluate}
    for key in done - {None}:
        commit(store, plan, key)
    lines = tree(plan, store)
    assert lines[1:7] == [
        "  none",
        "    then:",
        "      train reading → quiz, exam | partly: 1 cached, 1 to run",
        "      train mood → mood | partly: 1 cached, 1 to run",
        "      train words → words | partly: 1 cached, 1 to run",
        "      evaluate pairs | cached",
    ]
    assert lines[7:10] == [
        "  train reading (intermediate) | cached",
        "    then:",
        "      train reading → quiz, exam | to run",
    ]
    assert "      train words → words | cached" in lines[10:14]
    assert lines[13:15] == [
        "  train mood (intermediate) | to run",
        "    then the same targets | to run",
    ]


def test_a_target_that_is_not_as_its_training_says_so(world, store):
    (world.root / "specs" / "exam" / "de.test.jsonl").unlink()
    lines = tree(world.plan(), store)
    assert "      train reading → quiz, exam (blocked) | to run" in lines
    assert "  none: 4 test sets | partly: 3 to run, 1 blocked" in lines


def test_what_all_lacks_is_one_line(world, store):
    (world.root / "specs" / "reading" / "en.train.jsonl").unlink()
    plan = world.plan(suite=SUITE | {"targets": ["mood", "words", "pairs"]})
    lines = tree(plan, store)
    assert lines[:8] == [
        "toyenc, seeds 1, 2",
        "  none",
        "  train mood (intermediate) | to run",
        "    then, after each of these 2:",
        "      train mood → mood | to run",
        "      train words → words | to run",
        "      evaluate pairs | to run",
        "  train reading (intermediate) | blocked",
    ]
    assert lines[8] == "    then the same targets | blocked"
    assert graph.blocked_lines(plan)[0].startswith("blocked: condition reading: reading: no file ")


MIXED = [
    "none",
    {"name": "both", "intermediate": {"tasks": ["reading", "mood"], "sampler": "uniform"}},
    {"name": "german", "intermediate": {"tasks": ["mood"], "languages": ["de"]}},
]


def test_mixtures_and_languages_are_named(world, store):
    lines = tree(world.plan(suite=SUITE | {"arms": MIXED}), store)
    assert "  train reading+mood (intermediate of both) | to run" in lines
    assert "  train mood in de (intermediate of german) | to run" in lines


def test_a_refused_evaluation_is_neither_done_nor_to_do(world, store):
    plan = world.plan()
    refused = frozenset(
        cell.evaluate for cell in plan.cells if (cell.arm, cell.target) == ("mood", "words")
    )
    state = graph.states(plan, store, plan.todo(store, refused))
    assert {state[key] for key in refused} == {"refused"}
    serves = {cell.trained for cell in plan.cells if (cell.arm, cell.target) == ("mood", "words")}
    assert {state[key] for key in serves} == {"refused"}
    assert set(state.values()) == {"to run", "refused"}


def test_many_files_of_one_source_are_one_line(world):
    plan = world.plan()
    plan.blocked = {
        f"some/set, config {i}, split test: fetch it": ["target words", "target words"]
        for i in range(40)
    }
    plan.blocked |= {
        "some/set, config 1, split train: fetch it": ["condition mood"],
        "other: no file x": ["target words"],
    }
    assert graph.blocked_lines(plan) == [
        (
            "blocked: target words: some/set, config 0, split test: fetch it; and 39 more of"
            " some/set (--json lists them)"
        ),
        "blocked: condition mood: some/set, config 1, split train: fetch it",
        "blocked: target words: other: no file x",
    ]


def test_sharing_counts(world):
    """Two seeds: 2 intermediates and 3 x 3 target trainings each; unshared, 5 targets less `pairs`
    in 3 arms, and an intermediate for each of the 5 targets of 2 arms."""
    plan = world.plan()
    assert graph.sharing(plan) == {
        "cells": 30,
        "trainings": 2 * (2 + 9),
        "unshared": 2 * (3 * 4 + 2 * 5),
        "ranking": 0,
    }
    assert graph.sharing_line(plan) == "30 cells; 22 trainings do the work of 44: sharing saved 22"


def test_jobs_for_programs(world, store):
    plan = world.plan()
    listed = graph.jobs(plan, states(plan, store))
    assert [job["key"] for job in listed] == list(plan.jobs)
    known = {job["key"] for job in listed}
    assert all(set(job["needs"]) <= known and job["state"] == "to run" for job in listed)


# Estimates


def tokens(world: World, store: Store, **suite) -> dict:
    plan = world.plan(suite=SUITE | suite)
    return estimate(plan, store, states(plan, store))["kinds"]


def fill(world: World) -> None:
    """Rows in place of the stand-ins: `mood` has 10 rows of 40 characters in each split, `words` 20
    of 5 x (6 + 2)."""
    for language in ("en", "de"):
        for split in ("train", "dev", "test"):
            mood = json.dumps({"text": "x" * 40, "label": "no"}) + "\n"
            words = json.dumps({"tokens": ["y" * 6] * 5, "tags": ["A"] * 5}) + "\n"
            (world.root / "specs" / "mood" / f"{language}.{split}.jsonl").write_text(mood * 10)
            (world.root / "specs" / "words" / f"{language}.{split}.jsonl").write_text(words * 20)


ROW = 40 / 4 + 3  # tokens of a row of either
FEW = {"arms": ["none"], "targets": ["words"], "seeds": [1]}
RECIPES = {"intermediate": {"learning_rate": 1e-4}}


@pytest.mark.parametrize(
    ("recipe", "read", "looked"),
    [
        ({"epochs": 3, "evaluations": 0}, 60, 0),
        ({"epochs": 3, "evaluations": 2}, 60, 40),
        ({"epochs": 3, "evaluations": 2, "dev_rows": 5}, 60, 10),
        ({"epochs": 3, "evaluations": 2, "batch_size": 4, "max_updates": 7}, 28, 40),
        ({"epochs": 2, "evaluations": 1, "batch_size": 4, "evaluate_every": 5}, 40, 60),
        ({"epochs": 1, "evaluations": 0, "batch_size": 4, "min_updates": 12}, 60, 0),
    ],
)
def test_tokens_of_a_training(world, store, recipe, read, looked):
    fill(world)
    found = tokens(
        world, store, **FEW, recipes=RECIPES | {"target": {"learning_rate": 1e-4} | recipe}
    )
    # a forward pass is a third of an update
    assert found["train"]["tokens"] == pytest.approx(ROW * (read + looked / 3), abs=1)
    assert found["evaluate"]["tokens"] == 2 * 20 * ROW
    assert found["overlap"]["tokens"] == 0


@pytest.mark.parametrize(("sampler", "of_words"), [("proportional", 2 / 3), ("uniform", 1 / 2)])
def test_a_mixture_reads_each_task_by_its_share(world, store, sampler, of_words):
    fill(world)
    tasks = TASKS | {
        "words": (
            TASKS["words"]
            | {
                "role": ["intermediate", "target"],
                "difficulty": TASKS["mood"]["difficulty"],
            }
        )
    }
    for split in ("train", "dev"):  # longer rows, so that the shares are seen
        row = json.dumps({"tokens": ["y" * 6] * 15, "tags": ["A"] * 15}) + "\n"
        (world.root / "specs" / "words" / f"en.{split}.jsonl").write_text(row * 20)
    arms = [
        "none",
        {"name": "mix", "intermediate": {"tasks": ["mood", "words"], "sampler": sampler}},
    ]
    recipes = {
        phase: {"learning_rate": 1e-4, "evaluations": 0} for phase in ("intermediate", "target")
    }
    plan = world.plan(
        tasks=tasks,
        suite=SUITE | {"arms": arms, "targets": ["pairs"], "seeds": [1], "recipes": recipes},
    )
    state = {key: "to run" if job.kind == "train" else "cached" for key, job in plan.jobs.items()}
    long_row = 120 / 4 + 3
    expected = 30 * (of_words * long_row + (1 - of_words) * ROW)
    assert estimate(plan, store, state)["kinds"]["train"]["tokens"] == pytest.approx(
        expected, abs=1
    )


def test_a_search_is_counted_once_where_dev_and_test_are_the_same_sentences():
    heap = [{"id": f"s{i}", "side": "source", "text": "a", "pairs": []} for i in range(3)]
    heap += [{"id": f"t{i}", "side": "target", "text": "b", "pairs": []} for i in range(5)]
    lines = [{"id": str(i), "source": "a", "target": "b"} for i in range(4)]
    sizes = Sizes()
    given = {"heap": heap, "more": [*heap, heap[0]], "lines": lines}
    sets = {name: {"name": name, "identity": {"is": name}, "location": []} for name in given}
    for name, rows in given.items():
        sizes.note(sets[name], rows)

    def cost(family: str, test: str, dev: str | None = None) -> float:
        body = {"encoder": {"name": "e"}, "spec": {"task": {"family": family}}}
        body |= {"tests": {"de": sets[test]}, "devs": {"de": sets[dev]} if dev else {}}
        job = SimpleNamespace(kind="evaluate", body=body)
        return _search(job, SimpleNamespace(encoders={"e": SimpleNamespace(width=10)}), sizes)

    assert cost("bitext_mining", "heap") == cost("bitext_mining", "heap", "heap") == 2 * 3 * 5 * 10
    assert cost("bitext_mining", "heap", "more") == 2 * (3 * 5 + 4 * 5) * 10
    assert cost("retrieval", "lines") == 2 * 4 * 4 * 10


@pytest.mark.parametrize(
    ("row", "characters"),
    [
        ({"text": "abc", "choices": ["d", "ef"], "label": "0"}, 3 + 1 + 3 + 2),
        ({"text": "abcd"}, 4),
        ({"side": "source", "text": "abcd", "pairs": []}, 4),
        ({"text": "ab", "text_pair": None, "label": "x"}, 2),
        ({"tokens": ["a", "bc"], "tags": ["X", "Y"]}, 1 + 2 + 2 + 2),
    ],
)
def test_characters_of_a_row(row, characters):
    assert _characters({"id": "0"} | row) == characters


@pytest.mark.parametrize(
    "family", ["classification", "multiple_choice", "tagging", "span_qa", "mlm"]
)
def test_rows_of_every_family_have_characters(tmp_path, family):
    assert all(
        _characters(row) > 0 for row in data_rows.load(dataset(tmp_path / "rows.jsonl", family, 5))
    )


def test_blocked_jobs_that_nobody_can_size_are_in_no_sum(world, store):
    fill(world)
    (world.root / "specs" / "mood" / "en.train.jsonl").unlink()
    found = tokens(world, store, arms=["none"], targets=["mood", "words"], recipes=SUITE["recipes"])
    assert {name: found["train"][name] for name in ("jobs", "cached", "to_run", "blocked")} == {
        "jobs": 4,
        "cached": 0,
        "to_run": 2,
        "blocked": 2,
    }
    only = tokens(world, store, arms=["none"], targets=["words"], recipes=SUITE["recipes"])
    assert (found["train"]["unsized"], found["train"]["tokens"]) == (2, only["train"]["tokens"])
    # the rows that its evaluations wait to read are here: both seeds, two languages, ten rows each
    more = found["evaluate"]["tokens"] - only["evaluate"]["tokens"]
    assert (found["evaluate"]["unsized"], more) == (0, 2 * 2 * 10 * ROW)
    assert Recipe(learning_rate=1e-4).evaluations > 0  # dev rows were counted, too


# XLM-R base has 85 million weights in its layers (Conneau et al. 2020, Table 1: 12 layers, 768,
# 3072), ModernBERT's are gated.
NO_DOWNLOAD = {"download": 0, "repositories": []}
SIZES = {
    "xlm-roberta": (
        {"num_hidden_layers": 12, "hidden_size": 768, "intermediate_size": 3072},
        84_934_656,
    ),
    "modernbert": (
        {"num_hidden_layers": 22, "hidden_size": 768, "intermediate_size": 1152},
        110_297_088,
    ),
}


@pytest.mark.parametrize("kind", SIZES)
def test_hours_go_with_the_weights_of_the_layers(world, store, kind):
    fill(world)
    config, weights = SIZES[kind]
    config = config | {"model_type": kind, "vocab_size": 250_002}
    (world.root / "encoders" / "toyenc" / "config.json").write_text(json.dumps(config))
    plan = world.plan(suite=SUITE | FEW)
    found = estimate(plan, store, states(plan, store))
    for job, operations in (("train", 6), ("evaluate", 2)):  # a token and weight
        expected = found["kinds"][job]["tokens"] * operations * weights / 50e9
        assert found["kinds"][job]["seconds"] == pytest.approx(expected, rel=1e-6)
    assert found["kinds"]["overlap"]["seconds"] == 0
    rate = 50e9 / 6 / weights
    assert found["basis"].startswith(
        "50 GFLOP/s a worker (assumed of one CPU core); in tokens/s: toyenc "
    )
    assert f"toyenc {rate:,.0f} training, {3 * rate:,.0f} evaluation" in found["basis"]


def test_hours_are_those_of_the_run_and_not_of_the_work_shared_out(world, store):
    """A seed's training, then its evaluation: a second worker helps if there is a second seed."""
    fill(world)

    def hours(seeds: list[int], workers: int) -> dict[str, Any]:
        plan = world.plan(suite=SUITE | FEW | {"seeds": seeds})
        return estimate(plan, store, states(plan, store), machine=Machine(workers, "H100"))

    alone, shared = hours([1], 1), hours([1], 64)
    assert shared["hours"] == pytest.approx(shared["chain_hours"])
    assert alone["hours"] == pytest.approx(64 * shared["busy"] * shared["hours"])
    assert shared["chain"][0].startswith("train toyenc")
    assert shared["chain"][-1].startswith("evaluate toyenc")
    # what more workers would not shorten is said
    long = shared | NO_DOWNLOAD | {"hours": 7.0, "chain_hours": 7.0}
    said = "\n".join(graph.summary(world.plan(suite=SUITE | FEW), long, "fetch"))
    assert re.search(r"64 × H100, busy \d+% of it; jobs that wait for each other take", said)
    for short in (shared, alone | {"hours": 7.0}):
        said = "\n".join(graph.summary(world.plan(suite=SUITE | FEW), short | NO_DOWNLOAD, "fetch"))
        assert "busy" not in said


def test_a_shared_training_takes_less_time_and_as_many_workers(world, store):
    fill(world)
    found, lines = {}, {}
    for size in (1, 4):
        recipes = SUITE["recipes"] | {"target": SUITE["recipes"]["target"] | {"world_size": size}}
        plan = world.plan(suite=SUITE | FEW | {"seeds": [1], "recipes": recipes})
        one = estimate(plan, store, states(plan, store), machine=Machine(4, "H100"))
        lines[size] = graph.summary(plan, one | NO_DOWNLOAD, "fetch")
        found[size] = one
    assert found[4]["chain_hours"] < found[1]["chain_hours"]
    assert found[4]["kinds"] == found[1]["kinds"]  # on one worker it is as much work
    assert not any("world_size" in line for line in lines[1])
    assert any(
        line.startswith("up to 4 processes share a training (world_size)") for line in lines[4]
    )


def test_hours_follow_the_trainings_of_this_store(world, store):
    """Three like trainings, of which one took two seconds; another was resumed, and its seconds are
    not its tokens'."""
    fill(world)
    plan = world.plan(suite=SUITE | FEW | {"seeds": [1, 2, 3]})
    done = [job for job in plan.jobs.values() if job.kind == "train"]
    for job, facts in zip(
        done[:2], ({"seconds": 2.0}, {"seconds": 9.0, "resumed_at": 3}), strict=True
    ):
        with store.workdir(job.key) as workdir:
            (workdir / "model.safetensors").write_bytes(b"x")
            store.commit(job.key, workdir, {"facts": facts})
    found = estimate(plan, store, states(plan, store))
    assert found["kinds"]["train"]["seconds"] == pytest.approx(2.0)  # the third is to run
    rate = found["kinds"]["train"]["tokens"] / 2.0
    assert found["kinds"]["evaluate"]["seconds"] == pytest.approx(
        found["kinds"]["evaluate"]["tokens"] / rate / 3
    )
    assert "(1 finished training in this store)" in found["basis"]


def test_a_plan_of_which_all_is_done_reads_no_rows(world, store, monkeypatch):
    plan = world.plan(suite=SUITE | FEW)
    monkeypatch.setattr(data_rows, "load", lambda *_: pytest.fail("rows were read"))
    found = estimate(plan, store, dict.fromkeys(plan.jobs, "cached"))
    assert found["basis"] == "nothing is to run" and found["kinds"]["train"]["seconds"] == 0


def test_a_leak_is_refused_with_what_to_do():
    leak = Refusal("mnli", "words", {"train": {"en": 12}})
    (line,) = refusals(Outcome(refused={"a key": leak, "another": leak}))
    assert "of the train rows, in en 12 test rows" in line
    assert "take those out" in line and "`waives: [leak]`" in line


# What is said first


def said(world: World, store: Store, download: int | None = None, **more) -> list[str]:
    """Lines of a plan that `--verbose` does not ask for."""
    plan = world.plan(suite=SUITE | more)
    found = estimate(plan, store, states(plan, store), machine=Machine(4, "NVIDIA H100 PCIe"))
    found |= {"download": download, "repositories": []}
    return graph.summary(plan, found, "THE COMMAND")


def test_a_plan_says_what_it_costs_on_which_device(world, store):
    fill(world)
    lines = said(world, store, **FEW)
    assert lines[0].startswith("3 jobs can run: trainings 1, evaluations 1, checks")
    # 20 rows of each language and of dev, less those that a check alone reads
    assert re.fullmatch(
        r"\d+ rows, about [\d,]+ tokens read: about 1 minute on 4 × NVIDIA H100 PCIe", lines[1]
    )
    assert "GFLOP/s a worker (assumed of one NVIDIA H100 PCIe)" in lines[2]
    assert len(lines) <= 10


def test_a_plan_of_which_nothing_is_here_gives_no_costs(world, store):
    """A check of rows alone may be able to run; nothing computes."""
    plan = world.plan()
    for job in plan.jobs.values():
        job.blocked = () if job.kind == "overlap" else ("some/set: fetch it",)
    state = {key: "blocked" if job.blocked else "to run" for key, job in plan.jobs.items()}
    found = estimate(plan, store, state) | {"download": None, "repositories": ["some/set"]}
    lines = graph.summary(plan, found, "THE COMMAND")
    assert any("can run: checks" in line for line in lines)
    assert not any("rows, about" in line or "GFLOP" in line for line in lines)


def test_a_plan_whose_data_are_not_here_says_how_to_get_them(world, store):
    plan = world.plan()
    wanted = "some/set, config {}, split test: fetch it"
    for number, job in enumerate(plan.jobs.values()):
        job.blocked = (wanted.format(number),)
        plan.blocked[wanted.format(number)] = ["target words"]
    plan.blocked["ccg: no file ccg/train.conll; it needs a licence"] = ["condition ccg"]
    known = {"repositories": ["some/set"], "download": 12_340_000_000}
    found = estimate(plan, store, states(plan, store)) | known
    lines = graph.summary(plan, found, "THE COMMAND")
    count = len(plan.jobs)
    assert lines[:3] == [
        f"{count} jobs wait for data: run THE COMMAND",
        "to download: 12.3 GB, of some/set",
        "not on the hub: ccg: no file ccg/train.conll; it needs a licence",
    ]
    assert "nothing is to run" not in " ".join(lines) and len(lines) <= 10
    found["download"] = None
    assert graph.summary(plan, found, "")[1] == "to download: unknown (offline), of some/set"


@pytest.mark.parametrize(
    ("card", "precision", "speed"),
    [
        ("cpu", "fp32", 50e9),
        ("NVIDIA H100 80GB HBM3", "bf16", 989e12 / 3),
        ("NVIDIA A100-SXM4-40GB", "tf32", 156e12 / 3),
        ("NVIDIA A100-SXM4-40GB", "fp32", 19.5e12 / 3),
        ("Tesla V100-SXM2-32GB", "bf16", 15.7e12 / 3),
        ("NVIDIA of tomorrow", "fp32", 10e12 / 3),
    ],
)
def test_a_device_without_timings_has_its_makers_speed(card, precision, speed):
    assert Machine(1, card).speed(precision) == pytest.approx(speed)


def test_hours_on_one_device_do_not_follow_the_timings_of_another(world, store):
    fill(world)
    plan = world.plan(suite=SUITE | FEW | {"seeds": [1, 2]})
    done = next(job for job in plan.jobs.values() if job.kind == "train")
    with store.workdir(done.key) as workdir:
        (workdir / "model.safetensors").write_bytes(b"x")
        meta = {"facts": {"seconds": 2.0}, "environment": {"device": "cpu"}}
        store.commit(done.key, workdir, meta)
    state = states(plan, store)
    assert "1 finished" in estimate(plan, store, state, machine=Machine(2, "cpu"))["basis"]
    assert "assumed" in estimate(plan, store, state, machine=Machine(2, "NVIDIA T4"))["basis"]


# The command


def plan_of(rig: Rig, folder, suite: str, *more) -> str:
    where = ["--suite", suite, "--specs", rig.specs, "--encoder-root", rig.encoders]
    done = rig.run(rig.command("plan", *where, *(more or ("--verbose",))), folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_plan_of_tiny_before_and_after_its_run(rig, undisturbed, tmp_path):
    before = plan_of(rig, tmp_path, "tiny")
    for words in (
        "tiny, seed 1",
        "  train mini_topic (intermediate) ",
        "    then, after each of these 3:",
        "      train tiny_boxes → tiny_quad ",
        "12 cells; 11 trainings do the work of 17: sharing saved 6",
    ):
        assert words in before
    assert "cached" not in before.split("┏")[0]
    copied(undisturbed / "runs/store", tmp_path / "runs/store")
    after = json.loads(plan_of(rig, tmp_path, "tiny", "--json"))
    assert {job["state"] for job in after["jobs"]} == {"cached"}
    assert after["sharing"] == {"cells": 12, "trainings": 11, "unshared": 17, "ranking": 0}
    assert after["cells"] == 12
    assert all((row["to_run"], row["blocked"]) == (0, 0) for row in after["kinds"].values())
    assert " to run" not in plan_of(rig, tmp_path, "tiny").split("┏")[0]


@pytest.mark.slow
def test_plan_of_mini_without_its_encoder(rig, tmp_path):
    found = plan_of(rig, tmp_path, "mini", "--offline", "--verbose")
    assert "all-MiniLM-L6-v2, seed 1" in found
    assert "train mini_squad → mini_xquad" in found
    assert "30 cells; 29 trainings do the work of 49: sharing saved 20" in found


FAR = """
suite: far
version: 1
about: data that are not on this machine
encoders: [tiny]
arms: [none, mnli]
targets: [tiny_mood, xnli]
seeds: [1, 2]
recipes: {intermediate: {learning_rate: 1e-3}, target: {learning_rate: 1e-3}}
"""


@pytest.mark.slow
def test_a_suite_without_its_data_still_prints_its_graph(rig, tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "far.yaml").write_text(FAR.lstrip())
    found = plan_of(rig, tmp_path, "far", "--offline", "--verbose")
    lines = [line.split() for line in found.splitlines()]
    assert ["train", "tiny_mood", "→", "tiny_mood", "to", "run"] in lines
    assert ["train", "mnli", "→", "xnli", "blocked"] in lines
    assert ["train", "mnli", "(intermediate)", "blocked"] in lines
    assert "rows as published, where they are not here: mnli, xnli" in found
    assert "+ unknown" not in found
    assert re.search(
        r"^blocked: target xnli, condition mnli: nyu-mll/glue", found, flags=re.MULTILINE
    )
    graphed = json.loads(plan_of(rig, tmp_path, "far", "--offline", "--json"))
    assert graphed["cells"] == 8
    assert sum(job["state"] == "blocked" for job in graphed["jobs"]) == sum(
        row["blocked"] for row in graphed["kinds"].values()
    )
    assert graphed["kinds"]["train"]["to_run"] == 2


def test_hours_are_told_of_cards_that_are_elsewhere():
    assert by_card("h100") == Machine(1, "H100")
    assert by_card("8xA100") == by_card("8 × a100") == Machine(8, "A100")
    assert {by_card(words) for words in ("cpu", "cuda:1", "H300", "0xH100", "")} == {None}
