"""Errors of 3 x 3 convolutions in float32, directly and by Winograd, and of the latter's points.

    python benchmarks/accuracy_winograd.py     # the kernels, then points in NumPy; half a minute
    python benchmarks/accuracy_winograd.py --write benchmarks/results/accuracy_winograd.md

Images, filters and upstream gradients are normal random numbers. The largest error against float64
is divided by the standard deviation of what it is an error of, and so is the root of the mean
square. The figures in ``fastdl.set_winograd`` are from here, and the points in
kernels/winograd_transforms.py. tests/test_kernels_winograd.py asserts the bounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from common import machine
from fastdl.kernels.backend import ops
from fastdl.kernels.winograd_transforms import POINTS, matrices
from numpy.lib.stride_tricks import sliding_window_view

import fastdl

Array = np.ndarray[Any, np.dtype[Any]]
CHANNELS = (1, 4, 16, 64, 128, 256, 512)
WHATS = ("forward", "data", "weights")
ONE = (1, 1)
SETS = [  # of the points +-a, +-b beside 0; the first are the usual ones
    (1, 2), (1, Fraction(1, 2)), (Fraction(1, 2), Fraction(3, 2)), (1, Fraction(3, 2)),
    (Fraction(3, 4), Fraction(3, 2)), (Fraction(5, 8), Fraction(3, 2)),
    (Fraction(5, 8), Fraction(11, 8)), (Fraction(11, 16), Fraction(3, 2)),
    (Fraction(12, 17), Fraction(17, 12)), (Fraction(2, 3), Fraction(3, 2)),
]  # fmt: skip


def convolved(tile: int, x: Array, W: Array, dout: Array) -> tuple[Array, Array, Array]:
    """out, dx and dW with Winograd's tiles of this size, 0: directly."""
    out, dx, dW = np.empty_like(dout), np.empty_like(x), np.empty_like(W)
    none = np.empty(0, x.dtype)
    if tile:
        ops.winograd_convolve(tile, x, W, none, False, ONE, False, out)
        ops.winograd_convolve(tile, dout, W, none, True, ONE, False, dx)
        ops.winograd_backward_weights(tile, x, dout, ONE, dW, none)
    else:
        ops.conv2d_forward(x, W, none, ONE, ONE, ONE, 1, False, out)
        ops.conv2d_backward_data(W, dout, ONE, ONE, ONE, 1, dx)
        ops.conv2d_backward_weights(x, dout, ONE, ONE, ONE, 1, dW, none)
    return out, dx, dW


def errors(found: Array, exact: Array) -> tuple[float, float]:
    """(largest error, root of the mean square), by the standard deviation of the exact numbers."""
    wrong = np.abs(found - exact) / exact.std()
    return float(wrong.max()), float(np.sqrt(np.mean(wrong**2)))


def kernel_lines(channels: tuple[int, ...], rng: np.random.Generator) -> Iterator[str]:
    """For K = C channels: every way's errors, forward and backward."""
    yield "| channels | | direct | F(2x2) | F(4x4) |\n|---|---|---|---|---|"
    for C in channels:
        shape = (2, 24, 24, C)
        x, dout = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
        W = rng.standard_normal((C, C, 3, 3)).astype(np.float32)
        with fastdl.use_backend("numpy"):
            exact = convolved(0, *(a.astype(np.float64) for a in (x, W, dout)))
        found = [convolved(tile, x, W, dout) for tile in (0, 2, 4)]
        for i, what in enumerate(WHATS):
            cells = [errors(way[i], exact[i]) for way in found]
            texts = " | ".join(f"{largest:.1e} ({mean:.1e})" for largest, mean in cells)
            yield f"| {C} | {what} | {texts} |"


def applied(matrix: Array, x: Array) -> Array:
    """matrix x matrix^T in float32, with the sums in the order of the matrix's columns."""
    for _ in range(2):
        terms = matrix.astype(np.float32)[..., None] * x[..., None, :, :]
        x = np.add.accumulate(terms, axis=-2, dtype=np.float32)[..., -1, :].swapaxes(-1, -2)
    return x


def errors_of_points(
    points: tuple[Fraction, ...], rng: np.random.Generator, channels: int = 48, tiles: int = 500
) -> tuple[float, float, float, float]:
    """Largest and mean error of F(4x4) forward, then of the gradient of the filters."""
    A, G, B = matrices(points, 4)
    d = rng.standard_normal((tiles, channels, 6, 6)).astype(np.float32)
    g = rng.standard_normal((4, channels, 3, 3)).astype(np.float32)
    dout = rng.standard_normal((tiles, 4, 4)).astype(np.float32)
    V, U, D = applied(B, d), applied(G, g), applied(A.T, dout)
    products, sums = np.zeros((tiles, 4, 6, 6), np.float32), np.zeros((channels, 6, 6), np.float32)
    for c in range(channels):
        products += V[:, None, c] * U[None, :, c]
    for t in range(tiles):
        sums += V[t] * D[t]
    wide = d.astype(np.float64)
    out = np.einsum("tcijkl,qckl->tqij", sliding_window_view(wide, (3, 3), axis=(2, 3)), g)
    dW = np.einsum("tcijkl,tkl->cij", sliding_window_view(wide, (4, 4), axis=(2, 3)), dout)
    return *errors(applied(A, products), out), *errors(applied(G.T, sums), dW)


def point_lines(rng: np.random.Generator) -> Iterator[str]:
    yield "| points beside 0 | forward | weights |\n|---|---|---|"
    for a, b in SETS:
        points = tuple(map(Fraction, (0, a, -a, b, -b)))
        found = np.mean([errors_of_points(points, rng) for _ in range(5)], axis=0)
        texts = f"{found[0]:.1e} ({found[1]:.1e}) | {found[2]:.1e} ({found[3]:.1e})"
        mark = " (taken)" if points == POINTS[4] else ""
        yield f"| ±{a}, ±{b}{mark} | {texts} |"


def tables(channels: tuple[int, ...], rng: np.random.Generator) -> Iterator[str]:
    yield "# Errors of 3 x 3 convolutions in float32\n"
    yield "Printed by `python benchmarks/accuracy_winograd.py`, whose docstring says what is what."
    yield f"Largest error (root of the mean square). Machine: {machine()}\n"
    yield from kernel_lines(channels, rng)
    yield "\n## F(4x4) with other points\n\n48 channels forward, 500 tiles for the weights.\n"
    yield from point_lines(rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--channels", type=int, nargs="+", default=list(CHANNELS))
    parser.add_argument("--write", type=Path, help="a file for the tables")
    options = parser.parse_args()
    lines = []
    for line in tables(tuple(options.channels), np.random.default_rng(0)):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        options.write.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
