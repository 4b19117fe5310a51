"""The views of a reconstructed place, and what its points say of two of them.

Why, and what is claimed of points that only one of the views has observed: docs/decisions/0013-real-places.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cyano.geometry.tracks import TrackTruth
from cyano.geometry.transforms import invert_rigid, to_homogeneous
from cyano.geometry.truth import HIDDEN_BEYOND, Visibility, inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cyano.geometry.lens import LensCamera
    from cyano.geometry.tracks import Shown
    from cyano.types import ImageSize, ResizeMap

__all__ = ["ScenePoints", "TrackedView", "track_truth"]

MARGIN = 8.0
"""Pixels by which a point has to miss an image to count as outside: a model of a long walk is a little bent."""

AGREES = 0.03
"""Relative inverse depth by which a point may be off the surface that an image has observed around it."""

_NEIGHBOURS = 8
"""Observed points that tell of the surface around a place."""

_AROUND = 0.08
"""How far away they may be, as a share of the image's longest side."""

_OBLIQUE = 0.5
"""Cosine between the directions of a camera and of those that observed a point, below which it may see its back."""


class ScenePoints(NamedTuple):
    """The P points of a model.

    Attributes:
        places: (P, 3) in the world's frame.
        seen_from: (P, 3) the mean of the unit vectors to the cameras that have observed each, of any length.
    """

    places: NDArray[np.float64]
    seen_from: NDArray[np.float64]

    def subset(self, rows: NDArray[np.int64]) -> ScenePoints:
        """Some of the points."""
        return ScenePoints(self.places[rows], self.seen_from[rows])


@dataclass(frozen=True, eq=False)
class TrackedView:
    """An image of a model.

    Attributes:
        lens: of the image, with its size.
        T_world_to_camera: (4, 4).
        points: (K,) int64, sorted: the rows of the model's points that it has observed.
        keypoints: (K, 2) float64 pixels, where.
    """

    lens: LensCamera
    T_world_to_camera: NDArray[np.float64]
    points: NDArray[np.int64]
    keypoints: NDArray[np.float64]

    def resized(self, frame: ResizeMap) -> TrackedView:
        """The same for the resized image, which is not turned."""
        return replace(self, lens=self.lens.scaled(frame.network), keypoints=frame.to_network(self.keypoints))

    @property
    def size(self) -> ImageSize:
        """Of the image."""
        return self.lens.size

    @property
    def centre(self) -> NDArray[np.float64]:
        """(3,) where the camera stands in the world."""
        return invert_rigid(self.T_world_to_camera)[:3, 3]

    def project(self, places: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, 2) pixels of (N, 3) places of the world, see `LensCamera.project`, and their depths (N,)."""
        there = places @ self.T_world_to_camera[:3, :3].T + self.T_world_to_camera[:3, 3]
        return self.lens.project(there), there[:, 2]


def track_truth(points: ScenePoints, view0: TrackedView, view1: TrackedView) -> TrackTruth:
    """What a model says of two of its views, from the points that at least one of them has observed.

    Args:
        points: of the model.
        view0: one image.
        view1: the other.
    """
    rows = np.union1d(view0.points, view1.points)
    used = points.subset(rows)
    places0, visibility0 = _shown(used, rows, view0)
    places1, visibility1 = _shown(used, rows, view1)
    return TrackTruth(places0, places1, visibility0, visibility1, _motions(used.places, view0, view1))


def _shown(points: ScenePoints, rows: NDArray[np.int64], view: TrackedView) -> Shown:
    """Where a view shows points, by what it has observed itself, and else by projection.

    A point that was not observed is outside of the image or behind the camera; or it lies on the surface that the
    points observed around its projection are on, and is displaced as they are from theirs; or on all sides of it there
    are observed points much nearer to the camera, which hide it; or nothing is known of it.
    """
    projections, depths = view.project(points.places)
    _, own, observed = np.intersect1d(rows, view.points, return_indices=True)
    places = projections.copy()
    places[own] = view.keypoints[observed]
    visibility = np.full(len(rows), Visibility.UNKNOWN, dtype=np.int64)
    near = inside(places + MARGIN, round(view.size.height + 2 * MARGIN), round(view.size.width + 2 * MARGIN))
    visibility[(depths <= 0) | (~near & ~np.isnan(places[:, 0]))] = Visibility.HIDDEN
    others = np.flatnonzero(inside(places, view.size.height, view.size.width))
    others = others[~np.isin(others, own)]
    if len(own) >= _NEIGHBOURS and len(others):
        distances = np.hypot(*(places[others, None] - places[own]).transpose(2, 0, 1))
        around = own[np.argpartition(distances, _NEIGHBOURS - 1, axis=1)[:, :_NEIGHBOURS]]
        offsets = places[around] - places[others, None]
        onto, behind = _against_surface(offsets, depths[others, None] / depths[around], _AROUND * view.size.longest)
        front = _seen_from_front(points.subset(others), view.centre)
        visibility[others[onto & front]] = Visibility.VISIBLE
        visibility[others[behind]] = Visibility.HIDDEN
        places[others] += np.median((places - projections)[around], axis=1)
    visibility[own] = Visibility.VISIBLE
    places[visibility != Visibility.VISIBLE] = np.nan
    return places, visibility


def _against_surface(
    offsets: NDArray[np.float64], depths: NDArray[np.float64], farthest: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of N points lie on the surface of the points observed around them, and which behind all of these.

    Inverse depth is linear in the pixels of a plane, so that surface is the plane of least squares through those
    around; it says nothing where they are not on it themselves, do not surround the place or are far away.

    Args:
        offsets: (N, K, 2) pixels from each point to K observed ones around it.
        depths: (N, K) depths of the point in units of theirs.
        farthest: at most so many pixels.
    """
    close = (np.linalg.norm(offsets, axis=2).max(axis=1) <= farthest) & _surrounded(offsets)
    fit = np.linalg.pinv(to_homogeneous(offsets))
    plane = np.einsum("nij,nj->ni", fit, depths)  # inverse depths, of which the point's own is 1
    residual = np.abs(np.einsum("nij,nj->ni", to_homogeneous(offsets), plane) - depths).max(axis=1)
    onto = close & (residual <= AGREES) & (np.abs(plane[:, 2] - 1) <= AGREES)
    return onto, close & (depths > 1 + HIDDEN_BEYOND).all(axis=1)


