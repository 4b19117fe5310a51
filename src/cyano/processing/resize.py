"""Bring an image to the size that the networks see, and say where its pixels went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from cyano.errors import ImageError, InputError
from cyano.processing.images import MIN_SIDE, ImageLimits, LoadedImage
from cyano.processing.resampling import averaged, interpolated
from cyano.types import ImageSize, ResizeMap

__all__ = ["ResizeRule", "apply"]


@dataclass(frozen=True)
class ResizeRule:
    """How an image's size becomes the network's; by default the longest side shrinks to 640 pixels.

    Attributes:
        longest_side: pixels of the longer side, the aspect ratio kept; None leaves images as they are.
        size: this size exactly, the aspect ratio given up; it takes the place of `longest_side`.
        allow_upscale: whether `longest_side` also enlarges smaller images.

    Example:
        >>> cyano.ResizeRule.longest(640).network_size(cyano.ImageSize(height=3000, width=4000))
        ImageSize(height=480, width=640)
        >>> cyano.ResizeRule.exact(480, 640) == cyano.ResizeRule.from_flags([640, 480])
        True
        >>> cyano.ResizeRule.none().network_size(cyano.ImageSize(height=3000, width=4000))
        ImageSize(height=3000, width=4000)
    """

    longest_side: int | None = 640
    size: ImageSize | None = None
    allow_upscale: bool = False

    def __post_init__(self) -> None:
        shortest = self.longest_side if self.size is None else min(self.size.height, self.size.width)
        if shortest is not None and not isinstance(shortest, Integral):
            raise InputError(f"images are resized to whole pixels, not {shortest!r}")
        if shortest is not None and shortest < MIN_SIDE:
            raise InputError(f"images are resized to at least {MIN_SIDE} pixels a side, not {shortest}; ask for more")

    @classmethod
    def none(cls) -> ResizeRule:
        """The rule that leaves every image as it is."""
        return cls(longest_side=None)

    @classmethod
    def exact(cls, height: int, width: int) -> ResizeRule:
        """The rule that makes every image exactly so high and wide, in pixels."""
        return cls(longest_side=None, size=ImageSize(height, width))

    @classmethod
    def longest(cls, side: int, *, allow_upscale: bool = False) -> ResizeRule:
        """The rule that brings the longer side to `side` pixels and keeps the aspect ratio."""
        return cls(longest_side=side, allow_upscale=allow_upscale)

    @classmethod
    def from_flags(cls, numbers: Sequence[int]) -> ResizeRule:
        """The rule that the program match_pairs means by the numbers after `--resize`.

        Args:
            numbers: [-1] for no resize, [longest side], which enlarges too, or [width, height]; [side, -1] is
                [side].

        Raises:
            InputError: anything else.
        """
        match list(numbers):
            case [-1]:
                return cls.none()
            case [int(side)] | [int(side), -1] if side > 0:
                return cls.longest(side, allow_upscale=True)
            case [int(width), int(height)] if width > 0 and height > 0:
                return cls.exact(height, width)
        raise InputError(
            f"--resize takes -1 (no resize), the longest side, or width and height, in pixels; not {list(numbers)}"
        )

    def network_size(self, size: ImageSize) -> ImageSize:
        """The size to which an image of this size is brought.

        Sides are rounded to the nearest pixel. A side that would fall below `MIN_SIDE` is set to it: a very
        long and thin image then loses its aspect ratio instead of its content, and `ResizeMap` has a scale
        per axis.
        """
        if self.size is not None:
            return self.size
        if self.longest_side is None or (size.longest <= self.longest_side and not self.allow_upscale):
            return size
        height, width = (
            max(MIN_SIDE, round(side * self.longest_side / size.longest)) for side in (size.height, size.width)
        )
        return ImageSize(height, width)


def apply(image: LoadedImage, rule: ResizeRule, quarter_turns: int = 0) -> tuple[NDArray[np.float32], ResizeMap]:
    """Turn and resize an image for the networks.

    Shrinking averages over the area of each new pixel, so that nothing aliases; enlarging interpolates
    linearly. Both map pixel centres as `ResizeMap` does.

    Args:
        image: the image; it is not modified, but shares its memory with the result where nothing changes.
        rule: the size of the turned image.
        quarter_turns: counter-clockwise, as in `numpy.rot90`.

    Returns:
        The grey image (H, W) float32 in [0, 1], C-contiguous, and the map between the two frames.

    Raises:
        ImageError: the result would have more pixels than `ImageLimits` allows.
    """
    turned = image.size.turned(quarter_turns)
    size = rule.network_size(turned)
    limit = ImageLimits().max_pixels
    if size != turned and size.height * size.width > limit:
        raise ImageError(
            f"{image.name}: resized to {size.height}x{size.width} (height x width) the image would have more "
            f"than {limit:,} pixels; ask for a smaller size"
        )
    # Resizing comes first because the smaller image turns faster; by symmetry the result is the same.
    small = _resized(image.grey, size.turned(quarter_turns))
    return np.ascontiguousarray(np.rot90(small, quarter_turns)), ResizeMap(image.size, size, quarter_turns)


def _resized(grey: NDArray[np.float32], size: ImageSize) -> NDArray[np.float32]:
    """The image at another size; the same array if that is its size.

    Averages need an image no axis of which grows (OpenCV's INTER_AREA otherwise becomes a kind of nearest neighbour),
    hence the two steps. Sums of weights may miss one by a rounding error, hence the limits.
    """
    height, width = grey.shape
    shrunk = min(size.height, height), min(size.width, width)
    if shrunk != grey.shape:
        grey = averaged(grey, *shrunk)
        np.clip(grey, 0, 1, out=grey)
    if grey.shape != (size.height, size.width):
        grey = interpolated(grey, size.height, size.width)
        np.clip(grey, 0, 1, out=grey)
    return grey
