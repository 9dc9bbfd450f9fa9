"""Training steps of image networks against channels-last PyTorch and the NumPy twins."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import alternate, main, peak, row, threads, torch_or_none

import fastdl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


def small_network() -> fastdl.Network:
    """The CNN of DESIGN.md's table: two convolutions with pools on 28 x 28, one dense layer."""
    rng = np.random.default_rng(0)
    return fastdl.Sequential(
        fastdl.Conv2D(1, 32, 3, padding=1, activation="relu", rng=rng), fastdl.MaxPool2D(2),
        fastdl.Conv2D(32, 64, 3, padding=1, activation="relu", rng=rng), fastdl.MaxPool2D(2),
        fastdl.Flatten(), fastdl.Dense(64 * 7 * 7, 10, rng=rng), loss=fastdl.SoftmaxCrossEntropy,
    )  # fmt: skip


def residual_network() -> fastdl.Network:
    return fastdl.ResNet(10, depth=20, width=16, size=32, rng=np.random.default_rng(0))


def depthwise_network() -> fastdl.Network:
    return fastdl.MobileNet(10, width=0.5, size=32, rng=np.random.default_rng(0))


NETWORKS = {
    "CNN 1-32-64 on 28x28, batch 64": (small_network, (64, 1, 28, 28), "1.5x; 10x"),
    "ResNet-20, width 16, 3x32x32, batch 128": (residual_network, (128, 3, 32, 32), "1.5x; 10x"),
    "MobileNet, width 0.5, 3x32x32, batch 128": (depthwise_network, (128, 3, 32, 32), "1.5x; 10x"),
}


def data(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((shape[0], *shape[2:], shape[1])).astype(np.float32)
    return x.transpose(0, 3, 1, 2), rng.integers(0, 10, shape[0])


def our_step(network: fastdl.Network, x: np.ndarray, t: np.ndarray) -> Callable[[], float]:
    optimizer = fastdl.SGD(0.01, momentum=0.9)
    optimizer.attach(network.store())

    def step() -> float:
        optimizer.update(network.parameters(), network.gradient(x, t))
        return network.latest_loss

    return step


def torch_step(network: fastdl.Network, x: np.ndarray, t: np.ndarray, how: str) -> Any:
    import torch
    from torch_images import Network, tensor

    model = Network(network).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), 0.01, momentum=0.9, **({"fused": True} if how == "fused" else {})
    )
    xt, tt = tensor(x), torch.tensor(t)
    loss_of = torch.nn.functional.cross_entropy
    forward = torch.compile(lambda a, b: loss_of(model(a), b)) if how == "compile" else None

    def step() -> float:
        optimizer.zero_grad()
        loss = forward(xt, tt) if forward else loss_of(model(xt), tt)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def multiplications(network: fastdl.Network, x: np.ndarray) -> float:
    """Of one step, counted as direct convolutions: forward, data (not the first), weights."""
    network.predict(x)
    total = 0.0
    for i, layer in enumerate(network.layers):
        passes = 3 if i else 2
        if isinstance(layer, fastdl.Conv2D):
            N, OH, OW, _ = layer._out.shape
            total += passes * layer.W.size * N * OH * OW
        elif isinstance(layer, fastdl.Dense):
            total += passes * layer.W.size * len(x)
    return total


def sides_of(make: Callable[[], fastdl.Network], shape: tuple[int, ...], quick: bool) -> Any:
    """The sides of a step, after their losses were equal over three of them."""
    x, t = data(shape)
    sides: dict[str, Callable[[], float]] = {"fastdl": our_step(make(), x, t)}
    twin = our_step(make(), x, t)

    def on_twins() -> float:
        with fastdl.use_backend("numpy"):
            return twin()

    sides["NumPy twin"] = on_twins
    if torch_or_none() is not None:
        for how in ("eager", "fused") if quick else ("eager", "fused", "compile"):
            try:
                torch_step(make(), x, t, how)()  # torch.compile needs a C++ compiler
                sides[f"PyTorch {how}"] = torch_step(make(), x, t, how)
            except Exception as error:
                print(f"PyTorch {how} does not run here: {type(error).__name__}")
    losses = {name: [side() for _ in range(3)] for name, side in sides.items()}
    for name, found in losses.items():
        np.testing.assert_allclose(found, losses["fastdl"], rtol=2e-3, err_msg=name)
    return sides, 2 * multiplications(make(), x)


def suite(quick: bool) -> list[dict[str, Any]]:
    rows = []
    for name, (make, shape, target) in list(NETWORKS.items())[: 1 if quick else None]:
        with threads(2):
            sides, work = sides_of(make, shape, quick)
            twin = sides.pop("NumPy twin")
            times = alternate(sides, 3 if quick else 11)
            times |= {"NumPy twin": alternate({"": twin}, 2, 0.0)[""]}
            share = work / times["fastdl"][0] / 1e9 / peak(2)
        theirs = [v for k, v in times.items() if k.startswith("PyTorch")]
        kept = {"fastdl": times["fastdl"], "NumPy twin": times["NumPy twin"]}
        kept |= {"PyTorch": min(theirs)} if theirs else {}
        rows.append(row(f"{name}, 2 threads", kept, target=target, share=share, all=times))
        found = ", ".join(f"{side} {1e3 * v[0]:.1f} ms" for side, v in times.items())
        print(f"{name}: {found}", flush=True)
    return rows


if __name__ == "__main__":
    main(suite, "Training steps of image networks (a ratio above 1: fastdl is faster)")
