"""What an encoder's YAML would say, read from its files: those of a hub id, or a folder's.

Facts come from config.json, the tokenizer's files, those of sentence-transformers where there are
any, and the model card. What no file says is a default, and is said. The weights are not read, and
neither torch nor transformers is asked.
"""

import functools
import importlib.util
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.common.errors import MissingError, SpecError
from harness.common.text import short, some
from harness.sources.encoder_files import (
    DECISIVE,
    WEIGHTS,
    Files,
    check_files,
    json_object,
    settings_of,
    weights_of,
)
from harness.sources.encoders import is_decoder, positions_of
from harness.sources.hub import Wanted, Where, cached, commit_of, fetch
from harness.spec.catalog import Catalog
from harness.spec.encoder import Encoder
from harness.spec.explain import nearest, show

CARD = "README.md"
MODULES, PROMPTS = "modules.json", "config_sentence_transformers.json"
POOLING = "1_Pooling/config.json"
LENGTHS = ("sentence_bert_config.json", "sentence_transformers_config.json")
# Small files; the tokenizer's may have some megabytes and are needed anyway.
METADATA = (*DECISIVE, CARD, MODULES, PROMPTS, *LENGTHS, "*_Pooling/config.json")

# sentence-transformers' words for pooling, and ours. A mean that is divided by the square root of
# the length has the same direction, and only that counts in a cosine.
POOLINGS = {
    "cls": "cls",
    "mean": "mean",
    "mean_sqrt_len_tokens": "mean",
    "lasttoken": "last_token",
}
_OLD_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# Parts of the names under which a checkpoint keeps its prompts, the fittest first; its own default
# stands before that of queries.
_PROMPTS = {
    "pair": ("bitext", "sts"),
    "query": ("query",),
    "passage": ("passage", "document", "corpus"),
}
_BEFORE_ALL = "a query and both sides of a pair"
_BEFORE = {"pair": "both sides of a pair", "query": "a query", "passage": "a passage"}
_HARMLESS = ("Transformer", "Pooling", "Normalize")
# A folder of such a name says little: its parent's name stands before it.
_PLAIN = re.compile(
    r"(checkpoint|ckpt|epoch|step)[-_]?\d*|best|final|last|model|output|weights", re.I
)
NOT_NAMED = "data not named in its files"
NO_LENGTH = 512  # positions, where no file says how many there are


