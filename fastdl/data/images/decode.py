"""Image files to upright grey or RGB images of 8 bits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MOST_PIXELS = 1 << 26  # of one image: 8192 x 8192, less than where Pillow begins to warn
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")  # no scripts, no vectors

NOT_AN_IMAGE = "not an image"
DAMAGED = "damaged file"
EMPTY = "empty file"
TOO_LARGE = "too many pixels"
UNREADABLE = "unreadable file"
ODD_VALUES = "values out of range"

_ORIENTATION = 0x0112  # the Exif tag; its values 2 to 8 are these of Pillow's Transpose:
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
_GREY = ("1", "L", "LA", "La", "I", "F")


class BadImage(ValueError):
    """A file that cannot be used; ``reason`` is what it is counted by."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@cache
def _formats() -> tuple[str, ...]:
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextmanager
def opened(path: Path) -> Iterator[Picture]:
    """The file's image, of which only the header has been read.

    Raises BadImage for files that are no images, or too large; OSError where there is no file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        file = path.open("rb")
    except OSError as error:
        raise _of_file(path, error) from None
    with file:  # Pillow maps a file that it opens itself, and turned TIFF images come out wrong
        yield _header_of(file, path)


def _header_of(file: IO[bytes], path: Path) -> Picture:
    from PIL import Image

    if not os.fstat(file.fileno()).st_size:
        raise BadImage(f"{path} is empty: it has 0 bytes.", EMPTY)
    try:
        image = Image.open(file, formats=_formats())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage(f"{path}: {error} Make it smaller.", TOO_LARGE) from None
    except Image.UnidentifiedImageError:
        raise BadImage(
            f"{path} is not an image, or its header is damaged; expected one of "
            f"{', '.join(_formats())}.",
            NOT_AN_IMAGE,
        ) from None
    except OSError as error:
        raise _of_file(path, error) from None
    except Exception as error:  # Pillow's readers raise what broken bytes make them raise
        raise _damaged(path, error) from None
    if image.width * image.height > MOST_PIXELS:
        raise BadImage(
            f"{path} has {image.width} x {image.height} pixels, more than {MOST_PIXELS:,}, which "
            "could be a decompression bomb. Make it smaller.",
            TOO_LARGE,
        )
    return image


def described(path: Path) -> tuple[int, int, int]:
    """(channels, H, W) as the header tells them: of the upright image, 1 channel for grey ones."""
    with opened(path) as image:
        turned = image.format != "TIFF" and _orientation(image) >= 5  # Pillow turns that format
        height, width = image.size if turned else image.size[::-1]
        return 1 if image.mode in _GREY or image.mode.startswith("I;16") else 3, height, width


def decoded(path: Path, at_least: tuple[int, int] | None = None) -> Picture:
    """The upright image in mode "L" or "RGB", transparent places white.

    With ``at_least`` (H, W), a JPEG file may come 2, 4 or 8 times smaller, but at least 1.5
    times that large, which is several times faster and changes pixels by less than 1 on average.

    Raises BadImage for damaged files too.
    """
    with opened(path) as image:
        try:
            if at_least is not None and image.format == "JPEG":
                height, width = at_least if _orientation(image) < 5 else at_least[::-1]
                image.draft(None, (3 * width // 2, 3 * height // 2))
            image.load()
        except OSError as error:
            raise _of_file(path, error) from None
        except Exception as error:
            raise _damaged(path, error) from None
        turn = _TURNS.get(_orientation(image))
        try:
            plain = plain_mode(image)
        except ValueError as error:
            raise BadImage(f"{path}: {error}", ODD_VALUES) from None
        return plain if turn is None else plain.transpose(turn)  # type: ignore[arg-type]


def plain_mode(image: Picture) -> Picture:
    """A loaded image of any mode in "L" or "RGB".

    16 bits are scaled by 255 / 65535. Mode "I" holds 16 bits where its largest value is at most
    65535, else 31. Mode "F" is taken from 0 to 1, or to 255 or 65535 where it has values above.
    Raises ValueError for negative and infinite values and NaN.
    """
    mode = image.mode
    if mode.startswith("I;16") or mode in ("I", "F"):
        return _scaled(np.asarray(image))
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return _on_white(image)
    if mode in ("L", "RGB"):
        return image.copy()  # the file that it came from is closed
    if mode == "P" and image.palette is not None and image.palette.mode == "RGBA":
        return _on_white(image)
    return image.convert("L" if mode == "1" else "RGB")


def as_mode(image: Picture, channels: int) -> Picture:
    """An "L" or "RGB" image with 1 or 3 channels; grey is 0.299 R + 0.587 G + 0.114 B."""
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _on_white(image: Picture) -> Picture:
    from PIL import Image

    layered = image.convert("RGBA")
    grey = image.mode in _GREY
    below = Image.new("L" if grey else "RGB", image.size, 255 if grey else (255, 255, 255))
    below.paste(layered.convert(below.mode), mask=layered.getchannel("A"))
    return below


def _scaled(values: np.ndarray) -> Picture:
    from PIL import Image

    if not np.isfinite(values).all() or values.min() < 0:
        raise ValueError("its pixels have negative or infinite values or NaN; expected 0 or more.")
    highest = float(values.max())
    if values.dtype.kind == "f":
        top = next((top for top in (1.0, 255.0, 65535.0) if highest <= top), highest)
    else:
        top = 65535.0 if highest <= 65535 else 2.0**31 - 1
    return Image.fromarray(np.rint(values * (255.0 / top)).astype(np.uint8))


def _orientation(image: Picture) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # camera notes are often damaged; the picture is fine without them
        return 1


def _of_file(path: Path, error: OSError) -> Exception:
    """The system's own errors stay OSErrors; Pillow raises the same class for broken bytes."""
    if error.errno is not None:
        return OSError(error.errno, f"{path} cannot be read: {error.strerror}")
    return _damaged(path, error)


def _damaged(path: Path, error: Any) -> BadImage:
    return BadImage(f"{path} is damaged: {error}", DAMAGED)
