"""Layer-normalised recurrent cells (Ba, Kiros & Hinton 2016, "Layer normalization").

LN(a; gain, bias) = gain (a - mean) / sqrt(var + 1e-5) + bias over the numbers of one row and step.
A step is the product with U, normalised by the kernel, and the gates in NumPy; the product of x
with W and the weights' gradients are of all steps at once.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from .base import ops

Arrays = list[np.ndarray]
Named = dict[str, np.ndarray]  # weights of a cell, or their gradients

EPSILON = 1e-5


class Saved(NamedTuple):
    """What a forward leaves for its backward; arrays over time are time-major."""

    lengths: np.ndarray
    x: np.ndarray  # (T, B, D), 0 behind a row's length
    states: np.ndarray  # (T, B, H): h before each step
    given: Any  # of the inputs' side
    steps: list[Any]  # of each step


def _normalize(a: np.ndarray, gain: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, Any]:
    """LN over the last axis, and what its gradient needs."""
    rows = np.ascontiguousarray(a).reshape(-1, a.shape[-1])
    out, unit, inverse = np.empty_like(rows), np.empty_like(rows), np.empty(len(rows), a.dtype)
    ops.layernorm_forward(rows, gain, bias, EPSILON, out, unit, inverse)
    return out.reshape(a.shape), (unit, inverse)


def _normalize_back(
    kept: Any, gain: np.ndarray, d: np.ndarray, dgain: np.ndarray, dbias: np.ndarray | None
) -> np.ndarray:
    """The gradient at a from that at LN; those of gain and bias are added to dgain and dbias."""
    unit, inverse = kept
    da, of_gain, of_bias = np.empty_like(unit), np.empty_like(gain), np.empty_like(gain)
    rows = np.ascontiguousarray(d).reshape(unit.shape)
    ops.layernorm_backward(unit, inverse, gain, rows, da, of_gain, of_bias)
    dgain += of_gain
    if dbias is not None:
        dbias += of_bias
    return da.reshape(d.shape)


def _sigmoid(a: np.ndarray) -> np.ndarray:
    half = a.dtype.type(0.5)
    return half + half * np.tanh(half * a)


class NormalizedCell:
    """One direction of one layer, as ``recurrent_cells.Cell``; a kind says its step."""

    columns: ClassVar[int]  # of W and U, in multiples of H
    bias: ClassVar[int]  # numbers of b
    states: ClassVar[int] = 1
    more: ClassVar[tuple[tuple[str, int, float], ...]]  # further weights: name, numbers, first one

    def forward(
        self, x: np.ndarray, lengths: np.ndarray, weights: Arrays, states: Arrays, sequence: bool
    ) -> tuple[np.ndarray, Arrays, Saved]:
        """out (B, T, H), or (B, 0, H) without ``sequence``; the final states; what to save."""
        w, alive = self._named(weights), _alive(lengths, x.shape[1])
        x = np.swapaxes(x, 0, 1)
        x = np.ascontiguousarray(x) if alive is None else np.where(alive, x, x.dtype.type(0))
        products, kept_given = self._given(x @ w["W"], w)
        outs, before, steps = [], [], []
        for t, given in enumerate(products):
            before.append(states[0])
            found, kept = self._step(given, states[0] @ w["U"], states, w)
            if alive is not None:
                found = [np.where(alive[t], a, b) for a, b in zip(found, states, strict=True)]
            outs.append(found[0] if alive is None else found[0] * alive[t])
            steps.append(kept)
            states = found
        out = (
            np.stack(outs, axis=1) if sequence else np.empty((x.shape[1], 0, len(w["U"])), x.dtype)
        )
        return out, list(states), Saved(lengths, x, np.stack(before), kept_given, steps)

    def backward(
        self, saved: Saved, weights: Arrays, dout: np.ndarray, dstates: Arrays, truncate: int,
        wants_dx: bool,
    ) -> tuple[np.ndarray, Arrays, Arrays]:  # fmt: skip
        """dx (B, T, D) (or of no rows), the weights' gradients, those of the initial states."""
        w = self._named(weights)
        dw: Named = {name: np.zeros_like(array) for name, array in w.items()}
        (T, B, _), D = saved.x.shape, saved.x.shape[2]
        alive = _alive(saved.lengths, T)
        dgiven = np.empty((T, B, w["W"].shape[1]), dout.dtype)
        dproducts, zero = np.empty_like(dgiven), dout.dtype.type(0)
        for t in range(T - 1, -1, -1):
            own = [dstates[0] + dout[:, t] if dout.size else dstates[0], *dstates[1:]]
            if alive is not None:
                own = [np.where(alive[t], a, zero) for a in own]
            dgiven[t], dproducts[t], found = self._step_back(saved.steps[t], own, w, dw)
            found[0] = found[0] + dproducts[t] @ w["U"].T
            if truncate and t and t % truncate == 0:
                found = [np.zeros_like(a) for a in found]
            if alive is not None:
                found = [np.where(alive[t], a, b) for a, b in zip(found, dstates, strict=True)]
            dstates = found
        dgiven = self._given_back(saved.given, dgiven, w, dw)
        rows = dgiven.reshape(T * B, -1)
        dw["W"] = saved.x.reshape(T * B, D).T @ rows
        dw["U"] = saved.states.reshape(T * B, -1).T @ dproducts.reshape(T * B, -1)
        dx = np.empty((0, T, D), dout.dtype)
        if wants_dx:
            dx = np.ascontiguousarray(np.swapaxes(dgiven @ w["W"].T, 0, 1))
        return dx, list(dw.values()), list(dstates)

    def _named(self, weights: Arrays) -> Named:
        return dict(zip(("W", "U", "b", *(name for name, _, _ in self.more)), weights, strict=True))

    def _given(self, products: np.ndarray, w: Named) -> tuple[np.ndarray, Any]:
        """What the inputs' products x W (T, B, columns) give each step, and what to keep."""
        raise NotImplementedError

    def _given_back(self, kept: Any, d: np.ndarray, w: Named, dw: Named) -> np.ndarray:
        """The gradient at x W from that at what ``_given`` gave."""
        raise NotImplementedError

    def _step(
        self, given: np.ndarray, product: np.ndarray, states: Arrays, w: Named
    ) -> tuple[Arrays, Any]:
        """The next states from h U (B, columns) and the states, and what to keep."""
        raise NotImplementedError

    def _step_back(
        self, kept: Any, d: Arrays, w: Named, dw: Named
    ) -> tuple[np.ndarray, np.ndarray, Arrays]:
        """Gradients at what was given, at h U, and at the states but by h U; adds to dw."""
        raise NotImplementedError


