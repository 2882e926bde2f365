"""Suites from a few words: what `--encoder`, `--targets` and their like make, how it is called, how
it is written, and that it is a suite like any other."""

import json
import math
import re
import shutil
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT

from harness import evaluate, load_release
from harness.common.errors import SpecError
from harness.common.text import as_yaml
from harness.engines import process
from harness.page import render
from harness.run.choice import Asked, Choice, ask
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.spec.changes import without
from harness.spec.oneline import OneLine, as_written, listed, seeds_of

ENCODER = "all-MiniLM-L6-v2"
FIRST = OneLine((ENCODER,), targets=("xnli", "panx"))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load([])


def chosen(line: OneLine, catalog: Catalog, suite: str | None = None, **more) -> Asked:
    return ask(Choice(suite, line=line, **more), catalog, Where(offline=True), print)


def line(**given) -> OneLine:
    """The first one, with more said."""
    return OneLine(**(vars(FIRST) | given))


# What is chosen -----------------------------------------------------------------------------------


def test_a_line_alone_makes_a_suite_with_a_baseline_and_three_seeds(catalog):
    suite = chosen(FIRST, catalog).suite
    assert (suite.encoder_names, suite.targets) == ([ENCODER], ["xnli", "panx"])
    assert [arm.name for arm in suite.arms] == ["none"]
    assert (suite.seeds, suite.protocol) == ([1, 2, 3], "default")
    assert suite.recipes.target == catalog.protocols["default"].recipes.target
    assert "all-MiniLM-L6-v2 on xnli, panx" in suite.about


def test_intermediates_are_tasks_and_mixtures_beside_the_baseline(catalog):
    arms = chosen(line(intermediate=("none", "mnli", "mnli+squad")), catalog).suite.arms
    assert {arm.name: arm.tasks for arm in arms} == {
        "none": [],
        "mnli": ["mnli"],
        "mnli+squad": ["mnli", "squad"],
    }


def test_a_suite_is_changed_where_something_is_said(catalog):
    before = catalog.suite("small")
    suite = chosen(OneLine(targets=("tatoeba",), seeds=(7,)), catalog, "small").suite
    assert (suite.targets, suite.seeds) == (["tatoeba"], [7])
    same = {"arms", "encoders", "caps", "split_rule", "pvi"}
    assert suite.model_dump(include=same) == before.model_dump(include=same)
    # what is said of tasks that it no longer has is gone with them, and nothing else
    assert suite.task_caps == {"tatoeba": before.task_caps["tatoeba"]}
    gone = {"xnli"}
    assert suite.cuts == {name: of for name, of in before.cuts.items() if name not in gone}
    kept = {name: of for name, of in before.recipes.tasks.items() if name not in gone}
    assert suite.recipes == before.recipes.model_copy(update={"tasks": kept})


def test_a_suites_own_condition_stays_what_it_is(catalog):
    asked = chosen(OneLine(intermediate=("news_hardest", "mnli")), catalog, "easy-hard-parts")
    baseline, hardest, mnli = asked.suite.arms
    assert baseline.is_baseline
    assert mnli.kind == "task"
    assert hardest in catalog.suites["easy-hard-parts"].arms
    assert hardest.kind == "subset"


def test_english_stays_in_where_a_target_has_it(catalog):
    suite = chosen(line(targets=("xnli", "tatoeba"), languages=("sw", "de")), catalog).suite
    assert suite.cuts["xnli"].languages == ["de", "en", "sw"]
    assert suite.cuts["tatoeba"].languages == ["de", "sw"]


def test_a_language_that_a_target_lacks_is_said(catalog):
    given = line(targets=("tatoeba", "xquad"), languages=("de", "sw"))
    assert chosen(given, catalog).lines == ("xquad has no sw",)
    assert chosen(given, catalog, left_out=("xquad",)).lines == ()


def test_languages_keep_the_rest_of_an_override(catalog):
    protocol = catalog.protocols["laptop"]
    suite = chosen(line(protocol="laptop", languages=("de",)), catalog).suite
    for task in ("xnli", "panx"):
        cut, before = suite.cuts[task], protocol.cuts[task]
        assert (cut.languages, cut.train, cut.dev) == (["de", "en"], before.train, before.dev)


