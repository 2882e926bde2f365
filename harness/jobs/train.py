"""The loop. Training on an intermediate and training on a target's English set are this function,
called twice.

    draw a batch at random → split it into micro-batches, packed → sum their gradients → clip once
    → step

The gradient of an update is the mean over the batch's own terms, so the short last batch of an
epoch counts as what it is (`loss: micro_batch`: over a script's micro-batches). Order of rows, head
and dropout come from streams that name (seed, phase, task, purpose): the same in every arm. Dropout
has one for each micro-batch of each update, so that nothing random lasts longer. A mixture draws
one of its tasks per update; a single task is a mixture of one. Killed anywhere, the next run
continues from the last checkpoint and ends with the same bytes.

An update only tells the device what to compute. Its loss is looked at where a line of the log is
due, or before anything is kept.
"""

import json
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from harness.common.signals import Interrupted, stop
from harness.jobs import checkpoint, memory
from harness.jobs.adamw import adamw, rate, step
from harness.jobs.adapters import Adapted, Weights, left_by
from harness.jobs.ahead import MicroBatch, Update, ahead
from harness.jobs.context import Context, JobError, Stopped, device, lowered, make_deterministic
from harness.jobs.handed import hand_over
from harness.jobs.part import Part
from harness.jobs.ranks import ALONE, Ranks, together
from harness.jobs.vocabulary import narrow
from harness.models import TaskModel, build
from harness.models.batching import dealt, feature_length, micro_batches, stream_seed, turns
from harness.models.half import Feature, Trained
from harness.models.loaded import LoadedEncoder
from harness.spec.recipe import Recipe
from harness.spec.sampler import Sampler
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
    recipe = ctx.job["spec"]["recipe"]
    with together(ctx) as ranks:
        loop = _begin(ctx, ranks)
        ctx.progress(loop.step, loop.updates, loop.tokens)
        # a signal is heard between updates, and in what `stop.loose` does
        with stop.hold(), memory.said(ctx.job["name"], recipe["micro_tokens"]):
            loop.rehearse()
            _train(ctx, loop, looks(recipe, loop.updates))
            loop.finish()


def follow(ctx: Context, ranks: Ranks) -> None:
    """The part of one of the processes that share a training, but the first: updates alone."""
    loop = _begin(ctx, ranks)
    micro_tokens = ctx.job["spec"]["recipe"]["micro_tokens"]
    with memory.said(ctx.job["name"], micro_tokens), loop.coming() as coming:
        for given in coming:
            loop.update(given)
            loop.pending = []  # the first looks at them


def _begin(ctx: Context, ranks: Ranks) -> "_Loop":
    """The loop, where its last checkpoint left it; all processes are there then."""
    spec, recipe, encoder = ctx.job["spec"], ctx.job["spec"]["recipe"], ctx.encoder()
    make_deterministic(ctx.job)

    parts = [Part(ctx, encoder, name) for name in spec["tasks"]]
    updates = Recipe(**recipe).updates(sum(part.per_epoch for part in parts))
    sampler = Sampler(**(spec["sampler"] or {}))
    by_rows = sampler.count == "rows"
    shares = sampler.shares(
        {part.name: part.rows if by_rows else len(part.features) for part in parts}
    )
    turn = turns(list(shares.values()), updates, _stream(spec, "sampler"))

    loop = _Loop(ctx, encoder, parts, turn, ranks)
    loop.resume()
    ranks.meet(loop.step)
    return loop


def _stream(spec: dict[str, Any], purpose: str, *which: int) -> int:
    """Seed of a random stream of a whole training."""
    return stream_seed(spec["seed"], spec["phase"], "+".join(spec["tasks"]), purpose, *which)


