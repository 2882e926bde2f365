"""Files of one token a line and a blank line between sentences: CoNLL-2003, CoNLL-U, and the plain
`token TAB tag`.

CoNLL-2003  www.clips.uantwerpen.be/conll2003/ner: columns between spaces, the word in 1 and its tag
            in 4; a line -DOCSTART- opens a document and is no sentence
CoNLL-U     universaldependencies.org/format.html: ten columns between tabs, the word in 2, UPOS in
            4; comments before a sentence begin with #, `1-2` is a range of words that follow one by
            one, `1.1` a word that the text does not have. A file is one if each of its words begins
            with such a number: nothing is left out of another file
CoNLL-2012  cemantix.org/data/ontonotes.html: `#begin document` opens a document; a sentence has as
            many columns as it has verbs, and more
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from harness.common.errors import SpecError
from harness.sources.text_files import RawRow, read_lines

DOCUMENT = "-DOCSTART-"
_VARYING = "#begin document"  # opens a file of CoNLL-2012
NOTHING = "_"  # how these files say that there is no value
_NO_WORD = re.compile(r"\d+[-.]\d+")  # an id of CoNLL-U: a range of words, an empty node
_WORD = re.compile(r"\d+")
_OF_WIKIANN = re.compile(r"[a-z]{2,3}(-[a-z]+)*:(?=.)")
_EXAMPLES = "`conll: {token: 1, tag: 4}` (CoNLL-2003) or `conll: {token: 2, tag: 4}` (CoNLL-U)"


class Columns(NamedTuple):
    """Which columns are read, from 1, and how a line begins that is a comment (None: there are no
    comments)."""

    token: int
    tag: int
    comment: str | None = None


class _Line(NamedTuple):
    """A line with a token."""

    number: int
    token: str
    tag: str


def read_conll(path: Path, columns: Columns | None) -> list[RawRow]:
    """Sentences as {tokens, tags}. Without `columns`, every line is `token TAB tag` and nothing
    else is read.

    raises  SpecError at file:line: a line of another layout, saying which; an empty token or tag,
            or the tag `_`
    """
    lines = read_lines(path)
    found = _plain(path, lines) if columns is None else _chosen(path, lines, columns)
    sentences: list[RawRow] = []
    open_ = False
    for line in found:
        if line is None:
            open_ = False
            continue
        _check(path, line)
        if not open_:
            sentences.append({"tokens": [], "tags": []})
            open_ = True
        sentences[-1]["tokens"].append(line.token)
        sentences[-1]["tags"].append(line.tag)
    _check_words(path, [sentence["tokens"] for sentence in sentences])
    return sentences


def _check_words(path: Path, sentences: list[list[str]]) -> None:
    """SpecError where what stands as words is none in any sentence."""
    if sentences and all(set(words) == {NOTHING} for words in sentences):
        raise SpecError(
            f"{path}: every word is {NOTHING!r}: they are left out of this copy, as licences"
            " demand; restore them"
        )
    longest = max(map(len, sentences), default=0)
    for start in (0, 1):
        numbers = list(map(str, range(start, start + longest)))
        if longest > 1 and all(words == numbers[: len(words)] for words in sentences):
            raise SpecError(
                f"{path}: its words are {', '.join(numbers[:3])}, ... in every sentence: that"
                " column numbers them; say in `source` which one has the words, as `conll: {token:"
                " 2, tag: 3}`"
            )
    word = sentences[0][0] if sentences else ""
    prefix = _OF_WIKIANN.match(word)
    if prefix and all(one.startswith(prefix[0]) for words in sentences for one in words):
        raise SpecError(
            f"{path}: every word begins with {prefix[0]!r}, as in WikiAnn's own archives: take that"
            " off the words"
        )


def _plain(path: Path, lines: list[str]) -> Iterator[_Line | None]:
    """Lines of a file of two columns; None ends a sentence."""
    for number, line in enumerate(lines, 1):
        cells = line.split("\t")
        if not line.strip() or cells[0] == DOCUMENT:
            yield None
            continue
        if len(cells) != 2:
            raise SpecError(
                f"{path}:{number}:1: {_seen(line)}, where a line is token TAB tag and a blank line"
                " ends a sentence; of another layout say in `source` which columns to read, such"
                f" as {_EXAMPLES}"
            )
        yield _Line(number, cells[0], cells[1].strip(" "))


def _chosen(path: Path, lines: list[str], columns: Columns) -> Iterator[_Line | None]:
    """Lines of a file of any columns, as many in each line; None ends a sentence."""
    numbered = _by_number(lines, columns)
    if numbered and columns.comment is None:
        columns = columns._replace(comment="#")
    varying = any(line.startswith(_VARYING) for line in lines)
    width = 0
    for number, line in _words(lines, columns):
        cells = _cells(line)
        if not cells:
            width = 0 if varying else width
            yield None
            continue
        if numbered and _NO_WORD.fullmatch(cells[0]):
            continue
        width = width or len(cells)
        _check_width(path, number, line, len(cells), width, columns)
        yield _Line(number, cells[columns.token - 1], cells[columns.tag - 1])


def _by_number(lines: list[str], columns: Columns) -> bool:
    """Whether each line begins with the number of its word, as in CoNLL-U."""
    if min(columns.token, columns.tag) == 1:
        return False
    as_if = columns._replace(comment=columns.comment or "#")
    first = {_cells(line)[0] for _, line in _words(lines, as_if) if line}
    words = {cell for cell in first if _WORD.fullmatch(cell)}
    return not first or (bool(words) and all(map(_NO_WORD.fullmatch, first - words)))


def _words(lines: list[str], columns: Columns) -> Iterator[tuple[int, str]]:
    """The lines of words, each with its number; an empty one ends a sentence."""
    fresh = True  # no word of this sentence yet: only here a comment may stand
    for number, line in enumerate(lines, 1):
        cells = _cells(line)
        if not cells or cells[columns.token - 1 : columns.token] == [DOCUMENT]:
            fresh = True
            yield number, ""
        elif not (fresh and columns.comment is not None and line.startswith(columns.comment)):
            fresh = False
            yield number, line


def _cells(line: str) -> list[str]:
    """Between tabs where there is one (a word of CoNLL-U may hold a space), else between blanks. A
    blank line has none."""
    if not line.strip():
        return []
    if "\t" in line:
        return [cell.strip(" ") for cell in line.split("\t")]
    return [cell for cell in line.split(" ") if cell]


def _check_width(
    path: Path, number: int, line: str, found: int, width: int, columns: Columns
) -> None:
    last = max(columns.token, columns.tag)
    if found < last:
        what = "token" if columns.token == last else "tag"
        do = f"say in `source` which columns this file has, such as {_EXAMPLES}"
        if line.startswith("#"):
            do = (
                "only where every word begins with its number, as in CoNLL-U, it is left out; of"
                ' another file say how its comments begin: `comment: "#"` in `conll`'
            )
        raise SpecError(
            f"{path}:{number}:1: {_seen(line)}, where the spec reads the {what} in column {last};"
            f" {do}"
        )
    if found != width:
        raise SpecError(
            f"{path}:{number}:1: {_seen(line)}, where the lines before have {width};"
            " every line of a file has as many columns, and a blank line ends a sentence"
        )


def _check(path: Path, line: _Line) -> None:
    at = f"{path}:{line.number}:1"
    if not line.token.strip(" "):
        raise SpecError(
            f"{at}: an empty token, with the tag {line.tag!r}; a blank line ends a sentence, else"
            " name the word"
        )
    if not line.tag:
        raise SpecError(
            f"{at}: an empty tag, of the token {line.token!r}; every token has one (such as O)"
        )
    if line.tag == NOTHING:
        raise SpecError(
            f"{at}: the tag '_', of the token {line.token!r}, says that there is none; give the"
            " token a tag"
        )


def _seen(line: str) -> str:
    """What a line looks like."""
    if line.startswith("#"):
        return "a comment, as in CoNLL-U (#)"
    if "\t" in line:
        return f"{len(line.split(chr(9)))} columns between tabs"
    cells = _cells(line)
    columns = "one column" if len(cells) == 1 else f"{len(cells)} columns between spaces"
    return f"{columns}, and no tab"
