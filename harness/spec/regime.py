"""A target regime beside zero-shot: what a target trains on besides English.

few_shot         English rows, and so many of each test language, together in one training. A model
                 for all languages, as in the multi-task rows of Hu et al. 2020 (arXiv 2003.11080,
                 table 2): one for each language is as many times the cost, and there for who cuts
                 the target to one language. Lauscher et al. 2020 (EMNLP, "From zero to hero") train
                 on English first and on the few rows then: a condition whose intermediate is the
                 target's own task.
translate_train  English rows, and their translations into test languages, together (the
                 "translate-train multi-task" of Hu et al. 2020)

Weights are chosen on English dev, as without a regime.
"""

from typing import Self

from pydantic import Field, PositiveInt, model_validator

from harness.common.strict import Name, Strict
from harness.common.text import as_label
from harness.spec.languages import in_label
from harness.spec.task import Languages, split_parts


class Regime(Strict):
    """Rows of test languages that a target trains on beside its English ones."""

    few_shot: PositiveInt | None = Field(
        None, description="rows of each language, drawn by the seed; with `split`"
    )
    split: str | None = Field(
        None, description="where they are drawn from: a split of the target, never its test rows"
    )
    translate_train: Name | None = Field(
        None, description="the task whose training rows are translations of the target's"
    )
    languages: Languages = Field(
        [], description="of which languages; default: the target's but English, or all translated"
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.few_shot is None) == (self.translate_train is None):
            raise ValueError("a regime is one of `few_shot: rows` and `translate_train: task`")
        if (self.few_shot is None) != (self.split is None):
            raise ValueError("`split:` goes with `few_shot:` (train, or validation[:50%])")
        if self.split:
            split_parts(self.split)
        return self

    @property
    def label(self) -> str:
        """What stands behind a target's name on the board: `few_shot_16`,
        `few_shot_16_de+sw.validation`, `translate_train.mnli_translated`. Two that differ have two;
        what all expect (of `train`, in all languages) is not said."""
        label = f"few_shot_{self.few_shot}" if self.few_shot else "translate_train"
        label += f"_{in_label(self.languages)}" if self.languages else ""
        if self.split and self.split != "train":
            return f"{label}.{as_label(self.split, split_parts(self.split)[0].name)}"
        return f"{label}.{self.translate_train}" if self.translate_train else label

    @property
    def about(self) -> str:
        """One line for whoever reads the board."""
        of = f" ({', '.join(self.languages)})" if self.languages else ""
        if self.few_shot:
            return f"English and {self.few_shot} rows of each test language{of}, split {self.split}"
        return f"English and the translations of {self.translate_train}{of}"

    def draws_from(self, test: str) -> bool:
        """Whether a row may be drawn that the split expression `test` holds too. Parts of one split
        are told apart where both are given in percent."""
        taken = split_parts(self.split) if self.split else []
        for one in taken:
            for other in split_parts(test):
                if one.name != other.name:
                    continue
                bounds = [one.start, one.stop, other.start, other.stop]
                if any(bound and not bound.endswith("%") for bound in bounds):
                    return True
                (start, stop), (first, last) = one.bounds(100), other.bounds(100)
                if start < last and first < stop:
                    return True
        return False
