"""Our image networks as PyTorch modules with the same weights, for tests and benchmarks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import fastdl
from fastdl import graph
from fastdl.layers.combine import Add

functional = torch.nn.functional


def tensor(x: np.ndarray) -> Any:
    """A copy as a tensor, images in channels-last memory."""
    found = torch.tensor(np.ascontiguousarray(x))
    return found.contiguous(memory_format=torch.channels_last) if found.ndim == 4 else found


def module(layer: Any) -> Any:
    """A layer's counterpart with its weights and states."""
    if isinstance(layer, fastdl.Conv2D):
        found = torch.nn.Conv2d(
            layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding,
            layer.dilation, layer.groups, layer.bias,
        )  # fmt: skip
        found.weight.data = tensor(layer.W)
        if layer.bias:
            found.bias.data = tensor(layer.b)
        return found
    if isinstance(layer, fastdl.BatchNormalization):
        found = torch.nn.BatchNorm2d(len(layer.gamma), layer.epsilon, 1 - layer.momentum)
        found.weight.data, found.bias.data = tensor(layer.gamma), tensor(layer.beta)
        return found.to(found.weight.dtype)
    if isinstance(layer, fastdl.Dense):
        found = torch.nn.Linear(layer.input_dim, layer.output_dim)
        found.weight.data, found.bias.data = tensor(layer.W.T), tensor(layer.b[0])
        return found
    if isinstance(layer, fastdl.MaxPool2D):
        return torch.nn.MaxPool2d(layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    if isinstance(layer, fastdl.AvgPool2D):
        return torch.nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding)
    if isinstance(layer, fastdl.GlobalAvgPool2D):
        return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    others = {fastdl.ReLU: torch.nn.ReLU, fastdl.Flatten: torch.nn.Flatten}
    if type(layer) in others:
        return others[type(layer)]()
    raise TypeError(f"{layer!r} has no counterpart here.")


class Network(torch.nn.Module):
    """A Network or Graph of ours, layer by layer, with the activations behind them."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.ours = network
        self.theirs = torch.nn.ModuleList(
            torch.nn.Identity() if isinstance(layer, Add) else module(layer)
            for layer in network.layers
        )
        if isinstance(network, graph.Graph):
            self.order = [(node.layer, p) for node, p in
                          zip(network.nodes, network._parents, strict=True)]  # fmt: skip
        else:
            self.order = [(None, []), *((layer, [i]) for i, layer in enumerate(network.layers))]
        places = {id(layer): i for i, layer in enumerate(network.layers)}
        self.places = [places.get(id(layer)) for layer, _ in self.order]

    def forward(self, x: Any) -> Any:
        found: list[Any] = []
        for (layer, parents), place in zip(self.order, self.places, strict=True):
            if layer is None:
                found.append(x)
                continue
            y = self.theirs[place](found[parents[0]])
            for other in parents[1:]:
                y = y + found[other]
            if getattr(layer, "activation", None) == "relu":
                y = functional.relu(y)
            found.append(y)
        return found[-1]


def weights_of(network: Any, theirs: Network) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of our parameters and theirs, of the same shapes."""
    pairs = []
    for layer, their in zip(network.layers, theirs.theirs, strict=True):
        for name, value in layer.parameters().items():
            weight = their.weight if name in ("W", "gamma") else their.bias
            given = weight.detach().numpy()
            given = given.T if isinstance(layer, fastdl.Dense) and name == "W" else given
            pairs.append((value, given.reshape(value.shape)))
    return pairs
