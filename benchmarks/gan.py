"""One full step of DCGANs, discriminator on real and on made images, then generator.

Against channels-last PyTorch (eager, with the fused optimizer, compiled; its discriminator's
parameters need no gradients in the generator's step) and the NumPy twins; all sides begin with the
same weights and draws, and their losses are compared first.

    python benchmarks/gan.py [--quick] [--json FILE]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import alternate, main, peak, row, threads, torch_or_none

import fastdl
from fastdl.adversarial.steps import AdversarialSteps
from fastdl.adversarial.trainer import COLUMNS
from fastdl.run import Run

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
BATCH = 64
NETWORKS = {
    "DCGAN 28x28, width 64, batch 64": ({"size": 28}, "1.5x; 10x"),
    "DCGAN 32x32x3, width 64, batch 64": ({"size": 32, "channels": 3}, "1.5x; 10x"),
    "DCGAN 28x28, 10 classes": ({"size": 28, "classes": 10}, ""),
    "DCGAN 64x64x3, width 32": ({"size": 64, "channels": 3, "width": 32}, ""),
}


class Same:
    """A feed of one batch, again and again."""

    def __init__(self, gan: Any) -> None:
        rng = np.random.default_rng(1)
        x = np.tanh(rng.standard_normal((BATCH, *gan.size, gan.channels))).astype(np.float32)
        self.x, self.t = x.transpose(0, 3, 1, 2), rng.integers(0, max(1, gan.classes), BATCH)

    def batch(self, run: Run) -> Any:
        return self.x, self.t, ()


def made(options: dict[str, Any]) -> Any:
    return fastdl.DCGAN(**options, rng=np.random.default_rng(0))


def our_step(options: dict[str, Any]) -> Callable[[], list[float]]:
    gan = made(options)
    trainer = fastdl.GANTrainer(gan)
    settings = {"epochs": 1, "batch_size": BATCH, "steps_per_epoch": 1}
    run = Run(gan, trainer.optimizer, np.random.default_rng(2), [], settings, COLUMNS)
    steps = AdversarialSteps(run, Same(gan), 1, None)  # type: ignore[arg-type]
    return lambda: steps.take(1)[0][:2]


def torch_step(options: dict[str, Any], how: str) -> Callable[[], tuple[float, float]]:
    import torch
    from torch_gan import Step, tensor

    gan = made(options)
    step, same, rng = Step(gan, how), Same(gan), np.random.default_rng(2)
    x = tensor(same.x)
    classes = torch.tensor(same.t) if gan.classes else None
    return lambda: step(x, torch.from_numpy(gan.draw(BATCH, rng)), classes)


def multiplications(options: dict[str, Any]) -> float:
    """Of one step, as direct convolutions: see ``AdversarialSteps``."""
    gan = made(options)
    classes = np.zeros(BATCH, np.int64) if gan.classes else None
    images = gan.generator.predict(gan.rows(gan.draw(BATCH), classes))
    gan.discriminator.predict(gan.rows(images, classes))
    total = 0.0
    for network, first, others in ((gan.generator, 2, 3), (gan.discriminator, 6, 8)):
        for i, layer in enumerate(network.layers):
            passes = others if i else first  # nobody wants the first layer's dx but the generator
            passes += network is gan.discriminator and not i
            if isinstance(layer, fastdl.Conv2D):
                total += passes * layer.W.size * BATCH * np.prod(layer._out.shape[1:3])
            elif isinstance(layer, fastdl.ConvTranspose2D):
                total += passes * layer.W.size * BATCH * np.prod(layer.x.shape[1:3])
            elif isinstance(layer, fastdl.Dense):
                total += passes * layer.W.size * BATCH
    return total


def sides_of(options: dict[str, Any], quick: bool) -> dict[str, Callable[[], Any]]:
    """The sides, after their losses were equal over three steps."""
    twin = our_step(options)

    def on_twins() -> list[float]:
        with fastdl.use_backend("numpy"):
            return twin()

    sides: dict[str, Callable[[], Any]] = {"fastdl": our_step(options), "NumPy twin": on_twins}
    if torch_or_none() is not None:
        for how in ("eager", "fused") if quick else ("eager", "fused", "compile"):
            try:
                torch_step(options, how)()  # torch.compile needs a C++ compiler
                sides[f"PyTorch {how}"] = torch_step(options, how)
            except Exception as error:
                print(f"PyTorch {how} does not run here: {type(error).__name__}")
    losses = {name: [side() for _ in range(3)] for name, side in sides.items()}
    for name, found in losses.items():
        np.testing.assert_allclose(found, losses["fastdl"], rtol=5e-3, err_msg=name)
    return sides


def suite(quick: bool) -> list[dict[str, Any]]:
    rows = []
    for name, (options, target) in list(NETWORKS.items())[: 1 if quick else None]:
        with threads(2):
            sides = sides_of(options, quick)
            twin = sides.pop("NumPy twin")
            times = alternate(sides, 3 if quick else 11)
            times |= {"NumPy twin": alternate({"": twin}, 2, 0.0)[""]}
            share = 2 * multiplications(options) / times["fastdl"][0] / 1e9 / peak(2)
        theirs = [v for k, v in times.items() if k.startswith("PyTorch")]
        kept = {"fastdl": times["fastdl"], "NumPy twin": times["NumPy twin"]}
        kept |= {"PyTorch": min(theirs)} if theirs else {}
        rows.append(row(f"{name}, 2 threads", kept, target=target, share=share, all=times))
        found = ", ".join(f"{side} {1e3 * v[0]:.1f} ms" for side, v in times.items())
        print(f"{name}: {found}", flush=True)
    return rows


if __name__ == "__main__":
    main(suite, "Training steps of GANs (a ratio above 1: fastdl is faster)")
