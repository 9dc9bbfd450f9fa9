"""How GANs of images are made and trained: networks, optimizers and their published settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..adversarial import GANTrainer
from ..adversarial.augment import PRESETS, as_differentiable
from ..adversarial.losses import BY_NAME
from ..models.gan import DCGAN
from ..models.gan.dcgan import NORMALIZATIONS, SIZES
from ..optimizers import Adam, KernelOptimizer, RMSprop
from ..validation import check_number, check_size

# Radford et al. 2016; Arjovsky et al. 2017 for the Wasserstein loss
RATES = {"adam": 0.0002, "rmsprop": 0.00005}
CRITIC_STEPS = 5


@dataclass(frozen=True)
class Recipe:
    """Options of networks and training. Raises ValueError and TypeError for those out of range.

    The defaults are those of Miyato et al. 2018 at DCGAN's rates, with the deviation within the
    batch of Karras et al. 2018. With batch normalization and the non-saturating loss, DCGAN's own,
    the discriminator soon told drawn creatives from generated ones without fail, and the images of
    a class were all alike; without the deviation they had nearly one colour.

    lr, discriminator_lr, optimizer and discriminator_steps of None are the published ones: Adam
    (beta1 0.5) at 0.0002 for both networks in turn; with the Wasserstein loss RMSprop at 0.00005
    and five steps of the discriminator for each of the generator.
    """

    latent: int = 100
    width: int = 32
    loss: str = "hinge"
    normalization: str = "spectral"
    minibatch_stddev: bool = True
    augment: str = "none"
    average: float | None = 0.999
    epochs: int = 40
    batch_size: int = 64
    optimizer: str | None = None
    lr: float | None = None
    discriminator_lr: float | None = None
    beta1: float = 0.5
    discriminator_steps: int | None = None

    def __post_init__(self) -> None:
        for name in ("latent", "width", "epochs", "batch_size"):
            check_size(getattr(self, name), name)
        choices: dict[str, Any] = {
            "loss": BY_NAME,
            "normalization": NORMALIZATIONS,
            "augment": PRESETS,
        }
        if self.optimizer is not None:
            choices["optimizer"] = RATES
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}."
                )
        for name in ("lr", "discriminator_lr"):
            if getattr(self, name) is not None:
                check_number(getattr(self, name), name, open_low=True)
        check_number(self.beta1, "beta1", high=1.0, open_high=True)
        if self.average is not None:
            check_number(self.average, "average", high=1.0, open_high=True)
        if self.discriminator_steps is not None:
            check_size(self.discriminator_steps, "discriminator_steps")

    def make_gan(
        self, size: int, channels: int, classes: int, rng: np.random.Generator | None
    ) -> DCGAN:
        """The networks, not trained."""
        return DCGAN(
            size, channels=channels, classes=classes, latent=self.latent, width=self.width,
            normalization=self.normalization, minibatch_stddev=self.minibatch_stddev,
            loss=self.loss, average=self.average, rng=rng,
        )  # fmt: skip

    def make_trainer(self, gan: DCGAN) -> GANTrainer:
        """Both optimizers and the augmentation around a GAN."""
        steps = self.discriminator_steps
        if steps is None:
            steps = CRITIC_STEPS if self.loss == "wasserstein" else 1
        return GANTrainer(
            gan, self._optimizer(self.lr), self._optimizer(self.discriminator_lr or self.lr),
            discriminator_steps=steps, augment=as_differentiable(self.augment),
        )  # fmt: skip

    def _optimizer(self, lr: float | None) -> KernelOptimizer:
        name = self.optimizer or ("rmsprop" if self.loss == "wasserstein" else "adam")
        rate = RATES[name] if lr is None else lr
        return Adam(rate, beta1=self.beta1) if name == "adam" else RMSprop(rate)


def reachable_size(size: int | None, image_shape: tuple[int, int, int] | None) -> int:
    """Pixels of a side that the networks make: ``size``, or for None what fits the images.

    Images of up to 28 pixels get 28, up to 48 pixels 32, larger ones and those of several sizes 64.
    Raises ValueError for a size that a DCGAN cannot reach.

    >>> reachable_size(None, (3, 40, 20)), reachable_size(None, None), reachable_size(32, None)
    (32, 64, 32)
    """
    if size is None:
        longest = 64 if image_shape is None else max(image_shape[1:])
        return 28 if longest <= 28 else 32 if longest <= 48 else 64
    if isinstance(size, bool) or size not in SIZES:
        raise ValueError(
            f"size is {size!r}; the networks make square images of "
            f"{', '.join(map(str, SIZES))} pixels: choose one of these, to which all images are "
            "brought."
        )
    return int(size)
