"""What a detector can learn from two views: where both show the same structure, and which places correspond."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cyano.geometry.truth import PairTruth, Projection, Visibility
from cyano.models.superpoint import CELL
from cyano.processing.masks import keep_keypoints
from cyano.processing.structure import find_structure
from cyano.training.data.views import ViewPair
from cyano.types import ImageSize

__all__ = ["ShownTruth", "cells_shown", "corresponding_cells", "far_inside", "structure_found_again"]

_EDGE = 4
"""Pixels that compared places keep from the edges of both views."""

_AROUND = 2
"""Pixels around a cell that have to be seen as well."""

_Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ShownTruth:
    """The truth of two views, but that nothing is visible of what lies beyond the photograph in either of them."""

    views: ViewPair

    def to_image1(self, points0: NDArray[np.floating]) -> Projection:
        """(N, 2) pixels of image 0 in image 1."""
        return self._masked(points0, self.views.truth.to_image1(points0), 0)

    def to_image0(self, points1: NDArray[np.floating]) -> Projection:
        """(N, 2) pixels of image 1 in image 0."""
        return self._masked(points1, self.views.truth.to_image0(points1), 1)

    def _masked(self, points: NDArray[np.floating], projection: Projection, side: int) -> Projection:
        seen = projection.visibility == Visibility.VISIBLE
        seen &= keep_keypoints(self.views.valid[side], points)
        seen &= keep_keypoints(self.views.valid[1 - side], projection.points)
        return Projection(projection.points, np.where(seen, Visibility.VISIBLE, Visibility.HIDDEN).astype(np.int64))


def structure_found_again(images: Tensor, truth: PairTruth, apart: float = 1.5) -> tuple[_Points, _Points]:
    """What two views show of a picture's structure.

    Of all places where a view's own structure has a maximum, those count that the other view has as well, at most
    `apart` pixels off in both. What only one of them shows decides nothing.

    Args:
        images: (2, 1, H, W), the views after their photometric changes.
        truth: where points of one lie in the other.
        apart: pixels.

    Returns:
        For each view, the (N, 2) places that count, row i of both the same one.
    """
    found0, found1 = (each.double().numpy() for each in find_structure(images))
    there, back = _visible(truth.to_image1(found0)), _visible(truth.to_image0(found1))
    rows, columns = _near(there, found1, ImageSize(*images.shape[2:]))
    both = np.linalg.norm(there[rows] - found1[columns], axis=1) <= apart
    both &= np.linalg.norm(back[columns] - found0[rows], axis=1) <= apart
    return found0[rows[both]], found1[columns[both]]


def cells_shown(truth: PairTruth, size: ImageSize) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each view (H / 8, W / 8), True where the other one shows all of a cell, by nine of its places."""
    y, x = _in_cells(size.height), _in_cells(size.width)
    points = np.stack(np.broadcast_arrays(x[None, :, None, :], y[:, None, :, None]), axis=-1)
    seen = [project(points.reshape(-1, 2)).visibility for project in (truth.to_image1, truth.to_image0)]
    shown0, shown1 = ((each == Visibility.VISIBLE).reshape(points.shape[:-1]).all(axis=(2, 3)) for each in seen)
    return shown0, shown1


def corresponding_cells(
    truth: PairTruth, size: ImageSize, corners0: _Points, rng: np.random.Generator, most: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """One place in each cell of view 0, its corner if it has one, and where it lies in view 1.

    Args:
        truth: where points of one view lie in the other.
        size: of both.
        corners0: (N, 2) in view 0 or outside.
        rng: chooses.
        most: see below.

    Returns:
        (C, 2) float32 places, (C, 2) float32 in view 1, and (C,) bool: at most `most` that both views show.
    """
    rows, columns = size.height // CELL, size.width // CELL
    cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    places = cells * CELL + rng.uniform(-0.5, CELL - 0.5, cells.shape)
    inside = (corners0 > 0).all(axis=1) & (corners0 < (size.width - 1, size.height - 1)).all(axis=1)
    corners = corners0[inside]
    cell = np.rint(corners).astype(np.int64) // CELL
    places[(cell[:, 1] * columns + cell[:, 0])[::-1]] = corners[::-1]  # the strongest of a cell comes last and stays
    there = _visible(truth.to_image1(places))
    used = far_inside(places, size) & far_inside(there, size)
    used[rng.permutation(np.flatnonzero(used))[most:]] = False
    there[~used] = 0
    return places.astype(np.float32), there.astype(np.float32), used


def _in_cells(side: int) -> NDArray[np.float64]:
    """(side / 8, 3) coordinates before, amid and behind each cell along one axis."""
    steps = np.array([-_AROUND, (CELL - 1) / 2, CELL - 1 + _AROUND])
    return np.asarray(np.clip(np.arange(side // CELL)[:, None] * CELL + steps, 0, side - 1))


def _visible(projection: Projection) -> _Points:
    """Where points lie; NaN, which is near to nothing and inside of nothing, where they are not visible."""
    return np.where((projection.visibility == Visibility.VISIBLE)[:, None], projection.points, np.nan)


def far_inside(points: _Points, size: ImageSize) -> NDArray[np.bool_]:
    """(N, 2) -> (N,) bool, True some pixels away from the edges of a view."""
    largest = (size.width - 1 - _EDGE, size.height - 1 - _EDGE)
    return np.asarray(((points >= _EDGE) & (points <= largest)).all(axis=1))


def _near(points: _Points, others: _Points, size: ImageSize) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of `points` and of `others` that lie within two pixels of each other, by a map of the others' pixels."""
    margin = 2
    numbers = np.full((size.height + 2 * margin, size.width + 2 * margin), -1)
    x, y = np.rint(others).astype(np.int64).T + margin
    numbers[y, x] = np.arange(len(others))
    inside = np.flatnonzero(((points > -0.5) & (points < (size.width - 0.5, size.height - 0.5))).all(axis=1))
    x, y = np.rint(points[inside]).astype(np.int64).T
    steps = np.arange(2 * margin + 1)
    around = numbers[y[:, None, None] + steps[:, None], x[:, None, None] + steps].reshape(-1, len(steps) ** 2)
    rows, place = np.nonzero(around >= 0)
    return inside[rows], around[rows, place]
