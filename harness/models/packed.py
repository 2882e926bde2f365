"""A batch without padding: its texts one behind the other, as one row of tokens.

What an encoder does to a token by itself, nine tenths of its work, is then done to real tokens
alone; attention sees one text at a time. Positions and token types start afresh with each text, so
that a text gets what it would get alone. Which architectures can: those whose attention is
transformers' interface, to which `attend` is added. Of another one texts of similar length are
padded to each other.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from harness.models.depth import Hidden

NAME = "packed"  # of `attend`, in a configuration

# Architectures that take positions, and hand what they do not know on to their attention.
_PACKED = {
    *("bert", "eurobert", "modernbert", "qwen3", "roberta", "xlm-roberta", "xlm-roberta-xl"),
}
# Those in whose layers a block `attention` is followed by what is done to each token by itself.
_BLOCKS = {"bert", "roberta", "xlm-roberta", "xlm-roberta-xl"}
_SLACK = 96  # padding tokens that cost about what one more forward pass of a group does


@dataclass(frozen=True)
class Packed:
    """Some texts as an encoder reads them.

    inputs   input_ids, position_ids, token_type_ids if it has them: (1, tokens) each
    lengths  of the texts, in order
    starts   (texts + 1,) int32: where each begins, and the end
    reads    (n,) places of the tokens whose states a head sees; None: of all
    """

    inputs: dict[str, torch.Tensor]
    lengths: list[int]
    starts: torch.Tensor
    reads: torch.Tensor | None

    def to(self, device: str) -> "Packed":
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> "Packed":
        return self._each(torch.Tensor.pin_memory)

    def _each(self, moved: Callable[[torch.Tensor], torch.Tensor]) -> "Packed":
        inputs = {name: moved(tensor) for name, tensor in self.inputs.items()}
        reads = None if self.reads is None else moved(self.reads)
        return Packed(inputs, self.lengths, moved(self.starts), reads)

    def places(self) -> torch.Tensor:
        """(tokens,): of each token the place it has where the texts are padded to (texts, longest),
        flat."""
        ends = self.starts.long()
        row = torch.repeat_interleave(ends.diff(), output_size=sum(self.lengths))
        token = torch.arange(len(row), device=row.device)
        return row * max(self.lengths) + token - ends[row]


def prepare(model: PreTrainedModel) -> None:
    """Make an encoder read packed texts, if it can; padded ones it reads as before."""
    kind = model.config.model_type
    if kind in _PACKED:
        model.set_attn_implementation(NAME)
    if kind in _BLOCKS:
        layers: Any = model.encoder
        layers.layer[-1].attention.register_forward_hook(_of_what_is_read, with_kwargs=True)


def prepare_under_head(model: PreTrainedModel) -> bool:
    """`prepare`, of the encoder in a model that has a head of transformers on it; whether it can.

    The head takes the first token of each text, or every token: it is given each one that it is to
    see as a text of one token, (reads, 1, width).
    """
    if model.config.model_type not in _BLOCKS:
        return False
    body: Any = model.base_model
    prepare(body)
    body.encoder.register_forward_hook(_as_texts, with_kwargs=True)
    return True


def _as_texts(module: nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> Any:
    """An encoder's output, before a pooler or a head reads it."""
    if kwargs.get("packed") is not None:
        output.last_hidden_state = output.last_hidden_state.transpose(0, 1)
    return output


def _prepared(body: PreTrainedModel) -> bool:
    """Another model's attention would see all texts as one: it is given padded ones."""
    return bool(body.config._attn_implementation == NAME)


def _of_what_is_read(
    module: nn.Module, args: Any, kwargs: dict[str, Any], output: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor, ...]:
    """The last layer goes on with the tokens that a head sees."""
    packed = kwargs.get("packed")
    if packed is None or packed.reads is None:
        return output
    return output[0][:, packed.reads], *output[1:]


def read(body: PreTrainedModel, packed: Packed) -> torch.Tensor:
    """(reads, width): the last hidden states of the tokens that a head sees."""
    hidden: torch.Tensor
    if not _prepared(body):
        last: Hidden = lambda batch: body(**batch).last_hidden_state  # noqa: E731
        hidden = _in_groups(last, packed, body.config.pad_token_id)
    else:
        hidden = body(**arguments(packed)).last_hidden_state[0]
        if body.config.model_type in _BLOCKS:
            return hidden
    return hidden if packed.reads is None else hidden[packed.reads]


def states(hidden: Hidden, body: PreTrainedModel, packed: Packed) -> torch.Tensor:
    """(tokens, width): the hidden states of a layer of `body`, which `hidden` gives."""
    if not _prepared(body):
        return _in_groups(hidden, packed, body.config.pad_token_id)
    return hidden(arguments(replace(packed, reads=None)))[0]


def arguments(packed: Packed) -> dict[str, Any]:
    """What an encoder that is prepared is called with."""
    # a mask of four axes is passed on as it is: none is made, of tokens x tokens
    ids = packed.inputs["input_ids"]
    nothing = torch.empty(1, 1, 1, ids.shape[1], device=ids.device)
    return {**packed.inputs, "attention_mask": nothing, "packed": packed}


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    packed: Packed | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention within each text: (1, heads, tokens, size) each → (1, tokens, heads, size). Without
    `packed`, transformers' own."""
    if packed is None:
        others |= {"sliding_window": sliding_window}
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, **others
        )
    how = _Sight(
        scaling or query.shape[-1] ** -0.5,
        dropout,
        sliding_window,
        bool(getattr(module, "is_causal", False)),
    )
    if query.device.type != "cuda":
        way = _one_by_one
    elif query.dtype != torch.float32 and not dropout and _has_flash(query.device):
        return _varlen(query, key, value, packed, how), None
    else:
        way = _padded
    if groups := query.shape[1] // key.shape[1] - 1:
        key, value = (x.repeat_interleave(groups + 1, dim=1) for x in (key, value))
    return way(query, key, value, packed, how), None


