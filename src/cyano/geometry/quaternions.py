"""Rotations as quaternions, for files that have them so."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cyano.errors import InputError

__all__ = ["quaternion", "rotation_from"]


def quaternion(R: ArrayLike) -> NDArray[np.float64]:
    """(4,) w, x, y, z of unit length, w not negative, of a (3, 3) rotation.

    The eigenvector of Bar-Itzhack's matrix, which is exact for rotations of any angle ("New Method for Extracting the
    Quaternion from a Rotation Matrix", 2000, version 1).
    """
    m = np.asarray(R, np.float64)
    K = np.array(
        [
            [m[0, 0] - m[1, 1] - m[2, 2], 0, 0, 0],
            [m[1, 0] + m[0, 1], m[1, 1] - m[0, 0] - m[2, 2], 0, 0],
            [m[2, 0] + m[0, 2], m[2, 1] + m[1, 2], m[2, 2] - m[0, 0] - m[1, 1], 0],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], m[0, 0] + m[1, 1] + m[2, 2]],
        ]
    )
    x, y, z, w = np.linalg.eigh(K)[1][:, -1]  # eigh reads the lower triangle
    found = np.array([w, x, y, z])
    return found if w >= 0 else -found


def rotation_from(quaternion: ArrayLike, what: str = "the rotation") -> NDArray[np.float64]:
    """(3, 3) rotation of (4,) w, x, y, z of any length but 0.

    Args:
        quaternion: the numbers.
        what: it is, for the message.

    Raises:
        InputError: all of them are 0.
    """
    given = np.asarray(quaternion, np.float64)
    length = float(np.linalg.norm(given))
    if not length > 0:
        raise InputError(f"{what} is a quaternion w, x, y, z, and not all of it is 0")
    w, x, y, z = given / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + 2 * w * cross + 2 * cross @ cross)
