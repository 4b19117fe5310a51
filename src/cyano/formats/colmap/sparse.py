"""Read COLMAP's sparse models: where the cameras stand, and the points that they see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.concise import Concise
from cyano.formats.colmap.model_files import check_model
from cyano.formats.extras import load_pycolmap, quiet, translated

__all__ = ["SparseModel", "opened_model", "read_model"]


@dataclass(frozen=True, eq=False, repr=False)
class SparseModel(Concise):
    """Cameras and points in one frame, whose unit is unknown.

    Attributes:
        names: of the C images with a pose, sorted.
        T_world_to_camera: (C, 4, 4) float64 rigid motions, in the order of the names.
        points: (P, 3) float64.
        colours: (P, 3) uint8 RGB, black where they were not read from the images.
        errors: (P,) float64 mean reprojection errors in pixels.
        track_lengths: (P,) int64 how many images see each point.
        half_views: (C, 2) float64 tangents of half the horizontal and vertical fields of view.
        seen: (C,) int64 how many points each image sees.

    Example:
        >>> model = read_model("run/sparse/0")
        >>> model.names[0], model.T_world_to_camera.shape, model.points.shape[1]
        ('view0.png', (6, 4, 4), 3)
    """

    names: tuple[str, ...]
    T_world_to_camera: NDArray[np.float64]
    points: NDArray[np.float64]
    colours: NDArray[np.uint8]
    errors: NDArray[np.float64]
    track_lengths: NDArray[np.int64]
    half_views: NDArray[np.float64]
    seen: NDArray[np.int64]


def read_model(folder: str | os.PathLike[str]) -> SparseModel:
    """Read a model.

    Args:
        folder: with COLMAP's files of it, in binary or text form, for example `sparse/0`.

    Raises:
        InputError: there is no such model, or it is damaged.
        MissingExtraError: pycolmap is not installed.

    Example:
        >>> model = read_model("run/sparse/0")
        >>> len(model.names), len(model.points) == len(model.errors)
        (6, True)
    """
    with opened_model(folder) as model:
        posed = sorted((image for image in model.images.values() if image.has_pose), key=lambda image: image.name)
        poses = np.tile(np.eye(4), (len(posed), 1, 1))
        for place, image in enumerate(posed):
            poses[place, :3] = image.cam_from_world().matrix()
        model.update_point_3d_errors()
        points = [model.points3D[number] for number in sorted(model.points3D)]
        cameras = [model.cameras[image.camera_id] for image in posed]
        return SparseModel(
            tuple(image.name for image in posed),
            poses,
            np.array([point.xyz for point in points], np.float64).reshape(-1, 3),
            np.array([point.color for point in points], np.uint8).reshape(-1, 3),
            np.array([point.error for point in points], np.float64),
            np.array([point.track.length() for point in points], np.int64),
            np.array([_half_view(camera) for camera in cameras], np.float64).reshape(-1, 2),
            np.array([image.num_points3D for image in posed], np.int64),
        )


@contextmanager
def opened_model(folder: str | os.PathLike[str]) -> Iterator[Any]:
    """COLMAP's own form of a model, for as long as it is read.

    Raises:
        InputError: there is no such model.
        MissingExtraError: pycolmap is not installed.
    """
    pycolmap = load_pycolmap()
    check_model(pycolmap, folder)
    told = f"{os.fspath(folder)} holds no model of COLMAP that can be read"
    inside = [path for path in (Path(folder) / "sparse/0", Path(folder) / "0") if path.is_dir()]
    remedy = f"give {inside[0]}" if inside else "give the folder of one, or export it again"
    with quiet(pycolmap, errors=False), translated(told, remedy):
        yield pycolmap.Reconstruction(os.fspath(folder))


def _half_view(camera: Any) -> tuple[float, float]:
    """Half the width and half the height of an image over the focal length."""
    focal = camera.mean_focal_length()
    return camera.width / (2 * focal), camera.height / (2 * focal)
