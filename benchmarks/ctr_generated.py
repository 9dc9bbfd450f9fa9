"""How near CTR models come to the best possible log loss, on a log whose probabilities are known.

    python benchmarks/ctr_generated.py [--rows 3000000] [--models DeepFM,DCNv2]

The gap is that between logistic regression and the true probabilities, on test rows; each model
closes a share of it. All get the same inputs: numbers as in ctr_logs.py, flags of their gaps, ids.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pyarrow as pa
from common import machine
from ctr_logs import Log
from fastdl.models import ctr

import fastdl
from fastdl.data import generate_ad_log


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--cardinality", type=int, default=400)
    parser.add_argument("--models", default="DeepFM")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=2048)
    arguments = parser.parse_args()
    table = generate_ad_log(
        arguments.rows, numeric=4, categorical=8, cardinality=arguments.cardinality
    )
    true, label = (table[name].to_numpy() for name in ("click_probability", "label"))
    table = table.drop_columns(["label", "click_probability"])
    for name in table.column_names[:4]:
        missing = table[name].combine_chunks().is_null()
        table = table.append_column(f"{name} is missing", missing.cast(pa.string()))
    log = Log(table, label)
    (x, t), validation, (x_test, t_test) = (log.rows(part) for part in range(3))
    best = fastdl.metrics.log_loss(t_test, true[log.parts[2]])
    print(machine(), f"{fastdl.get_num_threads()} threads")
    print(f"{arguments.rows:,} rows, {log.spec.rows:,} ids; best possible log loss {best:.4f}")
    print("| model | log loss | share of the gap | AUC | seconds |\n|---|---|---|---|---|")
    base = float("nan")
    for name in ("LogisticRegression", *arguments.models.split(",")):
        model = getattr(ctr, name)(log.spec, 8, (128, 64), rng=np.random.default_rng(0))
        model.start_from_rate(t)
        schedule = fastdl.schedules.ReduceOnPlateau(2e-3, 0.1, 0)
        start = time.perf_counter()
        fastdl.Trainer(model, fastdl.Adam(schedule)).train(
            x, t, *validation, arguments.epochs, arguments.batch, verbose=False,
            rng=np.random.default_rng(1), callbacks=[fastdl.EarlyStopping("val_loss", 2)],
        )  # fmt: skip
        seconds = time.perf_counter() - start
        p = model.predict_proba(x_test)[:, 1]
        loss = fastdl.metrics.log_loss(t_test, p)
        base = loss if name == "LogisticRegression" else base
        print(f"| {name} | {loss:.4f} | {(base - loss) / (base - best):.1%} | "
              f"{fastdl.metrics.roc_auc(t_test, p):.4f} | {seconds:.0f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
