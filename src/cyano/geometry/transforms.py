"""Homogeneous coordinates, rigid motions and angles. Angles are radians here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cyano.errors import InputError
from cyano.geometry.checks import finite_array, numbers_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "angle_between",
    "from_homogeneous",
    "invert_rigid",
    "quarter_turn_motion",
    "rigid_motion",
    "rotation_angle_between",
    "to_homogeneous",
    "warp_points",
]


def to_homogeneous(points: ArrayLike) -> NDArray[np.float64]:
    """(..., D) points -> (..., D + 1) with a last coordinate of 1.

    Example:
        >>> to_homogeneous([[1, 2]]).tolist()
        [[1.0, 2.0, 1.0]]
    """
    array = numbers_of(points, "points")
    return np.concatenate([array, np.ones_like(array[..., :1])], axis=-1)


def from_homogeneous(points: ArrayLike) -> NDArray[np.float64]:
    """(..., D + 1) -> (..., D), divided by the last coordinate; points at infinity become inf or NaN.

    Example:
        >>> from_homogeneous([[2, 4, 2]]).tolist()
        [[1.0, 2.0]]
    """
    array = numbers_of(points, "points")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(array[..., :-1] / array[..., -1:], dtype=np.float64)


def warp_points(H: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    """Map (..., 2) points by the (3, 3) homography `H`; points on its horizon become inf or NaN.

    Example:
        >>> warp_points(np.diag([2.0, 2.0, 1.0]), [[10, 20]]).tolist()
        [[20.0, 40.0]]
    """
    array = numbers_of(points, "points")
    if array.shape[-1] != 2:
        raise InputError(f"points must have shape (..., 2), not {array.shape}")
    return from_homogeneous(to_homogeneous(array) @ numbers_of(H, "H", (3, 3)).T)


def rigid_motion(R: ArrayLike, t: ArrayLike) -> NDArray[np.float64]:
    """The (4, 4) motion `x -> R x + t` of a (3, 3) rotation and a (3,) or (3, 1) translation.

    Raises:
        InputError: a wrong shape, or values that are not finite.

    Example:
        >>> rigid_motion(np.eye(3), [1, 2, 3])[:3, 3].tolist()
        [1.0, 2.0, 3.0]
    """
    T = np.eye(4)
    T[:3, :3] = finite_array(R, (3, 3), "R")
    T[:3, 3] = finite_array(numbers_of(t, "t").ravel(), (3,), "t")
    return T


def invert_rigid(T: ArrayLike) -> NDArray[np.float64]:
    """The inverse of a (4, 4) rigid motion, by transposing its rotation: exact to rounding.

    Raises:
        InputError: a wrong shape, or values that are not finite.

    Example:
        >>> invert_rigid(rigid_motion(np.eye(3), [1, 2, 3]))[:3, 3].tolist()
        [-1.0, -2.0, -3.0]
    """
    motion = finite_array(T, (4, 4), "T")
    R, t = motion[:3, :3], motion[:3, 3]
    return rigid_motion(R.T, -R.T @ t)


def quarter_turn_motion(quarter_turns: int) -> NDArray[np.float64]:
    """The (4, 4) motion from a camera to the same camera with its picture turned.

    `Camera.scaled` turns the intrinsics; with T = `quarter_turn_motion(turns)` of either image, the pose
    between the turned cameras is `T1 @ T_0to1 @ invert_rigid(T0)`.

    Args:
        quarter_turns: counter-clockwise quarter turns of the picture, as in `numpy.rot90`.

    Example:
        >>> bool(np.allclose(np.linalg.matrix_power(quarter_turn_motion(1), 4), np.eye(4)))
        True
    """
    # One turn sends the pixel (x, y) to (y, -x) about the centre, and the z axis stays.
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return rigid_motion(np.linalg.matrix_power(turn, quarter_turns % 4), np.zeros(3))


def angle_between(u: ArrayLike, v: ArrayLike) -> float:
    """The angle between two (3,) vectors in [0, pi] radians; 0 if one of them is zero.

    The arctangent keeps all digits near 0 and pi, where the arccosine of a rounded cosine keeps half of them.

    Example:
        >>> float(np.degrees(angle_between([1, 0, 0], [0, 2, 0])))
        90.0
    """
    first, second = (finite_array(numbers_of(each, "a vector").ravel(), (3,), "a vector") for each in (u, v))
    return float(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second))


def rotation_angle_between(R0: ArrayLike, R1: ArrayLike) -> float:
    """The angle of the rotation that takes `R0` to `R1`, both (3, 3), in [0, pi] radians.

    Example:
        >>> rotation_angle_between(np.eye(3), np.eye(3))
        0.0
    """
    # |R0 - R1|_F = 2 sqrt(2) sin(angle / 2); unlike the trace it keeps its digits for small angles.
    chord = np.linalg.norm(numbers_of(R0, "R0", (3, 3)) - numbers_of(R1, "R1", (3, 3)))
    return float(2 * np.arcsin(min(1.0, chord / (2 * np.sqrt(2)))))
