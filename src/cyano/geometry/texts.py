"""Models in words and rounded numbers, for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cyano.geometry.transforms import angle_between, rotation_angle_between

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["matrix_text", "pose_facts"]

_SIDES = (("right of", "left of"), ("below", "above"), ("in front of", "behind"))
"""Where camera 1 is, seen from camera 0, for a positive and a negative x, y and z."""


def matrix_text(matrix: NDArray[np.float64]) -> str:
    """A matrix (R, C) with six significant digits, a row a line, or a vector (C,) in one line."""
    rows = [[f"{value + 0.0:.6g}" for value in row] for row in np.atleast_2d(matrix)]  # + 0.0: no -0
    width = max(len(text) for row in rows for text in row)
    return "\n".join("[" + "  ".join(text.rjust(width) for text in row) + "]" for row in rows)


def pose_facts(T_0to1: NDArray[np.float64]) -> list[tuple[str, str]]:
    """Names and texts: R, t, the angle of the rotation in degrees, and the direction of the translation.

    Args:
        T_0to1: (4, 4) motion from camera 0 to camera 1.
    """
    R, t = T_0to1[:3, :3], T_0to1[:3, 3]
    centre = -R.T @ t  # of camera 1 in the frame of camera 0
    axis = int(np.abs(centre).argmax())
    along = np.copysign(np.eye(3)[axis], centre[axis])
    side = _SIDES[axis][int(centre[axis] < 0)]
    off = math.degrees(angle_between(centre, along))
    return [
        ("R", matrix_text(np.round(R, 6))),
        ("t", f"{matrix_text(np.round(t, 6))}, of length 1: the scale is unknown"),
        ("rotation", f"{math.degrees(rotation_angle_between(np.eye(3), R)):.2f} degrees"),
        ("translation", f"camera 1 is {side} camera 0, {off:.1f} degrees off that axis"),
    ]
