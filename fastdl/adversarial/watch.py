"""Notices while a GAN trains that its generator collapses or its discriminator has won."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..callbacks import Callback, Checkpoint
from ..run import Run
from ..validation import check_size

GOOD = "good.safetensors"
ALIKE = 0.25  # of real images' mean distance: generated ones that differ less are all alike
FLAT = 0.05  # of real images' mean deviation within an image: images with less show nothing
WON = 0.02  # the discriminator's loss, where losses cannot be negative, below which it has won
_RISING = 3  # epochs over which the generator's loss rises meanwhile
_MOST = 512  # images that are compared


class Watch(Callback):
    """Looks at generated images after each epoch, and keeps the last good checkpoint.

    real: real images (n, C, H, W), sample: makes generated ones of the same shape, each time from
    the same draws. real_classes and classes: theirs, by which images must differ too.

    An epoch is bad where images are not finite ("divergence"), show nothing ("flat"), are all alike
    ("collapse": their mean distance from each other is less than a quarter of real images', over
    all or within a class), or where the discriminator's loss is near 0 while the generator's rises
    ("discriminator", of losses that are not negative). ``events`` has a dict of epoch, kind and
    message for each, ``healthy`` says whether the last epoch was good; ``history["diversity"]`` is
    the mean distance beside real images'. Of a good epoch everything is written to
    good.safetensors beside the run's checkpoints, if it has some. After ``patience`` bad epochs one
    after the other training ends if ``stop``.
    """

    def __init__(
        self, real: np.ndarray, sample: Callable[[], np.ndarray], *, patience: int = 5,
        stop: bool = False, real_classes: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> None:  # fmt: skip
        self.sample, self.stop = sample, bool(stop)
        self.patience = check_size(patience, "patience")
        rows = _rows(real)
        if len(rows) < 2:
            raise ValueError(f"real has {len(rows)} images; expected 2 or more.")
        self._distance, self._deviation = _mean_distance(rows), _deviation(rows)
        if not self._distance:
            raise ValueError("The real images are all the same; a GAN would learn to repeat it.")
        self.classes = None if classes is None else np.asarray(classes)
        self._of_class: dict[int, float] = {}
        if real_classes is not None and classes is not None:
            known = np.asarray(real_classes)
            self._of_class = {
                int(c): _mean_distance(rows[known == c])
                for c in np.unique(known)
                if (known == c).sum() > 1
            }
        self.events: list[dict[str, Any]] = []
        self.healthy = True
        self.bad_epochs = 0  # one after the other

    def on_epoch(self, run: Run) -> None:
        rows = _rows(self.sample())
        finite = bool(np.isfinite(rows).all())
        diversity = _mean_distance(rows) / self._distance if finite else float("nan")
        run.history.setdefault("diversity", []).append(diversity if finite else None)
        found = self._look(rows, diversity) if finite else {
            "divergence": "Generated images are not finite."
        }  # fmt: skip
        if _has_won(run):
            found["discriminator"] = (
                f"The discriminator has won: its loss is {run.history['loss_d'][-1]:.2g}, and the "
                "generator's rises. A smaller discriminator_lr, spectral normalization, the hinge "
                "loss or augmentation may help."
            )
        self.events += [
            {"epoch": run.epoch, "kind": kind, "message": text} for kind, text in found.items()
        ]
        self.healthy = not found
        self.bad_epochs = 0 if self.healthy else self.bad_epochs + 1
        if self.healthy:
            self._keep(run)
        elif self.stop and self.bad_epochs >= self.patience:
            run.stop = True

    def _look(self, rows: np.ndarray, diversity: float) -> dict[str, str]:
        found = {}
        if _deviation(rows) < FLAT * self._deviation:
            found["flat"] = "Generated images are of one colour."
        if diversity < ALIKE:
            found["collapse"] = (
                f"Generated images are all alike: they differ {100 * diversity:.0f} % as much as "
                "real ones."
            )
            return found
        alike = []
        for c, distance in self._of_class.items():
            own = rows[self.classes == c]
            if len(own) > 1 and _mean_distance(own) < ALIKE * distance:
                alike.append(c)
        if alike and len(alike) * 2 >= len(self._of_class):
            found["collapse"] = (
                f"Generated images of a class are all alike, in {len(alike)} of "
                f"{len(self._of_class)} classes."
            )
        return found

    def _keep(self, run: Run) -> None:
        """Write the run, so that a collapse can be undone."""
        folder = next((c.folder for c in run.callbacks if isinstance(c, Checkpoint)), None)
        if folder is not None:
            run.save(folder / GOOD)

    def state(self) -> dict[str, Any]:
        return {"events": self.events, "healthy": self.healthy, "bad_epochs": self.bad_epochs}

    def load_state(self, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.events, self.healthy = list(state["events"]), bool(state["healthy"])
        self.bad_epochs = int(state["bad_epochs"])


def _rows(images: np.ndarray) -> np.ndarray:
    array = np.asarray(images, np.float64)[:_MOST]
    return array.reshape(len(array), -1)


def _mean_distance(rows: np.ndarray) -> float:
    """The root of the mean squared distance between two of the rows, sqrt(2 n/(n - 1) variance)."""
    n = len(rows)
    return float(np.sqrt(2 * rows.var(axis=0).sum() * n / (n - 1)))


def _deviation(rows: np.ndarray) -> float:
    """The mean standard deviation of the numbers of a row."""
    return float(rows.std(axis=1).mean())


def _has_won(run: Run) -> bool:
    """Whether the discriminator's loss stays near 0 while the generator's rises."""
    d, g = run.history.get("loss_d", []), run.history.get("loss_g", [])
    if len(d) <= _RISING or min(d) < 0:
        return False
    rising = all(
        later > before for before, later in zip(g[-_RISING - 1 :], g[-_RISING:], strict=False)
    )
    return max(d[-_RISING:]) < WON and rising
