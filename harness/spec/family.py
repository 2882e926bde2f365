"""Each family's own part of a task spec: what only that family needs to know.

Families are code, tasks are data: this table says which families exist, which columns a task of
each must map, and which `options:` it may set. The code is `harness/models/<family>.py`.
Adding a family = its options and columns here, its file there, and one line in
`families/__init__.py`.
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, PositiveInt

from harness.spec.base import Strict

Head = Annotated[
    Literal["plain", "pooled"],
    Field(
        description=(
            "plain: on the first token's hidden state (XTREME); pooled: on a pooler that an"
            " intermediate hands over"
        )
    ),
]
Layer = int | dict[str, int] | None  # a map names encoders; others take their own


class ClassificationOptions(Strict):
    """One or two texts in, one of `labels` out."""

    head: Head = "plain"


class MultipleChoiceOptions(Strict):
    """A text and several continuations, one of them right. Each choice is read with the text;
    softmax over the choices."""

    head: Head = "plain"
    truncate: Literal["front", "end"] = Field(
        "front", description="which end of a pair that is too long is cut; jiant: front"
    )


class TaggingOptions(Strict):
    """One label a word, predicted at the word's first piece. XTREME utils_tag.py sets both
    defaults."""

    max_word_pieces: PositiveInt = Field(
        125, description="a word with more pieces becomes one unknown token"
    )
    extra_separator: bool = Field(
        True,
        description=(
            "end as the first text of a pair does: XTREME gives RoBERTa-like encoders two"
            " separators, jiant one"
        ),
    )
    outside: bool = Field(
        True,
        description="prepend a class O if the labels lack it: XTREME has 18 for UD-POS, jiant 17",
    )


class SpanQAOptions(Strict):
    """Extractive question answering over windows. Defaults: XTREME scripts/train_qa.sh,
    run_squad.py."""

    doc_stride: PositiveInt = Field(
        128, description="step between windows, in pieces (not their overlap)"
    )
    max_query_length: PositiveInt = Field(64, description="question pieces kept, cut at the end")
    n_best: PositiveInt = Field(20, description="start and end candidates per window")
    max_answer_length: PositiveInt = Field(30, description="pieces in an answer, at most")
    unanswerable: bool = Field(False, description="SQuAD 2.0: an empty answer may be right")


class RetrievalOptions(Strict):
    """Nearest-neighbour search between sentences and their English translations; nothing is
    trained."""

    direction: Literal["english_to_foreign", "foreign_to_english"] = Field(
        "english_to_foreign", description="which side is the query; XTREME searches from English"
    )
    pooling: Literal["mean", "cls"] | None = Field(None, description="default: the encoder's own")
    layer: Layer = Field(
        None,
        description="index into hidden states, 0 = embeddings, -1 = last; default: the encoder's",
    )


class BitextMiningOptions(Strict):
    """Pairs of translations among two heaps of sentences; nothing is trained. Defaults: XTREME's
    utils_retrieve.py."""

    margin: Literal["ratio", "distance", "absolute"] = Field(
        "ratio", description="how a cosine is held against the neighbours'"
    )
    retrieval: Literal["max", "intersect", "forward", "backward"] = Field(
        "max", description="which side may propose a pair"
    )
    neighbours: PositiveInt = 4
    duplicates: Literal["drop", "all"] = Field(
        "drop",
        description=(
            "a text that occurs twice on its side: no id is given (XTREME), or all of them are"
            " (jiant)"
        ),
    )
    pooling: Literal["mean", "cls"] | None = Field(None, description="default: the encoder's own")
    layer: Layer = Field(
        None,
        description="index into hidden states, 0 = embeddings, -1 = last; default: the encoder's",
    )


class MLMOptions(Strict):
    """Masked language modelling (Devlin et al. 2019, arXiv 1810.04805, section 3.1): 80% masked,
    10% random, 10% kept."""

    mask_probability: float = Field(
        0.15, gt=0, lt=1, description="share of the pieces to be predicted"
    )


class FamilySpec(NamedTuple):
    """What the catalog checks of a family: its options model, the columns it needs and may use,
    labels or not.

    `version` is raised whenever the family's code moves a result; it is part of every key.
    """

    version: int
    options: type[Strict]
    columns: frozenset[str]
    optional: frozenset[str]
    labelled: bool
    trained: bool
    metrics: tuple[str, ...]
    tuned: bool = False  # dev rows in every test language set a threshold
    # it can say the probability of a row's gold label: PVI, training dynamics, shuffled labels
    bits: bool = False
    # as an intermediate it is easy or hard; masked-LM is neither, it is a control
    difficulty: bool = True


FAMILIES: dict[str, FamilySpec] = {
    "classification": FamilySpec(
        1,
        ClassificationOptions,
        frozenset({"text", "label"}),
        frozenset({"text_pair", "id"}),
        True,
        True,
        ("accuracy", "accuracy_f1", "macro_f1", "matthews"),
        bits=True,
    ),
    "multiple_choice": FamilySpec(
        1,
        MultipleChoiceOptions,
        frozenset({"text", "choices", "label"}),
        frozenset({"choice_prefix", "id"}),
        True,
        True,
        ("accuracy",),
        bits=True,
    ),
    "tagging": FamilySpec(
        2,  # 2: the separators and the extra class of XTREME
        TaggingOptions,
        frozenset({"tokens", "tags"}),
        frozenset({"id"}),
        True,
        True,
        ("span_f1", "token_accuracy"),
        bits=True,
    ),
    "span_qa": FamilySpec(
        # 2: answers keep their final combining marks (Hindi, Thai); 3: spaces belong to no piece
        3,
        SpanQAOptions,
        frozenset({"context", "question", "answers"}),
        frozenset({"id"}),
        False,
        True,
        ("squad", "mlqa", "squad_v2"),
    ),
    "retrieval": FamilySpec(
        1,
        RetrievalOptions,
        frozenset({"source", "target"}),
        frozenset({"id"}),
        False,
        False,
        ("retrieval_accuracy",),
    ),
    "bitext_mining": FamilySpec(
        1, BitextMiningOptions, frozenset(), frozenset(), False, False, ("mining_f1",), tuned=True
    ),
    "mlm": FamilySpec(
        1,
        MLMOptions,
        frozenset({"text"}),
        frozenset({"id"}),
        False,
        True,
        ("masked_accuracy",),
        difficulty=False,
    ),
}
