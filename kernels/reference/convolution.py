"""NumPy twin of convolution: im2col, then one product of matrices for each group."""

from __future__ import annotations

from .patches import filter_matrices, in_groups, patches_of


def conv2d_forward(x, W, b, stride, padding, dilation, groups, relu, out):  # type: ignore[no-untyped-def]
    """out (N, OH, OW, K) from x (N, H, W, C), W (K, C / G, KH, KW), b (K,) or (0,)."""
    N, OH, OW, K = out.shape
    patches = patches_of(x, (OH, OW), stride, padding, dilation, W.shape[2:])
    found = in_groups(patches, groups) @ filter_matrices(W, groups)
    out[...] = found.transpose(1, 0, 2).reshape(N, OH, OW, K)
    if b.size:
        out += b
    if relu:
        out[out < 0] = 0
