"""A network's parameters in one flat array, its gradients in another; layers hold views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .layers.base import Layer


class Slot(NamedTuple):
    """Where one parameter of one layer lies in the flat array."""

    key: str  # "W0": the layer's attribute and its place in the network
    layer: Layer
    name: str
    start: int
    stop: int
    shape: tuple[int, ...]

    def view(self, flat: np.ndarray) -> np.ndarray:
        """This parameter's part of a flat array, in its shape."""
        return flat[self.start : self.stop].reshape(self.shape)


class Store:
    """The flat array of the trainable parameters of some layers, and its layout."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = list(layers)
        self.slots = _slots(self.layers)
        arrays = [getattr(slot.layer, slot.name) for slot in self.slots]
        dtypes = {array.dtype for array in arrays}
        self.dtype = dtypes.pop() if len(dtypes) == 1 else None  # None: mixed, nothing is flat
        self.flat: np.ndarray | None = None
        if self.dtype is not None:
            self.flat = _adjacent(arrays)
            if self.flat is None:
                self.flat = np.empty(sum(array.size for array in arrays), self.dtype)
                for slot in self.slots:
                    getattr(type(slot.layer), slot.name).bind(slot.layer, slot.view(self.flat))
        self.tables = _tables(self.layers)
        self.views = {slot.key: getattr(slot.layer, slot.name) for slot in self.slots}
        self.views |= {key: layer.raw(name) for key, layer, name in self.tables}
        self.ids = identities(self.views)
        self.cuts = [(slot.start, slot.stop, slot.shape) for slot in self.slots]
        self._bindings = Layer.bindings

    def is_current(self, layers: Sequence[Layer]) -> bool:
        """Whether these are still the layers, holding still the same views."""
        if layers != self.layers:  # lists compare their elements by identity first
            return False
        if self._bindings == Layer.bindings:
            return True
        if [slot[:3] for slot in _slots(self.layers)] != [slot[:3] for slot in self.slots]:
            return False
        if any(getattr(slot.layer, slot.name) is not self.views[slot.key] for slot in self.slots):
            return False
        if [place[:2] for place in _tables(self.layers)] != [place[:2] for place in self.tables]:
            return False
        self._bindings = Layer.bindings
        return True

    def gradients(self, flat: np.ndarray) -> Gradients:
        """A fresh flat gradient as the dict that ``Optimizer.update`` takes."""
        return Gradients(self, flat)

    def collect_gradients(self) -> Gradients:
        """The layers' gradients after backward, copied into a fresh flat array."""
        arrays = {slot.key: getattr(slot.layer, "d" + slot.name) for slot in self.slots}
        for key, array in arrays.items():
            if array is None:
                raise ValueError(f"The gradient of {key} is missing; did backward run?")
        sparse = {key: getattr(layer, "d" + name) for key, layer, name in self.tables}
        if self.flat is None:
            found = Gradients(self, None)
            found.update(arrays | sparse)
            return found
        found = Gradients(self, np.empty_like(self.flat))
        for key, view in found.items():
            view[...] = arrays[key].reshape(view.shape)
        found.update(sparse)
        found.ids = identities(found)
        return found


class Gradients(dict[str, np.ndarray]):
    """Gradients by parameter name; while untouched, ``flat`` holds them all."""

    def __init__(self, store: Store, flat: np.ndarray | None) -> None:
        super().__init__()
        self.store = store
        self.flat = flat
        if flat is not None:
            # an id means an object only while that lives, so the views are kept
            self.kept = [flat[start:stop].reshape(shape) for start, stop, shape in store.cuts]
            self.update(zip(store.views, self.kept, strict=not store.tables))
            self.ids = tuple(map(id, self.kept))

    def plus(self, others: Gradients) -> Gradients:
        """These with another batch's gradients of the same network added to them, in place."""
        if set(others) != set(self):
            raise ValueError(
                f"Gradients of {sorted(others)} cannot be added to those of {sorted(self)}."
            )
        if self.flat is not None and others.flat is not None and not self.store.tables:
            self.flat += others.flat
            return self
        for name, array in others.items():
            self[name] = self[name] + array
        return self


def flat_pair(
    params: dict[str, np.ndarray], grads: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, Store] | None:
    """Both sides as flat arrays, if they are exactly one network's untouched views, else None."""
    if type(grads) is not Gradients or grads.flat is None:
        return None
    store = grads.store
    if identities(params) != store.ids or identities(grads) != grads.ids:
        return None
    return (store.flat, grads.flat, store) if store.flat is not None else None


def identities(arrays: dict[str, np.ndarray]) -> tuple[int, ...]:
    """Which objects the values are: a quick way to see that none was exchanged."""
    return tuple(map(id, arrays.values()))


def _slots(layers: Sequence[Layer]) -> list[Slot]:
    slots, start = [], 0
    for i, layer in enumerate(layers):
        if layer.trainable:
            for name in layer.parameter_names:
                array = None if name in layer.table_names else getattr(layer, name)
                if array is None:
                    continue
                stop = start + array.size
                slots.append(Slot(f"{name}{i}", layer, name, start, stop, array.shape))
                start = stop
    return slots


def _tables(layers: list[Layer]) -> list[tuple[str, Any, str]]:
    """Key, layer and attribute of every trainable table."""
    return [
        (f"{name}{i}", layer, name)
        for i, layer in enumerate(layers)
        if layer.trainable
        for name in layer.table_names
    ]


def _adjacent(arrays: list[np.ndarray]) -> np.ndarray | None:
    """The flat array that the arrays already lie in one behind the other, else None.

    So networks that share layers, as a GAN's do, share one memory instead of taking it in turns.
    """
    if not arrays:
        return None
    base = arrays[0].base
    if base is None or not isinstance(base, np.ndarray) or base.ndim != 1:
        return None
    address = arrays[0].__array_interface__["data"][0]
    start = (address - base.__array_interface__["data"][0]) // base.itemsize
    for array in arrays:
        if array.base is not base or array.__array_interface__["data"][0] != address:
            return None
        address += array.nbytes
    return base[start : start + sum(array.size for array in arrays)]
