"""What a user gets: a new task from a folder, the same bytes however many workers, and no number
that misleads."""

import json
import re
import socket
from pathlib import Path

import pytest
import torch
from conftest import (
    ROOT,
    Done,
    Rig,
    boxes,
    copied,
    moods,
    once,
    releases,
    sentences,
    write_jsonl,
)
from hub_fixtures import write_hub

from harness.release.places import without_places

PLANETS = """
task: planets
version: 1
role: [{role}]
family: classification
languages: [en]
source: {{files: "planets.{{split}}.jsonl"}}
train: {{split: train}}
dev: {{split: dev}}
test: {{split: test}}
columns: {{text: sentence, label: planet}}
labels: {{mars: m, venus: v}}
metric: accuracy
max_length: 32
about: {{title: which planet}}
difficulty: {{declared: hard, why: nobody has tried}}
"""


def planets(folder: Path, role: str) -> Path:
    """A task that the project has never seen: one YAML, its rows beside it."""
    folder.mkdir(parents=True)
    (folder / "planets.yaml").write_text(PLANETS.format(role=role).lstrip())
    number = iter(range(1000))
    for split, size in {"train": 24, "dev": 8, "test": 10}.items():
        rows = [
            {"sentence": f"orbit {next(number)} of planet {'mv'[i % 2]}", "planet": "mv"[i % 2]}
            for i in range(size)
        ]
        write_jsonl(folder / f"planets.{split}.jsonl", rows)
    return folder


def only_release(folder: Path) -> dict:
    """The one release on the board."""
    (content,) = releases(folder).values()
    return json.loads(content)


def latest(folder: Path) -> dict:
    """The release with the highest number."""
    return json.loads(list(releases(folder).values())[-1])


def cells(release: dict) -> dict[tuple[str, str], dict]:
    """(arm, target) → cell."""
    return {(cell["arm"], cell["target"]): cell for cell in release["cells"]}


def job(store: Path, name: str) -> dict:
    """The job that is called so, as a worker reads it."""
    (found,) = (
        body
        for path in (store / "jobs").glob("*.json")
        if (body := json.loads(path.read_text()))["name"] == name
    )
    return found


# A task nobody has seen ---------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["target", "intermediate", "intermediate, target"])
def test_a_dropped_in_task_takes_its_role_in_the_plan(rig, undisturbed, tmp_path, role):
    copied(undisturbed / "runs/store", tmp_path / "runs/store")
    planets(tmp_path / "tasks", role)  # ./tasks is read unasked
    where = ["--suite", "tiny", "--specs", rig.specs, "--encoder-root", rig.encoders, "--json"]
    without = json.loads(rig.run(rig.command("plan", *where), tmp_path).stdout)
    within = json.loads(rig.run(rig.command("plan", "--all", *where), tmp_path).stdout)
    arms, targets = 3 + ("intermediate" in role), 4 + ("target" in role)
    assert (without["cells"], within["cells"]) == (3 * 4, arms * targets)
    assert within["kinds"]["evaluate"]["cached"] == 3 * 4  # nothing that is known is done again


@pytest.mark.slow
def test_a_dropped_in_task_appears_as_column_and_arm(rig, undisturbed, tmp_path):
    copied(undisturbed, tmp_path)
    planets(tmp_path / "tasks", "intermediate, target")
    done = rig.run(rig.through("tiny", "--all"), tmp_path)
    assert done.returncode == 0, done.stderr
    before, after = (json.loads(content) for content in releases(tmp_path).values())
    assert set(after["targets"]) - set(before["targets"]) == {"planets@tiny"}
    assert set(after["arms"]) - set(before["arms"]) == {"planets"}
    assert after["arms"]["planets"]["difficulty"]["declared"] == "hard"
    known, all_cells = cells(before), cells(after)
    assert {at: all_cells[at] for at in known} == known  # what was there is what it was
    assert all_cells["none", "planets@tiny"]["languages"]["en"]["n"] == 10
    assert all_cells["tiny_colour", "planets@tiny"]["score"] is not None
    assert all_cells["planets", "tiny_tags@tiny"]["score"] is not None
    assert re.search(r"^(easy|hard|middle)? *planets ", done.stdout, re.M)
    (page,) = (tmp_path / "runs/board" / "releases").glob("0002-*.md")
    assert "| planets" in page.read_text()  # among the target tasks
    assert not any(name in known for name in done.jobs)


