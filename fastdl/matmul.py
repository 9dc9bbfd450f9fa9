"""Batched matrix products and their gradients, for 2-D and 3-D operands."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .kernels.backend import ops
from .validation import as_real


def matmul(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """a b for a (M, K) or (A, M, K) and b (K, N) or (B, K, N), with np.matmul's broadcasting.

    A and B must be equal, or one of them 1. Raises TypeError unless both are float32 or both
    float64, ValueError for shapes that do not fit.

    >>> import numpy as np, fastdl
    >>> fastdl.matmul(np.ones((5, 2, 3)), np.ones((3, 4))).shape
    (5, 2, 4)
    """
    a, b = _operand(a, "a"), _operand(b, "b")
    a3, b3 = _checked(a, b)
    out = np.empty((max(len(a3), len(b3)), a3.shape[1], b3.shape[2]), a.dtype)
    ops.matmul_forward(a3, b3, out)
    return out if a.ndim == 3 or b.ndim == 3 else out[0]


def matmul_backward(a: ArrayLike, b: ArrayLike, dout: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """(da, db), of the shapes of a and b, for dout of the shape of ``matmul(a, b)``.

    Where one matrix served the whole batch, its gradient is the sum over the batch.
    """
    a, b = _operand(a, "a"), _operand(b, "b")
    a3, b3 = _checked(a, b)
    dout = as_real(dout, a.dtype, "dout")
    full = (max(len(a3), len(b3)), a3.shape[1], b3.shape[2])
    expected = full if a.ndim == 3 or b.ndim == 3 else full[1:]
    if dout.shape != expected:
        raise ValueError(f"dout has shape {dout.shape}; expected {expected}.")
    da, db = np.empty_like(a3), np.empty_like(b3)
    ops.matmul_backward(a3, b3, dout.reshape(full), da, db)
    return da.reshape(a.shape), db.reshape(b.shape)


def _operand(x: ArrayLike, name: str) -> np.ndarray:
    array = np.asarray(x)
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} has dtype {array.dtype}; convert it to float32 or float64 first.")
    if array.ndim not in (2, 3) or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; expected 2 or 3 dimensions, not empty.")
    return as_real(array, array.dtype, name)


def _checked(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as 3-D arrays."""
    if a.dtype != b.dtype:
        raise TypeError(
            f"a has dtype {a.dtype}, b {b.dtype}; convert one of them, as b.astype(a.dtype)."
        )
    a3, b3 = a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:])
    if a3.shape[2] != b3.shape[1] or (len(a3) != len(b3) and 1 not in (len(a3), len(b3))):
        raise ValueError(f"a of shape {a.shape} and b of shape {b.shape} cannot be multiplied.")
    return a3, b3
