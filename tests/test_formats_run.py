"""Formats and metrics that people bring, through the whole chain: one run over packed TSV, packed
CSV, CoNLL-U and two line-aligned files, scored by Matthews correlation and macro-F1, published,
verified, exported."""

import csv
import io
import json
from pathlib import Path

import pytest
from conftest import Rig, copied, finished, moods, once, releases, sentences, written

from harness.release.schema import mismatches
from harness.release.verify import verify
from harness.store import key_of

SUITE = """
suite: formats
version: 1
about: files as people have them
smoke: true
encoders: [tiny]
arms: [none, tiny_judged]
targets: [tiny_judged, tiny_news, tiny_trees, tiny_lines]
seeds: [1]
recipes:
  intermediate: {learning_rate: 3e-3, batch_size: 8, epochs: 4, evaluations: 1}
  target: {learning_rate: 3e-3, batch_size: 8, epochs: 1, evaluations: 1}
waives: [unlearned, leak]
pvi: true
"""

TASKS = {
    "tiny_judged": (
        """
task: tiny_judged
version: 1
role: [intermediate, target]
family: classification
languages: [en]
source: {files: "judged.{split}.tsv.gz"}
train: {split: train}
dev: {split: dev}
test: {split: test}
columns: {text: sentence, label: judgement}
labels: {"no": "0", "yes": "1"}
metric: matthews
max_length: 48
about: {title: glad or not as CoLA judges}
difficulty: {declared: easy, why: the verb gives it away}
"""
    ),
    "tiny_news": (
        """
task: tiny_news
version: 1
role: [target]
family: classification
languages: [en, de]
source: {files: "news.{language}.{split}.csv.gz"}
train: {split: train}
dev: {split: dev}
test: {split: test, parallel: true}
columns: {text: text, label: label}
labels: [glad, sad, neither]
metric: macro_f1
max_length: 48
about: {title: glad or sad; the third class is in no file}
"""
    ),
    "tiny_trees": (
        """
task: tiny_trees
version: 1
role: [target]
family: tagging
languages: [en, de]
source: {files: "{language}_trees-ud-{split}.conllu", conll: {token: 2, tag: 4}}
train: {split: train}
dev: {split: dev}
test: {split: test, parallel: true}
columns: {tokens: tokens, tags: tags}
labels: [DET, ADJ, NOUN, VERB]
metric: span_f1
max_length: 64
about: {title: word classes}
"""
    ),
    "tiny_lines": (
        """
task: tiny_lines
version: 1
role: [target]
family: retrieval
languages: [de]
source: {files: "mood.{name}-eng.{part}", names: {de: deu, en: eng}}
test: {split: test}
columns: {source: source, target: target}
metric: retrieval_accuracy
max_length: 48
about: {title: translations one a line}
"""
    ),
}


def conllu(tokens: list[str], tags: list[str]) -> str:
    words = [
        f"{i}\t{token}\t_\t{tag}\tX\t_\t0\troot\t_\t_"
        for i, (token, tag) in enumerate(zip(tokens, tags, strict=True), 1)
    ]
    range_ = "1-2\t" + "".join(tokens[:2]) + "\t_" * 8
    return "\n".join([f"# text = {' '.join(tokens)}", range_, *words, ""])


def write(folder: Path) -> None:
    for name, text in {"formats": SUITE, **TASKS}.items():
        (folder / f"{name}.yaml").write_text(text)
    for split, rows in moods().items():
        # a stray " in each row
        lines = ["sentence\tjudgement", *(f'"{row[0]}\t{int(row[2] == "glad")}' for row in rows)]
        written(folder / f"judged.{split}.tsv.gz", "\ufeff" + "\n".join(lines) + "\n")
        for side, language in enumerate(("en", "de")):
            out = io.StringIO(newline="")
            csv.writer(out).writerows([("text", "label"), *((row[side], row[2]) for row in rows)])
            written(folder / f"news.{language}.{split}.csv.gz", out.getvalue())
    for split, rows in sentences().items():
        for side, language in enumerate(("en", "de")):
            text = "\n".join(conllu(row[side], row[2]) for row in rows)
            (folder / f"{language}_trees-ud-{split}.conllu").write_text(text)
    for side, name in enumerate(("eng", "deu")):
        (folder / f"mood.deu-eng.{name}").write_text(
            "".join(f"{row[side]}\n" for row in moods()["test"])
        )


