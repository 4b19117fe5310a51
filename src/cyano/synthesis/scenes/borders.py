"""Smooth borders between surfaces: one ray per pixel leaves stairs there, which look like corners to a detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from cyano.synthesis.scenes.geometry_pass import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cyano.synthesis.scenes.geometry_pass import Layers

__all__ = ["smooth_borders"]

# A turned square: along a border that is nearly level or upright, all four lie at different distances from it.
_SUBPIXELS = ((-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375))

_BEHIND_ALL = 1e-9  # inverse depth of the sky


def smooth_borders(image: NDArray[np.float32], layers: Layers) -> None:
    """Give each pixel along a border the greys of both sides by the part of it that they cover, in place.

    Four rays through such a pixel are tested against the surfaces of the pixel and of its neighbours, whose greys are
    there already. Borders of curved surfaces are blurred instead.

    Args:
        image: (H, W) float32.
        layers: what its pixels see.
    """
    surface = layers.surface
    rows, columns = np.nonzero(_borders(surface))
    if not len(rows):
        return
    own = surface[rows, columns]
    beside = _other(columns, surface.shape[1], lambda other: surface[rows, other] != own)
    above = _other(rows, surface.shape[0], lambda other: surface[other, columns] != own)
    places = ((rows, columns), (rows, beside), (above, columns))
    seen = [surface[place] for place in places]
    greys = np.stack([image[place] for place in places])
    step_x, step_y = (float(axis[-1] - axis[0]) / max(len(axis) - 1, 1) for axis in (layers.x, layers.y))
    total = np.zeros(len(rows), np.float32)
    everything = np.arange(len(rows))
    tables = [layers.affine[index] for index in seen]  # (n, 3, 3) each
    for right, down in _SUBPIXELS:
        rays = layers.x[columns] + np.float32(right * step_x), layers.y[rows] + np.float32(down * step_y)
        inverse = [_inverse_depth(layers, index, table, rays) for index, table in zip(seen, tables, strict=True)]
        total += greys[np.argmax(np.stack(inverse), axis=0), everything]
    total *= np.float32(1 / len(_SUBPIXELS))
    is_flat = np.linalg.norm(layers.affine[:, 0], axis=1) > 0
    is_flat[NOTHING] = True
    is_curved = ~(is_flat[seen[0]] & is_flat[seen[1]] & is_flat[seen[2]])
    blurred = cv2.GaussianBlur(image, (3, 3), 0.8)
    image[rows, columns] = np.where(is_curved, blurred[rows, columns], total)


def _borders(surface: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W) which pixels have another surface beside, above or below them."""
    border = np.zeros(surface.shape, np.bool_)
    across, down = surface[:, 1:] != surface[:, :-1], surface[1:] != surface[:-1]
    border[:, 1:] |= across
    border[:, :-1] |= across
    border[1:] |= down
    border[:-1] |= down
    return border


def _other(
    index: NDArray[np.int64], count: int, differs: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
) -> NDArray[np.int64]:
    """The index before or after along one axis where that shows another surface, else the index itself."""
    before, after = np.maximum(index - 1, 0), np.minimum(index + 1, count - 1)
    return np.where(differs(before), before, np.where(differs(after), after, index))


def _inverse_depth(
    layers: Layers,
    index: NDArray[np.uint8],
    table: NDArray[np.float32],
    rays: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """(n,) where n rays (x, y, 1) meet n flat surfaces; 0 where they miss."""
    x, y = rays
    inverse, u, v = (table[:, k, 0] * x + table[:, k, 1] * y + table[:, k, 2] for k in range(3))
    hit = (inverse > 0) & (u >= 0) & (u <= inverse) & (v >= 0) & (v <= inverse)
    half = inverse * np.float32(0.5)
    hit &= ~layers.is_round[index] | (np.square(u - half) + np.square(v - half) <= np.square(half))
    found = np.where(hit, inverse, 0)
    found[index == NOTHING] = _BEHIND_ALL
    return found.astype(np.float32)
