"""How steps are taken: many in one compiled call, or one by one through the layers."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from .evaluation import has_our_methods
from .feeds import ArrayFeed, Feed, gather, gatherable
from .network import Network, evaluation
from .optimizers import registry as our_optimizers
from .run import Run

_BLOCK_BYTES = 4 << 20  # of gathered rows: several small batches go through one compiled call
_CALL_SECONDS = 0.05  # of one compiled call, so that Ctrl-C and progress are prompt


class FusedSteps:
    """Many steps in one compiled call."""

    def __init__(self, run: Run, feed: ArrayFeed, loss_at: str) -> None:
        self.run, self.feed = run, feed
        self.network, self.optimizer = run.network, run.optimizer
        self.loss, self.after = self.network.loss_layer, loss_at == "after"
        plan = self.network.plan()
        self.network.checked_batch(plan, feed.x[:1], feed.t[:1])
        self.dtype = plan.store.dtype
        self.x = gatherable(feed.x, self.dtype)
        self.loss.shape = (feed.rows, plan.outputs)
        self.t = self.loss.targets(feed.t, self.loss.shape, self.dtype)
        row_bytes = (self.x.shape[1] + self.t.shape[1]) * self.dtype.itemsize
        batch = run.batch_size
        self.most = max(1, _BLOCK_BYTES // (batch * row_bytes))
        self.xs = np.empty(
            (min(self.most, run.steps_per_epoch) * batch, self.x.shape[1]), self.dtype
        )
        self.ts = np.empty((len(self.xs), self.t.shape[1]), self.dtype)
        self.at_once = 1

    @staticmethod
    def fits(network: Any, optimizer: Any) -> bool:
        """Whether everything about network and optimizer is ours."""
        return (
            has_our_methods(network)
            and type(optimizer) in our_optimizers.values()
            and network.plan() is not None
        )

    def take(self, most: int) -> list[float]:
        """At most ``most`` steps; returns their losses."""
        run, batch = self.run, self.run.batch_size
        first = run.epoch_step * batch
        steps = min(most, self.at_once, len(self.xs) // batch)
        rows = run.order[first : first + steps * batch]
        if len(rows) < steps * batch:  # the smaller last batch goes alone
            steps = max(1, len(rows) // batch)
            rows = rows[: steps * batch]
            batch = min(batch, len(rows))
        start = time.perf_counter()
        losses = self._call(rows, batch, steps)
        spent = time.perf_counter() - start
        if steps == self.at_once and spent < _CALL_SECONDS:
            self.at_once = min(2 * self.at_once, self.most)
        elif spent > 2 * _CALL_SECONDS:
            self.at_once = max(1, self.at_once // 2)
        return losses

    def _call(self, rows: np.ndarray, batch: int, steps: int) -> list[float]:
        plan, optimizer = self.network.plan(), self.optimizer
        x, t = self.xs[: len(rows)], self.ts[: len(rows)]
        gather(self.x, rows, x, "x_train", False)
        gather(self.t, rows, t, "t_train", self.loss.one_hot)
        scales = self.feed.scales(rows, batch)
        states = optimizer.flat_states(plan.store)
        none = np.empty(0, self.dtype)
        rates = np.full(steps, optimizer.lr, np.float64)
        if optimizer.schedule is not None:
            rates = optimizer.schedule.rates(optimizer.t, optimizer.t + steps)
        losses = np.full(steps, np.nan)
        scratch = plan.take_scratch(batch)
        plan.train_kernel(batch)(
            plan.blocks, plan.slopes, plan.tiles, plan.store.flat, x, t, self.loss.kind,
            self.loss.delta, scales, batch, self.after, optimizer.kind, optimizer.settings(), rates,
            optimizer.t, np.empty_like(plan.store.flat), states.get("m", none),
            states.get("v", none), losses, np.empty(len(rows)), scratch[1], scratch[2],
        )  # fmt: skip
        plan.give_back(scratch)
        plan.forget()
        finite = np.isfinite(losses)
        taken = steps if finite.all() else int(np.argmin(finite)) + 1
        optimizer.t += taken
        optimizer.lr = float(rates[taken - 1])
        return losses[:taken].tolist()


class LayeredSteps:
    """One step at a time through the network's and the optimizer's own methods."""

    def __init__(self, run: Run, feed: Feed, loss_at: str) -> None:
        self.run, self.feed = run, feed
        self.after = loss_at == "after"
        self.ours = isinstance(run.network, Network)
        if isinstance(feed, ArrayFeed):
            feed.check_targets(getattr(run.network, "loss_layer", None))

    def take(self, most: int) -> list[float]:
        """One step; returns its loss."""
        run, network = self.run, self.run.network
        x, t, weight = self.feed.batch(run)
        if not self.after and not self.ours:
            loss = network.loss(x, t, *weight)
        grads = network.gradient(x, t, *weight)
        params = _parameters(network, grads)
        if not self.after and self.ours:
            loss = network.latest_loss
            if not np.isfinite(loss):
                return [float(loss)]
        run.optimizer.update(params, grads)
        _put_back(network, params)
        if self.after:
            with evaluation(network):
                loss = network.loss(x, t, *weight)
        return [float(loss)]


def _parameters(network: Any, grads: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parameters that the gradients' names mean: "W0" is ``network.layers[0].W``."""
    if isinstance(network, Network):
        return network.parameters()
    found = {}
    for key in grads:
        name = key.rstrip("0123456789")
        found[key] = getattr(network.layers[int(key[len(name) :])], name)
    return found


def _put_back(network: Any, params: dict[str, np.ndarray]) -> None:
    """Assign the parameters, for optimizers that put new arrays into the dict."""
    if isinstance(network, Network):
        store = network.store()
        for key, layer, name in (*(slot[:3] for slot in store.slots), *store.tables):
            setattr(layer, name, params[key])
        return
    for key, array in params.items():
        name = key.rstrip("0123456789")
        setattr(network.layers[int(key[len(name) :])], name, array)
