"""Images of a run on the page, as data URIs: the page needs no other file."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .markup import Markup, escaped
from .texts import one_line

# results come from a file: no other path is read
_NAME = re.compile(r"[a-z]+(-\d+){0,2}\.(png|webp|gif)")
_LARGEST = 200_000  # bytes of a picture; what is larger is embedded as WebP
_MOST = 3_000_000  # bytes of a file that is looked at

Folder = Path | None


def image(name: Any, folder: Folder, text: str, kind: str = "") -> Markup:
    """An <img> with the picture file of this name in it; nothing where there is no such file."""
    if folder is None or not isinstance(name, str) or not _NAME.fullmatch(name):
        return Markup()
    path = folder / name
    if not path.is_file() or path.stat().st_size > _MOST:
        return Markup()
    content, form = path.read_bytes(), path.suffix[1:]
    if form == "png" and len(content) > _LARGEST:
        content, form = _smaller(content)
    text64 = base64.b64encode(content).decode("ascii")
    own = f' class="{kind}"' if kind else ""
    return Markup(f'<img{own} src="data:image/{form};base64,{text64}" alt="{escaped(text)}">')


def _smaller(content: bytes) -> tuple[bytes, str]:
    """A PNG file as WebP, a fifth as large, with differences that are hardly seen."""
    from PIL import Image, features

    if not features.check("webp"):
        return content, "png"
    written = io.BytesIO()
    with Image.open(io.BytesIO(content)) as picture:
        picture.save(written, format="WEBP", quality=85)
    return written.getvalue(), "webp"


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
