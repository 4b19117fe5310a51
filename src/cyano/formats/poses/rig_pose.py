"""The pose of a rig from points of the world and where its cameras see them, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.formats.colmap.pixels import keypoints_to_colmap, lens_to_colmap
from cyano.formats.extras import load_pycolmap, quiet
from cyano.geometry import LensCamera

__all__ = ["RigView", "rig_covariance", "rig_pose"]

_FEWEST = 4
"""Correspondences that a pose takes: three, and one to choose among their solutions."""


class RigView(NamedTuple):
    """What one camera of a rig sees.

    Attributes:
        camera: of the photograph as it is displayed; it is held.
        T_rig_to_camera: (4, 4).
        places: (K, 2) pixels of the photograph.
        points: (K, 3) in the world's frame.
    """

    camera: LensCamera
    T_rig_to_camera: NDArray[np.float64]
    places: NDArray[np.float64]
    points: NDArray[np.float64]


def rig_pose(views: Sequence[RigView], *, threshold_px: float = 4.0, seed: int = 0) -> NDArray[np.float64] | None:
    """Estimate the pose of a rig by COLMAP's generalised LO-RANSAC and refinement; many correspondences may be wrong.

    Args:
        views: of the cameras, in any order.
        threshold_px: how far an inlier may be from its projection.
        seed: of the sampling; the same seed gives the same pose.

    Returns:
        (4, 4) T_world_to_rig; None where there is none: too few points, or none that agree.

    Raises:
        MissingExtraError: pycolmap is not installed.
    """
    pycolmap = load_pycolmap()
    counts = [len(view.places) for view in views]
    if sum(counts) < _FEWEST:
        return None
    places, points = (np.concatenate([view[part] for view in views]) for part in (2, 3))
    middle = points.mean(axis=0)  # far from the origin, float64 squares of coordinates lose what matters
    ransac, refinement = pycolmap.RANSACOptions(), pycolmap.AbsolutePoseRefinementOptions()
    ransac.max_error, ransac.random_seed = threshold_px, seed
    with quiet(pycolmap, errors=False):
        found = pycolmap.estimate_and_refine_generalized_absolute_pose(
            keypoints_to_colmap(places),
            points - middle,
            np.repeat(np.arange(len(views)), counts).tolist(),
            [pycolmap.Rigid3d(view.T_rig_to_camera[:3]) for view in views],
            [lens_to_colmap(pycolmap, view.camera) for view in views],
            ransac,
            refinement,
        )
    if found is None:
        return None
    pose = np.vstack([found["rig_from_world"].matrix(), (0.0, 0.0, 0.0, 1.0)])
    pose[:3, 3] -= pose[:3, :3] @ middle
    return pose if np.isfinite(pose).all() else None


def rig_covariance(
    covariances: Sequence[NDArray[np.float64]], T_rig_to_camera: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The covariance of a rig's pose from what each of its cameras says of its own, which are independent.

    Args:
        covariances: (6, 6) of the cameras' poses, see `pose_covariance`; NaN counts for nothing.
        T_rig_to_camera: (4, 4) of the cameras.

    Returns:
        (6, 6), NaN where no camera determines it.
    """
    total = np.zeros((6, 6))
    for covariance, T in zip(covariances, T_rig_to_camera, strict=True):
        if np.isfinite(covariance).all():
            turn = np.kron(np.eye(2), T[:3, :3])  # rotation vector and translation of the camera from those of the rig
            total += turn.T @ _inverse(covariance) @ turn
    return _inverse(total) if total.any() else np.full((6, 6), np.nan)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of a positive definite matrix whose rows have units of their own."""
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(np.float64).tiny))
    return np.asarray(np.linalg.inv(matrix * np.outer(scale, scale)) * np.outer(scale, scale))
