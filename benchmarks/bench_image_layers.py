"""Image layers: kernels against their twins, and forward with backward against PyTorch; float32.

pytest -o addopts="" benchmarks/bench_image_layers.py --benchmark-columns=min,median

PyTorch's images are channels-last too. On a machine that others use as well, read the minima:
a side that waits for a core which is taken away is slow by whole time slices.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from common import SETTLE, threads, torch_or_none
from fastdl.kernels import jit
from fastdl.kernels.activation import NONE, RELU

import fastdl
from fastdl.layers.base import Layer
from fastdl.memory import keep_step_memory

keep_step_memory()  # as networks do
R = np.random.default_rng(0)
# (N, H, W, C): a residual network's first and last images, those of a small one
SHAPES = [(128, 32, 32, 16), (128, 8, 8, 64), (64, 28, 28, 32)]
Arguments = tuple[Any, ...]


def f32(*shape: int) -> np.ndarray:
    return R.standard_normal(shape).astype(np.float32)


def batchnorm_images_forward(*shape: int) -> Arguments:
    x, C = f32(*shape).reshape(-1, shape[3]), shape[3]
    return (True, RELU, 0.0, x, x[::-1].copy(), f32(C), f32(C), 1e-5, f32(C), f32(C), x.copy())


def batchnorm_images_backward(*shape: int) -> Arguments:
    x, C = f32(*shape).reshape(-1, shape[3]), shape[3]
    out, dout = np.maximum(x[::-1], 0), f32(*x.shape)
    vectors = f32(C), f32(C), x.mean(axis=0), x.var(axis=0)
    destinations = x.copy(), x.copy(), f32(C), f32(C)
    return (True, RELU, 0.0, x, out, x[:0], *vectors, 1e-5, dout, x[:0], *destinations)


WINDOW = (3, 3), (2, 2), (1, 1)


def pooled(N: int, H: int, W: int, C: int) -> np.ndarray:
    return f32(N, (H + 1) // 2, (W + 1) // 2, C)


def maxpool_forward(*shape: int) -> Arguments:
    out = pooled(*shape)
    return (f32(*shape), *WINDOW, (1, 1), out, np.empty(out.shape, np.uint8))


def maxpool_backward(*shape: int) -> Arguments:
    dout = pooled(*shape)
    index = R.choice(np.array([4, 5, 7, 8], np.uint8), dout.shape)  # within the image everywhere
    return (dout, index, *WINDOW, (1, 1), f32(*shape))


def avgpool_forward(*shape: int) -> Arguments:
    return (f32(*shape), *WINDOW, True, pooled(*shape))


def avgpool_backward(*shape: int) -> Arguments:
    return (pooled(*shape), *WINDOW, True, f32(*shape))


def global_avgpool_forward(N: int, H: int, W: int, C: int) -> Arguments:
    return (f32(N, H * W, C), f32(N, C))


def global_avgpool_backward(N: int, H: int, W: int, C: int) -> Arguments:
    return (f32(N, C), f32(N, H * W, C))


def scale_channels(N: int, H: int, W: int, C: int) -> Arguments:
    return (f32(N, H * W, C), f32(N, C), f32(N, H * W, C))


def sum_pixels(N: int, H: int, W: int, C: int) -> Arguments:
    return (f32(N, H * W, C), f32(N, C))


def add_to_channels(N: int, H: int, W: int, C: int) -> Arguments:
    return (f32(N, H * W, C), f32(C), False)


def modulate_forward(N: int, H: int, W: int, C: int) -> Arguments:
    return (RELU, 0.0, f32(N, H * W, C), f32(N, C), f32(N, C), f32(N, H * W, C))


def modulate_backward(N: int, H: int, W: int, C: int) -> Arguments:
    x, sums = f32(N, H * W, C), (f32(N, C), f32(N, C))
    return (RELU, 0.0, x, f32(N, C), np.maximum(x, 0), f32(*x.shape), f32(*x.shape), *sums)


def filters(C: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Those of a transposed 4 x 4 convolution from 4 C to 2 C channels; u and v."""
    return f32(4 * C, 2 * C, 16), f32(2 * C), f32(4 * C, 16)


