"""SGD and Adam on 10 million float32 parameters against the NumPy twin and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
from common import alternate, main, row, threads, torch_or_none

import fastdl

TARGETS = {"SGD": "-", "Adam": "1.2x; 5x"}


def sides(kind: str, n: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    start, gradient = (rng.standard_normal(n).astype(np.float32) for _ in range(2))
    ours, twin = start.copy(), start.copy()
    optimizers = [getattr(fastdl, kind)(0.001) for _ in range(2)]

    def step() -> None:
        optimizers[0].update({"W": ours}, {"W": gradient})

    def twin_step() -> None:
        with fastdl.use_backend("numpy"):
            optimizers[1].update({"W": twin}, {"W": gradient})

    made: dict[str, Any] = {"fastdl": step, "NumPy": twin_step}
    arrays = [ours, twin]
    torch = torch_or_none()
    if torch is not None:
        theirs = torch.nn.Parameter(torch.tensor(start))
        theirs.grad = torch.tensor(gradient)
        optimizer = getattr(torch.optim, kind)([theirs], 0.001, fused=True)
        made["PyTorch"] = optimizer.step
        arrays.append(theirs.detach().numpy())
    for side in made.values():
        for _ in range(3):
            side()
    for array in arrays[1:]:
        np.testing.assert_allclose(array, ours, rtol=1e-4, atol=1e-6)
    return made


def suite(quick: bool) -> list[dict[str, Any]]:
    size, rows = 100_000 if quick else 10_000_000, []
    for kind in TARGETS:
        for n in (1, 2):
            with threads(n):
                times = alternate(sides(kind, size), 3 if quick else 11)
            rows.append(row(f"{kind}, {size:,} parameters, {n} thread(s)", times,
                            target=TARGETS[kind]))  # fmt: skip
    return rows


if __name__ == "__main__":
    main(suite, "Optimizers (a ratio above 1: fastdl is faster)")
