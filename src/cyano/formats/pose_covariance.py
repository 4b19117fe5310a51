"""How uncertain a pose is, from how far its points are from where it has them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cyano.formats.absolute_pose import projected
from cyano.geometry import LensCamera

__all__ = ["pose_covariance"]

_STEP = 1e-6
"""Of numerical derivatives, as a share of the depth or of the focal length."""


def pose_covariance(
    points2D: NDArray[np.floating],
    points3D: NDArray[np.float64],
    T_world_to_camera: NDArray[np.float64],
    camera: LensCamera,
    *,
    weights: NDArray[np.float64] | None = None,
    focal_refined: bool = False,
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

    Returns:
        (6, 6) float64 of a rotation vector in radians, applied after the pose's rotation, and of the pose's
        translation in the world's unit; NaN where the points do not determine it.
    """
    unknown = np.full((6, 6), np.nan)
    if len(points3D) == 0:
        return unknown
    R, t = T_world_to_camera[:3, :3], T_world_to_camera[:3, 3]
    middle = points3D.mean(axis=0)  # far from the origin, rotation and translation could not be told apart
    turned, inside = (points3D - middle) @ R.T, points3D @ R.T + t
    front = inside[:, 2] > 0
    turned, inside, seen = turned[front], inside[front], np.asarray(points2D, np.float64)[front]
    weight = np.ones(len(inside)) if weights is None else np.asarray(weights, np.float64)[front]
    by_point = _by_point(inside, camera)
    slopes = [np.einsum("kij,kjl->kil", by_point, -_cross(turned)), by_point]
    if focal_refined:
        slopes.append(_by_focal(inside, camera)[:, :, None])
    rows = np.concatenate(slopes, axis=2)
    freedom = 2 * weight.sum() - rows.shape[2]
    normal = np.einsum("k,kia,kib->ab", weight, rows, rows)
    scale = 1 / np.sqrt(np.maximum(np.diag(normal), np.finfo(np.float64).tiny))  # radians and units are no kin
    alike = normal * np.outer(scale, scale)
    if freedom <= 0 or not np.isfinite(alike).all() or np.linalg.cond(alike) > 1 / np.finfo(np.float64).eps:
        return unknown
    residuals = seen - _pixels(inside, camera)
    noise = float(weight @ (residuals**2).sum(axis=1)) / freedom
    there = (noise * np.linalg.inv(alike) * np.outer(scale, scale))[:6, :6]
    back = np.eye(6)
    back[3:, :3] = _cross((R @ middle)[None])[0]
    return np.asarray(back @ there @ back.T)


def _pixels(inside: NDArray[np.float64], camera: LensCamera) -> NDArray[np.float64]:
    """(K, 2) pixels of (K, 3) points in the camera's frame."""
    return projected(inside, np.eye(4), camera)


def _by_point(inside: NDArray[np.float64], camera: LensCamera) -> NDArray[np.float64]:
    """(K, 2, 3) derivatives of the pixels by the points."""
    step = _STEP * inside[:, 2:]
    columns = []
    for axis in np.eye(3):
        columns.append((_pixels(inside + step * axis, camera) - _pixels(inside - step * axis, camera)) / (2 * step))
    return np.stack(columns, axis=2)


def _by_focal(inside: NDArray[np.float64], camera: LensCamera) -> NDArray[np.float64]:
    """(K, 2) derivatives of the pixels by the logarithm of the focal length."""
    longer, shorter = (camera.zoomed(1 + sign * _STEP) for sign in (1, -1))
    return (_pixels(inside, longer) - _pixels(inside, shorter)) / (2 * _STEP)


def _cross(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, 3, 3) matrices of the cross product with (K, 3) vectors."""
    x, y, z = vectors.T
    zero = np.zeros(len(vectors))
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
