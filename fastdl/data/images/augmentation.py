"""Which random changes training makes to its images."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ...validation import check_number

FILLS = ("edge", "black")


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training images; everything is off by default.

    flip: mirror half of the images left to right (not for digits or texts that must be read).
    shift: move by up to this share of height and width; 0.125 of 32 pixels is the usual random
    crop of an image padded by 4. crop: the smallest share of the area that a randomly placed crop
    keeps before it is resized to the whole (Szegedy et al. 2015), with an aspect ratio from 3/4 to
    4/3; 1 is off. rotation: by up to so many degrees. brightness, contrast, saturation: factors
    from 1 - value to 1 + value, applied in this order. cutout: the side of a square that is blanked
    out, as a share of the smaller side, centred anywhere (DeVries & Taylor 2017). mixup: alpha of
    the Beta(alpha, alpha) distribution by which each image and its target are mixed with another
    one of the batch (Zhang et al. 2018). label_smoothing: this share of every target is spread
    evenly over all classes (Szegedy et al. 2016). fill: what is seen beyond the border, the nearest
    pixel of the "edge" or "black".

    Raises ValueError or TypeError for values out of range.

    >>> Augmentation(flip=True, shift=0.125).on
    ('flip', 'shift')
    >>> Augmentation.from_dict(Augmentation.preset("standard").to_dict()).cutout
    0.25
    """

    flip: bool = False
    shift: float = 0.0
    crop: float = 1.0
    rotation: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    label_smoothing: float = 0.0
    fill: str = "edge"

    def __post_init__(self) -> None:
        if not isinstance(self.flip, bool):
            raise TypeError(f"flip is {self.flip!r}; expected True or False.")
        for name, high in (("shift", 0.5), ("brightness", 1.0), ("contrast", 1.0),
                           ("saturation", 1.0), ("cutout", 1.0), ("rotation", 180.0)):  # fmt: skip
            check_number(getattr(self, name), name, high=high)
        check_number(self.crop, "crop", open_low=True, high=1.0)
        check_number(self.mixup, "mixup")
        check_number(self.label_smoothing, "label_smoothing", high=1.0, open_high=True)
        if self.fill not in FILLS:
            raise ValueError(f"fill is {self.fill!r}; expected one of {', '.join(FILLS)}.")

    @property
    def on(self) -> tuple[str, ...]:
        """Names of the changes that are not off."""
        fields = (f for f in dataclasses.fields(self) if f.name != "fill")
        return tuple(f.name for f in fields if getattr(self, f.name) != f.default)

    @classmethod
    def preset(cls, name: str) -> Augmentation:
        """ "none"; "light", which suits digits and texts; "standard", which suits photographs.

        Raises ValueError for another name.
        """
        if name not in PRESETS:
            raise ValueError(f"augmentation is {name!r}; expected one of {', '.join(PRESETS)}.")
        return PRESETS[name]

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Augmentation:
        """What ``to_dict`` told, or some of it; ValueError for names that are no fields."""
        unknown = sorted(set(fields) - {f.name for f in dataclasses.fields(cls)})
        if unknown:
            raise ValueError(f"Augmentation has no field {', '.join(unknown)}.")
        return cls(**fields)


PRESETS = {
    "none": Augmentation(),
    "light": Augmentation(shift=0.0625, brightness=0.1, contrast=0.1),
    "standard": Augmentation(
        flip=True, shift=0.125, brightness=0.2, contrast=0.2, saturation=0.2, cutout=0.25,
        label_smoothing=0.1,
    ),
}  # fmt: skip


def as_augmentation(augmentation: Augmentation | str | dict[str, Any] | None) -> Augmentation:
    """An ``Augmentation`` from one, the name of a preset, a dict of fields, or None for none."""
    if augmentation is None:
        return Augmentation()
    if isinstance(augmentation, str):
        return Augmentation.preset(augmentation)
    if isinstance(augmentation, dict):
        return Augmentation.from_dict(augmentation)
    if not isinstance(augmentation, Augmentation):
        raise TypeError(
            f"augmentation is {augmentation!r}; expected an Augmentation, a preset's name, a dict "
            "of fields or None."
        )
    return augmentation
