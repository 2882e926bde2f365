"""What the harness must know of a family of tasks: one class, in the family's own file, without
torch. The half that wakes torch is a file of `harness.models`, or of any package.
"""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from harness.common.strict import Strict
from harness.families.columns import Cells, Labels, Row
from harness.families.odd import Odd

if TYPE_CHECKING:
    from harness.models.half import Embedded, Ranked, Trained

_NOT_WORD = re.compile(r"[\W_]+", re.UNICODE)


def normalise(text: str) -> str:
    """Lower-case, compatibility-composed, punctuation and spacing folded to single spaces."""
    return _NOT_WORD.sub(" ", unicodedata.normalize("NFKC", text).lower()).strip()


class Family(ABC):
    """One kind of task. What has a default here need not be said.

    name          in YAML; it and the version are part of every key
    version       raised whenever the code of either half moves a result
    group         the column group of its targets on the board (XTREME's: Hu et al. 2020, table 1)
    half          the module of its other half: `harness.models.half` says what must be in there
    trained       a training comes before an evaluation; else sentences are embedded, and found
    options       the model of `options:` in YAML; every field has a default
    columns       what a task's `columns:` must map, and in `optional` what it may
    instead       which of the optional ones may stand in the place of which
    answers       what an answer is: the metrics that score such answers may score the family
    labelled      a task names its labels, and rows have them: `labels`, `relabelled`
    tuned         dev rows in every test language set a threshold
    bits          its other half can say the probability of a row's gold (pointwise V-information,
                  training dynamics)
    difficulty    as an intermediate it is easy or hard; masked-LM is neither, it is a control
    looked_at     its rows are read once before anything is trained; masked-LM reads too many
    head_options  the options that decide the shape of its head, and so whose trained head fits
    each_choice   its head scores each choice alone, so that it serves any number of them
    one_feature   a row is one feature, so that none is lost or split in training
    parts         how it reads sources whose files are `{part}`s: `heaps`, two of sentences and one
                  of pairs; `aligned`, two whose lines belong together; None, not at all. `pool`: a
                  file of queries, and those of the candidates (`source.pool`)
    sentences     it reads files of tokens and tags (CoNLL)
    layout        what its files look like in a folder of XTREME's (`xtreme.layouts`)
    facts         what an evaluation says of a language besides what every family says
    centred       an evaluation also searches after the mean was taken from the vectors
    transformers_head  the Auto class of transformers whose models have its head, for those that
                  were trained elsewhere
    label_outputs  each output of that head stands for one of the task's labels
    hub_task      what the hub calls such a task, in a model card
    known_gold    how a row with a known gold is spoken of: "none of 9 rows HAS AN ANSWER"
    """

    name: ClassVar[str]
    version: ClassVar[int]
    group: ClassVar[str]
    half: ClassVar[str]
    trained: ClassVar[bool]
    options: ClassVar[type[Strict]]
    columns: ClassVar[frozenset[str]]
    answers: ClassVar[str]

    optional: ClassVar[frozenset[str]] = frozenset()
    instead: ClassVar[Mapping[str, str]] = {}
    labelled: ClassVar[bool] = False
    tuned: ClassVar[bool] = False
    bits: ClassVar[bool] = False
    difficulty: ClassVar[bool] = True
    looked_at: ClassVar[bool] = True
    head_options: ClassVar[frozenset[str]] = frozenset()
    each_choice: ClassVar[bool] = False
    one_feature: ClassVar[bool] = False
    parts: ClassVar[Literal["heaps", "aligned", "pool"] | None] = None
    sentences: ClassVar[bool] = False
    layout: ClassVar[str | None] = None
    facts: ClassVar[frozenset[str]] = frozenset()
    centred: ClassVar[bool] = False
    transformers_head: ClassVar[str | None] = None
    label_outputs: ClassVar[bool] = False
    hub_task: ClassVar[str] = "other"
    known_gold: ClassVar[str] = "has an answer"

    def group_of(self, columns: Iterable[str]) -> str:
        """The column group of a task with these columns."""
        return self.group

    @abstractmethod
    def row(self, cells: Cells, labels: Labels) -> Row:
        """A row of a file as jobs read it, without its id; labels come out as names.

        raises  Unfit: what is wrong with it; NoColumn
        """

    @abstractmethod
    def texts(self, row: Row) -> list[str]:
        """All texts of a row. One that is blank makes the row `odd`."""

    @abstractmethod
    def gold(self, row: Row) -> Any:
        """What the metric compares a prediction with, as that metric takes it."""

    def placeholder(self, rows: Sequence[Row]) -> bool:
        """Whether the golds carry no information, as those of test sets with hidden labels do: all
        labels are the same one."""
        # benchmarks fill hidden labels in with one that is legal, so that scripts do not stop
        if not self.labelled:
            return False
        labels = [label for row in rows for label in self.labels(row)]
        return len(labels) > 1 and len(set(labels)) == 1

    def text(self, row: Row) -> str:
        """All that a row says, without its gold: what masked-LM reads in its place."""
        return " ".join([text for text in self.texts(row) if text])

    def fingerprints(self, row: Row) -> set[str]:
        """What a row shares with another, of any family, if one is a copy of the other."""
        return {"text:" + normalise(text) for text in self.texts(row)}

    def odd(
        self, rows: Sequence[Row], hidden: bool, training: Mapping[str, Any] | None = None
    ) -> Odd:
        """How many rows say nothing.

        hidden    the golds are placeholders
        training  the task's options, where the rows are to be trained on
        """
        return Odd(empty_text=sum(self._is_empty(row) for row in rows))

    def _is_empty(self, row: Row) -> bool:
        return any(not text.strip() for text in self.texts(row))

    def labels(self, row: Row) -> list[str]:
        """The labels of a row, one or several; of families that are `labelled`."""
        raise NotImplementedError(f"{self.name} has no labels")

    def relabelled(self, row: Row, labels: Sequence[str]) -> Row:
        """The row with as many other labels; of families that are `labelled`."""
        raise NotImplementedError(f"{self.name} has no labels")

    # The other half is imported by name, so that no import of this room reaches torch.

    def trainer(self) -> "Trained":
        """The other half of a family that is trained. Wakes torch."""
        return cast("Trained", import_module(self.half))

    def finder(self) -> "Embedded":
        """The other half of a family that finds sentences by their vectors."""
        return cast("Embedded", import_module(self.half))

    def ranker(self) -> "Ranked":
        """The other half of a family that ranks a pool of candidates."""
        return cast("Ranked", import_module(self.half))


class OneLabel(Family):
    """A family of which each row has one label."""

    labelled = True
    bits = True

    def gold(self, row: Row) -> str:
        """The row's label; where there are choices, that of the right one."""
        label: str = row["label"]
        return label

    def labels(self, row: Row) -> list[str]:
        """That one."""
        return [row["label"]]

    def relabelled(self, row: Row, labels: Sequence[str]) -> Row:
        """The row with another one."""
        return {**row, "label": labels[0]}
