"""Which features a model's predictions rest on: what shuffling each of them costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import metrics
from .features import FeatureSpec
from .mixed import ArrayRows, FeatureRows
from .network import evaluation
from .validation import check_size

_METRICS = {"log_loss": (metrics.log_loss, 1.0), "auc": (metrics.roc_auc, -1.0)}
Rows = ArrayRows | FeatureRows
_PIECE = 8192  # rows of which a copy is made at a time


def permutation_importance(
    model: Any, x: Any, t: ArrayLike, *, metric: str = "log_loss", repeats: int = 3,
    rng: np.random.Generator | None = None, sample_weight: ArrayLike | None = None,
    groups: Mapping[str, Sequence[str]] | None = None, names: Sequence[str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """How much worse the metric gets when a feature's values are shuffled among the rows.

    model: a ``CTRModel``, or anything with ``predict_proba(x)`` of shape (N, 2) for arrays x
    (N, D). x: what the model takes, of rows that it was not trained on; t: 0 and 1, (N,) or
    (N, 1), or one-hot (N, 2). metric: "log_loss" in nats, or "auc". sample_weight (N,) goes into
    the metric. groups: {name: features that are shuffled together}, such as ``column_groups`` of
    an encoder; features in none of them are shuffled alone. names: of the columns of an array,
    "x0", "x1" ... by default.

    importance = mean over the repeats of metric(shuffled) - metric(x), for "auc" with the opposite
    sign, and its standard deviation over them (Breiman 2001, Random forests, section 10; Fisher,
    Rudin and Dominici 2019, All models are wrong, but many are useful, section 3). Features that
    tell the same share their importance: shuffling one of them leaves the other. A repeat has one
    permutation for all features. It costs features x repeats predictions of all rows, and the
    memory of one permutation and one prediction: of a large log pass some hundred thousand rows.

    Returns what JSON can hold: {"metric", "baseline": metric(x), "rows", "repeats", "features":
    [{"name", "mean", "std"}, ...]}, the most important first. Nothing of the caller's is written
    to. Raises ValueError for an unknown metric or feature, shapes that do not fit and fewer than 2
    rows, TypeError for a model without predict_proba, and as ``fastdl.metrics`` does.

    >>> class Model:  # knows only its first feature
    ...     def predict_proba(self, x):
    ...         return np.stack([1 - x[:, 0], x[:, 0]], axis=1)
    >>> rng = np.random.default_rng(0)
    >>> x = rng.random((500, 2))
    >>> t = rng.random(500) < x[:, 0]
    >>> found = permutation_importance(Model(), x, t, rng=rng)["features"]
    >>> [(f["name"], f["mean"] > 0.1) for f in found]
    [('x0', True), ('x1', False)]
    """
    if metric not in _METRICS:
        raise ValueError(f"metric is {metric!r}; expected one of {', '.join(_METRICS)}.")
    if not callable(getattr(model, "predict_proba", None)):
        raise TypeError(f"model is a {type(model).__name__}, which has no predict_proba.")
    repeats = check_size(repeats, "repeats")
    rows = _rows(model, x, names)
    label = _labels(t, len(rows))
    entries = _entries(rows.names, groups)
    measure, worse = _METRICS[metric]

    def score(order: np.ndarray | None, features: Sequence[str]) -> float:
        return worse * measure(label, _probabilities(model, rows, order, features), sample_weight)

    baseline = score(None, ())
    costs = np.empty((repeats, len(entries)))
    for repeat in range(repeats):
        order = (np.random if rng is None else rng).permutation(len(rows))
        costs[repeat] = [score(order, features) - baseline for features in entries.values()]
    found = [
        {"name": name, "mean": float(own.mean()), "std": float(own.std())}
        for name, own in zip(entries, costs.T, strict=True)
    ]
    return {
        "metric": metric, "baseline": worse * baseline, "rows": len(rows), "repeats": repeats,
        "features": sorted(found, key=lambda own: -float(own["mean"])),  # type: ignore[arg-type]
    }  # fmt: skip


def column_groups(encoder: Any) -> dict[str, list[str]]:
    """The features of each column of the log, as ``permutation_importance`` takes groups.

    encoder: a fitted ``FeatureEncoder`` or ``LogEncoder``; of the latter pass also
    ``names=encoder.feature_names_``. Raises TypeError for anything else.

    >>> from fastdl.data import FeatureEncoder
    >>> encoder = FeatureEncoder().fit({"city": ["Rome", "Oslo", "Rome", "Oslo"]})
    >>> column_groups(encoder)
    {'city': ['city']}
    """
    from .data import FeatureEncoder, LogEncoder
    from .data.description import feature_names

    if isinstance(encoder, FeatureEncoder):
        return {
            column.name: [f if isinstance(f, str) else f.name for f in column.features()]
            for column in encoder.columns_
        }
    if isinstance(encoder, LogEncoder):
        return {column["name"]: feature_names(column) for column in encoder.columns_}
    raise TypeError(
        f"encoder is a {type(encoder).__name__}; expected a FeatureEncoder or a LogEncoder."
    )


def _labels(t: ArrayLike, rows: int) -> np.ndarray:
    array = np.asarray(t)
    if array.shape == (rows, 2):
        if not np.array_equal(array[:, 0], 1 - array[:, 1]):
            raise ValueError("t has two columns that are not one-hot; expected no click, click.")
        return array[:, 1]
    if array.shape not in ((rows,), (rows, 1)):
        raise ValueError(f"t has shape {array.shape}; expected ({rows},), as many rows as x.")
    return array.reshape(-1)


def _entries(
    names: Sequence[str], groups: Mapping[str, Sequence[str]] | None
) -> dict[str, Sequence[str]]:
    """What is shuffled at once, by the name that it is told under."""
    groups = groups or {}
    grouped = {feature for features in groups.values() for feature in features}
    unknown = sorted(grouped - set(names))
    if unknown:
        raise ValueError(
            f"groups has the features {', '.join(unknown[:5])}, which x does not have; its "
            f"features are {', '.join(names[:10])}{' ...' if len(names) > 10 else ''}."
        )
    alone = {name: (name,) for name in names if name not in grouped}
    both = sorted(set(alone) & set(groups))
    if both:
        raise ValueError(f"{both[0]} names a group and a feature that is not in it.")
    return {**groups, **alone}


def _probabilities(
    model: Any, rows: Rows, order: np.ndarray | None, features: Sequence[str]
) -> np.ndarray:
    """P(click) (N,), row n with these features of row order[n]; a piece is copied at a time."""
    parts = []
    with evaluation(model):
        for start in range(0, len(rows), _PIECE):
            own = slice(start, start + _PIECE)
            piece = rows.piece(own) if order is None else rows.mixed(own, order[own], features)
            found = np.asarray(model.predict_proba(piece))
            if found.ndim != 2 or found.shape[1] != 2:
                raise ValueError(f"predict_proba returned shape {found.shape}; expected (N, 2).")
            parts.append(found[:, 1])
    return np.concatenate(parts)


def _rows(model: Any, x: Any, names: Sequence[str] | None) -> Rows:
    rows: Rows
    if isinstance(getattr(model, "spec", None), FeatureSpec):
        if names is not None:
            raise ValueError("names are those of an array's columns; the model's spec has its own.")
        rows = FeatureRows(model.spec, model.prepared(x))
    else:
        rows = ArrayRows(x, names)
    if len(rows) < 2:
        raise ValueError(f"x has {len(rows)} rows; shuffling needs 2 or more.")
    return rows
