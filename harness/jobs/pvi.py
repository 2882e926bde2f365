"""How much a trained intermediate knows of its own dev rows beyond their labels' frequencies:
pointwise V-information.

PVI(x → y) = −log2 g(y | no input) + log2 g'(y | x) (Ethayarajh et al. 2022, arXiv 2110.08420,
section 2). g' is the trained model, g the label shares of its training rows (`models.half`,
null_bits). Writes pvi.json: id, bits (−log2 g') and null_bits (−log2 g) per dev row, rounded to 4
decimals; PVI is their difference.
"""

import json

from harness.families import FAMILIES
from harness.jobs.context import Context, device, make_deterministic
from harness.jobs.handed import load_model
from harness.jobs.predict import measured_bits, measuring


def run(ctx: Context) -> None:
    """Measure the dev rows of the job's one task."""
    task, (name,) = ctx.job["spec"]["task"], ctx.job["dev"]
    make_deterministic(ctx.job)
    encoder, where, family = ctx.encoder(), device(), FAMILIES[task["family"]]
    model = load_model(ctx, encoder, task, ctx.job["spec"]["model"], where)
    dev = ctx.rows(ctx.job["dev"][name])[: ctx.job["spec"]["dev_rows"]]
    training = ctx.rows(ctx.job["train"][name])
    bits = measured_bits(model, family, encoder, task, dev, where)
    null_bits = measuring(family).null_bits(training, dev, task)
    found = {
        "id": [row["id"] for row in dev],
        "bits": [round(one, 4) for one in bits],
        "null_bits": [round(one, 4) for one in null_bits],
    }
    (ctx.workdir / "pvi.json").write_text(json.dumps(found))
