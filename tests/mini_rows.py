"""Makes the rows of the smoke suite `mini`, tasks/mini/*.json: made-up, so no download and no
licence.

    python -m tests.mini_rows      write those files anew

A row is drawn once as a *meaning* (indices into parallel lists) and then written in a language, so
row i of a test split means the same, and has the same label, in all eight languages. Rows follow
the schemas of the hub data sets they stand for, so the same task files' converters read both.
Names of countries, days, months, currencies and languages are Babel's CLDR translations; the rest
is in `mini_words.py`. The rows prove that the machine works; they measure no language ability.
"""

import functools
import random
from pathlib import Path

from harness.store.files import canonical_json
from tests import mini_words as words

FOLDER = Path(__file__).parents[1] / "tasks" / "mini"
VERSION = 1  # of the draws: another one gives other rows

LANGUAGES = ("en", "de", "es", "fr", "ru", "ar", "zh", "hi")
ENGLISH_ONLY = ("topic", "question")
CONFIGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("xnli", "pawsx", "udpos", "panx", "xquad"), LANGUAGES),
    "tatoeba": LANGUAGES[1:],
    **dict.fromkeys(ENGLISH_ONLY, ("en",)),
}
SPLITS: dict[str, dict[str, int]] = {
    **{config: {"train": 480, "validation": 96, "test": 60} for config in CONFIGS},
    "xquad": {"train": 480, "validation": 96, "test": 40},
    "tatoeba": {"validation": 80},
    **{config: {"train": 480, "validation": 96} for config in ENGLISH_ONLY},
}

# fmt: off
UPOS = ["ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM",
        "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X"]
# fmt: on
NER_TAGS = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
TOPICS = ["geography", "calendar", "money", "language"]
NLI_LABELS = ["entailment", "neutral", "contradiction"]
ISO_639_3 = {
    "de": "deu",
    "es": "spa",
    "fr": "fra",
    "ru": "rus",
    "ar": "ara",
    "zh": "cmn",
    "hi": "hin",
    "en": "eng",
}


def languages(config: str, split: str) -> tuple[str, ...]:
    """The languages in which `config` has `split`: only test (and tatoeba) leave English."""
    if config not in CONFIGS:
        raise ValueError(f"mini has no config {config!r}; valid: {', '.join(CONFIGS)}")
    if split not in SPLITS[config]:
        raise ValueError(
            f"mini's {config} has no split {split!r}; valid: {', '.join(SPLITS[config])}"
        )
    return CONFIGS[config] if config == "tatoeba" or split == "test" else ("en",)


def rows(config: str, language: str, split: str) -> list[dict]:
    """The rows of one split in one language: the same list on every machine with one Babel
    version."""
    valid = languages(config, split)
    if language not in valid:
        raise ValueError(
            f"mini's {config} {split} is not in {language!r}; valid: {', '.join(valid)}"
        )
    write = _CONFIGS[config][1]
    meanings = _meanings(config)[split]
    return [write(language, meaning, f"mini-{split}-{i:03d}") for i, meaning in enumerate(meanings)]


def slices() -> list[tuple[str, str, str]]:
    """(config, language, split) of every file."""
    return [
        (config, language, split)
        for config in CONFIGS
        for split in SPLITS[config]
        for language in languages(config, split)
    ]


def path(config: str, language: str, split: str) -> Path:
    """Where the rows of a split lie."""
    return FOLDER / f"{config}.{language}.{split}.json"


def content(config: str, language: str, split: str) -> bytes:
    """A file's bytes: canonical JSON, so that its SHA-256 is that of the rows themselves, whoever
    holds them."""
    return canonical_json(rows(config, language, split))


@functools.cache
def _meanings(config):
    """Every split of a config, drawn in one stream, so that no key is in two splits (or twice in
    one)."""
    rng = random.Random(f"mini {VERSION} {config}")  # a string seeds by its bytes, not by hash()
    draw, seen, splits = _CONFIGS[config][0], set(), {}
    for split, count in SPLITS[config].items():
        splits[split] = []
        while len(splits[split]) < count:
            # Labels go round with the row's number, which balances them in every split.
            key, meaning = draw(rng, len(splits[split]))
            if key not in seen:
                seen.add(key)
                splits[split].append(meaning)
        rng.shuffle(splits[split])
    return splits


# Names and sentences -----------------------------------------------------------------------------


@functools.cache
def names(language: str) -> dict[str, list[str]]:
    """All values a fact of each kind can take, in one language; the lists are parallel across
    languages."""
    from babel import Locale  # loads CLDR files: only when rows are asked for

    locale = Locale.parse(language)
    # Only Russian's dictionary form of a month differs from the form in dates. Elsewhere the
    # stand-alone table is an alias, which Babel 2.18 resolves to whichever language came first.
    months = locale.months["stand-alone" if language == "ru" else "format"]["wide"]
    space = "·" if language == "zh" else " "
    given, family = words.GIVEN[language].split(), words.FAMILY[language].split()
    countries = [locale.territories[code] for code in words.TERRITORIES.split()]
    return {
        "who": [first + space + last for first in given for last in family],
        "start": countries,
        "end": countries,
        "city": words.CITIES[language].split(),
        "day": [locale.days["format"]["wide"][i] for i in range(7)],
        "month": [months[i] for i in range(1, 13)],
        "money": [locale.currencies[code] for code in words.CURRENCIES.split()],
        "tongue": [locale.languages[code] for code in words.TONGUES.split()],
    }


