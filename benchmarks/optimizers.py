"""SGD and Adam on 10 million float32 parameters, and Adam on the touched rows of a table.

Against the NumPy twin and PyTorch. The table has 100,000 rows of 16; a step looks 1024 x 20 ids up,
takes their entries' gradients together and moves the rows. PyTorch: the faster of dense gradients
with fused Adam, and of sparse ones with SparseAdam. Batches take turns.
"""

from __future__ import annotations

import itertools
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


class _Rows:
    """A table's step by one side: ``look_up`` is timed with the update, the loss is not there."""

    ROWS, DIM, BATCH, IDS = 100_000, 16, 1024, 20

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.table = rng.standard_normal((self.ROWS, self.DIM)).astype(np.float32)
        self.ids = [rng.integers(0, self.ROWS, (self.BATCH, self.IDS)) for _ in range(8)]
        self.dout = rng.standard_normal((self.BATCH, self.IDS, self.DIM)).astype(np.float32)

    def ours(self, backend: str) -> Any:
        spec = fastdl.FeatureSpec(
            fields=[fastdl.Field(f"f{i}", self.ROWS, table="all") for i in range(self.IDS)]
        )
        layer = fastdl.Embedding(spec, self.DIM)
        layer.E = self.table
        optimizer, turn = fastdl.Adam(0.001), itertools.cycle(self.ids)

        def step() -> None:
            layer.forward(spec.batch(next(turn), layer.dtype))
            layer.backward(self.dout)
            optimizer.update({"E0": layer.raw("E")}, {"E0": layer.dE})

        def twin_step() -> None:
            with fastdl.use_backend("numpy"):
                step()

        step.table = twin_step.table = lambda: layer.raw("E")  # type: ignore[attr-defined]
        return step if backend == "numba" else twin_step

    def torch(self, torch: Any, sparse: bool) -> Any:
        table = torch.nn.Parameter(torch.tensor(self.table))
        kind = torch.optim.SparseAdam if sparse else torch.optim.Adam
        optimizer = kind([table], 0.001, **({} if sparse else {"fused": True}))
        turn = itertools.cycle([torch.tensor(ids) for ids in self.ids])
        dout = torch.tensor(self.dout)

        def step() -> None:
            optimizer.zero_grad()
            torch.nn.functional.embedding(next(turn), table, sparse=sparse).backward(dout)
            optimizer.step()

        step.table = lambda: table.detach().numpy()  # type: ignore[attr-defined]
        return step


def table_sides() -> dict[str, Any]:
    rows = _Rows()
    made: dict[str, Any] = {"fastdl": rows.ours("numba"), "NumPy": rows.ours("numpy")}
    torch = torch_or_none()
    if torch is not None:
        made["PyTorch"], made["PyTorch sparse"] = rows.torch(torch, False), rows.torch(torch, True)
    for side in made.values():
        side()
    # After one step of 1e-3 lazy, sparse and dense Adam are the same, but for gradients whose
    # entries cancel down to the size of epsilon: how far those move hangs on the last bit.
    for side in made.values():
        np.testing.assert_allclose(side.table(), made["fastdl"].table(), rtol=1e-4, atol=2e-4)
    return made


def suite(quick: bool) -> list[dict[str, Any]]:
    size, rows = 100_000 if quick else 10_000_000, []
    for kind in TARGETS:
        for n in (1, 2):
            with threads(n):
                times = alternate(sides(kind, size), 3 if quick else 11)
            rows.append(row(f"{kind}, {size:,} parameters, {n} thread(s)", times,
                            target=TARGETS[kind]))  # fmt: skip
    for n in (1, 2):
        with threads(n):
            times = alternate(table_sides(), 5 if quick else 31)
        rows.append(row(f"sparse Adam, 1024 x 20 ids of 100,000 x 16, {n} thread(s)", times,
                        target="8x; 5x"))  # fmt: skip
    return rows


if __name__ == "__main__":
    main(suite, "Optimizers (a ratio above 1: fastdl is faster)")
