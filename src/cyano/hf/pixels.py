"""Images of any kind to arrays for the networks, with the numbers of transformers' Pillow processors."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cyano.errors import ImageError, InputError
from cyano.exif import PILLOW_ERRORS
from cyano.processing.images import read
from cyano.reading import reason_of
from cyano.types import ImageSize

__all__ = ["Picture", "SizeRule", "as_array", "grey", "is_picture", "resize", "resized_size"]

Picture = Image.Image | NDArray[Any] | Tensor | str | Path
"""One image: Pillow's, an array or tensor (H, W), (C, H, W) or (H, W, C) with 1, 3 or 4 channels, or a
file."""

SizeRule = Mapping[str, int] | int | tuple[int, int] | list[int]
"""A size as in transformers: {"height", "width"}, (height, width), {"shortest_edge"} or an int, with or
without "longest_edge" as a limit, or {"max_height", "max_width"}; all but the first two keep the aspect
ratio."""

_CHANNELS = (1, 3, 4)
GREY_WEIGHTS = (0.2989, 0.5870, 0.1140)
"""transformers' weights of red, green and blue. They sum to 0.9999; kept, so that a model sees the same
pixels."""


def is_picture(value: object) -> bool:
    """Whether a value is one image and not a collection of them."""
    if isinstance(value, np.ndarray | Tensor):
        return value.ndim in (2, 3)
    return isinstance(value, Image.Image | str | Path)


def as_array(picture: Picture, known: bool = False) -> NDArray[Any]:
    """One image as (C, H, W) with 1 or 3 channels, values as they are.

    Files are turned upright (EXIF) and made RGB. Images from Pillow are not turned: whoever opened them
    decides. Transparent pixels are laid over white, palettes become colours, 16 bits become 8.

    Args:
        picture: the image.
        known: whether the first axis of an array is known to be its channels.

    Raises:
        ImageError: the file cannot be read, or the value is not an image.
    """
    if isinstance(picture, str | Path):
        if str(picture).startswith(("http://", "https://")):
            raise ImageError(f"{picture} is on the web; download it first and give the file")
        return np.moveaxis(read(picture, stretch=False).rgb, -1, 0)
    if isinstance(picture, Image.Image):
        pixels = _from_pillow(picture)
        return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    array = _from_tensor(picture) if isinstance(picture, Tensor) else picture
    if array.dtype.kind not in "buif":
        raise ImageError(f"pixels of dtype {array.dtype} are not read; convert them to numbers in [0, 255] or [0, 1]")
    if array.dtype == np.bool_:
        array = np.where(array, np.uint8(255), np.uint8(0))
    if array.ndim == 2:
        return array[None]
    if array.ndim == 3 and array.shape[0] not in _CHANNELS and not known:
        array = np.moveaxis(array, -1, 0)
    if array.ndim != 3 or array.shape[0] not in _CHANNELS or 0 in array.shape:
        raise ImageError(f"an image is (H, W), (C, H, W) or (H, W, C) with 1, 3 or 4 channels, not {picture.shape}")
    return np.moveaxis(read(np.moveaxis(array, 0, -1), stretch=False).rgb, -1, 0) if array.shape[0] == 4 else array


def _from_tensor(tensor: Tensor) -> NDArray[Any]:
    """In numpy's types, which bfloat16 is none of."""
    if tensor.is_meta or tensor.layout != torch.strided or tensor.is_quantized:
        raise ImageError("only dense tensors with values hold pixels; pass an ordinary one (`.to_dense()`)")
    seen = tensor.detach().cpu()
    small = seen.is_floating_point() and seen.dtype not in (torch.float16, torch.float32, torch.float64)
    array: NDArray[Any] = (seen.float() if small else seen).numpy()
    return array


def _from_pillow(image: Image.Image) -> NDArray[Any]:
    """(H, W) grey or (H, W, 3) colour, uint8."""
    try:
        image.load()
    except PILLOW_ERRORS as error:
        raise ImageError(
            f"the PIL image cannot be read ({reason_of(error)}); pass it before it is closed, or a copy of it"
        ) from error
    if image.mode in ("RGB", "L"):
        return np.asarray(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return read(image, stretch=False).rgb
    return read(np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))).rgb


