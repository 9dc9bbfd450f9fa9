"""An image classifier's folder: what ``fastdl train-image`` writes, and classifier.json beside."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checkpoint import save
from ..files import FORMAT_VERSION, check_version, write_json
from ..models.image import BY_NAME
from ..schedules import from_description
from ..scoring import METRICS, MODEL
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
    write_json(folder / CLASSIFIER, {
        "format_version": FORMAT_VERSION,
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
        return found | _known(path)
    options = {name: getattr(model, name) for name in model.options}
    return found | {
        "model_options": options, "size": known.size, "resize": known.fit,
        "classes_": np.array(known.classes), **_of_run(Path(folder)),
    }  # fmt: skip


def _known(path: Path) -> dict[str, Any]:
    """What classifier.json tells."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        check_version(known["format_version"], str(path))
        found = dict(known["parameters"])
        if isinstance(found.get("lr"), dict):
            found["lr"] = from_description(found["lr"]["schedule"])
        if isinstance(found.get("size"), list):
            found["size"] = tuple(found["size"])
        found |= {name: known[name] for name in _LEARNED}
        dtype = np.dtype(known["classes_dtype"])
        found["classes_"] = np.array(known["classes"], dtype)
        if known["n_features_in_"] is not None:
            found["n_features_in_"] = int(known["n_features_in_"])
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is damaged: {error!r}.") from None
    return found


def _of_run(folder: Path) -> dict[str, Any]:
    """The epochs of a run of ``fastdl train-image``."""
    try:
        history = dict(json.loads((folder / METRICS).read_text(encoding="utf-8"))["history"])
    except (OSError, ValueError, KeyError, TypeError):
        history = {}  # the file is there for people, and may be gone
    return {"history_": history, "n_iter_": len(history.get("epoch", ()))}
