"""A run on a SLURM cluster: three agents, and all that befalls them there. A real SLURM on this
machine alone, where it can be had; minutes, mostly of waiting."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Rig, eventually, releases
from stress import times

from harness.common.errors import SpecError
from harness.engines.slurm import Cluster, limit_of, script

SCRIPT = Path(__file__).with_name("slurm.sh")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged", "unshare")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("30", 1800),
        ("30:30", 1830),
        ("4:00:00", 14400),
        ("2-0", 172800),
        ("1-12:30", 131400),
        ("1-0:0:5", 86405),
    ],
)
def test_a_time_limit_is_read_as_sbatch_reads_it(said, seconds):
    assert limit_of(said) == seconds


@pytest.mark.parametrize("said", ["4h", "", "0:10", "3", "1:2:3:4", "-4", "1-"])
def test_a_limit_that_is_none_or_leaves_no_time_is_refused(said):
    with pytest.raises(SpecError, match="--time"):
        Cluster(2, time=said)


def test_the_script_asks_for_what_was_asked_for(tmp_path):
    asked = Cluster(8, time="4:00:00", partition="gpu", options=("--account=abc", "--time=1:00:00"))
    said = script(asked, tmp_path / "a store", "abc123", tmp_path / "run")
    lines = said.splitlines()
    wanted = {
        "--array=0-7",
        "--gres=gpu:1",
        "--partition=gpu",
        "--account=abc",
        "--requeue",
        "--signal=B:USR1@120",
    }
    assert wanted <= {line.removeprefix("#SBATCH ") for line in lines}
    # of two, SLURM takes the later: what was said by name
    assert lines.index("#SBATCH --time=1:00:00") > lines.index("#SBATCH --time=4:00:00")
    assert f"-m harness.engines '{tmp_path}/a store' abc123 $SLURM_ARRAY_TASK_ID &" in said
    subprocess.run(["bash", "-n"], input=said, text=True, check=True)


# On a cluster -------------------------------------------------------------------------------------


@pytest.fixture
def cluster(tmp_path):
    """Three nodes; the environment that SLURM's programs need."""
    if not times(quick=False, long=True):
        pytest.skip("minutes of waiting: make stress")
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("SLURM's daemons of a test run as root, on Linux")
    if lacking := [name for name in PROGRAMS if not shutil.which(name)]:
        pytest.skip(f"no {', '.join(lacking)}: apt-get install slurm-wlm munge")
    folder = tmp_path / "slurm"
    folder.mkdir()
    try:
        subprocess.run([SCRIPT, "up", folder, "3"], check=True)
        yield folder
    finally:
        subprocess.run([SCRIPT, "down", folder], check=True)


class Slurm:
    """The cluster and one run on it."""

    def __init__(self, folder: Path, store: Path):
        self.folder, self.store = folder, store
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}

    def asked(self, *words: str) -> str:
        env = os.environ | self.environment
        return subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout

    def nodes(self) -> list[str]:
        """Those on which an agent runs."""
        return self.asked("squeue", "--noheader", "--states=R", "--format=%N").split()

    def time_is_up(self) -> None:
        """What SLURM does when the time limit of an agent nears."""
        for job in self.asked("squeue", "--noheader", "--states=R", "--format=%A").split():
            self.asked("scancel", "--batch", "--signal=USR1", job)

    def restarts(self) -> int:
        """How often agents were queued again."""
        said = self.asked("scontrol", "show", "job", "--oneliner")
        return sum(int(word[9:]) for word in said.split() if word.startswith("Restarts="))

    def updates(self) -> int:
        """Checkpoints that are there of trainings that go on."""
        return len(list(self.store.glob("checkpoints/*/update-*.pt")))

    def control(self, what: str, node: str) -> None:
        subprocess.run([SCRIPT, what, self.folder, node], check=True)


@pytest.mark.slow
def test_a_run_on_slurm_survives_all_and_ends_with_the_bytes_of_one_machine(
    rig: Rig, undisturbed, cluster, tmp_path
):
    """The submitter leaves and comes back, a node is lost in the middle of its work, agents are
    told that their time is up again and again, the run is cancelled and started anew."""
    here = tmp_path / "here"
    slurm = Slurm(cluster, here / "runs" / "store")
    command = rig.eval("tiny", "--engine", "slurm", "--agents", 3, "--workers", 1)

    first = rig.start(command, here, **slurm.environment)
    eventually(slurm.updates, "a checkpoint")
    first.send_signal(signal.SIGINT)
    assert first.wait() == 130
    assert "the agents go on" in (here / "said").read_text()
    for _ in range(2):
        slurm.time_is_up()
        eventually(slurm.nodes, "an agent that runs again")
    lost = slurm.nodes()[0]
    slurm.control("kill", lost)

    second = rig.start(command, here, **slurm.environment)
    eventually(lambda: (here / "said").read_text().count("jobs to run") == 2, "who comes back")
    assert slurm.restarts() >= 1
    slurm.control("start", lost)
    slurm.asked("scancel", f"--name={run_name(slurm)}")
    assert second.wait() in (0, 1)

    done = rig.run(command, here, **slurm.environment)
    assert done.returncode == 0, done.stderr
    assert releases(here) == releases(undisturbed)


def run_name(slurm: Slurm) -> str:
    """What the array is called."""
    (folder,) = (slurm.store / "runs").iterdir()
    return f"xstilts-{folder.name}"
