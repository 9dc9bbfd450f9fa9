"""Forwards that are kept, so that a network can run several times before a backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .network import Network
    from .parameters import Gradients


class Pass:
    """One forward of a network; ``out`` is what it gave.

    Its backward may come after other forwards and backwards, as long as the parameters stay as they
    are. ``add_to`` takes gradients of another pass, such as that of the real images to which the
    one of the generated images is added. Made by ``network.run(x)``. Raises TypeError for networks
    with layers that cannot be run again before their backward, such as embedding tables.
    """

    def __init__(self, network: Network, x: Any) -> None:
        for i, layer in enumerate(network.layers):
            if not getattr(layer, "runs_again", True):
                raise TypeError(
                    f"Layer {i}, {layer!r}, cannot run forward a second time before its backward; "
                    "use network.gradient."
                )
        self.network = network
        self.out: np.ndarray = network.predict(x)
        self._kept = [_kept(layer) for layer in network.layers]

    def backward(self, dout: np.ndarray, *, add_to: Gradients | None = None) -> Gradients:
        """Gradients by parameter name, from the gradient at ``out``; those of ``add_to`` added."""
        self._put_back()
        self.network.backward(dout)
        grads = self.network.store().collect_gradients()
        return grads if add_to is None else grads.plus(add_to)

    def backward_inputs(self, dout: np.ndarray) -> np.ndarray:
        """The gradient at x, from the one at ``out``; the parameters' are left out."""
        self._put_back()
        return self.network.backward_inputs(dout)

    def _put_back(self) -> None:
        for layer, kept in zip(self.network.layers, self._kept, strict=True):
            if hasattr(layer, "put_back"):
                layer.put_back(kept)
            else:
                layer.__dict__.update(kept)


def _kept(layer: Any) -> dict[str, Any]:
    """What a layer keeps; one that is no ``fastdl.Layer`` may keep anything but its parameters."""
    if hasattr(layer, "kept"):
        found: dict[str, Any] = layer.kept()
        return found
    lasting = {"W", "b"}
    return {name: value for name, value in vars(layer).items() if name not in lasting}
