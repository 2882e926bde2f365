"""The loop. Training on an intermediate and training on a target's English set are this function,
called twice.

    draw a batch at random → split it into micro-batches of similar length → sum their gradients →
    clip once → step

The gradient of an update is the mean over the batch's own terms, so the short last batch of an
epoch counts as what it is (`loss: micro_batch`: over a script's micro-batches). Order of rows, head
and dropout come from streams that name (seed, phase, task, purpose): the same in every arm. A
mixture draws one of its tasks per update; a single task is a mixture of one. Killed anywhere, the
next run continues from the last checkpoint and ends with the same bytes.
"""

import json
import os
import pickle
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from harness.common.signals import Interrupted, stop
from harness.jobs.adapters import Adapted, Weights, left_by
from harness.jobs.context import Context, JobError, Stopped, device, make_deterministic
from harness.jobs.handed import hand_over
from harness.jobs.part import Part
from harness.jobs.vocabulary import clip, narrow
from harness.models import TaskModel, build
from harness.models.batching import feature_length, micro_batches, stream_seed, turns
from harness.models.half import Feature, Trained
from harness.models.loaded import LoadedEncoder
from harness.spec.recipe import Recipe
from harness.spec.sampler import Sampler
from harness.store import atomic_write, file_sha256
from harness.store.job import WEIGHTS

RecipeJson = dict[str, Any]  # `spec.recipe.Recipe`, as a job's JSON has it

CHECKPOINT_SECONDS = 60.0
# of a loop, what a checkpoint holds besides tensors
POSITION = ("step", "tokens", "loss", "log", "looked", "best", "watched")
LOG_POINTS = 200  # lines in metrics.jsonl, about


def run(ctx: Context) -> None:
    """Train one model on one task or several.

    Writes WEIGHTS, train.json (dev score, best update, counts), dev.json (the per-example
    statistics behind the dev score), metrics.jsonl; if the job says `watch`, dynamics.json.
    """
    spec, recipe, encoder = ctx.job["spec"], ctx.job["spec"]["recipe"], ctx.encoder()
    names = "+".join(spec["tasks"])
    make_deterministic(stream_seed(spec["seed"], spec["phase"], names, "dropout"))

    parts = [Part(ctx, encoder, name) for name in spec["tasks"]]
    updates = Recipe(**recipe).updates(sum(part.per_epoch for part in parts))
    sampler = Sampler(**(spec["sampler"] or {}))
    by_rows = sampler.count == "rows"
    shares = sampler.shares(
        {part.name: part.rows if by_rows else len(part.features) for part in parts}
    )
    turn = turns(
        list(shares.values()), updates, stream_seed(spec["seed"], spec["phase"], names, "sampler")
    )

    loop = _Loop(ctx, encoder, parts, updates)
    loop.resume()
    ctx.progress(loop.step, updates, loop.tokens)
    with stop.hold():  # a signal is heard between updates, and in what `aside` does
        _train(ctx, loop, turn, looks(recipe, updates))
        loop.finish()


