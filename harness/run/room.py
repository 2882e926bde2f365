"""`--workers auto`: what a worker takes of a GPU, by what a plan's largest job holds. How many fit
is `engines.process.fitting`'s to say, where they run.

An estimate on the safe side, which nobody has held against a card yet. A job that does not fit
after all fails before its first update, and says so.
"""

import math
from collections.abc import Iterable

from harness.plan.graph import Job, Plan
from harness.sources.encoder_files import weight_files
from harness.sources.encoders import FoundEncoder

AUTO = 0  # in place of a number of workers
A_PROCESS = 1.2e9  # bytes: a CUDA context, libraries' workspace, what lies between two layers
# What a pass keeps for its way back: about 17 vectors of 32-bit floats a token and layer.
KEPT = 17 * 4
EVALUATED = 16384  # tokens of a forward pass that keeps nothing, a few vectors at a time


def room(plan: Plan, jobs: Iterable[Job]) -> float:
    """Bytes of a GPU that a worker for these jobs takes."""
    return max((needed(job, plan) for job in jobs if "encoder" in job.body), default=A_PROCESS)


def needed(job: Job, plan: Plan) -> float:
    """Bytes of a GPU that a job holds at most, about."""
    found = plan.encoders[job.body["encoder"]["name"]]
    whole = _bytes(found)
    layers, of_layers = found.layers or 12, found.weights or whole / 4
    width = math.sqrt(of_layers / layers / 12)  # a layer is about 12 squares of it
    if job.kind != "train":
        return A_PROCESS + whole + EVALUATED * width * 4 * 12
    recipe, tasks = job.body["spec"]["recipe"], job.body["spec"]["tasks"].values()
    # of the word embeddings only masked-LM trains all
    masked = any(task["family"] == "mlm" for task in tasks)
    trained = whole / 4 if masked else of_layers
    kept: float = recipe["micro_tokens"] * width * layers * KEPT
    # a gradient and two moments of each weight
    return A_PROCESS + whole + 12 * trained + kept


def _bytes(found: FoundEncoder) -> float:
    """Of an encoder in memory: its files', of which an index is next to nothing."""
    return float(sum((found.folder / name).stat().st_size for name in weight_files(found.folder)))
