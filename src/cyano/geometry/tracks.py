"""Truth between two images that is known at some points: exact near them, unknown elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cyano.geometry.checks import points_2d
from cyano.geometry.truth import Projection, Visibility

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Shown", "TrackTruth"]

REACH = 3.0
"""Pixels around the place of a point of the model within which anything is known."""


@dataclass(frozen=True, eq=False)
class TrackTruth:
    """Two views of A points.

    A pixel within `reach` of the place of a point shares its fate: it is hidden where the point is, and moves with
    the surface at the point where that is visible. Where two points near the same pixel contradict each other, and
    everywhere else, nothing is known.

    Attributes:
        places0: (A, 2) pixels of image 0; NaN where the image does not show the point for certain.
        places1: likewise.
        visibility0: (A,) int64 values of `Visibility` in image 0.
        visibility1: likewise.
        motions: (A, 2, 2) how pixels of image 1 around a point move with those of image 0.
        reach: in pixels.
    """

    places0: NDArray[np.float64]
    places1: NDArray[np.float64]
    visibility0: NDArray[np.int64]
    visibility1: NDArray[np.int64]
    motions: NDArray[np.float64]
    reach: float = REACH

    def to_image1(self, points0: NDArray[np.floating]) -> Projection:
        """(N, 2) pixels of image 0 in image 1."""
        return self._moved(points0, (self.places0, self.visibility0), (self.places1, self.visibility1), self.motions)

    def to_image0(self, points1: NDArray[np.floating]) -> Projection:
        """(N, 2) pixels of image 1 in image 0."""
        back = np.linalg.inv(self.motions).astype(np.float64)
        return self._moved(points1, (self.places1, self.visibility1), (self.places0, self.visibility0), back)

    def _moved(
        self, points: NDArray[np.floating], source: Shown, target: Shown, motions: NDArray[np.float64]
    ) -> Projection:
        asked = points_2d(points)
        moved = np.full((len(asked), 2), np.nan)
        visibility = np.full(len(asked), Visibility.UNKNOWN, dtype=np.int64)
        known = np.flatnonzero((source[1] == Visibility.VISIBLE) & (target[1] != Visibility.UNKNOWN))
        rows = _near_any(asked, source[0][known], self.reach)
        if not len(rows):
            return Projection(moved, visibility)
        columns, distances = _two_nearest(asked[rows], source[0][known])
        fates = []
        for anchors in known[columns]:
            offset = np.einsum("nij,nj->ni", motions[anchors], asked[rows] - source[0][anchors])
            fates.append((target[0][anchors] + offset, target[1][anchors]))
        (place, fate), (other_place, other_fate) = fates
        differ = (fate != other_fate) | (np.linalg.norm(place - other_place, axis=1) > self.reach)
        certain = (distances[0] <= self.reach) & ~(differ & (distances[1] <= self.reach))
        visibility[rows[certain]] = fate[certain]
        visible = certain & (fate == Visibility.VISIBLE)
        moved[rows[visible]] = place[visible]
        return Projection(moved, visibility)


Shown = tuple["NDArray[np.float64]", "NDArray[np.int64]"]
"""Places of points in an image, and their visibility."""


_CELLS_AROUND = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1)), axis=-1).reshape(-1, 2)


def _near_any(points: NDArray[np.float64], places: NDArray[np.float64], reach: float) -> NDArray[np.int64]:
    """Rows of the points that may lie within `reach` of any place: all of which do, and few others."""
    around = np.floor(places / reach)[:, None] + _CELLS_AROUND
    cells, occupied = (each[..., 0] + 1j * each[..., 1] for each in (np.floor(points / reach), around))
    return np.flatnonzero(np.isin(cells, np.unique(occupied)))


def _two_nearest(
    points: NDArray[np.float64], places: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The rows of the place nearest to each point and of the one after it (the same where there is but one).

    Returns:
        (2, N) rows and their (2, N) distances.
    """
    distances = np.hypot(points[:, :1] - places[:, 0], points[:, 1:] - places[:, 1])
    rows = np.arange(len(points))
    nearest = distances.argmin(axis=1)
    least = distances[rows, nearest]
    if len(places) > 1:
        distances[rows, nearest] = np.inf
    second = distances.argmin(axis=1)
    return np.stack([nearest, second]), np.stack([least, distances[rows, second]])
