"""The smoke suite's own data: the committed files are what their generator makes; every slice means
the same in every language and leaks nothing."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import babel
import pytest

from harness.spec.catalog import Catalog
from tests import mini_rows as mini
from tests import mini_words as words

ROOT = Path(__file__).parents[1]
LOCKED_BABEL = "2.18.0"  # CLDR names move with it
SLICES = mini.slices()
SCHEMAS = {
    "xnli": {"language", "sentence1", "sentence2", "gold_label"},
    "pawsx": {"sentence1", "sentence2", "label"},
    "udpos": {"tokens", "pos_tags"},
    "panx": {"tokens", "ner_tags", "langs"},
    "xquad": {"id", "title", "context", "question", "answers"},
    "tatoeba": {"source_sentence", "target_sentence", "source_lang", "target_lang"},
    "topic": {"text", "label"},
    "question": {"text", "label"},
}
LABELS = {
    "xnli": ("gold_label", set(mini.NLI_LABELS)),
    "pawsx": ("label", {"0", "1"}),
    "topic": ("label", {0, 1, 2, 3}),
    "question": ("label", {0, 1}),
}
TAGS = {"udpos": ("pos_tags", mini.UPOS), "panx": ("ner_tags", mini.NER_TAGS)}


def digest(rows):
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def strings(value):
    """All strings in a row, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def normalised(config, row):
    """What must not be in two splits: the context of a question, the whole text of any other
    row."""
    text = (
        [row["context"]]
        if config == "xquad"
        else [v for k, v in sorted(row.items()) if k not in ("language", "langs")]
    )
    return "|".join(" ".join(s.lower().split()) for s in strings(text))


@pytest.mark.parametrize(("config", "language", "split"), SLICES)
def test_slice_is_well_formed(config, language, split):
    rows = mini.rows(config, language, split)
    assert len(rows) == mini.SPLITS[config][split]
    for row in rows:
        assert set(row) == SCHEMAS[config]
        assert all(text.strip() and "{" not in text for text in strings(row))
    assert len({normalised(config, row) for row in rows}) == len(rows)
    assert rows == mini.rows(config, language, split)


@pytest.mark.parametrize(("config", "language", "split"), [s for s in SLICES if s[0] in LABELS])
def test_labels_are_valid_and_balanced(config, language, split):
    field, valid = LABELS[config]
    counts = Counter(row[field] for row in mini.rows(config, language, split))
    assert set(counts) == valid
    assert max(counts.values()) == min(counts.values())


@pytest.mark.parametrize(("config", "language", "split"), [s for s in SLICES if s[0] in TAGS])
def test_every_token_has_a_valid_tag(config, language, split):
    field, names = TAGS[config]
    for row in mini.rows(config, language, split):
        assert len(row["tokens"]) == len(row[field])
        assert all(0 <= tag < len(names) for tag in row[field])
        assert not any(" " in token for token in row["tokens"])
        if config == "panx":
            assert row["langs"] == [language] * len(row["tokens"])
            for before, tag in zip([0, *row[field]], row[field], strict=False):
                assert not names[tag].startswith("I-") or names[before][2:] == names[tag][2:]


@pytest.mark.parametrize(("config", "language", "split"), [s for s in SLICES if s[0] == "xquad"])
def test_answers_are_where_they_say(config, language, split):
    places = Counter()
    for row in mini.rows(config, language, split):
        (text,), (start,) = row["answers"]["text"], row["answers"]["answer_start"]
        assert row["context"][start : start + len(text)] == text
        places[int(4 * start / len(row["context"]))] += 1
    assert all(places[quarter] >= sum(places.values()) / 10 for quarter in range(4))


@pytest.mark.parametrize("config", [c for c in mini.CONFIGS if "test" in mini.SPLITS[c]])
def test_test_rows_are_parallel(config):
    english = mini.rows(config, "en", "test")
    for language in mini.LANGUAGES[1:]:
        rows = mini.rows(config, language, "test")
        for ours, theirs in zip(english, rows, strict=True):
            if config in LABELS:
                field = LABELS[config][0]
                assert ours[field] == theirs[field]
            if config == "xquad":
                assert ours["id"] == theirs["id"]
            if config == "panx":  # the same entities, however many tokens they have
                begins = [[t for t in row["ner_tags"] if t % 2] for row in (ours, theirs)]
                assert begins[0] == begins[1]
        assert digest(rows) != digest(english)


