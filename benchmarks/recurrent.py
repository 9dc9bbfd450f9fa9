"""Training steps of recurrent networks against PyTorch's own modules and the NumPy twins.

A step is forward, a dense head on the last step, the mean squared error, backward and Adam. Equal
losses of three steps are checked first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from common import alternate, main, peak, row, threads, torch_or_none

import fastdl

THREADS = 2
HOW = ("eager", "fused")  # PyTorch's optimizer


class Shape(NamedTuple):
    """Sequences (B, T, D), H numbers in a state."""

    B: int
    T: int
    D: int
    H: int

    def __str__(self) -> str:
        return f"B{self.B} T{self.T} D{self.D} H{self.H}"


SHAPES = [Shape(32, 30, 8, 64), Shape(64, 96, 8, 128), Shape(128, 48, 16, 256)]
KINDS = {"LSTM": (fastdl.LSTM, "2x; 8x"), "GRU": (fastdl.GRU, "3x; 8x"), "RNN": (fastdl.RNN, "-")}


def network(kind: str, shape: Shape) -> fastdl.Network:
    rng = np.random.default_rng(0)
    layer = KINDS[kind][0](shape.D, shape.H, return_sequences=False, rng=rng)
    head = fastdl.Dense(shape.H, 1, rng=rng)
    return fastdl.Sequential(layer, head, loss=fastdl.MeanSquaredError)


def data(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((shape.B, shape.T, shape.D)).astype(np.float32)
    return x, rng.standard_normal((shape.B, 1)).astype(np.float32)


def our_step(kind: str, shape: Shape) -> Callable[[], float]:
    net, (x, t) = network(kind, shape), data(shape)
    optimizer = fastdl.Adam(0.001)
    optimizer.attach(net.store())

    def step() -> float:
        optimizer.update(net.parameters(), net.gradient(x, t))
        return net.latest_loss

    return step


def torch_step(kind: str, shape: Shape, how: str, one_bias: bool) -> Callable[[], float]:
    """PyTorch's; with ``one_bias`` its second bias rests where it only doubles the first."""
    import torch

    net, (x, t) = network(kind, shape), data(shape)
    module, head = fastdl.to_torch(net.layers[0]), torch.nn.Linear(shape.H, 1)
    with torch.no_grad():
        head.weight.copy_(torch.tensor(net.layers[1].W.T.copy()))
        head.bias.zero_()
    if one_bias:
        needed = torch.zeros_like(module.bias_hh_l0)
        needed[2 * shape.H :] = float(kind == "GRU")
        module.bias_hh_l0.register_hook(lambda gradient: gradient * needed)
    parameters = [*module.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, 0.001, **({"fused": True} if how == "fused" else {}))
    xt, tt = torch.tensor(x), torch.tensor(t)

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(head(module(xt)[0][:, -1]), tt)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def multiplications(kind: str, shape: Shape) -> float:
    """Of one step's gates: forward, the state's gradient, the weights' gradients."""
    B, T, D, H = shape
    columns = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind] * H
    return float(B * T * columns * (2 * (D + H) + H))


def sides_of(kind: str, shape: Shape) -> dict[str, Callable[[], float]]:
    """The sides of a step, after their losses were equal over three of them."""
    ours, twin = our_step(kind, shape), our_step(kind, shape)

    def on_twins() -> float:
        with fastdl.use_backend("numpy"):
            return twin()

    sides, checked = {"fastdl": ours, "NumPy twin": on_twins}, {}
    if torch_or_none() is not None:
        checked = {f"PyTorch {how}": torch_step(kind, shape, how, True) for how in HOW}
    losses = {name: [side() for _ in range(3)] for name, side in (sides | checked).items()}
    for name, found in losses.items():
        np.testing.assert_allclose(found, losses["fastdl"], rtol=1e-3, err_msg=f"{kind} {name}")
    return sides | {name: torch_step(kind, shape, name.split()[1], False) for name in checked}


def suite(quick: bool) -> list[dict[str, Any]]:
    rows = []
    for kind, (_, target) in KINDS.items():
        for shape in SHAPES[: 1 if quick else None]:
            with threads(THREADS):
                sides = sides_of(kind, shape)
                twin = sides.pop("NumPy twin")
                times = alternate(sides, 3 if quick else 11)
                times |= {"NumPy twin": alternate({"": twin}, 3, 0.0)[""]}
                share = 2 * multiplications(kind, shape) / times["fastdl"][0] / 1e9 / peak(THREADS)
            theirs = [v for k, v in times.items() if k.startswith("PyTorch")]
            kept = {"fastdl": times["fastdl"], "NumPy twin": times["NumPy twin"]}
            kept |= {"PyTorch": min(theirs)} if theirs else {}
            name = f"{kind} {shape}, {THREADS} threads"
            rows.append(row(name, kept, target=target, share=share, all=times))
            found = ", ".join(f"{side} {1e3 * v[0]:.2f} ms" for side, v in times.items())
            print(f"{kind} {shape}: {found}", flush=True)
    return rows


if __name__ == "__main__":
    main(suite, "Training steps of recurrent networks (a ratio above 1: fastdl is faster)")
