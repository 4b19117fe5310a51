"""Pictures as arrays, painted by OpenCV in milliseconds: for batch programs and video."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.viz.colours import UNMATCHED, one_colour
from cyano.viz.layout import DEFAULT_STYLE, FONT_SIZE, UNMATCHED_DIAMETER, MatchStyle, plan_matches

__all__ = ["draw_matches_image"]

SHIFT = 4
"""Binary digits after the point in the positions that OpenCV is given: sixteenths of a pixel."""

FONT = cv2.FONT_HERSHEY_SIMPLEX
MIN_LETTER = 10.0
"""Pixels below which letters cannot be read."""

RIM = 0.8
"""Width in pixels of the dark rim of a dot."""

SPREAD = 0.6
"""Pixels by which OpenCV's smooth polygons are larger than asked, on each side."""

CORNERS = np.stack([np.cos(np.arange(10) * np.pi / 5), np.sin(np.arange(10) * np.pi / 5)], axis=1)
"""(10, 2) corners of the polygon that stands for a circle of radius 1."""

POINTS_ACROSS = 12 * 72
"""Points across a picture of 12 inches: what converts widths in points into pixels of the canvas."""


def draw_matches_image(
    image0: NDArray[np.uint8],
    image1: NDArray[np.uint8],
    keypoints0: NDArray[np.floating],
    keypoints1: NDArray[np.floating],
    *,
    scores: NDArray[np.floating] | None = None,
    inliers: NDArray[np.bool_] | None = None,
    errors: NDArray[np.floating] | None = None,
    style: MatchStyle = DEFAULT_STYLE,
) -> NDArray[np.uint8]:
    """The picture of `draw_matches` at the size of the images; the arguments mean the same.

    All lines share one layer, so translucent lines that cross do not add up. Keep texts to ASCII:
    OpenCV's letters have little else.

    Returns:
        (H, W, 3) uint8 RGB, a new array: its size is that of both images and the gap.

    Raises:
        InputError: a shape or a dtype does not fit, or inliers and errors are both given.
    """
    plan = plan_matches(
        image0, image1, keypoints0, keypoints1, scores=scores, inliers=inliers, errors=errors, style=style
    )
    pixels_per_point = max(plan.canvas.shape[:2]) / POINTS_ACROSS
    canvas = plan.canvas
    unmatched = one_colour(UNMATCHED, len(plan.dots))
    _dots(canvas, plan.dots, unmatched, UNMATCHED_DIAMETER * pixels_per_point)
    lines = canvas.copy()
    thickness = _thickness(plan.line_width * pixels_per_point)
    starts, ends = _fixed(plan.starts).tolist(), _fixed(plan.ends).tolist()
    for start, end, colour in zip(starts, ends, plan.colours.tolist(), strict=True):
        cv2.line(lines, start, end, colour, thickness, cv2.LINE_AA, SHIFT)
    cv2.addWeighted(lines, plan.alpha, canvas, 1.0 - plan.alpha, 0.0, dst=canvas)
    tips = np.concatenate([plan.starts, plan.ends])
    _dots(canvas, tips, np.tile(plan.colours, (2, 1)), plan.tip_diameter * pixels_per_point)
    _write(canvas, plan.text, FONT_SIZE * pixels_per_point)
    return canvas


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Positions as OpenCV takes them, whole numbers of sixteenths of a pixel."""
    return np.rint(points * (1 << SHIFT)).astype(np.int32)


def _thickness(width: float) -> int:
    """OpenCV's thickness for lines of so many pixels.

    Its smooth lines come out wider than asked: 1 gives 1.4 pixels, 2 gives 3.4, and 3 and 4 both give 5.4.
    """
    return 1 if width < 2.4 else max(2, 2 * round((width - 1.4) / 2))


def _dots(canvas: NDArray[np.uint8], points: NDArray[np.float64], colours: NDArray[np.uint8], diameter: float) -> None:
    """Paint round dots with a dark rim onto the canvas; colours (K, 3).

    Polygons, because OpenCV's circles of so few pixels are diamonds and ignore parts of a pixel.
    """
    radius = max(diameter / 2, 1.5) - SPREAD
    inner, outer = (_fixed(points[:, None] + r * CORNERS) for r in (radius, radius + RIM))
    for dark, bright, colour in zip(outer, inner, colours.tolist(), strict=True):
        cv2.fillConvexPoly(canvas, dark, (0, 0, 0), cv2.LINE_AA, SHIFT)
        cv2.fillConvexPoly(canvas, bright, colour, cv2.LINE_AA, SHIFT)


def _write(canvas: NDArray[np.uint8], lines: Sequence[str], letter: float) -> None:
    """Paint lines of white text with a dark rim, letters of so many pixels, into the top left corner.

    The rim is the dilated text: a second, thicker text would look different in each version of OpenCV.
    """
    size = max(letter, MIN_LETTER)
    scale = cv2.getFontScaleFromHeight(FONT, round(0.75 * size))
    corner = canvas[: round((0.6 + 1.3 * len(lines)) * size)]
    text = np.zeros(corner.shape[:2], dtype=np.uint8)
    for number, line in enumerate(lines):
        origin = (round(0.5 * size), round((1.3 + 1.3 * number) * size))
        cv2.putText(text, line, origin, FONT, scale, 255, max(1, round(size / 14)), cv2.LINE_AA)
    reach = 2 * round(size / 12) + 1
    rim = cv2.dilate(text, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    dark = corner * (1.0 - rim[:, :, None] / 255.0)
    corner[:] = np.rint(np.maximum(dark, text[:, :, None]))
