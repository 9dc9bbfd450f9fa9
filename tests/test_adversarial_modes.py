"""Rings and grids of Gaussians, and how many of their modes points have."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl.adversarial.modes import grid, grid_centres, ring, ring_centres
from fastdl.metrics.generated import mode_counts


def test_centres():
    np.testing.assert_allclose(ring_centres(4, 3.0), [[3, 0], [0, 3], [-3, 0], [0, -3]], atol=1e-12)
    np.testing.assert_allclose(
        grid_centres(2, 4.0), [[-2, -2], [2, -2], [-2, 2], [2, 2]], atol=1e-12
    )
    assert grid_centres().shape == (25, 2) and ring_centres().shape == (8, 2)
    np.testing.assert_allclose(np.hypot(*ring_centres().T), 2.0)
    assert np.unique(grid_centres()).tolist() == [-4, -2, 0, 2, 4]


@pytest.mark.parametrize(
    ("draw", "centres", "std"),
    [(ring, ring_centres(), 0.02), (grid, grid_centres(), 0.05)],
)
def test_points_are_around_their_centres(draw, centres, std, rng):
    points = draw(40_000, rng=rng)
    assert points.dtype == np.float32 and points.shape == (40_000, 2)
    gaps = np.linalg.norm(points[:, None] - centres[None].astype(np.float32), axis=2)
    mode = gaps.argmin(axis=1)
    shares = np.bincount(mode, minlength=len(centres)) / len(points)
    np.testing.assert_allclose(shares, 1 / len(centres), atol=0.008)
    offset = points - centres[mode]
    np.testing.assert_allclose(offset.std(axis=0), std, rtol=0.02)
    np.testing.assert_allclose(offset.mean(axis=0), 0, atol=4 * std / 200)
    found = mode_counts(points, centres, std)
    assert found["modes"] == len(centres)
    # a Gaussian in the plane has 1 - exp(-9 / 2) within three standard deviations
    assert abs(found["good"] - (1 - np.exp(-4.5))) < 0.002
    np.testing.assert_array_equal(
        found["counts"], np.bincount(mode[gaps.min(axis=1) <= 3 * std], minlength=len(centres))
    )


def test_draws_follow_the_seed_and_the_global_state():
    first, again = (ring(50, rng=np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.random.seed(5)
    first = grid(50)
    assert not np.array_equal(first, grid(50))
    np.random.seed(5)
    np.testing.assert_array_equal(first, grid(50))


def test_without_spread_points_are_the_centres(rng):
    np.testing.assert_array_equal(
        np.unique(ring(100, modes=1, std=0.0, rng=rng), axis=0), [[2.0, 0.0]]
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [(lambda: ring(0), "count is 0"), (lambda: ring(5, modes=0), "modes is 0"),
     (lambda: ring(5, std=-1), "std is -1"), (lambda: grid(5, side=0), "side is 0"),
     (lambda: grid(5, spacing=np.nan), "spacing is nan")],
)  # fmt: skip
def test_arguments_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()
