"""Two views of one photograph under random homographies (SuperPoint, section 5.1; SuperGlue, section 5.1)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.geometry.transforms import warp_points
from cyano.types import ImageSize

__all__ = ["View", "WarpRange", "random_view", "warp_view"]


_DISTANCE = 2.0
"""Of a camera from what it looks at, in sides of its view: a field of view of 28 degrees."""

_FARTHEST = 5.0
"""Depth of a view's farthest corner against its centre: short of the horizon."""


@dataclass(frozen=True)
class WarpRange:
    """How far a view may lie from the photograph.

    Attributes:
        scale: (least, most) photograph pixels per view pixel, where the photograph is large enough.
        rotation: degrees to either side.
        any_rotation: share of the views that turn by any angle instead.
        perspective: largest move of a corner of the view, as a share of its side.
        stretch: largest ratio of the scales along two axes, as a logarithm.
        shift: distance of the view's centre from the common one, as a share of the view's side.
        tilt: largest angle between the line of sight and the photograph's normal, in degrees; the area stays.
        reach: largest side of what a view shows, as a multiple of the photograph's.
    """

    scale: tuple[float, float] = (0.7, 1.8)
    rotation: float = 25.0
    any_rotation: float = 0.1
    perspective: float = 0.18
    stretch: float = 0.25
    shift: float = 0.15
    tilt: float = 0.0
    reach: float = 1.1


@dataclass(frozen=True, eq=False)
class View:
    """A view of a photograph.

    Attributes:
        image: (H, W) float32 in [0, 1].
        valid: (H, W) bool, False beyond the photograph's edge.
        H: (3, 3) float64 maps pixels of the photograph to the view.
    """

    image: NDArray[np.float32]
    valid: NDArray[np.bool_]
    H: NDArray[np.float64]


def random_view(
    source: ImageSize,
    size: ImageSize,
    centre: NDArray[np.float64],
    rng: np.random.Generator,
    limits: WarpRange,
) -> NDArray[np.float64]:
    """A homography (3, 3) from a photograph's pixels to those of a view around a point of it.

    Args:
        source: of the photograph.
        size: of the view.
        centre: (2,) the point of the photograph that the view looks at, but for `limits.shift`.
        rng: where all randomness comes from.
        limits: how far the view may go.
    """
    # What lies beyond the photograph teaches nothing.
    fits = min(source.width / size.width, source.height / size.height)
    low, high = limits.scale
    high = max(min(high, limits.reach * fits), 0.5 * low)
    scale = np.exp(rng.uniform(np.log(min(low, high)), np.log(high)))
    turn = 180.0 if rng.random() < limits.any_rotation else limits.rotation
    angle = np.radians(rng.uniform(-turn, turn))
    stretch = np.exp(rng.uniform(-limits.stretch, limits.stretch) / 2)
    sides = np.array([size.width, size.height], dtype=np.float64)
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    moved = corners + rng.uniform(-limits.perspective, limits.perspective, (4, 2)) / 2
    moved = moved * sides * scale * (stretch, 1 / stretch)
    if limits.tilt > 0:
        moved = _tilted(moved, np.radians(rng.uniform(0, limits.tilt)), rng.uniform(0, 2 * np.pi))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = centre + rng.uniform(-limits.shift, limits.shift, 2) * sides * scale
    quad = (moved @ rotation.T + middle).astype(np.float32)
    target = ((corners + 0.5) * sides - 0.5).astype(np.float32)
    return np.asarray(cv2.getPerspectiveTransform(quad, target), dtype=np.float64)


def _tilted(corners: NDArray[np.float64], tilt: float, towards: float) -> NDArray[np.float64]:
    """What a camera at rest would see at (4, 2) points of a plane about its centre, once the plane is tilted.

    The line of sight meets the plane at the origin; along the direction `towards` the plane stretches by 1 / cos(tilt)
    there, and more beyond. The whole is made smaller by the root of that, so that its area stays about the same.
    """
    distance = _DISTANCE * float(np.ptp(corners, axis=0).max())
    axis = np.array([np.cos(towards), np.sin(towards)])
    along, across = corners @ axis, corners @ (-axis[1], axis[0])
    # The ray through a point at `along` meets the tilted plane where its depth has changed by this factor.
    depth = distance / np.maximum(distance - along * np.tan(tilt), distance / _FARTHEST)
    on_plane = np.stack([along * depth / np.cos(tilt), across * depth], axis=1) * np.sqrt(np.cos(tilt))
    return np.asarray(on_plane @ np.stack([axis, (-axis[1], axis[0])]))


def warp_view(photograph: NDArray[np.float32], H: NDArray[np.float64], size: ImageSize) -> View:
    """The view of a photograph that a homography makes; beyond its edge it is mirrored and not valid.

    A view that is smaller than what it shows is made from a reduced photograph, since sampling every other pixel
    would invent structure.
    """
    height, width = photograph.shape
    grid = np.array([[0.0, 0.0], [size.width, 0.0], [size.width, size.height], [0.0, size.height]])
    quad = warp_points(np.linalg.inv(H), grid)
    area = 0.5 * abs(float(np.sum(quad[:, 0] * np.roll(quad[:, 1], -1) - quad[:, 1] * np.roll(quad[:, 0], -1))))
    ratio = np.sqrt(area / (size.width * size.height))
    small, to_small = photograph, np.eye(3)
    if ratio > 1.2:
        reduced = max(8, round(width / ratio)), max(8, round(height / ratio))
        small = cv2.resize(photograph, reduced, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)
        sx, sy = reduced[0] / width, reduced[1] / height
        to_small = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1.0]])
    shape = (size.width, size.height)
    image = cv2.warpPerspective(
        small, H @ np.linalg.inv(to_small), shape, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    whole = np.ones((height, width), dtype=np.uint8)
    valid = cv2.warpPerspective(whole, H, shape, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return View(np.asarray(image, dtype=np.float32), valid.astype(bool), H)
