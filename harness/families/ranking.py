"""Rank the candidates of one pool, that of all languages, for every query: the families
`answer_retrieval` (LAReQA) and `entity_linking` (Mewsli-X). Nothing is trained.

A row is a query, {id, text, relevant: ids of its right candidates, found: whether one of them has a
text}, and what else its family keeps. The pool is no part of the rows: `sources.pool` reads it from
the same dataset, and a cap takes queries away, never candidates. Both data sets come in a layout of
their own, which a family reads by itself; there are no columns to name.
"""

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import Field, PositiveInt

from harness.common.strict import Strict, later
from harness.families.columns import Cells, Labels, Row, Unfit, kind, shown, text
from harness.families.embedding import EmbeddingOptions
from harness.families.family import Family
from harness.families.odd import Odd
from harness.families.span_qa import SPAN_QA, located

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

        raw     its records (`sources.read.read_records`)
        raises  Unfit: what is wrong with the last one
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

    def odd(
        self, rows: Sequence[Row], hidden: bool, training: Mapping[str, Any] | None = None
    ) -> Odd:
        """Also of how many queries no right candidate is in the pool, which scores 0 as in
        XTREME-R's evaluation, or none has a text."""
        counted = super().odd(rows, hidden)
        if hidden:
            return counted
        return counted._replace(misplaced=sum(not self._in_place(row) for row in rows))

    def _in_place(self, row: Row) -> bool:
        """Whether a query's answer is where it says."""
        found: bool = row["found"]
        return found


class AnswerRetrieval(Ranking):
    """A question's answers are sentences: the one in which its own language's answer begins, and
    those in all others. Every sentence of every paragraph is a candidate.

    Files in SQuAD's layout, each paragraph with `sentence_breaks`: [start, end] in characters, in
    order. A question has one id in all languages, and stands once in each.
    Source: google-research/xtreme, third_party/utils_lareqa.py; Roy et al. 2020, arXiv 2004.05484.
    """

    name = "answer_retrieval"

    def queries(self, raw: Iterable[Raw]) -> Iterator[Row]:
        for paragraph in _paragraphs(raw):
            for question in paragraph.questions:
                yield {**question, "key": question["id"]}

    def candidates(self, raw: Iterable[Raw], language: str) -> Iterator[Candidate]:
        for number, paragraph in enumerate(_paragraphs(raw), 1):
            answered: dict[str, list[str]] = {}
            for question in paragraph.questions:
                answered.setdefault(question["sentence"], []).append(question["id"])
            for place, words in enumerate(paragraph.sentences):
                yield Candidate(
                    id=f"{language}_{number}_{place}",
                    text=words,
                    context=paragraph.context,
                    keys=answered.get(words, []),
                )

    def fingerprints(self, row: Row) -> set[str]:
        """As a question of SQuAD's, so that a model that trained on it is found out."""
        return SPAN_QA.fingerprints({**row, "question": row["text"]})

    def _in_place(self, row: Row) -> bool:
        return super()._in_place(row) and located(row)


class Paragraph(NamedTuple):
    """One of SQuAD's layout, and the questions on it: {id, text, context, answers, sentence}."""

    context: str
    sentences: list[str]
    questions: list[Row]


def _paragraphs(raw: Iterable[Raw]) -> Iterator[Paragraph]:
    """Those of one file."""
    asked: set[str] = set()
    for paragraph in raw:
        if "questions" not in paragraph or "sentence_breaks" not in paragraph:
            raise Unfit(
                "must be a paragraph in SQuAD's layout (data, paragraphs, qas) with"
                " `sentence_breaks`, a list of [start, end]"
            )
        context = _text(paragraph, "context")
        breaks = _breaks(paragraph, context)
        questions = []
        for number, given in enumerate(paragraph["questions"]):
            try:
                question = _question(given, breaks)
                if question["id"] in asked:
                    raise Unfit(f"has the id {shown(question['id'])} for a second time")
            except Unfit as wrong:
                raise Unfit(f"in qas[{number}] {wrong}") from None
            asked.add(question["id"])
            questions.append(question)
        yield Paragraph(context, [context[start:end] for start, end in breaks], questions)


