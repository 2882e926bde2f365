"""Every language of a target from one model load. Predictions are the artefact; scores come from predictions alone.

Writes predictions/LANG.jsonl ({"id", "prediction"} a line, in row order), scores.json and examples.json (per-example
sufficient statistics), so that a score can be recomputed without a model.
"""

import json

import numpy as np
import torch

from harness.data import rows as data_rows
from harness.data.batching import feature_length, micro_batches
from harness.data.inspect import placeholder
from harness.families import EMBEDDED, FAMILIES, TRAINED, TaskModel, build
from harness.jobs.context import Context, Stopped, device, make_deterministic
from harness.metrics import METRICS

TOKENS_PER_FORWARD = {"cpu": 2048, "cuda": 16384}  # padded; not in keys
FEW_ROWS = 50
TRUNCATED_SHARE = 0.01  # rows that lost text
UNKNOWN_SHARE = 0.05  # pieces the vocabulary does not know: above it the encoder reads holes


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
        dev = data_rows.load(job["devs"][language]) if "devs" in job else None
        predictions, facts = predict(rows, dev)
        lines = [json.dumps({"id": r["id"], "prediction": p}, ensure_ascii=False) for r, p in zip(rows, predictions, strict=True)]
        (ctx.workdir / "predictions" / f"{language}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        scores[language], examples[language] = score_language(task, rows, predictions, language, facts)
        ctx.progress(done + 1, len(job["tests"]))
    (ctx.workdir / "scores.json").write_text(json.dumps(scores, indent=1, sort_keys=True))
    (ctx.workdir / "examples.json").write_text(json.dumps(examples, sort_keys=True))


def score_language(task: dict, rows: list[dict], predictions: list, language: str, facts: dict) -> tuple[dict, dict]:
    """(scores, per-example statistics) of one language; `flags` say what is wrong with the numbers."""
    golds = [FAMILIES[task["family"]].gold(row) for row in rows]
    summary = {"n": len(rows), "flags": ["few_rows"] if len(rows) < FEW_ROWS else [], **facts}
    if facts["truncated"] > TRUNCATED_SHARE * len(rows):
        summary["flags"].append("truncated")
    if facts["unknown"] > UNKNOWN_SHARE:
        summary["flags"].append("unknown")
    if placeholder(task["family"], rows):
        return summary | {"flags": [*summary["flags"], "placeholder"]}, {}
    scored = METRICS[task["metric"]](golds, predictions, language)
    answers = {json.dumps(a) for p in predictions for a in (p if isinstance(p, list) else [p])}  # of tagging, each tag
    if len(answers) <= 1 and len(rows) > 1:
        summary["flags"].append("constant")
    if not scored.learned:
        summary["flags"].append("floor")
    if "majority" in scored.metrics and scored.metrics["accuracy"] < scored.metrics["majority"]:
        summary["flags"].append("below_majority")
    summary |= {name: getattr(scored, name) for name in ("metrics", "main", "null", "null_name", "above_null", "stderr")}
    return summary, {"id": [row["id"] for row in rows]} | scored.examples


def text_facts(features: list[dict], encoder) -> dict:
    """What became of the text: `truncated`, how many rows lost some; `unknown`, the share of pieces not in the vocabulary."""
    unknown, pieces, special = encoder.tokenizer.unk_token_id, 0, set(encoder.tokenizer.all_special_ids)
    holes = 0
    for ids in (part["input_ids"] for feature in features for part in feature.get("parts", [feature])):
        found = ids.count(unknown)
        holes += found
        pieces += found + sum(piece not in special for piece in ids)
    cut = {feature.get("row", i) for i, feature in enumerate(features) if feature.get("truncated")}
    return {"truncated": len(cut), "unknown": holes / max(1, pieces)}


def score_dev(model: TaskModel, head: int, part, encoder, where: str) -> dict:
    """One part of a training on its dev rows, as train.json keeps it."""
    predictions, _ = predict_rows(model, part.family, encoder, part.task, part.dev, where, head)
    scored = METRICS[part.task["metric"]]([part.family.gold(row) for row in part.dev], predictions, "en")
    named = {name: getattr(scored, name) for name in ("metrics", "main", "null", "above_null", "stderr")}
    return named | {"learned": bool(scored.learned), "dev_rows": len(part.dev)}


def predict_rows(
    model: TaskModel, family, encoder, task: dict, rows: list[dict], where: str, head: int = 0
) -> tuple[list, list[dict]]:
    """(one prediction a row, the features they were made from)."""
    features = family.encode(rows, encoder, task, training=False)
    model.eval()
    logits = forward(lambda batch: model(batch, head), encoder, features, where)
    return family.decode(logits, features, rows, task), features


def forward(compute, encoder, features: list[dict], where: str) -> list[np.ndarray]:
    """`compute(batch)` over all features in batches of similar length; one float32 array a feature, padding cut off."""
    lengths = np.array([feature_length(feature) for feature in features])
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
    model = build(encoder, {"": task}, 0.0, 0.0, seed=lambda name: 0)
    model.load_state_dict(load_file(ctx.store.path(ctx.job["spec"]["model"], WEIGHTS)))
    model.to(where)

    def predict(rows: list[dict], dev: None) -> tuple[list, dict]:
        predictions, features = predict_rows(model, family, encoder, task, rows, where)
        return predictions, text_facts(features, encoder)

    return predict


def _embedded(ctx: Context, encoder):
    from harness.encoder import pool
    from harness.jobs.train import WEIGHTS, hand_over

    task, where = ctx.job["spec"]["task"], device()
    options = task["options"]
    body = encoder.fresh(0.0, 0.0)
    if ctx.job["spec"]["model"]:
        hand_over(ctx.store.path(ctx.job["spec"]["model"], WEIGHTS), body)
    body.to(where).eval()

    def vectors(batch):
        states = body(**batch, output_hidden_states=True).hidden_states
        return pool(states[options["layer"]], batch["attention_mask"], options["pooling"])

    def predict(rows: list[dict], dev: list[dict] | None) -> tuple[list, dict]:
        read: list[dict] = []
        of_dev = {row["text"].strip() for row in dev or []}  # what is said of the text is said of the test rows

        def embed(texts: list[str]) -> np.ndarray:
            features = sentences(texts, encoder, min(task["max_length"], encoder.max_length))
            read.extend(feature for text, feature in zip(texts, features, strict=True) if text.strip() not in of_dev)
            return np.stack(forward(vectors, encoder, features, where))

        predictions, facts = EMBEDDED[task["family"]].predict(embed, rows, task, dev)
        return predictions, facts | text_facts(read, encoder)

    return predict


def sentences(texts: list[str], encoder, limit: int) -> list[dict]:
    """Features of single texts, cut at `limit` pieces, special tokens included."""
    ids = encoder.tokenizer(texts, return_attention_mask=False, return_token_type_ids=False)["input_ids"]
    _, _, after = encoder.template
    features = []
    for one in ids:
        cut = len(one) > limit
        feature = {"input_ids": one[: limit - len(after)] + list(after) if cut else one, "truncated": cut}
        if encoder.has_token_types:
            feature["token_type_ids"] = [0] * len(feature["input_ids"])
        features.append(feature)
    return features
