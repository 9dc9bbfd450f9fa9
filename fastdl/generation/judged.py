"""How good a GAN's images are: the judge, what it is made of, and what it says as JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..adversarial.features import FeatureNetwork
from ..adversarial.judge import Judge
from ..data.images import ImageSet
from .sources import GANParts
from .trained import TrainedGAN, draw

FEATURES = "features.safetensors"
_EPOCHS, _ENOUGH = (3, 12), 50_000  # of the network of features; images that it sees in all


def feature_network(
    parts: GANParts, rng: np.random.Generator, path: Path | None = None, *,
    verbose: bool = False,
) -> FeatureNetwork:  # fmt: skip
    """The network whose features are compared: that of ``path``, or one that is trained, and kept.

    It learns the images' classes, if they have some, else by which quarter turns they were turned.
    """
    if path is not None and path.is_file():
        return FeatureNetwork.load(path)
    least, most = _EPOCHS
    epochs = min(most, max(least, round(_ENOUGH / len(parts.train))))
    images = parts.train
    if not parts.labelled:
        images = ImageSet(images.source, images.rows, np.full(len(images), -1, np.int64), ())
    found = FeatureNetwork.fit(
        images, parts.size, parts.channels, epochs, rng, verbose, fit=parts.fit
    )
    if path is not None:
        found.save(path)
    return found


def make_judge(
    parts: GANParts, features: FeatureNetwork, trained: TrainedGAN, count: int, seed: int
) -> Callable[[], dict[str, Any]]:
    """What judges ``count`` images of always the same z."""
    judge = Judge(features, parts.held, parts.train, count=count, fit=parts.fit)

    def found() -> dict[str, Any]:
        rng = np.random.default_rng([seed, 3])
        classes = trained.classes_of(count)
        z = draw(trained.gan, count, rng)
        told = judge.judge(trained.gan.generate(z, classes), classes)
        return plain(told)

    return found


def plain(value: Any) -> Any:
    """Figures as JSON has them, with six digits; None for what is not finite."""
    if isinstance(value, dict):
        return {str(name): plain(own) for name, own in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(own) for own in value]
    if isinstance(value, bool | np.bool_ | str) or value is None:
        return bool(value) if isinstance(value, np.bool_) else value
    if isinstance(value, int | np.integer):
        return int(value)
    return float(f"{value:.6g}") if np.isfinite(value) else None
