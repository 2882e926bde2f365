"""Which files a task is made of: their format, and the splits and languages that their names say.

A path is cut at dots, dashes, underscores and slashes. One part may be a split (train, dev, test
and their like), one a language; files of one task differ in nothing else.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from harness.common.errors import SpecError
from harness.common.text import some
from harness.spec.catalog import builtin_root, read_spec
from harness.spec.formats import PACKED, SUFFIXES, format_of
from harness.spec.languages import ENGLISH, ISO_639_1, language_of
from harness.spec.task import Task
from harness.spec.template import fill, placeholders

SPLITS = {
    "train": ("train", "training"),
    "dev": ("dev", "validation", "valid", "val", "devel", "development"),
    "test": ("test", "testing"),
}
PHASE_OF = {word: phase for phase, words in SPLITS.items() for word in words}
TOKENS = (".conllu", ".iob", ".iob2", ".bio")  # files of tokens under other names than .conll
READ = (*SUFFIXES, *TOKENS)
HINTS = {
    ".txt": "a .txt may be one of two files with a sentence a line, x.de.txt and x.en.txt",
    ".xlsx": "save it as .csv",
    ".xls": "save it as .csv",
    ".ndjson": "let its name end in .jsonl",
    ".arrow": "it is a cache of the datasets library: write its rows with to_parquet",
    ".zip": "unpack it",
}
# deu_Latn and pt-BR are one part of a name
PARTS = re.compile(
    r"(?<![A-Za-z])(?:[a-z]{3}_[A-Z][a-z]{3}|[a-z]{2}[-_][A-Z]{2}|[a-z]{2}-Han[st])(?![A-Za-z])"
    r"|[^._/-]+|[._/-]+"
)
# what the datasets library puts beside rows
_BESIDE = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}
_SHARD = re.compile(r"-\d+-of-0*([2-9]|[1-9]\d+)(-[0-9a-f]+)?\.")
# codes by which folders are called that hold no language
WORDS = frozenset("am an as be cs he hr id io is it ml my no or so to".split())  # noqa: SIM905
_OR_A_WORD = "a language, or a word? Say with --language in which language the rows are"

At = tuple[str, str]  # a split as the files call it, "" for none; a language, "" for none said


@dataclass(frozen=True)
class FoundFiles:
    """The files of one task.

    template   path with {split}, {language} or {name}, {part}
    files      where → the file; or two, whose lines belong together, foreign and English
    names      language → how the files call it, where that is another word
    spoken     the language that the folder's name says, where the files' names say none
    clash      two words for one language, of which names can hold one
    left       files that are called so but for the language, which is none that is known
    """

    template: str
    files: dict[At, tuple[Path, ...]]
    names: dict[str, str] = field(default_factory=dict)
    spoken: str = ""
    clash: tuple[str, ...] = ()
    left: tuple[Path, ...] = ()

    @property
    def languages(self) -> list[str]:
        """By name, as far as the files' names say them."""
        return sorted({language for _, language in self.files} - {""})

    @property
    def suffix(self) -> str:
        return suffix_of(self.template)

    @property
    def first(self) -> Path:
        """Any of them."""
        return next(iter(self.files.values()))[0]


def suffix_of(name: str) -> str:
    """How a name ends, `.gz` left out; "" if files of that kind are not read."""
    plain = name.removesuffix(PACKED)
    return next((end for end in READ if plain.endswith(end)), "")


def code_of(word: str) -> str | None:
    """The language that a word means, by its code, its name, or as FLORES-200 writes it
    (`deu_Latn`); None if it means none."""
    # train and dev rows are looked for under English's code
    return ENGLISH if word.lower() == "eng" else _of_flores().get(word) or language_of(word)


@cache
def _of_flores() -> dict[str, str]:
    """As task sib200 has them."""
    _, task, _ = read_spec(builtin_root() / "tasks" / "sib200.yaml")
    assert isinstance(task, Task)
    return {word: code for code, word in task.source.names.items()}


def found_at(path: str, language: str | None = None) -> FoundFiles:
    """The files that a user means by a file, a folder, or a path with {language} or {split}.

    language  that of all rows, which no name says then
    raises    SpecError: nothing there, a format that is not read, files that cannot be told apart
    """
    found = _found(path, language)
    if found.clash:
        raise SpecError(
            f"{path}: {' and '.join(found.clash)} in names of files are both of one language; call"
            " one of them otherwise, or put it elsewhere"
        )
    if not (language or found.languages):
        return replace(found, spoken=_spoken(Path(found.template).parent))
    if len(found.languages) == 1 and not placeholders(path):
        _refuse_word(found)
    return found


