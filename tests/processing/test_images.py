from __future__ import annotations

import io
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyano.errors import ImageError, InputError
from cyano.processing.images import ImageLimits, read
from cyano.types import ImageSize
from support.images import colours, encoded, exif, photograph

RGB = colours(20, 30)
LUMA = np.array([0.299, 0.587, 0.114])
# A handful of float32 roundings of numbers up to one.
ROUNDING = 3e-7


def grey_of(rgb: np.ndarray) -> np.ndarray:
    """(H, W) the definition of grey in [0, 1], in double precision."""
    return rgb @ LUMA / 255


class TestSources:
    def test_path_bytes_and_picture_are_one_image(self, tmp_path: Path) -> None:
        data = encoded(Image.fromarray(RGB), "PNG")
        path = tmp_path / "a b\N{SNOWMAN}.png"
        path.write_bytes(data)
        named = dict.fromkeys((path, str(path)), str(path))
        unnamed = (data, Image.open(io.BytesIO(data)), Image.fromarray(RGB), RGB)
        for source, name in [*named.items(), *((source, "image") for source in unnamed)]:
            image = read(source)
            np.testing.assert_array_equal(image.rgb, RGB)
            np.testing.assert_allclose(image.grey, grey_of(RGB), atol=ROUNDING)
            assert image.size == ImageSize(20, 30)
            assert image.name == name
            assert image.focal_35mm is None
            assert not image.was_turned

    @pytest.mark.parametrize(
        ("file_format", "options"),
        [
            ("PNG", {}),
            ("WEBP", {"lossless": True}),
            ("TIFF", {}),
            ("TIFF", {"compression": "tiff_lzw"}),
            ("BMP", {}),
            ("PPM", {}),
        ],
    )
    def test_lossless_formats(self, file_format: str, options: dict[str, object]) -> None:
        np.testing.assert_array_equal(read(encoded(Image.fromarray(RGB), file_format, **options)).rgb, RGB)

    @pytest.mark.parametrize("options", [{}, {"progressive": True}])
    def test_jpeg_as_pillow_decodes_it(self, options: dict[str, object]) -> None:
        data = encoded(photograph(), "JPEG", **options)
        np.testing.assert_array_equal(read(data).rgb, np.asarray(Image.open(io.BytesIO(data))))

    @pytest.mark.parametrize("file_format", ["GIF", "WEBP", "TIFF", "PNG"])
    def test_the_first_frame_of_an_animation(self, file_format: str) -> None:
        frames = [Image.new("L", (30, 20), value) for value in (255, 100, 0)]
        data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])
        assert (read(data).grey == 1).all()

    def test_a_picture_is_not_modified(self) -> None:
        picture = Image.fromarray(RGB)
        picture.info["exif"] = exif(orientation=6)
        image = read(picture)
        image.rgb[:] = 0
        np.testing.assert_array_equal(np.asarray(picture), RGB)
        assert picture.getexif()[0x0112] == 6


