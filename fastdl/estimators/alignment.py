"""Columns at prediction, beside those of the rows that an estimator learned from."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from .arrays import positions

if TYPE_CHECKING:
    from pyarrow import Table

    from .samples import Samples, Source

_SHOWN = 5  # names in a message


def aligned(samples: Samples, names: np.ndarray | None, count: int, source: Source) -> Table:
    """The table with the columns that the estimator was fitted with, in their order.

    names: those of the ``count`` fitted columns, None if they had none. Raises ValueError where
    they differ, and warns where names are compared with nothing.
    """
    found = samples.table.column_names
    if samples.named and names is not None:
        if samples.by_name or source.by_name:  # the encoder takes what it needs
            return samples.table
        _check_names(found, names.tolist())
    if len(found) != count:
        raise ValueError(
            f"X has {len(found)} features, but {source.who} is expecting {count} features as input."
        )
    if samples.named == (names is not None):
        return samples.table
    has, fitted = ("has", "without") if samples.named else ("does not have valid", "with")
    warnings.warn(
        f"X {has} feature names, but {source.who} was fitted {fitted} feature names: columns are "
        "taken by their places.",
        stacklevel=4,
    )
    return samples.table.rename_columns(positions(count) if names is None else names.tolist())


def _check_names(found: list[str], fitted: list[str]) -> None:
    """ValueError, in scikit-learn's words, unless both are the same in the same order."""
    if found == fitted:
        return
    unseen, missing = sorted(set(found) - set(fitted)), sorted(set(fitted) - set(found))
    text = "The feature names should match those that were passed during fit.\n"
    if unseen:
        text += "Feature names unseen at fit time:\n" + _bullets(unseen)
    if missing:
        text += "Feature names seen at fit time, yet now missing:\n" + _bullets(missing)
    if not unseen and not missing:
        text += "Feature names must be in the same order as they were in fit.\n"
    raise ValueError(text)


def _bullets(names: list[str]) -> str:
    lines = [f"- {name}\n" for name in names[:_SHOWN]]
    return "".join([*lines, "- ...\n"] if len(names) > _SHOWN else lines)