class NormalizedRNN(NormalizedCell):
    """h' = activation(LN(x W + h U; gain, b))."""

    columns, bias, more = 1, 1, (("gain", 1, 1.0),)

    def __init__(self, relu: bool) -> None:
        self.relu = relu

    def _given(self, products: np.ndarray, w: Named) -> tuple[np.ndarray, Any]:
        return products, None

    def _given_back(self, kept: Any, d: np.ndarray, w: Named, dw: Named) -> np.ndarray:
        return d

    def _step(
        self, given: np.ndarray, product: np.ndarray, states: Arrays, w: Named
    ) -> tuple[Arrays, Any]:
        a, kept = _normalize(given + product, w["gain"], w["b"])
        h = np.maximum(a, a.dtype.type(0)) if self.relu else np.tanh(a)
        return [h], (kept, h)

    def _step_back(
        self, kept: Any, d: Arrays, w: Named, dw: Named
    ) -> tuple[np.ndarray, np.ndarray, Arrays]:
        norm, h = kept
        da = d[0] * (h > 0) if self.relu else d[0] * (1 - h * h)
        dsum = _normalize_back(norm, w["gain"], da, dw["gain"], dw["b"])
        return dsum, dsum, [np.zeros_like(h)]


class NormalizedLSTM(NormalizedCell):
    """i, f, g, o from LN(x W; gain_x, b) + LN(h U; gain_h, 0); h' = o tanh(LN(c'; gain_c, bias_c)).

    The paper's two biases of the gates would be added up, and are one.
    """

    columns, bias, states = 4, 4, 2
    more = (("gain_x", 4, 1.0), ("gain_h", 4, 1.0), ("gain_c", 1, 1.0), ("bias_c", 1, 0.0))

    def _given(self, products: np.ndarray, w: Named) -> tuple[np.ndarray, Any]:
        return _normalize(products, w["gain_x"], w["b"])

    def _given_back(self, kept: Any, d: np.ndarray, w: Named, dw: Named) -> np.ndarray:
        return _normalize_back(kept, w["gain_x"], d, dw["gain_x"], dw["b"])

    def _step(
        self, given: np.ndarray, product: np.ndarray, states: Arrays, w: Named
    ) -> tuple[Arrays, Any]:
        c, H = states[1], states[1].shape[1]
        normalized, of_h = _normalize(product, w["gain_h"], np.zeros_like(w["gain_h"]))
        a = given + normalized
        i, f, g, o = (a[:, k * H : (k + 1) * H] for k in range(4))
        i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        c_next = f * c + i * g
        normalized, of_c = _normalize(c_next, w["gain_c"], w["bias_c"])
        q = np.tanh(normalized)
        return [o * q, c_next], (of_h, of_c, i, f, g, o, q, c)

    def _step_back(
        self, kept: Any, d: Arrays, w: Named, dw: Named
    ) -> tuple[np.ndarray, np.ndarray, Arrays]:
        of_h, of_c, i, f, g, o, q, c = kept
        dq = d[0] * o * (1 - q * q)
        dc = d[1] + _normalize_back(of_c, w["gain_c"], dq, dw["gain_c"], dw["bias_c"])
        di, df = dc * g * i * (1 - i), dc * c * f * (1 - f)
        dg, do = dc * i * (1 - g * g), d[0] * q * o * (1 - o)
        da = np.concatenate([di, df, dg, do], axis=1)
        dproduct = _normalize_back(of_h, w["gain_h"], da, dw["gain_h"], None)
        return da, dproduct, [np.zeros_like(dc), dc * f]


