"""Which files rows are read from: known by how a name ends, or by what `source` says of them. Code:
`harness/sources/read.py`."""

from typing import Self

from pydantic import Field, PositiveInt, model_validator

from harness.common.strict import Strict

PACKED = ".gz"  # every text format may be packed
PART = "{part}"
TEXT_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".conll")
SUFFIXES = (".parquet", *TEXT_SUFFIXES)
# Of files that come in parts: a heap's ids and texts, or one sentence a line, whatever the
# languages are called.
PART_SUFFIXES = (f".{PART}", ".txt")


class Conll(Strict):
    """Which columns of a file with one token a line are read; with it, blanks or tabs stand between
    them."""

    token: PositiveInt = Field(description="column of the word, from 1")
    tag: PositiveInt = Field(description="column of its tag, from 1")
    comment: str | None = Field(
        None,
        min_length=1,
        description=(
            "how a comment begins; # where the first column numbers the words (CoNLL-U), else none"
        ),
    )

    @model_validator(mode="after")
    def _two_columns(self) -> Self:
        if self.token == self.tag:
            raise ValueError(f"the token and its tag are two columns; both are {self.tag} here")
        return self


def format_of(name: str, conll: bool = False) -> str | None:
    """The format of a file of that name: a suffix without its dot, or `parts`; None if there is
    none such."""
    if conll:
        return "conll"
    plain = name.removesuffix(PACKED)
    if PART in plain and plain.endswith(PART_SUFFIXES):
        return "parts"
    known = SUFFIXES if plain == name else TEXT_SUFFIXES
    return next((suffix[1:] for suffix in known if plain.endswith(suffix)), None)
