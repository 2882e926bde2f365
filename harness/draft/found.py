"""Which files a task is made of: their format, and the splits and languages that their names say.

A name is cut at dots, dashes, underscores and slashes. One part may be a split (train, dev, test
and their like), one a language code; files of one task differ in nothing else.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby
from pathlib import Path

from harness.common.errors import SpecError
from harness.spec.catalog import builtin_root, read_spec
from harness.spec.formats import PACKED, SUFFIXES, format_of
from harness.spec.languages import ISO_639_1
from harness.spec.task import Task
from harness.spec.template import fill, placeholders

SPLITS = {
    "train": ("train", "training"),
    "dev": ("dev", "validation", "valid", "val", "devel", "development"),
    "test": ("test", "testing"),
}
PHASE_OF = {word: phase for phase, words in SPLITS.items() for word in words}
# Files of tokens under other names than .conll: the word's column and its tag's; None: the last.
TOKENS = {".conllu": (2, 4), ".iob": (1, None), ".iob2": (1, None), ".bio": (1, None)}
READ = (*SUFFIXES, *TOKENS)
PARTS = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}(?![A-Za-z])|[^._/-]+|[._/-]+")
ENGLISH = "en"
_ENGLISH = {"eng": ENGLISH, "english": ENGLISH}  # train and dev rows are looked for under its code
SCRIPTED = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}")
# codes that folders are called by that hold no language
WORDS = {
    "am",
    "an",
    "as",
    "be",
    "cs",
    "he",
    "hr",
    "ml",
    "id",
    "io",
    "is",
    "it",
    "my",
    "no",
    "or",
    "so",
    "to",
}
SHOWN = 6  # names of files in a message


@dataclass(frozen=True)
class FoundFiles:
    """The files of one task.

    template   path with {split}, {language} or {name}, {part}
    files      (split as the file calls it or "", language or "") → its file
    names      language → how the files call it, where that is another word
    spoken     the language that the folder's name says, where the files' names say none
    aligned    language → the two files whose lines belong together, foreign and English
    """

    template: str
    files: dict[tuple[str, str], Path]
    names: dict[str, str] = field(default_factory=dict)
    aligned: dict[str, tuple[Path, Path]] = field(default_factory=dict)
    spoken: str = ""

    @property
    def languages(self) -> list[str]:
        """By name, as far as names say."""
        said = {language for _, language in self.files} | set(self.aligned)
        return sorted(said - {""})

    def words(self, phase: str) -> list[str]:
        """How the files call a phase."""
        words = dict.fromkeys(word for word, _ in self.files if PHASE_OF.get(word.lower()) == phase)
        return list(words)

    @property
    def suffix(self) -> str:
        return suffix_of(self.template)


def suffix_of(name: str) -> str:
    """How a name ends, `.gz` left out; "" if files of that kind are not read."""
    plain = name.removesuffix(PACKED)
    return next((end for end in READ if plain.endswith(end)), "")


def found_at(path: str, language: str | None = None) -> FoundFiles:
    """The files that a user means by a file, a folder, or a path with {language} or {split}.

    raises  SpecError: nothing there, a format that is not read, files that cannot be told apart
    """
    found = _found(path)
    if language or found.languages:
        return found
    return replace(found, spoken=_spoken(Path(found.template).parent))


def _found(path: str) -> FoundFiles:
    if placeholders(path) and not Path(path).exists():
        return _by_template(path)
    place = Path(path).expanduser()
    if place.is_dir():
        return _by_folder(place)
    if not place.is_file():
        raise SpecError(f"{path}: no such file or folder")
    if aligned := _aligned_beside(place):
        return aligned
    if not suffix_of(place.name):
        raise SpecError(f"{path}: {_unread(place)}")
    place = place.absolute()
    return _told_apart(place.parent, [place, *_siblings(place)])


def _unread(place: Path) -> str:
    hints = {
        ".txt": "a .txt may be one of two files with a sentence a line, x.de.txt and x.en.txt",
        ".xlsx": "save it as .csv",
        ".xls": "save it as .csv",
        ".ndjson": "let its name end in .jsonl",
        ".zip": "unpack it",
    }
    hint = hints.get(place.suffix.lower(), "its name says how a file is read")
    return f"files end in {', '.join(READ)}; {hint}"


# Names


def _parts(name: str) -> list[str]:
    """A path as words and what stands between them; its suffix is one word."""
    packed = PACKED if name.endswith(PACKED) else ""
    suffix = suffix_of(name) + packed
    return [*PARTS.findall(name.removesuffix(suffix)), suffix]


def _code(word: str) -> str | None:
    """The language that a word names; None if it names none."""
    if SCRIPTED.fullmatch(word):
        return _of_flores().get(word)
    return word.lower() if word.lower() in ISO_639_1 else None


@cache
def _of_flores() -> dict[str, str]:
    """`deu_Latn`, as FLORES-200 writes languages → `de`, as task sib200 has them."""
    _, task, _ = read_spec(builtin_root() / "tasks" / "sib200.yaml")
    assert isinstance(task, Task)
    return {word: code for code, word in task.source.names.items()}


def _spoken(folder: Path) -> str:
    """The language of a folder's name, "" if that is none; SpecError where it may be a word."""
    name = folder.name
    if _code(name) and name.lower() != ENGLISH and (name.lower() in WORDS or name.isupper()):
        raise SpecError(
            f"{folder}: is its name a language, or a word? Say with --language in which language"
            " the rows are"
        )
    return _code(name) or ""


