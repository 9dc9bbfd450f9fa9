"""The training of a GAN on a set of images, for the command and for ``AdImageGAN``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..adversarial import GANTrainer
from ..callbacks import Callback
from ..data.images import ImageStream
from .recipe import Recipe
from .sources import GANParts, check_different
from .trained import Kind, TrainedGAN


@dataclass
class Training:
    """Networks, their trainer and the images, before the first step."""

    recipe: Recipe
    trained: TrainedGAN
    trainer: GANTrainer
    stream: ImageStream
    rng: np.random.Generator

    def train(
        self, callbacks: Sequence[Callback] = (), *, verbose: bool = False,
        resume: str | os.PathLike[str] | None = None,
    ) -> None:  # fmt: skip
        """All epochs that are left; raises as ``GANTrainer.train``."""
        self.trainer.train(
            self.stream, epochs=self.recipe.epochs,
            batch_size=min(self.recipe.batch_size, self.stream.rows), callbacks=callbacks,
            rng=self.rng, verbose=verbose, resume=resume,
        )  # fmt: skip


def begin(
    recipe: Recipe, parts: GANParts, rng: np.random.Generator, keep: str = "memory"
) -> Training:
    """Make the networks for the images; ValueError where these are a few that are repeated."""
    stream = parts.stream(parts.train, keep)
    check_different(stream)
    gan = recipe.make_gan(parts.size, parts.channels, len(parts.classes), rng)
    kind = Kind(parts.classes, parts.size, parts.channels)
    return Training(recipe, TrainedGAN(gan, kind), recipe.make_trainer(gan), stream, rng)
