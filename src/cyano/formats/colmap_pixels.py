"""The half pixel between Cyano and COLMAP, for everything that is measured in pixels; nothing else adds it.

The centre of the top-left pixel is (0, 0) in Cyano and (0.5, 0.5) in COLMAP.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.geometry import LENS_MODELS, LensCamera
from cyano.store import TwoViewGeometry
from cyano.types import ImageSize

__all__ = [
    "HALF",
    "keypoints_from_colmap",
    "keypoints_to_colmap",
    "lens_from_colmap",
    "lens_to_colmap",
    "model_from_colmap",
    "model_to_colmap",
]

HALF = 0.5
"""What is added to a position on the way to COLMAP, in pixels along both axes."""

_SHIFT = np.array([[1.0, 0.0, HALF], [0.0, 1.0, HALF], [0.0, 0.0, 1.0]])


def keypoints_to_colmap(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 2) pixels of Cyano as pixels of COLMAP."""
    return keypoints + np.float32(HALF)


def keypoints_from_colmap(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 2) pixels of COLMAP as pixels of Cyano."""
    return keypoints - np.float32(HALF)


def lens_to_colmap(pycolmap: Any, lens: LensCamera) -> Any:
    """COLMAP's own form of a camera."""
    params = _moved(lens.model, lens.params, HALF)
    return pycolmap.Camera(model=lens.model, width=lens.size.width, height=lens.size.height, params=params)


def lens_from_colmap(camera: Any) -> LensCamera:
    """A camera in COLMAP's own form.

    Raises:
        InputError: it is of a model that is none of `LENS_MODELS`, its parameters are not finite, or its focal length
            is not positive.
    """
    model = str(camera.model.name)
    if model not in LENS_MODELS:
        raise InputError(
            f"cameras of COLMAP's model {model} are not read, only {', '.join(LENS_MODELS)}; undistort the images and "
            "the model first (colmap image_undistorter)"
        )
    params = _moved(model, camera.params, -HALF)
    return LensCamera(model, ImageSize(int(camera.height), int(camera.width)), tuple(params))


def _moved(model: str, params: Iterable[float], shift: float) -> list[float]:
    """Parameters whose principal point is moved."""
    named = zip(LENS_MODELS[model], params, strict=True)
    return [float(value) + shift * (name in ("cx", "cy")) for name, value in named]


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
