"""Networks whose layers branch and join: a model is written by calling layers on nodes.

x = Node.input()
e = Embedding(spec, 16)(x)
logit = Linear(spec)(x) + FactorizationInteraction()(e) + tower(Flatten()(e), [400, 400])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .layers.base import Layer
from .network import Network
from .parameters import Gradients


class Node:
    """The output of a layer for the outputs of other nodes; ``+`` and ``*`` are elementwise."""

    def __init__(self, layer: Layer | None, parents: Sequence[Node] = ()) -> None:
        for parent in parents:
            if not isinstance(parent, Node):
                raise TypeError(f"{layer!r} was called on {type(parent).__name__}; expected nodes.")
        self.layer, self.parents = layer, tuple(parents)

    @classmethod
    def input(cls) -> Node:
        """The batch that the network is fed."""
        return cls(None)

    def __add__(self, other: Node) -> Node:
        from .layers.combine import Add

        return Add()(self, other)

    def __mul__(self, other: Node) -> Node:
        from .layers.combine import Multiply

        return Multiply()(self, other)


class Graph(Network):
    """A network from its output node and a loss on it.

    ``prepare`` turns what the user passes as x into what the input node's layers take. ``layers``
    has every layer once, in the order in which they run.
    """

    def __init__(self, output: Node, loss: Any, prepare: Callable[[Any], Any] = np.asarray) -> None:
        self.nodes = _in_order(output)
        self.prepare = prepare
        layers = [node.layer for node in self.nodes if node.layer is not None]
        if len({id(layer) for layer in layers}) != len(layers):
            raise ValueError("A layer stands at two places of the graph; make one for each.")
        super().__init__(layers, loss)
        place = {id(node): i for i, node in enumerate(self.nodes)}
        self._parents = [[place[id(p)] for p in node.parents] for node in self.nodes]
        self._learns: list[bool] = []  # whether a node, or one that it comes from, has parameters
        for node, parents in zip(self.nodes, self._parents, strict=True):
            own = bool(getattr(node.layer, "parameter_names", ()))
            self._learns.append(own or any(self._learns[parent] for parent in parents))

    def predict(self, x: Any) -> np.ndarray:
        """The output node's values for a batch x."""
        batch = self.prepare(x)
        found: list[Any] = []
        for node, parents in zip(self.nodes, self._parents, strict=True):
            if node.layer is None:
                found.append(batch)
            else:
                found.append(node.layer.forward(*(found[p] for p in parents)))
        return found[-1]

    def gradient(self, x: Any, t: Any, sample_weight: Any = None) -> Gradients:
        """Gradients of the batch's loss by parameter name; tables' are ``SparseGradient``."""
        self._latest = self.loss(x, t, sample_weight), 1.0
        self.backward(self.loss_layer.backward())
        return self.store().collect_gradients()

    def backward(self, dout: np.ndarray) -> None:
        self._backward(dout, self._learns, "backward")

    def backward_inputs(self, dout: np.ndarray) -> np.ndarray:
        found: np.ndarray = self._backward(dout, [True] * len(self.nodes), "backward_inputs")
        return found

    def _backward(self, dout: np.ndarray, wanted: list[bool], method: str) -> Any:
        """Backward through all nodes; the gradient at the input if it is among those wanted."""
        gradients: list[Any] = [None] * len(self.nodes)
        others: list[Any] = [None] * len(self.nodes)  # second ones, which the layers add up
        gradients[-1] = dout
        for i in range(len(self.nodes) - 1, -1, -1):
            layer, parents = self.nodes[i].layer, self._parents[i]
            if layer is None or gradients[i] is None:
                continue
            given = (gradients[i],) if others[i] is None else (gradients[i], others[i])
            gradients[i] = others[i] = None
            if not any(wanted[parent] for parent in parents):
                layer.backward_parameters(sum(given[1:], given[0]))
                continue
            found: Any = getattr(layer, method if len(given) == 1 else "backward")(*given)
            del given  # free the memory
            if found is None:
                continue
            found = found if isinstance(found, tuple) else (found,)
            for parent, gradient in zip(parents, found, strict=True):
                held, below = gradients[parent], self.nodes[parent].layer
                if held is not None and others[parent] is None and below and below.takes_several:
                    others[parent] = gradient
                else:
                    gradients[parent] = gradient if held is None else held + gradient
        return next(g for node, g in zip(self.nodes, gradients, strict=True) if node.layer is None)

    def describe_layers(self) -> list[dict[str, Any]]:
        """Nothing: a graph is written by its class, from its configuration."""
        return []

    def plan(self) -> None:
        """A graph does not run as a row of dense layers."""
        return


def _in_order(output: Node) -> list[Node]:
    """Every node once, parents before children, in the order in which they were written."""
    found: list[Node] = []
    seen: set[int] = set()
    stack = [(output, False)]
    while stack:
        node, done = stack.pop()
        if done:
            found.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(node.parents))
    return found