def _breaks(paragraph: Raw, context: str) -> list[tuple[int, int]]:
    breaks: list[tuple[int, int]] = []
    for one in _list(paragraph, "sentence_breaks"):
        start, end = _span(one, one, context, "sentence_breaks")
        if breaks and start < breaks[-1][1]:
            raise Unfit(f"has {shown(one)} in 'sentence_breaks' out of order")
        breaks.append((start, end))
    return breaks


def _question(given: Raw, breaks: list[tuple[int, int]]) -> Row:
    """With the sentence in which its first answer begins."""
    cells = Cells({name: name for name in ("id", "context", "question", "answers")}, given)
    row = SPAN_QA.row(cells, Labels([]))
    context, answers = row["context"], row["answers"]
    for first in answers["answer_start"][:1]:
        for start, end in breaks:
            if start <= first < end:
                asked = {"id": cells.id(""), "text": row["question"], "context": context}
                return {**asked, "answers": answers, "sentence": context[start:end]}
    raise Unfit(f"{shown(given['id'])}: its answer begins in no sentence")


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
            for mention in _list(document, "mentions"):
                yield {
                    "id": _id(mention, "example_id"),
                    "text": marked(document, mention),
                    "key": _id(mention, "entity_id").strip(),
                }

    def candidates(self, raw: Iterable[Raw], language: str) -> Iterator[Candidate]:
        for entity in raw:
            words = _text(entity, "description")
            sentences = [words[start:end] for start, end in _spans(entity, words)]
            # official strips those of mentions, and `map_at_20` those that are right
            own = _id(entity, "entity_id").strip()
            yield Candidate(id=own, text=_tidy(" ".join(sentences)), keys=[own])


def marked(document: Raw, mention: Raw) -> str:
    """A mention before its sentence, in which it stands in braces; other pairs of braces become
    parentheses. Unfit: it is in no sentence, or its own `text` is another."""
    context, span = _of(document, "context"), _of(mention, "mention_span")
    whole = _text(context, "text")
    start, end = _ends(span, whole, "mention_span")
    words = whole[start:end]
    if isinstance(span, Mapping) and span.get("text", words) != words:
        raise Unfit(f"has the mention {shown(span)} where {shown(words)} stands")
    for first, last in _spans(context, whole):
        if first <= start and end <= last:
            before, after = whole[first:start], whole[end:last]
            break
    else:
        raise Unfit(f"has the mention {shown(words)}, {shown(span)}, in no sentence")
    left, right = (re.sub(r"\{(.*?)\}", r"(\1)", side) for side in (before, after))
    return _tidy(f"{words}: {left} {{ {words} }} {right}")


def _tidy(words: str) -> str:
    """Without line ends, and pairs of spaces as one, as XTREME-R has it."""
    return " ".join(words.splitlines()).replace("  ", " ").strip()


# Fields of records, none of which is trusted


def _of(record: Any, name: str) -> Any:
    if not isinstance(record, Mapping) or name not in record:
        raise Unfit(f"has no {name!r}, in Mewsli-X's layout")
    return record[name]


def _text(record: Any, name: str) -> str:
    return text(_of(record, name), name)


def _id(record: Any, name: str) -> str:
    _of(record, name)
    return Cells({"id": name}, record).id("")


def _list(record: Any, name: str) -> list[Any]:
    found = _of(record, name)
    if not isinstance(found, list):
        what = "nothing" if found is None else f"{shown(found)}, {kind(found)},"
        raise Unfit(f"has {what} as {name!r}; a list is needed")
    return found


def _spans(record: Any, words: str) -> list[tuple[int, int]]:
    name = "sentence_spans"
    return [_ends(one, words, name) for one in _list(record, name)]


def _ends(span: Any, words: str, name: str) -> tuple[int, int]:
    """Of one as Mewsli-X has it, {start, end}."""
    ends = [span.get("start"), span.get("end")] if isinstance(span, Mapping) else None
    return _span(span, ends, words, name)


def _span(said: Any, ends: Any, words: str, name: str) -> tuple[int, int]:
    """The start and the end of a part of `words`, which is not empty; `said`: as the file says
    it."""
    if isinstance(ends, list) and [type(end) for end in ends] == [int, int]:
        start, end = ends
        if 0 <= start < end <= len(words):
            return start, end
    raise Unfit(
        f"has {shown(said)} in {name!r}; a start and an end in characters are needed, within the"
        f" {len(words)} of its text"
    )


ANSWER_RETRIEVAL = AnswerRetrieval()
ENTITY_LINKING = EntityLinking()
