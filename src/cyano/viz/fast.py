"""Pictures of matches as arrays, painted in milliseconds: what the programs write and notebooks show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cyano.processing.resampling import averaged, interpolated
from cyano.viz.colours import UNMATCHED, one_colour
from cyano.viz.layout import DEFAULT_STYLE, FONT_SIZE, UNMATCHED_DIAMETER, MatchPlan, MatchStyle, plan_matches
from cyano.viz.painting import paint_dots, paint_lines, paint_text
from cyano.viz.sizes import INCHES, LEAST_INCHES, POINTS

__all__ = ["draw_matches_image"]

MIN_LETTER = 10.0
"""Pixels below which letters cannot be read."""

MARGIN, TEXT_RIM = 6.0, 1.25
"""From the corner of the picture to the text, and the dark rim of its letters, in points."""

SOFT_UP_TO = 3.0
"""Images enlarged more than this show their pixels."""

_BAND_PIXELS = 2**16


def draw_matches_image(  # noqa: PLR0913 - those of draw_matches, and the size
    image0: NDArray[np.uint8],
    image1: NDArray[np.uint8],
    keypoints0: NDArray[np.floating],
    keypoints1: NDArray[np.floating],
    *,
    scores: NDArray[np.floating] | None = None,
    inliers: NDArray[np.bool_] | None = None,
    errors: NDArray[np.floating] | None = None,
    style: MatchStyle = DEFAULT_STYLE,
    longest_side: int | None = None,
) -> NDArray[np.uint8]:
    """The picture of `draw_matches` without matplotlib.

    All lines share one layer, so translucent lines that cross do not add up.

    Args:
        image0: as for `draw_matches`, like all up to `style`.
        image1: likewise.
        keypoints0: likewise.
        keypoints1: likewise.
        scores: likewise.
        inliers: likewise.
        errors: likewise.
        style: likewise.
        longest_side: pixels of the picture's longer side; None leaves the images as they are.

    Returns:
        (H, W, 3) uint8 RGB, a new array: its size is that of both images and the gap, or what `longest_side` makes
        of it.

    Raises:
        InputError: a shape or a dtype does not fit, or inliers and errors are both given.

    Example:
        >>> image = np.full((240, 320, 3), 128, np.uint8)
        >>> keypoints = np.array([[10.0, 20.0], [300.0, 200.0]])
        >>> draw_matches_image(image, image, keypoints, keypoints, scores=np.array([0.2, 0.9])).shape
        (240, 650, 3)
    """
    plan = plan_matches(
        image0, image1, keypoints0, keypoints1, scores=scores, inliers=inliers, errors=errors, style=style
    )
    plan = plan if longest_side is None else _resized(plan, longest_side)
    canvas = plan.canvas
    point = max(canvas.shape[:2]) / POINTS
    paint_dots(canvas, plan.dots, one_colour(UNMATCHED, len(plan.dots)), UNMATCHED_DIAMETER * point)
    lines = canvas.copy()
    paint_lines(lines, plan.starts, plan.ends, plan.colours, plan.line_width * point)
    _blend(canvas, lines, plan.alpha)
    tips = np.concatenate([plan.starts, plan.ends])
    paint_dots(canvas, tips, np.tile(plan.colours, (2, 1)), plan.tip_diameter * point)
    letter = max(FONT_SIZE * point, MIN_LETTER)
    margin, rim = (length * letter / FONT_SIZE for length in (MARGIN, TEXT_RIM))
    paint_text(canvas, plan.text, (margin, margin), letter, (255, 255, 255), rim)
    return canvas


def _blend(canvas: NDArray[np.uint8], layer: NDArray[np.uint8], opacity: float) -> None:
    """Lay a translucent layer over the canvas, some rows at a time, which fit a processor's cache."""
    rows = max(1, _BAND_PIXELS // canvas.shape[1])
    for top in range(0, len(canvas), rows):
        below, above = canvas[top : top + rows], layer[top : top + rows]
        below[:] = np.rint(above * np.float32(opacity) + below * np.float32(1 - opacity))


def _resized(plan: MatchPlan, longest_side: int) -> MatchPlan:
    """The plan on a canvas with a longer side of so many pixels, white where a sliver needs more room."""
    height, width = plan.canvas.shape[:2]
    scale = longest_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 1:
        image = averaged(plan.canvas, size[1], size[0])
    elif scale <= SOFT_UP_TO:
        image = interpolated(plan.canvas, size[1], size[0])
    else:
        rows, columns = (np.arange(new) * old // new for new, old in ((size[1], height), (size[0], width)))
        image = plan.canvas[rows[:, None], columns]
    least = round(longest_side * LEAST_INCHES / INCHES)
    canvas = np.full((max(size[1], least), max(size[0], least), 3), 255, dtype=np.uint8)
    canvas[: size[1], : size[0]] = image
    ratio = np.array(size) / (width, height)
    starts, ends, dots = ((points + 0.5) * ratio - 0.5 for points in (plan.starts, plan.ends, plan.dots))
    return replace(plan, canvas=canvas, starts=starts, ends=ends, dots=dots)
