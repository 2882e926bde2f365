"""What `doctor` looks at: is this machine fit to run, and what would surprise its user?"""

import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, TypedDict

from harness.common.errors import HarnessError
from harness.engines.process import cores, gpus
from harness.sources.encoders import find
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.store import Store

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "datasets",
    "pyarrow",
    "numpy",
    "pydantic",
    "typer",
    "rich",
)
LOW_DISK = 5e9


State = Literal["ok", "warning", "error"]


class Checkup(TypedDict):
    """A row of what `doctor` prints."""

    what: str
    state: State
    detail: str


def checkup(store: Path, encoder_root: Path | None, catalog: Catalog) -> list[Checkup]:
    """One row a finding, in the order in which a run needs it."""
    rows = [
        _row("python", "ok" if sys.version_info >= (3, 11) else "error", platform.python_version())
    ]
    for package in PACKAGES:
        try:
            rows.append(_row(package, "ok", version(package)))
        except PackageNotFoundError:
            rows.append(_row(package, "error", "not installed; docs/running.md says how"))
    rows.append(_gpu())
    rows.append(_row("cpu", "ok", f"{cores()} cores for this process"))
    try:
        opened = Store(store)
        free = shutil.disk_usage(opened.root).free
        state: State = "ok" if free > LOW_DISK else "warning"
        rows.append(_row("store", state, f"{opened.root}, {free / 1e9:.1f} GB free"))
        index = opened.hash_index()
    except HarnessError as error:
        return [*rows, _row("store", "error", str(error))]

    where = Where(None, encoder_root, offline=True)
    for name, encoder in sorted(catalog.encoders.items()):
        try:
            found = find(encoder, where, index)
            rows.append(_row(f"encoder {name}", "ok", str(found.folder)))
        except HarnessError as error:
            rows.append(_row(f"encoder {name}", "warning", str(error)))
    index.save()
    return rows


def _row(what: str, state: State, detail: str) -> Checkup:
    return {"what": what, "state": state, "detail": detail}


def _gpu() -> Checkup:
    visible = gpus()
    if not visible:
        return _row(
            "gpu",
            "warning",
            "no GPU visible: jobs run on the CPU (in a container: docker run --gpus all)",
        )
    try:
        import torch
    except ImportError:
        return _row("gpu", "warning", f"{len(visible)} visible, but torch is not installed")
    if not torch.cuda.is_available():
        return _row(
            "gpu",
            "error",
            f"{len(visible)} visible, but this torch ({torch.__version__}) has no CUDA",
        )
    bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
    return _row("gpu", "ok", f"{len(visible)} × {torch.cuda.get_device_name()}, {bf16}")
