"""A result is that of the bytes its key names: files and job descriptions that change between plan
and job."""

import copy
import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import Rig
from test_loop import dataset, make_job, task_part

from harness.common.errors import HarnessError, MissingError, SpecError, StoreError
from harness.jobs.run import Kept, Telling, run_job
from harness.store import Store, canonical_json, file_sha256, hold, unchanged
from harness.store.job import described, verify_job


def run(store: Store, job: dict) -> str:
    store.write_job(job["key"], job)
    return run_job(store, job["key"], Telling(), lambda: False)


@pytest.fixture
def job(tmp_path, folder) -> dict:
    return make_job(tmp_path, folder, "classification", max_updates=2, evaluations=1)


# Files


def test_a_file_is_held_against_its_hash(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("one\n")
    planned = {file: file_sha256(file)}
    hold(planned)
    stat = file.stat()
    file.write_text("two\n")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # same size, same time
    with pytest.raises(
        SpecError, match=rf"{file} has changed.*{file_sha256(file)}.*{planned[file]}"
    ):
        hold(planned)
    file.unlink()
    with pytest.raises(MissingError, match="is gone"):
        hold(planned)


def test_a_file_that_changes_while_it_is_read(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("one\n")
    planned = {file: file_sha256(file)}
    with pytest.raises(SpecError, match="has changed"), unchanged(planned):
        file.write_text("two\n")
    file.write_text("one\n")
    with pytest.raises(SpecError, match="was written while it was read"), unchanged(planned):
        file.write_text("two\n")
        file.write_text("one\n")  # and back: what was read in between, nobody knows
    with unchanged(planned):
        pass


@pytest.mark.parametrize("which", ["train.jsonl", "dev.jsonl"])
def test_rows_that_changed_after_the_plan_are_not_trained_on(tmp_path, job, which):
    (tmp_path / which).write_text((tmp_path / which).read_text().replace("row", "raw") + "\n")
    store = Store(tmp_path / "runs/store")
    with pytest.raises(SpecError, match=f"{which} has changed since the job was planned"):
        run(store, job)
    assert store.manifest(job["key"]) is None


def test_rows_that_change_during_a_training_are_not_committed(tmp_path, job):
    """Somebody saves the file between the last update and the commit: result and checkpoints go."""
    store, file = Store(tmp_path / "runs/store"), tmp_path / "train.jsonl"
    before = file.read_bytes()
    store.write_job(job["key"], job)

    def saved(done: int, total: int, tokens: int) -> None:
        if done == total:
            file.write_bytes(before + b"\n")

    with pytest.raises(SpecError, match="has changed"):
        run_job(store, job["key"], Telling(saved), lambda: False, kept=Kept(checkpoint_seconds=0))
    assert store.manifest(job["key"]) is None
    assert not list((store.root / "checkpoints" / job["key"]).glob("*"))
    file.write_bytes(before)
    assert run(store, job) == "done"


# Encoders


@pytest.fixture
def copied(tmp_path, folder) -> Path:
    """The encoder's folder, to be changed."""
    return Path(shutil.copytree(folder, tmp_path / "encoder"))


@pytest.mark.parametrize("which", ["model.safetensors", "tokenizer.json", "config.json"])
def test_an_encoder_that_changed_after_the_plan_is_not_loaded(tmp_path, copied, which):
    job = make_job(tmp_path, copied, "classification", max_updates=2, evaluations=1)
    data = (copied / which).read_bytes()
    (copied / which).write_bytes(
        data[:-1] + bytes([data[-1] ^ 1]) if which.endswith("tensors") else data + b"\n"
    )
    store = Store(tmp_path / "runs/store")
    with pytest.raises(SpecError, match=f"{which} has changed since the job was planned"):
        run(store, job)
    assert store.manifest(job["key"]) is None


def test_a_file_that_came_after_the_plan_is_not_read(tmp_path, copied):
    job = make_job(tmp_path, copied, "classification", max_updates=2, evaluations=1)
    (copied / "added_tokens.json").write_text('{"<new>": 7}')
    with pytest.raises(
        SpecError, match=r"added_tokens\.json was not there when the job was planned"
    ):
        run(Store(tmp_path / "runs/store"), job)


def test_a_warm_encoder_whose_weights_change_is_not_trained_from(tmp_path, copied):
    """A worker keeps the encoder between jobs, and reads its weights anew for each."""
    store, warm = Store(tmp_path / "runs/store"), {}
    first = make_job(tmp_path, copied, "classification", max_updates=2, evaluations=1)
    store.write_job(first["key"], first)
    assert (
        run_job(store, first["key"], Telling(), lambda: False, kept=Kept(encoders=warm)) == "done"
    )
    data = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    rate = {**first["spec"]["recipe"], "learning_rate": 1e-4}
    data = {side: first[side] for side in ("train", "dev")}
    second = described("train", "again", first["spec"] | {"recipe": rate}, data, first["encoder"])
    store.write_job(second["key"], second)
    with pytest.raises(SpecError, match="has changed"):
        run_job(store, second["key"], Telling(), lambda: False, kept=Kept(encoders=warm))


# Job descriptions


def edits(job: dict) -> dict[str, dict]:
    """The job with one thing changed, what a person or a program may do to the file."""
    made = {
        name: copy.deepcopy(job)
        for name in (
            "seed",
            "rate",
            "rows",
            "labels",
            "encoder",
            "kind",
            "needs",
            "versions",
            "more",
        )
    }
    made["seed"]["spec"]["seed"] = 2
    made["rate"]["spec"]["recipe"]["learning_rate"] = 0.5
    made["rows"]["train"]["toy"]["identity"]["cap"] = 3
    made["labels"]["train"]["toy"]["identity"]["labels"].reverse()
    made["encoder"]["encoder"]["identity"]["max_length"] = 7
    made["kind"]["kind"] = "evaluate"
    made["needs"]["needs"] = ["a" * 64]
    made["versions"]["versions"]["version"] = 99
    made["more"]["english"] = made["more"]["train"]["toy"]
    for name in ("spec", "encoder", "train", "versions"):
        made[f"no {name}"] = {
            part: value for part, value in copy.deepcopy(job).items() if part != name
        }
    return made | {"a list": [], "nothing": {}}


def test_a_job_is_what_its_key_names(tmp_path, job):
    verify_job(job["key"], json.loads(json.dumps(job)))
    for name, changed in edits(job).items():
        with pytest.raises(StoreError, match="not the one that its key names"):
            verify_job(job["key"], changed)
            pytest.fail(name)
    with pytest.raises(StoreError, match=r"\(key\)"):
        verify_job("b" * 64, job)


def test_a_job_says_its_spec_and_its_rows_once(job):
    text = canonical_json(job).decode()
    for part in (job["spec"], job["train"]["toy"]["identity"], job["encoder"]["identity"]):
        assert text.count(canonical_json(part).decode()) == 1


def test_the_tasks_of_a_mixture_may_stand_in_any_order(job):
    """A key has the versions of families and metrics in the order of the suite; the file has the
    tasks by name."""
    tasks = {"z": job["spec"]["tasks"]["toy"], "a": task_part("tagging")}
    data = {side: dict.fromkeys(tasks, job[side]["toy"]) for side in ("train", "dev")}
    mixture = described("train", "both", job["spec"] | {"tasks": tasks}, data, job["encoder"])
    assert mixture["versions"]["family"] == [1, 2]
    written = json.loads(canonical_json(mixture))
    assert list(written["spec"]["tasks"]) == ["a", "z"]
    verify_job(mixture["key"], written)
    written["versions"]["family"] = [1, 1]
    with pytest.raises(StoreError, match=r"its key names \(family, key\)"):
        verify_job(mixture["key"], written)


@pytest.mark.slow
def test_a_worker_refuses_an_edited_job_and_the_next_plan_writes_it_again(rig: Rig, tmp_path):
    """The file of a planned job is edited; `job run` refuses it, and `eval` puts it right."""
    planned = rig.run(
        rig.command(
            "plan", "--suite", "long", "-t", rig.specs, "--encoder-root", rig.encoders, "--write"
        ),
        tmp_path,
    )
    key = next(line.split()[0] for line in planned.stdout.splitlines() if " train " in line)
    file = tmp_path / "runs/store" / "jobs" / f"{key}.json"
    before = file.read_bytes()
    file.write_bytes(before.replace(b'"seed":1', b'"seed":2'))
    done = rig.run(rig.command("job", "run", key), tmp_path)
    assert done.returncode == 74
    assert done.lines == [
        line for line in done.lines if "its description is not the one that its key names" in line
    ]
    assert not (tmp_path / "runs/store" / "results" / key).exists()
    rig.run(
        rig.command(
            "plan", "--suite", "long", "-t", rig.specs, "--encoder-root", rig.encoders, "--write"
        ),
        tmp_path,
    )
    assert file.read_bytes() == before


def test_an_input_error_is_one_line(tmp_path, folder):
    test = dataset(tmp_path / "test.jsonl", "classification", 6)
    with (
        pytest.raises(HarnessError) as caught,
        unchanged({Path(test["location"][0]["files"][0]): "0" * 64}),
    ):
        pass
    assert "\n" not in str(caught.value)
