"""What a training on images is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..data.images import Augmentation
from ..data.images.augmentation import as_augmentation
from ..models.image import BY_NAME
from ..options import Options, listed_names, table_of_options
from ..validation import check_number, check_size
from .recipe import OPTIMIZERS

FITS = ("crop", "pad", "stretch")
KEPT = ("memory", "disk", "nowhere")
LABELS = ("product", "layout", "action")


@dataclass(frozen=True)
class ImageJob(Options):
    """What ``fastdl train-image`` is asked for; the defaults are the command's."""

    may_change: ClassVar = ("patience", "pictures", "keep")

    data: str | None = None  # a folder of class folders, CSV or .npz; None: generated creatives
    valid: str | None = None  # images that decide when to stop, in place of a share of data
    test: str | None = None  # images that test, in place of a share of data
    path_column: str | None = None  # of a CSV
    label_column: str | None = None
    class_names: tuple[str, ...] | None = None  # where labels are numbers: MNIST's files, .npz
    rows: int = 3000  # of generated creatives
    difficulty: float = 0.5
    labels: str = "product"
    on_error: str = "stop"  # or "skip" bad files, which are counted
    model: str = "adimagecnn"
    model_options: Mapping[str, Any] | None = None  # such as depth and width of a ResNet
    size: int | None = None  # pixels of height and width; None: the images' own, or 64
    fit: str = "crop"
    augment: str | Mapping[str, Any] = "light"  # a preset, or fields of an Augmentation
    label_smoothing: float | None = None  # None: the preset's
    mixup: float | None = None
    class_weight: str | None = None
    epochs: int = 10
    batch_size: int = 64
    optimizer: str = "adamw"
    lr: float = 0.003  # the largest rate, behind the warm-up
    weight_decay: float = 0.01
    warmup: float = 1.0  # epochs
    patience: int = 10
    keep: str = "memory"  # where decoded images are kept
    pictures: int = 12  # most wrong images that the report shows; 0: no pictures
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model.lower() not in BY_NAME:
            raise ValueError(f"model is {self.model!r}; expected one of {', '.join(BY_NAME)}.")
        self.check_choices(on_error=("stop", "skip"), fit=FITS, keep=KEPT, labels=LABELS,
                           optimizer=OPTIMIZERS)  # fmt: skip
        if self.class_weight not in (None, "balanced"):
            raise ValueError(f"class_weight is {self.class_weight!r}; expected 'balanced'.")
        for name in ("rows", "epochs", "batch_size", "patience"):
            check_size(getattr(self, name), name)
        if self.size is not None:
            check_size(self.size, "size")
        check_number(self.difficulty, "difficulty", high=1.0)
        check_number(self.lr, "lr", open_low=True)
        for name in ("weight_decay", "warmup", "pictures"):
            check_number(getattr(self, name), name)
        self.augmentation()

    def augmentation(self) -> Augmentation:
        """The preset with label smoothing and mixup as they are asked for."""
        own = {"label_smoothing": self.label_smoothing, "mixup": self.mixup}
        own = {name: value for name, value in own.items() if value is not None}
        asked = self.augment if isinstance(self.augment, str) else dict(self.augment)
        return Augmentation.from_dict({**as_augmentation(asked).to_dict(), **own})

    @property
    def drawn_layouts(self) -> None:
        """Generated creatives are of all layouts."""
        return

    @property
    def source(self) -> str:
        """What the images come from, in a few words."""
        return self.data or "generated creatives"

    @classmethod
    def checked(cls, name: str, value: Any, usual: Any) -> Any:
        if name == "augment" and isinstance(value, Mapping):
            return table_of_options(name, value)
        if name == "class_names" and value is not None:
            return names(value)
        if value is not None and name in ("size", "label_smoothing", "mixup"):
            return Options.checked(name, value, 1 if name == "size" else 0.1)
        return Options.checked(name, value, usual)


def names(given: Any) -> tuple[str, ...]:
    """Names of classes, from a list or from text such as "bag, shoe"; TypeError, ValueError."""
    found = listed_names(given, "class_names", "names such as 'bag,shoe'")
    if len(found) < 2 or not all(found) or len(set(found)) < len(found):
        raise ValueError(f"class_names is {given!r}; expected two names or more, each once.")
    return found
