"""Arrays of pixels in any usual form, brought to one grey plane and one colour picture.

Native pixels, the form in between, are (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA arrays of uint8, uint16
or float32, whose white is 255, 65535 or 1: the precision of the source, and no copy that is wider than it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from cyano.errors import ImageError

if TYPE_CHECKING:
    import torch

__all__ = ["channels_last", "grey_and_rgb", "is_tensor", "native", "stretched"]

_RED, _BLUE = 0.299, 0.114
"""ITU-R BT.601 luma; green has the rest, 0.587."""

_RANGE_SLACK = 1e-3
"""How far floats may leave [0, 1], as resampling and half precision make them; they are clipped."""

_WHITE_16 = 65535
_NARROW = 0.25
"""Part of the range: a 14-bit camera's, whose pictures are already too dark for a detector."""
_LEAST_VALUES = 32  # between black and white; fewer are noise
_OUTLIERS = (0.001, 0.999)
_SAMPLED = 1_000_000  # pixels that tell the range

_BAND_PIXELS = 2**18
"""Pixels converted at a time: float copies of this many fit a processor's cache."""

_TENSOR_DTYPES = {f"torch.{name}" for name in ["uint8", "uint16", "bool", "float16", "bfloat16", "float32", "float64"]}
_ACCEPTED = "uint8 (0 to 255), uint16 (0 to 65535), bool or floats in [0, 1]"


def is_tensor(image: object) -> TypeGuard[torch.Tensor]:
    """Whether it is one of torch's, which is imported already where there is any."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(image, torch.Tensor)


def channels_last(image: NDArray[Any] | torch.Tensor, name: str) -> NDArray[Any]:
    """The pixels as (H, W), (H, W, 3) or (H, W, 4); a view wherever that is possible.

    Args:
        image: numpy (H, W) or (H, W, 1|3|4), or a tensor (H, W), (1|3|4, H, W) or (H, W, 1|3|4) on any
            device. A tensor whose first axis is 1, 3 or 4 long is taken as channel-first, whatever its last
            one is.
        name: what to call the image in an error.

    Raises:
        ImageError: another shape, or a tensor of a kind or dtype that holds no pixels.
    """
    if is_tensor(image):
        dtype = str(image.dtype)
        if dtype not in _TENSOR_DTYPES:
            raise _refused_dtype(dtype, name)
        if str(image.layout) != "torch.strided" or image.is_meta:
            raise ImageError(f"{name}: only dense tensors hold pixels; pass an ordinary one (`.to_dense()`)")
        if image.ndim == 3 and image.shape[0] in (1, 3, 4):
            image = image.permute(1, 2, 0)
        if dtype == "torch.bfloat16":  # numpy has no such type
            image = image.float()
        expected = "a tensor image is (H, W), (C, H, W) or (H, W, C)"
        array: NDArray[Any] = image.numpy(force=True)
    else:
        expected = "an array image is (H, W) or (H, W, C)"
        array = np.asarray(image)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (3, 4)):
        raise ImageError(f"{name}: {expected} with C of 1, 3 or 4, not {tuple(image.shape)}")
    return array


def native(array: NDArray[Any], name: str) -> NDArray[Any]:
    """The pixels in a new array of uint8, uint16 or float32, in the machine's byte order.

    Args:
        array: (H, W), (H, W, 3) or (H, W, 4) with at least one pixel; it is not modified. Booleans become 0
            and 255.
        name: what to call the image in an error.

    Raises:
        ImageError: another dtype, floats outside [0, 1], NaN or infinity.
    """
    kind, width = array.dtype.kind, array.dtype.itemsize
    if kind == "b":
        return np.where(array, np.uint8(255), np.uint8(0))
    if kind == "u" and width <= 2:
        return np.array(array, dtype=np.uint8 if width == 1 else np.uint16, order="C")
    if kind != "f":
        raise _refused_dtype(str(array.dtype), name)
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError(f"{name}: the pixels contain NaN or infinity; replace them, e.g. by numpy.nan_to_num")
    if low < -_RANGE_SLACK or high > 1 + _RANGE_SLACK:
        raise ImageError(
            f"{name}: float pixels must lie in [0, 1], not [{low:g}, {high:g}]; divide them by their maximum "
            "(by 255 if they came from 8 bits)"
        )
    floats = np.array(array, dtype=np.float32, order="C")
    return np.clip(floats, 0, 1, out=floats)


def stretched(pixels: NDArray[Any]) -> tuple[NDArray[Any], tuple[int, int] | None]:
    """16-bit pixels whose values keep to a small part of the range, spread over all of it.

    So that a few hot or dead pixels do not decide, a thousandth at either end may lie outside; it is clipped.

    Args:
        pixels: native pixels (see the module).

    Returns:
        Pixels of the same form, and the values that became black and white; None where nothing was done.
    """
    if pixels.dtype != np.uint16:
        return pixels, None
    step = max(1, int(np.sqrt(pixels.shape[0] * pixels.shape[1] / _SAMPLED)))
    sample = pixels[::step, ::step, :3] if pixels.ndim == 3 else pixels[::step, ::step]
    low, high = (int(value) for value in np.quantile(sample, _OUTLIERS, method="nearest"))
    if not _LEAST_VALUES <= high - low <= _NARROW * _WHITE_16:
        return pixels, None
    values = np.arange(_WHITE_16 + 1, dtype=np.float64)
    table = np.rint(np.clip((values - low) * (_WHITE_16 / (high - low)), 0, _WHITE_16)).astype(np.uint16)
    spread = table[pixels]
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        spread[..., 3] = pixels[..., 3]
    return spread, (low, high)


def grey_and_rgb(pixels: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The grey image for the networks and the colour image for people.

    Grey is 0.299 R + 0.587 G + 0.114 B, computed so that a colourless pixel keeps its value to the last bit:
    white is exactly 1. Transparent pixels are laid over white first, the page on which viewers show them; the
    colour that hides under a transparent pixel, which nobody sees, yields no keypoints.

    Args:
        pixels: native pixels (see the module).

    Returns:
        Grey (H, W) float32 in [0, 1] and RGB (H, W, 3) uint8; neither shares memory with anything but
        `pixels`.
    """
    white = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}[pixels.dtype.name]
    if pixels.ndim == 2:
        grey = pixels.astype(np.float32)
        grey /= np.float32(white)
        return grey, np.repeat(_eight_bits(pixels, white), 3).reshape(*pixels.shape, 3)
    if pixels.shape[2] == 4:
        pixels = _over_white(pixels, white)
    return _luma(pixels, white), _eight_bits(pixels, white)