def _template(language, kind, form):
    """A fact with "{}" for its value, as a sentence (form 0) or as "Label: value." (form 1)."""
    sentence, label, _ = words.FACTS[language][kind]
    colon = {"fr": " : ", "zh": "："}.get(language, ": ")
    stop = {"zh": "。", "hi": "।"}.get(language, ".")
    return label + colon + "{}" + stop if form else sentence


def _text(language, facts, form=0):
    """Facts, (kind, value) pairs, written one after the other."""
    space = "" if language == "zh" else " "
    return space.join(_template(language, k, form).format(names(language)[k][v]) for k, v in facts)


def _other(rng, kind, value):
    """A value of the kind that is not `value`."""
    return rng.choice([v for v in range(len(names("en")[kind])) if v != value])


def _facts(rng, kinds):
    """Draws one fact for each kind; a journey never ends where it started."""
    facts = {kind: rng.randrange(len(names("en")[kind])) for kind in kinds}
    if "start" in facts and facts["start"] == facts.get("end"):
        facts["end"] = _other(rng, "end", facts["start"])
    return tuple(facts.items())


# One draw and one writer for each config. A draw returns (key, meaning): rows with one key are the
# same row. A writer returns the row of a meaning in a language. --------------------------------


def _draw_xnli(rng, i):
    facts = _facts(rng, rng.sample(words.KINDS, 2))
    label = NLI_LABELS[i % 3]
    kind, value = rng.choice(facts)
    if label == "neutral":
        kind = rng.choice([k for k in words.KINDS if k not in dict(facts)])
    if label != "entailment":
        value = _other(rng, kind, value)
    return frozenset(facts), (facts, (kind, value), label)


def _write_xnli(language, meaning, name):
    facts, hypothesis, label = meaning
    texts = {
        "sentence1": _text(language, facts),
        "sentence2": _text(language, [hypothesis], form=1),
    }
    return {"language": language, **texts, "gold_label": label}


def _draw_pawsx(rng, i):
    facts = _facts(rng, ["start", "end", rng.choice(["day", "month", "money", "tongue"])])
    return frozenset(facts), (facts, i % 2)


def _write_pawsx(language, meaning, name):
    (start, end, rest), same = meaning
    # A negative swaps the two countries: the same words, another journey.
    second = (start, end) if same else (("start", end[1]), ("end", start[1]))
    texts = {
        "sentence1": _text(language, (start, end, rest)),
        "sentence2": _text(language, (*second, rest), form=1),
    }
    return {**texts, "label": str(same)}


def _draw_udpos(rng, i):
    tables = (words.SUBJECTS, words.PREDICATES, words.PLACES, words.FRAMES)
    meaning = tuple(rng.randrange(len(table["en"])) for table in tables)
    return meaning, meaning


def _write_udpos(language, meaning, name):
    tables = (words.SUBJECTS, words.PREDICATES, words.PLACES, words.FRAMES)
    subject, predicate, place, frame = (
        table[language][i] for table, i in zip(tables, meaning, strict=True)
    )
    clause = subject + " " + predicate.format(place)
    tokens, tags = zip(*(pair.rsplit("/", 1) for pair in frame.format(clause).split()), strict=True)
    first = tokens[0][0].upper() + tokens[0][1:]
    return {"tokens": [first, *tokens[1:]], "pos_tags": [UPOS.index(tag) for tag in tags]}


# "#kind" is the kind's label, "kind" a value of it, anything else stands for itself.
_PANX_PATTERNS = (
    "who ( end )",
    "#who : who , #end : end",
    "org , end",
    "#city : city , #day : day , #month : month",
    "org : who , day",
    "#money : money , #start : start",
    "#tongue : tongue , who , city",
    "who , org , #tongue : tongue",
)
_ENTITIES = {"who": "PER", "org": "ORG", "start": "LOC", "end": "LOC", "city": "LOC"}
_PUNCTUATION = {"zh": {",": "，", ":": "：", "(": "（", ")": "）"}, "ar": {",": "،"}}


def _draw_panx(rng, i):
    pattern = rng.choice(_PANX_PATTERNS)
    org = rng.randrange(len(words.ORGANISATIONS["en"])), rng.randrange(len(names("en")["city"]))
    facts = _facts(rng, [part for part in pattern.split() if part in words.KINDS])
    return (pattern, facts, org if "org" in pattern else None), (pattern, dict(facts), org)


