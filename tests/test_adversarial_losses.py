"""The losses of GANs: closed forms, gradients, PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gradient_check

import fastdl
from fastdl.adversarial.losses import BY_NAME, as_adversarial_loss


def outputs(rng, rows=7):
    return rng.standard_normal((rows, 1)) * 3


@pytest.mark.parametrize("name", BY_NAME)
def test_gradients_of_both_networks(name, rng):
    loss, real, fake = BY_NAME[name](), outputs(rng), outputs(rng, 5)
    _, dreal, dfake = loss.discriminator(real, fake)
    gradient_check(lambda: loss.discriminator(real, fake)[0], [real, fake], [dreal, dfake], rng)
    _, dmade = loss.generator(fake)
    gradient_check(lambda: loss.generator(fake)[0], [fake], [dmade], rng)


def torch_losses(name, real, fake):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    ones, zeros = torch.ones_like, torch.zeros_like
    cross = F.binary_cross_entropy_with_logits
    if name in ("minimax", "non-saturating"):
        d = cross(real, ones(real)) + cross(fake, zeros(fake))
        return d, -cross(fake, zeros(fake)) if name == "minimax" else cross(fake, ones(fake))
    if name == "least-squares":
        d = 0.5 * F.mse_loss(real, ones(real)) + 0.5 * F.mse_loss(fake, zeros(fake))
        return d, 0.5 * F.mse_loss(fake, ones(fake))
    if name == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean(), -fake.mean()
    return fake.mean() - real.mean(), -fake.mean()


@pytest.mark.parametrize("name", BY_NAME)
def test_losses_and_gradients_equal_pytorch(name, rng):
    torch = pytest.importorskip("torch")
    real, fake = outputs(rng), outputs(rng, 5)
    r, f = (torch.tensor(a, requires_grad=True) for a in (real, fake))
    d, g = torch_losses(name, r, f)
    loss = BY_NAME[name]()
    found, dreal, dfake = loss.discriminator(real, fake)
    np.testing.assert_allclose(found, d.item(), rtol=1e-12)
    theirs = torch.autograd.grad(d, (r, f))
    for mine, tensor in zip((dreal, dfake), theirs, strict=True):
        np.testing.assert_allclose(mine, tensor.numpy(), rtol=1e-12, atol=1e-15)
    found, dmade = loss.generator(fake)
    np.testing.assert_allclose(found, g.item(), rtol=1e-12)
    np.testing.assert_allclose(dmade, torch.autograd.grad(g, f)[0].numpy(), rtol=1e-12, atol=1e-15)


def test_extreme_outputs_stay_finite():
    far = np.array([[1e4], [-1e4]])
    for kind in BY_NAME.values():
        loss, dreal, dfake = kind().discriminator(far, far)
        assert np.isfinite(loss), kind
        assert np.isfinite(dreal).all() and np.isfinite(dfake).all(), kind
        assert np.isfinite(kind().generator(far)[0]), kind


def test_label_smoothing_is_one_sided():
    """Salimans et al. 2016: real rows have the target 0.9, made ones 0."""
    loss = fastdl.NonSaturatingLoss(smoothing=0.1)
    best = np.log(0.9 / 0.1)
    _, dreal, dfake = loss.discriminator(np.array([[best]]), np.array([[-40.0]]))
    np.testing.assert_allclose([dreal[0, 0], dfake[0, 0]], 0, atol=1e-12)
    expected = -0.9 * np.log(0.9) - 0.1 * np.log(0.1)
    found = loss.discriminator(np.array([[best]]), np.array([[-40.0]]))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_scores():
    out = np.array([[0.0], [2.0]])
    assert fastdl.HingeLoss().score(out) == 1.0
    np.testing.assert_allclose(
        fastdl.MinimaxLoss().score(out), (0.5 + 1 / (1 + np.exp(-2))) / 2, rtol=1e-12
    )


def test_gradients_have_the_outputs_dtype():
    out = np.ones((3, 1), np.float32)
    assert fastdl.HingeLoss().discriminator(out, out)[1].dtype == np.float32


def test_bad_losses_and_outputs():
    with pytest.raises(ValueError, match=r"loss is 'log'; expected one of minimax, non-saturating"):
        as_adversarial_loss("log")
    with pytest.raises(TypeError, match="or an AdversarialLoss"):
        as_adversarial_loss(3)
    with pytest.raises(ValueError, match=r"real has shape \(3,\).*one output a row"):
        fastdl.HingeLoss().discriminator(np.ones(3), np.ones((3, 1)))
    with pytest.raises(ValueError, match="clip"):
        fastdl.WassersteinLoss(clip=0)
