"""What a job may run on, and how fast that is until a store has timings of its own.

The figures are the makers' peaks for dense matrices, of which a third is assumed (`REACHED`). They
tell minutes from days, no more.
"""

import re
from pathlib import Path
from typing import NamedTuple

from harness.spec.recipe import PRECISIONS

# Operations per second of about one core of a current CPU, measured.
CORE = 50e9
REACHED = 1 / 3

# A word of the card's name → peak in 10¹² operations a second, in fp32, tf32 and bf16. From
# NVIDIA's data sheets, without sparsity; what has no tf32 or bf16 computes in fp32.
PEAKS = {
    "H200": (67.0, 495.0, 989.0),
    "H100": (67.0, 495.0, 989.0),
    "A100": (19.5, 156.0, 312.0),
    "L40": (90.5, 90.5, 362.0),
    "A10": (31.2, 62.5, 125.0),
    "L4": (30.3, 60.0, 121.0),
    "V100": (15.7, 15.7, 15.7),
    "T4": (8.1, 8.1, 8.1),
    "4090": (82.6, 82.6, 165.0),
    "3090": (35.6, 35.6, 71.0),
}
OTHER = (10.0, 10.0, 10.0)  # a GPU that is not in the list
CARD = "A100"  # of which a plan tells where no other is named

NVIDIA = Path("/proc/driver/nvidia/gpus")  # where Linux names its cards, without a library


class Machine(NamedTuple):
    """Where a plan would run.

    workers  how many jobs at once
    device   what each has, as a job's manifest says it: cpu (one core), mps, or a card's name
    """

    workers: int = 1
    device: str = "cpu"

    @property
    def words(self) -> str:
        """Both, for a person."""
        if self.device == "cpu":
            return f"{self.workers} CPU core{'s' if self.workers > 1 else ''}"
        card = {"mps": "Apple GPU"}.get(self.device, self.device)
        return card if self.workers == 1 else f"{self.workers} × {card}"

    def speed(self, precision: str) -> float:
        """Operations per second of a worker, in one of `PRECISIONS`."""
        if self.device == "cpu":
            return CORE
        peak = next((peak for name, peak in PEAKS.items() if name in self.device), OTHER)
        return REACHED * peak[PRECISIONS.index(precision)] * 1e12


def by_card(words: str) -> Machine | None:
    """Cards by name, for a plan that is made where they are not: `H100`, `8xA100`. None: no such
    words."""
    said = re.fullmatch(r"(?:([1-9][0-9]{0,3}) ?[x×] ?)?([a-z0-9]+)", words.strip(), re.IGNORECASE)
    name = said[2].upper() if said else ""
    return Machine(int(said[1] or 1), name) if said and name in PEAKS else None


def card() -> str:
    """The first NVIDIA card's name, "GPU" where nobody says it."""
    for said in sorted(NVIDIA.glob("*/information")):
        for line in said.read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "Model":
                return value.strip()
    return "GPU"
