"""Logs larger than memory: blocks, windows, the encoded blocks on disk, and training on them."""

from __future__ import annotations

import errno
import threading
import time

import numpy as np
import pytest

import fastdl
from fastdl import prefetch
from fastdl.data import EncodedLog, FeatureEncoder, encoded_log, iter_ad_log, labels
from fastdl.prefetch import prefetched

ROWS, BLOCK = 2500, 400
OPTIONS = {"numeric": 2, "categorical": 3, "cardinality": 300, "seed": 3}


def tables(batch_rows=150):
    return iter_ad_log(ROWS, batch_rows=batch_rows, **OPTIONS)


@pytest.fixture(scope="module")
def encoder():
    return FeatureEncoder(numbers="number").fit(tables())


def make(encoder, **options):
    given = {"block_rows": BLOCK, "window_rows": 1000, **options}
    return EncodedLog(given.pop("tables", tables), encoder, given.pop("rows", ROWS), **given)


def whole(encoder):
    table = next(iter(iter_ad_log(ROWS, **OPTIONS)))
    return encoder.spec_.batch(encoder.transform(table), np.dtype(np.float32)), labels(table)


def content(pieces):
    """Each row as one line of numbers, label first."""
    found = [np.column_stack([p.t, p.x.numeric, p.x.ids]) for p in pieces]
    return np.concatenate(found)


def epoch(log, number, seed=7, batch=100, first=0):
    """All rows in the order in which an epoch takes them."""
    taken = []
    for window in log.windows(number, seed, batch, first):
        start = max(first, window.start)
        taken += [window.take(row, batch) for row in range(start, window.stop, batch)]
    return content(taken)


def in_one_order(rows):
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("cut", [37, 150, 5000])
def test_blocks_are_the_log(encoder, tmp_path, cached, cut):
    log = make(encoder, tables=lambda: tables(cut), folder=tmp_path / "c" if cached else None)
    x, t = whole(encoder)
    expected = np.column_stack([t, x.numeric, x.ids])
    for _ in range(2):
        blocks = list(log.blocks())
        assert [len(b) for b in blocks] == [400] * 6 + [100]
        np.testing.assert_array_equal(content(blocks), expected)
    np.testing.assert_array_equal(content(log.blocks(850)), expected[850:])


def test_every_epoch_has_every_row_once_in_an_order_of_its_own(encoder, tmp_path):
    log = make(encoder, folder=tmp_path / "cache")
    expected = in_one_order(content(log.blocks()))
    orders = [epoch(log, number, seed) for number, seed in [(0, 1), (0, 2), (1, 1), (2, 1)]]
    for order in orders:
        np.testing.assert_array_equal(in_one_order(order), expected)
    assert not (orders[0] == orders[1]).all() and not (orders[0] == orders[2]).all()
    np.testing.assert_array_equal(epoch(log, 0, 1), orders[0])
    np.testing.assert_array_equal(epoch(log, 2, 1), orders[2])


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("first", [300, 1000, 2400])
def test_an_epoch_taken_up_in_its_middle_goes_on_as_it_was(
    encoder, tmp_path, number, cached, first
):
    folder = tmp_path / "cache" if cached else None
    expected = epoch(make(encoder, folder=folder), number)
    np.testing.assert_array_equal(
        epoch(make(encoder, folder=folder), number, first=first), expected[first:]
    )


def test_what_lies_on_disk_already_is_not_encoded_again(encoder, tmp_path):
    log = make(encoder, folder=tmp_path)
    expected = content(log.blocks())
    read = []

    def counted():
        for table in tables():
            read.append(len(table))
            yield table

    again = make(encoder, tables=counted, folder=tmp_path)
    np.testing.assert_array_equal(content(again.blocks()), expected)
    assert not read
    (tmp_path / "000003.safetensors").write_bytes(b"cut off")  # damaged, and one that is gone
    (tmp_path / "000005.safetensors").unlink()
    np.testing.assert_array_equal(content(again.blocks()), expected)
    assert len(epoch(again, 1)) == ROWS
    assert read


@pytest.mark.parametrize("rows", [ROWS - 1, ROWS + 1])
def test_a_log_that_changed_is_told(encoder, rows):
    with pytest.raises(ValueError, match="must not change while it is trained on"):
        list(make(encoder, rows=rows).blocks())


