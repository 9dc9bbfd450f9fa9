"""Layers of GANs: normalization by class and by parts, spectral, projection, deviations."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import activation as kinds
from fastdl.kernels import channels
from oracles import gradient_check, tolerance
from test_kernels_twins import compare

import fastdl

F64 = {"dtype": "float64"}
N, C, H, W, CLASSES = 6, 3, 4, 5, 4
CHOSEN = np.array([0, 3, 3, 1, 0, 3])  # class 2 has no row


def images(rng, dtype="float64", rows=N):
    return rng.standard_normal((rows, C, H, W)).astype(dtype)


def shifted(layer, rng):
    """The layer with parameters away from their first values."""
    for parameter in layer.parameters().values():
        parameter += 0.5 * rng.standard_normal(parameter.shape).astype(parameter.dtype)
    return layer


# ---------------------------------------------------------------- parts of a batch


@pytest.mark.parametrize("activation", [None, "relu", "leaky_relu", "gelu"])
@pytest.mark.parametrize("columns", [False, True])
def test_parts_are_normalised_as_batches_of_their_own(columns, activation, rng):
    if columns and activation:
        pytest.skip("columns with an activation take the way of images")
    whole = shifted(
        fastdl.BatchNormalization(num_features=C, activation=activation, parts=2, **F64), rng
    )
    alone = fastdl.BatchNormalization(num_features=C, activation=activation, **F64)
    alone.gamma, alone.beta = whole.gamma, whole.beta
    x = rng.standard_normal((N, C)) if columns else images(rng)
    dout = rng.standard_normal(x.shape)
    out, dx = whole.forward(x), whole.backward(dout)
    dgamma, dbeta = 0, 0
    for own in (slice(0, N // 2), slice(N // 2, N)):
        np.testing.assert_array_equal(alone.forward(x[own]), out[own])
        np.testing.assert_array_equal(alone.backward(dout[own]), dx[own])
        dgamma, dbeta = dgamma + alone.dgamma, dbeta + alone.dbeta
    np.testing.assert_allclose(whole.dgamma, dgamma, rtol=1e-14)
    np.testing.assert_allclose(whole.dbeta, dbeta, rtol=1e-14)
    np.testing.assert_array_equal(whole.running_mean, alone.running_mean)
    np.testing.assert_array_equal(whole.running_var, alone.running_var)


def test_a_joined_discriminator_step_is_that_of_two_passes(rng):
    """Real and made rows in one batch of two parts, or one after the other: the same gradients."""

    def network(parts):
        own = np.random.default_rng(1)
        return fastdl.Sequential(
            fastdl.Conv2D(C, 4, 3, rng=own, **F64),
            fastdl.BatchNormalization(num_features=4, parts=parts, **F64), fastdl.Flatten(),
            fastdl.Dense(24, 1, rng=own, **F64),
        )  # fmt: skip

    real, made, loss = images(rng), images(rng), fastdl.NonSaturatingLoss()
    apart, joined = network(1), network(2)
    r, f = apart.run(real), apart.run(made)
    _, dr, df = loss.discriminator(r.out, f.out)
    two = f.backward(df, add_to=r.backward(dr))
    both = joined.run(np.concatenate([real, made]))
    _, dr, df = loss.discriminator(both.out[:N], both.out[N:])
    one = both.backward(np.concatenate([dr, df]))
    for name, array in one.items():
        np.testing.assert_allclose(array, two[name], rtol=1e-10, atol=1e-12, err_msg=name)


def test_rows_that_parts_do_not_divide():
    layer = fastdl.BatchNormalization(parts=4)
    with pytest.raises(ValueError, match="got 6 rows; expected a multiple of 4"):
        layer.forward(np.ones((6, 2)))
    layer.training = False
    assert layer.forward(np.ones((6, 2))).shape == (6, 2)


# ---------------------------------------------------------------- normalization by class


@pytest.mark.parametrize("activation", [None, "relu", "leaky_relu"])
@pytest.mark.parametrize("training", [True, False])
def test_class_normalization_equals_pytorch(training, activation, dtype, rng):
    torch = pytest.importorskip("torch")
    layer = fastdl.ConditionalBatchNormalization(
        C, CLASSES, activation=activation, negative_slope=0.2, dtype=dtype
    )
    shifted(layer, rng)
    layer.training = training
    layer.running_mean = rng.standard_normal(C)
    layer.running_var = rng.random(C) + 0.5
    norm = torch.nn.BatchNorm2d(C, affine=False, momentum=0.1).to(torch.float64)
    norm.running_mean[:] = torch.tensor(np.asarray(layer.running_mean, np.float64))
    norm.running_var[:] = torch.tensor(np.asarray(layer.running_var, np.float64))
    norm.train(training)
    x, dout = images(rng, dtype), images(rng, dtype)
    inputs = [
        torch.tensor(np.asarray(a, np.float64), requires_grad=True)
        for a in (x, layer.gamma, layer.beta)
    ]
    rows = torch.tensor(CHOSEN)
    theirs = norm(inputs[0]) * inputs[1][rows][:, :, None, None] + inputs[2][rows][:, :, None, None]
    slope = {None: 1.0, "relu": 0.0, "leaky_relu": 0.2}[activation]
    theirs = torch.nn.functional.leaky_relu(theirs, slope)
    theirs.backward(torch.tensor(np.asarray(dout, np.float64)))
    limits = tolerance(np.dtype(dtype))
    np.testing.assert_allclose(layer.forward(x, CHOSEN), theirs.detach().numpy(), **limits)
    dx = layer.backward(dout)
    for mine, tensor in zip((dx, layer.dgamma, layer.dbeta), inputs, strict=True):
        assert mine.dtype == dtype
        np.testing.assert_allclose(mine, tensor.grad.numpy(), **limits)
    if training:  # PyTorch's running variance is the unbiased one
        np.testing.assert_allclose(layer.running_mean, norm.running_mean.numpy(), **limits)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("training", [True, False])
def test_class_normalization_gradients(training, backend, rng):
    with fastdl.use_backend(backend):
        layer = shifted(
            fastdl.ConditionalBatchNormalization(C, CLASSES, activation="leaky_relu", **F64), rng
        )
        layer.training = training
        x, dout = images(rng), images(rng)
        layer.forward(x, CHOSEN)
        dx = layer.backward(dout)
        gradient_check(
            lambda: float(np.sum(layer.forward(x, CHOSEN) * dout)), [x, layer.gamma, layer.beta],
            [dx, layer.dgamma, layer.dbeta], rng,
        )  # fmt: skip
        assert not layer.dgamma[2].any()


@pytest.mark.parametrize("shape", [(3, 5, 7), (9, 64, 70)])
@pytest.mark.parametrize("kind", [kinds.NONE, kinds.RELU, kinds.LEAKY_RELU])
def test_modulation_kernels_equal_their_twins(shape, kind, rng, two_thread_counts):
    x, dout, out = (rng.standard_normal(shape).astype("float32") for _ in range(3))
    scale, shift = (rng.standard_normal((shape[0], shape[2])).astype("float32") for _ in range(2))
    limits = {"rtol": 1e-5, "atol": 1e-5}
    compare("modulate", "modulate_forward", (kind, 0.2, x, scale, shift, out), [5],
            two_thread_counts, **limits)  # fmt: skip
    made = (kind, 0.2, x, scale, out, dout, x.copy(), scale.copy(), shift)
    compare("modulate", "modulate_backward", made, [6, 7, 8], two_thread_counts, **limits)
    assert (x.size > channels.SMALL) == (shape[0] == 9)  # both paths


def test_bad_classes():
    layer = fastdl.ConditionalBatchNormalization(C, CLASSES)
    with pytest.raises(ValueError, match="got classes from 0 to 4; expected 0 to 3"):
        layer.forward(np.ones((2, C, 2, 2)), [0, 4])
    with pytest.raises(ValueError, match=r"got classes of shape \(3,\)"):
        layer.forward(np.ones((2, C, 2, 2)), [0, 1, 1])
    with pytest.raises(ValueError, match=r"expected \(N, 3, H, W\)"):
        layer.forward(np.ones((2, 2, 2, 2)), [0, 1])


# ---------------------------------------------------------------- projection


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_class_projection(backend, rng):
    with fastdl.use_backend(backend):
        layer = shifted(fastdl.ClassProjection(5, CLASSES, rng=rng, **F64), rng)
        x, dout = rng.standard_normal((N, 5)), rng.standard_normal((N, 1))
        out = layer.forward(x, CHOSEN)
        expected = [
            x[i] @ (layer.W[:, 0] + layer.V[c]) + layer.b[0, 0] for i, c in enumerate(CHOSEN)
        ]
        np.testing.assert_allclose(out[:, 0], expected, rtol=1e-12)
        dx = layer.backward(dout)
        gradient_check(
            lambda: float(np.sum(layer.forward(x, CHOSEN) * dout)),
            [x, layer.W, layer.b, layer.V], [dx, layer.dW, layer.db, layer.dV], rng,
        )  # fmt: skip
        np.testing.assert_array_equal(layer.backward_inputs(dout), dx)


# ---------------------------------------------------------------- spectral normalization


def torch_spectral(layer):
    """The wrapped layer as PyTorch's, with the same u and v."""
    torch = pytest.importorskip("torch")
    inner = layer.layer
    if isinstance(inner, fastdl.Dense):
        module, W = torch.nn.Linear(*inner.W.shape), layer.W.T
    else:
        kind = torch.nn.Conv2d if type(inner) is fastdl.Conv2D else torch.nn.ConvTranspose2d
        module = kind(
            inner.in_channels, inner.out_channels, inner.kernel_size, inner.stride, inner.padding
        )
        W = layer.W
    module = module.to(torch.float64)
    with torch.no_grad():
        module.weight[:] = torch.tensor(np.array(W))
        module.bias[:] = torch.tensor(np.array(layer.b).reshape(-1))
    torch.nn.utils.parametrizations.spectral_norm(module)
    own = module.parametrizations.weight[0]
    own._u[:], own._v[:] = torch.tensor(layer.u_W), torch.tensor(layer.v_W)
    return module


