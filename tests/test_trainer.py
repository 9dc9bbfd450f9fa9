"""The Trainer: fused against layered, its options, callbacks, and what ends it."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl
from fastdl import files, schedules


def data(rows=210, dtype="float64"):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((rows, 5)).astype(dtype)
    return x, np.eye(2, dtype=dtype)[(x[:, 0] * x[:, 1] > 0).astype(int)]


def network(dtype="float64"):
    return fastdl.CTRPredictionNetwork(5, [8], dtype=dtype, rng=np.random.default_rng(0))


def train(optimizer=None, net=None, epochs=3, **options):
    x, t = data()
    trainer = fastdl.Trainer(net or network(), optimizer or fastdl.Adam(0.01))
    options = {"rng": np.random.default_rng(1), "verbose": False, "batch_size": 20, **options}
    trainer.train(x[:150], t[:150], x[150:], t[150:], epochs=epochs, **options)
    return trainer


class LayeredAdam(fastdl.Adam):
    """A user's optimizer: the Trainer then takes the network's and optimizer's own methods."""


@pytest.mark.parametrize("loss_at", ["after", "before"])
@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_fused_and_layered_training_agree(loss_at, drop_last, weighted):
    options = {"loss_at": loss_at, "drop_last": drop_last}
    if weighted:
        options["sample_weight"] = np.random.default_rng(3).random(150)
    fused, layered = train(fastdl.Adam(0.01), **options), train(LayeredAdam(0.01), **options)
    assert len(fused.loss_history) == 3 * (7 if drop_last else 8)
    np.testing.assert_allclose(fused.loss_history, layered.loss_history, rtol=1e-11)
    np.testing.assert_allclose(
        fused.network.store().flat, layered.network.store().flat, rtol=1e-9, atol=1e-12
    )
    for name in ("loss", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(fused.history[name], layered.history[name], rtol=1e-11)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("clip", [None, 0.1])
def test_backends_agree(backend, clip):
    reference = train(fastdl.SGD(0.1, momentum=0.9, clip_norm=clip))
    with fastdl.use_backend(backend):
        other = train(fastdl.SGD(0.1, momentum=0.9, clip_norm=clip))
    np.testing.assert_allclose(reference.loss_history, other.loss_history, rtol=1e-9)


def test_training_has_the_same_bits_on_one_and_two_threads(two_thread_counts):
    x, t = data(3000, "float32")

    def run():
        net = fastdl.CTRPredictionNetwork(5, [300, 40], rng=np.random.default_rng(0))
        trainer = fastdl.Trainer(net, fastdl.Adam())
        trainer.train(x, t, x, t, 2, 700, rng=np.random.default_rng(1), verbose=False)
        return net.store().flat.tobytes()

    one, two = two_thread_counts(run)
    assert one == two


@pytest.mark.parametrize("optimizer", [fastdl.Adam, LayeredAdam])
@pytest.mark.parametrize("via", ["lr", "callback"])
def test_schedules_set_every_steps_rate(optimizer, via):
    schedule = schedules.CosineDecay(0.05, total_steps=21)
    if via == "lr":
        trainer = train(optimizer(schedule))
    else:
        trainer = train(optimizer(0.9), callbacks=[fastdl.LearningRate(schedule)])
    assert trainer.optimizer.lr == schedule.rate(20)
    assert trainer.history["lr"][0] == schedule.rate(6)


def test_reduce_on_plateau_follows_the_validation_loss():
    schedule = schedules.ReduceOnPlateau(0.5, factor=0.1, patience=1)
    trainer = train(fastdl.SGD(schedule), epochs=30)
    assert trainer.history["lr"][-1] < 0.5


def test_early_stopping_stops_and_restores_the_best():
    stopping = fastdl.EarlyStopping(patience=2)
    trainer = train(fastdl.SGD(2.0), epochs=60, callbacks=[stopping])
    losses = trainer.history["val_loss"]
    assert len(losses) == int(np.argmin(losses)) + 3 < 60
    x, t = data()
    np.testing.assert_allclose(trainer.network.loss(x[150:], t[150:]), min(losses), rtol=1e-9)


def test_early_stopping_without_validation_says_what_to_do():
    x, t = data()
    trainer = fastdl.Trainer(network(), fastdl.Adam())
    with pytest.raises(ValueError, match="monitor='loss'"):
        trainer.train(x, t, epochs=1, callbacks=[fastdl.EarlyStopping()], verbose=False)
    with pytest.raises(ValueError, match="val_los'"):
        fastdl.EarlyStopping("val_los")


def test_progress_bar_and_history(capsys):
    history = fastdl.History()
    trainer = train(callbacks=[fastdl.ProgressBar(), history], verbose=True)
    table = history.table()
    assert table == trainer.history
    assert table["epoch"] == [1, 2, 3]
    assert {len(column) for column in table.values()} == {3}
    assert capsys.readouterr().out.count("Val Acc") == 3


def test_without_validation_the_line_has_the_loss_alone(capsys):
    x, t = data()
    fastdl.Trainer(network(), fastdl.Adam()).train(x, t, epochs=1)
    assert capsys.readouterr().out.startswith("Epoch 1/1 - Loss: 0.")


class Jump(schedules.Schedule):
    """A user's schedule: good for five steps, then far too large."""

    def _at(self, step):
        return 0.01 if step < 5 else 1e300


@pytest.mark.parametrize("optimizer", [fastdl.SGD, LayeredAdam])
@pytest.mark.parametrize("loss_at", ["after", "before"])
def test_divergence_names_step_loss_and_checkpoint(optimizer, loss_at, tmp_path):
    kept = fastdl.Checkpoint(tmp_path, every_steps=1)
    rates = Jump()
    with (
        np.errstate(all="ignore"),
        pytest.raises(fastdl.DivergedError, match=r"loss is (nan|inf) at step.*step-0"),
    ):
        train(optimizer(rates), callbacks=[kept], loss_at=loss_at, epochs=9)
    last = sorted(tmp_path.glob("*.safetensors"))[-1]
    assert int(last.stem.split("-")[1]) >= 4
    arrays, _ = files.read_arrays(last, "checkpoint")
    assert all(np.isfinite(array).all() for name, array in arrays.items() if "network" in name)


class Interrupt(fastdl.Callback):
    def __init__(self, step, error=KeyboardInterrupt):
        self.step, self.error = step, error

    def next_step(self, step):
        return self.step if step < self.step else None

    def on_steps(self, run):
        if run.step == self.step:
            raise self.error


def everything(trainer):
    states = trainer.optimizer.states()
    return (
        trainer.network.store().flat.tobytes(),
        [states[name].tobytes() for name in sorted(states)],
        trainer.optimizer.t,
        trainer.optimizer.lr,
        trainer.loss_history,
        [trainer.history[name] for name in ("epoch", "loss", "val_loss", "val_accuracy", "lr")],
    )


def deep(rng):
    return fastdl.Sequential(
        fastdl.Dense(5, 8, dtype="float64", rng=rng),
        fastdl.BatchNormalization(dtype="float64"),
        fastdl.ReLU(),
        fastdl.Dropout(0.2, rng=np.random.default_rng(7)),
        fastdl.Dropout(0.1),
        fastdl.Dense(8, 2, dtype="float64", rng=rng),
    )


RUNS = {
    "fused adam": lambda: (network(), fastdl.Adam(0.05)),
    "fused plateau": lambda: (network(), fastdl.SGD(schedules.ReduceOnPlateau(0.5, patience=1))),
    "cosine": lambda: (network(), fastdl.AdamW(schedules.CosineDecay(0.05, 50))),
    "layered": lambda: (deep(np.random.default_rng(0)), fastdl.RMSprop(0.01)),
}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("generator", ["global", "MT19937", "PCG64"])
@pytest.mark.parametrize("step", [3, 7, 17])
def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(name, generator, step, tmp_path):
    def options():
        np.random.seed(9)
        bits = None if generator == "global" else getattr(np.random, generator)(5)
        return {"rng": None if bits is None else np.random.Generator(bits), "epochs": 5,
                "drop_last": False}  # fmt: skip

    def callbacks():
        return [fastdl.EarlyStopping(patience=3), fastdl.Checkpoint(tmp_path, every_steps=3)]

    net, optimizer = RUNS[name]()
    stop = Interrupt(10**9)
    whole = train(optimizer, net, callbacks=[*callbacks(), stop], **options())
    for file in tmp_path.iterdir():
        file.unlink()
    net, optimizer = RUNS[name]()
    with pytest.raises(KeyboardInterrupt):
        train(optimizer, net, callbacks=[*callbacks(), Interrupt(step)], **options())
    net, optimizer = RUNS[name]()
    again = options()
    np.random.seed(1234)
    resumed = train(optimizer, net, callbacks=[*callbacks(), stop], resume=tmp_path, **again)
    assert everything(resumed) == everything(whole)


def test_a_full_disk_leaves_the_last_checkpoint_usable(tmp_path, monkeypatch):
    real, written = files.os.replace, []

    def fill(source, target):
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(target)
        real(source, target)

    kept = fastdl.Checkpoint(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(files.os, "replace", fill)
        with pytest.raises(OSError, match="No space"):
            train(callbacks=[kept])
    assert len(list(tmp_path.iterdir())) == 2  # no temporary file is left
    resumed = train(callbacks=[fastdl.Checkpoint(tmp_path)], resume=tmp_path)
    assert everything(resumed)[0] == everything(train())[0]


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path):
    train(callbacks=[fastdl.Checkpoint(tmp_path)], epochs=3)
    older, newest = sorted(tmp_path.iterdir())
    newest.write_bytes(newest.read_bytes()[:-50])
    resumed = train(callbacks=[fastdl.Checkpoint(tmp_path)], resume=tmp_path, epochs=3)
    assert everything(resumed)[0] == everything(train(epochs=3))[0]
    for file in tmp_path.iterdir():
        file.write_bytes(b"rubbish" * 9)
    with pytest.raises(ValueError, match="damaged"):
        train(callbacks=[fastdl.Checkpoint(tmp_path)], resume=tmp_path)
    assert older.name.startswith("step-")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"batch_size": 10}, "batch_size"), ({"optimizer": fastdl.SGD()}, "optimizer"),
     ({"net": fastdl.CTRPredictionNetwork(5, [9], dtype="float64")}, "layers"),
     ({"loss_at": "before"}, "loss_at"), ({"callbacks": []}, "callbacks")],
)  # fmt: skip
def test_a_checkpoint_of_another_run_is_refused(change, message, tmp_path):
    train(callbacks=[fastdl.Checkpoint(tmp_path)], epochs=1)
    options = {"callbacks": [fastdl.Checkpoint(tmp_path)], "resume": tmp_path, **change}
    with pytest.raises(ValueError, match=message):
        train(**options)


def test_checkpoint_keeps_the_last_ones(tmp_path):
    train(callbacks=[fastdl.Checkpoint(tmp_path, every_steps=2, keep=3)])
    assert len(list(tmp_path.iterdir())) == 3


def test_a_network_of_a_user_cannot_be_checkpointed_but_says_so(tmp_path):
    class Mine(fastdl.Optimizer):
        def update(self, params, grads):
            for key in params:
                params[key] -= 0.1 * grads[key]

    with pytest.raises(TypeError, match="Mine"):
        train(Mine(), callbacks=[fastdl.Checkpoint(tmp_path)])
