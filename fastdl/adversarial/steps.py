"""One step of a GAN: the discriminator on real and generated rows, then the generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..feeds import Feed
from ..passes import Pass
from ..run import Run


class AdversarialSteps:
    """Takes steps for ``GANTrainer``; one at a time, so that callbacks see each."""

    def __init__(self, run: Run, feed: Feed, discriminator_steps: int, augment: Any) -> None:
        self.run, self.feed, self.augment = run, feed, augment
        self.gan, self.loss = run.network, run.network.loss_layer
        self.every = discriminator_steps

    def take(self, most: int) -> list[list[float]]:
        """One step: [discriminator's loss, generator's, how real it found real and made rows]."""
        run, gan = self.run, self.gan
        x, t, _ = self.feed.batch(run)
        classes = self._classes(t)
        made = gan.generator.run(gan.rows(gan.draw(len(x), run.rng), classes))
        loss_d, *scores = self._discriminator(x, made.out, classes)
        loss_g = run.losses[-1][1] if run.losses else 0.0  # of steps that are not the generator's
        if np.isfinite(loss_d) and (run.step + 1) % self.every == 0:
            loss_g = self._generator(made, classes)
            gan.follow(run.optimizers["generator"].t)
        return [[loss_d, loss_g, *scores]]

    def _discriminator(self, x: np.ndarray, made: np.ndarray, classes: Any) -> list[float]:
        """A step on real rows and on made ones, whose gradients add up; loss and scores."""
        network = self.gan.discriminator
        real, fake = (self._run(rows, classes)[0] for rows in (x, made))
        loss, dreal, dfake = self.loss.discriminator(real.out, fake.out)
        found = [float(loss), self.loss.score(real.out), self.loss.score(fake.out)]
        if not np.isfinite(loss):
            return found
        grads = fake.backward(dfake, add_to=real.backward(dreal))
        parameters = network.parameters()
        self.run.optimizers["discriminator"].update(parameters, grads)
        if self.loss.clip is not None:
            for array in parameters.values():
                np.clip(array, -self.loss.clip, self.loss.clip, out=array)
        return found

    def _generator(self, made: Pass, classes: Any) -> float:
        """A step through the discriminator as it now is."""
        judged, draws = self._run(made.out, classes)
        loss, dout = self.loss.generator(judged.out)
        if np.isfinite(loss):
            dmade = judged.backward_inputs(dout)
            if draws is not None:
                dmade = self.augment.backward(dmade, draws)
            parameters = self.gan.generator.parameters()
            self.run.optimizers["generator"].update(parameters, made.backward(dmade))
        return float(loss)

    def _run(self, rows: np.ndarray, classes: Any) -> tuple[Pass, Any]:
        """The discriminator on rows, augmented where that is wanted, and what was drawn for it."""
        draws = None
        if self.augment is not None:
            draws = self.augment.draw(self.run.rng, len(rows), *rows.shape[2:])
            rows = self.augment.forward(rows, draws)
        return self.gan.discriminator.run(self.gan.rows(rows, classes)), draws

    def _classes(self, t: np.ndarray) -> np.ndarray | None:
        """The rows' classes, of a stream's targets (N, classes) or as they are."""
        if not self.gan.classes:
            return None
        return np.asarray(t).argmax(axis=1) if np.ndim(t) == 2 else np.asarray(t)
