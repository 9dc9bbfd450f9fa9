"""What image networks are built of, as functions of a graph's nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastdl.graph import Node
from fastdl.initializers import Function, Normal
from fastdl.layers import BatchNormalization, Conv2D, Dense


def he_fan_out(
    shape: tuple[int, ...], fan_in: int, fan_out: int, rng: Any, dtype: np.dtype[Any]
) -> np.ndarray:
    """N(0, 2 / fan_out): keeps the gradient's size under ReLU (He et al. 2015, equation 14)."""
    draw = np.random.randn if rng is None else lambda *sizes: rng.standard_normal(sizes)
    return (draw(*shape) * np.sqrt(2.0 / fan_out)).astype(dtype)


@dataclass(frozen=True)
class Blocks:
    """Blocks with weights of one dtype, from one source of randomness.

    Nodes stand for images (N, C, H, W); ``inputs`` and ``outputs`` are numbers of channels.
    Convolutions have batch normalization in the place of a bias.
    """

    dtype: np.dtype[Any]
    rng: np.random.Generator | None = None
    initializer: Function | str = he_fan_out
    zero_gamma: bool = False  # the last normalization of a residual block starts at gamma = 0

    def convolution(
        self, x: Node, inputs: int, outputs: int, kernel_size: int = 3, *, stride: int = 1,
        groups: int = 1, activation: str | None = "relu", shortcut: Node | None = None,
    ) -> Node:  # fmt: skip
        """Convolution, batch normalization, plus the shortcut's images, activation."""
        x = Conv2D(
            inputs, outputs, kernel_size, stride, kernel_size // 2, groups=groups, bias=False,
            initializer=self.initializer, dtype=self.dtype, rng=self.rng,
        )(x)  # fmt: skip
        norm = BatchNormalization(num_features=outputs, activation=activation, dtype=self.dtype)
        if shortcut is None:
            return norm(x)
        if self.zero_gamma:
            norm.gamma = np.zeros(outputs)
        return norm(x, shortcut)

    def residual(self, x: Node, inputs: int, outputs: int, stride: int = 1) -> Node:
        """relu(x + two 3x3 convolutions of x) (He et al. 2016, figure 5 left)."""
        y = self.convolution(x, inputs, outputs, stride=stride)
        return self.convolution(
            y, outputs, outputs, shortcut=self.projection(x, inputs, outputs, stride)
        )

    def bottleneck(self, x: Node, inputs: int, outputs: int, stride: int = 1) -> Node:
        """relu(x + 1x1, 3x3 and 1x1 convolutions of x) (He et al. 2016, figure 5 right)."""
        width = outputs // 4
        y = self.convolution(x, inputs, width, 1)
        y = self.convolution(y, width, width, 3, stride=stride)
        return self.convolution(
            y, width, outputs, 1, shortcut=self.projection(x, inputs, outputs, stride)
        )

    def projection(self, x: Node, inputs: int, outputs: int, stride: int) -> Node:
        """x, or a 1x1 convolution of it where its shape changes (He et al. 2016, option B)."""
        if stride == 1 and inputs == outputs:
            return x
        return self.convolution(x, inputs, outputs, 1, stride=stride, activation=None)

    def separable(self, x: Node, inputs: int, outputs: int, stride: int = 1) -> Node:
        """A 3x3 convolution of each channel, then a 1x1 of all (Howard et al. 2017, figure 3)."""
        x = self.convolution(x, inputs, inputs, 3, stride=stride, groups=inputs)
        return self.convolution(x, inputs, outputs, 1)

    def inverted_residual(
        self, x: Node, inputs: int, outputs: int, stride: int = 1, expansion: int = 6
    ) -> Node:
        """1x1 to more channels, 3x3 of each, 1x1 to few (Sandler et al. 2018, figure 4).

        x is added where its shape stays; nothing follows the last convolution. Activations are
        ReLU, whose bound of 6 there serves 8-bit arithmetic.
        """
        wide = inputs * expansion
        y = x if expansion == 1 else self.convolution(x, inputs, wide, 1)
        y = self.convolution(y, wide, wide, 3, stride=stride, groups=wide)
        same = stride == 1 and inputs == outputs
        return self.convolution(y, wide, outputs, 1, activation=None, shortcut=x if same else None)

    def dense(self, x: Node, inputs: int, outputs: int, initializer: Any = "he") -> Node:
        """A fully connected layer of x (N, inputs)."""
        layer = Dense(inputs, outputs, initializer=initializer, dtype=self.dtype, rng=self.rng)
        return layer(x)

    def logits(self, x: Node, inputs: int, classes: int) -> Node:
        """The output layer, which at first finds all classes about equally probable."""
        return self.dense(x, inputs, classes, Normal(std=0.01))
