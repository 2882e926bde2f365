"""An encoder: pretrained weights with their tokenizer, at a pinned hash, and what it is known to
have seen."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from harness.common.strict import Name, Strict, later
from harness.families.embedding import Pooling
from harness.spec.template import FolderPath, HubId, InnerPath, Revision

PretrainedOn = Literal["english", "multilingual", "unknown"]


class EncoderSource(Strict):
    """Where weights may come from: `path` alone, or, tried in this order, --encoder-root DIR/NAME,
    `package`, `hub`."""

    hub: HubId | None = Field(None, description="hub id, owner/name")
    revision: Revision | None = Field(None, description="commit of the hub id, so that it stays")
    package: Name | None = Field(None, description="a Python package that carries the weights")
    folder: InnerPath | None = Field(None, description="folder of the weights inside the package")
    hint: str | None = Field(
        None, description="for an encoder that only --encoder-root can give: how its folder is made"
    )
    path: FolderPath | None = later(
        None, description="a folder on this machine, from the YAML's folder; in no key or release"
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.path and (self.hub or self.package):
            raise ValueError("a path is the whole source; leave hub and package out")
        if not (self.path or self.hub or self.package or self.hint):
            raise ValueError(
                "name a hub id, a path, a package, or a hint how to make the folder for"
                " --encoder-root"
            )
        if (self.package is None) != (self.folder is None):
            raise ValueError("package and folder go together")
        return self


class Prompts(Strict):
    """Text written before each sentence whose vector is taken, as the encoder was trained with it;
    counted in max_length, trained heads have none. "" writes nothing."""

    query: str = Field("", max_length=2000, description="what is looked for")
    passage: str = Field("", max_length=2000, description="what it is looked for in")
    pair: str | None = Field(
        None, max_length=2000, description="both sides of a translation pair; default: as `query`"
    )

    @property
    def of_pairs(self) -> str:
        """What stands before both sides of a translation pair."""
        return self.query if self.pair is None else self.pair


class EncoderShape(Strict):
    """Of config.json, and under its names, what an encoder's size follows from. It sizes a plan
    where the files are missing, and is in no key and no release."""

    num_hidden_layers: PositiveInt
    hidden_size: PositiveInt
    intermediate_size: PositiveInt
    vocab_size: PositiveInt


class Encoder(Strict):
    """One encoder. `sha256` pins the weights file; a different file under the same name is an
    error.

    `architecture`, `lower_case` and `token_types` change no result: they are held against the files
    when these are read, so that another model or tokenizer under the same name is an error and not
    a number.
    """

    encoder: Name = Field(description="its name, which suites and commands use")
    version: PositiveInt = Field(description="raised when its meaning changes")
    source: EncoderSource = Field(description="where its weights come from")
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
    pretrained_on: PretrainedOn = Field(description="of which languages its pretraining was")
    seen: list[str] = Field(
        description="data it is known to have been trained on; shown beside its gains"
    )
    pooling: Pooling = Field(
        "mean",
        description="for retrieval: of all tokens, special ones too; of the first; of the last",
    )
    prompts: Prompts = later(Prompts(), description="for retrieval; default: none")
    layer: int = Field(-1, description="hidden state for retrieval: 0 = embeddings, -1 = last")
    max_length: PositiveInt = Field(
        512, description="positions it can use, special tokens included"
    )
    note: str | None = Field(None, description="for whoever reads the board")
    shape: EncoderShape | None = later(
        None, description="of its config.json: what a plan counts by where its files are missing"
    )

    def placed(self, folder: Path) -> Self:
        """The same with its `path`, if it has one, taken from that folder and whole."""
        if self.source.path is None:
            return self
        whole = str((folder / self.source.path).resolve())
        return self.model_copy(update={"source": self.source.model_copy(update={"path": whole})})
