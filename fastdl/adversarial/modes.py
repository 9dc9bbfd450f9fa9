"""Mixtures of Gaussians in the plane, on which a GAN's lost modes can be counted.

Metz et al. 2017, Unrolled generative adversarial networks, and Srivastava et al. 2017, VEEGAN, take
the ring of 8 and the grid of 25; ``metrics.generated.mode_counts`` counts.
"""

from __future__ import annotations

import numpy as np

from ..validation import check_number, check_size


def ring_centres(modes: int = 8, radius: float = 2.0) -> np.ndarray:
    """Centres (modes, 2) at equal angles on a circle around 0, the first at (radius, 0)."""
    angle = 2 * np.pi * np.arange(check_size(modes, "modes")) / modes
    return check_number(radius, "radius") * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def grid_centres(side: int = 5, spacing: float = 2.0) -> np.ndarray:
    """Centres (side * side, 2) of a square grid around 0, row by row."""
    own = np.arange(check_size(side, "side")) - (side - 1) / 2
    y, x = np.meshgrid(own, own, indexing="ij")
    return check_number(spacing, "spacing") * np.stack([x.ravel(), y.ravel()], axis=1)


def ring(
    count: int, modes: int = 8, radius: float = 2.0, std: float = 0.02, *,
    rng: np.random.Generator | None = None,
) -> np.ndarray:  # fmt: skip
    """Points (count, 2) float32 of Gaussians around ``ring_centres``, each as likely.

    std: of every Gaussian in either direction. Draws from NumPy's global state, or ``rng``.

    >>> ring(1000, rng=np.random.default_rng(0)).shape
    (1000, 2)
    """
    return _around(ring_centres(modes, radius), count, std, rng)


def grid(
    count: int, side: int = 5, spacing: float = 2.0, std: float = 0.05, *,
    rng: np.random.Generator | None = None,
) -> np.ndarray:  # fmt: skip
    """Points (count, 2) float32 of Gaussians around ``grid_centres``; otherwise as ``ring``."""
    return _around(grid_centres(side, spacing), count, std, rng)


def _around(
    centres: np.ndarray, count: int, std: float, rng: np.random.Generator | None
) -> np.ndarray:
    count, std = check_size(count, "count"), check_number(std, "std")
    if rng is None:
        mode, noise = np.random.randint(0, len(centres), count), np.random.randn(count, 2)
    else:
        mode, noise = rng.integers(0, len(centres), count), rng.standard_normal((count, 2))
    return (centres[mode] + std * noise).astype(np.float32)
