"""A run on a SLURM cluster: one array of agents, which share it by the store.

Not one job per training: sites limit how many may wait, and each waits anew. Of SLURM's programs
only sbatch, squeue, scancel and scontrol are asked: many sites keep no accounts (`sacct`).
"""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.common.errors import HarnessError, MissingError, SpecError
from harness.engines.crew import Shared, folder_of
from harness.engines.listener import Failure, Listener
from harness.engines.watch import Watch
from harness.plan.graph import Jobs
from harness.store import Store

WARNING = 120  # seconds before the time limit at which agents are told to save
CORES = 4  # of an agent with a GPU: its worker, and tokenising

SCRIPT = """\
#!/bin/bash
{directives}

{python} -m harness.engines {store} {run} $SLURM_ARRAY_TASK_ID &
agent=$!
trap 'again=yes; kill $agent' USR1    # the time is nearly up: save, and queue again
trap 'kill $agent' TERM               # scancel: save, and end
while kill -0 $agent 2>/dev/null; do wait $agent; done
wait $agent; code=$?
if [ "$again" ] && [ $code = 143 ]; then
    exec scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
fi
exit $code
"""


@dataclass(frozen=True)
class Cluster:
    """What is asked of SLURM.

    agents     how many, each of which SLURM starts when and where it has room
    gpus       of each
    cores      of each
    need       bytes of a GPU that a worker takes: each agent starts as many as its GPU has room
               for; None: as many as the engine is told
    time       the limit of each, as sbatch takes it (4:00:00); None: the partition's
    partition  None: the cluster's default
    options    more for sbatch, such as --account=abc
    python     how a node starts Python: words of a shell
    command    the words of xstilts-harness that ask for it, in folder `cwd`: for who comes back
    """

    agents: int
    gpus: int = 1
    cores: int = CORES
    need: float | None = None
    time: str | None = None
    partition: str | None = None
    options: tuple[str, ...] = ()
    python: str = shlex.quote(sys.executable)
    command: tuple[str, ...] = ()
    cwd: str = ""

    def __post_init__(self) -> None:
        if self.time is not None:
            limit_of(self.time)

    def with_room(self, jobs: Jobs) -> "Cluster":
        """As many GPUs, by fewer agents if a job is shared by more processes than one has GPUs.

        raises  SpecError: all agents together have too few
        """
        most = max((job.slots for job in jobs.jobs.values()), default=1)
        if not self.gpus or self.gpus >= most:  # CPU processes may share a core
            return self
        agents = self.agents * self.gpus // most
        if not agents:
            raise SpecError(
                f"--gpus {self.agents * self.gpus}: {most} processes share a training (`world_size`"
                f" of its recipe), each with a GPU; ask for {most} or a multiple of it"
            )
        return replace(self, agents=agents, gpus=most, cores=most * self.cores // self.gpus)

    def unused(self, asked: "Cluster") -> str:
        """What there is to say of GPUs that were asked for, and that no agent of this size gets."""
        whole = asked.agents * asked.gpus
        if not (rest := whole - self.agents * self.gpus):
            return ""
        return (
            f"--gpus {whole}: {rest} of them not used: {self.gpus} processes share a training, so"
            f" that each agent has {self.gpus}; a multiple of {self.gpus} uses all"
        )


def limit_of(time: str) -> int:
    """The seconds of a time limit as sbatch takes it: MINUTES, MINUTES:SECONDS,
    HOURS:MINUTES:SECONDS, DAYS-HOURS, DAYS-HOURS:MINUTES, DAYS-HOURS:MINUTES:SECONDS.

    raises  SpecError: it is none, or leaves no time to work before an agent has to save
    """
    days, dash, rest = time.rpartition("-")
    parts = rest.split(":")
    # without days the last one or two are minutes and seconds, with days the first are hours
    units = (3600, 60, 1) if dash or len(parts) == 3 else (60, 1)
    if not all(part.isdecimal() for part in [*parts, *([days] if dash else [])]):
        raise SpecError(f"--time {time}: write it as sbatch does: 4:00:00, or 2-00 for two days")
    seconds = sum(int(part) * unit for part, unit in zip(parts, units, strict=False))
    seconds += int(days or 0) * 86400
    if len(parts) > len(units) or seconds < 2 * WARNING:
        raise SpecError(
            f"--time {time} is {seconds} seconds; give an agent more, since it saves {WARNING}"
            " seconds before the end: 4:00:00 is four hours"
        )
    return seconds


def name_of(run: str) -> str:
    """What a run's array is called in the queue."""
    return f"xstilts-{run}"


def script(cluster: Cluster, store: Path, run: str, folder: Path) -> str:
    """What sbatch is given. Of two directives of one name SLURM takes the later."""
    asked = {
        "partition": cluster.partition,
        "time": cluster.time,
        "gres": f"gpu:{cluster.gpus}" if cluster.gpus else None,
        "ntasks": 1,
        "cpus-per-task": cluster.cores,
        "signal": f"B:USR1@{WARNING}",
    }
    ours = {
        "job-name": name_of(run),
        "array": f"0-{cluster.agents - 1}",
        "open-mode": "append",
        "output": folder / "agent-%a.log",
    }
    words = [*_words(asked), "--requeue", *cluster.options, *_words(ours)]
    return SCRIPT.format(
        directives="\n".join(f"#SBATCH {word}" for word in words),
        python=cluster.python,
        store=shlex.quote(str(store)),
        run=run,
    )


def _words(options: dict[str, Any]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items() if value is not None]


class SlurmEngine:
    """Agents on the nodes of a cluster that see the store under the same path."""

    def __init__(
        self,
        store: Path,
        workers: int | None = None,
        checkpoint_seconds: float | None = None,
        device: str | None = None,
        cluster: Cluster | None = None,
    ):
        if cluster is None:
            raise SpecError("--engine slurm: say how many agents: --gpus N, or --agents N (CPUs)")
        self.store, self.cluster = Store(store), cluster
        # on a node without a GPU one must say how many: it may show all its cores
        self.workers = workers or (None if cluster.gpus else cluster.cores)
        self.device, self.checkpoint_seconds = device, checkpoint_seconds

    def run(
        self,
        run: str,
        jobs: Jobs,
        costs: Mapping[str, float],
        listener: Listener,
        keep_weights: bool,
    ) -> tuple[list[str], dict[str, Failure]]:
        """Let agents do the jobs; if some of this run are there already, let those go on."""
        folder = folder_of(self.store, run)
        cluster = self.cluster.with_room(jobs)
        if not self.at_work(run):
            if unused := cluster.unused(self.cluster):
                listener.note(unused)
            # `workers` are those of the GPUs that were asked for: an agent with more has more
            larger = cluster.gpus // self.cluster.gpus if cluster.gpus else 1
            Shared(
                jobs,
                dict(costs),
                cluster.agents,
                self.workers and self.workers * larger,
                self.device,
                self.checkpoint_seconds,
                keep_weights,
                cluster.need,
                cluster.command,
                cluster.cwd,
            ).write(folder)
            submit(script(cluster, self.store.root, run, folder))
        watch = Watch(jobs, self.store, folder, listener)
        watch.until_done(lambda: len(agents_of(run)))
        return watch.done, watch.failed

    def at_work(self, run: str) -> bool:
        """Whether agents of that run wait or work already."""
        return bool(agents_of(run))

    def farewell(self, run: str) -> str:
        """What holds once nobody watches."""
        return (
            "the agents go on; the same command comes back to them, and"
            f" scancel --name={name_of(run)} lets them save and end"
        )


def _asked(*words: str, given: str | None = None) -> str:
    """What one of SLURM's programs says. MissingError without it, HarnessError in its own words."""
    try:
        done = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise MissingError(
            f"no {words[0]} here; --engine slurm is for a machine from which SLURM jobs are"
            " submitted"
        ) from None
    if done.returncode:
        raise HarnessError(f"{words[0]}: {done.stderr.strip() or f'ended with {done.returncode}'}")
    return done.stdout


def submit(said: str) -> None:
    """Queue the array of a script, which its name tells from others."""
    _asked("sbatch", given=said)


def agents_of(run: str) -> dict[str, str]:
    """The agents of a run that wait or run: number → state as squeue says it (PENDING, RUNNING,
    ...). Empty once all have left."""
    name = f"--name={name_of(run)}"
    said = _asked("squeue", "--noheader", "--array", "--format=%K %T", name)
    return {line.split()[0]: line.split()[1] for line in said.splitlines() if line.strip()}


def cancel(run: str) -> None:
    """Let all agents of a run save and end."""
    _asked("scancel", f"--name={name_of(run)}")
