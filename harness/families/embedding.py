"""What families that compare sentence vectors have in common."""

from typing import Literal

from pydantic import Field

from harness.common.strict import Strict, later

Pooling = Literal["mean", "cls", "last_token"]
Layer = int | dict[str, int] | None  # a map names encoders; others take their own


class EmbeddingOptions(Strict):
    """How a sentence's vector is made. Nothing is trained."""

    pooling: Pooling | None = Field(None, description="default: the encoder's own")
    layer: Layer = Field(
        None,
        description="index into hidden states, 0 = embeddings, -1 = last; default: the encoder's",
    )
    prompt: str | None = later(
        None,
        description='text before each sentence, "" for none; default: of the encoder\'s prompts',
    )
