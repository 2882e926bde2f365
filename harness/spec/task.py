"""A task: a dataset in one or more languages, a family, a metric. One YAML file, all its languages in it.

    task: xnli                       source: {hub: google/xtreme, config: XNLI, where: {language: "{language}"}}
    family: classification           columns: {text: sentence1, text_pair: sentence2, label: gold_label}

`{language}` and `{name}` in a source are filled in per language (`names: {de: German}` gives `{name}`).
"""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveInt, field_validator, model_validator

from harness.spec.base import Name, Strict
from harness.spec.explain import nearest
from harness.spec.family import FAMILIES
from harness.spec.languages import ISO_639_1, MLQA_LANGUAGES


def _known_language(code: str) -> str:
    base = code.split("-")[0]
    if base in ISO_639_1 or re.fullmatch(r"[a-z]{3}", base):  # three letters: ISO 639-3, taken on trust
        return code
    raise ValueError(f"{code!r} is no language code{nearest(code, ISO_639_1)}")


Language = Annotated[str, AfterValidator(_known_language)]

# 'validation', 'validation[:80%]', 'train[100:200]', 'dev_r1+dev_r2': the notation of the `datasets` library.
_SPLIT_PART = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)(\[(?P<from>\d+%?)?:(?P<to>\d+%?)?\])?$")


