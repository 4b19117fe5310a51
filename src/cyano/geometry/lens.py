"""A camera with the distortion of its lens, as structure from motion finds it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cyano.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cyano.geometry.camera import Camera
    from cyano.types import ImageSize, ResizeMap

__all__ = ["Lens"]


@dataclass(frozen=True)
class Lens:
    """A pinhole camera behind a lens with radial and tangential distortion.

    With (x, y) = (X / Z, Y / Z) and r^2 = x^2 + y^2, pixels are those of the pinhole camera at
    (x, y) (1 + k1 r^2 + k2 r^4) + (2 p1 x y + p2 (r^2 + 2 x^2), 2 p2 x y + p1 (r^2 + 2 y^2)): COLMAP's models
    SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL and OPENCV.

    Attributes:
        camera: the intrinsics, with the size of the image.
        radial: k1, k2.
        tangential: p1, p2.
    """

    camera: Camera
    radial: tuple[float, float] = (0.0, 0.0)
    tangential: tuple[float, float] = (0.0, 0.0)

    @property
    def size(self) -> ImageSize:
        """Of the image."""
        if self.camera.size is None:
            raise InputError("the camera of a lens knows the size of its images")
        return self.camera.size

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels of points in front of the camera.

        Args:
            points: (N, 3) in the camera's frame.

        Returns:
            (N, 2) pixels, perhaps outside of the image; NaN behind the camera, and so far outside that the polynomial
            folds back, where it says nothing.
        """
        k1, k2 = self.radial
        p1, p2 = self.tangential
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            x, y = np.moveaxis(points[:, :2] / points[:, 2:], 1, 0)
            square = x * x + y * y
            stretch = 1 + square * (k1 + square * k2)
            along_x = x * stretch + 2 * p1 * x * y + p2 * (square + 2 * x * x)
            along_y = y * stretch + 2 * p2 * x * y + p1 * (square + 2 * y * y)
            mapped = np.stack([along_x, along_y], axis=1)
        pixels = mapped * (self.camera.fx, self.camera.fy) + (self.camera.cx, self.camera.cy)
        pixels[~((points[:, 2] > 0) & (square < self._fold()))] = np.nan
        return pixels

    def scaled(self, frame: ResizeMap) -> Lens:
        """The lens of the resized image; images are not turned here."""
        return replace(self, camera=self.camera.scaled(frame))

    def _fold(self) -> float:
        """r^2 up to which r (1 + k1 r^2 + k2 r^4) grows."""
        k1, k2 = self.radial
        roots = np.roots([5 * k2, 3 * k1, 1.0])
        positive = roots.real[(np.abs(roots.imag) < 1e-12) & (roots.real > 0)]
        return float(positive.min(initial=np.inf))