@dataclass(frozen=True)
class _Sight:
    scale: float
    dropout: float
    window: int | None  # a token sees those that are less than so far away
    causal: bool

    def seen(self, length: int, device: torch.device) -> torch.Tensor | None:
        """(length, length): which tokens (columns) a token (rows) sees; None: all."""
        window = self.window if self.window and self.window < length else None
        if window is None and not self.causal:
            return None
        return _seen(length, window, self.causal, device)


@lru_cache(maxsize=256)
def _seen(length: int, window: int | None, causal: bool, device: torch.device) -> torch.Tensor:
    with torch.inference_mode(False):  # it serves training and evaluation
        place = torch.arange(length, device=device)
        ahead = place - place[:, None]
        mask = ahead.abs() < (window or length)
        return mask & (ahead <= 0) if causal else mask


def _one_by_one(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, packed: Packed, how: _Sight
) -> torch.Tensor:
    """One call a text. On a CPU nothing is faster: texts are slices, which are not copied, and one
    text's scores stay in the cache. (Texts of one length stacked, near ones padded and a mask over
    all took 1 to 30 times as long.)"""
    texts = zip(*(x.split(packed.lengths, dim=2) for x in (query, key, value)), strict=True)
    return torch.cat([_of_one(q, k, v, how) for q, k, v in texts], dim=2).transpose(1, 2)


def _of_one(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, how: _Sight
) -> torch.Tensor:
    mask = how.seen(query.shape[2], query.device)
    if not how.dropout:
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=how.scale
        )
    # the fused kernel has no dropout, and what takes its place is slower than to say it
    scores = (query * how.scale) @ key.transpose(2, 3)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return functional.dropout(scores.softmax(-1), how.dropout) @ value


def _padded(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, packed: Packed, how: _Sight
) -> torch.Tensor:
    """All texts at once, padded for this alone: few kernels, where a launch costs more than
    padding."""
    place, shape = packed.places(), (len(packed.lengths), max(packed.lengths))
    longest = shape[1]

    def rows(tensor: torch.Tensor) -> torch.Tensor:
        tokens = tensor[0].transpose(0, 1)
        empty = tokens.new_zeros(shape[0] * longest, *tokens.shape[1:])
        flat = empty.index_copy(0, place, tokens)
        return flat.view(*shape, *tokens.shape[1:]).transpose(1, 2)

    within = torch.arange(longest, device=query.device)
    mask = (within < packed.starts.diff()[:, None])[:, None, None, :]
    seen = how.seen(longest, query.device)
    if seen is not None:
        # padding sees itself, so that no row of scores is empty
        mask = (mask & seen) | torch.eye(longest, dtype=torch.bool, device=query.device)
    query, key, value = rows(query), rows(key), rows(value)
    found = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=how.dropout, scale=how.scale
    )
    return found.transpose(1, 2).flatten(0, 1).index_select(0, place)[None]


def _varlen(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, packed: Packed, how: _Sight
) -> torch.Tensor:
    """The kernel made for this; it knows halves and no dropout."""
    longest, side = max(packed.lengths), (how.window or 0) - 1
    query, key, value = (x[0].transpose(0, 1) for x in (query, key, value))
    found = varlen_attn(
        query,
        key,
        value,
        packed.starts,
        packed.starts,
        longest,
        longest,
        scale=how.scale,
        window_size=(side, 0 if how.causal else side),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    assert isinstance(found, torch.Tensor)  # no other output was asked for
    return found[None]


def _has_flash(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= (8, 0)


def padded(packed: Packed, texts: list[int], filler: int) -> dict[str, torch.Tensor]:
    """Those texts as a model reads them that takes a rectangle, (texts, longest): input_ids,
    token_type_ids if they have them, attention_mask."""
    batch: dict[str, torch.Tensor] = {}
    for name, fill in (("input_ids", filler), ("token_type_ids", 0)):
        if name in packed.inputs:
            all_of_it = packed.inputs[name][0].split(packed.lengths)
            batch[name] = nn.utils.rnn.pad_sequence(
                [all_of_it[i] for i in texts], batch_first=True, padding_value=fill
            )
    sizes = torch.tensor([packed.lengths[i] for i in texts])
    real = torch.arange(batch["input_ids"].shape[1]) < sizes[:, None]
    return batch | {"attention_mask": real.long().to(batch["input_ids"].device)}


def _in_groups(hidden: Hidden, packed: Packed, filler: int) -> torch.Tensor:
    """(tokens, width), of an encoder that reads padded rows: texts of similar length together."""
    found: dict[int, torch.Tensor] = {}
    for group in _near(packed.lengths):
        said = hidden(padded(packed, group, filler))
        found |= {i: said[row, : packed.lengths[i]] for row, i in enumerate(group)}
    return torch.cat([found[i] for i in range(len(found))])


def _near(lengths: list[int]) -> list[list[int]]:
    """Numbers of texts, in groups whose padding is worth less than another pass."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    groups: list[list[int]] = []
    padding = _SLACK
    for i in order:
        padding += lengths[groups[-1][0]] - lengths[i] if groups else 0
        if padding >= _SLACK:
            groups.append([])
            padding = 0
        groups[-1].append(i)
    return groups


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
