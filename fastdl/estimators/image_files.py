"""An image classifier's folder: what ``fastdl train-image`` writes, and classifier.json beside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checkpoint import save
from ..files import entries_of, read_described, write_described
from ..models.image import BY_NAME
from ..runs import METRICS, MODEL
from ..schedules import from_description
from ..vision.trained import load_trained
from .files import CLASSIFIER, parameters

if TYPE_CHECKING:
    from .image_classifier import AdImageClassifier

_LEARNED = ("history_", "n_iter_")


def write_classifier(classifier: AdImageClassifier, folder: str | os.PathLike[str]) -> None:
    """Write the files of a fitted classifier; the folder is made where there is none."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save(classifier.model_, folder / MODEL)
    classifier.preparation_.save(folder)
    write_described(folder / CLASSIFIER, {
        "parameters": parameters(classifier),
        "classes": classifier.classes_.tolist(),
        "classes_dtype": classifier.classes_.dtype.str,
        "n_features_in_": getattr(classifier, "n_features_in_", None),
        **{name: getattr(classifier, name) for name in _LEARNED},
    })  # fmt: skip


def read_classifier(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Parameters and learned attributes of a folder's classifier, by name."""
    trained = load_trained(folder)
    model, known = trained.network, trained.preparation
    name = type(model).__name__.lower()
    found: dict[str, Any] = {
        "model": name if BY_NAME.get(name) is type(model) else type(model), "model_": model,
        "preparation_": known,
    }  # fmt: skip
    path = Path(folder) / CLASSIFIER
    if path.is_file():
        return found | read_described(path, _known)
    options = {name: getattr(model, name) for name in model.options}
    return found | {
        "model_options": options, "size": known.size, "resize": known.fit,
        "classes_": np.array(known.classes), **_of_run(Path(folder)),
    }  # fmt: skip


def _known(known: dict[str, Any]) -> dict[str, Any]:
    """What classifier.json tells."""
    found = dict(known["parameters"])
    if isinstance(found.get("lr"), dict):
        found["lr"] = from_description(found["lr"]["schedule"])
    if isinstance(found.get("size"), list):
        found["size"] = tuple(found["size"])
    found |= {name: known[name] for name in _LEARNED}
    found["classes_"] = np.array(known["classes"], np.dtype(known["classes_dtype"]))
    if known["n_features_in_"] is not None:
        found["n_features_in_"] = int(known["n_features_in_"])
    return found


def _of_run(folder: Path) -> dict[str, Any]:
    """The epochs of a run of ``fastdl train-image``."""
    (history,) = entries_of(folder / METRICS, "history")
    return {"history_": history, "n_iter_": len(history.get("epoch", ()))}
