"""A generator and a discriminator as one network, which is trained, saved and sampled from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastdl.adversarial.losses import NonSaturatingLoss, as_adversarial_loss
from fastdl.checkpoint import describe, network_arrays, restore
from fastdl.conditioned import Conditioned
from fastdl.layers import Layer
from fastdl.layers.base import described
from fastdl.memory import rows_at_once
from fastdl.network import Network, Sequential, evaluation
from fastdl.validation import check_number, check_size


class GAN(Network):
    """Two networks, one of which makes what the other is to take for real (Goodfellow et al. 2014).

    generator: from z (N, latent) to rows of any shape, discriminator: from such rows to logits
    (N, 1), both networks of layers in a row, such as ``fastdl.Sequential``. classes: how many
    classes rows have, 0 for none; the networks then take ``Conditioned`` rows, which some of their
    layers must know. loss: one of ``fastdl.adversarial``, or its name. average: how much of the
    generator's weights of before each step an exponential moving average keeps (Yazıcı et al.
    2019); ``averaged`` is a generator with those weights, and samples come from it. None: there is
    none.

    ``fastdl.adversarial.GANTrainer`` trains it. Raises ValueError and TypeError for options that
    do not fit.

    >>> import numpy as np, fastdl
    >>> rng = np.random.default_rng(0)
    >>> gan = fastdl.GAN(
    ...     fastdl.Sequential(fastdl.Dense(4, 2, rng=rng)),
    ...     fastdl.Sequential(fastdl.Dense(2, 1, rng=rng)), latent=4,
    ... )
    >>> gan.sample(3, rng=rng).shape
    (3, 2)
    """

    def __init__(
        self, generator: Network, discriminator: Network, *, latent: int, classes: int = 0,
        loss: Any = NonSaturatingLoss, average: float | None = 0.999,
    ) -> None:  # fmt: skip
        for name, network in (("generator", generator), ("discriminator", discriminator)):
            if not isinstance(network, Network):
                raise TypeError(f"{name} is {network!r}; expected a fastdl.Network.")
        self.generator, self.discriminator = generator, discriminator
        self.latent = check_size(latent, "latent")
        self.classes = 0 if classes == 0 else check_size(classes, "classes")
        if average is not None:
            average = check_number(average, "average", high=1.0, open_high=True)
        self.average = average
        self.averaged: Network | None = None
        self._check_conditioning()
        if average is not None:
            known = describe(generator)
            self.averaged = restore(known, network_arrays(generator), "the generator")
        loss_layer = as_adversarial_loss(loss)
        super().__init__(self._all_layers())
        self.loss_layer = loss_layer

    def _check_conditioning(self) -> None:
        for name in ("generator", "discriminator"):
            network = getattr(self, name)
            knows = any(getattr(layer, "takes_classes", False) for layer in network.layers)
            if self.classes and not knows:
                raise ValueError(
                    f"classes is {self.classes}, but no layer of the {name} takes classes, as "
                    "ConditionalBatchNormalization and ClassProjection do."
                )

    def _all_layers(self) -> list[Layer]:
        averaged = [] if self.averaged is None else self.averaged.layers
        return [*self.generator.layers, *self.discriminator.layers, *averaged]

    def draw(self, count: int, rng: np.random.Generator | None = None) -> np.ndarray:
        """z (count, latent) from N(0, 1), from NumPy's global state or ``rng``."""
        shape = check_size(count, "count"), self.latent
        draws = np.random.standard_normal(shape) if rng is None else rng.standard_normal(shape)
        return draws.astype(self.generator.dtype or np.float64)

    def rows(self, x: Any, classes: ArrayLike | None) -> Any:
        """What both networks take: x, with its classes where the GAN has some."""
        if not self.classes:
            if classes is not None:
                raise ValueError("The GAN was made without classes; leave them out.")
            return x
        if classes is None:
            raise ValueError(f"The GAN has {self.classes} classes; say which ones the rows have.")
        found = Conditioned(x, classes)
        if len(found) and found.classes.max() >= self.classes:
            raise ValueError(
                f"classes has {found.classes.max()}; the GAN has {self.classes}, from 0 on."
            )
        return found

    def generate(
        self, z: ArrayLike, classes: ArrayLike | None = None, *, batch_size: int | None = None
    ) -> np.ndarray:
        """Rows for z (N, latent), in evaluation mode, with the averaged weights if there are any.

        Raises ValueError for z of another shape, and for classes that do not fit.
        """
        z = np.asarray(z)
        if z.ndim != 2 or z.shape[1] != self.latent or not len(z):
            raise ValueError(f"z has shape {z.shape}; expected (N, {self.latent}).")
        given = self.rows(z, classes)
        network = self.generator if self.averaged is None else self.averaged
        with evaluation(network):
            first = network.predict(given[:1])
            size = batch_size or rows_at_once(first.size)
            parts = [network.predict(given[i : i + size]) for i in range(0, len(z), size)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def sample(
        self, count: int, *, classes: ArrayLike | int | None = None,
        rng: np.random.Generator | None = None, batch_size: int | None = None,
    ) -> np.ndarray:  # fmt: skip
        """``count`` new rows; classes: one for all, one for each (count,), or None for any."""
        z = self.draw(count, rng)
        if self.classes and classes is None:
            draw = np.random.randint if rng is None else rng.integers
            classes = draw(0, self.classes, count)
        elif classes is not None and np.ndim(classes) == 0:
            classes = np.full(count, classes)
        return self.generate(z, classes, batch_size=batch_size)

    def predict(self, x: Any) -> np.ndarray:
        """The generator's rows for z, or ``Conditioned`` z, with the layers' modes as they are."""
        return self.generator.predict(x)

    def gradient(self, x: Any, t: Any, sample_weight: Any = None) -> dict[str, np.ndarray]:
        raise TypeError("A GAN is trained by fastdl.adversarial.GANTrainer, not by gradient.")

    def follow(self, step: int) -> None:
        """Move the averaged weights and states behind the generator's step number ``step``, from 1.

        a = d a + (1 - d) w, with d = min(average, step / (step + 9)), so that the first steps are
        soon forgotten.
        """
        if self.averaged is None or self.average is None:
            return
        rest = 1.0 - min(self.average, step / (step + 9.0))
        ours, theirs = self.averaged.store(), self.generator.store()
        pairs = [(ours.flat, theirs.flat)] if ours.flat is not None else [
            (ours.views[name], theirs.views[name]) for name in ours.views
        ]  # fmt: skip
        for mean, now in pairs:
            mean += (now - mean) * mean.dtype.type(rest)  # type: ignore[operator, union-attr]
        for mine, layer in zip(self.averaged.layers, self.generator.layers, strict=True):
            for name, now in layer.states().items():
                held = getattr(mine, name, None)
                moves = held is not None and now.dtype.kind == "f"
                setattr(mine, name, held + (now - held) * now.dtype.type(rest) if moves else now)

    def config(self) -> dict[str, Any]:
        return {
            "latent": self.latent, "classes": self.classes, "average": self.average,
            "of_generator": len(self.generator.layers),
        }  # fmt: skip

    def describe_layers(self) -> list[dict[str, Any]]:
        return [described(own) for own in (*self.generator.layers, *self.discriminator.layers)]

    @classmethod
    def from_description(cls, config: dict[str, Any], layers: list[Layer], loss: Any) -> GAN:
        own = dict(config)
        first = own.pop("of_generator")
        networks = Sequential(*layers[:first]), Sequential(*layers[first:])
        gan = cls.__new__(cls)
        options = {name: own.pop(name) for name in ("latent", "classes", "average")}
        for name, value in own.items():
            setattr(gan, name, tuple(value) if isinstance(value, list) else value)
        GAN.__init__(gan, *networks, loss=loss, **options)
        return gan


def spherical(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """``steps`` points z (steps, latent) from a to b (latent,), both included, along an arc.

    slerp(t) = sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b, with the angle w between a and b
    (White 2016, Sampling generative networks): all points are about as long as draws of N(0, I).

    >>> spherical(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3).round(3).tolist()
    [[1.0, 0.0], [0.707, 0.707], [0.0, 1.0]]
    """
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    angle = np.arccos(np.clip(float(a @ b) / max(float(lengths), 1e-12), -1.0, 1.0))
    t = np.linspace(0.0, 1.0, check_size(steps, "steps"))[:, None]
    if np.sin(angle) < 1e-6:
        return (1 - t) * a + t * b
    found: np.ndarray = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return found
