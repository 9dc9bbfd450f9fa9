"""Whether GANs learn: mode counts on the ring and the grid of Gaussians, and MNIST.

    python benchmarks/gan_quality.py ring [--seeds 5]
    python benchmarks/gan_quality.py grid [--seeds 5]
    python benchmarks/gan_quality.py mnist [--seeds 3] [--keep FOLDER]

MNIST: the same DCGAN, from the same weights on the same batches and draws, trained by us ("plain")
and by PyTorch ("torch"); and with the recipe of ``fastdl train-gan``, without classes ("free") and
with them ("classes"). 10,000 samples of each are judged by a classifier of ours, whose features the
Fréchet distances are on. ``--keep`` keeps the samples of each training in
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
from common import machine, torch_or_none

import fastdl
from fastdl.adversarial import modes as modes_of
from fastdl.adversarial.features import FeatureNetwork
from fastdl.adversarial.judge import Judge
from fastdl.data.images import ImageStream, load_npz
from fastdl.metrics.generated import mode_counts
from fastdl.schedules import CosineDecay

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
IMAGES = Path(__file__).parents[2] / "shared" / "data" / "images"
BATCH, SAMPLES = 64, 10_000
OPTIONS = {"size": 28, "channels": 1, "width": 32, "latent": 100}
KINDS = {"plain": 6, "torch": 6, "free": 10, "classes": 10}  # and epochs
RECIPE = {"normalization": "spectral", "loss": "hinge", "minibatch_stddev": True}
STEPS = 20_000  # on the ring and on the grid


def stream() -> ImageStream:
    return ImageStream(load_npz(IMAGES / "mnist.npz")[0], channels=1, mean=0.5, std=0.5)


def made(kind: str, seed: int) -> Any:
    own: dict[str, Any] = RECIPE if kind in ("free", "classes") else {}
    if kind == "classes":
        own = {**own, "classes": 10}
    return fastdl.DCGAN(**OPTIONS, **own, rng=np.random.default_rng(seed))


def ours(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples, and the classes that they were asked for."""
    gan = made(kind, seed)
    trainer = fastdl.GANTrainer(gan)
    rng = np.random.default_rng(seed)
    trainer.train(stream(), epochs=KINDS[kind], batch_size=BATCH, rng=rng)
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
    for epoch in range(KINDS["torch"]):
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
        print(f"PyTorch, epoch {epoch + 1}", np.mean(losses, axis=0).round(4), flush=True)
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


def planar(seed: int, draw: Callable[..., np.ndarray], steps: int) -> np.ndarray:
    """Samples of a small dense GAN trained on points in the plane."""
    rng = np.random.default_rng(seed)
    hidden, each = 128, 500

    def dense(*sizes: int) -> fastdl.Dense:
        return fastdl.Dense(*sizes, rng=rng)

    generator = fastdl.Sequential(
        dense(2, hidden), fastdl.ReLU(), dense(hidden, hidden), fastdl.ReLU(), dense(hidden, 2)
    )
    discriminator = fastdl.Sequential(
        dense(2, hidden), fastdl.LeakyReLU(0.2), dense(hidden, hidden), fastdl.LeakyReLU(0.2),
        fastdl.MinibatchStdDev(8), dense(hidden + 1, 1),
    )  # fmt: skip
    gan = fastdl.GAN(generator, discriminator, latent=2)
    own = [fastdl.Adam(CosineDecay(0.001, total_steps=steps), beta1=0.5) for _ in range(2)]
    trainer = fastdl.GANTrainer(gan, *own)
    trainer.train(
        draw(256 * each, rng=rng), epochs=steps // each, batch_size=256, rng=rng, verbose=False
    )
    return gan.sample(2500, rng=rng)


def modes(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The ring of 8 or the grid of 25 Gaussians: modes found and samples within 3 deviations."""
    ring = options.what == "ring"
    draw, centres, std = (
        (modes_of.ring, modes_of.ring_centres(), 0.02) if ring
        else (modes_of.grid, modes_of.grid_centres(), 0.05)
    )  # fmt: skip
    rows = []
    for seed in range(options.seeds or 5):
        start = time.perf_counter()
        found = mode_counts(planar(seed, draw, STEPS), centres, std, least=10)
        counts = found["counts"]
        rows.append({"seed": seed, "modes": found["modes"], "good": found["good"],
                     "least": int(counts.min()), "most": int(counts.max())})  # fmt: skip
        print(
            f"seed {seed}: {found['modes']} of {len(centres)} modes, {100 * found['good']:.1f} % "
            f"within 3 deviations, {counts.min()} to {counts.max()} of 2,500 samples a mode, "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=list(SUITES))
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


def digits(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every training's samples before the same judge: test images that nothing was trained on."""
    train, test = load_npz(IMAGES / "mnist.npz")
    path = None if options.keep is None else options.keep / "features.safetensors"
    if path is not None and path.is_file():
        features = FeatureNetwork.load(path)
    else:
        features = FeatureNetwork.fit(train, 28, 1, epochs=4, rng=np.random.default_rng(0))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            features.save(path)
    judge = Judge(features, test, train)
    x = test.load(channels=1) / np.float32(127.5) - 1
    known = float(np.mean(features.predict(x) == test.labels))
    print(f"the classifier knows {100 * known:.2f} % of the test images", flush=True)
    rows = []
    for kind in KINDS:
        if kind == "torch" and torch_or_none() is None:
            continue
        for seed in range(options.seeds or 3):
            made, asked = samples(kind, seed, options.keep)
            found = judge.judge(made, asked if kind == "classes" else None)
            rows.append({**found, "kind": kind, "seed": seed})
            print(_told(kind, seed, found), flush=True)
    _compare(rows)
    return rows


def _told(kind: str, seed: int, found: dict[str, Any]) -> str:
    asked = found["recognised"]
    return (
        f"{kind} {seed}: Fréchet {found['frechet']:.2f} (floor {found['frechet_floor']:.2f}), "
        f"precision {found['precision']:.3f}, recall {found['recall']:.3f}, density "
        f"{found['density']:.2f}, coverage {found['coverage']:.3f}, classes "
        f"{100 * found['smallest']:.1f} to {100 * found['largest']:.1f} %, nearest training image "
        f"{found['nearest_pixels']:.2f} (real {found['nearest_pixels_real']:.2f})"
        + ("" if asked is None else f", recognised {100 * asked:.2f} %")
    )


def _compare(rows: list[dict[str, Any]]) -> None:
    means = {
        kind: float(np.mean([row["frechet"] for row in rows if row["kind"] == kind]))
        for kind in KINDS
        if any(row["kind"] == kind for row in rows)
    }
    print("mean Fréchet distances: " + ", ".join(f"{k} {v:.3f}" for k, v in means.items()))
    if "torch" in means:
        print(f"ours / PyTorch: {means['plain'] / means['torch']:.3f}")


SUITES: dict[str, Callable[[Any], list[dict[str, Any]]]] = {
    "ring": modes, "grid": modes, "mnist": digits,
}  # fmt: skip

if __name__ == "__main__":
    main()
