"""NumPy twins of the kernels that augment images."""

from __future__ import annotations

import numpy as np


def augment_images(images, rows, matrix, colour, holes, clamp, mean, std, grey, out):  # type: ignore[no-untyped-def]
    """out (N, H, W, C): each image resampled, recoloured, normalised, and 0 in its hole."""
    _, H, W, _ = images.shape
    y, x = np.mgrid[:H, :W].astype(np.float32)
    for i, row in enumerate(rows):
        image, m, (bright, contrast, saturation) = (
            images[row].astype(np.float32),
            matrix[i],
            colour[i],
        )
        value = _bilinear(image, m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5], clamp)
        value = bright * value
        shade = bright * np.mean(image @ grey)
        value = contrast * (value - shade) + shade
        value = saturation * value + (1 - saturation) * (value @ grey)[..., None]
        out[i] = (np.clip(value, 0, 255) / 255 - mean) / std
        top, bottom, left, right = holes[i]
        out[i, top:bottom, left:right] = 0


def _bilinear(image, x, y, clamp):  # type: ignore[no-untyped-def]
    H, W, _ = image.shape
    left, top = np.floor(x), np.floor(y)
    value = 0.0
    for at_y, share_y in ((top, 1 - (y - top)), (top + 1, y - top)):
        for at_x, share_x in ((left, 1 - (x - left)), (left + 1, x - left)):
            inside = (at_x >= 0) & (at_x < W) & (at_y >= 0) & (at_y < H) | clamp
            rows, columns = np.clip(at_y, 0, H - 1), np.clip(at_x, 0, W - 1)
            pixels = image[rows.astype(np.intp), columns.astype(np.intp)]
            value = value + (share_x * share_y * inside)[..., None] * pixels
    return value


def mix_rows(x, partner, share, out):  # type: ignore[no-untyped-def]
    """out = share x + (1 - share) x[partner], x and out (N, D), partner and share (N,)."""
    out[...] = share[:, None] * x + (1 - share[:, None]) * x[partner]
