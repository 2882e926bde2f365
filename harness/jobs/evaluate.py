"""Every language of a target from one model load. Predictions are the artefact; scores come from
predictions alone.

Writes, for each language:
    predictions/LANG.jsonl  {"id", "prediction"} a line, in row order
    scores.json             facts: n, truncated, unknown, constant, placeholder, odd rows where
                            there are any (`families.odd`), a family's own; what follows from them
                            and from the examples: flags, metrics, main, null, null_name,
                            above_null, stderr; of retrieval, centred
    examples.json           id, and the metric's examples, from which `harness.metrics.rescore`
                            gives the score again, without a model or data; of retrieval, centred
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch

from harness.common.errors import SpecError
from harness.families import FAMILIES, Family
from harness.families.columns import Row
from harness.jobs.adapters import left_by
from harness.jobs.context import Context, Stopped, device, make_deterministic
from harness.jobs.handed import hand_over, load_model
from harness.jobs.predict import forward, predict_rows
from harness.metrics import METRICS
from harness.metrics.flags import RowFacts, language_flags
from harness.metrics.knn import normalise
from harness.models.batching import feature_length
from harness.models.depth import hidden_at
from harness.models.finished import finished
from harness.models.half import Feature, Floats, TaskJson
from harness.models.loaded import LoadedEncoder, pool
from harness.models.nearest import search_on
from harness.models.packed import Packed, states
from harness.store.job import WEIGHTS

PROMPTS = {False: "prompt", True: "passage_prompt"}  # whether of passages → the option

# test rows, dev rows if they set a threshold → one prediction a test row, facts about them
Predict = Callable[[list[Row], Sequence[Row]], tuple[list[Any], dict[str, Any]]]


def run(ctx: Context) -> None:
    """Predict and score each language of the job's target."""
    job, task = ctx.job, ctx.job["spec"]["task"]
    make_deterministic(ctx.job)
    encoder = ctx.encoder()
    predict = _way(FAMILIES[task["family"]])(ctx, encoder)
    (ctx.workdir / "predictions").mkdir()
    scores, examples = {}, {}
    ctx.progress(0, len(job["tests"]), 0)
    for done, (language, dataset) in enumerate(sorted(job["tests"].items())):
        if ctx.stopping():
            raise Stopped
        rows = ctx.rows(dataset, task["metric"])
        dev = ctx.rows(job["devs"][language]) if "devs" in job else []
        predictions, facts = predict(rows, dev)

        lines = [
            json.dumps({"id": row["id"], "prediction": prediction}, ensure_ascii=False) + "\n"
            for row, prediction in zip(rows, predictions, strict=True)
        ]
        file = ctx.workdir / "predictions" / f"{language}.jsonl"
        file.write_text("".join(lines), encoding="utf-8")
        found = score_language(task, rows, predictions, language, facts)
        scores[language], examples[language] = found
        ctx.progress(done + 1, len(job["tests"]), ctx.tokens)
    (ctx.workdir / "scores.json").write_text(json.dumps(scores, indent=1, sort_keys=True))
    (ctx.workdir / "examples.json").write_text(json.dumps(examples, sort_keys=True))


