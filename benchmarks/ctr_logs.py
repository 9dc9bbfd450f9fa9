"""Every CTR model on every real log, beside its PyTorch transcription: AUC, log loss, seconds.

    python benchmarks/ctr_logs.py [--data ../shared/data/ctr] [--models DeepFM] [--logs avazu,adult]

Both sides start from the same weights and take the same batches: Adam at 1e-3, a penalty of
1e-5 / 2 ||E||^2 over whole tables at every step, clipping at norm 10, early stopping on the
validation AUC with a patience of 2 and the best weights restored. Rows are split at random, 80 %,
10 % and 10 %. Ids: values that come twice in the training part have their own, all others share
0. Numbers: sign(x) log(1 + |x|), standardised, 0 where missing. Seconds are those of training and
validating, after one step that is not counted.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from common import machine, torch_or_none
from fastdl.models import ctr
from pyarrow import csv

import fastdl
from fastdl.data import read_log

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
MODELS = [name for name in ctr.__all__ if name not in ("CTRModel", "CTRPredictionNetwork")]
PENALTY, CLIP, PATIENCE = 1e-5, 10.0, 2


class Log:
    """A log as arrays: features x, labels t, and the rows of the three parts."""

    def __init__(self, table: pa.Table, label: np.ndarray, sequences: tuple[str, ...] = ()) -> None:
        self.t = label.astype(np.float32)
        n = len(label)
        order = np.random.default_rng(0).permutation(n)
        self.parts = np.split(order, [int(0.8 * n), int(0.9 * n)])
        train = np.zeros(n, bool)
        train[self.parts[0]] = True
        numeric, ids, fields, lists = [], [], [], []
        self.x: dict[str, object] = {}
        for name in table.column_names:
            column = table[name].combine_chunks()
            if name in sequences:
                values, lengths, size = tags(column, train)
                self.x[name] = (values, lengths)
                lists.append(fastdl.SequenceField(name, size))
            elif pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
                numeric.append(scaled(column, train))
            else:
                codes, size = coded(column, train)
                ids.append(codes)
                fields.append(fastdl.Field(name, size))
        self.x["ids"] = np.stack(ids, axis=1)
        if numeric:
            self.x["numeric"] = np.stack(numeric, axis=1)
        self.spec = fastdl.FeatureSpec(len(numeric), fields, lists)

    def rows(self, part: int) -> tuple[dict[str, object], np.ndarray]:
        """Features and labels of the training (0), validation (1) or test (2) part."""
        own = self.parts[part]
        x = {k: (take_lists(v, own) if isinstance(v, tuple) else v[own]) for k, v in self.x.items()}
        return x, self.t[own]


def take_lists(lists: tuple[np.ndarray, np.ndarray], rows: np.ndarray):  # type: ignore[no-untyped-def]
    """Lists of ids (values, lengths) of some rows."""
    values, lengths = lists
    starts = np.cumsum(lengths) - lengths
    own = lengths[rows]
    places = np.repeat(starts[rows] - np.cumsum(own) + own, own) + np.arange(own.sum())
    return values[places], own


def scaled(column: pa.Array, train: np.ndarray) -> np.ndarray:
    """Numbers as sign(x) log(1 + |x|), standardised by the training part, 0 where missing."""
    x = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    x = np.sign(x) * np.log1p(np.abs(x))
    mean, std = np.nanmean(x[train]), np.nanstd(x[train])
    return np.nan_to_num((x - mean) / (std or 1)).astype(np.float32)


def coded(column: pa.Array, train: np.ndarray) -> tuple[np.ndarray, int]:
    """Ids of values, and the size of their table."""
    texts = column.cast(pa.string()).fill_null("")
    values = texts.dictionary_encode().indices.to_numpy()
    often = np.bincount(values[train], minlength=values.max() + 1) >= 2
    number = np.where(often, np.cumsum(often), 0)
    return number[values].astype(np.int64), int(often.sum()) + 1


def tags(column: pa.Array, train: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Ids of values that are joined by "|", each row's number of them, the table's size."""
    lists = [text.split("|") if text else [] for text in column.cast(pa.string()).to_pylist()]
    lengths = np.array([len(row) for row in lists], np.int64)
    flat = pa.array([value for row in lists for value in row], pa.string())
    codes, size = coded(flat, np.repeat(train, lengths))
    return codes, lengths, size


