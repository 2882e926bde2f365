"""What a trained model gives the gold labels of rows, in bits: under PVI, subsets and training dynamics."""

from harness.families import TaskModel
from harness.jobs.evaluate import forward


def measured_bits(model: TaskModel, family, encoder, task: dict, rows: list[dict], where: str) -> list[float]:
    """Per row −log2 of the probability of its gold (of a sentence the mean over its words)."""
    features = family.encode(rows, encoder, task, training=False)
    model.eval()
    return family.bits(forward(lambda batch: model(batch, 0), encoder, features, where), features, rows, task)