class SplitPart(Strict):
    """One summand of a split expression: rows [start, stop) of split `name`, in rows or in percent."""

    name: str
    start: str | None = None
    stop: str | None = None

    def bounds(self, rows: int) -> tuple[int, int]:
        """The half-open row range this part selects out of `rows` rows; percents round down."""

        def at(bound: str | None, default: int) -> int:
            if bound is None:
                return default
            return min(rows, rows * int(bound[:-1]) // 100 if bound.endswith("%") else int(bound))

        return at(self.start, 0), at(self.stop, rows)


def split_parts(expression: str) -> list[SplitPart]:
    """Parse a split expression; raises ValueError that shows the notation."""
    parts = []
    for text in expression.split("+"):
        match = _SPLIT_PART.match(text.strip())
        if not match:
            raise ValueError(f"{expression!r} is no split; write 'train', 'train[:80%]', 'train[100:200]' or 'a+b'")
        parts.append(SplitPart(name=match["name"], start=match["from"], stop=match["to"]))
    return parts


class Numbering(Strict):
    """Row numbers of a parallel test set whose copies lack some rows, so that a row has one id in every language."""

    rows: PositiveInt = Field(description="rows of the complete set")
    absent: dict[str, list[int]] = Field(description="language → numbers (0-based) that its copy lacks")


class Source(Strict):
    """Where rows come from: exactly one of `hub`, `files`, `generated`."""

    hub: str | None = Field(None, description="hub dataset id, e.g. google/xtreme")
    revision: str | None = Field(None, description="commit of the hub dataset")
    config: str | None = Field(None, description="hub config; may hold {language} or {name}")
    files: str | None = Field(None, description="beside the YAML or in --data-root; may hold {language}, {name}, {split}, {part}")
    generated: str | None = Field(None, description="a config of the built-in smoke data")
    names: dict[str, str] = Field({}, description="language → {name}")
    where: dict[str, str] = Field({}, description="keep rows whose column equals this; a trailing * matches any ending")
    unless: dict[str, str] = Field({}, description="leave out rows whose column equals this (SNLI's label -1)")
    first_files: PositiveInt | None = Field(None, description="read only the first N files of a split (a hub set of many shards)")
    label_file: str | None = Field(None, description="file of the labels: one a line, or a JSON map from label to number")
    hint: str | None = Field(None, description="what to do when the files are not here: licence, download, layout")
    numbering: Numbering | None = None

    @property
    def speaks(self) -> bool:
        """Whether its rows differ by language."""
        texts = [self.config or "", self.files or "", *self.where.values()]
        return bool(self.generated) or any("{language}" in text or "{name}" in text for text in texts)

    @model_validator(mode="after")
    def _one_kind(self):
        given = [kind for kind in ("hub", "files", "generated") if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"a source has exactly one of hub, files, generated; this one has {' and '.join(given) or 'none'}")
        if self.hub and not self.config:
            raise ValueError("a hub source needs a config (the hub's own name for the subset; often 'default')")
        return self

    @field_validator("files")
    @classmethod
    def _known_suffix(cls, value):
        if value is not None and not value.endswith((".jsonl", ".json", ".csv", ".tsv", ".parquet", ".conll", ".{part}")):
            raise ValueError(f"{value!r}: files end in .parquet, .jsonl, .json, .csv, .tsv, .conll, or .{{part}} (bitext_mining)")
        return value


class Rows(Strict):
    """Which rows make up a split: another task's, several tasks' together, or a split expression over a source."""

    task: Name | None = Field(None, description="take this split of that task")
    tasks: list[Name] = Field([], description="take this split of all these tasks, under one head")
    split: str | None = None
    language: Language | None = Field(None, description="default: English for train and dev, every language for test")
    languages: list[Language] = Field([], description="train or dev rows of all these languages together")
    source: Source | None = Field(None, description="default: the task's source")
    parallel: bool | None = Field(None, description="test rows: one id means the same row in every language; a cut inherits it")

    @model_validator(mode="after")
    def _task_or_split(self):
        if sum(map(bool, (self.task, self.tasks, self.split))) != 1:
            raise ValueError("give one of `task:` (another's rows), `tasks:` (several tasks') or `split:` (rows of this one)")
        if self.split:
            split_parts(self.split)
        if self.language and self.languages:
            raise ValueError("give `language:` or `languages:`, not both")
        return self


class Figure(Strict):
    """A published number with the place where it was read; `value: null` = nobody published one."""

    value: float | None
    source: str


class Difficulty(Strict):
    """What is known of an intermediate task before measuring: the declared bucket, chance and human scores (0-100)."""

    declared: Literal["easy", "hard"]
    why: str
    variant_of: Name | None = Field(
        None, description="it is that task in other words (translated): compared with it, no task of its own"
    )
    chance: Figure | None = None
    human: Figure | None = None


class About(Strict):
    """Citation, licence and a note for whoever reads the board."""

    title: str
    citation: str | None = None
    licence: str | None = None
    url: str | None = None
    note: str | None = None


class Task(Strict):
    """One task. Fifteen fields are common to all tasks; `difficulty` belongs to intermediate tasks only."""

    task: Name
    version: PositiveInt
    role: list[Literal["intermediate", "target", "training"]] = Field(min_length=1)
    family: Literal[tuple(FAMILIES)]  # type: ignore[valid-type]
    languages: list[Language] = Field(min_length=1)
    source: Source
    train: Rows | None = None
    dev: Rows | None = None
    test: Rows | None = None
    columns: dict[str, str | list[str]] = Field(
        {}, description="ours → theirs; a list joins texts with a space (choices: stays a list); `a.b` is field b of column a"
    )
    labels: list[str] | dict[str, str | int] | None = Field(
        None, description="class names in head order; a map gives each name's raw value in the data"
    )
    metric: str
    max_length: int = Field(128, ge=32, description="pieces the encoder sees at once, special tokens included")
    options: dict[str, Any] = {}
    about: About
    difficulty: Difficulty | None = None

    @field_validator("labels")
    @classmethod
    def _told_apart(cls, labels: list[str] | dict[str, str | int] | None):
        """Each name once, and each value of a map once: two names for one value, and which one a row has is a toss."""
        first: dict[str, str] = {}
        for name in labels or []:
            if not name.strip() or not name.isprintable():
                raise ValueError(f"{name!r} is no name of a label; write one that can be seen")
        if isinstance(labels, list) and len(set(labels)) < len(labels):
            twice = next(name for i, name in enumerate(labels) if name in labels[:i])
            raise ValueError(f"label {twice!r} is there twice; each name stands for one class")
        for name, value in labels.items() if isinstance(labels, dict) else ():
            if (other := first.setdefault(str(value), name)) != name:
                raise ValueError(
                    f"labels {other!r} and {name!r} have one value, {labels[other]!r} and {value!r}; give each its own"
                )
        return labels

    @property
    def label_names(self) -> list[str]:
        """Class names in the order of the head's outputs."""
        return list(self.labels or [])

    @property
    def family_options(self) -> Strict:
        """`options:` as the family's own model, defaults filled in."""
        return FAMILIES[self.family].options.model_validate(self.options)

    @model_validator(mode="after")
    def _family_agrees(self):
        family = FAMILIES[self.family]
        if self.metric not in family.metrics:
            raise ValueError(f"metric: {self.metric!r} does not score {self.family}{nearest(self.metric, family.metrics)}")
        missing = family.columns - set(self.columns)
        if missing:
            raise ValueError(f"columns: {self.family} needs {', '.join(sorted(missing))} too")
        unknown = set(self.columns) - family.columns - family.optional
        if unknown:
            known = ", ".join(sorted(family.columns | family.optional))
            raise ValueError(f"columns: {self.family} does not use {', '.join(sorted(unknown))}; it knows {known}")
        if family.labelled and not self.labels and not self.source.label_file:
            raise ValueError(f"family: {self.family} needs labels")
        if self.labels and self.source.label_file:
            raise ValueError("labels: the source names a label_file too; keep one of them, so that it is clear which counts")
        if self.metric == "mlqa" and (strange := [one for one in self.languages if one.split("-")[0] not in MLQA_LANGUAGES]):
            raise ValueError(
                f"metric: mlqa normalises {', '.join(sorted(MLQA_LANGUAGES))} only, not {', '.join(strange)}; squad takes any"
            )
        if self.metric == "squad" and self.options.get("unanswerable"):
            raise ValueError("metric: squad has no unanswerable questions; use squad_v2")
        if self.metric == "accuracy_f1" and set(self.label_names) != {"0", "1"}:
            raise ValueError('metric: accuracy_f1 needs the labels "0" and "1"; its F1 is that of "1"')
        if len(set(self.languages)) != len(self.languages):
            raise ValueError("languages: one is listed twice")
        if len(self.languages) > 1 and not self.source.speaks:
            raise ValueError("source: several languages, but neither files, config nor where says {language} or {name}")
        return self

    @model_validator(mode="after")
    def _roles_have_rows(self):
        if "target" in self.role and self.test is None:
            raise ValueError("role: a target needs test rows")
        trained = FAMILIES[self.family].trained
        if FAMILIES[self.family].tuned and self.dev is None:
            raise ValueError(f"family: {self.family} needs dev rows in every language, which set its threshold")
        if trained and (self.train is None or (self.dev is None and self.train.task is None)):
            raise ValueError(f"family: {self.family} is trained, so it needs train and dev rows (dev selects the best weights)")
        if "intermediate" in self.role and not trained:
            raise ValueError("role: an intermediate task is of a trained family")
        if "intermediate" in self.role and self.difficulty is None and FAMILIES[self.family].difficulty:
            raise ValueError("role: an intermediate task says its difficulty")
        return self