def logs(folder: Path) -> dict[str, object]:
    """How to read each log."""

    def common(file: str, format: str | None = None, drop: tuple[str, ...] = (), **options: object):  # type: ignore[no-untyped-def]
        table = read_log(folder / file, format, **options)
        name = table.column_names[0] if "label" not in table.column_names else "label"
        label = table[name].to_numpy()
        return Log(table.drop_columns([name, *(d for d in drop if d in table.column_names)]), label)

    def movielens() -> Log:
        options = csv.ParseOptions(delimiter="\t")
        table = csv.read_csv(folder / "movielens_100k.tsv", parse_options=options)
        label = table["rating:float"].to_numpy() >= 4
        ids = {n: table[f"{n}:token"].cast(pa.string()) for n in ("user_id", "item_id")}
        return Log(pa.table(ids), label)

    def texts(file: str, label: str, drop: tuple[str, ...], **options: object) -> Log:
        table = csv.read_csv(
            folder / file, convert_options=csv.ConvertOptions(strings_can_be_null=True)
        )
        names = [n for n in table.column_names if n not in (label, *drop) and "affinity" not in n]
        columns = {n: table[n] if n == "price" else table[n].cast(pa.string()) for n in names}
        return Log(pa.table(columns), table[label].to_numpy(), **options)  # type: ignore[arg-type]

    lists = ("tag_category_list", "tag_brand_list")
    return {
        "criteo": lambda: common("criteo_head_train.tsv", "criteo"),
        "avazu": lambda: common("avazu_head.csv", "avazu", ("id",)),
        "taobao": lambda: texts(
            "taobao_head.csv", "clk", ("nonclk", "time_stamp"), sequences=lists
        ),
        "open_bandit": lambda: texts(
            "open_bandit_random_all.csv", "click", ("", "timestamp", "propensity_score")
        ),
        "adult": lambda: common("adult.parquet", label="income", positive=">50K"),
        "movielens": movielens,
    }


def model_for(name: str, spec: fastdl.FeatureSpec) -> fastdl.CTRModel:
    dim = 4 if name == "FieldAwareFactorizationMachine" else 16
    return getattr(ctr, name)(
        spec, dim, (64, 64), embedding_l2=PENALTY, rng=np.random.default_rng(0)
    )


def orders(rows: int, epochs: int) -> list[np.ndarray]:
    """The order of the rows in each epoch, as the Trainer draws it."""
    rng, order, found = np.random.default_rng(1), np.arange(rows), []
    for _ in range(epochs):
        order = order[rng.permutation(rows)]
        found.append(order)
    return found


def ours(model, log, epochs: int, batch: int) -> tuple[np.ndarray, float]:  # type: ignore[no-untyped-def]
    """Click probabilities of the test part, and seconds."""
    (x, t), (x_val, t_val) = log.rows(0), log.rows(1)
    start = time.perf_counter()
    trainer = fastdl.Trainer(model, fastdl.Adam(1e-3, clip_norm=CLIP))
    trainer.train(
        x, t, x_val, t_val, epochs, batch, verbose=False, rng=np.random.default_rng(1),
        callbacks=[fastdl.EarlyStopping("val_auc", PATIENCE)],
    )  # fmt: skip
    seconds = time.perf_counter() - start
    return model.predict_proba(log.rows(2)[0])[:, 1].astype(np.float64), seconds


