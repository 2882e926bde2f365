"""Which files of a data set hold a split, and which names its columns give their numbers.

Both are the `datasets` library's to say, and read as it reads them, for a hub snapshot and for a
local folder alike. The card (README.md) of a data set names the files of each config and split. A
folder without a card is read by the library's own conventions, inside the folder of the config
alone: what one config lacks is never taken from another.

What the library leaves open is checked here: all that a card names is there, and a split is one
complete export, not two of them side by side. Nothing here touches the network. `datasets` takes a
second to import, so it is imported when a split is looked for, not before.
"""

import functools
import glob
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.common.errors import SpecError
from harness.spec.formats import format_of

if TYPE_CHECKING:
    from datasets import Features

CARD = "README.md"
INFOS = "dataset_infos.json"  # what was said beside a card, before cards said it
# How an export names its files: SPLIT-00000-of-00041.parquet, older ones with a hash behind, others
# with fewer digits; or a bare 0000.parquet.
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d+)-of-(?P<total>\d+)(-[0-9a-f]+)?")
_BARE = re.compile(r"(?P<number>\d{4,5})")
_YEARS = 1000  # files that are called 2016, 2017 are no run of shards: that begins at 0000
# Rows in a form that has no reader here: never left out as what lies beside the rows.
_NOT_READ = {".arrow", ".bz2", ".conllu", ".gz", ".lz4", ".ndjson", ".tar", ".xml", ".xz"} | {
    ".zip",
    ".zst",
}
# What a card may tell the library's readers that gives other rows than a file has for ours.
_OF_TABLES = (
    *("sep", "delimiter", "header", "names", "column_names", "usecols", "skiprows", "skipfooter"),
    *("nrows", "quotechar", "quoting", "doublequote", "escapechar", "comment", "encoding"),
)
_READER_OPTIONS: dict[str | None, tuple[str, ...]] = {
    "csv": _OF_TABLES,
    "tsv": _OF_TABLES,
    "json": ("field", "encoding"),
    "jsonl": ("field", "encoding"),
    "parquet": ("filters",),
}
_AS_READ_HERE: dict[str, dict[str, Any]] = {
    "sep": {"csv": ",", "tsv": "\t"},
    "delimiter": {"csv": ",", "tsv": "\t"},
    "header": {"csv": 0, "tsv": 0},
    "field": {"json": "data"},
}


@dataclass(frozen=True)
class _Card:
    """What a data set's card says: config → split → patterns of its files, config → features."""

    # None: the card names the config, and not its files
    files: dict[str, dict[str, list[str]] | None]
    folders: dict[str, str]  # config → the folder in which its patterns are looked for
    features: dict[str, "Features"]
    options: dict[str, dict[str, Any]]  # config → all that is said of it


class Found(NamedTuple):
    """The files of a split, in the order in which they are read; if there are none, what is
    missing."""

    files: list[Path]
    missing: str = ""


def split_files(folder: Path, config: str, split: str, first: int | None = None) -> Found:
    """The files of one split of one config in a data set's folder; of many shards only the `first`,
    if that is said.

    raises  SpecError: the folder holds two exports of the split, the card cannot be read, or it
            says to read the files otherwise than is done here
    """
    if not folder.is_dir():
        return Found([], f"there is no folder {folder}")
    card = read_card(folder)
    if card.files and config not in card.files:
        return Found([], f"{folder / CARD} names no config {config}")
    place = folder / card.folders.get(config, "") if card.files else _folder_of(folder, config)
    if place is None:
        return Found([], f"{folder} has no folder {config}, and no {CARD} that names such a config")
    if known := card.files.get(config):
        if split not in known:
            named = f"{folder / CARD} names {', '.join(known)}"
            return Found([], f"no file of split {split} in {place}; {named}")
        found = _named(place, known, split, first)
    else:
        found = _usual(place, split, first)
    for file in found.files:
        if option := _other_reading(card.options.get(config, {}), format_of(file.name)):
            raise SpecError(
                f"{folder / CARD}: {file.name} of config {config} is to be read with {option},"
                " which is not done here; save its rows as .jsonl or .parquet, and name these by"
                " `files:`"
            )
    return found


def named_files(folder: Path, config: str, split: str, first: int | None = None) -> tuple[str, ...]:
    """Which files of a hub data set to download for a split, as patterns: those that the card in
    `folder` names."""
    card = read_card(folder)
    named = (card.files.get(config) or {}).get(split) if first is None else None
    if not named:
        return tuple(usual_layouts(config, split, first))
    inside = card.folders.get(config, "")
    return tuple(f"{inside}/{pattern}" if inside else pattern for pattern in named)


