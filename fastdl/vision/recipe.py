"""How image classifiers are trained: model, optimizer and the course of its rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..models.image import BY_NAME, ImageModel
from ..optimizers import SGD, AdamW, KernelOptimizer
from ..schedules import CosineDecay, Schedule, WarmUp
from ..validation import check_number, check_size

OPTIMIZERS = ("adamw", "sgd")
USUAL_SIZE = 64  # pixels, of files of several sizes


def model_class(model: Any) -> type[ImageModel]:
    """The image model of a name in lower case, or the class itself; TypeError, ValueError."""
    if isinstance(model, type) and issubclass(model, ImageModel):
        return model
    if not isinstance(model, str):
        raise TypeError(f"model is {model!r}; expected a name or a subclass of ImageModel.")
    if model.lower() not in BY_NAME:
        raise ValueError(f"model is {model!r}; expected one of {', '.join(BY_NAME)}.")
    return BY_NAME[model.lower()]


def make_model(
    model: Any, classes: int, size: tuple[int, int], channels: int,
    rng: np.random.Generator | None, options: Mapping[str, Any] | None,
    dtype: DTypeLike | None = None,
) -> ImageModel:  # fmt: skip
    """A model that is not trained. Raises ValueError and TypeError for options that do not fit."""
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"model_options is {options!r}; expected a dict of the model's options.")
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in (options or {}).items()}
    kind = model_class(model)
    return kind(classes, size=size, channels=channels, dtype=dtype, rng=rng, **given)


def make_schedule(lr: float, warmup: float, epochs: int, rows: int, batch_size: int) -> Schedule:
    """From a 100th of ``lr`` up to it in ``warmup`` epochs, then half a cosine down to 0.

    Goyal et al. 2017 for the warm-up, Loshchilov & Hutter 2017 for the cosine.
    """
    steps = max(1, rows // batch_size)
    total = steps * check_size(epochs, "epochs")
    first = min(round(steps * check_number(warmup, "warmup")), total // 2)
    cosine = CosineDecay(lr, max(1, total - first))
    return WarmUp(cosine, first, start=lr / 100) if first else cosine


def make_optimizer(
    name: Any, lr: float | Schedule, weight_decay: float, momentum: float = 0.9
) -> KernelOptimizer:
    """AdamW, or SGD with momentum, whose weight decay is a term of the gradient."""
    if name == "adamw":
        return AdamW(lr, weight_decay=weight_decay)
    if name == "sgd":
        return SGD(lr, momentum=momentum, weight_decay=weight_decay)
    raise ValueError(f"optimizer is {name!r}; expected one of {', '.join(OPTIMIZERS)}.")


def image_size(images: Any, size: Any) -> tuple[int, int]:
    """``size`` as (H, W); for None the images' own, or 64 x 64 where they have several."""
    if size is None and images.image_shape is None:
        return USUAL_SIZE, USUAL_SIZE
    found: tuple[int, int] = images.size(size)
    return found


def image_channels(images: Any) -> int:
    """1 where all images are grey, else 3."""
    return 1 if images.image_shape is not None and images.image_shape[0] == 1 else 3
