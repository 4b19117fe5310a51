"""Decode files and PIL images with Pillow, within limits, and with one kind of error.

Only a short list of formats is read, and the size in the header is checked before a pixel is decoded. EXIF
orientation is applied; of an animation the first frame counts; colour profiles are ignored. No setting of
Pillow is changed.
"""

from __future__ import annotations

import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, TiffImagePlugin, UnidentifiedImageError

from cyano.errors import ImageError, InputError
from cyano.exif import PILLOW_ERRORS, orientation_and_focal
from cyano.processing.pixels import native

__all__ = [
    "MIN_SIDE",
    "ImageLimits",
    "RawImage",
    "check_bytes",
    "check_size",
    "from_file",
    "from_pil",
    "open_file",
]

MIN_SIDE = 16
"""The shortest side, in pixels, that the networks can use: two cells of the detector's stride of 8, the least
that has anything to interpolate descriptors between."""

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF")
_READABLE = "JPEG, PNG, WebP, TIFF, BMP, PPM, PGM or GIF"

_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation (tag 0x0112 of CIPA DC-008) to the change that sets the image upright."""


@dataclass(frozen=True)
class ImageLimits:
    """What an image may cost; checked before its pixels are decoded.

    Attributes:
        max_pixels: height times width. Above 178 million, Pillow's own limit `PIL.Image.MAX_IMAGE_PIXELS`
            holds as well.
        max_bytes: of the encoded file.
        min_side: the shortest side in pixels; see `MIN_SIDE`.
    """

    max_pixels: int = 100_000_000
    max_bytes: int = 200_000_000
    min_side: int = MIN_SIDE

    def __post_init__(self) -> None:
        if min(self.max_pixels, self.max_bytes, self.min_side) < 1:
            raise InputError(f"the limits of an image are positive numbers, not {self}")


@dataclass(frozen=True, eq=False)
class RawImage:
    """An image in the channels and the precision that it came in.

    Attributes:
        pixels: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, of uint8, uint16 or float32 with white at 255,
            65535 or 1; EXIF orientation applied.
        name: the path, or "image".
        focal_35mm: EXIF FocalLengthIn35mmFilm in millimetres, None if the image does not tell.
        was_turned: whether an EXIF orientation other than the upright one was applied.
    """

    pixels: NDArray[Any]
    name: str
    focal_35mm: float | None = None
    was_turned: bool = False


def check_bytes(count: int, limits: ImageLimits, name: str) -> None:
    """Raise `ImageError` unless an encoded image has an acceptable number of bytes."""
    if count == 0:
        raise ImageError(f"{name}: the file is empty; copy or download it again")
    if count > limits.max_bytes:
        raise ImageError(
            f"{name}: the file has {count:,} bytes, more than the limit of {limits.max_bytes:,}; "
            "shrink it, or raise ImageLimits.max_bytes"
        )


def check_size(height: int, width: int, limits: ImageLimits, name: str) -> None:
    """Raise `ImageError` unless an image has an acceptable height and width, in pixels."""
    if min(height, width) < limits.min_side:
        raise ImageError(
            f"{name}: the image is {height}x{width} pixels (height x width), too small: "
            f"each side needs at least {limits.min_side}; use a larger one"
        )
    if height * width > limits.max_pixels:
        raise _too_many_pixels(f"{height}x{width} pixels (height x width)", limits, name)


def open_file(name: str, limits: ImageLimits) -> BinaryIO:
    """Open a file for reading if it is a regular one with an acceptable number of bytes.

    Raises:
        ImageError: it is missing, a folder or a device, not accessible, empty or too large.
    """
    try:
        status = os.stat(name)
        if stat.S_ISREG(status.st_mode):
            check_bytes(status.st_size, limits, name)
            return open(name, "rb")
    except FileNotFoundError as error:
        raise ImageError(f"{name}: there is no such file; check the path") from error
    except ImageError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise ImageError(f"{name}: cannot be opened ({error}); check its name and permissions") from error
    kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
    raise ImageError(f"{name}: is {kind}; pass the path of an image file, or the bytes of one")


def from_file(file: BinaryIO, limits: ImageLimits, name: str) -> RawImage:
    """Decode the encoded image in an open file.

    Raises:
        ImageError: of no known format, damaged, truncated, or outside the limits.
    """
    with _clear_errors(limits, name):
        with _quiet():
            image = Image.open(file, formats=_FORMATS)
        with image:
            return from_pil(image, limits, name)


def from_pil(image: Image.Image, limits: ImageLimits, name: str) -> RawImage:
    """Turn a PIL image of any mode, decoded or not yet, into pixels.

    Raises:
        ImageError: damaged, truncated, outside the limits, or of values that are no brightness.
    """
    with _clear_errors(limits, name):
        check_size(image.height, image.width, limits, name)
        image, focal_35mm, was_turned = _upright(image)
        return RawImage(_pil_pixels(image, name), name, focal_35mm, was_turned)


def _upright(image: Image.Image) -> tuple[Image.Image, float | None, bool]:
    """The decoded image set upright, its focal length as in `orientation_and_focal`, and whether it was turned."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # Alone among the formats, TIFF parses its EXIF and is turned inside of load().
        with _quiet():
            orientation, focal_35mm = orientation_and_focal(image)
            image.load()
        return image, focal_35mm, orientation in _TRANSPOSES
    image.load()
    with _quiet():
        orientation, focal_35mm = orientation_and_focal(image)
    if orientation not in _TRANSPOSES:
        return image, focal_35mm, False
    return image.transpose(_TRANSPOSES[orientation]), focal_35mm, True


def _pil_pixels(image: Image.Image, name: str) -> NDArray[Any]:
    """The pixels, as in `RawImage`, of a decoded image of any mode."""
    mode = image.mode
    if mode == "I":  # how Pillow holds 16-bit PGM and some 16-bit TIFF files
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError(f"{name}: 32-bit integer pixels are read from 0 to 65535; scale them to 16 bits")
        return values.astype(np.uint16)
    if mode == "F" or mode.startswith("I;16"):
        return native(np.asarray(image), name)
    if mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.buildTransform(*profiles, inMode="LAB", outMode="RGB").apply(image)
    elif mode == "La":  # premultiplied grey, which Pillow converts to nothing else
        image = image.convert("LA")
    opaque = "L" if mode in ("1", "L") else "RGB"
    target = "RGBA" if image.has_transparency_data else opaque
    return np.array(image if image.mode == target else image.convert(target))


def _too_many_pixels(fact: str, limits: ImageLimits, name: str) -> ImageError:
    return ImageError(
        f"{name}: the image has {fact}, more than the limit of {limits.max_pixels:,}; "
        "shrink it, or raise ImageLimits.max_pixels (beyond 178 million PIL.Image.MAX_IMAGE_PIXELS, too)"
    )


@contextmanager
def _clear_errors(limits: ImageLimits, name: str) -> Iterator[None]:
    """Turns what Pillow raises into one `ImageError` that names the image."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{name}: is not an image that can be read ({_READABLE}), or its header is damaged; convert it"
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels("too many pixels", limits, name) from error
    except PILLOW_ERRORS as error:
        raise ImageError(
            f"{name}: the image is damaged or truncated ({error}); copy, download or export it again"
        ) from error


_filters_lock = threading.Lock()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides what Pillow warns of: damaged EXIF, and sizes that `ImageLimits` judges.

    The list of warning filters belongs to the process, so one thread at a time may exchange it; decoding
    stays outside where it can.
    """
    with _filters_lock, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
