"""Pictures of a GAN's run: grids, strips of them, animations, nearest images."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image, features

from fastdl.data.images import ImageSet, ImageStream
from fastdl.data.images.statistics import normalized
from fastdl.generation.pictures import grid, neighbours, write_animation, write_grid
from fastdl.generation.shown import _cut, nearest_rows
from fastdl.generation.trained import as_pixels
from fastdl.report.gallery import image


def test_pixels_go_to_images_and_back_unchanged():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    images = normalized(pixels.transpose(0, 3, 1, 2), 0.5, 0.5)
    assert images.shape == (1, 3, 16, 16) and images.dtype == np.float32
    np.testing.assert_allclose([images.min(), images.max()], [-1, 1], atol=1e-6)
    np.testing.assert_array_equal(as_pixels(images), pixels)
    stream = ImageStream(ImageSet.from_arrays(pixels), mean=0.5, std=0.5)
    np.testing.assert_allclose(next(stream.blocks()).x, images, atol=1e-6)


@pytest.mark.parametrize(("count", "columns", "channels"), [(6, 3, 3), (5, 3, 1), (1, 1, 3)])
def test_gaps_of_a_grid_are_equal_and_pixels_stay(count, columns, channels, rng):
    pixels = rng.integers(0, 255, (count, 30, 20, channels)).astype(np.uint8)
    found = grid(pixels, columns, zoom=2, gap=3)
    rows = -(-count // columns)
    assert found.shape == (2 * (33 * rows - 3), 2 * (23 * columns - 3), channels)
    for i in range(rows * columns):
        top, left = 66 * (i // columns), 46 * (i % columns)
        own = found[top : top + 60 : 2, left : left + 40 : 2]
        if i < count:
            np.testing.assert_array_equal(own, pixels[i])
            np.testing.assert_array_equal(own, found[top + 1 : top + 60 : 2, left : left + 40 : 2])
        else:
            assert (own == 255).all()
    if rows > 1:
        assert (found[60:66] == 255).all()


def test_a_strip_is_cut_from_a_grids_file(tmp_path, rng):
    for channels in (1, 3):
        pixels = rng.integers(0, 256, (12, 28, 28, channels)).astype(np.uint8)
        write_grid(tmp_path / "grid.png", pixels, 4)
        places = np.array([0, 5, 11])
        strip = _cut(tmp_path / "grid.png", pixels, 4, places)
        np.testing.assert_array_equal(strip, grid(pixels[places], 3))


def test_an_animation_has_a_frame_for_each_grid(tmp_path, rng):
    frames = []
    for i in range(4):
        frames.append(tmp_path / f"epoch-{i:04d}.png")
        level = np.full((4, 28, 28, 1), 60 * i, np.uint8)
        write_grid(frames[-1], level, 2)
    names = ["epochs.gif"] + ["epochs.webp"] * features.check("webp")
    for name in names:
        write_animation(tmp_path / name, frames)
        with Image.open(tmp_path / name) as shown:
            assert shown.n_frames == 4 and shown.info.get("loop") == 0
            durations, levels = [], []
            for i in range(4):
                shown.seek(i)
                shown.load()
                durations.append(shown.info["duration"])
                levels.append(np.asarray(shown.convert("L"))[5, 5])
        np.testing.assert_allclose(levels, [0, 60, 120, 180], atol=4)
        assert durations[:3] == [500] * 3 and durations[3] == 2500


@pytest.mark.skipif(not features.check("webp"), reason="Pillow has no WebP")
def test_an_animation_is_small_enough_for_a_page(tmp_path, rng):
    frames = [tmp_path / f"epoch-{i:04d}.png" for i in range(20)]
    for frame in frames:  # noise, which nothing compresses
        write_grid(frame, rng.integers(0, 256, (16, 64, 64, 3)).astype(np.uint8), 4)
    write_animation(tmp_path / "epochs.webp", frames)
    assert 100_000 < (tmp_path / "epochs.webp").stat().st_size < 1_500_000


def test_an_animation_of_many_epochs_has_few_frames(tmp_path):
    frames = []
    for i in range(90):
        frames.append(tmp_path / f"epoch-{i:04d}.png")
        write_grid(frames[-1], np.full((1, 28, 28, 1), 2 * i, np.uint8), 1)
    write_animation(tmp_path / "epochs.gif", frames)
    with Image.open(tmp_path / "epochs.gif") as shown:
        assert shown.n_frames == 40
        first = np.asarray(shown.convert("L"))[5, 5]
        shown.seek(39)
        assert (first, np.asarray(shown.convert("L"))[5, 5]) == (0, 178)


def test_nearest_training_images_are_found_in_all_blocks(rng, monkeypatch):
    monkeypatch.setattr("fastdl.generation.shown.rows_at_once", lambda _: 1)  # blocks of 8 rows
    x = rng.integers(0, 256, (50, 28, 28)).astype(np.uint8)
    stream = ImageStream(ImageSet.from_arrays(x), channels=1, mean=0.5, std=0.5)
    samples = x[[3, 47]][..., None].copy()
    samples[:, 0, 0] ^= 1
    found = nearest_rows(samples, stream, 3)
    distance = ((samples.astype(float) - x[:, None, :, :, None]) ** 2).sum(axis=(2, 3, 4))
    np.testing.assert_array_equal(found, distance.argsort(axis=0)[:3].T)
    assert found[:, 0].tolist() == [3, 47]
    picture = neighbours(samples, [x[own][..., None] for own in found])
    np.testing.assert_array_equal(picture[:56:2, :56:2, 0], samples[0, :, :, 0])
    np.testing.assert_array_equal(picture[:56:2, 72 : 72 + 56 : 2, 0], x[3])


def test_large_pictures_are_embedded_as_webp(tmp_path, rng):
    pixels = rng.integers(0, 256, (1, 400, 400, 3)).astype(np.uint8)
    write_grid(tmp_path / "samples.png", pixels, 1)
    assert (tmp_path / "samples.png").stat().st_size > 200_000
    text = image("samples.png", tmp_path, "x")
    form, content = re.search(r"image/(\w+);base64,([^\"]*)", text).groups()
    if features.check("webp"):
        assert form == "webp"
        with Image.open(io.BytesIO(base64.b64decode(content))) as shown:
            assert shown.size == (400, 400)
    assert image("samples.exe", tmp_path, "x") == ""
