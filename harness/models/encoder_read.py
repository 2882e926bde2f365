"""What transformers reads from an encoder's folder: its configuration and its tokenizer, and errors
of one line for both.

Wakes torch, inside its functions. No code that lies in the folder is run.
"""

import json
import string
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.errors import HarnessError, MissingError
from harness.sources.encoder_files import SENTENCEPIECE, Files
from harness.spec.explain import close

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

# Architectures that the tests go through.
TESTED = (
    *("bert", "deberta-v2", "eurobert", "modernbert", "roberta", "xlm-roberta", "xlm-roberta-xl"),
    "qwen3",  # a decoder, for sentence vectors alone
)
# A checkpoint may hold these beside the encoder; anything else that is left over means that config
# and weights disagree.
_HEADS = {
    "classifier",
    "cls",
    "decoder",
    "discriminator_predictions",
    "generator_predictions",
    "generator_lm_head",
    "head",
}
_HEADS |= {"lm_head", "lm_predictions", "mask_predictions", "pooler", "qa_outputs"}
_HEADS |= {"vocab_layer_norm", "vocab_projector", "vocab_transform"}
_BUFFERS = {"position_ids", "token_type_ids"}
_STRANGE = ("\u2603", "\U0001f9ff")  # characters that no vocabulary need have
_SAID = 160  # characters of a library's error that ours repeats
_NO_CODE = "no code of an encoder's folder is run here"


def read_config(files: Files) -> Any:
    """transformers' own configuration class, filled. SpecError if it has none for that
    architecture, code or no code."""
    import transformers

    written = _json(files, "config.json")
    kind, known = written["model_type"], transformers.CONFIG_MAPPING
    if kind not in known:
        unknown = f"which transformers {transformers.__version__} does not know"
        if "auto_map" in written:
            what = (
                f"is of architecture {kind!r}, {unknown}, and names code of its own (auto_map);"
                f" {_NO_CODE}"
            )
        else:
            meant = close(kind, list(known))
            what = f"says model_type {kind!r}, {unknown}" + (
                f" (did you mean {meant!r}?)" if meant else ""
            )
        raise files.wrong(
            "config.json", what, f"give an encoder of {', '.join(TESTED)} or another that it has"
        )
    with reading(files, "config.json"):
        return transformers.AutoConfig.from_pretrained(
            files.folder, local_files_only=True, trust_remote_code=False
        )


def vocabulary_file(folder: Path) -> str:
    """Name of the file that says most about the tokenizer."""
    names = ("tokenizer.json", *SENTENCEPIECE, "vocab.txt", "vocab.json")
    return next((name for name in names if (folder / name).is_file()), names[0])


def check_packages(files: Files) -> None:
    """MissingError if the tokenizer is a sentencepiece model and nothing here can read it."""
    if (name := vocabulary_file(files.folder)) not in SENTENCEPIECE:
        return
    try:
        import google.protobuf  # noqa: F401
        import sentencepiece  # noqa: F401
    except ImportError:
        raise MissingError(
            f"{files.folder / name} needs two packages to be read: pip install sentencepiece"
            " protobuf"
        ) from None


def read_tokenizer(files: Files) -> "PreTrainedTokenizerBase":
    """The folder's tokenizer, with the normalisation its files say. SpecError if they cannot be
    read or hold no vocabulary.

    transformers 5 builds normaliser and pre-tokeniser anew from the tokenizer's class, and not
    every class gives what the file says: DeBERTa's loses sentencepiece's map, so that full-width
    commas become unknown (as of 5.23; see huggingface/transformers pull request 44255 for the
    classes that were mended).
    """
    from tokenizers import Tokenizer, normalizers
    from transformers import AutoTokenizer

    name = vocabulary_file(files.folder)
    # before transformers, which falls back on other formats where these are damaged
    with reading(files, name):
        stored = Tokenizer.from_file(str(files.folder / name)) if name == "tokenizer.json" else None
    charsmap = _charsmap(files, name) if name in SENTENCEPIECE else None
    with reading(files, name):
        tokenizer = AutoTokenizer.from_pretrained(
            files.folder, local_files_only=True, trust_remote_code=False
        )
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        what = (
            f"is of {type(tokenizer).__name__}, which cannot say where in a text its subwords stand"
        )
        raise files.wrong(name, what, "save it as tokenizer.json, or give an encoder that has one")
    if stored:
        backend.normalizer, backend.pre_tokenizer = stored.normalizer, stored.pre_tokenizer
    elif charsmap and "Precompiled" not in str(backend.normalizer):
        backend.normalizer = normalizers.Sequence(
            [normalizers.Precompiled(charsmap), backend.normalizer]
        )
    _check_letters(files, name, tokenizer)
    return tokenizer


