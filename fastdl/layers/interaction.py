"""Interactions between the fields' vectors e (N, F, K) of a row."""

from __future__ import annotations

import numpy as np

from .base import Layer, ops, required


class FactorizationInteraction(Layer):
    """sum over f < g of <e_f, e_g>, (N, 1), in O(F K) (Rendle 2010, Factorization machines)."""

    e: np.ndarray | None = None
    sums: np.ndarray | None = None

    def forward(self, e: np.ndarray) -> np.ndarray:
        """One number a row, (N, 1)."""
        self.e = e = np.ascontiguousarray(e)
        self.sums = np.empty((e.shape[0], e.shape[2]), e.dtype)
        out = np.empty((len(e), 1), e.dtype)
        ops.fm_forward(e, self.sums, out)
        return out

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """de (N, F, K)."""
        e = required(self.e, self)
        de = np.empty_like(e)
        ops.fm_backward(e, self.sums, np.ascontiguousarray(dout), de)
        return de


class FieldAwareInteraction(Layer):
    """sum over f < g of <e_f,g , e_g,f>, (N, 1), from e (N, F, F K): a vector for each other field.

    Juan et al. 2016, Field-aware factorization machines for CTR prediction.
    """

    e: np.ndarray | None = None

    def forward(self, e: np.ndarray) -> np.ndarray:
        """One number a row, (N, 1)."""
        self.e = e = np.ascontiguousarray(e)
        out = np.empty((len(e), 1), e.dtype)
        ops.ffm_forward(e, out)
        return out

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """de (N, F, F K)."""
        e = required(self.e, self)
        de = np.empty_like(e)
        ops.ffm_backward(e, np.ascontiguousarray(dout), de)
        return de


class DotInteraction(Layer):
    """All <e_f, e_g> with f > g, (N, F (F - 1) / 2) (Naumov et al. 2019, DLRM)."""

    e: np.ndarray | None = None

    def forward(self, e: np.ndarray) -> np.ndarray:
        """Row by row of the lower triangle."""
        self.e = e = np.ascontiguousarray(e)
        F = e.shape[1]
        out = np.empty((len(e), F * (F - 1) // 2), e.dtype)
        ops.dot_forward(e, out)
        return out

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """de (N, F, K)."""
        e = required(self.e, self)
        de = np.empty_like(e)
        ops.dot_backward(e, np.ascontiguousarray(dout), de)
        return de
