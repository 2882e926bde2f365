"""Low-rank adapters in place of the encoder's weights: what is trained, kept, handed over."""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from test_encoders import KINDS
from test_loop import context, dataset, make_job, outputs
from transformers import AutoModel

from harness.common import variables
from harness.common.errors import MissingError
from harness.jobs import adapters, evaluate, train
from harness.jobs.context import JobError, Stopped, environment
from harness.jobs.handed import load_model
from harness.models.loaded import LoadedEncoder
from harness.release.document import sidecar
from harness.store.job import described

pytest.importorskip("peft", reason="LoRA needs peft: pip install --no-deps peft accelerate psutil")

LORA = {"rank": 4, "alpha": 8.0, "dropout": 0.1}


def job_of(tmp: Path, folder: Path, init: str | None = None, **recipe) -> dict:
    tmp.mkdir(parents=True, exist_ok=True)
    job = make_job(tmp, folder, "classification", learning_rate=1e-2, **recipe)
    spec = job["spec"] | {"init": init}
    return described("train", "train", spec, {n: job[n] for n in ("train", "dev")}, job["encoder"])


def trained(tmp: Path, job: dict, **how) -> tuple:
    ctx = context(tmp, job, **how)
    train.run(ctx)
    return ctx, load_file(ctx.workdir / "model.safetensors")


def after(encoder: LoadedEncoder, ctx, job: dict, key: str) -> dict[str, torch.Tensor]:
    return load_model(ctx, encoder, job["spec"]["tasks"]["toy"], key, "cpu").state_dict()


def test_a_result_holds_adapters_and_heads_and_evaluates_as_the_model_that_was_trained(
    tmp_path, folder, encoder
):
    job = job_of(tmp_path, folder, lora=LORA, evaluations=1)
    ctx, kept = trained(tmp_path, job)
    assert {name.split(".")[0] for name in kept} == {"adapters", "heads"}
    # both of each linear layer of two layers of six, and one scale
    assert sum(name.startswith("adapters.") for name in kept) == 2 * 6 * 2 + 1
    loop = train._Loop(context(tmp_path, job), encoder, [train.Part(ctx, encoder, "toy")], [])
    moved = {name for name, p in loop.model.named_parameters() if p.requires_grad}
    assert {"lora" if "lora_" in name else name.split(".")[0] for name in moved} == {
        "lora",
        "heads",
    }

    ctx.store.commit(job["key"], ctx.workdir, {})
    tests = {"tests": {"en": dataset(tmp_path / "dev2.jsonl", "classification", 12, seed=2)}}
    spec = {"task": job["spec"]["tasks"]["toy"], "model": job["key"]}
    scored = described("evaluate", "evaluate", spec, tests, job["encoder"])
    there = context(tmp_path, scored)
    there.workdir = tmp_path / "evaluated"
    there.workdir.mkdir()
    evaluate.run(there)
    dev = ctx.store.read_json(job["key"], "train.json")["best"]["tasks"]["toy"]["main"]
    assert json.loads((there.workdir / "scores.json").read_text())["en"]["main"] == dev
    state, pretrained = after(encoder, ctx, job, job["key"]), encoder.fresh(0.0, 0.0).state_dict()
    changed = {n for n, of in pretrained.items() if not torch.equal(of, state[f"encoder.{n}"])}
    assert changed == {
        n
        for n in pretrained
        if n.endswith("weight") and ("query" in n or "key" in n or "value" in n or "dense" in n)
    }


SMALL = {"rank": 2, "alpha": 8.0, "targets": ["query"]}