def inferred(
    name: str,
    where: Where,
    catalog: Catalog | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[Encoder, list[str]]:
    """(the encoder's spec, lines that say what was inferred and from which file).

    name     a hub id (`owner/name`), or a folder of this machine (`./name`, or any that is there)
    where    `revision` of its lock and whether the network may be asked; of a hub id the small
             files are fetched into the hub's cache if they are not there, and the spec pins the
             commit that they are of
    catalog  an encoder of it that has the hub id is given as it stands there (its files may not say
             all); by default the built-in one
    say      hears what is downloaded
    raises   SpecError: no such form of a name, an architecture or pooling that is not known here, a
             broken file. MissingError: not here, and not to be had.  StoreError: it cannot be read
    """
    known = Catalog.load([]) if catalog is None else catalog
    if name.startswith((".", "/", "~")) or name.endswith("/") or Path(name).is_dir():
        return _of_folder(Path(name).expanduser(), known)
    for encoder in known.encoders.values():
        if encoder.source.hub and name.casefold() == encoder.source.hub.casefold():
            return encoder, [f"{name} is encoder {encoder.encoder} of the catalog"]
    if name in known.encoders:
        raise SpecError(
            f"encoder {name} is in the catalog already: choose it by its name, or copy its YAML"
            f" under another name: {known.sources['encoder', name].path}"
        )
    if "/" not in name:
        near = nearest(name, known.encoders)
        raise SpecError(
            f"no encoder is called {show(name)}; a hub id is written owner/name, a folder of this"
            f" machine ./{name}{near}"
        )
    return _of_hub(name, where, known, say)


def _of_folder(folder: Path, known: Catalog) -> tuple[Encoder, list[str]]:
    folder = folder.resolve()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise MissingError(
            f"{folder} {what}; name the folder that holds an encoder's config.json, tokenizer and"
            " weights"
        )
    # what an adapter's folder lacks is said best below
    if not (_has_config(folder) or (folder / "adapter_config.json").exists()):
        raise MissingError(
            f"{folder} has no config.json, so it is no encoder: its folder holds config.json, the"
            " tokenizer's files and model.safetensors, as save_pretrained writes"
            f" them{_below(folder)}"
        )
    name = _valid(folder.name)
    if commit_of(folder):  # .../models--OWNER--NAME/snapshots/COMMIT
        name = _valid(folder.parents[1].name.rpartition("--")[2])
    if _PLAIN.fullmatch(folder.name):
        name = _valid(f"{folder.parent.name}-{folder.name}".lstrip("-"))
    name = f"{name}-local" if name in known.encoders else name
    files = Files(name, folder)
    with files.readable():
        settings_of(files)  # says best what an adapter's folder lacks
    weights = weights_of(files)
    check_files(files, weights)
    found = _Found(files, {"path": str(folder)})
    found.say(f"encoder {name}: the folder {folder}")
    if others := [other for other in WEIGHTS if other not in weights and found.has(other)]:
        found.say(f"  weights {weights[0]}; {' and '.join(others)} beside it not read")
    return _spec(found)


def _below(folder: Path) -> str:
    """What lies in folders of it: the checkpoints of a training, a snapshot of the hub's cache."""
    found = sorted([*folder.glob("*/config.json"), *folder.glob("snapshots/*/config.json")])
    names = [str(file.parent.relative_to(folder)) for file in found]
    return f"; one lies in {some(names, 3)}" if names else ""


def _of_hub(
    repo: str, where: Where, known: Catalog, say: Callable[[str], None]
) -> tuple[Encoder, list[str]]:
    revision = where.revision("encoders", repo, None)
    folder = cached(repo, "model", revision, [])
    # The card is fetched with the other small files, and nearly every repository has one: where it
    # is, they are too.
    if not (folder and (folder / CARD).is_file() and _has_config(folder)) and where.may_fetch:
        wanted = Wanted(repo, "model", revision, METADATA, _has_config)
        if failed := fetch(Where(wanted=[wanted]), say):
            raise MissingError(f"encoder {_one_line(failed)}")
        folder = cached(repo, "model", revision, [])
    if not (folder and _has_config(folder)):
        raise MissingError(
            f"encoder {repo}: nothing of it is in the hub cache, and this run is offline; where"
            f" there is a network: hf download {repo}"
        )
    short_name = _valid(repo.rpartition("/")[2])
    name = _valid(repo.replace("/", "-")) if short_name in known.encoders else short_name
    commit = commit_of(folder)
    again = f"fetch it again: hf download {repo} --force-download"
    found = _Found(Files(name, folder, again), {"hub": repo, "revision": commit})
    found.say(f"encoder {name}: {repo} on the hub, commit {commit}")
    if not (folder / CARD).is_file():
        found.say("  only part of its files was looked for: what follows may lack what others say")
    return _spec(found)


def _has_config(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def _one_line(lines: Iterable[str]) -> str:
    # what `fetch` says of a model without any of the files
    none = "the hub has no config.json there, which a repository of an adapter alone lacks too"
    return "; ".join(lines).replace("the hub has no weights there that can be read", none)


def _valid(name: str) -> str:
    """The name with what a spec's name may not have replaced."""
    kept = re.sub(r"[^A-Za-z0-9._+-]+", "-", name).lstrip("._+-")[:80]
    return kept or "encoder"


@dataclass
class _Found:
    """The files of one encoder, and what was read from them so far."""

    files: Files
    source: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(short(line, 400))

    def take(self, what: str, file: str, **facts: Any) -> None:
        """Note facts, and where they were read."""
        self.facts |= facts
        self.say(f"  {what} ({file})")

    def has(self, name: str) -> bool:
        return (self.files.folder / name).is_file()

    def text(self, name: str) -> str:
        """What a file holds; empty if it is not there."""
        if not self.has(name):
            return ""
        with self.files.readable():
            return (self.files.folder / name).read_text(encoding="utf-8", errors="replace")

    @functools.cached_property
    def card(self) -> str:
        return self.text(CARD)

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        with self.files.readable():
            return settings_of(self.files)

    def json(self, name: str) -> dict[str, Any]:
        """What a JSON file holds; empty if it is not there."""
        with self.files.readable():
            return json_object(self.files, name) if self.has(name) else {}


def _spec(found: _Found) -> tuple[Encoder, list[str]]:
    _architecture(found)
    _length(found)
    _tokenizer(found)
    if not _sentence_encoder(found):
        _no_sentence_encoder(found)
    _card(found)
    spec = {"encoder": found.files.encoder, "version": 1, "source": found.source, **found.facts}
    try:
        return Encoder.model_validate(spec), found.lines
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise SpecError(
            f"encoder {found.files.encoder}: its files give no {place} that can be used:"
            f" {first['msg']}; write its YAML by hand"
        ) from None


def _architecture(found: _Found) -> None:
    config = found.config
    kind = config["model_type"]
    if not _in_transformers(kind):
        code = ", and names code of its own (auto_map), which is not run here"
        raise found.files.wrong(
            "config.json",
            f"is of architecture {kind!r}, which the installed transformers does not know"
            + (code if "auto_map" in config else ""),
            "give an encoder of another architecture, or install a version that has it",
        )
    found.take(f"architecture {kind}", "config.json", architecture=kind)
    if is_decoder(config):
        if not found.has(MODULES):
            raise found.files.wrong(
                "config.json",
                f"is of a decoder ({kind}: a subword sees only those before it), and no {MODULES}"
                " says how it makes a sentence's vector",
                "give an encoder, or a decoder that sentence-transformers reads as an embedder",
            )
        found.say("  a decoder: for targets that compare vectors; training on it is refused")


@functools.cache
def _in_transformers(kind: str) -> bool:
    """Whether the library names the architecture in its tables, which are read as text: to import
    it takes seconds. True where it is not installed."""
    library = importlib.util.find_spec("transformers")
    places = (library.submodule_search_locations or []) if library else []
    tables = [file for place in places for file in Path(place, "models", "auto").glob("*.py")]
    return not tables or any(
        f'"{kind}"' in file.read_text(encoding="utf-8", errors="replace") for file in tables
    )


def _length(found: _Found) -> None:
    positions, file = positions_of(found.config), "config.json"
    if positions is None:
        said = found.json("tokenizer_config.json").get("model_max_length")
        # "no limit" is written as 10^30
        if isinstance(said, int | float) and 8 <= said <= 1_000_000:
            positions, file = int(said), "tokenizer_config.json"
    if positions is None:
        found.take(f"max_length {NO_LENGTH}", "a default: no file says", max_length=NO_LENGTH)
        return
    found.take(f"max_length {positions:,}", file, max_length=positions)
    for name in LENGTHS:
        cut = found.json(name).get("max_seq_length")
        if isinstance(cut, int) and cut < positions:
            found.say(
                f"  sentence-transformers reads {cut:,} of a text ({name}); write max_length: {cut}"
                " to do so here"
            )


def _tokenizer(found: _Found) -> None:
    """`lower_case` and `token_types`, where the files say so beyond doubt; else they stay
    unchecked."""
    tokenizer = found.json("tokenizer.json")
    lower = _lowers(tokenizer.get("normalizer")) if tokenizer else None
    if lower is not None:
        found.take(f"lower_case {str(lower).lower()}", "tokenizer.json", lower_case=lower)
    _lowered(found, tokenizer.get("normalizer"), lower)
    types = _token_types(found.config, tokenizer.get("post_processor"))
    if types is not None:
        found.take(f"token_types {str(types).lower()}", "config.json", token_types=types)


def _lowered(found: _Found, normalizer: Any, lower: bool | None) -> None:
    """Say where another file has it otherwise: transformers 4 asked BERT's settings, and
    sentence-transformers lowers by itself."""
    said = found.json("tokenizer_config.json").get("do_lower_case")
    if isinstance(said, bool) and lower not in (None, said) and "BertNormalizer" in str(normalizer):
        found.say(
            f"  tokenizer_config.json says do_lower_case {str(said).lower()}, which is not read:"
            " check which is meant"
        )
    if not lower and any(found.json(name).get("do_lower_case") is True for name in LENGTHS):
        found.say("  NOT as published: sentence-transformers lowers all text first (do_lower_case)")


def _lowers(normalizer: Any) -> bool | None:
    """Whether a tokenizer.json's normaliser lowers text; None if it may and does not say."""
    if normalizer is None:
        return False
    if not isinstance(normalizer, dict):
        return None
    kind = normalizer.get("type")
    if kind == "Sequence":
        parts = [_lowers(part) for part in normalizer.get("normalizers") or []]
        return None if None in parts else any(parts)
    if kind == "Precompiled":
        return None  # sentencepiece's map may fold cases
    return kind == "Lowercase" or (kind == "BertNormalizer" and bool(normalizer.get("lowercase")))


def _token_types(config: dict[str, Any], processor: Any) -> bool | None:
    types = config.get("type_vocab_size") or 0
    if not isinstance(types, int):
        return None
    if types < 2:
        return False
    kind = processor.get("type") if isinstance(processor, dict) else None
    if kind == "TemplateProcessing":
        pair = [part for item in processor.get("pair") or [] for part in item.values()]
        return any(part.get("type_id") == 1 for part in pair)
    return {"BertProcessing": True, "RobertaProcessing": False}.get(kind or "")


def _sentence_encoder(found: _Found) -> bool:
    """Pooling, layer and prompts as sentence-transformers' files say them; false if they say no
    pooling."""
    modules = _modules(found)
    pooling = next((module for module in modules if _kind(module) == "Pooling"), None)
    if pooling is None:
        halves = [name for name in (POOLING, *LENGTHS) if found.has(name)]
        if halves and not modules:
            found.say(f"  NOT as published: there is {halves[0]}, and no {MODULES} beside it")
        if modules:
            kinds = ", ".join(map(_kind, modules))
            found.say(f"  NOT as published: {MODULES} names {kinds}, and no pooling known here")
        return False
    if inside := next((one["path"] for one in modules if _kind(one) == "Transformer"), ""):
        raise found.files.wrong(
            MODULES,
            f"says that the weights lie in {inside}",
            "give that folder by itself, with the other files beside its config.json",
        )
    file = f"{pooling['path']}/config.json"
    if not found.has(file):
        raise found.files.lacks(f"lacks {file}, which {MODULES} names: how its vectors are pooled")
    _pooling(found, file)
    odd = [_kind(module) for module in modules if _kind(module) not in _HARMLESS]
    if odd:
        found.say(
            f"  NOT as published: {', '.join(odd)} after the pooling is left out here ({MODULES})"
        )
    _prompts(found, bool(found.json(file).get("include_prompt", True)), file)
    return True


def _modules(found: _Found) -> list[dict[str, str]]:
    if not found.has(MODULES):
        return []
    try:
        modules = json.loads(found.text(MODULES))
        return [{"type": str(one["type"]), "path": str(one["path"])} for one in modules]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise found.files.wrong(MODULES, "is no list of modules with type and path") from None


def _kind(module: dict[str, str]) -> str:
    return module["type"].rpartition(".")[2]


def _pooling(found: _Found, file: str) -> None:
    said = found.json(file)
    modes = said.get("pooling_mode") or [
        mode for old, mode in _OLD_POOLINGS.items() if said.get(old)
    ]
    modes = (modes or ["mean"]) if isinstance(modes, list) else [modes]
    if len(modes) > 1 or str(modes[0]) not in POOLINGS:
        raise found.files.wrong(
            file,
            f"pools by {' and '.join(map(str, modes))}, which is not known here (mean, cls, last"
            " token)",
            "write its YAML by hand, with the pooling that you mean",
        )
    how = POOLINGS[modes[0]]
    found.take(f"pooling {how} of the last layer", file, pooling=how, layer=-1)


def _prompts(found: _Found, included: bool, pooling_file: str) -> None:
    known = found.json(PROMPTS).get("prompts") or {}
    default = found.json(PROMPTS).get("default_prompt_name")
    if not isinstance(known, dict) or not all(isinstance(text, str) for text in known.values()):
        raise found.files.wrong(PROMPTS, "has prompts that are no texts by name")
    prompts = {name: text for name, text in known.items() if text}
    taken = {}
    for side, parts in _PROMPTS.items():
        named = [name for part in parts for name in prompts if part in name.casefold()]
        if isinstance(default, str) and default in prompts:
            named = [default, *named] if side == "query" else [*named, default]
        # a translation pair is asked for like a query, where the checkpoint knows no better
        if named and not (side == "pair" and named[0] == default):
            taken[side] = prompts[named[0]]
            before = _BEFORE[side] if side != "query" or "pair" in taken else _BEFORE_ALL
            found.say(f"  prompt {taken[side]!r} before {before} ({PROMPTS}: {named[0]})")
    if not taken:
        found.say(f"  no prompts ({PROMPTS if found.has(PROMPTS) else 'no file names one'})")
        _mentioned(found)
        return
    if not included and found.facts["pooling"] == "mean":
        raise found.files.wrong(
            pooling_file,
            "leaves the prompt out of the mean (include_prompt: false), which is not known here",
            "write its YAML by hand, with the prompts and pooling that you mean",
        )
    found.facts["prompts"] = taken


def _mentioned(found: _Found) -> None:
    """Cards of the E5 family name their prompts in a sentence, and in no file beside it."""
    if quoted := re.search(r'[`"\']((query|search_query): ?)[`"\']', found.card):
        found.say(
            f"  its model card speaks of a prompt {quoted[1]!r}: if it is meant, write its YAML"
            f" with prompts: {{query: {quoted[1]!r}}}"
        )


def _no_sentence_encoder(found: _Found) -> None:
    """The catalog's own choice for encoders that were not trained for similarity: XTREME's layer of
    XLM-R Large (14 of 24) and of mBERT (8 of 12), at the same depth."""
    layers = found.config.get("num_hidden_layers")
    if not isinstance(layers, int):
        why = "a default: config.json names no number of layers"
        found.take("pooling mean of the last layer", why, pooling="mean", layer=-1)
        return
    is_bert = found.config["model_type"] == "bert"
    like, at, of = ("mBERT", 8, 12) if is_bert else ("XLM-R Large", 14, 24)
    layer = round(layers * at / of)
    lacks = "no pooling that is known" if found.has(MODULES) else f"no {MODULES}"
    why = f"a default, {lacks}: the depth of {like}'s layer {at} of {of}"
    found.take(f"pooling mean of layer {layer} of {layers}", why, pooling="mean", layer=layer)


def _card(found: _Found) -> None:
    languages, datasets = (_of_card(found, key) for key in ("language", "datasets"))
    pretrained = "unknown"
    if languages:
        english = {code.casefold() for code in languages} <= {"en", "eng", "english"}
        several = len(languages) > 1 or languages[0].casefold() == "multilingual"
        pretrained = "english" if english else "multilingual" if several else "unknown"
    said = f"{CARD}, language: {short(', '.join(languages), 60)}" if languages else "no file says"
    found.take(f"pretrained_on {pretrained}", said, pretrained_on=pretrained)
    seen = [f"{name} (its model card)" for name in datasets] or [NOT_NAMED]
    said = f"{CARD}, datasets" if datasets else "no file says; write what you know"
    found.take(f"seen: {short(', '.join(seen), 200)}", said, seen=seen)


def _of_card(found: _Found, key: str) -> list[str]:
    """What the model card's front matter says under a key. Only those lines are read: the whole may
    be a megabyte of results."""
    import yaml

    start = r"\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$"
    head = re.match(start, found.card, re.DOTALL | re.MULTILINE)
    part = re.search(rf"^{key}:.*(\n([ \t-].*)?)*", head[1], re.MULTILINE) if head else None
    try:
        value = yaml.safe_load(part[0])[key] if part else []
    except (yaml.YAMLError, TypeError, KeyError, ValueError, RecursionError):
        return []
    values = value if isinstance(value, list) else [value]
    # YAML 1.1 reads Norwegian as false
    return ["no" if one is False else str(one) for one in values if one is not None]