def resized_size(rule: SizeRule, original: ImageSize) -> ImageSize:
    """The size that an image gets.

    Raises:
        InputError: the rule is none of `SizeRule`, or not in whole pixels.
    """
    height, width = original.height, original.width
    if isinstance(rule, int):
        rule = {"shortest_edge": rule}
    elif isinstance(rule, tuple | list):
        rule = dict(zip(("height", "width"), rule, strict=True)) if len(rule) == 2 else {}
    sides = {name: side for name, side in rule.items() if side is not None} if isinstance(rule, Mapping) else {}
    if not all(isinstance(side, Integral) for side in sides.values()):
        raise InputError(f"size must be in whole pixels, not {sides}")
    keys = set(sides)
    if keys == {"height", "width"}:
        return ImageSize(sides["height"], sides["width"])
    if keys == {"max_height", "max_width"}:
        scale = min(sides["max_height"] / height, sides["max_width"] / width)
        return ImageSize(int(height * scale), int(width * scale))
    if keys in ({"shortest_edge"}, {"shortest_edge", "longest_edge"}):
        return _by_shortest(original, sides["shortest_edge"], sides.get("longest_edge"))
    raise InputError(
        f"size must have height and width, shortest_edge (and longest_edge), or max_height and max_width, not {rule!r}"
    )


def _by_shortest(original: ImageSize, shortest: int, limit: int | None) -> ImageSize:
    """Keep the aspect ratio, rounding down: the shorter side is `shortest`, but none is above `limit`."""
    low, high = sorted((original.height, original.width))
    exact = float(shortest)
    if limit is not None and high / low * shortest > limit:
        exact = limit * low / high
    short, long = round(exact), int(exact * high / low)
    return ImageSize(long, short) if original.width < original.height else ImageSize(short, long)


def resize(image: NDArray[Any], size: ImageSize, resample: int, keep_floats: bool) -> NDArray[Any]:
    """Resize (C, H, W) with Pillow.

    Args:
        image: uint8, or numbers in [0, 255] that are whole, or floats in [0, 1].
        size: the wanted size.
        resample: Pillow's filter.
        keep_floats: resize floats in [0, 1] as floats; else by way of 8 bits, as transformers does.

    Returns:
        (C, H, W) in the range of the input.

    Raises:
        ImageError: the values have another range.
        InputError: there is no such filter.
    """
    try:
        filter_ = Image.Resampling(resample)
    except ValueError as error:
        known = ", ".join(f"{item.value} ({item.name.lower()})" for item in Image.Resampling)
        raise InputError(f"resample must be one of Pillow's filters, {known}, not {resample!r}") from error
    if keep_floats:
        planes = [Image.fromarray(plane.astype(np.float32)) for plane in image]
        return np.stack([np.asarray(plane.resize((size.width, size.height), filter_)) for plane in planes])
    whole, scaled = _eight_bits(image)
    hwc = np.moveaxis(whole, 0, -1)
    picture = Image.fromarray(np.ascontiguousarray(hwc[..., 0] if hwc.shape[-1] == 1 else hwc))
    pixels = np.asarray(picture.resize((size.width, size.height), filter_))
    result = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    return (result.astype(np.float64) / 255).astype(np.float32) if scaled else result


def _eight_bits(image: NDArray[Any]) -> tuple[NDArray[np.uint8], bool]:
    """The image as uint8, and whether it was in [0, 1] before."""
    if image.dtype == np.uint8:
        return image, False
    low, high = image.min(), image.max()
    if low >= 0 and high <= 255 and np.allclose(image, np.trunc(image)):
        return image.astype(np.uint8), False
    if low >= 0 and high <= 1:
        return (image.astype(np.float64) * 255).astype(np.float32).astype(np.uint8), True
    raise ImageError(
        f"image values must be whole numbers in [0, 255] or floats in [0, 1], not in [{low:g}, {high:g}]; rescale them"
    )


def grey(image: NDArray[Any]) -> NDArray[Any]:
    """(3, H, W) colour -> (3, H, W) with three equal channels; grey images stay as they are."""
    if image.shape[0] == 1 or bool((image[0] == image[1]).all() and (image[1] == image[2]).all()):
        return image
    red, green, blue = GREY_WEIGHTS
    mixed = image[0] * red + image[1] * green + image[2] * blue
    return np.stack([mixed] * 3)
