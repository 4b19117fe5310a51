from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from cyano.errors import ImageError
from cyano.processing.images import read
from cyano.types import ImageSize
from support.images import colours, encoded, exif, photograph

RGB = colours(20, 30)
# A handful of float32 roundings of numbers up to one.
ROUNDING = 3e-7


class TestModes:
    """The reference is each mode's definition, or Pillow's conversion where that is the definition."""

    def test_grey(self) -> None:
        values = RGB[..., 0]
        image = read(encoded(Image.fromarray(values), "PNG"))
        np.testing.assert_array_equal(image.grey, values.astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(image.rgb, np.stack([values] * 3, axis=2))

    def test_one_bit(self) -> None:
        values = RGB[..., 0] > 100
        for file_format in ("PNG", "TIFF", "BMP", "PPM"):
            np.testing.assert_array_equal(read(encoded(Image.fromarray(values), file_format)).grey, values)

    @pytest.mark.parametrize("file_format", ["PNG", "TIFF", "PPM"])
    def test_sixteen_bit_grey_keeps_its_precision(self, file_format: str) -> None:
        values = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
        grey = read(encoded(Image.fromarray(values), file_format)).grey
        np.testing.assert_allclose(grey, values / 65535, atol=ROUNDING)
        assert grey.max() == 1

    @pytest.mark.parametrize("mode", ["I;16", "I;16B"])
    def test_sixteen_bit_pictures_of_either_byte_order(self, mode: str) -> None:
        values = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
        data = values.astype(">u2" if mode == "I;16B" else "<u2").tobytes()
        picture = Image.frombytes(mode, (30, 20), data)
        np.testing.assert_allclose(read(picture).grey, values / 65535, atol=ROUNDING)

    def test_thirty_two_bit_integers_are_sixteen_bit_ones(self) -> None:
        values = np.linspace(0, 65535, 600).astype(np.int32).reshape(20, 30)
        np.testing.assert_allclose(read(Image.fromarray(values)).grey, values / 65535, atol=ROUNDING)
        for wrong in (values - 1, values + 1):
            with pytest.raises(ImageError, match="scale them to 16 bits"):
                read(Image.fromarray(wrong))

    def test_float_tiff(self) -> None:
        values = np.random.default_rng(0).random((20, 30), dtype=np.float32)
        np.testing.assert_array_equal(read(encoded(Image.fromarray(values), "TIFF")).grey, values)
        with pytest.raises(ImageError, match=r"must lie in \[0, 1\]"):
            read(encoded(Image.fromarray(values * 255), "TIFF"))

    def test_palette(self) -> None:
        picture = Image.fromarray(RGB).quantize(16)
        expected = np.asarray(picture.convert("RGB"))
        for file_format in ("PNG", "GIF", "TIFF", "BMP"):
            np.testing.assert_array_equal(read(encoded(picture, file_format)).rgb, expected)

    @pytest.mark.parametrize("file_format", ["PNG", "GIF"])
    def test_a_transparent_palette_entry_shows_white(self, file_format: str) -> None:
        indices = np.arange(600, dtype=np.uint8).reshape(20, 30) % 3
        picture = Image.fromarray(indices)
        picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
        rgb = read(encoded(picture, file_format, transparency=1)).rgb
        np.testing.assert_array_equal(rgb, np.array([[10, 20, 30], [255, 255, 255], [70, 80, 90]])[indices])

    def test_partly_transparent_palette(self) -> None:
        picture = Image.new("P", (30, 20), 0)
        picture.putpalette([0, 0, 0])
        data = encoded(picture, "PNG", transparency=bytes([51]))  # a fifth of black on white
        assert (read(data).rgb == 204).all()

    def test_transparent_colour_key(self) -> None:
        picture = Image.fromarray(RGB)
        key = tuple(int(value) for value in RGB[3, 4])
        rgb = read(encoded(picture, "PNG", transparency=key)).rgb
        hidden = (key == RGB).all(axis=2)
        assert hidden.any()
        np.testing.assert_array_equal(rgb, np.where(hidden[..., None], 255, RGB))

    @pytest.mark.parametrize("mode", ["LA", "La", "RGBA", "RGBa", "PA"])
    def test_alpha_shows_white(self, mode: str) -> None:
        alpha = np.tile(np.array([0, 255], np.uint8), (20, 15))
        values = np.full((20, 30), 77, np.uint8)
        picture = Image.merge("LA", [Image.fromarray(values), Image.fromarray(alpha)])
        if mode in ("RGBA", "RGBa", "PA"):
            picture = picture.convert("RGBA")
        image = read(picture if picture.mode == mode else picture.convert(mode))
        np.testing.assert_array_equal(image.rgb[..., 0], np.where(alpha == 0, 255, 77))

    @pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
    def test_cmyk(self, file_format: str) -> None:
        data = encoded(photograph().convert("CMYK"), file_format)
        np.testing.assert_array_equal(read(data).rgb, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))

    @pytest.mark.parametrize("mode", ["YCbCr", "HSV"])
    def test_other_colour_spaces(self, mode: str) -> None:
        picture = photograph().convert(mode)
        np.testing.assert_array_equal(read(picture).rgb, np.asarray(picture.convert("RGB")))

    def test_lab(self) -> None:
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        lab = ImageCms.buildTransform(*profiles, inMode="RGB", outMode="LAB").apply(photograph())
        for source in (lab, encoded(lab, "TIFF")):
            difference = read(source).rgb.astype(int) - np.asarray(photograph())
            # There and back through 8-bit Lab: whole steps of a and b are up to some steps of R, G and B.
            assert np.abs(difference).max() <= 8
            assert np.abs(difference).mean() < 1


