"""Heat maps that show which part of an image decided (Grad-CAM)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .graph import Graph
from .layers import BatchNormalization, Conv2D
from .layers.activation import Activation
from .memory import rows_at_once
from .network import Network


def grad_cam(
    network: Network, x: ArrayLike, classes: ArrayLike | None = None, *, layer: Any = None,
) -> NDArray[np.float32]:  # fmt: skip
    """Heat maps (N, H, W) in [0, 1] of images x (N, C, H, W), 1 where the class shows most.

    map = max(0, sum over k of a_k A_k) for the maps A_k of a layer, where a_k is the mean of the
    gradient of the class's logit at A_k (Selvaraju et al. 2017, Grad-CAM, equations 1 and 2),
    enlarged to the image bilinearly and divided by its largest value; all 0 where nothing speaks
    for the class. classes: an index for each image, or one for all; by default the predicted ones.
    layer: a layer of ``network.layers`` or its place, whose output must be maps (N, K, h, w); by
    default the last convolution with the normalization and activation behind it.

    ``network`` is a ``Graph`` or a row of layers; nothing in it changes, and it is looked at in
    evaluation mode. Raises ValueError for classes and layers that it does not have.

    >>> import numpy as np, fastdl
    >>> network = fastdl.ResNet(4, depth=8, width=4, size=8, rng=np.random.default_rng(0))
    >>> grad_cam(network, np.ones((2, 3, 8, 8)), classes=1).shape
    (2, 8, 8)
    """
    images = np.asarray(x)
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(f"x has shape {images.shape}; expected images (N, C, H, W).")
    trace = _Trace(network, layer)
    wanted = None if classes is None else _indices(classes, len(images))
    rows = rows_at_once(images[:1].size)
    found = np.empty((len(images), *images.shape[2:]), np.float32)
    for start in range(0, len(images), rows):
        own = slice(start, start + rows)
        maps = trace.maps(images[own], None if wanted is None else wanted[own])
        found[own] = enlarged(maps, images.shape[2:])
    top = found.max(axis=(1, 2), keepdims=True)
    return np.divide(found, top, out=np.zeros_like(found), where=top > 0)


class _Trace:
    """A network's layers, copied shallowly: they share weights, not what a pass leaves behind."""

    def __init__(self, network: Network, layer: Any) -> None:
        if isinstance(network, Graph):
            self.prepare: Any = network.prepare
            place = {id(node): i for i, node in enumerate(network.nodes)}
            steps = [(n.layer, [place[id(p)] for p in n.parents]) for n in network.nodes]
        else:
            self.prepare = network._input
            steps = [(None, []), *((own, [i]) for i, own in enumerate(network.layers))]
        self.target = _target(network, steps, layer)
        self.steps: list[tuple[Any, list[int]]] = [
            (None if own is None else copy.copy(own), parents) for own, parents in steps
        ]
        for own, _ in self.steps:
            if own is not None:
                own.training = False

    def maps(self, images: np.ndarray, wanted: np.ndarray | None) -> np.ndarray:
        """max(0, sum a_k A_k), float64 (N, h, w)."""
        values: list[Any] = []
        for layer, parents in self.steps:
            given = (values[p] for p in parents)
            values.append(self.prepare(images) if layer is None else layer.forward(*given))
        logits, features = values[-1], values[self.target]
        if logits.ndim != 2:
            raise ValueError(
                f"The network's output has shape {logits.shape}; expected (N, classes)."
            )
        if features.ndim != 4:
            raise ValueError(
                f"{self.steps[self.target][0]} gives an array of shape {features.shape}; a heat "
                "map needs maps (N, K, h, w)."
            )
        best = logits.argmax(axis=1) if wanted is None else wanted
        if best.min() < 0 or best.max() >= logits.shape[1]:
            raise ValueError(
                f"classes has indices from {best.min()} to {best.max()}; the network has "
                f"{logits.shape[1]} classes."
            )
        dout = np.zeros_like(logits)
        dout[np.arange(len(dout)), best] = 1
        a = self._gradient(dout).mean(axis=(2, 3), dtype=np.float64)
        return np.maximum(0, np.einsum("nk,nkhw->nhw", a, features.astype(np.float64)))

    def _gradient(self, dout: np.ndarray) -> np.ndarray:
        """The gradient at the target's output."""
        gradients: dict[int, np.ndarray] = {len(self.steps) - 1: dout}
        for i in range(len(self.steps) - 1, self.target, -1):
            layer, parents = self.steps[i]
            if layer is None or i not in gradients:
                continue
            found = layer.backward(gradients.pop(i))
            found = found if isinstance(found, tuple) else (found,)
            for parent, gradient in zip(parents, found, strict=True):
                held = gradients.get(parent)
                gradients[parent] = gradient if held is None else held + gradient
        if self.target not in gradients:
            raise ValueError(f"The output does not depend on {self.steps[self.target][0]}.")
        return gradients[self.target]


def _target(network: Network, steps: list[tuple[Any, list[int]]], layer: Any) -> int:
    """The place of the layer whose maps are looked at."""
    places = {id(own): i for i, (own, _) in enumerate(steps) if own is not None}
    if isinstance(layer, int | np.integer) and not isinstance(layer, bool):
        if not -len(network.layers) <= layer < len(network.layers):
            raise ValueError(f"layer is {layer}; the network has {len(network.layers)} layers.")
        layer = network.layers[layer]
    if layer is not None:
        if id(layer) not in places:
            raise ValueError(f"{layer!r} is not a layer of this network.")
        return places[id(layer)]
    convolutions = [i for i, (own, _) in enumerate(steps) if isinstance(own, Conv2D)]
    if not convolutions:
        raise ValueError(
            "The network has no Conv2D; name the layer whose maps are to be looked at."
        )
    place = convolutions[-1]
    for i in _behind(steps, place):
        if not isinstance(steps[i][0], BatchNormalization | Activation):
            break
        place = i
    return place


def _behind(steps: list[tuple[Any, list[int]]], place: int) -> Iterator[int]:
    """The steps behind this one, as long as each is the only one that takes the one before."""
    while True:
        takers = [i for i, (_, parents) in enumerate(steps) if place in parents]
        if len(takers) != 1:
            return
        place = takers[0]
        yield place


def _indices(classes: ArrayLike, rows: int) -> np.ndarray:
    array = np.asarray(classes)
    if array.dtype.kind not in "iu" or array.shape not in ((), (rows,)):
        raise ValueError(
            f"classes has shape {array.shape} and dtype {array.dtype}; expected an index for each "
            f"of the {rows} images, or one for all."
        )
    return np.broadcast_to(array.astype(np.intp), (rows,))


def enlarged(maps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Maps (N, h, w) in another size (H, W), bilinear between the middles of the pixels.

    >>> enlarged(np.array([[[0.0, 1.0]]]), (1, 4)).tolist()
    [[[0.0, 0.25, 0.75, 1.0]]]
    """
    for axis, length in ((1, size[0]), (2, size[1])):
        old = maps.shape[axis]
        middle = ((np.arange(length) + 0.5) * old / length - 0.5).clip(0, old - 1)
        low = middle.astype(np.intp)
        high, share = np.minimum(low + 1, old - 1), middle - low
        share = share.reshape(-1, 1) if axis == 1 else share
        maps = maps.take(low, axis) * (1 - share) + maps.take(high, axis) * share
    return maps
