"""Whether GANs learn: mode counts on the ring and the grid of Gaussians, and MNIST.

    python benchmarks/gan_quality.py ring [--seeds 5]
    python benchmarks/gan_quality.py grid [--seeds 5]
    python benchmarks/gan_quality.py mnist [--seeds 3] [--keep FOLDER]

MNIST: the same DCGAN, from the same weights on the same batches and draws, trained by us and by
PyTorch, without classes, and by us with them. 10,000 samples of each are judged by a classifier of
ours, whose features the Fréchet distances are on. ``--keep`` keeps the samples of each training in
a folder, so that a run that was cut off goes on; ``--only plain-0`` trains just that one.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import machine

import fastdl
from fastdl.data.images import ImageStream, load_npz

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
IMAGES = Path(__file__).parents[2] / "shared" / "data" / "images"
EPOCHS, BATCH, SAMPLES = 6, 64, 10_000
OPTIONS = {"size": 28, "channels": 1, "width": 32, "latent": 100}
KINDS = ("plain", "torch", "classes")


def stream() -> ImageStream:
    return ImageStream(load_npz(IMAGES / "mnist.npz")[0], channels=1, mean=0.5, std=0.5)


def made(kind: str, seed: int) -> Any:
    own = {"classes": 10} if kind == "classes" else {}
    return fastdl.DCGAN(**OPTIONS, **own, rng=np.random.default_rng(seed))


def ours(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples, and the classes that they were asked for."""
    gan = made(kind, seed)
    trainer = fastdl.GANTrainer(gan)
    trainer.train(stream(), epochs=EPOCHS, batch_size=BATCH, rng=np.random.default_rng(seed))
    asked = np.arange(SAMPLES) % 10
    classes = asked if gan.classes else None
    return gan.sample(SAMPLES, classes=classes, rng=np.random.default_rng(9)), asked


def pytorchs(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same recipe in PyTorch: weights, batches, draws and averaged weights."""
    import torch
    from torch_gan import Step, tensor

    gan, rng, images = made("plain", seed), np.random.default_rng(seed), stream()
    step = Step(gan, "fused")
    mean = copy.deepcopy(step.G)
    taken = 0
    for epoch in range(EPOCHS):
        windows = images.windows(epoch, int(rng.integers(1 << 31)), BATCH)
        losses = []
        for window in windows:
            whole = len(window.rows) // BATCH * BATCH
            for first in range(window.start, window.start + whole, BATCH):
                x, z = tensor(np.asarray(window.take(first, BATCH).x)), gan.draw(BATCH, rng)
                losses.append(step(x, torch.from_numpy(z)))
                taken += 1
                rest = 1 - min(0.999, taken / (taken + 9))
                with torch.no_grad():
                    pairs = [*zip(mean.parameters(), step.G.parameters(), strict=True)]
                    pairs += zip(mean.buffers(), step.G.buffers(), strict=True)
                    for held, now in pairs:
                        if held.is_floating_point():
                            held += rest * (now - held)
        print(f"PyTorch, epoch {epoch + 1}/{EPOCHS}", np.mean(losses, axis=0).round(4), flush=True)
    mean.eval()
    z = torch.from_numpy(gan.draw(SAMPLES, np.random.default_rng(9)))
    with torch.no_grad():
        parts = [mean(own).numpy() for own in z.split(500)]
    return np.concatenate(parts), np.full(SAMPLES, -1)


def samples(kind: str, seed: int, keep: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Those of a training, from the folder if they are there."""
    path = None if keep is None else keep / f"{kind}-{seed}.npz"
    if path is not None and path.is_file():
        known = np.load(path)
        return known["x"], known["asked"]
    start = time.perf_counter()
    x, asked = (pytorchs if kind == "torch" else ours)(kind, seed)
    print(f"{kind} {seed}: {time.perf_counter() - start:.0f} s", flush=True)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, x=x, asked=asked)
    return x, asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["ring", "grid", "mnist"])
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.only:
        kind, _, seed = options.only.partition("-")
        samples(kind, int(seed), options.keep)
        return
    print(machine())
    rows = SUITES[options.what](options)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2))


SUITES: dict[str, Callable[[Any], list[dict[str, Any]]]] = {}

if __name__ == "__main__":
    main()
