"""Constant frames: what undistortion, scanners, letter-boxes and hard vignettes leave around a picture.

A frame is the same in all pictures of a camera, so its inner edge matches itself whatever the pictures show. It is
told from what only looks plain, such as sky or a white wall, by its edge, which is sharp: along a whole side of the
picture a line or a slight curve to a pixel, on two sides or more; on one side alone, a line along the border.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["MARGIN_PX", "constant_frame", "near_frame"]

MARGIN_PX = 16
"""No keypoints so near to a frame's inner edge: descriptors there would still be the frame's."""

DEPARTS = 0.1
"""Grey values (of 1) from the frame's own by which something is the picture: more than a JPEG file's ripples."""

CONSTANT = 0.02
"""Mean departure within a frame, at most; half of it on one side alone, since nothing that a camera sees is so even."""

DEEPEST = 0.4
"""Share of the picture's side that a frame takes at most."""

EDGE_PX = 1.5
"""How far the inner edge lies from a smooth curve, at most."""

WHOLE = 0.75
"""Share of the columns whose edge has to lie there; dark parts of the picture hide a black frame's."""

INSIDE = 0.02
"""Share of the columns that may show the picture where the curve says frame."""

LEAST = 0.15
"""Share of a side that has to have a frame at all."""

LINE = 0.95
"""Share of the columns whose edge has to lie within a pixel of a line along the border, on one side alone."""

_DEGREES = (0, 2, 4)
_COLUMNS_A_DEGREE = 3
_ROUNDS = 6


class _Edge(NamedTuple):
    """The inner edge of a frame along one side.

    Attributes:
        depths: (W,) whole pixels of the frame in each column, from the border inwards.
        is_line: whether it is a line along the border to a pixel, and all beyond it even.
        colour: grey value of the frame.
    """

    depths: NDArray[np.float64]
    is_line: bool
    colour: float


def constant_frame(grey: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which pixels belong to a frame of one colour.

    Args:
        grey: (H, W) in [0, 1].

    Returns:
        (H, W) bool; nothing is frame where the whole picture is constant.
    """
    frame = np.zeros(grey.shape, dtype=np.bool_)
    found = {turns: edge for turns in range(4) if (edge := _edge(np.rot90(grey, turns))) is not None}
    for turns, edge in found.items():
        alike = sum(abs(other.colour - edge.colour) <= DEPARTS for other in found.values())
        if edge.is_line or alike > 1:
            rows = np.arange(np.rot90(grey, turns).shape[0])[:, None]
            frame |= np.rot90(rows < edge.depths, -turns)
    return frame


def near_frame(grey: NDArray[np.floating], margin: int = MARGIN_PX) -> NDArray[np.bool_]:
    """(H, W) bool: the frame of a picture, (H, W) in [0, 1], and what lies within `margin` pixels to its sides."""
    frame = constant_frame(grey)
    if not frame.any():
        return frame
    return _dilated(_dilated(frame, margin).T, margin).T


def _dilated(mask: NDArray[np.bool_], margin: int) -> NDArray[np.bool_]:
    """What lies within so many rows of a row where the (H, W) mask is true, by windows of doubling length."""
    reached, length = np.pad(mask, ((margin, margin), (0, 0))), 1
    while length <= 2 * margin:
        step = min(length, 2 * margin + 1 - length)
        reached = reached[:-step] | reached[step:]
        length += step
    return reached


def _edge(side: NDArray[np.floating]) -> _Edge | None:
    """The edge of the frame at the top; None if there is none."""
    border = side[0]
    for colour in (0.0, 1.0, float(np.median(border))):
        plain = np.abs(border - colour) <= DEPARTS
        if plain.mean() < LEAST or np.abs(border[plain] - colour).mean() > CONSTANT:
            continue
        departure = np.abs(side[: max(1, int(DEEPEST * len(side)))] - colour)
        beyond = departure > DEPARTS
        edges = np.where(beyond.any(axis=0), beyond.argmax(axis=0), len(departure))
        known = (edges > 0) & (edges < len(departure))
        if known.mean() < LEAST or not _is_sharp(departure, edges, known):
            continue
        for degree in _DEGREES:
            curve = _smooth(edges, known, degree)
            if curve is not None:
                return _checked(departure, edges, curve, colour)
    return None


def _is_sharp(departure: NDArray[np.floating], edges: NDArray[np.intp], known: NDArray[np.bool_]) -> bool:
    """Whether grey values jump at the edge, as they do not where a sky grows darker."""
    columns = np.flatnonzero(known)
    outer = departure[np.maximum(edges[columns] - 2, 0), columns]
    inner = departure[np.minimum(edges[columns] + 2, len(departure) - 1), columns]
    return float(np.median(inner - outer)) > DEPARTS


def _smooth(edges: NDArray[np.intp], known: NDArray[np.bool_], degree: int) -> NDArray[np.float64] | None:
    """The polynomial that runs along the edge, (W,); None if the edge is no such curve.

    Args:
        edges: (W,) rows where each column shows the picture first.
        known: (W,) bool, whether it does so neither at once nor never.
        degree: of the polynomial.
    """
    x = np.linspace(-1, 1, len(edges))
    kept = known
    least = max(LEAST * len(edges), _COLUMNS_A_DEGREE * degree)
    if kept.sum() < least:
        return None
    for _ in range(_ROUNDS):  # what lies deeper than the others is a dark part of the picture
        curve = np.polynomial.Polynomial.fit(x[kept], edges[kept], degree, domain=[-1, 1])(x)
        deeper = edges - curve
        kept = kept & (deeper <= max(EDGE_PX, float(np.median(np.abs(deeper[kept])))))
        if kept.sum() < least:
            return None
    concerned = (edges > 0) | (curve > EDGE_PX)
    fits = known & (np.abs(deeper) <= EDGE_PX)
    inside = concerned & (deeper < -EDGE_PX)
    if fits.sum() < max(WHOLE * concerned.sum(), LEAST * len(edges)) or inside.sum() > INSIDE * concerned.sum():
        return None
    return np.asarray(np.rint(np.maximum(curve, 0)), dtype=np.float64)


def _checked(
    departure: NDArray[np.floating], edges: NDArray[np.intp], curve: NDArray[np.float64], colour: float
) -> _Edge | None:
    """The edge, if all beyond it is even."""
    frame = (np.arange(len(departure))[:, None] < np.maximum(curve - EDGE_PX, 1)) & (edges > 0)
    uneven = float(departure[frame].mean())
    if uneven > CONSTANT:
        return None
    straight = (np.abs(edges - np.median(edges)) <= 1).mean() >= LINE
    return _Edge(curve, bool(straight) and uneven <= CONSTANT / 2, colour)
