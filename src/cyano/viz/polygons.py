"""Smooth polygons by Pillow, for pictures where OpenCV is not installed: in `cyano-runtime` (0026-runtime.md)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["fill_polygons"]

FINE = 4
"""Samples of a pixel along each axis: Pillow's own polygons have no smooth edges."""

_BAND_PIXELS = 2**18
"""Pixels of the canvas painted at a time, since each has 16 samples."""


def fill_polygons(canvas: NDArray[np.uint8], polygons: NDArray[np.float64], colours: NDArray[np.uint8]) -> None:
    """Fill convex polygons on the canvas, in their order.

    Args:
        canvas: (H, W, 3) uint8.
        polygons: (K, V, 2) corners (x, y) in pixels, the centre of the first one at (0, 0).
        colours: (K, 3).

    Example:
        >>> canvas = np.zeros((2, 2, 3), np.uint8)
        >>> square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
        >>> fill_polygons(canvas, square[None], np.array([[8, 8, 8]], np.uint8))
        >>> canvas[:, :, 0].tolist()
        [[8, 0], [0, 0]]
    """
    # Pillow fills the pixels on the outline as well, whose centres lie half a sample inside of it.
    inwards = polygons.mean(axis=1, keepdims=True) - polygons
    inwards /= np.maximum(np.linalg.norm(inwards, axis=2, keepdims=True), 1e-9)
    corners = (polygons + 0.5) * FINE - 0.5 + 0.5 * inwards
    rows = max(1, _BAND_PIXELS // canvas.shape[1])
    for top in range(0, len(canvas), rows):
        band = canvas[top : top + rows]
        first, last = corners[..., 1].min(axis=1) - FINE * top, corners[..., 1].max(axis=1) - FINE * top
        there = np.flatnonzero((last > -1) & (first < FINE * len(band)))
        if not len(there):
            continue
        fine = Image.fromarray(band.repeat(FINE, axis=0).repeat(FINE, axis=1))
        pen = ImageDraw.Draw(fine)
        placed = corners[there] - (0, FINE * top)
        for corner, colour in zip(placed.reshape(len(there), -1).tolist(), colours[there].tolist(), strict=True):
            pen.polygon(corner, tuple(colour))
        band[:] = np.asarray(fine.reduce(FINE))
