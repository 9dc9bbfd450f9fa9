"""What all optimizers share: settings, state arrays, and the call of the kernels.

``update(params, grads)`` changes the parameter arrays in place. Where both dicts are one network's
own, the dense part is a single pass over its flat arrays; tables are changed where they were
touched (see ``tables``).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..kernels import optimizer as kinds
from ..kernels.backend import ops
from ..parameters import Store, flat_pair, identities
from ..schedules import Schedule
from ..sparse import SparseGradient
from ..validation import check_number
from .tables import TableState

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
    ``clip_norm`` scales the gradients so that their common norm is at most this; of tables the
    touched rows count.

    ``sparse`` says what a step does to the rows of an embedding table that the batch did not
    touch. "exact": what a dense optimizer does; the steps that a row missed are made up for, one
    by one, when it is touched or read. "touched": nothing. "lazy" (Adam's default): as "exact", but
    momentum's moves in the missed steps are taken together, as the sum of a series, with the
    learning rate and bias corrections of one moment; it differs from "exact" where those change
    within the gap, or where epsilon is not small beside sqrt(v). A weight decay or a penalty on a
    whole table makes it "exact", unless ``sparse`` is "touched".
    """

    kind: ClassVar[int]
    state_names: ClassVar[tuple[str, ...]] = ()
    config_names: ClassVar[tuple[str, ...]] = ()
    sparse_modes: ClassVar[tuple[str, ...]] = ("touched", "exact")  # the default first

    def __init__(
        self,
        lr: float | Schedule,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        sparse: str | None = None,
    ) -> None:
        self.schedule = lr if isinstance(lr, Schedule) else None
        self.lr = lr.rate(0) if isinstance(lr, Schedule) else check_number(lr, "lr")
        self.weight_decay = check_number(weight_decay, "weight_decay")
        self.clip_norm = clip_norm
        if clip_norm is not None:
            self.clip_norm = check_number(clip_norm, "clip_norm", open_low=True)
        self.sparse = sparse
        if sparse is not None and sparse not in self.sparse_modes:
            raise ValueError(
                f"sparse is {sparse!r}; {type(self).__name__} knows {', '.join(self.sparse_modes)}."
            )
        self.t = 0
        self.tables: dict[str, TableState] = {}
        self._saved_tables: dict[str, np.ndarray] = {}
        self._flat: dict[str, np.ndarray] = {}
        self._ids: dict[str, tuple[int, ...]] = {}
        self._store: Store | None = None

    def update(self, params: Arrays, grads: Arrays) -> None:
        """One step: every array of ``params`` is changed in place by its gradient."""
        sparse: dict[str, Any] = {key: g for key, g in grads.items() if type(g) is SparseGradient}
        for key, gradient in sparse.items():
            self._table(key, gradient)
        pair = flat_pair(params, grads)
        if pair is not None:
            flat, gradient, store = pair
            states = self.flat_states(store)
            self.begin_step()
            scale = self._clip_scale([gradient], sparse)
            self._call(flat, gradient, states, scale)
        else:
            self._update_each(params, grads, sparse)
        for key, gradient in sparse.items():
            self.tables[key].step(gradient, scale if pair is not None else self._scale)

    def _update_each(self, params: Arrays, grads: Arrays, sparse: Arrays) -> None:
        dense = {key: array for key, array in params.items() if key not in sparse}
        self._check(dense, grads)
        self.begin_step()
        given = [np.ascontiguousarray(grads[key], array.dtype) for key, array in dense.items()]
        scale = self._scale = self._clip_scale(given, sparse)
        for (key, param), gradient in zip(dense.items(), given, strict=True):
            states = {name: self._state(name, key, param) for name in self.state_names}
            values = np.ascontiguousarray(param)
            flat_states = {name: array.reshape(-1) for name, array in states.items()}
            self._call(values.reshape(-1), gradient.reshape(-1), flat_states, scale)
            if values is not param:
                param[...] = values

    def attach(self, store: Store) -> None:
        """Take charge of a network's tables, so that rows are settled before they are read."""
        for key, layer, name in store.tables:
            known = self.tables.get(key)
            if known is None or known.layer is not layer:
                self.tables[key] = TableState(self, key, layer, name)

    def _table(self, key: str, gradient: Any) -> None:
        known = self.tables.get(key)
        if known is None or known.layer is not gradient.layer:
            self.tables[key] = TableState(self, key, gradient.layer, gradient.name)

    def take_saved(self, key: str) -> Arrays:
        """State arrays of a table that ``load_states`` found, once."""
        names = [full for full in self._saved_tables if full.partition(".")[2] == key]
        return {
            full.partition(".")[0].removeprefix("table/"): self._saved_tables.pop(full)
            for full in names
        }

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
        names = ("lr", "weight_decay", "clip_norm", "sparse", *self.config_names)
        found = {name: getattr(self, name) for name in names}
        if self.schedule is not None:
            found["lr"] = self.schedule.describe()
        return found

    def states(self) -> dict[str, np.ndarray]:
        """State arrays by "name.parameter", such as "m.W0"."""
        found = {
            f"{name}.{key}": array
            for name in self.state_names
            for key, array in getattr(self, name).items()
        }
        for key, state in self.tables.items():
            found |= {f"table/{name}.{key}": array for name, array in state.arrays().items()}
        return found

    def load_states(self, states: dict[str, np.ndarray]) -> None:
        """Take over what ``states`` returned."""
        for name in self.state_names:
            setattr(self, name, {})
        self.tables = {}
        self._saved_tables = {k: v for k, v in states.items() if k.startswith("table/")}
        for full, array in states.items():
            if full in self._saved_tables:
                continue
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

    def _clip_scale(self, grads: list[np.ndarray], sparse: dict[str, Any]) -> float:
        if self.clip_norm is None:
            return 1.0
        partials = []
        for gradient in grads:
            partials.append(np.empty(-(-gradient.size // kinds.BLOCK)))
            ops.squared_norm(gradient.reshape(-1), partials[-1])
        partials += [gradient.squares() for gradient in sparse.values()]
        total = 0.0
        for part in np.concatenate(partials):
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
