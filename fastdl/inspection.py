"""What is in a run folder: the model, what it was trained on and how well, how far training is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .callbacks import checkpoint_files
from .data import LogEncoder
from .data.description import width
from .features import FeatureSpec
from .files import check_version
from .forecasting.trained import TrainedForecaster, is_forecast_run
from .generation.trained import is_gan_run, load_gan
from .network import Network
from .runs import METRICS, MODEL
from .scoring import load_model
from .vision.trained import is_image_run, load_trained

CHECKPOINTS = "checkpoints"


def inspect_run(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """What is in a run folder, finished or not, as plain dicts and lists.

    "finished": whether there is a trained model; "model": {"class", "options", "parameters":
    {"dense", "tables"}} (of an unfinished run {"all"}), empty where neither model nor checkpoint
    can be read; "columns": [name, kind, what it gives] of each column of the log; "results": the
    content of metrics.json; "history": a dict of columns, an entry an epoch; "checkpoints": of
    each {"file", "epoch", "epochs", "step", "steps"}, None where it does not say, or {"file",
    "problem"}; "files": {name: bytes}, folders with all that is in them; "problems": what is wrong
    with files that are there. Of checkpoints the descriptions are read, not the arrays.

    Raises FileNotFoundError where there is no folder, ValueError for a folder that is no run.
    """
    folder = Path(folder)
    _require_run(folder)
    found: dict[str, Any] = {
        "finished": (folder / MODEL).is_file(), "model": {}, "columns": [], "problems": [],
        "results": {}, "files": _files(folder),
    }  # fmt: skip
    found["checkpoints"] = [_checkpoint(path) for path in checkpoint_files(folder / CHECKPOINTS)]
    descriptions = [known.pop("description", None) for known in found["checkpoints"]]
    newest = next((known for known in reversed(descriptions) if known), None)
    try:
        found["results"] = _results(folder / METRICS)
        if found["finished"]:
            found["model"], found["columns"] = _trained(folder)
    except (OSError, ValueError) as error:
        found["problems"].append(str(error))
    if not found["finished"] and newest:
        found["model"] = newest["model"]
    found["history"] = found["results"].get("history") or (newest or {}).get("history") or {}
    return found


def page_results(found: dict[str, Any]) -> dict[str, Any]:
    """What ``fastdl.report.write_page`` shows of an inspected run; ValueError where it is missing.

    What the columns were taken for is added where metrics.json does not tell.
    """
    if not found["results"]:
        raise ValueError(f"The run has no usable {METRICS}, which the page is made from.")
    return {"columns": found["columns"], **found["results"]}


def _require_run(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no run folder {folder}; `fastdl train` makes one.")
    if not _is_run(folder):
        inside = sorted(path.name for path in folder.iterdir() if _is_run(path))
        hint = f" It holds runs: {', '.join(inside[:5])}; name one of them." if inside else ""
        raise ValueError(
            f"{folder} is not a run folder: it has neither {MODEL}, {METRICS} nor checkpoints."
            + hint
        )


def _is_run(folder: Path) -> bool:
    known = any((folder / name).is_file() for name in (MODEL, METRICS))
    return known or bool(checkpoint_files(folder / CHECKPOINTS))


def _files(folder: Path) -> dict[str, int]:
    sizes = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            inside = [part.stat().st_size for part in path.rglob("*") if part.is_file()]
            sizes[f"{path.name}/ ({len(inside)} files)"] = sum(inside)
        else:
            sizes[path.name] = path.stat().st_size
    return sizes


def _results(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    parts = ("test", "base_rate", "best_possible", "history", "job", "by", "importance", "facts")
    if not isinstance(found, dict) or not all(
        isinstance(found.get(part), dict | None) for part in parts
    ):
        raise ValueError(f"{path} is damaged: it is not what `fastdl train` writes.")
    return found


def _trained(folder: Path) -> tuple[dict[str, Any], list[list[str]]]:
    """The finished model, and its columns; images and series have none."""
    if is_gan_run(folder):
        return _model(load_gan(folder).gan), []
    if is_image_run(folder):
        return _model(load_trained(folder).network), []
    if is_forecast_run(folder):
        return _model(TrainedForecaster.load(folder).network), []
    network, encoder = load_model(folder)[:2]
    return _model(network), described_columns(encoder)


def _model(network: Network) -> dict[str, Any]:
    counts = {"dense": 0, "tables": 0}
    for layer in network.layers:
        for name, array in layer.parameters().items():
            counts["tables" if name in layer.table_names else "dense"] += array.size
    options = _options(network.config())
    if network.describe_layers():  # a row of layers; those of other models follow from the options
        options |= {f"layer {i}": repr(layer) for i, layer in enumerate(network.layers)}
    return {"class": type(network).__name__, "options": options, "parameters": counts}


def _options(config: dict[str, Any]) -> dict[str, Any]:
    """A model's configuration, its feature spec and calibrators in a few words."""
    options = {name: value for name, value in config.items() if name != "spec"}
    if "spec" in config:
        spec = FeatureSpec.from_dict(config["spec"])
        options["features"] = (
            f"{len(spec.numeric):,} numbers, {len(spec.fields):,} fields and "  # type: ignore[arg-type]
            f"{len(spec.sequences):,} sequences of together {spec.rows:,} ids"
        )
    if options.get("calibrators"):
        options["calibrators"] = [known["class"] for known in options["calibrators"]]
    return options


def described_columns(encoder: Any) -> list[list[str]]:
    """Name, kind and what it gives, of each column that an encoder was fitted with."""
    if isinstance(encoder, LogEncoder):
        return [[c["name"], c["kind"], f"{width(c):,} inputs"] for c in encoder.columns_]
    return [list(row) for row in encoder.describe()]


def _checkpoint(path: Path) -> dict[str, Any]:
    """How far a checkpoint is, and the description it carries."""
    try:
        known, shapes = _described(path)
        epoch, step = (int(part) for part in known["progress"][:2])
        epochs, per_epoch = (known["settings"].get(key) for key in ("epochs", "steps_per_epoch"))
        sizes = (_size(shape) for name, shape in shapes.items() if name.startswith("network/"))
        model = {
            "class": known["network"]["class"], "options": _options(known["network"]["config"]),
            "parameters": {"all": sum(sizes)},
        }  # fmt: skip
        steps = epochs * per_epoch if epochs and per_epoch else None
        description = {"model": model, "history": known["history"]}
    except (OSError, ValueError) as error:
        return {"file": path.name, "problem": str(error)}
    except (KeyError, TypeError, AttributeError) as error:
        return {"file": path.name, "problem": f"its description is damaged: {error!r}"}
    progress = {"epoch": epoch, "epochs": epochs, "step": step, "steps": steps}
    return {"file": path.name, **progress, "description": description}


def _described(path: Path) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """Description of a checkpoint and its arrays' shapes; the arrays are not read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as file:
            known = json.loads((file.metadata() or {})["fastdl"])
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"it is damaged: {error}") from None
    except (KeyError, json.JSONDecodeError):
        raise ValueError("it was not written by fastdl: its description is missing.") from None
    check_version(known.get("format_version"), str(path))
    return known, shapes


def _size(shape: list[int]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count
