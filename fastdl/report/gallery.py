"""Images of a run on the page, as data URIs: the page needs no other file."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .markup import Markup, escaped
from .texts import one_line

_NAME = re.compile(r"[a-z]+-\d+-\d+\.png")  # results come from a file: no other path is read
_LARGEST = 200_000  # bytes of a picture

Folder = Path | None


def image(name: Any, folder: Folder, text: str, kind: str = "") -> Markup:
    """An <img> with the PNG file of this name in it; nothing where there is no such file."""
    if folder is None or not isinstance(name, str) or not _NAME.fullmatch(name):
        return Markup()
    path = folder / name
    if not path.is_file() or path.stat().st_size > _LARGEST:
        return Markup()
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    own = f' class="{kind}"' if kind else ""
    return Markup(f'<img{own} src="data:image/png;base64,{content}" alt="{escaped(text)}">')


def gallery(figures: Sequence[str], kind: str = "") -> Markup:
    """Figures beside each other as far as the screen is wide."""
    inside = "\n".join(figure for figure in figures if figure)
    return Markup(f'<div class="gallery {kind}">\n{inside}\n</div>' if inside else "")


def figure(images: Sequence[Markup], caption: str) -> Markup:
    """Images side by side with what they are; nothing where none is there."""
    inside = "".join(images)
    if not inside:
        return Markup()
    return Markup(
        f'<figure><div class="strip">{inside}</div><figcaption>{caption}</figcaption></figure>'
    )


def decisions(entries: Sequence[Mapping[str, Any]], folder: Folder) -> Markup:
    """Creatives beside the heat maps of what was said of them and of what they are."""
    return gallery([_decision(entry, folder) for entry in entries], "decisions")


def _decision(entry: Mapping[str, Any], folder: Folder) -> Markup:
    label, said = str(entry["label"]), str(entry["said"])
    of = [f"a creative of class {label}", f"why {said}", f"why {label}"]
    images = [image(n, folder, text) for n, text in zip(entry["files"], of, strict=False)]
    name = _end_of(str(entry["name"]))
    if label == said:
        told = f"<b>{escaped(said)}</b> {_percent(entry['sure'])}"
    else:
        told = (
            f"is <b>{escaped(label)}</b> {_percent(entry['own'])}, said <b>{escaped(said)}</b> "
            f"{_percent(entry['sure'])}"
        )
    return figure(images, f'{told}<br><span title="{escaped(entry["name"])}">{name}</span>')


def _percent(probability: float) -> str:
    return f"{100 * probability:.1f}%" if probability < 0.999 else "&gt;99.9%"


def _end_of(name: str, letters: int = 32) -> Markup:
    line = one_line(name)
    return escaped(line if len(line) <= letters else "…" + line[1 - letters :])