def spectral_rows(N: int, H: int, W: int, C: int) -> Arguments:
    weights, u, v = filters(C)
    return (weights, v, u)


def spectral_columns(N: int, H: int, W: int, C: int) -> Arguments:
    return filters(C)


def spectral_gradient(N: int, H: int, W: int, C: int) -> Arguments:
    weights, u, v = filters(C)
    return (f32(*weights.shape), weights, u, v, 1.7, f32(*weights.shape))


def upsample_forward(N: int, H: int, W: int, C: int) -> Arguments:
    return (f32(N, H, W, C), (2, 2), True, f32(N, 2 * H, 2 * W, C))


def upsample_backward(N: int, H: int, W: int, C: int) -> Arguments:
    return (f32(N, 2 * H, 2 * W, C), (2, 2), True, f32(N, H, W, C))


# (file, maker of the arguments, positions of the destinations)
CASES: dict[str, tuple[str, Callable[..., Arguments], list[int]]] = {
    "batchnorm_images_forward": ("batchnorm_images", batchnorm_images_forward, [8, 9, 10]),
    "batchnorm_images_backward": ("batchnorm_images", batchnorm_images_backward, [13, 14, 15, 16]),
    "maxpool_forward": ("maxpool", maxpool_forward, [5, 6]),
    "maxpool_backward": ("maxpool", maxpool_backward, [6]),
    "avgpool_forward": ("avgpool", avgpool_forward, [5]),
    "avgpool_backward": ("avgpool", avgpool_backward, [5]),
    "global_avgpool_forward": ("channels", global_avgpool_forward, [1]),
    "global_avgpool_backward": ("channels", global_avgpool_backward, [1]),
    "scale_channels": ("channels", scale_channels, [2]),
    "sum_pixels": ("channels", sum_pixels, [1]),
    "add_to_channels": ("channels", add_to_channels, [0]),
    "modulate_forward": ("modulate", modulate_forward, [5]),
    "modulate_backward": ("modulate", modulate_backward, [6, 7, 8]),
    "spectral_rows": ("spectral", spectral_rows, [2]),
    "spectral_columns": ("spectral", spectral_columns, [2]),
    "spectral_gradient": ("spectral", spectral_gradient, [5]),
    "upsample_forward": ("upsample", upsample_forward, [3]),
    "upsample_backward": ("upsample", upsample_backward, [3]),
}


def side(file: str, name: str, which: str) -> Any:
    folder = "fastdl.kernels." + ("reference." if which == "NumPy" else "")
    function = getattr(importlib.import_module(folder + file), name)
    return function if which == "NumPy" else jit.on_our_threads(function)


@pytest.mark.parametrize("which", ["fastdl", "NumPy"])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CASES)
def test_kernel(
    benchmark: Any, name: str, shape: tuple[int, ...], n_threads: int, which: str
) -> None:
    file, make, outputs = CASES[name]
    arguments = make(*shape)
    results = []
    with threads(n_threads):
        for other in ("fastdl", "NumPy"):
            own = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
            side(file, name, other)(*own)
            results.append([own[i] for i in outputs])
        for mine, twin in zip(*results, strict=True):
            assert np.isfinite(twin).all()
            np.testing.assert_allclose(mine, twin, rtol=1e-3, atol=1e-2)
        benchmark.group = f"{name} {'x'.join(map(str, shape))}, {n_threads} thread(s)"
        time.sleep(SETTLE)
        rounds = 31 if which == "fastdl" else 5
        benchmark.pedantic(side(file, name, which), own, rounds=rounds, warmup_rounds=2)


def normalized(torch: Any, x: Any, shortcut: Any, activation: int) -> Any:
    C = x.shape[1]
    running, gamma = (torch.zeros(C), torch.ones(C)), torch.ones(C, requires_grad=True)
    beta = torch.zeros(C, requires_grad=True)
    out = torch.nn.functional.batch_norm(x, *running, gamma, beta, True, 0.1, 1e-5)
    out = out if shortcut is None else out + shortcut
    return torch.nn.functional.relu(out, inplace=True) if activation == RELU else out


