"""Extractive question answering: SQuAD trains XQuAD and MLQA; TyDiQA-GoldP trains itself.

A context is read in windows `doc_stride` pieces apart (the step between windows, not their
overlap). An answer is a span of the original string, found through character offsets, so that
Chinese and Thai answers are text and not whitespace words. Rules from XTREME's run_squad.py: first
answer only in training, a window without it points at position 0, a start must stand in the window
that shows most of its context, at most `max_answer_length` pieces, the literal "empty" when no span
is left.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from harness.families.columns import Row
from harness.families.span_qa import located, unanswered
from harness.models.half import Feature, Floats, Targets, TaskJson
from harness.models.loaded import LoadedEncoder

NO_SPAN = "empty"
MIN_CONTEXT = 16  # pieces of context in a window, however long the question
NOWHERE = (-1, -1)  # the characters of no answer
MARKS = {"Mn", "Mc", "Me", "Cf"}


Span = tuple[int, int]


def encode(
    rows: list[Row], encoder: LoadedEncoder, task: TaskJson, training: bool
) -> list[Feature]:
    """One feature a window: `row`, `offsets` and `fullest` of its context pieces, `context_at`
    (their first position).

    `truncated` marks a question that lost pieces; a context never does.
    """
    options = task["options"]
    before, middle, after = encoder.template
    questions = encoder.pieces([row["question"] for row in rows])
    contexts = encoder.tokenizer(
        [row["context"] for row in rows], add_special_tokens=False, return_offsets_mapping=True
    )
    room = min(task["max_length"], encoder.max_length) - len(before) - len(middle) - len(after)
    most = max(0, min(options["max_query_length"], room - MIN_CONTEXT))

    features = []
    for number, row in enumerate(rows):
        span = answer_span(row, options["unanswerable"]) if training else NOWHERE
        if span is None:
            continue  # the answer's text is not in the context: nothing to learn from
        question = questions[number][:most]
        pieces = contexts["input_ids"][number]
        offsets = _of_text(contexts["offset_mapping"][number], row["context"])
        answer = _pieces_of(span, offsets)

        head_ids = [*before, *question, *middle]
        windows = _windows(len(pieces), room - len(question), options["doc_stride"])
        for window in windows:
            feature: Feature = {
                "row": number,
                "input_ids": [*head_ids, *pieces[window.start : window.stop], *after],
                "whole": True,
                "context_at": len(head_ids),
                "offsets": offsets[window.start : window.stop],
                "fullest": [_fullest(windows, i) is window for i in window],
            }
            if encoder.has_token_types:
                second = len(window) + len(after)
                feature["token_type_ids"] = [0] * len(head_ids) + [1] * second
            if training:
                feature["span"] = _inside(answer, window, len(head_ids))
            if len(question) < len(questions[number]):
                feature["truncated"] = True
            features.append(feature)
    return features


def _inside(answer: Span | None, window: range, context_at: int) -> Span:
    """Where the answer's first and last piece stand in the input of a window; at the first token
    where the window does not hold all of it."""
    if answer is None or answer[0] not in window or answer[1] not in window:
        return 0, 0
    shift = context_at - window.start
    return answer[0] + shift, answer[1] + shift


def _of_text(offsets: list[Span], text: str) -> list[Span]:
    """Offsets without the space before a piece, and with the combining marks after it.

    Sentencepiece counts the space as the piece's, and a piece that is only a space becomes empty.
    Uncased tokenizers drop the marks, and answers end in them.
    """
    tidy = []
    for i, (start, stop) in enumerate(offsets):
        while start < stop and text[start].isspace():
            start += 1
        limit = offsets[i + 1][0] if i + 1 < len(offsets) else len(text)
        while stop < limit and unicodedata.category(text[stop]) in MARKS:
            stop += 1
        tidy.append((start, stop))
    return tidy


def _windows(pieces: int, room: int, step: int) -> list[range]:
    """Ranges of context pieces; the last one ends with the context."""
    windows, start = [], 0
    while True:
        stop = min(start + room, pieces)
        windows.append(range(start, stop))
        if stop == pieces:
            return windows
        start += min(step, room)


def _fullest(windows: list[range], piece: int) -> range:
    """The window in which a piece has most context on its scarcer side; length breaks near-ties
    (run_squad.py)."""

    def context(window: range) -> float:
        return min(piece - window.start, window.stop - 1 - piece) + 0.01 * len(window)

    return max((window for window in windows if piece in window), key=context)


def answer_span(row: Row, unanswerable: bool) -> Span | None:
    """(first, last+1) characters of the first answer; (-1, -1) if none is needed; None if its text
    cannot be found."""
    if unanswered(row):
        return NOWHERE if unanswerable else None
    if not located(row):
        return None
    start, text = row["answers"]["answer_start"][0], row["answers"]["text"][0]
    start += len(text) - len(text.lstrip())  # a space at either end stands in no piece
    return start, start + len(text.strip())


def _pieces_of(span: Span, offsets: list[Span]) -> Span | None:
    """First and last piece that hold some of the span; None if no piece does, as where there is no
    answer."""
    held = [i for i, (start, stop) in enumerate(offsets) if start < span[1] and span[0] < stop]
    return (held[0], held[-1]) if held else None


def head(encoder: LoadedEncoder, body: nn.Module, task: TaskJson, dropout: float) -> nn.Module:
    """Logits of shape (tokens, 2): start and end."""
    return nn.Linear(encoder.config.hidden_size, 2)


def terms(features: list[Feature]) -> int:
    """One term a window: the mean of its start and its end loss."""
    return len(features)


def targets(features: list[Feature]) -> dict[str, torch.Tensor]:
    """`spans` (windows, 2); `places` (windows, longest), of a window's tokens among all; `real`,
    which of these it has."""
    lengths = np.array([len(feature["input_ids"]) for feature in features])
    within = np.arange(lengths.max())
    places = (np.cumsum(lengths) - lengths)[:, None] + np.minimum(within, lengths[:, None] - 1)
    return {
        # a window that does not hold the answer is to point at position 0
        "spans": torch.tensor([feature["span"] for feature in features]),
        "places": torch.from_numpy(places),
        "real": torch.from_numpy(within < lengths[:, None]),
    }


def loss(logits: torch.Tensor, targets: Targets) -> torch.Tensor:
    """Summed over windows: (cross-entropy of start + of end) / 2, each among a window's tokens."""
    windows = logits.float()[targets["places"]]
    windows = windows.masked_fill(~targets["real"].unsqueeze(-1), float("-inf"))
    # (windows, longest, 2) against (windows, 2)
    return functional.cross_entropy(windows, targets["spans"], reduction="sum") / 2