def _train(ctx: Context, loop: "_Loop", turn: list[tuple[int, int]], dev_at: set[int]) -> None:
    """Every update from where the loop stands to the end. Raises Stopped, after a checkpoint, if
    that is asked for."""
    updates = len(turn)
    log_every = max(1, updates // LOG_POINTS)
    last_checkpoint, took = time.monotonic(), 0.0
    while not (looked := loop.look(dev_at)) or loop.step < updates:
        stopping = not looked or ctx.stopping()
        if stopping or time.monotonic() - last_checkpoint >= interval(ctx.checkpoint_seconds, took):
            started = time.monotonic()
            loop.checkpoint()
            last_checkpoint = time.monotonic()
            took = last_checkpoint - started
        if stopping:
            raise Stopped
        part, number = turn[loop.step]
        loop.update(part, loop.parts[part].batch(number))
        if loop.step % log_every == 0 or loop.step == updates:
            loop.write_log()
        ctx.progress(loop.step, updates, loop.tokens)


def interval(asked: float | None, took: float) -> float:
    """Seconds from one checkpoint to the next: as asked. If nobody asked, so that checkpoints of a
    big model, of which the last one took `took` seconds, take no more than a twentieth of the
    time."""
    return max(CHECKPOINT_SECONDS, 20 * took) if asked is None else asked


def looks(recipe: RecipeJson, updates: int) -> set[int]:
    """After which updates English dev is looked at; the last one is always among them, unless
    nothing is selected."""
    count, every = recipe["evaluations"], recipe["evaluate_every"]
    if not count:
        return set()
    if every:
        return {*range(every, updates, every), updates}
    return {round(updates * (i + 1) / count) for i in range(count)}


class _Loop:
    """What a checkpoint has to hold: model, optimizer, schedule, random state, position, best
    weights so far."""

    def __init__(self, ctx: Context, encoder: LoadedEncoder, parts: list[Part], updates: int):
        self.ctx, self.encoder, self.parts = ctx, encoder, parts
        self.recipe: RecipeJson = ctx.job["spec"]["recipe"]
        recipe, self.device = self.recipe, device()
        if recipe["precision"] == "bf16" and self.device == "cpu":
            raise JobError(
                f"{ctx.job['name']}: its recipe asks for bf16, which needs a GPU; use precision:"
                " fp32 on a CPU"
            )
        self.model = fresh_model(ctx, encoder)
        self.adapted = adapted(ctx, self.model)
        self.narrowed = None
        if self.adapted is None:  # else no row of the table is trained
            self.narrowed = narrow(
                self.model.encoder, parts, encoder.tokenizer.pad_token_id, recipe["weight_decay"]
            )
        # None: the full table
        self.word_rows = self.narrowed.rows.shape[0] if self.narrowed else None
        self.model.to(self.device)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        decayed = [p for p in trained if p.ndim >= 2]
        plain = [p for p in trained if p.ndim < 2]  # biases and LayerNorm
        groups = [
            {"params": decayed, "weight_decay": recipe["weight_decay"]},
            {"params": plain, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, lr=recipe["learning_rate"], eps=recipe["adam_epsilon"], fused=True
        )
        warmup = recipe["warmup_updates"] or int(recipe["warmup"] * updates)

        def factor(step: int) -> float:
            if step < warmup:
                return step / warmup
            return max(0.0, (updates - step) / max(1, updates - warmup))

        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, factor)
        self.step = self.tokens = 0
        self.loss: list[float] = []  # of the updates since the last line of the log
        self.log: list[dict[str, Any]] = []
        self.looked = 0  # after which update English dev was looked at last
        self.best: dict[str, Any] | None = None
        self.watched: list[list[float]] = []  # per epoch, per training row

    def update(self, part: int, features: list[Feature]) -> None:
        """One optimizer step over a batch of one part."""
        self.model.train()
        half, total = self.parts[part].half, 0.0
        for examples, divisor in self._forwards(half, features):
            with torch.autocast(
                self.device, torch.bfloat16, enabled=self.recipe["precision"] == "bf16"
            ):
                logits = self.model(self.encoder.pad(examples, self.device), part)
            loss = half.loss(logits, examples) / divisor
            loss.backward()
            total += float(loss.detach())

        if not np.isfinite(total):
            raise JobError(
                f"{self.ctx.job['name']}: loss is {total} at update {self.step + 1}; lower the"
                " learning rate"
            )
        # once, of all micro-batches together: what is clipped is the batch's gradient
        clip(self.model, self.narrowed, self.recipe["max_grad_norm"])
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)

        self.step += 1
        self.tokens += sum(feature_length(feature) for feature in features)
        self.loss.append(total)

    def _forwards(
        self, half: Trained, features: list[Feature]
    ) -> Iterator[tuple[list[Feature], int]]:
        """(what the model reads at once, the number that divides its summed loss), for a batch.

        The loss averages over `averaged`: the batch as one, or a script's micro-batches. How these
        are cut again to fit the memory moves nothing, since what divides is theirs.
        """
        rows = self.recipe.get("micro_rows") or len(features)
        averaged = [features[i : i + rows] for i in range(0, len(features), rows)]
        for one in averaged:
            divisor = max(1, half.terms(one)) * len(averaged)
            lengths = np.array([feature_length(feature) for feature in one])
            for group in micro_batches(np.arange(len(one)), lengths, self.recipe["micro_tokens"]):
                yield [one[i] for i in group], divisor

    def write_log(self) -> None:
        rate = self.schedule.get_last_lr()[0]
        self._note(
            {
                "update": self.step,
                "loss": float(np.mean(self.loss)),
                "learning_rate": rate,
                "tokens": self.tokens,
            }
        )
        self.loss = []

    def _note(self, line: dict[str, Any]) -> None:
        """A line of the log, for the result and for who watches."""
        self.log.append(line)
        self.ctx.logged(line)

    def look(self, dev_at: set[int]) -> bool:
        """Do what is due after the last update; False if a signal broke it off. Then it is due when
        the run is resumed."""
        epochs = self.step // self.parts[0].per_epoch
        try:
            # `looked` and `watched` are in the checkpoint, so that nothing is looked at twice
            if self.step in dev_at and self.looked < self.step:
                self.look_at_dev()
            if self.ctx.job["spec"]["watch"] and len(self.watched) < epochs:
                self.watch()
        except Interrupted:
            return False
        return True

    def look_at_dev(self) -> None:
        """Score English dev; keep the weights if they are the best so far (strictly better, so the
        first of equals).

        Of several tasks the plain mean of their main metrics counts (jiant's rule; here all are on
        one scale).
        """
        with aside():
            scored = {
                part.name: part.score(self.model, head, self.device)
                for head, part in enumerate(self.parts)
            }
        self.looked = self.step
        main = float(np.mean([one["main"] for one in scored.values()]))
        metrics = {name: one["metrics"] for name, one in scored.items()}
        self._note({"update": self.step, "dev": metrics})

        if self.best is None or main > self.best["main"]:
            # a copy: training goes on in the tensors themselves
            weights = {
                name: tensor.detach().cpu().clone() for name, tensor in self.weights().items()
            }
            self.best = {"main": main, "update": self.step, "tasks": scored, "weights": weights}

    def weights(self) -> dict[str, torch.Tensor]:
        """All that the training may move."""
        state: dict[str, torch.Tensor] = self.model.state_dict()
        return self.adapted.trained(state) if self.adapted else state

    def watch(self) -> None:
        """Note the probability of each training row's gold label (training dynamics, Swayamdipta et
        al. 2020, section 2)."""
        with aside():
            measured = [
                round(2.0**-bits, 6) for bits in self.parts[0].gold_bits(self.model, self.device)
            ]
        self.watched.append(measured)

    def checkpoint(self) -> None:
        """Save everything; the pointer with the file's hash is written last, so a torn file is
        never resumed from. Raises Stopped, and nothing is changed, if the lease was lost: whoever
        took over keeps checkpoints there."""
        folder = self.ctx.store.checkpoint_dir(self.ctx.key)
        file, pointer = folder / f"update-{self.step}.pt", folder / "latest.json"
        state = {
            "model": self.weights(),
            "word_rows": self.word_rows,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if self.device == "cuda" else [],
            "position": {name: getattr(self, name) for name in POSITION},
        }
        temp = folder / f".{file.name}.{uuid.uuid4().hex[:12]}.tmp"
        try:
            with _plain_disk_errors(), temp.open("wb") as stream:
                torch.save(state, stream)
                stream.flush()
                os.fsync(stream.fileno())
            sha = file_sha256(temp)
            if not self.ctx.held():  # this machine may have slept while it wrote
                raise Stopped
            temp.replace(file)
        except BaseException:
            temp.unlink(missing_ok=True)
            raise
        atomic_write(pointer, json.dumps({"file": file.name, "sha256": sha}).encode())
        for old in folder.iterdir():
            if old not in (file, pointer):
                old.unlink(missing_ok=True)

    def resume(self) -> None:
        """Continue from the last sound checkpoint, if there is one."""
        folder = self.ctx.store.checkpoint_dir(self.ctx.key)
        try:
            pointer = json.loads((folder / "latest.json").read_text())
            file = folder / pointer["file"]
            if file_sha256(file) != pointer["sha256"]:
                raise ValueError("its hash does not match")
            state = torch.load(file, weights_only=True, map_location="cpu")
            if state.get("word_rows") != self.word_rows:
                raise ValueError("another version of the harness wrote it")
        except FileNotFoundError:
            return
        except (
            ValueError,
            KeyError,
            TypeError,
            OSError,
            RuntimeError,
            pickle.UnpicklingError,
        ) as error:
            # start again: the result is the same, only later
            self.ctx.facts["checkpoint_refused"] = f"{error}"
            return
        self.model.load_state_dict(state["model"], strict=self.adapted is None)
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["rng"].cpu())
        if state["cuda_rng"]:
            torch.cuda.set_rng_state_all([rng.cpu() for rng in state["cuda_rng"]])
        for name, value in {"looked": state["position"]["step"], **state["position"]}.items():
            setattr(self, name, value)
        self.ctx.facts["resumed_at"] = self.step
        # who watches may have been ended before it heard the last of them
        for line in self.log:
            self.ctx.logged({**line, "again": True})

    def finish(self) -> None:
        """Write the result: the best weights on dev, or the last if the recipe selects nothing."""
        best = self.best or {"weights": self.weights(), "update": self.step}
        weights = {
            name: tensor.detach().cpu().contiguous() for name, tensor in best.pop("weights").items()
        }
        if self.adapted:
            weights = self.adapted.result(weights)
        with _plain_disk_errors():
            save_file(weights, self.ctx.workdir / WEIGHTS)
        tasks = {
            part.name: {"rows": part.rows, "features": len(part.features)} for part in self.parts
        }
        examples = {name: one.pop("examples") for name, one in best.get("tasks", {}).items()}
        (self.ctx.workdir / "dev.json").write_text(json.dumps(examples, sort_keys=True))
        if self.ctx.job["spec"]["watch"]:
            dynamics = {
                "id": [row["id"] for row in self.parts[0].training],
                "gold_probability": self.watched,
            }
            (self.ctx.workdir / "dynamics.json").write_text(json.dumps(dynamics))
        summary = {"updates": self.step, "tokens": self.tokens, "tasks": tasks, "best": best}
        (self.ctx.workdir / "train.json").write_text(json.dumps(summary, indent=1, sort_keys=True))
        lines = [json.dumps(line) + "\n" for line in self.log]
        (self.ctx.workdir / "metrics.jsonl").write_text("".join(lines))
        self.ctx.facts["tokens"] = self.tokens