def usual_layouts(config: str, split: str, first: int | None) -> list[str]:
    """Where the hub's data sets usually keep a split's files, as patterns; only the `first` of many
    if that is said."""
    if first is None:
        return [
            f"{config}/{split}-*.parquet",
            f"{config}/{split}/*.parquet",
            f"data/{split}-*.parquet",
        ]
    forms = [
        f"{config}/{split}-{{:05}}-of-*.parquet",
        f"{config}/{split}/{{:04}}.parquet",
        f"data/{split}-{{:05}}-of-*.parquet",
    ]
    return [form.format(i) for form in forms for i in range(first)]


def class_names(folder: Path | None, config: str | None, file: Path) -> dict[str, list[str]]:
    """Column → the names of its numbers, 0 first, as the card of the data set or the parquet file
    itself says.

    A field b of a column a is called `a.b`. Columns that have no such names are left out.
    """
    of_card = read_card(folder).features.get(config) if folder and config else None
    names = dict(_names(of_card)) if of_card else {}  # `_names` imports datasets, for a second
    in_file = _names_in_file(file, file.stat().st_mtime_ns) if file.suffix == ".parquet" else {}
    return names | in_file


def disagreement(
    names: list[str], labels: list[str] | dict[str, str | int], of_text: bool = False
) -> str | None:
    """What is wrong if a spec's `labels` give a number another name than the data's own `names` do,
    and what to write; `of_text`: in a file whose numbers are text.

    A label that is its own number ("0", "1") agrees with any name, unless the data call another
    number so; so does a map's label that the data do not know.
    """
    given: list[tuple[str | int, str]]
    if isinstance(labels, dict):
        given = [(raw, label) for label, raw in labels.items()]
        known_names = [(raw, label, names.index(label)) for raw, label in given if label in names]
        # a text file has numbers as text
        wrong = [(raw, label) for raw, label, i in known_names if raw not in (i, str(i))]
    else:
        given = list(enumerate(labels))
        own = {(i, str(i)) for i in range(len(labels)) if str(i) not in names}
        wrong = [one for one in given if one not in own | set(enumerate(names))]
    if not wrong:
        return None
    number, label = wrong[0]
    known = ", ".join(f"{number} {name}" for number, name in enumerate(names[:20]))
    quote = '"' if of_text else ""
    right = (
        f"{label}: {quote}{names.index(label) if label in names else number}{quote}"
        for number, label in given[:20]
    )
    return (
        f"the data name their numbers {known}; `labels` calls {number} {label}. Write labels:"
        f" {{{', '.join(right)}}}"
    )


def read_card(folder: Path) -> _Card:
    """The card of the data set in that folder; an empty one if it has none. SpecError if it is
    broken."""
    seen = tuple((name, _changed(folder / name)) for name in (CARD, INFOS))
    there = tuple((name, changed) for name, changed in seen if changed)
    return _parsed(folder, there) if there else _Card({}, {}, {}, {})


