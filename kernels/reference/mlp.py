"""NumPy twins of the MLP kernels: the layers' twins, one after the other."""

from __future__ import annotations

import numpy as np

from ..activation import NONE
from ..mlp import BEFORE, IN, KIND, OUT, OUTPUT, WEIGHTS
from ..optimizer import CLIP_NORM, LR
from .activation import activation_backward, activation_forward
from .dense import dense_backward, dense_forward
from .loss import loss_backward, loss_forward
from .optimizer import optimizer_step


def _weights(flat, block):  # type: ignore[no-untyped-def]
    start, D, H = block[WEIGHTS], block[IN], block[OUT]
    return flat[start : start + D * H].reshape(D, H), flat[start + D * H : start + D * H + H]


def _forward(blocks, slopes, params, x):  # type: ignore[no-untyped-def]
    inputs, before, out = [], [], x
    for block, slope in zip(blocks, slopes, strict=True):
        inputs.append(out)
        out = np.empty((len(x), block[OUT]), x.dtype)
        dense_forward(inputs[-1], *_weights(params, block), out)
        before.append(out)
        if block[KIND] != NONE:
            out = np.empty_like(out)
            activation_forward(block[KIND], slope, before[-1].ravel(), out.reshape(-1))
            if block[OUTPUT] == block[BEFORE]:  # backward reads the output
                before[-1] = out
    return inputs, before, out


def mlp_gradient(
    blocks, slopes, tiles, params, x, t, loss, delta, row_scale,
    grads, row_loss, acts, deltas,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Row losses and, unless there are no tiles, all gradients (scratch is not used)."""
    inputs, saved, out = _forward(blocks, slopes, params, x)
    y = np.empty_like(out)
    loss_forward(loss, delta, out, t, y, row_loss)
    if not len(tiles):
        return
    dout = np.empty_like(y)
    loss_backward(loss, delta, y, t, row_scale, dout)
    for layer in range(len(blocks) - 1, -1, -1):
        if blocks[layer, KIND] != NONE:
            dbefore = np.empty_like(dout)
            activation_backward(
                blocks[layer, KIND], slopes[layer], saved[layer].ravel(), dout.ravel(),
                dbefore.reshape(-1),
            )  # fmt: skip
            dout = dbefore
        dx = np.empty_like(inputs[layer] if layer else inputs[layer][:0])
        W = _weights(params, blocks[layer])[0]
        dense_backward(inputs[layer], W, dout, dx, *_weights(grads, blocks[layer]))
        dout = dx


def mlp_train(
    blocks, slopes, tiles, params, x, t, loss, delta, row_scale, batch, loss_after,
    kind, settings, rates, step, grads, m, v, losses, row_loss, acts, deltas,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """As many training steps as ``losses`` has elements, on consecutive batches of x and t."""
    for i in range(len(losses)):
        own = slice(i * batch, (i + 1) * batch)
        data = x[own], t[own], loss, delta, row_scale[own]
        mlp_gradient(blocks, slopes, tiles, params, *data, grads, row_loss[own], acts, deltas)
        if not loss_after:
            losses[i] = np.sum(row_loss[own] * row_scale[own])
            if not np.isfinite(losses[i]):
                break
        settings[LR], scale = rates[i], 1.0
        if settings[CLIP_NORM] > 0:
            norm = np.sqrt(np.sum(grads.astype(np.float64) ** 2))
            scale = min(1.0, settings[CLIP_NORM] / (norm + 1e-6))
        optimizer_step(kind, settings, step + i + 1, scale, params, grads, m, v)
        if loss_after:
            mlp_gradient(
                blocks, slopes, tiles[:0], params, *data, grads, row_loss[own], acts, deltas
            )
            losses[i] = np.sum(row_loss[own] * row_scale[own])
            if not np.isfinite(losses[i]):
                break


mlp_gradient_small, mlp_train_small = mlp_gradient, mlp_train