@contextmanager
def aside() -> Iterator[None]:
    """For what uses the model and is no part of its training: random numbers go on as if it had not
    been, and a signal breaks it off, since it can be done again."""
    rng = torch.get_rng_state()
    try:
        with stop.loose():
            yield
    finally:
        torch.set_rng_state(rng)


@contextmanager
def _plain_disk_errors() -> Iterator[None]:
    """torch and safetensors hide a full disk in errors of their own: raise the OSError inside."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        if found := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(found[1]), os.strerror(int(found[1]))) from None
        raise


def fresh_model(ctx: Context, encoder: LoadedEncoder) -> TaskModel:
    """The pretrained encoder, or the intermediate's, under new heads that are the same in every
    arm."""
    spec, recipe = ctx.job["spec"], ctx.job["spec"]["recipe"]

    def seed(name: str) -> int:
        return stream_seed(spec["seed"], "" if name == "pooler" else spec["phase"], name, "head")

    before = ctx.store.path(spec["init"], WEIGHTS) if spec["init"] else None
    filled = before is None or not left_by(before)[1]
    dropouts = recipe["dropout"], recipe["attention_dropout"]
    model = build(encoder, spec["tasks"], *dropouts, seed, filled)
    if before:
        hand_over(before, model.encoder, model.pooler)
    return model


def adapted(ctx: Context, model: TaskModel) -> Adapted | None:
    """The model's encoder frozen under new adapters, the same in every arm; None, and nothing done,
    where the recipe has none."""
    spec = ctx.job["spec"]
    lora: dict[str, Any] | None = spec["recipe"].get("lora")
    if lora is None:
        return None
    before: Weights = {}
    whole = False
    if spec["init"]:
        before, whole = left_by(ctx.store.path(spec["init"], WEIGHTS))
    seed = stream_seed(spec["seed"], spec["phase"], "", "adapters")
    return Adapted(model.encoder, lora, seed, before, whole)