class NormalizedGRU(NormalizedCell):
    """r, z from LN(x W; gain_x, b) + LN(h U; gain_h, 0) of their columns together;

    n = tanh(LN(x W; gain_x, b) + r LN(h U; gain_h, b')) of n's own, h' = (1 - z) n + z h.
    """

    columns, bias = 3, 4
    more = (("gain_x", 3, 1.0), ("gain_h", 3, 1.0))

    def _given(self, products: np.ndarray, w: Named) -> tuple[np.ndarray, Any]:
        H = len(w["U"])
        return _normalize_parts(products, w["gain_x"], w["b"][: 3 * H], H)

    def _given_back(self, kept: Any, d: np.ndarray, w: Named, dw: Named) -> np.ndarray:
        H = len(w["U"])
        return _normalize_parts_back(
            kept, w["gain_x"], d, dw["gain_x"], dw["b"][: 2 * H], dw["b"][2 * H : 3 * H]
        )

    def _step(
        self, given: np.ndarray, product: np.ndarray, states: Arrays, w: Named
    ) -> tuple[Arrays, Any]:
        h, H = states[0], states[0].shape[1]
        bias = np.concatenate([np.zeros(2 * H, h.dtype), w["b"][3 * H :]])
        a, of_h = _normalize_parts(product, w["gain_h"], bias, H)
        both, m = _sigmoid(given[:, : 2 * H] + a[:, : 2 * H]), a[:, 2 * H :]
        r, z = both[:, :H], both[:, H:]
        n = np.tanh(given[:, 2 * H :] + r * m)
        return [(1 - z) * n + z * h], (of_h, r, z, n, m, h)

    def _step_back(
        self, kept: Any, d: Arrays, w: Named, dw: Named
    ) -> tuple[np.ndarray, np.ndarray, Arrays]:
        of_h, r, z, n, m, h = kept
        H = h.shape[1]
        dz, dn = d[0] * (h - n) * z * (1 - z), d[0] * (1 - z) * (1 - n * n)
        dr = dn * m * r * (1 - r)
        dgiven = np.concatenate([dr, dz, dn], axis=1)
        da = np.concatenate([dr, dz, dn * r], axis=1)
        dproduct = _normalize_parts_back(
            of_h, w["gain_h"], da, dw["gain_h"], None, dw["b"][3 * H :]
        )
        return dgiven, dproduct, [d[0] * z]


def _normalize_parts(
    a: np.ndarray, gain: np.ndarray, bias: np.ndarray, H: int
) -> tuple[np.ndarray, Any]:
    """LN of a GRU's columns: of the first 2H together, and of the last H."""
    cut = 2 * H
    both, first = _normalize(a[..., :cut], gain[:cut], bias[:cut])
    n, second = _normalize(a[..., cut:], gain[cut:], bias[cut:])
    return np.concatenate([both, n], axis=-1), (first, second)


def _normalize_parts_back(
    kept: Any, gain: np.ndarray, d: np.ndarray, dgain: np.ndarray, dboth: np.ndarray | None,
    dn: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The gradient at a of ``_normalize_parts``; adds to dgain and the biases' gradients."""
    cut = gain.size * 2 // 3
    both = _normalize_back(kept[0], gain[:cut], d[..., :cut], dgain[:cut], dboth)
    n = _normalize_back(kept[1], gain[cut:], d[..., cut:], dgain[cut:], dn)
    return np.concatenate([both, n], axis=-1)


def _alive(lengths: np.ndarray, T: int) -> np.ndarray | None:
    """(T, B, 1), whether a row has the step; None where all have all."""
    return np.arange(T)[:, None, None] < lengths[:, None] if lengths.size else None


NORMALIZED: dict[str, NormalizedCell] = {
    "tanh": NormalizedRNN(False),
    "relu": NormalizedRNN(True),
    "lstm": NormalizedLSTM(),
    "gru": NormalizedGRU(),
}
