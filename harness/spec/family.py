"""Each family's own part of a task spec: what only that family needs to know.

Families are code, tasks are data: this table says which families exist, which columns a task of each must map,
and which `options:` it may set. The code is `harness/families/<family>.py`.
Adding a family = its options and columns here, its file there, and one line in `families/__init__.py`.
"""

from typing import Literal, NamedTuple

from pydantic import Field, PositiveInt

from harness.spec.base import Strict


class ClassificationOptions(Strict):
    """One or two texts in, one of `labels` out. Nothing to set."""


class TaggingOptions(Strict):
    """One label a word, predicted at the word's first piece. XTREME utils_tag.py sets both defaults."""

    max_word_pieces: PositiveInt = Field(125, description="a word with more pieces becomes one unknown token")


class SpanQAOptions(Strict):
    """Extractive question answering over windows. Defaults: XTREME scripts/train_qa.sh, run_squad.py."""

    doc_stride: PositiveInt = Field(128, description="step between windows, in pieces (not their overlap)")
    max_query_length: PositiveInt = Field(64, description="question pieces kept, cut at the end")
    n_best: PositiveInt = Field(20, description="start and end candidates per window")
    max_answer_length: PositiveInt = Field(30, description="pieces in an answer, at most")
    unanswerable: bool = Field(False, description="SQuAD 2.0: an empty answer may be right")


class RetrievalOptions(Strict):
    """Nearest-neighbour search between sentences and their English translations; nothing is trained."""

    direction: Literal["english_to_foreign", "foreign_to_english"] = Field(
        "english_to_foreign", description="which side is the query; XTREME searches from English"
    )
    pooling: Literal["mean", "cls"] | None = Field(None, description="default: the encoder's own")
    layer: int | None = Field(None, description="index into hidden states, 0 = embeddings, -1 = last; default: the encoder's")


class FamilySpec(NamedTuple):
    """What the catalog checks of a family: its options model, the columns it needs and may use, labels or not.

    `version` is raised whenever the family's code moves a result; it is part of every key.
    """

    version: int
    options: type[Strict]
    columns: frozenset[str]
    optional: frozenset[str]
    labelled: bool
    trained: bool
    metrics: tuple[str, ...]


FAMILIES: dict[str, FamilySpec] = {
    "classification": FamilySpec(
        1, ClassificationOptions, frozenset({"text", "label"}), frozenset({"text_pair", "id"}), True, True, ("accuracy",)
    ),
    "tagging": FamilySpec(1, TaggingOptions, frozenset({"tokens", "tags"}), frozenset({"id"}), True, True, ("span_f1",)),
    "span_qa": FamilySpec(
        2,  # 2: answers keep their final combining marks (Hindi, Thai)
        SpanQAOptions,
        frozenset({"context", "question", "answers"}),
        frozenset({"id"}),
        False,
        True,
        ("squad", "mlqa", "squad_v2"),
    ),
    "retrieval": FamilySpec(
        1, RetrievalOptions, frozenset({"source", "target"}), frozenset({"id"}), False, False, ("retrieval_accuracy",)
    ),
}
