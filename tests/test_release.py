"""Releases: what a board holds stays readable, and a number, a language or a seed that was tampered
with is found."""

import csv
import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import ROOT, Rig, copied, once, write_jsonl

from harness.common.errors import StoreError
from harness.release import schema
from harness.release.compare import Comparison, compare, lines
from harness.release.document import Board, content_bytes
from harness.release.schema import SCHEMA, Known
from harness.release.schema_derived import SECTIONS, Derived
from harness.release.verify import problems, verify
from harness.statistics import derive as derivation
from harness.store import key_of

GOLDEN = ROOT / "tests" / "golden" / "release.json"
# write the golden release anew
REWRITE = os.environ.get("XSTILTS_GOLDEN") == "1"
COMMITTED = sorted(
    path for path in (ROOT / "leaderboard" / "releases").glob("*.json") if ".env." not in path.name
)

SUITE = """
suite: whole
version: 1
about: what a release can hold
smoke: true
encoders: [tiny]
arms:
  - none
  - tiny_colour
  - name: easiest
    intermediate:
      task: tiny_colour
      subset: {by: pvi, keep: easiest, fraction: 0.4}
      cut: {why: the first 4 fifths, train: {split: "train[:80%]"}}
  - name: text
    intermediate:
      task: tiny_feeling
      control: masked_lm
      cut: {why: what the target leaves, train: {split: "train[75%:]"}}
  - name: aside
    intermediate:
      task: tiny_colour
      cut: {why: rows of another file, train: {split: dev}, dev: {split: "train[:20]"}}
targets: [tiny_mood, tiny_quad, tiny_pairs]
seeds: [1, 2]
recipes:
  intermediate: {learning_rate: 3e-3, batch_size: 8, epochs: 2, evaluations: 1}
  target: {learning_rate: 1e-3, batch_size: 8, max_updates: 4, evaluations: 1}
  tasks: {tiny_mood: {max_updates: 5}, easiest: {warmup: 0.1}}
caps: {train: 24, test: 20}
task_caps: {tiny_mood: {train: 32, dev: 12, test: 16}}
cuts:
  tiny_mood: {why: the first rows, train: {split: "train[:75%]"}}
  tiny_colour: {why: all but the last rows, train: {split: "train[:90%]"}}
settings: {tiny_mood: {max_length: 40}}
waives: [unlearned]
pvi: true
"""


# tiny_mood's rows under another name, as an intermediate.
FEELING = """
task: tiny_feeling
version: 1
role: [intermediate]
family: classification
languages: [en]
source: {files: "mood.{language}.{split}.jsonl"}
train: {split: train}
dev: {split: dev}
columns: {text: text, label: mood}
labels: [sad, glad]
metric: accuracy
max_length: 48
about: {title: glad or sad}
difficulty: {declared: easy, why: one word gives it away}
"""

# The golden release: XSTILTS_GOLDEN=1 pytest tests/test_release.py -k golden
GOLDEN_SUITE = """
suite: golden
version: 1
about: a small release of this schema
smoke: true
encoders: [tiny]
arms:
  - none
  - tiny_colour
  - name: feeling
    intermediate:
      task: tiny_feeling
      cut: {why: what the target leaves, train: {split: "train[50%:]"}}
  - {name: random, intermediate: {task: tiny_colour, subset: {keep: random, fraction: 0.4}}}
targets: [tiny_mood, tiny_pairs]
seeds: [1]
recipes:
  intermediate: {learning_rate: 1e-3, batch_size: 8, max_updates: 4, evaluations: 1}
  target: {learning_rate: 1e-3, batch_size: 8, max_updates: 4, evaluations: 1}
caps: {train: 24, dev: 16, test: 10}
cuts:
  tiny_mood: {why: the first half, train: {split: "train[:50%]"}}
waives: [unlearned]
pvi: true
"""


