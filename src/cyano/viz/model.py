"""A sparse model from above and from the side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_model"]

_CAMERA = "#d62728"
_TICK = 0.06  # length of a camera's line of sight, as a share of the picture
_FAR = (0.02, 0.98)  # quantiles of the points that the picture is made to hold: some are always far off


def draw_model(
    points: NDArray[np.floating],
    T_world_to_camera: NDArray[np.floating],
    colours: NDArray[np.uint8] | None = None,
) -> Figure:
    """Points and cameras, each camera with a line in the direction in which it looks.

    "Up" is what is up in the pictures on average, for a model does not know it better.

    Args:
        points: (P, 3), P may be 0.
        T_world_to_camera: (C, 4, 4) rigid motions, at least one.
        colours: (P, 3) RGB; None, or all black, for grey.

    Raises:
        InputError: there is no camera.
    """
    from cyano.viz.picture import Picture

    if not len(T_world_to_camera):
        raise InputError("a model without a camera cannot be drawn; give one with a pose at least")
    rotations = T_world_to_camera[:, :3, :3]
    centres = -np.einsum("cji,cj->ci", rotations, T_world_to_camera[:, :3, 3])  # -R^T t
    axes = _level(rotations)
    shades = "#606060" if colours is None or not colours.any() else colours / 255.0
    figure = Picture(figsize=(12.0, 6.0), dpi=150, layout="constrained")
    for panel, (title, rows) in enumerate((("from above", axes[[0, 1]]), ("from the side", axes[[1, 2]])), start=1):
        plot = figure.add_subplot(1, 2, panel)
        _view(plot, points @ rows.T, centres @ rows.T, rotations[:, 2] @ rows.T, shades)
        plot.set_title(title)
    return figure


def _level(rotations: NDArray[np.floating]) -> NDArray[np.floating]:
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

    middle = np.quantile(points, _FAR, axis=0) if len(points) else centres[:1]
    shown = np.concatenate([middle, centres])
    low, high = shown.min(axis=0), shown.max(axis=0)
    reach = float((high - low).max()) or 1.0
    plot.scatter(points[:, 0], points[:, 1], s=1.5, c=shades, linewidths=0)
    ends = centres + _TICK * reach * directions
    plot.add_collection(LineCollection(list(np.stack([centres, ends], axis=1)), colors=_CAMERA, linewidths=0.8))
    plot.scatter(centres[:, 0], centres[:, 1], s=9, c=_CAMERA, linewidths=0, zorder=3)
    plot.set_xlim(low[0] - 0.1 * reach, high[0] + 0.1 * reach)
    plot.set_ylim(low[1] - 0.1 * reach, high[1] + 0.1 * reach)
    plot.set_aspect("equal", adjustable="box")
    plot.set_xticks([])
    plot.set_yticks([])