def _train(ctx: Context, loop: "_Loop", dev_at: set[int]) -> None:
    """Every update from where the loop stands to the end. Raises Stopped, after a checkpoint, if
    that is asked for."""
    updates = loop.updates
    log_every = max(1, updates // LOG_POINTS)
    last_checkpoint, took = time.monotonic(), 0.0
    with loop.coming() as coming:
        while not (looked := loop.look(dev_at)) or loop.step < updates:
            stopping = not looked or ctx.stopping()
            due = interval(ctx.checkpoint_seconds, took)
            if stopping or time.monotonic() - last_checkpoint >= due:
                started = time.monotonic()
                loop.checkpoint()
                last_checkpoint = time.monotonic()
                took = last_checkpoint - started
            if stopping:
                raise Stopped
            loop.update(next(coming))
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
    """What a checkpoint has to hold: model, optimizer, position, best weights so far."""

    def __init__(
        self,
        ctx: Context,
        encoder: LoadedEncoder,
        parts: list[Part],
        turn: list[tuple[int, int]],
        ranks: Ranks = ALONE,
    ):
        self.ctx, self.encoder, self.parts, self.ranks = ctx, encoder, parts, ranks
        self.turn, self.updates = turn, len(turn)
        self.recipe: RecipeJson = ctx.job["spec"]["recipe"]
        self.device = device()
        self.model = fresh_model(ctx, encoder)
        self.adapted = adapted(ctx, self.model)
        self.narrowed = None
        if self.adapted is None:  # else no row of the table is trained
            self.narrowed = narrow(self.model.encoder, parts, encoder.tokenizer.pad_token_id)
        self.model.to(self.device).train()
        self.optimizer = adamw(self.model, self.recipe)

        self.step = self.tokens = 0
        self.pending: list[torch.Tensor] = []  # loss and norm of updates, not looked at yet
        self.loss: list[float] = []  # of the updates since the last line of the log
        self.log: list[dict[str, Any]] = []
        self.looked = 0  # after which update English dev was looked at last
        self.best: dict[str, Any] | None = None
        self.watched: list[list[float]] = []  # per epoch, per training row

    def coming(self) -> AbstractContextManager[Iterator[Update]]:
        """What the updates that are left read."""
        return ahead(self.read, self.step, self.updates)

    def read(self, update: int) -> Update:
        """What an update (from 0) reads; on a thread of its own.

        The loss averages over `averaged`: the batch as one, or a script's micro-batches. How these
        are cut again to fit the memory moves nothing, since what divides is theirs.
        """
        part, number = self.turn[update]
        return self._cut(part, self.parts[part].batch(number), self.recipe["micro_tokens"])

    def _cut(self, part: int, features: list[Feature], micro_tokens: int) -> Update:
        """This process's share, under the numbers that its micro-batches have among all."""
        half = self.parts[part].half
        rows = self.recipe.get("micro_rows") or len(features)
        averaged = [features[i : i + rows] for i in range(0, len(features), rows)]
        read, place, tokens = [], 0, 0
        for first, one in zip(range(0, len(features), rows), averaged, strict=True):
            divisor = max(1, half.terms(one)) * len(averaged)
            lengths = np.array([feature_length(feature) for feature in one])
            tokens += int(lengths.sum())
            for number, share in enumerate(dealt(lengths, self.ranks.size, first)):
                for group in micro_batches(share, lengths, micro_tokens):
                    if number == self.ranks.number:
                        read.append(self._packed(place, half, [one[i] for i in group], divisor))
                    place += 1
        # who has no row computes one that does not count, so that its gradient has all tensors
        return Update(part, read or [self._packed(0, half, features[:1], math.inf)], tokens)

    def _packed(
        self, place: int, half: Trained, examples: list[Feature], divisor: float
    ) -> MicroBatch:
        packed, targets = self.encoder.pack(examples), half.targets(examples)
        return MicroBatch(place, packed, targets, divisor).pinned(self.device)

    def update(self, given: Update) -> None:
        """One optimizer step over a batch of one part."""
        total = torch.zeros((), device=self.device)
        for micro_batch in given.micro_batches:
            stream = _stream(self.ctx.job["spec"], "dropout", self.step, micro_batch.place)
            _seed(self.device, stream)
            total += self._passes(given.part, micro_batch)
        self.ranks.sum([*self._gradients(), total])

        # once, of all micro-batches together: what is clipped is the batch's gradient
        learning_rate = rate(self.recipe, self.updates, self.step)
        norm = step(self.optimizer, learning_rate, self.recipe["max_grad_norm"])
        if self.narrowed:
            self.narrowed.decay(learning_rate * self.recipe["weight_decay"])

        self.step += 1
        self.tokens += given.tokens
        self.pending.append(torch.stack([total, norm]))

    def _passes(self, part: int, given: MicroBatch) -> torch.Tensor:
        """Forward and backward; the loss, shape (), on the device."""
        _, packed, targets, divisor = given.on(self.device)
        with lowered(self.device):
            logits = self.model(packed, part)
        loss = self.parts[part].half.loss(logits, targets) / divisor
        loss.backward()
        return loss.detach()

    def rehearse(self) -> None:
        """On a GPU, the largest micro-batch of each part once. JobError with the number to write,
        if that does not fit."""
        if self.device != "cuda":
            return
        for number, part in enumerate(self.parts):
            passes = partial(self._largest, number, part.longest())
            longest = int(part.lengths.max())
            memory.rehearse(self.ctx.job["name"], self.recipe["micro_tokens"], longest, passes)

    def _largest(self, part: int, longest: list[Feature], micro_tokens: int) -> None:
        """The first micro-batch of the longest features, beside what the optimizer will hold; no
        gradient stays."""
        moments = [torch.empty_like(p) for p in self._trained().values() for _ in range(2)]
        try:
            self._passes(part, self._cut(part, longest, micro_tokens).micro_batches[0])
        finally:
            self.optimizer.zero_grad(set_to_none=True)
            del moments

    def settle(self) -> None:
        """Wait for the device, and look at the updates since the last time. JobError if one has
        gone wrong: nothing may be kept of what came after."""
        found = torch.stack(self.pending).tolist() if self.pending else []
        for update, (loss, norm) in enumerate(found, start=self.step - len(found) + 1):
            if not math.isfinite(loss + norm):
                what = f"gradient's norm is {norm}" if math.isfinite(loss) else f"loss is {loss}"
                raise JobError(
                    f"{self.ctx.job['name']}: {what} at update {update}; lower the learning rate"
                )
            self.loss.append(loss)
        self.pending = []

    def write_log(self) -> None:
        """A line: the mean loss since the last one, and the rate of the update that comes."""
        self.settle()
        self._note(
            {
                "update": self.step,
                "loss": float(np.mean(self.loss)),
                "learning_rate": rate(self.recipe, self.updates, self.step),
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
        # `looked` and `watched` are in the checkpoint, so that nothing is looked at twice
        dev = self.step in dev_at and self.looked < self.step
        epochs = self.step // self.parts[0].per_epoch
        rows = self.ctx.job["spec"]["watch"] and len(self.watched) < epochs
        if not dev and not rows:
            return True
        self.settle()
        try:
            if dev:
                self.look_at_dev()
            if rows:
                self.watch()
        except Interrupted:
            return False
        finally:
            self.model.train()
        return True

    def look_at_dev(self) -> None:
        """Score English dev; keep the weights if they are the best so far (strictly better, so the
        first of equals).

        Of several tasks the plain mean of their main metrics counts (jiant's rule; here all are on
        one scale).
        """
        with stop.loose():  # what a signal breaks off can be done again; what follows is kept whole
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
                name: tensor.detach().to("cpu", copy=True)
                for name, tensor in self.weights().items()
            }
            self.best = {"main": main, "update": self.step, "tasks": scored, "weights": weights}

    def weights(self) -> dict[str, torch.Tensor]:
        """All that the training may move, as a result has it."""
        state: dict[str, torch.Tensor] = self.model.state_dict()
        return self.adapted.trained(state) if self.adapted else state

    def watch(self) -> None:
        """Note the probability of each training row's gold label (training dynamics, Swayamdipta et
        al. 2020, section 2)."""
        with stop.loose():
            bits = self.parts[0].gold_bits(self.model, self.device)
        self.watched.append([round(2.0**-one, 6) for one in bits])

    def _trained(self) -> dict[str, torch.Tensor]:
        """The parameters that move; the rest is as it was read."""
        return {name: p.detach() for name, p in self.model.named_parameters() if p.requires_grad}

    def _gradients(self) -> list[torch.Tensor]:
        return [p.grad for p in self.model.parameters() if p.grad is not None]

    def checkpoint(self) -> None:
        """Save everything (`checkpoint.save`)."""
        self.settle()
        state = {
            "model": self._trained(),
            "shrunk": self.narrowed.shrunk if self.narrowed else 1.0,
            "optimizer": self.optimizer.state_dict(),
            "position": {name: getattr(self, name) for name in POSITION},
        }
        checkpoint.save(self.ctx, self.step, state)

    def resume(self) -> None:
        """Continue from the last sound checkpoint, if there is one."""
        state = checkpoint.load(self.ctx, self._trained())
        if state is None:
            return
        for name, tensor in self._trained().items():
            tensor.copy_(state["model"][name])
        if self.narrowed:
            self.narrowed.shrunk = state["shrunk"]
        self.optimizer.load_state_dict(state["optimizer"])
        for name, value in state["position"].items():
            setattr(self, name, value)
        self.ctx.facts["resumed_at"] = self.step
        # who watches may have been ended before it heard the last of them
        for line in self.log:
            self.ctx.logged({**line, "again": True})

    def finish(self) -> None:
        """Write the result: the best weights on dev, or the last if the recipe selects nothing."""
        self.settle()
        best = self.best or {"weights": self.weights(), "update": self.step}
        weights = {
            name: tensor.detach().cpu().contiguous() for name, tensor in best.pop("weights").items()
        }
        if self.adapted:
            weights = self.adapted.result(weights)
        with checkpoint.plain_disk_errors():
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


def _seed(where: str, seed: int) -> None:
    """Begin the random stream that dropout draws from."""
    if where == "cuda":
        torch.cuda.manual_seed(seed)
    elif where == "mps":
        torch.mps.manual_seed(seed)
    else:
        # `torch.manual_seed` asks for every kind of device, which takes longer than to seed one
        torch.default_generator.manual_seed(seed)


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
