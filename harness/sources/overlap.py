"""Do training rows stand in a test set, or in another training set? Counted on normalised text, not
trusted to names.

Each row has fingerprints: a pair counts as one text; a context counts for itself (a model that
trained on a paragraph has seen the answers in it), and so does a question with its answer if it is
long enough to mean one thing. Parallel test sets repeat an English leak in every language, so test
rows are compared in English as well as in their own language, and by id.
"""

import re
import unicodedata
from collections.abc import Iterable

# "What is the capital? Paris" stands under many paragraphs and leaks nothing
MIN_QUESTION_WORDS = 8

_NOT_WORD = re.compile(r"[\W_]+", re.UNICODE)


def normalise(text: str) -> str:
    """Lower-case, compatibility-composed, punctuation and spacing folded to single spaces."""
    return _NOT_WORD.sub(" ", unicodedata.normalize("NFKC", text).lower()).strip()


def fingerprints(row: dict) -> set[str]:
    """What a row shares with another if one is a copy of the other. Works on the shapes of
    `data.rows`."""
    if "question" in row:
        specific = len(row["question"].split()) >= MIN_QUESTION_WORDS
        answers = [normalise(answer) for answer in row["answers"]["text"] if specific]
        asked = {f"question:{normalise(row['question'])}\t{answer}" for answer in answers if answer}
        return asked | {"context:" + normalise(row["context"])}
    if "tokens" in row:
        return {"text:" + normalise(" ".join(row["tokens"]))}
    if "source" in row:
        return {"text:" + normalise(row["source"]), "text:" + normalise(row["target"])}
    if "choices" in row:
        return {
            "choices:" + normalise(row["text"]) + "\t" + "\t".join(map(normalise, row["choices"]))
        }
    if row.get("text_pair") is not None:
        return {"pair:" + normalise(row["text"]) + "\t" + normalise(row["text_pair"])}
    return {"text:" + normalise(row["text"])}


def fingerprints_of(rows: Iterable[dict]) -> set[str]:
    """The fingerprints of all rows."""
    return {mark for row in rows for mark in fingerprints(row)}


def shared_rows(rows: Iterable[dict], known: set[str]) -> list[str]:
    """Ids of those `rows` that have one of the `known` fingerprints, in order."""
    return [row["id"] for row in rows if not known.isdisjoint(fingerprints(row))]
