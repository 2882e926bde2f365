"""What kind of task the columns of some rows make: family, columns, metric.

One of several readings is never chosen in silence: what was guessed is said with its reason, and
what cannot be told asks for an option.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from harness.common.errors import SpecError
from harness.draft.found import code_of
from harness.draft.table import ROWS_OF_A_CLASS, SeenColumn, SeenTable
from harness.families import FAMILIES
from harness.families.columns import named_columns
from harness.spec.explain import nearest
from harness.spec.languages import ENGLISH, ISO_639_1, language_meant

# What such columns are called, the surest name first; pairs in the order in which they are read.
LABELS = (
    *("label", "labels", "gold_label", "class", "category", "target", "sentiment", "topic"),
    *("intent", "stars", "rating", "gold", "answer", "y"),
)
TEXTS = ("text", "sentence", "review", "content", "document", "body", "tweet", "utterance", "title")
PAIRS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("text1", "text2"),
    ("text", "text_pair"),
    ("text_a", "text_b"),
    ("question", "sentence"),
    ("query", "passage"),
    ("sentence_a", "sentence_b"),
)
TRANSLATIONS = (
    ("source", "target"),
    ("foreign", "english"),
    ("src", "tgt"),
    ("source_sentence", "target_sentence"),
)
CHOICE = re.compile(
    r"(choice|option|ending|end|answer|solution|sol|alternative)_?(\d{1,2}|[a-z])", re.I
)
TOKENS, TAGS = ("tokens", "words"), ("tags", "ner_tags", "pos_tags", "labels", "upos")
LANGUAGES = ("language", "lang", "locale")


Columns = dict[str, str | list[str]]  # as a task's YAML has them


@dataclass(frozen=True)
class Wishes:
    """What the user says of a task, in place of a guess and beside it."""

    family: str | None = None
    text: list[str] = field(default_factory=list)
    text_pair: str | None = None
    label: str | None = None
    name: str | None = None
    language: str | None = None
    role: str = "target"
    difficulty: str | None = None
    metric: str | None = None
    train_task: str | None = None
    parts: bool = False

    def refuse_unknown(self) -> None:
        """SpecError for what is none, and for options that need another."""
        for option, value, known in (
            ("family", self.family, FAMILIES),
            ("role", self.role, ("target", "intermediate")),
        ):
            if value and value not in known:
                raise SpecError(f"--{option} {value}: there is none{nearest(value, known)}")
        if self.language and code_of(self.language) is None:
            raise SpecError(f"--language {self.language}{language_meant(self.language)}")
        if self.role == "intermediate" and self.difficulty not in ("easy", "hard"):
            raise SpecError(
                "--role intermediate: say with --difficulty easy or hard which you believe it to be"
            )


@dataclass
class Guess:
    """A task as its columns make it. `why`: what of them said so."""

    family: str
    columns: Columns = field(default_factory=dict)
    metric: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    why: str = ""

    @property
    def label_column(self) -> str | None:
        column = self.columns.get("label") or self.columns.get("tags")
        return column if isinstance(column, str) else None

    @property
    def read(self) -> set[str]:
        """The columns of the data that are read."""
        return {name for one in self.columns.values() for name in _names(one)}

    @property
    def text_columns(self) -> list[str]:
        """The columns whose texts an encoder reads."""
        read = [self.columns[name] for name in ("text", "text_pair") if name in self.columns]
        return [name for one in read for name in _names(one)]


def guessed(table: SeenTable, asked: Wishes) -> Guess:
    """The task that these columns make. SpecError where they may make several, or none."""
    if asked.family:
        way = _OF_FAMILY.get(asked.family)
        found = way(table, asked) if way else None
        if found is None:
            needed = ", ".join(sorted(FAMILIES[asked.family].columns)) or "files of its own"
            raise SpecError(
                f"--family {asked.family}: the columns are not its own; there are"
                f" {_columns(table)}, and it reads {needed}"
            )
        found.why = found.why or "--family"
    else:
        found = next(filter(None, (way(table, asked) for way in _OF_FAMILY.values())), None)
    if found is None:
        raise SpecError(_nothing_fits(table))
    return found


def _names(columns: str | list[str]) -> list[str]:
    """Of a field of a column also that column."""
    named = [(name, name.split(".")[0]) for name in named_columns(columns)]
    return list(dict.fromkeys(chain.from_iterable(named)))


def _columns(table: SeenTable) -> str:
    return "; ".join(column.said for column in list(table.columns.values())[:12])


def _nothing_fits(table: SeenTable) -> str:
    texts = [name for name, column in table.columns.items() if column.may_be_text]
    if len(texts) == 1:
        return (
            f"no column of labels beside the text ({texts[0]}): there are {_columns(table)}; name"
            " it with --label, or say --family mlm where the text alone is trained on"
        )
    return (
        f"the columns do not say what kind of task this is: {_columns(table)}; say it with --family"
        f" ({', '.join(FAMILIES)}), and where need be --text, --text-pair, --label"
    )


# Families, told by their columns


def _span_qa(table: SeenTable, asked: Wishes) -> Guess | None:
    context, question = table.named("context", "passage", "paragraph"), table.named("question")
    answers = table.named("answers", "answer")
    if not (context and question and answers):
        return None
    cells = table.columns[answers].values
    if not all(isinstance(one, dict) and {"text", "answer_start"} <= set(one) for one in cells):
        _refuse_texts_alone(table, context, answers, asked)
        return None
    columns: Columns = {"context": context, "question": question, "answers": answers}
    none = sum(1 for one in cells if not one["text"])
    if not none:
        return Guess("span_qa", columns, "squad", why="columns of contexts, questions, answers")
    why = f"contexts, questions and answers, of which {none} are empty, as in SQuAD 2.0"
    return Guess("span_qa", columns, "squad_v2", {"unanswerable": True}, why=why)


def _refuse_texts_alone(table: SeenTable, context: str, answers: str, asked: Wishes) -> None:
    """SpecError where answers stand in their contexts, and no column says where."""
    texts = table.columns[context].values, table.columns[answers].values
    stands = all(str(answer) in str(text) for text, answer in zip(*texts, strict=False))
    is_labels = asked.label or _choices(table) is not None
    if asked.family == "span_qa" or (stands and not is_labels):
        raise SpecError(
            f"column {answers} seems to hold words of {context}, and not where they begin. span_qa"
            ' reads {"text": ["..."], "answer_start": [12]} there, characters counted from 0; where'
            f" they are labels, say --label {answers}"
        )


def _tagging(table: SeenTable, asked: Wishes) -> Guess | None:
    lists = {name: one for name, one in table.columns.items() if one.kind == "list"}
    tokens = asked.text[0] if asked.text else SeenTable(lists, 0).named(*TOKENS)
    tags = asked.label or SeenTable(lists, 0).named(*TAGS)
    if not tokens or not tags or tokens not in lists or tags not in lists:
        return None
    values = [tag for sentence in lists[tags].values for tag in sentence]
    if not all(isinstance(tag, str | int) and not isinstance(tag, bool) for tag in values):
        return None
    columns: Columns = {"tokens": tokens, "tags": tags}
    why = "a column of lists of words, and one of as many tags"
    return Guess("tagging", columns, "token_accuracy", why=why)


def _multiple_choice(table: SeenTable, asked: Wishes) -> Guess | None:
    choices = _choices(table)
    if choices is None:
        return None
    label = asked.label or table.named(*LABELS, "correct", "right", "answerkey")
    if label is None:
        raise SpecError(
            f"choices ({choices if isinstance(choices, str) else ', '.join(choices)}) and no column"
            f" that says which is right: there are {_columns(table)}; name it with --label"
        )
    found = table.column(label, "--label")
    taken = {label, *_names(choices)}
    text = asked.text or _context(table, taken)
    columns: Columns = {"text": _joined(table, text), "choices": choices}
    # the right choice by its text, or by its place
    by_text = found.words > 1.5 or len(found.distinct) > MOST_SAID
    columns["answer" if by_text else "label"] = label
    return Guess("multiple_choice", columns, "accuracy", why="columns of choices, one is right")


def _choices(table: SeenTable) -> str | list[str] | None:
    """One column of lists of equal length, or columns of one name and a running number."""
    if column := table.named("choices", "endings", "options", "choice"):
        found = table.columns[column]
        if found.kind == "list":
            return column
        if found.kind == "mapping" and all("text" in one for one in found.values):
            return f"{column}.text"
    numbered: dict[tuple[str, bool], dict[int, str]] = {}
    for name in table.columns:
        if match := CHOICE.fullmatch(name):
            digits = match[2].isdigit()
            place = int(match[2]) if digits else ord(match[2].lower()) - ord("a")
            numbered.setdefault((match[1].lower(), digits), {})[place] = name
    rows: list[list[str]] = []
    for (stem, digits), names in numbered.items():
        # end1 and end2 may be places; choices that are numbers are refused when they are read
        sure = stem in ("choice", "option", "ending", "alternative")
        of_text = sure or any(table.columns[name].kind == "text" for name in names.values())
        in_turn = min(names) <= digits and max(names) - min(names) < len(names)
        if len(names) > 1 and of_text and in_turn:
            # in the order of their numbers, whichever stands first in a row
            rows.append([names[place] for place in sorted(names)])
    return rows[0] if len(rows) == 1 else None


def _context(table: SeenTable, taken: set[str]) -> list[str]:
    """What is read before each choice: all texts that are neither choices nor labels."""
    free = [one for name, one in table.columns.items() if name not in taken]
    texts = [one.name for one in free if one.may_be_text or one.may_be_turns]
    known = [name for name in texts if name.lower() in (*TEXTS, "context", "premise", "question")]
    chosen = [name for name in texts if name in known or table.columns[name].is_long] or texts
    if not chosen:
        raise SpecError(f"no text before the choices: there are {_columns(table)}; see --text")
    if len(chosen) > 2:
        raise SpecError(
            f"which text stands before the choices? {', '.join(chosen)}; say it with --text, twice"
            " where two are read"
        )
    first = [name for name in chosen if name.lower() != "question"]  # a story, then its question
    return [*first, *(name for name in chosen if name not in first)]


def _joined(table: SeenTable, text: list[str]) -> str | list[str]:
    """Columns as one text; turns of a dialogue are joined by a template."""
    if any(table.columns[name].kind == "list" for name in text if name in table.columns):
        return " ".join(f"{{{name}}}" for name in text)
    return text[0] if len(text) == 1 else text


def _retrieval(table: SeenTable, asked: Wishes) -> Guess | None:
    texts = [name for name, one in table.columns.items() if one.may_be_text]
    pairs = [(table.named(one), table.named(other)) for one, other in TRANSLATIONS]
    if len(texts) == 2 and table.named(*LABELS) is None:
        pairs += [(name, ENGLISH) for name in texts if name in ISO_639_1 - {ENGLISH}]
    for source, target in pairs:
        if source not in texts or target not in texts:
            continue
        # several languages may share their English sentences
        again = len(table.columns[target].distinct) * ROWS_OF_A_CLASS <= table.rows / table.files
        if table.columns[target].may_be_classes and again and not asked.family:
            continue
        why = f"two columns of sentences, {source} and {target}"
        columns: Columns = {"source": source, "target": target}
        return Guess("retrieval", columns, "retrieval_accuracy", why=why)
    return None


def _classification(table: SeenTable, asked: Wishes) -> Guess | None:
    texts = [name for name, one in table.columns.items() if one.may_be_text]
    label = _label(table, asked)
    if label is None:
        return None
    texts = [name for name in texts if name != label and not _is_language(table.columns[name])]
    columns: Columns = {}
    if asked.text:
        for name in asked.text:
            table.column(name, "--text")
        columns["text"] = asked.text[0] if len(asked.text) == 1 else asked.text
        if asked.text_pair:
            columns["text_pair"] = table.column(asked.text_pair, "--text-pair").name
    else:
        columns |= _text_or_pair(table, texts)
    if not columns:
        return None
    pair = "two texts and one label" if "text_pair" in columns else "a text and one label"
    return Guess("classification", {**columns, "label": label}, "accuracy", why=f"{pair} a row")


def _text_or_pair(table: SeenTable, texts: list[str]) -> Columns:
    """The column of texts, or the two that are read together; nothing where there is none."""
    among = SeenTable({name: table.columns[name] for name in texts}, table.rows)
    for first, second in PAIRS:
        one, other = among.named(first), among.named(second)
        if one and other:
            return {"text": one, "text_pair": other}
    if len(texts) == 1:
        return {"text": texts[0]}
    known = [name for name in texts if name.lower() in TEXTS]
    # what has few values is no text, whatever it is called
    long = [name for name in texts if not table.columns[name].may_be_classes]
    # a title beside a text is no matter of course
    apart = [name for name in long if name not in known and table.columns[name].is_long]
    if known and apart:
        known = [*known, *apart]
    for chosen in (known, long):
        if len(chosen) == 1:
            return {"text": chosen[0]}
    if not texts:
        return {}
    raise SpecError(
        f"several columns of text: {', '.join(known or long or texts)}; say which is read: --text A"
        " for one, --text A --text B for both as one text, --text A --text-pair B for a pair"
    )


def _label(table: SeenTable, asked: Wishes) -> str | None:
    if asked.label:
        return table.column(asked.label, "--label").name
    known = [name for name in table.columns if name.lower() in LABELS]
    fit = [name for name in known if table.columns[name].may_be_classes]
    if len(fit) > 1:
        # `label` beside a `topic` is the label
        first = [name for name in fit if name.lower() in ("label", "labels", "gold_label")]
        if len(first) != 1:
            raise SpecError(_which_label(table, fit))
        return first[0]
    if fit:
        return fit[0]
    if known:
        return _odd_label(table.columns[known[0]])
    others = [
        one.name
        for one in table.columns.values()
        if one.may_be_classes and one.words < 4 and not _is_language(one)
    ]
    if len(others) > 1:
        raise SpecError(_which_label(table, others))
    return others[0] if others else None


def _which_label(table: SeenTable, names: list[str]) -> str:
    said = "; ".join(table.columns[name].said for name in names)
    return f"which column is the label? {said}; say it with --label"


def _odd_label(column: SeenColumn) -> str:
    """The name of a column that is called a label and does not look like one; the labels' own check
    says why. Too many values are most likely no classes."""
    many = len(column.distinct)
    if column.kind in ("text", "number") and many > MOST_SAID:
        raise SpecError(
            f"column {column.name} has {many:,} different values in {column.rows:,} rows, and is no"
            " column of classes; which is? (--label; with it, these are taken)"
        )
    return column.name


MOST_SAID = 60


def _is_language(column: SeenColumn) -> bool:
    return column.name.lower() in LANGUAGES


def _mlm(table: SeenTable, asked: Wishes) -> Guess | None:
    if asked.family != "mlm":
        return None
    texts = asked.text or [name for name, one in table.columns.items() if one.may_be_text]
    if len(texts) > 1 and not asked.text:
        texts = [name for name in texts if name.lower() in TEXTS][:1] or texts
    if len(texts) != 1:
        raise SpecError(f"which column is the text? There are {_columns(table)}; see --text")
    return Guess("mlm", {"text": texts[0]}, "masked_accuracy")


# The surest first: what three columns of these names make is never one text and one label.
_OF_FAMILY: dict[str, Callable[[SeenTable, Wishes], Guess | None]] = {
    "span_qa": _span_qa,
    "tagging": _tagging,
    "multiple_choice": _multiple_choice,
    "retrieval": _retrieval,
    "classification": _classification,
    "mlm": _mlm,
}