@pytest.fixture(scope="module")
def formats(rig: Rig, tmp_path_factory) -> Path:
    def make(folder: Path) -> Path:
        write(folder)
        command = rig.through("formats", "-t", folder)
        return finished(rig, command, folder)

    return once(tmp_path_factory, "formats", make)


def content(folder: Path) -> dict:
    (data,) = releases(folder).values()
    return json.loads(data)


def test_every_row_was_read(rig, formats):
    done = rig.run(rig.command("validate", "--data", formats, rig.specs), formats)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.said + " ".join(done.lines)
    for line in (
        "tiny_judged train: 64 rows",
        "tiny_news test de: 24 rows",
        "tiny_trees dev: 16 rows",
        "tiny_lines test de: 24 rows",
    ):
        assert line in said


@pytest.mark.slow
def test_the_release_is_sound_and_fits_the_schema(rig, formats):
    (data,) = releases(formats).values()
    assert mismatches(data) == []
    done = rig.run(
        rig.command(
            "leaderboard",
            "verify",
            "--data",
            formats,
            "-t",
            formats,
            "-t",
            rig.specs,
            "--encoder-root",
            rig.encoders,
        ),
        formats,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert rig.run(rig.command("leaderboard", "show"), formats).returncode == 0


def test_scores_gains_headroom_and_pvi_are_there(formats):
    release = content(formats)
    cells = {(cell["arm"], cell["target"]): cell for cell in release["cells"]}
    judged = cells["none", "tiny_judged"]["languages"]["en"]
    assert set(judged["metrics"]) == {"matthews", "accuracy"}
    assert judged["null"] == 0
    news = cells["tiny_judged", "tiny_news"]["languages"]
    assert all(
        set(one["metrics"]) == {"macro_f1", "accuracy"} and one["null"] == 50
        for one in news.values()
    )
    gains = {(gain["arm"], gain["target"]): gain for gain in release["gains"]}
    gain = gains["tiny_judged", "tiny_judged"]["gain"]
    low, high = gain["interval"]
    assert -200 <= low <= gain["value"] <= high <= 200
    (hard,) = release["difficulty"]
    assert hard["chance"] == 0
    assert hard["headroom"] == pytest.approx(1 - hard["dev"] / 100)
    assert hard["pvi"] is not None


def test_keys_name_the_reader_and_the_columns(formats):
    leaves = [
        leaf
        for rows in content(formats)["rows"].values()
        for by in rows.values()
        if isinstance(by, dict)
        for leaf in by.values()
    ]
    how = {
        (
            leaf["family"],
            leaf.get("reader"),
            json.dumps(leaf.get("conll"), sort_keys=True),
            leaf.get("aligned"),
        )
        for leaf in leaves
        if isinstance(leaf, dict) and "parts" in leaf
    }
    assert how == {
        ("classification", 2, "null", None),  # .tsv
        ("classification", None, "null", None),  # .csv
        ("tagging", 2, '{"tag": 4, "token": 2}', None),
        ("retrieval", 2, "null", True),
    }


@pytest.mark.parametrize("target", ["tiny_judged", "tiny_news"])
def test_a_changed_answer_is_found(formats, tmp_path, target):
    release = content(copied(formats, tmp_path / "copy"))
    cell = next(cell for cell in release["evidence"]["cells"] if cell["target"] == target)
    answers = cell["languages"]["en"]["predicted"]
    cell["languages"]["en"]["predicted"] = answers[:-1] + str(1 - int(answers[-1]))
    data = (json.dumps(release, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    assert any(
        "cells" in problem.path for problem in verify(data, {"content_sha256": key_of(release)})
    )


def test_an_export_says_the_scale(rig, formats):
    done = rig.run(rig.command("leaderboard", "export", "--out", "out"), formats)
    assert done.returncode == 0, done.stderr
    assert "matthews" in (formats / "out" / "scores.csv").read_text()