def _found(path: str, language: str | None) -> FoundFiles:
    place = Path(path).expanduser().absolute()
    if placeholders(path) and not place.exists():
        return _by_template(place.as_posix())
    if place.is_dir():
        return _by_folder(place, language)
    if not place.is_file():
        raise SpecError(f"{path}: no such file or folder")
    if aligned := _aligned_beside(place):
        return aligned
    _refuse_unread(place)
    _refuse_shard(place)
    ways = [_matching(one, known=True) for one in _templates(place.parent, place.name, language)]
    return max(ways, key=lambda way: len(way.files))


def _refuse_unread(place: Path) -> None:
    if not suffix_of(place.name):
        hint = HINTS.get(place.suffix.lower(), "its name says how a file is read")
        raise SpecError(f"{place}: files end in {', '.join(READ)}; {hint}")


def _refuse_shard(file: Path) -> None:
    if shard := _SHARD.search(file.name):
        raise SpecError(
            f"{file}: one of {shard[1]} files that make a split, and it is read whole: put them"
            " together, or into the hub's layout and name that by `hub:` (docs/data.md)"
        )


def _spoken(folder: Path) -> str:
    """The language of a folder's name, "" if that is none; SpecError where it may be a word."""
    name = folder.name
    short = name.lower() in ISO_639_1 - {ENGLISH}
    if short and (name.lower() in WORDS or name.isupper()):
        raise SpecError(f"{folder}: is its name {_OR_A_WORD}")
    return code_of(name) or ""


def _refuse_word(found: FoundFiles) -> None:
    """SpecError where the one language that files say may be the first word of their names:
    my_train."""
    (language,) = found.languages
    word = found.names.get(language, language)
    if word.lower() in WORDS and Path(found.template).name.startswith(("{language}", "{name}")):
        raise SpecError(f"{found.first}: is {word} {_OR_A_WORD}")


# Names


def _templates(folder: Path, name: str, language: str | None) -> Iterator[str]:
    """What the path may be with its split and its language left open, one language after the
    other; without one last, and alone where the user says the `language`."""
    suffix = suffix_of(name) + (PACKED if name.endswith(PACKED) else "")
    parts = [*PARTS.findall(name.removesuffix(suffix)), suffix]
    splits = [i for i, part in enumerate(parts) if part.lower() in PHASE_OF]
    split = splits[-1] if splits else None
    for at in (*(() if language else _language_at(parts, split)), None):
        said: dict[int | None, str] = {}
        if at is not None:  # of context-de-question-de both
            said = {i: "{language}" for i, part in enumerate(parts) if part == parts[at]}
        said[split] = "{split}"
        inside = "".join(said.get(i) or _literal(part) for i, part in enumerate(parts))
        yield f"{_literal(folder.as_posix())}/{inside}"


def _language_at(parts: Sequence[str], split: int | None) -> list[int]:
    """Where a name may say a language: its last word, or one beside the split."""
    words = [i for i, part in enumerate(parts[:-1]) if part[0].isalnum()]
    near = {*words[-1:]} if split is None else {*words[-1:], split - 2, split + 2}
    if "ud" in parts:
        near |= {*words[:1]}  # de_gsd-ud-train
    found = [i for i in words if i in near and i != split]
    for i in found:
        _refuse_two("".join(parts[max(0, i - 2) : i + 1]))
    spoken = [i for i in found if code_of(parts[i])]
    others = {part for part in parts if part in ISO_639_1 - WORDS} - {parts[i] for i in spoken}
    if spoken and others:
        raise _two(f"{min(others)} and {parts[spoken[0]]}")
    return spoken


def _refuse_two(words: str) -> None:
    """SpecError for de-en and pt-br: two languages, or one of a region."""
    if re.fullmatch("[a-z]{2}-[a-z]{2}", words) and code_of(words[:2]):
        raise _two(words)


def _two(words: str) -> SpecError:
    return SpecError(
        f"{words} in a file's name may be two languages, or one and a region or a word: say with"
        " --language in which the rows are; or give a path in quotes, with {language} in it"
    )


def _literal(text: str) -> str:
    """A brace in a path is text."""
    return text.replace("{", "{{").replace("}", "}}")


