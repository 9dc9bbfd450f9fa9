"""Windows of series: the kernel and its twin, streams, splits by time, folds without look-ahead."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels.reference import series_windows as twin
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels_twins import compare

import fastdl
from fastdl.data.series import (
    BacktestFolds,
    SeriesSet,
    WindowMaker,
    WindowStream,
    generate_ad_series,
    split_series,
    until,
)
from fastdl.data.series.windows import SCALINGS


def some_series(rng, S=5, T=60, dtype=np.float64):
    values = (10 * rng.standard_normal((S, T))).astype(dtype)
    values[1, 20:30] = np.nan
    values[2] = 3
    values[3, :40] = np.nan
    past = rng.standard_normal((S, T, 1))
    past[3, 7] = np.nan
    return SeriesSet.from_arrays(
        values, known=rng.standard_normal((S, T + 6, 2)), past=past, frequency="h",
        start="2024-02-28T05", static={"kind": list("aabbc")[:S], "size": np.arange(float(S))},
    )  # fmt: skip


# ---------------------------------------------------------------------------- kernel
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("count", [1, 9, 3000])
def test_kernel_and_twin(scaling, count, rng, two_thread_counts):
    series = some_series(rng)
    maker = WindowMaker(12, 4, scaling).fit(series)
    calendar = maker.calendar(series)
    rows = rng.integers(0, 5, count)
    step = rng.integers(-10, 60, count)
    places = np.stack(
        [series.first[rows] + step, series.first[rows], series.stop[rows],
         series.known_first[rows] + step, (series.known_first + series.known_length)[rows],
         calendar.row_of(series)[rows] + step], axis=1,
    )  # fmt: skip
    x = np.empty((count, 16, 5 + calendar.features.shape[1]), np.float32)
    y = np.empty((count, 4), np.float32)
    arguments = (
        series.values, series.past, series.known, calendar.features, places, 12, *SCALINGS[scaling],
        maker.center.astype(np.float32), maker.factor.astype(np.float32), x, y, y,
        np.empty((count, 2)),
    )  # fmt: skip
    compare("series_windows", "gather_windows", arguments, [10, 11, 12, 13], two_thread_counts,
            rtol=2e-5, atol=2e-5)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 5))
def test_windows_of_random_sizes_are_what_slices_say(seed, context, horizon):
    rng = np.random.default_rng(seed)
    series = some_series(rng, S=4)
    maker = WindowMaker(context, horizon, "standard", parts=())
    rows, origins = rng.integers(0, 4, 6), rng.integers(context, 61 - horizon, 6)
    made, y, seen = maker.make(series, rows, origins)
    for b, (i, origin) in enumerate(zip(rows, origins, strict=True)):
        own = series.values_of(i)
        before, after = own[origin - context : origin], own[origin : origin + horizon]
        fine = before[~np.isnan(before)]
        shift, scale = (fine.mean(), fine.std()) if len(fine) else (0.0, 1.0)
        if not scale > 1e-7 * np.abs(fine).mean() if len(fine) else False:
            scale = np.abs(fine).mean()
        np.testing.assert_allclose([made.shift[b], made.scale[b]], [shift, scale], rtol=1e-9)
        np.testing.assert_array_equal(seen[b] > 0, ~np.isnan(after))
        np.testing.assert_array_equal(made.x[b, :context, 1] > 0, ~np.isnan(before))
        got = np.where(seen[b] > 0, made.inverse(y.astype(np.float64))[b], np.nan)
        np.testing.assert_allclose(got, after, rtol=1e-5, atol=1e-5)
        assert not made.x[b, context:, :3].any()  # values and past covariates stay unknown
        known = series.known_of(i)[origin - context : origin + horizon]
        np.testing.assert_allclose(
            made.x[b, :, 3:5] / maker.factor[1:] + maker.center[1:], known, rtol=1e-4, atol=1e-4
        )


def test_a_window_without_values_and_one_of_zeros_have_scale_one():
    series = SeriesSet.from_arrays([np.r_[np.full(8, np.nan), 1.0], np.zeros(9)])
    for scaling in SCALINGS:
        made, y, _ = WindowMaker(8, 1, scaling, parts=()).make(series, [0, 1], [8, 8])
        assert made.scale.tolist() == [1, 1]
        assert made.shift.tolist() == [0, 0]
        assert np.isfinite(made.x).all()
        assert y[:, 0].tolist() == [1, 0]
    assert twin.FLAT == 1e-7


def test_large_values_keep_their_digits(rng):
    values = 1e9 + rng.standard_normal((1, 40))
    made, y, _ = WindowMaker(30, 4, "standard", parts=()).make(
        SeriesSet.from_arrays(values), [0], [30]
    )
    np.testing.assert_allclose(made.inverse(y.astype(np.float64))[0], values[0, 30:34], atol=1e-5)


# ---------------------------------------------------------------------------- streams
def batches(stream, epoch=0, seed=3, batch=8, first=0):
    found = []
    for window in stream.windows(epoch, seed, batch, first):
        assert window.start % batch == 0
        start = max(first, window.start)
        found += [window.take(i, batch) for i in range(start, window.stop, batch)]
    return found


def test_an_epoch_has_every_window_once_and_follows_from_its_seed(rng):
    stream = WindowStream(some_series(rng), WindowMaker(12, 4), batches=True)
    once, again = batches(stream), batches(stream)
    assert all(a.x.x.tobytes() == b.x.x.tobytes() for a, b in zip(once, again, strict=True))
    places = np.concatenate([np.stack([b.x.series, b.x.origin], axis=1) for b in once])
    assert len(places) == stream.rows == 5 * 45
    assert len(np.unique(places, axis=0)) == stream.rows
    other = batches(stream, epoch=1)
    assert any(a.x.origin.tolist() != b.x.origin.tolist() for a, b in zip(once, other, strict=True))
    later = batches(stream, first=32)
    assert all(
        a.x.x.tobytes() == b.x.x.tobytes() for a, b in zip(once[4:], later, strict=True)
    )  # a checkpoint in the middle of an epoch goes on as it would have


@pytest.mark.parametrize("sampling", ["windows", "series"])
def test_some_windows_for_an_epoch(rng, sampling):
    series = SeriesSet.from_arrays([rng.standard_normal(500), rng.standard_normal(20)])
    stream = WindowStream(series, WindowMaker(8, 2, parts=()), per_epoch=400, sampling=sampling,
                          batches=True)  # fmt: skip
    rows = np.concatenate([b.x.series for b in batches(stream)])
    assert len(rows) == stream.rows == 400
    share = float(np.mean(rows == 1))
    assert abs(share - (0.5 if sampling == "series" else 11 / 502)) < 0.08


def test_strides_and_short_contexts(rng):
    series = SeriesSet.from_arrays([np.arange(20.0)])
    maker = WindowMaker(8, 2, "none", parts=())
    assert WindowStream(series, maker, stride=5).rows == 3
    stream = WindowStream(series, maker, min_context=1, batches=True)
    assert stream.rows == 18
    first = stream.take(np.array([0])).x
    assert first.x[0, :, 1].tolist() == [0] * 7 + [1] + [0] * 2
    with pytest.raises(ValueError, match=r"No series has a window of 30 steps .*'0' has 20 steps"):
        WindowStream(series, WindowMaker(30, 2))
    with pytest.raises(ValueError, match="sampling is 'all'"):
        WindowStream(series, maker, sampling="all")


def test_the_trainer_takes_it(rng):
    wave = np.sin(np.arange(300) * 0.3) * 5 + 20
    train, val = split_series(SeriesSet.from_arrays([wave], frequency="h"), shares=(0.8, 0.2))
    maker = WindowMaker(24, 4, parts=())
    network = fastdl.Sequential(
        fastdl.Flatten(), fastdl.Dense(28 * 2, 4, rng=rng), loss=fastdl.MeanSquaredError
    )
    trainer = fastdl.Trainer(network, fastdl.Adam(lr=0.01))
    trainer.train(WindowStream(train, maker), None, WindowStream(val, maker), None, 20, 16,
                  verbose=False)  # fmt: skip
    assert np.mean(trainer.loss_history[-5:]) < 0.05 * np.mean(trainer.loss_history[:5])


def test_targets_that_are_missing_have_no_weight():
    values = np.arange(12.0)
    values[10] = np.nan
    rows = WindowStream(SeriesSet.from_arrays([values]), WindowMaker(4, 2, parts=())).take(
        np.arange(7)
    )
    assert rows.weight.tolist() == [1, 1, 1, 1, 1, 0, 0]
    assert np.isfinite(rows.t).all()


# ---------------------------------------------------------------------------- splits, folds
def test_parts_follow_each_other_in_time():
    series = SeriesSet.from_arrays([np.arange(100.0), np.arange(30.0)], ["long", "late"],
                                   start=["2024-01-01", "2024-03-11"])  # fmt: skip
    parts = split_series(series, shares=(0.6, 0.2, 0.2))
    assert [p.ids for p in parts] == [("long",), ("long", "late"), ("long", "late")]
    assert parts[1].target_from.tolist() == [60, 0]
    assert parts[2].length.tolist() == [100, 30]
    maker = WindowMaker(10, 5, parts=())
    origins = [WindowStream(part, maker, batches=True).take(np.arange(5)).x.origin.tolist()
               for part in parts]  # fmt: skip
    assert origins[0] == [10, 11, 12, 13, 14]
    assert origins[2][0] == 80  # its context is in the part before, its targets are not
    by_date = split_series(series, at=["2024-03-01", "2024-03-21"])
    assert by_date[1].target_from.tolist() == [60, 0]
    by_steps = split_series(series, steps=[50, 20])
    assert by_steps[1].length.tolist() == [70]
    assert until(series, "2024-01-03T12:00").length.tolist() == [3]


@pytest.mark.parametrize(
    ("options", "words"),
    [({}, "Pass one of"), ({"shares": (0.5, 0.4)}, "add up to 0.9"),
     ({"at": ["2030-01-01"]}, "a part would be empty"), ({"steps": [50, 60]}, "would be empty")],
)  # fmt: skip
def test_splits_that_do_not_fit(options, words):
    with pytest.raises(ValueError, match=words):
        split_series(SeriesSet.from_arrays([np.arange(100.0)]), **options)


def test_folds_have_the_same_origins_for_all_series():
    series = SeriesSet.from_arrays([np.arange(50.0), np.arange(30.0)], ["a", "b"],
                                   start=["2024-01-01", "2024-01-11"])  # fmt: skip
    folds = list(BacktestFolds(horizon=5, step=10, folds=3).of(series))
    assert [str(f.time)[:10] for f in folds] == ["2024-01-26", "2024-02-05", "2024-02-15"]
    assert folds[1].history.length.tolist() == [35, 25]
    assert folds[1].actual.tolist() == [[35, 36, 37, 38, 39], [25, 26, 27, 28, 29]]
    assert folds[2].history.ids == ("a",)  # b has ended
    for wrong in ({"horizon": 0}, {"horizon": 5, "folds": 0}, {"horizon": 5, "step": 0}):
        with pytest.raises(ValueError, match="expected a positive int"):
            BacktestFolds(**wrong)
    with pytest.raises(ValueError, match="5 folds of horizon 10 and step 10 need 51 steps"):
        list(BacktestFolds(10, folds=5).of(series))


@pytest.mark.parametrize("poison", [np.nan, 1e30])
def test_nothing_of_the_future_is_seen(poison):
    """Values from a fold's origin on are replaced: histories, windows and forecasts stay."""
    from fastdl.forecasting import baselines

    clean = generate_ad_series(4, 24 * 20, "h", seed=1).series("clicks")
    folds = BacktestFolds(24, 24, 3)
    maker = WindowMaker(48, 24)
    for number, fold in enumerate(folds.of(clean)):
        poisoned = clean.values.reshape(4, -1).copy()
        step = fold.origin - clean.ticks[0]
        poisoned[:, step:] = poison
        other = SeriesSet.from_arrays(
            poisoned, clean.ids, frequency="h", start="2024-01-01",
            known=clean.known.reshape(4, -1, 2),
        )  # fmt: skip
        history = list(folds.of(other))[number].history
        assert history.length.tolist() == fold.history.length.tolist()
        maker.fit(fold.history)
        rows = np.arange(4)
        a = maker.make(fold.history, rows, fold.history.length)
        b = maker.make(history, rows, history.length)
        assert a[0].x.tobytes() == b[0].x.tobytes()
        assert not a[2].any()  # targets behind the end of a view are not read
        assert not b[2].any()
        for mine, theirs in zip(baselines(), baselines(), strict=True):
            one = mine.fit(fold.history).predict(fold.history, 24)
            two = theirs.fit(history).predict(history, 24)
            assert one.point.tobytes() == two.point.tobytes(), mine.name
            assert one.quantiles.tobytes() == two.quantiles.tobytes(), mine.name


def test_ten_thousand_series_are_not_copied(rng):
    import tracemalloc

    values = rng.standard_normal((10_000, 1000), dtype=np.float32)
    series = SeriesSet.from_arrays(values, frequency="h")
    stream = WindowStream(series[:5], WindowMaker(96, 24), per_epoch=64)
    batches(stream, batch=64)  # which compiles, and that is slow while memory is traced
    tracemalloc.start()
    train, val = split_series(series, shares=(0.9, 0.1))
    stream = WindowStream(train, WindowMaker(96, 24), per_epoch=512)
    batches(stream, batch=64)
    WindowStream(val, WindowMaker(96, 24))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 40e6  # the values are 40 MB
