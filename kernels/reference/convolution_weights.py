"""NumPy twin of the gradient of a convolution's filters."""

from __future__ import annotations

from .patches import in_groups, patches_of


def conv2d_backward_weights(x, dout, stride, padding, dilation, groups, dW, db):  # type: ignore[no-untyped-def]
    """dW (K, C / G, KH, KW) and db (K,), or (0,) for none, from x and dout."""
    N, OH, OW, K = dout.shape
    KH, KW = dW.shape[2:]
    patches = in_groups(patches_of(x, (OH, OW), stride, padding, dilation, (KH, KW)), groups)
    d = dout.reshape(N * OH * OW, groups, K // groups).transpose(1, 0, 2)
    found = patches.transpose(0, 2, 1) @ d  # (G, KH KW C / G, K / G)
    found = found.reshape(groups, KH, KW, dW.shape[1], K // groups)
    dW[...] = found.transpose(0, 4, 3, 1, 2).reshape(dW.shape)
    if db.size:
        db[...] = dout.sum(axis=(0, 1, 2))
