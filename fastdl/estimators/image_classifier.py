"""A classifier of images with scikit-learn's methods."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.image import ImageModel
from ..schedules import Schedule
from .fitting import generator, row_weights
from .image_training import ImageClassifier

# .data and .vision are imported where they are needed: `import fastdl` stays fast
if TYPE_CHECKING:
    from ..data.images import Augmentation


class AdImageClassifier(ImageClassifier):
    """Images in, the probability of each class out.

    model: "adimagecnn", "resnet", "mobilenet" or a subclass of ``ImageModel``; model_options: its
    own options, such as {"depth": 32}. size: pixels of height and width that images are brought
    to, one number or two; None takes their own, and 64 where files have several; resize: "crop",
    "pad" or "stretch" where the aspect ratio differs. augmentation: random changes in training, as
    ``fastdl.data.images.ImageStream`` takes them. class_weight: "balanced", or a dict of class and
    weight. epochs, batch_size, optimizer ("adamw", or "sgd" with ``momentum``) and weight_decay are
    training's; lr is the largest rate, which warms up for ``warmup`` epochs and then follows half a
    cosine, or a schedule of ``fastdl.schedules``.

    validation_fraction of each class's images, at random, decide when to stop: when their loss has
    not fallen for ``patience`` epochs, and the best epoch's weights stay. Where that makes fewer
    than 50 images, or is 0, all images train for all epochs. warm_start: ``fit`` goes on with the
    weights. random_state: an int, a RandomState or Generator, None draws from NumPy's global state.

    X is an array (N, H, W), (N, H, W, C) or (N, C, H, W), uint8 or floats from 0 to 1; a list of
    paths of image files; an ``ImageSet``; or the path of a folder with a folder for each class or
    of a CSV of paths and labels. After ``fit``: classes_, model_, preparation_ (size, mean and std
    of the inputs), history_ (figures of each epoch), n_iter_ (epochs), n_features_in_ (numbers of
    an image, where X was an array).

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.random((40, 8, 8)) * 0.1, np.array(["dark", "light"] * 20)
    >>> X[y == "light"] += 0.9
    >>> classifier = AdImageClassifier(model_options={"widths": (8,)}, epochs=4, random_state=0)
    >>> classifier.fit(X, y).predict(np.array([np.zeros((8, 8)), np.ones((8, 8))])).tolist()
    ['dark', 'light']
    """

    def __init__(
        self, model: str | type[ImageModel] = "adimagecnn", *,
        model_options: Mapping[str, Any] | None = None, size: int | tuple[int, int] | None = None,
        resize: str = "crop", augmentation: Augmentation | str | dict[str, Any] | None = "none",
        class_weight: Any = None, epochs: int = 20, batch_size: int = 64,
        optimizer: str = "adamw", lr: Any = 0.003, weight_decay: float = 0.01,
        momentum: float = 0.9, warmup: float = 1.0, validation_fraction: float = 0.1,
        patience: int = 10, warm_start: bool = False, random_state: Any = None,
        verbose: bool = False,
    ) -> None:  # fmt: skip
        self.model = model
        self.model_options = model_options
        self.size = size
        self.resize = resize
        self.augmentation = augmentation
        self.class_weight = class_weight
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.warmup = warmup
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> AdImageClassifier:
        """Learn from images X and their labels y (N,); without y X has its own.

        sample_weight (N,), in the order of X's images: one of weight 2 counts in the loss as two,
        those of weight 0 are left out. Mean and std of the inputs are not weighted.

        Raises TypeError and ValueError for parameters and images that cannot be used.
        """
        from .image_samples import weighted

        going_on = self.warm_start and self.__sklearn_is_fitted__()
        self._check_parameters()
        rng = generator(self.random_state)
        images, classes = self._labelled(X, y, self.classes_ if going_on else None)
        given = weighted(images, sample_weight)
        if not going_on:
            self._begin(X, classes)
        train, held = self._parts(given, rng)
        stream = self._stream(train)
        if not going_on:
            self._build(stream, rng)
        batch = min(self.batch_size, stream.rows)
        self._train(stream, held, self._optimizer(stream.rows, batch), rng, self.epochs)
        return self

    def partial_fit(
        self, X: Any, y: Any = None, *, classes: Any = None, sample_weight: Any = None
    ) -> AdImageClassifier:
        """Learn on from further images in one pass, at the constant rate ``lr``.

        Of a classifier that is not fitted the first images tell mean and size; classes names all
        values of y where these images may lack some; sample_weight as in ``fit``. The optimizer's
        moments start anew behind ``fit``, ``load`` and pickle.
        """
        from .image_samples import weighted

        fitted = self.__sklearn_is_fitted__()
        self._check_parameters()
        known = self.classes_ if fitted else None if classes is None else np.unique(classes)
        images, found = self._labelled(X, y, known)
        given = weighted(images, sample_weight)
        if not fitted:
            self._begin(X, found)
        stream = self._stream(given)
        if not hasattr(self, "_online"):
            from ..vision.recipe import make_optimizer

            rate = self.lr.rate(0) if isinstance(self.lr, Schedule) else self.lr
            optimizer = make_optimizer(self.optimizer, rate, self.weight_decay, self.momentum)
            self._online = optimizer, generator(self.random_state)
        if not fitted:
            self._build(stream, self._online[1])
        self._train(stream, None, *self._online, 1)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of ``classes_``, float32 (N, classes).

        Raises NotFittedError (a ValueError) before ``fit``.
        """
        from .image_samples import unlabelled

        self._check_fitted()
        return self._trained().predict_proba(unlabelled(X))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of images whose class is predicted; without y the labels are X's own."""
        self._check_fitted()
        images, _ = self._labelled(X, y, self.classes_)
        right = self._trained().predict_proba(images).argmax(axis=1) == images.labels
        return float(np.average(right, weights=row_weights(sample_weight, len(right))))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write model, classes and parameters into a folder, as ``fastdl train-image`` does.

        ``fastdl predict-image --model FOLDER`` and ``AdImageClassifier.load`` read it. Parameters
        that JSON cannot hold are left out.
        """
        from .image_files import write_classifier

        self._check_fitted()
        write_classifier(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> AdImageClassifier:
        """The classifier of a folder by ``save`` or by ``fastdl train-image``.

        Raises FileNotFoundError, and ValueError for files that are damaged or do not belong
        together.
        """
        from .image_files import read_classifier

        return cls._with(read_classifier(folder))
