"""Training from files, beside training on encoded rows in memory.

    python benchmarks/stream.py [--rows 500000] [--models DeepFM LogisticRegression ...]

Each round trains an epoch from the same weights on the same rows: on arrays (the pure rate), from
a Parquet file (read, encoded and kept on disk in passing), from the encoded blocks on disk (what a
second epoch does), and end to end (the encoder fitted in a pass of its own, then the first epoch).
Rows per second, and their share of the pure rate; sides take turns; medians.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common import machine

import fastdl
from fastdl.data import EncodedLog, FeatureEncoder, iter_log, labels, read_log, write_ad_log

PAUSE = 0.2  # seconds in which threads of the side before come to rest


class Bench:
    """One log, in a file and encoded."""

    def __init__(self, path: Path, rows: int, batch: int, hidden: tuple[int, ...]) -> None:
        self.path, self.rows, self.batch, self.hidden = path, rows, batch, hidden
        self.encoder = FeatureEncoder().fit(self.tables())
        table = read_log(path)
        self.x = self.encoder.spec_.batch(self.encoder.transform(table), np.dtype(np.float32))
        self.t = labels(table)
        self.folder = path.parent / "cache"

    def tables(self) -> Any:
        """A pass over the file."""
        return iter_log(self.path, require_label=True)

    def train(self, name: str, x: Any, t: Any = None) -> float:
        """Seconds of an epoch."""
        rng = np.random.default_rng(0)
        model = getattr(fastdl, name)(self.encoder.spec_, 16, self.hidden, rng=rng)
        trainer = fastdl.Trainer(model, fastdl.Adam(0.001))
        start = time.perf_counter()
        trainer.train(x, t, epochs=1, batch_size=self.batch, rng=rng, verbose=False)
        self.loss = float(np.mean(trainer.loss_history))
        return time.perf_counter() - start

    def log(self, encoder: FeatureEncoder | None = None) -> EncodedLog:
        """The file as a stream."""
        return EncodedLog(self.tables, encoder or self.encoder, self.rows, folder=self.folder)

    def pure(self, name: str) -> float:
        """On arrays."""
        return self.train(name, self.x, self.t)

    def first(self, name: str) -> float:
        """From the file."""
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.train(name, self.log())

    def second(self, name: str) -> float:
        """From the blocks on disk, which ``first`` has left."""
        return self.train(name, self.log())

    def whole(self, name: str) -> float:
        """Fit, encode, train."""
        shutil.rmtree(self.folder, ignore_errors=True)
        start = time.perf_counter()
        encoder = FeatureEncoder().fit(self.tables())
        fitted = time.perf_counter() - start
        return fitted + self.train(name, self.log(encoder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hidden", default="400,400,400")
    parser.add_argument("--suffix", default="parquet")
    models = ["DeepFM", "FactorizationMachine", "LogisticRegression"]
    parser.add_argument("--models", nargs="+", default=models)
    arguments = parser.parse_args()
    print(machine())
    hidden = tuple(int(width) for width in arguments.hidden.split(","))
    print(f"{arguments.rows:,} rows of 39 fields, batch {arguments.batch}")
    print("| model | arrays, rows/s | first epoch from the file | second, from the cache "
          "| fit and first epoch |\n|---|---|---|---|---|")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"log.{arguments.suffix}"
        write_ad_log(path, arguments.rows, seed=1)
        bench = Bench(path, arguments.rows, arguments.batch, hidden)
        for name in arguments.models:
            times = measure(bench, name, arguments.rounds)
            pure = times[0]
            shares = " | ".join(f"{pure / own:.0%}" for own in times[1:])
            print(f"| {name} | {arguments.rows / pure:,.0f} | {shares} |", flush=True)


def measure(bench: Bench, name: str, rounds: int) -> list[float]:
    """Medians of the four sides."""
    sides = [bench.pure, bench.first, bench.second, bench.whole]
    bench.pure(name)  # compiles
    expected = bench.loss
    found: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, own in zip(sides, found, strict=True):
            time.sleep(PAUSE)
            own.append(side(name))
            assert abs(bench.loss - expected) < 0.01 * expected, "an epoch learned otherwise"
    return [median(own) for own in found]


if __name__ == "__main__":
    main()
