"""Images of 8 bits changed and normalised in one pass: moved, resampled, recoloured, cut out.

Output pixel (x, y) is taken from the place (m0 x + m1 y + m2, m3 x + m4 y + m5) of its image, by
bilinear interpolation. Where that is a mirror image or a move by whole pixels, pixels are copied.
No kernel here spreads over threads: a thread prepares batches while others train on the last ones.
"""

from __future__ import annotations

import numpy as np

from .jit import jit

KERNELS = ("augment_images", "mix_rows")


@jit(inline=True)
def _is_copy(m):  # type: ignore[no-untyped-def]
    whole = m[2] == np.floor(m[2]) and m[5] == np.floor(m[5])
    return whole and abs(m[0]) == 1 and m[1] == 0 and m[3] == 0 and m[4] == 1


@jit(apart=True)
def _copy_line(image, m, y, clamp, line):  # type: ignore[no-untyped-def]
    """line (W C) from one row of the image (H, W, C), moved by whole pixels or mirrored."""
    H, W, C = image.shape
    zero, step, first = np.float32(0), np.int64(m[0]), np.int64(m[2])
    row = y + np.int64(m[5])
    if not clamp and (row < 0 or row >= H):
        for j in range(line.size):
            line[j] = zero
        return
    source = image[min(max(row, 0), H - 1)]
    if step == 1 and first == 0:
        flat = source.reshape(-1)
        for j in range(line.size):
            line[j] = np.float32(flat[j])
        return
    for x in range(W):
        at = first + step * x
        inside = 0 <= at < W
        at = min(max(at, 0), W - 1)
        for c in range(C):
            line[x * C + c] = np.float32(source[at, c]) if clamp or inside else zero


@jit(apart=True)
def _resampled_line(image, m, y, clamp, line):  # type: ignore[no-untyped-def]
    """line (W C) by bilinear interpolation; beyond the border is the edge, or black."""
    H, W, C = image.shape
    one, zero, real = np.float32(1), np.float32(0), np.float32
    for x in range(W):
        at_x = m[0] * real(x) + m[1] * real(y) + m[2]
        at_y = m[3] * real(x) + m[4] * real(y) + m[5]
        left, top = np.int64(np.floor(at_x)), np.int64(np.floor(at_y))
        right_share, low_share = at_x - real(left), at_y - real(top)
        left_share, high_share = one - right_share, one - low_share
        right, low = left + 1, top + 1
        if not clamp:
            left_share = left_share if 0 <= left < W else zero
            right_share = right_share if 0 <= right < W else zero
            high_share = high_share if 0 <= top < H else zero
            low_share = low_share if 0 <= low < H else zero
        left, right = min(max(left, 0), W - 1), min(max(right, 0), W - 1)
        top, low = min(max(top, 0), H - 1), min(max(low, 0), H - 1)
        for c in range(C):
            above = left_share * real(image[top, left, c]) + right_share * real(
                image[top, right, c]
            )
            below = left_share * real(image[low, left, c]) + right_share * real(
                image[low, right, c]
            )
            line[x * C + c] = high_share * above + low_share * below


@jit(inline=True)
def _mean_grey(image, grey):  # type: ignore[no-untyped-def]
    H, W, C = image.shape
    sums = np.zeros(C, np.int64)
    for y in range(H):
        for x in range(W):
            for c in range(C):
                sums[c] += image[y, x, c]
    mean = 0.0
    for c in range(C):
        mean += sums[c] * grey[c]
    return np.float32(mean / (H * W))


@jit(apart=True)
def _recolour(line, grey, colour, mean):  # type: ignore[no-untyped-def]
    """Brightness, contrast and saturation of a line (W C), then back into 0 to 255."""
    C, one, zero, high = grey.size, np.float32(1), np.float32(0), np.float32(255)
    mean = colour[0] * mean
    scale, offset = colour[0] * colour[1], mean - colour[1] * mean
    for j in range(line.size):
        line[j] = line[j] * scale + offset
    if colour[2] != one:
        for x in range(line.size // C):
            shade = zero
            for c in range(C):
                shade += grey[c] * line[x * C + c]
            for c in range(C):
                line[x * C + c] = colour[2] * line[x * C + c] + (one - colour[2]) * shade
    for j in range(line.size):
        line[j] = min(max(line[j], zero), high)


@jit()
def augment_images(images, rows, matrix, colour, holes, clamp, mean, std, grey, out):  # type: ignore[no-untyped-def]
    """images (M, H, W, C) uint8, of which rows (N,) are taken; out (N, H, W, C) float32.

    matrix (N, 6): where pixels come from; clamp: beyond the border is the edge, else black.
    colour (N, 3): factors of brightness, of contrast around the image's mean grey, and of
    saturation; grey (C,): the channels' weights in grey. out = (value / 255 - mean) / std with mean
    and std (C,), and 0 in holes (N, 4): first and last + 1 of rows, then of columns.
    """
    _, H, W, C = images.shape
    N, one = rows.size, np.float32(1)
    line = np.empty(W * C, np.float32)
    scale, offset = np.empty(W * C, np.float32), np.empty(W * C, np.float32)
    for j in range(W * C):
        scale[j] = one / (np.float32(255) * std[j % C])
        offset[j] = -mean[j % C] / std[j % C]
    for i in range(N):
        image, m, own, hole = images[rows[i]], matrix[i], colour[i], holes[i]
        copied, plain = _is_copy(m), own[0] == one and own[1] == one and own[2] == one
        shade = np.float32(0) if plain else _mean_grey(image, grey)
        for y in range(H):
            if copied:
                _copy_line(image, m, y, clamp, line)
            else:
                _resampled_line(image, m, y, clamp, line)
            if not plain:
                _recolour(line, grey, own, shade)
            result = out[i, y].reshape(-1)
            for j in range(line.size):
                result[j] = line[j] * scale[j] + offset[j]
            if hole[0] <= y < hole[1]:
                for j in range(hole[2] * C, hole[3] * C):
                    result[j] = np.float32(0)


@jit()
def mix_rows(x, partner, share, out):  # type: ignore[no-untyped-def]
    """out = share x + (1 - share) x[partner], x and out (N, D), partner and share (N,)."""
    N, D = x.shape
    for i in range(N):
        own, other, result = x[i], x[partner[i]], out[i]
        a, b = share[i], np.float32(1) - share[i]
        for j in range(D):
            result[j] = a * own[j] + b * other[j]
