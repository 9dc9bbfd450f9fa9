"""Optimizers: ``update(params, grads)`` changes the parameter arrays in place.

Where both dicts are one network's own, the whole update is a single pass over its flat arrays.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .kernels import optimizer as kinds
from .kernels.backend import ops
from .parameters import Store, flat_pair, identities
from .schedules import Schedule
from .validation import check_number

_NO_STATE = {np.dtype(t): np.empty(0, t) for t in (np.float32, np.float64)}

Arrays = dict[str, np.ndarray]


class Optimizer:
    """Base of all optimizers; one of your own needs only ``update(params, grads)``."""

    def update(self, params: Arrays, grads: Arrays) -> None:
        """Change every array of ``params`` in place by its gradient of the same key."""
        raise NotImplementedError(f"{type(self).__name__} does not define update.")


class KernelOptimizer(Optimizer):
    """Base of fastdl's optimizers: settings, state arrays and the call of the kernel.

    ``lr`` is a number or a schedule of ``fastdl.schedules``. ``weight_decay`` adds
    weight_decay * parameter to the gradient (AdamW: subtracts it from the parameter instead).
    ``clip_norm`` scales the gradients so that their common norm is at most this.
    """

    kind: ClassVar[int]
    state_names: ClassVar[tuple[str, ...]] = ()
    config_names: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, lr: float | Schedule, weight_decay: float = 0.0, clip_norm: float | None = None
    ) -> None:
        self.schedule = lr if isinstance(lr, Schedule) else None
        self.lr = lr.rate(0) if isinstance(lr, Schedule) else check_number(lr, "lr")
        self.weight_decay = check_number(weight_decay, "weight_decay")
        self.clip_norm = clip_norm
        if clip_norm is not None:
            self.clip_norm = check_number(clip_norm, "clip_norm", open_low=True)
        self.t = 0
        self._flat: dict[str, np.ndarray] = {}
        self._ids: dict[str, tuple[int, ...]] = {}
        self._store: Store | None = None

    def update(self, params: Arrays, grads: Arrays) -> None:
        """One step: every array of ``params`` is changed in place by its gradient."""
        pair = flat_pair(params, grads)
        if pair is not None:
            flat, gradient, store = pair
            states = self.flat_states(store)
            self.begin_step()
            scale = self._clip_scale([gradient])
            self._call(flat, gradient, states, scale)
            return
        self._check(params, grads)
        self.begin_step()
        given = [np.ascontiguousarray(grads[key], params[key].dtype) for key in params]
        scale = self._clip_scale(given)
        for (key, param), gradient in zip(params.items(), given, strict=True):
            states = {name: self._state(name, key, param) for name in self.state_names}
            values = np.ascontiguousarray(param)
            flat_states = {name: array.reshape(-1) for name, array in states.items()}
            self._call(values.reshape(-1), gradient.reshape(-1), flat_states, scale)
            if values is not param:
                param[...] = values

    def begin_step(self) -> None:
        """Count the step and take its learning rate from the schedule."""
        if self.schedule is not None:
            self.lr = self.schedule.rate(self.t)
        self.t += 1

    def settings(self) -> np.ndarray:
        """The numbers that the kernel takes, in its order."""
        return np.array([self.lr, self.weight_decay, self._beta1(), self._beta2(),
                         getattr(self, "epsilon", 0.0), self.clip_norm or 0.0])  # fmt: skip

    def flat_states(self, store: Store) -> dict[str, np.ndarray]:
        """Flat state arrays beside the store's parameters; the per-key dicts hold their views."""
        for name in self.state_names:
            by_key = getattr(self, name)
            if self._store is store and identities(by_key) == self._ids.get(name):
                continue
            flat = np.zeros(store.flat.size, store.dtype)  # type: ignore[union-attr]
            for slot in store.slots:
                if slot.key in by_key:
                    slot.view(flat)[...] = np.reshape(by_key[slot.key], slot.shape)
            by_key.clear()
            by_key.update({slot.key: slot.view(flat) for slot in store.slots})
            self._flat[name], self._ids[name] = flat, identities(by_key)
        self._store = store
        return self._flat

    def config(self) -> dict[str, Any]:
        """Constructor arguments and step count, as JSON can hold them."""
        names = ("lr", "weight_decay", "clip_norm", *self.config_names)
        found = {name: getattr(self, name) for name in names}
        if self.schedule is not None:
            found["lr"] = self.schedule.describe()
        return found

    def states(self) -> dict[str, np.ndarray]:
        """State arrays by "name.parameter", such as "m.W0"."""
        return {
            f"{name}.{key}": array
            for name in self.state_names
            for key, array in getattr(self, name).items()
        }

    def load_states(self, states: dict[str, np.ndarray]) -> None:
        """Take over what ``states`` returned."""
        for name in self.state_names:
            setattr(self, name, {})
        for full, array in states.items():
            name, _, key = full.partition(".")
            if name not in self.state_names:
                raise ValueError(f"{type(self).__name__} has no state {name!r}; it came as {full}.")
            getattr(self, name)[key] = np.array(array)
        self._flat, self._ids, self._store = {}, {}, None

    def _beta1(self) -> float:
        return 0.0

    def _beta2(self) -> float:
        return 0.0

    def _state(self, name: str, key: str, param: np.ndarray) -> np.ndarray:
        by_key = getattr(self, name)
        held = by_key.get(key)
        if held is None or not held.flags.c_contiguous or held.dtype != param.dtype:
            by_key[key] = np.zeros(param.shape, param.dtype) if held is None else np.array(
                held, param.dtype, order="C"
            )  # fmt: skip
        if by_key[key].size != param.size:
            raise ValueError(
                f"State {name}[{key!r}] has shape {by_key[key].shape}, the parameter "
                f"{param.shape}; use a new optimizer for another network."
            )
        return by_key[key]

    def _clip_scale(self, grads: list[np.ndarray]) -> float:
        if self.clip_norm is None:
            return 1.0
        total = 0.0
        for gradient in grads:
            partial = np.empty(-(-gradient.size // kinds.BLOCK))
            ops.squared_norm(gradient.reshape(-1), partial)
            for part in partial:
                total += float(part)
        scale = self.clip_norm / (np.sqrt(total) + 1e-6)
        return min(1.0, scale) if scale == scale else scale

    def _call(self, params: np.ndarray, grads: np.ndarray, states: Arrays, scale: float) -> None:
        none = _NO_STATE[params.dtype]
        ops.optimizer_step(
            self.kind, self.settings(), self.t, scale, params, grads,
            states.get("m", none), states.get("v", none),
        )  # fmt: skip

    def _check(self, params: Arrays, grads: Arrays) -> None:
        for key, param in params.items():
            if key not in grads:
                raise ValueError(f"There is no gradient for the parameter {key!r}.")
            if not isinstance(param, np.ndarray) or param.dtype not in _NO_STATE:
                raise TypeError(
                    f"Parameter {key!r} is {type(param).__name__} of dtype "
                    f"{getattr(param, 'dtype', None)}; expected a float32 or float64 array."
                )
            gradient = np.asarray(grads[key])
            if gradient.dtype.kind not in "fiub":
                raise TypeError(f"Gradient {key!r} has dtype {gradient.dtype}; expected numbers.")
            if gradient.shape != param.shape:
                raise ValueError(
                    f"Gradient {key!r} has shape {gradient.shape}; expected {param.shape}."
                )


class SGD(KernelOptimizer):
    """p -= lr g; with momentum m = momentum m + g, p -= lr m (Nesterov: p -= lr (g + momentum m)).

    Conventions of PyTorch (Sutskever et al. 2013 for Nesterov's form). Raises ValueError for
    numbers out of range.

    >>> import numpy as np, fastdl
    >>> params = {"W": np.array([1.0])}
    >>> fastdl.SGD(lr=0.5).update(params, {"W": np.array([1.0])})
    >>> params["W"]
    array([0.5])
    """

    kind = kinds.SGD
    config_names = ("momentum", "nesterov")

    def __init__(
        self,
        lr: float | Schedule = 0.01,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, clip_norm)
        self.momentum = check_number(momentum, "momentum", high=1.0, open_high=True)
        self.nesterov = bool(nesterov)
        if self.nesterov and self.momentum == 0.0:
            raise ValueError("nesterov=True needs a momentum above 0.")
        if self.momentum > 0.0:
            self.kind = kinds.NESTEROV if self.nesterov else kinds.MOMENTUM  # type: ignore[misc]
            self.state_names = ("m",)  # type: ignore[misc]
            self.m: Arrays = {}

    def _beta1(self) -> float:
        return self.momentum


class AdaGrad(KernelOptimizer):
    """v += g^2, p -= lr g / (sqrt(v) + epsilon) (Duchi et al. 2011)."""

    kind = kinds.ADAGRAD
    state_names = ("v",)
    config_names = ("epsilon",)

    def __init__(
        self,
        lr: float | Schedule = 0.01,
        *,
        epsilon: float = 1e-10,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, clip_norm)
        self.epsilon = check_number(epsilon, "epsilon", open_low=True)
        self.v: Arrays = {}


class RMSprop(KernelOptimizer):
    """v = rho v + (1 - rho) g^2, p -= lr g / (sqrt(v) + epsilon) (Tieleman & Hinton 2012)."""

    kind = kinds.RMSPROP
    state_names = ("v",)
    config_names = ("rho", "epsilon")

    def __init__(
        self,
        lr: float | Schedule = 0.01,
        *,
        rho: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, clip_norm)
        self.rho = check_number(rho, "rho", high=1.0, open_high=True)
        self.epsilon = check_number(epsilon, "epsilon", open_low=True)
        self.v: Arrays = {}

    def _beta2(self) -> float:
        return self.rho


class Adam(KernelOptimizer):
    """Adam with bias correction (Kingma & Ba 2015): p -= lr m' / (sqrt(v') + epsilon).

    m = beta1 m + (1 - beta1) g, m' = m / (1 - beta1^t); v the same with g^2 and beta2. The states
    are in ``m`` and ``v`` by parameter name, the number of steps taken in ``t``.
    """

    kind = kinds.ADAM
    state_names = ("m", "v")
    config_names = ("beta1", "beta2", "epsilon")

    def __init__(
        self,
        lr: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        *,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, clip_norm)
        self.beta1 = check_number(beta1, "beta1", high=1.0, open_high=True)
        self.beta2 = check_number(beta2, "beta2", high=1.0, open_high=True)
        self.epsilon = check_number(epsilon, "epsilon", open_low=True)
        self.m: Arrays = {}
        self.v: Arrays = {}

    def _beta1(self) -> float:
        return self.beta1

    def _beta2(self) -> float:
        return self.beta2


class AdamW(Adam):
    """Adam with decoupled weight decay, p -= lr weight_decay p (Loshchilov & Hutter 2019)."""

    kind = kinds.ADAMW

    def __init__(
        self,
        lr: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        *,
        weight_decay: float = 0.01,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(lr, beta1, beta2, epsilon, weight_decay=weight_decay, clip_norm=clip_norm)


registry: dict[str, type[KernelOptimizer]] = {
    kind.__name__: kind for kind in (SGD, AdaGrad, RMSprop, Adam, AdamW)
}
