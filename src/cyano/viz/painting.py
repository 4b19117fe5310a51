"""What pictures are painted with: lines, dots and text onto arrays, smooth at any width, by OpenCV and Pillow.

Without OpenCV, as in `cyano-runtime`, Pillow paints all of it; edges differ by parts of a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cyano.viz.polygons import fill_polygons

try:
    import cv2
except ImportError:  # cyano-runtime without its extra
    cv2 = None  # type: ignore[assignment]

__all__ = ["paint_dots", "paint_lines", "paint_text", "text_width"]

SHIFT = 4
"""Binary digits after the point in the positions that OpenCV is given: sixteenths of a pixel."""

FARTHEST = 1e7
"""Pixels from the origin up to which OpenCV's sixteenths are whole numbers that it can hold."""

THINNEST, THIN = 1.8, 1.4
"""Pixels below which a line is OpenCV's thinnest, and the width of that: no polygon comes out so thin."""

INSET = 0.7
"""Pixels by which the smooth polygons that stand for lines come out larger than asked, on each side."""

SPREAD = 0.6
"""The same of the small polygons that stand for dots."""

RIM, LEAST_RIM = 0.08, 0.5
"""Width of the dark rim of a dot, in diameters, and in pixels at least."""

LEADING = 1.2
"""From one line of text to the next, in heights of the letters."""


def paint_lines(
    canvas: NDArray[np.uint8],
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    colours: NDArray[np.uint8],
    width: float,
) -> None:
    """Paint straight lines onto the canvas, in their order.

    Polygons, because OpenCV's own smooth lines are 1.4, 3.4, 5.4, ... pixels wide and nothing between.

    Args:
        canvas: (H, W, 3) uint8.
        starts: (K, 2) positions (x, y) in pixels.
        ends: (K, 2).
        colours: (K, 3).
        width: in pixels.
    """
    if cv2 is None:
        fill_polygons(canvas, _bars(starts, ends, width if width >= THINNEST else THIN), colours)
        return
    if width < THINNEST:
        for start, end, colour in zip(_fixed(starts).tolist(), _fixed(ends).tolist(), colours.tolist(), strict=True):
            cv2.line(canvas, start, end, colour, 1, cv2.LINE_AA, SHIFT)
        return
    corners = _fixed(_bars(starts, ends, width - 2 * INSET))
    for corner, colour in zip(corners, colours.tolist(), strict=True):
        cv2.fillConvexPoly(canvas, corner, colour, cv2.LINE_AA, SHIFT)


def paint_dots(
    canvas: NDArray[np.uint8],
    points: NDArray[np.float64],
    colours: NDArray[np.uint8],
    diameter: float,
    *,
    rimmed: bool = True,
) -> None:
    """Paint round dots onto the canvas, in their order.

    Polygons, because OpenCV's circles of so few pixels are diamonds and ignore parts of a pixel.

    Args:
        canvas: (H, W, 3) uint8.
        points: (K, 2) positions (x, y) in pixels.
        colours: (K, 3).
        diameter: in pixels, to the middle of the rim.
        rimmed: whether they have a dark rim.
    """
    rim = max(RIM * diameter, LEAST_RIM) if rimmed else 0.0
    radius = max((diameter - rim) / 2, 1.5) - (0.0 if cv2 is None else SPREAD)
    angles = np.linspace(0, 2 * np.pi, 10 if radius < 4 else 32, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    inner, outer = (points[:, None] + r * circle for r in (radius, radius + rim))
    if cv2 is None:
        both = np.stack([outer, inner], axis=1), np.stack([np.zeros_like(colours), colours], axis=1)
        polygons, shades = (each[:, 0 if rimmed else 1 :].reshape(-1, *each.shape[2:]) for each in both)
        fill_polygons(canvas, polygons, shades)
        return
    for dark, bright, colour in zip(_fixed(outer), _fixed(inner), colours.tolist(), strict=True):
        if rimmed:
            cv2.fillConvexPoly(canvas, dark, (0, 0, 0), cv2.LINE_AA, SHIFT)
        cv2.fillConvexPoly(canvas, bright, colour, cv2.LINE_AA, SHIFT)


def paint_text(
    canvas: NDArray[np.uint8],
    lines: Sequence[str],
    corner: tuple[float, float],
    letter: float,
    colour: tuple[int, int, int] = (0, 0, 0),
    rim: float = 0.0,
) -> None:
    """Paint lines of text onto the canvas; what does not fit is cut off.

    Args:
        canvas: (H, W, 3) uint8.
        lines: from top to bottom.
        corner: the top left (x, y) of the first, in pixels.
        letter: size of the letters in pixels.
        colour: of the letters.
        rim: pixels of black around them.
    """
    rows = "\n".join(lines).split("\n")
    top, bottom = (round(corner[1] - rim), round(corner[1] + LEADING * letter * (len(rows) + 1) + rim))
    band = canvas[max(top, 0) : max(bottom, 0)]
    if not band.size:
        return
    picture = Image.fromarray(band)
    pen = ImageDraw.Draw(picture)
    x, y = corner[0], corner[1] - max(top, 0)
    for number, row in enumerate(rows):
        place = (x, y + number * LEADING * letter)
        pen.text(place, row, colour, _font(letter), anchor="la", stroke_width=rim, stroke_fill=(0, 0, 0))
    band[:] = np.asarray(picture)


def text_width(line: str, letter: float) -> float:
    """Pixels across a line of text in letters of so many pixels."""
    return float(_font(letter).getlength(line))


@cache
def _font(letter: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The one of matplotlib, which has more letters than Pillow's, from its file: matplotlib need not be imported."""
    found = find_spec("matplotlib")
    for folder in (found and found.submodule_search_locations) or ():
        path = Path(folder, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if path.is_file():
            # Without shaping, so that text is the same with every build of Pillow.
            return ImageFont.truetype(path, letter, layout_engine=ImageFont.Layout.BASIC)
    return ImageFont.load_default(letter)


def _bars(starts: NDArray[np.float64], ends: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """(K, 4, 2) corners of lines from (K, 2) to (K, 2) positions, so many pixels wide."""
    along = ends - starts
    length = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    aside = width / 2 * np.stack([-along[:, 1], along[:, 0]], axis=1) / length
    return np.stack([starts + aside, ends + aside, ends - aside, starts - aside], axis=1)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Positions as OpenCV takes them, whole numbers of sixteenths of a pixel."""
    return np.rint(np.clip(points, -FARTHEST, FARTHEST) * (1 << SHIFT)).astype(np.int32)
