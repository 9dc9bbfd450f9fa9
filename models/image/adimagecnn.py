"""A small network of 3x3 convolutions and pools."""

from __future__ import annotations

from typing import ClassVar

from fastdl.graph import Node
from fastdl.layers import Conv2D, Dropout, Flatten, GlobalAvgPool2D, MaxPool2D, ReLU
from fastdl.validation import check_number, check_size

from .base import ImageModel
from .blocks import Blocks

HEADS = ("pool", "dense")


class AdImageCNN(ImageModel):
    """Stages of 3x3 convolutions with a 2x2 pool behind each (Simonyan & Zisserman 2015).

    widths: channels of each stage; None takes as many stages, up to 4, as leave maps of 3 pixels,
    and doubles from 32 on (of 4 stages from 16 on). convolutions: in each stage. batch_norm: behind each of them.
    head: "pool", the means of the last maps, takes images of any size; "dense", a hidden layer of
    ``hidden`` units on all of the last maps, takes those of ``size``. dropout: of what the output
    layer sees. Other arguments as in ``ImageModel``.

    >>> import numpy as np, fastdl
    >>> network = fastdl.AdImageCNN(4, size=16, widths=(8, 16), rng=np.random.default_rng(0))
    >>> network.predict_proba(np.zeros((2, 3, 16, 16))).shape
    (2, 4)
    """

    options: ClassVar = {
        "widths": None, "convolutions": 2, "batch_norm": True, "dropout": 0.2,
        "head": "pool", "hidden": 128,
    }  # fmt: skip
    widths: tuple[int, ...]
    convolutions: int
    batch_norm: bool
    dropout: float
    head: str
    hidden: int

    def build(self, x: Node, blocks: Blocks) -> Node:
        self._check()
        inputs = self.channels
        for width in self.widths:
            for _ in range(self.convolutions):
                x = self._convolution(x, blocks, inputs, width)
                inputs = width
            x = MaxPool2D(2)(x)
        if self.head == "pool":
            x = GlobalAvgPool2D()(x)
        else:
            height, width = (side >> len(self.widths) for side in self.size)
            x = ReLU()(blocks.dense(Flatten()(x), inputs * height * width, self.hidden))
            inputs = self.hidden
        if self.dropout:
            x = Dropout(self.dropout, rng=blocks.rng)(x)
        return blocks.logits(x, inputs, self.classes)

    def _convolution(self, x: Node, blocks: Blocks, inputs: int, width: int) -> Node:
        if self.batch_norm:
            return blocks.convolution(x, inputs, width)
        return Conv2D(
            inputs, width, 3, padding=1, activation="relu", initializer=blocks.initializer,
            dtype=blocks.dtype, rng=blocks.rng,
        )(x)  # fmt: skip

    def _check(self) -> None:
        if self.widths is None:
            stages = max(1, self.halvings(4, 3))
            self.widths = tuple((16 if stages == 4 else 32) << i for i in range(stages))
        self.widths = tuple(check_size(width, "widths' numbers") for width in self.widths)
        check_size(self.convolutions, "convolutions")
        check_size(self.hidden, "hidden")
        self.dropout = check_number(self.dropout, "dropout", high=1.0, open_high=True)
        if self.head not in HEADS:
            raise ValueError(f"head is {self.head!r}; expected one of {', '.join(HEADS)}.")
        least = 1 << len(self.widths)
        if not self.widths or min(self.size) < least:
            raise ValueError(
                f"widths has {len(self.widths)} stages, whose pools need images of {least} x "
                f"{least} pixels or more; size is {self.size[0]} x {self.size[1]}."
            )
