"""Every command in odd places: no width, no reader, no room, no encoding, no folder, no home. Never
a traceback."""

import itertools
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import copied
from stress import times

pytestmark = pytest.mark.slow

COMMANDS = [
    "--help",
    "--version",
    "list",
    "list --json",
    "show mini",
    "show mini_xnli -n 2 --json",
    "show nothing",
    "validate",
    "doctor",
    "plan",
    "plan --json",
    "plan --write",
    "eval --dry-run",
    "eval --bogus",
    "leaderboard --help",
    "leaderboard show",
    "leaderboard show --json",
    "leaderboard build",
    "leaderboard compare 1 1",
    "leaderboard verify",
    "leaderboard export",
    "cache ls",
    "cache verify",
    "cache gc",
    "data fetch mini_xnli",
    "data lock mini_xnli",
    "data verify",
    "score runs/board runs/store",
    "submission tiny out",
    "bundle 1",
    "reproduce --level 2",
    "job run abc",
]


class Place(NamedTuple):
    """`form` is a shell's line with the command for {}; `codes` are what may come of it besides the
    command's own code."""

    form: str
    env: dict[str, str] = {}
    codes: tuple[int, ...] = ()


# Root may look into any folder, unless it gives that right away.
WITHOUT = "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all"
UNREADABLE = (
    f'mkdir shut && cd shut && chmod 000 .; [ "$(id -u)" = 0 ] && as="{WITHOUT}"; $as bash -c'
    ' "{}"'
)
OWN = (0, 1, 2, 3, 4, 74)
PLACES = {
    "no width": Place("{}", {"COLUMNS": "abc", "LINES": "x", "TERMINAL_WIDTH": "abc"}),
    "width 0": Place("{}", {"COLUMNS": "0", "LINES": "0"}),
    "less than no width": Place("{}", {"COLUMNS": "-7"}),
    "a width beyond all": Place("{}", {"COLUMNS": "9" * 5000}),
    "a width in other digits": Place("{}", {"COLUMNS": "²", "TERMINAL_WIDTH": "٣"}),
    "no reader": Place("{{ sleep 0.05; {}; echo code=$?. >&2; }} | true", codes=(141,)),
    "no reader of either": Place(
        "{{ sleep 0.05; {} 2>&1; echo code=$?. >&2; }} | true", codes=(141,)
    ),
    "ASCII": Place("{}", {"PYTHONIOENCODING": "ascii"}),
    "ASCII everywhere": Place("{}", {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
    "full": Place("{} >/dev/full", codes=(74,)),
    "full, both": Place("{} >/dev/full 2>&1", codes=(74,)),
    "closed": Place("{} >&-"),
    "closed, all": Place("{} <&- >&- 2>&-"),
    "closed, errors": Place("{} 2>&-"),
    "a folder that is gone": Place('mkdir gone && cd gone && rmdir "$PWD"; {}', codes=(74,)),
    "a folder that nobody may look into": Place(UNREADABLE, codes=(74,)),
    "no home": Place("unset HOME; {}"),
    "a dumb terminal": Place("{}", {"TERM": "dumb"}),
}
FEW = [
    ("no width", "leaderboard show"),
    ("a width beyond all", "leaderboard show"),
    ("no reader", "list"),
    ("no reader of either", "validate"),
    ("ASCII", "list"),
    ("ASCII everywhere", "leaderboard show"),
    ("full", "list"),
    ("full, both", "list"),
    ("closed", "plan"),
    ("closed, all", "list"),
    ("a folder that is gone", "list"),
    ("a folder that nobody may look into", "list"),
    ("no home", "show mini"),
]
ALL = list(itertools.product(PLACES, COMMANDS))


def in_place(rig, place: Place, words: str, folder: Path) -> tuple[int, str]:
    """(exit code, both streams as one text) of the command there."""
    command = place.form.format(" ".join(map(str, rig.command(*words.split()))))
    env = os.environ | {"HF_HUB_OFFLINE": "1"} | place.env
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=env, capture_output=True, timeout=120
    )
    said = (done.stdout + done.stderr).decode("utf-8", "backslashreplace")
    code = (
        int(said.rpartition("code=")[2].partition(".")[0])
        if "code=$?" in place.form
        else done.returncode
    )
    return code, said


# Commands that end with an error before they print anything that somebody might not read.
SILENT = (
    "show nothing",
    "eval --bogus",
    "data verify",
    "score runs/board runs/store",
    "submission tiny out",
    "bundle 1",
    "job run abc",
)


@pytest.mark.parametrize(("where", "words"), ALL if times(0, 1) else FEW)
def test_no_traceback_anywhere(rig, undisturbed, tmp_path, where, words):
    copied(undisturbed, tmp_path)
    place = PLACES[where]
    code, said = in_place(rig, place, words, tmp_path)
    assert (
        "Traceback" not in said
        and "Exception ignored" not in said
        and "Error:" not in said.replace("Error: ", "")
    ), said
    assert code in (*OWN, *place.codes), said
    if place.codes == (74,) and words == "list":
        assert code == 74 and (said.count("\n") == 1 or where == "full, both"), said
    if place.codes == (141,):
        assert code == 141 or words in SILENT, said


def test_ascii_json_is_the_same_json(rig, tmp_path):
    import json

    said = [
        in_place(rig, PLACES[where], "list --json", tmp_path)[1] for where in ("ASCII", "no home")
    ]
    assert (
        said[0].isascii() and not said[1].isascii() and json.loads(said[0]) == json.loads(said[1])
    )


def test_a_closed_output_is_no_place_for_a_result(rig, tmp_path):
    """Whatever is opened next gets the number of a closed stream: it must not be a file of the
    store."""
    code, _ = in_place(rig, Place("{} >&- 2>&-"), "plan --write", tmp_path)
    assert code == 0
    jobs = list((tmp_path / "runs/store" / "jobs").iterdir())
    assert jobs and all(
        job.read_bytes().startswith(b"{") and job.read_bytes().endswith((b"}", b"}\n"))
        for job in jobs
    )


def test_a_store_that_may_only_be_read(rig, undisturbed, tmp_path):
    """Mounted so, as a colleague's share is; root would get past permissions."""
    copied(undisturbed, tmp_path)
    able = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    if able.returncode:
        pytest.skip(f"no mounts of our own here: {able.stderr.decode().strip()}")
    mount = "mount --bind runs/store runs/store && mount -o remount,ro,bind runs/store"
    readable = f"{mount} && {{}} && ! touch runs/store/x"
    for words in (
        f"plan --suite tiny -t {rig.specs} --encoder-root {rig.encoders}",
        "cache verify",
    ):
        command = readable.format(" ".join(map(str, rig.command(*words.split()))))
        done = subprocess.run(
            ["unshare", "-m", "bash", "-c", command], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0 and "Read-only file system" in done.stderr, done.stderr
