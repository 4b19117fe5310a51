"""What users pass to the processors, checked and brought to one form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.errors import InputError
from cyano.hf.outputs import BatchFeature
from cyano.hf.pixels import Picture, is_picture

__all__ = ["batch", "common_channels", "pairs_of", "singles_of", "sizes_of"]


def pairs_of(images: Any) -> list[tuple[Picture, Picture]]:
    """One pair, or a collection of them, as a list of pairs."""
    if isinstance(images, list | tuple):
        if len(images) == 2 and all(is_picture(image) for image in images):
            return [(images[0], images[1])]
        if all(isinstance(pair, list | tuple) and len(pair) == 2 and all(map(is_picture, pair)) for pair in images):
            return [(first, second) for first, second in images]
    raise InputError(
        "images must be a pair of images or a list of pairs: Pillow images, file paths, or 2-D or 3-D arrays"
    )


def singles_of(images: Any) -> list[Picture]:
    """One image, or a collection of them, as a list."""
    if is_picture(images):
        return [images]
    if isinstance(images, np.ndarray | Tensor) and images.ndim == 4:
        return list(images)
    if isinstance(images, list | tuple) and all(is_picture(image) for image in images):
        return list(images)
    raise InputError("images must be an image or a list of images: Pillow images, file paths, or arrays")


def common_channels(images: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Three channels for all, if any has three."""
    channels = max((image.shape[0] for image in images), default=1)
    return [image if image.shape[0] == channels else np.repeat(image, channels, axis=0) for image in images]


def batch(nested: Sequence[Any], flat: list[NDArray[Any]], return_tensors: str | None) -> BatchFeature:
    """`nested` under its name, stacked if asked for; `flat` are the same images in one list."""
    if return_tensors is None:
        return BatchFeature({"pixel_values": nested})
    if return_tensors not in ("pt", "np"):
        raise InputError(f'return_tensors must be "pt", "np" or None, not {return_tensors!r}')
    if len({image.shape for image in flat}) != 1:
        raise InputError(
            "images of one batch must get one size, and there must be at least one: set size to a height and a "
            "width, or give one image or pair at a time"
        )
    stacked = np.ascontiguousarray(np.stack([np.stack(item) if isinstance(item, list) else item for item in nested]))
    return BatchFeature({"pixel_values": torch.from_numpy(stacked) if return_tensors == "pt" else stacked})


def sizes_of(target_sizes: Tensor | Sequence[Any], shape: tuple[int, ...]) -> Tensor:
    """Heights and widths as a tensor of the given shape."""
    try:
        sizes = target_sizes if isinstance(target_sizes, Tensor) else torch.tensor(target_sizes)
    except (TypeError, ValueError) as error:
        raise InputError(f"target_sizes must be of shape {shape}: (height, width) of each original image") from error
    if tuple(sizes.shape) != shape:
        raise InputError(
            f"target_sizes must be of shape {shape}: (height, width) of each original image of the batch, "
            f"not {tuple(sizes.shape)}"
        )
    return sizes
