"""The half pixel between Cyano and COLMAP, for everything that is measured in pixels; nothing else adds it.

The centre of the top-left pixel is (0, 0) in Cyano and (0.5, 0.5) in COLMAP.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.geometry import LENS_MODELS, LensCamera
from cyano.store import TwoViewGeometry
from cyano.types import ImageSize

__all__ = [
    "HALF",
    "colmap_params",
    "keypoints_from_colmap",
    "keypoints_to_colmap",
    "lens_from_colmap",
    "lens_of",
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


def lens_of(model: str, params: Iterable[float], size: ImageSize) -> LensCamera:
    """The camera of COLMAP's parameters.

    Raises:
        InputError: it is of a model that is none of `LENS_MODELS`, the parameters are not those of the model or not
            finite, or a focal length is not positive.
    """
    return LensCamera(model, size, _moved(model, params, -HALF))


def colmap_params(lens: LensCamera) -> tuple[float, ...]:
    """The parameters in COLMAP's order and pixels."""
    return _moved(lens.model, lens.params, HALF)


def lens_to_colmap(pycolmap: Any, lens: LensCamera) -> Any:
    """COLMAP's own form of a camera."""
    size = lens.size
    return pycolmap.Camera(model=lens.model, width=size.width, height=size.height, params=colmap_params(lens))


def lens_from_colmap(camera: Any) -> LensCamera:
    """A camera in COLMAP's own form.

    Raises:
        InputError: see `lens_of`.
    """
    return lens_of(str(camera.model.name), camera.params, ImageSize(int(camera.height), int(camera.width)))


def _moved(model: str, params: Iterable[float], shift: float) -> tuple[float, ...]:
    """Parameters whose principal point is moved; others than the model has stay, for `LensCamera` to refuse."""
    given, names = tuple(float(value) for value in params), LENS_MODELS.get(model, ())
    if len(given) != len(names):
        return given
    return tuple(value + shift * (name in ("cx", "cy")) for name, value in zip(names, given, strict=True))


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
