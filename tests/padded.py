"""What packed batches are held against: the same texts padded to a rectangle, and the last hidden
states of the tokens that a head sees, as transformers' own model gives them."""

import torch

from harness.models.loaded import LoadedEncoder


def texts_of(features: list[dict]) -> list[dict]:
    return [text for feature in features for text in feature.get("parts", [feature])]


def pad(encoder: LoadedEncoder, features: list[dict]) -> dict[str, torch.Tensor]:
    """input_ids, attention_mask, token_type_ids if used: (texts, longest); a text a part."""
    texts = texts_of(features)
    shape = (len(texts), max(len(text["input_ids"]) for text in texts))
    batch = {
        "input_ids": torch.full(shape, encoder.tokenizer.pad_token_id),
        "attention_mask": torch.zeros(shape, dtype=torch.long),
    }
    if "token_type_ids" in texts[0]:
        batch["token_type_ids"] = torch.zeros(shape, dtype=torch.long)
    for i, text in enumerate(texts):
        length = len(text["input_ids"])
        batch["attention_mask"][i, :length] = 1
        for name in batch.keys() - {"attention_mask"}:
            batch[name][i, :length] = torch.tensor(text[name])
    return batch


def of_what_is_read(hidden: torch.Tensor, features: list[dict]) -> torch.Tensor:
    """Of padded texts' (texts, longest, ...), what a head sees of each, one under the other."""
    seen = []
    for one, text in zip(hidden, texts_of(features), strict=True):
        whole = range(len(text["input_ids"]))
        seen.append(one[list(whole) if text.get("whole") else text.get("reads", [0])])
    return torch.cat(seen)
