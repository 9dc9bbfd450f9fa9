"""What kind a run folder is of, told by the file that only this kind has."""

from __future__ import annotations

from pathlib import Path

LOG, IMAGES, SERIES, GENERATION = "encoder.json", "images.json", "series.json", "generation.json"
# file: what the run is on, and the command that takes its folder
_KINDS = {
    LOG: ("a log", "predict"),
    IMAGES: ("images that are classified", "predict-image"),
    SERIES: ("series", "predict-series"),
    GENERATION: ("images that a GAN makes", "generate"),
}


def require_kind(folder: Path, file: str) -> None:
    """ValueError where a folder is a run of another kind than the one that has ``file``."""
    for name, (kind, command) in _KINDS.items():
        if name != file and (folder / name).is_file():
            raise ValueError(f"{folder} is a run on {kind}; `fastdl {command}` is for those.")
