"""Read an image from wherever it is: one function for files, bytes, PIL images, arrays and tensors.

What comes out is the image as viewers display it: EXIF orientation applied, transparency laid over white, the
first frame of an animation. Colour profiles are ignored.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cyano.concise import Concise
from cyano.errors import ImageError
from cyano.processing.decode import (
    MIN_SIDE,
    ImageLimits,
    RawImage,
    check_bytes,
    check_size,
    from_file,
    from_pil,
    open_file,
)
from cyano.processing.pixels import channels_last, grey_and_rgb, is_tensor, native, stretched
from cyano.types import ImageSize

if TYPE_CHECKING:
    import torch

__all__ = ["MIN_SIDE", "ImageLimits", "ImageSource", "LoadedImage", "RawImage", "read", "read_pixels"]

ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | NDArray[Any] | torch.Tensor"
"""A path, an encoded file's bytes, a PIL image (with its EXIF orientation), a numpy (H, W) or (H, W, 1|3|4)
array in RGB(A) order, or a tensor: (H, W), (1|3|4, H, W) or, if its first axis is none of these, (H, W,
1|3|4). Values are uint8 (0 to 255), uint16 (0 to 65535), bool, or floats in [0, 1]."""

_DEFAULT_LIMITS = ImageLimits()


@dataclass(frozen=True, eq=False, repr=False)
class LoadedImage(Concise):
    """An image, ready to be resized for the networks and to be shown.

    Attributes:
        grey: (H, W) float32 in [0, 1], 0.299 R + 0.587 G + 0.114 B; 16-bit grey images keep their precision.
        rgb: (H, W, 3) uint8, for display.
        name: the path, or "image".
        focal_35mm: EXIF FocalLengthIn35mmFilm in millimetres, None if the image does not tell.
        was_turned: whether an EXIF orientation other than the upright one was applied.
        stretched: the values that became black and white, where they were spread over the whole range.
    """

    grey: NDArray[np.float32]
    rgb: NDArray[np.uint8]
    name: str = "image"
    focal_35mm: float | None = None
    was_turned: bool = False
    stretched: tuple[int, int] | None = None

    @property
    def size(self) -> ImageSize:
        """Height and width in pixels, as displayed."""
        return ImageSize(*self.grey.shape)


def read(source: ImageSource, limits: ImageLimits = _DEFAULT_LIMITS, *, stretch: bool = True) -> LoadedImage:
    """Read an image; the source is not modified and shares no memory with the result.

    Colour files of 16 bits per channel are read at 8, as Pillow does, unless they are dark; grey ones at 16, with
    white at 65535. Values of 16 bits that keep to a quarter of their range or less, as those of 12-bit and thermal
    cameras do, are spread over all of it. A PIL image is turned as `PIL.ImageOps.exif_transpose` would.

    Args:
        source: see `ImageSource`.
        limits: bounds on its size.
        stretch: whether values of 16 bits are spread.

    Raises:
        ImageError: it is missing, not an image, damaged, truncated, outside the limits, or of a shape, dtype
            or range that images do not have.
    """
    raw = read_pixels(source, limits)
    pixels, values = stretched(raw.pixels) if stretch else (raw.pixels, None)
    grey, rgb = grey_and_rgb(pixels)
    return LoadedImage(grey, rgb, raw.name, raw.focal_35mm, raw.was_turned, values)


def read_pixels(source: ImageSource, limits: ImageLimits = _DEFAULT_LIMITS) -> RawImage:
    """Read an image in its own channels and precision; arguments and errors are those of `read`."""
    name = "image"
    if isinstance(source, np.ndarray) or is_tensor(source):
        array = channels_last(source, name)
        check_size(array.shape[0], array.shape[1], limits, name)
        return RawImage(native(array, name), name)
    if isinstance(source, Image.Image):
        return from_pil(source, limits, name)
    if isinstance(source, bytes):
        check_bytes(len(source), limits, name)
        return from_file(io.BytesIO(source), limits, name)
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        with open_file(name, limits) as file:
            return from_file(file, limits, name)
    raise ImageError(
        "an image is a path, bytes, a PIL image, a numpy array or a torch tensor, "
        f"not an object of type {type(source).__name__}"
    )