def theirs(model, log, epochs: int, batch: int) -> tuple[np.ndarray, float]:  # type: ignore[no-untyped-def]
    """The same by PyTorch."""
    import torch
    from torch_ctr import Transcription

    torch.set_num_threads(fastdl.get_num_threads())
    twin = Transcription(model)
    tables = [v for n, v in zip(twin.names, twin.values, strict=True)
              if n.rstrip("0123456789") in ("E", "w") and len(v) == model.spec.rows]  # fmt: skip
    optimizer = torch.optim.Adam(twin.parameters(), lr=1e-3, fused=True)

    def some(x, rows):  # type: ignore[no-untyped-def]
        return {k: take_lists(v, rows) if isinstance(v, tuple) else v[rows] for k, v in x.items()}

    def predict(x, n: int) -> np.ndarray:  # type: ignore[no-untyped-def]
        with torch.no_grad():
            parts = [twin(some(x, np.arange(i, min(i + 8192, n)))) for i in range(0, n, 8192)]
        return torch.sigmoid(torch.cat(parts).double()).numpy()

    (x, t), (x_val, t_val) = log.rows(0), log.rows(1)
    best, kept, bad = -1.0, None, 0
    start = time.perf_counter()
    for order in orders(len(t), epochs):
        for first in range(0, len(t) - batch + 1, batch):
            rows = order[first : first + batch]
            optimizer.zero_grad()
            logit = twin(some(x, rows))
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                logit, torch.tensor(t[rows])
            )
            loss = loss + PENALTY / 2 * sum((table**2).sum() for table in tables)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(twin.parameters(), CLIP)
            optimizer.step()
        auc = fastdl.metrics.roc_auc(t_val, predict(x_val, len(t_val)))
        if auc > best:
            best, bad = auc, 0
            kept = [v.detach().clone() for v in twin.values]
        else:
            bad += 1
            if bad >= PATIENCE:
                break
    seconds = time.perf_counter() - start
    with torch.no_grad():
        for value, good in zip(twin.values, kept, strict=True):
            value.copy_(good)
    x, t = log.rows(2)
    return predict(x, len(t)), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data/ctr")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--logs", default="")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--no-torch", action="store_true")
    arguments = parser.parse_args()
    beside = not arguments.no_torch and torch_or_none() is not None
    print(machine(), f"{fastdl.get_num_threads()} threads, batch {arguments.batch}")
    readers = logs(arguments.data)
    chosen = arguments.logs.split(",") if arguments.logs else list(readers)
    for name in chosen:
        log = readers[name]()  # type: ignore[operator]
        t, spec = log.rows(2)[1], log.spec
        base = fastdl.metrics.log_loss(t, np.full(len(t), log.t.mean(), np.float64))
        print(f"\n{name}: {len(log.t):,} rows, {log.t.mean():.1%} clicks, {len(spec.numeric)} "
              f"numbers, {len(spec.fields)} fields, {len(spec.sequences)} sequences, "
              f"{spec.rows:,} ids; log loss of the base rate {base:.4f}")  # fmt: skip
        print("| model | AUC | log loss | seconds | PyTorch: AUC | log loss | seconds |")
        print("|---|---|---|---|---|---|---|", flush=True)
        small = copy.copy(log)
        small.parts = [log.parts[0][: arguments.batch], *log.parts[1:]]
        for kind in arguments.models.split(","):
            sides = [ours, theirs] if beside else [ours]
            cells = []
            for side in sides:
                model = model_for(kind, spec)
                side(model, small, 1, arguments.batch)  # compiles and loads what there is
                model = model_for(kind, spec)
                model.start_from_rate(log.rows(0)[1])
                p, seconds = side(model, log, arguments.epochs, arguments.batch)
                cells += [f"{fastdl.metrics.roc_auc(t, p):.4f}",
                          f"{fastdl.metrics.log_loss(t, p):.4f}", f"{seconds:.1f}"]  # fmt: skip
            print(f"| {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
