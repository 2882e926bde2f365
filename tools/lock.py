"""What `make lock` runs: pyproject.toml resolved, for every Python and system that it names, into

    requirements.lock         what a run needs, and what builds the package
    requirements-torch.lock   torch as PyPI has it (CUDA 13 on Linux), and the libraries it brings
    requirements-dev.lock     what only a test, a check or the docs need

Each file of each package stands there with its SHA-256. torch is apart because its CPU build is
another file under the same version: with its own lock it is installed by hash, without it by
version, from the index that has the build of one's choice, and the rest by hash in both cases.

    python tools/lock.py             adds and removes what pyproject.toml asks; versions stay
    python tools/lock.py --upgrade   every package at its newest
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUN, TORCH, DEV = (ROOT / f"requirements{part}.lock" for part in ("", "-torch", "-dev"))

EXTRAS = ["mini", "lora"]  # small, and the image has them: the smoke suite and every recipe run
DEV_EXTRAS = ["docs", "dev"]

# Moved by hand: the image's CUDA release goes with it, and scores move with it as with no other.
TORCH_VERSION = "2.13.0"

# NVIDIA's libraries and triton: nothing but torch's CUDA build asks for them.
OF_TORCH = re.compile(r"(torch|triton|nvidia-.*|cuda-.*)==")

HEADER = "# Written by `make lock` from pyproject.toml.\n"
HEADERS = {
    RUN: "#\n#     pip install --no-deps --require-hashes -r requirements.lock\n#\n"
    "# then torch: requirements-torch.lock in the same way, or any build of that version.\n",
    TORCH: "# torch as on PyPI. Its CPU build for Linux is another file, on another index:\n#\n"
    "#     pip install torch==VERSION --extra-index-url https://download.pytorch.org/whl/cpu\n",
    DEV: "# Beside requirements.lock, for `make test`, `make lint` and the docs.\n",
}


def entries(text: str) -> list[str]:
    """The packages of a requirements file, each with its lines of hashes."""
    text = re.sub(r"^ *#.*\n", "", text, flags=re.M)
    return re.split(r"\n(?=\S)", text.strip())


def resolve(extras: list[str], keep: list[str], *options: str) -> list[str]:
    """The packages of pyproject.toml with these extras, at the versions of `keep` where they do."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    with tempfile.TemporaryDirectory() as folder:
        # uv prefers the versions of a file that it is to write over.
        output, more = Path(folder) / "all.lock", Path(folder) / "more.in"
        output.write_text("\n".join(keep))
        more.write_text("\n".join([f"torch=={TORCH_VERSION}", *build]))
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--no-annotate", "--no-header", "--python-version", "3.11", *options]
        command += [f"--extra={extra}" for extra in extras]
        command += [f"--output-file={output}", ROOT / "pyproject.toml", more]
        subprocess.run(command, check=True, cwd=ROOT)
        return entries(output.read_text())


def main() -> None:
    locks = [path for path in (RUN, TORCH, DEV) if path.exists()]
    before = entries("".join(path.read_text() for path in locks))

    # One resolution for all, so that a tool and a run never ask for two versions of a package.
    everything = resolve(EXTRAS + DEV_EXTRAS, before, *sys.argv[1:])
    runtime = resolve(EXTRAS, everything)
    torch = [entry for entry in runtime if OF_TORCH.match(entry)]

    parts = {
        RUN: [entry for entry in runtime if entry not in torch],
        TORCH: torch,
        DEV: [entry for entry in everything if entry not in runtime],
    }
    for path, part in parts.items():
        path.write_text(HEADER + HEADERS[path] + "\n".join(part) + "\n")
        print(f"{path.name}: {len(part)} packages")


if __name__ == "__main__":
    main()
