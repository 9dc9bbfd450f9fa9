"""Batched matrix products and their gradients, for 2-D and 3-D operands."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .kernels.backend import ops
from .validation import as_real


def matmul(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """a b for a (M, K) or (A, M, K) and b (K, N) or (B, K, N), with np.matmul's broadcasting.

    A and B must be equal, or one of them 1. Raises TypeError unless both are float32 or both
    float64, ValueError for shapes that do not fit and for empty arrays.

    >>> import numpy as np, fastdl
    >>> fastdl.matmul(np.ones((5, 2, 3)), np.ones((3, 4))).shape
    (5, 2, 4)
    """
    a, b = _operands(a=a, b=b)
    a3, b3, shape = _fitting(a, b)
    out = np.empty(shape, a.dtype)
    ops.matmul_forward(a3, b3, out.reshape(-1, *shape[-2:]))
    return out


def matmul_backward(a: ArrayLike, b: ArrayLike, dout: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """(da, db) = (dout b^T, a^T dout), of the shapes of a and b.

    ``dout`` is the gradient at ``matmul(a, b)`` and has its shape and dtype. Where one matrix
    served the whole batch, its gradient is the sum over the batch. Raises what ``matmul`` raises.

    >>> import numpy as np, fastdl
    >>> a, b = np.ones((5, 2, 3)), np.ones((3, 4))
    >>> da, db = fastdl.matmul_backward(a, b, fastdl.matmul(a, b))
    >>> da.shape, db.shape, db[0, 0]
    ((5, 2, 3), (3, 4), np.float64(30.0))
    """
    a, b, dout = _operands(a=a, b=b, dout=dout)
    a3, b3, shape = _fitting(a, b)
    if dout.shape != shape:
        raise ValueError(f"dout has shape {dout.shape}; expected {shape}, the shape of a b.")
    da, db = np.empty_like(a), np.empty_like(b)
    d = dout.reshape(-1, *shape[-2:])
    ops.matmul_backward(a3, b3, d, da.reshape(a3.shape), db.reshape(b3.shape))
    return da, db


def _operands(**given: ArrayLike) -> list[np.ndarray]:
    """The arrays as kernels take them; no dtype is changed on the way."""
    arrays = {name: _operand(x, name) for name, x in given.items()}
    dtype = arrays["a"].dtype
    for name, array in arrays.items():
        if array.dtype != dtype:
            raise TypeError(
                f"a has dtype {dtype}, {name} has {array.dtype}; convert one of them first, "
                f"as {name}.astype(a.dtype)."
            )
    return [as_real(array, dtype, name) for name, array in arrays.items()]


def _operand(x: ArrayLike, name: str) -> np.ndarray:
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"{name} is not a regular array: {error}") from None
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} has dtype {array.dtype}; convert it to float32 or float64 first.")
    if array.ndim not in (2, 3):
        raise ValueError(f"{name} has shape {array.shape}; expected 2 or 3 dimensions.")
    if array.size == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}.")
    return array


def _fitting(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Both operands as 3-D arrays, and the shape of their product."""
    a3, b3 = a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:])
    problem = ""
    if a3.shape[2] != b3.shape[1]:
        problem = "a needs as many columns as b has rows"
    elif len(a3) != len(b3) and 1 not in (len(a3), len(b3)):
        problem = "both need the same number of matrices, or one of them a single one"
    if problem:
        raise ValueError(f"a {a.shape} and b {b.shape} cannot be multiplied: {problem}.")
    batch = () if a.ndim == b.ndim == 2 else (max(len(a3), len(b3)),)
    return a3, b3, (*batch, a3.shape[1], b3.shape[2])