def ran(rig: Rig, folder: Path, name: str, suite: str) -> Path:
    """The folder of a run of a suite with tiny_feeling; its specs lie in `own`."""
    own = folder / "own"
    own.mkdir()
    (own / "suite.yaml").write_text(suite.lstrip())
    (own / "feeling.yaml").write_text(FEELING.lstrip())
    for split in ("train", "dev"):
        shutil.copy(rig.specs / f"mood.en.{split}.jsonl", own)
    done = rig.run(rig.through(name, "-t", own), folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def whole(rig: Rig, tmp_path_factory) -> Path:
    """The folder of a run with a subset, a control, PVI, two seeds, cuts of tasks and of arms, a
    cap and a setting."""
    make = partial(ran, rig, name="whole", suite=SUITE)
    return once(tmp_path_factory, "whole", make)


def read(folder: Path) -> tuple[dict, dict]:
    """(content, sidecar) of a run's one release."""
    (path,) = Board(folder / "runs/board").list()
    return json.loads(path.read_bytes()), Board(folder / "runs/board").sidecar(path)


@pytest.mark.skipif(not REWRITE, reason="XSTILTS_GOLDEN=1 writes it anew")
def test_write_the_golden_release(rig, tmp_path):
    content, _ = read(ran(rig, tmp_path, "golden", GOLDEN_SUITE))
    GOLDEN.write_bytes(content_bytes(content))


def test_a_later_schema_says_what_to_do(tmp_path):
    path = tmp_path / "0001-later.json"
    path.write_text('{"schema": 99}')
    with pytest.raises(
        StoreError,
        match=(
            rf"0001-later\.json: a release of schema 99, .* schema {SCHEMA}; update xstilts-harness"
        ),
    ):
        Board(tmp_path).load(path)


# The schema


def test_the_committed_json_schema_is_that_of_the_models():
    committed = (ROOT / "leaderboard" / "release.schema.json").read_text()
    assert committed == schema.json_schema(), (
        "run: python -m harness.release.schema > leaderboard/release.schema.json"
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", [GOLDEN, *COMMITTED], ids=lambda path: path.stem)
def test_releases_are_of_the_schema(path):
    content = json.loads(path.read_bytes())
    jsonschema.Draft202012Validator(json.loads(schema.json_schema())).validate(content)
    assert schema.mismatches(path.read_bytes()) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda c: c["suite"].update(extra=1), "suite.extra"),
        (lambda c: c["cells"][0].pop("score"), "cells.0.score"),
        (lambda c: c["suite"].update(version="1"), "suite.version"),
        (lambda c: c["evidence"]["cells"][0].update(key="abc"), "evidence.cells.0.key"),
    ],
)
def test_what_is_not_of_the_schema_is_named(change, path):
    content = json.loads(GOLDEN.read_bytes())
    change(content)
    assert path in [found for found, _ in schema.mismatches(content_bytes(content))]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json.loads(schema.json_schema())).validate(content)


# Verify: sound releases


def test_a_fresh_release_is_sound(whole):
    content, sidecar = read(whole)
    assert [str(problem) for problem in verify(content_bytes(content), sidecar)] == []


@pytest.mark.slow
@pytest.mark.parametrize("run", ["undisturbed", "long_run"])
def test_so_are_those_of_other_suites(run, request):
    content, sidecar = read(request.getfixturevalue(run))
    assert [str(problem) for problem in verify(content_bytes(content), sidecar)] == []


ODD = {
    "odd": (
        """
suite: odd
version: 1
about: what the other suites lack, a mixture, mined pairs, and more rows than are kept one by one
smoke: true
encoders: [tiny]
arms: [none, {name: both, intermediate: {tasks: [tiny_colour, mini_topic], sampler: uniform}}]
targets: [tiny_many, tiny_heaps]
seeds: [1]
recipes:
  intermediate: {learning_rate: 1e-3, batch_size: 8, max_updates: 4, evaluations: 1}
  target: {learning_rate: 1e-3, batch_size: 8, max_updates: 4, evaluations: 0}
waives: [unlearned, leak]
"""
    ),
    "many": (
        """
task: tiny_many
version: 1
role: [target]
family: classification
languages: [de, en]
source: {files: "many.{language}.{split}.jsonl"}
train: {split: train}
dev: {split: train}
test: {split: test, parallel: true}
columns: {text: text, label: label}
labels: [odd, even]
metric: accuracy
max_length: 32
about: {title: many rows}
"""
    ),
    "heaps": (
        """
task: tiny_heaps
version: 1
role: [target]
family: bitext_mining
languages: [de]
source: {files: "heap.{split}.{part}"}
dev: {split: dev}
test: {split: test}
metric: mining_f1
max_length: 32
about: {title: heaps}
"""
    ),
}


