"""Where a point of one image truly lies in the other: by a homography, or by depth and pose.

The ground truth that training labels and match precision are made from.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from cyano.concise import Concise
from cyano.geometry.checks import points_2d
from cyano.geometry.transforms import from_homogeneous, invert_rigid, to_homogeneous, warp_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cyano.geometry.camera import Camera
    from cyano.types import ImageSize

__all__ = ["DepthTruth", "HomographyTruth", "PairTruth", "Projection", "Visibility"]

AGREES = 0.02
"""Relative difference of depths up to which a point counts as seen by both cameras."""

HIDDEN_BEYOND = 0.08
"""Relative depth by which something must lie in front of a point to count as hiding it; between the two nothing
is claimed."""


class Visibility(enum.IntEnum):
    """What the other image shows of a point."""

    VISIBLE = 0
    HIDDEN = 1
    """Outside the image, behind its camera, or behind another surface."""
    UNKNOWN = 2
    """The depth is missing or too close to call."""


class Projection(NamedTuple):
    """N points of one image in the other.

    Attributes:
        points: (N, 2) float64 pixels of the other image, perhaps outside of it; NaN where they are unknown or
            behind its camera.
        visibility: (N,) int64 values of `Visibility`.
    """

    points: NDArray[np.float64]
    visibility: NDArray[np.int64]


class PairTruth(Protocol):
    """The true correspondence between two images, both ways."""

    def to_image1(self, points0: NDArray[np.floating]) -> Projection:
        """(N, 2) pixels of image 0 in image 1."""
        ...

    def to_image0(self, points1: NDArray[np.floating]) -> Projection:
        """(N, 2) pixels of image 1 in image 0."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class HomographyTruth(Concise):
    """Two views of one plane.

    Attributes:
        H: (3, 3) maps pixels of image 0 to image 1, at any scale and sign; not singular. The centre of image 0
            shows the plane.
        size0: of image 0.
        size1: of image 1.
    """

    H: NDArray[np.float64]
    size0: ImageSize
    size1: ImageSize

    def to_image1(self, points0: NDArray[np.floating]) -> Projection:
        """(N, 2) pixels of image 0 in image 1."""
        return _by_homography(self._signed(), points0, self.size1)

    def to_image0(self, points1: NDArray[np.floating]) -> Projection:
        """(N, 2) pixels of image 1 in image 0."""
        return _by_homography(np.linalg.inv(self._signed()).astype(np.float64), points1, self.size0)

    def _signed(self) -> NDArray[np.float64]:
        """H with the sign that gives a positive scale to what both cameras have in front of them.

        The matrix and its negative are one homography, but only one of them has the depths' signs. That image 0
        looks at the plane with its centre settles it, for mirrored images too.
        """
        scale = self.H[2] @ ((self.size0.width - 1) / 2, (self.size0.height - 1) / 2, 1.0)
        return self.H if scale > 0 else -self.H


@dataclass(frozen=True, eq=False, repr=False)
class DepthTruth(Concise):
    """Two views of a rigid scene, with the depth of every pixel.

    Attributes:
        depth0: (H, W) distance along the optical axis; 0 where unknown.
        depth1: likewise for image 1.
        camera0: intrinsics of image 0.
        camera1: intrinsics of image 1.
        T_0to1: (4, 4) motion from camera 0 to camera 1, in the unit of the depths.
        agrees: largest relative difference of depths at which a point counts as seen by both.
    """

    depth0: NDArray[np.floating]
    depth1: NDArray[np.floating]
    camera0: Camera
    camera1: Camera
    T_0to1: NDArray[np.float64]
    agrees: float = AGREES

    def to_image1(self, points0: NDArray[np.floating]) -> Projection:
        """(N, 2) pixels of image 0 in image 1."""
        return _by_depth(points0, (self.depth0, self.camera0), (self.depth1, self.camera1), self.T_0to1, self.agrees)

    def to_image0(self, points1: NDArray[np.floating]) -> Projection:
        """(N, 2) pixels of image 1 in image 0."""
        back = invert_rigid(self.T_0to1)
        return _by_depth(points1, (self.depth1, self.camera1), (self.depth0, self.camera0), back, self.agrees)


