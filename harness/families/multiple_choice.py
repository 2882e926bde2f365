"""A text and several continuations, one of them right: HellaSwag, CosmosQA, CommonsenseQA.

A row is {id, text, choices, label}. Where the data say which is right by its text (DREAM), the
column `answer` stands in the place of `label`.
"""

from typing import Literal

from pydantic import Field

from harness.common.strict import Strict
from harness.families.classification import Head
from harness.families.columns import Cells, Labels, Row, Unfit, listed, shown
from harness.families.family import OneLabel, normalise


class MultipleChoiceOptions(Strict):
    """A text and several continuations, one of them right. Each choice is read with the text;
    softmax over the choices."""

    head: Head = "plain"
    truncate: Literal["front", "end"] = Field(
        "front", description="which end of a pair that is too long is truncated; jiant: front"
    )


class MultipleChoice(OneLabel):
    """Cross-entropy over the choices of a row."""

    name = "multiple_choice"
    version = 1
    group = "multiple choice"
    half = "harness.models.chooser"
    transformers_head = "AutoModelForMultipleChoice"
    hub_task = "multiple-choice"
    trained = True
    options = MultipleChoiceOptions
    columns = frozenset({"text", "choices", "label"})
    optional = frozenset({"choice_prefix", "id", "answer"})
    instead = {"answer": "label"}
    answers = "choice"
    head_options = frozenset({"head"})
    each_choice = True
    one_feature = True
    layout = "choices"

    def row(self, cells: Cells, labels: Labels) -> Row:
        """As many choices as the task has labels; each begins with `choice_prefix`, if that is a
        column and not empty."""
        asked, choices = cells.text("text"), cells.each("choices", "choice")
        if len(choices) != len(labels.names) or len(choices) < 2:
            wanted = "every row needs one choice a label, and at least two"
            raise Unfit(
                f"has {len(choices)} choices, but its task has {len(labels.names)} labels; {wanted}"
            )
        prefix = cells.text("choice_prefix") if "choice_prefix" in cells else ""
        if "answer" in cells:
            label = labels.names[_place(cells.text("answer"), choices)]
        else:
            label = _named(cells, labels)
        return {
            "text": asked,
            "choices": [f"{prefix} {one}" if prefix else one for one in choices],
            "label": label,
        }

    def texts(self, row: Row) -> list[str]:
        return [row["text"], *row["choices"]]

    def text(self, row: Row) -> str:
        # an empty choice keeps its place, as it always did: masked-LM's texts must not move
        return " ".join([*filter(None, [row["text"]]), *row["choices"]])

    def fingerprints(self, row: Row) -> set[str]:
        """A text with its choices: the same question stands over many of them."""
        return {"choices:" + "\t".join([normalise(text) for text in self.texts(row)])}


def _named(cells: Cells, labels: Labels) -> str:
    """The label of the right choice. Where a row names its choices itself, `label` beside `text` as
    in CommonsenseQA and ARC, it is their name that counts: some rows have them in another order, or
    1 to 4 for A to D."""
    raw, own = cells.value("label"), cells.beside("choices", "label")
    if isinstance(own, list) and isinstance(raw, str) and own.count(raw) == 1:
        place = own.index(raw)
        if place < len(labels.names):
            return labels.names[place]
    return labels.name(raw)


def _place(answer: str, choices: list[str]) -> int:
    """Which choice the text of the right one is; the first of equals."""
    if answer not in choices:
        raise Unfit(
            f"has the answer {shown(answer)}, which is none of its choices {listed(choices)}"
        )
    return choices.index(answer)


MULTIPLE_CHOICE = MultipleChoice()
