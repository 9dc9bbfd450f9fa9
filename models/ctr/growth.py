"""A trained model for fields that have got new ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastdl.layers.table import TableLayer

if TYPE_CHECKING:
    from fastdl.features import FeatureSpec

    from .base import CTRModel


def grown(model: CTRModel, spec: FeatureSpec, rng: np.random.Generator | None = None) -> CTRModel:
    """The model with larger tables: old ids keep their weights, new ones begin as in a new model.

    spec: the model's features, each field as large as it was or larger (what ``FeatureEncoder``'s
    ``extended`` has learnt). Everything else is copied; calibrators are left out, as they belong to
    the weights that were. Raises ValueError for other features or smaller fields.

    >>> import fastdl
    >>> from fastdl.models.ctr.growth import grown
    >>> small, large = (fastdl.FeatureSpec(fields=[fastdl.Field("ad", n)]) for n in (10, 15))
    >>> model = fastdl.LogisticRegression(small)
    >>> grown(model, large).layers[0].w.shape
    (15, 1)
    """
    old = model.spec
    if (old.numeric, old.names) != (spec.numeric, spec.names) or any(
        (a.table, type(a)) != (b.table, type(b)) or b.size < a.size
        for a, b in zip(old.columns, spec.columns, strict=True)
    ):
        raise ValueError(
            f"The model's features are {old}, the new ones {spec}; expected the same fields, none "
            "smaller."
        )
    options = {name: v for name, v in model.config().items() if name not in ("spec", "calibrators")}
    found = type(model)(spec, **options, rng=rng)
    rows = _new_places(old, spec)
    for layer, own in zip(model.layers, found.layers, strict=True):
        for name in (*layer.parameter_names, *layer.state_names):
            array = getattr(layer, name)
            if array is None:
                continue
            if isinstance(layer, TableLayer) and name in layer.table_names:
                table = getattr(own, name)
                table[rows] = array
            else:
                setattr(own, name, np.copy(array))
    return found


def _new_places(old: FeatureSpec, new: FeatureSpec) -> np.ndarray:
    """Where each row of the old tables stands in the new ones."""
    places = np.empty(old.rows, np.int64)
    for f, start, new_start in zip(old.columns, old.offsets, new.offsets, strict=True):
        places[start : start + f.size] = np.arange(new_start, new_start + f.size)
    return places