@pytest.fixture(scope="module")
def odd(rig: Rig, tmp_path_factory) -> Path:
    """The folder of a run of ODD: 1,010 parallel rows in two languages become 1,000 blocks each."""

    def make(folder: Path) -> Path:
        specs = folder / "specs"
        specs.mkdir()
        for name, text in ODD.items():
            (specs / f"{name}.yaml").write_text(text.lstrip())
        for language, split, rows in (
            ("en", "train", 40),
            ("en", "test", 1010),
            ("de", "test", 1010),
        ):
            some = [
                {"text": f"{language} {split} {i}", "label": ("even", "odd")[i % 2]}
                for i in range(rows)
            ]
            write_jsonl(specs / f"many.{language}.{split}.jsonl", some)
        for split in ("dev", "test"):
            for part, text in (
                ("de", "d{0}\tder {1} Satz {0}\n"),
                ("en", "e{0}\tthe {1} line {0}\n"),
                ("gold", "d{0}\te{0}\n"),
            ):
                (specs / f"heap.{split}.{part}").write_text(
                    "".join(text.format(i, split) for i in range(12))
                )
        done = rig.run(rig.through("odd", "-t", specs), folder)
        assert done.returncode == 0, done.stderr
        return folder

    return once(tmp_path_factory, "odd", make)


@pytest.mark.slow
def test_a_mixture_mined_pairs_and_blocks_of_rows_are_sound_too(rig, odd):
    content, sidecar = read(odd)
    assert [str(problem) for problem in verify(content_bytes(content), sidecar)] == []
    assert len(content["evidence"]["units"]["tiny_many"]["de"]["n"]) == 1000
    more = [
        "--store",
        odd / "runs/store",
        "--encoder-root",
        rig.encoders,
        "-t",
        rig.specs,
        "-t",
        odd / "specs",
    ]
    done = rig.run(rig.command("leaderboard", "verify", "--data", odd, *more), odd)
    assert done.returncode == 0, done.stderr
    assert "4 cells scored again from 4,088 predictions and gold rows" in done.stdout


def test_the_golden_release_is_sound():
    content = json.loads(GOLDEN.read_bytes())
    sidecar = {"content_sha256": key_of(content)}
    assert [str(problem) for problem in verify(content_bytes(content), sidecar)] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_releases_are_sound(path):
    assert [
        str(problem) for problem in verify(path.read_bytes(), Board(path.parents[1]).sidecar(path))
    ] == []


# Verify: one digit anywhere, all hashes made to match

# What nothing else in a release says again, by class of path (names and hashes are *). A change
# there is a change of what somebody wrote, not of a number that was computed; version control shows
# it, and `verify --data` shows some.
UNDETECTABLE: dict[str, str] = {}


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    """(path, leaf) of all leaves with a digit in them."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from leaves(one, (*path, name))
    elif isinstance(value, list):
        for i, one in enumerate(value):
            yield from leaves(one, (*path, i))
    elif not isinstance(value, bool) and re.search(r"\d", json.dumps(value)):
        yield path, value


NAMES = {"tiny", "tiny_colour", "easiest", "text", "none", "en", "de", "1", "2"}


def kind(path: tuple) -> str:
    """The class of a path: places in lists, hashes and names of arms, targets and languages are
    *."""
    names = re.compile(r"[0-9a-f]{16,64}|tiny_.*|.* (train|dev|test) .*")
    return ".".join(
        "*" if isinstance(name, int) or name in NAMES or names.fullmatch(name) else name
        for name in path
    )


def edited(value: Any, draw: random.Random) -> Any:
    """The leaf with one digit changed; not one behind the twelfth decimal, which a mean over rows
    need not show."""
    text = json.dumps(value, ensure_ascii=False)
    places = [found.start() for found in re.finditer(r"\d", text)]
    places = [at for at in places if not re.search(r"\.\d{12,}$", text[:at])]
    while True:
        at = draw.choice(places)
        new = (
            text[:at]
            + draw.choice([digit for digit in "0123456789" if digit != text[at]])
            + text[at + 1 :]
        )
        try:
            if (changed := json.loads(new)) != value:
                return changed
        except ValueError:
            continue


def replaced(content: dict, path: tuple, value: Any) -> dict:
    """A copy with another leaf."""
    if not path:
        return value
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[path[0]] = replaced(content[path[0]], path[1:], value)
    return copy


def identity(content: dict, job: dict) -> dict:
    """What a job's key is the hash of."""
    encoder = content["encoders"][job["encoder"]] if job["encoder"] else None
    encoder = encoder and {name: encoder[name] for name in ("files", "max_length")}
    return {**job, "data": content["rows"][job["data"]], "encoder": encoder}


