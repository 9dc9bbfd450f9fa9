"""NumPy twin of the gradient of Winograd's filters: the one of the convolution that it is."""

from __future__ import annotations

from .convolution_weights import conv2d_backward_weights

_ONE = (1, 1)


def winograd_backward_weights(m, x, dout, padding, dW, db):  # type: ignore[no-untyped-def]
    """dW (K, C, 3, 3) and db (K,), or (0,) for none, from x and dout."""
    conv2d_backward_weights(x, dout, _ONE, padding, _ONE, 1, dW, db)
