"""Saving and loading networks, and everything that a run of training consists of.

Everything is described by names and numbers; classes are looked up among those that are defined,
and nothing in a file is ever executed.
"""

from __future__ import annotations

import copy
from os import PathLike
from typing import Any

import numpy as np

from .files import read_arrays, write_arrays
from .layers.base import Layer, described
from .layers.base import registry as layer_classes
from .network import Network
from .network import registry as network_classes


def save(network: Network, path: str | PathLike[str], **extra: Any) -> None:
    """Write a network to one safetensors file: description, parameters and states.

    ``extra`` entries, which JSON must be able to hold, are kept under their names.

    >>> import fastdl, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "network.safetensors")
    >>> network = fastdl.Sequential(fastdl.Dense(3, 2))
    >>> fastdl.save(network, path)
    >>> bool((fastdl.load(path).layers[0].W == network.layers[0].W).all())
    True
    """
    write_arrays(
        path, network_arrays(network), {"kind": "network", **describe(network), "extra": extra}
    )


def load(path: str | PathLike[str]) -> Network:
    """The network of a file by ``save``.

    Layers and networks of your own must be defined (imported) before. Raises FileNotFoundError,
    and ValueError for a file that is damaged, of another kind, or of a newer version.
    """
    arrays, description = read_arrays(path, "network")
    return restore(description, arrays, str(path))


def describe(network: Network) -> dict[str, Any]:
    """Class, configuration, layers and loss of a network, as JSON can hold them."""
    return {
        "network": {"class": type(network).__name__, "config": network.config()},
        "layers": network.describe_layers(),
        "loss": described(network.loss_layer),
    }


def network_arrays(network: Network, *, settled: bool = True) -> dict[str, np.ndarray]:
    """Parameters and states of all layers by name, such as "W0" and "running_mean3".

    Without ``settled``, tables are as their last touch left them: for checkpoints, which also hold
    the optimizer's account of the steps that rows have missed.
    """
    found: dict[str, np.ndarray] = {}
    for i, layer in enumerate(network.layers):
        if settled:
            own = layer.parameters()
        else:
            held = {name: layer.__dict__.get(name) for name in layer.parameter_names}
            own = {name: array for name, array in held.items() if array is not None}
        found |= {f"{name}{i}": array for name, array in {**own, **layer.states()}.items()}
    return found


def load_arrays(network: Network, arrays: dict[str, np.ndarray], where: str) -> None:
    """Put parameters and states back into the layers; ValueError where they do not fit."""
    left = dict(arrays)
    for i, layer in enumerate(network.layers):
        for name in (*layer.parameter_names, *layer.state_names):
            if f"{name}{i}" in left:
                setattr(layer, name, left.pop(f"{name}{i}"))
            elif getattr(layer, name, None) is not None:
                raise ValueError(f"{where} is incomplete: it lacks {name}{i} of {layer!r}.")
    if left:
        raise ValueError(f"{where} has arrays that no layer takes: {', '.join(sorted(left))}.")


def restore(description: dict[str, Any], arrays: dict[str, np.ndarray], where: str) -> Network:
    """A network from its description and arrays."""
    before = np.random.get_state()  # initializers draw from it; loading must not be noticed
    try:
        layers = [_restore_layer(entry, where) for entry in description["layers"]]
        loss = _restore_layer(description["loss"], where)
        entry = description["network"]
        cls = _class(network_classes, entry["class"], where)
        network = cls.from_description(entry["config"], layers, loss)
    except (KeyError, AttributeError) as error:
        raise ValueError(f"{where} is damaged: its description lacks {error}.") from None
    finally:
        np.random.set_state(before)
    load_arrays(network, arrays, where)
    return network


def _restore_layer(entry: dict[str, Any], where: str) -> Layer:
    cls = _class(layer_classes, entry["class"], where)
    try:
        layer = cls(**entry["config"])
    except TypeError as error:
        raise ValueError(f"{where}: {entry['class']} cannot be made: {error}") from None
    if not entry["trainable"]:
        layer.trainable = False
    return layer


def _class(registry: dict[str, Any], name: str, where: str) -> Any:
    if name not in registry:
        raise ValueError(
            f"{where} needs the class {name}, which is not defined here; import it before loading."
        )
    return registry[name]


def random_state(rng: np.random.Generator | None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """State of a Generator, or of NumPy's global one for None: JSON part and array part."""
    if rng is None:
        name, keys, position, has_gauss, gauss = np.random.get_state()
        known = {"name": name, "position": position, "has_gauss": has_gauss, "gauss": gauss}
        return known, {"keys": np.asarray(keys)}
    state = dict(copy.deepcopy(rng.bit_generator.state))
    arrays: dict[str, np.ndarray] = {}
    _take_arrays(state, "", arrays)
    return state, arrays


def set_random_state(
    rng: np.random.Generator | None, known: dict[str, Any], arrays: dict[str, np.ndarray]
) -> None:
    """Bring a generator into the state that ``random_state`` told."""
    if rng is None:
        gauss = known["has_gauss"], known["gauss"]
        np.random.set_state((known["name"], arrays["keys"], known["position"], *gauss))
        return
    state = copy.deepcopy(known)
    for path, array in arrays.items():
        *folders, name = path.split("/")
        place = state
        for folder in folders:
            place = place[folder]
        place[name] = array
    rng.bit_generator.state = state


def _take_arrays(state: dict[str, Any], path: str, arrays: dict[str, np.ndarray]) -> None:
    """Move arrays inside a nested dict into ``arrays``; JSON cannot hold them."""
    for name, value in state.items():
        if isinstance(value, dict):
            _take_arrays(value, f"{path}{name}/", arrays)
        elif isinstance(value, np.ndarray):
            arrays[path + name] = value
            state[name] = None
