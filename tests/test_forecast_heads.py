"""What the heads of forecasters say."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl.forecast_losses import (
    GaussianLikelihood,
    NegativeBinomialLikelihood,
    QuantileLoss,
    StudentTLikelihood,
)
from fastdl.forecasting.heads import draw, head_point, head_quantiles

LEVELS = [0.1, 0.5, 0.9]
HEADS = [GaussianLikelihood, StudentTLikelihood, NegativeBinomialLikelihood]


@pytest.mark.parametrize("head", HEADS)
def test_quantiles_are_those_of_the_distribution_that_the_loss_knows(head, rng):
    """The loss of many draws is least for the head that they were drawn from; shares fit."""
    loss = head()
    out = np.array([1.5, -0.4, 1.0])[: loss.outputs]
    n, scale = 200_000, 3.0
    drawn = draw(loss, np.tile(out, (n, 1)), np.full(n, scale), rng)
    counts = head is NegativeBinomialLikelihood
    found = head_quantiles(loss, out[None], LEVELS, np.array([scale]))[0]
    share = (drawn[:, None] <= found).mean(axis=0)
    if counts:
        below = (drawn[:, None] < found).mean(axis=0)
        assert (below <= np.array(LEVELS) + 0.005).all()
        assert (share >= np.array(LEVELS) - 0.005).all()
    else:
        np.testing.assert_allclose(share, LEVELS, atol=0.005)
    mean = float(head_point(loss, out[None], np.array([scale]))[0])
    np.testing.assert_allclose(drawn.mean(), mean, rtol=0.02)
    values = drawn if counts else drawn * scale
    t = np.stack([values, np.full(n, scale)], axis=1)[None]

    def loss_at(x):
        return loss.forward(np.tile(x, (1, n)), t)

    best = loss_at(out)
    for j in range(loss.outputs):
        for step in (-0.3, 0.3):
            assert loss_at(out + step * np.eye(loss.outputs)[j]) > best


def test_quantiles_of_a_quantile_head_are_put_in_order_and_interpolated():
    loss = QuantileLoss([0.1, 0.5, 0.9])
    out = np.array([[[3.0, 1.0, 2.0]]])
    assert head_quantiles(loss, out, [0.1, 0.3, 0.9]).tolist() == [[[1.0, 1.5, 3.0]]]
    assert head_point(loss, out).tolist() == [[2.0]]
    with pytest.raises(ValueError, match=r"\[0.05\] are asked for.*from 0.1 to 0.9"):
        head_quantiles(loss, out, [0.05])
    with pytest.raises(TypeError, match="Nothing can be drawn from quantiles"):
        draw(loss, out[0], np.ones(1), np.random.default_rng(0))


def test_one_level():
    assert head_quantiles(QuantileLoss([0.5]), np.array([[2.0]]), [0.5]).tolist() == [[2.0]]
