"""A pinhole camera without distortion; pixel (0, 0) is the centre of the top-left one, as everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cyano.errors import InputError
from cyano.geometry.checks import finite_array, points_2d
from cyano.types import ImageSize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cyano.types import ResizeMap

__all__ = ["Camera", "checked_camera"]

_FILM_LONG_SIDE_MM = 36.0


@dataclass(frozen=True)
class Camera:
    """Intrinsics of a pinhole camera: `x = fx X / Z + cx`, `y = fy Y / Z + cy`.

    The camera looks along +z, x points right and y down. Lens distortion is not modelled: undistort the
    image, or the points, first.

    Attributes:
        fx: focal length along x in pixels.
        fy: focal length along y in pixels.
        cx: principal point along x in pixels.
        cy: principal point along y in pixels.
        size: size of the image, where known.

    Raises:
        InputError: a focal length that is not positive, or a value that is not finite.

    Example:
        >>> camera = cyano.Camera(fx=860.0, fy=860.0, cx=319.5, cy=239.5, size=ImageSize(480, 640))
        >>> camera.normalise([[319.5, 239.5]]).tolist()  # the ray of the principal point is the axis
        [[0.0, 0.0]]
        >>> camera.fitted(ImageSize(240, 320)).fx  # of the picture at half the size
        430.0
        >>> camera.scaled(cyano.ResizeMap(ImageSize(480, 640), ImageSize(960, 1280))).fx
        1720.0
    """

    fx: float
    fy: float
    cx: float
    cy: float
    size: ImageSize | None = None

    def __post_init__(self) -> None:
        for name in ("fx", "fy", "cx", "cy"):
            # The dataclass is frozen: this is the one place where its values are set.
            object.__setattr__(self, name, _number(getattr(self, name), f"{name} of a camera"))
        if self.size is not None and not isinstance(self.size, ImageSize):
            raise InputError(f"the size of a camera is an ImageSize(height, width), not {self.size!r}")
        if not all(math.isfinite(value) for value in (self.fx, self.fy, self.cx, self.cy)):
            raise InputError(f"camera parameters must be finite numbers, not {self}")
        if self.fx <= 0 or self.fy <= 0:
            raise InputError(f"focal lengths must be positive, in pixels, not {self.fx} and {self.fy}")

    @classmethod
    def from_matrix(cls, K: ArrayLike, size: ImageSize | None = None) -> Camera:
        """A camera from its (3, 3) matrix `[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]`.

        A matrix in COLMAP's pixels, whose top-left pixel has its centre at (0.5, 0.5), needs 0.5 subtracted
        from cx and cy first.

        Raises:
            InputError: another shape, skew, or a last row other than (0, 0, 1).

        Example:
            >>> cyano.Camera.from_matrix([[860, 0, 319.5], [0, 860, 239.5], [0, 0, 1]]).fx
            860.0
        """
        matrix = finite_array(K, (3, 3), "K")
        if matrix[0, 1] != 0 or matrix[1, 0] != 0 or not np.array_equal(matrix[2], (0, 0, 1)):
            raise InputError(f"K must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] without skew, not {matrix.tolist()}")
        fx, fy, cx, cy = (float(matrix[place]) for place in ((0, 0), (1, 1), (0, 2), (1, 2)))
        return cls(fx, fy, cx, cy, size)

    @classmethod
    def from_focal_35mm(cls, focal_35mm_mm: float, size: ImageSize) -> Camera:
        """A camera from the EXIF tag FocalLengthIn35mmFilm.

        The 36x24 mm film is laid on the image with its long side on the image's long side: f = focal / 36 mm
        * longest side. (The standard compares diagonals; the two agree for 3:2 images and differ by 4 % at
        4:3.) The principal point is the centre of the image.

        Args:
            focal_35mm_mm: the tag's value in millimetres.
            size: size of the image that the points are measured in.

        Example:
            >>> cyano.Camera.from_focal_35mm(36.0, ImageSize(480, 640)).fx
            640.0
        """
        focal = _number(focal_35mm_mm, "a focal length") / _FILM_LONG_SIDE_MM * size.longest
        return cls._centred(focal, size)

    @classmethod
    def from_field_of_view(cls, degrees: float, size: ImageSize) -> Camera:
        """A camera from the angle that the image's longest side covers, edge to edge; centred, square pixels.

        Raises:
            InputError: an angle that is not between 0 and 180 degrees.

        Example:
            >>> round(cyano.Camera.from_field_of_view(90.0, ImageSize(480, 640)).fx, 3)
            320.0
        """
        if not 0 < _number(degrees, "a field of view") < 180:
            raise InputError(f"the field of view must lie between 0 and 180 degrees, not {degrees}")
        focal = size.longest / 2 / math.tan(math.radians(degrees) / 2)
        return cls._centred(focal, size)

    @classmethod
    def _centred(cls, focal: float, size: ImageSize) -> Camera:
        return cls(focal, focal, (size.width - 1) / 2, (size.height - 1) / 2, size)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """K, (3, 3) float64."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def mean_focal(self) -> float:
        """The mean of fx and fy, in pixels."""
        return (self.fx + self.fy) / 2

    def scaled(self, frame: ResizeMap) -> Camera:
        """The camera of the turned and resized image that `frame` makes of this camera's image.

        Where the map turns the picture, the camera's axes turn with it; `quarter_turn_motion` is that motion.
        """
        own = self.fitted(frame.original)
        fx, fy = (own.fy, own.fx) if frame.quarter_turns % 2 else (own.fx, own.fy)
        sx, sy = frame.scale
        cx, cy = frame.to_network(np.array([own.cx, own.cy]))
        return Camera(fx * sx, fy * sy, float(cx), float(cy), frame.network)

    def fitted(self, size: ImageSize, what: str = "the image") -> Camera:
        """The camera of an image of this size: the same, or scaled if the image is larger or smaller than its own.

        Args:
            size: of the image as displayed.
            what: the image, for the message.

        Raises:
            InputError: the camera is of an image of another shape.
        """
        if self.size is None or self.size == size:
            return self
        if not size.has_shape_of(self.size):
            raise InputError(
                f"{what} is {size.width}x{size.height} pixels, but its camera is for an image of "
                f"{self.size.width}x{self.size.height}, which has another aspect ratio; give the camera of this "
                "image, rotated and cropped as it is"
            )
        sx, sy = size.width / self.size.width, size.height / self.size.height
        cx, cy = (self.cx + 0.5) * sx - 0.5, (self.cy + 0.5) * sy - 0.5
        return Camera(self.fx * sx, self.fy * sy, cx, cy, size)

    def normalise(self, points: ArrayLike) -> NDArray[np.float64]:
        """(N, 2) pixels -> (N, 2) float64 positions (X / Z, Y / Z) in the camera's frame."""
        return (points_2d(points) - (self.cx, self.cy)) / (self.fx, self.fy)


def checked_camera(camera: object) -> Camera:
    """The camera, if it is one.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(camera, Camera):
        raise InputError(
            f"a camera is a cyano.geometry.Camera, such as Camera.from_matrix(K), not {type(camera).__name__}"
        )
    return camera


def _number(value: object, name: str) -> float:
    """A float of a number, numpy's and a tensor of one number among them."""
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise InputError(f"{name} must be a number, not {value!r:.100}") from error
