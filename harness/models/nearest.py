"""The search of `metrics.knn` on a device of torch: the same neighbours, but for rounding."""

import numpy as np
import torch

from harness.metrics.knn import Distinct, Nearest, Search, on_cores

_BLOCK = 8192  # rows of x and of y that are compared at once: 256 MiB of similarities
_FEW = 1024  # and are copied to the device at once

Found = tuple[torch.Tensor, torch.Tensor]  # as `Nearest`


def search_on(device: str) -> Search:
    """How a worker that computes on a device searches."""
    if device != "cuda":
        return on_cores
    return lambda x, y, k: on_device(x, y, k, device)


@torch.inference_mode()
def on_device(x: Distinct, y: Distinct, k: int, device: str) -> tuple[Nearest, Nearest]:
    """As `knn.on_cores`. All vectors lie on the device, beside some blocks of similarities."""
    torch.set_float32_matmul_precision("highest")  # the product is exact to float32
    xs, ys = _copied(x, device), _copied(y, device)
    of_x, of_y = (
        (
            torch.full((rows, min(k, others)), -torch.inf, device=device),
            torch.zeros((rows, min(k, others)), dtype=torch.int64, device=device),
        )
        for rows, others in ((x.count, y.count), (y.count, x.count))
    )
    for i in range(0, x.count, _BLOCK):
        for j in range(0, y.count, _BLOCK):
            similar = xs[i : i + _BLOCK] @ ys[j : j + _BLOCK].T
            _merge(of_x, i, similar, j)
            _merge(of_y, j, similar.T, i)
    return _back(of_x), _back(of_y)


def _back(best: Found) -> Nearest:
    return Nearest(*(side.cpu().numpy() for side in best))


def _copied(side: Distinct, device: str) -> torch.Tensor:
    """The distinct vectors on the device, by blocks: gathered ones would lie here twice."""
    copied = torch.empty((side.count, side.vectors.shape[1]), device=device)
    for start in range(0, side.count, _FEW):
        # torch says aloud that it could write into an array that nobody may write into
        block = np.require(side.block(start, _FEW), requirements="W")
        copied[start : start + _FEW] = torch.from_numpy(block)
    return copied


def _merge(best: Found, start: int, block: torch.Tensor, offset: int) -> None:
    """Fold a block of similarities into the best so far; columns folded in before are lower, and of
    equal ones the lowest wins."""
    values, columns = (side[start : start + len(block)] for side in best)
    # few rows of later blocks hold a neighbour
    rows = (block.amax(1) > values[:, -1]).nonzero()[:, 0]
    some, all_rows = block[rows], torch.arange(len(rows), device=block.device)
    found, at = [values[rows]], [columns[rows]]
    for _ in range(min(values.shape[1], block.shape[1])):
        column = some.argmax(1)  # the first of equals, which topk does not promise
        found.append(some[all_rows, column, None])
        at.append(column[:, None] + offset)
        some[all_rows, column] = -torch.inf
    both, order = torch.cat(found, 1).sort(dim=1, descending=True, stable=True)
    k = values.shape[1]
    values[rows], columns[rows] = both[:, :k], torch.cat(at, 1).gather(1, order)[:, :k]