@pytest.mark.parametrize("suite", [None, "small", "easy-hard"])
def test_a_precision_holds_for_every_training(suite, catalog):
    given = FIRST if suite is None else OneLine()
    asked = chosen(OneLine(**(vars(given) | {"precision": "bf16"})), catalog, suite)
    recipes = asked.suite.recipes
    every = [*recipes.tasks, "none"]
    used = [
        recipes.of(phase, None, [name]) for phase in ("intermediate", "target") for name in every
    ]
    assert {recipe.precision for recipe in used} == {"bf16"}


def test_rows_are_capped_where_something_is_trained(catalog):
    suite = chosen(line(targets=("xnli", "tatoeba"), max_train_rows=500), catalog).suite
    shown = {name: suite.shown_name(catalog.task(name)) for name in suite.targets}
    assert shown == {"xnli": "xnli@train500", "tatoeba": "tatoeba"}
    assert suite.caps.train == 500
    of_small = chosen(OneLine(max_train_rows=500), catalog, "small").suite
    assert {of_small.caps.train, of_small.task_caps["udpos"].train} == {500}
    assert (of_small.caps.test, of_small.task_caps["udpos"].test) == (200, 100)


def test_reduced_tasks_say_how(catalog):
    xnli = catalog.task("xnli")
    for given, shown in (
        (line(languages=("sw", "de")), "xnli@de+sw"),
        (line(languages=("de",), protocol="laptop", max_train_rows=9), "xnli@laptop.de.train9"),
        (line(languages=tuple(xnli.languages)), "xnli"),
        (line(protocol="laptop"), "xnli@laptop"),
    ):
        assert chosen(given, catalog).suite.shown_name(xnli) == shown
    # as many rows as in the suite: the same column
    of_small = chosen(OneLine(seeds=(5,)), catalog, "small").suite
    assert of_small.shown_name(xnli) == "xnli@small"


def test_tasks_of_the_users_own_obey_what_is_chosen(rig):
    own = Catalog.load([rig.specs])
    given = line(targets=("xnli",), languages=("en",), max_train_rows=9)
    # one that has none of the languages is left out as any other
    suite = chosen(given, own, everything=True, left_out=("tiny_pairs",)).suite
    shown = [suite.shown_name(own.task(name)) for name in suite.targets]
    assert shown == [
        f"{name}@en.train9" for name in ("xnli", "tiny_mood", "tiny_quad", "tiny_tags")
    ]
    assert [arm.name for arm in suite.arms] == ["none", "tiny_colour"]
    with pytest.raises(SpecError, match="target tiny_pairs has none of en; it has de"):
        chosen(given, own, everything=True)
    # what trains on nothing has no fewer rows
    suite = chosen(line(max_train_rows=9), own, everything=True).suite
    assert suite.shown_name(own.task("tiny_pairs")) == "tiny_pairs"
    # what a suite did without stays out, beside what is left out now
    file = suite.model_copy(update={"left_out": ["tiny_mood"]})
    assert without(file, ["panx"]).left_out == ["panx", "tiny_mood"]


# What cannot be -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "suite", "message"),
    [
        (
            line(targets=("xnlli",)),
            None,
            "targets: no task is called 'xnlli'; did you mean 'xnli",
        ),
        (line(targets=("mnli",)), None, "targets: task mnli is no target (its role is interm"),
        (line(intermediate=("sqad",)), None, "no task is called 'sqad'; did you mean 'squad'?"),
        (line(intermediate=("mnli+sqad",)), None, "intermediate: no task is called 'sqad'"),
        (line(intermediate=("mnli+mnli",)), None, "intermediate: 'mnli+mnli' names a task twice"),
        (line(intermediate=("tatoeba",)), None, "task tatoeba is no intermediate"),
        (line(encoders=("all-MiniLM",)), None, "did you mean 'all-MiniLM-L6-v2'?"),
        (line(languages=("dee",)), None, "languages: no target has 'dee'; did you mean 'de'?"),
        (line(targets=("xnli", "tydiqa"), languages=("de",)), None, "tydiqa has none of de; it ha"),
        (line(protocol="defalt"), None, "protocol: none is called 'defalt'; did you mean 'default"),
        (line(precision="fp16"), None, "precision: 'fp16' is none; did you mean 'bf16'?"),
        (line(name="small"), None, "name: there is a suite 'small' already"),
        (line(name="my suite"), None, "name: "),
        (OneLine(targets=("xnli",)), None, "encoder missing: name an encoder and targets"),
        (OneLine((ENCODER,)), None, "targets missing: name an encoder"),
        (OneLine(seeds=(1,)), None, "encoder and targets missing"),
        (OneLine(seeds=(1,)), "smal", "no suite is called 'smal'; did you mean 'small'?"),
    ],
)
def test_a_mistake_is_named(given, suite, message, catalog):
    with pytest.raises(SpecError, match=re.escape(message)):
        chosen(given, catalog, suite)


