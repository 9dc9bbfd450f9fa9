"""The course's CTR network: a multi-layer perceptron with two outputs, no click and click."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastdl.layers import Dense, ReLU
from fastdl.layers.base import Layer
from fastdl.losses import Softmax
from fastdl.network import Network


class CTRPredictionNetwork(Network):
    """input_dim -> hidden_dims with ReLU -> 2 logits, trained by Softmax on one-hot labels (N, 2).

    Raises ValueError for sizes below one, TypeError for sizes that are not ints.

    >>> import numpy as np, fastdl
    >>> network = fastdl.CTRPredictionNetwork(39, [64, 32])
    >>> network.predict_proba(np.zeros((5, 39))).shape
    (5, 2)
    """

    def __init__(
        self,
        input_dim: int,
        hidden_dims: list[int],
        *,
        initializer: Any = "he",
        dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        dims = [input_dim, *hidden_dims, 2]
        layers: list[Layer] = []
        for inputs, outputs in zip(dims[:-1], dims[1:], strict=True):
            layers += [
                Dense(inputs, outputs, initializer=initializer, dtype=dtype, rng=rng),
                ReLU(),
            ]
        super().__init__(layers[:-1], Softmax())

    def predict_proba(self, x: ArrayLike, *, batch_size: int = 8192) -> np.ndarray:
        """Probabilities of no click and click, (N, 2), in batches of bounded memory."""
        x = self._input(x)
        parts = []
        for start in range(0, len(x), batch_size):
            logits = self.predict(x[start : start + batch_size])
            e = np.exp(logits - logits.max(axis=1, keepdims=True))
            parts.append(e / e.sum(axis=1, keepdims=True))
        return np.concatenate(parts)
