"""Extractive question answering: SQuAD trains XQuAD and MLQA; TyDiQA-GoldP trains itself.

A row is {id, context, question, answers: {text: [...], answer_start: [...]}}.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, PositiveInt

from harness.common.strict import Strict
from harness.families.columns import Cells, Labels, Row, Unfit, kind, shown, text
from harness.families.family import Family, normalise
from harness.families.odd import Odd
from harness.metrics.qa import Gold

# "What is the capital? Paris" stands under many paragraphs and leaks nothing
MIN_QUESTION_WORDS = 8


class SpanQAOptions(Strict):
    """Extractive question answering over windows. Defaults: XTREME scripts/train_qa.sh,
    run_squad.py."""

    doc_stride: PositiveInt = Field(
        128, description="step between windows, in subwords (not their overlap)"
    )
    max_query_length: PositiveInt = Field(
        64, description="question subwords kept, truncated at the end"
    )
    n_best: PositiveInt = Field(20, description="start and end candidates per window")
    max_answer_length: PositiveInt = Field(30, description="subwords in an answer, at most")
    unanswerable: bool = Field(False, description="SQuAD 2.0: an empty answer may be right")


class SpanQA(Family):
    """The start and the end of the answer, each a softmax over a window's pieces."""

    name = "span_qa"
    # 2: answers keep their final combining marks (Hindi, Thai); 3: spaces belong to no piece
    version = 3
    group = "qa"
    half = "harness.models.span_reader"
    transformers_head = "AutoModelForQuestionAnswering"
    hub_task = "question-answering"
    trained = True
    options = SpanQAOptions
    columns = frozenset({"context", "question", "answers"})
    optional = frozenset({"id"})
    answers = "span"
    layout = "answers"

    def row(self, cells: Cells, labels: Labels) -> Row:
        return {
            "context": cells.text("context"),
            "question": cells.text("question"),
            "answers": _answers(cells),
        }

    def texts(self, row: Row) -> list[str]:
        return [row["context"], row["question"]]

    def gold(self, row: Row) -> Gold:
        """All accepted answers, the context (for the null predictor) and the paragraph (for
        clustering)."""
        return {
            "answers": list(row["answers"]["text"]),
            "context": row["context"],
            "group": row["context"],
        }

    def placeholder(self, rows: Sequence[Row]) -> bool:
        return all(unanswered(row) for row in rows)

    def fingerprints(self, row: Row) -> set[str]:
        """A context counts for itself (a model that trained on a paragraph has seen the answers in
        it), and so does a question with its answer if it is long enough to mean one thing."""
        specific = len(row["question"].split()) >= MIN_QUESTION_WORDS
        answers = [normalise(answer) for answer in row["answers"]["text"] if specific]
        asked = {f"question:{normalise(row['question'])}\t{answer}" for answer in answers if answer}
        return asked | {"context:" + normalise(row["context"])}

    def odd(
        self, rows: Sequence[Row], hidden: bool, training: Mapping[str, Any] | None = None
    ) -> Odd:
        """Also of how many questions the first answer does not stand where it says; one without an
        answer is in order, unless it is to be trained on and the task has none such."""
        found = super().odd(rows, hidden)
        if hidden:  # placeholders are nowhere
            return found
        fine = [_in_place(row, training) for row in rows]
        return found._replace(misplaced=fine.count(False))


def _in_place(row: Row, training: Mapping[str, Any] | None) -> bool:
    if training is None:
        return not row["answers"]["text"] or located(row)
    if unanswered(row):
        unanswerable: bool = training.get("unanswerable", False)
        return unanswerable
    return located(row)


def unanswered(row: Row) -> bool:
    """Whether a question has no answer, or none but blank ones, as some write "there is none"; as
    SQuAD 2.0's script has it."""
    return not any(answer.strip() for answer in row["answers"]["text"])


def located(row: Row) -> bool:
    """Whether a question's first answer, the one that training reads, stands in the context where
    it says."""
    answer, start = row["answers"]["text"][0], row["answers"]["answer_start"][0]
    context: str = row["context"]
    return start >= 0 and bool(answer.strip()) and context.startswith(answer, start)


def _answers(cells: Cells) -> Row:
    """Two lists of one length: the texts of the answers, and at which character of the context each
    starts."""
    wanted = "answers are {text: [...], answer_start: [...]}, two lists of one length"
    column, found = shown(cells.columns["answers"]), cells.value("answers")
    if not isinstance(found, Mapping):
        raise Unfit(f"has {shown(found)} in column {column}, {kind(found)}; {wanted}")
    for name in ("text", "answer_start"):
        if not isinstance(found.get(name), list):
            what = (
                f"{shown(found[name])} as {name}, {kind(found[name])},"
                if found.get(name) is not None
                else f"no {name}"
            )
            raise Unfit(f"has {what} in column {column}; {wanted}")
    texts, starts = found["text"], found["answer_start"]
    if len(texts) != len(starts):
        raise Unfit(
            f"has {len(texts)} answers but {len(starts)} starts in column {column}; {wanted}"
        )
    return {
        "text": [
            text(one, f"{cells.columns['answers']}.text", f"as answer {i} ")
            for i, one in enumerate(texts)
        ],
        "answer_start": [_start(one, i) for i, one in enumerate(starts)],
    }


def _start(found: Any, number: int) -> int:
    if isinstance(found, float) and found.is_integer():
        return int(found)
    if isinstance(found, bool) or not isinstance(found, int):
        what = "nothing" if found is None else f"{shown(found)}, {kind(found)},"
        raise Unfit(
            f"has {what} as the start of answer {number}; a start is a whole number of characters"
        )
    return found


SPAN_QA = SpanQA()
