"""Compiling ahead of time, and what there is to know about this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .kernels import blas_library, jit
from .kernels.backend import get_backend
from .kernels.blas import gemm
from .layers import Dense, ReLU
from .losses import Softmax
from .network import Sequential
from .optimizers import Adam
from .trainer import Trainer


def warmup(dtype: Any = None, what: str = "ctr") -> float:
    """Compile what a training needs, or load it from the cache; seconds it took.

    what: "ctr" for the CTR network (15 seconds), "image" for what ``fastdl train-image`` needs with
    any of its models (a minute), "series" for ``fastdl forecast`` and "gan" for ``fastdl
    train-gan``, which are in float32, or "all".
    Compiled kernels stay in ``fastdl info``'s cache folder: later processes load them in a fraction
    of a second. NumPy's random state is left as it was.
    ``dtype`` is that of the network; raises ValueError for another ``what``.

    >>> import fastdl
    >>> fastdl.warmup() > 0
    True
    """
    if what not in (*_PARTS, "all"):
        known = ", ".join(map(repr, _PARTS))
        raise ValueError(f"what is {what!r}; expected one of {known}, 'all'.")
    start = time.perf_counter()
    for name, compile_it in _PARTS.items():
        if what in (name, "all"):
            compile_it(dtype)
    return time.perf_counter() - start


def _train_ctr(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 4))
    t = np.eye(2)[rng.integers(0, 2, 64)]
    layers = [Dense(4, 3, dtype=dtype, rng=rng), ReLU(), Dense(3, 2, dtype=dtype, rng=rng)]
    network, optimizer = Sequential(*layers, loss=Softmax()), Adam()
    x, t = x.astype(network.dtype), t.astype(network.dtype)
    Trainer(network, optimizer).train(x, t, x, t, 1, 32, rng=rng, verbose=False)
    optimizer.update(network.parameters(), network.gradient(x, t))


def _train_images(dtype: Any) -> None:
    from .data.images import ImageStream, generate_ads
    from .models.image import BY_NAME, fold
    from .saliency import grad_cam
    from .vision.recipe import OPTIMIZERS, make_model, make_optimizer

    ads, rng = generate_ads(24, 24), np.random.default_rng(0)
    # so small, they still run convolutions in every way
    small: dict[str, dict[str, Any]] = {
        "adimagecnn": {"widths": (4, 16)},  # pools of any channels, and of whole vectors
        "resnet": {"depth": 8, "width": 4},
        "mobilenet": {"width": 0.125},
    }
    for name in BY_NAME:
        stream = ImageStream(ads, augmentation={"flip": True, "mixup": 0.2})
        model = make_model(name, len(ads.classes), stream.size, 3, rng, small[name], dtype)
        for optimizer in OPTIMIZERS:
            Trainer(model, make_optimizer(optimizer, 0.01, 0.01)).train(
                stream, None, stream.evaluating(ads), None, 1, 8, rng=rng, verbose=False,
                loss_at="before",
            )  # fmt: skip
        x = next(stream.blocks()).x[:2]
        fold(model).predict_proba(x)
        grad_cam(model, x)


def _train_series(dtype: Any) -> None:
    from .data.series import generate_ad_series
    from .estimators import AdSeriesForecaster

    clicks = generate_ad_series(2, 60, "D", future=3, missing=0.05).series("clicks")
    encoders = ("lstm", "gru", "rnn")
    kinds = [("direct", encoder, "quantile") for encoder in (*encoders, "conv")]
    kinds += [("direct", "gru", head) for head in ("gaussian", "student_t", "negative_binomial")]
    kinds += [("autoregressive", encoder, "student_t") for encoder in encoders]
    for model, encoder, head in kinds:
        AdSeriesForecaster(
            model, horizon=3, context=8, encoder=encoder, hidden=4, head=head, epochs=1, paths=2,
            model_options={"attention": True} if model == "direct" else None, random_state=0,
        ).fit(clicks).predict()  # fmt: skip


def _train_gans(dtype: Any) -> None:
    from .adversarial.features import FeatureNetwork
    from .data.images import ImageSet, generate_ads
    from .estimators import AdImageGAN

    ads = generate_ads(160, 32)
    grey = ImageSet.from_arrays(ads.load(None, 28, 1).transpose(0, 2, 3, 1))
    few: dict[str, Any] = {"epochs": 1, "batch_size": 40, "latent": 16, "random_state": 0}
    own = (
        (ads, {"classes": "auto"}),
        (ads, {"normalization": "spectral", "minibatch_stddev": True, "classes": "none"}),
        (grey, {"normalization": "none", "width": 8, "augment": "photographs"}),
        (ads, {"size": 64, "width": 8, "loss": "wasserstein"}),
    )
    for images, options in own:
        gan = AdImageGAN(**few, **options).fit(images)
        gan.sample(4)
    # judge would train it for twelve epochs, which all need the same kernels
    gan.features_ = FeatureNetwork.fit(ads, 64, 3, epochs=1, rng=np.random.default_rng(0))
    gan.judge(generate_ads(60, 64, seed=1), count=60)


_PARTS: dict[str, Callable[[Any], None]] = {
    "ctr": _train_ctr, "image": _train_images, "series": _train_series, "gan": _train_gans,
}  # fmt: skip


@jit.jit
def _repeat_product(times, a, b, c):  # type: ignore[no-untyped-def]
    for _ in range(times):
        gemm(a, b, c, 1.0, 0.0)


def measured_peak(dtype: Any = np.float32, n: int = 768) -> float:
    """GFLOP/s of one thread on an (n, n) matrix product: the best of several runs."""
    a = np.ones((n, n), dtype)
    b, c = a.copy(), np.empty_like(a)
    blas_library.stay_on_one_thread()  # threadpoolctl may have set it otherwise
    _repeat_product(1, a, b, c)
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        _repeat_product(2, a, b, c)
        best = min(best, (time.perf_counter() - start) / 2)
    return 2 * n**3 / best / 1e9


def info() -> dict[str, str]:
    """CPU, BLAS core, threads, threading layer, cache folder and measured peak, as texts."""
    import numba

    from . import __version__

    folder, core = jit.cache_folder(), blas_library.CORE
    return {
        "fastdl": __version__,
        "NumPy, numba": f"{np.__version__}, {numba.__version__}",
        "CPU": blas_library.cpu_name(),
        "BLAS": f"OpenBLAS, {core} kernels" if blas_library.LIBRARY else "none (loops)",
        "threads": f"{jit.get_num_threads()} of {numba.config.NUMBA_NUM_THREADS}",
        "threading layer": jit.threading_layer(),
        "backend": get_backend(),
        "kernel cache": str(folder) if folder else "none: the cache folder cannot be written",
        "measured peak, 1 thread": f"{measured_peak():.0f} GFLOP/s float32, "
        f"{measured_peak(np.float64):.0f} GFLOP/s float64",
    }  # fmt: skip
