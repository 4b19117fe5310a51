"""Pictures as matplotlib figures.

Figures are built without pyplot: no window, no global state, nothing to close; a notebook shows them by
themselves. matplotlib is imported on the first call, so that programs that draw nothing do not wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cyano.viz.colours import PLAIN, UNMATCHED, one_colour, score_colours
from cyano.viz.layout import (
    DEFAULT_STYLE,
    FONT_SIZE,
    UNMATCHED_DIAMETER,
    MatchPlan,
    MatchStyle,
    checked_image,
    checked_keypoints,
    checked_values,
    plan_matches,
)
from cyano.viz.overlay import OverlayMode, overlay_image
from cyano.viz.sizes import DPI, INCHES, LEAST_INCHES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_keypoints", "draw_matches", "draw_overlay"]


def draw_matches(
    image0: NDArray[np.uint8],
    image1: NDArray[np.uint8],
    keypoints0: NDArray[np.floating],
    keypoints1: NDArray[np.floating],
    *,
    scores: NDArray[np.floating] | None = None,
    inliers: NDArray[np.bool_] | None = None,
    errors: NDArray[np.floating] | None = None,
    style: MatchStyle = DEFAULT_STYLE,
) -> Figure:
    """Two images side by side, wide ones stacked, with a line for each match.

    The colours show `errors` or `inliers` where given, otherwise `scores` (red 0, yellow 0.5, green 1),
    otherwise one colour. Where there are more than `style.max_lines` matches, those drawn are spread over image 0,
    the highest scores of each part of it. What there is less of, inliers or outliers, is painted on top.

    Args:
        image0: (H, W, 3) RGB or (H, W) grey, uint8.
        image1: likewise; its size may differ.
        keypoints0: (K, 2) positions (x, y) in pixels of image0.
        keypoints1: (K, 2) positions in pixels of image1, row by row the partners of `keypoints0`.
        scores: (K,) confidences in [0, 1].
        inliers: (K,) bool: blue where true, orange where false.
        errors: (K,) distances from the ground truth: green 0, yellow at `style.error_threshold`, red from
            twice that; NaN, no ground truth, is grey.
        style: how it looks, and texts.

    Returns:
        A figure to save, show in a notebook or draw on; its one axes counts pixels of the two images together.

    Raises:
        InputError: a shape or a dtype does not fit, or inliers and errors are both given.

    Example:
        >>> image = np.full((240, 320, 3), 128, np.uint8)
        >>> keypoints = np.array([[10.0, 20.0], [300.0, 200.0]])
        >>> figure = draw_matches(image, image, keypoints, keypoints, inliers=np.array([True, False]))
        >>> figure.savefig("matches.png")
    """
    plan = plan_matches(
        image0, image1, keypoints0, keypoints1, scores=scores, inliers=inliers, errors=errors, style=style
    )
    figure, axes = _picture(plan.canvas)
    _dots(axes, plan.dots, one_colour(UNMATCHED, len(plan.dots)), UNMATCHED_DIAMETER)
    _lines(axes, plan)
    _dots(axes, np.concatenate([plan.starts, plan.ends]), np.tile(plan.colours, (2, 1)), plan.tip_diameter)
    _write(axes, plan.text)
    return figure


def draw_keypoints(
    image: NDArray[np.uint8],
    keypoints: NDArray[np.floating],
    scores: NDArray[np.floating] | None = None,
) -> Figure:
    """An image with a dot on each keypoint.

    Args:
        image: (H, W, 3) RGB or (H, W) grey, uint8.
        keypoints: (N, 2) positions (x, y) in pixels.
        scores: (N,) confidences of the detector; the colours run from red for 0 to green for the highest of
            them.

    Returns:
        A figure whose one axes counts pixels of the image.

    Raises:
        InputError: a shape or a dtype does not fit.

    Example:
        >>> image = np.full((240, 320, 3), 128, np.uint8)
        >>> figure = draw_keypoints(image, np.array([[10.0, 20.0], [300.0, 200.0]]), scores=np.array([0.2, 0.9]))
        >>> figure.savefig("keypoints.png")
    """
    picture = checked_image(image, "image")
    points = checked_keypoints(keypoints, "keypoints")
    colours = one_colour(PLAIN, len(points))
    if scores is not None:
        values = checked_values(scores, "scores", len(points))
        colours = score_colours(values / max(values.max(initial=0.0), np.finfo(np.float32).tiny))
    figure, axes = _picture(picture)
    _dots(axes, points, colours, diameter=4.0)
    return figure


def draw_overlay(
    image0: NDArray[np.uint8],
    warped1: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    mode: OverlayMode = "blend",
) -> Figure:
    """Two registered images in one picture; arguments and modes as for `overlay_image`.

    Returns:
        A figure whose one axes counts pixels of the image.

    Example:
        >>> image = np.full((240, 320, 3), 128, np.uint8)
        >>> figure = draw_overlay(image, image, np.ones((240, 320), bool), mode="anaglyph")
        >>> figure.savefig("overlay.png")
    """
    figure, _ = _picture(overlay_image(image0, warped1, mask, mode))
    return figure


def _picture(image: NDArray[np.uint8]) -> tuple[Figure, Axes]:
    """A figure that is the image and nothing else; its axes have pixel centres at whole numbers."""
    from cyano.viz.picture import Picture

    height, width = image.shape[:2]
    inches = INCHES / max(height, width)
    figure = Picture(figsize=(max(width * inches, LEAST_INCHES), max(height * inches, LEAST_INCHES)), dpi=DPI)
    figure.set_layout_engine("none")  # the reader's settings may ask for one
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.imshow(image, interpolation="antialiased", origin="upper", aspect="equal")
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    return figure, axes


def _lines(axes: Axes, plan: MatchPlan) -> None:
    from matplotlib.collections import LineCollection

    lines = LineCollection(
        list(np.stack([plan.starts, plan.ends], axis=1)),
        colors=plan.colours / 255.0,
        linewidths=plan.line_width,
        alpha=plan.alpha,
        capstyle="round",
        antialiaseds=True,
        snap=False,  # otherwise level lines jump to whole pixels
    )
    axes.add_collection(lines, autolim=False)


def _dots(axes: Axes, points: NDArray[np.float64], colours: NDArray[np.uint8], diameter: float) -> None:
    """Round dots with a thin dark rim, of so many points across; colours (K, 3)."""
    axes.scatter(
        points[:, 0],
        points[:, 1],
        s=diameter**2,
        c=colours / 255.0,
        marker="o",
        edgecolors="black",
        linewidths=0.08 * diameter,
        zorder=3,
        snap=False,
    )


def _write(axes: Axes, lines: Sequence[str]) -> None:
    """Lines of white text with a dark rim in the top left corner."""
    from matplotlib.patheffects import withStroke

    text = axes.annotate(
        "\n".join(lines),
        xy=(0.0, 1.0),
        xycoords="axes fraction",
        xytext=(6, -6),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=FONT_SIZE,
        color="white",
        zorder=4,
        parse_math=False,  # a dollar sign in the name of a file is a dollar sign
    )
    text.set_path_effects([withStroke(linewidth=2.5, foreground="black")])