def rehashed(content: dict, sidecar: dict) -> tuple[dict, dict]:
    """Both with every key, reference and content hash made to match, as someone who tampers
    would."""
    text, beside = json.dumps(content), json.dumps(sidecar)
    while True:
        try:
            stale = {name: key_of(rows)[:16] for name, rows in content["rows"].items()}
            stale |= {
                key: key_of(identity(content, job))
                for key, job in content["jobs"].items()
                if job["data"] in content["rows"]
            }
        except KeyError:  # it names what is not there, and no hash can help that
            break
        stale = {old: new for old, new in stale.items() if old != new}
        if not stale:
            break
        for old, new in stale.items():
            text, beside = (
                text.replace(f'"{old}"', f'"{new}"'),
                beside.replace(f'"{old}"', f'"{new}"'),
            )
        content = json.loads(text)
    return content, json.loads(beside) | {"content_sha256": key_of(content)}


@cache
def _derived(known: bytes) -> Derived:
    return derivation.derive(Known.model_validate_json(known))


def derive_once(content: Known) -> Derived:
    """`derive`, remembered: most edits leave its input alone."""
    known = content.model_dump(mode="json", by_alias=True, include=set(Known.model_fields))
    return _derived(json.dumps(known).encode())


def found_in(content: dict, sidecar: dict):
    """The first problem of a document whose hashes all match, or None."""
    content, sidecar = rehashed(content, sidecar)
    return next(problems(content_bytes(content), sidecar, derive_once), None)


@pytest.mark.parametrize("invented", [[], [{"hypothesis": "h", "verdict": "holds"}]])
def test_a_section_that_the_evidence_does_not_give_is_found(invented):
    """What a release says only where its suite expects something."""
    board = Board(ROOT / "leaderboard")
    path = board.find("mteb-tatoeba")
    content, sidecar = board.load(path), board.sidecar(path)
    if invented:
        invented[0] |= {"encoder": "e", "at": "a", "why": "", "numbers": 1, "beyond": 0}
        invented[0]["number"] = dict.fromkeys(("value", "interval", "rows", "seeds", "p"))
    found = found_in(content | {"hypotheses": invented}, sidecar)
    assert found and "hypotheses" in str(found)


@pytest.mark.slow
def test_one_digit_anywhere_is_found(whole):
    """Of every class of path one leaf, and others at random; one digit of it changed, all hashes
    made to match."""
    content, sidecar = read(whole)
    groups: dict[str, list] = {}
    for path, value in leaves(content):
        groups.setdefault(kind(path), []).append((path, value))
    draw, missed = random.Random(20), {}
    chosen = [draw.choice(group) for group in groups.values()] + draw.sample(
        list(leaves(content)), 120
    )
    for path, value in chosen:
        new = edited(value, draw)
        if found_in(replaced(content, path, new), sidecar) is None and not UNDETECTABLE.get(
            kind(path)
        ):
            missed[kind(path)] = f"{path}: {value!r:.80} → {new!r:.80}"
    assert missed == {}
    assert len(chosen) > 300


# Verify: an arm's own cut


