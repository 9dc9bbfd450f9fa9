"""Layers that take windows of series, and those of forecasters' steps."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gradient_check

from fastdl.data.series import SeriesSet, WindowMaker
from fastdl.layers.windows import (
    AddLinear,
    AppendToSteps,
    ContextSteps,
    ContextValues,
    HorizonSteps,
    LastStep,
    LastSteps,
    PastSteps,
    StaticEmbedding,
    StepDecoder,
)

F64 = {"dtype": "float64"}


@pytest.fixture
def windows(rng):
    values = [rng.standard_normal(30), rng.standard_normal(24)]
    series = SeriesSet.from_arrays(
        values, frequency="h", known=[rng.standard_normal((n, 1)) for n in (40, 34)],
        past=[rng.standard_normal((len(v), 1)) for v in values], static={"kind": ["a", "b"]},
    )  # fmt: skip
    maker = WindowMaker(6, 3, dtype=np.float64)
    return maker.make(series, np.array([0, 1, 1]), np.array([10, 4, 20]))[0]


def test_parts_of_windows(windows):
    D = windows.x.shape[2]
    np.testing.assert_array_equal(ContextSteps().forward(windows), windows.x[:, :6])
    np.testing.assert_array_equal(ContextValues().forward(windows), windows.x[:, :6, 0])
    known = HorizonSteps(3).forward(windows)
    assert known.shape == (3, 3, D - 3)
    np.testing.assert_array_equal(known, windows.x[:, 6:, 3:])


@pytest.mark.parametrize("lags", [(), (2,), (3, 8)])
def test_past_steps_are_those_before(windows, lags):
    values = np.concatenate([windows.x[:, :6, :2], windows.ahead], axis=1)
    found = PastSteps(lags).forward(windows)
    B, T, D = windows.x.shape
    assert found.shape == (B, T - 1, 2 * (1 + len(lags)) + D - 2)
    for t in range(1, T):
        row = []
        for lag in (1, *lags):
            row.append(values[:, t - lag] if t >= lag else np.zeros((B, 2)))
        row.append(windows.x[:, t, 2:])
        np.testing.assert_array_equal(found[:, t - 1], np.concatenate(row, axis=1))


def test_past_steps_end_where_values_are_not_known(windows):
    windows.ahead = windows.ahead[:, :0]
    assert PastSteps().forward(windows).shape[1] == 6  # of the steps 1 to 6, the first to forecast


def weighted(layer, inputs, dout):
    return lambda: float(np.sum(layer.forward(*inputs) * dout))


@pytest.mark.parametrize(
    "make, shapes",
    [
        (AppendToSteps, [(3, 4, 2), (3, 5)]),
        (LastStep, [(3, 4, 2)]),
        (lambda: LastSteps(2), [(3, 4, 2)]),
        (lambda: StepDecoder(5, 2, 4, 6, **F64), [(3, 5), (3, 4, 2)]),
        (lambda: StepDecoder(5, 0, 4, 6, **F64), [(3, 5), (3, 4, 0)]),
        (lambda: AddLinear(5, 4, 2, **F64), [(3, 4, 3), (3, 5)]),
    ],
)
def test_gradients(make, shapes, rng):
    layer, inputs = make(), [rng.standard_normal(shape) for shape in shapes]
    for name, array in layer.parameters().items():
        setattr(layer, name, rng.standard_normal(array.shape))
    dout = rng.standard_normal(layer.forward(*inputs).shape)
    found = layer.backward(dout)
    gradients = [*(found if isinstance(found, tuple) else (found,))]
    gradients += [getattr(layer, f"d{name}") for name in layer.parameters()]
    arrays = [*inputs, *layer.parameters().values()]
    gradient_check(weighted(layer, inputs, dout), arrays, gradients, rng)


def test_formulas(rng):
    decoder = StepDecoder(3, 2, 4, 5, **F64)
    state, steps = rng.standard_normal((2, 3)), rng.standard_normal((2, 4, 2))
    expected = np.einsum("bs,sw->bw", state, decoder.W)[:, None] + decoder.V
    expected = np.maximum(expected + np.einsum("bhk,kw->bhw", steps, decoder.U), 0)
    np.testing.assert_allclose(decoder.forward(state, steps), expected, rtol=1e-12)
    line = AddLinear(3, 4, 1, **F64)
    given = rng.standard_normal((2, 4, 5))
    np.testing.assert_array_equal(line.forward(given, state), given)  # it begins at 0
    line.W, line.b = rng.standard_normal((3, 4)), rng.standard_normal((1, 4))
    out = line.forward(given, state)
    np.testing.assert_allclose(out[..., 0], given[..., 0] + state @ line.W + line.b, rtol=1e-12)
    np.testing.assert_array_equal(out[..., 1:], given[..., 1:])


def test_static_embedding_looks_up_and_learns(windows):
    layer = StaticEmbedding((3, 2), 4, **F64)
    windows.codes = np.array([[0, 1], [2, 0], [2, 1]])
    out = layer.forward(windows)
    E = layer.E
    np.testing.assert_array_equal(out[1], np.concatenate([E[2], E[3]]))
    layer.backward(np.ones_like(out))
    dense = np.asarray(layer.dE)
    np.testing.assert_array_equal(dense.sum(axis=1), np.array([1, 0, 2, 1, 2]) * 4.0)


def test_wrong_shapes():
    with pytest.raises(ValueError, match=r"steps of shape \(2, 3, 2\)"):
        StepDecoder(3, 2, 4, 5).forward(np.ones((2, 3)), np.ones((2, 3, 2)))
    with pytest.raises(ValueError, match="before forward"):
        AppendToSteps().backward(np.ones((1, 2, 3)))
