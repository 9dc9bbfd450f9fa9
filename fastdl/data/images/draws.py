"""The random numbers of an augmentation, drawn before the compiled kernels use them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .augmentation import Augmentation

_ASPECT = math.log(4 / 3)  # either way, of a random crop (Szegedy et al. 2015, Going deeper)


@dataclass
class Draws:
    """What happens to each of N images; see ``kernels/augment.py`` for the arrays.

    partner (N,) int64 and share (N,) float32: which other one an image is mixed with, and its own
    share; None without mixup.
    """

    matrix: np.ndarray
    colour: np.ndarray
    holes: np.ndarray
    partner: np.ndarray | None = None
    share: np.ndarray | None = None


def draw(augmentation: Augmentation, rng: np.random.Generator, N: int, H: int, W: int) -> Draws:
    """Random changes of N images (H, W); what is off draws no numbers."""
    draws = Draws(_places(augmentation, rng, N, H, W), np.ones((N, 3), np.float32),
                  np.zeros((N, 4), np.int64))  # fmt: skip
    for i, name in enumerate(("brightness", "contrast", "saturation")):
        spread = getattr(augmentation, name)
        if spread:
            draws.colour[:, i] = rng.uniform(1 - spread, 1 + spread, N)
    side = round(augmentation.cutout * min(H, W))
    if side:
        draws.holes = _holes(rng, N, H, W, side)
    if augmentation.mixup:
        draws.partner = rng.permutation(N)
        draws.share = rng.beta(augmentation.mixup, augmentation.mixup, N).astype(np.float32)
    return draws


def _places(a: Augmentation, rng: np.random.Generator, N: int, H: int, W: int) -> np.ndarray:
    """matrix (N, 6): around the middle mirrored, scaled and turned, then moved."""
    sign: np.ndarray = np.ones(N)
    wide, high, angle = sign, sign, 0 * sign
    move_x, move_y = np.zeros(N), np.zeros(N)
    if a.flip:
        sign = 1.0 - 2.0 * rng.integers(0, 2, N)
    if a.crop < 1:
        area, aspect = rng.uniform(a.crop, 1, N), np.exp(rng.uniform(-_ASPECT, _ASPECT, N))
        wide, high = np.minimum(1, np.sqrt(area * aspect)), np.minimum(1, np.sqrt(area / aspect))
        move_x += (1 - wide) * W * rng.uniform(-0.5, 0.5, N)
        move_y += (1 - high) * H * rng.uniform(-0.5, 0.5, N)
    if a.shift:
        most_x, most_y = round(a.shift * W), round(a.shift * H)
        move_x += rng.integers(-most_x, most_x + 1, N)
        move_y += rng.integers(-most_y, most_y + 1, N)
    if a.rotation:
        angle = np.deg2rad(rng.uniform(-a.rotation, a.rotation, N))
    middle_x, middle_y = (W - 1) / 2, (H - 1) / 2
    matrix = np.empty((N, 6))
    matrix[:, 0], matrix[:, 1] = sign * wide * np.cos(angle), -high * np.sin(angle)
    matrix[:, 3], matrix[:, 4] = sign * wide * np.sin(angle), high * np.cos(angle)
    for column, (middle, move) in ((0, (middle_x, move_x)), (3, (middle_y, move_y))):
        moved = matrix[:, column] * middle_x + matrix[:, column + 1] * middle_y
        matrix[:, column + 2] = middle + move - moved
    return matrix.astype(np.float32)


def _holes(rng: np.random.Generator, N: int, H: int, W: int, side: int) -> np.ndarray:
    """Squares centred anywhere in the image, so that some lie partly outside."""
    top = rng.integers(0, H, N) - side // 2
    left = rng.integers(0, W, N) - side // 2
    holes = np.stack([top, top + side, left, left + side], 1)
    return np.clip(holes, 0, [H, H, W, W]).astype(np.int64)
