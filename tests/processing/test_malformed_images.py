"""Damaged files: each is read as a valid image or refused with an `ImageError`; nothing else happens."""

from __future__ import annotations

import struct
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyano.errors import ImageError
from cyano.processing.images import ImageLimits, LoadedImage, read
from support.images import damaged, encoded, exif, photograph

COPIES = 15


def whole_files() -> Iterator[tuple[str, bytes]]:
    """Real files of each format, in colour and in grey, with and without EXIF: 22 of them."""
    colour, grey = photograph(), photograph().convert("L")
    tags = exif(orientation=6, focal_35mm=28)
    for file_format in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF"):
        yield f"colour-{file_format.lower()}", encoded(colour, file_format)
        yield f"grey-{file_format.lower()}", encoded(grey, file_format)
    for file_format in ("JPEG", "PNG", "WEBP", "TIFF"):
        yield f"exif-{file_format.lower()}", encoded(colour, file_format, exif=tags)
    yield "progressive-jpeg", encoded(colour, "JPEG", progressive=True)
    yield "cmyk-jpeg", encoded(colour.convert("CMYK"), "JPEG")
    yield "alpha-png", encoded(colour.convert("RGBA"), "PNG")
    yield "lzw-tiff", encoded(colour, "TIFF", compression="tiff_lzw")


def bomb(side: int) -> bytes:
    """A PNG of side x side black 1-bit pixels, written without ever holding them."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    pack = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    rows = b"".join([*(pack.compress(row) for _ in range(side)), pack.flush()])
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def read_or_refuse(path: Path) -> LoadedImage | None:
    """The image, or None if it is refused by an error that names the file."""
    try:
        return read(path)
    except ImageError as error:
        if not str(error).startswith(f"{path}: "):
            raise
        return None


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    refused = accepted = 0
    for name, data in whole_files():
        read(data)  # whole, each can be read
        for index, copy in enumerate(damaged(data, COPIES, rng)):
            path = tmp_path / f"{index}-{name}"
            path.write_bytes(copy)
            image = read_or_refuse(path)
            if image is None:
                refused += 1
                continue
            accepted += 1
            height, width = image.grey.shape
            assert image.rgb.shape == (height, width, 3)
            assert (image.grey.dtype, image.rgb.dtype) == (np.float32, np.uint8)
            assert np.isfinite(image.grey).all()
            assert image.grey.min() >= 0
            assert image.grey.max() <= 1
    assert refused + accepted == 22 * COPIES >= 300
    assert refused >= 50
    assert accepted >= 50


class TestBombs:
    side = 30_000

    def test_is_refused_by_its_header(self, tmp_path: Path) -> None:
        data = bomb(self.side)
        assert len(data) < 200_000
        (tmp_path / "bomb.png").write_bytes(data)
        tracemalloc.start()
        try:
            for source in (data, tmp_path / "bomb.png"):
                with pytest.raises(ImageError, match=r"too many pixels, more than the limit of 100,000,000"):
                    read(source)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 5_000_000  # decoded, its bits alone are 112 MB

    def test_decoder_memory(self) -> None:
        """What tracemalloc does not see, the decoders' own memory, does not grow by the image either."""
        resource = pytest.importorskip("resource", reason="peak memory is known on Unix only")
        data = bomb(self.side)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(ImageError):
            read(data)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown * (1 if sys.platform == "darwin" else 1024) < 50_000_000

    def test_higher_limits_do_not_lift_pillows_own(self) -> None:
        with pytest.raises(ImageError, match=r"PIL\.Image\.MAX_IMAGE_PIXELS"):
            read(bomb(self.side), ImageLimits(max_pixels=10**10))

    def test_between_pillows_warning_and_its_refusal(self) -> None:
        """Pillow warns from 89 to 178 million pixels; warnings are errors in this suite."""
        with pytest.raises(ImageError, match="10100x10100 pixels"):
            read(bomb(10_100))
        with pytest.raises(ImageError, match="9500x9500 pixels"):
            read(bomb(9_500), ImageLimits(max_pixels=1000))

    @pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "GIF"])
    def test_other_formats(self, file_format: str) -> None:
        data = encoded(Image.new("L", (2000, 2000)), file_format)
        with pytest.raises(ImageError, match="2000x2000 pixels"):
            read(data, ImageLimits(max_pixels=3_999_999))
