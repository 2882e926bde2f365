"""A task: a dataset in one or more languages, a family, a metric. One YAML file, all its languages
in it.

    task: xnli                       source: {hub: google/xtreme, config: XNLI, where: {language:
                                     "{language}"}}
    family: classification           columns: {text: sentence1, text_pair: sentence2, label:
                                     gold_label}

`{language}` and `{name}` in a source are filled in per language (`names: {de: German}` gives
`{name}`); how: `template.py`.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from harness.common.strict import Name, Strict, later
from harness.common.text import short
from harness.families import FAMILIES
from harness.metrics import METRICS, scoring
from harness.spec.explain import MAX_SHOWN, nearest, show
from harness.spec.formats import PACKED, PART, SUFFIXES, Conll, format_of
from harness.spec.languages import ENGLISH, ISO_639_1, language_meant
from harness.spec.split_part import SplitPart
from harness.spec.template import (
    ConfigTemplate,
    FilePath,
    FileTemplate,
    Fixed,
    HubId,
    Revision,
    Url,
    ValueTemplate,
    fill,
    inside,
    placeholders,
    possible,
)

# as RFC 5646 writes them: zh-Hant, pt-BR
_SUBTAGS = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}")


def _known_language(code: str) -> str:
    base = code.split("-")[0]
    # three letters: ISO 639-3, taken on trust
    if _SUBTAGS.fullmatch(code) and (base in ISO_639_1 or len(base) == 3):
        return code
    raise ValueError(f"{show(code)} is no language code{language_meant(code)}")


SHORTEST = 32  # subwords that a text may be cut to; special tokens alone are up to four


def _each_once(languages: list[str]) -> list[str]:
    if len(set(languages)) != len(languages):
        raise ValueError("one is listed twice")
    return languages


Language = Annotated[str, AfterValidator(_known_language)]
Languages = Annotated[list[Language], AfterValidator(_each_once)]

# 'validation', 'validation[:80%]', 'train[100:200]', 'dev_r1+dev_r2': the notation of the
# `datasets` library.
_SPLIT_PART = re.compile(
    r"(?P<name>[A-Za-z0-9_.-]{1,80})(\[(?P<from>[0-9]{1,12}%?)?:(?P<to>[0-9]{1,12}%?)?\])?"
)
_MAX_PARTS = 50


def split_parts(expression: str) -> list[SplitPart]:
    """Parse a split expression; raises ValueError that shows the notation."""
    parts: list[SplitPart] = []
    for text in expression.split("+"):
        match = _SPLIT_PART.fullmatch(text.strip())
        if not match or len(parts) == _MAX_PARTS:
            raise ValueError(
                f"{show(expression)} is no split; write 'train', 'train[:80%]', 'train[100:200]' or"
                " 'a+b'"
            )
        parts.append(SplitPart(name=match["name"], start=match["from"], stop=match["to"]))
        _sound_bounds(text.strip(), match["from"] or "", match["to"] or "")
    return parts


def _sound_bounds(text: str, start: str, stop: str) -> None:
    """ValueError for a share above 100%, and for a range that holds no row however many there
    are."""
    if any(bound.endswith("%") and int(bound[:-1]) > 100 for bound in (start, stop)):
        raise ValueError(f"{show(text)}: a share of the rows is at most 100%")
    first, last = (int(bound.rstrip("%") or 0) for bound in (start, stop))
    if (
        stop and (last == 0 or (start.endswith("%") == stop.endswith("%") and first >= last))
    ) or start == "100%":
        raise ValueError(f"{show(text)} holds no rows: it ends where it starts, or before")


class Numbering(Strict):
    """Row numbers of a parallel test set whose copies lack some rows, so that a row has one id in
    every language."""

    rows: PositiveInt = Field(le=100_000_000, description="rows of the complete set")
    absent: dict[str, list[int]] = Field(
        description="language → numbers (0-based) that its copy lacks"
    )


class Source(Strict):
    """Where rows come from: one of `hub`, `files`."""

    hub: HubId | None = Field(None, description="hub dataset id, e.g. google/xtreme")
    revision: Revision | None = Field(None, description="commit of the hub dataset")
    config: ConfigTemplate | None = Field(
        None, description="hub config; may hold {language}, {name}, {split}"
    )
    conll: Conll | None = Field(
        None, description="files of one token a line: which columns are the token and its tag"
    )
    files: FileTemplate | None = Field(
        None,
        description=(
            "beside the YAML or in --data-root; may hold {language}, {name}, {split}, {part}"
        ),
    )
    pool: FileTemplate | None = later(
        None,
        description=(
            "files of the candidates, for families that rank a pool; those of all languages where"
            " it says {language} or {name}"
        ),
    )
    names: dict[str, Fixed] = Field({}, description="language → {name}")
    where: dict[str, ValueTemplate] = Field(
        {}, description="keep rows whose column equals this; a trailing * matches any ending"
    )
    unless: dict[str, Fixed] = Field(
        {}, description="leave out rows whose column equals this (SNLI's label -1)"
    )
    first_files: PositiveInt | None = Field(
        None,
        le=100_000,
        description="read only the first N files of a split (a hub set of many shards)",
    )
    label_file: FilePath | None = Field(
        None, description="the labels: one a line, or a JSON map from label to number"
    )
    hint: str | None = Field(
        None, description="what to do when the files are not here: licence, download, layout"
    )
    numbering: Numbering | None = None

    @property
    def speaks(self) -> bool:
        """Whether its rows differ by language."""
        return bool(self.filled & {"language", "name", "part"})

    @property
    def filled(self) -> set[str]:
        """The placeholders that it has filled in."""
        texts = [self.config or "", self.files or "", *self.where.values()]
        return set().union(*map(placeholders, texts))

    @property
    def format(self) -> str | None:
        """How its files are read. What the hub has is Parquet."""
        return format_of(self.files, conll=self.conll is not None) if self.files else "parquet"

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.hub is None) == (self.files is None):
            given = "both" if self.hub else "neither"
            raise ValueError(f"a source has exactly one of hub and files; this one has {given}")
        if self.hub and not self.config:
            raise ValueError(
                "a hub source needs a config (the hub's own name for the subset; often 'default')"
            )
        return self

    @model_validator(mode="after")
    def _names_make_paths(self) -> Self:
        """What is filled in leads no further than the template that somebody wrote as a path."""
        for template in filter(None, (self.files, self.config)):
            for name in self.names.values():
                try:
                    possible(
                        fill(
                            template,
                            dict.fromkeys(placeholders(template), "x") | {"name": inside(name)},
                        )
                    )
                except ValueError as error:
                    raise ValueError(f"names: {error}") from None
        return self

    @model_validator(mode="after")
    def _columns_of_one_file(self) -> Self:
        if self.conll and (not self.files or PART in self.files):
            raise ValueError(
                "conll: says which columns of one file are read, and this source has no such"
                " `files`"
            )
        return self

    @field_validator("files")
    @classmethod
    def _known_format(cls, value: str | None, info: ValidationInfo) -> str | None:
        # Where `conll` itself is wrong, that is what is said, and it is not among the data.
        if value is None or "conll" not in info.data:
            return value
        if format_of(value, conll=info.data["conll"] is not None):
            return value
        if value.removesuffix(PACKED).endswith(".conllu"):
            raise ValueError(
                f"{show(value)} has ten columns; say which are read: conll: {{token: 2, tag: 4}}"
                " (4: UPOS, 5: XPOS)"
            )
        raise ValueError(
            f"{show(value)}: files end in {', '.join(SUFFIXES)} (each but .parquet also with"
            f" {PACKED}), or in .{PART} (bitext_mining, retrieval); with `conll:` they may end in"
            " anything"
        )


class Rows(Strict):
    """Which rows make up a split: another task's, several tasks' together, or a split expression
    over a source."""

    task: Name | None = Field(None, description="take this split of that task")
    tasks: list[Name] = Field([], description="take this split of all these tasks, under one head")
    split: str | None = None
    language: Language | None = Field(
        None, description="default: English for train and dev, every language for test"
    )
    languages: Languages = Field(
        [], description="train or dev rows of all these languages together"
    )
    source: Source | None = Field(None, description="default: the task's source")
    parallel: bool | None = Field(
        None,
        description=(
            "test rows: one id means the same row in every language; a reduced task inherits it"
        ),
    )

    @property
    def spoken(self) -> list[str]:
        """The languages of train or dev rows."""
        return list(self.languages) or [self.language or ENGLISH]

    @model_validator(mode="after")
    def _task_or_split(self) -> Self:
        if sum(map(bool, (self.task, self.tasks, self.split))) != 1:
            raise ValueError(
                "give one of `task:` (another's rows), `tasks:` (several tasks') or `split:` (rows"
                " of this one)"
            )
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
    """What is known of an intermediate task before measuring: the declared bucket, chance and human
    scores (0-100)."""

    declared: Literal["easy", "hard"]
    why: str
    variant_of: Name | None = Field(
        None,
        description=(
            "it is that task in other words (translated): compared with it, no task of its own"
        ),
    )
    chance: Figure | None = None
    human: Figure | None = None


class DataSize(Strict):
    """How much there is of a data set, for a plan that is made where it is not: in no key and no
    release."""

    rows: dict[str, PositiveInt | dict[Language, PositiveInt]] = Field(
        description="split, as its source calls it → rows, or language → rows where they differ"
    )
    subwords: PositiveInt = Field(
        description="of a row, about; of a multiple choice those of all choices, each with the text"
    )
    source: str = Field(description="where both were read")

    def count(self, split: str, language: str) -> int | None:
        """The rows of a split in a language, its sums and shares counted; None: it does not
        say."""
        found = 0
        for part in split_parts(split):
            whole = self.rows.get(part.name)
            if isinstance(whole, dict):
                whole = whole.get(language)
            if whole is None:
                return None
            start, stop = part.bounds(whole)
            found += stop - start
        return found


class About(Strict):
    """Citation, licence and a note for whoever reads the board."""

    title: str
    citation: str | None = None
    licence: str | None = None
    url: Url | None = None
    note: str | None = None
    size: DataSize | None = later(
        None,
        description="what is published of its size: a plan counts by it where rows are missing",
    )


Labels = list[str] | dict[str, str | int | bool]


def _is_number(value: str | int) -> bool:
    """Whether a label's value is a whole number, or a text that is one."""
    return not isinstance(value, bool) and re.fullmatch(r"-?[0-9]{1,9}", str(value)) is not None


