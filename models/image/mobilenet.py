"""Networks of depthwise convolutions, which need few multiplications."""

from __future__ import annotations

from typing import ClassVar

from fastdl.graph import Node
from fastdl.layers import GlobalAvgPool2D
from fastdl.validation import check_number

from .base import ImageModel
from .blocks import Blocks

# (outputs, stride, blocks, expansion): Howard et al. 2017, table 1; Sandler et al. 2018, table 2
STAGES = {
    1: ((64, 1, 1, 0), (128, 2, 2, 0), (256, 2, 2, 0), (512, 2, 6, 0), (1024, 2, 2, 0)),
    2: ((16, 1, 1, 1), (24, 2, 2, 6), (32, 2, 3, 6), (64, 2, 4, 6), (96, 1, 3, 6),
        (160, 2, 3, 6), (320, 1, 1, 6)),
}  # fmt: skip


class MobileNet(ImageModel):
    """Depthwise separable convolutions: version 1 (Howard et al. 2017) or 2 (Sandler et al. 2018).

    width: the multiplier of all numbers of channels, which are rounded to multiples of 8. The
    papers' images have 224 pixels and are halved five times; smaller ones are halved as often as
    leaves maps of 4 pixels, the first halvings being left out. Other arguments as in
    ``ImageModel``.

    >>> import numpy as np, fastdl
    >>> network = fastdl.MobileNet(3, width=0.125, size=8, rng=np.random.default_rng(0))
    >>> network.predict_proba(np.zeros((2, 3, 8, 8))).shape
    (2, 3)
    """

    options: ClassVar = {"width": 1.0, "version": 1}
    width: float
    version: int

    def build(self, x: Node, blocks: Blocks) -> Node:
        self.width = check_number(self.width, "width", open_low=True)
        if self.version not in STAGES:
            raise ValueError(f"version is {self.version!r}; expected 1 or 2.")
        stages = STAGES[self.version]
        strides = self._strides([2, *(stride for _, stride, _, _ in stages)])
        inputs = self._channels(32)
        x = blocks.convolution(x, self.channels, inputs, stride=strides[0])
        for (outputs, _, count, expansion), first in zip(stages, strides[1:], strict=True):
            outputs = self._channels(outputs)
            for place in range(count):
                stride = first if place == 0 else 1
                if expansion:
                    x = blocks.inverted_residual(x, inputs, outputs, stride, expansion)
                else:
                    x = blocks.separable(x, inputs, outputs, stride)
                inputs = outputs
        if self.version == 2:
            outputs = self._channels(1280)
            x = blocks.convolution(x, inputs, outputs, 1)
            inputs = outputs
        return blocks.logits(GlobalAvgPool2D()(x), inputs, self.classes)

    def _channels(self, count: int) -> int:
        """A multiple of 8, and not much below what the multiplier asks for."""
        wanted = count * self.width
        found = max(8, int(wanted + 4) // 8 * 8)
        return found + 8 if found < 0.9 * wanted else found

    def _strides(self, strides: list[int]) -> list[int]:
        """The strides with the first halvings left out where the images are small."""
        halved = [i for i, stride in enumerate(strides) if stride == 2]
        left_out = halved[: len(halved) - self.halvings(len(halved), 4)]
        return [1 if i in left_out else stride for i, stride in enumerate(strides)]
