"""Cameras with the distortion of their lenses, by COLMAP's models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from cyano.errors import InputError
from cyano.geometry.camera import Camera
from cyano.geometry.checks import numbers_of
from cyano.geometry.distortion import Distortion
from cyano.types import ImageSize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LENS_MODELS", "LensCamera"]

LENS_MODELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "SIMPLE_PINHOLE": ("f", "cx", "cy"),
        "PINHOLE": ("fx", "fy", "cx", "cy"),
        "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
        "RADIAL": ("f", "cx", "cy", "k1", "k2"),
        "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
        "OPENCV_FISHEYE": ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4"),
        "FULL_OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
        "SIMPLE_RADIAL_FISHEYE": ("f", "cx", "cy", "k1"),
        "RADIAL_FISHEYE": ("f", "cx", "cy", "k1", "k2"),
    }
)
"""The models by COLMAP's names, with their parameters in COLMAP's order."""

_SAME_SCALE = 1e-12
"""Relative difference up to which two scales are one, and a single focal length remains."""


@dataclass(frozen=True)
class LensCamera:
    """A camera behind a lens: COLMAP's models in Cyano's pixels.

    With x = X / Z, y = Y / Z and r^2 = x^2 + y^2 of a point (X, Y, Z) in the camera's frame, its pixel is that of a
    pinhole camera at the distorted (x, y), which are

    - (x, y) in SIMPLE_PINHOLE and PINHOLE,
    - (x, y) (1 + k1 r^2 + k2 r^4) in SIMPLE_RADIAL and RADIAL,
    - the same and (2 p1 x y + p2 (r^2 + 2 x^2), 2 p2 x y + p1 (r^2 + 2 y^2)) in OPENCV,
    - likewise, with (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6) in FULL_OPENCV,
    - (x, y) / r a (1 + k1 a^2 + k2 a^4 + k3 a^6 + k4 a^8) with a = atan(r) in SIMPLE_RADIAL_FISHEYE, RADIAL_FISHEYE and
      OPENCV_FISHEYE.

    Attributes:
        model: COLMAP's name of it.
        size: of the image.
        params: in COLMAP's order (`LENS_MODELS`). The principal point is in Cyano's pixels, where the centre of the
            first one is (0, 0): COLMAP's cx and cy less 0.5.

    Raises:
        InputError: an unknown model, other parameters than it has, one that is not finite, or a focal length that is
            not positive.
    """

    model: str
    size: ImageSize
    params: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.model not in LENS_MODELS:
            raise InputError(f"unknown camera model {self.model!r}: choose one of {', '.join(LENS_MODELS)}")
        if not isinstance(self.size, ImageSize):
            raise InputError(f"the size of a camera is an ImageSize(height, width), not {self.size!r}")
        params = tuple(numbers_of(self.params, "the parameters of a camera").ravel().tolist())
        names = LENS_MODELS[self.model]
        if len(params) != len(names) or not all(map(math.isfinite, params)):
            raise InputError(f"the camera model {self.model} has the parameters {', '.join(names)}, not {params}")
        # The dataclass is frozen: this is the one place where its values are set.
        object.__setattr__(self, "params", params)
        _ = self.pinhole  # checks the focal lengths

    @classmethod
    def from_pinhole(cls, camera: Camera) -> LensCamera:
        """The same camera, as PINHOLE.

        Raises:
            InputError: its size is not known.
        """
        if camera.size is None:
            raise InputError("the camera of a lens knows the size of its images; give the camera its size")
        return cls("PINHOLE", camera.size, (camera.fx, camera.fy, camera.cx, camera.cy))

    @cached_property
    def pinhole(self) -> Camera:
        """The camera without its distortion."""
        known = self._named
        fx, fy = known.get("fx", known.get("f", 0.0)), known.get("fy", known.get("f", 0.0))
        return Camera(fx, fy, known["cx"], known["cy"], self.size)

    @property
    def focal_length(self) -> float:
        """In pixels; the mean of both where x and y have their own."""
        return self.pinhole.mean_focal

    def normalise(self, points: ArrayLike) -> NDArray[np.float64]:
        """The rays of pixels.

        Args:
            points: (N, 2) pixels.

        Returns:
            (N, 2) float64 (X / Z, Y / Z) in the camera's frame; NaN where no ray in front of the camera ends: beyond
            the fold of the distortion, beyond 90 degrees of a fisheye, and for NaN.

        Raises:
            InputError: another shape.
        """
        pixels = _rows(points, 2, "points")
        camera = self.pinhole
        return self._distortion.undo((pixels - (camera.cx, camera.cy)) / (camera.fx, camera.fy))

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """The pixels of points.

        Args:
            points: (N, 3) in the camera's frame.

        Returns:
            (N, 2) float64 pixels, perhaps outside of the image; NaN behind the camera, and so far outside that the
            distortion folds back, where it says nothing.

        Raises:
            InputError: another shape.
        """
        places = _rows(points, 3, "points")
        in_front = places[:, 2:] > 0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            plane = np.where(in_front, places[:, :2] / places[:, 2:], np.nan)
        camera = self.pinhole
        return self._distortion.apply(plane) * (camera.fx, camera.fy) + (camera.cx, camera.cy)

    def undistorted_points(self, points: ArrayLike) -> NDArray[np.float64]:
        """Where `pinhole` sees what this camera sees at (N, 2) pixels: (N, 2) float64, NaN as in `normalise`."""
        camera = self.pinhole
        return self.normalise(points) * (camera.fx, camera.fy) + (camera.cx, camera.cy)

    def scaled(self, size: ImageSize) -> LensCamera:
        """The camera of the resized image, which is not turned.

        Where width and height change by different factors, a model with one focal length becomes the one with two.
        """
        sx, sy = size.width / self.size.width, size.height / self.size.height
        known, model = dict(self._named), self.model
        if "f" in known and not math.isclose(sx, sy, rel_tol=_SAME_SCALE):
            model = _with_two_focal_lengths(model)
            known["fx"] = known["fy"] = known.pop("f")
        for name, scale in (("f", sx), ("fx", sx), ("fy", sy)):
            if name in known:
                known[name] *= scale
        for name, scale in (("cx", sx), ("cy", sy)):
            known[name] = (known[name] + 0.5) * scale - 0.5
        return LensCamera(model, size, tuple(known.get(name, 0.0) for name in LENS_MODELS[model]))

    def fitted(self, size: ImageSize, what: str = "the image") -> LensCamera:
        """The camera of an image of this size, as `Camera.fitted`.

        Raises:
            InputError: the camera is of an image of another shape.
        """
        _ = self.pinhole.fitted(size, what)  # checks it
        return self.scaled(size)

    @cached_property
    def _named(self) -> dict[str, float]:
        return dict(zip(LENS_MODELS[self.model], self.params, strict=True))

    @cached_property
    def _distortion(self) -> Distortion:
        known = self._named
        split = 3 if self.model == "FULL_OPENCV" else 6
        radial = [known.get(f"k{number}", 0.0) for number in range(1, 7)]
        numerator, denominator = tuple(radial[:split]), tuple(radial[split:])
        tangential = known.get("p1", 0.0), known.get("p2", 0.0)
        return Distortion(numerator, denominator, tangential, self.model.endswith("FISHEYE"))


def _with_two_focal_lengths(model: str) -> str:
    """The smallest model that has fx and fy, and the distortion of this one."""
    if model == "SIMPLE_PINHOLE":
        return "PINHOLE"
    return "OPENCV_FISHEYE" if model.endswith("FISHEYE") else "OPENCV"


def _rows(values: ArrayLike, columns: int, name: str) -> NDArray[np.float64]:
    array = numbers_of(values, name)
    if array.ndim != 2 or array.shape[1] != columns:
        raise InputError(f"{name} must have shape (N, {columns}), not {array.shape}")
    return array
