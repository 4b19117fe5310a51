"""A sparse model from above and from the side, and the frame in which it is shown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ModelFrame", "draw_model", "frame_of"]

_CAMERA = "#d62728"
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
) -> Figure:
    """Points and cameras, each camera with a line in the direction in which it looks, and how many there are.

    Args:
        points: (P, 3), P may be 0.
        T_world_to_camera: (C, 4, 4) rigid motions, at least one.
        colours: (P, 3) RGB; None, or all black, for grey.
        title: a line above.

    Raises:
        InputError: there is no camera.
    """
    from cyano.viz.picture import Picture

    frame = frame_of(points, T_world_to_camera)
    axes, centres = frame.axes, camera_centres(T_world_to_camera)[frame.shown]
    directions = T_world_to_camera[frame.shown, 2, :3]
    shades = "#505050" if colours is None or not colours.any() else colours / 255.0
    figure = Picture(figsize=(12.0, 6.0), dpi=150, layout="constrained")
    for panel, (name, rows) in enumerate((("from above", axes[[0, 1]]), ("from the side", axes[[1, 2]])), start=1):
        plot = figure.add_subplot(1, 2, panel)
        _view(plot, points @ rows.T, centres @ rows.T, directions @ rows.T, shades)
        plot.set_title(name, fontsize=10)
    figure.suptitle("\n".join(filter(None, (title, _counts(len(points), frame.shown)))), fontsize=11)
    return figure


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


def _view(
    plot: Axes,
    points: NDArray[np.floating],
    centres: NDArray[np.floating],
    directions: NDArray[np.floating],
    shades: str | NDArray[np.floating],
) -> None:
    """One panel; all arrays are (., 2) and in its directions."""
    from matplotlib.collections import LineCollection

    shown = np.concatenate([_most(points), centres])
    low, high = shown.min(axis=0), shown.max(axis=0)
    reach = float((high - low).max()) or 1.0
    size = float(np.clip(80.0 / math.sqrt(len(points) + 1), 0.8, 5.0))
    plot.scatter(points[:, 0], points[:, 1], s=size, c=shades, linewidths=0)
    ends = centres + _TICK * reach * directions
    plot.add_collection(LineCollection(list(np.stack([centres, ends], axis=1)), colors=_CAMERA, linewidths=1.0))
    plot.scatter(centres[:, 0], centres[:, 1], s=12, c=_CAMERA, linewidths=0, zorder=3)
    x, y = (low + high) / 2
    plot.set_xlim(x - 0.6 * reach, x + 0.6 * reach)
    plot.set_ylim(y - 0.6 * reach, y + 0.6 * reach)
    plot.set_aspect("equal", adjustable="box")
    plot.set_xticks([])
    plot.set_yticks([])
    _scale_bar(plot, reach)


def _scale_bar(plot: Axes, reach: float) -> None:
    """A bar of 1, 2 or 5 times a power of ten units of the model, which is no metre unless somebody made it one."""
    power = 10.0 ** math.floor(math.log10(reach / 4))
    length = max(factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= reach / 4)
    place = plot.get_xaxis_transform()
    left = plot.get_xlim()[0] + 0.05 * reach
    plot.plot([left, left + length], [0.04, 0.04], color="black", linewidth=2.0, transform=place, solid_capstyle="butt")
    plot.text(left, 0.055, f"{length:g} units of the model", transform=place, fontsize=8, verticalalignment="bottom")
