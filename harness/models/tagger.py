"""One tag a word: UDPOS, PAN-X. Words are tokenised one by one; the tag sits on a word's first
piece.

As XTREME's preprocessing does it (utils_preprocess.py): a word of no pieces, or of more than
`max_word_pieces`, becomes one unknown token; a sentence of more than max_length - 3 pieces is split
at a word boundary and its predictions are joined again. Nothing is truncated, in training or in
evaluation. As its utils_tag.py does: the input of a RoBERTa-like encoder ends in two separators
(`extra_separator`), and O is a class even where no tag is O (`outside`).
"""

import torch
from torch import nn

from harness.families.columns import Row
from harness.models import classifier as classification
from harness.models.half import Feature, Floats, TaskJson
from harness.models.loaded import LoadedEncoder

RESERVED = 3  # places XTREME leaves for special tokens, whatever the tokenizer adds


def encode(
    rows: list[Row], encoder: LoadedEncoder, task: TaskJson, training: bool
) -> list[Feature]:
    """Features carry `row` (which sentence); what is read is the first piece of each word."""
    # each word once, however often it stands in the rows
    pieces_of = _word_pieces({word for row in rows for word in row["tokens"]}, encoder, task)
    budget = _budget(encoder, task)
    before, middle, after = encoder.template
    end = middle if task["options"]["extra_separator"] else after
    index = {label: i for i, label in enumerate(_classes(task))}
    features = []
    for number, row in enumerate(rows):
        for words in _split([pieces_of[word] for word in row["tokens"]], budget):
            reads: list[int] = []
            labels: list[int] = []
            ids = list(before)
            for i in words:
                reads.append(len(ids))
                ids += pieces_of[row["tokens"][i]]
                labels.append(index[row["tags"][i]])
            ids += end
            feature: Feature = {"row": number, "reads": reads, "labels": labels, "input_ids": ids}
            if encoder.has_token_types:
                feature["token_type_ids"] = [0] * len(ids)
            features.append(feature)
    return features


def _classes(task: TaskJson) -> list[str]:
    """What a word may be, in head order. XTREME's get_labels puts O first if it is missing; it may
    then be predicted."""
    labels: list[str] = task["labels"]
    return ["O", *labels] if task["options"]["outside"] and "O" not in labels else labels


def _budget(encoder: LoadedEncoder, task: TaskJson) -> int:
    limit: int = min(task["max_length"], encoder.max_length)
    return limit - RESERVED


def _word_pieces(words: set[str], encoder: LoadedEncoder, task: TaskJson) -> dict[str, list[int]]:
    ordered = sorted(words) or [""]
    texts = [encoder.word_prefix + word for word in ordered]
    encoded = encoder.tokenizer(texts, add_special_tokens=False, return_attention_mask=False)[
        "input_ids"
    ]
    # a byte-level one may have no unknown token: then a mask stands for the word, or padding
    tokenizer = encoder.tokenizer
    unknown = [
        next(
            i
            for i in (tokenizer.unk_token_id, tokenizer.mask_token_id, tokenizer.pad_token_id)
            if i is not None
        )
    ]
    limit = min(task["options"]["max_word_pieces"], _budget(encoder, task))
    return {
        word: ids if 0 < len(ids) <= limit else unknown
        for word, ids in zip(ordered, encoded, strict=True)
    }


def _split(pieces: list[list[int]], budget: int) -> list[range]:
    """Ranges of words, each of at most `budget` pieces, cut as late as possible."""
    ranges, start, used = [], 0, 0
    for i, word in enumerate(pieces):
        if used + len(word) > budget and i > start:
            ranges.append(range(start, i))
            start, used = i, 0
        used += len(word)
    ranges.append(range(start, len(pieces)))
    return ranges


def head(encoder: LoadedEncoder, body: nn.Module, task: TaskJson, dropout: float) -> nn.Module:
    """Logits of shape (words, classes)."""
    return classification.LinearHead(encoder.config.hidden_size, len(_classes(task)), dropout)


def terms(features: list[Feature]) -> int:
    """One term a word: the loss is a mean over the labelled positions of the batch."""
    return sum(len(feature["labels"]) for feature in features)


def targets(features: list[Feature]) -> dict[str, torch.Tensor]:
    """`labels`: one a word."""
    labels = [label for feature in features for label in feature["labels"]]
    return {"labels": torch.tensor(labels, dtype=torch.long)}


# summed over words
loss = classification.loss


def decode(
    logits: list[Floats], features: list[Feature], rows: list[Row], task: TaskJson
) -> list[list[str]]:
    """The tags of each sentence, parts of a split sentence joined in order."""
    tags: list[list[str]] = [[] for _ in rows]
    classes = _classes(task)
    for scores, feature in zip(logits, features, strict=True):
        tags[feature["row"]] += [classes[int(i)] for i in scores.argmax(-1)]
    return tags


def bits(
    logits: list[Floats], features: list[Feature], rows: list[Row], task: TaskJson
) -> list[float]:
    """Per sentence the mean over its words of −log2 of the probability of the gold tag."""
    found: list[list[float]] = [[] for _ in rows]
    for scores, feature in zip(logits, features, strict=True):
        words = classification.code_lengths(scores)
        found[feature["row"]] += [
            float(words[i, label]) for i, label in enumerate(feature["labels"])
        ]
    return [sum(words) / max(1, len(words)) for words in found]


def null_bits(training: list[Row], rows: list[Row], task: TaskJson) -> list[float]:
    """Per sentence the mean over its words of −log2 of the tag's share of the training words."""
    known = [tag for row in training for tag in row["tags"]]
    asked = [tag for row in rows for tag in row["tags"]]
    # all words at once: the training words are counted once
    words = iter(classification.label_bits(known, asked, _classes(task)))
    found = []
    for row in rows:
        own = [next(words) for _ in row["tags"]]
        found.append(sum(own) / max(1, len(own)))
    return found
