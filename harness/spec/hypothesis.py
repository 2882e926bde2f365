"""What a suite's author expects to find, written down before it is run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from harness.common.strict import Name, Strict


class Hypothesis(Strict):
    """One expectation, in points: about the gain of each of `arms`, or about easy − hard.

    It holds if all numbers that it names lie between `above` and `below` with their whole 95%
    interval; it fails if one lies beyond with its whole interval, of n numbers that at 1 - 5%/n;
    else it is not decided.
    """

    hypothesis: Name = Field(description="its name")
    says: str = Field(min_length=1, description="what is expected, in one line")
    primary: bool = Field(False, description="the one that is tested; all others are exploratory")
    of: Literal["gain", "easy_minus_hard"] = Field(
        "gain", description="the gain of each of `arms`; or of easy tasks minus that of hard ones"
    )
    arms: list[Name] = Field([], description="conditions, of `of: gain`; each is looked at")
    minus: list[Name] = Field(
        [], description="conditions: what each of `arms` gains more than each of these"
    )
    targets: list[Name] = Field(
        [], description="each is looked at; none: the mean over the headline targets"
    )
    by: Literal["pvi"] | None = Field(
        None, description="of easy_minus_hard: pvi splits by PVI, whatever the suite's split rule"
    )
    without: list[Name] = Field(
        [], description="of easy_minus_hard: tasks that are on neither side; the rest is split"
    )
    above: float | None = Field(None, description="points; no number is at most this")
    below: float | None = Field(None, description="points; no number is at least this")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("above: a hypothesis has a bound, `above:`, `below:` or both")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ValueError("above: it must be less than `below:`")
        return self

    @model_validator(mode="after")
    def _about_one_kind(self) -> Self:
        is_gain = self.of == "gain"
        if is_gain and not self.arms:
            raise ValueError("arms: name the conditions whose gains these are")
        if not is_gain and self.arms:
            raise ValueError("arms: they do not go with `of: easy_minus_hard`")
        strange = ("by", "without") if is_gain else ("minus",)
        if given := [name for name in strange if getattr(self, name)]:
            raise ValueError(f"{given[0]}: it does not go with `of: {self.of}`")
        return self

    @model_validator(mode="after")
    def _once(self) -> Self:
        for field in ("conditions", "targets"):
            names = getattr(self, field)
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise ValueError(f"{twice}: it is named twice")
        return self

    @property
    def conditions(self) -> list[str]:
        """All that it names."""
        return [*self.arms, *self.minus, *self.without]
