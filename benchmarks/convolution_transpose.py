"""ConvTranspose2D forward and backward, beside PyTorch in channels-last memory and the twins.

The layer itself with bias, on two threads, in the shapes of DCGAN's generators and of others that
enlarge images. Equal results are checked first. GFLOP/s and share of peak as in convolution.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from common import alternate, main, peak, row, threads, torch_or_none
from convolution import PRODUCTS, THREADS, TWIN, geometric_means

import fastdl


class Shape(NamedTuple):
    """Maps (N, H, H, K) from which k x k filters make images of C channels."""

    N: int
    H: int
    K: int
    C: int
    k: int
    stride: int = 1
    padding: int = 0
    output_padding: int = 0

    @property
    def products(self) -> int:
        return self.N * self.H**2 * self.K * self.C * self.k**2

    def __str__(self) -> str:
        name = f"{self.N}x{self.H}x{self.H}x{self.K} -> {self.C}, {self.k}x{self.k}"
        return name + (f", stride {self.stride}" if self.stride > 1 else "")


SHAPES = [
    Shape(64, 7, 128, 64, 4, 2, 1), Shape(64, 14, 64, 1, 4, 2, 1),  # DCGAN, 28 pixels
    Shape(64, 4, 256, 128, 4, 2, 1), Shape(64, 8, 128, 64, 4, 2, 1),  # 32 pixels
    Shape(64, 16, 64, 3, 4, 2, 1),
    Shape(64, 4, 512, 256, 4, 2, 1), Shape(64, 32, 64, 3, 4, 2, 1),  # 64 pixels
    Shape(64, 7, 128, 64, 5, 2, 2, 1), Shape(64, 14, 64, 1, 5, 2, 2, 1),
    Shape(64, 14, 64, 64, 3, 1, 1), Shape(64, 28, 64, 1, 3, 1, 1), Shape(64, 1, 100, 256, 4),
]  # fmt: skip
QUICK = [Shape(4, 7, 16, 8, 4, 2, 1), Shape(4, 7, 16, 1, 5, 2, 2, 1), Shape(4, 7, 16, 16, 3, 1, 1)]


def our_sides(shape: Shape) -> tuple[fastdl.ConvTranspose2D, np.ndarray, dict[str, Callable]]:
    """(the layer, its input, the calls of the three products)."""
    rng = np.random.default_rng(0)
    sizes = shape.stride, shape.padding, shape.output_padding
    layer = fastdl.ConvTranspose2D(shape.K, shape.C, shape.k, *sizes, rng=rng)
    layer.b = rng.standard_normal(shape.C)
    x = rng.standard_normal((shape.N, shape.H, shape.H, shape.K)).astype(np.float32)
    x = x.transpose(0, 3, 1, 2)
    dout = np.sin(layer.forward(x))

    def weights() -> np.ndarray:
        layer.backward_parameters(dout)
        return layer.dW

    calls = {"forward": lambda: layer.forward(x), "data": lambda: layer.backward_inputs(dout)}
    return layer, x, {**calls, "weights": weights}


def torch_sides(shape: Shape, layer: fastdl.ConvTranspose2D, x: np.ndarray) -> dict[str, Callable]:
    """The same by PyTorch, with images and filters in channels-last memory."""
    torch = torch_or_none()
    images = torch.tensor(x.transpose(0, 2, 3, 1)).permute(0, 3, 1, 2)
    upstream = torch.tensor(np.sin(layer.forward(x)).transpose(0, 2, 3, 1)).permute(0, 3, 1, 2)
    filters = torch.tensor(layer.W).contiguous(memory_format=torch.channels_last)
    bias = torch.tensor(layer.b)
    step, padding, more = ([v, v] for v in (shape.stride, shape.padding, shape.output_padding))

    def backward(*wanted: bool) -> Any:
        with torch.no_grad():
            return torch.ops.aten.convolution_backward(
                upstream, images, filters, [shape.C], step, padding, [1, 1], True, more, 1, wanted
            )

    def forward() -> np.ndarray:
        with torch.no_grad():
            return torch.conv_transpose2d(images, filters, bias, step, padding, more).numpy()

    return {
        "forward": forward, "data": lambda: backward(True, False, False)[0].numpy(),
        "weights": lambda: backward(False, True, True)[1].numpy(),
    }  # fmt: skip


def rows_of(shape: Shape, most: float, rounds: int) -> list[dict[str, Any]]:
    """A row for each product, after the results were equal."""
    layer, x, ours = our_sides(shape)
    theirs = {} if torch_or_none() is None else torch_sides(shape, layer, x)
    rows = []
    for what in PRODUCTS:
        expected = ours[what]().copy()
        limit = {"rtol": 0, "atol": 1e-4 * np.abs(expected).max(), "err_msg": f"{shape} {what}"}

        def twin(call: Callable[[], np.ndarray] = ours[what]) -> np.ndarray:
            with fastdl.use_backend("numpy"):
                return call()

        sides = {"fastdl": ours[what]} | ({"PyTorch": theirs[what]} if theirs else {})
        sides |= {"NumPy twin": twin} if shape.products <= TWIN else {}
        for side in sides.values():
            np.testing.assert_allclose(side(), expected, **limit)
        times = alternate(sides, rounds)
        rate = 2 * shape.products / times["fastdl"][0] / 1e9
        named = {"forward": "forward", "data": "backward data", "weights": "backward weights"}
        way = layer.algorithms[named[what]]
        name = f"{shape}: {what}, {way}, {rate:.0f} GFLOP/s"
        rows.append(row(name, times, share=rate / most, gflops=rate, what=what))
    return rows


def suite(quick: bool) -> list[dict[str, Any]]:
    shapes, rounds = (QUICK, 3) if quick else (SHAPES, 9)
    with threads(THREADS):
        most = peak(THREADS)
        rows = [found for shape in shapes for found in rows_of(shape, most, rounds)]
    means = [geometric_means([r for r in rows if r["what"] == w], w) for w in PRODUCTS]
    return [*rows, *means, geometric_means(rows, "all")]


if __name__ == "__main__":
    main(suite, f"ConvTranspose2D, {THREADS} threads (a ratio above 1: fastdl is faster)")
