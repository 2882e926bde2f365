"""An encoder's YAML from what its files say."""

from collections.abc import Iterator, Sequence
from typing import Any

from harness.draft import yaml_text
from harness.spec.encoder import Encoder

HELP = {
    "version": "raised when its meaning changes",
    "pretrained_on": "english, multilingual or unknown",
    "seen": "what it was trained on, shown beside its gains",
    "layer": "of retrieval: the hidden state that is pooled, -1 the last",
}
ALWAYS = ("version", "pretrained_on", "seen", "pooling", "layer", "max_length")


def page(encoder: Encoder, said: Sequence[str], schema: str, command: str) -> str:
    """The YAML, under what was inferred and from which file."""
    return "\n".join(_lines(encoder, said, schema, command)) + "\n"


def _lines(encoder: Encoder, said: Sequence[str], schema: str, command: str) -> Iterator[str]:
    yield from yaml_text.head(schema, command, "docs/adding-a-task.md#an-encoder-of-your-own")
    for line in said:
        yield f"# {line}"
    spec: dict[str, Any] = encoder.model_dump(exclude_defaults=True)
    given = {name: getattr(encoder, name) for name in ALWAYS} | spec
    yield yaml_text.field("encoder", encoder.encoder)
    for name in type(encoder).model_fields:
        if name != "encoder" and given.get(name) is not None:
            yield yaml_text.field(name, given[name], HELP.get(name, ""))
