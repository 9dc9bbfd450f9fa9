"""Images as a matrix of their patches, and the sums of such a matrix as images again."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .kernels.backend import ops
from .layers.activation import floating
from .layers.layout import flat
from .validation import check_pair, check_size

Pair = tuple[int, int]


def im2col(
    input_data: ArrayLike,
    filter_h: int,
    filter_w: int,
    stride: int | Pair = 1,
    pad: int | Pair = 0,
) -> np.ndarray:
    """The patches that a filter meets, one a row: (N OH OW, C FH FW) for images (N, C, H, W).

    Row (n OH + oh) OW + ow has at column (c FH + fh) FW + fw the pixel
    input_data[n, c, oh stride + fh - pad, ow stride + fw - pad], 0 outside of the image, with
    OH = floor((H + 2 pad - FH) / stride) + 1: so im2col(x, FH, FW) @ W.reshape(K, -1).T is a
    convolution. float32 and float64 stay, other numbers become the default dtype. Either order of
    the memory is read as it is. ``Conv2D`` does without this matrix and is faster. Raises
    ValueError for another shape, or images that are smaller than the filter, TypeError for sizes
    that are not ints.

    >>> import numpy as np, fastdl
    >>> fastdl.im2col(np.arange(6).reshape(1, 1, 2, 3), 2, 2)
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.]], dtype=float32)
    """
    x = floating(input_data, "input_data")
    if x.ndim != 4 or x.size == 0:
        raise ValueError(f"input_data has shape {x.shape}; expected images (N, C, H, W).")
    window = _window(filter_h, filter_w, stride, pad)
    OH, OW = _outputs(x.shape, *window)
    N, C = x.shape[:2]
    col = np.empty((N * OH * OW, C * filter_h * filter_w), x.dtype)
    strides = tuple(step // x.itemsize for step in x.strides)
    ops.im2col(flat(x), x.shape, strides, *window, col)
    return col


def col2im(
    col: ArrayLike,
    input_shape: tuple[int, int, int, int],
    filter_h: int,
    filter_w: int,
    stride: int | Pair = 1,
    pad: int | Pair = 0,
) -> np.ndarray:
    """Images (N, C, H, W): each pixel the sum of the numbers of ``col`` that im2col took from it.

    The transpose of ``im2col`` as a linear map, and so its gradient: for ``col`` of that shape,
    sum(im2col(x) col) = sum(x col2im(col)). Raises as ``im2col``.

    >>> import numpy as np, fastdl
    >>> fastdl.col2im(np.ones((2, 4), np.float32), (1, 1, 2, 3), 2, 2)
    array([[[[1., 2., 1.],
             [1., 2., 1.]]]], dtype=float32)
    """
    shape = tuple(input_shape)
    if len(shape) != 4:
        raise ValueError(f"input_shape is {input_shape!r}; expected (N, C, H, W).")
    N, C, H, W = (check_size(size, "input_shape") for size in shape)
    window = _window(filter_h, filter_w, stride, pad)
    OH, OW = _outputs((N, C, H, W), *window)
    given = floating(col, "col")
    expected = (N * OH * OW, C * filter_h * filter_w)
    if given.shape != expected:
        raise ValueError(f"col has shape {given.shape}; expected {expected} for {shape}.")
    x = np.empty((N, C, H, W), given.dtype)
    ops.col2im(given, *window, x)
    return x


def _window(
    filter_h: int, filter_w: int, stride: int | Pair, pad: int | Pair
) -> tuple[Pair, Pair, Pair]:
    kernel = check_size(filter_h, "filter_h"), check_size(filter_w, "filter_w")
    return kernel, check_pair(stride, "stride"), check_pair(pad, "pad", low=0)


def _outputs(shape: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair) -> Pair:
    """(OH, OW) for images of this shape."""
    padded = shape[2] + 2 * pad[0], shape[3] + 2 * pad[1]
    if padded[0] < kernel[0] or padded[1] < kernel[1]:
        raise ValueError(
            f"Images of {shape[2]} x {shape[3]} pixels, padded by {pad}, are smaller than the "
            f"filter of {kernel[0]} x {kernel[1]}; use a smaller filter or more padding."
        )
    return (padded[0] - kernel[0]) // stride[0] + 1, (padded[1] - kernel[1]) // stride[1] + 1
