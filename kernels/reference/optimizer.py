"""NumPy twins of the optimizer kernels."""

from __future__ import annotations

import numpy as np

from ..optimizer import ADAGRAD, ADAMW, BLOCK, FTRL, MOMENTUM, NESTEROV, RMSPROP, SGD


def optimizer_step(kind, settings, t, scale, params, grads, m, v):  # type: ignore[no-untyped-def]
    """One step in place: params, grads (n,); states m, v (n,), or (0,) where unused."""
    lr, weight_decay, beta1, beta2, epsilon = (float(value) for value in settings[:5])
    g = grads * float(scale)
    if kind == ADAMW:
        params -= lr * weight_decay * params
    else:
        g += weight_decay * params
    if kind == SGD:
        params -= lr * g
    elif kind in (MOMENTUM, NESTEROV):
        m[...] = beta1 * m + g
        params -= lr * (g + beta1 * m if kind == NESTEROV else m)
    elif kind == ADAGRAD:
        v += g**2
        params -= lr * g / (np.sqrt(v) + epsilon)
    elif kind == RMSPROP:
        v[...] = beta2 * v + (1 - beta2) * g**2
        params -= lr * g / (np.sqrt(v) + epsilon)
    elif kind == FTRL:
        beta, l1, l2 = beta1, beta2, epsilon
        n = v + g**2
        m += g - (np.sqrt(n) - np.sqrt(v)) / lr * params
        v[...] = n
        params[...] = -np.sign(m) * np.maximum(np.abs(m) - l1, 0) / ((beta + np.sqrt(n)) / lr + l2)
    else:
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        params -= lr * m_hat / (np.sqrt(v_hat) + epsilon)


def squared_norm(grads, partial):  # type: ignore[no-untyped-def]
    """partial[block] = sum of squares of grads' block; grads (n,), partial float64."""
    for block in range(partial.size):
        partial[block] = np.sum(grads[block * BLOCK : (block + 1) * BLOCK].astype(np.float64) ** 2)
