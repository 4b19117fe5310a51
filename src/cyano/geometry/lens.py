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
        "SIMPLE_FISHEYE": ("f", "cx", "cy"),
        "FISHEYE": ("fx", "fy", "cx", "cy"),
        "FOV": ("fx", "fy", "cx", "cy", "omega"),
        "SIMPLE_DIVISION": ("f", "cx", "cy", "k"),
        "DIVISION": ("fx", "fy", "cx", "cy", "k"),
        "EUCM": ("fx", "fy", "cx", "cy", "alpha", "beta"),
        "THIN_PRISM_FISHEYE": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "sx1", "sy1"),
        "RAD_TAN_THIN_PRISM_FISHEYE": (
            *("fx", "fy", "cx", "cy", "k0", "k1", "k2", "k3", "k4", "k5"),
            *("p0", "p1", "s0", "s1", "s2", "s3"),
        ),
    }
)
"""The models by COLMAP's names, with their parameters in COLMAP's order: all but EQUIRECTANGULAR, which has no pixel in
the middle."""

_HELD = {"FOV", "SIMPLE_DIVISION", "DIVISION", "EUCM", "THIN_PRISM_FISHEYE", "RAD_TAN_THIN_PRISM_FISHEYE"}
"""Models that are scaled, turned and handed to COLMAP; Cyano itself does not bend by them."""

_ALONG = {"OPENCV": "p2 p1", "FULL_OPENCV": "p2 p1", "THIN_PRISM_FISHEYE": "p2 p1 sx1 sy1"}
_ALONG["RAD_TAN_THIN_PRISM_FISHEYE"] = "p0 p1 s0 s2 s1 s3"
"""Parameters that point somewhere, x and y of each, and so turn with the picture: tangential distortion moves a point q
by |q|^2 t + 2 (q t) q with t = (p2, p1), a thin prism by |q|^2 (sx1, sy1)."""

_UPRIGHT = {2: "x", 3: "xy", 4: "y", 5: "t", 6: "tx", 7: "txy", 8: "ty"}
"""EXIF orientation to what sets the picture upright: transposed first, then mirrored along x, y or both."""

