"""A log of 20 GB from its files to a tested model: rate and memory as it goes.

    python benchmarks/large.py FOLDER [--rows 100000000] [--model logisticregression] [--epochs 1]

Parts of a generated log in Criteo's format (39 fields, 1M ids, about 210 bytes a row) are written
into FOLDER first, unless they are there. Then `fastdl train` runs on them, and a line is printed
for every so many rows: rows trained, rows per second since the line before, and the process's
resident memory; then the same rate in the first and the last tenth, and the peak, beside the size
of the model's tables and the optimizer's states.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from common import machine

import fastdl
from fastdl.data import generate
from fastdl.data.click_model import Recipe, click_model
from fastdl.job import Job
from fastdl.pipeline import train_ctr

RECIPE = Recipe(1, 13, 26, 1_000_000, 0.25, 0.1)
PART = 16  # blocks of 65,536 rows


def write_part(folder: Path, rows: int, number: int) -> None:
    """One file, unless it is there."""
    path = folder / f"part_{number:04d}.tsv"
    if path.is_file():
        return
    model = click_model(RECIPE)
    blocks = range(number * PART, min((number + 1) * PART, -(-rows // generate.BLOCK)))
    sizes = (min(generate.BLOCK, rows - block * generate.BLOCK) for block in blocks)
    tables = (model.table(block, size) for block, size in zip(blocks, sizes, strict=True))
    temporary = path.with_suffix(".tmp")
    generate._write(temporary, ".tsv", tables)
    temporary.rename(path)


def write_log(folder: Path, rows: int) -> int:
    """All files; their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = -(-rows // (PART * generate.BLOCK))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(functools.partial(write_part, folder, rows), range(parts)))
    return sum(path.stat().st_size for path in folder.glob("part_*.tsv"))


def resident() -> int:
    """MiB in memory now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


class Lines(fastdl.Callback):
    """Prints a line for every so many rows."""

    def __init__(self, every: int) -> None:
        self.every, self.rates = every, []  # type: ignore[var-annotated]

    def on_begin(self, run: fastdl.Callback) -> None:
        self.time, self.rows = time.perf_counter(), 0
        print(f"training begins; {resident():,} MiB resident", flush=True)

    def on_steps(self, run) -> None:  # type: ignore[no-untyped-def]
        rows = run.step * run.batch_size
        if rows - self.rows < self.every:
            return
        now = time.perf_counter()
        self.rates.append((rows - self.rows) / (now - self.time))
        print(f"{rows:>12,} rows, {self.rates[-1]:>9,.0f} rows/s, {resident():,} MiB", flush=True)
        self.time, self.rows = now, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--model", default="logisticregression")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8192)
    parser.add_argument("--write", action="store_true", help="write the log and stop")
    arguments = parser.parse_args()
    print(machine())
    start = time.perf_counter()
    size = write_log(arguments.folder, arguments.rows)
    print(f"{arguments.rows:,} rows, {size / 1e9:.1f} GB of text, written or found in "
          f"{time.perf_counter() - start:.0f} s", flush=True)  # fmt: skip
    if arguments.write:
        return
    job = Job(
        data=str(arguments.folder / "part_*.tsv"), format="criteo", model=arguments.model,
        epochs=arguments.epochs, batch_size=arguments.batch, lr=0.002,
    )  # fmt: skip
    out = arguments.folder / "run"
    shutil.rmtree(out, ignore_errors=True)
    lines = Lines(arguments.rows // 25)
    start = time.perf_counter()
    outcome = train_ctr(job, out, callbacks=[lines])
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    network = fastdl.load(out / "model.safetensors")
    tables = sum(a.nbytes for a in network.parameters().values()) >> 20
    tenth = max(1, len(lines.rates) // 10)
    first, last = (sum(part) / len(part) for part in (lines.rates[:tenth], lines.rates[-tenth:]))
    facts = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["facts"]
    print(f"in all {seconds:,.0f} s for {facts['train rows']:,} rows that train, "
          f"{facts['validation rows']:,} and {facts['test rows']:,} others")  # fmt: skip
    print(f"first tenth {first:,.0f} rows/s, last {last:,.0f} ({last / first:.0%})")
    print(f"peak {peak:,} MiB resident, of it the model {tables:,} MiB, and twice that in Adam's "
          "states")  # fmt: skip
    print(f"test AUC {outcome.model['auc']:.4f}, log loss {outcome.model['log_loss']:.4f}, base "
          f"rate's {outcome.base['log_loss']:.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