def test_made_up_tasks_prove_the_machine_and_no_claim(catalog):
    assert not chosen(FIRST, catalog).suite.smoke
    assert chosen(line(targets=("xnli", "mini_panx")), catalog).suite.smoke
    assert chosen(line(intermediate=("mini_mnli",)), catalog).suite.smoke


def test_lists_are_read_as_people_write_them():
    assert listed("targets", ["xnli, panx", " xnli", "udpos,"]) == ("xnli", "panx", "udpos")
    assert listed("targets", None) == ()
    assert seeds_of("3, 1,3") == (3, 1)
    assert seeds_of([1, 2]) == (1, 2)
    for wrong in ("x", "-1", "1.5", "1 2", "٣"):
        with pytest.raises(SpecError, match="is no seed"):
            seeds_of(wrong)
    with pytest.raises(SpecError, match="targets: ' , ' names nothing"):
        listed("targets", " , ")


def evaluated(monkeypatch, *given, **more) -> SimpleNamespace:
    """What a call would run, and how."""
    seen = SimpleNamespace()

    def stop(asked, catalog, where, store, board, how, called, say):
        vars(seen).update(suite=asked.suite, partial=asked.partial, how=how, called=called)
        raise InterruptedError

    monkeypatch.setattr("harness.run.steps.evaluate", stop)
    with pytest.raises(InterruptedError):
        evaluate(*given, **more)
    return seen


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"limit": 0}, "limit: write a whole number, 1 or more, not 0"),
        ({"limit": -1}, "limit: write a whole number, 1 or more, not -1"),
        ({"limit": True}, "limit: write a whole number, 1 or more, not true"),
        ({"limit": 2.0}, "limit: write a whole number, 1 or more, not 2.0"),
        ({"max_train_rows": 0}, "max_train_rows: write a whole number, 1 or more, not 0"),
        ({"max_train_rows": "9"}, "max_train_rows: write a whole number, 1 or more, not '9'"),
        ({"workers": 0}, "workers: write a whole number, 1 or more, not 0"),
        ({"workers": True}, "workers: write a whole number, 1 or more, not true"),
        ({"checkpoint_seconds": -1}, "checkpoint_seconds: -1 is no number of seconds"),
        ({"checkpoint_seconds": math.nan}, "checkpoint_seconds: nan is no number of seconds"),
        ({"checkpoint_seconds": "1"}, "checkpoint_seconds: '1' is no number of seconds"),
        ({"seeds": []}, "seeds: an empty list names nothing; name one, or leave it out"),
        ({"seeds": True}, "seeds: 'True' is no seed"),
        ({"seeds": 1.5}, "seeds: '1.5' is no seed"),
        ({"seeds": -1}, "seeds: '-1' is no seed"),
        ({"encoder": []}, "encoder: an empty list names nothing"),
        ({"intermediate": []}, "intermediate: an empty list names nothing"),
        ({"targets": ()}, "targets: an empty list names nothing"),
        ({"targets": ""}, "targets: '' names nothing"),
        ({"targets": 5}, "targets: no task is called '5'"),
        ({"languages": []}, "languages: an empty list names nothing"),
        ({"protocol": ["default"]}, "protocol: a list is no name"),
        ({"precision": 16}, "precision: 16 is no name"),
        ({"name": ""}, "name: '' is no name"),
        ({"device": 0}, "device: 0 is no name"),
        ({"engine": None}, "engine: '' is no name"),
        ({"trained": 5}, "trained: '5': write the task and the model's folder"),
    ],
)
def test_what_python_gives_is_refused_as_the_command_does(given, message, monkeypatch):
    given = {"encoder": ENCODER, "targets": "xnli"} | given
    with pytest.raises(SpecError, match=re.escape(message)):
        evaluate(**given)


