"""What kind a run folder is of, told by the file that only this kind has; and what it must have."""

from __future__ import annotations

from pathlib import Path

LOG, IMAGES, SERIES, GENERATION = "encoder.json", "images.json", "series.json", "generation.json"
MODEL, METRICS = "model.safetensors", "metrics.json"
# file: what the run is on, the commands that make its folder and take it
_KINDS = {
    LOG: ("a log", "train", "predict"),
    IMAGES: ("images that are classified", "train-image", "predict-image"),
    SERIES: ("series", "forecast", "predict-series"),
    GENERATION: ("images that a GAN makes", "train-gan", "generate"),
}


def require_kind(folder: Path, file: str) -> None:
    """ValueError where a folder is a run of another kind than the one that has ``file``."""
    for name, (kind, _, command) in _KINDS.items():
        if name != file and (folder / name).is_file():
            raise ValueError(f"{folder} is a run on {kind}; `fastdl {command}` is for those.")


def require_complete(folder: Path, file: str) -> None:
    """Raise where a folder is no whole run of the kind that has ``file``.

    FileNotFoundError where there is no such folder, or where its model or this file is missing;
    ValueError for a run of another kind.
    """
    _, command, _ = _KINDS[file]
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no run folder {folder}; `fastdl {command}` makes one.")
    require_kind(folder, file)
    for name in (MODEL, file):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"The run folder {folder} is incomplete: it has no {name}; `fastdl {command}` "
                "makes one, and with --resume goes on where one was cut off."
            )
