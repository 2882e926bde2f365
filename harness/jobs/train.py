"""The loop. Training on an intermediate and training on a target's English set are this function, called twice.

    draw a batch at random → split it into micro-batches of similar length → sum their gradients → clip once → step

The gradient of an update is the mean over the batch's own terms, so the short last batch of an epoch counts as what it
is. Order of rows, head and dropout come from streams that name (seed, phase, task, purpose): the same in every arm.
Killed anywhere, the next run continues from the last checkpoint and ends with the same bytes.
"""

import json
import os
import pickle
import re
import time
from contextlib import contextmanager

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from harness.data import rows as data_rows
from harness.data.batching import epoch_batches, micro_batches, stream_seed
from harness.families import TRAINED, TaskModel
from harness.jobs.context import Context, JobError, Stopped, device, make_deterministic
from harness.jobs.evaluate import score_rows
from harness.store import atomic_write, file_sha256

WEIGHTS = "model.safetensors"
LOG_POINTS = 200  # lines in metrics.jsonl, about


def run(ctx: Context) -> None:
    """Train one model; writes WEIGHTS, train.json (dev score, best update, counts) and metrics.jsonl."""
    job, spec = ctx.job, ctx.job["spec"]
    recipe, task = spec["recipe"], spec["task"]
    family, encoder = TRAINED[task["family"]], ctx.encoder()
    make_deterministic(stream_seed(spec["seed"], spec["phase"], task["name"], "dropout"))

    train_rows = data_rows.load(job["train"])
    features = family.encode(train_rows, encoder, task, training=True)
    if not features:
        raise JobError(f"{job['name']}: none of {len(train_rows)} training rows can be used (no answer found in any context?)")
    dev = data_rows.load(job["dev"]) if recipe["evaluations"] else []
    lengths = np.array([len(feature["input_ids"]) for feature in features])
    order_seed = stream_seed(spec["seed"], spec["phase"], task["name"], "order")
    per_epoch = -(-len(features) // recipe["batch_size"])
    updates = min(per_epoch * recipe["epochs"], recipe["max_updates"] or per_epoch * recipe["epochs"])

    loop = _Loop(ctx, family, encoder, task, recipe, updates)
    loop.resume()
    dev_at = {round(updates * (i + 1) / recipe["evaluations"]) for i in range(recipe["evaluations"])}
    log_every = max(1, updates // LOG_POINTS)
    last_checkpoint, epoch = time.monotonic(), None
    while loop.step < updates:
        if ctx.stopping() or time.monotonic() - last_checkpoint > ctx.checkpoint_seconds:
            loop.checkpoint()
            last_checkpoint = time.monotonic()
        if ctx.stopping():
            raise Stopped
        if epoch != loop.step // per_epoch:
            epoch = loop.step // per_epoch
            batches = epoch_batches(lengths, recipe["batch_size"], order_seed, epoch, recipe["batching"])
        loop.update(features, lengths, batches[loop.step % per_epoch])
        if loop.step % log_every == 0 or loop.step == updates:
            loop.write_log()
        if loop.step in dev_at:
            loop.look_at_dev(dev)
        ctx.progress(loop.step, updates)
    loop.finish(len(train_rows), len(features))


class _Loop:
    """What a checkpoint has to hold: model, optimizer, schedule, random state, position, best weights so far."""

    def __init__(self, ctx: Context, family, encoder, task: dict, recipe: dict, updates: int):
        self.ctx, self.family, self.encoder, self.task, self.recipe, self.updates = ctx, family, encoder, task, recipe, updates
        self.device = device()
        if recipe["precision"] == "bf16" and self.device == "cpu":
            raise JobError(f"{ctx.job['name']}: its recipe asks for bf16, which needs a GPU; use precision: fp32 on a CPU")
        self.model = fresh_model(ctx, family, encoder, task, recipe).to(self.device)
        decayed = [p for p in self.model.parameters() if p.ndim >= 2]
        plain = [p for p in self.model.parameters() if p.ndim < 2]  # biases and LayerNorm
        groups = [{"params": decayed, "weight_decay": recipe["weight_decay"]}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe["learning_rate"], eps=recipe["adam_epsilon"], fused=True)
        warmup = int(recipe["warmup"] * updates)

        def factor(step: int) -> float:
            return step / warmup if step < warmup else max(0.0, (updates - step) / max(1, updates - warmup))

        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, factor)
        self.step, self.tokens, self.loss, self.log = 0, 0, [], []
        self.best: dict | None = None

    def update(self, features: list[dict], lengths: np.ndarray, batch: np.ndarray) -> None:
        """One optimizer step over `batch` (row numbers): the mean gradient over the batch's terms."""
        self.model.train()
        terms = self.family.terms([features[i] for i in batch])
        total = 0.0
        for group in micro_batches(batch, lengths, self.recipe["micro_tokens"]):
            examples = [features[i] for i in group]
            with torch.autocast(self.device, torch.bfloat16, enabled=self.recipe["precision"] == "bf16"):
                logits = self.model(self.encoder.pad(examples, self.device))
            loss = self.family.loss(logits, examples) / max(1, terms)
            loss.backward()
            total += float(loss.detach())
        if not np.isfinite(total):
            raise JobError(f"{self.ctx.job['name']}: loss is {total} at update {self.step + 1}; lower the learning rate")
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe["max_grad_norm"])
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += int(lengths[batch].sum())
        self.loss.append(total)

    def write_log(self) -> None:
        rate = self.schedule.get_last_lr()[0]
        self.log.append({"update": self.step, "loss": float(np.mean(self.loss)), "learning_rate": rate, "tokens": self.tokens})
        self.loss = []

    def look_at_dev(self, dev: list[dict]) -> None:
        """Score English dev; keep the weights if they are the best so far (strictly better, so the first of equals)."""
        rng = torch.get_rng_state()
        scored = score_rows(self.model, self.family, self.encoder, self.task, dev, "en", self.device)[1]
        torch.set_rng_state(rng)
        self.log.append({"update": self.step, "dev": scored.metrics})
        if self.best is None or scored.main > self.best["main"]:
            weights = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}
            self.best = {
                "main": scored.main,
                "update": self.step,
                "metrics": scored.metrics,
                "null": scored.null,
                "above_null": scored.above_null,
                "stderr": scored.stderr,
                "learned": bool(scored.learned),
                "rows": len(dev),
                "weights": weights,
            }

    def checkpoint(self) -> None:
        """Save everything; the pointer with the file's hash is written last, so a torn file is never resumed from."""
        folder = self.ctx.store.checkpoint_dir(self.ctx.key)
        file = folder / f"update-{self.step}.pt"
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if self.device == "cuda" else [],
            "position": {"step": self.step, "tokens": self.tokens, "loss": self.loss, "log": self.log, "best": self.best},
        }
        with _plain_disk_errors(), file.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        pointer = {"file": file.name, "sha256": file_sha256(file)}
        atomic_write(folder / "latest.json", json.dumps(pointer).encode())
        for old in folder.glob("update-*.pt"):
            if old != file:
                old.unlink()

    def resume(self) -> None:
        """Continue from the last sound checkpoint, if there is one."""
        folder = self.ctx.store.checkpoint_dir(self.ctx.key)
        try:
            pointer = json.loads((folder / "latest.json").read_text())
            file = folder / pointer["file"]
            if file_sha256(file) != pointer["sha256"]:
                raise ValueError("its hash does not match")
            state = torch.load(file, weights_only=True, map_location=self.device)
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, OSError, RuntimeError, pickle.UnpicklingError) as error:
            self.ctx.facts["checkpoint_refused"] = f"{error}"  # start again: the result is the same, only later
            return
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["rng"].cpu())
        if state["cuda_rng"]:
            torch.cuda.set_rng_state_all([rng.cpu() for rng in state["cuda_rng"]])
        for name, value in state["position"].items():
            setattr(self, name, value)
        self.ctx.facts["resumed_at"] = self.step

    def finish(self, rows: int, features: int) -> None:
        """Write the result: the best weights on dev, or the last if the recipe selects nothing."""
        best = self.best or {"weights": self.model.state_dict(), "update": self.step}
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in best.pop("weights").items()}
        with _plain_disk_errors():
            save_file(weights, self.ctx.workdir / WEIGHTS)
        summary = {"updates": self.step, "tokens": self.tokens, "rows": rows, "features": features, "best": best}
        (self.ctx.workdir / "train.json").write_text(json.dumps(summary, indent=1, sort_keys=True))
        lines = [json.dumps(line) + "\n" for line in self.log]
        (self.ctx.workdir / "metrics.jsonl").write_text("".join(lines))
        self.ctx.facts["tokens"] = self.tokens


@contextmanager
def _plain_disk_errors():
    """torch and safetensors hide a full disk in errors of their own: raise the OSError inside."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        if found := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(found[1]), os.strerror(int(found[1]))) from None
        raise


def fresh_model(ctx: Context, family, encoder, task: dict, recipe: dict) -> TaskModel:
    """The pretrained encoder, or the intermediate's, under a new head that is the same in every arm."""
    spec = ctx.job["spec"]
    body = encoder.fresh(recipe["dropout"], recipe["attention_dropout"])
    if spec["init"]:
        load_encoder_weights(body, ctx.store.path(spec["init"], WEIGHTS))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(spec["seed"], spec["phase"], task["name"], "head"))
        head = family.head(encoder.config.hidden_size, task, recipe["dropout"])
    return TaskModel(body, head)


def load_encoder_weights(body: torch.nn.Module, path) -> None:
    """What an intermediate stage hands over: every weight of the encoder, no head."""
    weights = load_file(path)
    body.load_state_dict({name.removeprefix("encoder."): t for name, t in weights.items() if name.startswith("encoder.")})