def _surrounded(offsets: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether (N, K, 2) directions leave no half of the circle free."""
    angles = np.sort(np.arctan2(offsets[..., 1], offsets[..., 0]), axis=1)
    gaps = np.diff(angles, axis=1, append=angles[:, :1] + 2 * np.pi)
    return np.asarray(gaps.max(axis=1) < np.pi)


def _seen_from_front(points: ScenePoints, centre: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a camera looks at points from about where they were observed from."""
    rays = centre - points.places
    lengths = np.linalg.norm(rays, axis=1) * np.linalg.norm(points.seen_from, axis=1)
    return np.asarray((rays * points.seen_from).sum(axis=1) > _OBLIQUE * lengths)


def _motions(places: NDArray[np.float64], view0: TrackedView, view1: TrackedView) -> NDArray[np.float64]:
    """(P, 2, 2) how pixels of view 1 around points move with those of view 0, through the lenses.

    The surface at a point is taken for the plane that faces both cameras alike; the identity where one of them cannot
    see that.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        normal = _unit(_unit(view0.centre - places) + _unit(view1.centre - places))
        across = _unit(np.cross(normal, np.eye(3)[np.argmin(np.abs(normal), axis=1)]))
    along = np.cross(normal, across)
    sides = []
    for view in (view0, view1):
        step = np.abs(view.project(places)[1])[:, None] / view.lens.focal_length / 2
        columns = [
            (view.project(places + step * axis)[0] - view.project(places - step * axis)[0]) / (2 * step)
            for axis in (across, along)
        ]
        sides.append(np.stack(columns, axis=2))
    usable = np.asarray(np.isfinite(sides).all(axis=(0, 2, 3)))
    first, second = (np.where(usable[:, None, None], side, np.eye(2)) for side in sides)
    usable = usable & (np.linalg.det(first) != 0) & (np.linalg.det(second) != 0)
    first, second = (np.where(usable[:, None, None], side, np.eye(2)) for side in sides)
    return np.asarray(second @ np.linalg.inv(first))


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