def other_rows(content: dict) -> dict:
    """The first 70% wherever the first 80% were read, in every job, with all hashes made to
    match."""
    return json.loads(json.dumps(content).replace('"stop": "80%"', '"stop": "70%"'))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["arms"]["easiest"]["cut"]["train"].update(split="train[:70%]"),
        lambda c: c["arms"]["easiest"].update(cut=None),  # then the suite's would hold
        lambda c: c["arms"]["easiest"]["cut"].update(dev={"split": "dev[:50%]"}),
        lambda c: c["arms"]["easiest"]["cut"].update(languages=["en"]),
        lambda c: c["arms"]["tiny_colour"].update(cut=c["arms"]["easiest"]["cut"]),
        lambda c: c["suite"]["cuts"]["tiny_colour"]["train"].update(split="train[:80%]"),
        lambda c: c.update(other_rows(c)),
    ],
    ids=[
        "another cut",
        "no cut",
        "a cut of dev",
        "languages",
        "a cut of another arm",
        "the suite's",
        "other rows",
    ],
)
def test_an_arms_rows_are_those_of_its_own_cut(whole, change):
    """Of its training, of the trainings that rank its rows, and of no other arm; derived again, and
    all hashes matching."""
    content, sidecar = read(whole)
    before = json.dumps(content)
    change(content)
    assert json.dumps(content) != before
    found = found_in(content, sidecar)
    assert found is not None and any(of in found.path for of in ("parts", "cut", "trained"))


def test_the_flag_same_and_what_follows_stand_in_the_release(whole):
    content, _ = read(whole)
    assert {(c["arm"], c["target"]) for c in content["cells"] if "same" in c["flags"]} == {
        ("text", "tiny_mood@whole")
    }
    text = next(average for average in content["averages"] if average["arm"] == "text")
    assert text["own_data"] == ["tiny_mood@whole"]
    all_of_them, without = text["overall"]["targets"], text["without_own"]["targets"]
    assert set(all_of_them) - set(without) == {"tiny_mood@whole"}
    assert (
        content["arms"]["text"]["cut"]["why"] == "what the target leaves"
        and content["arms"]["none"]["cut"] is None
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda c: next(cell for cell in c["cells"] if "same" in cell["flags"])["flags"].remove(
            "same"
        ),
        lambda c: c["cells"][0]["flags"].append("same"),
        lambda c: next(gain for gain in c["gains"] if "same" in gain["flags"])["flags"].remove(
            "same"
        ),
        lambda c: own_data(c)["without_own"]["gain"].update(interval=None),
        lambda c: own_data(c)["without_own"]["targets"].pop(),
        lambda c: own_data(c)["own_data"].pop(),
    ],
)
def test_what_follows_from_the_rows_cannot_be_said_otherwise(whole, change):
    content, sidecar = read(whole)
    change(content)
    assert "flags" in (path := found_in(content, sidecar).path) or "own" in path


def own_data(content: dict) -> dict:
    """The average of a condition that trained on a target's own data."""
    return next(average for average in content["averages"] if average["own_data"])


def test_every_digit_of_a_derived_number_counts(whole):
    """Not only those that round to something else."""
    content, sidecar = read(whole)
    value = content["cells"][0]["languages"]["en"]["stderr"]
    for at in [found.start() for found in re.finditer(r"\d", repr(value))][:-1]:
        new = float(repr(value)[:at] + str((int(repr(value)[at]) + 1) % 10) + repr(value)[at + 1 :])
        changed = replaced(content, ("cells", 0, "languages", "en", "stderr"), new)
        assert "cells[0].languages.en.stderr (tiny · none · tiny_mood@whole · seed 1)" in str(
            found_in(changed, sidecar)
        )


# Verify: something taken away


def without(content: dict, **names: Any) -> dict:
    """A copy in which no cell, gain or other entry of that name is left (arm=, target=, seed=,
    encoder=)."""
    copy = json.loads(json.dumps(content))

    def kept(entries: list) -> list:
        return [
            entry
            for entry in entries
            if not all(entry.get(name) == value for name, value in names.items())
        ]

    for section in ("cells", "gains", "averages", "slices", "difficulty", "best"):
        copy[section] = kept(copy[section])
    copy["evidence"]["cells"] = kept(copy["evidence"]["cells"])
    for arm in copy["arms"].values():
        arm["trained"] = kept(arm["trained"])
    for table in ("pvi", "subsets"):
        copy["evidence"][table] = {
            name: kept(entries) for name, entries in copy["evidence"][table].items()
        }
    return copy


