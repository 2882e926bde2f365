"""How a mixture draws from its tasks. A file of its own: a training needs no more of a suite."""

from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from harness.common.strict import Name, Strict, later


class Sampler(Strict):
    """Which task of a mixture gives the next update's batch. Drawn per update, as jiant does
    (samplers of jiant 2.2).

    proportional   by training rows, of which at most `cap` count
    uniform        each as often
    temperature    by (rows, at most `cap`) to the power 1/temperature
    weights        by the numbers in `weights`

    jiant counts what its encoder reads, so that a question over a long text counts once a window
    (`get_num_examples_from_cache` in its configurator): `count: features`.
    """

    by: Literal["proportional", "uniform", "temperature", "weights"] = "proportional"
    cap: PositiveInt | None = Field(None, description="rows of a task that count, at most")
    temperature: PositiveFloat = 1.0
    weights: dict[Name, PositiveFloat] = {}
    count: Literal["rows", "features"] = later(
        "rows", description="what is counted; features: windows, parts of a split sentence (jiant)"
    )

    @model_validator(mode="after")
    def _weights_when_asked(self) -> Self:
        if (self.by == "weights") != bool(self.weights):
            raise ValueError("`weights: {task: number}` goes with `by: weights`, and only with it")
        if self.temperature != 1.0 and self.by != "temperature":
            raise ValueError("`temperature: number` goes with `by: temperature`, and only with it")
        if self.cap and self.by in ("uniform", "weights"):
            raise ValueError(f"`cap: rows` changes nothing with `by: {self.by}`; leave it out")
        if self.count != "rows" and self.by in ("uniform", "weights"):
            raise ValueError(f"`count:` changes nothing with `by: {self.by}`; leave it out")
        return self

    def shares(self, rows: dict[str, int]) -> dict[str, float]:
        """Each task's probability, given its number of training rows, or of features."""
        counted = {task: min(n, self.cap or n) for task, n in rows.items()}

        def weight(task: str) -> float:
            if self.by == "weights":
                return self.weights[task]
            if self.by == "temperature":
                return float(counted[task] ** (1 / self.temperature))
            return 1.0 if self.by == "uniform" else float(counted[task])

        total = sum(map(weight, rows))
        return {task: weight(task) / total for task in rows}
