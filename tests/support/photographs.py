"""A folder of small made-up photographs: smooth noise with shapes on it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from cyano.synthesis.shapes import draw_shapes
from cyano.types import ImageSize


def write_photographs(folder: Path, count: int, size: ImageSize = ImageSize(180, 240)) -> Path:  # noqa: B008
    """Write `count` PNG files, each of a family of its own, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        rng = np.random.default_rng(index)
        noise = rng.uniform(0, 1, (size.height, size.width)).astype(np.float32)
        texture = sum(cv2.GaussianBlur(noise, (0, 0), sigma) * sigma for sigma in (1.2, 3, 8)) / 12
        picture = 0.5 * draw_shapes(size, rng)[0] + 2.5 * (texture - texture.mean()) + 0.25
        cv2.imwrite(
            str(folder / f"{chr(97 + index % 26)}{index:03d}.png"), (np.clip(picture, 0, 1) * 255).astype(np.uint8)
        )
    return folder
