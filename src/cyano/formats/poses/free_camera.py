"""A pose with all of its camera that a photograph tells: focal length, principal point and distortion."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.formats.poses.absolute_pose import AbsolutePose, projected
from cyano.formats.poses.slopes import distorted, shifted, slopes
from cyano.geometry import LensCamera

__all__ = ["FreedPose", "freed_pose"]

_STEPS = 15
_SMALL = 1e-7
"""Share of the squares by which a step lowers them at least, or it is the last."""

_WORST_CONDITION = 1e12


class FreedPose(NamedTuple):
    """A pose whose camera was found with it.

    Attributes:
        pose: with its camera, a SIMPLE_RADIAL one; `inliers` are those that were given.
        off: (3,) by how much the principal point (2, in pixels) and the distortion have moved.
        deviation: (3,) standard deviations of that; 0 where the distortion was held.
        error: root mean square distance of the pixels after it.
        error_before: likewise, with the camera as it was.
    """

    pose: AbsolutePose
    off: NDArray[np.float64]
    deviation: NDArray[np.float64]
    error: float
    error_before: float


def freed_pose(
    points2D: NDArray[np.floating],
    points3D: NDArray[np.float64],
    found: AbsolutePose,
    weights: NDArray[np.float64] | None = None,
    *,
    principal: tuple[float, float] | None = None,
    principal_deviation: float = np.inf,
    radial: bool = False,
) -> FreedPose | None:
    """Change the camera, too, so that a pose fits its points best: Levenberg's and Marquardt's steps.

    Args:
        points2D: (K, 2) pixels of the inliers.
        points3D: (K, 3) in the world's frame.
        found: the pose to begin with, of a SIMPLE_PINHOLE or SIMPLE_RADIAL camera; its focal length is refined.
        weights: (K,) how many measurements each row stands for; None for one each.
        principal: where the principal point is known to be, about; None for where `found` has it.
        principal_deviation: standard deviation of that in pixels; infinite where nothing is known.
        radial: find the distortion.

    Returns:
        What was found; None where the points do not determine it.
    """
    weight = np.ones(len(points3D)) if weights is None else np.asarray(weights, np.float64)
    pose = start = replace(found, camera=_radial(found.camera))
    before = _cost(points2D, points3D, pose, weight)
    damping, covariance = 1e-3, None
    known = np.array(principal or start.camera.params[1:3])
    noise = before / max(2 * weight.sum() - 9.0, 1.0)
    hold = noise / principal_deviation**2
    cost = before + hold * _squares(pose, known)
    for _ in range(_STEPS):
        tried = _step(points2D, points3D, pose, weight, damping, _Free(known, hold, radial))
        if tried is None:
            return None
        new, covariance = tried
        after = _cost(points2D, points3D, new, weight) + hold * _squares(new, known)
        lowered = cost - after
        if lowered >= 0:
            pose, cost, damping = new, after, damping / 10
        else:
            damping *= 10
        if 0 <= lowered <= _SMALL * cost:
            break
    if covariance is None or not np.isfinite(cost):
        return None
    total, deviation = weight.sum(), np.zeros(3)
    deviation[: len(covariance) - 7] = np.sqrt(np.diag(covariance)[7:] * cost / max(2 * total - len(covariance), 1.0))
    off = np.array(pose.camera.params[1:]) - np.array(start.camera.params[1:])
    return FreedPose(pose, off, deviation, float(np.sqrt(cost / total)), float(np.sqrt(before / total)))


class _Free(NamedTuple):
    """What of the camera is found: the principal point, where it is `known` to be by so much (`hold`); distortion."""

    known: NDArray[np.float64]
    hold: float
    radial: bool


def _squares(pose: AbsolutePose, known: NDArray[np.float64]) -> float:
    return float(np.square(np.array(pose.camera.params[1:3]) - known).sum())


def _radial(camera: LensCamera) -> LensCamera:
    if camera.model == "SIMPLE_RADIAL":
        return camera
    return LensCamera("SIMPLE_RADIAL", camera.size, (*camera.params, 0.0))


def _step(
    points2D: NDArray[np.floating],
    points3D: NDArray[np.float64],
    pose: AbsolutePose,
    weight: NDArray[np.float64],
    damping: float,
    free: _Free,
) -> tuple[AbsolutePose, NDArray[np.float64]] | None:
    """The next pose, and the inverse of the undamped normal matrix; None where it is singular."""
    there = slopes(
        points2D, points3D, pose.T_world_to_camera, pose.camera, focal=True, principal=True, radial=free.radial
    )
    weight = weight[there.front]
    if 2 * len(weight) <= there.rows.shape[2]:
        return None
    rows = there.rows.reshape(-1, there.rows.shape[2])
    weighted = rows * np.repeat(weight, 2)[:, None]
    normal, slope = weighted.T @ rows, weighted.T @ there.residuals.ravel()
    normal[[7, 8], [7, 8]] += free.hold
    slope[7:9] += free.hold * (free.known - np.array(pose.camera.params[1:3]))
    scale = 1 / np.sqrt(np.maximum(np.diag(normal), np.finfo(np.float64).tiny))
    alike = normal * np.outer(scale, scale)
    if not np.isfinite(alike).all() or np.linalg.cond(alike) > _WORST_CONDITION:
        return None
    change = scale * np.linalg.solve(alike + damping * np.eye(len(alike)), scale * slope)
    camera = pose.camera.zoomed(float(np.exp(np.clip(change[6], -1, 1))))
    camera = shifted(camera, change[7:9])
    camera = distorted(camera, float(change[-1])) if free.radial else camera
    T_world_to_camera = _turned(pose.T_world_to_camera, there.middle, change[:6])
    inverse = np.linalg.inv(alike) * np.outer(scale, scale)
    return replace(pose, T_world_to_camera=T_world_to_camera, camera=camera), inverse


def _turned(
    T_world_to_camera: NDArray[np.float64], middle: NDArray[np.float64], change: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(4, 4) after a rotation (3,) about a point of the world and a translation (3,)."""
    R, t = T_world_to_camera[:3, :3], T_world_to_camera[:3, 3]
    after = np.eye(4)
    after[:3, :3] = cv2.Rodrigues(change[:3])[0] @ R
    after[:3, 3] = R @ middle + t + change[3:] - after[:3, :3] @ middle
    return after


def _cost(
    points2D: NDArray[np.floating], points3D: NDArray[np.float64], pose: AbsolutePose, weight: NDArray[np.float64]
) -> float:
    """Weighted squares of the distances; infinite with a point behind the camera."""
    away = projected(points3D, pose.T_world_to_camera, pose.camera) - points2D
    total = float(weight @ (away**2).sum(axis=1))
    return total if np.isfinite(total) else float("inf")
