"""Layers and losses: gradients along a random direction in float64, and PyTorch as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gradient_check

import fastdl
from fastdl import losses

F64 = {"dtype": "float64"}
LAYERS = {
    "dense": lambda: fastdl.Dense(5, 3, **F64),
    "relu": fastdl.ReLU,
    "leaky": lambda: fastdl.LeakyReLU(0.2),
    "sigmoid": fastdl.Sigmoid,
    "tanh": fastdl.Tanh,
    "gelu": fastdl.GELU,
    "batchnorm": lambda: fastdl.BatchNormalization(num_features=5, **F64),
    "layernorm": lambda: fastdl.LayerNorm(5, **F64),
}


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("training", [True, False])
def test_layer_gradients(name, training, backend, rng):
    with fastdl.use_backend(backend):
        layer = LAYERS[name]()
        layer.training = training
        for parameter in layer.parameters().values():
            parameter += rng.standard_normal(parameter.shape)
        x = rng.standard_normal((9, 5))
        dout = rng.standard_normal(layer.forward(x).shape)
        dx = layer.backward(dout)
        arrays = [x, *layer.parameters().values()]
        gradients = [dx, *(getattr(layer, "d" + k) for k in layer.parameters())]
        gradient_check(lambda: float(np.sum(layer.forward(x) * dout)), arrays, gradients, rng)


def targets(name, rng, shape):
    t = rng.random(shape)
    if name == "Softmax":
        return np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
    return t


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "name",
    ["Softmax", "SoftmaxCrossEntropy", "SigmoidCrossEntropy", "MeanSquaredError",
     "MeanAbsoluteError", "Huber"],
)  # fmt: skip
def test_loss_gradients(name, weighted, backend, rng):
    with fastdl.use_backend(backend):
        loss = getattr(losses, name)()
        x, t = rng.standard_normal((7, 4)) * 2, targets(name, rng, (7, 4))
        weight = rng.random(7) if weighted else None
        loss.forward(x, t, weight)
        dx = loss.backward(1.7)
        # the course's Softmax returns the gradient without the 1e-7 in the logarithm
        bound = 1e-4 if name == "Softmax" else 1e-6
        gradient_check(lambda: 1.7 * loss.forward(x, t, weight), [x], [dx], rng, tolerance=bound)


TORCH_LOSSES = {
    "SoftmaxCrossEntropy": "cross_entropy",
    "SigmoidCrossEntropy": "binary_cross_entropy_with_logits",
    "MeanSquaredError": "mse_loss",
    "MeanAbsoluteError": "l1_loss",
    "Huber": "huber_loss",
}


@pytest.mark.parametrize("name", TORCH_LOSSES)
@pytest.mark.parametrize("shape", [(6, 3), (6, 1), (6,)])
def test_losses_are_pytorchs(name, shape, rng, dtype):
    torch = pytest.importorskip("torch")
    if name == "SoftmaxCrossEntropy" and shape != (6, 3):
        pytest.skip("needs classes")
    x = (3 * rng.standard_normal(shape)).astype(dtype)
    t = rng.random(shape).astype(dtype)
    loss = getattr(losses, name)()
    theirs = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn.functional, TORCH_LOSSES[name])(theirs, torch.tensor(t))
    expected.backward()
    limits = {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-12}
    np.testing.assert_allclose(loss.forward(x, t), expected.item(), **limits)
    np.testing.assert_allclose(loss.backward(), theirs.grad.numpy(), **limits)


def test_class_indices_and_sample_weights_are_pytorchs(rng):
    torch = pytest.importorskip("torch")
    x, t, w = rng.standard_normal((8, 3)), rng.integers(0, 3, 8), rng.random(8)
    rows = torch.nn.functional.cross_entropy(torch.tensor(x), torch.tensor(t), reduction="none")
    expected = float((rows.numpy() * w).sum() / w.sum())
    np.testing.assert_allclose(fastdl.SoftmaxCrossEntropy().forward(x, t, w), expected, rtol=1e-12)


@pytest.mark.parametrize("magnitude", [1e3, 1e30])
def test_losses_of_huge_logits_stay_finite(magnitude, dtype):
    x = np.array([[magnitude, -magnitude], [-magnitude, magnitude]], dtype)
    t = np.eye(2, dtype=dtype)
    for loss in (fastdl.Softmax(), fastdl.SoftmaxCrossEntropy(), fastdl.SigmoidCrossEntropy()):
        assert np.isfinite(loss.forward(x, t))
        assert np.isfinite(loss.backward()).all()


ORACLES = {
    "dense": lambda t, layer: t.nn.functional.linear,
    "leaky": lambda t, layer: lambda x: t.nn.functional.leaky_relu(x, 0.2),
    "gelu": lambda t, layer: t.nn.functional.gelu,
    "sigmoid": lambda t, layer: t.sigmoid,
    "tanh": lambda t, layer: t.tanh,
    "relu": lambda t, layer: t.relu,
    "layernorm": lambda t, layer: lambda x: t.nn.functional.layer_norm(x, (5,), eps=1e-5),
    "batchnorm": lambda t, layer: (
        lambda x: t.nn.functional.batch_norm(x, None, None, training=True, eps=1e-5)
    ),
}


@pytest.mark.parametrize("name", [n for n in ORACLES if n != "dense"])
def test_layers_are_pytorchs(name, rng):
    torch = pytest.importorskip("torch")
    layer, x = LAYERS[name](), 2 * rng.standard_normal((9, 5))
    dout = rng.standard_normal((9, 5))
    theirs = torch.tensor(x, requires_grad=True)
    expected = ORACLES[name](torch, layer)(theirs)
    expected.backward(torch.tensor(dout))
    np.testing.assert_allclose(layer.forward(x), expected.detach().numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(layer.backward(dout), theirs.grad.numpy(), rtol=1e-8, atol=1e-10)


def test_dense_is_pytorchs(rng):
    torch = pytest.importorskip("torch")
    layer, x, dout = fastdl.Dense(5, 3, **F64), rng.standard_normal((9, 5)), rng.random((9, 3))
    W, b = (torch.tensor(p, requires_grad=True) for p in (layer.W, layer.b))
    theirs = torch.tensor(x, requires_grad=True)
    out = theirs @ W + b
    out.backward(torch.tensor(dout))
    np.testing.assert_allclose(layer.forward(x), out.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(layer.backward(dout), theirs.grad.numpy(), rtol=1e-12)
    np.testing.assert_allclose(layer.dW, W.grad.numpy(), rtol=1e-12)
    np.testing.assert_allclose(layer.db, b.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(lambda: fastdl.SGD(0.1), lambda t, p: t.optim.SGD(p, 0.1)),
     (lambda: fastdl.SGD(0.1, momentum=0.9, weight_decay=0.1),
      lambda t, p: t.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.1)),
     (lambda: fastdl.SGD(0.1, momentum=0.9, nesterov=True),
      lambda t, p: t.optim.SGD(p, 0.1, momentum=0.9, nesterov=True)),
     (lambda: fastdl.AdaGrad(0.1, weight_decay=0.1),
      lambda t, p: t.optim.Adagrad(p, 0.1, weight_decay=0.1)),
     (lambda: fastdl.RMSprop(0.1), lambda t, p: t.optim.RMSprop(p, 0.1)),
     (lambda: fastdl.Adam(0.1, weight_decay=0.1),
      lambda t, p: t.optim.Adam(p, 0.1, weight_decay=0.1)),
     (lambda: fastdl.AdamW(0.1), lambda t, p: t.optim.AdamW(p, 0.1)),
     (lambda: fastdl.Adam(0.1, clip_norm=0.5), lambda t, p: t.optim.Adam(p, 0.1))],
)  # fmt: skip
@pytest.mark.parametrize("flat", [True, False])
def test_optimizers_are_pytorchs(ours, theirs, flat, rng):
    torch = pytest.importorskip("torch")
    network, optimizer = fastdl.CTRPredictionNetwork(4, [3], **F64), ours()
    tensors = {k: torch.tensor(v.copy()) for k, v in network.parameters().items()}
    their_optimizer = theirs(torch, list(tensors.values()))
    x, t = rng.standard_normal((16, 4)), np.eye(2)[rng.integers(0, 2, 16)]
    for _ in range(5):
        grads = network.gradient(x, t)
        for key, tensor in tensors.items():
            tensor.grad = torch.tensor(np.asarray(grads[key]).copy())
        if optimizer.clip_norm:
            torch.nn.utils.clip_grad_norm_(tensors.values(), optimizer.clip_norm)
        their_optimizer.step()
        optimizer.update(network.parameters(), grads if flat else dict(grads))
        for key, value in network.parameters().items():
            np.testing.assert_allclose(value, tensors[key].numpy(), rtol=1e-9, atol=1e-12)


def test_matmul_is_pytorchs(rng):
    torch = pytest.importorskip("torch")
    for first, second in [((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
                          ((5, 2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4))]:  # fmt: skip
        a, b = rng.standard_normal(first), rng.standard_normal(second)
        ta, tb = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
        expected = ta @ tb
        out = fastdl.matmul(a, b)
        assert out.shape == tuple(expected.shape)
        dout = rng.standard_normal(out.shape)
        expected.backward(torch.tensor(dout))
        np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
        for mine, grad in zip(fastdl.matmul_backward(a, b, dout), (ta.grad, tb.grad), strict=True):
            np.testing.assert_allclose(mine, grad.numpy(), rtol=1e-12, atol=1e-13)
    with pytest.raises(TypeError, match="astype"):
        fastdl.matmul(np.ones((2, 2), np.float32), np.ones((2, 2)))
    with pytest.raises(ValueError, match="multiplied"):
        fastdl.matmul(np.ones((2, 3)), np.ones((2, 3)))
