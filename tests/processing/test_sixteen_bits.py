"""16 bits a channel: read right, stretched where they are dark, and said so."""

from __future__ import annotations

import io
import struct
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from cyano.errors import ImageError
from cyano.processing.decode import _TRANSPOSES
from cyano.processing.images import read, read_pixels
from cyano.processing.pixels import stretched
from cyano.processing.sixteen_bits import upright

HEIGHT, WIDTH = 40, 48
RAMP = np.add.outer(np.arange(HEIGHT) * 700, np.arange(WIDTH) * 500).astype(np.uint16)
COLOURS = np.stack([RAMP, RAMP // 2 + 999, 60000 - RAMP], axis=-1).astype(np.uint16)


def tiff(pixels: np.ndarray, *, order: str = "<", **changes: Any) -> bytes:
    """An uncompressed TIFF written from the specification (TIFF 6.0): one strip for each plane.

    Args:
        pixels: (H, W), (H, W, C), or (C, H, W) for planes.
        order: of the bytes.
        changes: values of tags by name.
    """
    planar = changes.get("planar", 1) == 2
    channels = 1 if pixels.ndim == 2 else pixels.shape[0 if planar else 2]
    height, width = pixels.shape[-2:] if planar or pixels.ndim == 2 else pixels.shape[:2]
    data = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(order)).tobytes()
    strips = channels if planar else 1
    tags = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [8 * pixels.dtype.itemsize] * channels),
        259: (3, [1]),
        262: (3, [changes.get("photometric", 2 if channels > 1 else 1)]),
        273: (4, [8 + number * len(data) // strips for number in range(strips)]),
        274: (3, [changes.get("orientation", 1)]),
        277: (3, [channels]),
        278: (4, [height]),
        279: (4, [len(data) // strips] * strips),
        284: (3, [changes.get("planar", 1)]),
    }
    if "extra" in changes:
        tags[338] = (3, [changes["extra"]])
    if "kind" in changes:
        tags[339] = (3, [changes["kind"]] * channels)
    ifd, extra = 8 + len(data), b""
    entries = []
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            place = ifd + 2 + 12 * len(tags) + 4 + len(extra)
            extra += packed
            packed = struct.pack(f"{order}I", place)
        entries.append(struct.pack(f"{order}HHI", tag, kind, len(values)) + packed.ljust(4, b"\0"))
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, ifd)
    return head + data + struct.pack(f"{order}H", len(tags)) + b"".join(entries) + bytes(4) + extra


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_separate_planes_are_no_noise(order: str, orientation: int) -> None:
    content = tiff(np.moveaxis(COLOURS, -1, 0), planar=2, order=order, orientation=orientation)
    pixels = read_pixels(content).pixels
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, upright(COLOURS, orientation))
    together = read_pixels(tiff(COLOURS, order=order, orientation=orientation)).pixels
    np.testing.assert_array_equal(pixels >> 8, together)


def test_planes_of_premultiplied_colours() -> None:
    opacity = np.full(COLOURS.shape[:2], 32768, np.uint16)
    premultiplied = np.round(COLOURS * (32768 / 65535)).astype(np.uint16)
    planes = np.concatenate([np.moveaxis(premultiplied, -1, 0), opacity[None]])
    for extra, colours in ((1, COLOURS), (2, premultiplied)):
        pixels = read_pixels(tiff(planes, planar=2, extra=extra)).pixels
        np.testing.assert_array_equal(pixels[..., 3], opacity)
        np.testing.assert_allclose(pixels[..., :3].astype(float), colours, atol=2)  # of rounding at half the values


@pytest.mark.parametrize("orientation", range(1, 9))
def test_dark_colours_keep_their_bits_however_they_are_turned(orientation: int) -> None:
    dark = COLOURS // 32
    pixels = read_pixels(tiff(dark, orientation=orientation)).pixels
    np.testing.assert_array_equal(pixels, upright(dark, orientation))


def test_planes_that_cannot_be_read_are_refused() -> None:
    planes = np.moveaxis(COLOURS, -1, 0)
    inks = np.concatenate([planes, planes[:1]])
    with pytest.raises(ImageError, match="separate planes is supported only for RGB"):
        read(tiff(inks, planar=2, photometric=5))
    with pytest.raises(ImageError, match="not an image that can be read"):  # YCbCr, which Pillow does not open so
        read(tiff(planes, planar=2, photometric=6))
    content = tiff(planes, planar=2)
    place = content.rindex(struct.pack("<HHI", 279, 4, 3))
    target = struct.unpack("<I", content[place + 8 : place + 12])[0]
    with pytest.raises(ImageError, match="truncated"):
        read(content[:target] + struct.pack("<I", 4) + content[target + 4 :])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_is_zero(dtype: type) -> None:
    grey = RAMP if dtype == np.uint16 else (RAMP >> 8).astype(np.uint8)
    negative = (np.iinfo(dtype).max - grey).astype(dtype)
    np.testing.assert_array_equal(read_pixels(tiff(negative, photometric=0)).pixels, grey)
    np.testing.assert_array_equal(read_pixels(tiff(grey)).pixels, grey)


def test_floats_where_white_is_zero() -> None:
    grey = (RAMP / np.float32(65535)).astype(np.float32)
    found = read_pixels(tiff(1 - grey, photometric=0, kind=3)).pixels
    np.testing.assert_allclose(found, grey, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "change", "values"),
    [
        ("12 bits", lambda grey: grey * 16, True),
        ("14 bits", lambda grey: grey * 64, True),
        ("10 bits", lambda grey: grey * 4, True),
        ("thermal", lambda grey: grey * 2 + 29000, True),
        ("16 bits", lambda grey: grey * 257, False),
        ("half of 16 bits", lambda grey: grey * 128, False),
        ("noise", lambda grey: grey // 16 + 100, False),
    ],
)
def test_dark_pictures_are_stretched(name: str, change: Any, values: bool) -> None:
    grey = np.round(np.linspace(0, 255, HEIGHT * WIDTH)).astype(np.uint16).reshape(HEIGHT, WIDTH)
    seen = change(grey).astype(np.uint16)
    for source in (seen, np.stack([seen] * 3, axis=-1)):
        image, plain = read(source), read(source, stretch=False)
        assert (image.stretched is not None) == values, name
        assert plain.stretched is None
        np.testing.assert_allclose(plain.grey, seen / 65535, atol=1e-6)
        if values:
            # Without the thousandth at either end black and white are those of the 8-bit ramp: a step of it is 0.4 %.
            np.testing.assert_allclose(image.grey, grey / 255, atol=0.01)
            assert image.stretched == (pytest.approx(seen.min(), abs=64), pytest.approx(seen.max(), abs=64))


def test_a_hot_pixel_does_not_decide_and_alpha_stays() -> None:
    dark = np.round(np.linspace(0, 4095, 64 * 64)).astype(np.uint16).reshape(64, 64)
    dark[5, 7] = 65535
    rgba = np.stack([dark, dark, dark, np.full_like(dark, 65535)], axis=-1)
    pixels, values = stretched(rgba)
    assert values == (pytest.approx(4, abs=4), pytest.approx(4091, abs=4))
    assert (pixels[..., 3] == 65535).all()
    assert pixels[..., 0].max() == 65535
    assert stretched(np.zeros((16, 16), np.uint8))[1] is None


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_dark_colours_keep_their_lower_halves(tmp_path: Path, suffix: str) -> None:
    dark = COLOURS >> 4
    path = tmp_path / f"dark{suffix}"
    cv2.imwrite(str(path), dark[..., ::-1])
    np.testing.assert_array_equal(read_pixels(path).pixels, dark)
    assert read(path).stretched is not None
    cv2.imwrite(str(path), COLOURS[..., ::-1])
    np.testing.assert_array_equal(read_pixels(path).pixels, COLOURS >> 8)  # as Pillow has it


def test_without_opencv_only_dark_colours_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    np.testing.assert_array_equal(read_pixels(tiff(COLOURS)).pixels, COLOURS >> 8)
    np.testing.assert_array_equal(read_pixels(tiff(RAMP >> 4)).pixels, RAMP >> 4)  # grey is Pillow's
    separate = tiff(np.moveaxis(COLOURS >> 4, -1, 0), planar=2)
    np.testing.assert_array_equal(read_pixels(separate).pixels, COLOURS >> 4)
    with pytest.raises(ImageError, match=r"image: dark .* pip install 'cyano-runtime\[opencv\]'"):
        read(tiff(COLOURS >> 4))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_is_pillows(orientation: int) -> None:
    picture = Image.fromarray(RAMP.astype(np.int32))
    turned = picture if orientation == 1 else picture.transpose(_TRANSPOSES[orientation])
    np.testing.assert_array_equal(upright(RAMP, orientation), np.asarray(turned))


def test_formats_that_pillow_brings(tmp_path: Path) -> None:
    picture = Image.fromarray((COLOURS >> 8).astype(np.uint8))
    for name, file_format in (("a.avif", "AVIF"), ("a.jp2", "JPEG2000"), ("a.jfif", "JPEG")):
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.save(tmp_path / name, file_format, exif=exif, quality=95)
        found = read(tmp_path / name)
        expected = picture if file_format == "JPEG2000" else picture.transpose(Image.Transpose.ROTATE_270)
        assert found.rgb.shape == np.asarray(expected).shape
        assert np.abs(found.rgb.astype(int) - np.asarray(expected)).mean() < 8  # of 255, for what compression loses
    # With the package the file is damaged; without, it is named.
    told = r"x\.heic: " + ("" if find_spec("pillow_heif") else "HEIC images are read with pillow-heif: pip install")
    (tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(ImageError, match=told):
        read(tmp_path / "x.heic")


def test_libtiff_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(RAMP.astype(np.uint16)).save(buffer, "TIFF", compression="tiff_adobe_deflate")
    sound, rng = buffer.getvalue(), np.random.default_rng(0)
    refused = 0
    for _ in range(40):
        content = bytearray(sound)
        for place in rng.integers(0, len(content), 4):
            content[place] = rng.integers(256)
        try:
            read(bytes(content))
        except ImageError:
            refused += 1
    assert refused > 10
    assert capfd.readouterr().err == ""