def rederived(content: dict) -> dict:
    """With the derived sections that follow from what is left."""
    known = {name: value for name, value in content.items() if name not in SECTIONS}
    return known | json.loads(json.dumps(derivation.sections(known)))


def without_language(content: dict, target: str, language: str) -> dict:
    copy = json.loads(json.dumps(content))
    copy["evidence"]["units"][target].pop(language)
    for cell in [*copy["evidence"]["cells"], *copy["cells"]]:
        if cell["target"] == target:
            cell["languages"].pop(language)
            (cell.get("overlap") or {"test_rows": {language: 0}})["test_rows"].pop(language)
    return copy


@pytest.mark.parametrize("again", [False, True], ids=["as it is", "derived again"])
@pytest.mark.parametrize(
    "what",
    ["seed", "target", "arm", "language", "declared language", "split", "training", "one cell"],
)
def test_what_is_missing_is_found(whole, what, again):
    """Also where all numbers are derived again from what is left, and all hashes match."""
    content, sidecar = read(whole)
    mood = "tiny_mood@whole"
    if what == "seed":
        content = without(content, seed=2)
    elif what == "target":
        content = without(content, target=mood)
        content["targets"].pop(mood)
        content["evidence"]["units"].pop(mood)
    elif what == "arm":
        content = without(content, arm="text")
        content["arms"].pop("text")
    elif what.endswith("language"):
        content = without_language(content, mood, "de")
        if what.startswith("declared"):
            content["targets"][mood]["languages"] = ["en"]
    elif what == "split":
        content["inputs"]["files"]["tiny_mood"].pop("mood.de.test.jsonl")
    elif what == "training":
        content["evidence"]["trainings"].pop(content["arms"]["text"]["trained"][0]["key"])
    else:
        content["evidence"]["cells"].pop(3)
        content["cells"].pop(3)
    assert found_in(rederived(content) if again else content, sidecar) is not None


def test_bytes_hash_and_missing_sidecar(whole):
    content, sidecar = read(whole)
    data = content_bytes(content)
    assert "another spelling" in str(verify(json.dumps(content).encode(), sidecar)[0])
    assert "another spelling" in str(
        verify(data.replace(b'"smoke": true', b'"smoke": false,\n  "smoke": true'), sidecar)[0]
    )
    assert [problem.path for problem in verify(data, sidecar | {"content_sha256": "0" * 64})] == [
        "sidecar content_sha256"
    ]
    assert [problem.path for problem in verify(data, {})] == ["sidecar content_sha256"]
    assert [problem.path for problem in verify(b"{}", {})] == ["the file"]
    assert [problem.path for problem in verify(b'{"schema": 99}', {})] == ["schema"]


def test_a_job_that_the_sidecar_ran_and_the_release_lacks(whole):
    content, sidecar = read(whole)
    sidecar["jobs"]["f" * 64] = {"name": "train something else", "seconds": 1.0}
    assert [problem.path for problem in verify(content_bytes(content), sidecar)] == ["jobs"]


# Verify --data


def rechecked(rig: Rig, folder: Path, *more: object, specs: Path | None = None):
    where = [
        "--board",
        folder / "runs/board",
        "--store",
        folder / "runs/store",
        "--encoder-root",
        rig.encoders,
    ]
    own = ["--specs", specs or rig.specs, "--specs", folder / "own"]
    return rig.run(
        rig.command("leaderboard", "verify", "--data", rig.home.parent, *where, *own, *more), folder
    )


def tampered(folder: Path, change) -> None:
    """A release whose evidence was changed and whose numbers all follow from it again."""
    (path,) = Board(folder / "runs/board").list()
    content, sidecar = json.loads(path.read_bytes()), Board(folder / "runs/board").sidecar(path)
    change(content)
    content, sidecar = rehashed(rederived(content), sidecar)
    path.write_bytes(content_bytes(content))
    path.with_suffix(".env.json").write_bytes(content_bytes(sidecar))


