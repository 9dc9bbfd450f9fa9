"""GANs: the step against PyTorch, resuming, threads, averaged weights, files, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.models.gan.base import spherical
from oracles import gradient_check

import fastdl
from fastdl.data.images import ImageSet, ImageStream

RECIPES = {
    "plain": {"size": 28}, "classes": {"size": 28, "classes": 3},
    "colour": {"size": 32, "channels": 3},
    "no normalization": {"size": 28, "normalization": "none"},
    "64 pixels": {"size": 64, "channels": 3, "classes": 2},
}  # fmt: skip


def made(rng=None, width=4, **options):
    own = {"latent": 6, "width": width, "rng": rng or np.random.default_rng(0), **options}
    return fastdl.DCGAN(**own)


def rows_of(gan, rng, count=12):
    x = np.tanh(rng.standard_normal((count, gan.channels, *gan.size)))
    return x.astype(gan.dtype), rng.integers(0, gan.classes, count) if gan.classes else None


@pytest.mark.parametrize("name", RECIPES)
def test_steps_equal_pytorchs(name, rng):
    """Three whole steps in float64: both losses and all weights."""
    torch = pytest.importorskip("torch")
    from torch_gan import Step, tensor

    gan = made(dtype="float64", average=None, **RECIPES[name])
    x, classes = rows_of(gan, rng)
    step = Step(gan)
    trainer = fastdl.GANTrainer(gan)
    draws = []
    draw = gan.draw
    gan.draw = lambda *given: draws.append(draw(*given)) or draws[-1]
    order = np.random.default_rng(5)
    trainer.train(x, classes, epochs=3, batch_size=12, rng=order, verbose=False)
    again, rows = np.random.default_rng(5), np.arange(12)
    for i, z in enumerate(draws):
        rows = rows[again.permutation(12)]
        again.standard_normal((12, gan.latent))
        own = None if classes is None else torch.tensor(classes[rows])
        found = step(tensor(x[rows]), torch.tensor(z), own)
        np.testing.assert_allclose(trainer.loss_history[i][:2], found, rtol=1e-8, err_msg=str(i))
    for ours, theirs in ((gan.generator, step.G), (gan.discriminator, step.D)):
        for layer, module in zip(ours.layers, theirs.theirs, strict=True):
            if isinstance(layer, fastdl.Conv2D | fastdl.ConvTranspose2D):
                np.testing.assert_allclose(layer.W, module.weight.detach().numpy(), atol=2e-6)


@pytest.mark.parametrize("name", RECIPES)
def test_the_generators_gradient_goes_through_the_discriminator(name, rng):
    gan = made(dtype="float64", average=None, **RECIPES[name])
    loss = gan.loss_layer
    z = gan.draw(6, rng)
    classes = rng.integers(0, gan.classes, 6) if gan.classes else None

    def forward():
        kept = gan.generator.run(gan.rows(z, classes))
        return kept, gan.discriminator.run(gan.rows(kept.out, classes))

    kept, judged = forward()
    grads = kept.backward(judged.backward_inputs(loss.generator(judged.out)[1]))
    parameters = gan.generator.parameters()
    names = [name for name in parameters if not name.startswith("b0")]  # batch norm cancels it
    gradient_check(
        lambda: loss.generator(forward()[1].out)[0], [parameters[n] for n in names],
        [grads[n] for n in names], rng, step=2e-9, tolerance=2e-5,
    )  # fmt: skip


OPTIONS = {
    "plain": {"size": 28},
    "everything": {
        "size": 28, "classes": 3, "normalization": "spectral", "minibatch_stddev": True,
        "loss": "hinge",
    },
}  # fmt: skip


def weights(gan):
    return {
        f"{part}/{name}": array.copy()
        for part in ("generator", "discriminator", "averaged")
        for layer_number, layer in enumerate(getattr(gan, part).layers)
        for key, array in {**layer.parameters(), **layer.states()}.items()
        for name in (f"{key}{layer_number}",)
    }


@pytest.mark.parametrize("name", OPTIONS)
def test_a_resumed_run_ends_with_the_same_bits(name, tmp_path, rng):
    x, classes = rows_of(made(**OPTIONS[name]), rng, 40)

    def run(folder, stop_at=None, resume=None):
        class Stop(fastdl.Callback):
            def on_steps(self, run):
                if stop_at is not None and run.step >= stop_at:
                    raise KeyboardInterrupt

        gan = made(**OPTIONS[name])
        trainer = fastdl.GANTrainer(gan)
        callbacks = [fastdl.Checkpoint(folder, every_steps=3), Stop()]
        trainer.train(
            x, classes, epochs=2, batch_size=8, callbacks=callbacks, resume=resume,
            rng=np.random.default_rng(7), verbose=False,
        )  # fmt: skip
        return weights(gan), trainer.loss_history, trainer.history

    whole, losses, history = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", stop_at=7)
    again, same_losses, same_history = run(tmp_path / "cut", resume=tmp_path / "cut")
    assert same_losses == losses
    assert {k: v for k, v in same_history.items() if k != "seconds"} == {
        k: v for k, v in history.items() if k != "seconds"
    }
    for key, array in whole.items():
        np.testing.assert_array_equal(again[key], array, err_msg=key)


@pytest.mark.parametrize("name", OPTIONS)
def test_bits_do_not_depend_on_the_number_of_threads(name, two_thread_counts, rng):
    x, classes = rows_of(made(width=16, **OPTIONS[name]), rng, 64)

    def run():
        gan = made(width=16, **OPTIONS[name])
        fastdl.GANTrainer(gan).train(
            x, classes, epochs=1, batch_size=32, rng=np.random.default_rng(1), verbose=False
        )
        return weights(gan)

    one, two = two_thread_counts(run)
    for key, array in one.items():
        np.testing.assert_array_equal(two[key], array, err_msg=key)


def test_averaged_weights_follow_their_formula(rng):
    gan = made(size=28, average=0.9)
    x, _ = rows_of(gan, rng, 16)
    seen = []

    class Note(fastdl.Callback):
        def on_steps(self, run):
            seen.append(gan.generator.layers[0].W.copy())

    first = gan.averaged.layers[0].W.copy()
    fastdl.GANTrainer(gan).train(
        x, epochs=4, batch_size=8, callbacks=[Note()], rng=rng, verbose=False
    )
    mean = first.astype(np.float64)
    for step, W in enumerate(seen, 1):
        keep = min(0.9, step / (step + 9))
        mean = keep * mean + (1 - keep) * W
    np.testing.assert_allclose(gan.averaged.layers[0].W, mean, rtol=1e-4, atol=1e-6)
    assert not np.array_equal(gan.averaged.layers[2].running_mean, np.zeros(8))


def test_a_saved_gan_makes_the_same_images(tmp_path, rng):
    gan = made(**OPTIONS["everything"])
    x, classes = rows_of(gan, rng, 16)
    fastdl.GANTrainer(gan).train(x, classes, epochs=1, batch_size=8, rng=rng, verbose=False)
    gan.save(tmp_path / "gan.safetensors")
    again = fastdl.load(tmp_path / "gan.safetensors")
    assert type(again) is fastdl.DCGAN
    assert again.config() == gan.config()
    assert again.loss_layer.name == "hinge"
    z = gan.draw(5, rng)
    np.testing.assert_array_equal(
        again.generate(z, [0, 1, 2, 2, 1]), gan.generate(z, [0, 1, 2, 2, 1])
    )
    both = again.discriminator.eval(), gan.discriminator.eval()
    first, second = (own.predict(gan.rows(x, classes)) for own in both)
    np.testing.assert_array_equal(first, second)


def test_images_come_from_streams_with_their_classes(rng):
    pixels = rng.integers(0, 256, (24, 28, 28)).astype(np.uint8)
    images = ImageSet.from_arrays(pixels, np.arange(24) % 3)
    stream = ImageStream(images, channels=1, mean=0.5, std=0.5)
    gan = made(size=28, classes=3)
    trainer = fastdl.GANTrainer(gan)
    trainer.train(stream, epochs=2, batch_size=8, rng=rng, verbose=False)
    assert len(trainer.loss_history) == 6
    assert np.isfinite(trainer.loss_history).all()


def test_history_and_printed_lines(capsys, rng):
    gan = made(size=28)
    x, _ = rows_of(gan, rng, 16)
    trainer = fastdl.GANTrainer(gan)
    trainer.train(x, epochs=1, batch_size=8, rng=rng)
    mean = np.mean(trainer.loss_history, axis=0)
    for name, value in zip(("loss_d", "loss_g", "real", "fake"), mean, strict=True):
        np.testing.assert_allclose(trainer.history[name], [value])
    line = capsys.readouterr().out
    assert line == (
        f"Epoch 1/1 - Discriminator: {mean[0]:.4f}, Generator: {mean[1]:.4f}, "
        f"D(real): {mean[2]:.3f}, D(fake): {mean[3]:.3f}\n"
    )


def test_clipping_and_several_discriminator_steps(rng):
    gan = made(size=28, normalization="none", loss=fastdl.WassersteinLoss(clip=0.005))
    x, _ = rows_of(gan, rng, 24)
    before = gan.generator.layers[0].W.copy()
    optimizers = fastdl.RMSprop(5e-5), fastdl.RMSprop(5e-5)
    trainer = fastdl.GANTrainer(gan, *optimizers, discriminator_steps=3)
    trainer.train(x, epochs=2, batch_size=8, rng=rng, verbose=False)
    assert optimizers[0].t == 2 and optimizers[1].t == 6
    largest = max(abs(a).max() for a in gan.discriminator.parameters().values())
    assert 0.004 < largest <= np.float32(0.005)
    assert not np.array_equal(before, gan.generator.layers[0].W)


def test_divergence_stops_training(rng):
    gan = made(size=28)
    x, _ = rows_of(gan, rng, 16)
    gan.discriminator.layers[0].b = np.full(4, np.nan)
    with pytest.raises(fastdl.DivergedError, match=r"The loss is \[nan.*at step 1"):
        fastdl.GANTrainer(gan).train(x, epochs=1, batch_size=8, rng=rng, verbose=False)


def test_sampling(rng):
    gan = made(size=28, classes=3)
    one, two = (gan.sample(4, rng=np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    z = gan.draw(300, rng)
    np.testing.assert_allclose(
        gan.generate(z, np.zeros(300, int), batch_size=7), gan.generate(z, np.zeros(300, int)),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"z has shape \(3, 5\); expected \(N, 6\)"):
        gan.generate(np.ones((3, 5)), [0, 1, 2])
    with pytest.raises(ValueError, match="classes has 3; the GAN has 3, from 0 on"):
        gan.sample(2, classes=3)
    with pytest.raises(ValueError, match="has 3 classes; say which ones"):
        gan.generate(np.ones((3, 6)))
    with pytest.raises(ValueError, match="made without classes"):
        made(size=28).sample(2, classes=1)


def test_spherical_points_are_as_long_as_their_ends(rng):
    a, b = rng.standard_normal((2, 50))
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    points = spherical(a, b, 7)
    np.testing.assert_allclose(points[[0, -1]], [a, b], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), np.linalg.norm(a), rtol=1e-9)
    np.testing.assert_allclose(spherical(a, a, 3), [a] * 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 30}, "size is 30; a DCGAN makes images of 28, 32, 64 pixels"),
        ({"channels": 2}, r"channels is 2; expected 1 \(grey\) or 3"),
        ({"normalization": "layer"}, "normalization is 'layer'; expected one of batch"),
        ({"average": 1.0}, "average"),
        ({"loss": "log"}, "loss is 'log'; expected one of minimax"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        made(**options)


def test_bad_training_data(rng):
    gan = made(size=28)
    train = fastdl.GANTrainer(gan).train
    with pytest.raises(ValueError, match="got images of 32 x 32 pixels; expected 28 x 28"):
        train(np.zeros((8, 1, 32, 32)), epochs=1, batch_size=4, verbose=False)
    with pytest.raises(ValueError, match=r"DCGAN got x of shape \(4, 3, 28, 28\)"):
        train(np.zeros((8, 3, 28, 28)), epochs=1, batch_size=4, verbose=False)
    with pytest.raises(ValueError, match="There are 1 rows in a batch"):
        train(np.zeros((1, 1, 28, 28)), epochs=1, verbose=False)
    with pytest.raises(TypeError, match=r"gan is Sequential; expected a fastdl\.GAN"):
        fastdl.GANTrainer(fastdl.Sequential(fastdl.Dense(2, 1)))
    with pytest.raises(ValueError, match="no layer of the generator takes classes"):
        fastdl.GAN(
            fastdl.Sequential(fastdl.Dense(2, 2)), fastdl.Sequential(fastdl.Dense(2, 1)),
            latent=2, classes=3,
        )  # fmt: skip
