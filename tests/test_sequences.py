"""Sequences of different lengths through networks and the Trainer."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl


def network(rng, **options):
    return fastdl.Sequential(
        fastdl.GRU(2, 8, rng=rng, **options), fastdl.LSTM(8, 8, return_sequences=False, rng=rng),
        fastdl.Dense(8, 2, rng=rng), loss=fastdl.Softmax,
    )  # fmt: skip


def test_what_lies_behind_a_length_changes_nothing(rng):
    net, x = network(rng), rng.standard_normal((5, 7, 2)).astype("f")
    lengths, t = np.array([7, 3, 1, 5, 2]), np.eye(2)[[0, 1, 1, 0, 1]]
    batch = fastdl.Sequences(x, lengths)
    out, gradient = net.predict(batch), dict(net.gradient(batch, t))
    other = x.copy()
    other[np.arange(7) >= lengths[:, None]] = np.nan
    again = fastdl.Sequences(other, lengths)
    np.testing.assert_array_equal(net.predict(again), out)
    assert np.isnan(other[1, 4]).all()  # the user's array is not written to
    for name, found in net.gradient(again, t).items():
        np.testing.assert_array_equal(found, gradient[name])
    for row, n in enumerate(lengths):
        alone = net.predict(x[row : row + 1, :n])
        np.testing.assert_allclose(out[row], alone[0], rtol=1e-5, atol=1e-6)


def test_the_trainer_takes_them(rng):
    """Whether the last step is positive: only who knows the lengths can say."""
    lengths = rng.integers(1, 9, 400)
    x = rng.standard_normal((400, 8, 2)).astype("f")
    t = np.eye(2)[(x[np.arange(400), lengths - 1, 0] > 0).astype(int)]
    net = network(rng)
    data = fastdl.Sequences(x, lengths)
    trainer = fastdl.Trainer(net, fastdl.Adam(0.01))
    trainer.train(data[:300], t[:300], data[300:], t[300:], 15, 32, verbose=False, rng=rng)
    assert trainer.history["val_accuracy"][-1] > 0.85


def test_padding():
    batch = fastdl.Sequences.of([[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]])
    assert batch.x.tolist() == [[[1, 2], [0, 0]], [[3, 4], [5, 6]]]
    assert batch[[1]].lengths.tolist() == [2] and len(batch) == 2


def test_wrong_sequences():
    x = np.ones((2, 3, 1))
    with pytest.raises(ValueError, match=r"lengths\[1\] is 4; x has 3 steps"):
        fastdl.Sequences(x, [1, 4])
    with pytest.raises(ValueError, match=r"lengths has shape \(1,\); expected \(2,\)"):
        fastdl.Sequences(x, [1])
    with pytest.raises(TypeError, match="lengths has dtype float64"):
        fastdl.Sequences(x, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"shape \(2, 3\) and dtype"):
        fastdl.Sequences(x[..., 0], [1, 2])
    with pytest.raises(ValueError, match=r"expected \(T, D\) of one D"):
        fastdl.Sequences.of([np.ones((2, 3)), np.ones((2, 4))])
    x[0, 0] = np.nan
    with pytest.raises(ValueError, match="x"):
        fastdl.Sequences(x, [1, 2])
