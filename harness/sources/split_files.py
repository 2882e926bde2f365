"""Which files of a data set hold a split, and which names its columns give their numbers.

Both are the `datasets` library's to say, and read as it reads them, for a hub snapshot and for a
local folder alike. The card (README.md) of a data set names the files of each config and split. A
folder without a card is read by the library's own conventions, inside the folder of the config
alone: what one config lacks is never taken from another.

What the library leaves open is checked here: a split is one complete export, not two of them side
by side. Nothing here touches the network. `datasets` takes a second to import, so it is imported
when a split is looked for, not before.
"""

import functools
import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.common.errors import SpecError

if TYPE_CHECKING:
    from datasets import Features

CARD = "README.md"
# How an export names its files: SPLIT-00000-of-00041.parquet, older ones with a hash behind; or a
# bare 0000.parquet.
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})(-[0-9a-f]+)?")
_BARE = re.compile(r"(?P<number>\d{4,5})")


@dataclass(frozen=True)
class _Card:
    """What a data set's card says: config → split → patterns of its files, config → features."""

    # None: the card names the config, and not its files
    files: dict[str, dict[str, list[str]] | None]
    folders: dict[str, str]  # config → the folder in which its patterns are looked for
    features: dict[str, "Features"]


class Found(NamedTuple):
    """The files of a split, in the order in which they are read; if there are none, what is
    missing."""

    files: list[Path]
    missing: str = ""


def split_files(folder: Path, config: str, split: str, first: int | None = None) -> Found:
    """The files of one split of one config in a data set's folder; of many shards only the `first`,
    if that is said.

    raises  SpecError: the folder holds two exports of the split, or the card cannot be read
    """
    if not folder.is_dir():
        return Found([], f"there is no folder {folder}")
    card = read_card(folder)
    if card.files and config not in card.files:
        return Found([], f"{folder / CARD} names no config {config}")
    place = folder / card.folders.get(config, "") if card.files else _folder_of(folder, config)
    if place is None:
        return Found([], f"{folder} has no folder {config}, and no {CARD} that names such a config")
    for patterns in _patterns(card, place, config, split):
        if files := _resolve(place, patterns):
            return _one_export(files, split, first)
    known = card.files.get(config)
    named = f"; {folder / CARD} names {', '.join(known)}" if known else ""
    return Found([], f"no file of split {split} in {place}{named}")


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
    if file.suffix != ".parquet":
        return {}
    of_card = read_card(folder).features.get(config) if folder and config else None
    names = dict(_names(of_card)) if of_card else {}  # `_names` imports datasets, for a second
    return names | _names_in_file(file, file.stat().st_mtime_ns)


def disagreement(names: list[str], labels: list[str] | dict[str, str | int]) -> str | None:
    """What is wrong if a spec's `labels` give a number another name than the data's own `names` do,
    and what to write.

    A label that is its own number ("0", "1") agrees with any name; so does a map's label that the
    data do not know.
    """
    given: list[tuple[str | int, str]]
    if isinstance(labels, dict):
        given = [(raw, label) for label, raw in labels.items()]
        known_names = [(raw, label) for raw, label in given if label in names]
        wrong = [(raw, label) for raw, label in known_names if names.index(label) != raw]
    else:
        given = list(enumerate(labels))
        right_names = [{str(i), *names[i : i + 1]} for i in range(len(labels))]
        wrong = [one for one, right in zip(given, right_names, strict=True) if one[1] not in right]
    if not wrong:
        return None
    number, label = wrong[0]
    known = ", ".join(f"{number} {name}" for number, name in enumerate(names[:20]))
    right = (
        f"{label}: {names.index(label) if label in names else number}"
        for number, label in given[:20]
    )
    return (
        f"the data name their numbers {known}; `labels` calls {number} {label}. Write labels:"
        f" {{{', '.join(right)}}}"
    )


def read_card(folder: Path) -> _Card:
    """The card of the data set in that folder; an empty one if it has none. SpecError if it is
    broken."""
    card = folder / CARD
    try:
        stat = card.stat()
    except OSError:
        return _Card({}, {}, {})
    return _parsed(card, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=64)  # XTREME's names 183 configs
def _parsed(card: Path, changed: int, size: int) -> _Card:
    import yaml
    from datasets.data_files import sanitize_patterns
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    try:
        data = DatasetCard.load(card).data
        configs = MetadataConfigs.from_dataset_card_data(data)
        infos = DatasetInfosDict.from_dataset_card_data(data)
        files = {
            name: sanitize_patterns(given["data_files"]) if given.get("data_files") else None
            for name, given in configs.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())[:200]
        raise SpecError(
            f"{card}: the configs it names cannot be read ({said}); mend the file, or fetch it"
            " again"
        ) from None
    folders = {name: given["data_dir"] for name, given in configs.items() if given.get("data_dir")}
    features = {name: info.features for name, info in infos.items() if info.features}
    return _Card(files, folders, features)


def _folder_of(folder: Path, config: str) -> Path | None:
    """Where a config lies in a folder without a card: in the folder of its name; `default` may be
    the whole."""
    if (folder / config).is_dir():
        return folder / config
    return folder if config == "default" else None


def _patterns(card: _Card, place: Path, config: str, split: str) -> Iterator[list[str]]:
    """Where the files of a split may lie under `place`, one way after the other."""
    if named := card.files.get(config):
        yield named.get(split, [])
        return
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


def _resolve(place: Path, patterns: list[str]) -> list[Path]:
    """The files that match, in the library's order, each once. A card may name addresses; only
    files here are read."""
    from datasets.data_files import resolve_pattern

    found: dict[Path, None] = {}
    for pattern in patterns:
        if "://" in pattern or pattern.startswith("/") or ".." in pattern.split("/"):
            continue
        try:
            names = resolve_pattern(pattern, glob.escape(str(place.absolute())))
        except FileNotFoundError:
            continue
        found |= dict.fromkeys(place / Path(name).relative_to(place.absolute()) for name in names)
    return list(found)


def _one_export(files: list[Path], split: str, first: int | None) -> Found:
    """Of the files that a pattern matched those of one export of the split, if it is complete.

    `test-*` matches the files of a split `test-translated` too, and those of an export that was
    made before this one.
    """
    exports: dict[tuple[Path, str, int, str], dict[int, list[Path]]] = {}
    for file in files:
        stem, number, total = _shard(file)
        export = exports.setdefault((file.parent, stem, total, file.suffix), {})
        export.setdefault(number, []).append(file)
    own = {export: shards for export, shards in exports.items() if export[1] == split}
    chosen = own or exports

    twice = [shards for shards in chosen.values() if max(map(len, shards.values())) > 1]
    if twice or len(own) > 1:
        doubled = sorted(file.name for shards in twice or own.values() for file in _all(shards))
        raise SpecError(
            f"{files[0].parent}: two exports of split {split} lie side by side:"
            f" {', '.join(doubled[:4])}{' ...' * (len(doubled) > 4)}; remove the older one"
        )
    kept: list[Path] = []
    for (_, stem, total, _), shards in chosen.items():
        wanted = range(min(first or total, total) if total else len(shards))
        if lacking := [number for number in wanted if number not in shards]:
            return Found(
                [],
                f"{files[0].parent}: file {lacking[0]} of {total or max(shards) + 1} of {stem}"
                " lacks",
            )
        kept += [shards[number][0] for number in sorted(shards)]
    return Found(kept[:first])


def _all(shards: dict[int, list[Path]]) -> list[Path]:
    return [file for some in shards.values() for file in some]


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