@pytest.mark.slow
def test_recheck_goes_back_to_predictions_and_gold(rig, whole, tmp_path):
    done = rechecked(rig, copied(whole, tmp_path / "same"))
    assert done.returncode == 0, done.stderr
    assert (
        "0001-whole: sound" in done.stdout
        and "30 cells scored again from 920 predictions and gold rows" in done.stdout
    )


@pytest.mark.slow
def test_recheck_finds_what_was_made_up_consistently(rig, whole, tmp_path):
    def better(content: dict) -> None:
        said = content["evidence"]["cells"][6]["languages"]["de"]
        said["correct"] = "1" * len(said["correct"])

    folder = copied(whole, tmp_path / "made up")
    tampered(folder, better)
    content, sidecar = read(folder)
    assert verify(content_bytes(content), sidecar) == []
    done = rechecked(rig, folder)
    assert done.returncode == 1
    (line,) = [line for line in done.lines if "correct" in line]
    assert (
        "evidence.cells[6].languages.de.correct (tiny · " in line
        and "found 1111111111111111" in line
    )


@pytest.mark.slow
def test_recheck_says_what_differs_here(rig, whole, tmp_path):
    folder, specs = copied(whole, tmp_path / "other"), copied(rig.specs, tmp_path / "specs")
    file = specs / "mood.de.test.jsonl"
    file.write_text(file.read_text(encoding="utf-8").replace("glad", "sad", 1), encoding="utf-8")
    done = rechecked(rig, folder, specs=specs)
    assert done.returncode == 1
    assert "the rows: tests.de.parts" in done.stderr
    (folder / "runs/store" / "results").rename(folder / "runs/store" / "gone")
    done = rechecked(rig, folder)
    assert done.returncode == 1 and "should be its predictions" in done.stderr


# Compare: what moved and why; tests/test_rebuild.py has what two runs of one suite may differ by


def compared(a: dict, b: dict, a_env: dict | None = None, b_env: dict | None = None) -> Comparison:
    contents = schema.Content.model_validate(a), schema.Content.model_validate(b)
    return compare(*contents, a_env or {}, b_env or {})


def text_of(*of: dict) -> str:
    return "\n".join(lines(compared(*of)))


def test_compare_says_what_moved_largest_first_and_with_its_interval():
    old = json.loads(GOLDEN.read_bytes())
    new = json.loads(GOLDEN.read_bytes())
    new["gains"][0]["gain"]["value"] += 3.0
    new["gains"][1]["gain"]["value"] -= 5.0
    new["cells"][0]["score"] += 1.0
    found = compared(old, new)
    assert [moved.change for moved in found.moved["gains"]] == pytest.approx([-5.0, 3.0])
    assert found.moved["gains"][0].intervals[0] == old["gains"][1]["gain"]["interval"]
    assert [moved.what for moved in found.moved["scores"]] == [
        "tiny · none · tiny_mood@golden · seed 1"
    ]
    assert found.why == {} and "nothing beside the numbers changed" in text_of(old, new)


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        (
            "data",
            lambda c, e: c["inputs"]["files"]["tiny_mood"]["mood.de.test.jsonl"].update(
                sha256=["0" * 64]
            ),
        ),
        ("code", lambda c, e: c["inputs"]["versions"]["jobs"].update(train=9)),
        ("code", lambda c, e: e.update(harness={"version": "9.9"})),
        ("specs", lambda c, e: c["suite"]["recipes"]["target"].update(learning_rate=0.5)),
        ("specs", lambda c, e: c["suite"]["caps"].update(train=7)),
        (
            "encoders",
            lambda c, e: c["encoders"]["tiny"]["files"].update({"model.safetensors": "0" * 64}),
        ),
        ("environment", lambda c, e: e["environments"][0].update(torch="9.9")),
        ("seeds", lambda c, e: c["suite"].update(seeds=[7])),
    ],
)
def test_compare_says_why(whole, reason, change):
    content, sidecar = read(whole)
    other, beside = json.loads(json.dumps([content, sidecar]))
    change(other, beside)
    other["suite"]["about"] += "."  # another document, whatever else
    assert list(compared(content, other, sidecar, beside).why) == [reason]
    assert f"{reason} changed:" in text_of(content, other, sidecar, beside)


