"""The command line as a user meets it: help, messages and exit codes, JSON, a machine without
torch, logs."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, TASKS, copied, only_line

from harness.sources import rows as data_rows

COMMANDS = [
    "",
    "eval",
    "plan",
    "score",
    "submission",
    "bundle",
    "push",
    "reproduce",
    "list",
    "show",
    "validate",
    "doctor",
    "leaderboard",
    "leaderboard show",
    "leaderboard build",
    "leaderboard compare",
    "leaderboard verify",
    "leaderboard export",
    "leaderboard seeds",
    "cache",
    "cache ls",
    "cache verify",
    "cache gc",
    "data",
    "data fetch",
    "data lock",
    "data verify",
    "job",
    "job run",
    "runs",
    "runs status",
    "runs attach",
    "runs cancel",
    "new",
    "new encoder",
    "new suite",
    "new task",
    "schema",
]

# Refuses to import what a machine without a GPU stack does not have; every process that has this
# folder on its path.
ASLEEP = """
import sys

class Asleep:
    def find_spec(self, name, path=None, target=None):
        heavy = {"torch", "transformers", "tokenizers", "datasets", "safetensors"}
        if name.partition(".")[0] in heavy:
            raise ModuleNotFoundError(f"No module named {name!r} (a test took it away)", name=name)

sys.meta_path.insert(0, Asleep())
"""

HEAVY = ("torch", "transformers", "datasets", "pyarrow", "numpy")
WHAT_WOKE = f"""
import sys
from harness.cli import main
try:
    main()
except SystemExit as done:
    assert not done.code, done.code
