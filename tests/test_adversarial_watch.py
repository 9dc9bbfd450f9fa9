"""Collapse and divergence are seen, told, and the last good checkpoint is kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fastdl
from fastdl.adversarial import GANTrainer
from fastdl.adversarial.watch import Watch
from fastdl.callbacks import Callback, Checkpoint
from fastdl.run import Run
from fastdl.trainer import DivergedError

SHAPE = (40, 1, 6, 6)


@pytest.fixture
def real(rng):
    return rng.uniform(-1, 1, SHAPE).astype(np.float32)


def a_run(watch, epochs=20):
    settings = {"epochs": epochs, "batch_size": 4, "steps_per_epoch": 10}
    return Run(None, None, None, [watch], settings, ("epoch",))


def epochs_of(watch, count, run=None):
    """``count`` epochs without steps; the run."""
    run = run or a_run(watch)
    for _ in range(count):
        run.epoch += 1
        run.step += run.steps_per_epoch
        watch.on_epoch(run)
    return run


def kinds(watch):
    return [(event["epoch"], event["kind"]) for event in watch.events]


def test_good_samples_are_healthy(real, rng):
    watch = Watch(real, lambda: rng.uniform(-1, 1, SHAPE))
    run = epochs_of(watch, 5)
    assert watch.healthy and not watch.events and not run.stop
    np.testing.assert_allclose(run.history["diversity"], 1, atol=0.1)


def collapsed(rng):
    return np.broadcast_to(rng.uniform(-1, 1, SHAPE[1:]), SHAPE) + 0.01 * rng.standard_normal(SHAPE)


WRONG = {
    "alike": collapsed,
    "saturated": lambda rng: np.sign(rng.standard_normal(SHAPE)),
    "constant": lambda rng: np.zeros(SHAPE) + rng.uniform(-0.9, 0.9, (SHAPE[0], 1, 1, 1)),
    "not finite": lambda rng: np.where(np.arange(6) == 2, np.nan, rng.uniform(-1, 1, SHAPE)),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_samples_are_told_after_some_epochs(kind, real, rng):
    samples = [rng.uniform(-1, 1, SHAPE), *(WRONG[kind](rng) for _ in range(4))]
    samples += [rng.uniform(-1, 1, SHAPE), *(WRONG[kind](rng) for _ in range(3))]
    watch = Watch(real, iter(samples).__next__, patience=3)
    run = epochs_of(watch, 1)
    assert watch.healthy
    epochs_of(watch, 2, run)
    assert not watch.healthy and not watch.events
    epochs_of(watch, 2, run)
    assert kinds(watch) == [(4, kind)]
    epochs_of(watch, 1, run)
    assert watch.healthy
    epochs_of(watch, 3, run)
    assert kinds(watch) == [(4, kind), (9, kind)] and not run.stop
    assert len(run.history["diversity"]) == 9
    if kind == "alike":
        assert run.history["diversity"][3] < 0.05 < 0.9 < run.history["diversity"][5]


def test_samples_that_were_never_better_do_not_stop_training(real, rng):
    grey, good = (lambda: np.zeros(SHAPE)), lambda: rng.uniform(-1, 1, SHAPE)
    makes = [grey] * 6 + [good] + [grey] * 3
    watch = Watch(real, lambda: makes.pop(0)(), patience=3, stop=True)
    run = epochs_of(watch, 9)
    assert not run.stop and {event["epoch"] for event in watch.events} == {3}
    assert "so from the start" in watch.events[0]["message"]
    epochs_of(watch, 1, run)
    assert run.stop and {event["epoch"] for event in watch.events} == {3, 10}
    assert "so from the start" not in watch.events[-1]["message"]
    broken = Watch(real, lambda: np.full(SHAPE, np.nan), patience=2, stop=True)
    assert epochs_of(broken, 2).stop


def test_saturated_is_measured_by_the_real_images(rng):
    """Black and white images are at their ends, and so are good samples of them."""
    black_and_white = np.sign(rng.standard_normal(SHAPE))
    watch = Watch(black_and_white, lambda: np.sign(rng.standard_normal(SHAPE)))
    epochs_of(watch, 3)
    assert watch.healthy


def test_a_collapsed_class(real, rng):
    classes = np.repeat(np.arange(4), 10)

    def sample(wrong):
        x = rng.uniform(-1, 1, SHAPE)
        if wrong:
            x[classes == 2] = x[classes == 2][:1] + 0.01 * rng.standard_normal((10, 1, 6, 6))
        return x

    given = {"classes": classes, "real_classes": rng.permutation(classes), "patience": 1}
    watch = Watch(real, lambda: sample(False), **given)
    epochs_of(watch, 2)
    assert watch.healthy
    watch = Watch(real, lambda: sample(True), **given)
    epochs_of(watch, 1)
    assert kinds(watch) == [(1, "alike")] and "class 2 (" in watch.events[0]["message"]
    watch = Watch(real, lambda: sample(True), patience=1)
    epochs_of(watch, 1)
    assert watch.healthy  # without classes nine of ten images differ


def losses(d, g, count=100):
    return [
        [a, b, 0.9, 0.1] for a, b in zip(np.full(count, d), np.linspace(*g, count), strict=True)
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [(losses(0.01, (3, 9)), True), (losses(0.01, (9, 3)), False), (losses(0.6, (3, 9)), False),
     (losses(-5.0, (3, 9)), False), (losses(0.01, (3, 9), 90), False)],
    ids=["won", "generator's falls", "even", "negative", "too few steps"],
)  # fmt: skip
def test_a_discriminator_that_has_won(given, told, real, rng):
    watch = Watch(real, lambda: rng.uniform(-1, 1, SHAPE), window=100, every_steps=50, stop=True)
    run = a_run(watch)
    run.losses, run.step, run.epoch, run.epoch_step = given, 200, 3, 7
    assert watch.next_step(200) == 250
    watch.on_steps(run)
    assert kinds(watch) == ([(4, "discriminator won")] if told else [])
    assert watch.healthy is not told and run.stop is told
    watch.on_steps(run)
    assert len(watch.events) == told  # once
    run.losses = losses(1.2, (1, 1))
    watch.on_steps(run)
    assert watch.healthy


def test_state_goes_through_json(real, rng):
    watch = Watch(real, lambda: np.zeros(SHAPE), patience=2)
    run = epochs_of(watch, 3)
    assert {kind for _, kind in kinds(watch)} == {"alike", "constant"}
    again = Watch(real, lambda: np.zeros(SHAPE), patience=2)
    again.load_state(json.loads(json.dumps(watch.state())), {})
    assert again.events == watch.events and not again.healthy
    assert again.state() == watch.state()
    epochs_of(again, 1, run)
    assert again.events == watch.events  # what was told is not told again


# ---------------------------------------------------------------------------- training
def a_gan():
    rng = np.random.default_rng(0)
    layers = [fastdl.Dense(4, 2, rng=rng), fastdl.Dense(2, 1, rng=rng)]
    return fastdl.GAN(*(fastdl.Sequential(layer) for layer in layers), latent=4)


def train(watch, folder, epochs, rng, resume=None, more=(), lr=0.0002):
    gan = a_gan()
    optimizers = [fastdl.Adam(lr, beta1=0.5) for _ in range(2)]
    trainer = GANTrainer(gan, *optimizers)
    data = np.random.default_rng(1).standard_normal((40, 2))
    trainer.train(
        data, epochs=epochs, batch_size=8, rng=rng, verbose=False, resume=resume,
        callbacks=[watch, Checkpoint(folder, keep=2), *more],
    )  # fmt: skip
    return gan, trainer


def healthy_until(last):
    """A sampler that collapses after so many epochs."""
    epoch, rng = [0], np.random.default_rng(7)

    def sample():
        epoch[0] += 1
        return rng.standard_normal((30, 2)) * (1.0 if epoch[0] <= last else 1e-3)

    return sample


def test_the_last_good_checkpoint_is_kept(tmp_path, rng):
    points = rng.standard_normal((50, 2))
    watch = Watch(points, healthy_until(3))
    train(watch, tmp_path, 8, np.random.default_rng(0))
    assert kinds(watch) == [(6, "alike")] and not watch.healthy
    assert watch.good == tmp_path / "good.safetensors"
    assert str(watch.good) in watch.events[0]["message"]
    assert len(list(tmp_path.iterdir())) == 3  # and the two newest ones
    gan, _ = train(Watch(points, healthy_until(9)), tmp_path / "other", 3, np.random.default_rng(0))
    resumed = a_gan()
    again = GANTrainer(resumed)
    own = Watch(points, healthy_until(9))
    data = np.random.default_rng(1).standard_normal((40, 2))
    again.train(
        data, epochs=3, batch_size=8, rng=rng, verbose=False, resume=watch.good,
        callbacks=[own, Checkpoint(tmp_path / "third")],
    )  # fmt: skip
    assert again.history["epoch"] == [1, 2, 3] and len(again.history["diversity"]) == 3
    for name, array in gan.parameters().items():
        np.testing.assert_array_equal(resumed.parameters()[name], array)


def test_training_stops_and_the_run_can_be_resumed(tmp_path, rng):
    points = rng.standard_normal((50, 2))
    watch = Watch(points, healthy_until(1), patience=2, stop=True)
    _, trainer = train(watch, tmp_path, 8, rng)
    assert trainer.history["epoch"] == [1, 2, 3]
    later = Watch(points, healthy_until(0), patience=2)
    _, trainer = train(later, tmp_path, 8, rng, resume=tmp_path)
    assert kinds(later) == [(3, "alike")] and later.state() == watch.state()
    assert len(trainer.history["diversity"]) == len(trainer.history["epoch"]) == 3


def test_a_healthy_epoch_after_a_bad_one_is_kept_anew(tmp_path, rng):
    points, good = rng.standard_normal((50, 2)), []
    scales = iter([1, 1e-3, 1, 1e-3])

    class Steps(Callback):
        def on_epoch(self, run):
            good.append(watch._good_step)

    watch = Watch(points, lambda: next(scales) * points[:30])
    train(watch, tmp_path, 4, rng, more=[Steps()])
    assert good == [5, 5, 15, 15]
    from fastdl.files import read_arrays

    assert read_arrays(watch.good, "checkpoint")[1]["progress"][:2] == [3, 15]


def test_divergence_is_told_and_leaves_the_good_checkpoint(tmp_path, rng):
    points = rng.standard_normal((50, 2))

    class Breaks(Callback):
        def on_epoch(self, run):
            if run.epoch == 2:
                run.network.discriminator.layers[0].W[...] = np.inf

    watch = Watch(points, healthy_until(9))
    with pytest.raises(DivergedError), np.errstate(all="ignore"):
        train(watch, tmp_path, 5, rng, more=[Breaks()])
    assert kinds(watch) == [(3, "diverged")] and not watch.healthy
    assert watch.good.is_file()


def test_the_order_of_callbacks(tmp_path, rng):
    points = rng.standard_normal((50, 2))
    with pytest.raises(ValueError, match="put it before"):
        GANTrainer(a_gan()).train(
            points, epochs=1, batch_size=8, rng=rng, verbose=False,
            callbacks=[Checkpoint(tmp_path), Watch(points, lambda: points)],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"real": np.ones(SHAPE)}, "one image repeated"), ({"real": np.zeros((1, 2))}, "2 rows"),
     ({"real": np.full((3, 2), np.nan)}, "NaN"), ({"sample": 3}, "sample is 3"),
     ({"classes": [0] * 40}, "or neither"), ({"patience": 0}, "patience is 0"),
     ({"classes": [0], "real_classes": [0]}, "real_classes has shape"),
     ({"least": 2}, "least is 2")],
)  # fmt: skip
def test_arguments_that_do_not_fit(fields, message, real):
    given = {"real": real, "sample": lambda: real, **fields}
    with pytest.raises((ValueError, TypeError), match=message):
        Watch(given.pop("real"), given.pop("sample"), **given)


def test_samples_of_another_shape(real):
    watch = Watch(real, lambda: np.zeros((5, 3, 6, 6)))
    with pytest.raises(ValueError, match=r"shape \(5, 3, 6, 6\); expected \(n, 1, 6, 6\)"):
        epochs_of(watch, 1)
