"""What a picture of matches shows and where, decided once for both renderers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.viz import colours
from cyano.viz.spread import paint_order, spread

__all__ = [
    "DEFAULT_STYLE",
    "MAX_LINES",
    "MatchPlan",
    "MatchStyle",
    "checked_image",
    "checked_keypoints",
    "plan_matches",
]

FONT_SIZE = 13.0
UNMATCHED_DIAMETER = 2.4
"""Height of the text and diameter of unmatched keypoints, in points on a picture 12 inches wide."""

WIDEST = 100.0
"""Points; wider lines are a mistake."""

MAX_LINES = 250
"""More lines than this are a sheet of colour."""

STACK_BEYOND = 3.3
"""Width over height of two images side by side beyond which the images are stacked: 16:9 is stacked, 3:2 is not."""

FARTHEST = 1e6
"""Pixels from the origin beyond which a position is an error in the caller's data, not a position near an
image."""


@dataclass(frozen=True, eq=False)
class MatchStyle:
    """How a picture of matches looks, and what it shows besides the matches.

    Attributes:
        title: a first line of text on the picture.
        notes: more lines of text, below the counts.
        counts: whether to write how many matches there are, and how many of them are right where that is
            known.
        line_width: width of the lines in points of a 1/72 inch on a picture 12 inches wide (the fast picture
            scales it to its own width); None chooses by the number of lines.
        alpha: opacity of the lines in (0, 1]; None chooses by the number of lines.
        max_lines: the most lines to draw, spread over image 0, in each part of it those of the highest scores;
            inliers and outliers (or right and wrong matches) keep their proportion. None draws all.
        error_threshold: the largest error of a correct match, in the unit of the errors.
        error_unit: that unit as the text names it.
        stacked: whether image 1 is below image 0 instead of beside it; None stacks wide images.
        gap: white pixels between the two images.
        all_keypoints0: (M, 2) keypoints of the first image to show as small dots, matched or not.
        all_keypoints1: (N, 2) keypoints of the second image.

    Example:
        >>> style = MatchStyle(title="a and b", max_lines=50, stacked=True)
        >>> picture = cyano.match("a.jpg", "b.jpg").draw_image(style=style)
    """

    title: str = ""
    notes: tuple[str, ...] = ()
    counts: bool = True
    line_width: float | None = None
    alpha: float | None = None
    max_lines: int | None = MAX_LINES
    error_threshold: float = 3.0
    error_unit: str = "px"
    stacked: bool | None = None
    gap: int = 10
    all_keypoints0: NDArray[np.floating] | None = None
    all_keypoints1: NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        if self.line_width is not None and not 0 < self.line_width <= WIDEST:
            raise InputError(f"line_width has to be 0 to {WIDEST} points, 0 excluded, not {self.line_width}")
        if self.alpha is not None and not 0 < self.alpha <= 1:
            raise InputError(f"alpha has to lie in (0, 1], not {self.alpha}")
        if self.max_lines is not None and self.max_lines < 0:
            raise InputError(f"max_lines has to be 0 or more, or None for all, not {self.max_lines}")
        if self.gap < 0:
            raise InputError(f"gap has to be 0 pixels or more, not {self.gap}")


DEFAULT_STYLE = MatchStyle()


@dataclass(frozen=True, eq=False)
class MatchPlan:
    """A picture of matches, ready to paint: positions are pixels of the canvas.

    Attributes:
        canvas: (H, W, 3) uint8 RGB, the two images side by side or stacked, aligned at the top left, on white.
        starts: (K, 2) float64 ends of the lines in the first image, in the order of painting.
        ends: (K, 2) float64 ends in the second image, moved to its place on the canvas.
        colours: (K, 3) uint8 RGB.
        dots: (L, 2) float64 keypoints to show besides the matches.
        text: the lines of text.
        line_width: in points on a picture 12 inches wide.
        alpha: opacity of the lines.
    """

    canvas: NDArray[np.uint8]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    colours: NDArray[np.uint8]
    dots: NDArray[np.float64]
    text: tuple[str, ...]
    line_width: float
    alpha: float

    @property
    def tip_diameter(self) -> float:
        """Diameter in points of the dots at the ends of the lines."""
        return 1.2 + 1.3 * self.line_width


def plan_matches(
    image0: NDArray[np.uint8],
    image1: NDArray[np.uint8],
    keypoints0: NDArray[np.floating],
    keypoints1: NDArray[np.floating],
    *,
    scores: NDArray[np.floating] | None = None,
    inliers: NDArray[np.bool_] | None = None,
    errors: NDArray[np.floating] | None = None,
    style: MatchStyle = DEFAULT_STYLE,
) -> MatchPlan:
    """Check the arguments of `draw_matches` and decide what goes where; they are described there."""
    image0, image1 = checked_image(image0, "image0"), checked_image(image1, "image1")
    starts, ends = checked_keypoints(keypoints0, "keypoints0"), checked_keypoints(keypoints1, "keypoints1")
    count = len(starts)
    if len(ends) != count:
        raise InputError(f"keypoints0 and keypoints1 are matches, row by row, but there are {count} and {len(ends)}")
    if inliers is not None and errors is not None:
        raise InputError("inliers and errors both choose the colours; give one of them")
    scores = None if scores is None else checked_values(scores, "scores", count)
    inliers = None if inliers is None else _checked_mask(inliers, count)
    errors = None if errors is None else checked_values(errors, "errors", count)
    canvas, shift = _together(image0, image1, style)
    groups = _groups(count, inliers, errors, style.error_threshold)
    kept = count if style.max_lines is None else min(count, style.max_lines)
    chosen = spread(starts, image0.shape[:2], kept, scores, groups)
    chosen = chosen[paint_order(None if scores is None else scores[chosen], groups[chosen])]
    width, alpha = _line_look(len(chosen))
    return MatchPlan(
        canvas=canvas,
        starts=starts[chosen],
        ends=ends[chosen] + shift,
        colours=_choose_colours(count, scores, inliers, errors, style.error_threshold)[chosen],
        dots=_background_dots(style, shift),
        text=_text(count, len(chosen), inliers, errors, style),
        line_width=width if style.line_width is None else style.line_width,
        alpha=alpha if style.alpha is None else style.alpha,
    )


def checked_image(image: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """The image as (H, W, 3) uint8 RGB; grey becomes RGB."""
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise InputError(
            f"{name} has to be uint8 with values 0..255, not {array.dtype}; for values in [0, 1] give "
            "(image * 255).round().astype(numpy.uint8)"
        )
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise InputError(f"{name} has to be (H, W, 3) RGB or (H, W) grey, not of shape {array.shape}")
    return array


def checked_keypoints(keypoints: NDArray[np.floating], name: str) -> NDArray[np.float64]:
    """The keypoints as (K, 2) float64."""
    array = np.asarray(keypoints, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise InputError(f"{name} has to be (K, 2) positions (x, y), not of shape {array.shape}")
    if not (np.abs(array) < FARTHEST).all():  # also false for NaN
        raise InputError(f"{name} holds positions that are not pixels near an image (NaN, infinite or huge)")
    return array


def checked_values(values: NDArray[np.floating], name: str, count: int) -> NDArray[np.float64]:
    """The values as (K,) float64, one for each position."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (count,):
        raise InputError(f"{name} has to hold one value for each of the {count} positions, not shape {array.shape}")
    return array