def _charsmap(files: Files, name: str) -> bytes:
    """The map of characters in a sentencepiece model. SpecError if its end, where that stands, is
    not there."""
    from transformers.convert_slow_tokenizer import import_protobuf

    model = import_protobuf().ModelProto()
    with reading(files, name):
        model.ParseFromString((files.folder / name).read_bytes())
    if not (model.pieces and model.HasField("trainer_spec") and model.HasField("normalizer_spec")):
        raise files.wrong(
            name,
            f"is truncated, or no sentencepiece model: {len(model.pieces)} subwords, and no"
            " settings after them",
        )
    charsmap: bytes = model.normalizer_spec.precompiled_charsmap
    return charsmap


def _check_letters(files: Files, name: str, tokenizer: "PreTrainedTokenizerBase") -> None:
    """SpecError if the tokenizer knows no letter: transformers builds one without a vocabulary
    where it finds no file."""
    nothing = {tokenizer.unk_token_id, *tokenizer.all_special_ids}
    with reading(files, name):
        # The last two are there for the error where what is unknown has no piece to stand for it.
        *pieces, _, _ = tokenizer([*string.ascii_letters, *_STRANGE], add_special_tokens=False)[
            "input_ids"
        ]
    if not any(ids and not nothing & set(ids) for ids in pieces):
        what = (
            f"gives {type(tokenizer).__name__} no vocabulary: not one of the letters a to z is"
            " known"
        )
        raise files.wrong(
            name, what, "put the tokenizer's files there that its class reads, best tokenizer.json"
        )


def known_extra(name: str, prefix: str) -> bool:
    """Whether a tensor that the encoder has no use for is a head or a buffer."""
    path = name.removeprefix(f"{prefix}.").split(".")
    return path[0] in _HEADS or path[-1] in _BUFFERS


def tensors_with(file: Path, part: str) -> Iterator[tuple[str, "torch.Tensor"]]:
    """(name, tensor) of a weights file's tensors whose name holds `part`."""
    import torch
    from safetensors import safe_open

    if file.suffix == ".bin":
        weights = torch.load(file, map_location="cpu", weights_only=True)
        yield from ((name, tensor) for name, tensor in weights.items() if part in name)
        return
    with safe_open(file, framework="pt") as stream:
        for name in stream.keys():  # noqa: SIM118 - not a dict
            if part in name:
                yield name, stream.get_tensor(name)


@contextmanager
def reading(files: Files, name: str) -> Iterator[None]:
    """Turn whatever transformers and the libraries under it raise into one line that names the file
    they read."""
    try:
        yield
    except (HarnessError, MemoryError):
        raise
    except BaseException as error:
        # A panic of the tokenizers library is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        if "auto_map" in _json(files, "tokenizer_config.json") and "trust_remote_code" in str(
            error
        ):
            what = (
                "names code of its own (auto_map) and no tokenizer that transformers has;"
                f" {_NO_CODE}"
            )
            raise files.wrong(
                "tokenizer_config.json", what, "save the tokenizer as tokenizer.json"
            ) from error
        said = "".join(c for c in " ".join(str(error).split()) if c.isprintable())
        said = said if len(said) <= _SAID else f"{said[:_SAID]}..."
        do = f"{files.again}; if it is whole, transformers {version('transformers')} cannot use it"
        raise files.wrong(name, f"cannot be read ({type(error).__name__}: {said})", do) from error


def _json(files: Files, name: str) -> dict[str, Any]:
    """An object in a file of the folder; empty where there is no such file."""
    file = files.folder / name
    said: dict[str, Any] = json.loads(file.read_bytes()) if file.is_file() else {}
    return said
