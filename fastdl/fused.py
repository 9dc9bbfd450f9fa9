"""Runs a network of our own dense and activation layers in one compiled call a step.

``plan_for`` says whether a network is of that kind, and how its blocks lie in the flat arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .kernels import activation as kinds
from .kernels.backend import ops
from .kernels.dense import PASS, SMALL, TILE
from .kernels.mlp import OUTPUT
from .layers.activation import GELU, Activation, LeakyReLU, ReLU, Sigmoid, Tanh
from .layers.base import Layer
from .layers.dense import Dense
from .losses import (
    Huber,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    SigmoidCrossEntropy,
    Softmax,
    SoftmaxCrossEntropy,
    row_scale,
)

if TYPE_CHECKING:
    from .parameters import Store

_ACTIVATIONS = {ReLU, LeakyReLU, Sigmoid, Tanh, GELU}
_LOSSES = {Softmax, SoftmaxCrossEntropy, SigmoidCrossEntropy, MeanSquaredError,
           MeanAbsoluteError, Huber}  # fmt: skip


class Plan:
    """The table of blocks of a network, and scratch memory for its passes."""

    def __init__(self, store: Store, blocks: list[tuple[Dense, Activation | None]]) -> None:
        self.store = store
        self.outputs = blocks[-1][0].output_dim
        self.inputs = blocks[0][0].input_dim
        self.slopes = np.array([0.0 if a is None else a.slope for _, a in blocks])
        rows, tiles = [], []
        weights = column = delta = 0
        for i, (dense, activation) in enumerate(blocks):
            D, H = dense.input_dim, dense.output_dim
            kind = kinds.NONE if activation is None else activation.kind
            before, after = column, column + (H if kind == kinds.GELU else 0)
            rows.append((D, H, weights, kind, after, before, delta))
            bands = -(-D // TILE)
            tiles += [(i, band, bands) for band in range(bands)]
            weights, column, delta = weights + D * H + H, after + H, delta + H
        # large pieces first, so that no thread is left with one at the end
        tiles.sort(key=lambda tile: -rows[tile[0]][0] * rows[tile[0]][1] // tile[2])
        self.blocks = np.array(rows, np.int64)
        self.tiles = np.array(tiles, np.int64)
        self.no_tiles = self.tiles[:0]
        self.columns, self.deltas = column, delta
        self._scratch: tuple[int, np.ndarray, np.ndarray] | None = None
        self._even = np.empty(0)
        # the layers' own dictionaries: setattr takes three times as long
        self.gradient_places = [(slot.layer.__dict__, "d" + slot.name) for slot in store.slots]
        self._context = [(dense.__dict__, "x") for dense, _ in blocks]
        self._context += [(a.__dict__, "saved") for _, a in blocks if a is not None]

    def is_small(self, batch: int) -> bool:
        """Whether a batch has too little work to be worth several threads."""
        return min(batch, PASS) * self.store.flat.size < SMALL  # type: ignore[union-attr]

    def gradient_kernel(self, batch: int) -> Callable[..., None]:
        """The kernel for batches of this size; both give the same bits."""
        return ops.mlp_gradient_small if self.is_small(batch) else ops.mlp_gradient

    def train_kernel(self, batch: int) -> Callable[..., None]:
        """The same for whole steps."""
        return ops.mlp_train_small if self.is_small(batch) else ops.mlp_train

    def even(self, rows: int) -> np.ndarray:
        """Each row's share of a mean without weights; never written to."""
        if len(self._even) != rows:
            self._even = row_scale(None, rows)
        return self._even

    def forget(self) -> None:
        """Drop what the layers kept of an earlier forward: it is not of the latest batch."""
        for held, name in self._context:
            held[name] = None

    def take_scratch(self, batch: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Memory for a pass; taken away for the call, so that no two threads share it."""
        rows = min(batch, PASS)
        scratch, self._scratch = self._scratch, None
        if scratch is None or scratch[0] < rows:
            dtype = self.store.dtype
            scratch = (
                rows,
                np.empty(rows * self.columns, dtype),
                np.empty(rows * self.deltas, dtype),
            )
        return scratch

    def give_back(self, scratch: tuple[int, np.ndarray, np.ndarray]) -> None:
        """Keep the scratch for the next call."""
        self._scratch = scratch

    def gradient(
        self, x: np.ndarray, t: np.ndarray, loss: Loss, row_scale: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fresh flat gradient and row losses of a batch."""
        grads = np.empty_like(self.store.flat)
        row_loss = np.empty(len(x))
        scratch = self.take_scratch(len(x))
        self.gradient_kernel(len(x))(
            self.blocks, self.slopes, self.tiles, self.store.flat, x, t, loss.kind, loss.delta,
            row_scale, grads, row_loss, scratch[1], scratch[2],
        )  # fmt: skip
        self.give_back(scratch)
        return grads, row_loss

    def evaluate(self, x: np.ndarray, t: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        """Outputs (N, C) and row losses (N,) of at most PASS rows."""
        rows, row_loss = len(x), np.empty(len(x))
        scratch = self.take_scratch(rows)
        flat = self.store.flat
        self.gradient_kernel(len(x))(
            self.blocks, self.slopes, self.no_tiles, flat, x, t, loss.kind, loss.delta,
            row_loss, flat, row_loss, scratch[1], scratch[2],
        )  # fmt: skip
        start = self.blocks[-1, OUTPUT] * rows
        out = scratch[1][start : start + rows * self.outputs].reshape(rows, -1).copy()
        self.give_back(scratch)
        return out, row_loss


def plan_for(layers: list[Layer], loss: Any, store: Store) -> Plan | None:
    """The plan of a network that can run fused, else None."""
    if type(loss) not in _LOSSES or store.flat is None or not layers:
        return None
    blocks: list[tuple[Dense, Activation | None]] = []
    for layer in layers:
        if type(layer) is Dense and layer.trainable:
            blocks.append((layer, None))
        elif type(layer) in _ACTIVATIONS and blocks and blocks[-1][1] is None:
            blocks[-1] = (blocks[-1][0], layer)  # type: ignore[assignment]
        else:
            return None
    widths = [dense.output_dim for dense, _ in blocks]
    if [dense.input_dim for dense, _ in blocks[1:]] != widths[:-1]:
        return None  # the layers' own message tells the user more
    return Plan(store, blocks)
