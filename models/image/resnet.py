"""Residual networks for small images."""

from __future__ import annotations

from typing import ClassVar

from fastdl.graph import Node
from fastdl.layers import GlobalAvgPool2D
from fastdl.validation import check_size

from .base import ImageModel
from .blocks import Blocks


class ResNet(ImageModel):
    """Three stages of residual blocks of width, 2 width and 4 width channels (He et al. 2016).

    depth: 6 n + 2 for n blocks of two 3x3 convolutions a stage (20, 32, 44, 56, 110: section 4.2
    of the paper), or 9 n + 2 with ``bottleneck`` for blocks of three, with four times the channels.
    Where shapes change, shortcuts are 1x1 convolutions. zero_gamma: the last normalization of each
    block starts at 0, so that the network begins as a shallow one (Goyal et al. 2017). For images
    above 64 pixels the first convolution and, above 128, a further one have stride 2. Other
    arguments as in ``ImageModel``.

    >>> import numpy as np, fastdl
    >>> network = fastdl.ResNet(10, depth=8, width=4, size=8, rng=np.random.default_rng(0))
    >>> network.predict_proba(np.zeros((2, 3, 8, 8))).shape
    (2, 10)
    """

    options: ClassVar = {"depth": 20, "width": 16, "bottleneck": False, "zero_gamma": False}
    depth: int
    width: int
    bottleneck: bool
    zero_gamma: bool

    def build(self, x: Node, blocks: Blocks) -> Node:
        block = blocks.bottleneck if self.bottleneck else blocks.residual
        width = check_size(self.width, "width")
        x = blocks.convolution(x, self.channels, width, stride=2 if min(self.size) > 64 else 1)
        if min(self.size) > 128:
            x = blocks.convolution(x, width, width, stride=2)
        inputs = width
        for stage in range(3):
            outputs = width * 2**stage * (4 if self.bottleneck else 1)
            for place in range(self._blocks()):
                x = block(x, inputs, outputs, 2 if stage > 0 and place == 0 else 1)
                inputs = outputs
        return blocks.logits(GlobalAvgPool2D()(x), inputs, self.classes)

    def _blocks(self) -> int:
        """How many a stage has."""
        step = 9 if self.bottleneck else 6
        depth = check_size(self.depth, "depth")
        if depth < step + 2 or (depth - 2) % step:
            near = ", ".join(str(step * n + 2) for n in (1, 2, 3, 5, 9))
            with_it = "with" if self.bottleneck else "without"
            raise ValueError(
                f"depth is {depth}; expected {step} n + 2 {with_it} bottleneck, such as {near}."
            )
        return (depth - 2) // step