def _changed(file: Path) -> tuple[int, int] | None:
    """What differs once the file is another one; None: there is none."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


@functools.lru_cache(maxsize=64)  # XTREME's names 183 configs
def _parsed(folder: Path, there: tuple[tuple[str, tuple[int, int]], ...]) -> _Card:
    import yaml

    card = _Card({}, {}, {}, {})
    for name, _ in there:
        read = _read_card if name == CARD else _read_infos
        try:
            read(folder / name, card)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
            said = " ".join(str(error).split())[:200]
            raise SpecError(
                f"{folder / name}: the configs it names cannot be read ({said}); mend the file, or"
                " fetch it again"
            ) from None
    return card


def _read_card(file: Path, card: _Card) -> None:
    from datasets.data_files import sanitize_patterns
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    data = DatasetCard.load(file).data
    for name, info in DatasetInfosDict.from_dataset_card_data(data).items():
        if info.features:
            card.features[name] = info.features
    for name, given in MetadataConfigs.from_dataset_card_data(data).items():
        files = given.get("data_files")
        card.files[name] = sanitize_patterns(files) if files else None
        card.options[name] = given
        if given.get("data_dir"):
            card.folders[name] = given["data_dir"]
        if given.get("features"):
            card.features[name] = given["features"]


def _read_infos(file: Path, card: _Card) -> None:
    """What the file says goes for configs of which the card, read before it, says nothing."""
    from datasets import Features

    infos = json.loads(file.read_text("utf-8"))
    if len(infos) == 1:  # as the library has it: the only one, whatever it is called
        infos["default"] = next(iter(infos.values()))
    for name, info in infos.items():
        if info.get("features"):
            card.features.setdefault(name, Features.from_dict(info["features"]))


def _other_reading(options: dict[str, Any], form: str | None) -> str | None:
    """The first of a config's options by which the library gives other rows of a file of that
    format than are read here."""
    for name in _READER_OPTIONS.get(form, ()):
        said = options.get(name)
        as_here = _AS_READ_HERE.get(name, {}).get(form or "")
        usual = name == "encoding" and str(said).lower() in ("utf-8", "utf8", "utf-8-sig")
        unsaid = said is None and (name != "header" or name not in options)  # null: there is none
        if not unsaid and said != as_here and not usual:
            return f"{name}: {said!r}"
    return None


def _folder_of(folder: Path, config: str) -> Path | None:
    """Where a config lies in a folder without a card: in the folder of its name; `default` may be
    the whole."""
    if (folder / config).is_dir():
        return folder / config
    return folder if config == "default" else None


def _usual(place: Path, split: str, first: int | None) -> Found:
    """The files of a split of which no card says where they lie."""
    for patterns in _patterns(place, split):
        matching = [file for pattern in patterns for file in _matching(place, pattern)]
        if files := _rows_only(list(dict.fromkeys(matching))):
            if patterns == ["**"]:  # no name says a split: all files train
                _refuse_capitals(place, files)
            exports = _exports(files)
            # `test-*` matches the files of a split `test-translated` too
            own = {export: shards for export, shards in exports.items() if export.stem == split}
            return _complete(own or exports, split, first, anywhere=bool(own))
    return Found([], f"no file of split {split} in {place}")


def _refuse_capitals(place: Path, files: list[Path]) -> None:
    """SpecError for Test.csv, which is none of the library's names for test rows."""
    from datasets.data_files import SPLIT_KEYWORDS

    others = {word for split, words in SPLIT_KEYWORDS.items() if split != "train" for word in words}
    for file in files:
        name = file.relative_to(place).as_posix()
        if said := others & set(re.split("[^a-z]+", name.lower())):
            raise SpecError(
                f"{place}: {name} would be read as rows of split train, with all other files, as"
                f" split names are in small letters ({min(said)}): rename the files"
            )


def _patterns(place: Path, split: str) -> Iterator[list[str]]:
    """Where the files of a split may lie under `place`, one way after the other."""
    from datasets.data_files import SPLIT_KEYWORDS, SPLIT_PATTERN_SHARDED, get_data_patterns

    exported = SPLIT_PATTERN_SHARDED.format(split=split)  # data/SPLIT-00000-of-00001.parquet
    yield [exported.removeprefix("data/")]
    yield [f"{split}/*"]
    usual = set().union(*SPLIT_KEYWORDS.values())
    if split.split("-")[0] not in usual:
        yield [exported]
        # the library's conventions know train, validation and test, in their several spellings
        return
    try:
        known = get_data_patterns(glob.escape(str(place)))
    except FileNotFoundError:
        return
    meant = [str(name) for name, words in SPLIT_KEYWORDS.items() if split in words]
    for name in (split, *meant):
        if name in known:
            yield known[name]


def _named(place: Path, known: dict[str, list[str]], split: str, first: int | None) -> Found:
    """All files that a card names for a split. A name is a file whatever it is called; what a
    wildcard matches is held against what an export looks like."""
    files: dict[Path, None] = {}
    numbered: list[Path] = []
    for pattern in known[split]:
        matching = _matching(place, pattern)
        if not matching:
            return Found([], f"the card names {pattern} for split {split}, which is not here")
        if glob.has_magic(pattern):
            matching = _rows_only(matching)
            numbered += [file for file in matching if _is_numbered(file) and file not in files]
        files |= dict.fromkeys(matching)
        if first and len(files) >= first:
            break
    exports = _exports(numbered)
    if any(export.stem == split for export in exports):
        others = known.keys() - {split}
        exports = {export: one for export, one in exports.items() if export.stem not in others}
    whole = _complete(exports, split, first)
    if whole.missing:
        return whole
    left_out = set(numbered) - set(whole.files)
    return Found([file for file in files if file not in left_out][:first])


