"""The pose of a camera from points of the world and where it sees them, by COLMAP's LO-RANSAC and refinement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyano.concise import Concise
from cyano.formats.colmap.pixels import HALF, keypoints_to_colmap, lens_from_colmap, lens_to_colmap
from cyano.formats.extras import load_pycolmap, quiet
from cyano.formats.priors import PositionPrior
from cyano.geometry import LensCamera

__all__ = ["AbsolutePose", "Intrinsics", "absolute_pose", "projected"]

_FEWEST = 4
"""Correspondences that a pose takes: three, and one to choose among their solutions."""


@dataclass(frozen=True)
class Intrinsics:
    """What is known of a camera.

    Attributes:
        camera: of the image as it is displayed.
        exact: leave them; otherwise the focal length is refined.
        guessed: the focal length is a guess: it is searched for with the pose.
    """

    camera: LensCamera
    exact: bool = True
    guessed: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class AbsolutePose(Concise):
    """A pose, and what agrees with it.

    Attributes:
        T_world_to_camera: (4, 4) float64.
        camera: with the focal length that was found.
        inliers: (K,) bool, whether the points are seen where the pose has them.
    """

    T_world_to_camera: NDArray[np.float64]
    camera: LensCamera
    inliers: NDArray[np.bool_]


def absolute_pose(
    points2D: NDArray[np.floating],
    points3D: NDArray[np.float64],
    intrinsics: Intrinsics,
    *,
    threshold_px: float = 4.0,
    seed: int = 0,
    prior: PositionPrior | None = None,
) -> AbsolutePose | None:
    """Estimate a pose from correspondences, of which many may be wrong.

    Args:
        points2D: (K, 2) pixels of the original image.
        points3D: (K, 3) in the world's frame.
        intrinsics: of the camera.
        threshold_px: how far an inlier may be from its projection.
        seed: of the sampling; the same seed gives the same pose.
        prior: where the camera is, which has a say in the refinement if its deviations are known.

    Returns:
        The pose, or None where there is none: too few points, or none that agree.

    Raises:
        MissingExtraError: pycolmap is not installed.
    """
    pycolmap = load_pycolmap()
    camera = lens_to_colmap(pycolmap, intrinsics.camera)
    if len(points2D) < _FEWEST:
        return None
    estimation = pycolmap.AbsolutePoseEstimationOptions()
    estimation.ransac.max_error, estimation.ransac.random_seed = threshold_px, seed
    estimation.estimate_focal_length = intrinsics.guessed
    refinement = pycolmap.AbsolutePoseRefinementOptions()
    refinement.refine_focal_length = not intrinsics.exact
    middle = points3D.mean(axis=0)  # far from the origin, float64 squares of coordinates lose what matters
    if prior is not None and prior.deviations is not None:
        refinement.use_position_prior = True
        refinement.position_prior_in_world = np.array(prior.position) - middle
        refinement.position_prior_covariance = np.diag(np.square(prior.deviations))
    pixels = keypoints_to_colmap(np.asarray(points2D, np.float64))
    with quiet(pycolmap, errors=False):
        found = pycolmap.estimate_and_refine_absolute_pose(pixels, points3D - middle, camera, estimation, refinement)
    if found is None:
        return None
    pose = np.vstack([found["cam_from_world"].matrix(), (0.0, 0.0, 0.0, 1.0)])
    pose[:3, 3] -= pose[:3, :3] @ middle
    focal = camera.params[list(camera.focal_length_idxs())]
    if not (np.isfinite(pose).all() and np.isfinite(camera.params).all() and (focal > 0).all()):
        return None
    lens = intrinsics.camera if intrinsics.exact else lens_from_colmap(camera)
    return AbsolutePose(pose, lens, np.asarray(found["inlier_mask"], bool))


def projected(
    points3D: NDArray[np.float64], T_world_to_camera: NDArray[np.float64], camera: LensCamera
) -> NDArray[np.float64]:
    """(K, 2) pixels where a camera sees (K, 3) points; NaN behind it."""
    inside = points3D @ T_world_to_camera[:3, :3].T + T_world_to_camera[:3, 3]
    pixels = np.full((len(points3D), 2), np.nan)
    front = inside[:, 2] > 0
    if front.any():
        lens = lens_to_colmap(load_pycolmap(), camera)
        pixels[front] = lens.img_from_cam(inside[front]) - HALF
    return pixels
