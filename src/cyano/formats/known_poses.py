"""Points of images whose poses are known, by COLMAP's triangulation: poses and cameras stay as they are."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.formats.colmap_reading import copy_database
from cyano.formats.extras import load_pycolmap, quiet, translated
from cyano.formats.model_files import save_model

__all__ = ["TriangulationSummary", "triangulate"]


@dataclass(frozen=True)
class TriangulationSummary:
    """What came of it.

    Attributes:
        images: with a pose.
        points: that they see.
        mean_reprojection_error: in pixels.
    """

    images: int
    points: int
    mean_reprojection_error: float


def triangulate(
    database: str | os.PathLike[str],
    poses: Mapping[str, NDArray[np.float64]],
    target: Path,
    *,
    seed: int = 0,
) -> TriangulationSummary:
    """Write the model of a database's images with the poses that they are known to have.

    Args:
        database: of COLMAP, with two-view geometries and the images' cameras; it is read only.
        poses: (4, 4) T_world_to_camera by the name of the image; other images are left out.
        target: new folder of the model, in COLMAP's binary form.
        seed: of COLMAP's sampling.

    Raises:
        InputError: the database is none, or it lacks an image.
        OutputError: the model cannot be written.
        MissingExtraError: pycolmap is not installed.
    """
    pycolmap = load_pycolmap()
    told = f"COLMAP cannot triangulate {os.fspath(database)}"
    with (
        quiet(pycolmap, errors=False),
        translated(told, "check the database, or make it again"),
        tempfile.TemporaryDirectory(dir=target.parent) as scratch,
    ):
        copy = copy_database(database, Path(scratch))
        model = _posed(pycolmap, copy, poses)
        options = pycolmap.IncrementalPipelineOptions()
        options.random_seed, options.num_threads, options.extract_colors = seed, 1, False
        model = pycolmap.triangulate_points(model, str(copy), scratch, scratch, options=options)
        model.update_point_3d_errors()
        save_model(pycolmap, model, target)
        error = float(model.compute_mean_reprojection_error()) if model.num_points3D() else 0.0
        return TriangulationSummary(model.num_reg_images(), model.num_points3D(), error)


def _posed(pycolmap: Any, database: Path, poses: Mapping[str, NDArray[np.float64]]) -> Any:
    """A model without points."""
    model = pycolmap.Reconstruction()
    with pycolmap.Database.open(str(database)) as opened:
        for camera in opened.read_all_cameras():
            model.add_camera_with_trivial_rig(camera)
        images = {image.name: image for image in opened.read_all_images()}
    absent = sorted(set(poses) - set(images))
    if absent:
        raise InputError(f"the database lacks images whose poses are given, first {absent[0]!r}; add them to it")
    for name in sorted(poses):
        bare = pycolmap.Image(name=name, camera_id=images[name].camera_id, image_id=images[name].image_id)
        model.add_image_with_trivial_frame(bare, pycolmap.Rigid3d(poses[name][:3]))
    return model
