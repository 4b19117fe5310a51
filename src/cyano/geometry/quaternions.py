"""Rotations as quaternions, for files that have them so."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["quaternion"]


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