# The same bytes -----------------------------------------------------------------------------------


def test_worker_count_checkpoints_and_kept_weights_change_no_byte(undisturbed, kept):
    assert releases(undisturbed) == releases(kept)
    assert len(releases(kept)) == 1


def test_weights_go_when_nobody_needs_them_unless_kept(undisturbed, kept):
    trained = list((kept / "runs/store" / "results").glob("*/train.json"))
    assert (
        len(list((kept / "runs/store" / "results").glob("*/model.safetensors")))
        == len(trained)
        == 11
    )
    assert not list((undisturbed / "runs/store").rglob("*.safetensors"))
    assert not list((undisturbed / "runs/store").rglob("*.pt"))
    manifest = json.loads(
        next((undisturbed / "runs/store" / "results").glob("*/train.json"))
        .with_name("manifest.json")
        .read_text()
    )
    assert manifest["dropped"]["model.safetensors"]["sha256"]


def test_weights_that_were_left_behind_go_with_the_next_run(rig, kept, tmp_path):
    """A driver killed between the last commit and the drop leaves weights; so does
    --keep-weights."""
    copied(kept, tmp_path)
    done = rig.run(rig.eval("tiny"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert not done.jobs
    assert not list((tmp_path / "runs/store").rglob("*.safetensors"))
    assert releases(tmp_path) == releases(kept)


def test_a_release_holds_no_time_no_path_no_environment(undisturbed, rig):
    (content,) = releases(undisturbed).values()
    for word in (str(undisturbed), str(rig.encoders), "seconds", "torch", "python", "command"):
        assert word not in content.decode(), word
    sidecar = json.loads(
        next((undisturbed / "runs/board" / "releases").glob("*.env.json")).read_text()
    )
    (environment,) = sidecar["environments"]
    assert environment["torch"]
    if environment["device"] == "cpu":
        assert environment["processor"].endswith(torch.backends.cpu.get_cpu_capability())
    assert not sidecar["mixed_environments"]
    assert without_places(sidecar) == sidecar and socket.gethostname() not in json.dumps(sidecar)
    assert sidecar["command"].startswith(
        "xstilts-harness eval --suite tiny --specs specs --encoder-root encoders --workers 2"
    )


@pytest.mark.slow
def test_the_same_command_repairs_what_a_release_has_lost(undisturbed, rig, tmp_path):
    board = copied(undisturbed, tmp_path) / "runs/board"
    lost = [board / "releases" / "0001-tiny.env.json", board / "index.html"]
    before = {path: path.read_bytes() for path in board.rglob("*.*")}
    for path in lost:
        path.unlink()
    done = rig.run(rig.eval("tiny"), tmp_path)
    assert done.returncode == 0 and not done.jobs, done.stderr
    said = (
        "0001-tiny.json (the same content as before, its sidecar written again); rendered again:"
        " index.html; table in"
    )
    assert said in done.stderr
    first, again = json.loads(before.pop(lost[0])), json.loads(lost[0].read_bytes())
    # whoever edits the checkout meanwhile changes that
    assert again | {"harness": None} == first | {"harness": None}
    assert {path: path.read_bytes() for path in board.rglob("*.*") if path != lost[0]} == before
    assert (
        "(the same content as before, nothing written); table in"
        in rig.run(rig.eval("tiny"), tmp_path).stderr
    )


@pytest.mark.slow
def test_the_papers_whole_suite_gives_a_release_that_verifies(rig, tmp_path):
    """xstilts-2020 as it stands, all arms, targets and protocol, with a tiny encoder, a few rows
    and a few updates."""
    suite = (ROOT / "suites" / "xstilts-2020.yaml").read_text()
    for old, new in {
        "suite: xstilts-2020": "suite: paper",
        "[xlm-roberta-large]": "[tiny]",
        "[1, 2, 3]": "[1]",
        "  mnli_with_mlm: {max_updates: 73632}": (
            "  intermediate: {max_updates: 4}\n  target: {max_updates: 4}"
        ),
    }.items():
        assert suite.count(old) == 1
        suite = suite.replace(old, new)
    (tmp_path / "paper.yaml").write_text(suite)
    done = rig.run(
        rig.through(
            "paper", "-t", tmp_path / "paper.yaml", "--data-root", write_hub(tmp_path / "hub")
        ),
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    release = only_release(tmp_path)
    assert len(release["cells"]) == 13 * 9
    tasks = {name for name, arm in release["arms"].items() if arm["kind"] == "task"}
    assert len(tasks) == 9 and {entry["arm"] for entry in release["difficulty"]} == tasks
    assert (
        release["arms"]["mnli_translated"]["control"],
        release["arms"]["mnli_translated"]["of"],
    ) == ("variant", "mnli")
    done = rig.run(rig.command("leaderboard", "verify"), tmp_path)
    assert done.returncode == 0 and "117 cells complete" in done.stdout, done.stdout


def test_the_four_file_formats_were_read(undisturbed):
    store = undisturbed / "runs/store"
    rows = moods()["test"]

    def predictions(name: str, language: str) -> list:
        file = store / "results" / job(store, name)["key"] / "predictions" / f"{language}.jsonl"
        return [json.loads(line)["prediction"] for line in file.read_text().splitlines()]

    predicted = predictions("evaluate tiny tiny_mood after none", "de")
    assert len(predicted) == 20 < len(rows)  # the suite's cap
    assert set(predicted) <= {"glad", "sad"}
    predicted = predictions("evaluate tiny tiny_tags after none", "en")
    assert {len(tags) for tags in predicted} == {len(sentences()["test"][0][0])}
    release = cells(only_release(undisturbed))
    assert release["none", "tiny_pairs@tiny"]["languages"]["de"]["n"] == 20
    assert release["none", "tiny_quad@tiny"]["languages"]["de"]["metrics"].keys() >= {
        "exact_match",
        "f1",
    }


# Paired seeds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["tiny_mood", "tiny_tags", "tiny_boxes"])
def test_every_arm_sees_the_same_batches_in_the_same_order(kept, target):
    """Tokens after each update are a fingerprint of which rows came when."""
    store, order, losses = kept / "runs/store", [], []
    for after in ("", " after mini_topic", " after tiny_colour"):
        key = job(store, f"train tiny target {target} seed 1{after}")["key"]
        lines = [
            json.loads(line)
            for line in (store / "results" / key / "metrics.jsonl").read_text().splitlines()
        ]
        updates = [line for line in lines if "loss" in line]
        assert len(updates) == 8
        order.append([line["tokens"] for line in updates])
        losses.append([line["loss"] for line in updates])
    assert order[0] == order[1] == order[2]
    assert len(set(map(tuple, losses))) == 3  # the encoders under the head differ


def test_every_arm_starts_a_target_with_the_same_head(kept, tmp_path):
    import torch

    from harness.jobs.context import Context
    from harness.jobs.train import fresh_model
    from harness.store import Store

    store = Store(kept / "runs/store")

    def start(name: str, **changed: object) -> dict[str, torch.Tensor]:
        body = job(store.root, name)
        body["spec"] |= changed
        ctx = Context(store, body["key"], body, tmp_path, lambda *so_far: None, lambda: False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(len(name))  # whatever went before must not matter
            model = fresh_model(ctx, ctx.encoder())
        return model.state_dict()

    def same(one: dict, other: dict, part: str) -> bool:
        return all(torch.equal(one[name], other[name]) for name in one if name.startswith(part))

    names = [
        f"train tiny target tiny_mood seed 1{after}"
        for after in ("", " after mini_topic", " after tiny_colour")
    ]
    none, topic, colour = map(start, names)
    assert same(none, topic, "heads.") and same(none, colour, "heads.")
    assert not same(none, topic, "encoder.") and not same(topic, colour, "encoder.")
    other_seed = start(names[0], seed=2)
    assert same(none, other_seed, "encoder.") and not same(none, other_seed, "heads.")


# Plans --------------------------------------------------------------------------------------------

QUIZ = """
task: quiz
version: 1
role: [target]
family: span_qa
languages: [en]
source: {files: "quiz.{split}.jsonl"}
train: {task: tiny_boxes}
test: {split: test}
columns: {context: context, question: question, answers: answers}
metric: mlqa
max_length: 96
about: {title: another test set for the same training set}
"""


def test_targets_that_share_a_training_set_share_the_training(rig, tmp_path):
    mine = tmp_path / "tasks"
    mine.mkdir()
    (mine / "quiz.yaml").write_text(QUIZ.lstrip())
    row = {"question": "what", "answers": {"text": ["cup"], "answer_start": [2]}}
    write_jsonl(mine / "quiz.test.jsonl", [{"context": f"a cup for {i}", **row} for i in range(3)])
    where = ["--suite", "tiny", "--specs", rig.specs, "--encoder-root", rig.encoders, "--json"]
    without, within = (
        json.loads(rig.run(rig.command("plan", *where, *more), tmp_path).stdout)
        for more in ([], ["--all"])
    )
    assert within["cells"] == without["cells"] + 3
    assert within["kinds"]["evaluate"]["jobs"] == without["kinds"]["evaluate"]["jobs"] + 3
    assert within["kinds"]["train"]["jobs"] == without["kinds"]["train"]["jobs"]


# Nothing silently partial, nothing silently meaningless -------------------------------------------


@pytest.mark.slow
def test_a_limited_run_says_partial_and_makes_no_release(rig, kept, tmp_path):
    copied(kept, tmp_path)
    done = rig.run(rig.through("tiny", "--limit", 5, "--keep-weights"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "PARTIAL: at most 5 test rows, no release" in done.stdout
    assert releases(tmp_path) == releases(kept)
    # training does not depend on test rows
    assert all(name.startswith(("evaluate ", "overlap ")) for name in done.jobs)
    again = rig.run(rig.eval("tiny", "--limit", 5, "--keep-weights", "--json"), tmp_path)
    printed = json.loads(again.stdout)
    assert printed["release"] is None
    assert {s["n"] for cell in printed["content"]["cells"] for s in cell["languages"].values()} == {
        5
    }


TEXTS = """
task: {name}
version: 1
role: [{role}]
family: classification
languages: [en]
source: {{files: "{name}.{{split}}.jsonl"}}
train: {{split: train}}
dev: {{split: dev}}
test: {{split: test}}
columns: {{text: text, label: mood}}
labels: [sad, glad]
metric: accuracy
max_length: 48
about: {{title: {name}}}
difficulty: {{declared: easy, why: it is for a test}}
"""

BAD = """
suite: bad
version: 1
about: everything that can be wrong with data
smoke: true
encoders: [tiny]
arms: [none, leaking, sharing]
targets: [tiny_mood, hidden]
seeds: [1]
recipes:
  intermediate: {learning_rate: 1e-3, batch_size: 8, max_updates: 2, evaluations: 1}
  target: {learning_rate: 1e-3, batch_size: 8, max_updates: 2, evaluations: 1}
waives: [unlearned, placeholder]
"""


def bad_specs(folder: Path) -> Path:
    """An arm that trains on test rows, one that trains on the target's training rows, a target
    whose labels are hidden."""
    folder.mkdir()
    (folder / "bad.yaml").write_text(BAD.lstrip())
    known = {
        split: [{"text": english, "mood": mood} for english, _, mood in rows]
        for split, rows in moods().items()
    }
    own = [
        {"text": f"sentence {i} is {'glad' if i % 2 else 'sad'}", "mood": ["sad", "glad"][i % 2]}
        for i in range(40)
    ]
    # still the same sentence
    shouted = [{**row, "text": row["text"].upper().replace(".", " !")} for row in known["test"][:3]]
    hidden = [{"text": f"nobody knows about {i}", "mood": "sad"} for i in range(12)]
    for name, role, train, test in (
        ("leaking", "intermediate", own[:20] + shouted, own[30:]),
        ("sharing", "intermediate", own[:20] + known["train"][:5], own[30:]),
        ("hidden", "target", [{**row, "text": f"this {row['text']}"} for row in own], hidden),
    ):
        (folder / f"{name}.yaml").write_text(TEXTS.format(name=name, role=role).lstrip())
        for split, rows in {"train": train, "dev": own[20:30], "test": test}.items():
            write_jsonl(folder / f"{name}.{split}.jsonl", rows)
    return folder


@pytest.fixture(scope="module")
def bad(rig, tmp_path_factory):
    """(folder, finished command) of suite `bad`."""

    def make(folder: Path) -> tuple[Path, Done]:
        specs = bad_specs(folder / "bad")
        done = rig.run(rig.through("bad", "--specs", specs), folder)
        assert done.returncode == 0, done.stderr
        return folder, done

    return once(tmp_path_factory, "bad", make)


NOT_KNOWN = dict.fromkeys(("value", "interval", "rows", "seeds", "p", "q", "arrow"))


def test_a_leak_is_refused_and_said(bad):
    folder, done = bad
    (line,) = [line for line in done.lines if line.startswith("refused: ")]
    assert line.startswith(
        "refused: condition leaking on tiny_mood: training rows stand in its test set"
    )
    # a parallel test set repeats the leak in every language
    assert "en 3" in line and "de 3" in line
    cell = cells(only_release(folder))["leaking", "tiny_mood"]
    assert cell["score"] is None and cell["languages"] == {}
    assert cell["leaks"] == {"intermediate": {"de": 3, "en": 3}}
    assert not any(
        "tiny_mood" in name and "leaking" in name and not name.startswith("overlap")
        for name in done.jobs
    )
    (average,) = (one for one in only_release(folder)["averages"] if one["arm"] == "leaking")
    assert average["overall"] == {"gain": NOT_KNOWN, "targets": []}
    assert "tiny_mood" not in average["rest"]["targets"]
    assert "Trained on test rows: leaking" in done.said


def test_shared_training_counts_and_the_average_without_it_stands_beside(bad):
    folder, done = bad
    release = only_release(folder)
    cell = cells(release)["sharing", "tiny_mood"]
    assert cell["flags"][0] == "shared" and cell["shared_rows"] == 5
    assert cell["score"] is not None
    (average,) = (average for average in release["averages"] if average["arm"] == "sharing")
    assert average["own_data"] == ["tiny_mood"]
    assert "tiny_mood" in average["overall"]["targets"]
    assert "tiny_mood" not in average["without_own"]["targets"]
    assert "Trained first on a target's own data" in done.said


def test_hidden_labels_give_no_score(bad):
    folder, done = bad
    for arm in ("none", "leaking", "sharing"):
        cell = cells(only_release(folder))[arm, "hidden"]
        assert "placeholder" in cell["flags"]
        assert cell["score"] is None
    assert "hidden" not in only_release(folder)["headline"]["tiny"]
    assert "hidden" in done.said and "labels" in done.said


def test_hidden_labels_are_refused_unless_waived(rig, bad, tmp_path):
    folder, _ = bad
    (tmp_path / "strict.yaml").write_text(
        BAD.lstrip()
        .replace("suite: bad", "suite: strict")
        .replace("[unlearned, placeholder]", "[unlearned]")
    )
    board = tmp_path / "board"
    done = rig.run(
        rig.eval(
            "strict",
            "--specs",
            folder / "bad",
            "--specs",
            tmp_path / "strict.yaml",
            "--board",
            board,
        ),
        folder,
    )
    assert done.returncode == 4
    assert "refused: hidden: test labels are placeholders" in done.stderr
    assert "`waives: [placeholder]`" in done.stderr
    assert not board.exists()


def test_a_release_without_any_score_is_refused(rig, bad, tmp_path):
    folder, _ = bad
    (tmp_path / "hopeless.yaml").write_text(
        BAD.lstrip()
        .replace("suite: bad", "suite: hopeless")
        .replace("[tiny_mood, hidden]", "[hidden]")
    )
    board = tmp_path / "board"
    more = ("--specs", folder / "bad", "--specs", tmp_path / "hopeless.yaml", "--board", board)
    done = rig.run(rig.eval("hopeless", *more), folder)
    assert done.returncode == 4
    assert (
        "refused: no cell of suite hopeless has a score (placeholder, unlearned); there is nothing"
        " to release" in done.stderr
    )
    assert not board.exists()


UNFIT = """
task: {name}
version: 1
role: [target]
family: span_qa
languages: [en]
source: {{files: "{name}.{{split}}.jsonl"}}
train: {{split: train}}
dev: {{split: dev}}
test: {{split: test}}
columns: {{context: context, question: question, answers: answers}}
metric: squad
max_length: 96
about: {{title: what is in the box}}
"""


@pytest.mark.slow
def test_nothing_is_trained_for_rows_that_cannot_be_used_and_the_rest_goes_on(rig, tmp_path):
    """A test question without an answer, a test set whose answers are elsewhere; what is wrong is
    said once, for two seeds."""
    known = boxes("en")
    none, elsewhere = ({"text": [], "answer_start": []}, {"text": ["key"], "answer_start": [0]})
    for name, changed, count in (("unanswered", none, 1), ("elsewhere", elsewhere, 9)):
        (tmp_path / f"{name}.yaml").write_text(UNFIT.format(name=name).lstrip())
        for split, rows in known.items():
            planted = (
                [{**row, "answers": changed} for row in rows[:count]]
                if split == "test"
                else rows[:count]
            )
            write_jsonl(tmp_path / f"{name}.{split}.jsonl", planted + rows[count:])
    suite = BAD.replace("[none, leaking, sharing]", "[none]").replace("[1]", "[1, 2]")
    suite = suite.replace("[tiny_mood, hidden]", "[unanswered, elsewhere, tiny_mood]")
    (tmp_path / "bad.yaml").write_text(suite.lstrip())
    done = rig.run(rig.through("bad", "--specs", tmp_path), tmp_path)
    assert done.returncode == 4
    why = done.stderr.splitlines()[-3:]
    assert why[0].endswith(
        "unanswered.test.jsonl: row 0 has no answer, which its metric cannot score; `metric:"
        " squad_v2` can"
    )
    assert why[1].startswith(
        "elsewhere test en: 24 rows; 9 whose answer is not where it says: REFUSED, more than 20%"
    )
    assert why[1].endswith("or write `waives: [misplaced]` into the suite") and why[2].startswith(
        "4 jobs failed"
    )
    assert (
        sorted(name.split()[2] for name in done.jobs if name.startswith("evaluate"))
        == ["tiny_mood"] * 2
    )
    assert not any("unanswered" in name or "elsewhere" in name for name in done.jobs)
    waived = suite.replace("[unlearned, placeholder]", "[unlearned, misplaced]").replace(
        "[unanswered, ", "["
    )
    (tmp_path / "bad.yaml").write_text(waived.lstrip())
    done = rig.run(rig.through("bad", "--specs", tmp_path), tmp_path)
    assert done.returncode == 0, done.stderr
    said = cells(only_release(tmp_path))["none", "elsewhere"]["languages"]["en"]
    assert said["misplaced"] == 9 and "misplaced" in said["flags"]
    assert "answers that are not where the row says in elsewhere 1/1" in done.said


def test_weights_go_even_where_a_cell_was_refused(bad):
    folder, _ = bad
    assert not list((folder / "runs/store").rglob("*.safetensors"))


def test_validate_with_data_finds_hidden_labels(rig, bad, tmp_path):
    done = rig.run(rig.command("validate", bad[0] / "bad" / "hidden.yaml", "--data"), tmp_path)
    assert done.returncode == 1
    assert "hidden test en: 12 rows; PLACEHOLDER labels, cannot be scored" in done.stdout
    assert "hidden train: 40 rows\n" in done.stdout


FAR = """
suite: far
version: 1
about: data that are not on this machine
encoders: [tiny]
arms: [none]
targets: [tiny_mood, xnli]
seeds: [1]
recipes:
  intermediate: {learning_rate: 1e-3}
  target: {learning_rate: 1e-3}
"""


@pytest.mark.slow
def test_missing_data_and_weights_are_named_with_the_command_that_fetches_them(rig, tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "far.yaml").write_text(FAR.lstrip())
    done = rig.run(rig.eval("far"), tmp_path)
    assert done.returncode == 3
    assert (
        "hf download" in done.stderr
        and "--repo-type dataset" in done.stderr
        and "--data-root DIR" in done.stderr
    )
    assert "blocks: target xnli" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "runs/store" / "results").iterdir())  # nothing ran
    no_encoder = rig.command("eval", "--suite", "tiny", "--specs", rig.specs)
    done = rig.run(no_encoder, tmp_path)
    assert done.returncode == 3
    assert (
        "hf download nobody/no-such-encoder" in done.stderr and "--encoder-root DIR" in done.stderr
    )
    plan = rig.run(
        rig.command("plan", "--suite", "far", "--specs", rig.specs, "--encoder-root", rig.encoders),
        tmp_path,
    )
    assert plan.returncode == 0  # a plan says what is blocked
    assert "jobs wait for data: run xstilts-harness data fetch --suite far" in plan.stdout


def test_a_missing_file_of_the_users_own_is_named(rig: Rig, tmp_path):
    mine = planets(tmp_path / "tasks", "target")
    (mine / "planets.dev.jsonl").unlink()
    done = rig.run(rig.through("tiny", "--all"), tmp_path)
    assert done.returncode == 3
    assert "planets.dev.jsonl" in done.stderr
    assert "target planets" in done.stderr
    assert (ROOT / "tasks").is_dir() and not (ROOT / "tasks" / "planets.yaml").exists()
