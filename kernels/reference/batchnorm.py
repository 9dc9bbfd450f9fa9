"""NumPy twins of the batch normalization kernels."""

from __future__ import annotations

import numpy as np


def batchnorm_forward(training, x, gamma, beta, epsilon, mean, var, out, normalized):  # type: ignore[no-untyped-def]
    """x, out, normalized (N, D), the others (D,); training writes mean and var, else reads them."""
    if training:
        mean[...] = x.mean(axis=0)
        var[...] = x.var(axis=0)
    normalized[...] = (x - mean) / np.sqrt(var + epsilon)
    out[...] = gamma * normalized + beta


def batchnorm_backward(training, normalized, gamma, var, epsilon, dout, dx, dgamma, dbeta):  # type: ignore[no-untyped-def]
    """normalized, dout, dx (N, D), the others (D,); training goes through mean and variance."""
    dgamma[...] = np.sum(dout * normalized, axis=0)
    dbeta[...] = dout.sum(axis=0)
    centered = dout - (dbeta + normalized * dgamma) / len(dout) if training else dout
    dx[...] = gamma / np.sqrt(var + epsilon) * centered
