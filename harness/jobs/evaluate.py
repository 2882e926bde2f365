"""Every language of a target from one model load. Predictions are the artefact; scores come from predictions alone.

Writes predictions/LANG.jsonl ({"id", "prediction"} a line, in row order), scores.json and examples.json (per-example
sufficient statistics), so that a score can be recomputed without a model.
"""

import json

import numpy as np
import torch

from harness.data import rows as data_rows
from harness.data.batching import micro_batches
from harness.data.inspect import placeholder
from harness.families import EMBEDDED, FAMILIES, TRAINED, TaskModel
from harness.jobs.context import Context, Stopped, device, make_deterministic
from harness.metrics import METRICS, Scored

TOKENS_PER_FORWARD = {"cpu": 2048, "cuda": 16384}  # padded; not in keys
FEW_ROWS = 50


def run(ctx: Context) -> None:
    """Predict and score each language of the job's target."""
    job, task = ctx.job, ctx.job["spec"]["task"]
    make_deterministic(0)
    encoder = ctx.encoder()
    predict = _trained(ctx, encoder) if task["family"] in TRAINED else _embedded(ctx, encoder)
    (ctx.workdir / "predictions").mkdir()
    scores, examples = {}, {}
    for done, (language, dataset) in enumerate(sorted(job["tests"].items())):
        if ctx.stopping():
            raise Stopped
        rows = data_rows.load(dataset)
        predictions = predict(rows)
        lines = [json.dumps({"id": r["id"], "prediction": p}, ensure_ascii=False) for r, p in zip(rows, predictions, strict=True)]
        (ctx.workdir / "predictions" / f"{language}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        scores[language], examples[language] = score_language(task, rows, predictions, language)
        ctx.progress(done + 1, len(job["tests"]))
    (ctx.workdir / "scores.json").write_text(json.dumps(scores, indent=1, sort_keys=True))
    (ctx.workdir / "examples.json").write_text(json.dumps(examples, sort_keys=True))


def score_language(task: dict, rows: list[dict], predictions: list, language: str) -> tuple[dict, dict]:
    """(scores, per-example statistics) of one language; `flags` say what is wrong with the numbers."""
    golds = [FAMILIES[task["family"]].gold(row) for row in rows]
    summary = {"n": len(rows), "flags": ["few_rows"] if len(rows) < FEW_ROWS else []}
    if placeholder(task["family"], rows):
        return summary | {"flags": [*summary["flags"], "placeholder"]}, {}
    scored = METRICS[task["metric"]](golds, predictions, language)
    if len({json.dumps(p) for p in predictions}) == 1 and len(rows) > 1:
        summary["flags"].append("constant")
    if not scored.learned:
        summary["flags"].append("floor")
    summary |= {name: getattr(scored, name) for name in ("metrics", "main", "null", "null_name", "above_null", "stderr")}
    return summary, {"id": [row["id"] for row in rows]} | scored.examples


def score_rows(model, family, encoder, task: dict, rows: list[dict], language: str, where: str) -> tuple[list, Scored]:
    """Predictions and score of a trained model on rows."""
    predictions = predict_rows(model, family, encoder, task, rows, where)
    return predictions, METRICS[task["metric"]]([family.gold(row) for row in rows], predictions, language)


def predict_rows(model: TaskModel, family, encoder, task: dict, rows: list[dict], where: str) -> list:
    """One prediction a row."""
    features = family.encode(rows, encoder, task, training=False)
    model.eval()
    logits = forward(lambda batch: model(batch), encoder, features, where)
    return family.decode(logits, features, rows, task)


def forward(compute, encoder, features: list[dict], where: str) -> list[np.ndarray]:
    """`compute(batch)` over all features in batches of similar length; one float32 array a feature, padding cut off."""
    lengths = np.array([len(feature["input_ids"]) for feature in features])
    outputs: list[np.ndarray | None] = [None] * len(features)
    with torch.inference_mode():
        for group in micro_batches(np.arange(len(features)), lengths, TOKENS_PER_FORWARD[where]):
            result = compute(encoder.pad([features[i] for i in group], where)).float().cpu().numpy()
            for i, row in zip(group, result, strict=True):
                outputs[i] = row[: lengths[i]] if row.ndim > 1 else row
    return outputs


def _trained(ctx: Context, encoder):
    from safetensors.torch import load_file

    from harness.jobs.train import WEIGHTS

    task, where = ctx.job["spec"]["task"], device()
    family = TRAINED[task["family"]]
    model = TaskModel(encoder.fresh(0.0, 0.0), family.head(encoder.config.hidden_size, task, 0.0))
    model.load_state_dict(load_file(ctx.store.path(ctx.job["spec"]["model"], WEIGHTS)))
    model.to(where)
    return lambda rows: predict_rows(model, family, encoder, task, rows, where)


def _embedded(ctx: Context, encoder):
    from harness.encoder import pool
    from harness.jobs.train import WEIGHTS, load_encoder_weights

    task, where = ctx.job["spec"]["task"], device()
    options = task["options"]
    body = encoder.fresh(0.0, 0.0)
    if ctx.job["spec"]["model"]:
        load_encoder_weights(body, ctx.store.path(ctx.job["spec"]["model"], WEIGHTS))
    body.to(where).eval()

    def vectors(batch):
        states = body(**batch, output_hidden_states=True).hidden_states
        return pool(states[options["layer"]], batch["attention_mask"], options["pooling"])

    def embed(texts: list[str]) -> np.ndarray:
        limit = min(task["max_length"], encoder.max_length)
        encoded = encoder.tokenizer(texts, truncation=True, max_length=limit, return_attention_mask=False)
        names = [name for name in encoded if name in ("input_ids", "token_type_ids")]
        features = [{name: encoded[name][i] for name in names} for i in range(len(texts))]
        return np.stack(forward(vectors, encoder, features, where))

    return lambda rows: EMBEDDED[task["family"]].predict(embed, rows, task)
