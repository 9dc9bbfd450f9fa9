"""What discriminator and generator are trained on: functions of the discriminator's outputs.

Outputs are logits (N, 1): the larger, the more real. Means are taken over the rows, in float64.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ..layers.base import Layer
from ..validation import check_number


class AdversarialLoss(Layer):
    """Base of the losses, a GAN's ``loss_layer``; ``name`` is what commands and options call it.

    ``discriminator(real, fake)`` gives (loss, dreal, dfake) for outputs (N, 1) and (M, 1),
    ``generator(fake)`` gives (loss, dfake). Both losses fall as their network gets better.
    ``clip``, if not None, bounds the discriminator's parameters after each of its steps.
    """

    name: ClassVar[str]
    clip: float | None = None

    def discriminator(
        self, real: ArrayLike, fake: ArrayLike
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """The discriminator's loss and its gradients at the outputs for real and fake rows."""
        r, f = _outputs(real, "real"), _outputs(fake, "fake")
        loss_r, dr = self._real(r)
        loss_f, df = self._fake(f)
        loss = float(np.mean(loss_r) + np.mean(loss_f))
        return loss, _gradient(dr, real), _gradient(df, fake)

    def generator(self, fake: ArrayLike) -> tuple[float, np.ndarray]:
        """The generator's loss and its gradient at the outputs for fake rows."""
        loss, df = self._made(_outputs(fake, "fake"))
        return float(np.mean(loss)), _gradient(df, fake)

    def score(self, outputs: ArrayLike) -> float:
        """How real the discriminator finds rows: the mean of its outputs."""
        return float(np.mean(_outputs(outputs, "outputs")))

    def _real(self, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each real row's loss and derivative."""
        raise NotImplementedError(f"{type(self).__name__} does not define its loss.")

    def _fake(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each fake row's loss and derivative, for the discriminator."""
        raise NotImplementedError(f"{type(self).__name__} does not define its loss.")

    def _made(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each fake row's loss and derivative, for the generator."""
        raise NotImplementedError(f"{type(self).__name__} does not define its loss.")


class MinimaxLoss(AdversarialLoss):
    """The discriminator's cross-entropy, which the generator makes as large as it can.

    D: mean of -log s(r) plus mean of -log(1 - s(f)); G: mean of log(1 - s(f)), with s the sigmoid
    (Goodfellow et al. 2014, equation 1). ``smoothing`` takes 1 - smoothing as the real rows'
    target (Salimans et al. 2016, one-sided label smoothing).

    >>> import numpy as np, fastdl
    >>> loss, dreal, dfake = fastdl.MinimaxLoss().discriminator(np.zeros((2, 1)), np.zeros((2, 1)))
    >>> round(loss, 4), dreal.tolist(), dfake.tolist()
    (1.3863, [[-0.25], [-0.25]], [[0.25], [0.25]])
    """

    name = "minimax"
    config_names = ("smoothing",)

    def __init__(self, *, smoothing: float = 0.0) -> None:
        self.smoothing = check_number(smoothing, "smoothing", high=1.0, open_high=True)

    def score(self, outputs: ArrayLike) -> float:
        """The mean probability of being real."""
        return float(np.mean(_sigmoid(_outputs(outputs, "outputs"))))

    def _real(self, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _softplus(-r) + self.smoothing * r, _sigmoid(r) - (1 - self.smoothing)

    def _fake(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _softplus(f), _sigmoid(f)

    def _made(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return -_softplus(f), -_sigmoid(f)


class NonSaturatingLoss(MinimaxLoss):
    """As ``MinimaxLoss``, but the generator lessens the mean of -log s(f).

    Its gradient does not vanish where the discriminator is sure (Goodfellow et al. 2014, section
    3). The usual loss of a DCGAN.
    """

    name = "non-saturating"

    def _made(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _softplus(-f), _sigmoid(f) - 1


class LeastSquaresLoss(AdversarialLoss):
    """D: mean of (r - 1)^2 / 2 plus mean of f^2 / 2; G: mean of (f - 1)^2 / 2 (Mao et al. 2017)."""

    name = "least-squares"

    def _real(self, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 0.5 * (r - 1) ** 2, r - 1

    def _fake(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 0.5 * f**2, f

    def _made(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._real(f)


class HingeLoss(AdversarialLoss):
    """D: mean of max(0, 1 - r) plus mean of max(0, 1 + f); G: mean of -f (Lim & Ye 2017)."""

    name = "hinge"

    def _real(self, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.maximum(0, 1 - r), -(r < 1).astype(np.float64)

    def _fake(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.maximum(0, 1 + f), (f > -1).astype(np.float64)

    def _made(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return -f, np.full_like(f, -1.0)


class WassersteinLoss(AdversarialLoss):
    """D: mean of f minus mean of r; G: mean of -f (Arjovsky et al. 2017).

    All parameters of the discriminator are kept within -clip and clip, which makes it Lipschitz.
    Best without batch normalization in the discriminator, with RMSprop and several steps of it for
    each of the generator's (``GANTrainer(..., discriminator_steps=5)``).
    """

    name = "wasserstein"
    config_names = ("clip",)

    def __init__(self, *, clip: float = 0.01) -> None:
        self.clip = check_number(clip, "clip", open_low=True)

    def _real(self, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return -r, np.full_like(r, -1.0)

    def _fake(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return f, np.ones_like(f)

    def _made(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._real(f)


BY_NAME: dict[str, type[AdversarialLoss]] = {
    loss.name: loss
    for loss in (MinimaxLoss, NonSaturatingLoss, LeastSquaresLoss, HingeLoss, WassersteinLoss)
}


def as_adversarial_loss(loss: Any) -> AdversarialLoss:
    """A loss from one, its class or its name; ValueError and TypeError for anything else."""
    if isinstance(loss, str):
        if loss not in BY_NAME:
            raise ValueError(f"loss is {loss!r}; expected one of {', '.join(BY_NAME)}.")
        return BY_NAME[loss]()
    found = loss() if isinstance(loss, type) else loss
    if not isinstance(found, AdversarialLoss):
        raise TypeError(
            f"loss is {loss!r}; expected one of {', '.join(BY_NAME)}, or an AdversarialLoss."
        )
    return found


def _outputs(values: ArrayLike, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 2 or array.shape[1] != 1 or not len(array):
        raise ValueError(
            f"{name} has shape {array.shape}; a discriminator gives one output a row: (N, 1)."
        )
    return array.astype(np.float64)


def _gradient(d: np.ndarray, of: ArrayLike) -> np.ndarray:
    """The rows' derivatives as the mean's gradient, in the outputs' dtype."""
    dtype = np.asarray(of).dtype
    return (d / len(d)).astype(dtype if dtype.kind == "f" else np.float64)


def _softplus(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))
    return found


def _sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    found: np.ndarray = np.where(x >= 0, 1.0, e) / (1.0 + e)
    return found
