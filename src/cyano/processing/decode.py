"""Decode files and PIL images with Pillow, within limits, and with one kind of error.

Only a short list of formats is read, and the size in the header is checked before a pixel is decoded. EXIF
orientation is applied; of an animation the first frame counts; colour profiles are ignored. No setting of
Pillow is changed.
"""

from __future__ import annotations

import ctypes
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, TiffImagePlugin, UnidentifiedImageError

from cyano.errors import ImageError, InputError, LargeImageError, MissingExtraError
from cyano.exif import PILLOW_ERRORS, ExifFacts, facts_of, open_image
from cyano.processing.pixels import native
from cyano.processing.sixteen_bits import deep_colours, is_deep, planes, upright, whites
from cyano.reading import without_warnings

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

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "AVIF", "JPEG2000")
_READABLE = "JPEG, PNG, WebP, TIFF, BMP, PPM, PGM, GIF, AVIF, JPEG 2000, or HEIC with pillow-heif"

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

_BACK = {6: 8, 8: 6}
"""The orientation that undoes one, where it is another."""


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
    """Raise `ImageError` unless an encoded image has an acceptable number of bytes; `LargeImageError` for too many."""
    if count == 0:
        raise ImageError(f"{name}: the file is empty; copy or download it again")
    if count > limits.max_bytes:
        raise LargeImageError(
            f"{name}: the file has {count:,} bytes, more than the limit of {limits.max_bytes:,}; "
            "shrink it, or raise ImageLimits.max_bytes"
        )


def check_size(height: int, width: int, limits: ImageLimits, name: str) -> None:
    """Raise `ImageError` unless height and width are acceptable, in pixels; `LargeImageError` for too many of them."""
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
        with without_warnings(r"PIL\."), silent_libtiff():
            image = open_image(file, _FORMATS)
        with image, silent_libtiff():
            check_size(image.height, image.width, limits, name)
            deep, facts, separate = is_deep(image), _facts(image), planes(image, file, name)
            if separate is not None:
                pixels: NDArray[Any] = upright(separate, facts.orientation)
                return RawImage(pixels, name, facts.focal_35mm, facts.is_turned)
            raw = from_pil(image, limits, name)
            if not deep:
                return raw
            file.seek(0)
            content = file.read()
            colours = deep_colours(content, raw.pixels)  # turned already, as OpenCV does with TIFF
            if colours is None and facts.is_turned:
                colours = deep_colours(content, upright(raw.pixels, _BACK.get(facts.orientation, facts.orientation)))
                colours = None if colours is None else upright(colours, facts.orientation)
            return raw if colours is None else replace(raw, pixels=colours)


def from_pil(image: Image.Image, limits: ImageLimits, name: str) -> RawImage:
    """Turn a PIL image of any mode, decoded or not yet, into pixels.

    Raises:
        ImageError: damaged, truncated, outside the limits, or of values that are no brightness.
    """
    with _clear_errors(limits, name), silent_libtiff():
        check_size(image.height, image.width, limits, name)
        white = whites(image)
        image, facts = _upright(image)
        pixels = _pil_pixels(image, name)
        if white is not None:
            pixels = (white - np.minimum(pixels, white)).astype(pixels.dtype)
        return RawImage(pixels, name, facts.focal_35mm, facts.is_turned)


def _facts(image: Image.Image) -> ExifFacts:
    with without_warnings(r"PIL\."):
        return facts_of(image)


def _upright(image: Image.Image) -> tuple[Image.Image, ExifFacts]:
    """The decoded image set upright, and what its EXIF said."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # Alone among the formats, TIFF parses its EXIF and is turned inside of load().
        facts = _facts(image)
        with without_warnings(r"PIL\."):
            image.load()
        return image, facts
    image.load()
    facts = _facts(image)
    if not facts.is_turned:
        return image, facts
    return image.transpose(_TRANSPOSES[facts.orientation]), facts


def _pil_pixels(image: Image.Image, name: str) -> NDArray[Any]:
    """The pixels, as in `RawImage`, of a decoded image of any mode."""
    mode = image.mode
    if mode == "I":  # how Pillow holds 16-bit PGM and some 16-bit TIFF files
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError(f"{name}: 32-bit integer pixels must lie in [0, 65535]; scale them to 16 bits")
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
    return LargeImageError(
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
    except MissingExtraError as error:
        raise ImageError(f"{name}: {error}") from error
    except PILLOW_ERRORS as error:
        if "closed" in str(error):
            raise ImageError(
                f"{name}: the PIL image was closed before its pixels were read; pass it within its `with` block, or a "
                "copy of it"
            ) from error
        raise ImageError(
            f"{name}: the image is damaged or truncated ({error}); copy, download or export it again"
        ) from error


_libtiff_lock = threading.Lock()
_libtiff_users = 0
_libtiff_handlers: list[Any] = []


@contextmanager
def silent_libtiff() -> Iterator[None]:
    """Keeps libtiff, which Pillow decodes TIFF with, from writing to stderr what `ImageError` tells.

    Its handlers belong to the process: the first to enter takes them away, the last to leave gives them back.
    """
    global _libtiff_users  # noqa: PLW0603 - counts the threads that are within
    setters = _libtiff_setters()
    with _libtiff_lock:
        _libtiff_users += 1
        if _libtiff_users == 1:
            _libtiff_handlers[:] = [setter(None) for setter in setters]
    try:
        yield
    finally:
        with _libtiff_lock:
            _libtiff_users -= 1
            if _libtiff_users == 0:
                for setter, handler in zip(setters, _libtiff_handlers, strict=True):
                    setter(handler)


@cache
def _libtiff_setters() -> list[Any]:
    """Libtiff's functions that exchange its handlers; none where Pillow came without it."""
    library = ctypes.CDLL(Image.core.__file__)  # type: ignore[attr-defined]  # Pillow's own extension
    setters = [getattr(library, name, None) for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler")]
    for setter in filter(None, setters):
        setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
    return [setter for setter in setters if setter is not None]
