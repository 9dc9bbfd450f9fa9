"""A whole training step of a multi-layer perceptron in one call, walking a table of its blocks.

A block is a dense layer and the activation behind it. Parameters lie in one flat array, gradients
in another, so one compiled kernel serves every depth and width. The pieces are those that the
layers' own kernels are made of, cut at the same places: results are equal bit for bit.

``blocks`` (L, 7) int64: inputs, outputs, offset of W in the flat array (b follows it), activation
kind, and the column offsets of its output, of its pre-activation and of its gradient in the
scratch. ``tiles`` (T, 3) int64: block, band and number of bands of each piece of dW.
Scratch ``acts`` and ``deltas`` hold PASS rows: a larger batch is done in several passes whose
dW are added up, which also keeps the scratch in the cache.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .activation import NONE, backward_in_place, copy, forward_in_place
from .blas import gemm
from .dense import PASS, ROWS, affine, pieces, weight_tile
from .jit import jit, set_task_size
from .loss import loss_gradient_rows, loss_rows
from .optimizer import BLOCK, CLIP_NORM, LR, optimizer_step, squared_norm

KERNELS = ("mlp_gradient", "mlp_gradient_small", "mlp_train", "mlp_train_small")

IN, OUT, WEIGHTS, KIND, OUTPUT, BEFORE, DELTA = 0, 1, 2, 3, 4, 5, 6


@jit(inline=True)
def _rows_of(scratch, column, rows, width, own):  # type: ignore[no-untyped-def]
    """Rows ``own`` of the (rows, width) matrix that starts at a column offset of the scratch."""
    start = column * rows
    return scratch[start : start + rows * width].reshape(rows, width)[own]


@jit(inline=True)
def _weights(flat, block):  # type: ignore[no-untyped-def]
    start, D, H = block[WEIGHTS], block[IN], block[OUT]
    W = flat[start : start + D * H].reshape(D, H)
    return W, flat[start + D * H : start + D * H + H]


@jit(inline=True)
def _forward(blocks, slopes, params, x, acts, rows, own):  # type: ignore[no-untyped-def]
    """Rows ``own`` of a pass through all blocks; returns the network's output for them."""
    a = x[own]
    for layer in range(blocks.shape[0]):
        block = blocks[layer]
        W, b = _weights(params, block)
        before = _rows_of(acts, block[BEFORE], rows, block[OUT], own)
        affine(a, W, b, before)
        a = before
        if block[KIND] != NONE:
            a = _rows_of(acts, block[OUTPUT], rows, block[OUT], own)
            if block[OUTPUT] != block[BEFORE]:  # backward needs the pre-activation
                copy(before.reshape(-1), a.reshape(-1))
            forward_in_place(block[KIND], slopes[layer], a.reshape(-1))
    return a


@jit(inline=True)
def _backward(blocks, slopes, params, acts, deltas, rows, own):  # type: ignore[no-untyped-def]
    """Rows ``own``: the gradient at each dense layer's output, from the last block's down."""
    for layer in range(blocks.shape[0] - 1, -1, -1):
        block = blocks[layer]
        delta = _rows_of(deltas, block[DELTA], rows, block[OUT], own)
        if block[KIND] != NONE:
            saved = _rows_of(acts, block[BEFORE], rows, block[OUT], own)
            backward_in_place(block[KIND], slopes[layer], saved.reshape(-1), delta.reshape(-1))
        if layer > 0:
            W, _ = _weights(params, block)
            below = _rows_of(deltas, blocks[layer - 1, DELTA], rows, block[IN], own)
            gemm(delta, W.T, below, 1.0, 0.0)


@jit(apart=True)
def _row_task(
    task, blocks, slopes, params, x, t, loss, delta, row_scale, row_loss, acts, deltas, backward
):  # type: ignore[no-untyped-def]
    """ROWS rows of a pass: forward, loss and, if asked for, backward down to the first block."""
    rows = x.shape[0]
    own = slice(task * ROWS, min((task + 1) * ROWS, rows))
    out = _forward(blocks, slopes, params, x, acts, rows, own)
    last = blocks[blocks.shape[0] - 1]
    y = _rows_of(deltas, last[DELTA], rows, last[OUT], own)
    loss_rows(loss, delta, out, t[own], y, row_loss[own])
    if backward:
        loss_gradient_rows(loss, delta, y, t[own], row_scale[own], y)
        _backward(blocks, slopes, params, acts, deltas, rows, own)


@jit(apart=True)
def _weight_task(task, blocks, tiles, grads, x, acts, deltas, first):  # type: ignore[no-untyped-def]
    """One band of one layer's dW over the rows of a pass."""
    rows = x.shape[0]
    everything = slice(0, rows)
    layer = tiles[task, 0]
    block = blocks[layer]
    dW, db = _weights(grads, block)
    delta = _rows_of(deltas, block[DELTA], rows, block[OUT], everything)
    if layer == 0:
        weight_tile(x, delta, dW, db, tiles[task, 1], tiles[task, 2], first)
    else:
        a = _rows_of(acts, blocks[layer - 1, OUTPUT], rows, block[IN], everything)
        weight_tile(a, delta, dW, db, tiles[task, 1], tiles[task, 2], first)


