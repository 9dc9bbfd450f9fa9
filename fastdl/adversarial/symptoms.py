"""What samples and losses of a GAN that has gone wrong look like."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

_MOST = 1000  # rows whose distances from each other are taken
_END = 0.99  # values beyond -0.99 and 0.99 are at their end
_FLAT = 0.05  # of real images' deviation within an image: below it an image has one colour


class Reference:
    """Real rows (n, ...), and what samples are in relation to them.

    classes and real_classes: of the samples and of the real rows, or None. least: of the real rows'
    mean distance from each other, below which samples are alike.
    """

    def __init__(
        self, real: ArrayLike, classes: ArrayLike | None, real_classes: ArrayLike | None,
        least: float,
    ) -> None:  # fmt: skip
        rows = np.asarray(real)
        if rows.dtype.kind not in "biuf" or rows.ndim < 2 or len(rows) < 2 or not rows.size:
            raise ValueError(
                f"real has shape {rows.shape} of {rows.dtype}; expected numbers (n, ...), 2 rows "
                "or more."
            )
        if not np.isfinite(rows).all():
            raise ValueError("real has NaN or infinity.")
        if (classes is None) != (real_classes is None):
            raise ValueError("Give classes and real_classes, or neither.")
        self.shape, self.least = rows.shape[1:], least
        self.classes = None if classes is None else np.asarray(classes)
        if real_classes is not None and np.shape(real_classes) != (len(rows),):
            raise ValueError(
                f"real_classes has shape {np.shape(real_classes)} for {len(rows)} rows."
            )
        self.spread = spread(rows)
        if self.spread == 0:
            raise ValueError(
                "All real rows are equal: there is nothing to learn from one image repeated."
            )
        self.of_class: dict[int, float] = {}
        if real_classes is not None:
            self.of_class = _by_class(rows, np.asarray(real_classes))
        self.at_end = float(np.mean(np.abs(rows) > _END))
        self.deviation = float(np.median(_deviations(rows)))

    def judge(self, samples: ArrayLike) -> tuple[float | None, dict[str, str]]:
        """(spread in relation to the real rows', {kind: message} of what is wrong)."""
        rows = np.asarray(samples)
        if rows.shape[1:] != self.shape or len(rows) < 2:
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(
                f"The samples have shape {rows.shape}; expected (n, {wanted}), 2 rows or more, as "
                "the real ones."
            )
        if not np.isfinite(rows).all():
            return None, {"not finite": "Samples have NaN or infinity."}
        diversity = spread(rows) / self.spread
        found = {"alike": self._alike(rows, diversity)}
        if len(self.shape) == 3:
            found |= {"saturated": self._saturated(rows), "constant": self._constant(rows)}
        return diversity, {kind: message for kind, message in found.items() if message}

    def _alike(self, rows: np.ndarray, diversity: float) -> str:
        if diversity < self.least:
            return f"Samples are alike: they differ {diversity:.0%} as much as real rows do."
        if self.classes is None:
            return ""
        if self.classes.shape != (len(rows),):
            raise ValueError(f"classes has shape {self.classes.shape} for {len(rows)} samples.")
        own = _by_class(rows, self.classes)
        shares = {k: own[k] / real for k, real in self.of_class.items() if k in own and real > 0}
        low = {k: share for k, share in shares.items() if share < self.least}
        if not low:
            return ""
        told = ", ".join(f"{k} ({share:.0%})" for k, share in sorted(low.items()))
        return f"Samples of a class are alike, in relation to its real rows: class {told}."

    def _saturated(self, rows: np.ndarray) -> str:
        share = float(np.mean(np.abs(rows) > _END))
        if share <= (1 + self.at_end) / 2:
            return ""
        return f"{share:.0%} of the samples' values are at -1 or 1; of real ones {self.at_end:.0%}."

    def _constant(self, rows: np.ndarray) -> str:
        share = float(np.mean(_deviations(rows) < _FLAT * self.deviation))
        return f"{share:.0%} of the samples are of one colour." if share > 0.5 else ""


def spread(rows: np.ndarray) -> float:
    """Mean Euclidean distance of rows (n, ...) from each other, of the first 1,000."""
    x = rows[:_MOST].reshape(min(len(rows), _MOST), -1).astype(np.float64)
    x -= x.mean(axis=0)
    norms = np.einsum("ij,ij->i", x, x)
    squares = norms[:, None] + norms - 2 * (x @ x.T)
    squares[squares < 1e-12 * norms.max(initial=0.0)] = 0  # equal rows, up to rounding
    return float(np.sqrt(squares).sum() / (len(x) * (len(x) - 1)))


def discriminator_has_won(losses: np.ndarray, won: float) -> str:
    """A message where it has, of losses (n, 2 or more) of n steps: its own and the generator's."""
    first, second = np.array_split(losses[:, :2].astype(np.float64), 2)
    own = losses[:, 0].mean()
    before, after = float(first[:, 1].mean()), float(second[:, 1].mean())
    if not 0 <= own < won or not after > before:
        return ""
    return (
        f"The discriminator tells all samples from real rows: over {len(losses)} steps its loss is "
        f"{own:.2g}, the generator's rises from {before:.3g} to {after:.3g}."
    )


def _by_class(rows: np.ndarray, classes: np.ndarray) -> dict[int, float]:
    """Each class's spread, of those with two rows or more."""
    values, counts = np.unique(classes, return_counts=True)
    return {int(k): spread(rows[classes == k]) for k in values[counts > 1]}


def _deviations(rows: np.ndarray) -> np.ndarray:
    """Of each row (n, ...) the deviation of its values; of images each channel around its own."""
    x = rows.reshape(*rows.shape[:2], -1) if rows.ndim == 4 else rows.reshape(len(rows), 1, -1)
    found: np.ndarray = x.std(axis=2, dtype=np.float64).mean(axis=1)
    return found