def _matching(place: Path, pattern: str) -> list[Path]:
    """The files that match, in the library's order. A card may name addresses; only files here are
    read."""
    from datasets.data_files import resolve_pattern

    if "://" in pattern or pattern.startswith("/") or ".." in pattern.split("/"):
        return []
    try:
        names = resolve_pattern(pattern, glob.escape(str(place.absolute())))
    except FileNotFoundError:
        return []
    return [place / Path(name).relative_to(place.absolute()) for name in names]


def _rows_only(files: list[Path]) -> list[Path]:
    """Without what lies beside the rows (a licence, notes), if there are any."""
    rows = [file for file in files if format_of(file.name) or file.suffix in _NOT_READ]
    return rows or files


class _Export(NamedTuple):
    """What the files of one export have in common; `total`: how many there are, 0 where their names
    do not say it."""

    folder: Path
    stem: str
    total: int
    suffix: str


_Shards = dict[int, list[Path]]  # number → the files that bear it: one, if all is well


def _exports(files: list[Path]) -> dict[_Export, _Shards]:
    exports: dict[_Export, _Shards] = {}
    for file in files:
        stem, number, total = _shard(file)
        shards = exports.setdefault(_Export(file.parent, stem, total, file.suffix), {})
        shards.setdefault(number, []).append(file)
    return exports


def _complete(
    exports: dict[_Export, _Shards], split: str, first: int | None, anywhere: bool = False
) -> Found:
    """The files of all exports, each of which is complete; SpecError if two are of the same rows.

    anywhere  two exports are of the same rows wherever they lie, not in one folder alone
    """
    same: dict[tuple[Path | None, str], list[Path]] = {}
    twice: list[Path] = []
    for export, shards in exports.items():
        files = _all(shards)
        others = same.setdefault((None if anywhere else export.folder, export.stem), [])
        if others or len(files) > len(shards):
            twice += [*others, *files]
        others += files
    if twice:
        doubled = sorted({file.name for file in twice})
        raise SpecError(
            f"{twice[0].parent}: two exports of split {split} lie side by side:"
            f" {', '.join(doubled[:4])}{' ...' * (len(doubled) > 4)}; remove the older one"
        )
    kept: list[Path] = []
    for export, shards in exports.items():
        total = export.total or (len(shards) if min(shards) < _YEARS else 0)
        start = int(total == export.total and total in shards)  # 1-of-2, 2-of-2
        wanted = range(start, start + min(first or total, total))
        if lacking := [number for number in wanted if number not in shards]:
            return Found(
                [],
                f"{export.folder}: file {lacking[0]} of {export.total or max(shards) + 1} of"
                f" {export.stem} lacks",
            )
        kept += [shards[number][0] for number in sorted(shards)]
    return Found(kept[:first])


def _all(shards: dict[int, list[Path]]) -> list[Path]:
    return [file for some in shards.values() for file in some]


def _is_numbered(file: Path) -> bool:
    name = file.name.split(".")[0]
    return bool(_SHARD.fullmatch(name) or _BARE.fullmatch(name))


def _shard(file: Path) -> tuple[str, int, int]:
    """(split, number of the shard, how many there are) by a file's name; 0 where the name does not
    say how many."""
    name = file.name.split(".")[0]
    if shard := _SHARD.fullmatch(name):
        return shard["stem"], int(shard["number"]), int(shard["total"])
    if bare := _BARE.fullmatch(name):
        return file.parent.name, int(bare["number"]), 0
    return name, 0, 0


@functools.lru_cache(maxsize=4096)
def _names_in_file(file: Path, changed: int) -> dict[str, list[str]]:
    """The class labels of a parquet file's schema; none where it is no file of that library, or no
    parquet file at all."""
    import pyarrow.parquet as parquet

    try:
        schema = parquet.read_schema(file)
        if b"huggingface" not in (schema.metadata or {}):
            return {}
        from datasets import Features

        return dict(_names(Features.from_arrow_schema(schema)))
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # whoever reads the rows says what is wrong with the file


def _names(feature: Any, column: str = "") -> Iterator[tuple[str, list[str]]]:
    """(column, names) of all class labels in a feature, inside lists and structs too."""
    from datasets import ClassLabel

    if isinstance(feature, ClassLabel):
        yield column, list(feature.names)
    elif isinstance(feature, dict):
        for name, inner in feature.items():
            yield from _names(inner, f"{column}.{name}".lstrip("."))
    elif isinstance(feature, list):
        yield from _names(feature[0], column)
    elif hasattr(feature, "feature"):  # a list
        yield from _names(feature.feature, column)
