"""Essential and fundamental matrices, `x1^T F x0 = 0`, and how far matches are from obeying them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cyano.geometry.checks import finite_array, matched_points
from cyano.geometry.transforms import to_homogeneous

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cyano.geometry.camera import Camera

__all__ = [
    "essential_from_pose",
    "fundamental_from_essential",
    "larger_epipolar_distance",
    "sampson_distance",
    "symmetric_epipolar_distance_squared",
]

_TINY = np.finfo(np.float64).tiny


def essential_from_pose(T_0to1: ArrayLike) -> NDArray[np.float64]:
    """The (3, 3) essential matrix [t]x R of a (4, 4) motion from camera 0 to camera 1.

    The translation is taken at unit length, so the singular values are (1, 1, 0); without any translation the
    matrix is zero.

    Example:
        >>> E = essential_from_pose(rigid_motion(np.eye(3), [1, 0, 0]))
        >>> float(np.array([0.3, 0.1, 1]) @ E @ np.array([0.5, 0.1, 1]))  # the same line of both images
        0.0
    """
    motion = finite_array(T_0to1, (4, 4), "T_0to1")
    length = np.linalg.norm(motion[:3, 3])
    x, y, z = motion[:3, 3] / length if length > 0 else np.zeros(3)
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ motion[:3, :3]


def fundamental_from_essential(E: ArrayLike, camera0: Camera, camera1: Camera) -> NDArray[np.float64]:
    """The (3, 3) fundamental matrix K1^-T E K0^-1, which speaks of pixels; its scale is E's.

    Example:
        >>> E = essential_from_pose(rigid_motion(np.eye(3), [1, 0, 0]))
        >>> camera = Camera(500, 500, 320, 240)
        >>> F = fundamental_from_essential(E, camera, camera)
    """
    essential = finite_array(E, (3, 3), "E")
    return np.linalg.inv(camera1.matrix).T @ essential @ np.linalg.inv(camera0.matrix)


def symmetric_epipolar_distance_squared(E: ArrayLike, points0: ArrayLike, points1: ArrayLike) -> NDArray[np.float64]:
    """Squared distances of both points of each match to their epipolar lines, summed.

    With an essential matrix and normalised points (`Camera.normalise`) this is the quantity of the SuperGlue
    evaluation (arXiv:1911.11763, section 5), which counts a match as correct below 5e-4. With a fundamental
    matrix and pixels the result is in squared pixels.

    Args:
        E: (3, 3) essential or fundamental matrix from image 0 to image 1.
        points0: (K, 2) points of image 0.
        points1: (K, 2) points of image 1.

    Returns:
        (K,) float64, the square of the points' unit.

    Example:
        >>> E = essential_from_pose(rigid_motion(np.eye(3), [1, 0, 0]))
        >>> symmetric_epipolar_distance_squared(E, [[0.5, 0.1]], [[0.3, 0.2]]).round(3).tolist()
        [0.02]
    """
    residual, normal0, normal1 = _residuals(E, points0, points1)
    return residual**2 * (1 / normal1 + 1 / normal0)


def sampson_distance(F: ArrayLike, points0: ArrayLike, points1: ArrayLike) -> NDArray[np.float64]:
    """The distance, to first order, that a match must move in both images to obey `F`.

    Source: Hartley and Zisserman, Multiple View Geometry, 2nd edition, equation 11.9 (here its square root).

    Args:
        F: (3, 3) fundamental matrix from image 0 to image 1, or an essential one for normalised points.
        points0: (K, 2) points of image 0.
        points1: (K, 2) points of image 1.

    Returns:
        (K,) float64, in the points' unit.

    Example:
        >>> E = essential_from_pose(rigid_motion(np.eye(3), [1, 0, 0]))
        >>> sampson_distance(E, [[0.5, 0.1]], [[0.3, 0.2]]).round(3).tolist()  # 0.1 shared by both images
        [0.071]
    """
    residual, normal0, normal1 = _residuals(F, points0, points1)
    return np.asarray(np.abs(residual) / np.sqrt(normal0 + normal1), dtype=np.float64)


def larger_epipolar_distance(F: ArrayLike, points0: ArrayLike, points1: ArrayLike) -> NDArray[np.float64]:
    """The distance of a point from its partner's epipolar line, in the image where it is larger.

    Args:
        F: (3, 3) fundamental matrix from image 0 to image 1, or an essential one for normalised points.
        points0: (K, 2) points of image 0.
        points1: (K, 2) points of image 1.

    Returns:
        (K,) float64, in the points' unit.

    Example:
        >>> E = essential_from_pose(rigid_motion(np.eye(3), [1, 0, 0]))
        >>> larger_epipolar_distance(E, [[0.5, 0.1]], [[0.3, 0.2]]).round(3).tolist()
        [0.1]
    """
    residual, normal0, normal1 = _residuals(F, points0, points1)
    return np.asarray(np.abs(residual) / np.sqrt(np.minimum(normal0, normal1)), dtype=np.float64)


def _residuals(
    F: ArrayLike, points0: ArrayLike, points1: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(K,) values x1^T F x0 and the squared lengths of the normals of the lines in image 0 and in image 1.

    A normal vanishes only at an epipole, where every match obeys F; the tiny floor turns 0 / 0 into 0 there.
    """
    matrix = finite_array(F, (3, 3), "the epipolar matrix")
    first, second = matched_points(points0, points1)
    x0, x1 = to_homogeneous(first), to_homogeneous(second)
    lines1 = x0 @ matrix.T  # (K, 3) F x0, lines in image 1
    lines0 = x1 @ matrix  # (K, 3) F^T x1, lines in image 0
    normal0 = np.maximum((lines0[:, :2] ** 2).sum(axis=1), _TINY)
    normal1 = np.maximum((lines1[:, :2] ** 2).sum(axis=1), _TINY)
    return np.asarray((x1 * lines1).sum(axis=1)), normal0, normal1
