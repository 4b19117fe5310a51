"""Derivatives of where a camera sees points, by its pose and its intrinsics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.formats.poses.absolute_pose import projected
from cyano.geometry import LENS_MODELS, LensCamera

__all__ = ["Slopes", "cross", "distorted", "shifted", "slopes"]

_STEP = 1e-6
"""Of numerical derivatives, as a share of the depth or of the focal length."""


class Slopes(NamedTuple):
    """What K points in front of a camera tell of it.

    Attributes:
        rows: (K, 2, P) derivatives of the pixels: by a rotation vector in radians, applied after the pose's rotation
            about the middle; by the translation; and, where asked for, by the logarithm of the focal length, by the
            principal point, and by the distortion.
        residuals: (K, 2) pixels from where they are seen to where the camera has them.
        middle: (3,) that the rotation is about, in the world's frame.
        front: (N,) bool, which of the points are in front.
    """

    rows: NDArray[np.float64]
    residuals: NDArray[np.float64]
    middle: NDArray[np.float64]
    front: NDArray[np.bool_]


def slopes(
    points2D: NDArray[np.floating],
    points3D: NDArray[np.float64],
    T_world_to_camera: NDArray[np.float64],
    camera: LensCamera,
    *,
    focal: bool = False,
    principal: bool = False,
    radial: bool = False,
) -> Slopes:
    """The derivatives for (N, 3) points that are seen at (N, 2) pixels.

    Args:
        points2D: pixels.
        points3D: in the world's frame; their mean is what rotations are about, since far from the origin rotation and
            translation could not be told apart.
        T_world_to_camera: (4, 4).
        camera: with its size.
        focal: also by the logarithm of the focal length.
        principal: also by the principal point.
        radial: also by the one parameter of distortion of SIMPLE_RADIAL.
    """
    R, t = T_world_to_camera[:3, :3], T_world_to_camera[:3, 3]
    middle = points3D.mean(axis=0)
    turned, inside = (points3D - middle) @ R.T, points3D @ R.T + t
    front = inside[:, 2] > 0
    turned, inside, seen = turned[front], inside[front], np.asarray(points2D, np.float64)[front]
    by_point = _by_point(inside, camera)
    columns = [np.einsum("kij,kjl->kil", by_point, -cross(turned)), by_point]
    if focal:
        columns.append(_by_focal(inside, camera)[:, :, None])
    if principal:
        columns.append(np.broadcast_to(np.eye(2), (len(inside), 2, 2)))
    if radial:
        columns.append(_by_distortion(inside, camera)[:, :, None])
    return Slopes(np.concatenate(columns, axis=2), seen - _pixels(inside, camera), middle, front)


def shifted(camera: LensCamera, pixels: NDArray[np.float64]) -> LensCamera:
    """The camera with its principal point moved by (2,) pixels."""
    x, y = pixels
    return _changed(camera, {"cx": float(x), "cy": float(y)})


def distorted(camera: LensCamera, by: float) -> LensCamera:
    """The SIMPLE_RADIAL camera with so much more distortion."""
    return _changed(camera, {"k1": by})


def cross(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, 3, 3) matrices of the cross product with (K, 3) vectors."""
    x, y, z = vectors.T
    zero = np.zeros(len(vectors))
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)


def _changed(camera: LensCamera, by: Mapping[str, float]) -> LensCamera:
    named = zip(LENS_MODELS[camera.model], camera.params, strict=True)
    return replace(camera, params=tuple(value + by.get(name, 0.0) for name, value in named))


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


def _by_distortion(inside: NDArray[np.float64], camera: LensCamera) -> NDArray[np.float64]:
    """(K, 2) derivatives of the pixels by the distortion."""
    more, less = (distorted(camera, sign * _STEP) for sign in (1, -1))
    return (_pixels(inside, more) - _pixels(inside, less)) / (2 * _STEP)
