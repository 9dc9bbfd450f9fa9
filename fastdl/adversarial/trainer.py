"""The trainer of GANs: the common Trainer's epochs, with steps of two networks."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..callbacks import Callback
from ..feeds import feed
from ..network import Network
from ..optimizers import Adam, KernelOptimizer
from ..run import Run
from ..stream import RowStream
from ..trainer import Trainer
from ..validation import check_size
from .steps import AdversarialSteps

COLUMNS = ("epoch", "loss_d", "loss_g", "real", "fake", "lr", "seconds")


class GANTrainer(Trainer):
    """Trains a GAN's discriminator and generator in turn, each with its own optimizer.

    generator_optimizer and discriminator_optimizer: Adam(0.0002, beta1=0.5) if not given (Radford
    et al. 2016). discriminator_steps: of it, on batches of their own, for each of the generator's
    (Arjovsky et al. 2017 take 5). augment: changes of real and of generated images that gradients
    pass through, a ``DifferentiableAugmentation``.

    A step runs the discriminator on real and on generated rows, each with its own statistics where
    it normalizes batches, and updates it by the sum of both gradients; then it runs on the
    generated rows again, through which the generator is updated. ``loss_history`` holds [loss_d,
    loss_g, real, fake] of every step: both losses, and how real the discriminator found either (the
    mean probability, or output). ``history`` has their means by epoch, and columns epoch, lr and
    seconds, to which callbacks add theirs.

    >>> import numpy as np, fastdl
    >>> rng = np.random.default_rng(0)
    >>> dense = lambda *sizes: fastdl.Dense(*sizes, rng=rng)
    >>> gan = fastdl.GAN(
    ...     fastdl.Sequential(dense(2, 16), fastdl.ReLU(), dense(16, 1)),
    ...     fastdl.Sequential(dense(1, 16), fastdl.ReLU(), dense(16, 1)), latent=2, average=0.9,
    ... )
    >>> points = rng.normal(3.0, 0.1, (512, 1))
    >>> trainer = fastdl.GANTrainer(gan, fastdl.Adam(0.003), fastdl.Adam(0.003))
    >>> trainer.train(points, epochs=60, batch_size=64, rng=rng, verbose=False)
    >>> bool(gan.sample(200, rng=rng).mean() > 2)
    True
    """

    def __init__(
        self, gan: Any, generator_optimizer: KernelOptimizer | None = None,
        discriminator_optimizer: KernelOptimizer | None = None, *, discriminator_steps: int = 1,
        augment: Any = None,
    ) -> None:  # fmt: skip
        own = {"generator": generator_optimizer, "discriminator": discriminator_optimizer}
        for name, optimizer in own.items():
            if optimizer is None:
                own[name] = Adam(0.0002, beta1=0.5)
            elif not isinstance(optimizer, KernelOptimizer):
                raise TypeError(f"{name}_optimizer is {optimizer!r}; expected one of fastdl's.")
            if not isinstance(getattr(gan, name, None), Network):
                raise TypeError(f"gan is {type(gan).__name__}; expected a fastdl.GAN.")
        super().__init__(gan, own)
        self.discriminator_steps = check_size(discriminator_steps, "discriminator_steps")
        self.augment = augment

    def train(  # type: ignore[override]
        self, x_train: Any, classes: ArrayLike | None = None, *, epochs: int = 100,
        batch_size: int = 64, callbacks: Sequence[Callback] = (),
        rng: np.random.Generator | None = None, verbose: bool = True,
        resume: str | PathLike[str] | None = None,
    ) -> None:  # fmt: skip
        """Train for ``epochs`` passes over x_train (N, ...), or over an ``ImageStream``.

        classes (N,): of the rows, where the GAN knows classes; a stream has its own. Every epoch
        shuffles the rows with NumPy's global random state or ``rng``, which z and all else is drawn
        from too; a last batch that is smaller is left out. ``resume`` goes on from a
        ``Checkpoint``'s folder to the same bits, or starts there if it has none yet.

        Raises ValueError or TypeError for data that do not fit, and DivergedError (a
        FloatingPointError) when a loss is NaN or infinite.
        """
        source = feed(self.network, x_train, self._targets(x_train, classes), None)
        batch = min(check_size(batch_size, "batch_size"), source.rows)
        if batch < 2:
            raise ValueError(f"There are {source.rows} rows in a batch; a GAN needs 2 or more.")
        settings = {
            "epochs": check_size(epochs, "epochs"), "batch_size": batch, "rows": source.rows,
            "steps_per_epoch": source.rows // batch,
            "discriminator_steps": self.discriminator_steps, "augment": repr(self.augment),
        }  # fmt: skip
        run = Run(self.network, self.optimizer, rng, list(callbacks), settings, COLUMNS)
        self._begin(run, source, resume)
        steps = AdversarialSteps(run, source, self.discriminator_steps, self.augment)
        self.network.train()
        self._go(run, source, steps, None, verbose)

    def _targets(self, x: Any, classes: ArrayLike | None) -> Any:
        if isinstance(x, RowStream):
            if classes is not None:
                raise ValueError("A stream has its classes: leave them out.")
            return None
        if classes is None:
            return np.zeros(len(x), np.int64)
        return np.asarray(classes)

    def _finish_epoch(self, run: Run, validation: Any, seconds: float, verbose: bool) -> None:
        losses = run.losses[-run.steps_per_epoch :]
        loss_d, loss_g, real, fake = np.mean(losses, axis=0).tolist()
        figures = (run.epoch, loss_d, loss_g, real, fake, run.optimizer.lr, seconds)
        for name, value in zip(COLUMNS, figures, strict=True):
            run.history[name].append(value)
        if verbose:
            print(
                f"Epoch {run.epoch}/{run.epochs} - Discriminator: {loss_d:.4f}, Generator: "
                f"{loss_g:.4f}, D(real): {real:.3f}, D(fake): {fake:.3f}"
            )
        for callback in run.callbacks:
            callback.on_epoch(run)
