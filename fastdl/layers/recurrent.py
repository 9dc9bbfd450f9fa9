"""The recurrent layers: plain, long short-term memory, gated recurrent unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from .recurrent_base import Recurrent


class RNN(Recurrent):
    """h_t = activation(x_t W + h_(t-1) U + b), the plain recurrent network (Elman 1990).

    x (B, T, input_dim), W (input_dim, hidden), U (hidden, hidden), b (hidden,); ``activation`` is
    "tanh" or "relu". With ``layer_norm`` h_t = activation(LN(x_t W + h_(t-1) U; gain, b)).
    Options, states and further layers as told by ``Recurrent``.

    >>> import numpy as np, fastdl
    >>> fastdl.RNN(3, 4).forward(np.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    parameter_names = ("W", "U", "b")
    config_names = (*Recurrent.config_names, "activation")

    def __init__(
        self, input_dim: int, hidden: int, *, activation: str = "tanh", **options: Any
    ) -> None:
        if activation not in ("tanh", "relu"):
            raise ValueError(f"activation is {activation!r}; expected 'tanh' or 'relu'.")
        self.activation = self.kind = activation
        super().__init__(input_dim, hidden, **options)


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000).

    i, f, o = sigmoid(x_t W + h_(t-1) U + b), g = tanh(x_t W + h_(t-1) U + b),
    c_t = f c_(t-1) + i g, h_t = o tanh(c_t). Columns of W (input_dim, 4 hidden), U (hidden,
    4 hidden) and b are those of i, f, g, o, in this order, as in PyTorch. b begins at 1 for f
    (Jozefowicz et al. 2015), at 0 otherwise. With ``layer_norm``, i, f, g, o come from
    LN(x_t W; gain_x, b) + LN(h_(t-1) U; gain_h) and h_t = o tanh(LN(c_t; gain_c, bias_c)).
    Options, states and further layers as told by ``Recurrent``.

    >>> import numpy as np, fastdl
    >>> layer = fastdl.LSTM(3, 4, return_sequences=False, return_state=True)
    >>> out, (h, c) = layer.forward(np.ones((2, 5, 3)), lengths=[5, 2])
    >>> out.shape, h.shape, c.shape
    ((2, 4), (1, 2, 4), (1, 2, 4))
    """

    parameter_names = ("W", "U", "b")
    kind = "lstm"

    def _first_bias(self) -> np.ndarray:
        b = super()._first_bias()
        b[self.hidden : 2 * self.hidden] = 1
        return b


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), h_t = (1 - z) n + z h_(t-1).

    r, z = sigmoid(x_t W + h_(t-1) U + b). With ``reset_after``, the form of PyTorch and cuDNN,
    n = tanh(x_t W + b + r (h_(t-1) U + b')); without, that of the paper,
    n = tanh(x_t W + (r h_(t-1)) U + b), which is slower. Columns of W (input_dim, 3 hidden) and U
    (hidden, 3 hidden) are those of r, z, n, in this order; b is (4 hidden,) with that of r, z, n
    and b', or (3 hidden,). With ``layer_norm`` (and ``reset_after``) x_t W and h_(t-1) U are
    normalised before they are used, r's and z's columns together and n's.
    Options, states and further layers as told by ``Recurrent``.

    >>> import numpy as np, fastdl
    >>> fastdl.GRU(3, 4, num_layers=2, bidirectional=True).forward(np.ones((2, 5, 3))).shape
    (2, 5, 8)
    """

    parameter_names = ("W", "U", "b")
    config_names = (*Recurrent.config_names, "reset_after")

    def __init__(
        self, input_dim: int, hidden: int, *, reset_after: bool = True, **options: Any
    ) -> None:
        self.reset_after = bool(reset_after)
        self.kind = "gru" if self.reset_after else "gru_reset_first"
        super().__init__(input_dim, hidden, **options)