# (our layer, whether it takes a shortcut, PyTorch's function of (torch, x, shortcut))
STEPS: dict[str, tuple[Callable[[], Layer], bool, Callable[..., Any]]] = {
    "batchnorm": (
        fastdl.BatchNormalization, False, lambda t, x, s: normalized(t, x, None, NONE)
    ),
    "batchnorm+relu": (
        lambda: fastdl.BatchNormalization(activation="relu"), False,
        lambda t, x, s: normalized(t, x, None, RELU),
    ),
    "batchnorm+add+relu": (
        lambda: fastdl.BatchNormalization(activation="relu"), True,
        lambda t, x, s: normalized(t, x, s, RELU),
    ),
    "maxpool 2": (
        lambda: fastdl.MaxPool2D(2), False, lambda t, x, s: t.nn.functional.max_pool2d(x, 2)
    ),
    "maxpool 3/2": (
        lambda: fastdl.MaxPool2D(3, 2, 1), False,
        lambda t, x, s: t.nn.functional.max_pool2d(x, 3, 2, 1),
    ),
    "avgpool 2": (
        lambda: fastdl.AvgPool2D(2), False, lambda t, x, s: t.nn.functional.avg_pool2d(x, 2)
    ),
    "avgpool 3/1": (
        lambda: fastdl.AvgPool2D(3, 1, 1), False,
        lambda t, x, s: t.nn.functional.avg_pool2d(x, 3, 1, 1),
    ),
    "global": (fastdl.GlobalAvgPool2D, False, lambda t, x, s: x.mean(dim=(2, 3))),
    "nearest": (
        lambda: fastdl.Upsample2D(2), False,
        lambda t, x, s: t.nn.functional.interpolate(x, scale_factor=2.0),
    ),
    "bilinear": (
        lambda: fastdl.Upsample2D(2, "bilinear"), False,
        lambda t, x, s: t.nn.functional.interpolate(
            x, scale_factor=2.0, mode="bilinear", align_corners=False
        ),
    ),
}  # fmt: skip


def sides(name: str, shape: tuple[int, ...]) -> dict[str, Callable[[], list[np.ndarray]]]:
    """Forward and backward of both sides on the same numbers, giving [out, dx, ...]."""
    make, joined, function = STEPS[name]
    torch = torch_or_none()
    layer, images = make(), [f32(*shape).transpose(0, 3, 1, 2) for _ in range(1 + joined)]
    tensors = [torch.from_numpy(x.copy(order="K")).requires_grad_() for x in images]
    dout = R.standard_normal(layer.forward(*images).shape).astype(np.float32)
    if dout.ndim == 4:
        dout = np.ascontiguousarray(dout.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    upstream = torch.from_numpy(dout.copy(order="K"))

    def ours() -> list[np.ndarray]:
        out: Any = layer.forward(*images)
        gradients: Any = layer.backward(dout)
        return [out, *(gradients if joined else (gradients,))]

    def theirs() -> list[np.ndarray]:
        for tensor in tensors:
            tensor.grad = None
        out = function(torch, tensors[0], tensors[-1])
        out.backward(upstream)
        return [out.detach().numpy(), *(tensor.grad.numpy() for tensor in tensors)]

    return {"fastdl": ours, "PyTorch": theirs}


@pytest.mark.skipif(torch_or_none() is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("which", ["fastdl", "PyTorch"])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", STEPS)
def test_step(
    benchmark: Any, name: str, shape: tuple[int, ...], n_threads: int, which: str
) -> None:
    with threads(n_threads):
        both = sides(name, shape)
        for mine, expected in zip(both["fastdl"](), both["PyTorch"](), strict=True):
            # a number beside 0 may be rounded to the other side of it, and ReLU's gradient with it
            off = np.abs(mine - expected) > 1e-3 + 1e-3 * np.abs(expected)
            assert np.isfinite(mine).all() and off.mean() < 1e-5
        benchmark.group = f"{name} {'x'.join(map(str, shape))}, {n_threads} thread(s)"
        time.sleep(SETTLE)
        benchmark.pedantic(both[which], rounds=41, warmup_rounds=3)
