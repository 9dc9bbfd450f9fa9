"""Recurrent kernels: twins at random shapes and lengths, threads, padding that must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import recurrent
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels_twins import both, compare

KINDS = ("lstm", "gru", "gru_reset_first", "rnn")
GATES = {"lstm": 4, "gru": 3, "gru_reset_first": 3, "rnn": 1}
KEPT = {"lstm": 4, "gru": 4, "gru_reset_first": 3, "rnn": 1}  # gates in the arrays over time


def arguments(kind, B, T, D, H, dtype, rng, lengths=(), truncate=0, relu=False, sequence=True):
    """(forward's arguments, its outputs, a function for backward's with its outputs)."""
    G, K = GATES[kind] * H, KEPT[kind] * H

    def random(*shape):
        return rng.standard_normal(shape).astype(dtype)

    def empty(*shape):
        return np.empty(shape, dtype)

    lengths = np.array(lengths, np.int64)
    x, W, U = random(B, T, D), random(D, G) / np.sqrt(D), random(H, G) / np.sqrt(H)
    W, U, b, h0 = W.astype(dtype), U.astype(dtype), random(K), random(B, H)
    inputs, out = empty(T + 1, B, H + D), empty(B, T if sequence else 0, H)
    states = [h0, random(B, H)] if kind == "lstm" else [h0]
    kept = {
        "lstm": [empty(T, B, K), empty(T + 1, B, H)], "gru": [empty(T, B, K)],
        "gru_reset_first": [empty(T, B, K), empty(T, B, H)], "rnn": [],
    }[kind]  # fmt: skip
    flags = [relu] if kind == "rnn" else []
    forward = [*flags, x, lengths, W, U, b, *states, inputs, *kept, out]
    outputs = [len(forward) - 1 - i for i in range(2 + len(kept))]

    def backward(ran, dx_too=True):
        """After forward ran on its arguments ``ran``."""
        saved = ran[len(ran) - 2 - len(kept) : -1]
        dstates, dout = [random(B, H) for _ in states], random(*out.shape)
        results = [
            empty(B if dx_too else 0, T, D), empty(T, B, K), np.empty_like(W), np.empty_like(U),
            empty(K), *(empty(B, H) for _ in states),
        ]  # fmt: skip
        given = [*flags, truncate, lengths, W, U, *saved, dout, *dstates, *results]
        return given, [len(given) - 1 - i for i in range(len(results))]

    return forward, outputs, backward


def run_twin(kind, forward, outputs):
    ran = [a.copy() if isinstance(a, np.ndarray) else a for a in forward]
    both(kind, f"{kind}_forward")[1](*ran)
    return ran


def check(kind, shape, dtype, rng, two_thread_counts, dx_too=True, **options):
    forward, outputs, backward = arguments(kind, *shape, dtype, rng, **options)
    # float32 sums of the twin differ in their order, and a state goes through all steps
    limits = {"rtol": 2e-3, "atol": 2e-4} if dtype == np.float32 else {"rtol": 1e-8, "atol": 1e-9}
    compare(kind, f"{kind}_forward", forward, outputs, two_thread_counts, **limits)
    given_, results = backward(run_twin(kind, forward, outputs), dx_too)
    limits["atol"] *= max(1, np.sqrt(shape[0] * shape[1]))
    compare(kind, f"{kind}_backward", given_, results, two_thread_counts, **limits)


# one of everything; more rows than a task and columns beyond whole vectors; work for threads
SHAPES = [(1, 1, 1, 1), (21, 5, 3, 13), (40, 9, 24, 50), (5, 3, 200, 7)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_twins(kind, shape, dtype, rng, two_thread_counts):
    check(kind, shape, dtype, rng, two_thread_counts)


def test_the_shapes_reach_every_path():
    assert max(s[0] for s in SHAPES) > 2 * recurrent.ROWS
    assert any(s[0] * s[1] * (s[2] + s[3]) * s[3] > 1_000_000 / 3 for s in SHAPES)
    assert any(s[1] % recurrent.STEPS for s in SHAPES)


@pytest.mark.parametrize("kind", KINDS)
@given(
    shape=st.tuples(*(st.integers(1, n) for n in (40, 9, 20, 70))), seed=st.integers(0, 2**31),
    truncate=st.integers(0, 4), relu=st.booleans(), masked=st.booleans(),
    sequence=st.booleans(), dx_too=st.booleans(),
)  # fmt: skip
@settings(max_examples=25, deadline=None, derandomize=True)
def test_random_shapes(kind, shape, seed, truncate, relu, masked, sequence, dx_too):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, shape[1] + 1, shape[0]) if masked else ()
    options = {"lengths": lengths, "truncate": truncate, "relu": relu, "sequence": sequence}

    def once(function):
        return function(), function()

    check(kind, shape, np.dtype(np.float32), rng, once, dx_too, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_may_hold_anything(kind, rng):
    """NaN behind the rows' lengths reaches neither states nor gradients."""
    lengths = [3, 0, 7, 5] * 6
    forward, outputs, backward = arguments(kind, 24, 7, 4, 9, np.float32, rng, lengths)
    x = forward[1 if kind == "rnn" else 0]
    for row, length in enumerate(lengths):
        x[row, length:] = np.nan
    both(kind, f"{kind}_forward")[0](*forward)
    given_, results = backward(forward)
    both(kind, f"{kind}_backward")[0](*given_)
    assert all(np.isfinite(forward[i]).all() for i in outputs)
    assert all(np.isfinite(given_[i]).all() for i in results)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_stays_in_its_row(kind, rng):
    forward, _, _ = arguments(kind, 24, 6, 4, 9, np.float32, rng)
    forward[1 if kind == "rnn" else 0][5, 2] = np.nan
    both(kind, f"{kind}_forward")[0](*forward)
    out = forward[-1]
    assert np.isnan(out[5, 2:]).all()
    assert np.isfinite(out[5, :2]).all()
    assert np.isfinite(np.delete(out, 5, axis=0)).all()
