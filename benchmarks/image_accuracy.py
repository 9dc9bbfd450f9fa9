"""Test accuracy on real images, as the mean of three seeds.

MNIST: the small network in ten epochs. The CIFAR-10 subset of ../shared: our network beside the
same network in PyTorch, from the same weights on the same batches with the same optimizer.

    python benchmarks/image_accuracy.py [mnist] [cifar] [--seeds 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import machine

import fastdl
from fastdl.data.images import ImageStream, load_npz
from fastdl.schedules import CosineDecay, WarmUp

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
IMAGES = Path(__file__).parents[2] / "shared" / "data" / "images"
BATCH = 128
RECIPES = {  # (file, channels, epochs, network, augmentation)
    "mnist": (
        "mnist.npz", 1, 10, {"widths": (32, 64), "head": "dense", "dropout": 0.3},
        {"shift": 0.08, "rotation": 10},
    ),
    "cifar": (
        "cifar10_12k.npz", 3, 12, {"widths": (32, 64, 128), "dropout": 0.0},
        {"flip": True, "shift": 0.125},
    ),
}  # fmt: skip


def streams(name: str) -> tuple[ImageStream, ImageStream]:
    """The training images, augmented, and the test images, both scaled by the first."""
    file, channels, _, _, augmentation = RECIPES[name]
    train, test = load_npz(IMAGES / file)
    stream = ImageStream(train, channels=channels, augmentation=augmentation)
    return stream, stream.evaluating(test)


def network_of(name: str, stream: ImageStream, seed: int) -> fastdl.AdImageCNN:
    return fastdl.AdImageCNN(
        len(stream.images.classes), channels=len(stream.mean), size=stream.size,
        rng=np.random.default_rng(seed), **RECIPES[name][3],
    )  # fmt: skip


def rates(name: str, steps: int) -> WarmUp:
    """A straight line up for an epoch, then half a cosine down."""
    total = RECIPES[name][2] * steps
    return WarmUp(CosineDecay(0.1, total_steps=total - steps), steps=steps, start=0.001)


def optimizer(schedule: WarmUp) -> fastdl.SGD:
    return fastdl.SGD(schedule, momentum=0.9, weight_decay=5e-4)


def ours(name: str, seed: int) -> tuple[float, float]:
    """(test accuracy, seconds of training)."""
    train, test = streams(name)
    network = network_of(name, train, seed)
    trainer = fastdl.Trainer(network, optimizer(rates(name, train.rows // BATCH)))
    start = time.perf_counter()
    trainer.train(
        train, epochs=RECIPES[name][2], batch_size=BATCH, rng=np.random.default_rng(seed),
        loss_at="before", verbose=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    hits = sum(
        float((network.predict_proba(rows.x).argmax(1) == rows.t.argmax(1)).sum())
        for rows in test.blocks()
    )
    return hits / test.rows, seconds


def theirs(name: str, seed: int) -> tuple[float, float]:
    """The same by PyTorch; the batches are ours."""
    import torch
    from torch_images import Network, tensor

    train, test = streams(name)
    model = Network(network_of(name, train, seed)).to(memory_format=torch.channels_last)
    steps, rng = train.rows // BATCH, np.random.default_rng(seed)
    schedule = rates(name, steps)
    their = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, fused=True)
    loss_of, start, step = torch.nn.functional.cross_entropy, time.perf_counter(), 0
    for epoch in range(RECIPES[name][2]):
        for window in train.windows(epoch, int(rng.integers(1 << 31)), BATCH):
            for first in range(window.start, window.stop - BATCH + 1, BATCH):
                rows = window.take(first, BATCH)
                for group in their.param_groups:
                    group["lr"] = schedule.rate(step)
                their.zero_grad()
                loss_of(model(tensor(rows.x)), tensor(rows.t)).backward()
                their.step()
                step += 1
    seconds = time.perf_counter() - start
    model.eval()
    hits = 0
    with torch.no_grad():
        for rows in test.blocks():
            hits += int((model(tensor(rows.x)).argmax(1).numpy() == rows.t.argmax(1)).sum())
    return hits / test.rows, seconds


def report(name: str, side: str, run: Any, seeds: int) -> dict[str, Any]:
    found = []
    for seed in range(seeds):
        found.append(run(name, seed))
        print(f"{name}, {side}, seed {seed}: {100 * found[-1][0]:.2f} %, {found[-1][1]:.0f} s",
              flush=True)  # fmt: skip
    accuracy = [a for a, _ in found]
    mean, seconds = float(np.mean(accuracy)), float(np.mean([s for _, s in found]))
    print(f"{name}, {side}: mean {100 * mean:.2f} %, {seconds:.0f} s of training", flush=True)
    return {"name": name, "side": side, "accuracy": accuracy, "mean": mean, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *RECIPES], default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(machine())
    rows = []
    for name in options.names or RECIPES:
        rows.append(report(name, "fastdl", ours, options.seeds))
        if name == "cifar":
            rows.append(report(name, "PyTorch", theirs, options.seeds))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
