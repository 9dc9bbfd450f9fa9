"""A GAN's folder: what ``fastdl train-gan`` writes, and generator.json beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import entries_of, read_described, write_described
from ..generation.trained import load_gan
from ..options import JOB
from ..runs import METRICS
from .files import parameters

if TYPE_CHECKING:
    from .image_gan import AdImageGAN

GENERATOR = "generator.json"
_LEARNED = ("history_", "n_iter_")


def write_gan(gan: AdImageGAN, folder: str | os.PathLike[str]) -> None:
    """Write the files of a fitted GAN; the folder is made where there is none."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    gan._trained().save(folder)
    write_described(folder / GENERATOR, {
        "parameters": parameters(gan),
        "classes": gan.classes_.tolist(),
        "classes_dtype": gan.classes_.dtype.str,
        **{name: getattr(gan, name) for name in _LEARNED},
    })  # fmt: skip


def read_gan(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Parameters and learned attributes of a folder's GAN, by name."""
    trained = load_gan(folder)
    found: dict[str, Any] = {"model_": trained.gan, "kind_": trained.kind, "images_": None}
    path = Path(folder) / GENERATOR
    if path.is_file():
        return found | read_described(path, _known)
    return found | {"classes_": np.array(trained.kind.classes)} | _of_run(Path(folder))


def _known(known: dict[str, Any]) -> dict[str, Any]:
    """What generator.json tells."""
    found = dict(known["parameters"]) | {name: known[name] for name in _LEARNED}
    found["classes_"] = np.array(known["classes"], np.dtype(known["classes_dtype"]))
    return found


def _of_run(folder: Path) -> dict[str, Any]:
    """Parameters and epochs of a run of ``fastdl train-gan``, as far as its files still tell."""
    from .image_gan import AdImageGAN

    (history,), (job,) = entries_of(folder / METRICS, "history"), entries_of(folder / JOB, "job")
    own = AdImageGAN._parameter_defaults()
    found = {name: value for name, value in job.items() if name in own}
    if "fit" in job:
        found["resize"] = job["fit"]
    return found | {"history_": history, "n_iter_": len(history.get("epoch", ()))}
