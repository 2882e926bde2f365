"""Rank the candidates of one pool, that of all languages, for every query: the families
`answer_retrieval` (LAReQA) and `entity_linking` (Mewsli-X). Nothing is trained.

A row is a query, {id, text, relevant: ids of its right candidates}, and what else its family keeps.
The pool is no part of the rows: `sources.pool` reads it from the same dataset, and a cap takes
queries away, never candidates. Both data sets come in a layout of their own, which a family reads
by itself; there are no columns to name.
"""

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, PositiveInt

from harness.common.strict import Strict, later
from harness.families.columns import Cells, Labels, Row, Unfit, text
from harness.families.embedding import EmbeddingOptions
from harness.families.family import Family
from harness.families.span_qa import SPAN_QA

Raw = Mapping[str, Any]


class Candidate(Strict):
    """One of the pool. `keys`: a query with one of them is answered by it. `context`: what stands
    around it."""

    id: str
    text: str
    context: str = ""
    keys: list[str]


class RankingOptions(EmbeddingOptions):
    """Nearest neighbours of a query in one pool of candidates; nothing is trained."""

    candidate: Literal["text_and_context", "text"] = Field(
        "text_and_context",
        description="what of a candidate is embedded; XTREME-R: the sentence and its paragraph",
    )
    max_query_length: PositiveInt = Field(96, description="subwords of a query that are read")
    passage_prompt: str | None = later(
        None,
        description="text before each candidate; default: the encoder's prompts.passage",
    )


class Ranking(Family):
    """What both have in common. The first 20 candidates by cosine are a query's answer."""

    version = 1
    group = "retrieval"
    half = "harness.models.ranker"
    hub_task = "text-ranking"
    trained = False
    options = RankingOptions
    columns = frozenset()
    answers = "ranking"
    parts = "pool"
    known_gold = "has a right candidate"

    @abstractmethod
    def queries(self, raw: Iterable[Raw]) -> Iterator[Row]:
        """{id, text, key} of each query of a file of one language.

        raises  Unfit: what is wrong with one
        """

    @abstractmethod
    def candidates(self, raw: Iterable[Raw], language: str) -> Iterator[Candidate]:
        """Those of one file of the pool; `language` is "" where one file is that of all."""

    def row(self, cells: Cells, labels: Labels) -> Row:
        raise Unfit(f"is of no use alone; {self.name} reads queries and a pool of candidates")

    def texts(self, row: Row) -> list[str]:
        return [row["text"]]

    def gold(self, row: Row) -> list[str]:
        """The ids of the right candidates."""
        relevant: list[str] = row["relevant"]
        return relevant

    def placeholder(self, rows: Any) -> bool:
        return not any(row["relevant"] for row in rows)


class AnswerRetrieval(Ranking):
    """A question's answers are sentences: the one in which its own language's answer begins, and
    those in all others. Every sentence of every paragraph is a candidate.

    Rows of files in SQuAD's layout, each paragraph with `sentence_breaks`: [start, end] in
    characters. A question has one id in all languages.
    Source: google-research/xtreme, third_party/utils_lareqa.py; Roy et al. 2020, arXiv 2004.05484.
    """

    name = "answer_retrieval"

    def queries(self, raw: Iterable[Raw]) -> Iterator[Row]:
        for question in raw:
            sentence(question)  # or it is no question of this set
            yield {
                "id": question["id"],
                "text": question["question"],
                "key": question["id"],
                "paragraph": question["context"],
                "answers": question["answers"]["text"],
            }

    def candidates(self, raw: Iterable[Raw], language: str) -> Iterator[Candidate]:
        answered: dict[tuple[int, str], list[str]] = {}
        paragraphs: dict[int, Raw] = {}
        for question in raw:
            number = question["paragraph"]
            answered.setdefault((number, sentence(question)), []).append(question["id"])
            paragraphs.setdefault(number, question)
        for number, one in paragraphs.items():
            for place, (start, end) in enumerate(one["sentence_breaks"]):
                words = one["context"][start:end]
                yield Candidate(
                    id=f"{language}_{number}_{place}",
                    text=words,
                    context=one["context"],
                    keys=answered.get((number, words), []),
                )

    def fingerprints(self, row: Row) -> set[str]:
        """As a question of SQuAD's, so that a model that trained on it is found out."""
        answers = {"text": row["answers"]}
        return SPAN_QA.fingerprints(
            {"question": row["text"], "context": row["paragraph"], "answers": answers}
        )


def sentence(question: Raw) -> str:
    """The sentence in which a question's first answer begins. Unfit: there is none."""
    if "sentence_breaks" not in question:
        raise Unfit("is of a paragraph without `sentence_breaks`, a list of [start, end]")
    starts = question["answers"]["answer_start"][:1]
    for start, end in question["sentence_breaks"]:
        if starts and start <= starts[0] < end:
            return str(question["context"][start:end])
    raise Unfit(f"{question['id']}: its answer begins in no sentence")


class EntityLinking(Ranking):
    """A mention's answer is the one entity of a knowledge base that it means; candidates are the
    entities, each by a description in some language.

    A mention is a JSON object {context: {text, sentence_spans}, mentions: [{example_id, entity_id,
    mention_span}]}, an entity {entity_id, description, sentence_spans}; a span is {start, end} in
    characters. What is embedded is XTREME-R's: the mention, a colon, and its sentence with the
    mention in braces; of an entity its sentences.
    Source: google-research/xtreme, third_party/utils_mewslix.py (Ruder et al. 2021, arXiv
    2104.07412).
    """

    name = "entity_linking"
    layout = "rankings"

    def queries(self, raw: Iterable[Raw]) -> Iterator[Row]:
        for document in raw:
            for mention in _of(document, "mentions"):
                yield {
                    "id": text(_of(mention, "example_id"), "example_id"),
                    "text": marked(document, mention),
                    "key": text(_of(mention, "entity_id"), "entity_id").strip(),
                }

    def candidates(self, raw: Iterable[Raw], language: str) -> Iterator[Candidate]:
        for entity in raw:
            spans, words = _of(entity, "sentence_spans"), _of(entity, "description")
            sentences = [words[span["start"] : span["end"]] for span in spans]
            own = text(_of(entity, "entity_id"), "entity_id")
            yield Candidate(id=own, text=_tidy(" ".join(sentences)), keys=[own])


def marked(document: Raw, mention: Raw) -> str:
    """A mention before its sentence, in which it stands in braces; other pairs of braces become
    parentheses. Unfit: it is in no sentence."""
    context, span = _of(document, "context"), _of(mention, "mention_span")
    for one in _of(context, "sentence_spans"):
        if one["start"] <= span["start"] < span["end"] <= one["end"]:
            before = context["text"][one["start"] : span["start"]]
            after = context["text"][span["end"] : one["end"]]
            break
    else:
        raise Unfit(f"{mention['example_id']}: the mention is in no sentence")
    left, right = (re.sub(r"\{(.*?)\}", r"(\1)", side) for side in (before, after))
    words = context["text"][span["start"] : span["end"]]
    return _tidy(f"{words}: {left} {{ {words} }} {right}")


def _tidy(words: str) -> str:
    """Without line ends, and pairs of spaces as one, as XTREME-R has it."""
    return " ".join(words.splitlines()).replace("  ", " ").strip()


def _of(record: Any, name: str) -> Any:
    if not isinstance(record, Mapping) or name not in record:
        raise Unfit(f"has no {name!r}, in Mewsli-X's layout")
    return record[name]


ANSWER_RETRIEVAL = AnswerRetrieval()
ENTITY_LINKING = EntityLinking()
