"""Image files of every mode, to exact pixels; damaged ones, to clear errors."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from fastdl.data.images import ImageSet
from fastdl.data.images.decode import BadImage, decoded

RGB = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3) * 4
GREY = RGB[..., 0]


def load(path, channels=3, **options):
    return ImageSet.from_files([path]).load(channels=channels, **options)[0].transpose(1, 2, 0)


def saved(tmp_path, image, name="a.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.ppm", "a.webp"])
def test_rgb_of_every_lossless_format(tmp_path, name):
    options = {"lossless": True} if name == "a.webp" else {}
    path = saved(tmp_path, Image.fromarray(RGB), name, **options)
    np.testing.assert_array_equal(load(path), RGB)
    weights = RGB.astype(np.int64) @ [19595, 38470, 7471]
    np.testing.assert_array_equal(load(path, 1)[..., 0], (weights + 0x8000) >> 16)


def test_grey_gives_three_equal_channels(tmp_path):
    path = saved(tmp_path, Image.fromarray(GREY))
    np.testing.assert_array_equal(load(path, 1)[..., 0], GREY)
    np.testing.assert_array_equal(load(path), np.repeat(GREY[..., None], 3, 2))
    assert ImageSet.from_files([path]).image_shape == (1, 4, 5)


def test_one_bit(tmp_path):
    bits = GREY > 100
    path = saved(tmp_path, Image.fromarray(bits))
    np.testing.assert_array_equal(load(path, 1)[..., 0], bits * np.uint8(255))


def test_palette(tmp_path):
    image = Image.fromarray(GREY % 3).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    colours = [10, 20, 30, 200, 100, 50, 0, 255, 7]
    image.putpalette(colours)
    expected = np.array(colours, np.uint8).reshape(3, 3)[GREY % 3]
    np.testing.assert_array_equal(load(saved(tmp_path, image)), expected)
    np.testing.assert_array_equal(load(saved(tmp_path, image, "a.gif")), expected)
    clear = saved(tmp_path, image, "b.png", transparency=1)
    np.testing.assert_array_equal(
        load(clear), np.where((GREY % 3 == 1)[..., None], np.uint8(255), expected)
    )
    half = saved(tmp_path, image, "c.png", transparency=bytes([255, 51, 0]))
    over = np.array([[10, 20, 30], [244, 224, 214], [255, 255, 255]], np.uint8)[GREY % 3]
    np.testing.assert_array_equal(load(half), over)


def on_white(values, alpha):
    a = alpha.astype(np.float64) / 255
    return values * a + 255 * (1 - a)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_alpha_lies_on_white(tmp_path, name):
    alpha = np.arange(20, dtype=np.uint8).reshape(4, 5) * 13
    image = Image.fromarray(np.dstack([RGB, alpha]))
    options = {"lossless": True, "exact": True} if name == "a.webp" else {}
    expected = on_white(RGB, alpha[..., None])
    np.testing.assert_allclose(load(saved(tmp_path, image, name, **options)), expected, atol=0.51)
    if name == "a.png":
        grey = saved(tmp_path, Image.fromarray(np.dstack([GREY, alpha])), "la.png")
        np.testing.assert_allclose(load(grey, 1)[..., 0], on_white(GREY, alpha), atol=0.51)
        assert ImageSet.from_files([grey]).image_shape == (1, 4, 5)


def test_a_transparent_colour_of_rgb_and_grey(tmp_path):
    path = saved(tmp_path, Image.fromarray(RGB), transparency=tuple(RGB[1, 1].tolist()))
    expected = RGB.copy()
    expected[1, 1] = 255
    np.testing.assert_array_equal(load(path), expected)
    path = saved(tmp_path, Image.fromarray(GREY), transparency=int(GREY[2, 3]))
    np.testing.assert_array_equal(load(path, 1)[..., 0], np.where(GREY[2, 3] == GREY, 255, GREY))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, name):
    values = np.linspace(0, 65535, 20).astype(np.uint16).reshape(4, 5)
    path = saved(tmp_path, Image.fromarray(values), name)
    np.testing.assert_array_equal(load(path, 1)[..., 0], np.rint(values / 257.0))


def test_sixteen_bit_colours(tmp_path):
    import struct
    import zlib

    def chunk(kind, content):
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    values = (RGB.astype(np.uint16) * 257).astype(">u2")
    lines = b"".join(b"\0" + row.tobytes() for row in values)
    path = tmp_path / "a.png"
    header = struct.pack(">IIBBBBB", 5, 4, 16, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
                     + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))  # fmt: skip
    np.testing.assert_array_equal(load(path), RGB)


def test_whole_numbers_of_32_bits_and_floats(tmp_path):
    small = saved(tmp_path, Image.fromarray(GREY.astype(np.int32) * 257), "a.tif")
    np.testing.assert_array_equal(load(small, 1)[..., 0], GREY)
    for scale in (1 / 255, 1.0, 257.0):
        values = GREY / GREY.max() * 255 * scale
        path = saved(tmp_path, Image.fromarray(values.astype(np.float32)), "f.tif")
        np.testing.assert_array_equal(load(path, 1)[..., 0], np.rint(GREY / GREY.max() * 255))
    values[0, 0] = np.nan
    path = saved(tmp_path, Image.fromarray(values.astype(np.float32)), "nan.tif")
    with pytest.raises(ValueError, match=r"nan.tif: .* NaN"):
        load(path)


def test_cmyk(tmp_path):
    ink = np.dstack([RGB, GREY // 2])
    path = saved(tmp_path, Image.frombytes("CMYK", (5, 4), ink.tobytes()), "a.tif")
    full = (255.0 - RGB) * (255 - GREY[..., None] // 2) / 255
    np.testing.assert_allclose(load(path), full, atol=1)
    flat = np.full((16, 16, 4), [200, 20, 60, 40], np.uint8)
    path = saved(tmp_path, Image.frombytes("CMYK", (16, 16), flat.tobytes()), "a.jpg", quality=100)
    np.testing.assert_allclose(load(path), np.broadcast_to([46, 198, 164], (16, 16, 3)), atol=3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_the_orientation_that_a_camera_noted(tmp_path, name, orientation):
    """Each value, as the Exif standard says where row 0 and column 0 of the file are."""
    upright = np.zeros((32, 48), np.uint8)
    upright[:16, :16], upright[:16, 16:] = 250, 120
    undo = {1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud,
            5: lambda x: x.T, 6: lambda x: np.rot90(x, 1), 7: lambda x: np.rot90(x.T, 2),
            8: lambda x: np.rot90(x, -1)}  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](upright)))
    path = saved(tmp_path, stored, name, exif=exif)
    assert ImageSet.from_files([path]).image_shape == (1, 32, 48)
    np.testing.assert_allclose(load(path, 1)[..., 0], upright, atol=3)


def test_a_small_jpeg_by_the_fast_way_is_like_the_slow_one(tmp_path, rng):
    y, x = np.mgrid[:400, :600] / 60
    image = np.dstack([np.sin(x), np.cos(y), np.sin(x + y)]) * 100 + 128
    path = saved(tmp_path, Image.fromarray(image.astype(np.uint8)), "a.jpg", quality=95)
    assert decoded(path, (32, 48)).size == (75, 50)
    images = ImageSet.from_files([path])
    slow = ImageSet.from_arrays(np.asarray(Image.open(path))[None])
    for fit in ("crop", "pad", "stretch"):
        mine, expected = images.load(size=32, fit=fit), slow.load(size=32, fit=fit)
        assert np.abs(mine.astype(int) - expected).mean() < 1


# ---------------------------------------------------------------------------- size
def test_fits():
    wide = np.zeros((1, 20, 60, 3), np.uint8)
    wide[:, :, 20:40] = 200
    images = ImageSet.from_arrays(wide)
    middle = images.load(size=10, fit="crop")[0, 0]
    assert middle[:, 2:8].min() == 200
    padded = images.load(size=30, fit="pad")[0, 0]
    assert padded[:10].min() == padded[20:].min() == 255 and padded[15, 0] == 0
    assert padded[15, 15] == 200
    stretched = images.load(size=(10, 30), fit="stretch")[0, 0]
    np.testing.assert_array_equal(stretched[:, [2, 15, 27]], np.full((10, 3), [0, 200, 0]))


def test_shrinking_is_antialiased():
    fine = np.zeros((1, 64, 64), np.uint8)
    fine[:, :, ::2] = 255
    small = ImageSet.from_arrays(fine).load(size=8, channels=1)
    assert abs(int(small[0, 0, 4, 4]) - 128) < 8


def test_memory_is_channels_last():
    found = ImageSet.from_arrays(RGB[None]).load(size=3)
    assert found.shape == (1, 3, 3, 3) and found.transpose(0, 2, 3, 1).flags.c_contiguous


# ---------------------------------------------------------------------------- bad files
def test_bad_files(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "page.svg").write_text("<svg/>")
    (tmp_path / "script.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    for name, words in (("empty.png", "0 bytes"), ("text.jpg", "not an image"),
                        ("page.svg", "not an image"), ("script.eps", "not an image"),
                        ("absent.png", "There is no file")):  # fmt: skip
        with pytest.raises((ValueError, FileNotFoundError), match=words) as caught:
            ImageSet.from_files([tmp_path / name])
        assert name in str(caught.value)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif", "a.bmp", "a.tif"])
def test_truncated_files_of_every_format(tmp_path, rng, name):
    noise = rng.integers(0, 256, (64, 64, 3), np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), name)
    content = path.read_bytes()
    seen = set()
    for length in (1, 20, 60, len(content) // 2, len(content) - 200):
        path.write_bytes(content[:length])
        with pytest.raises(BadImage) as caught:
            load(path)
        assert name in str(caught.value)
        seen.add(caught.value.reason)
    assert "damaged file" in seen


def test_random_bytes_changed_in_a_png_never_crash(tmp_path, rng):
    path = saved(tmp_path, Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)))
    content = np.frombuffer(path.read_bytes(), np.uint8)
    bad = 0
    for _ in range(60):
        broken = content.copy()
        broken[rng.integers(8, len(content), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(broken.tobytes())
        try:
            load(path)
        except (BadImage, MemoryError):
            bad += 1
    assert bad > 30


def test_decompression_bombs(tmp_path, monkeypatch):
    flat = saved(tmp_path, Image.new("1", (9000, 9000)))
    with pytest.raises(ValueError, match=r"9000 x 9000 pixels, more than 67,108,864"):
        ImageSet.from_files([flat])
    huge = saved(tmp_path, Image.new("1", (14000, 14000)), "b.png")
    with pytest.raises(ValueError, match="decompression bomb"):
        ImageSet.from_files([huge])
    info = PngImagePlugin.PngInfo()
    info.add_text("note", "a" * (2 << 20), zip=True)
    text = saved(tmp_path, Image.fromarray(RGB), "c.png", pnginfo=info)
    with pytest.raises(ValueError, match=r"c.png"):
        load(text)