def test_values_of_other_libraries_are_what_they_say(rig, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(rig.encoders / "tiny", "my,own")
    more = {"limit": np.int64(5), "max_train_rows": np.int32(7), "workers": np.int8(2)}
    seen = evaluated(
        monkeypatch,
        Path("my,own"),
        targets="xnli",
        seeds=np.int64(3),
        say=len,
        device="cpu",
        **more,
    )
    assert (seen.suite.encoder_names, seen.suite.seeds) == (["my-own"], [3])
    assert (seen.partial, seen.suite.caps.model_dump()) == (
        True,
        {"train": 7, "dev": None, "test": 5},
    )
    assert {type(rows) for rows in (seen.suite.caps.train, seen.suite.seeds[0])} == {int}
    assert seen.how.workers == 2
    # what adds to a suite may be an empty list
    none = {"without": [], "track": [], "trained": [], "specs": None}
    seen = evaluated(monkeypatch, suite="demo", seeds=np.arange(2), say=len, **none)
    assert (seen.suite.seeds, seen.how.track, seen.partial) == ([0, 1], (), False)


# How it is called, and written --------------------------------------------------------------------

LINES = [
    (FIRST, None),
    (line(targets=("panx", "xnli")), None),
    (line(seeds=(1, 2)), None),
    (line(intermediate=("mnli", "squad")), None),
    (line(intermediate=("mnli+squad",)), None),
    (line(languages=("de", "sw"), max_train_rows=96, precision="bf16"), None),
    (line(protocol="laptop", languages=("de",)), None),
    (line(targets=("xnli", "panx", "udpos", "xquad", "mlqa")), None),
    (OneLine((ENCODER, "ModernBERT-base")), "small"),
    (OneLine(seeds=(1, 2, 3)), "small"),
    (OneLine(intermediate=("none",)), "easy-hard"),
    (OneLine(targets=("tatoeba",), intermediate=("news_hardest",)), "easy-hard-parts"),
    (OneLine(protocol="xtreme", targets=("xquad",), languages=("de",)), "xstilts-2020"),
]


def test_another_choice_has_another_name(catalog):
    names = [chosen(given, catalog, suite).suite.suite for given, suite in LINES]
    assert len(set(names)) == len(LINES)
    assert names[0].startswith("all-MiniLM-L6-v2.xnli+panx.")
    assert names[7].startswith("all-MiniLM-L6-v2.xnli+4-more.")
    assert all(len(name) <= 80 for name in names)
    again = [chosen(given, Catalog.load([]), suite).suite.suite for given, suite in LINES[:3]]
    assert again == names[:3]
    assert chosen(line(name="mine"), catalog).suite.suite == "mine"


@pytest.mark.parametrize("n", range(len(LINES)))
def test_what_is_written_is_what_was_run(n, catalog, tmp_path):
    given, suite = LINES[n]
    asked = chosen(given, catalog, suite)
    file = tmp_path / "made.yaml"
    file.write_text(as_yaml(asked.written, flow=True))
    assert Catalog.load([file]).suite(asked.suite.suite) == asked.suite
    read = ask(Choice(str(file)), Catalog.load([]), Where(offline=True), print)
    assert read == Asked(asked.suite)


def test_what_a_run_does_without_is_in_it(catalog):
    asked = chosen(line(intermediate=("mnli", "squad")), catalog, left_out=("squad", "panx"))
    assert (asked.suite.targets, [arm.name for arm in asked.suite.arms]) == (
        ["xnli"],
        ["none", "mnli"],
    )
    assert asked.written["left_out"] == ["panx", "squad"]


def test_what_a_file_says_of_a_task_that_it_has_not_is_told(catalog, tmp_path):
    """PAN-X has no role, and its values would change nothing; XQuAD's model trains on SQuAD's rows,
    and the one condition on MNLI's, so what is said of those counts."""
    text = """
        suite: mine
        version: 1
        about: two slips
        encoders: [all-MiniLM-L6-v2]
        arms: [none, {name: nli, intermediate: {task: mnli}}]
        targets: [TARGET]
        seeds: [1]
        protocol: default
        changes: {target: {epochs: 1}, span_qa: {epochs: 1}, nli: {epochs: 2}, mnli: {epochs: 1}}
        settings: {panx: {max_length: 64}, span_qa: {max_length: 256}}
        task_caps: {panx: {train: 50}, squad: {train: 9}}
    """
    file = tmp_path / "mine.yaml"
    told = {}
    for target in ("xquad", "xnli"):
        file.write_text(textwrap.dedent(text).replace("TARGET", target))
        asked = ask(Choice(str(file)), Catalog.load([]), Where(offline=True), print)
        told[target] = asked.lines
    panx = "settings of mine: it has no panx; nothing comes of that"
    assert told["xquad"] == ("task_caps of mine: it has no panx; nothing comes of that", panx)
    assert told["xnli"] == ("task_caps of mine: it has no panx, squad; nothing comes of that", panx)
    # in what is made of it, the slips are gone
    made = ask(Choice(str(file), line=OneLine(seeds=(5,))), Catalog.load([]), Where(), print)
    assert made.written["settings"].keys() == {"span_qa"} and "task_caps" not in made.written


def test_a_limit_is_in_no_name_and_no_file(catalog):
    limited, whole = chosen(FIRST, catalog, limit=5), chosen(FIRST, catalog)
    assert (limited.partial, limited.suite.caps.test) == (True, 5)
    assert (limited.suite.suite, limited.written) == (whole.suite.suite, whole.written)


def test_a_folder_of_an_encoder_stands_in_the_suite(rig, tmp_path, monkeypatch):
    monkeypatch.chdir(rig.encoders)
    catalog = Catalog.load([])
    asked = chosen(line(encoders=("./tiny",)), catalog)
    assert asked.written["encoders"][0]["source"] == {"path": str(rig.encoders / "tiny")}
    assert "max_length 256 (config.json)" in "\n".join(asked.lines)
    suite = catalog.suites["small"].model_copy(update={"encoders": [catalog.encoder("tiny")]})
    # from elsewhere, the same choice has the same name
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").symlink_to(rig.encoders / "tiny")
    again = chosen(line(encoders=("tiny/",)), Catalog.load([]))
    assert again.suite.suite == asked.suite.suite
    assert as_written(suite, catalog.encoders)["encoders"] == asked.written["encoders"]


def test_one_folder_named_twice_is_one_encoder(rig, tmp_path, monkeypatch):
    """Under two names, its column would stand there twice."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(rig.encoders / "tiny", "mine")
    asked = chosen(line(encoders=("./mine", "mine/", str(tmp_path / "mine"))), Catalog.load([]))
    assert asked.suite.encoder_names == ["mine"]


def test_an_encoder_that_stands_in_a_suite_stands_in_one_made_of_it(rig, tmp_path, monkeypatch):
    monkeypatch.chdir(rig.encoders)
    first = chosen(line(encoders=("./tiny",)), Catalog.load([]))
    file = tmp_path / "first.yaml"
    file.write_text(as_yaml(first.written))
    monkeypatch.chdir(tmp_path)
    again = chosen(OneLine(seeds=(5,)), Catalog.load([]), suite=str(file))
    assert again.written["encoders"] == first.written["encoders"]


# Run ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_file_beside_a_release_runs_it_again(rig, tmp_path, monkeypatch):
    """From Python first, then by the command: the same keys, the same bytes."""
    monkeypatch.chdir(tmp_path)
    for name, value in rig.environment().items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    shutil.copytree(rig.encoders / "tiny", "my-checkpoint")
    release = evaluate(
        "./my-checkpoint",
        "tiny_colour",
        ["tiny_mood", "tiny_pairs"],
        suite="tiny",
        seeds=4,
        specs=rig.specs,
        workers=1,
        device="cpu",
        say=said.append,
    )
    assert (release.encoders, release.conditions) == (
        ["my-checkpoint"],
        ["none", "tiny_colour"],
    )
    assert release.targets == ["tiny_mood@tiny", "tiny_pairs@tiny"]
    assert f"release {release.name}" in str(release)
    assert repr(release) == f"<Release {release.name}: 1 encoders, 2 conditions, 2 targets>"
    assert load_release(release.path).content == release.content
    assert load_release(release.content.suite.name, "runs/board").path == release.path
    sidecar = json.loads(release.path.with_suffix(".env.json").read_text())
    assert sidecar["command"].startswith("harness.evaluate(encoder='./my-checkpoint', ")
    assert str(tmp_path) not in release.path.with_suffix(".env.json").read_text()

    file = release.path.with_suffix(".suite.yaml")
    assert f"its suite as YAML, which runs it again: {file}" in said
    again = ["eval", "--suite", file, "-t", rig.specs, "--board", "other"]
    done = rig.run(rig.command(*again), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.jobs == []
    assert (tmp_path / "other" / "releases" / release.path.name).read_bytes() == (
        release.path.read_bytes()
    )
    done = rig.here(["bundle", "1", "-t", str(rig.specs)], tmp_path)
    assert done.returncode == 0, done.stderr
    by_name = ["--suite", release.content.suite.name, "-t", file, "-t", rig.specs]
    done = rig.here(["plan", *map(str, by_name), "--json"], tmp_path)
    assert {row["to_run"] for row in json.loads(done.stdout)["kinds"].values()} == {0}


def test_a_board_of_scores_speaks_of_no_gains():
    release = load_release(ROOT / "leaderboard" / "releases" / "0028-mteb-tatoeba.json")
    listed_as = render.Listed(release.path, release.title, release.content)
    page = render.markdown(release.content, release.title) + render.readme([listed_as])
    for words in ("gain", "easy", "intermediate task", "▲"):
        assert words not in page.lower()
    assert "score on tatoeba_mteb in each language" in page


def test_a_device_decides_which_gpus_workers_see(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    devices = {None: ["4", "6"], "cuda": ["4", "6"], "cuda:1": ["6"], "cpu": []}
    assert {device: process.chosen_gpus(device) for device in devices} == devices
    assert len(process.ProcessEngine(tmp_path, device="cuda:0").slots) == 1
    for wrong, message in {
        "cuda:2": "the GPUs here are cuda:0 to cuda:1",
        "gpu": "write cpu, cuda, cuda:1",
        "mps": "only a Mac has it",
    }.items():
        with pytest.raises(SpecError, match=message):
            process.chosen_gpus(wrong)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(SpecError, match="no GPU is visible"):
        process.chosen_gpus("cuda")
    assert process.chosen_gpus(None) == []


def test_what_the_environment_says_holds_in_python(tmp_path, monkeypatch):
    """As for the commands: where a release is looked for, and where everything goes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XSTILTS_BOARD", str(ROOT / "leaderboard"))
    assert load_release("mini").path.parent == ROOT / "leaderboard" / "releases"

    folders = {"DATA_ROOT": "data", "ENCODER_ROOT": "encoders", "STORE": "store", "BOARD": "board"}
    for name, folder in folders.items():
        monkeypatch.setenv(f"XSTILTS_{name}", folder)
    monkeypatch.setenv("XSTILTS_DEVICE", "cpu")
    seen = {}

    def stop(asked, catalog, where, store, board, how, *more):
        seen.update(where=where, store=store.root, board=board, device=how.device)
        raise InterruptedError

    monkeypatch.setattr("harness.run.steps.evaluate", stop)
    with pytest.raises(InterruptedError):
        evaluate(suite="demo", seeds=1)
    assert (seen["where"].data_root, seen["where"].encoder_root) == (Path("data"), Path("encoders"))
    assert (seen["store"], seen["board"]) == (tmp_path / "store", Path("board"))
    assert seen["device"] == "cpu"


def test_a_release_that_is_not_there_is_said_in_words_of_no_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        SpecError, match=r"^leaderboard/releases/0029-x.json: there is no such file$"
    ):
        load_release("leaderboard/releases/0029-x.json")
    with pytest.raises(SpecError, match="project's own are on the board `leaderboard`") as error:
        load_release("7")
    assert "--board" not in str(error.value)