@pytest.mark.parametrize("config", mini.CONFIGS)
def test_splits_share_no_text(config):
    language = mini.CONFIGS[config][0]
    seen = {
        split: {normalised(config, row) for row in mini.rows(config, language, split)}
        for split in mini.SPLITS[config]
    }
    assert len(set().union(*seen.values())) == sum(len(texts) for texts in seen.values())


@pytest.mark.parametrize("language", mini.CONFIGS["tatoeba"])
def test_bitext_pairs_are_distinct_on_both_sides(language):
    rows = mini.rows("tatoeba", language, "validation")
    assert (
        len({row["source_sentence"] for row in rows})
        == len({row["target_sentence"] for row in rows})
        == 80
    )
    assert {(row["source_lang"], row["target_lang"]) for row in rows} == {
        (mini.ISO_639_3[language], "eng")
    }


def test_word_lists_are_parallel_and_names_distinct():
    for language in mini.LANGUAGES:
        for table in (
            words.SUBJECTS,
            words.PREDICATES,
            words.PLACES,
            words.FRAMES,
            words.ORGANISATIONS,
        ):
            assert len(table[language]) == len(table["en"])
        assert len(words.CITIES_OF[language].split()) == len(words.CITIES["en"].split())
        for kind, values in mini.names(language).items():
            assert len(values) == len(set(values)) == len(mini.names("en")[kind])


def test_month_names_are_in_their_own_language_whatever_was_loaded_first():
    # Babel 2.18 shares the stand-alone alias between languages; `names` must not read through it.
    script = """if True:
        import babel
        from tests import mini_rows as mini
        for first in ("zh", "ar", "ru"):
            list(babel.Locale.parse(first).months["stand-alone"]["wide"].values())
        print(ascii([mini.names(language)["month"][0] for language in mini.LANGUAGES]))"""
    expected = ["January", "Januar", "enero", "janvier", "январь", "يناير", "一月", "जनवरी"]
    assert run_python(script) == ascii(expected)


@pytest.mark.parametrize(
    ("config", "language", "split", "named"),
    [
        ("nli", "en", "test", "xnli, pawsx"),
        ("xnli", "xx", "test", "en, de, es"),
        ("xnli", "de", "train", "valid: en"),
        ("tatoeba", "en", "validation", "de, es"),
        ("topic", "en", "test", "train, validation"),
    ],
)
def test_unknown_names_are_refused_with_the_valid_ones(config, language, split, named):
    with pytest.raises(ValueError, match=named):
        mini.rows(config, language, split)


def run_python(script, **env):
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


def test_rows_do_not_depend_on_the_hash_seed():
    script = """if True:
        import hashlib, json, sys
        from tests import mini_rows as mini
        assert "babel" not in sys.modules  # importing the module stays light
        rows = [mini.rows(*one) for one in mini.slices()]
        print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())"""
    assert run_python(script, PYTHONHASHSEED="1") == run_python(script, PYTHONHASHSEED="2")


def test_the_committed_files_are_what_the_generator_makes():
    """The golden rows. Changed on purpose? Then other keys go with them, and a new release of
    `mini`."""
    if babel.__version__ != LOCKED_BABEL:
        pytest.skip(
            f"the rows hold CLDR names of Babel {LOCKED_BABEL}, here is {babel.__version__}"
        )
    assert {path.name for path in mini.FOLDER.iterdir()} == {mini.path(*one).name for one in SLICES}
    for one in SLICES:
        assert mini.path(*one).read_bytes() == mini.content(*one), one


def test_every_file_is_read_by_a_task_of_mini():
    read = set()
    for task in Catalog.load([]).tasks.values():
        for phase in ("train", "dev", "test"):
            rows = getattr(task, phase)
            if (task.source.files or "").startswith("mini/") and rows and rows.split:
                read |= {
                    task.source.files.format(language=language, split=rows.split)
                    for language in (task.languages if phase == "test" else ["en"])
                }
    assert read == {f"mini/{mini.path(*one).name}" for one in SLICES}
