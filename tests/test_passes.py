"""Forwards that are kept: several before a backward, gradients that add up, inputs' gradients."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl
from fastdl.graph import Graph, Node

F64 = {"dtype": "float64"}


def dense_network(rng):
    return fastdl.Sequential(
        fastdl.Dense(4, 6, rng=rng, **F64), fastdl.LeakyReLU(0.2),
        fastdl.BatchNormalization(num_features=6, **F64), fastdl.Dropout(0.3, rng=rng),
        fastdl.LayerNorm(6, **F64), fastdl.Tanh(), fastdl.Dense(6, 1, rng=rng, **F64),
    )  # fmt: skip


def image_network(rng):
    return fastdl.Sequential(
        fastdl.Conv2D(2, 4, 3, padding=1, activation="relu", rng=rng, **F64), fastdl.MaxPool2D(2),
        fastdl.BatchNormalization(num_features=4, activation="leaky_relu", **F64),
        fastdl.Dropout2D(0.3, rng=rng), fastdl.Upsample2D(2), fastdl.AvgPool2D(2),
        fastdl.Conv2D(4, 4, 2, groups=4, rng=rng, **F64), fastdl.GELU(), fastdl.Flatten(),
        fastdl.Dense(36, 1, rng=rng, **F64),
    )  # fmt: skip


def series_network(rng):
    return fastdl.Sequential(
        fastdl.LSTM(3, 4, num_layers=2, dropout=0.2, rng=rng, **F64),
        fastdl.TimeDistributed(fastdl.Dense(4, 4, rng=rng, **F64)),
        fastdl.GRU(4, 4, return_sequences=False, bidirectional=True, rng=rng, **F64),
        fastdl.Dense(8, 1, rng=rng, **F64),
    )  # fmt: skip


def graph(rng):
    x = Node.input()
    y = fastdl.Dense(4, 5, rng=rng, **F64)(x)
    y = fastdl.ReLU()(y) + fastdl.Dense(4, 5, rng=rng, **F64)(x)
    return Graph(fastdl.Dense(5, 1, rng=rng, **F64)(y), fastdl.MeanSquaredError)


NETWORKS = {
    "dense": (dense_network, (5, 4)), "image": (image_network, (5, 2, 8, 8)),
    "series": (series_network, (5, 6, 3)), "graph": (graph, (5, 4)),
}  # fmt: skip


@pytest.fixture(params=NETWORKS)
def case(request, rng):
    make, shape = NETWORKS[request.param]
    rows = [rng.standard_normal(shape) for _ in range(2)]
    return lambda: make(np.random.default_rng(3)), rows, rng.standard_normal((5, 1))


def one_by_one(network, rows, dout):
    """Gradients and inputs' gradients with each backward right behind its forward."""
    found = []
    for x in rows:
        network.predict(x)
        network.backward(dout)
        found.append(dict(network.store().collect_gradients()))
    return found


def test_two_forwards_before_a_backward_are_as_one_after_the_other(case):
    make, rows, dout = case
    alone = one_by_one(make(), rows, dout)
    network = make()
    first, second = (network.run(x) for x in rows)
    found = second.backward(dout), first.backward(dout)
    for mine, expected in zip(found, alone[::-1], strict=True):
        for name, array in expected.items():
            np.testing.assert_array_equal(mine[name], array, err_msg=name)


def test_gradients_add_up(case):
    make, rows, dout = case
    alone = one_by_one(make(), rows, dout)
    network = make()
    first, second = (network.run(x) for x in rows)
    found = second.backward(dout, add_to=first.backward(dout))
    assert found.flat is not None  # so that an optimizer takes them in one pass
    for name, array in alone[0].items():
        np.testing.assert_allclose(found[name], array + alone[1][name], rtol=1e-13, atol=1e-13)


def test_the_inputs_gradient_is_that_of_backward(case, rng):
    make, (x, other), dout = case
    network = make().eval()  # masks of dropout would differ between forwards
    kept = network.run(x)
    network.predict(other)
    dx = kept.backward_inputs(dout)
    direction, step = rng.standard_normal(x.shape), 1e-6
    values = [float(np.sum(network.predict(x + s * step * direction) * dout)) for s in (1, -1)]
    measured = (values[0] - values[1]) / (2 * step)
    np.testing.assert_allclose(float(np.sum(dx * direction)), measured, rtol=1e-6, atol=1e-7)


def test_a_users_own_layer_runs_several_times(rng):
    class Scale(fastdl.Layer):
        parameter_names = ("factor",)

        def __init__(self):
            self.factor = np.full(1, 2.0)

        def forward(self, x):
            self.x = x
            return x * self.factor

        def backward(self, dout):
            self.dfactor = np.sum(dout * self.x).reshape(1)
            return dout * self.factor

    network = fastdl.Sequential(Scale())
    a, b = np.ones((3, 1)), np.full((3, 1), 10.0)
    first, second = network.run(a), network.run(b)
    grads = second.backward(a, add_to=first.backward(a))
    assert grads["factor0"].tolist() == [33.0]


def test_layers_that_cannot_run_twice_say_so():
    network = fastdl.Sequential(fastdl.GRU(3, 4, stateful=True), loss=fastdl.MeanSquaredError)
    with pytest.raises(TypeError, match=r"Layer 0, GRU.*cannot run forward a second time"):
        network.run(np.ones((2, 5, 3)))
    spec = fastdl.FeatureSpec(fields=[fastdl.Field("ad", 5)])
    with pytest.raises(TypeError, match=r"Linear.*use network.gradient"):
        fastdl.DeepFM(spec, embedding_dim=2, hidden=[4]).run({"ids": np.zeros((2, 1), np.int64)})


def test_conditioned_rows():
    with pytest.raises(TypeError, match="classes has dtype float64"):
        fastdl.Conditioned(np.ones((2, 3)), [0.5, 1.0])
    with pytest.raises(ValueError, match=r"classes has shape \(3,\).*a class for each row"):
        fastdl.Conditioned(np.ones((2, 3)), [0, 1, 2])
    with pytest.raises(ValueError, match="classes has -1"):
        fastdl.Conditioned(np.ones((2, 3)), [0, -1])