def _split_at(parts: Sequence[str]) -> int | None:
    """Where the name says the split: the last such word."""
    places = [i for i, part in enumerate(parts) if part.lower() in PHASE_OF]
    return places[-1] if places else None


def _language_at(parts: Sequence[str]) -> list[int]:
    """Where one name may say a language: its last word, or one beside the split."""
    words = [i for i, part in enumerate(parts[:-1]) if PARTS.fullmatch(part) and part[0].isalnum()]
    split = _split_at(parts)
    near = {words[-1]} if words else set()
    if split is not None:
        near |= {split - 2, split + 2}
    return [i for i in words if i in near and i != split and _code(parts[i])]


def _siblings(place: Path) -> Iterator[Path]:
    """Files beside one whose names differ from its in split and language alone."""
    mine = _parts(place.name)
    open_ = {_split_at(mine), *_language_at(mine)}
    for other in sorted(place.parent.iterdir()):
        theirs = _parts(other.name)
        if other == place or not other.is_file() or len(theirs) != len(mine):
            continue
        pairs = enumerate(zip(mine, theirs, strict=True))
        differ = [(i, one, other) for i, (one, other) in pairs if one != other]
        if all(i in open_ and _alike(one, other) for i, one, other in differ):
            yield other


def _alike(one: str, other: str) -> bool:
    """Both words are splits, or both are languages."""
    if one.lower() in PHASE_OF:
        return other.lower() in PHASE_OF
    return bool(_code(one) and _code(other))


def _told_apart(folder: Path, files: Sequence[Path]) -> FoundFiles:
    """Files that are told apart by split and language; SpecError if they are not."""
    names = {file: _parts(file.relative_to(folder).as_posix()) for file in files}
    lengths = {len(parts) for parts in names.values()}
    if len(lengths) > 1:
        raise SpecError(_not_told_apart(folder, files))
    splits = {_split_at(parts) for parts in names.values()}
    split = splits.pop() if len(splits) == 1 else None
    rows = list(names.values())
    values = [set(words) for words in zip(*rows, strict=True)]
    open_ = [i for i, words in enumerate(values) if len(words) > 1 and i != split]
    if len(open_) > 1 or any(not _code(word) for i in open_ for word in values[i]):
        raise SpecError(_not_told_apart(folder, files))
    language = open_[0] if open_ else next(iter(_language_at(rows[0])), None)

    codes = (
        {row[language]: _code(row[language]) or "" for row in rows} if language is not None else {}
    )
    called = {code: word for word, code in codes.items() if word != code}
    template = list(rows[0])
    if split is not None:
        template[split] = "{split}"
    if language is not None:
        template[language] = "{name}" if called else "{language}"
    found = {}
    for file, parts in names.items():
        word = parts[split] if split is not None else ""
        found[word, codes[parts[language]] if language is not None else ""] = file
    # a brace in a path is text
    inside = "".join(_literal(part, i in (split, language)) for i, part in enumerate(template))
    return FoundFiles(f"{_literal(folder.as_posix())}/{inside}", found, called)


def _literal(text: str, placeholder: bool = False) -> str:
    return text if placeholder else text.replace("{", "{{").replace("}", "}}")


def _not_told_apart(folder: Path, files: Sequence[Path]) -> str:
    names = sorted(file.relative_to(folder).as_posix() for file in files)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (
        f"{folder}: its files differ in more than a split (train, dev, test) and a language code:"
        f" {', '.join(names[:SHOWN])}{more}; give one file, or a path with {{split}} or"
        " {language} in it, in quotes"
    )


