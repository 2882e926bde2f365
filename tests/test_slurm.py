"""A run on a SLURM cluster: three agents, and all that befalls them there. A real SLURM on this
machine alone, where it can be had.

Real are the scheduler, its signals, queues and the loss of a node. What SLURM does only to the
minute is hastened: the warning before the time limit is sent by hand, by the command that sends
that signal to that process (under `make stress` SLURM sends it itself), and an agent that is gone
is missed after STALE seconds, not 60.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import GATED, Rig, eventually, releases, trainings_at
from stress import times

from harness.cli.options import ClusterChoice
from harness.common.errors import SpecError
from harness.engines.slurm import Cluster, limit_of, script
from harness.run.room import AUTO

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


def test_how_many_workers_fit_is_asked_of_gpus_alone():
    assert ClusterChoice(gpus=2).cluster("slurm", AUTO).gpus == 1
    with pytest.raises(SpecError, match="--workers auto: it counts on a GPU"):
        ClusterChoice(agents=2).cluster("slurm", AUTO)


# On a cluster -------------------------------------------------------------------------------------

STALE = 12.0
# Read by Python at its start, on every node.
NODE = """
import sys
import harness.store.lease, harness.store.results

harness.store.lease.BEAT_SECONDS = {stale} / 10
harness.store.lease.STALE_SECONDS = harness.store.results.STALE_SECONDS = {stale}
if not {{"harness.jobs", "harness.engines"}} & {{*sys.orig_argv}}:
    import harness.engines.watch

    harness.engines.watch.ASK_SECONDS = 2.0
"""


def lacking() -> str:
    """Why there can be no cluster here; "" if there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "SLURM's daemons of a test run as root, on Linux"
    if names := [name for name in PROGRAMS if not shutil.which(name)]:
        return f"no {', '.join(names)}: apt-get install slurm-wlm munge"
    node = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    if subprocess.run(node, capture_output=True, check=False).returncode:
        return "no node can have process ids of its own here: unshare --pid is forbidden"
    return ""


@dataclass
class Slurm:
    """Three nodes, and one run on them, asked for in the folder `here`."""

    folder: Path
    here: Path
    asked_for: list[str]

    @property
    def store(self) -> Path:
        return self.here / "runs" / "store"

    @property
    def environment(self) -> dict[str, str]:
        """Of who submits, which agents inherit."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PYTHONPATH": str(self.folder)}

    def asked(self, *words: str) -> str:
        env = os.environ | self.environment
        return subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout

    def agents(self) -> dict[str, str]:
        """Those that run → the node of each. Named by their array: the number of its first job is
        also that of all of them."""
        said = self.asked("squeue", "--noheader", "--states=R", "--format=%i %N").splitlines()
        return dict(line.split() for line in said if line.strip())

    def jobs(self) -> dict[str, dict[str, str]]:
        """All that the controller knows of each agent, in the order of their arrays."""
        said = self.asked("scontrol", "show", "job", "--oneliner").splitlines()
        jobs = [dict(word.partition("=")[::2] for word in line.split()) for line in said]
        jobs.sort(key=lambda job: int(job["JobId"]))
        return {f"{job['ArrayJobId']}_{job['ArrayTaskId']}": job for job in jobs}

    def restarts(self) -> list[int]:
        """How often each of the first three agents was queued again."""
        return [int(job["Restarts"]) for job in [*self.jobs().values()][:3]]

    def gate(self, update: int) -> None:
        """Let trainings go on to that update."""
        draft = self.folder / "gate.new"
        draft.write_text(str(update))
        draft.replace(self.folder / "gate")

    def trained_to(self, update: int) -> None:
        """Let three trainings go on to that update, and wait until they are there."""
        self.gate(update)
        # which saves the one before
        there = lambda: len(trainings_at(self.store, update - 1)) >= 3  # noqa: E731
        eventually(there, f"three trainings at update {update}", pause=0.2)

    def time_is_up(self, agents: Iterable[str]) -> None:
        """The time limit of these agents nears, and they are queued again."""
        wanted, before = [*agents], sum(self.restarts())
        quick = times(quick=True, long=False)
        for agent in wanted:
            if quick:
                self.asked("scancel", "--batch", "--signal=USR1", agent)
            else:
                _, minutes, _ = self.jobs()[agent]["RunTime"].split(":")
                self.asked("scontrol", "update", f"JobId={agent}", f"TimeLimit={int(minutes) + 2}")
        # by itself SLURM looks every half minute
        again = lambda: sum(self.restarts()) == before + len(wanted)  # noqa: E731
        eventually(again, "its warning", pause=0.2 if quick else 1.0)
        for agent in [] if quick else wanted:
            self.asked("scontrol", "update", f"JobId={agent}", "TimeLimit=240")

    def control(self, what: str, node: str) -> None:
        subprocess.run([SCRIPT, what, self.folder, node], check=True)

    def start(self, rig: Rig) -> subprocess.Popen:
        """Who submits, or comes back."""
        return rig.start(self.asked_for, self.here, **self.environment)

    def said(self) -> str:
        """By all who submitted or came back."""
        return (self.here / "said").read_text()


@pytest.fixture
def slurm(rig, tmp_path):
    if why := lacking():
        pytest.skip(why)
    folder = tmp_path / "slurm"
    folder.mkdir()
    code = NODE.format(stale=STALE) + GATED.format(gate=str(folder / "gate"))
    (folder / "sitecustomize.py").write_text(code)
    command = rig.eval("tiny", "--engine", "slurm", "--agents", 3, "--workers", 1)
    try:
        subprocess.run([SCRIPT, "up", folder, "3"], check=True)
        yield Slurm(folder, tmp_path / "here", [*command, "--time", "4:00:00"])
    finally:
        subprocess.run([SCRIPT, "down", folder], check=True)


@pytest.mark.slow
def test_a_run_on_slurm_survives_all_and_ends_with_the_bytes_of_one_machine(
    rig: Rig, undisturbed, slurm
):
    """Who submitted leaves and comes back, agents are told that their time is up again and again,
    the run is cancelled and begun anew, a node is lost in the middle of its work."""
    slurm.gate(2)
    first = slurm.start(rig)
    slurm.trained_to(2)
    assert len({*slurm.agents().values()}) == 3, "two agents share a node"
    first.send_signal(signal.SIGINT)
    assert first.wait() == 130
    assert "the agents go on" in slurm.said()

    slurm.time_is_up(slurm.agents())
    slurm.trained_to(4)
    assert slurm.restarts() == [1, 1, 1]
    slurm.time_is_up([min(slurm.agents())])
    slurm.trained_to(6)
    assert sorted(slurm.restarts()) == [1, 1, 2]

    second = slurm.start(rig)
    eventually(lambda: slurm.said().count("jobs to run") == 2, "who comes back")
    assert len(slurm.agents()) == 3, "it began the run anew"
    (run,) = (slurm.store / "runs").iterdir()
    slurm.asked("scancel", f"--name=xstilts-{run.name}")
    assert second.wait() == 1
    assert "all agents have left" in slurm.said()

    third = slurm.start(rig)
    slurm.trained_to(8)
    lost = min(slurm.agents().values())
    slurm.control("kill", lost)
    slurm.gate(9999)
    assert third.wait() == 0, slurm.said()
    assert releases(slurm.here) == releases(undisturbed)
    assert resumed(slurm.store) >= 3


def resumed(store: Path) -> int:
    """How many trainings were ended by somebody who had not begun them."""
    said = [json.loads(path.read_text()) for path in store.glob("results/*/manifest.json")]
    return sum("resumed_at" in one["meta"]["facts"] for one in said)
