"""Two images side by side with lines between matched keypoints, as transformers draws them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

__all__ = ["side_by_side"]

_LINE_WIDTH = 3
_RADIUS = 2


def side_by_side(first: NDArray[Any], second: NDArray[Any], matches: Mapping[str, Tensor]) -> Image.Image:
    """Draw one pair.

    Args:
        first: (C, H, W) image, uint8, or floats in [0, 1].
        second: likewise.
        matches: `keypoints0` and `keypoints1` (M, 2) in pixels, `matching_scores` (M,) in [0, 1].

    Returns:
        An RGB image, as high as the higher one and as wide as both.
    """
    left, right = _rgb(first), _rgb(second)
    canvas = Image.new("RGB", (left.width + right.width, max(left.height, right.height)))
    canvas.paste(left, (0, 0))
    canvas.paste(right, (left.width, 0))
    draw = ImageDraw.Draw(canvas)
    scores = matches["matching_scores"]
    colours = zip((255 * (1 - scores)).int().tolist(), (255 * scores).int().tolist(), strict=True)
    points0, points1 = matches["keypoints0"].tolist(), matches["keypoints1"].tolist()
    for (x0, y0), (x1, y1), (red, green) in zip(points0, points1, colours, strict=True):
        draw.line((x0, y0, x1 + left.width, y1), fill=(red, green, 0), width=_LINE_WIDTH)
        for x, y in ((x0, y0), (x1 + left.width, y1)):
            draw.ellipse((x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS), fill="black")
    return canvas


def _rgb(image: NDArray[Any]) -> Image.Image:
    if np.issubdtype(image.dtype, np.floating) and image.max() <= 1:
        image = (image * 255).round()
    colour = np.repeat(image, 3, axis=0) if image.shape[0] == 1 else image
    return Image.fromarray(np.ascontiguousarray(np.moveaxis(colour.astype(np.uint8), 0, -1)))