class Task(Strict):
    """One task. Fifteen fields are common to all tasks; `difficulty` belongs to intermediate tasks
    only."""

    task: Name = Field(description="its name, which suites and commands use")
    version: PositiveInt = Field(description="raised when the task's meaning changes")
    role: list[Literal["intermediate", "target", "training"]] = Field(
        min_length=1, description="tested, trained on first, or only lending its rows"
    )
    family: Literal[tuple(FAMILIES)] = Field(  # type: ignore[valid-type]
        description="what kind of task it is"
    )
    languages: Languages = Field(
        min_length=1, description="ISO 639-1 codes, or three letters: those that are tested"
    )
    source: Source = Field(description="where its rows come from")
    train: Rows | None = Field(None, description="rows that are trained on, in English unless said")
    dev: Rows | None = Field(None, description="rows that select the best weights")
    test: Rows | None = Field(None, description="rows that are scored, in every language")
    columns: dict[str, str | list[str]] = Field(
        {},
        description=(
            "ours → theirs; a list joins texts with a space (choices: stays a list); `a.b` is field"
            " b of column a"
        ),
    )
    labels: Labels | None = Field(
        None, description="class names in head order; a map gives each name's raw value in the data"
    )
    metric: str = Field(description="what scores it: one of its family's metrics")
    max_length: int = Field(
        128, ge=SHORTEST, description="subwords the encoder sees at once, special tokens included"
    )
    options: dict[str, Any] = Field(
        {}, description="the family's own, where others than its default"
    )
    about: About = Field(description="for whoever reads the board")
    difficulty: Difficulty | None = Field(
        None, description="of an intermediate: what is known of it before measuring"
    )

    @field_validator("labels")
    @classmethod
    def _told_apart(cls, labels: Labels | None) -> Labels | None:
        """Each name once, and each value of a map once: two names for one value, and which one a
        row has is a toss."""
        seen: set[str] = set()
        for name in labels or []:
            if not name.strip():
                raise ValueError(f"{show(name)} is no name of a label; write one that can be seen")
            if name in seen:
                raise ValueError(
                    f"label {show(name)} is there twice; each name stands for one class"
                )
            seen.add(name)
        values_of = labels if isinstance(labels, dict) else {}
        first: dict[str, str] = {}
        for name, value in values_of.items():
            if (other := first.setdefault(str(value), name)) != name:
                values = f"{show(values_of[other])} and {show(value)}"
                raise ValueError(
                    f"labels {show(other)} and {show(name)} have one value, {values}; give each"
                    " its own"
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
    def _family_agrees(self) -> Self:
        family = FAMILIES[self.family]
        replaced = {theirs for ours, theirs in family.instead.items() if ours in self.columns}
        missing = family.columns - set(self.columns) - replaced
        if both := replaced & set(self.columns):
            raise ValueError(
                f"columns: {both.pop()} and what stands in its place; give one of them"
            )
        if missing:
            raise ValueError(f"columns: {self.family} needs {', '.join(sorted(missing))} too")
        unknown = set(self.columns) - family.columns - family.optional
        if unknown:
            known = ", ".join(sorted(family.columns | family.optional))
            strange = ", ".join(short(name, MAX_SHOWN) for name in sorted(unknown))
            raise ValueError(f"columns: {self.family} does not use {strange}; it knows {known}")
        if family.labelled and not self.labels and not self.source.label_file:
            raise ValueError(f"family: {self.family} needs labels")
        if self.labels and self.source.label_file:
            raise ValueError(
                "labels: the source names a label_file too; keep one of them, so that it is clear"
                " which counts"
            )
        return self

    @model_validator(mode="after")
    def _choices_in_order(self) -> Self:
        """A name is the choice at its own place: numbers in another order name other choices than
        the data do."""
        names = self.label_names
        numbers = (
            self.labels if isinstance(self.labels, dict) else dict(zip(names, names, strict=True))
        )
        if FAMILIES[self.family].answers != "choice" or not all(map(_is_number, numbers.values())):
            return self
        ordered = sorted(numbers, key=lambda name: int(numbers[name]))
        if ordered != names:
            raise ValueError(
                "labels: the names of the choices stand in the choices' order, and their numbers do"
                f" not rise; write {', '.join(map(show, ordered))}"
            )
        return self

    @model_validator(mode="after")
    def _metric_agrees(self) -> Self:
        answers = FAMILIES[self.family].answers
        if self.metric not in METRICS or answers not in METRICS[self.metric].scores:
            raise ValueError(
                f"metric: {show(self.metric)} does not score"
                f" {self.family}{nearest(self.metric, scoring(answers))}"
            )
        if unfit := METRICS[self.metric].unfit(self):
            raise ValueError(f"metric: {unfit}")
        return self

    @model_validator(mode="after")
    def _languages_told_apart(self) -> Self:
        if len(self.languages) > 1 and not self.source.speaks:
            raise ValueError(
                "source: several languages, but neither files, config nor where says {language} or"
                " {name}"
            )
        return self

    @model_validator(mode="after")
    def _placeholders_apply(self) -> Self:
        spoken = {"en", *self.languages}
        sources = {"source": self.source}
        for phase in ("train", "dev", "test"):
            rows: Rows | None = getattr(self, phase)
            if rows is None:
                continue
            spoken |= {*rows.languages, rows.language or "en"}
            if rows.source:
                sources[phase] = rows.source
        for key, source in sources.items():
            if strange := [language for language in source.names if language not in spoken]:
                raise ValueError(
                    f"{key}: names: the task has no"
                    f" {show(strange[0])}{nearest(strange[0], sorted(spoken))}"
                )
        return self

    @model_validator(mode="after")
    def _sources_fit(self) -> Self:
        """A format whose rows are those of one family only serves that one."""
        family = FAMILIES[self.family]
        given = [
            self.source,
            *(rows.source for rows in (self.train, self.dev, self.test) if rows and rows.source),
        ]
        for source in given:
            parts = source.format == "parts"
            if parts and family.parts is None:
                parted = ("heaps", "aligned")
                able = " and ".join(
                    sorted(name for name, one in FAMILIES.items() if one.parts in parted)
                )
                raise ValueError(f"source: {PART} is for {able}, not for {self.family}")
            if family.parts == "heaps" and not parts:
                raise ValueError(
                    f"source: {self.family} reads three files a split; its `files` end in .{PART}"
                )
            if (source.pool is not None) != (family.parts == "pool"):
                able = " and ".join(name for name, one in FAMILIES.items() if one.parts == "pool")
                raise ValueError(
                    f"source: {self.family} ranks the candidates of a `pool`; name its files"
                    if family.parts == "pool"
                    else f"source: pool is for {able}, not for {self.family}"
                )
            if source.conll and not family.sentences:
                able = " and ".join(sorted(name for name, one in FAMILIES.items() if one.sentences))
                raise ValueError(f"source: conll is for {able}, not for {self.family}")
        return self

    @model_validator(mode="after")
    def _roles_have_rows(self) -> Self:
        if "target" in self.role and self.test is None:
            raise ValueError("role: a target needs test rows")
        trained = FAMILIES[self.family].trained
        if FAMILIES[self.family].tuned and self.dev is None:
            raise ValueError(
                f"family: {self.family} needs dev rows in every language, which set its threshold"
            )
        if trained and (self.train is None or (self.dev is None and self.train.task is None)):
            raise ValueError(
                f"family: {self.family} is trained, so it needs train and dev rows (dev selects the"
                " best weights)"
            )
        if "intermediate" in self.role and not trained:
            raise ValueError("role: an intermediate task is of a trained family")
        if (
            "intermediate" in self.role
            and self.difficulty is None
            and FAMILIES[self.family].difficulty
        ):
            raise ValueError("role: an intermediate task says its difficulty")
        return self