def _matching(template: str, known: bool) -> FoundFiles:
    """The files that are called so. `known`: whose split and language are such words; else what a
    user leaves open may be any."""
    fixed = Path(template.split("{", 1)[0] + "x").parent
    depth = template.removeprefix(fixed.as_posix()).strip("/").count("/") + 1
    pattern = re.compile(_pattern(template))
    files: dict[At, tuple[Path, ...]] = {}
    names: dict[str, str] = {}
    clash: tuple[str, ...] = ()
    left: list[Path] = []
    for file in sorted(fixed.glob("/".join("*" * depth))):
        match = pattern.fullmatch(file.as_posix())
        if not match or not file.is_file():
            continue
        said = match.groupdict()
        split, word = said.get("split") or "", said.get("language") or said.get("name") or ""
        code = code_of(word)
        if known and split and split.lower() not in PHASE_OF:
            continue
        if known and word and not code:
            left.append(file)
            continue
        code = code or word.lower().replace("_", "-")
        if (other := names.setdefault(code, word)) != word:
            clash = (other, word)
        files[split, code] = (file,)
    if any(word != code for code, word in names.items()):
        template = template.replace("{language}", "{name}")
    names = {code: word for code, word in names.items() if word != code}
    return FoundFiles(template, files, names, clash=clash, left=tuple(left))


def _pattern(template: str) -> str:
    """A regular expression of the paths that a template makes."""
    marks = dict.fromkeys(placeholders(template), "")
    seen: set[str] = set()
    text = re.escape(fill(template, {name: f"\0{name}\0" for name in marks}))

    def group(match: re.Match[str]) -> str:
        name = match[1]
        # said twice, it means the same
        again = f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)"
        seen.add(name)
        return again

    return re.sub("\\\\?\0([a-z]+)\\\\?\0", group, text)


# A folder, a template


def _by_folder(folder: Path, language: str | None) -> FoundFiles:
    inside = [path for path in sorted(folder.rglob("*")) if _is_data(folder, path)]
    files = [path for path in inside if suffix_of(path.name)]
    if not files:
        aligned = next(filter(None, map(_aligned_beside, inside)), None)
        if aligned is None:
            hint = next((f"; {HINTS[one.suffix]}" for one in inside if one.suffix in HINTS), "")
            raise SpecError(f"{folder}: no file that is read; files end in {', '.join(READ)}{hint}")
        return aligned
    _refuse_shard(files[0])
    kinds = sorted({suffix_of(file.name) for file in files})
    names = [file.relative_to(folder).as_posix() for file in files]
    if len(kinds) > 1:
        raise SpecError(
            f"{folder}: files of several formats ({', '.join(kinds)}); give one of them, such as"
            f" {names[0]}"
        )
    for template in _templates(folder, names[0], language):
        found = _matching(template, known=True)
        if len(found.files) == len(files):
            return found
    raise SpecError(
        f"{folder}: its files differ in more than a split (train, dev, test) and a language code:"
        f" {some(names, 6)}; give one file, or a path with {{split}} or {{language}} in it, in"
        " quotes"
    )


def _is_data(folder: Path, path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.is_file() and not hidden and path.name not in _BESIDE


def _by_template(template: str) -> FoundFiles:
    if strange := placeholders(template) - {"language", "name", "split", "part"}:
        raise SpecError(
            f"{template}: {{{min(strange)}}} is no placeholder; there are {{split}}, {{language}}"
        )
    if "part" in placeholders(template):
        if aligned := _aligned_by(template):
            return aligned
        raise SpecError(
            f"{template}: no two files of a language and of English are called so, {{part}} being"
            " its code and en; such names end in .{part} or .{part}.txt"
        )
    found = _matching(template, known=False)
    if not found.files:
        raise SpecError(f"{template}: no file is called so")
    _refuse_unread(Path(template))
    return found


# Two files, a sentence a line


def _aligned_beside(place: Path) -> FoundFiles | None:
    """Two files of which line i of one translates line i of the other, the one in English; with
    those of other languages beside them: x.de, x.de.txt, de-en.de. None for a file that is none of
    two."""
    ending = ".txt" if place.name.endswith(".txt") else ""
    head, dot, word = place.name.removesuffix(ending).rpartition(".")
    if not dot or word not in ISO_639_1:
        return None
    # of x.de-en.en the language is said by the pair
    foreign = "[a-z]{2,3}" if word == ENGLISH else word
    pair = re.sub(rf"(?<![A-Za-z]){foreign}(?=-{ENGLISH}(?![A-Za-z]))", "{language}", head)
    return _aligned_by(f"{_literal(place.parent.as_posix())}/{pair}.{{part}}{ending}")


def _aligned_by(template: str) -> FoundFiles | None:
    """The pairs of files that a template with {part} makes; None if there are none."""
    found: dict[At, tuple[Path, ...]] = {}
    for code in sorted(ISO_639_1 - {ENGLISH}):
        both = [
            Path(fill(template, {"language": code, "name": code, "part": part}))
            for part in (code, ENGLISH)
        ]
        if all(path.is_file() for path in both):
            found["", code] = tuple(both)
    return FoundFiles(template, found) if found and format_of(template) == "parts" else None
