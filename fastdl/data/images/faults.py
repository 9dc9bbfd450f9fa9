"""Bad images: the first one ends the work, or all are left out and counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..skipped import Skipped
from .decode import UNREADABLE, BadImage

ON_ERROR = ("stop", "skip")


def check_on_error(on_error: str) -> str:
    """One of ``ON_ERROR``."""
    if on_error not in ON_ERROR:
        raise ValueError(f"on_error is {on_error!r}; expected 'stop' or 'skip'.")
    return on_error


def kept(
    problems: Sequence[Exception | None], labels: np.ndarray, classes: Sequence[str],
    on_error: str, skipped: Skipped,
) -> np.ndarray:  # fmt: skip
    """Rows without a problem; the others are counted by class, or the first one is raised.

    Raises ValueError where no image is left, or none of a class that had some.
    """
    check_on_error(on_error)
    for row, problem in enumerate(problems):
        if problem is not None:
            if on_error == "stop":
                raise problem
            reason = problem.reason if isinstance(problem, BadImage) else UNREADABLE
            place = classes[labels[row]] if labels[row] >= 0 else "images"
            skipped.add(place, reason, 1, [str(problem)])
    rows = np.array([row for row, problem in enumerate(problems) if problem is None], np.int64)
    gone = sorted(set(labels.tolist()) - set(labels[rows].tolist()))
    if gone or not len(rows):
        what = f"The class {classes[gone[0]]!r}" if gone and gone[0] >= 0 else "The data"
        raise ValueError(
            f"{what} has no image that can be used: {skipped_images(skipped)} For example: "
            f"{next(p for p in problems if p is not None)}"
        )
    return rows


def skipped_images(skipped: Skipped) -> str:
    """One sentence about what was left out.

    >>> skipped = Skipped()
    >>> skipped.add("shoe", "damaged file", 1, ["a.jpg is damaged"])
    >>> skipped_images(skipped)
    'Skipped 1 image: 1 by damaged file.'
    """
    reasons = skipped.to_dict()["by_reason"].items()
    listed = ", ".join(f"{count:,} by {reason}" for reason, count in reasons)
    several = "" if skipped.rows == 1 else "s"
    return f"Skipped {skipped.rows:,} image{several}" + (f": {listed}." if listed else ".")