class TestExif:
    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_orientation_is_applied_to_files_and_pictures(self, orientation: int, file_format: str) -> None:
        data = encoded(photograph(), file_format, exif=exif(orientation, focal_35mm=28))
        expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
        for source in (data, Image.open(io.BytesIO(data))):
            image = read(source)
            np.testing.assert_array_equal(image.rgb, expected)
            assert image.was_turned == (orientation != 1)
            assert image.focal_35mm == 28
            assert image.size == (ImageSize(64, 48) if orientation > 4 else ImageSize(48, 64))

    # By the standard: where the first row and the first column of the stored image are to be displayed.
    @pytest.mark.parametrize(
        ("orientation", "corner"),
        [
            (1, (0, 0)),
            (2, (0, -1)),
            (3, (-1, -1)),
            (4, (-1, 0)),
            (5, (0, 0)),
            (6, (0, -1)),
            (7, (-1, -1)),
            (8, (-1, 0)),
        ],
    )
    def test_orientation_by_the_standard(self, orientation: int, corner: tuple[int, int]) -> None:
        stored = np.zeros((20, 30), np.uint8)
        stored[0, 0], stored[0, 1:] = 255, 100
        grey = read(encoded(Image.fromarray(stored), "PNG", exif=exif(orientation))).grey
        assert grey[corner] == 1
        first_row = grey[corner[0], :] if orientation <= 4 else grey[:, corner[1]]
        assert (first_row > 0).all()

    @pytest.mark.parametrize("orientation", [0, 9, 6000])
    def test_unknown_orientations_are_upright(self, orientation: int) -> None:
        image = read(encoded(Image.fromarray(RGB), "PNG", exif=exif(orientation)))
        np.testing.assert_array_equal(image.rgb, RGB)
        assert not image.was_turned

    def test_a_picture_turned_by_exif_transpose_is_not_turned_again(self) -> None:
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded(photograph(), "JPEG", exif=exif(6)))))
        image = read(upright)
        np.testing.assert_array_equal(image.rgb, np.asarray(upright))
        assert not image.was_turned

    @pytest.mark.parametrize(("focal", "expected"), [(35, 35.0), (0, None), (None, None)])
    def test_focal_length(self, focal: int | None, expected: float | None) -> None:
        assert read(encoded(photograph(), "JPEG", exif=exif(1, focal))).focal_35mm == expected

    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
    def test_damaged_exif_does_not_matter(self, file_format: str) -> None:
        head = b"Exif\0\0MM\0*\0\0\0\x08"
        whole = exif(orientation=6, focal_35mm=28)
        for tags in (b"Exif\0\0", b"Exif\0\0nonsense", head + b"\xff" * 40, head, whole[:20], whole[:-3]):
            data = encoded(photograph(), file_format, exif=tags)
            size = read(data).size
            assert size in (ImageSize(48, 64), ImageSize(64, 48))  # the orientation may have survived