# A folder, a template


def _by_folder(folder: Path) -> FoundFiles:
    folder = folder.absolute()
    inside = [path for path in sorted(folder.rglob("*")) if _is_data(folder, path)]
    files = [path for path in inside if suffix_of(path.name)]
    if not files:
        for path in inside:
            if aligned := _aligned_beside(path):
                return aligned
        raise SpecError(f"{folder}: no file that is read; files end in {', '.join(READ)}")
    by_suffix = groupby(sorted(files, key=lambda file: suffix_of(file.name)), key=_ending)
    kinds = {suffix: list(group) for suffix, group in by_suffix}
    if len(kinds) > 1:
        raise SpecError(
            f"{folder}: files of several formats ({', '.join(kinds)}); give one of them, such as"
            f" {files[0].relative_to(folder)}"
        )
    return _told_apart(folder, files)


def _ending(file: Path) -> str:
    return suffix_of(file.name)


def _is_data(folder: Path, path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.is_file() and not hidden


def _code_in(template: str, word: str) -> str:
    """What stands for a language in a path; SpecError where it is certainly none."""
    code = _ENGLISH.get(word.lower()) or _code(word)
    if code is None and SCRIPTED.fullmatch(word):
        raise SpecError(
            f"{template}: {word} names no language that is known; give a path with {{split}} alone,"
            " and its language with --language"
        )
    return code or word.lower()


def _by_template(template: str) -> FoundFiles:
    known = {"language", "name", "split", "part"}
    if strange := placeholders(template) - known:
        raise SpecError(
            f"{template}: {{{min(strange)}}} is no placeholder; there are {{split}}, {{language}}"
        )
    template = Path(template).expanduser().absolute().as_posix()
    if "part" in placeholders(template):
        if aligned := _aligned_by(template):
            return aligned
        raise SpecError(
            f"{template}: no two files of a language and of English are called so, {{part}} being"
            " its code and en; such names end in .{part} or .{part}.txt"
        )
    fixed = Path(template.split("{", 1)[0] + "x").parent
    pattern = re.compile(_pattern(template))
    files: dict[tuple[str, str], Path] = {}
    names: dict[str, str] = {}
    for file in sorted(fixed.rglob("*")):
        match = pattern.fullmatch(file.as_posix())
        if not match or not file.is_file():
            continue
        said = match.groupdict()
        word = said.get("language") or said.get("name") or ""
        code = _code_in(template, word)
        if word and word != code:
            names[code] = word
        files[said.get("split") or "", code] = file
    if not files:
        raise SpecError(f"{template}: no file is called so")
    if not suffix_of(template):
        raise SpecError(f"{template}: {_unread(Path(template))}")
    if names:
        template = template.replace("{language}", "{name}")
    return FoundFiles(template, files, names)


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


# Two files, a sentence a line


def _aligned_beside(place: Path) -> FoundFiles | None:
    """Two files of which line i of one translates line i of the other, the one in English; with
    those of other languages beside them."""
    template = _part_template(place.absolute())
    if template is None:
        return None
    return _aligned_by(template)


def _part_template(place: Path) -> str | None:
    """The template of a file whose name ends in a language: x.de, x.de.txt, de-en.de."""
    name = place.name
    ending = ".txt" if name.endswith(".txt") else ""
    head, dot, word = name.removesuffix(ending).rpartition(".")
    if not dot or not _code(word):
        return None
    pair = re.sub(rf"(?<![A-Za-z]){word}(?=-{ENGLISH}(?![A-Za-z]))", "{language}", head)
    if word == ENGLISH:  # of x.de-en.en the language is said by the pair
        pair = re.sub(rf"(?<![A-Za-z])[a-z]{{2,3}}(?=-{ENGLISH}(?![A-Za-z]))", "{language}", head)
    return f"{_literal(place.parent.as_posix())}/{pair}.{{part}}{ending}"


def _aligned_by(template: str) -> FoundFiles | None:
    """The pairs of files that a template with {part} makes; None if there are none."""
    found: dict[str, tuple[Path, Path]] = {}
    for code in sorted(ISO_639_1 - {ENGLISH}):
        values = {"language": code, "name": code}
        foreign, english = (
            Path(fill(template, values | {"part": part})) for part in (code, ENGLISH)
        )
        if foreign.is_file() and english.is_file():
            found[code] = foreign, english
    if not found or format_of(template) != "parts":
        return None
    return FoundFiles(template, {}, {}, found)
