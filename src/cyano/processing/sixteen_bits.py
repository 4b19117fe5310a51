"""Files of 16 bits a channel that Pillow reads at 8, from the wrong place, or as a negative.

Only what is certain is mended: pixels that are read another way have to agree with Pillow's in their upper 8 bits.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from cyano.errors import ImageError, MissingExtraError

__all__ = ["deep_colours", "is_deep", "planes", "upright", "whites"]

_WIDTH, _HEIGHT = 256, 257
_BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _SAMPLES, _LENGTHS, _PLANAR, _TILES, _EXTRA, _KIND = (
    *(258, 259, 262, 273, 277, 279, 284, 324, 338, 339),
)
"""Tags of TIFF 6.0."""

_DARK = 64
"""Values of 8 bits, a quarter of them: a picture that keeps to fewer is worth reading again at 16."""


def planes(image: Image.Image, file: BinaryIO, name: str) -> NDArray[np.uint16] | None:
    """The pixels of an uncompressed TIFF that keeps 16-bit channels one after the other, which Pillow reads as noise.

    Args:
        image: open, not decoded.
        file: that it is in.
        name: of the image, for messages.

    Returns:
        (H, W, 3) or (H, W, 4), not turned; None for all other images.

    Raises:
        ImageError: it is such a TIFF in tiles, or of other colours than RGB.
        Exception: whatever damaged bytes lead to.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return None
    tags = image.tag_v2
    bits, count = tags.get(_BITS, (1,)), tags.get(_SAMPLES, 1)
    if tags.get(_PLANAR) != 2 or tags.get(_COMPRESSION, 1) != 1 or set(bits) != {16} or count < 3:
        return None
    kinds = set(tags.get(_KIND, (1,)))
    if tags.get(_PHOTOMETRIC) != 2 or count > 4 or kinds != {1} or _TILES in tags:
        raise ImageError(
            f"{name}: 16-bit TIFF with separate planes is supported only for RGB in strips; convert it to PNG"
        )
    content = bytearray()
    for offset, length in zip(tags[_OFFSETS], tags[_LENGTHS], strict=True):
        file.seek(offset)
        content += file.read(length)
    dtype = np.dtype("<u2" if tags.prefix == b"II" else ">u2")
    shape = (count, tags[_HEIGHT], tags[_WIDTH])  # Pillow's own size is that of the upright image
    if len(content) < np.prod(shape) * dtype.itemsize:
        raise ImageError(f"{name}: the image is truncated; copy, download or export it again")
    found = np.frombuffer(content, dtype, int(np.prod(shape))).reshape(shape)
    extra = tags.get(_EXTRA, (0,))[0] if count == 4 else 0
    pixels = np.ascontiguousarray(np.moveaxis(found[: 4 if extra in (1, 2) else 3], 0, -1), np.uint16)
    return _unassociated(pixels) if extra == 1 else pixels


def _unassociated(pixels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """(H, W, 4) colours that were multiplied by their opacity, as they are without."""
    opacity = np.maximum(pixels[..., 3:], 1).astype(np.float64)
    pixels[..., :3] = np.rint(np.minimum(pixels[..., :3] * (65535 / opacity), 65535))
    return pixels


def whites(image: Image.Image) -> int | None:
    """The largest value of a grey TIFF that says 0 for white and that Pillow leaves so; None for all other images."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or image.tag_v2.get(_PHOTOMETRIC) != 0:
        return None
    if image.mode == "F":
        return 1
    return (1 << image.tag_v2.get(_BITS, (16,))[0]) - 1 if image.mode.startswith("I") else None


def is_deep(image: Image.Image) -> bool:
    """Whether Pillow is about to drop the lower halves of an image's 16-bit colours; asked before it is decoded."""
    tiles = getattr(image, "tile", ())  # (decoder, region, offset, its arguments), of which one names the raw mode
    return image.mode in ("RGB", "RGBA") and any(";16" in str(tile[-1]) for tile in tiles)


def deep_colours(content: bytes, shallow: NDArray[np.uint8]) -> NDArray[np.uint16] | None:
    """All 16 bits of the colours of a dark picture.

    Args:
        content: of the file.
        shallow: (H, W, 3) or (H, W, 4), what Pillow made of it.

    Returns:
        Pixels of the same shape; None where the picture is not dark, or cannot be read another way.

    Raises:
        MissingExtraError: it is dark, and OpenCV is not installed.
    """
    if np.quantile(shallow[..., :3], 0.999, method="nearest") >= _DARK:
        return None
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError(
            "dark 16-bit colour images are read with OpenCV: pip install 'cyano-runtime[opencv]', or convert it "
            "to 8 bits"
        ) from error
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16 or found.shape != shallow.shape:
        return None
    order = [2, 1, 0, 3][: found.shape[2]]  # OpenCV's channels are BGR
    deep = np.ascontiguousarray(found[..., order], np.uint16)
    return deep if np.array_equal(deep >> 8, shallow) else None


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Stored pixels (H, W) or (H, W, C) as an EXIF orientation displays them."""
    if orientation in range(5, 9):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
