"""A COLMAP model as a map: which keypoints of which image are which points of the world."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.concise import Concise
from cyano.errors import InputError
from cyano.formats.colmap.binary_model import is_binary, read_cameras, read_images, read_points
from cyano.formats.colmap.pixels import keypoints_from_colmap, lens_from_colmap
from cyano.formats.colmap.sparse import opened_model
from cyano.geometry import LensCamera

__all__ = ["MapImage", "MapModel", "map_model_of", "read_map_model"]


@dataclass(frozen=True, eq=False, repr=False)
class MapImage(Concise):
    """An image of a map.

    Attributes:
        name: of the image.
        camera: of the image.
        T_world_to_camera: (4, 4) float64.
        keypoints: (N, 2) float32 pixels of the original image, exact where they were aligned.
        points: (N,) int64, the row in `MapModel.points` of each keypoint, -1 where it is none.
    """

    name: str
    camera: LensCamera
    T_world_to_camera: NDArray[np.float64]
    keypoints: NDArray[np.float32]
    points: NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class MapModel(Concise):
    """Images with poses, and the points that they see.

    Attributes:
        images: by name, in the order of the names.
        points: (P, 3) float64 in the world's frame.
        point_ids: (P,) int64, COLMAP's numbers of them.
    """

    images: dict[str, MapImage]
    points: NDArray[np.float64]
    point_ids: NDArray[np.int64]


def read_map_model(folder: str | os.PathLike[str]) -> MapModel:
    """Read a model.

    Args:
        folder: with COLMAP's files of it, for example `model/sparse/0`.

    Raises:
        InputError: there is no such model, or it is damaged.
        MissingExtraError: pycolmap is not installed.
    """
    if is_binary(Path(folder)):
        return _of_files(Path(folder))
    with opened_model(folder) as model:
        return map_model_of(model)


def map_model_of(model: Any) -> MapModel:
    """The same of a model of pycolmap's in memory."""
    ids = np.array(sorted(model.points3D), np.int64)
    points = np.array([model.points3D[number].xyz for number in ids], np.float64).reshape(-1, 3)
    lenses = {number: lens_from_colmap(camera) for number, camera in model.cameras.items()}
    images = {}
    for image in sorted((each for each in model.images.values() if each.has_pose), key=lambda each: each.name):
        seen = np.full(image.num_points2D(), -1, np.int64)
        for number in image.get_observation_point2D_idxs():
            seen[number] = np.searchsorted(ids, image.point2D(number).point3D_id)
        lens = lenses[image.camera_id]
        pose = np.vstack([image.cam_from_world().matrix(), (0.0, 0.0, 0.0, 1.0)])
        places = np.array([point.xy for point in image.points2D], np.float32).reshape(-1, 2)
        images[image.name] = MapImage(image.name, lens, pose, keypoints_from_colmap(places), seen)
    return MapModel(images, points, ids)


def _of_files(folder: Path) -> MapModel:
    """A binary model, as `read_map_model`."""
    cameras, (ids, points) = read_cameras(folder), read_points(folder)
    images = {}
    for image in read_images(folder):
        known = image.points >= 0
        rows = np.full(len(image.points), -1, np.int64)
        rows[known] = np.searchsorted(ids, image.points[known])
        if image.camera not in cameras or (rows == len(ids)).any() or (ids[rows[known]] != image.points[known]).any():
            raise InputError(
                f"{folder / 'images.bin'}: the image {image.name!r} refers to a camera or points that are not in the "
                "model; export it again"
            )
        places = keypoints_from_colmap(image.places.astype(np.float32))
        images[image.name] = MapImage(image.name, cameras[image.camera], image.T_world_to_camera, places, rows)
    return MapModel(dict(sorted(images.items())), points, ids)
