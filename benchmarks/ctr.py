"""Training steps of the CTR models beside their PyTorch transcriptions, same weights and batches.

    python benchmarks/ctr.py [--models DeepFM,DCNv2] [--batch 2048] [--ids 1000000]

PyTorch: the faster of dense gradients with fused Adam and of sparse ones with SparseAdam. The
losses of the first step are compared before anything is timed. Sides take turns of some steps in a
row, on changing batches.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from common import SETTLE, machine
from fastdl.models import ctr

import fastdl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
MODELS = [name for name in ctr.__all__ if name not in ("CTRModel", "CTRPredictionNetwork")]
OPTIONS = {"FieldAwareFactorizationMachine": {"embedding_dim": 4}}
FIELDS = 26
BATCHES = 8


def make(name: str, ids: int) -> fastdl.CTRModel:
    spec = fastdl.FeatureSpec(fields=[ids // FIELDS] * FIELDS)
    options = {"embedding_dim": 16, "hidden": (400, 400, 400), **OPTIONS.get(name, {})}
    return getattr(ctr, name)(spec, **options, rng=np.random.default_rng(0))


def batches_of(rows: int, ids: int) -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Batches that take turns, so that no cache keeps what one batch touches."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(BATCHES):
        x = (rng.zipf(1.2, (rows, FIELDS)) - 1) % (ids // FIELDS)
        found.append(({"ids": x}, (rng.random(rows) < 0.2).astype(np.float32)))
    return found


def our_step(model, batches):  # type: ignore[no-untyped-def]
    optimizer = fastdl.Adam(1e-3)

    def step(i: int) -> float:
        grads = model.gradient(*batches[i])
        optimizer.update(model.parameters(), grads)
        return model.latest_loss

    return step


def torch_step(model, batches, sparse: bool):  # type: ignore[no-untyped-def]
    import torch
    from torch_ctr import Transcription

    twin = Transcription(model, sparse=sparse)
    tables = [v for n, v in zip(twin.names, twin.values, strict=True) if n[0] in "Ew" and v.shape[0]
              == model.spec.rows]  # fmt: skip
    others = [v for v in twin.values if not any(v is table for table in tables)]
    if sparse:
        optimizers = [torch.optim.SparseAdam(tables, lr=1e-3)]
        if others:
            optimizers.append(torch.optim.Adam(others, lr=1e-3, fused=True))
    else:
        optimizers = [torch.optim.Adam(twin.parameters(), lr=1e-3, fused=True)]
    labels = [torch.tensor(t) for _, t in batches]

    def step(i: int) -> float:
        for optimizer in optimizers:
            optimizer.zero_grad()
        logit = twin(batches[i][0])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, labels[i])
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        return float(loss.detach())

    return step


def timed(step) -> list[float]:  # type: ignore[no-untyped-def]
    """Seconds of each of some steps in a row, as in training; the turn's first is not counted."""
    time.sleep(SETTLE)  # the other side's threads stop spinning
    found = []
    for i in range(BATCHES):
        start = time.perf_counter()
        step(i)
        found.append(time.perf_counter() - start)
    return found[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--ids", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(machine())
    print(
        f"batch {arguments.batch}, {FIELDS} fields, {arguments.ids:,} ids, "
        f"{fastdl.get_num_threads()} threads"
    )
    print("| model | fastdl | PyTorch dense | PyTorch sparse | fastdl is faster |")
    print("|---|---|---|---|---|")
    import torch

    torch.set_num_threads(fastdl.get_num_threads())
    batches = batches_of(arguments.batch, arguments.ids)
    for name in arguments.models.split(","):
        model = make(name, arguments.ids)
        sides = [torch_step(model, batches, False), torch_step(model, batches, True),
                 our_step(model, batches)]  # fmt: skip
        first = [side(0) for side in sides]
        np.testing.assert_allclose(first, first[0], rtol=1e-4)
        times: list[list[float]] = [[] for _ in sides]
        for _ in range(arguments.rounds):
            for side, own in zip(sides, times, strict=True):
                own += timed(side)
        dense, sparse, ours = (float(np.median(own)) * 1e3 for own in times)
        print(f"| {name} | {ours:.2f} ms | {dense:.1f} ms | {sparse:.1f} ms | "
              f"{min(dense, sparse) / ours:.2f}x |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
