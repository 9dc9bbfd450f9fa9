"""The optimizers' rules, by their papers."""

from __future__ import annotations

from typing import Any

from ..kernels import optimizer as kinds
from ..kernels import sparse as sparse_kinds
from ..schedules import Schedule
from ..validation import check_number
from .base import Arrays, KernelOptimizer


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
        sparse: str | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, clip_norm, sparse)
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
        sparse: str | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, clip_norm, sparse)
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
        sparse: str | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, clip_norm, sparse)
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
    sparse_modes = ("lazy", "exact", "touched")

    def __init__(
        self,
        lr: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        *,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        sparse: str | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, clip_norm, sparse)
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
        sparse: str | None = None,
    ) -> None:
        super().__init__(
            lr, beta1, beta2, epsilon, weight_decay=weight_decay, clip_norm=clip_norm, sparse=sparse
        )


class RowWiseAdaGrad(AdaGrad):
    """AdaGrad that keeps one v for each row of an embedding table: v += mean of the row's g^2.

    It needs 1/K of AdaGrad's state for rows of K numbers (as in FBGEMM and DLRM's training).
    Parameters that are no tables get AdaGrad's full rule.
    """

    table_kind = sparse_kinds.ROWWISE


class FTRL(KernelOptimizer):
    """FTRL-proximal (McMahan et al. 2013, Ad click prediction: a view from the trenches).

    n = sum g^2, z += g - (sqrt(n) - sqrt(n before)) / lr * p, and then p = 0 where |z| <= l1, else
    p = -(z - sign(z) l1) / ((beta + sqrt(n)) / lr + l2). ``l1`` makes parameters exactly 0. The
    first touch replaces a parameter's initial value, so start from zeros.
    """

    kind = kinds.FTRL
    state_names = ("m", "v")  # z and n
    config_names = ("beta", "l1", "l2")

    def __init__(
        self,
        lr: float | Schedule = 0.1,
        *,
        beta: float = 1.0,
        l1: float = 0.0,
        l2: float = 0.0,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        sparse: str | None = None,
    ) -> None:
        super().__init__(lr, weight_decay, clip_norm, sparse)
        self.beta = check_number(beta, "beta")
        self.l1 = check_number(l1, "l1")
        self.l2 = check_number(l2, "l2")
        self.m: Arrays = {}
        self.v: Arrays = {}

    def settings(self) -> Any:
        found = super().settings()
        found[kinds.BETA1], found[kinds.BETA2], found[kinds.EPSILON] = self.beta, self.l1, self.l2
        return found


registry: dict[str, type[KernelOptimizer]] = {
    kind.__name__: kind for kind in (SGD, AdaGrad, RowWiseAdaGrad, RMSprop, Adam, AdamW, FTRL)
}
