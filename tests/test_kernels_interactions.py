"""Cross, CIN and attention kernels against their twins."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels.cross import ROWS
from oracles import tolerance
from test_kernels_twins import both, compare


def scaled(dtype, factor):
    limits = tolerance(dtype)
    return {**limits, "atol": limits["atol"] * factor}


@pytest.mark.parametrize(("N", "D"), [(1, 1), (5, 3), (300, 97)])
def test_cross(N, D, dtype, rng, two_thread_counts):
    x0, x, dout = (rng.standard_normal((N, D)).astype(dtype) for _ in range(3))
    w, b = rng.standard_normal((2, D)).astype(dtype)
    s = x @ w
    limits = scaled(dtype, 10 * np.sqrt(D))
    compare("cross", "cross_forward", (x0, x, w, b, s, dout), [4, 5], two_thread_counts, **limits)
    parts = np.empty((-(-N // ROWS), D), dtype)
    arguments = (x0, x, w, s, dout, x0, x, parts, parts)
    limits = scaled(dtype, 100 * np.sqrt(D + N))
    compare("cross", "cross_backward", arguments, [5, 6, 7, 8], two_thread_counts, **limits)


@pytest.mark.parametrize("n", [1, 40_000])
def test_multiply_add(n, dtype, rng, two_thread_counts):
    x0, u, x = rng.standard_normal((3, n)).astype(dtype)
    limits = tolerance(dtype)
    compare("cross", "multiply_add", (x0, u, x, x), [3], two_thread_counts, **limits)
    arguments = (x0, u, x, x, x)
    compare("cross", "multiply_add_backward", arguments, [3, 4], two_thread_counts, **limits)


@pytest.mark.parametrize(
    ("H", "M", "O", "C"), [(1, 1, 1, 1), (3, 2, 4, 5), (40, 26, 7, 700), (5, 300, 3, 16)]
)
def test_cin(H, M, O, C, dtype, rng, two_thread_counts):
    xk, x0 = rng.standard_normal((H, C)).astype(dtype), rng.standard_normal((M, C)).astype(dtype)
    W, dout = rng.standard_normal((O, H * M)).astype(dtype), rng.standard_normal((O, C))
    dout = dout.astype(dtype)
    limits = scaled(dtype, 10 * np.sqrt(H * M))
    compare("cin", "cin_forward", (xk, x0, W, dout), [3], two_thread_counts, **limits)
    arguments = (xk, x0, W, dout, xk, x0, W)
    limits = scaled(dtype, 10 * np.sqrt(H * M + C) * np.sqrt(O))
    compare("cin", "cin_backward", arguments, [4, 5, 6], two_thread_counts, **limits)


@pytest.mark.parametrize(("N", "F", "heads", "A"), [(1, 1, 1, 1), (3, 4, 2, 5), (130, 26, 2, 16)])
@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_attention(N, F, heads, A, scale, dtype, rng, two_thread_counts):
    x = rng.standard_normal((N, F, 4 * heads * A)).astype(dtype)
    out, dout = rng.standard_normal((2, N, F, heads * A)).astype(dtype)
    p = np.empty((N, heads, F, F), dtype)
    limits = scaled(dtype, 100)
    arguments = (heads, scale, x, p, out)
    compare("attention", "attention_forward", arguments, [3, 4], two_thread_counts, **limits)
    both("attention", "attention_forward")[1](*arguments)
    arguments = (heads, scale, x, p, out, dout, x)
    compare("attention", "attention_backward", arguments, [6], two_thread_counts, **limits)


def test_attention_of_large_scores(dtype):
    """The softmax takes the row's largest score away first."""
    q = np.full((1, 2, 3), 60, dtype)
    k = np.array([[[60, 0, 0], [-60, 0, 0]]], dtype)
    v = np.array([[[1, 2, 3], [4, 5, 6]]], dtype)
    x = np.concatenate([q, k, v, np.zeros_like(v)], axis=2)
    for function in both("attention", "attention_forward"):
        out, p = np.empty_like(q), np.empty((1, 1, 2, 2), dtype)
        function(1, 1.0, x, p, out)
        np.testing.assert_allclose(out, [[[1, 2, 3], [1, 2, 3]]], rtol=1e-6)


@pytest.mark.parametrize(("N", "D"), [(1, 1), (5, 3), (300, 97)])
@pytest.mark.parametrize("shared", [True, False])
def test_gate(N, D, shared, dtype, rng, two_thread_counts):
    x, dout = rng.standard_normal((2, N, D)).astype(dtype)
    g = 3 * rng.standard_normal((1 if shared else N, D)).astype(dtype)
    limits = scaled(dtype, 10)
    compare("fusion", "gate_forward", (g, x, g, x), [2, 3], two_thread_counts, **limits)
    gate = 2 / (1 + np.exp(-g))
    dg = np.empty((-(-N // ROWS) if shared else N, D), dtype)
    limits = scaled(dtype, 100 * np.sqrt(N))
    arguments = (gate, x, dout, dg, x)
    compare("fusion", "gate_backward", arguments, [3, 4], two_thread_counts, **limits)


@pytest.mark.parametrize(
    ("N", "heads", "left", "right"),
    [(1, 1, 1, 1), (5, 2, 3, 4), (300, 1, 150, 90), (300, 3, 20, 7)],
)
def test_bilinear(N, heads, left, right, dtype, rng, two_thread_counts):
    x, y = (rng.standard_normal((N, heads * d)).astype(dtype) for d in (left, right))
    w1, w2 = (rng.standard_normal(heads * d).astype(dtype) for d in (left, right))
    W = rng.standard_normal((heads, left, right)).astype(dtype)
    b, dout = rng.standard_normal(1).astype(dtype), rng.standard_normal(N).astype(dtype)
    limits = scaled(dtype, 100 * np.sqrt(heads * left * right))
    arguments = (x, y, w1, w2, b, W, y, dout)
    compare("fusion", "bilinear_forward", arguments, [6, 7], two_thread_counts, **limits)
    u = np.concatenate([a @ M for a, M in zip(np.split(x, heads, 1), W, strict=True)], axis=1)
    parts1, parts2 = (np.empty((-(-N // ROWS), heads * d), dtype) for d in (left, right))
    limits = scaled(dtype, 100 * np.sqrt(left * right + N))
    compare(
        "fusion", "bilinear_backward", (x, y, w1, w2, W, u, dout, y, x, y, W, parts1, parts2),
        [7, 8, 9, 10, 11, 12], two_thread_counts, **limits,
    )  # fmt: skip
