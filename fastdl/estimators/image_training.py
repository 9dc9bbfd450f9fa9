"""What is behind an image classifier's ``fit``: images in, a trained model out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..callbacks import Callback, EarlyStopping
from ..models.image import ImageModel
from ..schedules import Schedule
from ..trainer import Trainer
from ..validation import check_number, check_size
from .conventions import Classifier
from .fitting import LEAST_VALIDATION
from .pickled import HoldsModel

# .data and .vision are imported where they are needed: `import fastdl` stays fast
if TYPE_CHECKING:
    from ..data.images import Augmentation, ImageSet, ImageStream
    from ..optimizers import KernelOptimizer
    from ..vision.trained import Preparation, TrainedImageModel
    from .image_samples import Weighted


class ImageClassifier(HoldsModel, Classifier):
    """Base of ``AdImageClassifier``, which says what its parameters and attributes mean."""

    model: str | type[ImageModel]
    model_options: Mapping[str, Any] | None
    size: int | tuple[int, int] | None
    resize: str
    augmentation: Augmentation | str | dict[str, Any] | None
    class_weight: Any
    epochs: int
    batch_size: int
    optimizer: str
    lr: Any
    weight_decay: float
    momentum: float
    warmup: float
    validation_fraction: float
    patience: int
    verbose: bool

    classes_: np.ndarray
    n_features_in_: int
    model_: ImageModel
    preparation_: Preparation
    history_: dict[str, list[Any]]
    n_iter_: int
    _online: tuple[KernelOptimizer, np.random.Generator]  # of partial_fit

    def _check_parameters(self) -> None:
        """What can be told before any image is read."""
        from ..data.images.augmentation import as_augmentation
        from ..vision.recipe import make_optimizer, model_class

        model_class(self.model)
        check_size(self.epochs, "epochs")
        check_size(self.batch_size, "batch_size")
        check_size(self.patience, "patience")
        check_number(self.validation_fraction, "validation_fraction", high=1.0, open_high=True)
        as_augmentation(self.augmentation)
        if not isinstance(self.lr, Schedule):
            check_number(self.lr, "lr", open_low=True)
        make_optimizer(self.optimizer, 0.1, self.weight_decay, self.momentum)

    def _labelled(self, X: Any, y: Any, classes: np.ndarray | None) -> tuple[ImageSet, np.ndarray]:
        from .image_samples import labelled

        return labelled(X, y, classes)

    def _begin(self, X: Any, classes: np.ndarray) -> None:
        """Learn the classes; what an earlier fit learned is forgotten."""
        self._forget()
        self.classes_ = classes
        if isinstance(X, np.ndarray) and X.ndim > 2:
            self.n_features_in_ = int(np.prod(X.shape[1:]))

    def _parts(self, given: Weighted, rng: np.random.Generator) -> tuple[Weighted, Weighted | None]:
        """Images to train on, and a share of each class that decides when to stop, if any."""
        from ..data.images.split import stratified_rows

        share = float(self.validation_fraction)
        images = given.images
        if len(images) * share < LEAST_VALIDATION or min(np.unique_counts(images.labels)[1]) < 2:
            return given, None
        seed = int(rng.integers(1 << 31))
        first, second = stratified_rows(images.labels, (1 - share, share), seed, images.classes)
        return given.at(first), given.at(second)

    def _stream(self, given: Weighted) -> ImageStream:
        """The images as batches; size, mean and std are those of the model, if it is there."""
        from ..data.images import ImageStream
        from ..vision.recipe import image_channels, image_size

        images, weights = given.images, self.class_weight
        if isinstance(weights, Mapping):
            weights = {str(name): weight for name, weight in weights.items()}
        own: dict[str, Any] = {"size": image_size(images, self.size), "fit": self.resize,
                               "channels": image_channels(images)}  # fmt: skip
        if self.__sklearn_is_fitted__():
            known = self.preparation_.to_dict()
            own = {name: known[name] for name in ("size", "channels", "mean", "std", "fit")}
            own["size"] = tuple(own["size"])
        return ImageStream(
            images, own.pop("size"), augmentation=self.augmentation, class_weight=weights,
            sample_weight=given.weight, **own,
        )  # fmt: skip

    def _build(self, stream: ImageStream, rng: np.random.Generator) -> None:
        """The model, not trained."""
        from ..vision.recipe import make_model
        from ..vision.trained import Preparation

        names = [str(name) for name in self.classes_.tolist()]
        self.preparation_ = Preparation.from_dict({**stream.settings(), "classes": names})
        self.model_ = make_model(
            self.model, len(names), stream.size, stream.channels, rng, self.model_options
        )

    def _optimizer(self, rows: int, batch: int) -> KernelOptimizer:
        from ..vision.recipe import make_optimizer, make_schedule

        rate = self.lr
        if not isinstance(rate, Schedule):
            rate = make_schedule(rate, self.warmup, self.epochs, rows, batch)
        return make_optimizer(self.optimizer, rate, self.weight_decay, self.momentum)

    def _train(
        self, stream: ImageStream, held: Weighted | None, optimizer: KernelOptimizer,
        rng: np.random.Generator, epochs: int,
    ) -> None:  # fmt: skip
        validation = None if held is None else stream.evaluating(held.images, held.weight)
        callbacks: list[Callback] = [EarlyStopping(patience=self.patience)] if validation else []
        trainer = Trainer(self.model_, optimizer)
        trainer.train(
            stream, None, validation, None, epochs, min(self.batch_size, stream.rows), rng=rng,
            callbacks=callbacks, loss_at="before", verbose=bool(self.verbose),
        )  # fmt: skip
        self.history_, self.n_iter_ = trainer.history, len(trainer.history["epoch"])

    def _trained(self) -> TrainedImageModel:
        from ..vision.trained import TrainedImageModel

        return TrainedImageModel(self.model_, self.preparation_)