def test_compare_names_what_appeared_and_vanished(whole):
    content, _ = read(whole)
    less = without(content, arm="text")
    less["arms"].pop("text")
    assert compared(less, content).appeared["arms"] == ["text"]
    assert compared(content, less).vanished["arms"] == ["text"]
    assert "vanished: 1 arms: text" in text_of(content, less)


# Export


def test_csv_has_one_number_a_row(rig, whole, tmp_path):
    done = rig.run(
        rig.command(
            "leaderboard", "export", "--board", whole / "runs/board", "-o", tmp_path / "out"
        ),
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    content, _ = read(whole)
    tables = {
        path.stem: list(csv.DictReader(path.open(encoding="utf-8")))
        for path in (tmp_path / "out").glob("*.csv")
        if not path.name.startswith("table-")  # those have the board's texts
    }
    assert set(tables) == {
        "scores",
        "metrics",
        "gains",
        "language_gains",
        "averages",
        "difficulty",
    }
    at = ("encoder", "condition", "target", "language", "seed")
    scores = {tuple(row[name] for name in at): row["score"] for row in tables["scores"]}
    assert len(scores) == len(tables["scores"])
    for cell in content["cells"]:
        of = (cell["encoder"], cell["arm"], cell["target"])
        for language, said in cell["languages"].items():
            assert float(scores[*of, language, str(cell["seed"])]) == said["main"]
    gains = {(row["condition"], row["target"]): row for row in tables["gains"]}
    assert len(gains) == len(tables["gains"])
    for gain in content["gains"]:
        row = gains[gain["arm"], gain["target"]]
        said = gain["gain"]
        assert float(row["value"]) == said["value"]
        assert [float(row["low"]), float(row["high"])] == said["interval"]
    # `aside` is a variant of it
    assert {row["condition"] for row in tables["difficulty"]} == {"tiny_colour"}


# The command line


@pytest.mark.slow
def test_verify_says_what_it_checked_and_what_is_wrong(rig, whole, tmp_path):
    folder = copied(whole, tmp_path / "board")
    verify_it = rig.command("leaderboard", "verify", "--board", folder / "runs/board")
    done = rig.run(verify_it, tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    assert re.search(
        r"0001-whole: sound · [\d,]+ numbers recomputed from 920 examples; 30 cells complete, 79"
        r" keys planned again",
        done.stdout,
    )
    (path,) = Board(folder / "runs/board").list()
    content, sidecar = rehashed(*read(folder))
    content["averages"][0]["overall"]["gain"]["value"] += 1
    path.write_bytes(content_bytes(content))
    path.with_suffix(".env.json").write_bytes(
        content_bytes(sidecar | {"content_sha256": key_of(content)})
    )
    done = rig.run([*verify_it, "--all"], tmp_path)
    assert done.returncode == 1 and "0001-whole: 1 problems" in done.stdout
    assert "averages[0].overall.gain.value (tiny · tiny_colour): found" in done.stderr
    (entry,) = json.loads(rig.run([*verify_it, "1", "--json"], tmp_path).stdout)
    assert not entry["sound"] and entry["problems"][0]["path"] == "averages[0].overall.gain.value"


@pytest.mark.slow
def test_compare_build_and_show_from_the_command_line(rig, whole, tmp_path):
    folder = copied(whole, tmp_path / "board")
    board = ["--board", folder / "runs/board"]
    done = rig.run(rig.command("leaderboard", "compare", "1", "whole", *board), tmp_path)
    assert done.stdout.endswith("0001-whole.json: byte-identical\n")
    done = rig.run(rig.command("leaderboard", "compare", "1", "1", "--json", *board), tmp_path)
    assert json.loads(done.stdout)["byte_identical"] is True
    done = rig.run(rig.command("leaderboard", "diff", "1", "2", *board), tmp_path)
    assert done.returncode == 2 and "leaderboard compare 1 2" in done.stderr
    done = rig.run(rig.command("leaderboard", "build", *board), tmp_path)
    assert done.returncode == 0 and str(folder / "runs/board" / "README.md") in done.stdout.split()
    done = rig.run(rig.command("leaderboard", "show", "--json", *board), tmp_path)
    assert json.loads(done.stdout) == read(folder)[0]
