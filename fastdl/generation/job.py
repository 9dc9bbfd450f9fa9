"""What a training of a GAN is asked for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from ..data.images.ad_layouts import LAYOUTS
from ..options import Options, listed_names
from ..validation import check_number, check_size
from ..vision.job import FITS, KEPT, LABELS, names
from .recipe import Recipe, reachable_size

CLASSES = ("auto", "none")
_NUMBERS = {"lr": 0.1, "discriminator_lr": 0.1, "average": 0.1, "discriminator_steps": 1, "size": 1}


@dataclass(frozen=True)
class GANJob(Options):
    """What ``fastdl train-gan`` is asked for; the defaults are the command's."""

    may_change: ClassVar = ("keep",)

    data: str | None = None  # a folder of (class folders of) images, CSV, .npz; None: creatives
    path_column: str | None = None  # of a CSV
    label_column: str | None = None
    class_names: tuple[str, ...] | None = None  # where labels are numbers: MNIST's files, .npz
    rows: int = 6000  # of generated creatives
    layouts: tuple[str, ...] | None = None  # of creatives; None: "centre", or all as labels
    difficulty: float = 0.0
    labels: str = "product"
    on_error: str = "stop"  # or "skip" bad files, which are counted
    classes: str = "auto"  # images are made by class where there are two or more, or "none"
    size: int | None = None  # pixels of a side; None: by the images
    fit: str = "crop"
    latent: int = Recipe.latent
    width: int = Recipe.width
    loss: str = Recipe.loss
    normalization: str = Recipe.normalization
    minibatch_stddev: bool = Recipe.minibatch_stddev
    augment: str = Recipe.augment
    average: float | None = Recipe.average
    epochs: int = Recipe.epochs
    batch_size: int = Recipe.batch_size
    optimizer: str | None = Recipe.optimizer
    lr: float | None = Recipe.lr
    discriminator_lr: float | None = Recipe.discriminator_lr
    beta1: float = Recipe.beta1
    discriminator_steps: int | None = Recipe.discriminator_steps
    judge: int = 2000  # images that are judged; 0: none, and no network of features is trained
    judge_every: int = 5  # epochs
    patience: int = 5  # epochs of collapse before training stops
    pictures: int = 64  # images of a grid; 0: no pictures at all
    keep: str = "memory"  # where decoded images are kept
    seed: int = 0

    def __post_init__(self) -> None:
        self.check_choices(on_error=("stop", "skip"), fit=FITS, keep=KEPT, labels=LABELS,
                           classes=CLASSES)  # fmt: skip
        for name in ("rows", "patience", "judge_every"):
            check_size(getattr(self, name), name)
        for name in ("judge", "pictures"):
            check_number(getattr(self, name), name)
        check_number(self.difficulty, "difficulty", high=1.0)
        reachable_size(self.size, None)
        if self.layouts is not None and not set(self.layouts) <= set(LAYOUTS):
            raise ValueError(
                f"layouts is {', '.join(self.layouts)}; expected 'all' or some of "
                f"{', '.join(LAYOUTS)}."
            )
        self.recipe()

    def recipe(self) -> Recipe:
        """Options of networks and training, checked."""
        return Recipe(**{f.name: getattr(self, f.name) for f in dataclasses.fields(Recipe)})

    @property
    def drawn_layouts(self) -> tuple[str, ...]:
        """The layouts of generated creatives. With one, products are learned in minutes."""
        usual = tuple(LAYOUTS) if self.labels == "layout" else ("centre",)
        return self.layouts or usual

    @property
    def source(self) -> str:
        """What the images come from, in a few words."""
        return self.data or "generated creatives"

    @classmethod
    def checked(cls, name: str, value: Any, usual: Any) -> Any:
        if name == "class_names" and value is not None:
            return names(value)
        if name == "layouts":
            if value == "all":
                return tuple(LAYOUTS)
            return None if value is None else listed_names(
                value, "layouts", "names such as 'centre,top', or 'all'"
            )  # fmt: skip
        if name == "average" and value in (0, "none"):  # TOML and flags cannot say None
            return None
        if value is not None and name in _NUMBERS:
            return Options.checked(name, value, _NUMBERS[name])
        return Options.checked(name, value, usual)