def test_a_folder_of_another_log_is_refused(encoder, tmp_path):
    make(encoder, folder=tmp_path, identity={"part": 1})
    make(encoder, folder=tmp_path, identity={"part": 1})
    with pytest.raises(ValueError, match="another log"):
        make(encoder, folder=tmp_path, identity={"part": 2})
    (tmp_path / "cache.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        make(encoder, folder=tmp_path)


def test_a_full_disk_is_told(encoder, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(encoded_log, "write_arrays", full)
    with pytest.raises(OSError, match=r"needs about .* MB in .*--no-cache"):
        list(make(encoder, folder=tmp_path).blocks())


def test_remove_leaves_nothing(encoder, tmp_path):
    log = make(encoder, folder=tmp_path / "cache")
    list(log.blocks())
    log.remove()
    assert not (tmp_path / "cache").exists()


def test_lists_go_through_blocks_and_windows(tmp_path):
    rng = np.random.default_rng(0)
    lists = [[str(v) for v in rng.integers(0, 9, rng.integers(0, 4))] for _ in range(90)]
    log = {"label": rng.integers(0, 2, 90), "seen": lists, "n": np.arange(90.0)}
    import pyarrow as pa

    table = pa.table(log)
    encoder = FeatureEncoder(numbers="number").fit(table)
    expected = encoder.transform(table)["seen"]
    stream = EncodedLog(lambda: [table[:50], table[50:]], encoder, 90, folder=tmp_path,
                        block_rows=40, window_rows=60)  # fmt: skip
    for _ in range(2):
        blocks = list(stream.blocks())
        values = np.concatenate([b.x.sequences[0][0] for b in blocks])
        lengths = np.concatenate([np.diff(b.x.sequences[0][1]) for b in blocks])
        np.testing.assert_array_equal(values, expected[0])
        np.testing.assert_array_equal(lengths, expected[1])
    by_number = dict(zip(encoder.transform(table)["numeric"][:, 0].tolist(), lists, strict=True))
    for window in stream.windows(1, 5, 20):
        for row in range(window.start, window.stop, 20):
            rows = window.take(row, 20)
            values, bounds = rows.x.sequences[0]
            for i, number in enumerate(rows.x.numeric[:, 0].tolist()):
                assert bounds[i + 1] - bounds[i] == len(by_number[number])


# ---------------------------------------------------------------------------- training
def train(encoder, x, t=None, *, epochs=3, callbacks=(), resume=None, **options):
    rng = np.random.default_rng(5)
    model = fastdl.DeepFM(encoder.spec_, 4, (8,), rng=rng)
    trainer = fastdl.Trainer(model, fastdl.Adam(0.01))
    trainer.train(x, t, epochs=epochs, batch_size=100, rng=rng, verbose=False,
                  callbacks=list(callbacks), resume=resume, **options)  # fmt: skip
    return model, trainer


def test_training_on_a_stream_learns_what_training_on_arrays_learns(encoder, tmp_path):
    x, t = whole(encoder)
    log = make(encoder, folder=tmp_path / "cache", window_rows=10_000)
    _, streamed = train(encoder, log, x_val=log, epochs=6)
    _, arrays = train(encoder, x, t, x_val=x, t_val=t, epochs=6)
    assert len(streamed.loss_history) == len(arrays.loss_history) == 150
    first, last = streamed.history["val_loss"][0], streamed.history["val_loss"][-1]
    assert last < first - 0.02
    assert abs(last - arrays.history["val_loss"][-1]) < 0.02
    assert abs(streamed.history["val_auc"][-1] - arrays.history["val_auc"][-1]) < 0.03


@pytest.mark.parametrize("cached", [False, True])
def test_validation_on_a_stream_is_that_on_arrays(encoder, tmp_path, cached):
    x, t = whole(encoder)
    log = make(encoder, folder=tmp_path / "cache" if cached else None)
    _, streamed = train(encoder, x, t, x_val=log, epochs=2)
    _, arrays = train(encoder, x, t, x_val=x, t_val=t, epochs=2)
    for name in ("val_loss", "val_accuracy", "val_auc"):
        np.testing.assert_allclose(streamed.history[name], arrays.history[name], rtol=1e-6)


class Stop(Exception):
    pass


class StopAt(fastdl.Callback):
    def __init__(self, step):
        self.step = step

    def on_steps(self, run):
        if run.step == self.step:
            raise Stop


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("step", [3, 25, 31, 62])
def test_resumed_in_the_middle_of_an_epoch_to_equal_bits(encoder, tmp_path, cached, step):
    def run(folder, last=None, resume=None):
        log = make(encoder, folder=folder / "cache" if cached else None)
        keep = fastdl.Checkpoint(folder / "points", every_steps=3)
        return train(encoder, log, x_val=log, callbacks=[keep, StopAt(last)], resume=resume)

    expected, whole_run = run(tmp_path / "whole")
    with pytest.raises(Stop):
        run(tmp_path / "cut", last=step)
    found, resumed = run(tmp_path / "cut", resume=tmp_path / "cut" / "points")
    assert resumed.loss_history == whole_run.loss_history
    for name, array in expected.parameters().items():
        assert found.parameters()[name].tobytes() == array.tobytes(), name


def test_an_error_in_the_log_reaches_the_trainer_and_ends_the_thread(encoder):
    def broken():
        yield from list(tables())[:3]
        raise ValueError("line 451 is ragged")

    before = threading.active_count()
    with pytest.raises(ValueError, match="line 451"):
        train(encoder, make(encoder, tables=broken))
    assert threading.active_count() == before


def test_streams_are_for_models_with_embeddings_and_have_their_labels(encoder):
    log = make(encoder)
    network = fastdl.CTRPredictionNetwork(5, [4])
    with pytest.raises(TypeError, match="models with embeddings"):
        fastdl.Trainer(network, fastdl.Adam()).train(log, verbose=False)
    with pytest.raises(ValueError, match="leave t_train"):
        train(encoder, log, np.zeros(ROWS))
    with pytest.raises(ValueError, match="leave t_val"):
        train(encoder, log, x_val=log, t_val=np.zeros(ROWS))
    with pytest.raises(ValueError, match="t_train is missing"):
        train(encoder, whole(encoder)[0])


# ---------------------------------------------------------------------------- prefetched
def test_prefetched_is_ahead_by_no_more_than_asked():
    made = []

    def items():
        for n in range(10):
            made.append(n)
            yield n

    taken = prefetched(items(), ahead=2)
    assert next(taken) == 0
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(3 * prefetch._WAIT)
    assert made == [0, 1, 2, 3]  # 0 was taken, 1 and 2 wait, 3 is in the thread's hand
    assert list(taken) == list(range(1, 10))


def test_prefetched_closes_its_source_and_ends_its_thread():
    closed = []

    def items():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    before = threading.active_count()
    taken = prefetched(items())
    next(taken)
    taken.close()
    assert closed == [True] and threading.active_count() == before
