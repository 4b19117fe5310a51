"""Relative poses: how wrong one is, and which points it puts in front of both cameras."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cyano.geometry.checks import finite_array, matched_points, numbers_of
from cyano.geometry.transforms import angle_between, rotation_angle_between, to_homogeneous

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["PoseError", "in_front_of_both", "pose_error"]


class PoseError(NamedTuple):
    """Two angles in degrees; infinite where there was no estimate.

    Example:
        >>> max(PoseError(rotation=1.5, translation=4.0))  # what AUC@5/10/20 counts
        4.0
    """

    rotation: float
    translation: float

    @property
    def worst(self) -> float:
        """The larger of the two, which the evaluations' AUC is computed from."""
        return max(self)


def pose_error(T_true: ArrayLike, R: ArrayLike, t: ArrayLike) -> PoseError:
    """The errors of an estimated relative pose, as the SuperGlue evaluation defines them.

    The translation is compared by direction only, and up to its sign: min(e, 180 - e), because an essential
    matrix fixes neither. A translation of length zero has no direction: where the truth is one, every
    direction is right (0 degrees); where only the estimate is one, the error is the largest there is (90
    degrees).

    Args:
        T_true: (4, 4) motion from camera 0 to camera 1.
        R: (3, 3) estimated rotation; NaN-filled after a failed estimate.
        t: (3,) or (3, 1) estimated translation of any length; NaN-filled after a failed estimate.

    Returns:
        Rotation error in [0, 180] and translation error in [0, 90] degrees; both infinite for an estimate
        that is not finite.

    Raises:
        InputError: T_true is not a finite (4, 4) matrix, or R and t are not numbers.

    Example:
        >>> pose_error(rigid_motion(np.eye(3), [1, 0, 0]), np.eye(3), [2, 0, 0])  # length does not count
        PoseError(rotation=0.0, translation=0.0)
    """
    truth = finite_array(T_true, (4, 4), "T_true")
    rotation, translation = numbers_of(R, "R", (3, 3)), numbers_of(t, "t").ravel()
    if not (np.isfinite(rotation).all() and np.isfinite(translation).all()):
        return PoseError(math.inf, math.inf)
    return PoseError(
        math.degrees(rotation_angle_between(truth[:3, :3], rotation)),
        _direction_error(truth[:3, 3], translation),
    )


def in_front_of_both(T_0to1: ArrayLike, normalised0: ArrayLike, normalised1: ArrayLike) -> NDArray[np.bool_]:
    """Which matches meet in front of both cameras (the cheirality check).

    Args:
        T_0to1: (4, 4) motion from camera 0 to camera 1.
        normalised0: (K, 2) normalised points of camera 0 (`Camera.normalise`).
        normalised1: (K, 2) normalised points of camera 1.

    Returns:
        (K,) bool.

    Example:
        >>> in_front_of_both(rigid_motion(np.eye(3), [-1, 0, 0]), [[0, 0]], [[-0.5, 0]]).tolist()
        [True]
    """
    motion = finite_array(T_0to1, (4, 4), "T_0to1")
    first, second = matched_points(normalised0, normalised1)
    a, b, t = to_homogeneous(first) @ motion[:3, :3].T, to_homogeneous(second), motion[:3, 3]
    # Depths z0, z1 that bring z0 a + t and z1 b closest together, by Cramer's rule on the 2x2 normal
    # equations. Their common determinant is never negative, so the numerators alone carry the signs.
    aa, ab, bb = (a * a).sum(axis=1), (a * b).sum(axis=1), (b * b).sum(axis=1)
    at, bt = a @ t, b @ t
    return np.asarray((ab * bt - bb * at > 0) & (aa * bt - ab * at > 0))


def _direction_error(true: NDArray[np.float64], estimated: NDArray[np.float64]) -> float:
    if not true.any():
        return 0.0
    if not estimated.any():
        return 90.0
    degrees = math.degrees(angle_between(true, estimated))
    return min(degrees, 180.0 - degrees)
