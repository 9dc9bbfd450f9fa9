"""How near CTR models come to the best possible log loss, on a log whose probabilities are known.

    python benchmarks/ctr_generated.py [--rows 1000000] [--models DeepFM,DCNv2]

The gap is that between logistic regression and the true probabilities, on test rows; each model
closes a share of it. All get the same inputs: numbers as in ctr_logs.py, and ids.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from common import machine
from ctr_logs import Log
from fastdl.models import ctr

import fastdl
from fastdl.data import generate_ad_log


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--cardinality", type=int, default=2000)
    parser.add_argument("--models", default="DeepFM")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=1024)
    arguments = parser.parse_args()
    table = generate_ad_log(
        arguments.rows, numeric=4, categorical=10, cardinality=arguments.cardinality
    )
    true = table["click_probability"].to_numpy()
    log = Log(table.drop_columns(["label", "click_probability"]), table["label"].to_numpy())
    (x, t), validation, (x_test, t_test) = (log.rows(part) for part in range(3))
    best = fastdl.metrics.log_loss(t_test, true[log.parts[2]])
    print(machine(), f"{fastdl.get_num_threads()} threads")
    print(f"{arguments.rows:,} rows, {log.spec.rows:,} ids; best possible log loss {best:.4f}")
    print("| model | log loss | share of the gap | AUC | seconds |\n|---|---|---|---|---|")
    base = float("nan")
    for name in ("LogisticRegression", *arguments.models.split(",")):
        options = {} if name == "LogisticRegression" else {"hidden": (256, 128)}
        model = getattr(ctr, name)(
            log.spec, embedding_l2_in_batch=1e-6, rng=np.random.default_rng(0), **options
        )
        model.start_from_rate(t)
        schedule = fastdl.schedules.ReduceOnPlateau(1e-3, 0.1, 0)
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