@jit
def mlp_gradient_small(
    blocks, slopes, tiles, params, x, t, loss, delta, row_scale,
    grads, row_loss, acts, deltas,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """``mlp_gradient`` on the calling thread: a small network need not compile the other."""
    N = x.shape[0]
    backward = tiles.shape[0] > 0
    for start in range(0, N, PASS):
        own = slice(start, min(start + PASS, N))
        xs, ts, scales, losses = x[own], t[own], row_scale[own], row_loss[own]
        for task in range(pieces(xs.shape[0], ROWS)):
            _row_task(
                task, blocks, slopes, params, xs, ts, loss, delta, scales, losses, acts, deltas,
                backward,
            )  # fmt: skip
        for task in range(tiles.shape[0]):
            _weight_task(task, blocks, tiles, grads, xs, acts, deltas, start == 0)


@jit(parallel=True)
def mlp_gradient(
    blocks, slopes, tiles, params, x, t, loss, delta, row_scale,
    grads, row_loss, acts, deltas,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Row losses of a batch and all gradients; with no ``tiles`` the row losses alone.

    params, grads (P,); x (N, D); t (N, C); row_scale, row_loss (N,) float64; the other arguments
    are described at the top of this file.
    """
    N = x.shape[0]
    backward = tiles.shape[0] > 0
    for start in range(0, N, PASS):
        own = slice(start, min(start + PASS, N))
        xs, ts, scales, losses = x[own], t[own], row_scale[own], row_loss[own]
        first = start == 0
        before = set_task_size(1)  # tasks differ in size: hand them out one at a time
        for task in prange(pieces(xs.shape[0], ROWS)):  # each task owns ROWS rows of the scratch
            _row_task(
                np.int64(task), blocks, slopes, params, xs, ts, loss, delta, scales, losses, acts,
                deltas, backward,
            )  # fmt: skip
        for task in prange(tiles.shape[0]):  # each task owns one band of one layer's dW
            _weight_task(np.int64(task), blocks, tiles, grads, xs, acts, deltas, first)
        set_task_size(before)


@jit(inline=True)
def _finite_loss(i, row_loss, row_scale, losses):  # type: ignore[no-untyped-def]
    """losses[i] = the batch's loss; whether it is finite."""
    losses[i] = 0.0
    for row in range(row_loss.size):
        losses[i] += row_loss[row] * row_scale[row]
    return np.isfinite(losses[i])


@jit(inline=True)
def _clip(clip_norm, grads):  # type: ignore[no-untyped-def]
    """Factor that brings the gradient's norm to at most ``clip_norm``, 0: no limit."""
    if clip_norm <= 0.0:
        return 1.0
    partial = np.empty(pieces(grads.size, BLOCK))
    squared_norm(grads, partial)
    total = 0.0
    for block in range(partial.size):
        total += partial[block]
    scale = clip_norm / (np.sqrt(total) + 1e-6)
    return 1.0 if scale > 1.0 else scale


@jit(parallel="within")
def mlp_train(
    blocks, slopes, tiles, params, x, t, loss, delta, row_scale, batch, loss_after,
    kind, settings, rates, step, grads, m, v, losses, row_loss, acts, deltas,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """As many training steps as ``losses`` has elements, on consecutive batches of x and t.

    losses[i] is step i's loss, before or after its update; it stops at the first that is not
    finite. rates (steps,): learning rates. step: number of optimizer steps taken before.
    """
    for i in range(losses.size):
        own = slice(i * batch, min((i + 1) * batch, x.shape[0]))
        xs, ts, scales, rows = x[own], t[own], row_scale[own], row_loss[own]
        mlp_gradient(
            blocks, slopes, tiles, params, xs, ts, loss, delta, scales,
            grads, rows, acts, deltas,
        )  # fmt: skip
        settings[LR] = rates[i]
        if not loss_after and not _finite_loss(i, rows, scales, losses):
            break  # before the update spoils the parameters
        scale = _clip(settings[CLIP_NORM], grads)
        optimizer_step(kind, settings, step + i + 1, scale, params, grads, m, v)
        if loss_after:
            mlp_gradient(
                blocks, slopes, tiles[:0], params, xs, ts, loss, delta, scales,
                grads, rows, acts, deltas,
            )  # fmt: skip
            if not _finite_loss(i, rows, scales, losses):
                break


@jit(parallel="within")
def mlp_train_small(
    blocks, slopes, tiles, params, x, t, loss, delta, row_scale, batch, loss_after,
    kind, settings, rates, step, grads, m, v, losses, row_loss, acts, deltas,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """``mlp_train`` on the calling thread, up to the optimizer's own step."""
    # Its body stands twice: a gradient kernel passed in as an argument keeps both out of the cache.
    for i in range(losses.size):
        own = slice(i * batch, min((i + 1) * batch, x.shape[0]))
        xs, ts, scales, rows = x[own], t[own], row_scale[own], row_loss[own]
        mlp_gradient_small(
            blocks, slopes, tiles, params, xs, ts, loss, delta, scales,
            grads, rows, acts, deltas,
        )  # fmt: skip
        settings[LR] = rates[i]
        if not loss_after and not _finite_loss(i, rows, scales, losses):
            break  # before the update spoils the parameters
        scale = _clip(settings[CLIP_NORM], grads)
        optimizer_step(kind, settings, step + i + 1, scale, params, grads, m, v)
        if loss_after:
            mlp_gradient_small(
                blocks, slopes, tiles[:0], params, xs, ts, loss, delta, scales,
                grads, rows, acts, deltas,
            )  # fmt: skip
            if not _finite_loss(i, rows, scales, losses):
                break
