"""An optimizer's states of one embedding table, and the steps that untouched rows missed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels import optimizer as kinds
from ..kernels import sparse as sparse_kinds
from ..kernels.backend import ops
from ..memory import require_memory

if TYPE_CHECKING:
    from ..sparse import SparseGradient
    from .base import KernelOptimizer

_CHUNK = 1 << 20  # rows settled by one call


class TableState:
    """States m and v of a table (R, K), and ``last`` (R,): the step that each row has reached.

    While it lives, the table's layer asks it to settle rows before they are read.
    """

    def __init__(self, optimizer: KernelOptimizer, key: str, layer: Any, name: str) -> None:
        self.optimizer, self.layer, self.name = optimizer, layer, name
        layer.settle(None)  # what another optimizer left open
        table = layer.raw(name)
        self.rows, self.K = table.shape
        self.kind = getattr(optimizer, "table_kind", optimizer.kind)
        self.width = 1 if self.kind == sparse_kinds.ROWWISE else self.K
        self.mode = self._choose_mode()
        self.now = optimizer.t  # steps taken
        self._settled = optimizer.t  # up to here no row has missed a step
        self._base = optimizer.t + 1  # the step that the history begins with
        self._history = np.empty((64, 4))
        self._lock = threading.RLock()
        self._make_states(table.dtype, optimizer.take_saved(key))
        layer.settlers[name] = self.settle

    def _choose_mode(self) -> str:
        """Exact where more than momentum acts on untouched rows, unless told to leave them."""
        optimizer, given = self.optimizer, self.optimizer.sparse
        decays = optimizer.weight_decay > 0 or (self.layer.penalty > 0 and self.layer.whole)
        if given != "touched" and decays:
            return "exact"
        return optimizer.sparse_modes[0] if given is None else given

    def _make_states(self, dtype: np.dtype[Any], saved: dict[str, np.ndarray]) -> None:
        names = self.optimizer.state_names
        sizes = {"m": self.rows * self.K if "m" in names else 0,
                 "v": self.rows * self.width if "v" in names else 0}  # fmt: skip
        last = 0 if self.mode == "touched" else self.rows
        require_memory(
            sum(sizes.values()) * dtype.itemsize + last * 8, f"the optimizer's states of a table "
            f"of {self.rows:,} rows of {self.K} numbers",
        )  # fmt: skip
        self.m, self.v = (np.zeros(size, dtype) for size in sizes.values())
        self.last = np.zeros(last, np.int64)
        if self.now:
            self.last[...] = self.now
        for name in ("m", "v", "last"):
            array = getattr(self, name)
            if name in saved:
                if saved[name].size != array.size:
                    raise ValueError(
                        f"State {name} of table {self.name} has {saved[name].size} elements; "
                        f"expected {array.size}. It is of another model or optimizer setting."
                    )
                array[...] = saved[name].reshape(-1)
        if "history" in saved:
            self._history = np.array(saved["history"], np.float64)
            self._base = self.now - len(self._history) + 1
            self._settled = self._base - 1 if len(self._history) else self.now
        if "last" in saved and self.last.size:
            self._settled = min(self._settled, int(self.last.min()))

    def arrays(self) -> dict[str, np.ndarray]:
        """State arrays by name, as checkpoints keep them; no row is settled for it."""
        found = {"m": self.m, "v": self.v, "last": self.last}
        found = {name: array for name, array in found.items() if array.size}
        if self.mode == "exact":
            found["history"] = self._history[: self.now - self._base + 1]
        return found

    def step(self, gradient: SparseGradient, scale: float) -> None:
        """The optimizer's step t on the touched rows; the others will be made up for."""
        touched, optimizer = gradient.touched, self.optimizer
        settings, t = optimizer.settings(), optimizer.t
        with self._lock:
            if self.mode != "touched" and self.now < t - 1:  # steps had no gradient of this table
                for missed in range(self.now + 1, t):
                    self._remember(missed, 1.0, gradient)
                self.now = t - 1
                self.settle(touched.unique)
            ops.sparse_step(
                self.kind, settings, t, scale, gradient.penalty * scale, self.K,
                gradient.table.reshape(-1), self.m, self.v, self.width, self.last, touched.unique,
                touched.starts, touched.count, touched.order, gradient.entries,
            )  # fmt: skip
            if self.mode != "touched":
                self._remember(t, scale, gradient)
            self.now = t

    def _remember(self, t: int, scale: float, gradient: SparseGradient) -> None:
        if self.mode != "exact":
            return
        place = t - self._base
        if place >= len(self._history):
            more = np.empty((max(64, len(self._history)), 4))
            self._history = np.concatenate([self._history, more])
        numbers = _step_numbers(self.kind, self.optimizer.settings(), t)
        self._history[place] = numbers
        if gradient.whole:
            self._history[place, 2] += gradient.penalty * scale

    def settle(self, rows: np.ndarray | None) -> None:
        """Make up for the missed steps of different ``rows``, or of all."""
        if self.mode == "touched" or self._settled == self.now:
            return
        with self._lock:
            if rows is not None:
                self._settle(rows)
                return
            for start in range(0, self.rows, _CHUNK):
                self._settle(np.arange(start, min(start + _CHUNK, self.rows)))
            self._settled, self._base = self.now, self.now + 1

    def _settle(self, rows: np.ndarray) -> None:
        table, settings = self.layer.raw(self.name).reshape(-1), self.optimizer.settings()
        if self.mode == "lazy":
            ops.settle_lazily(settings, self.now, self.K, table, self.m, self.v, self.last, rows)
        else:
            ops.settle_exactly(
                self.kind, settings, self._history, self._base, self.now, self.K, table, self.m,
                self.v, self.width, self.last, rows,
            )  # fmt: skip


_step_numbers = getattr(kinds.step_numbers, "py_func", kinds.step_numbers)
