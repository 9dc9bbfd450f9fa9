"""FeatureEncoder from files of a generated log, beside pandas and polars.

    python benchmarks/encoder.py [--rows 500000]

Every side reads the file (39 fields), numbers each category column's values, and gives arrays:
fastdl block by block, as training takes them. fastdl and polars also scale the numbers' logarithms,
give values that came once a common id, and missing ones another; pandas only factorizes, which is
less. log.csv is as write_ad_log writes it, texts in quotes, plain.csv the same without. Before
anything is timed, ids are compared with those by way of pyarrow's strings, and with polars', one to
one. Sides take turns; medians.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from common import alternate, machine

import fastdl
from fastdl.data import FeatureEncoder, read_log, write_ad_log
from fastdl.data.read import iter_cut

NUMBERS, CATEGORIES = [f"I{i}" for i in range(1, 14)], [f"C{i}" for i in range(1, 27)]


def ours(path: Path) -> list[np.ndarray]:
    """Read, learn, encode."""
    types = {"numeric": NUMBERS, "categorical": CATEGORIES}
    options = {"columns": [*NUMBERS, *CATEGORIES], "batch_rows": 1 << 20, **types}
    log: list[Any] = []

    def pieces() -> Iterator[Any]:
        for piece in iter_cut(path, **options):
            log.append(piece)
            yield piece

    encoder = FeatureEncoder(numbers="number").fit(pieces())
    return [x["ids"] for x in encoder.iter_transform(log)]


def strings_and_ids(path: Path) -> np.ndarray:
    """The same by way of pyarrow's strings."""
    types = {"numeric": NUMBERS, "categorical": CATEGORIES}
    log = read_log(path, columns=[*NUMBERS, *CATEGORIES], **types)
    return FeatureEncoder(numbers="number").fit_transform(log)["ids"]


def with_pandas(path: Path) -> list[np.ndarray]:
    """Read and factorize."""
    frame = (pd.read_parquet if path.suffix == ".parquet" else pd.read_csv)(path)
    return [pd.factorize(frame[name])[0] for name in CATEGORIES]


def with_polars(path: Path) -> np.ndarray:
    """The same work as ours."""
    frame = (pl.read_parquet if path.suffix == ".parquet" else pl.read_csv)(path)
    logs = [pl.col(name).cast(pl.Float64).log1p() for name in NUMBERS]
    scaled = [((x - x.mean()) / x.std()).fill_null(0).cast(pl.Float32) for x in logs]
    ids = []
    for name in CATEGORIES:
        column = pl.col(name).cast(pl.String)
        often = pl.len().over(name) >= 2
        code = column.cast(pl.Categorical).to_physical() + 2
        ids.append(pl.when(column.is_null()).then(0).when(often).then(code).otherwise(1)
                   .cast(pl.Int32).alias(name))  # fmt: skip
    frame.select(scaled).to_numpy()
    return frame.select(ids).to_numpy()


def check(ids: np.ndarray, others: np.ndarray) -> None:
    """The same rows share an id on both sides."""
    for a, b in zip(ids.T, others.T, strict=True):
        assert ((a == 0) == (b == 0)).all() and ((a == 1) == (b == 1)).all()
        pairs = np.unique(np.stack([a, b]), axis=1)
        assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(machine())
    print(f"{arguments.rows:,} rows, {fastdl.get_num_threads()} threads, pandas {pd.__version__}, "
          f"polars {pl.__version__}")  # fmt: skip
    print("| file | fastdl | rows/s | pandas / fastdl | polars / fastdl |\n|---|---|---|---|---|")
    sides = {"fastdl": ours, "pandas": with_pandas, "polars": with_polars}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("log.csv", "plain.csv", "log.parquet"):
            path = Path(folder) / name
            if name == "plain.csv":
                path.write_bytes((path.parent / "log.csv").read_bytes().replace(b'"', b""))
            else:
                write_ad_log(path, arguments.rows, seed=1)
            ids = np.concatenate(ours(path))
            np.testing.assert_array_equal(ids, strings_and_ids(path))
            check(ids, with_polars(path))
            runs = {side: functools.partial(run, path) for side, run in sides.items()}
            times = alternate(runs, arguments.rounds)
            own, pandas, polars = (times[side][0] for side in sides)
            print(f"| {name} | {own:.2f} s | {arguments.rows / own:,.0f} | {pandas / own:.2f}x | "
                  f"{polars / own:.2f}x |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
