"""Read COLMAP's sparse models with what each image has observed: cameras, points and tracks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.formats.colmap.pixels import HALF, lens_from_colmap
from cyano.formats.colmap.sparse import opened_model
from cyano.geometry import LensCamera
from cyano.geometry.tracked_views import ScenePoints, TrackedView

__all__ = ["TrackedModel", "read_tracks"]


@dataclass(frozen=True, eq=False)
class TrackedModel:
    """The images of a model and the points that they share.

    Attributes:
        names: of the C images with a pose, sorted.
        views: of each, in Cyano's pixels of the original image.
        points: of the model.
    """

    names: tuple[str, ...]
    views: tuple[TrackedView, ...]
    points: ScenePoints

    def subset(self, kept: Sequence[int]) -> TrackedModel:
        """Some of the images, with all points."""
        return replace(
            self, names=tuple(self.names[each] for each in kept), views=tuple(self.views[each] for each in kept)
        )


def read_tracks(folder: str | os.PathLike[str], *, least_track: int = 3, largest_error: float = 2.0) -> TrackedModel:
    """Read a model; what moved in the place, or was matched wrongly, is left out as far as the model tells it.

    Args:
        folder: with COLMAP's files of it, in binary or text form, for example `sparse/0`.
        least_track: points observed by fewer images are left out: any two observations that lie along the epipolar
            line make a point.
        largest_error: observations that lie farther from their point's projection are left out, pixels.

    Raises:
        InputError: there is no such model, it has no poses, or a camera is of a model that is not known here.
        MissingExtraError: pycolmap is not installed.
    """
    with opened_model(folder) as model:
        posed = sorted((image for image in model.images.values() if image.has_pose), key=lambda image: str(image.name))
        names = tuple(str(image.name) for image in posed)
        lenses = {number: lens_from_colmap(camera) for number, camera in model.cameras.items()}
        numbers = np.array(sorted(model.points3D), dtype=np.int64)
        places = np.array([model.points3D[number].xyz for number in numbers], np.float64).reshape(-1, 3)
        views = [_view(image, lenses[image.camera_id], numbers, places, largest_error) for image in posed]
    if not views:
        raise InputError(f"no image of the model in {os.fspath(folder)} has a pose; give a reconstructed model")
    counts = np.bincount(np.concatenate([view.points for view in views]), minlength=len(places))
    kept = np.flatnonzero(counts >= least_track)
    rank = np.full(len(places), -1)
    rank[kept] = np.arange(len(kept))
    among = tuple(_among(view, rank) for view in views)
    return TrackedModel(names, among, ScenePoints(places[kept], _seen_from(places[kept], among)))


def _view(
    image: Any, lens: LensCamera, numbers: NDArray[np.int64], places: NDArray[np.float64], largest_error: float
) -> TrackedView:
    """The observations of one image that are near enough to their points, once each."""
    observed = [point for point in image.points2D if point.has_point3D()]
    rows = np.searchsorted(numbers, np.array([point.point3D_id for point in observed], np.int64))
    keypoints = np.array([point.xy for point in observed], np.float64).reshape(-1, 2) - HALF
    T = np.eye(4)
    T[:3] = image.cam_from_world().matrix()
    view = TrackedView(lens, T, rows, keypoints)
    near = np.linalg.norm(view.project(places[rows])[0] - keypoints, axis=1) <= largest_error
    rows, first = np.unique(rows[near], return_index=True)
    return replace(view, points=rows, keypoints=keypoints[near][first])


def _among(view: TrackedView, rank: NDArray[np.int64]) -> TrackedView:
    """The view of those points that have a rank."""
    rows = rank[view.points]
    return replace(view, points=rows[rows >= 0], keypoints=view.keypoints[rows >= 0])


def _seen_from(places: NDArray[np.float64], views: Sequence[TrackedView]) -> NDArray[np.float64]:
    """(P, 3) the mean direction of each point's observers."""
    total = np.zeros_like(places)
    for view in views:
        rays = view.centre - places[view.points]
        total[view.points] += rays / np.linalg.norm(rays, axis=1, keepdims=True)
    counts = np.bincount(np.concatenate([view.points for view in views]), minlength=len(places))
    return total / counts[:, None]
