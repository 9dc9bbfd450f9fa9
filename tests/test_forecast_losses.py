"""Losses of forecasts: twins, gradients, known distributions, missing values, wrong input."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from fastdl.kernels import likelihood as kinds
from oracles import gradient_check
from test_kernels_twins import compare

from fastdl.forecast_losses import (
    GaussianLikelihood,
    NegativeBinomialLikelihood,
    QuantileLoss,
    StudentTLikelihood,
)

LOSSES = {
    "quantiles": lambda: QuantileLoss([0.1, 0.5, 0.8]),
    "gaussian": GaussianLikelihood,
    "student": StudentTLikelihood,
    "counts": NegativeBinomialLikelihood,
}


@pytest.fixture(params=LOSSES)
def loss(request):
    return LOSSES[request.param]()


def batch(loss, rng, N=7, L=5, dtype="float64"):
    """x, t with a scale, and a missing value."""
    x = rng.standard_normal((N, L, loss.outputs)).astype(dtype)
    counts = isinstance(loss, NegativeBinomialLikelihood)
    value = rng.poisson(30, (N, L)) if counts else 30 * rng.standard_normal((N, L))
    t = np.stack([value, 5 + 20 * rng.random((N, L))], axis=2).astype(dtype)
    t[2 % N, 3, 0] = np.nan
    return x, t


@pytest.mark.parametrize("N", [1, 3 * kinds.ROWS + 5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_is_the_twin(loss, N, dtype, rng, two_thread_counts):
    x, t = batch(loss, rng, max(1, N // 5), 5, dtype)
    x, (t, scale) = x.reshape(-1, loss.outputs), np.ascontiguousarray(t.reshape(-1, 2).T)
    arguments = (loss.kind, x, t, scale, loss.levels, x, np.empty(len(x)))
    limits = {"rtol": 1e-4 if dtype == "float32" else 1e-7, "atol": 1e-6}
    compare("likelihood", "likelihood_losses", arguments, [5, 6], two_thread_counts, **limits)


def test_gradient(loss, rng):
    x, t = batch(loss, rng)
    weight = rng.random(len(x))
    loss.forward(x, t, weight)
    gradient = loss.backward(3.0)
    gradient_check(lambda: 3 * loss.forward(x, t, weight), [x], [gradient], rng)


def test_pytorch_has_the_same_likelihoods(rng):
    torch = pytest.importorskip("torch")
    softplus = torch.nn.functional.softplus
    for name, loss in ((n, make()) for n, make in LOSSES.items() if n != "quantiles"):
        x, t = batch(loss, rng)
        value, scale = torch.tensor(t[..., 0]), torch.tensor(t[..., 1])
        raw = torch.tensor(x, requires_grad=True)
        if name == "counts":
            m, a = scale * (softplus(raw[..., 0]) + 1e-4), softplus(raw[..., 1]) + 1e-4
            given = torch.distributions.NegativeBinomial(1 / a, a * m / (1 + a * m))
        elif name == "gaussian":
            given = torch.distributions.Normal(raw[..., 0], softplus(raw[..., 1]) + 1e-4)
        else:
            nu = 2 + softplus(raw[..., 2])
            given = torch.distributions.StudentT(nu, raw[..., 0], softplus(raw[..., 1]) + 1e-4)
        there = ~torch.isnan(value)
        value = torch.where(there, value if name == "counts" else value / scale, 1.0)
        expected = -(given.log_prob(value) * there).sum() / there.sum()
        expected.backward()
        assert loss.forward(x, t) == pytest.approx(float(expected.detach()), rel=1e-9)
        np.testing.assert_allclose(loss.backward(), raw.grad.numpy(), rtol=1e-8, atol=1e-10)


def test_the_quantile_loss_is_least_at_the_quantile(rng):
    t, loss = rng.standard_normal((1, 4001)), QuantileLoss([0.2])
    found = [loss.forward(np.full_like(t, x), t) for x in np.quantile(t, [0.1, 0.2, 0.3])]
    assert found[1] < min(found[0], found[2])


@pytest.mark.parametrize("x", [1e-3, 0.5, 1.0, 3.7, 25.0, 4e6])
def test_digamma_is_the_derivative_of_lgamma(x):
    h = 1e-5 * x
    expected = (math.lgamma(x + h) - math.lgamma(x - h)) / (2 * h)
    assert numba.njit(lambda x: kinds.digamma(x))(x) == pytest.approx(expected, rel=1e-6)


def test_missing_values_count_neither_for_the_loss_nor_the_gradient(loss, rng):
    x, t = batch(loss, rng)
    mean = loss.forward(x, t)
    assert not loss.backward()[2, 3].any()
    each = [loss.forward(x[i : i + 1], t[i : i + 1]) for i in range(len(x))]
    counts = np.where(np.arange(len(x)) == 2, 4, 5)
    assert mean == pytest.approx(np.average(each, weights=counts))
    t[..., 0] = np.nan
    assert loss.forward(x, t) == 0 and not loss.backward().any()


def test_weights_are_repetitions(loss, rng):
    x, t = batch(loss, rng)
    weight = rng.integers(0, 3, len(x))
    repeated = [np.repeat(array, weight, axis=0) for array in (x, t)]
    assert loss.forward(x, t, weight) == pytest.approx(loss.forward(*repeated))


def test_bad_input(loss, rng):
    x, t = batch(loss, rng)
    with pytest.raises(ValueError, match="numbers for"):
        loss.forward(x.reshape(7, -1)[:, :-1], t)
    with pytest.raises(ValueError, match="t has shape"):
        loss.forward(x, t[:, :2])
    bad = t.copy()
    bad[0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="infinite"):
        loss.forward(x, bad)
    bad = t.copy()
    bad[0, 0, 1] = 0
    with pytest.raises(ValueError, match="scale"):
        loss.forward(x, bad)
    for levels in ([], [0.5, 0.2], [0.0], [0.5, 1.0]):
        with pytest.raises(ValueError, match="quantiles"):
            QuantileLoss(levels)
    for value in (-1, 2.5):
        with pytest.raises(ValueError, match="counts"):
            NegativeBinomialLikelihood().forward(np.zeros((1, 2)), np.array([[float(value)]]))
