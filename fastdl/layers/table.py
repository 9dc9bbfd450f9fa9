"""Layers with a table of which a batch touches few rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..config import resolve_dtype
from ..features import Batch, FeatureSpec
from ..initializers import Normal, get_initializer
from ..kernels import embedding as kinds
from ..memory import require_memory
from ..sparse import SparseGradient
from ..validation import check_number, check_size
from .base import Layer, Parameter, ops, required


class TableParameter(Parameter):
    """A table; reading it settles the rows whose optimizer steps are still open."""

    def __get__(self, layer: Any, owner: type[Layer]) -> Any:
        if layer is None:
            return self
        layer.settle(None)
        return layer.__dict__.get(self.name)

    def __set__(self, layer: Any, value: Any) -> None:
        if value is not None and layer.__dict__.get(self.name) is value:
            return
        layer.settle(None)
        if value is not None and layer.__dict__.get(self.name) is None:
            # a new table is taken as it is: a copy would double the memory
            layer.__dict__[self.name] = np.ascontiguousarray(value, layer.dtype)
            Layer.bindings += 1
            return
        super().__set__(layer, value)


class TableLayer(Layer):
    """Base of the layers that look rows of one table (R, K) up.

    ``penalty`` lambda adds lambda / 2 times the sum of squares of the table to the loss (its
    gradient only: the loss that is shown stays that of the data); with ``whole`` False of the rows
    that the batch touches only.
    """

    runs_again = False  # the rows of several batches are not put together
    penalty: float = 0.0
    whole: bool = True
    spec: FeatureSpec

    def __init__(
        self, spec: FeatureSpec, width: int, *, initializer: Any, penalty: float, whole: bool,
        dtype: DTypeLike | None, rng: np.random.Generator | None,
    ) -> None:  # fmt: skip
        if not isinstance(spec, FeatureSpec):
            raise TypeError(f"spec is {type(spec).__name__}; expected a fastdl.FeatureSpec.")
        self.spec = spec
        self.dtype = resolve_dtype(dtype)
        self.penalty = check_number(penalty, "penalty")
        self.whole = bool(whole)
        self.settlers: dict[str, Callable[[np.ndarray | None], None]] = {}
        shape = (spec.rows, check_size(width, "The width of a table"))
        require_memory(
            spec.rows * width * self.dtype.itemsize,
            f"a table of {spec.rows:,} rows of {width} numbers",
        )
        name = self.table_names[0]
        if initializer is None:
            setattr(self, name, np.zeros(shape, self.dtype))
        else:
            setattr(self, name, get_initializer(initializer)(shape, *shape, rng, self.dtype))
        self.batch: Batch | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in cls.table_names:
            if not isinstance(cls.__dict__.get(name), TableParameter):
                setattr(cls, name, TableParameter(name))

    def raw(self, name: str) -> np.ndarray:
        """The table without a look at what its rows have missed."""
        return self.__dict__[name]

    def settle(self, rows: np.ndarray | None) -> None:
        """Bring rows, or all of them, to where the optimizer's steps have led."""
        for settle in self.__dict__.get("settlers", {}).values():
            settle(rows)

    def lookup(self, batch: Batch) -> np.ndarray:
        """The vectors of a batch's fields, pooled where they are sequences: (N, F, K)."""
        if batch.spec is not self.spec and batch.spec != self.spec:
            raise ValueError("The batch was made for another feature spec than this layer.")
        rows = batch.rows()
        self.settle(batch.touched().unique if self.training and self.settlers else None)
        self.batch = batch
        table = self.raw(self.table_names[0])
        N, F, K = len(batch), len(self.spec.fields), table.shape[1]
        out = np.empty((N, F + len(batch.sequences), K), self.dtype)
        if F:
            ops.lookup_rows(table, rows[: N * F].reshape(N, F), out)
        start = N * F
        for i, (values, bounds) in enumerate(batch.sequences):
            found = np.empty((1, len(values), K), self.dtype)
            ops.lookup_rows(table, rows[start : start + len(values)].reshape(1, -1), found)
            out[:, F + i] = self.pool(i, found[0], bounds)
            start += len(values)
        return out

    def keep_gradient(self, dout: np.ndarray) -> None:
        """The table's gradient from that of ``lookup``'s output, dout (N, F, K)."""
        batch = required(self.batch, self)
        F, K = len(self.spec.fields), dout.shape[2]
        entries = np.ascontiguousarray(dout[:, :F]).reshape(-1, K)
        if batch.sequences:
            parts = [entries]
            for i, (_, bounds) in enumerate(batch.sequences):
                parts.append(self.pool_backward(i, bounds, np.ascontiguousarray(dout[:, F + i])))
            entries = np.concatenate(parts)
        name = self.table_names[0]
        setattr(self, "d" + name, SparseGradient(self, name, batch.touched(), entries))

    def pool(self, i: int, values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
        """The vectors of the i-th sequence field's ids, values (n, K), as one a row: (N, K)."""
        out = np.empty((len(bounds) - 1, values.shape[1]), self.dtype)
        ops.pool_rows(values, bounds, self.spec.sequences[i].pooling != "sum", out)
        return out

    def pool_backward(self, i: int, bounds: np.ndarray, dout: np.ndarray) -> np.ndarray:
        """dvalues (n, K) of ``pool`` from dout (N, K)."""
        dvalues = np.empty((bounds[-1], dout.shape[1]), self.dtype)
        ops.pool_rows_backward(dout, bounds, self.spec.sequences[i].pooling != "sum", dvalues)
        return dvalues


class Embedding(TableLayer):
    """One vector of ``dim`` numbers for each categorical or sequence field of a batch: (N, F, dim).

    E (rows of all tables, dim): tables lie one behind the other, in the order of the feature spec.
    ``initializer`` fills it, by default N(0, 1e-4) as published CTR models do (standard deviation
    1e-4). ``dE`` is a ``SparseGradient``. For ``penalty`` and ``whole`` see ``TableLayer``.

    Sequence fields are pooled by sum, by mean, or by attention: the weights are the softmax, over
    a row's ids, of the products of their vectors with a learned query, a row of Q (sequences, dim).
    Of an empty sequence all numbers are 0.

    >>> import numpy as np, fastdl
    >>> layer = fastdl.Embedding(fastdl.FeatureSpec(fields=[10, 20]), 4)
    >>> layer.forward(layer.spec.batch(np.array([[3, 19]]), layer.dtype)).shape
    (1, 2, 4)
    """

    parameter_names = ("E", "Q")
    table_names = ("E",)

    E: Any
    Q: Any
    dE: Any

    def __init__(
        self,
        spec: FeatureSpec,
        dim: int,
        *,
        initializer: Any = None,
        penalty: float = 0.0,
        whole: bool = True,
        dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.dim = check_size(dim, "dim")
        super().__init__(
            spec, self.dim, initializer=Normal(std=1e-4) if initializer is None else initializer,
            penalty=penalty, whole=whole, dtype=dtype, rng=rng,
        )  # fmt: skip
        if any(f.pooling == "attention" for f in spec.sequences):
            self.Q = np.zeros((len(spec.sequences), dim), self.dtype)  # at first all weigh the same
        self.dQ: np.ndarray | None = None
        self._attended: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def forward(self, batch: Batch) -> np.ndarray:  # type: ignore[override]
        """The fields' vectors, (N, F, dim)."""
        return self.lookup(batch)

    def backward(self, dout: np.ndarray) -> None:  # type: ignore[override]
        """Keeps dE and dQ; a batch of ids has no gradient."""
        if self.Q is not None:
            self.dQ = np.zeros_like(self.Q)
        self.keep_gradient(dout)

    def pool(self, i: int, values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
        if self.spec.sequences[i].pooling != "attention":
            return super().pool(i, values, bounds)
        weights = np.empty(len(values), self.dtype)
        out = np.empty((len(bounds) - 1, self.dim), self.dtype)
        ops.attend_rows(values, bounds, self.Q[i], weights, out)
        self._attended[i] = values, weights
        return out

    def pool_backward(self, i: int, bounds: np.ndarray, dout: np.ndarray) -> np.ndarray:
        if self.spec.sequences[i].pooling != "attention":
            return super().pool_backward(i, bounds, dout)
        values, weights = self._attended[i]
        dvalues = np.empty_like(values)
        parts = np.empty((-(-len(dout) // kinds.SEQUENCES), self.dim), self.dtype)
        ops.attend_rows_backward(values, bounds, self.Q[i], weights, dout, dvalues, parts)
        self.dQ[i] = parts.sum(axis=0)  # type: ignore[index]
        return dvalues


class Linear(TableLayer):
    """The wide part: the sum of one weight for each id and each number, and a bias, (N, 1).

    w (rows of all tables, 1); v (numeric columns, 1); b (1, 1). All start at 0.
    """

    parameter_names = ("w", "v", "b")
    table_names = ("w",)

    w: Any
    v: Any
    b: Any
    dw: Any

    def __init__(
        self, spec: FeatureSpec, *, penalty: float = 0.0, whole: bool = True,
        dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            spec, 1, initializer=None, penalty=penalty, whole=whole, dtype=dtype, rng=None
        )
        if spec.numeric:
            self.v = np.zeros((len(spec.numeric), 1), self.dtype)  # type: ignore[arg-type]
        self.b = np.zeros((1, 1), self.dtype)
        self.dv: np.ndarray | None = None
        self.db: np.ndarray | None = None

    def forward(self, batch: Batch) -> np.ndarray:  # type: ignore[override]
        """The weights' sum for each row, (N, 1)."""
        if batch.sequences or not self.spec.fields:
            out = self.lookup(batch).sum(axis=1)
        else:
            self.settle(batch.touched().unique if self.training and self.settlers else None)
            self.batch = batch
            out = np.empty((len(batch), 1), self.dtype)
            rows = batch.rows().reshape(len(batch), -1)
            ops.sum_rows_of_width_one(self.raw("w").reshape(-1), rows, out.reshape(-1))
        if batch.numeric is not None:
            product = np.empty_like(out)
            ops.dense_forward(batch.numeric, self.v, self.b.reshape(-1), product)
            return out + product
        return out + self.b

    def backward(self, dout: np.ndarray) -> None:  # type: ignore[override]
        """Keeps dw, dv and db."""
        batch = required(self.batch, self)
        columns = len(self.spec.columns)
        self.keep_gradient(np.repeat(dout, columns, axis=1)[:, :, None])
        self.db = np.empty_like(self.b)
        if batch.numeric is None:
            self.db[...] = dout.sum()
            return
        self.dv = np.empty_like(self.v)
        dx = batch.numeric[:0]
        ops.dense_backward(batch.numeric, self.v, dout, dx, self.dv, self.db.reshape(-1))


class NumericEmbedding(Layer):
    """x_d v_d for each numeric column: (N, D, dim) with one learned vector a column.

    So numbers take part in interactions as ids do (Rendle 2010, factorization machines).
    """

    parameter_names = ("V",)

    V: Any

    def __init__(
        self, spec: FeatureSpec, dim: int, *, initializer: Any = None,
        dtype: DTypeLike | None = None, rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.dtype = resolve_dtype(dtype)
        shape = (len(spec.numeric), check_size(dim, "dim"))  # type: ignore[arg-type]
        initializer = Normal(std=1e-4) if initializer is None else initializer
        self.V = get_initializer(initializer)(shape, *shape, rng, self.dtype)
        self.dV: np.ndarray | None = None
        self.x: np.ndarray | None = None

    def forward(self, batch: Batch) -> np.ndarray:  # type: ignore[override]
        """One vector a numeric column, (N, D, dim)."""
        self.x = required(batch.numeric, self)
        return self.x[:, :, None] * self.V

    def backward(self, dout: np.ndarray) -> None:  # type: ignore[override]
        """Keeps dV."""
        x = required(self.x, self)
        self.dV = np.einsum("nd,ndk->dk", x, dout)


class NumericInput(Layer):
    """The numeric columns as they are, (N, D)."""

    def forward(self, batch: Batch) -> np.ndarray:  # type: ignore[override]
        """The batch's numbers."""
        return required(batch.numeric, self)

    def backward(self, dout: np.ndarray) -> None:  # type: ignore[override]
        """Nothing learns here."""
