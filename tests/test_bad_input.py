"""Bad arrays and numbers get a ValueError or TypeError before any compiled code runs."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl
from fastdl import losses

X = np.ones((4, 3))
T = np.eye(2)[[0, 1, 0, 1]]


def with_value(array, value):
    changed = array.copy()
    changed[1, 0] = value
    return changed


BAD_X = [
    (np.ones((4, 5)), ValueError, r"\(4, 5\)"),
    (np.ones(3), ValueError, r"\(3,\)"),
    (np.ones((4, 3, 1)), ValueError, r"\(4, 3, 1\)"),
    (np.empty((0, 3)), ValueError, "empty"),
    (with_value(X, np.nan), ValueError, "NaN or infinity in row 1"),
    (with_value(X, np.inf), ValueError, "NaN or infinity in row 1"),
    (X.astype(object), TypeError, "object"),
    (X.astype(complex), TypeError, "complex"),
    (X.astype(str), TypeError, "dtype <U"),
    ([[1, 2, 3], [1, 2]], ValueError, "regular"),
    (None, TypeError, "object"),
]
BAD_T = [
    (T[:2], ValueError, "shape"),
    (np.ones((4, 3)), ValueError, "shape"),
    (with_value(T, np.nan), ValueError, "NaN or infinity in row 1"),
    (with_value(T, 1), ValueError, "not one-hot in row 1"),
    (T * 0.5, ValueError, "not one-hot in row 0"),
    (T.astype(object), TypeError, "object"),
    (T.astype(complex), TypeError, "complex"),
    (np.empty((0, 2)), ValueError, "shape"),
]


@pytest.fixture(params=["numba", "numpy"], autouse=True)
def backend(request):
    with fastdl.use_backend(request.param):
        yield


@pytest.fixture(params=["fused", "layered"])
def network(request):
    extra = [] if request.param == "fused" else [fastdl.Dropout(0.0)]
    return fastdl.Sequential(fastdl.Dense(3, 4), fastdl.ReLU(), *extra, fastdl.Dense(4, 2))


@pytest.mark.parametrize(("x", "error", "message"), BAD_X)
def test_inputs(x, error, message, network):
    for method in (network.loss, network.gradient):
        with pytest.raises(error, match=message):
            method(x, T)
    with pytest.raises(error, match=message):
        network.predict(x)


@pytest.mark.parametrize(("t", "error", "message"), BAD_T)
def test_targets(t, error, message, network):
    for method in (network.loss, network.gradient):
        with pytest.raises(error, match=message):
            method(X, t)


@pytest.mark.parametrize(
    ("weight", "error"),
    [(np.ones(3), ValueError), (-np.ones(4), ValueError), (np.zeros(4), ValueError),
     (np.full(4, np.nan), ValueError), (np.ones(4) * 1j, TypeError)],
)  # fmt: skip
def test_sample_weights(weight, error, network):
    for method in (network.loss, network.gradient):
        with pytest.raises(error, match="sample_weight"):
            method(X, T, weight)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [({"x_train": with_value(X, np.nan)}, ValueError, "x_train has NaN.*row 1"),
     ({"x_train": X[:3]}, ValueError, "3 rows, t_train 4"),
     ({"x_train": X.astype(object)}, TypeError, "x_train"),
     ({"x_train": X[:0], "t_train": T[:0]}, ValueError, "empty"),
     ({"t_train": with_value(T, 1)}, ValueError, "t_train is not one-hot in row 1"),
     ({"t_train": T.astype(str)}, TypeError, "t_train"),
     ({"x_val": None}, ValueError, "x_val and t_val"),
     ({"x_val": X[:2]}, ValueError, "x_val has 2 rows"),
     ({"x_val": with_value(X, np.inf)}, ValueError, "NaN or infinity"),
     ({"epochs": 0}, ValueError, "epochs"), ({"epochs": 1.5}, TypeError, "epochs"),
     ({"batch_size": -1}, ValueError, "batch_size"), ({"loss_at": "never"}, ValueError, "loss_at"),
     ({"sample_weight": np.ones(2)}, ValueError, "sample_weight")],
)  # fmt: skip
def test_training(changes, error, message, network):
    arguments = {"x_train": X, "t_train": T, "x_val": X, "t_val": T, "epochs": 1, "batch_size": 4,
                 "verbose": False, **changes}  # fmt: skip
    with pytest.raises(error, match=message):
        fastdl.Trainer(network, fastdl.SGD()).train(**arguments)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [(lambda: fastdl.Dense(0, 2), ValueError, "input_dim"),
     (lambda: fastdl.Dense(2, -1), ValueError, "output_dim"),
     (lambda: fastdl.Dense(2.0, 1), TypeError, "input_dim"),
     (lambda: fastdl.Dense(2, 1, dtype="float16"), TypeError, "float16"),
     (lambda: fastdl.Dense(2, 1, initializer="best"), ValueError, "best"),
     (lambda: fastdl.CTRPredictionNetwork(3, [0]), ValueError, "output_dim"),
     (lambda: fastdl.Sequential(3), TypeError, "layers"),
     (lambda: fastdl.Dropout(1.0), ValueError, "dropout_ratio"),
     (lambda: fastdl.Dropout(-0.1), ValueError, "dropout_ratio"),
     (lambda: fastdl.BatchNormalization(momentum=2), ValueError, "momentum"),
     (lambda: fastdl.LayerNorm(0), ValueError, "num_features"),
     (lambda: fastdl.LeakyReLU(float("nan")), ValueError, "slope"),
     (lambda: fastdl.SGD(-0.1), ValueError, "lr"),
     (lambda: fastdl.SGD(float("nan")), ValueError, "lr"),
     (lambda: fastdl.SGD("fast"), TypeError, "lr"),
     (lambda: fastdl.SGD(0.1, nesterov=True), ValueError, "momentum"),
     (lambda: fastdl.Adam(beta1=1.0), ValueError, "beta1"),
     (lambda: fastdl.Adam(epsilon=0.0), ValueError, "epsilon"),
     (lambda: fastdl.Adam(clip_norm=0.0), ValueError, "clip_norm"),
     (lambda: fastdl.AdamW(weight_decay=-1), ValueError, "weight_decay"),
     (lambda: losses.Huber(0), ValueError, "delta"),
     (lambda: fastdl.set_default_dtype("int32"), TypeError, "int32")],
)  # fmt: skip
def test_numbers(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("loss", "t", "message"),
    [(losses.SoftmaxCrossEntropy, np.array([0, 1, 2, 0]), "class indices from 0 to 2"),
     (losses.SoftmaxCrossEntropy, np.array([0, -1, 1, 0]), "class indices from -1"),
     (losses.SoftmaxCrossEntropy, -T, "negative"),
     (losses.SigmoidCrossEntropy, 2 * T, r"\[0, 1\]"),
     (losses.MeanSquaredError, T[:, :1], "shape")],
)  # fmt: skip
def test_targets_of_the_other_losses(loss, t, message):
    with pytest.raises(ValueError, match=message):
        loss().forward(np.ones((4, 2)), t)


@pytest.mark.parametrize(
    ("grads", "error", "message"),
    [({}, ValueError, "no gradient for the parameter 'W'"),
     ({"W": np.ones(3)}, ValueError, "shape"), ({"W": np.ones(2) * 1j}, TypeError, "complex")],
)  # fmt: skip
def test_updates(grads, error, message):
    with pytest.raises(error, match=message):
        fastdl.Adam().update({"W": np.ones(2)}, grads)
    with pytest.raises(TypeError, match="int64"):
        fastdl.SGD().update({"W": np.ones(2, np.int64)}, {"W": np.ones(2)})


def test_backward_before_forward():
    for layer in (fastdl.Dense(2, 2), fastdl.ReLU(), fastdl.Softmax(), fastdl.Dropout(),
                  fastdl.BatchNormalization(), fastdl.LayerNorm()):  # fmt: skip
        with pytest.raises(ValueError, match="before forward"):
            layer.backward(np.ones((2, 2)))