def _eight_bits(pixels: NDArray[Any], white: float) -> NDArray[np.uint8]:
    """Scaled to 0..255 and rounded; 8-bit pixels are returned as they are."""
    if pixels.dtype == np.uint8:
        return pixels
    scaled, factor = np.empty(pixels.shape, np.uint8), np.float32(255 / white)
    for rows in _bands(pixels):
        values = pixels[rows] * factor
        scaled[rows] = np.rint(values, out=values)
    return scaled


def _luma(rgb: NDArray[Any], white: float) -> NDArray[np.float32]:
    """(H, W) grey in [0, 1] from (H, W, 3)."""
    grey = np.empty(rgb.shape[:2], np.float32)
    for rows in _bands(rgb):
        red, green, blue = (rgb[rows, :, channel].astype(np.float32) for channel in range(3))
        # Green plus differences, not three products: the differences of a colourless pixel are exactly zero.
        grey[rows] = (green + _RED * (red - green) + _BLUE * (blue - green)) / np.float32(white)
    return grey


def _over_white(rgba: NDArray[Any], white: float) -> NDArray[Any]:
    """(H, W, 3) colours as seen on a white page, of the same dtype."""
    rgb = np.empty((*rgba.shape[:2], 3), rgba.dtype)
    for rows in _bands(rgba):
        opacity = rgba[rows, :, 3:].astype(np.float32) / np.float32(white)
        seen = white - (white - rgba[rows, :, :3].astype(np.float32)) * opacity
        rgb[rows] = seen if rgba.dtype == np.float32 else np.rint(seen)
    return rgb


def _bands(pixels: NDArray[Any]) -> Iterator[slice]:
    """Slices of rows that cover the image, each of about `_BAND_PIXELS` pixels."""
    height, width = pixels.shape[:2]
    step = max(1, _BAND_PIXELS // width)
    return (slice(top, top + step) for top in range(0, height, step))


def _refused_dtype(dtype: str, name: str) -> ImageError:
    return ImageError(f"{name}: pixels of dtype {dtype} are not read; convert them to {_ACCEPTED}")
