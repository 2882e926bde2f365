"""What the trainings of a run hold on the store's disk: trained models until all that read them is
done, and checkpoints."""

from collections.abc import Iterable
from typing import NamedTuple

from harness.plan.graph import Job, Plan

WEIGHT = 4  # bytes: models are kept in 32-bit floats
BASE = 85_000_000  # weights in the layers of an encoder whose config.json is of no known form
ADAPTED = 0.02  # of an encoder's weights are adapters and heads, where only these are trained


class Space(NamedTuple):
    """Bytes of a training's.

    model       its result, until the last job that reads it is done
    checkpoint  while it runs: twice what it holds, since a new one is written beside the old
    """

    model: float = 0.0
    checkpoint: float = 0.0


def spaces(plan: Plan, jobs: Iterable[Job]) -> dict[str, Space]:
    """Of the trainings among these jobs, by key; what others leave is next to nothing."""
    return {job.key: _space(job, plan) for job in jobs if job.kind == "train"}


def _space(job: Job, plan: Plan) -> Space:
    recipe, tasks = job.body["spec"]["recipe"], job.body["spec"]["tasks"].values()
    found = plan.encoders[job.body["encoder"]["name"]]
    of_layers = found.weights or BASE
    whole = trained = float(WEIGHT * (of_layers + (found.embeddings or 0)))
    if recipe.get("lora"):
        whole = trained = ADAPTED * whole
    elif not any(task["family"] == "mlm" for task in tasks):
        trained = WEIGHT * of_layers  # of the word embeddings masked-LM alone trains all
    selects = recipe["evaluate_every"] or recipe["evaluations"] > 1
    held = 3 * trained + whole * bool(selects)  # with two moments of each, and the best so far
    return Space(whole, 2 * held)
