"""Differentiable augmentation: kernels and twins, the paper's formulas in PyTorch, adjoints."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from fastdl.kernels import jit
from oracles import gradient_check, tolerance

import fastdl
from fastdl.adversarial.augment import PRESETS, DifferentiableAugmentation, as_differentiable

CHANGES = {
    "nothing": PRESETS["none"],
    "flip": DifferentiableAugmentation(True, 0, 0, 0),
    "shift": DifferentiableAugmentation(False, 0.5, 0, 0),
    "colour": DifferentiableAugmentation(False, 0, 1, 0),
    "cutout": DifferentiableAugmentation(False, 0, 0, 0.5),
    "all": PRESETS["photographs"],
}
SHAPES = [(1, 1, 1, 1), (5, 7, 9, 1), (6, 8, 8, 3), (3, 5, 4, 2), (40, 32, 32, 3)]


def side(name, which):
    function = getattr(
        importlib.import_module(f"fastdl.kernels.{which}augment_differentiable"), name
    )
    ours = which == "" and jit.numba_is_compiling()
    return jit.on_our_threads(function) if ours else function


@pytest.mark.parametrize("name", ["augment_forward", "augment_backward"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_kernels_and_twins(shape, change, name, dtype, rng, two_thread_counts):
    x = rng.standard_normal(shape).astype(dtype)
    draws = CHANGES[change].draw(rng, *shape[:3])

    def run(which):
        out = np.full_like(x, np.nan)
        side(name, which)(x, draws.places, draws.colours.astype(dtype), draws.holes, out)
        return out

    one, two = two_thread_counts(lambda: run(""))
    assert one.tobytes() == two.tobytes()
    expected = run("reference.")
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(one, expected, **tolerance(dtype))
    if change != "nothing" and shape[0] > 1:
        assert not np.array_equal(one, x)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("channels", [1, 3])
def test_gradient_and_adjoint(change, channels, rng):
    x, dout = rng.standard_normal((2, 6, channels, 8, 9))
    augment = CHANGES[change]
    draws = augment.draw(rng, 6, 8, 9)
    dx = augment.backward(dout, draws)
    gradient_check(lambda: np.sum(augment.forward(x, draws) * dout), [x], [dx], rng)
    linear = augment.forward(x, draws) - augment.forward(np.zeros_like(x), draws)
    np.testing.assert_allclose(np.sum(linear * dout), np.sum(x * dx), rtol=1e-12)


def test_formulas_in_pytorch(rng):
    """Brightness, saturation, contrast, move and cutout as the paper's text defines them."""
    torch = pytest.importorskip("torch")
    x = torch.tensor(rng.uniform(-1, 1, (8, 3, 10, 12)), requires_grad=True)
    dout = rng.standard_normal((8, 3, 10, 12))
    augment = PRESETS["photographs"]
    draws = augment.draw(rng, 8, 10, 12)
    parts = []
    for i in range(8):
        (mirrored, low, right), colour = draws.places[i].tolist(), draws.colours[i].tolist()
        image = (x[i].flip(2) if mirrored else x[i]) + colour[0]
        grey = image.mean(0, keepdim=True)
        image = (image - grey) * colour[1] + grey
        image = (image - image.mean()) * colour[2] + image.mean()
        padded = torch.nn.functional.pad(image, (12, 12, 10, 10))
        image = padded[:, 10 - low : 20 - low, 12 - right : 24 - right]
        top, bottom, left, right = draws.holes[i].tolist()
        mask = torch.ones(10, 12, dtype=image.dtype)
        mask[top:bottom, left:right] = 0
        parts.append(image * mask)
    expected = torch.stack(parts)
    expected.backward(torch.tensor(dout))
    mine = augment.forward(x.detach().numpy(), draws)
    np.testing.assert_allclose(mine, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    dx = augment.backward(dout, draws)
    np.testing.assert_allclose(dx, x.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_draws_are_spread_as_the_paper_says(rng):
    draws = PRESETS["photographs"].draw(rng, 20_000, 32, 64)
    low, high = draws.colours.min(axis=0), draws.colours.max(axis=0)
    np.testing.assert_allclose(low, [-0.5, 0, 0.5], atol=2e-3)
    np.testing.assert_allclose(high, [0.5, 2, 1.5], atol=2e-3)
    np.testing.assert_allclose(draws.colours.mean(axis=0), [0, 1, 1], atol=0.02)
    assert abs(draws.places[:, 0].mean() - 0.5) < 0.02
    for column, most in ((1, 4), (2, 8)):
        assert np.array_equal(np.unique(draws.places[:, column]), np.arange(-most, most + 1))
    sides = draws.holes[:, 1::2] - draws.holes[:, ::2]
    assert sides.max(axis=0).tolist() == [16, 32]
    assert sides.min(axis=0).tolist() == [8, 16]  # centred at the border


def test_what_is_off_draws_nothing_and_the_global_state_is_used(rng):
    before = rng.bit_generator.state
    PRESETS["none"].draw(rng, 5, 8, 8)
    assert rng.bit_generator.state == before
    np.random.seed(3)
    first = PRESETS["standard"].draw(None, 5, 8, 8)
    np.random.seed(3)
    again = PRESETS["standard"].draw(None, 5, 8, 8)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_given_arrays_stay_and_memory_is_channels_last(rng):
    x = rng.standard_normal((4, 3, 8, 8)).astype(np.float32)
    kept = x.copy()
    draws = PRESETS["standard"].draw(rng, 4, 8, 8)
    out = PRESETS["standard"].forward(x, draws)
    np.testing.assert_array_equal(x, kept)
    assert out.dtype == np.float32 and out.transpose(0, 2, 3, 1).flags.c_contiguous
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(PRESETS["standard"].forward(last, draws), out)
    with fastdl.use_backend("numpy"):
        slow = PRESETS["standard"].forward(x, draws)
    np.testing.assert_allclose(out, slow, rtol=1e-5, atol=1e-5)


def test_names_and_fields():
    assert as_differentiable(None) is as_differentiable("none") is None
    assert as_differentiable("standard") == DifferentiableAugmentation()
    own = DifferentiableAugmentation(colour=True, cutout=0)
    assert as_differentiable(own.to_dict()) == own and own.colour == 1.0
    assert repr(own) == (
        "DifferentiableAugmentation(flip=False, shift=0.125, colour=1.0, cutout=0.0)"
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [(lambda: as_differentiable("odd"), "none, light, standard, photographs"),
     (lambda: as_differentiable({"odd": 1}), "no field odd"),
     (lambda: as_differentiable(3), "preset's name"),
     (lambda: DifferentiableAugmentation(flip=1), "flip is 1"),
     (lambda: DifferentiableAugmentation(shift=0.6), "shift is 0.6"),
     (lambda: DifferentiableAugmentation(colour=-1), "colour is -1"),
     (lambda: DifferentiableAugmentation(cutout=np.nan), "cutout is nan")],
)  # fmt: skip
def test_options_that_do_not_fit(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


@pytest.mark.parametrize(
    ("shape", "message"),
    [((3, 3, 8, 8), "3 images; the draws are of 4"), ((4, 8, 8), "expected images"),
     ((4, 3, 2, 8), "images of 2 x 8; the draws are of larger")],
)  # fmt: skip
def test_images_that_do_not_fit_the_draws(shape, message, rng):
    draws = PRESETS["standard"].draw(rng, 4, 8, 8)
    for method in (PRESETS["standard"].forward, PRESETS["standard"].backward):
        with pytest.raises(ValueError, match=message):
            method(np.zeros(shape, np.float32), draws)