def score_language(
    task: TaskJson,
    rows: list[Row],
    predictions: list[Any],
    language: str,
    facts: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(facts and score of one language with the flags that say what is wrong with it, per-example
    statistics).

    facts  truncated, unknown (see `text_facts`) and what else the family says; of retrieval also
           `centred`, the ids that were found after mean-centring: they become an accuracy (0-100)
           and 0 or 1 a row
    Hidden labels are not scored: then there are facts and flags alone.
    """
    family, metric = FAMILIES[task["family"]], METRICS[task["metric"]]
    golds = [family.gold(row) for row in rows]
    hidden = family.placeholder(rows)
    said: dict[str, Any] = {
        "n": len(rows),
        **facts,
        "constant": _constant(predictions),
        "placeholder": hidden,
        **family.odd(rows, hidden).counts(),
    }
    centred = said.pop("centred", None)
    of_rows = cast(RowFacts, said)  # with a family's own facts beside them
    if hidden:
        return said | {"flags": language_flags(of_rows, None)}, {}

    scored = metric(golds, predictions, language)
    derived: dict[str, Any] = {
        "metrics": scored.metrics,
        "main": scored.main,
        "null": scored.null,
        "null_name": scored.null_name,
        "above_null": scored.above_null,
        "stderr": scored.stderr,
    }
    examples: dict[str, Any] = {"id": [row["id"] for row in rows], **scored.examples}
    if centred is not None:
        hits = metric.resampled(metric(golds, centred, language).examples)["correct"]
        examples["centred"] = hits
        derived["centred"] = metric.main_from_totals({"correct": sum(hits), "n": len(rows)})
    return said | derived | {"flags": language_flags(of_rows, scored)}, examples


def _constant(predictions: list[Any]) -> bool:
    """Whether several rows all got the same answer; of a list each entry is an answer, so that one
    tag everywhere is one."""
    answers: set[str] = set()
    for prediction in predictions:
        several = prediction if isinstance(prediction, list) else [prediction]
        answers |= {json.dumps(answer) for answer in several}
    return len(answers) <= 1 and len(predictions) > 1


def _trained(ctx: Context, encoder: LoadedEncoder) -> Predict:
    task, where = ctx.job["spec"]["task"], device()
    family = FAMILIES[task["family"]]
    model: torch.nn.Module
    if own := ctx.job["spec"].get("own_head"):
        model, task = finished(encoder, task, own["labels"])
        model.to(where)
    else:
        model = load_model(ctx, encoder, task, ctx.job["spec"]["model"], where)

    def predict(rows: list[Row], dev: Sequence[Row]) -> tuple[list[Any], dict[str, Any]]:
        predictions, features = predict_rows(model, family, encoder, task, rows, where)
        ctx.tokens += sum(map(feature_length, features))
        return predictions, text_facts(features, encoder)

    return predict


def _way(family: Family) -> Callable[[Context, LoadedEncoder], Predict]:
    """How answers of a family come about."""
    if family.trained:
        return _trained
    return _ranked if family.parts == "pool" else _embedded


def _ranked(ctx: Context, encoder: LoadedEncoder) -> Predict:
    """The pool is that of all languages, and embedded once."""
    task = ctx.job["spec"]["task"]
    half, most = FAMILIES[task["family"]].ranker(), task["options"]["max_query_length"]
    embed = _embedder(ctx, encoder)
    nearest = search_on(device())
    candidates = ctx.candidates(next(iter(ctx.job["tests"].values())))
    of_pool = normalise(embed(half.texts(candidates, task), True, None)[0])

    def predict(rows: list[Row], dev: Sequence[Row]) -> tuple[list[Any], dict[str, Any]]:
        vectors, read = embed([row["text"] for row in rows], False, most)
        return half.ranked(vectors, of_pool, candidates, nearest), text_facts(read, encoder)

    return predict


def _embedded(ctx: Context, encoder: LoadedEncoder) -> Predict:
    task = ctx.job["spec"]["task"]
    half, vectors_of = FAMILIES[task["family"]].finder(), _embedder(ctx, encoder)
    nearest = search_on(device())

    def predict(rows: list[Row], dev: Sequence[Row]) -> tuple[list[Any], dict[str, Any]]:
        read: list[Feature] = []
        # what is said of the text is said of the test rows
        of_dev = {row["text"].strip() for row in dev}

        def embed(texts: list[str], passages: bool = False) -> Floats:
            vectors, features = vectors_of(texts, passages, None)
            for text, feature in zip(texts, features, strict=True):
                if text.strip() not in of_dev:
                    read.append(feature)
            return vectors

        predictions, facts = half.predict(embed, rows, task, dev, nearest)
        return predictions, facts | text_facts(read, encoder)

    return predict


def _embedder(
    ctx: Context, encoder: LoadedEncoder
) -> Callable[[list[str], bool, int | None], tuple[Floats, list[Feature]]]:
    """(texts, whether they are passages, subwords of each at most) → (their vectors, features): of
    the encoder as it is, or as a training left it."""
    task, where = ctx.job["spec"]["task"], device()
    options = task["options"]
    key = ctx.job["spec"]["model"]
    before = ctx.store.path(key, WEIGHTS) if key else None
    body = (encoder.unfilled if before and left_by(before)[1] else encoder.fresh)(0.0, 0.0)
    if before:
        hand_over(before, body)
    hidden = hidden_at(body, options["layer"])
    torch.nn.Module.to(body, where).eval()
    limit = min(task["max_length"], encoder.max_length)
    prompts = {passages: options.get(name, "") for passages, name in PROMPTS.items()}
    of_prompts = _prompt_pieces(prompts, encoder, limit)

    def vectors(batch: Packed) -> torch.Tensor:
        return pool(states(hidden, body, batch), batch.lengths, options["pooling"])

    def embed(texts: list[str], passages: bool, most: int | None) -> tuple[Floats, list[Feature]]:
        prompted = [prompts[passages] + text for text in texts]
        features = sentences(prompted, encoder, min(limit, most or limit))
        ctx.tokens += sum(map(feature_length, features))
        found = np.stack(forward(vectors, encoder, features, where))
        return found, [feature | {"prompt": of_prompts[passages]} for feature in features]

    return embed


def _prompt_pieces(
    prompts: Mapping[bool, str], encoder: LoadedEncoder, limit: int
) -> dict[bool, list[int]]:
    """The subwords of each prompt; SpecError if they leave no room for a text."""
    found = {side: encoder.pieces([text])[0] if text else [] for side, text in prompts.items()}
    special = len(encoder.tokenizer("")["input_ids"])
    for pieces in found.values():
        if pieces and len(pieces) + special >= limit:
            raise SpecError(
                f"encoder {encoder.files.encoder}: its prompt has {len(pieces)} subwords, and"
                f" max_length {limit} leaves no room for a text behind it"
            )
    return found


def text_facts(features: list[Feature], encoder: LoadedEncoder) -> dict[str, Any]:
    """What became of the text: `truncated`, how many rows lost some; `unknown`, the share of pieces
    not in the vocabulary, those of a prompt (`prompt`) not counted."""
    unknown = encoder.tokenizer.unk_token_id
    special = set(encoder.tokenizer.all_special_ids)
    pieces, holes = 0, 0
    for feature in features:
        for part in feature.get("parts", [feature]):
            ids = part["input_ids"]
            prompt = part.get("prompt", [])
            found = ids.count(unknown) - prompt.count(unknown)
            holes += found
            # the unknown piece counts as special elsewhere, here as the hole it is
            known = sum(piece not in special for piece in ids)
            pieces += found + known - sum(piece not in special for piece in prompt)
    cut = {feature.get("row", i) for i, feature in enumerate(features) if feature.get("truncated")}
    return {"truncated": len(cut), "unknown": holes / max(1, pieces)}


def sentences(texts: list[str], encoder: LoadedEncoder, limit: int) -> list[Feature]:
    """Features of single texts, cut at `limit` pieces, special tokens included."""
    ids = encoder.tokenizer(texts, return_attention_mask=False, return_token_type_ids=False)[
        "input_ids"
    ]
    after = encoder.ending
    features = []
    for one in ids:
        cut = len(one) > limit
        feature: Feature = {
            "input_ids": one[: limit - len(after)] + list(after) if cut else one,
            "truncated": cut,
        }
        if encoder.has_token_types:
            feature["token_type_ids"] = [0] * len(feature["input_ids"])
        features.append(feature)
    return features
