"""A GAN of images with scikit-learn's conventions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..models.gan import GAN
from ..validation import check_size
from .fitting import generator
from .pickled import HoldsModel

# .data and .generation are imported where they are needed: `import fastdl` stays fast
if TYPE_CHECKING:
    from ..adversarial.features import FeatureNetwork
    from ..callbacks import Callback
    from ..data.images import ImageSet
    from ..generation.recipe import Recipe
    from ..generation.trained import Kind, TrainedGAN

_NOT_OF_THE_RECIPE = ("classes", "size", "resize", "random_state", "verbose")


class AdImageGAN(HoldsModel):
    """Learns from images to make others like them: ``fit``, ``sample``, ``interpolate``.

    classes: "auto" makes images by class where the images have two or more, "none" without. size:
    28, 32 or 64 pixels of a side that images are brought to, None by the images; resize: "crop",
    "pad" or "stretch" where the aspect ratio differs. latent: random numbers that an image is made
    from. width: channels of the largest maps. loss: "non-saturating", "minimax", "least-squares",
    "hinge" or "wasserstein". normalization: the discriminator's, "batch", "spectral" or "none".
    augment: a preset of ``fastdl.adversarial.augment``, changes that the discriminator sees images
    with, for few images. average: what the moving average of the generator's weights keeps at each
    step, None for no average. epochs, batch_size, optimizer ("adam" or "rmsprop"), lr,
    discriminator_lr, beta1 and discriminator_steps are training's; those of None are the published
    ones. random_state: an int, a RandomState or Generator, None draws from NumPy's global state.

    X is an array (N, H, W), (N, H, W, C) or (N, C, H, W), uint8 or floats from 0 to 1; a list of
    paths of image files; an ``ImageSet``; or the path of a folder of images, with a folder for each
    class or without, or of a CSV of paths and labels. After ``fit``: model_ (a ``fastdl.DCGAN``),
    classes_ (names that images are made by, empty without), kind_, history_ (figures of each
    epoch), n_iter_ (epochs), images_ (what was learned from; not kept by ``save``).

    >>> import numpy as np, fastdl
    >>> X = np.random.default_rng(0).integers(0, 256, (128, 28, 28)).astype(np.uint8)
    >>> gan = fastdl.AdImageGAN(width=4, latent=8, epochs=1, random_state=0).fit(X)
    >>> gan.sample(5).shape
    (5, 28, 28)
    """

    def __init__(
        self, *, classes: str = "auto", size: int | None = None, resize: str = "crop",
        latent: int = 100, width: int = 32, loss: str = "hinge",
        normalization: str = "spectral", minibatch_stddev: bool = True, augment: str = "none",
        average: float | None = 0.999, epochs: int = 40, batch_size: int = 64,
        optimizer: str | None = None, lr: float | None = None,
        discriminator_lr: float | None = None, beta1: float = 0.5,
        discriminator_steps: int | None = None, random_state: Any = None, verbose: bool = False,
    ) -> None:  # fmt: skip
        self.classes = classes
        self.size = size
        self.resize = resize
        self.latent = latent
        self.width = width
        self.loss = loss
        self.normalization = normalization
        self.minibatch_stddev = minibatch_stddev
        self.augment = augment
        self.average = average
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.discriminator_lr = discriminator_lr
        self.beta1 = beta1
        self.discriminator_steps = discriminator_steps
        self.random_state = random_state
        self.verbose = verbose

    model_: GAN
    kind_: Kind
    classes_: NDArray[Any]
    history_: dict[str, list[Any]]
    n_iter_: int
    images_: ImageSet | None
    features_: FeatureNetwork

    def fit(
        self, X: Any, y: Any = None, *, callbacks: Sequence[Callback] = (),
        resume: str | os.PathLike[str] | None = None,
    ) -> AdImageGAN:  # fmt: skip
        """Learn from images X, with labels y (N,) or their own, if they have some.

        callbacks go to the trainer; ``resume`` goes on from a ``Checkpoint``'s folder. Raises
        TypeError and ValueError for parameters and images that cannot be used, such as too few, and
        DivergedError.
        """
        from ..generation.job import CLASSES
        from ..generation.sources import whole_parts
        from ..generation.training import begin
        from .image_samples import labelled_or_not

        recipe = self.recipe()
        if self.classes not in CLASSES:
            raise ValueError(f"classes is {self.classes!r}; expected one of {', '.join(CLASSES)}.")
        images, names = labelled_or_not(X, y)
        parts = whole_parts(images, classes=self.classes, size=self.size, fit=self.resize)
        training = begin(recipe, parts.in_memory(), generator(self.random_state))
        training.train(callbacks, verbose=bool(self.verbose), resume=resume)
        self._forget()
        self.model_, self.kind_ = training.trained.gan, training.trained.kind
        self.classes_ = names if parts.classes else names[:0]
        self.history_ = training.trainer.history
        self.n_iter_, self.images_ = len(self.history_["epoch"]), images
        return self

    def draw(self, count: int, random_state: Any = None) -> np.ndarray:
        """Random numbers z (count, latent) that ``generate`` and ``interpolate`` take."""
        self._check_fitted()
        return self.model_.draw(check_size(count, "count"), generator(random_state))

    def generate(self, z: ArrayLike, class_name: Any = None) -> NDArray[np.uint8]:
        """Images of given z (N, latent); those of a GAN with classes need one."""
        self._check_fitted()
        rows = np.asarray(z)
        trained = self._trained()
        classes = trained.classes_of(len(rows), self._name(class_name))
        return self._shaped(trained.generate(rows, classes))

    def sample(
        self, count: int = 1, class_name: Any = None, *, random_state: Any = None,
        truncation: float | None = None,
    ) -> NDArray[np.uint8]:  # fmt: skip
        """``count`` new images, uint8 (count, H, W, 3), or (count, H, W) of grey images.

        class_name: one of ``classes_``; without it each class gets as many as another, in turn.
        random_state: as the parameter; truncation: the farthest random number, such as 1, for
        images that are better and more alike. Raises ValueError for a class that was not trained.
        """
        self._check_fitted()
        pixels, _ = self._trained().sample(
            count, self._name(class_name), rng=generator(random_state), truncation=truncation
        )
        return self._shaped(pixels)

    def interpolate(
        self, a: ArrayLike, b: ArrayLike, steps: int = 9, class_name: Any = None
    ) -> NDArray[np.uint8]:
        """``steps`` images from the one of z a (latent,) to that of b, both included.

        On the way, z goes along an arc (``fastdl.models.gan.base.spherical``). Of a GAN with
        classes without class_name, all images are of the first class.
        """
        self._check_fitted()
        trained = self._trained()
        first, last = (np.asarray(end, self.model_.dtype) for end in (a, b))
        for name, end in (("a", first), ("b", last)):
            if end.shape != (self.model_.latent,):
                raise ValueError(
                    f"{name} has shape {end.shape}; expected ({self.model_.latent},), such as a row"
                    " of draw(2)."
                )
        if class_name is None and len(self.classes_):
            class_name = self.classes_[0]
        own = check_size(steps, "steps")
        return self._shaped(trained.interpolate(first, last, own, self._name(class_name)))

    def judge(
        self, X: Any, y: Any = None, *, count: int = 2000, random_state: Any = 0
    ) -> dict[str, Any]:
        """How good ``count`` new images are, beside real images X that were not learned from.

        A small network is trained on what ``fit`` learned from (once, kept as features_), on whose
        features images are compared: "frechet" and "kernel" distances beside "frechet_floor" and
        "kernel_floor" of real images among themselves, "precision", "recall", "density",
        "coverage" and more, as ``fastdl train-gan`` reports.
        """
        from ..generation.judged import feature_network, make_judge
        from ..generation.sources import whole_parts
        from .image_samples import labelled_or_not

        self._check_fitted()
        images = getattr(self, "images_", None)
        if images is None:
            raise ValueError("A loaded GAN has no images that it learned from; fit it to judge it.")
        parts = whole_parts(images, classes=self.classes, size=self.kind_.size,
                            fit=self.resize)  # fmt: skip
        parts = parts.in_memory()
        parts.held = labelled_or_not(X, y)[0]
        if not hasattr(self, "features_"):
            self.features_ = feature_network(parts, generator(random_state))
        seed = int(generator(random_state).integers(1 << 31))
        return make_judge(parts, self.features_, self._trained(), count, seed)()

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the Fréchet distance to images X of ``judge``: the more, the better.

        Raises ValueError where half of X are no more images than there are features (128).
        """
        found = self.judge(X, y)
        if found["frechet"] is None:
            raise ValueError(
                f"Half of X are {found['real']} images; a Fréchet distance needs more of them than "
                "there are features, which are 128. judge tells other figures of few images."
            )
        return -float(found["frechet"])

    def recipe(self) -> Recipe:
        """The parameters of networks and training, checked."""
        from ..generation.recipe import Recipe

        given = self.get_params()
        return Recipe(**{k: v for k, v in given.items() if k not in _NOT_OF_THE_RECIPE})

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write networks, classes and parameters into a folder, as ``fastdl train-gan`` does.

        ``fastdl generate --model FOLDER`` and ``AdImageGAN.load`` read it. Parameters that JSON
        cannot hold, and the images, are left out.
        """
        from .gan_files import write_gan

        self._check_fitted()
        write_gan(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> AdImageGAN:
        """The GAN of a folder by ``save`` or by ``fastdl train-gan``.

        Raises FileNotFoundError, and ValueError for files that are damaged, do not belong together
        or are of another kind.
        """
        from .gan_files import read_gan

        return cls._with(read_gan(folder))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        left_out = ("images_", "features_")  # those may be files, and hold a network
        return {name: value for name, value in state.items() if name not in left_out}

    def _trained(self) -> TrainedGAN:
        from ..generation.trained import TrainedGAN

        return TrainedGAN(self.model_, self.kind_)

    def _name(self, class_name: Any) -> str | None:
        """A class of ``classes_`` as the kind names it."""
        if class_name is None:
            return None
        found = np.flatnonzero(self.classes_ == class_name)
        return self.kind_.classes[int(found[0])] if len(found) else str(class_name)

    def _shaped(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return pixels[:, :, :, 0] if pixels.shape[3] == 1 else pixels