def decode(
    logits: list[Floats], features: list[Feature], rows: list[Row], task: TaskJson
) -> list[str]:
    """The best span's text per row; "" where no answer scores better (only if `unanswerable`)."""
    options = task["options"]
    # of all windows of a question: the best span, and the least that any gives to no answer
    best: list[tuple[float, str]] = [(-np.inf, NO_SPAN)] * len(rows)
    null = [np.inf] * len(rows)
    for scores, feature in zip(logits, features, strict=True):
        number = feature["row"]
        null[number] = min(null[number], float(scores[0, 0] + scores[0, 1]))
        found = _best_span(scores, feature, options)
        if found and found[0] > best[number][0]:
            start, stop = found[1]
            best[number] = found[0], rows[number]["context"][start:stop].strip()
    if options["unanswerable"]:
        return ["" if null[i] - score > 0 else text for i, (score, text) in enumerate(best)]
    return [text for _, text in best]


def _best_span(
    scores: Floats, feature: Feature, options: Mapping[str, Any]
) -> tuple[float, Span] | None:
    """(score, characters) of a window's best allowed span among the n_best starts and ends."""
    at, width = feature["context_at"], len(feature["offsets"])

    def highest(side: int) -> list[int]:
        """Context pieces, the likeliest first."""
        places = np.argsort(-scores[:, side], kind="stable")[: options["n_best"]] - at
        return [int(place) for place in places if 0 <= place < width]

    starts = [start for start in highest(0) if feature["fullest"][start]]
    ends = highest(1)
    found = None
    for start in starts:
        for end in ends:
            first, last = feature["offsets"][start][0], feature["offsets"][end][1]
            # a lone space is no answer
            if start <= end < start + options["max_answer_length"] and first < last:
                score = float(scores[at + start, 0] + scores[at + end, 1])
                if found is None or score > found[0]:
                    found = score, (first, last)
    return found
