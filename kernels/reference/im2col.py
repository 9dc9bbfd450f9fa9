"""NumPy twins of im2col and col2im: one slice of the images for each place of the filter."""

from __future__ import annotations

import numpy as np


def _slices(kernel, stride, shape):  # type: ignore[no-untyped-def]
    """For each place (fh, fw) of the filter, the pixels of a padded image that it meets."""
    for fh, fw in np.ndindex(kernel):
        yield (
            fh,
            fw,
            slice(fh, fh + (shape[0] - 1) * stride[0] + 1, stride[0]),
            slice(fw, fw + (shape[1] - 1) * stride[1] + 1, stride[1]),
        )


def _outputs(H, W, kernel, stride, padding):  # type: ignore[no-untyped-def]
    return (
        (H + 2 * padding[0] - kernel[0]) // stride[0] + 1,
        (W + 2 * padding[1] - kernel[1]) // stride[1] + 1,
    )


def im2col(x, shape, strides, kernel, stride, padding, col):  # type: ignore[no-untyped-def]
    """col (N OH OW, C FH FW) of x (N C H W,), whose axes lie ``strides`` numbers apart."""
    N, C, H, W = shape
    OH, OW = _outputs(H, W, kernel, stride, padding)
    (top, left), apart = padding, [step * x.itemsize for step in strides]
    padded = np.zeros((N, C, H + 2 * top, W + 2 * left), x.dtype)
    padded[:, :, top : top + H, left : left + W] = np.lib.stride_tricks.as_strided(x, shape, apart)
    patches = np.empty((N, C, *kernel, OH, OW), x.dtype)
    for fh, fw, rows, columns in _slices(kernel, stride, (OH, OW)):
        patches[:, :, fh, fw] = padded[:, :, rows, columns]
    col[...] = patches.transpose(0, 4, 5, 1, 2, 3).reshape(col.shape)


def col2im(col, kernel, stride, padding, x):  # type: ignore[no-untyped-def]
    """x (N, C, H, W) = the sums of col (N OH OW, C FH FW) where im2col takes it from."""
    N, C, H, W = x.shape
    OH, OW = _outputs(H, W, kernel, stride, padding)
    patches = col.reshape(N, OH, OW, C, *kernel).transpose(0, 3, 4, 5, 1, 2)
    top, left = padding
    padded = np.zeros((N, C, H + 2 * top, W + 2 * left), x.dtype)
    for fh, fw, rows, columns in _slices(kernel, stride, (OH, OW)):
        padded[:, :, rows, columns] += patches[:, :, fh, fw]
    x[...] = padded[:, :, top : top + H, left : left + W]
