"""How uncertain a pose is, from how far its points are from where it has them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cyano.formats.poses.slopes import cross, slopes
from cyano.geometry import LensCamera

__all__ = ["pose_covariance"]


def pose_covariance(
    points2D: NDArray[np.floating],
    points3D: NDArray[np.float64],
    T_world_to_camera: NDArray[np.float64],
    camera: LensCamera,
    *,
    weights: NDArray[np.float64] | None = None,
    focal_refined: bool = False,
    principal_deviation: float = 0.0,
) -> NDArray[np.float64]:
    """The covariance of a pose to first order; the noise of the pixels is taken from the residuals.

    Args:
        points2D: (K, 2) pixels of the inliers.
        points3D: (K, 3) in the world's frame.
        T_world_to_camera: (4, 4), the pose that fits them best.
        camera: of the image.
        weights: (K,) how many measurements each row stands for; the copies of one keypoint share one. None for one
            each.
        focal_refined: whether the focal length was found with the pose, whose uncertainty adds to the pose's.
        principal_deviation: standard deviation in pixels of what is known of the principal point without the points;
            0 where it is known, infinite where nothing is.

    Returns:
        (6, 6) float64 of a rotation vector in radians, applied after the pose's rotation, and of the pose's
        translation in the world's unit; NaN where the points do not determine it.
    """
    unknown = np.full((6, 6), np.nan)
    if len(points3D) == 0:
        return unknown
    found = slopes(
        points2D, points3D, T_world_to_camera, camera, focal=focal_refined, principal=principal_deviation > 0
    )
    rows = found.rows
    weight = (np.ones(len(points3D)) if weights is None else np.asarray(weights, np.float64))[found.front]
    freedom = 2 * weight.sum() - rows.shape[2]
    noise = float(weight @ (found.residuals**2).sum(axis=1)) / max(freedom, 1.0)
    normal = np.einsum("k,kia,kib->ab", weight, rows, rows)
    if principal_deviation > 0:
        normal[[-2, -1], [-2, -1]] += noise / principal_deviation**2
    scale = 1 / np.sqrt(np.maximum(np.diag(normal), np.finfo(np.float64).tiny))  # radians and units are no kin
    alike = normal * np.outer(scale, scale)
    if freedom <= 0 or not np.isfinite(alike).all() or np.linalg.cond(alike) > 1 / np.finfo(np.float64).eps:
        return unknown
    there = (noise * np.linalg.inv(alike) * np.outer(scale, scale))[:6, :6]
    back = np.eye(6)
    back[3:, :3] = cross((T_world_to_camera[:3, :3] @ found.middle)[None])[0]
    return np.asarray(back @ there @ back.T)
