"""NumPy twins of the interaction kernels."""

from __future__ import annotations

import numpy as np


def fm_forward(e, sums, out):  # type: ignore[no-untyped-def]
    """out (B, 1); sums (B, K) = sum over the fields, which backward needs."""
    sums[...] = e.sum(axis=1)
    out[:, 0] = (np.sum(sums**2, axis=1) - np.sum(e**2, axis=(1, 2))) / 2


def fm_backward(e, sums, dout, de):  # type: ignore[no-untyped-def]
    """de_f = dout (sums - e_f); dout (B, 1), de (B, F, K)."""
    de[...] = dout[:, :, None] * (sums[:, None, :] - e)


def ffm_forward(e, out):  # type: ignore[no-untyped-def]
    """out (B, 1); e[b, f, g * K : (g + 1) * K] is field f's vector towards field g."""
    out[:, 0] = np.sum(_by_pair(e) * _other_side(e) * _upper(e.shape[1]), axis=(1, 2, 3))


def ffm_backward(e, dout, de):  # type: ignore[no-untyped-def]
    """de of ``ffm_forward``; dout (B, 1), de (B, F, F * K)."""
    upper = _upper(e.shape[1])
    pairs = dout[:, :, None, None] * _other_side(e) * (upper + upper.transpose(1, 0, 2))
    de[...] = pairs.reshape(e.shape)


def dot_forward(e, out):  # type: ignore[no-untyped-def]
    """out (B, F (F - 1) / 2)."""
    lower = np.tril_indices(e.shape[1], -1)
    out[...] = (e @ e.transpose(0, 2, 1))[:, lower[0], lower[1]]


def dot_backward(e, dout, de):  # type: ignore[no-untyped-def]
    """de of ``dot_forward``; dout (B, F (F - 1) / 2), de (B, F, K)."""
    lower = np.tril_indices(e.shape[1], -1)
    dproducts = np.zeros((len(e), e.shape[1], e.shape[1]), e.dtype)
    dproducts[:, lower[0], lower[1]] = dout
    de[...] = (dproducts + dproducts.transpose(0, 2, 1)) @ e


def _by_pair(e):  # type: ignore[no-untyped-def]
    B, F, width = e.shape
    return e.reshape(B, F, F, width // F)


def _other_side(e):  # type: ignore[no-untyped-def]
    return _by_pair(e).transpose(0, 2, 1, 3)


def _upper(F):  # type: ignore[no-untyped-def]
    return np.triu(np.ones((F, F)), 1)[:, :, None]
