"""Every language of a target from one model load. Predictions are the artefact; scores come from
predictions alone.

Writes, for each language:
    predictions/LANG.jsonl  {"id", "prediction"} a line, in row order
    scores.json             facts: n, truncated, unknown, constant, placeholder, odd rows where
                            there are any (`shapes.Odd`), a family's own; what follows from them and
                            from the examples: flags, metrics, main, null, null_name, above_null,
                            stderr; of retrieval, centred
    examples.json           id, and the metric's examples, from which `harness.metrics.rescore`
                            gives the score again, without a model or data; of retrieval, centred
"""

import json

import numpy as np

from harness.jobs.context import Context, Stopped, device, make_deterministic
from harness.jobs.handed import hand_over, load_model
from harness.jobs.predict import forward, predict_rows
from harness.metrics import METRICS
from harness.metrics.flags import language_flags
from harness.models import EMBEDDED, FAMILIES, TRAINED
from harness.sources.inspect import placeholder
from harness.sources.shapes import odd
from harness.store.job import WEIGHTS


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
        rows = ctx.rows(dataset, task["metric"])
        dev = ctx.rows(job["devs"][language]) if "devs" in job else None
        predictions, facts = predict(rows, dev)
        lines = [
            json.dumps({"id": r["id"], "prediction": p}, ensure_ascii=False)
            for r, p in zip(rows, predictions, strict=True)
        ]
        (ctx.workdir / "predictions" / f"{language}.jsonl").write_text(
            "\n".join(lines) + "\n", encoding="utf-8"
        )
        scores[language], examples[language] = score_language(
            task, rows, predictions, language, facts
        )
        ctx.progress(done + 1, len(job["tests"]))
    (ctx.workdir / "scores.json").write_text(json.dumps(scores, indent=1, sort_keys=True))
    (ctx.workdir / "examples.json").write_text(json.dumps(examples, sort_keys=True))


def score_language(
    task: dict, rows: list[dict], predictions: list, language: str, facts: dict
) -> tuple[dict, dict]:
    """(facts and score of one language with the flags that say what is wrong with it, per-example
    statistics).

    facts  truncated, unknown (see `text_facts`) and what else the family says; of retrieval also
           `centred`, the ids that were found after mean-centring: they become an accuracy (0-100)
           and 0 or 1 a row
    Hidden labels are not scored: then there are facts and flags alone.
    """
    metric, golds = METRICS[task["metric"]], [FAMILIES[task["family"]].gold(row) for row in rows]
    hidden = placeholder(task["family"], rows)
    facts = {"n": len(rows), **facts, "constant": _constant(predictions), "placeholder": hidden}
    facts |= odd(task["family"], rows, hidden).counts()
    centred = facts.pop("centred", None)
    if facts["placeholder"]:
        return facts | {"flags": language_flags(facts, None)}, {}
    scored = metric(golds, predictions, language)
    derived = {
        name: getattr(scored, name)
        for name in ("metrics", "main", "null", "null_name", "above_null", "stderr")
    }
    examples = {"id": [row["id"] for row in rows], **scored.examples}
    if centred is not None:
        hits = metric.resampled(metric(golds, centred, language).examples)["correct"]
        examples["centred"] = hits
        derived["centred"] = metric.main_from_totals({"correct": sum(hits), "n": len(rows)})
    return facts | derived | {"flags": language_flags(facts, scored)}, examples


def _constant(predictions: list) -> bool:
    """Whether several rows all got the same answer; of a list each entry is an answer, so that one
    tag everywhere is one."""
    answers = {json.dumps(a) for p in predictions for a in (p if isinstance(p, list) else [p])}
    return len(answers) <= 1 and len(predictions) > 1


def _trained(ctx: Context, encoder):
    task, where = ctx.job["spec"]["task"], device()
    family = TRAINED[task["family"]]
    model = load_model(ctx, encoder, task, ctx.job["spec"]["model"], where)

    def predict(rows: list[dict], dev: None) -> tuple[list, dict]:
        predictions, features = predict_rows(model, family, encoder, task, rows, where)
        return predictions, text_facts(features, encoder)

    return predict


def _embedded(ctx: Context, encoder):
    from harness.models.encoder import pool

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
        # what is said of the text is said of the test rows
        of_dev = {row["text"].strip() for row in dev or []}

        def embed(texts: list[str]) -> np.ndarray:
            features = sentences(texts, encoder, min(task["max_length"], encoder.max_length))
            read.extend(
                feature
                for text, feature in zip(texts, features, strict=True)
                if text.strip() not in of_dev
            )
            return np.stack(forward(vectors, encoder, features, where))

        predictions, facts = EMBEDDED[task["family"]].predict(embed, rows, task, dev)
        return predictions, facts | text_facts(read, encoder)

    return predict


def text_facts(features: list[dict], encoder) -> dict:
    """What became of the text: `truncated`, how many rows lost some; `unknown`, the share of pieces
    not in the vocabulary."""
    unknown, pieces, special = (
        encoder.tokenizer.unk_token_id,
        0,
        set(encoder.tokenizer.all_special_ids),
    )
    holes = 0
    for ids in (
        part["input_ids"] for feature in features for part in feature.get("parts", [feature])
    ):
        found = ids.count(unknown)
        holes += found
        pieces += found + sum(piece not in special for piece in ids)
    cut = {feature.get("row", i) for i, feature in enumerate(features) if feature.get("truncated")}
    return {"truncated": len(cut), "unknown": holes / max(1, pieces)}


def sentences(texts: list[str], encoder, limit: int) -> list[dict]:
    """Features of single texts, cut at `limit` pieces, special tokens included."""
    ids = encoder.tokenizer(texts, return_attention_mask=False, return_token_type_ids=False)[
        "input_ids"
    ]
    _, _, after = encoder.template
    features = []
    for one in ids:
        cut = len(one) > limit
        feature = {
            "input_ids": one[: limit - len(after)] + list(after) if cut else one,
            "truncated": cut,
        }
        if encoder.has_token_types:
            feature["token_type_ids"] = [0] * len(feature["input_ids"])
        features.append(feature)
    return features
