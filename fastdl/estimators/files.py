"""A classifier's folder: what ``fastdl train`` writes, and classifier.json beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checkpoint import save
from ..files import entries_of, read_described, write_described
from ..models.ctr import BY_NAME, CTRModel
from ..runs import METRICS, MODEL
from ..schedules import Schedule, from_description
from ..scoring import ENCODER, FEATURES, load_model
from .conventions import Estimator

if TYPE_CHECKING:
    from .classifier import CTRClassifier

CLASSIFIER = "classifier.json"
_LEARNED = (
    "n_features_in_", "label_", "positive_", "format_", "by_name_", "history_", "n_iter_",
)  # fmt: skip


def write_classifier(classifier: CTRClassifier, folder: str | os.PathLike[str]) -> None:
    """Write the files of a fitted classifier; the folder is made where there is none."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save(classifier.model_, folder / MODEL)
    classifier.encoder_.save(folder)
    format = classifier.format_
    write_described(folder / ENCODER, {"encoder": FEATURES, "format": format})
    names = getattr(classifier, "feature_names_in_", None)
    write_described(folder / CLASSIFIER, {
        "parameters": parameters(classifier),
        "classes": classifier.classes_.tolist(),
        "classes_dtype": classifier.classes_.dtype.str,
        "feature_names_in_": None if names is None else names.tolist(),
        **{name: getattr(classifier, name) for name in _LEARNED},
    })  # fmt: skip


def read_classifier(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Parameters and learned attributes of a folder's classifier, by name."""
    model, encoder, format = load_model(folder)
    if not isinstance(model, CTRModel):
        raise ValueError(
            f"{folder} holds a {type(model).__name__}, which has no embeddings; CTRClassifier "
            f"reads folders of `fastdl train --model` with one of {', '.join(BY_NAME)}."
        )
    name = type(model).__name__.lower()
    found: dict[str, Any] = {
        "model": name if BY_NAME.get(name) is type(model) else type(model), "model_": model,
        "encoder_": encoder,
    }  # fmt: skip
    path = Path(folder) / CLASSIFIER
    if path.is_file():
        return found | read_described(path, _known)
    return found | _of_run(Path(folder), model, encoder, format)


def parameters(classifier: Estimator) -> dict[str, Any]:
    """Those that JSON can hold; the model's class is told by its own file."""
    found = {}
    for name, value in classifier.get_params().items():
        value = {"schedule": value.describe()} if isinstance(value, Schedule) else value
        try:
            found[name] = json.loads(json.dumps(value, default=_plain))
        except TypeError:
            continue
    found.pop("model", None)
    return found


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays, and what tells itself as a dict, as JSON has them."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if hasattr(value, "to_dict"):
        return value.to_dict()
    raise TypeError


def _known(known: dict[str, Any]) -> dict[str, Any]:
    """What classifier.json tells."""
    found = dict(known["parameters"])
    rate = found.get("lr")
    if isinstance(rate, dict):
        found["lr"] = from_description(rate["schedule"])
    if isinstance(found.get("hidden"), list):
        found["hidden"] = tuple(found["hidden"])
    found |= {name: known[name] for name in _LEARNED}
    found["classes_"] = np.array(known["classes"], np.dtype(known["classes_dtype"]))
    if known["feature_names_in_"] is not None:
        found["feature_names_in_"] = np.array(known["feature_names_in_"], object)
    return found


def _of_run(folder: Path, model: CTRModel, encoder: Any, format: str | None) -> dict[str, Any]:
    """The same of a folder by ``fastdl train``, whose labels are 0 and 1."""
    job, history = entries_of(folder / METRICS, "job", "history")
    names = [column.name for column in encoder.columns_]
    options = {name: getattr(model, name) for name in model.options}
    return {
        "embedding_dim": model.embedding_dim, "hidden": model.hidden, "dropout": model.dropout,
        "embedding_l2": model.embedding_l2, "model_options": options or None,
        "numbers": encoder.numbers, "min_count": encoder.min_count,
        "classes_": np.array([0, 1]), "n_features_in_": len(names),
        "feature_names_in_": np.array(names, object), "label_": job.get("label"),
        "positive_": job.get("positive"), "format_": format, "by_name_": True,
        "history_": history, "n_iter_": len(history.get("epoch", ())),
    }  # fmt: skip
