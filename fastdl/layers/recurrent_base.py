"""What the recurrent layers have in common: stacks, directions, states, truncation."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..config import resolve_dtype
from ..initializers import Uniform, get_initializer
from ..validation import as_real, check_batch, check_number, check_size
from .base import Layer, Parameter, required
from .dropout import Dropout
from .recurrent_cells import CELLS, Arrays, Cell, any_state, turned
from .recurrent_normalized import NORMALIZED, NormalizedCell


class Recurrent(Layer):
    """A stack of recurrent layers over x (B, T, D): see ``RNN``, ``LSTM`` and ``GRU``.

    ``num_layers`` layers lie one on the other, with dropout of ratio ``dropout`` between them in
    training. ``bidirectional`` ones run forward and backward in time and put both side by side.

    ``forward(x, lengths=None, state=None)`` gives out (B, T, H * directions), 0 behind a row's
    length; without ``return_sequences`` the last layer's final state (B, H * directions), which
    is that of each row's last step. With ``return_state`` it gives (out, state). A state has shape
    (num_layers * directions, B, H), layer by layer, forward before backward, as PyTorch's; an
    LSTM's is a tuple (h, c). ``backward(dout, dstate=None)`` gives dx and leaves the initial
    state's gradient in ``dstate``.

    ``stateful`` layers begin where the last forward ended, until ``reset_state()``; no gradient
    passes from one to the other. With ``truncate`` = k none passes through the state before every
    k-th step of a forward (truncated backpropagation through time, Williams & Peng 1990).

    With ``layer_norm`` the products are normalised (Ba, Kiros & Hinton 2016), see
    fastdl/layers/recurrent_normalized.py; a step then has its gates in NumPy, and is slower.

    Parameters are W (D, columns), U (H, columns) and b of the first layer, "layer1_W" and so on of
    the next, and "reverse_W", "layer1_reverse_W" of those that run backward. ``initializer`` fills
    W and U, by default with U(-l, l), l = 1 / sqrt(H), as in PyTorch; b is zero.
    """

    config_names: ClassVar[tuple[str, ...]] = (
        "input_dim", "hidden", "num_layers", "bidirectional", "dropout", "return_sequences",
        "return_state", "stateful", "truncate", "layer_norm",
    )  # fmt: skip
    takes_lengths = True
    kind: str  # of CELLS

    def __init__(
        self,
        input_dim: int,
        hidden: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        return_sequences: bool = True,
        return_state: bool = False,
        stateful: bool = False,
        truncate: int | None = None,
        layer_norm: bool = False,
        dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
        initializer: Any = None,
    ) -> None:
        self.input_dim = check_size(input_dim, "input_dim")
        self.hidden = check_size(hidden, "hidden")
        self.num_layers = check_size(num_layers, "num_layers")
        self.bidirectional = bool(bidirectional)
        self.dropout = check_number(dropout, "dropout", high=1.0, open_high=True)
        self.return_sequences, self.return_state = bool(return_sequences), bool(return_state)
        self.stateful, self.layer_norm = bool(stateful), bool(layer_norm)
        self.runs_again = not self.stateful
        self.truncate = None if truncate is None else check_size(truncate, "truncate")
        if self.stateful and self.bidirectional:
            raise ValueError(
                "stateful and bidirectional exclude each other: the backward direction begins at a "
                "sequence's end, where the next one is not known yet."
            )
        if self.layer_norm and self.kind not in NORMALIZED:
            raise ValueError("A GRU with layer_norm needs reset_after=True, the form of the paper.")
        self.cell: Cell | NormalizedCell = (NORMALIZED if self.layer_norm else CELLS)[self.kind]
        self.dtype = resolve_dtype(dtype)
        self.directions = 2 if self.bidirectional else 1
        self._drops = [Dropout(self.dropout, rng=rng) for _ in range(self.num_layers - 1)]
        self._make_parameters(
            get_initializer(initializer or Uniform(-(hidden**-0.5), hidden**-0.5)), rng
        )
        self.state: Any = None  # the last forward's final state
        self.dstate: Any = None  # the gradient at the last forward's initial state
        self._saved: list[Any] | None = None
        self._shape: tuple[int, int] = (0, 0)

    def _make_parameters(self, initializer: Any, rng: np.random.Generator | None) -> None:
        H, names = self.hidden, list[str]()
        self._cell_names: list[tuple[str, ...]] = []
        for i in range(self.num_layers * self.directions):
            layer, backward = divmod(i, self.directions)
            prefix = (f"layer{layer}_" if layer else "") + ("reverse_" if backward else "")
            further = [name for name, _, _ in self.cell.more]
            own = tuple(prefix + name for name in ("W", "U", "b", *further))
            self._cell_names.append(own)
            names += own
            for name in own:  # a class knows only the names that some layer of it has had
                if not isinstance(getattr(type(self), name, None), Parameter):
                    setattr(type(self), name, Parameter(name))
            D = H * self.directions if layer else self.input_dim
            columns = self.cell.columns * H
            setattr(self, own[0], initializer((D, columns), D, H, rng, self.dtype))
            setattr(self, own[1], initializer((H, columns), H, H, rng, self.dtype))
            setattr(self, own[2], self._first_bias())
            for name, (_, numbers, first) in zip(own[3:], self.cell.more, strict=True):
                setattr(self, name, np.full(numbers * H, first, self.dtype))
            for name in own:
                setattr(self, f"d{name}", None)
        self.__dict__["parameter_names"] = tuple(names)

    def _first_bias(self) -> np.ndarray:
        return np.zeros(self.cell.bias * self.hidden, self.dtype)

    def forward(self, x: ArrayLike, lengths: ArrayLike | None = None, state: Any = None) -> Any:
        """out, or (out, state) with ``return_state``; lengths (B,) are steps of x, 0 to T."""
        x = as_real(x, self.dtype, "x")
        if x.ndim != 3 or x.shape[2] != self.input_dim:
            raise ValueError(f"{self} got x of shape {x.shape}; expected (B, T, {self.input_dim}).")
        check_batch(x, "x")
        ends, states = self._lengths(lengths, x), self._initial(state, len(x))
        out, last, saved = x, [np.empty_like(a) for a in states], []
        for layer in range(self.num_layers):
            if layer:
                self._drops[layer - 1].training = self.training
                out = self._drops[layer - 1].forward(out)
            top = layer == self.num_layers - 1
            outs = []
            for i in range(layer * self.directions, (layer + 1) * self.directions):
                backward = i % self.directions == 1
                given = turned(out, ends) if backward else out
                own, finals, kept = self.cell.forward(
                    given, ends, self._weights(i), [a[i] for a in states],
                    self.return_sequences or not top,
                )  # fmt: skip
                for a, final in zip(last, finals, strict=True):
                    a[i] = final
                saved.append(kept)
                if top and not self.return_sequences:
                    own = finals[0]
                outs.append(turned(own, ends) if backward and own.ndim == 3 else own)
            out = outs[0] if len(outs) == 1 else np.concatenate(outs, axis=-1)
        self._saved, self._shape = saved, x.shape[:2]
        self.state = self._given_back(last)
        return (out, self.state) if self.return_state else out

    def backward(self, dout: ArrayLike | None, dstate: Any = None) -> np.ndarray:
        """dx (B, T, D); sets the parameters' gradients and ``dstate``.

        dout of out's shape, or None where only the final state was used; dstate of state's form.
        """
        return self._backward(dout, dstate, True)

    def backward_parameters(self, dout: ArrayLike | None, dstate: Any = None) -> None:
        """``backward`` without dx."""
        self._backward(dout, dstate, False)

    def reset_state(self) -> None:
        """Let a stateful layer's next forward begin at 0."""
        self.state = None

    def _backward(self, dout: ArrayLike | None, dstate: Any, wants_dx: bool) -> np.ndarray:
        saved, H = required(self._saved, self), self.hidden
        B, d = self._shape[0], self._dout(dout)
        dlast = self._initial(dstate, B, "dstate") if dstate is not None else self._zeros(B)
        dbefore = [np.empty_like(a) for a in dlast]
        for layer in reversed(range(self.num_layers)):
            sequence = layer < self.num_layers - 1 or self.return_sequences
            dx: np.ndarray | None = None
            for i in range(layer * self.directions, (layer + 1) * self.directions):
                place, backward = i % self.directions, i % self.directions == 1
                own, dstates = d[..., place * H : (place + 1) * H], [a[i] for a in dlast]
                if not sequence:
                    dstates[0] = dstates[0] + own
                    own = np.empty((B, 0, H), self.dtype)
                own = np.ascontiguousarray(own)
                if backward and sequence:
                    own = turned(own, saved[i].lengths)
                found, dweights, dfirst = self.cell.backward(
                    saved[i], self._weights(i), own, dstates, self.truncate or 0,
                    wants_dx or layer > 0,
                )  # fmt: skip
                for name, gradient in zip(self._cell_names[i], dweights, strict=True):
                    setattr(self, f"d{name}", gradient)
                for a, gradient in zip(dbefore, dfirst, strict=True):
                    a[i] = gradient
                if backward:
                    found = turned(found, saved[i].lengths) if len(found) else found
                dx = found if dx is None else dx + found
            d = required(dx, self)
            if layer:
                d = self._drops[layer - 1].backward(d)
        self.dstate = self._given_back(dbefore)
        return d

    def _weights(self, i: int) -> Arrays:
        return [getattr(self, name) for name in self._cell_names[i]]

    def _zeros(self, B: int) -> Arrays:
        shape = (self.num_layers * self.directions, B, self.hidden)
        return [np.zeros(shape, self.dtype) for _ in range(self.cell.states)]

    def _given_back(self, states: Arrays) -> Any:
        return tuple(states) if len(states) > 1 else states[0]

    def _initial(self, state: Any, B: int, name: str = "state") -> Arrays:
        """The states to begin with, (num_layers * directions, B, H) each."""
        kept = state is None and self.stateful and self.state is not None
        if kept:
            state = self.state
        if state is None:
            return self._zeros(B)
        shape = (self.num_layers * self.directions, B, self.hidden)
        found = any_state(state)
        if len(found) != self.cell.states:
            wanted = "a tuple (h, c)" if self.cell.states == 2 else "one array"
            raise ValueError(f"{self} got a {name} of {len(found)} arrays; expected {wanted}.")
        arrays = [as_real(a, self.dtype, name) for a in found]
        for a in arrays:
            if a.shape == shape or (shape[0] == 1 and a.shape == shape[1:]):
                continue
            what = f"{self} got x with {B} rows, but keeps the state of {a.shape[1]} others"
            if kept:
                raise ValueError(f"{what}; call reset_state() where a new sequence begins.")
            raise ValueError(f"{self} got a {name} of shape {a.shape}; expected {shape}.")
        return [a.reshape(shape) for a in arrays]

    def _lengths(self, lengths: ArrayLike | None, x: np.ndarray) -> np.ndarray:
        """lengths (B,) as int64, (0,) for None."""
        if lengths is None:
            return np.empty(0, np.int64)
        array, (B, T, _) = np.asarray(lengths), x.shape
        if array.dtype.kind not in "iu":
            raise TypeError(f"lengths has dtype {array.dtype}; expected whole numbers of steps.")
        if array.shape != (B,):
            raise ValueError(f"lengths has shape {array.shape}; expected ({B},), one for each row.")
        if array.min() < 0 or array.max() > T:
            row = int(np.flatnonzero((array < 0) | (array > T))[0])
            raise ValueError(f"lengths[{row}] is {array[row]}; x has {T} steps: expected 0 to {T}.")
        return array.astype(np.int64)

    def _dout(self, dout: ArrayLike | None) -> np.ndarray:
        B, T = self._shape
        width = self.hidden * self.directions
        shape = (B, T, width) if self.return_sequences else (B, width)
        if dout is None:
            return np.zeros(shape, self.dtype)
        array = as_real(dout, self.dtype, "dout")
        if array.shape != shape:
            raise ValueError(f"{self} got dout of shape {array.shape}; expected {shape}.")
        return array
