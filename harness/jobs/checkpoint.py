"""The state of a training on disk: a file, and a pointer with its hash that is written last."""

import json
import os
import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from safetensors import SafetensorError

from harness.jobs.context import Context, Stopped
from harness.store import draft_of, file_sha256, flush
from harness.store.shared import asks_again

State = dict[str, Any]


@asks_again
def save(ctx: Context, step: int, state: State) -> None:
    """Save everything; the pointer changes last, so a torn file is never resumed from. Raises
    Stopped, and nothing is changed, if the lease was lost: whoever took over keeps checkpoints
    there."""
    if not ctx.held():  # else the folder would be made anew, after the commit that removed it
        raise Stopped
    folder = ctx.store.checkpoint_dir(ctx.key)
    file, pointer = folder / f"update-{step}.pt", folder / "latest.json"
    # listed while the lease was ours: files of whoever takes over are not among them
    old = {*folder.iterdir()} - {file, pointer}
    with draft_of(file) as new, draft_of(pointer) as new_pointer:
        with plain_disk_errors(), new.open("wb") as stream:
            torch.save(state, stream)
        flush(new)
        said = {"file": file.name, "sha256": file_sha256(new)}
        new_pointer.write_text(json.dumps(said))
        flush(new_pointer)
        # This machine may have slept while it wrote. All that is slow lies before the question.
        if not ctx.held():
            raise Stopped
        new.replace(file)
        new_pointer.replace(pointer)
    flush(folder)
    for path in old:
        path.unlink(missing_ok=True)


def load(ctx: Context, model: Mapping[str, torch.Tensor]) -> State | None:
    """The last sound checkpoint whose `model` has these names and shapes; None where there is none.
    What is wrong with it is noted: the training starts again, and its result is the same, only
    later."""
    folder = ctx.store.checkpoint_dir(ctx.key)
    try:
        pointer = json.loads((folder / "latest.json").read_text())
        file = folder / pointer["file"]
        if file_sha256(file) != pointer["sha256"]:
            raise ValueError("its hash does not match")
        state: State = torch.load(file, weights_only=True, map_location="cpu")
        if _shapes(state["model"]) != _shapes(model):
            raise ValueError("another version of the harness wrote it")
    except FileNotFoundError:
        return None
    except (
        ValueError,
        KeyError,
        TypeError,
        OSError,
        RuntimeError,
        pickle.UnpicklingError,
    ) as error:
        ctx.facts["checkpoint_refused"] = f"{error}"
        return None
    return state


def _shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


@contextmanager
def plain_disk_errors() -> Iterator[None]:
    """torch and safetensors hide a full disk in errors of their own: raise the OSError inside."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        if found := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(found[1]), os.strerror(int(found[1]))) from None
        raise
