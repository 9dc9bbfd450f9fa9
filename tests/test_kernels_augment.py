"""The kernels that augment images, against their twins and against plain array operations."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import augment
from fastdl.kernels.reference import augment as twin

from fastdl.data.images import Augmentation, normalized
from fastdl.data.images.draws import draw
from fastdl.data.images.statistics import grey_weights

MEAN, STD = np.array([0.5, 0.4, 0.3], np.float32), np.array([0.2, 0.25, 0.3], np.float32)
CHANGES = {
    "nothing": {}, "flip": {"flip": True}, "shift": {"shift": 0.3}, "crop": {"crop": 0.3},
    "rotation": {"rotation": 180}, "colour": {"brightness": 0.9, "contrast": 0.9, "saturation": 1},
    "cutout": {"cutout": 0.6},
    "all": {"flip": True, "shift": 0.2, "crop": 0.5, "rotation": 30, "brightness": 0.2,
            "contrast": 0.2, "saturation": 0.2, "cutout": 0.3},
}  # fmt: skip


def run(function, images, rows, draws, clamp):
    _, H, W, C = images.shape
    out = np.full((len(rows), H, W, C), np.nan, np.float32)
    function(images, rows, draws.matrix, draws.colour, draws.holes, clamp, MEAN[:C], STD[:C],
             grey_weights(C), out)  # fmt: skip
    return out


@pytest.mark.parametrize("clamp", [True, False])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("shape", [(6, 9, 7, 3), (5, 8, 8, 1), (2, 1, 1, 3)])
def test_augment_images(shape, change, clamp, rng):
    M, H, W, _ = shape
    images = rng.integers(0, 256, shape, np.uint8)
    rows = rng.integers(0, M, 11)
    draws = draw(Augmentation(**CHANGES[change]), rng, 11, H, W)
    mine = run(augment.augment_images, images, rows, draws, clamp)
    expected = run(twin.augment_images, images, rows, draws, clamp)
    np.testing.assert_allclose(mine, expected, atol=2e-5, rtol=1e-5)


def test_moves_by_whole_pixels_are_exact(rng):
    images = rng.integers(0, 256, (40, 8, 10, 3), np.uint8)
    rows = np.arange(40)
    plain = normalized(images.transpose(0, 3, 1, 2), MEAN, STD).transpose(0, 2, 3, 1)
    exact = (images / 255 - MEAN) / STD
    np.testing.assert_allclose(plain, exact, atol=1e-6)
    draws = draw(Augmentation(flip=True, shift=0.25), rng, 40, 8, 10)
    signs, moves = set(), set()
    for clamp, mode in ((True, "edge"), (False, "constant")):
        found = run(augment.augment_images, images, rows, draws, clamp)
        for i in rows:
            sign, _, dx, _, _, dy = draws.matrix[i].tolist()
            image = images[i][:, ::-1] if sign < 0 else images[i]
            dx = (9 - dx) if sign < 0 else dx
            padded = np.pad(image, ((2, 2), (3, 3), (0, 0)), mode)
            left = 3 + round(dx)
            expected = padded[2 + round(dy) :][:8, left : left + 10]
            np.testing.assert_allclose(found[i], (expected / 255 - MEAN) / STD, atol=1e-6)
            signs.add(sign)
            moves |= {round(dx), round(dy)}
    assert signs == {1.0, -1.0} and moves >= {-2, -1, 0, 1, 2}


def test_a_quarter_turn_is_exact(rng):
    images = rng.integers(0, 256, (1, 9, 9, 3), np.uint8)
    draws = draw(Augmentation(), rng, 1, 9, 9)
    draws.matrix[0] = [0, -1, 8, 1, 0, 0]
    found = run(augment.augment_images, images, np.arange(1), draws, False)
    expected = images[0, :, ::-1].transpose(1, 0, 2)
    np.testing.assert_allclose(found[0], (expected / 255 - MEAN) / STD, atol=1e-6)


def test_colours_are_those_of_pillow(rng):
    """Pillow rounds to whole numbers after each of the three changes."""
    from PIL import Image, ImageEnhance

    images = rng.integers(60, 180, (3, 8, 8, 3), np.uint8)
    draws = draw(Augmentation(), rng, 3, 8, 8)
    factors = [(1.2, 0.8, 1.3), (0.9, 1.1, 0.5), (1.1, 1.2, 0.0)]
    draws.colour[:] = factors
    found = run(augment.augment_images, images, np.arange(3), draws, True)
    for i, (bright, contrast, saturation) in enumerate(factors):
        image = ImageEnhance.Brightness(Image.fromarray(images[i])).enhance(bright)
        image = ImageEnhance.Contrast(image).enhance(contrast)
        image = np.asarray(ImageEnhance.Color(image).enhance(saturation))
        np.testing.assert_allclose((found[i] * STD + MEAN) * 255, image, atol=2.5)


def test_holes_are_the_mean(rng):
    images = np.full((300, 16, 16, 1), 255, np.uint8)
    draws = draw(Augmentation(cutout=0.5), rng, 300, 16, 16)
    found = run(augment.augment_images, images, np.arange(300), draws, True)
    blank = (found == 0).sum(axis=(1, 2, 3))
    assert blank.max() == 64 and 16 <= blank.min() < 36  # centred anywhere: some lie partly outside


@pytest.mark.parametrize(("N", "D"), [(1, 1), (7, 33)])
def test_mix_rows(N, D, rng):
    x = rng.standard_normal((N, D)).astype(np.float32)
    partner, share = rng.permutation(N), rng.random(N).astype(np.float32)
    results = []
    for function in (augment.mix_rows, twin.mix_rows):
        out = np.full_like(x, np.nan)
        function(x, partner, share, out)
        results.append(out)
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)
    expected = share[:, None] * x + (1 - share[:, None]) * x[partner]
    np.testing.assert_allclose(results[0], expected, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------------------- draws
def test_crops_keep_the_wanted_share_and_stay_inside(rng):
    draws = draw(Augmentation(crop=0.4), rng, 2000, 30, 40)
    wide, high = draws.matrix[:, 0], draws.matrix[:, 4]
    assert 0.2 < (wide * high).min() < 0.45 and (wide * high).max() <= 1
    first, last = draws.matrix[:, 2], draws.matrix[:, 2] + wide * 39
    assert first.min() > -0.51 and last.max() < 39.51
    assert draws.matrix[:, 5].min() > -0.51


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"shift": 0.6}, "shift"), ({"crop": 0}, "crop"), ({"mixup": -1}, "mixup"), ({"flip": 1}, "f"),
     ({"label_smoothing": 1}, "label_smoothing"), ({"fill": "odd"}, "edge, black"),
     ({"rotation": np.nan}, "rotation"), ({"odd": 1}, "no field odd")],
)  # fmt: skip
def test_augmentations_that_do_not_fit(fields, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Augmentation.from_dict(fields)


def test_presets_and_json():
    import json

    assert Augmentation.preset("none").on == ()
    for name in ("light", "standard"):
        preset = Augmentation.preset(name)
        assert preset.on and Augmentation.from_dict(json.loads(json.dumps(preset.to_dict()))) == (
            preset
        )
    with pytest.raises(ValueError, match="expected one of none, light, standard"):
        Augmentation.preset("odd")
