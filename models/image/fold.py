"""Networks for inference, with batch normalization folded into the convolutions before it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastdl import initializers
from fastdl.graph import Graph, Node
from fastdl.layers import (
    GELU,
    BatchNormalization,
    Conv2D,
    Dropout,
    Layer,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Tanh,
)
from fastdl.network import Network

from .base import probabilities

_ACTIVATIONS = {
    "relu": ReLU, "leaky_relu": LeakyReLU, "sigmoid": Sigmoid,
    "tanh": Tanh, "gelu": GELU,
}  # fmt: skip


class Folded(Graph):
    """A network for inference, made by ``fold``; it is not trained and not saved."""

    def predict_proba(self, x: ArrayLike, *, batch_size: int | None = None) -> np.ndarray:
        """Probabilities (N, classes), in batches of bounded memory."""
        return probabilities(self, x, batch_size)

    def config(self) -> dict[str, Any]:
        raise TypeError("A folded network cannot be saved; save the one that it was made from.")


def fold(network: Network) -> Folded:
    """The network as evaluation sees it, without batch normalization behind convolutions.

    gamma (W x + b - mean) / sqrt(var + epsilon) + beta is one convolution (Jacob et al. 2018,
    Quantization and training of neural networks for efficient integer-arithmetic-only inference,
    section 3.2), and ReLU is part of it; dropout is left out. Results are equal up to rounding.
    ``network``, a ``Graph`` or a row of layers, stays as it is, and shares no array with the
    result. Raises TypeError for layers that are not fastdl's.

    >>> import numpy as np, fastdl
    >>> network = fastdl.ResNet(4, depth=8, width=4, size=8, rng=np.random.default_rng(0))
    >>> x = np.random.default_rng(1).standard_normal((2, 3, 8, 8))
    >>> bool(np.allclose(fold(network).predict_proba(x), network.predict_proba(x), atol=1e-6))
    True
    """
    if isinstance(network, Graph):
        nodes, prepare = network.nodes, network.prepare
    else:
        nodes, prepare = _row(network.layers), network._input
    uses = Counter(id(parent) for node in nodes for parent in node.parents)
    known: dict[int, Node] = {}
    for node in nodes:
        parents = [known[id(parent)] for parent in node.parents if id(parent) in known]
        if node.layer is None:
            known[id(node)] = Node.input()
        elif isinstance(node.layer, Dropout):
            known[id(node)] = parents[0]
        elif _folds(node, uses):
            known[id(node)] = _merged(node, known)
        elif _is_folded_later(node, nodes, uses):
            continue
        else:
            known[id(node)] = copied(node.layer)(*parents)
    found = Folded(known[id(nodes[-1])], copied(network.loss_layer), prepare)
    found.eval()
    return found


def _row(layers: list[Layer]) -> list[Node]:
    """A network's layers as nodes, the input first."""
    nodes = [Node.input()]
    for layer in layers:
        nodes.append(Node(layer, [nodes[-1]]))
    return nodes


def _folds(node: Node, uses: Counter[int]) -> bool:
    """Whether it is a normalization of a convolution's output that nothing else takes."""
    if not isinstance(node.layer, BatchNormalization):
        return False
    before = node.parents[0]
    return (
        type(before.layer) is Conv2D and before.layer.activation is None and uses[id(before)] == 1
        and node.layer.gamma is not None
    )  # fmt: skip


def _is_folded_later(node: Node, nodes: list[Node], uses: Counter[int]) -> bool:
    return any(node in other.parents[:1] and _folds(other, uses) for other in nodes)


def _merged(node: Node, known: dict[int, Node]) -> Node:
    """The convolution with the normalization in it, then the shortcut and the activation."""
    norm: Any = node.layer
    before = node.parents[0]
    conv: Any = before.layer
    name = norm.activation
    alone = len(node.parents) == 1
    inside = "relu" if name == "relu" and alone else None
    scale = norm.gamma.astype(np.float64) / np.sqrt(norm.running_var + norm.epsilon, dtype=float)
    merged: Any = _made(conv, bias=True, activation=inside)
    merged.W = conv.W * scale[:, None, None, None]
    bias = conv.b if conv.bias else 0.0
    merged.b = norm.beta + (bias - norm.running_mean.astype(np.float64)) * scale
    found: Node = merged(known[id(before.parents[0])])
    if not alone:
        found = found + known[id(node.parents[1])]
    return found if name is None or inside else _ACTIVATIONS[name]()(found)


def copied(layer: Any) -> Any:
    """A layer like this one, with arrays of its own and without what a forward pass left."""
    made = _made(layer)
    for name, array in {**layer.parameters(), **layer.states()}.items():
        setattr(made, name, np.copy(array))
    return made


def _made(layer: Any, **changed: Any) -> Any:
    if not isinstance(layer, Layer):
        raise TypeError(f"{layer!r} cannot be copied: it is not a subclass of fastdl.Layer.")
    with initializers.left_at_zero():
        return type(layer)(**{**layer.config(), **changed})
