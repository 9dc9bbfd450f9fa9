"""An epoch of DeepFM beside DeepCTR-Torch's: the same log, sizes, batches and penalties.

    pip install deepctr-torch && python benchmarks/deepctr.py [--ids 3000000] [--rows 51200]

Both sides: 26 fields, embedding 16, a tower of 256 and 128, Adam at 1e-3, batch 256, which are
DeepCTR-Torch's defaults but for the embedding's 4. ``penalty`` is theirs too: 1e-5 ||E||^2 over
whole tables at every step; "none" is without. Initial weights are each side's own, so what is
compared is the log loss on rows that were not trained on.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from common import SETTLE, machine

import fastdl

FIELDS, DIM, HIDDEN, BATCH = 26, 16, (256, 128), 256


def log(rows: int, ids: int) -> tuple[np.ndarray, np.ndarray]:
    """Zipf-distributed ids, and clicks that depend on the frequent ones."""
    rng = np.random.default_rng(0)
    x = (rng.zipf(1.2, (rows, FIELDS)) - 1) % (ids // FIELDS)
    effects = rng.standard_normal((FIELDS, 100)) * 0.3
    logit = sum(effects[f][np.minimum(x[:, f], 99)] for f in range(FIELDS)) - 1
    return x, (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.float32)


def ours(x, t, held, ids: int, penalty: float) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Seconds of an epoch, log loss on the held-out rows."""
    model = fastdl.DeepFM(
        fastdl.FeatureSpec(fields=[ids // FIELDS] * FIELDS), DIM, HIDDEN,
        embedding_l2=2 * penalty, rng=np.random.default_rng(0),
    )  # fmt: skip
    trainer = fastdl.Trainer(model, fastdl.Adam(1e-3))
    start = time.perf_counter()
    trainer.train(x, t, epochs=1, batch_size=BATCH, verbose=False)
    seconds = time.perf_counter() - start
    return seconds, fastdl.metrics.log_loss(held[1], model.predict_proba(held[0])[:, 1])


def theirs(x, t, held, ids: int, penalty: float) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """The same by DeepCTR-Torch."""
    from deepctr_torch.inputs import SparseFeat
    from deepctr_torch.models import DeepFM

    columns = [SparseFeat(f"f{i}", ids // FIELDS, DIM) for i in range(FIELDS)]
    model = DeepFM(
        columns, columns, HIDDEN, l2_reg_linear=penalty, l2_reg_embedding=penalty, device="cpu"
    )
    model.compile("adam", "binary_crossentropy")
    named = {f"f{i}": x[:, i] for i in range(FIELDS)}
    start = time.perf_counter()
    model.fit(named, t[:, None], batch_size=BATCH, epochs=1, verbose=0)
    seconds = time.perf_counter() - start
    p = model.predict({f"f{i}": held[0][:, i] for i in range(FIELDS)}, 8192).reshape(-1)
    return seconds, fastdl.metrics.log_loss(held[1], p.astype(np.float64))


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ids", type=int, default=3_000_000)
    parser.add_argument("--rows", type=int, default=51_200)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(fastdl.get_num_threads())
    x, t = log(arguments.rows + 8192, arguments.ids)
    held = x[arguments.rows :], t[arguments.rows :]
    x, t = x[: arguments.rows], t[: arguments.rows]
    print(machine(), f"{fastdl.get_num_threads()} threads")
    print(f"{arguments.rows:,} rows, {arguments.ids:,} ids, batch {BATCH}")
    print("| penalty | fastdl rows/s | DeepCTR-Torch rows/s | ratio | log loss | theirs |")
    print("|---|---|---|---|---|---|")
    for name, penalty in (("whole tables", 1e-5), ("none", 0.0)):
        ours(x[:512], t[:512], held, arguments.ids, penalty)  # compiles
        found: list[list[tuple[float, float]]] = [[], []]
        for _ in range(arguments.rounds):
            for side, own in zip((ours, theirs), found, strict=True):
                time.sleep(SETTLE)
                own.append(side(x, t, held, arguments.ids, penalty))
        (mine, my_loss), (other, other_loss) = (np.median(own, axis=0) for own in found)
        print(f"| {name} | {arguments.rows / mine:,.0f} | {arguments.rows / other:,.0f} | "
              f"{other / mine:.1f}x | {my_loss:.4f} | {other_loss:.4f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
