"""Convolution forward and backward, beside PyTorch in channels-last memory and the NumPy twin.

And im2col and col2im, beside the twins (one slice of the images for each place of the filter).

Each product by itself, as ``Conv2D`` runs it (by Winograd where it would), on two threads, with
bias. Equal results are checked first. GFLOP/s are effective: the multiplications and additions of
the definition by the time, which Winograd's algorithm does with fewer, so that the share of the
measured peak can be above 100 %.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from common import alternate, main, peak, row, threads, torch_or_none
from fastdl.kernels.backend import ops

import fastdl
from fastdl.layers.convolution_products import few_channels
from fastdl.layers.winograd import winograd_tile

THREADS = 2
TWIN = 3e8  # multiplications up to which the twin takes part
ONE = (1, 1)


class Shape(NamedTuple):
    """Images (N, H, H, C), K filters of k x k."""

    N: int
    H: int
    C: int
    K: int
    k: int
    stride: int = 1
    padding: int = 0
    groups: int = 1

    @property
    def outputs(self) -> int:
        return (self.H + 2 * self.padding - self.k) // self.stride + 1

    @property
    def products(self) -> int:
        N, C, K = self.N, self.C // self.groups, self.K
        return N * self.outputs**2 * K * C * self.k**2

    def __str__(self) -> str:
        name = f"{self.N}x{self.H}x{self.H}x{self.C} -> {self.K}, {self.k}x{self.k}"
        name += f", stride {self.stride}" if self.stride > 1 else ""
        return name + (", depthwise" if self.groups > 1 else "")


SHAPES = [
    Shape(64, 28, 1, 32, 3, 1, 1), Shape(64, 14, 32, 64, 3, 1, 1), Shape(128, 32, 3, 16, 3, 1, 1),
    Shape(128, 32, 16, 16, 3, 1, 1), Shape(128, 16, 32, 32, 3, 1, 1),
    Shape(128, 8, 64, 64, 3, 1, 1), Shape(32, 28, 128, 128, 3, 1, 1),
    Shape(32, 7, 512, 512, 3, 1, 1), Shape(128, 32, 16, 32, 3, 2, 1),
    Shape(32, 28, 64, 128, 3, 2, 1),
    Shape(128, 32, 16, 32, 1, 2), Shape(32, 14, 256, 256, 1), Shape(32, 7, 512, 512, 1),
    Shape(16, 56, 64, 64, 5, 1, 2), Shape(64, 28, 1, 20, 5), Shape(16, 32, 3, 64, 7, 2, 3),
    Shape(64, 32, 32, 32, 3, 1, 1, 32), Shape(32, 28, 128, 128, 3, 2, 1, 128),
]  # fmt: skip
QUICK = [Shape(4, 14, 3, 16, 3, 1, 1), Shape(4, 14, 16, 32, 3, 2, 1), Shape(4, 14, 32, 32, 1)]
PRODUCTS = ("forward", "data", "weights")


def arrays(shape: Shape) -> tuple[np.ndarray, ...]:
    """x, W, b and dout."""
    rng = np.random.default_rng(0)
    N, H, C, K, k = shape[:5]
    W = rng.standard_normal((K, C // shape.groups, k, k)) / np.sqrt(C // shape.groups * k * k)
    x, b = rng.standard_normal((N, H, H, C)), rng.standard_normal(K)
    dout = rng.standard_normal((N, shape.outputs, shape.outputs, K))
    return tuple(array.astype(np.float32) for array in (x, W, b, dout))


def our_side(
    shape: Shape, what: str, x: np.ndarray, W: np.ndarray, b: np.ndarray, dout: np.ndarray
) -> tuple[Callable[[], None], np.ndarray, str]:
    """(the call, what it writes, how it runs)."""
    padding = (shape.padding, shape.padding)
    geometry = (shape.stride,) * 2, padding, ONE, shape.groups
    out = np.empty_like({"forward": dout, "data": x, "weights": W}[what])
    db, tile = np.empty_like(b), 0
    if shape.k == 3 and shape.stride == shape.groups == 1:
        of, depth = (x, shape.K) if what == "data" else (dout, shape.C)
        tile = winograd_tile(of.shape, depth, x.dtype)

    narrow = shape.groups > 1 and shape.k == 3
    few = what == "data" and few_channels(shape.C, shape.groups, tile, x.dtype)

    def forward() -> None:
        if narrow:
            ops.depthwise_forward(shape.stride, x, W, b, False, padding, False, out)
        elif tile:
            ops.winograd_convolve(tile, x, W, b, False, padding, False, out)
        else:
            ops.conv2d_forward(x, W, b, *geometry, False, out)

    def data() -> None:
        around = 2 - padding[0], 2 - padding[1]
        if few:
            ops.few_channels_backward_data(W, dout, *geometry[:3], out)
        elif narrow and shape.stride == 2:
            ops.depthwise_backward_data(W, dout, padding, out)
        elif narrow:
            ops.depthwise_forward(1, dout, W, b[:0], True, around, False, out)
        elif tile:
            ops.winograd_convolve(tile, dout, W, b[:0], True, around, False, out)
        else:
            ops.conv2d_backward_data(W, dout, *geometry, out)

    def weights() -> None:
        if narrow:
            ops.depthwise_backward_weights(shape.stride, x, dout, padding, out, db)
        elif tile:
            ops.winograd_backward_weights(tile, x, dout, padding, out, db)
        else:
            ops.conv2d_backward_weights(x, dout, *geometry, out, db)

    call = {"forward": forward, "data": data, "weights": weights}[what]
    way = "columns" if few else f"F({tile}x{tile})" if tile else ""
    return call, out, way or ("depthwise" if narrow else "direct")


def torch_side(
    shape: Shape, what: str, x: np.ndarray, W: np.ndarray, b: np.ndarray, dout: np.ndarray
) -> Callable[[], np.ndarray]:
    """The same by PyTorch, with images and filters in channels-last memory."""
    torch = torch_or_none()
    images, upstream = (torch.tensor(a).permute(0, 3, 1, 2) for a in (x, dout))
    filters = torch.tensor(W).contiguous(memory_format=torch.channels_last)
    bias = torch.tensor(b)
    geometry = [shape.stride] * 2, [shape.padding] * 2, [1, 1]
    wanted = [what == "data", what == "weights", what == "weights"]

    def side() -> np.ndarray:
        with torch.no_grad():
            if what == "forward":
                out = torch.nn.functional.conv2d(images, filters, bias, *geometry, shape.groups)
                return out.permute(0, 2, 3, 1).numpy()
            found = torch.ops.aten.convolution_backward(
                upstream, images, filters, [shape.K], *geometry, False, [0, 0], shape.groups, wanted
            )
            return found[0].permute(0, 2, 3, 1).numpy() if wanted[0] else found[1].numpy()

    return side


def sides_of(shape: Shape, what: str) -> tuple[dict[str, Callable[[], Any]], str]:
    """The sides of one product, after their results were equal, and how ours runs."""
    given = arrays(shape)
    ours, result, way = our_side(shape, what, *given)
    sides: dict[str, Callable[[], Any]] = {"fastdl": ours}
    ours()
    expected = result.copy()
    limit = {"rtol": 0, "atol": 1e-4 * np.abs(expected).max(), "err_msg": f"{shape} {what}"}
    if torch_or_none() is not None:
        sides["PyTorch"] = torch_side(shape, what, *given)
        np.testing.assert_allclose(sides["PyTorch"](), expected, **limit)
    if shape.products <= TWIN:

        def twin() -> None:
            with fastdl.use_backend("numpy"):
                ours()

        twin()
        np.testing.assert_allclose(result, expected, **limit)
        sides["NumPy twin"] = twin
    return sides, way


def patch_rows(shape: Shape, rounds: int) -> list[dict[str, Any]]:
    """im2col and col2im of the shape, both sides with the allocation of what they return."""
    x = np.ascontiguousarray(arrays(shape)[0].transpose(0, 3, 1, 2))
    window = shape.k, shape.k, shape.stride, shape.padding
    col = fastdl.im2col(x, *window)
    calls: dict[str, Callable[[], Any]] = {
        "im2col": lambda: fastdl.im2col(x, *window),
        "col2im": lambda: fastdl.col2im(col, x.shape, *window),
    }
    rows = []
    for name, ours in calls.items():

        def twin(ours: Callable[[], Any] = ours) -> Any:
            with fastdl.use_backend("numpy"):
                return ours()

        np.testing.assert_allclose(twin(), ours(), rtol=1e-4, atol=1e-4)
        times = alternate({"fastdl": ours, "NumPy twin": twin}, rounds)
        rows.append(row(f"{shape}: {name}", times))
    return rows


def geometric_means(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """A row of nothing but the means of the others' ratios."""
    found: dict[str, list[float]] = {}
    for one in rows:
        for side, ratio in one["ratios"].items():
            found.setdefault(side, []).append(ratio)
    means = {side: float(np.exp(np.mean(np.log(ratios)))) for side, ratios in found.items()}
    return {"name": f"geometric mean, {name}", "ratios": means}


def suite(quick: bool) -> list[dict[str, Any]]:
    rows: dict[str, list[dict[str, Any]]] = {what: [] for what in PRODUCTS}
    shapes, rounds = (QUICK, 3) if quick else (SHAPES, 9)
    with threads(THREADS):
        most = peak(THREADS)
        patches = [r for s in shapes if s.products <= TWIN / 2 and s.k > 1 and s.groups == 1
                   for r in patch_rows(s, rounds)]  # fmt: skip
        for shape in shapes:
            for what in PRODUCTS:
                sides, way = sides_of(shape, what)
                times = alternate(sides, rounds)
                rate = 2 * shape.products / times["fastdl"][0] / 1e9
                name = f"{shape}: {what}, {way}, {rate:.0f} GFLOP/s"
                rows[what].append(row(name, times, share=rate / most, gflops=rate, way=way))
    means = [geometric_means(rows[what], what) for what in PRODUCTS]
    each = [one for what in PRODUCTS for one in rows[what]]
    means.append(geometric_means(each, "all"))
    return [*each, *means, *patches, geometric_means(patches, "im2col and col2im")]


if __name__ == "__main__":
    main(suite, f"Convolution, {THREADS} threads (a ratio above 1: fastdl is faster)")
