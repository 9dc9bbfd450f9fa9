"""Compiling ahead of time: what it compiles is what trainings need."""

from __future__ import annotations

import subprocess
import sys

import pytest
from commands import run
from fastdl.kernels import jit

import fastdl

LOADED_LATER = """
import importlib, sys
import numpy as np
import fastdl
from fastdl.kernels.backend import FILES, kernel_names
from fastdl.forecasting import results as of_series
from fastdl.generation import results as of_gans
from fastdl.vision import results as of_images
from fastdl.vision.job import ImageJob
from fastdl.vision.pipeline import train_images

def nothing(*_):
    pass  # in the place of what draws the reports: it takes most of the time and needs no kernel

of_images.plot_image_run = of_images.write_page = nothing
of_series.plot_series_run = of_series.write_page = nothing
of_gans.plot_gan_run = of_gans.write_page = nothing

def loaded():
    found = set()
    for file in FILES:
        module = importlib.import_module(f"fastdl.kernels.{file}")
        for name in kernel_names(file):
            found |= {(name, str(s)) for s in getattr(module, name).signatures}
    return found

np.random.seed(1)
before = np.random.get_state()[1].tobytes()
fastdl.warmup(what="image")
assert np.random.get_state()[1].tobytes() == before
warm = loaded()
options = {"adimagecnn": {"widths": [8, 16]}, "resnet": {"width": 16, "depth": 8}}
for model, own in options.items():
    job = ImageJob(rows=60, size=32, epochs=1, batch_size=16, augment="standard", model=model,
                   pictures=2, class_weight="balanced", model_options=own)
    train_images(job, sys.argv[1] + model, verbose=False)
print(len(warm), sorted(loaded() - warm))
"""


SERIES = """
from fastdl.forecasting.job import ForecastJob
from fastdl.forecasting.pipeline import forecast_series

fastdl.warmup(what="series")
warm = loaded()
for number, (model, encoder) in enumerate(
    (("direct", "lstm"), ("direct", "conv"), ("autoregressive", "gru"))
):
    job = ForecastJob(accounts=3, steps=80, frequency="D", horizon=4, context=12, hidden=8,
                      epochs=1, folds=2, refit=False, model=model, encoder=encoder)
    forecast_series(job, f"{sys.argv[1]}{number}", verbose=False)
print(len(warm), sorted(loaded() - warm))
"""


GANS = """
from fastdl.generation import judged
from fastdl.generation.job import GANJob
from fastdl.generation.pipeline import train_gan

judged._EPOCHS = (1, 1)  # kernels are the same in every epoch
fastdl.warmup(what="gan")
warm = loaded()
for number, own in enumerate(({"width": 16}, {"classes": "none", "loss": "hinge", "size": 28,
                              "normalization": "spectral"})):
    job = GANJob(rows=200, epochs=1, batch_size=32, judge=60, pictures=2, **own)
    train_gan(job, f"{sys.argv[1]}{number}", verbose=False)
print(len(warm), sorted(loaded() - warm))
"""


@pytest.mark.skipif(not jit.numba_is_compiling(), reason="nothing is compiled")
def test_training_of_gans_needs_no_kernel_that_was_not_warmed_up(tmp_path):
    code = LOADED_LATER.split("np.random.seed")[0] + GANS
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path / "run")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    count, later = done.stdout.split(maxsplit=1)
    assert int(count) > 15 and later.strip() == "[]"


@pytest.mark.skipif(not jit.numba_is_compiling(), reason="nothing is compiled")
def test_forecasting_needs_no_kernel_that_was_not_warmed_up(tmp_path):
    code = LOADED_LATER.split("np.random.seed")[0] + SERIES
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path / "run")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    count, later = done.stdout.split(maxsplit=1)
    assert int(count) > 15 and later.strip() == "[]"


@pytest.mark.skipif(not jit.numba_is_compiling(), reason="nothing is compiled")
def test_training_on_images_needs_no_kernel_that_was_not_warmed_up(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LOADED_LATER, str(tmp_path / "run")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    count, later = done.stdout.split(maxsplit=1)
    assert int(count) > 15 and later.strip() == "[]"


def test_the_command_says_how_long_it_took(capsys):
    assert run("warmup") == 0
    assert "Kernels are ready after" in capsys.readouterr().out
    assert run("warmup", "everything") == 2
    assert (
        "what is 'everything'; expected one of 'ctr', 'image', 'series', 'gan', 'all'"
        in capsys.readouterr().err
    )


def test_every_part_is_compiled_for_all(monkeypatch):
    seen = []
    names = ["ctr", "image", "series", "gan"]
    for name in names:
        monkeypatch.setitem(fastdl.warm._PARTS, name, lambda dtype, name=name: seen.append(name))
    for what in (*names, "all"):
        fastdl.warmup("float64", what)
    assert seen == 2 * names
