"""One direction of one recurrent layer: how the kernels of each kind are called."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..memory import step_array
from .base import ops

Arrays = list[np.ndarray]


class Saved(NamedTuple):
    """What a forward leaves for its backward."""

    lengths: np.ndarray
    kept: Arrays  # the arrays over time, inputs first
    inputs: int  # D


class Cell(NamedTuple):
    """A kind of cell: its kernels' names begin with ``kernel``; sizes are multiples of H."""

    kernel: str
    columns: int  # of W and U
    bias: int  # numbers of b, and gates in the arrays over time
    kept: tuple[tuple[int, int], ...] = ()  # (steps more than T, columns) of arrays over time
    states: int = 1  # h, or h and c
    flags: tuple[bool, ...] = ()
    more: tuple[tuple[str, int, float], ...] = ()  # further weights: name, numbers, first one

    def forward(
        self, x: np.ndarray, lengths: np.ndarray, weights: Arrays, states: Arrays, sequence: bool
    ) -> tuple[np.ndarray, Arrays, Saved]:
        """out (B, T, H), or (B, 0, H) without ``sequence``; the final states (B, H); what to save.

        x (B, T, D), lengths (B,) or (0,), weights W, U, b, initial states (B, H).
        """
        B, T, D = x.shape
        H = states[0].shape[1]
        kept = [step_array((T + 1, B, H + D), x.dtype)]
        kept += [step_array((T + more, B, n * H), x.dtype) for more, n in self.kept]
        out = np.empty((B, T if sequence else 0, H), x.dtype)
        run = getattr(ops, f"{self.kernel}_forward")
        run(*self.flags, x, lengths, *weights, *states, *kept, out)
        last = [kept[0][T, :, :H].copy()]
        if self.states == 2:
            last.append(kept[2][T].copy())
        return out, last, Saved(lengths, kept, D)

    def backward(
        self, saved: Saved, weights: Arrays, dout: np.ndarray, dstates: Arrays, truncate: int,
        wants_dx: bool,
    ) -> tuple[np.ndarray, Arrays, Arrays]:  # fmt: skip
        """dx (B, T, D) (or of no rows), the weights' gradients, those of the initial states.

        From those of out and of the final states.
        """
        W, U, b = weights
        steps, B, _ = saved.kept[0].shape
        dx = np.empty((B if wants_dx else 0, steps - 1, saved.inputs), W.dtype)
        dgates = step_array((steps - 1, B, b.size), W.dtype)
        dweights, dbefore = [np.empty_like(a) for a in weights], [np.empty_like(a) for a in dstates]
        run = getattr(ops, f"{self.kernel}_backward")
        run(*self.flags, truncate, saved.lengths, W, U, *saved.kept, dout, *dstates, dx, dgates,
            *dweights, *dbefore)  # fmt: skip
        return dx, dweights, dbefore


CELLS: dict[str, Cell] = {
    "tanh": Cell("rnn", 1, 1, flags=(False,)),
    "relu": Cell("rnn", 1, 1, flags=(True,)),
    "lstm": Cell("lstm", 4, 4, ((0, 4), (1, 1)), states=2),
    "gru": Cell("gru", 3, 4, ((0, 4),)),
    "gru_reset_first": Cell("gru_reset_first", 3, 3, ((0, 3), (0, 1))),
}


def turned(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """x (B, T, ...) with each row's steps in reverse, those behind its length in place.

    >>> turned(np.array([[1, 2, 3], [4, 5, 0]]), np.array([3, 2])).tolist()
    [[3, 2, 1], [5, 4, 0]]
    """
    if not lengths.size:
        return np.ascontiguousarray(x[:, ::-1])
    steps = np.arange(x.shape[1])
    back = lengths[:, None] - 1 - steps
    return np.ascontiguousarray(x[np.arange(len(x))[:, None], np.where(back >= 0, back, steps)])


def any_state(state: Any) -> Arrays:
    """A state as the user gives it, an array or a tuple of arrays, as a list."""
    return list(state) if isinstance(state, tuple | list) else [state]
