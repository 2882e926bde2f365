"""The text of a file, as every reader takes it: UTF-8, without its byte-order mark, unpacked if its
name ends in .gz.

One place for what text is, so that a mark, a Latin-1 letter or a cut archive means the same in
data, labels and answers.
"""

import codecs
import gzip
import json
import math
import zlib
from pathlib import Path
from typing import Any, NoReturn

from harness.common.errors import SpecError
from harness.store import disk_errors

RawRow = dict[str, Any]  # a row as its file has it: column → value

LFS_POINTER = b"version https://git-lfs.github.com/spec/"

# Longer marks first: that of UTF-32 begins with that of UTF-16.
_OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# What a file's first bytes say that it is, where its name says that it is text.
_NO_TEXT = {
    b"\x1f\x8b": "it is packed with gzip; unpack it, or let its name end in .gz",
    b"PK\x03\x04": "it is a zip archive or an Excel file; unpack it, or save it as text",
    b"PAR1": "it is a Parquet file; let its name end in .parquet",
    LFS_POINTER: (
        "it is a pointer of Git LFS, not the file itself; run git lfs pull where it was cloned"
    ),
    b"/annex/objects/": (
        "it is a pointer of git-annex, not the file itself; run git annex get where it was cloned"
    ),
    b"<!DOCTYPE html": "it is a page of the web; download the file that the page is about",
    b"404: Not Found": "it is a server's answer, not the file; look its address up, and fetch it",
}


def read_text(path: Path) -> str:
    """The whole text of a file.

    raises  SpecError: not UTF-8 (file:line:column, the byte), a NUL byte, a broken archive, another
            kind of file; StoreError: the disk
    """
    with disk_errors("read", path):
        data = path.read_bytes()
    return decoded(path, unpacked(path, data))


def unpacked(path: Path, data: bytes) -> bytes:
    """The bytes of a file whose name ends in .gz, unpacked; those of another as they are."""
    if path.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        said = str(error).rstrip(".")
        raise SpecError(
            f"{path}: a gzip file that is truncated or broken ({said}); fetch or pack it again"
        ) from None


def what_else(data: bytes) -> str:
    """What a file's first bytes say that it is, and what to do, where that is no text; else
    nothing."""
    return next((what for start, what in _NO_TEXT.items() if data.startswith(start)), "")


def decoded(path: Path, data: bytes) -> str:
    """Bytes as text. A byte-order mark at the start says how the bytes are meant, and is none of
    the text."""
    if what := what_else(data):
        raise SpecError(f"{path}: no text: {what}")
    for mark, name in _OTHER_ENCODINGS.items():
        if data.startswith(mark):
            raise SpecError(
                f"{path}:1:1: not UTF-8 text but {name} (its byte-order mark says so); save it as"
                " UTF-8"
            )
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = _place(data, error.start)
        byte = f"byte {data[error.start]:#04x}"
        raise SpecError(f"{path}:{at}: not UTF-8 text ({byte}); save it as UTF-8") from None
    if "\0" in text:
        at = _place(data, data.index(b"\0"))
        raise SpecError(f"{path}:{at}: a NUL byte, which no text has; save it as UTF-8 text")
    return text


def _place(data: bytes, offset: int) -> str:
    """line:column of a byte, both from 1; columns count characters."""
    start = data.rfind(b"\n", 0, offset) + 1
    line = data.count(b"\n", 0, offset) + 1
    return f"{line}:{len(data[start:offset].decode('utf-8', errors='replace')) + 1}"


def read_lines(path: Path) -> list[str]:
    r"""The lines of a file without their ends, the empty ones too; a line's number is its place,
    from 1.

    Only \n and \r\n end a line. A \r inside one is text, as are U+2028, \x0b and the like, at which
    `splitlines` cuts.
    """
    text = read_text(path)
    lines = text.split("\n")
    body = text.rstrip("\r\n")  # a single line feed may end what has none
    if "\r" in body and "\n" not in body:
        raise SpecError(
            f"{path}:1:1: its lines end in a carriage return alone; save it with line feeds (\\n)"
        )
    if not lines[-1]:
        lines.pop()
    return [line.rstrip("\r") for line in lines]


def parse_json(text: str) -> Any:
    """JSON as its standard has it: no NaN, no infinity, no number beyond a float, no key twice in
    one object.

    raises  ValueError (JSONDecodeError where the place is known)
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError("brackets in brackets, too deep to read") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON; write null, or leave the row out")


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word} is no number that a computer can hold")
    return number