def _checked_mask(inliers: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    array = np.asarray(inliers)
    if array.dtype != np.bool_ or array.shape != (count,):
        raise InputError(
            f"inliers has to be bool, one for each of the {count} matches, not {array.dtype} of shape {array.shape}"
        )
    return array


def _together(
    image0: NDArray[np.uint8], image1: NDArray[np.uint8], style: MatchStyle
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Both images on one canvas, and the (x, y) at which the second begins."""
    (height0, width0), (height1, width1) = image0.shape[:2], image1.shape[:2]
    stacked = style.stacked
    if stacked is None:
        stacked = width0 + width1 > STACK_BEYOND * max(height0, height1)
    left, top = (0, height0 + style.gap) if stacked else (width0 + style.gap, 0)
    canvas = np.full((max(height0, top + height1), max(width0, left + width1), 3), 255, dtype=np.uint8)
    canvas[:height0, :width0] = image0
    canvas[top : top + height1, left : left + width1] = image1
    return canvas, np.array([left, top], dtype=np.float64)


def _groups(
    count: int, inliers: NDArray[np.bool_] | None, errors: NDArray[np.floating] | None, threshold: float
) -> NDArray[np.intp]:
    """(K,) numbers: matches that the picture tells apart have different ones."""
    if inliers is not None:
        return inliers.astype(np.intp)
    if errors is not None:
        return np.where(np.isnan(errors), 2, errors <= threshold).astype(np.intp)
    return np.zeros(count, np.intp)


def _choose_colours(
    count: int,
    scores: NDArray[np.floating] | None,
    inliers: NDArray[np.bool_] | None,
    errors: NDArray[np.floating] | None,
    error_threshold: float,
) -> NDArray[np.uint8]:
    if errors is not None:
        return colours.error_colours(errors, error_threshold)
    if inliers is not None:
        return colours.inlier_colours(inliers)
    if scores is not None:
        return colours.score_colours(scores)
    return colours.one_colour(colours.PLAIN, count)


def _line_look(count: int) -> tuple[float, float]:
    """Width in points and opacity: bold for 30 lines and fewer, fine and translucent towards 1000."""
    crowd = np.clip(np.log(max(count, 1) / 30) / np.log(1000 / 30), 0.0, 1.0)
    return float(1.8 - 1.3 * crowd), float(0.95 - 0.35 * crowd)


def _background_dots(style: MatchStyle, shift: NDArray[np.float64]) -> NDArray[np.float64]:
    dots = [np.zeros((0, 2))]
    if style.all_keypoints0 is not None:
        dots.append(checked_keypoints(style.all_keypoints0, "all_keypoints0"))
    if style.all_keypoints1 is not None:
        dots.append(checked_keypoints(style.all_keypoints1, "all_keypoints1") + shift)
    return np.concatenate(dots)


def _text(
    count: int,
    drawn: int,
    inliers: NDArray[np.bool_] | None,
    errors: NDArray[np.floating] | None,
    style: MatchStyle,
) -> tuple[str, ...]:
    lines = [style.title] if style.title else []
    if style.counts:
        shown = "" if drawn == count else f", {drawn} shown"
        lines.append(f"{count} {'match' if count == 1 else 'matches'}{shown}")
        if inliers is not None:
            right = int(inliers.sum())
            lines.append(f"{right} inliers (blue), {count - right} outliers (orange)")
        if errors is not None:
            known = int((~np.isnan(errors)).sum())
            right = int((errors <= style.error_threshold).sum())
            lines.append(f"{right} of {known} within {style.error_threshold:g} {style.error_unit}".rstrip())
    # Names of files can hold bytes that are no text; neither renderer can print those.
    return tuple(line.encode("utf-8", "replace").decode("utf-8") for line in (*lines, *style.notes))
