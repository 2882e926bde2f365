"""What a language is called, and what an error says of a word that is no code."""

import pytest

from harness.spec.languages import language_meant, language_of


@pytest.mark.parametrize(
    ("word", "code"),
    [("de_DE", "de"), ("German", "de"), ("Deutsch", "de"), ("中文", "zh"), ("x", None)],
)
def test_a_language_goes_by_its_code_and_its_names(word, code):
    assert language_of(word) == code


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("german", [], "did you mean 'de'?"),
        ("germn", ["de", "fr"], "did you mean 'de'?"),
        ("chinese", ["zh-Hans", "zh-Hant"], "did you mean 'zh-Hans' or 'zh-Hant'?"),
        ("dee", ["de", "fr"], "did you mean 'de'?"),
        ("german", ["en", "fr"], "there are en, fr"),
        ("xx", [], "write one such as en, de or zh-Hant"),
    ],
)
def test_a_name_suggests_its_code(word, known, said):
    assert language_meant(word, known) == f"; {said}"