INNER = {
    "dense": (lambda rng: fastdl.Dense(6, 4, rng=rng, **F64), (5, 6)),
    "conv": (lambda rng: fastdl.Conv2D(3, 5, 3, 2, 1, rng=rng, **F64), (4, 3, 7, 6)),
    "transpose": (lambda rng: fastdl.ConvTranspose2D(3, 5, 4, 2, 1, rng=rng, **F64), (4, 3, 4, 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", INNER)
def test_spectral_normalization_equals_pytorch_over_steps(name, rng):
    torch = pytest.importorskip("torch")
    make, shape = INNER[name]
    layer = fastdl.SpectralNormalization(make(rng), rng=rng)
    module = torch_spectral(layer)
    weight = module.parametrizations.weight.original
    for step in range(4):
        x = rng.standard_normal(shape)
        out, tensor = layer.forward(x), torch.tensor(x, requires_grad=True)
        theirs = module(tensor)
        np.testing.assert_allclose(out, theirs.detach().numpy(), rtol=1e-9, atol=1e-10)
        dout = rng.standard_normal(out.shape)
        dx = layer.backward(dout)
        module.zero_grad()
        theirs.backward(torch.tensor(dout))
        np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-9, atol=1e-10)
        dW = weight.grad.numpy()
        np.testing.assert_allclose(
            layer.dW, dW.T if name == "dense" else dW, rtol=1e-8, atol=1e-9, err_msg=str(step)
        )
        layer.W = layer.W - 0.1 * layer.dW
        with torch.no_grad():
            weight -= 0.1 * weight.grad
    layer.training = False
    before = layer.u_W.copy()
    layer.forward(rng.standard_normal(shape))
    np.testing.assert_array_equal(layer.u_W, before)  # no iteration in evaluation


@pytest.mark.parametrize("shape", [(1, 5, 30), (30, 5, 1), (6, 5, 16), (1, 1, 1), (40, 128, 25)])
def test_spectral_kernels_equal_their_twins(shape, dtype, rng, two_thread_counts):
    A, B, T = shape
    W, d = rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape).astype(dtype)
    u, v = rng.standard_normal(B).astype(dtype), rng.standard_normal((A, T)).astype(dtype)
    limits = tolerance(dtype)
    limits["atol"] *= np.sqrt(W.size)
    compare("spectral", "spectral_rows", (W, v, u), [2], two_thread_counts, **limits)
    compare("spectral", "spectral_columns", (W, u, v), [2], two_thread_counts, **limits)
    made = (d, W, u, v, 1.7, W.copy())
    compare("spectral", "spectral_gradient", made, [5], two_thread_counts, **limits)


def test_spectral_normalization_finds_the_largest_singular_value(rng):
    layer = fastdl.SpectralNormalization(fastdl.ClassProjection(6, 5, rng=rng, **F64), 50, rng=rng)
    layer.forward(rng.standard_normal((4, 6)), [0, 1, 4, 2])
    for name in "WV":
        np.testing.assert_allclose(np.linalg.norm(getattr(layer.layer, name), 2), 1, rtol=1e-6)
    assert layer.b is layer.layer.b


def test_a_spectral_layer_runs_twice_before_its_backward(rng):
    """Each backward takes the weights of its own forward, though u and v moved in between."""
    make = lambda: fastdl.Sequential(  # noqa: E731
        fastdl.SpectralNormalization(
            fastdl.Dense(4, 3, rng=np.random.default_rng(1), **F64), rng=np.random.default_rng(2)
        )
    )
    a, b, dout = (rng.standard_normal((5, size)) for size in (4, 4, 3))
    alone = make()
    expected = []
    for x in (a, b):
        alone.predict(x)
        alone.backward(dout)
        expected.append(dict(alone.store().collect_gradients()))
    network = make()
    first, second = network.run(a), network.run(b)
    for kept, gradients in ((second, expected[1]), (first, expected[0])):
        for name, array in kept.backward(dout).items():
            np.testing.assert_array_equal(array, gradients[name])
    np.testing.assert_array_equal(
        first.backward_inputs(dout), dout @ first._kept[0]["_used"]["W"][0].T
    )


def test_spectral_layers_are_saved_with_their_vectors(tmp_path, rng):
    network = fastdl.Sequential(
        fastdl.SpectralNormalization(fastdl.Conv2D(2, 3, 3, bias=False, rng=rng), rng=rng)
    )
    x = rng.standard_normal((2, 2, 5, 5))
    network.predict(x)
    network.save(tmp_path / "network.safetensors")
    again = fastdl.load(tmp_path / "network.safetensors")
    np.testing.assert_array_equal(again.eval().predict(x), network.eval().predict(x))
    assert sorted(again.layers[0].states()) == ["u_W", "v_W"]


def test_layers_that_have_no_spectrum():
    with pytest.raises(TypeError, match=r"Got ReLU\(\); expected one of Conv2D"):
        fastdl.SpectralNormalization(fastdl.ReLU())


# ---------------------------------------------------------------- deviations within the batch


@pytest.mark.parametrize("shape", [(8, C, H, W), (8, 5), (6, 2, 3, 3), (5, 3)])
def test_deviation_gradients(shape, rng):
    layer = fastdl.MinibatchStdDev(4)
    x = rng.standard_normal(shape)
    dout = rng.standard_normal(layer.forward(x).shape)
    dx = layer.backward(dout)
    gradient_check(lambda: float(np.sum(layer.forward(x) * dout)), [x], [dx], rng)


def test_deviation_equals_its_formula(rng):
    x = images(rng, rows=8)
    out = fastdl.MinibatchStdDev(4).forward(x)
    np.testing.assert_array_equal(out[:, :C], x)
    for start in (0, 4):
        level = np.sqrt(x[start : start + 4].var(axis=0) + 1e-8).mean()
        np.testing.assert_allclose(out[start : start + 4, C], level, rtol=1e-12)
    assert fastdl.MinibatchStdDev(4).forward(images(rng, rows=6)).shape == (6, C + 1, H, W)


def test_rows_that_are_all_alike_have_no_deviation():
    out = fastdl.MinibatchStdDev(2).forward(np.full((4, 3), 2.0))
    np.testing.assert_allclose(out[:, 3], 1e-4)
    with pytest.raises(ValueError, match=r"expected \(N, C, H, W\) or \(N, D\)"):
        fastdl.MinibatchStdDev().forward(np.ones((2, 3, 4)))


# ---------------------------------------------------------------- rows and images


def test_unflatten_is_the_inverse_of_flatten(rng):
    rows = rng.standard_normal((3, 24))
    layer, back = fastdl.Unflatten(4, 2, 3), fastdl.Flatten(channels_last=True)
    made = layer.forward(rows)
    assert made.shape == (3, 4, 2, 3)
    assert np.shares_memory(made, rows)
    np.testing.assert_array_equal(back.forward(made), rows)
    np.testing.assert_array_equal(back.backward(rows), made)
    np.testing.assert_array_equal(layer.backward(made), rows)
    with pytest.raises(ValueError, match=r"expected \(N, 24\)"):
        layer.forward(np.ones((3, 25)))


def test_dense_inputs_gradient_alone(rng):
    for rows in (4, 700):  # the small and the parallel way
        layer = fastdl.Dense(60, 50, rng=rng, **F64)
        layer.forward(rng.standard_normal((rows, 60)))
        dout = rng.standard_normal((rows, 50))
        expected = layer.backward(dout)
        layer.dW = layer.db = None
        np.testing.assert_array_equal(layer.backward_inputs(dout), expected)
        assert layer.dW is None
        with fastdl.use_backend("numpy"):
            np.testing.assert_allclose(layer.backward_inputs(dout), expected, rtol=1e-12)
