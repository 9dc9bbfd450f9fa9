"""Random changes of real and of generated images alike, through which gradients pass."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..kernels.backend import ops
from ..layers.layout import channels_first, channels_last
from ..validation import check_number


class Draws(NamedTuple):
    """What happens to each of N images; see ``kernels/augment_differentiable.py``."""

    places: np.ndarray
    colours: np.ndarray
    holes: np.ndarray


@dataclass(frozen=True)
class DifferentiableAugmentation:
    """Lets a GAN learn from few images, whose discriminator would else know them by heart.

    It sees real and generated images under the same kinds of random changes, and the generator
    learns through them (Zhao et al. 2020, Differentiable augmentation for data-efficient GAN
    training). flip: mirror half of the images left to right. colour: how strong colours change, 1
    (or True) as in the paper: brightness plus or minus 0.5, saturation by a factor from 0 to 2,
    contrast by one from 0.5 to 1.5; 0.5 half as much. shift: move by up to this share of height and
    width. cutout: the side of a rectangle that is blanked out, as a share of height and width,
    centred anywhere. Images are (N, C, H, W) with values from -1 to 1; what comes from outside or
    is blanked out is 0.

    Raises ValueError or TypeError for values out of range.

    >>> augment = DifferentiableAugmentation.preset("standard")
    >>> x = np.zeros((2, 3, 8, 8), np.float32)
    >>> draws = augment.draw(np.random.default_rng(0), *x[:, 0].shape)
    >>> augment.forward(x, draws).shape, augment.backward(x, draws).shape
    ((2, 3, 8, 8), (2, 3, 8, 8))
    """

    flip: bool = False
    shift: float = 0.125
    colour: float = 1.0
    cutout: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.flip, bool):
            raise TypeError(f"flip is {self.flip!r}; expected True or False.")
        strength = float(self.colour) if isinstance(self.colour, bool) else self.colour
        object.__setattr__(self, "colour", check_number(strength, "colour", high=1.0))
        object.__setattr__(self, "shift", check_number(self.shift, "shift", high=0.5))
        object.__setattr__(self, "cutout", check_number(self.cutout, "cutout", high=1.0))

    @classmethod
    def preset(cls, name: str) -> DifferentiableAugmentation:
        """A preset by its name, see ``PRESETS``.

        "standard" is the paper's; "photographs" mirrors as well; "light" suits digits and texts,
        "none" changes nothing. ValueError for another name.
        """
        if name not in PRESETS:
            raise ValueError(f"augment is {name!r}; expected one of {', '.join(PRESETS)}.")
        return PRESETS[name]

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, for JSON."""
        return dataclasses.asdict(self)

    def draw(self, rng: np.random.Generator | None, N: int, H: int, W: int) -> Draws:
        """The random changes of N images (H, W), from ``rng`` or NumPy's global state.

        What is off draws no numbers.
        """
        random = np.random.random if rng is None else rng.random
        places, holes = np.zeros((N, 3), np.int64), np.zeros((N, 4), np.int64)
        colours = np.tile(np.array([0, 1, 1], np.float32), (N, 1))
        if self.flip:
            places[:, 0] = random(N) < 0.5
        if self.colour:
            spread = np.array([0.5, 1.0, 0.5]) * self.colour
            colours += ((2 * random((N, 3)) - 1) * spread).astype(np.float32)
        size = np.array([H, W])
        if self.shift:
            most = np.floor(self.shift * size + 0.5)
            places[:, 1:] = np.floor(random((N, 2)) * (2 * most + 1)) - most
        sides = np.floor(self.cutout * size + 0.5).astype(np.int64)
        if sides.min() > 0:
            first = np.floor(random((N, 2)) * (size + 1 - sides % 2)).astype(np.int64) - sides // 2
            ends = np.clip(np.stack([first, first + sides], axis=2), 0, size[:, None])
            holes[...] = ends.reshape(N, 4)
        return Draws(places, colours, holes)

    def forward(self, x: np.ndarray, draws: Draws) -> np.ndarray:
        """The changed images, in a new array (N, C, H, W) with channels-last memory.

        ValueError for x of another shape than the draws were made for; NaN is let through.
        """
        images, out = _prepared(x, draws, "x")
        ops.augment_forward(images, *_as(draws, images.dtype), out)
        return channels_first(out)

    def backward(self, dout: np.ndarray, draws: Draws) -> np.ndarray:
        """The gradient (N, C, H, W) at ``forward``'s x from the one at its result."""
        images, dx = _prepared(dout, draws, "dout")
        ops.augment_backward(images, *_as(draws, images.dtype), dx)
        return channels_first(dx)


PRESETS = {
    "none": DifferentiableAugmentation(shift=0.0, colour=0.0, cutout=0.0),
    "light": DifferentiableAugmentation(colour=0.2, cutout=0.0),
    "standard": DifferentiableAugmentation(),
    "photographs": DifferentiableAugmentation(flip=True),
}


def as_differentiable(augment: Any) -> DifferentiableAugmentation | None:
    """One from one, a preset's name, a dict of fields or None, which stays None, as "none" does."""
    if isinstance(augment, str):
        augment = DifferentiableAugmentation.preset(augment)
    elif isinstance(augment, dict):
        unknown = sorted(
            set(augment) - {f.name for f in dataclasses.fields(DifferentiableAugmentation)}
        )
        if unknown:
            raise ValueError(f"DifferentiableAugmentation has no field {', '.join(unknown)}.")
        augment = DifferentiableAugmentation(**augment)
    if augment is not None and not isinstance(augment, DifferentiableAugmentation):
        raise TypeError(
            f"augment is {augment!r}; expected a DifferentiableAugmentation, a preset's name, a "
            "dict of fields or None."
        )
    return None if augment == PRESETS["none"] else augment


def _prepared(x: np.ndarray, draws: Draws, name: str) -> tuple[np.ndarray, np.ndarray]:
    dtype = np.dtype(np.float64 if getattr(x, "dtype", None) == np.float64 else np.float32)
    images = channels_last(x, dtype, name)
    if len(images) != len(draws.places):
        raise ValueError(f"{name} has {len(images)} images; the draws are of {len(draws.places)}.")
    H, W = images.shape[1:3]
    if (draws.holes[:, 1] > H).any() or (draws.holes[:, 3] > W).any() or (
        np.abs(draws.places[:, 1:]) > [H, W]
    ).any():  # fmt: skip
        raise ValueError(f"{name} has images of {H} x {W}; the draws are of larger ones.")
    return images, np.empty_like(images)


def _as(draws: Draws, dtype: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return draws.places, draws.colours.astype(dtype, copy=False), draws.holes