class TestRefusals:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match=r"none\.jpg: there is no such file"):
            read(tmp_path / "none.jpg")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match="is a folder"):
            read(tmp_path)

    def test_a_device(self) -> None:
        with pytest.raises(ImageError, match="not a regular file"):
            read("/dev/null")

    @pytest.mark.parametrize("name", ["x" * 5000 + ".jpg", "file.png/below.jpg", "nul\0.jpg"])
    def test_names_that_no_file_can_have(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "file.png").write_bytes(b"x")
        with pytest.raises(ImageError, match="cannot be opened"):
            read(str(tmp_path / name))

    def test_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "empty.jpg").touch()
        with pytest.raises(ImageError, match=r"empty\.jpg: the file is empty"):
            read(tmp_path / "empty.jpg")
        with pytest.raises(ImageError, match="is empty"):
            read(b"")

    def test_a_text_with_the_name_of_a_photograph(self, tmp_path: Path) -> None:
        (tmp_path / "text.jpg").write_text("This is no photograph.\n" * 100)
        with pytest.raises(ImageError, match=r"text\.jpg: is not an image that can be read \(JPEG, PNG"):
            read(tmp_path / "text.jpg")

    @pytest.mark.parametrize("file_format", ["ICO", "TGA", "PDF", "PCX"])
    def test_formats_off_the_list(self, file_format: str) -> None:
        with pytest.raises(ImageError, match="is not an image that can be read"):
            read(encoded(photograph(), file_format))

    @pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "AVIF", "JPEG2000"])
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_truncated_files_are_not_half_read(self, file_format: str, share: float, tmp_path: Path) -> None:
        data = encoded(photograph(), file_format)
        (tmp_path / "part").write_bytes(data[: int(share * len(data))])
        with pytest.raises(ImageError, match=r"part: "):
            read(tmp_path / "part")

    @pytest.mark.parametrize("source", [None, 7, [RGB, RGB], np.float32(0.5), bytearray(b"x")])
    def test_objects_that_are_no_image(self, source: object) -> None:
        with pytest.raises(ImageError, match=f"not an object of type {type(source).__name__}"):
            read(source)

    def test_a_closed_picture(self, tmp_path: Path) -> None:
        Image.fromarray(RGB).save(tmp_path / "a.png")
        picture = Image.open(tmp_path / "a.png")
        picture.close()
        with pytest.raises(ImageError, match="was closed before its pixels were read"):
            read(picture)


class TestLimits:
    @pytest.mark.parametrize("size", [(1, 1), (15, 100), (100, 15)])
    def test_too_small(self, size: tuple[int, int]) -> None:
        for source in (Image.new("L", size), encoded(Image.new("L", size), "PNG")):
            with pytest.raises(ImageError, match=rf"is {size[1]}x{size[0]} pixels .* at least 16"):
                read(source)

    def test_limits_are_inclusive(self) -> None:
        data = encoded(Image.fromarray(RGB), "PNG")
        read(data, ImageLimits(max_pixels=600, max_bytes=len(data), min_side=20))
        for limits in (
            ImageLimits(max_pixels=599),
            ImageLimits(max_bytes=len(data) - 1),
            ImageLimits(min_side=21),
        ):
            with pytest.raises(ImageError, match="image: "):
                read(data, limits)

    def test_too_many_pixels_names_the_remedy(self) -> None:
        for source in (RGB, Image.fromarray(RGB), encoded(Image.fromarray(RGB), "PNG")):
            with pytest.raises(ImageError, match=r"20x30 pixels .* raise ImageLimits\.max_pixels"):
                read(source, ImageLimits(max_pixels=500))

    def test_large_files_are_not_opened(self, tmp_path: Path) -> None:
        with (tmp_path / "large.jpg").open("wb") as file:
            file.truncate(200_000_001)  # sparse: takes no room
        with pytest.raises(ImageError, match="200,000,001 bytes"):
            read(tmp_path / "large.jpg")

    @pytest.mark.parametrize("limits", [{"max_pixels": 0}, {"max_bytes": -1}, {"min_side": 0}])
    def test_limits_are_positive(self, limits: dict[str, int]) -> None:
        with pytest.raises(InputError, match="positive"):
            ImageLimits(**limits)


class TestSideEffects:
    def test_pillow_and_the_warning_filters_are_left_as_they_are(self) -> None:
        before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
        read(encoded(photograph(), "TIFF", exif=exif(6)))
        with pytest.raises(ImageError):
            read(b"no image")
        assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before

    def test_threads_read_side_by_side_and_leave_the_filters(self) -> None:
        before = list(warnings.filters)
        files = [encoded(photograph(), name, exif=exif(6)) for name in ("TIFF", "JPEG", "PNG")]
        shapes: list[tuple[int, ...]] = []
        threads = [
            threading.Thread(target=lambda data=data: shapes.append(read(data).grey.shape)) for data in files * 8
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert shapes == [(64, 48)] * 24
        assert list(warnings.filters) == before
