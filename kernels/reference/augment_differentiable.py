"""NumPy twins of the changes of images that gradients pass through."""

from __future__ import annotations

import numpy as np


def augment_forward(x, places, colours, holes, out):  # type: ignore[no-untyped-def]
    """out (N, H, W, C): each image mirrored, recoloured, moved, and 0 in its hole."""
    mirrored = np.where(places[:, 0, None, None, None] == 1, x[:, :, ::-1], x)
    brightness, saturation, contrast = colours.T[:, :, None, None, None]
    value = mirrored + brightness
    shade = value.mean(axis=3, keepdims=True)
    value = saturation * (value - shade) + shade
    shade = value.mean(axis=(1, 2, 3), keepdims=True)
    _moved(contrast * (value - shade) + shade, places[:, 1:], out)
    for image, (top, bottom, left, right) in zip(out, holes, strict=True):
        image[top:bottom, left:right] = 0


def augment_backward(dout, places, colours, holes, dx):  # type: ignore[no-untyped-def]
    """dx (N, H, W, C): the same backwards, each step its own adjoint but the move."""
    blanked = dout.copy()
    for image, (top, bottom, left, right) in zip(blanked, holes, strict=True):
        image[top:bottom, left:right] = 0
    d = np.empty_like(dx)
    _moved(blanked, -places[:, 1:], d)
    _, saturation, contrast = colours.T[:, :, None, None, None]
    shade = d.mean(axis=(1, 2, 3), keepdims=True)
    d = contrast * (d - shade) + shade
    shade = d.mean(axis=3, keepdims=True)
    d = saturation * (d - shade) + shade
    dx[...] = np.where(places[:, 0, None, None, None] == 1, d[:, :, ::-1], d)


def _moved(x, moves, out):  # type: ignore[no-untyped-def]
    """out = x moved down and to the right by moves (N, 2), with zeros from outside."""
    _, H, W, _ = x.shape
    out[...] = 0
    for image, result, (low, right) in zip(x, out, moves, strict=True):
        rows, columns = (slice(max(m, 0), n + min(m, 0)) for m, n in ((low, H), (right, W)))
        result[rows, columns] = image[
            max(-low, 0) : H - max(low, 0), max(-right, 0) : W - max(right, 0)
        ]
