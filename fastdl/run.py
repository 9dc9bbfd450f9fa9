"""A run of training: where it stands, and how that is written down and taken up again."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from . import checkpoint, schedules
from .callbacks import Callback, checkpoint_files
from .files import read_arrays, write_arrays
from .network import Network
from .optimizers import KernelOptimizer

HISTORY = ("epoch", "loss", "val_loss", "val_accuracy", "val_auc", "lr", "seconds")


class Run:
    """The state of a run, as callbacks see it.

    epoch: epochs finished; step: steps taken in all; epoch_step: steps taken in this epoch;
    losses: every step's loss; history: a dict of columns with one entry an epoch; order: the rows
    of the data as this epoch takes them, or of a stream the seed of its order. ``optimizers`` are
    several by name where parts of the network have their own, else ``optimizer`` alone.
    """

    def __init__(
        self, network: Any, optimizer: Any, rng: np.random.Generator | None,
        callbacks: list[Callback], settings: dict[str, Any], columns: tuple[str, ...] = HISTORY,
    ) -> None:  # fmt: skip
        self.network, self.rng = network, rng
        self.optimizers = optimizer if isinstance(optimizer, dict) else {"optimizer": optimizer}
        self.optimizer = next(iter(self.optimizers.values()))
        self.callbacks = callbacks
        self.settings = settings  # what must be the same when a run is resumed
        self.epochs: int = settings["epochs"]
        self.batch_size: int = settings["batch_size"]
        self.steps_per_epoch: int = settings["steps_per_epoch"]
        self.epoch = self.step = self.epoch_step = 0
        self.losses: list[Any] = []
        self.history: dict[str, list[Any]] = {name: [] for name in columns}
        self.order = np.empty(0, np.int64)  # the feed's, from the start of training
        self.stop = False
        self.finished = False  # True in on_end, unless an error ended the run
        self.last_checkpoint: Path | None = None
        self.undefined = ""  # the column that the last epoch's rows have no figure for

    def watched(self, monitor: str, watcher: str) -> float | None:
        """The last epoch's figure in a column of the history; None where its rows have none.

        Raises ValueError where no epoch of this run will have one.
        """
        value = self.history[monitor][-1]
        if value is None and monitor != self.undefined:
            need = "x_val and t_val" if monitor != "val_auc" else (
                "x_val and t_val, and a network with one logit as its output"
            )  # fmt: skip
            raise ValueError(
                f"{watcher} watches {monitor}, which this run does not have: it needs {need}. "
                "Pass them, or watch another column, such as monitor='loss'."
            )
        return value

    def network_arrays(self) -> dict[str, np.ndarray]:
        """Parameters and states of the network by name."""
        return checkpoint.network_arrays(self.network)

    def load_network_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """Put such arrays back."""
        checkpoint.load_arrays(self.network, arrays, "the kept weights")

    def save(self, path: str | PathLike[str]) -> None:
        """Write the run to one file, atomically."""
        ours = all(isinstance(own, KernelOptimizer) for own in self.optimizers.values())
        if not isinstance(self.network, Network) or not ours:
            kinds = " and ".join(type(own).__name__ for own in self.optimizers.values())
            raise TypeError(
                "Checkpoints need a fastdl.Network and one of fastdl's optimizers; got "
                f"{type(self.network).__name__} and {kinds}."
            )
        parameters = checkpoint.network_arrays(self.network, settled=False)
        arrays = {f"network/{k}": v for k, v in parameters.items()}
        for name, optimizer in self.optimizers.items():
            arrays |= {f"{name}/{k}": v for k, v in optimizer.states().items()}
        arrays |= {"order": self.order, "losses": np.array(self.losses)}
        generators = []
        for i, rng in enumerate(self._generators()):
            known, parts = checkpoint.random_state(rng)
            generators.append(known)
            arrays |= {f"random{i}/{k}": v for k, v in parts.items()}
        for i, callback in enumerate(self.callbacks):
            arrays |= {f"callback{i}/{k}": v for k, v in callback.arrays().items()}
        write_arrays(path, arrays, self._description(generators))

    def _description(self, generators: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "kind": "checkpoint",
            **checkpoint.describe(self.network),
            "optimizers": {name: _described(own) for name, own in self.optimizers.items()},
            "settings": self.settings,
            "progress": [self.epoch, self.step, self.epoch_step, self.stop],
            "history": self.history,
            "random": generators,
            "callbacks": [[type(c).__name__, c.state()] for c in self.callbacks],
        }

    def _generators(self) -> list[np.random.Generator | None]:
        """The Trainer's source of randomness, NumPy's global state, and the layers' own."""
        own = [getattr(layer, "rng", None) for layer in self.network.layers]
        return [self.rng, None, *(rng for rng in own if rng is not None)]

    def resume(self, source: str | PathLike[str]) -> bool:
        """Take up the newest usable checkpoint of a folder, or the one of a file.

        False where the folder has none yet. Raises ValueError where a checkpoint is of another
        network, optimizer or setting, or where every one is damaged.
        """
        source = Path(source)
        if source.is_file():
            self._load(source)
            return True
        files = checkpoint_files(source) if source.is_dir() else []
        for path in reversed(files):
            try:
                content = read_arrays(path, "checkpoint")
            except ValueError:
                if path == files[0]:
                    raise
                continue
            self._load(path, content)
            return True
        return False

    def _load(self, path: Path, content: Any = None) -> None:
        arrays, known = read_arrays(path, "checkpoint") if content is None else content
        self._check(known, path)
        parts: dict[str, dict[str, np.ndarray]] = {}
        for name, array in arrays.items():
            place, _, rest = name.partition("/")
            parts.setdefault(place, {})[rest] = array
        checkpoint.load_arrays(self.network, parts.get("network", {}), str(path))
        for name, optimizer in self.optimizers.items():
            _load_optimizer(optimizer, known["optimizers"][name], parts.get(name, {}))
        for i, rng in enumerate(self._generators()):
            checkpoint.set_random_state(rng, known["random"][i], parts.get(f"random{i}", {}))
        for i, callback in enumerate(self.callbacks):
            callback.load_state(known["callbacks"][i][1], parts.get(f"callback{i}", {}))
        self.epoch, self.step, self.epoch_step, self.stop = known["progress"]
        self.history = known["history"]
        self.losses = arrays["losses"].tolist()
        self.order = arrays["order"]
        self.last_checkpoint = path

    def _check(self, known: dict[str, Any], path: Path) -> None:
        if "optimizers" not in known:
            raise ValueError(f"{path} cannot be resumed: an older fastdl wrote it.")
        mine = {
            **{name: value for name, value in self.settings.items() if name != "epochs"},
            **checkpoint.describe(self.network),
            **{name: type(own).__name__ for name, own in self.optimizers.items()},
            "callbacks": [type(c).__name__ for c in self.callbacks],
            "random": len(self._generators()),
        }
        theirs = {
            **known["settings"],
            **{name: known[name] for name in ("network", "layers", "loss")},
            **{name: own["class"] for name, own in known["optimizers"].items()},
            "callbacks": [name for name, _ in known["callbacks"]],
            "random": len(known["random"]),
        }
        for name, value in json.loads(json.dumps(mine)).items():
            if theirs.get(name) != value:
                raise ValueError(
                    f"{path} cannot be resumed: its {name} is {theirs.get(name)!r}, this run's is "
                    f"{value!r}."
                )


def _described(optimizer: KernelOptimizer) -> dict[str, Any]:
    schedule = optimizer.schedule
    return {
        "class": type(optimizer).__name__, "config": optimizer.config(), "t": optimizer.t,
        "lr": optimizer.lr, "schedule": None if schedule is None else schedule.state(),
    }  # fmt: skip


def _load_optimizer(
    optimizer: KernelOptimizer, known: dict[str, Any], states: dict[str, np.ndarray]
) -> None:
    optimizer.load_states(states)
    optimizer.t, optimizer.lr = known["t"], known["lr"]
    if known["schedule"] is not None:
        if optimizer.schedule is None:
            optimizer.schedule = schedules.from_description(known["config"]["lr"])
        optimizer.schedule.load_state(known["schedule"])
