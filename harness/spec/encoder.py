"""An encoder: pretrained weights with their tokenizer, at a pinned hash, and what it is known to
have seen."""

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from harness.common.strict import Name, Strict
from harness.spec.template import HubId, InnerPath, Revision


class EncoderSource(Strict):
    """Where weights may come from; tried in the order: --encoder-root DIR/NAME, `package`,
    `hub`."""

    hub: HubId | None = None
    revision: Revision | None = None
    package: Name | None = Field(None, description="a Python package that carries the weights")
    folder: InnerPath | None = Field(None, description="folder of the weights inside the package")
    hint: str | None = Field(
        None, description="for an encoder that only --encoder-root can give: how its folder is made"
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not (self.hub or self.package or self.hint):
            raise ValueError(
                "name a hub id, a package, or a hint how to make the folder for --encoder-root"
            )
        if (self.package is None) != (self.folder is None):
            raise ValueError("package and folder go together")
        return self


class Encoder(Strict):
    """One encoder. `sha256` pins the weights file; a different file under the same name is an
    error.

    `architecture`, `lower_case` and `token_types` change no result: they are held against the files
    when these are read, so that another model or tokenizer under the same name is an error and not
    a number.
    """

    encoder: Name
    version: PositiveInt
    source: EncoderSource
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="of model.safetensors, else of pytorch_model.bin",
    )
    architecture: str | None = Field(
        None, description="model_type in its config.json; not checked if left out"
    )
    lower_case: bool | None = Field(
        None, description="whether its tokenizer lowers all text; not checked if left out"
    )
    token_types: bool | None = Field(
        None, description="whether segment ids mark two texts; not checked if left out"
    )
    pretrained_on: Literal["english", "multilingual"]
    seen: list[str] = Field(
        description="data it is known to have been trained on; shown beside its gains"
    )
    pooling: Literal["mean", "cls"] = Field(
        "mean", description="for retrieval, special tokens included"
    )
    layer: int = Field(-1, description="hidden state for retrieval: 0 = embeddings, -1 = last")
    max_length: PositiveInt = Field(
        512, description="positions it can use, special tokens included"
    )
    note: str | None = None