@pytest.mark.parametrize(("first", "second"), [(LORA, SMALL), (LORA, None), (None, SMALL)])
def test_a_target_begins_with_the_intermediates_encoder(tmp_path, folder, encoder, first, second):
    one = job_of(tmp_path / "first", folder, lora=first)
    ctx, _ = trained(tmp_path, one)
    ctx.store.commit(one["key"], ctx.workdir, {})
    handed = after(encoder, ctx, one, one["key"])
    # nothing moves at so low a rate, so what a target leaves is what it began with
    two = job_of(tmp_path / "second", folder, one["key"], lora=second)
    two["spec"]["recipe"]["learning_rate"] = 1e-30
    two = described(
        "train", "train", two["spec"], {n: two[n] for n in ("train", "dev")}, two["encoder"]
    )
    ctx, kept = trained(tmp_path, two)
    ctx.store.commit(two["key"], ctx.workdir, {})
    whole = any(name.startswith("encoder.") for name in kept)
    assert whole == (first is None or second is None)
    left = after(encoder, ctx, two, two["key"])
    for name, tensor in handed.items():
        if name.startswith("encoder."):
            torch.testing.assert_close(left[name], tensor, rtol=0, atol=1e-6)
    if first and second:  # the chain: what came before, and its own
        assert {name.split(".")[1] for name in kept if name.startswith("adapters.")} == {"0", "1"}
        assert [kept[f"adapters.{n}.scale"].item() for n in (0, 1)] == [2.0, 4.0]


def test_a_job_on_a_cpu_says_which_libraries_were_preloaded(tmp_path, folder, monkeypatch):
    """By name: they choose the kernels of matrix products. In what folder is nobody's business."""
    monkeypatch.setenv(variables.DEVICE, "cpu")
    job = job_of(tmp_path, folder)
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    assert "preloaded" not in environment(job)
    monkeypatch.setenv("LD_PRELOAD", "/home/jane/libavx512.so:libtcmalloc.so.4 /opt/c.so")
    assert environment(job)["preloaded"] == "libavx512.so, libtcmalloc.so.4, c.so"


def test_a_job_that_used_peft_says_which_and_stays_in_one_environment(tmp_path, folder):
    used, plain = (
        environment(job_of(tmp_path / name, folder, **more))
        for name, more in (("used", {"lora": LORA}), ("plain", {}))
    )
    assert used == plain | {"peft": version("peft")}

    def told(*environments: dict) -> list[dict]:
        of = {name: {"environment": one, "facts": {}} for name, one in enumerate(environments)}
        jobs = {name: SimpleNamespace(name="train") for name in of}
        plan = SimpleNamespace(jobs=jobs, sources={})
        store = SimpleNamespace(manifest=lambda name: SimpleNamespace(meta=of[name]))
        return sidecar(plan, store, "", {})["environments"]

    assert told(plain, used, plain) == [used | {"jobs": 3}]
    assert [one["jobs"] for one in told(used, plain, used | {"peft": "0.0"})] == [2, 1]


@pytest.mark.parametrize("stop", [3])
def test_a_stopped_training_of_adapters_ends_with_the_same_bytes(tmp_path, folder, stop):
    job = job_of(tmp_path, folder, lora=LORA)
    expected, _ = trained(tmp_path / "whole", job)
    again, _ = trained(tmp_path / "again", job)
    assert outputs(again) == outputs(expected)
    with pytest.raises(Stopped):
        train.run(context(tmp_path / "broken", job, stop_before=stop))
    resumed, _ = trained(tmp_path / "broken", job)
    assert resumed.facts["resumed_at"] == stop
    assert outputs(resumed) == outputs(expected)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_architecture_has_layers_to_adapt(tmp_path, kind):
    body = AutoModel.from_pretrained(KINDS[kind].build(tmp_path / "encoder"))
    wanted = adapters._linear(body, [])
    assert len(wanted) >= 2 * 4  # of two layers: attention and feed-forward
    adapted = adapters.Adapted(body, LORA | {"targets": []}, 1, {}, False)
    tokens = torch.arange(5, 12)[None]
    body(input_ids=tokens).last_hidden_state.sum().backward()
    moved = [name for name, p in body.named_parameters() if p.grad is not None]
    assert moved
    assert all("lora_" in name for name in moved)
    assert (
        len(
            adapted.result(
                adapted.trained({f"encoder.{n}": t for n, t in body.state_dict().items()})
            )
        )
        == 2 * len(wanted) + 1
    )


def test_a_layer_that_is_not_there_is_named(tmp_path, folder):
    with pytest.raises(JobError, match="no linear layer is called q_proj; there are dense, key"):
        train.run(context(tmp_path, job_of(tmp_path, folder, lora=LORA | {"targets": ["q_proj"]})))


def test_without_peft_the_extra_is_named(tmp_path, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    monkeypatch.setattr("harness.spec.recipe.find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"pip install xstilts-harness\[lora\]"):
        train.run(context(tmp_path, job_of(tmp_path, folder, lora=LORA)))
