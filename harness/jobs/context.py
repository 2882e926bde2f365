"""What a running job may touch: the store, its working directory, the warm encoder, the driver's
ear."""

import json
import os
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common import variables
from harness.common.errors import HarnessError
from harness.families.columns import Row
from harness.families.ranking import Candidate
from harness.sources import rows as data_rows
from harness.sources.pool import pool
from harness.store import Store, hold, unchanged
from harness.store.job import JobJson, RowsJson

if TYPE_CHECKING:
    import torch

    from harness.models.loaded import LoadedEncoder

_half = False  # whether this process computes in bf16 now
THREADS = 1  # per job, whatever the worker count: the order of a sum on the CPU depends on it


class Stopped(Exception):
    """The driver asked the worker to stop; the job has saved what it could."""


class JobError(Exception):
    """The job cannot give a result, for a reason the user can act on."""


class HostError(JobError):
    """The same, but the host may be to blame: its memory ran out, which other programs may hold, or
    a GPU of it is lost."""


def failure(error: JobError | HarnessError) -> dict[str, Any]:
    """What a `failed` event says of it."""
    return {
        "why": str(error),
        "exit_code": getattr(error, "exit_code", 1),
        "by_host": isinstance(error, HostError),
    }


@dataclass
class Context:
    """One job's surroundings. `progress(done, total, tokens)` and `logged(line)` tell who watches
    (`engine.Event`) and change nothing; `stopping()` is asked between steps."""

    store: Store
    key: str
    job: JobJson
    workdir: Path
    progress: Callable[[int, int, int], None]
    stopping: Callable[[], bool]
    # kept between jobs: a worker loads torch and an encoder once
    encoders: dict[str, "LoadedEncoder"] = field(default_factory=dict)
    checkpoint_seconds: float | None = None  # None: `train` chooses
    held: Callable[[], bool] = lambda: True  # whether this process still has the job's lease
    # GPUs of the other processes that share the job; None: what is visible beside the first
    cards: Sequence[str] | None = None
    tokens: int = 0  # subwords an evaluation has read so far
    logged: Callable[[dict[str, Any]], None] = lambda line: None
    # says `failure` where the whole process ends with the job
    failed: Callable[[dict[str, Any]], None] = lambda said: None
    # timings and counts for the manifest; never part of a result
    facts: dict[str, Any] = field(default_factory=dict)
    # files that were read, each with the hash that the key names
    inputs: dict[Path, str] = field(default_factory=dict)

    def rows(self, dataset: RowsJson, metric: str | None = None) -> list[Row]:
        """The rows of one of the job's datasets, from the very bytes that its key names
        (`store.unchanged`).

        `metric`: what will score them, as in `data.rows.load`.
        """
        files = data_rows.files_named(dataset)
        self.inputs |= files
        with unchanged(files):
            return data_rows.load(dataset, metric)

    def candidates(self, dataset: RowsJson) -> list[Candidate]:
        """The pool of one of the job's datasets, in the same way."""
        files = data_rows.files_named(dataset)
        self.inputs |= files
        with unchanged(files):
            return pool(dataset)

    def hold_inputs(self) -> None:
        """Look at everything that was read once more, before the result is committed.

        A checkpoint that may come of other bytes goes with the result.
        raises  SpecError, MissingError: as `store.hold`
        """
        try:
            hold(self.inputs)
        except HarnessError:
            shutil.rmtree(self.store.checkpoint_dir(self.key), ignore_errors=True)
            raise

    def encoder(self) -> "LoadedEncoder":
        """The job's encoder, loaded once per worker."""
        from harness.models.loaded import LoadedEncoder

        wanted = self.job["encoder"]
        known = json.dumps(wanted["identity"], sort_keys=True)
        if known not in self.encoders:
            self.encoders.clear()  # one at a time: a worker's share of memory holds one encoder
            self.encoders[known] = LoadedEncoder(
                wanted["folder"], wanted["identity"], wanted["declared"]
            )
        self.inputs |= self.encoders[known].inputs
        return self.encoders[known]


def device() -> str:
    """The device a worker computes on: what it was told (cpu, mps), else its GPU if it sees one."""
    import torch

    if (told := os.environ.get(variables.DEVICE)) in ("cpu", "mps"):
        return told
    return "cuda" if torch.cuda.is_available() else "cpu"


def make_deterministic(job: JobJson) -> None:
    """Deterministic kernels, fixed threads and the job's precision, for all that this process
    computes until it is called again.

    raises  JobError: bf16 on a CPU
    """
    global _half
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    # a tenth of the time on a CPU; nothing here reads such memory
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010 - no stub
    torch.manual_seed(0)

    spec = job["spec"]
    precision = spec.get("recipe", spec).get("precision", "fp32")
    if precision == "bf16" and device() == "cpu":
        raise JobError(
            f"{job['name']}: its recipe asks for bf16, which needs a GPU; use precision: tf32 or"
            " fp32 on a CPU"
        )
    _half = precision == "bf16"
    # a device that has no tf32 computes fp32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"


def lowered(where: str) -> "torch.autocast":
    """What a forward pass runs under: in the precision that `make_deterministic` was told."""
    import torch

    return torch.autocast(where, torch.bfloat16, enabled=_half)


def environment(job: JobJson) -> dict[str, Any]:
    """What may differ between two machines that compute the same key; kept in manifests and
    sidecars. Of packages those that the job uses."""
    facts = {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
    }
    if job["kind"] == "overlap":
        return facts | {"numpy": version("numpy")}  # plain text work: torch stays asleep
    import torch

    used = ["torch", "transformers", "tokenizers", "numpy"]
    if (job["spec"].get("recipe") or {}).get("lora"):
        used.append("peft")
    packages = {name: version(name) for name in used}
    where = device()
    if where == "cuda":
        device_facts = {"device": torch.cuda.get_device_name()}
    else:  # processors round differently too, by their vector instructions
        device_facts = {
            "device": where,
            "processor": f"{processor()}, {torch.backends.cpu.get_cpu_capability()}",
        }
        if names := _preloaded():
            device_facts["preloaded"] = names
    return facts | device_facts | {"threads": THREADS} | packages


def _preloaded() -> str:
    """Names of the libraries that LD_PRELOAD puts before all others. They may choose other kernels
    for matrix products, which round differently too (docs/performance.md)."""
    paths = os.environ.get("LD_PRELOAD", "").replace(":", " ").split()
    return ", ".join(Path(path).name for path in paths)


def processor() -> str:
    """The CPU's name, with family and model where the system gives them (Linux): a virtual
    machine's name alone says little."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts: dict[str, str] = {}
    for line in lines:  # a block a core, all of one kind
        name, _, value = line.partition(":")
        facts[name.strip()] = value.strip()
    if "model name" not in facts:  # 64-bit Arm names its cores by numbers
        return platform.machine()
    return f"{facts['model name']} (family {facts['cpu family']}, model {facts['model']})"
