"""On a log with known probabilities a DeepFM comes near to the best possible log loss."""

from __future__ import annotations

import numpy as np

import fastdl
from fastdl.data import generate_ad_log


def encoded(rows):
    """Features, labels, true probabilities: numbers' logarithms with a flag for gaps, ids."""
    log = generate_ad_log(rows, numeric=2, categorical=4, cardinality=60)
    numbers, ids, sizes = [], [], []
    for name in log.column_names[2:]:
        column = log[name].combine_chunks()
        if name[0] == "I":
            number = np.log1p(column.to_numpy(zero_copy_only=False))
            numbers.append(np.nan_to_num((number - np.nanmean(number)) / np.nanstd(number)))
            ids.append(column.is_null().to_numpy(zero_copy_only=False).astype(np.int64))
        else:
            codes = column.cast("string").fill_null("").dictionary_encode().indices.to_numpy()
            ids.append(codes.astype(np.int64))
        sizes.append(int(ids[-1].max()) + 1)
    x = {"numeric": np.stack(numbers, axis=1).astype(np.float32), "ids": np.stack(ids, axis=1)}
    return x, log["label"].to_numpy(), log["click_probability"].to_numpy(), sizes


def test_deepfm_closes_nine_tenths_of_the_gap_to_the_best_log_loss():
    rows, held = 500_000, 100_000
    x, t, true, sizes = encoded(rows)
    spec = fastdl.FeatureSpec(2, sizes)
    train, test = (
        {name: array[part] for name, array in x.items()}
        for part in (slice(rows - held), slice(rows - held, rows))
    )
    losses = {"best": fastdl.metrics.log_loss(t[-held:], true[-held:])}
    for model, epochs in (
        (fastdl.LogisticRegression(spec), 3),
        (fastdl.DeepFM(spec, 8, (64, 32), rng=np.random.default_rng(0)), 7),
    ):
        model.start_from_rate(t[:-held])
        steps = epochs * ((rows - held) // 1000)
        rate = fastdl.schedules.CosineDecay(5e-3, steps, 0.0)
        fastdl.Trainer(model, fastdl.Adam(rate)).train(
            train, t[:-held], epochs=epochs, batch_size=1000, verbose=False,
            rng=np.random.default_rng(1),
        )  # fmt: skip
        p = model.predict_proba(test)[:, 1]
        losses[type(model).__name__] = fastdl.metrics.log_loss(t[-held:], p)
    gap = losses["LogisticRegression"] - losses["best"]
    assert gap > 0.005, losses
    assert losses["LogisticRegression"] - losses["DeepFM"] > 0.9 * gap, losses
