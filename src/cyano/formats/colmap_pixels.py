"""The half pixel between Cyano and COLMAP, for everything that is measured in pixels; nothing else adds it.

The centre of the top-left pixel is (0, 0) in Cyano and (0.5, 0.5) in COLMAP.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cyano.store import TwoViewGeometry

__all__ = ["HALF", "keypoints_from_colmap", "keypoints_to_colmap", "model_from_colmap", "model_to_colmap"]

HALF = 0.5
"""What is added to a position on the way to COLMAP, in pixels along both axes."""

_SHIFT = np.array([[1.0, 0.0, HALF], [0.0, 1.0, HALF], [0.0, 0.0, 1.0]])


def keypoints_to_colmap(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 2) pixels of Cyano as pixels of COLMAP."""
    return keypoints + np.float32(HALF)


def keypoints_from_colmap(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 2) pixels of COLMAP as pixels of Cyano."""
    return keypoints - np.float32(HALF)


def model_to_colmap(geometry: TwoViewGeometry) -> TwoViewGeometry:
    """The model of two views in COLMAP's pixels; those of calibrated cameras are the same in both."""
    return _shifted(geometry, _SHIFT)


def model_from_colmap(geometry: TwoViewGeometry) -> TwoViewGeometry:
    """The model of two views in Cyano's pixels."""
    return _shifted(geometry, np.linalg.inv(_SHIFT))


def _shifted(geometry: TwoViewGeometry, shift: NDArray[np.floating]) -> TwoViewGeometry:
    """The model of points that `shift` was applied to in both images."""
    back = np.linalg.inv(shift)
    if geometry.kind == "homography":
        return replace(geometry, matrix=np.asarray(shift @ geometry.matrix @ back, np.float64))
    if geometry.kind == "fundamental":
        return replace(geometry, matrix=np.asarray(back.T @ geometry.matrix @ back, np.float64))
    return geometry
