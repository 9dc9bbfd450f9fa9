"""Recurrent layers from and to PyTorch's modules, by their weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from .recurrent import GRU, LSTM, RNN
from .recurrent_base import Recurrent


def to_torch(layer: Recurrent) -> Any:
    """The layer as torch.nn.RNN, LSTM or GRU with batch_first=True, of the same function.

    PyTorch has two biases that are added up: the layer's is the first, the second is 0 (except of
    a GRU's n, which has both). dropout is taken over, truncation and statefulness are not. Raises
    TypeError for another layer, ValueError for a GRU with reset_after=False, which PyTorch lacks.
    """
    import torch

    if not isinstance(layer, Recurrent):
        raise TypeError(f"Got {type(layer).__name__}; expected an RNN, LSTM or GRU layer.")
    if isinstance(layer, GRU) and not layer.reset_after:
        raise ValueError("PyTorch has no GRU with reset_after=False.")
    if layer.layer_norm:
        raise ValueError("PyTorch has no recurrent layer with layer_norm=True.")
    options: dict[str, Any] = {"nonlinearity": layer.activation} if isinstance(layer, RNN) else {}
    module = getattr(torch.nn, type(layer).__name__)(
        layer.input_dim, layer.hidden, layer.num_layers, batch_first=True, dropout=layer.dropout,
        bidirectional=layer.bidirectional, dtype=getattr(torch, layer.dtype.name), **options,
    )  # fmt: skip
    with torch.no_grad():
        for i, (W, U, b) in enumerate(layer._cell_names):
            first, second = _two_biases(layer, getattr(layer, b))
            found = {"weight_ih": getattr(layer, W).T, "weight_hh": getattr(layer, U).T,
                     "bias_ih": first, "bias_hh": second}  # fmt: skip
            for name, array in found.items():
                parameter = getattr(module, name + _suffix(i, layer.directions))
                parameter.copy_(torch.tensor(np.ascontiguousarray(array)))
    return module


def from_torch(module: Any, **options: Any) -> Recurrent:
    """The layer of a torch.nn.RNN, LSTM or GRU; ``options`` go to the constructor.

    The layer takes x (B, T, D) whether the module has batch_first or not. Raises TypeError for
    another module, ValueError for an LSTM with projections.
    """
    import torch

    kinds = {torch.nn.RNN: RNN, torch.nn.LSTM: LSTM, torch.nn.GRU: GRU}
    if type(module) not in kinds:
        raise TypeError(f"Got {type(module).__name__}; expected torch.nn.RNN, LSTM or GRU.")
    if module.proj_size:
        raise ValueError(f"The module has proj_size={module.proj_size}; expected 0.")
    if isinstance(module, torch.nn.RNN):
        options["activation"] = module.nonlinearity
    layer = kinds[type(module)](
        module.input_size, module.hidden_size, num_layers=module.num_layers,
        bidirectional=module.bidirectional, dropout=module.dropout,
        dtype=str(module.weight_ih_l0.dtype).removeprefix("torch."), **options,
    )  # fmt: skip
    for i, (W, U, b) in enumerate(layer._cell_names):
        found = {
            name: getattr(module, name + _suffix(i, layer.directions)).detach().cpu().numpy()
            for name in ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if module.bias else ()))
        }
        setattr(layer, W, found["weight_ih"].T)
        setattr(layer, U, found["weight_hh"].T)
        setattr(layer, b, _one_bias(layer, found))
    return layer


def _suffix(i: int, directions: int) -> str:
    return f"_l{i // directions}" + ("_reverse" if i % directions else "")


def _two_biases(layer: Recurrent, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    H = layer.hidden
    second = np.zeros(layer.cell.columns * H, b.dtype)
    if isinstance(layer, GRU):
        second[2 * H :] = b[3 * H :]
        b = b[: 3 * H]
    return b, second


def _one_bias(layer: Recurrent, found: dict[str, np.ndarray]) -> np.ndarray:
    H = layer.hidden
    if "bias_ih" not in found:
        return np.zeros(layer.cell.bias * H, layer.dtype)
    first, second = found["bias_ih"], found["bias_hh"]
    if not isinstance(layer, GRU):
        return first + second
    if not layer.reset_after:
        raise ValueError("PyTorch's GRU has reset_after=True; the layer cannot be without.")
    both = first + second
    return np.concatenate([both[: 2 * H], first[2 * H :], second[2 * H :]])
