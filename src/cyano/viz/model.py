"""A sparse model from above and from the side, and the frame in which it is shown."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.viz.colours import one_colour
from cyano.viz.painting import paint_dots, paint_lines, paint_text, text_width
from cyano.viz.sizes import DPI, PICTURE_SIDE

__all__ = ["ModelFrame", "draw_model", "frame_of"]

_CAMERA = (214, 39, 40)
_GREY = (80, 80, 80)
_POINT = DPI / 72  # pixels to a point
_EDGE = 12  # pixels around the panels
_SIDE = 788  # pixels of a panel, which leaves room for the title
_TICK = 0.06  # length of a camera's line of sight, as a share of the picture
_FAR = (0.02, 0.98)  # quantiles of the points that the picture is made to hold: some are always far off
_OFF = 4.0  # cameras further from the middle than so many times the reach of the points and most cameras are left out


class ModelFrame(NamedTuple):
    """Where to look to see most of a model.

    Attributes:
        axes: (3, 3) rows: right, forward and up, in the frame of the model.
        middle: (3,) of what is shown, in the frame of the model.
        reach: half the longest extent of it.
        shown: (C,) bool, cameras that are not far off everything else.
    """

    axes: NDArray[np.float64]
    middle: NDArray[np.float64]
    reach: float
    shown: NDArray[np.bool_]


def frame_of(points: NDArray[np.floating], T_world_to_camera: NDArray[np.floating]) -> ModelFrame:
    """The frame that holds nearly all points and all cameras but those that are far off.

    "Up" is what is up in the pictures on average, for a model does not know it better.

    Args:
        points: (P, 3), P may be 0.
        T_world_to_camera: (C, 4, 4) rigid motions, at least one.

    Raises:
        InputError: there is no camera.
    """
    if not len(T_world_to_camera):
        raise InputError("a model without a camera cannot be drawn; give one with a pose at least")
    axes, centres = _level(T_world_to_camera[:, :3, :3]), camera_centres(T_world_to_camera)
    finite = np.isfinite(centres).all(axis=1)
    anchor = np.median(centres[finite], axis=0) if finite.any() else np.zeros(3)
    spread = np.linalg.norm(centres - anchor, axis=1)
    near = np.quantile(points, _FAR, axis=0) if len(points) else np.stack([anchor, anchor])
    limit = _OFF * max(float(np.linalg.norm(near - anchor, axis=1).max()), float(np.median(spread[finite], axis=0)))
    shown = finite & ((spread <= limit) | (limit == 0))
    level = np.concatenate([_most(points @ axes.T), centres[shown] @ axes.T])
    low, high = level.min(axis=0), level.max(axis=0)
    return ModelFrame(axes, (low + high) / 2 @ axes, float((high - low).max()) / 2 or 1.0, np.asarray(shown))


def camera_centres(T_world_to_camera: NDArray[np.floating]) -> NDArray[np.float64]:
    """(C, 3) -R^T t."""
    return np.asarray(-np.einsum("cji,cj->ci", T_world_to_camera[:, :3, :3], T_world_to_camera[:, :3, 3]))


def _most(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """(2, 3) corners of the box of most points, or (0, 3)."""
    return np.quantile(points, _FAR, axis=0) if len(points) else points


def draw_model(
    points: NDArray[np.floating],
    T_world_to_camera: NDArray[np.floating],
    colours: NDArray[np.uint8] | None = None,
    title: str = "",
) -> NDArray[np.uint8]:
    """Points and cameras, each camera with a line in the direction in which it looks, and how many there are.

    Args:
        points: (P, 3), P may be 0.
        T_world_to_camera: (C, 4, 4) rigid motions, at least one.
        colours: (P, 3) RGB; None, or all black, for grey.
        title: a line above.

    Returns:
        (900, 1800, 3) uint8 RGB: from above on the left, from the side on the right.

    Raises:
        InputError: there is no camera.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(100, 3))
        >>> camera = np.eye(4)
        >>> camera[2, 3] = 5.0  # looks at the points from 5 away
        >>> draw_model(points, camera[None], title="a hundred points").shape
        (900, 1800, 3)
    """
    frame = frame_of(points, T_world_to_camera)
    axes, centres = frame.axes, camera_centres(T_world_to_camera)[frame.shown]
    directions = T_world_to_camera[frame.shown, 2, :3]
    shades = one_colour(_GREY, len(points)) if colours is None or not colours.any() else colours
    picture = np.full((PICTURE_SIDE // 2, PICTURE_SIDE, 3), 255, dtype=np.uint8)
    for middle, name, rows in ((1, "from above", axes[[0, 1]]), (3, "from the side", axes[[1, 2]])):
        left = middle * PICTURE_SIDE // 4 - _SIDE // 2
        panel = picture[-_EDGE - _SIDE : -_EDGE, left : left + _SIDE]
        _view(panel, points @ rows.T, centres @ rows.T, directions @ rows.T, shades)
        _centred(picture, name, left + _SIDE / 2, PICTURE_SIDE / 2 - _EDGE - _SIDE - 16 * _POINT, 10 * _POINT)
    for number, line in enumerate(filter(None, (title, _counts(len(points), frame.shown)))):
        _centred(picture, line, PICTURE_SIDE / 2, (2 + 13 * number) * _POINT, 11 * _POINT)
    return picture


def _counts(points: int, shown: NDArray[np.bool_]) -> str:
    beyond = int((~shown).sum())
    left_out = f", of which {beyond} far off and not shown" if beyond else ""
    return f"{len(shown):,} cameras{left_out}; {points:,} points"


def _level(rotations: NDArray[np.floating]) -> NDArray[np.float64]:
    """(3, 3) rows: right, forward and up in the model, from the (C, 3, 3) rotations of its cameras."""
    up = -rotations[:, 1].mean(axis=0)
    up = up / (np.linalg.norm(up) or 1.0) if np.linalg.norm(up) > 1e-6 else -rotations[0, 1]
    forward = rotations[:, 2].mean(axis=0)
    for candidate in (forward, rotations[0, 2], rotations[0, 0]):  # cameras all round look nowhere on average
        flat = candidate - (candidate @ up) * up
        if np.linalg.norm(flat) > 1e-3:
            forward = flat / np.linalg.norm(flat)
            break
    return np.stack([np.cross(forward, up), forward, up])


def _centred(picture: NDArray[np.uint8], line: str, middle: float, top: float, letter: float) -> None:
    paint_text(picture, [line], (max(middle - text_width(line, letter) / 2, 0.0), top), letter)


def _view(
    panel: NDArray[np.uint8],
    points: NDArray[np.floating],
    centres: NDArray[np.floating],
    directions: NDArray[np.floating],
    shades: NDArray[np.uint8],
) -> None:
    """Paint one square panel; the arrays are (., 2) and in its directions, the shades (P, 3)."""
    shown = np.concatenate([_most(points), centres])
    low, high = shown.min(axis=0), shown.max(axis=0)
    reach = float((high - low).max()) or 1.0
    scale = len(panel) / (1.2 * reach)

    def pixels(positions: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray((positions - (low + high) / 2) * (scale, -scale) + (len(panel) - 1) / 2, np.float64)

    size = float(np.clip(80.0 / math.sqrt(len(points) + 1), 0.8, 5.0))
    _specks(panel, pixels(points), shades, math.sqrt(size) * _POINT)
    red = one_colour(_CAMERA, len(centres))
    ends = centres + _TICK * reach * directions
    paint_lines(panel, pixels(centres), pixels(ends), red, _POINT)
    paint_dots(panel, pixels(centres), red, 3.4 * _POINT, rimmed=False)
    cv2.rectangle(panel, (0, 0), (len(panel) - 1, len(panel) - 1), (0, 0, 0), 2)
    _scale_bar(panel, reach, scale)


def _specks(panel: NDArray[np.uint8], points: NDArray[np.float64], shades: NDArray[np.uint8], diameter: float) -> None:
    """Round dots of so many pixels without a rim, as many as there are: painted twice as large, and reduced."""
    large = cv2.resize(panel, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    side, reach = len(large), math.ceil(diameter)
    near = (np.abs(points) < side).all(axis=1)  # also false for NaN
    places, shades = np.floor(2 * points[near] + 1).astype(np.intp), shades[near]
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            column, row = places[:, 0] + across, places[:, 1] + down
            inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
            if across**2 + down**2 <= diameter**2:
                large[row[inside], column[inside]] = shades[inside]
    panel[:] = cv2.resize(large, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def _scale_bar(panel: NDArray[np.uint8], reach: float, scale: float) -> None:
    """A bar of 1, 2 or 5 times a power of ten units of the model, which is no metre unless somebody made it one."""
    power = 10.0 ** math.floor(math.log10(reach / 4))
    # The logarithm of a number a hair below a power of ten is rounded to that of the power, which is too long then.
    length = max(factor * power for factor in (0.5, 1.0, 2.0, 5.0) if factor * power <= reach / 4)
    left, level = round(0.042 * len(panel)), round(0.96 * len(panel))
    panel[level - 2 : level + 2, left : left + max(1, round(length * scale))] = 0
    letter = 8 * _POINT
    paint_text(panel, [f"{length:g} units of the model"], (left, level - 8 - 1.2 * letter), letter)
