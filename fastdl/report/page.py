"""The page of a finished training: one HTML file that needs no other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import write_text
from .gan_sections import gan_sections
from .image_sections import image_sections
from .look import CSS
from .markup import escaped
from .sections import SECTIONS
from .series_sections import SERIES_SECTIONS

# Nothing in the page runs, and nothing is fetched, whatever a log has put into it.
_GENERATED = {
    "images": "generated creatives", "gan": "generated creatives", "series": "generated ad series",
}  # fmt: skip
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_page(
    path: str | os.PathLike[str], results: Mapping[str, Any], *,
    pictures: str | os.PathLike[str] | None = None,
) -> None:  # fmt: skip
    """Write a finished training as one HTML file with everything in it, atomically.

    ``results`` is what ``metrics.json`` of a run folder holds. Every key may be absent or None;
    its section is left out then:

    - "test", "base_rate", "best_possible": dicts of ``fastdl.metrics.evaluate``;
    - "history": columns with one entry an epoch, as ``Trainer.history``;
    - "loss_curve": the dict of ``fastdl.report.loss_curve``;
    - "curves": the dict of ``fastdl.report.curves``;
    - "progressive": {"rows": rows seen, "log_loss": [...], "auc": [...], "calibration": [...]},
      lists of one length of the rows since the entry before, None where undefined;
    - "by": {column: {value: dict of ``evaluate``}};
    - "importance": the dict of ``fastdl.importance.permutation_importance``;
    - "columns": [name, kind, what it gives] of each column, as ``FeatureEncoder.describe``;
    - "facts": {name: text or number} of the run: rows, seconds, versions;
    - "job": {option: value}; its "model" and "data" are in the title.

    Where "kind" is "images", it is a training on images:

    - "test": a dict of ``fastdl.metrics.classes.evaluate``; "base_rate": "accuracy", "log_loss";
    - "counts": {part: {class: images}}; "confidence": ``fastdl.metrics.classes.confidence_bins``;
    - "pictures": {group: [{"files": names, ...}]}, PNG files in the folder ``pictures``, by default
      the one of this name beside the page; those that are missing are left out.

    Where "kind" is "series", it is a forecast: what ``metrics.json`` of ``fastdl forecast`` holds;
    where it is "gan", what that of ``fastdl train-gan`` holds, with pictures as above.

    Names and values from logs are escaped, and long ones and long tables are cut, so that the
    file stays below 1.5 MB, with a GAN's pictures mostly below 4 MB. Raises TypeError for results
    that are not a mapping, ValueError for a path that does not end in .html or whose folder is
    missing, for results with nothing to show, and for a key with content of another form.

    >>> import tempfile
    >>> from fastdl.metrics import evaluate
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_page(Path(folder) / "a.html", {"test": evaluate([0, 1], [0.2, 0.6])})
    ...     text = (Path(folder) / "a.html").read_text()
    >>> text[:15], "<strong>1.0000</strong>" in text, "<script" in text
    ('<!DOCTYPE html>', True, False)
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"write_page writes HTML; the path must end in .html, got {path}.")
    if not path.parent.is_dir():
        raise ValueError(f"write_page: the folder {path.parent} does not exist; create it first.")
    if not isinstance(results, Mapping):
        raise TypeError(f"results is {type(results).__name__}; expected a dict.")
    folder = path.parent / "pictures" if pictures is None else Path(pictures)
    write_text(path, _page(results, folder))


def _page(results: Mapping[str, Any], pictures: Path) -> str:
    kinds = SECTIONS
    if results.get("kind") == "images":
        kinds = image_sections(pictures)
    elif results.get("kind") == "gan":
        kinds = gan_sections(pictures)
    elif results.get("kind") == "series":
        kinds = SERIES_SECTIONS
    sections = [text for key, make in kinds.items() if (text := _made(key, make, results))]
    if not sections:
        raise ValueError(
            f"results has nothing to show: its keys are {', '.join(map(str, results)) or 'none'}; "
            "expected some of test, history, curves, by, importance, columns, facts and job."
        )
    title = escaped(_title(results))
    return "\n".join([
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{title}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<h1>{title}</h1>",
        *sections,
        "</body>\n</html>\n",
    ])  # fmt: skip


def _made(key: str, make: Any, results: Mapping[str, Any]) -> str:
    try:
        return str(make(results))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ValueError(f"The results' {key} cannot be shown: {error!r}.") from error


def _title(results: Mapping[str, Any]) -> str:
    job = results.get("job")
    if not isinstance(job, Mapping):
        return "fastdl: a finished training"
    data = job.get("data")
    made = _GENERATED.get(str(results.get("kind")), "generated ad log")
    name = Path(data).name if isinstance(data, str) else str(data or made)
    model = results.get("name") or job.get("model", "a model")
    return f"{model} on {name}"
