"""Counts training rows that stand in a test set (a leak) or in the target's own training set
(shared training)."""

import json

from harness.jobs.context import Context
from harness.sources.overlap import fingerprints_of, shared_rows


def run(ctx: Context) -> None:
    """Compare each training set of an arm's chain with the target's tests; writes overlap.json."""
    job = ctx.job
    tests = {language: ctx.rows(dataset) for language, dataset in job["tests"].items()}
    trained = {
        phase: [row for rows in sets for row in ctx.rows(rows)]
        for phase, sets in job["trained"].items()
    }
    # A parallel test set repeats an English leak under the same id in every language, also where
    # English is not tested.
    original = ctx.rows(job["english"]) if "english" in job else []
    known = {phase: fingerprints_of(rows) for phase, rows in trained.items()}
    leaks = {}
    for phase, marks in known.items():
        english = set(shared_rows(original, marks))
        per_language = {}
        for language, test in sorted(tests.items()):
            found = set(shared_rows(test, marks)) | (english & {row["id"] for row in test})
            if found:
                per_language[language] = len(found)
        if per_language:
            leaks[phase] = per_language
    shared = 0
    if {"intermediate", "target"} <= set(trained):
        shared = len(shared_rows(trained["target"], known["intermediate"]))
    result = {
        "leaks": leaks,
        "shared": shared,
        "rows": {phase: len(rows) for phase, rows in trained.items()},
        "test_rows": {language: len(rows) for language, rows in sorted(tests.items())},
    }
    (ctx.workdir / "overlap.json").write_text(json.dumps(result, indent=1, sort_keys=True))