_FOCAL = {"f", "fx", "fy"}

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
      OPENCV_FISHEYE; (x, y) / r a in SIMPLE_FISHEYE and FISHEYE.

    The other models are scaled, turned and handed to COLMAP, but not projected here.

    Attributes:
        model: COLMAP's name of it.
        size: of the image.
        params: in COLMAP's order (`LENS_MODELS`). The principal point is in Cyano's pixels, where the centre of the
            first one is (0, 0): COLMAP's cx and cy less 0.5.

    Raises:
        InputError: an unknown model, other parameters than it has, one that is not finite, or a focal length that is
            not positive.

    Example:
        >>> lens = LensCamera("SIMPLE_RADIAL", ImageSize(480, 640), (500.0, 319.5, 239.5, -0.1))
        >>> lens.project([[0.0, 0.0, 2.0]]).tolist(), lens.normalise([[319.5, 239.5]]).tolist()
        ([[319.5, 239.5]], [[0.0, 0.0]])
        >>> bool(lens.undistorted_points([[19.5, 239.5]])[0, 0] < 19.5)  # the barrel is taken out
        True
        >>> lens.scaled(ImageSize(240, 320)).params[0], lens.zoomed(2.0).params[0]
        (250.0, 1000.0)
        >>> lens.turned(6).size  # as a phone held upright displays it
        ImageSize(height=640, width=480)
        >>> lens.displayed(ImageSize(960, 1280), orientation=6).focal_length  # of a larger photograph
        1000.0
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

        Example:
            >>> LensCamera.from_pinhole(Camera(500, 500, 319.5, 239.5, ImageSize(480, 640))).model
            'PINHOLE'
        """
        if camera.size is None:
            raise InputError("a LensCamera needs the size of its images; give the camera its size")
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
        if self.model in ("SIMPLE_PINHOLE", "PINHOLE"):
            return _rows(points, 2, "points")  # to the last bit
        return self.normalise(points) * (camera.fx, camera.fy) + (camera.cx, camera.cy)

    def scaled(self, size: ImageSize, *, same_model: bool = False) -> LensCamera:
        """The camera of the resized image, which is not turned.

        Where width and height change by different factors, a model with one focal length becomes the one with two.

        Args:
            size: of the resized image.
            same_model: scale the one focal length by the mean of the factors instead.
        """
        if size == self.size:
            return self  # to the last bit
        sx, sy = size.width / self.size.width, size.height / self.size.height
        known, model = dict(self._named), self.model
        factors = {"f": (sx + sy) / 2, "fx": sx, "fy": sy}
        if "f" in known and not same_model and not math.isclose(sx, sy, rel_tol=_SAME_SCALE):
            model = _with_two_focal_lengths(model)
            known["fx"] = known["fy"] = known.pop("f")
        for name in known.keys() & factors:
            known[name] *= factors[name]
        for name, scale in (("cx", sx), ("cy", sy)):
            known[name] = (known[name] + 0.5) * scale - 0.5
        return LensCamera(model, size, tuple(known.get(name, 0.0) for name in LENS_MODELS[model]))

    def zoomed(self, factor: float) -> LensCamera:
        """The camera with so much longer focal lengths."""
        known = {name: value * (factor if name in _FOCAL else 1.0) for name, value in self._named.items()}
        return LensCamera(self.model, self.size, tuple(known.values()))

    def turned(self, orientation: int) -> LensCamera:
        """The camera of the picture as it is displayed, of the camera of its pixels as they are stored.

        Args:
            orientation: of EXIF, 1 to 8.
        """
        known, size = dict(self._named), self.size
        along = _ALONG.get(self.model, "").split()
        pairs = [("cx", "cy"), *zip(along[::2], along[1::2], strict=True)]
        changes = _UPRIGHT.get(orientation, "")
        if "t" in changes:
            size = size.turned(1)
            for one, two in [*pairs, *([("fx", "fy")] if "fx" in known else [])]:
                known[one], known[two] = known[two], known[one]
        for axis, side in enumerate((size.width, size.height)):
            if "xy"[axis] in changes:
                centre = pairs[0][axis]
                known[centre] = side - 1 - known[centre]
                for pair in pairs[1:]:
                    known[pair[axis]] *= -1
        return LensCamera(self.model, size, tuple(known.values()))

    def displayed(
        self, stored: ImageSize, orientation: int = 1, what: str = "the image", *, same_model: bool = False
    ) -> LensCamera:
        """The camera of a photograph as it is displayed: the one rule for the size and the turn of a camera.

        The camera is that of the pixels as they are stored, where these have the shape of its picture, and is scaled
        and turned with them. Where only the picture as it is displayed has that shape, the camera is that of this.

        Args:
            stored: size of the pixels in the file.
            orientation: of EXIF, 1 to 8.
            what: the image, for the message.
            same_model: see `scaled`.

        Raises:
            InputError: the camera is of a picture of another shape.
        """
        shown = stored.turned(1 if "t" in _UPRIGHT.get(orientation, "") else 0)
        if stored.has_shape_of(self.size):
            return self.scaled(stored, same_model=same_model).turned(orientation)
        if shown.has_shape_of(self.size):
            return self.scaled(shown, same_model=same_model)
        raise InputError(
            f"{what} is stored as {stored.width}x{stored.height} pixels, but its camera is for an image of "
            f"{self.size.width}x{self.size.height}, which has another aspect ratio; give this image its own camera "
            "(--cameras-file), rotated and cropped as it is, or leave it out"
        )

    @cached_property
    def _named(self) -> dict[str, float]:
        return dict(zip(LENS_MODELS[self.model], self.params, strict=True))

    @cached_property
    def _distortion(self) -> Distortion:
        if self.model in _HELD:
            raise InputError(
                f"COLMAP's camera model {self.model} is not supported here; undistort the images and the model "
                "first (colmap image_undistorter)"
            )
        known = self._named
        split = 3 if self.model == "FULL_OPENCV" else 6
        radial = [known.get(f"k{number}", 0.0) for number in range(1, 7)]
        numerator, denominator = tuple(radial[:split]), tuple(radial[split:])
        tangential = known.get("p1", 0.0), known.get("p2", 0.0)
        return Distortion(numerator, denominator, tangential, self.model.endswith("FISHEYE"))


def _with_two_focal_lengths(model: str) -> str:
    """The smallest model that has fx and fy, and the distortion of this one."""
    if model in ("SIMPLE_PINHOLE", "SIMPLE_DIVISION", "SIMPLE_FISHEYE"):
        return model.removeprefix("SIMPLE_")
    return "OPENCV_FISHEYE" if model.endswith("FISHEYE") else "OPENCV"


def _rows(values: ArrayLike, columns: int, name: str) -> NDArray[np.float64]:
    array = numbers_of(values, name)
    if array.ndim != 2 or array.shape[1] != columns:
        raise InputError(f"{name} must have shape (N, {columns}), not {array.shape}")
    return array