def _by_homography(H: NDArray[np.float64], points: NDArray[np.floating], size: ImageSize) -> Projection:
    mapped = warp_points(H, points_2d(points))
    # Beyond the horizon the homogeneous scale changes its sign: such a point is in no image.
    ahead = to_homogeneous(points) @ H[2] > 0
    mapped[~ahead] = np.nan
    seen = inside(mapped, size.height, size.width)
    return Projection(mapped, np.where(seen, Visibility.VISIBLE, Visibility.HIDDEN).astype(np.int64))


def inside(points: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """Which of (N, 2) points lie on the pixels of an image, edges of pixels included; NaN does not."""
    return (points > -0.5).all(axis=-1) & (points[..., 0] < width - 0.5) & (points[..., 1] < height - 0.5)


_View = tuple["NDArray[np.floating]", "Camera"]


def _by_depth(
    points: NDArray[np.floating], source: _View, target: _View, T: NDArray[np.float64], agrees: float
) -> Projection:
    depth_map, camera = source
    target_map, target_camera = target
    depth, certain = depth_at(depth_map, points_2d(points))
    rays = to_homogeneous(camera.normalise(points))
    there = (rays * depth[:, None]) @ T[:3, :3].T + T[:3, 3]
    ahead = there[:, 2] > 0
    mapped = from_homogeneous(there) * (target_camera.fx, target_camera.fy) + (target_camera.cx, target_camera.cy)
    mapped[~(ahead & certain)] = np.nan
    height, width = target_map.shape
    within = inside(mapped, height, width)
    # Here a nearest depth will do: it only has to tell surfaces apart, and does not move the point.
    seen, _ = depth_at(target_map, np.where(within[:, None], mapped, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        ahead_of_surface = there[:, 2] / seen - 1  # positive: something stands before the point
    visibility = np.full(len(mapped), Visibility.UNKNOWN, dtype=np.int64)
    visibility[within & (seen > 0) & (np.abs(ahead_of_surface) <= agrees)] = Visibility.VISIBLE
    visibility[within & (seen > 0) & (ahead_of_surface > HIDDEN_BEYOND)] = Visibility.HIDDEN
    visibility[certain & ~within] = Visibility.HIDDEN
    visibility[~certain] = Visibility.UNKNOWN
    mapped[visibility == Visibility.UNKNOWN] = np.nan
    return Projection(mapped, visibility)


def depth_at(depth: NDArray[np.floating], points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Depth at (N, 2) points, and whether the four pixels around each are on one surface.

    Inverse depth is interpolated bilinearly, which is exact on planes. Across an edge (a fifth of the depth) or
    a hole nothing is certain, and the nearest pixel answers.
    """
    height, width = depth.shape
    x = np.clip(points[:, 0], 0, width - 1)
    y = np.clip(points[:, 1], 0, height - 1)
    left = np.minimum(np.floor(x).astype(np.int64), max(width - 2, 0))
    top = np.minimum(np.floor(y).astype(np.int64), max(height - 2, 0))
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    corners = np.stack([depth[top, left], depth[top, right], depth[bottom, left], depth[bottom, right]]).astype(
        np.float64
    )
    known = (corners > 0).all(axis=0)
    certain = known & (corners.max(axis=0) < 1.2 * corners.min(axis=0))
    fx, fy = x - left, y - top
    weights = np.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy])
    inverse = (weights / np.where(corners > 0, corners, 1)).sum(axis=0)
    nearest = depth[np.rint(y).astype(np.int64), np.rint(x).astype(np.int64)].astype(np.float64)
    return np.where(certain, 1 / np.where(known, inverse, 1), nearest), certain
