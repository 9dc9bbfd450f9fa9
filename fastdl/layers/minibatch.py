"""How much the rows of a batch differ, as a further channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import check_batch, check_size
from .activation import floating
from .base import Layer, required
from .layout import channels_first, channels_last

_SMALL = 1e-8  # is added to variances


class MinibatchStdDev(Layer):
    """One more channel: the mean of the standard deviations over a group of rows.

    Of images x (N, C, H, W), which become (N, C + 1, H, W), or rows (N, D), (N, D + 1). Groups are
    ``group_size`` rows one behind the other, or as many fewer as divide N. For each place and
    channel the deviation over the group is sqrt(variance + 1e-8); its mean over all of them is the
    new channel, for all rows of the group (Karras et al. 2018, section 3, whose code takes rows
    from all over the batch instead). A discriminator sees by it when a generator makes the same
    row again and again. Raises ValueError for other shapes.

    >>> import numpy as np, fastdl
    >>> fastdl.MinibatchStdDev(2).forward(np.array([[1.0], [3.0]])).round(3).tolist()
    [[1.0, 1.0], [3.0, 1.0]]
    """

    config_names = ("group_size",)

    def __init__(self, group_size: int = 4) -> None:
        self.group_size = check_size(group_size, "group_size")
        self._kept: tuple[np.ndarray, np.ndarray] | None = None  # deviations and their std
        self._shape: tuple[int, ...] = ()

    def forward(self, x: ArrayLike) -> np.ndarray:
        """x with the further channel."""
        x = floating(x, "x")
        check_batch(x, "x")
        if x.ndim not in (2, 4):
            raise ValueError(f"{self} got x of shape {x.shape}; expected (N, C, H, W) or (N, D).")
        rows = channels_last(x, x.dtype, "x") if x.ndim == 4 else x
        N = len(rows)
        group = max(g for g in range(1, min(self.group_size, N) + 1) if N % g == 0)
        grouped = rows.reshape(N // group, group, -1)
        away = grouped - grouped.mean(axis=1, keepdims=True)
        std = np.sqrt(np.mean(away * away, axis=1, keepdims=True) + x.dtype.type(_SMALL))
        self._kept, self._shape = (away, std), x.shape
        out = np.empty((*rows.shape[:-1], rows.shape[-1] + 1), x.dtype)
        out[..., :-1] = rows
        level = np.repeat(std.mean(axis=(1, 2)), group)
        out[..., -1] = level.reshape(N, *(1,) * (out.ndim - 2))
        return channels_first(out) if x.ndim == 4 else out

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx, through the deviations as well."""
        away, std = required(self._kept, self)
        expected = (self._shape[0], self._shape[1] + 1, *self._shape[2:])
        if np.shape(dout) != expected:
            raise ValueError(f"{self} got dout of shape {np.shape(dout)}; expected {expected}.")
        d: Any = np.asarray(dout, away.dtype)
        d = channels_last(d, away.dtype, "dout") if d.ndim == 4 else d
        groups, size, places = away.shape
        dlevel = d[..., -1].reshape(groups, -1).sum(axis=1) / (places * size)
        through = (dlevel[:, None, None] * away / std).reshape(*d.shape[:-1], -1)
        dx = d[..., :-1] + through
        return channels_first(np.ascontiguousarray(dx)) if d.ndim == 4 else dx
