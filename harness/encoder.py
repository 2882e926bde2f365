"""Pretrained weights, their tokenizer, pooling; padding token lists into batches.

`find` says where an encoder lies and what its bytes hash to, without torch; `load` wakes torch.
"""

import functools
import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import MissingError, SpecError
from harness.hub import Where, snapshot
from harness.spec.encoder import Encoder
from harness.store import HashIndex

if TYPE_CHECKING:
    import torch

# Files that decide what an encoder computes. Everything else in its folder (READMEs, other formats) does not.
_DECISIVE = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "sentencepiece.bpe.model",
)


@dataclass(frozen=True)
class FoundEncoder:
    """An encoder on this machine: `identity` (hashes, pooling; in keys) and its folder (not)."""

    name: str
    folder: Path
    identity: dict = field(hash=False)

    def to_json(self) -> dict:
        """As a job's JSON carries it."""
        return {"name": self.name, "folder": str(self.folder), "identity": self.identity}


def find(encoder: Encoder, where: Where, index: HashIndex) -> FoundEncoder:
    """Look for the weights: --encoder-root, package, hub. Raises MissingError, or SpecError when the hash is wrong."""
    folder = _folder(encoder, where)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise MissingError(f"encoder {encoder.encoder}: {folder} has no model.safetensors")
    files = {name: index.sha256(folder / name) for name in _DECISIVE if (folder / name).is_file()}
    if encoder.sha256 and files["model.safetensors"] != encoder.sha256:
        raise SpecError(
            f"encoder {encoder.encoder}: {weights} has SHA-256 {files['model.safetensors']}, "
            f"its spec pins {encoder.sha256}; this is another encoder and needs a spec of its own"
        )
    identity = {"files": files, "max_length": encoder.max_length}
    return FoundEncoder(encoder.encoder, folder, identity)


def _folder(encoder: Encoder, where: Where) -> Path:
    source, looked = encoder.source, []
    if where.encoder_root:
        folder = where.encoder_root / encoder.encoder
        if folder.is_dir():
            return folder
        looked.append(str(folder))
    if source.package:
        module = source.folder.split("/")[0]
        spec = importlib.util.find_spec(module)
        if spec and spec.origin:
            return Path(spec.origin).parent / Path(*source.folder.split("/")[1:])
        looked.append(f"package {source.package} (pip install {source.package})")
    if source.hub:
        wanted = [*_DECISIVE, "special_tokens_map.json"]
        complete = lambda folder: (folder / "model.safetensors").is_file()  # noqa: E731
        if folder := snapshot(source.hub, "model", source.revision, wanted, where, complete):
            return folder
        revision = f" --revision {source.revision}" if source.revision else ""
        looked.append(f"hub cache (hf download {source.hub}{revision})")
    raise MissingError(
        f"encoder {encoder.encoder} is not here; looked in: {'; '.join(looked)}. "
        f"Or give --encoder-root DIR, a folder that holds {encoder.encoder}/model.safetensors"
    )


class LoadedEncoder:
    """An encoder in memory: a pristine state on the CPU, from which each job gets its own copy."""

    def __init__(self, folder: str, identity: dict):
        import transformers
        from transformers import AutoConfig, AutoTokenizer

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        self.folder, self.identity = folder, identity
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.config = AutoConfig.from_pretrained(folder, local_files_only=True)
        self.max_length = identity["max_length"]

    def fresh(self, dropout: float, attention_dropout: float) -> "torch.nn.Module":
        """A new copy of the pretrained model in fp32, with the recipe's dropout."""
        import copy

        import torch
        from transformers import AutoModel

        config = copy.deepcopy(self.config)
        config.hidden_dropout_prob, config.attention_probs_dropout_prob = dropout, attention_dropout
        # The weights lie in the page cache after the first read; loading takes less than a deep copy of the module.
        return AutoModel.from_pretrained(self.folder, config=config, dtype=torch.float32, local_files_only=True)

    @functools.cached_property
    def template(self) -> tuple[list[int], list[int], list[int]]:
        """Special tokens (before, between, after) the two texts of a pair; BERT and XLM-R differ in the middle."""
        pair = self.tokenizer("a", "a")
        side = pair.sequence_ids(0)
        first = [i for i, s in enumerate(side) if s == 0]
        second = [i for i, s in enumerate(side) if s == 1]
        ids = pair["input_ids"]
        return ids[: first[0]], ids[first[-1] + 1 : second[0]], ids[second[-1] + 1 :]

    @functools.cached_property
    def has_token_types(self) -> bool:
        """Whether the model tells the two texts of a pair apart by segment ids."""
        return "token_type_ids" in self.tokenizer.model_input_names

    def pad(self, examples: list[dict], device: str) -> dict[str, Any]:
        """Stack examples into tensors of shape (rows, longest): input_ids, attention_mask, token_type_ids if used."""
        import torch

        lengths = [len(example["input_ids"]) for example in examples]
        shape = (len(examples), max(lengths))

        def stacked(name: str, filler: int) -> torch.Tensor:
            array = np.full(shape, filler, dtype=np.int64)
            for i, example in enumerate(examples):
                array[i, : lengths[i]] = example[name]
            return torch.from_numpy(array).to(device)

        batch = {"input_ids": stacked("input_ids", self.tokenizer.pad_token_id)}
        mask = np.arange(shape[1]) < np.array(lengths)[:, None]
        batch["attention_mask"] = torch.from_numpy(mask.astype(np.int64)).to(device)
        if "token_type_ids" in examples[0]:
            batch["token_type_ids"] = stacked("token_type_ids", 0)
        return batch


def pool(hidden: "torch.Tensor", mask: "torch.Tensor", how: str) -> "torch.Tensor":
    """Sentence vectors (rows, width) from hidden states (rows, tokens, width): mean over all tokens, or the first."""
    if how == "cls":
        return hidden[:, 0]
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
