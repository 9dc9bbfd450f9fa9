"""Which implementation runs: compiled kernels or their NumPy twins.

Layers call ``ops.<kernel>(...)``; ``use_backend`` points every name at one side or the other.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from .jit import numba_is_compiling, on_our_threads

BACKENDS = ("numba", "numpy")

# File of each operation: its public functions are the kernels, `reference/` has their twins.
FILES = (
    "activation", "attention", "augment", "augment_differentiable", "avgpool", "batchnorm",
    "batchnorm_images", "channels", "cin", "coalesce", "coalesce_fields", "convolution",
    "convolution_data", "convolution_weights", "cross", "dense", "depthwise", "dropout",
    "embedding", "entries", "few_channels", "field_values", "fields", "fusion", "gather", "gru",
    "gru_reset_first", "im2col", "interaction", "isotonic", "layernorm", "likelihood", "loss",
    "lstm", "matmul", "maxpool", "maxpool2x2", "metrics", "mlp", "modulate", "optimizer", "rnn",
    "scaling", "series_windows", "sparse", "spectral", "strings", "upsample", "winograd",
    "winograd_weights",
)  # fmt: skip


def kernel_names(file: str) -> list[str]:
    """Public kernels of one file, as its ``KERNELS`` tuple lists them."""
    return list(importlib.import_module(f".{file}", __package__).KERNELS)


class Ops:
    """The active kernels by name."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        raise AttributeError(f"There is no kernel named {name!r}.")


ops = Ops()
_active = ""


def _point_ops_at(backend: str) -> None:
    global _active
    for file in FILES:
        folder = ".reference" if backend == "numpy" else ""
        module = importlib.import_module(f"{folder}.{file}", __package__)
        for name in kernel_names(file):
            kernel = getattr(module, name)
            if backend == "numba" and numba_is_compiling():
                kernel = on_our_threads(kernel)
            setattr(ops, name, kernel)
    _active = backend


def _checked(backend: object, where: str) -> str:
    if backend not in BACKENDS:
        raise ValueError(f"{where} expects 'numba' or 'numpy', got {backend!r}.")
    return str(backend)


class use_backend:  # a function to its users, who may also write `with use_backend(...)`
    """Run everything on the compiled kernels ("numba") or on their NumPy twins ("numpy").

    The choice holds for the whole process, from the call on; in a ``with`` statement it ends with
    the block. The environment variable ``FASTDL_BACKEND`` gives the choice at import.

    Raises ValueError for another name.

    >>> import fastdl
    >>> with fastdl.use_backend("numpy"):
    ...     fastdl.get_backend()
    'numpy'
    >>> fastdl.get_backend()
    'numba'
    """

    def __init__(self, backend: str) -> None:
        self._before = _active
        _point_ops_at(_checked(backend, "use_backend"))

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: Any) -> None:
        _point_ops_at(self._before)


def get_backend() -> str:
    """Name of the active backend, "numba" or "numpy"."""
    return _active


_point_ops_at(
    _checked(os.environ.get("FASTDL_BACKEND", "numba"), "The environment variable FASTDL_BACKEND")
)
