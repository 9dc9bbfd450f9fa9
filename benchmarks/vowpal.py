"""Logistic regression and factorization machine from files, beside Vowpal Wabbit.

    pip install vowpalwabbit
    python benchmarks/vowpal.py [--rows 500000] [--factor-rows 300000]

The same rows of 39 fields: for Vowpal Wabbit as text in its own format, numbers as their logarithms
(with raw counts it learns less), one pass, 22 bits of weights. For fastdl as CSV and as Parquet,
one epoch: with hashed categories, of which nothing is kept, as Vowpal Wabbit's are, in one pass;
and with vocabularies and buckets of numbers, learned in a pass of its own, which is counted. Beside
the factorization machine stand Vowpal Wabbit's weights of all pairs (-q): its own factorization
machine, --lrq, goes astray on these rows at every rate that was tried (log loss above 30), at 2,500
rows a second. Rows per second; the progressive log loss of each side (every row scored before it is
learned from) shows that both learn. Sides take turns; medians. Vowpal Wabbit parses in one thread
and learns in another; fastdl has two threads.
"""

from __future__ import annotations

import argparse
import functools
import math
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common import machine

import fastdl
from fastdl.data import EncodedLog, FeatureEncoder, iter_ad_log, write_ad_log
from fastdl.data.log import Log

PAUSE = 0.2
BATCH = 2048
FACTORS = 16
RATES = {"LogisticRegression": 0.02, "FactorizationMachine": 0.002}


def write_vowpal(path: Path, rows: int) -> None:
    """The log of ``write_ad_log`` in Vowpal Wabbit's format."""
    with open(path, "w", encoding="ascii") as file:
        for table in iter_ad_log(rows, seed=1):
            columns = table.to_pydict()
            names = [name for name in columns if name[0] in "IC"]
            for i, click in enumerate(columns["label"]):
                values = ((name, columns[name][i]) for name in names)
                parts = [f"{n}:{math.log1p(v):.4f}" if n[0] == "I" else f"{n}={v}"
                         for n, v in values if v is not None]  # fmt: skip
                file.write(f"{1 if click else -1} |a {' '.join(parts)}\n")


def vowpal(path: Path, more: str) -> tuple[float, float]:
    """Seconds and progressive log loss."""
    from vowpalwabbit import Workspace

    start = time.perf_counter()
    learner = Workspace(f"-d {path} --loss_function logistic -b 22 --quiet {more}")
    learner.run_parser()
    seconds = time.perf_counter() - start
    loss = learner.get_sum_loss() / learner.get_weighted_examples()
    learner.finish()
    return seconds, loss


def ours(path: Path, model: str, rows: int, hashed: bool) -> tuple[float, float]:
    """Seconds and progressive log loss, from the file to the trained model."""
    start = time.perf_counter()
    log = Log(path)
    if hashed:  # as Vowpal Wabbit does: nothing is kept of values, one pass
        encoder = FeatureEncoder(numbers="number", categories="hashed").fit(next(log.pieces()))
    else:
        encoder = FeatureEncoder().fit(log.pieces())
    rng = np.random.default_rng(0)
    network = getattr(fastdl, model)(encoder.spec_, FACTORS, rng=rng)
    network.start_from_rate([0.25])
    trainer = fastdl.Trainer(network, fastdl.Adam(RATES[model]))
    trainer.train(
        EncodedLog(log.pieces, encoder, rows), epochs=1, batch_size=BATCH, rng=rng, verbose=False
    )
    return time.perf_counter() - start, float(np.mean(trainer.loss_history))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--factor-rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(machine())
    print("| model | side | rows | rows/s | fastdl is faster | progressive log loss |")
    print("|---|---|---|---|---|---|")
    compare("LogisticRegression", "", arguments.rows, arguments.rounds)
    compare("FactorizationMachine", "-q aa", arguments.factor_rows, arguments.rounds)


def compare(model: str, more: str, rows: int, rounds: int) -> None:
    """Rows of the table for one model."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "log.vw"
        write_vowpal(text, rows)
        sides: dict[str, Any] = {"Vowpal Wabbit": lambda: vowpal(text, more)}
        for suffix in ("csv", "parquet"):
            path = Path(folder) / f"log.{suffix}"
            write_ad_log(path, rows, seed=1)
            for kind in ("hashed", "vocabularies"):
                sides[f"fastdl, {suffix}, {kind}"] = functools.partial(
                    ours, path, model, rows, kind == "hashed"
                )
        times: dict[str, list[float]] = {name: [] for name in sides}
        losses = {name: side()[1] for name, side in sides.items()}  # compiles
        for _ in range(rounds):
            for name, side in sides.items():
                time.sleep(PAUSE)
                times[name].append(side()[0])
    theirs = median(times["Vowpal Wabbit"])
    for name, own in times.items():
        taken = median(own)
        print(f"| {model} | {name} | {rows:,} | {rows / taken:,.0f} | {theirs / taken:.2f}x | "
              f"{losses[name]:.4f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
