"""Attention over the steps of a sequence: additive and scaled dot-product."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..config import resolve_dtype
from ..initializers import Xavier, get_initializer
from ..validation import as_real, check_batch, check_size
from .base import Layer, required


class TimeAttention(Layer):
    """context = sum over t of weights[t] values[t], weights = softmax over t of the scores.

    ``forward(query, keys, values=None, lengths=None)``: query (B, H) or (B, Q, H), keys (B, T, K),
    values (B, T, V), by default the keys; context is (B, V) or (B, Q, V). Steps behind a row's
    length have the weight 0; a row without steps has the context 0. ``backward(dcontext)`` gives
    (dquery, dkeys, dvalues), or (dquery, dkeys) where the keys were the values.
    ``attention`` (B, Q, T) holds the last forward's weights.
    """

    def __init__(self, dtype: DTypeLike | None = None) -> None:
        self.dtype = resolve_dtype(dtype)
        self.attention: np.ndarray | None = None
        self._saved: Any = None

    def forward(  # type: ignore[override]
        self, query: ArrayLike, keys: ArrayLike, values: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
    ) -> np.ndarray:  # fmt: skip
        """The context (B, V) or (B, Q, V)."""
        q, k = as_real(query, self.dtype, "query"), as_real(keys, self.dtype, "keys")
        single, own = q.ndim == 2, values is None
        v = k if values is None else as_real(values, self.dtype, "values")
        q = q[:, None] if single else q
        self._check(q, k, v)
        B, T, _ = k.shape
        if lengths is None:
            inside = np.ones((B, 1, T), bool)
        else:
            inside = np.arange(T) < self._lengths(lengths, B, T)[:, None, None]
            steps = inside.transpose(0, 2, 1)
            k = np.where(steps, k, 0)  # what lies behind a row's length may be anything
            v = k if own else np.where(steps, v, 0)
        scores, kept = self._scores(q, k)
        scores = np.where(inside, scores, -np.inf)
        highest = np.where(inside.any(axis=2, keepdims=True), scores.max(axis=2, keepdims=True), 0)
        weights = np.exp(scores - highest)
        weights /= np.maximum(weights.sum(axis=2, keepdims=True), np.finfo(self.dtype).tiny)
        context = weights @ v
        self.attention, self._saved = weights, (q, k, v, kept, own, single)
        return context[:, 0] if single else context

    def backward(self, dout: ArrayLike) -> tuple[np.ndarray, ...]:  # type: ignore[override]
        """(dquery, dkeys, dvalues), or (dquery, dkeys) where the keys were the values."""
        q, k, v, kept, own, single = required(self._saved, self)
        weights, d = required(self.attention, self), as_real(dout, self.dtype, "dout")
        d = d[:, None] if single and d.ndim == 2 else d
        if d.shape != (*q.shape[:2], v.shape[2]):
            raise ValueError(
                f"{self} got dout of shape {np.shape(dout)}; expected "
                f"{(len(q), v.shape[2]) if single else (*q.shape[:2], v.shape[2])}."
            )
        dweights = d @ v.swapaxes(1, 2)
        dscores = weights * (dweights - (weights * dweights).sum(axis=2, keepdims=True))
        dv = weights.swapaxes(1, 2) @ d
        dq, dk = self._scores_backward(q, k, kept, dscores)
        dq = dq[:, 0] if single else dq
        return (dq, dk + dv) if own else (dq, dk, dv)

    def _scores(self, q: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, Any]:
        """(B, Q, T), and what the way back needs."""
        raise NotImplementedError

    def _scores_backward(
        self, q: np.ndarray, k: np.ndarray, kept: Any, dscores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def _sizes(self) -> tuple[int | None, int | None]:
        """H and K, None for any."""
        return None, None

    def _check(self, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> None:
        H, K = self._sizes()
        for array, name, width, what in (
            (q, "query", H, "(B, H) or (B, Q, H)"), (k, "keys", K, "(B, T, K)"),
            (v, "values", None, "(B, T, V)"),
        ):  # fmt: skip
            if array.ndim != 3 or width not in (None, array.shape[-1]):
                where = f" with {width} columns" if width else ""
                raise ValueError(
                    f"{self} got {name} of shape {array.shape}; expected {what}{where}."
                )
            check_batch(array, name)
        if len(q) != len(k) or v.shape[:2] != k.shape[:2]:
            raise ValueError(
                f"{self} got query, keys and values of the shapes {q.shape}, {k.shape} and "
                f"{v.shape}; expected as many rows in all, and steps in keys and values."
            )

    def _lengths(self, lengths: ArrayLike, B: int, T: int) -> np.ndarray:
        array = np.asarray(lengths)
        if array.shape != (B,) or array.dtype.kind not in "iu" or ((array < 0) | (array > T)).any():
            raise ValueError(
                f"lengths is {array.tolist()}; expected {B} whole numbers from 0 to {T}."
            )
        return array


class ScaledDotProductAttention(TimeAttention):
    """scores = <query, key_t> / sqrt(H) (Vaswani et al. 2017, equation 1): see ``TimeAttention``.

    >>> import numpy as np, fastdl
    >>> layer = fastdl.ScaledDotProductAttention()
    >>> keys = np.array([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]])
    >>> layer.forward(np.zeros((1, 2)), keys, lengths=[2]).tolist()
    [[2.0, 3.0]]
    """

    def __init__(self, *, dtype: DTypeLike | None = None) -> None:
        super().__init__(dtype)

    def _check(self, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> None:
        super()._check(q, k, v)
        if q.shape[2] != k.shape[2]:
            raise ValueError(
                f"{self} got query with {q.shape[2]} columns and keys with {k.shape[2]}; expected "
                "as many."
            )

    def _scores(self, q: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, Any]:
        scale = self.dtype.type(q.shape[2] ** -0.5)
        return scale * (q @ k.swapaxes(1, 2)), scale

    def _scores_backward(
        self, q: np.ndarray, k: np.ndarray, kept: Any, dscores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        d = kept * dscores
        return d @ k, d.swapaxes(1, 2) @ q


class AdditiveAttention(TimeAttention):
    """scores = <v, tanh(query W + key_t U)> (Bahdanau et al. 2015, section A.1.2).

    W (query_dim, hidden), U (key_dim, hidden), v (hidden,): see ``TimeAttention``.

    >>> import numpy as np, fastdl
    >>> layer = fastdl.AdditiveAttention(4, 3, 8)
    >>> layer.forward(np.ones((2, 4)), np.ones((2, 5, 3))).shape
    (2, 3)
    """

    parameter_names = ("W", "U", "v")
    config_names = ("query_dim", "key_dim", "hidden")

    W: Any
    U: Any
    v: Any

    def __init__(
        self, query_dim: int, key_dim: int, hidden: int, *, initializer: Any = None,
        dtype: DTypeLike | None = None, rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        super().__init__(dtype)
        self.query_dim = check_size(query_dim, "query_dim")
        self.key_dim = check_size(key_dim, "key_dim")
        self.hidden = check_size(hidden, "hidden")
        fill, A = get_initializer(initializer or Xavier()), self.hidden
        self.W = fill((query_dim, A), query_dim, A, rng, self.dtype)
        self.U = fill((key_dim, A), key_dim, A, rng, self.dtype)
        self.v = fill((A,), A, 1, rng, self.dtype)
        self.dW: np.ndarray | None = None
        self.dU: np.ndarray | None = None
        self.dv: np.ndarray | None = None

    def _sizes(self) -> tuple[int | None, int | None]:
        return self.query_dim, self.key_dim

    def _scores(self, q: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, Any]:
        joined = np.tanh((q @ self.W)[:, :, None] + (k @ self.U)[:, None])  # (B, Q, T, A)
        return joined @ self.v, joined

    def _scores_backward(
        self, q: np.ndarray, k: np.ndarray, kept: Any, dscores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        A = self.hidden
        self.dv = dscores.reshape(-1) @ kept.reshape(-1, A)
        d = dscores[..., None] * self.v * (1 - kept * kept)
        of_q, of_k = d.sum(axis=2), d.sum(axis=1)
        self.dW = q.reshape(-1, q.shape[2]).T @ of_q.reshape(-1, A)
        self.dU = k.reshape(-1, k.shape[2]).T @ of_k.reshape(-1, A)
        return of_q @ self.W.T, of_k @ self.U.T
