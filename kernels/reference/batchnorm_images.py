"""NumPy twins of the kernels of batch normalization by channel."""

from __future__ import annotations

import numpy as np

from ..activation import GELU, NONE, RELU
from .activation import activation_backward, activation_forward


def batchnorm_images_forward(
    training, kind, slope, x, shortcut, gamma, beta, epsilon, mean, var, out
):  # type: ignore[no-untyped-def]
    """x, out (M, C), the others (C,); training writes mean and var, else reads them.

    kind and slope are the activation's, shortcut is (M, C), or (0, C) for none.
    """
    if training:
        mean[...] = x.mean(axis=0)
        var[...] = x.var(axis=0)
    z = gamma * (x - mean) / np.sqrt(var + epsilon) + beta + (shortcut if len(shortcut) else 0)
    if kind == NONE:
        out[...] = z
    else:
        activation_forward(kind, slope, z, out)


def batchnorm_images_backward(
    training, kind, slope, x, saved, shortcut, gamma, beta, mean, var, epsilon, dout, more, dx,
    dshortcut, dgamma, dbeta,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """x, saved, dout, dx (M, C), the others (C,); training goes through mean and variance.

    saved is out, for GELU, no activation, and ReLU without a shortcut x. dshortcut is (M, C), or
    (0, C) for none; shortcut is read for GELU only. Without an activation dshortcut would be dout:
    it is (0, C) then. more: another gradient of out, to be added to dout, where there is a
    dshortcut; (0, C) for none.
    """
    if len(more):
        dout = dout + more
    normalized = (x - mean) / np.sqrt(var + epsilon)
    if kind == GELU or (kind == RELU and not len(dshortcut)):
        saved = gamma * normalized + beta + (shortcut if len(shortcut) else 0)
    d = dout if kind == NONE else np.empty_like(dout)
    if kind != NONE:
        activation_backward(kind, slope, saved, dout, d)
    if len(dshortcut):
        dshortcut[...] = d
    dgamma[...] = np.sum(d * normalized, axis=0)
    dbeta[...] = d.sum(axis=0)
    centered = d - (dbeta + normalized * dgamma) / len(d) if training else d
    dx[...] = gamma / np.sqrt(var + epsilon) * centered