def _write_panx(language, meaning, name):
    pattern, facts, (org, city) = meaning
    tokens, tags = [], []
    for part in pattern.split():
        if part == "org":
            text = words.ORGANISATIONS[language][org].format(
                words.CITIES_OF[language].split()[city]
            )
        elif part in facts:
            text = names(language)[part][facts[part]]
        elif part[0] == "#":
            text = words.FACTS[language][part[1:]][1]
        else:
            text = _PUNCTUATION.get(language, {}).get(part, part)
        # WikiAnn splits Chinese into characters, the others at spaces.
        pieces = list(text) if language == "zh" else text.split()
        tokens += pieces
        begin = NER_TAGS.index("B-" + _ENTITIES[part]) if part in _ENTITIES else 0
        tags += [begin and begin + (at > 0) for at in range(len(pieces))]
    return {"tokens": tokens, "ner_tags": tags, "langs": [language] * len(tokens)}


def _draw_xquad(rng, i):
    facts = _facts(rng, rng.sample(words.KINDS, 7))
    # a few short lines among the sentences: 30 to 50 words in all
    labelled = rng.sample(range(7), 2)
    forms = tuple(int(at in labelled) for at in range(7))
    # the asked fact goes round all positions
    return frozenset(facts), (facts, forms, i % len(facts))


def _write_xquad(language, meaning, name):
    facts, forms, asked = meaning
    context = ""
    for at, ((kind, value), form) in enumerate(zip(facts, forms, strict=True)):
        before, after = _template(language, kind, form).split("{}")
        context += ("" if not context or language == "zh" else " ") + before
        if at == asked:
            start, answer = len(context), names(language)[kind][value]
            question = words.FACTS[language][kind][2]
        context += names(language)[kind][value] + after
    answers = {"text": [answer], "answer_start": [start]}
    return {
        "id": name,
        "title": "Journey",
        "context": context,
        "question": question,
        "answers": answers,
    }


def _draw_tatoeba(rng, i):
    facts = _facts(rng, ["who", rng.choice([kind for kind in words.KINDS if kind != "who"])])
    return facts, facts


def _write_tatoeba(language, facts, name):
    return {
        "source_sentence": _text(language, facts),
        "target_sentence": _text("en", facts),
        "source_lang": ISO_639_3[language],
        "target_lang": ISO_639_3["en"],
    }


# The English-only intermediates. ------------------------------------------------------------------

_TOPIC_SENTENCES = {
    "geography": (
        "{start} and {end} lie far apart on the map",
        "the long river runs from {start} to the coast of {end}",
        "the mountains of {start} are higher than those of {end}",
        "a traveller from {start} crossed the border and the desert near {end}",
    ),
    "calendar": (
        "the last {day} of {month} is a holiday",
        "every {day} in {month} the days get longer",
        "{month} has begun, and the week starts on {day}",
        "the appointment was moved to the second {day} of {month}",
    ),
    "money": (
        "the bank in {start} buys and sells the {money}",
        "the price of bread in {start} rose when the {money} fell",
        "shops in {start} take cards and coins of the {money}",
        "the {money} lost value, and wages in {start} fell",
    ),
    "language": (
        "she speaks {tongue} and learns new words every {day}",
        "the poem was translated into {tongue} in {month}",
        "pupils study {tongue} grammar and verbs on {day}",
        "his {tongue} accent and spelling got better in {month}",
    ),
}
_EVENTS = (
    *("fair", "market", "concert", "festival", "race", "show"),
    *("meeting", "film", "tournament", "lecture", "parade", "play"),
)
# (statement, question) pairs; neither carries a final mark that would give it away.
_ASKING = (
    ("the {event} in {end} starts on {day}", "when does the {event} in {end} start"),
    ("on {day} there is a {event} in {city}", "is there a {event} in {city} on {day}"),
    (
        "{who} bought a ticket for the {event} in {month}",
        "who bought a ticket for the {event} in {month}",
    ),
    (
        "people at the {event} in {end} speak {tongue}",
        "which language do people speak at the {event} in {end}",
    ),
    (
        "the {event} was moved from {city} to {end}",
        "why was the {event} moved from {city} to {end}",
    ),
    ("we can pay for the {event} with the {money}", "can we pay for the {event} with the {money}"),
)


def _fill(rng, template):
    """The English template with a random value in each slot."""
    values = {kind: names("en")[kind][value] for kind, value in _facts(rng, words.KINDS)}
    return template.format(event=rng.choice(_EVENTS), **values)


def _draw_topic(rng, i):
    text = _fill(rng, rng.choice(_TOPIC_SENTENCES[TOPICS[i % 4]]))
    return text, {"text": text, "label": i % 4}


def _draw_question(rng, i):
    text = _fill(rng, rng.choice(_ASKING)[i % 2])
    return text, {"text": text, "label": i % 2}


def _write_english(language, row, name):
    return dict(row)


_CONFIGS = {
    "xnli": (_draw_xnli, _write_xnli),
    "pawsx": (_draw_pawsx, _write_pawsx),
    "udpos": (_draw_udpos, _write_udpos),
    "panx": (_draw_panx, _write_panx),
    "xquad": (_draw_xquad, _write_xquad),
    "tatoeba": (_draw_tatoeba, _write_tatoeba),
    "topic": (_draw_topic, _write_english),
    "question": (_draw_question, _write_english),
}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for one in slices():
        path(*one).write_bytes(content(*one))
