"""One optimizer step on flat arrays, in place: parameters, gradients and up to two states.

With g = scale * gradient (+ weight_decay * p unless decoupled), as in PyTorch:

| kind     | rule                                                                               |
|----------|------------------------------------------------------------------------------------|
| SGD      | p -= lr g                                                                          |
| MOMENTUM | m = momentum m + g;  p -= lr m                                                     |
| NESTEROV | m = momentum m + g;  p -= lr (g + momentum m)                                      |
| ADAGRAD  | v += g^2;  p -= lr g / (sqrt(v) + epsilon)                                         |
| RMSPROP  | v = beta2 v + (1 - beta2) g^2;  p -= lr g / (sqrt(v) + epsilon)                    |
| ADAM     | m, v moving averages, corrected for their start;  p -= lr m' / (sqrt(v') + epsilon)|
| ADAMW    | ADAM with p -= lr weight_decay p taken first                                       |
| FTRL     | v' = v + g^2;  m += g - (sqrt(v') - sqrt(v)) p / lr;                               |
|          | p = -sign(m) max(abs(m) - l1, 0) / ((beta + sqrt(v')) / lr + l2)                   |

``settings`` (float64): lr, weight_decay, momentum or beta1, beta2, epsilon, clip_norm (0: none);
for FTRL beta, l1 and l2 stand in the places of beta1, beta2 and epsilon.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .jit import jit

KERNELS = ("optimizer_step", "squared_norm")

SGD, MOMENTUM, NESTEROV, ADAGRAD, RMSPROP, ADAM, ADAMW, FTRL = 0, 1, 2, 3, 4, 5, 6, 7
LR, WEIGHT_DECAY, BETA1, BETA2, EPSILON, CLIP_NORM = 0, 1, 2, 3, 4, 5

BLOCK = 65536  # elements of one task; partial sums of the norm are added in the blocks' order


@jit(inline=True)
def step_numbers(kind, settings, t):  # type: ignore[no-untyped-def]
    """(rate, root, decay, keep) of step t (from 1): what is the same for every element."""
    lr, decay = settings[LR], settings[WEIGHT_DECAY]
    if kind != ADAM and kind != ADAMW:
        return lr, 1.0, decay, 1.0
    rate = lr / (1.0 - settings[BETA1] ** t)
    root = 1.0 / np.sqrt(1.0 - settings[BETA2] ** t)
    if kind == ADAMW:
        return rate, root, 0.0, 1.0 - lr * decay
    return rate, root, decay, 1.0


@jit(apart=True)
def update_block(kind, settings, numbers, scale, params, grads, m, v):  # type: ignore[no-untyped-def]
    """One block of the update; ``numbers`` are ``step_numbers``, scale multiplies the gradient."""
    real = params.dtype.type
    n = params.size
    rate, root, decay = real(numbers[0]), real(numbers[1]), real(numbers[2])
    momentum, beta2, epsilon = real(settings[BETA1]), real(settings[BETA2]), real(settings[EPSILON])
    factor, zero = real(scale), real(0)
    if kind == SGD:
        for i in range(n):
            params[i] -= rate * (factor * grads[i] + decay * params[i])
    elif kind == MOMENTUM:
        for i in range(n):
            m[i] = momentum * m[i] + (factor * grads[i] + decay * params[i])
            params[i] -= rate * m[i]
    elif kind == NESTEROV:
        for i in range(n):
            g = factor * grads[i] + decay * params[i]
            m[i] = momentum * m[i] + g
            params[i] -= rate * (g + momentum * m[i])
    elif kind == ADAGRAD:
        for i in range(n):
            g = factor * grads[i] + decay * params[i]
            v[i] += g * g
            params[i] -= rate * g / (np.sqrt(v[i]) + epsilon)
    elif kind == RMSPROP:
        rest = real(1.0 - settings[BETA2])
        for i in range(n):
            g = factor * grads[i] + decay * params[i]
            v[i] = beta2 * v[i] + rest * g * g
            params[i] -= rate * g / (np.sqrt(v[i]) + epsilon)
    elif kind == FTRL:
        inverse, beta = real(1.0 / numbers[0]), momentum
        l1, l2 = beta2, epsilon
        for i in range(n):
            g = factor * grads[i] + decay * params[i]
            before = np.sqrt(v[i])
            v[i] += g * g
            after = np.sqrt(v[i])
            m[i] += g - (after - before) * inverse * params[i]
            beyond = max(abs(m[i]) - l1, zero)
            slope = (beta + after) * inverse + l2
            params[i] = (-beyond if m[i] > zero else beyond) / slope
    else:
        rest1, rest2 = real(1.0 - settings[BETA1]), real(1.0 - settings[BETA2])
        keep = real(numbers[3])
        for i in range(n):
            g = factor * grads[i] + decay * params[i]
            m[i] = momentum * m[i] + rest1 * g
            v[i] = beta2 * v[i] + rest2 * g * g
            params[i] = keep * params[i] - rate * m[i] / (np.sqrt(v[i]) * root + epsilon)


@jit(inline=True)
def _squares(grads):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(grads.size):
        total += np.float64(grads[i]) * np.float64(grads[i])
    return total


@jit(parallel=True)
def squared_norm(grads, partial):  # type: ignore[no-untyped-def]
    """partial[block] = sum of squares of grads' block; grads (n,), partial float64."""
    for block in prange(partial.size):
        partial[block] = _squares(grads[block * BLOCK : min((block + 1) * BLOCK, grads.size)])


@jit(parallel=True)
def optimizer_step(kind, settings, t, scale, params, grads, m, v):  # type: ignore[no-untyped-def]
    """One step in place: params, grads (n,); states m, v (n,), or (0,) where unused."""
    n = params.size
    blocks = (n + BLOCK - 1) // BLOCK
    numbers = step_numbers(kind, settings, t)
    if blocks <= 1:
        update_block(kind, settings, numbers, scale, params, grads, m, v)
    else:
        for block in prange(blocks):  # each task owns one block of params, m and v
            own = slice(block * BLOCK, min((block + 1) * BLOCK, n))
            update_block(kind, settings, numbers, scale, params[own], grads[own], m[own], v[own])