print("WOKE", *(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)
"""


# Help, and what it wakes --------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help(rig, tmp_path, command):
    done = rig.here([*command.split(), "--help"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout
    assert not done.stderr
    assert not list(tmp_path.iterdir())  # asking for help makes no folder


@pytest.mark.slow
def test_every_command_is_in_the_help_test(rig, tmp_path):
    groups = {command.partition(" ")[0] for command in COMMANDS if " " in command}
    for group in ["", *groups]:
        said = rig.here([*group.split(), "--help"], tmp_path).stdout
        listed = re.findall(r"^  ([a-z-]+)  ", said.partition("Commands:")[2], re.M)
        assert listed
        assert {f"{group} {name}".strip() for name in listed} <= set(COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "eval --help",
        "score --help",
        "list",
        "list tasks --json",
        "show mini",
        "validate",
        "leaderboard --help",
    ],
)
def test_the_light_commands_wake_nothing_heavy(rig, tmp_path, arguments):
    done = rig.run([sys.executable, "-c", WHAT_WOKE, *arguments.split()], tmp_path)
    assert done.returncode == 0, done.stderr
    assert only_line(done.stderr, "WOKE") == "WOKE"


@pytest.fixture
def without_torch(tmp_path) -> str:
    """A folder for PYTHONPATH that takes torch and its like away."""
    folder = tmp_path / "asleep"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(ASLEEP)
    return str(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "list",
        "show mini",
        "validate",
        "show mini_xnli -n 2",
        "show tiny -t {specs}",
        "validate",
        "validate {specs} --data",
        "plan --suite tiny -t {specs} --encoder-root {encoders}",
        "plan --suite tiny -t {specs} --encoder-root {encoders} --json",
        "leaderboard show",
        "leaderboard show 1 --json",
        "leaderboard build",
        "leaderboard verify",
        "leaderboard compare 1 1",
        "leaderboard export 1 --out tables",
        "bundle 1 -t {specs} --encoder-root {encoders}",
        "cache ls",
        "cache verify",
    ],
)
def test_it_works_without_torch(rig, undisturbed, tmp_path, without_torch, arguments):
    copied(undisturbed, tmp_path)
    words = arguments.format(specs=rig.specs, encoders=rig.encoders).split()
    done = rig.run(rig.command(*words), tmp_path, PYTHONPATH=without_torch)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.slow
def test_official_scores_need_no_torch(rig, undisturbed, tmp_path, without_torch):
    copied(undisturbed, tmp_path)
    suite = [
        "tiny",
        "out",
        "--condition",
        "none",
        "-t",
        rig.specs,
        "--encoder-root",
        rig.encoders,
        "--as",
        "tiny_pairs=tatoeba",
    ]
    for words in (["submission", *suite, "--labels", "gold"], ["score", "out", "gold", "--json"]):
        done = rig.run(rig.command(*words), tmp_path, PYTHONPATH=without_torch)
        assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)["scores"]) == ["tatoeba"]


def test_torch_really_is_taken_away(rig, tmp_path, without_torch):
    done = rig.run([sys.executable, "-c", "import torch"], tmp_path, PYTHONPATH=without_torch)
    assert "a test took it away" in done.stderr


@pytest.mark.slow
def test_list_says_all_that_it_lists(rig, tmp_path):
    said = rig.run(rig.command("list", "--help"), tmp_path).stdout
    for word in ("tasks", "encoders", "suites", "protocols", "releases"):
        assert re.search(rf"\b{word}, ", said), word
        done = rig.run(rig.command("list", word), tmp_path)
        assert done.returncode == 0, done.stderr
        assert "None" not in done.stdout  # an encoder that neither a hub nor a package has


# Mistakes -----------------------------------------------------------------------------------------

MOOD = TASKS["tiny_mood"].lstrip()
SMALL_SUITE = """
suite: mine
version: 1
about: mistakes
encoders: [all-MiniLM-L6-v2]
arms: [none]
targets: [mini_xnli]
seeds: [1]
recipes: {intermediate: {learning_rate: 1e-3}, target: {learning_rate: 1e-3}}
""".lstrip()

MISTAKES = {
    "unknown suite": (
        "eval --suite minni",
        {},
        2,
        ["no suite is called 'minni'", "did you mean 'mini'?"],
    ),
    "unknown suite in plan": ("plan --suite tinny", {}, 2, ["no suite is called 'tinny'"]),
    "unknown name": ("show mini_xnl", {}, 2, ["mini_xnl", "did you mean 'mini_xnli'?"]),
    "unknown list": ("list planets", {}, 2, ["cannot list 'planets'"]),
    "one of a list": ("list encoder", {}, 2, ["cannot list 'encoder'", "did you mean 'encoders'?"]),
    "unknown release": ("leaderboard show 7", {}, 2, ["no release"]),
    "no predictions": ("score nowhere .", {}, 2, ["nowhere"]),
    "no labels": ("score . nowhere", {}, 2, ["nowhere"]),
    "nothing to score": ("score . .", {}, 2, ["nothing to score"]),
    "submission of nothing": ("submission mini out", {}, 74, ["no store at"]),
    "unknown option": ("eval --sweet mini", {}, 2, ["--sweet"]),
    "option with another name": ("list --tasks=x", {}, 2, ["--tasks is now called --specs"]),
    "unknown command": ("evaluate", {}, 2, ["evaluate"]),
    "missing data root": ("eval --data-root nowhere", {}, 2, ["nowhere"]),
    "missing encoder root": ("eval --encoder-root nowhere", {}, 2, ["nowhere"]),
    "missing specs": ("validate -t nowhere", {}, 2, ["nowhere", "no such file or folder"]),
    "untracked plan": (
        "eval -n --track tensorbord",
        {},
        2,
        ["no tracker is called 'tensorbord'"],
    ),
    "missing tasks": ("validate nowhere", {}, 2, ["nowhere", "no such file or folder"]),
    "missing store": ("cache ls --store nowhere", {}, 74, ["no store at", "nowhere"]),
    "no number": ("eval --limit many", {}, 2, ["--limit", "integer"]),
    "not positive": ("eval --workers 0", {}, 2, ["--workers", "auto"]),
    "no number of workers": (
        "eval --workers many",
        {},
        2,
        ["many: write a number from 1"],
    ),
    "no rows": ("eval --limit 0", {}, 2, ["limit: write a whole number, 1 or more, not 0"]),
    "bad key": ("job run abc", {}, 74, ["not a key: 'abc'"]),
    "unknown key": (
        "validate",
        {"mood.yaml": MOOD.replace("metric: accuracy", "metrik: accuracy")},
        2,
        ["tasks/mood.yaml:12:1: unknown key 'metrik'", "did you mean 'metric'?"],
    ),
    "bad language": (
        "list",
        {"mood.yaml": MOOD.replace("[en, de]", "[en, dee, q]")},
        2,
        ["tasks/mood.yaml:5:22: 'q' is no language code"],
    ),
    "bad metric": (
        "validate",
        {"mood.yaml": MOOD.replace("accuracy", "span_f1")},
        2,
        ["'span_f1' does not score class"],
    ),
    "bad option": (
        "validate",
        {"mood.yaml": MOOD + "options: {doc_strid: 3}\n"},
        2,
        ["tasks/mood.yaml:15:11: unknown key 'doc_strid'"],
    ),
    "no yaml": ("validate", {"mood.yaml": "task: [\n"}, 2, ["tasks/mood.yaml:", "not valid YAML"]),
    "code in yaml": (
        "validate",
        {"mood.yaml": "task: !!python/object:os.system ls\n"},
        2,
        ["mood.yaml:1:7:", "is not allowed"],
    ),
    "task twice": (
        "validate",
        {"a.yaml": MOOD, "b.yaml": MOOD},
        2,
        [
            "tasks/b.yaml:1:7: task 'tiny_mood' is defined twice; the other one is at"
            " tasks/a.yaml:1:7"
        ],
    ),
    "built-in task again": (
        "validate",
        {"mood.yaml": MOOD.replace("tiny_mood", "mini_xnli")},
        2,
        ["mood.yaml:1:7: task 'mini_xnli' is defined twice"],
    ),
    "unknown target": (
        "plan --suite mine",
        {"mine.yaml": SMALL_SUITE.replace("[mini_xnli]", "[mini_xnli, mini_pansx]")},
        2,
        ["tasks/mine.yaml:6:22: no task is called 'mini_pansx'", "did you mean 'mini_panx'?"],
    ),
    "unknown encoder": (
        "validate",
        {"mine.yaml": SMALL_SUITE.replace("all-MiniLM-L6-v2", "all-MiniLM-L6")},
        2,
        [
            "tasks/mine.yaml:4:12: no encoder is called 'all-MiniLM-L6'",
            "did you mean 'all-MiniLM-L6-v2'?",
        ],
    ),
    "target as arm": (
        "validate",
        {"mine.yaml": SMALL_SUITE.replace("[none]", "[none, mini_xnli]")},
        2,
        ["tasks/mine.yaml:5:14: task mini_xnli is no intermediate (its role is target)"],
    ),
    "no baseline": (
        "validate",
        {"mine.yaml": SMALL_SUITE.replace("[none]", "[mini_topic]")},
        2,
        ["the baseline is missing"],
    ),
    # said on stdout, a line each
    "missing file": ("validate tasks --data", {"mood.yaml": MOOD}, 3, []),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_its_exit_code_and_one_clear_message(rig, tmp_path, mistake):
    arguments, files, code, phrases = MISTAKES[mistake]
    for name, text in files.items():
        (tmp_path / "tasks").mkdir(exist_ok=True)
        (tmp_path / "tasks" / name).write_text(text)
    done = rig.here(arguments.split(), tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    said = re.sub(r"\s*[│╭╰╮╯─]+\s*", " ", done.stderr)  # however the parser frames it
    for phrase in phrases:
        assert phrase in said
    assert not any(name in done.stdout for name in ("jobs to run", "release 0"))


def test_a_wrong_label_is_named_with_its_row(rig, tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "mood.yaml").write_text(MOOD)
    for split, language in (("train", "en"), ("dev", "en"), ("test", "en"), ("test", "de")):
        mood = "angry" if split == "dev" else "sad"
        rows = [{"text": "a", "mood": "glad"}, {"text": "b", "mood": mood}]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "tasks" / f"mood.{language}.{split}.jsonl").write_text(lines)
    done = rig.run(rig.command("validate", "tasks", "--data"), tmp_path)
    assert done.returncode == 2
    assert (
        "tiny_mood dev: " in done.stdout
        and "row 1 has label 'angry'; the spec knows sad, glad" in done.stdout
    )
    assert "tiny_mood train: 2 rows\n" in done.stdout


# Where a run leaves its results ------------------------------------------------------------------


def test_a_run_writes_below_runs_and_nowhere_else(undisturbed):
    """Its board holds its own release and nothing else."""
    assert {path.name for path in undisturbed.iterdir()} == {"runs", "stderr"}
    assert {path.name for path in (undisturbed / "runs").iterdir()} == {"store", "board"}
    releases = {path.name for path in (undisturbed / "runs/board/releases").iterdir()}
    assert releases == {"0001-tiny.json", "0001-tiny.env.json", "0001-tiny.md"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("leaderboard show", 2),
        ("leaderboard build", 2),
        ("leaderboard verify", 2),
        ("leaderboard compare mini mini", 2),
        ("leaderboard export", 2),
        ("bundle", 2),
        ("reproduce --from mini", 2),
        ("reproduce --level 3", 1),
        ("list releases", 0),
    ],
)
def test_where_no_release_is_the_message_says_what_makes_one(rig, tmp_path, words, code):
    """Also where the project's own are: another folder than a run's, even in a checkout."""
    (tmp_path / "leaderboard").symlink_to(ROOT / "leaderboard")
    done = rig.here(words.split(), tmp_path)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == code
    assert "in runs/board/releases; `xstilts-harness eval --" in said
    assert "the project's own are on the board `leaderboard`" in said


def test_the_projects_own_releases_are_read_by_naming_them(rig, tmp_path):
    (tmp_path / "leaderboard").symlink_to(ROOT / "leaderboard")
    done = rig.here(["list", "releases", "--board", "leaderboard"], tmp_path)
    assert "-mini" in done.stdout and not done.stderr
    own = rig.here(["leaderboard", "show", "mini"], tmp_path)
    assert own.returncode == 2 and not own.stdout
    none = rig.here(["leaderboard", "show", "nothing", "--board", "leaderboard"], tmp_path)
    assert none.returncode == 2 and "no release 'nothing'" in none.stderr
    assert "--board" not in none.stderr  # whoever has named it need not be told


def test_make_clean_keeps_what_runs_computed(tmp_path):
    result = tmp_path / "runs/store/results/key/train.json"
    result.parent.mkdir(parents=True)
    result.write_text("days of work")
    (tmp_path / ".venv").mkdir()
    done = subprocess.run(
        ["make", "-f", ROOT / "Makefile", "clean"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ".venv").exists()
    assert result.read_text() == "days of work"
    assert "kept: runs/" in done.stdout


# What programs read -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ("list", list),
        ("list releases", list),
        ("plan --suite tiny -t {specs} --encoder-root {encoders}", dict),
        ("eval --dry-run --suite tiny -t {specs} --encoder-root {encoders}", dict),
        ("eval --suite tiny -t {specs} --encoder-root {encoders}", dict),
        ("show tiny -t {specs}", dict),
        ("show tiny_tags -t {specs} -n 2", dict),
        ("leaderboard show", dict),
        ("cache ls", list),
        ("doctor -t {specs} --encoder-root {encoders}", list),
    ],
)
def test_json_on_stdout_is_json_and_nothing_else(rig, undisturbed, tmp_path, arguments, shape):
    copied(undisturbed, tmp_path)
    words = [*arguments.format(specs=rig.specs, encoders=rig.encoders).split(), "--json"]
    if words[0] == "doctor":
        words = [word for word in words if word not in ("-t", str(rig.specs))]
    done = rig.run(rig.command(*words), tmp_path)
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), shape)


def test_eval_json_holds_the_release(rig, undisturbed, tmp_path):
    copied(undisturbed, tmp_path)
    done = rig.run([*rig.eval("tiny"), "--json"], tmp_path)
    printed = json.loads(done.stdout)
    assert printed["release"] == "runs/board/releases/0001-tiny.json"
    assert printed["content"] == json.loads((tmp_path / printed["release"]).read_text())


def test_samples_are_rows_of_the_task(rig, tmp_path):
    done = rig.run(rig.command("show", "tiny_tags", "-t", rig.specs, "-n", 2, "--json"), tmp_path)
    samples = json.loads(done.stdout)["samples"]
    assert len(samples) == 2
    assert samples[0].keys() == {"id", "tokens", "tags"}


# Terminals, logs, shells --------------------------------------------------------------------------


def test_a_log_gets_plain_lines(undisturbed):
    said = (undisturbed / "stderr").read_text()
    assert not re.search(r"[\x1b\r\b]", said)
    lines = said.splitlines()
    assert any(re.fullmatch(r"\d+ jobs to run", line) for line in lines)
    done = [
        line
        for line in lines
        if re.fullmatch(r"\[\d+/\d+\] (train|evaluate|overlap) .+ \(\d+\.\d s[^()]*\)[^()]*", line)
    ]
    assert len(done) == len(list((undisturbed / "runs/store" / "results").iterdir()))
    first, last = (line[1:].partition("]")[0].split("/") for line in (done[0], done[-1]))
    assert first[0] == "1" and last[0] == last[1]


@pytest.mark.slow
def test_the_first_line_names_the_suite_and_how_to_choose_another(rig, tmp_path):
    done = rig.run(rig.command("plan", "--encoder-root", rig.encoders), tmp_path)
    first = (done.stdout + done.stderr).splitlines()[0]
    assert first.startswith("suite demo (the default")
    assert "--suite" in first and "list suites" in first


def test_a_shell_can_complete(rig, tmp_path):
    script = rig.run(rig.command(), tmp_path, _XSTILTS_HARNESS_COMPLETE="source_bash")
    assert script.returncode == 0
    assert "complete" in script.stdout and "xstilts-harness" in script.stdout
    words = {
        "COMP_WORDS": "xstilts-harness ev",
        "COMP_CWORD": "1",
        "_XSTILTS_HARNESS_COMPLETE": "complete_bash",
    }
    assert rig.run(rig.command(), tmp_path, **words).stdout.split() == ["eval"]
    words |= {"COMP_WORDS": "xstilts-harness eval --suite mi", "COMP_CWORD": "3"}
    assert rig.run(rig.command(), tmp_path, **words).stdout.split() == ["mini"]
    # of a list the last name, none that is in it already, and only targets
    words |= {"COMP_WORDS": "xstilts-harness eval --targets xnli,xq", "COMP_CWORD": "3"}
    assert rig.run(rig.command(), tmp_path, **words).stdout.split() == ["xnli,xquad"]


def test_a_plan_reads_no_row_twice_that_can_be_used(rig, tmp_path, monkeypatch):
    """What is wrong is looked at again each time, and so is a file that changed."""
    specs = tmp_path / "specs"
    shutil.copytree(rig.specs, specs)
    read: list[str] = []
    load = data_rows.load

    def loads(dataset, *more):
        read.append(dataset["name"])
        return load(dataset, *more)

    monkeypatch.setattr(data_rows, "load", loads)
    words = ["plan", "--suite", "tiny", "-t", str(specs)]
    words += ["--encoder-root", str(rig.encoders), "--store", str(tmp_path / "store")]
    (tmp_path / "store").mkdir()
    first = rig.here(words, tmp_path)
    assert read and not first.returncode
    read.clear()
    again = rig.here(words, tmp_path)
    assert not read
    assert again.stdout == first.stdout

    rows = specs / "mood.de.test.jsonl"
    rows.write_text(rows.read_text() + '{"text": "und", "mood": "elsewhere"}\n')
    for _ in range(2):
        read.clear()
        broken = rig.here(words, tmp_path)
        assert set(read) == {"tiny_mood test de"}
        assert broken.returncode == 2
        assert "elsewhere" in broken.stderr
