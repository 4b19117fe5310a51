"""What agrees with a pose, and how well it determines it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cyano.localisation.photograph.correspondences import Correspondences
from cyano.types import ImageSize

__all__ = ["CELLS", "cells_of", "centre_of", "copies_of", "once_each", "spread_of"]

CELLS = 8
"""Cells along each side of a photograph, by which the spread of inliers is counted."""


def once_each(found: Correspondences, errors: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(K,) bool: the inliers, without the copies of a keypoint that go to other points than the one that fits best.

    Args:
        found: correspondences.
        errors: (K,) pixels, infinite for what is no inlier.
    """
    inliers = np.isfinite(errors)
    worst_first = np.argsort(-errors[inliers], kind="stable")
    keypoints, points = found.keypoints[inliers][worst_first], found.points[inliers][worst_first]
    best = np.full(found.keypoints.max(initial=-1) + 1, -1, np.int64)
    best[keypoints] = points  # the last one stays
    fits: NDArray[np.bool_] = best[found.keypoints] == found.points
    return inliers & fits


def copies_of(found: Correspondences) -> NDArray[np.int64]:
    """(K,) how many correspondences have the same keypoint as each."""
    _, which, copies = np.unique(found.keypoints, return_inverse=True, return_counts=True)
    return np.asarray(copies[which])


def cells_of(places: NDArray[np.float64], size: ImageSize) -> int:
    """How many of the 8 x 8 cells of a photograph hold one of (K, 2) places in its pixels."""
    sides = np.array([size.width, size.height], np.float64)
    cells = np.clip((places + 0.5) / sides * CELLS, 0, CELLS - 1).astype(np.int64)
    return len(np.unique(cells @ np.array([1, CELLS])))


def spread_of(
    T_world_to_camera: NDArray[np.float64], covariance: NDArray[np.float64], points: NDArray[np.float64]
) -> float:
    """Standard deviation of the camera's centre along its worst axis over the median depth of the points; 1 if unknown.

    The centre is -R^T t, and moves by -R^T ([t]_x w + dt) with a rotation w after R and a change dt of t.
    """
    if not np.isfinite(covariance).all():
        return 1.0
    R, (x, y, z) = T_world_to_camera[:3, :3], T_world_to_camera[:3, 3]
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    by_pose = -R.T @ np.hstack([cross, np.eye(3)])
    worst = float(np.linalg.eigvalsh(by_pose @ covariance @ by_pose.T)[-1])
    depths = points @ R[2] + z
    return float(np.sqrt(max(worst, 0.0)) / np.median(depths))


def centre_of(T_world_to_camera: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) where the camera of a (4, 4) pose stands."""
    return np.asarray(-T_world_to_camera[:3, :3].T @ T_world_to_camera[:3, 3])
