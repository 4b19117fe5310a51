"""An image as it would look from the side or from afar: compressed in one direction, reduced, or under an affine map.

Detectors and descriptors tolerate little of the compression of a surface that is seen from the side. If the image that
shows it from the front is compressed alike, less remains. Source: Morel and Yu, ASIFT: A new framework for fully affine
invariant image comparison, 2009.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.processing.images import MIN_SIDE
from cyano.processing.resampling import averaged

__all__ = ["View", "affine_view", "compression"]

_MARGIN = 4
"""No keypoints so near to the border of the picture within a view, in pixels of the view."""

_FINER = 2
"""Areas are averaged to so many samples a pixel of the view, whose interpolation is then the mean of the pixel."""

_Points = TypeVar("_Points")


class View(NamedTuple):
    """An image under an affine map.

    Attributes:
        grey: (h, w) float32 in [0, 1], no smaller than images may be; beyond the image its border is repeated.
        keep: (h, w) bool, where the view shows the image, and keypoints are wanted.
        matrix: (2, 3) that maps pixels of the image to pixels of the view, centres to centres.
    """

    grey: NDArray[np.float32]
    keep: NDArray[np.bool_]
    matrix: NDArray[np.float64]

    def to_image(self, points: _Points) -> _Points:
        """(N, 2) points of the view, numpy or torch, in pixels of the image."""
        (a, b, x), (c, d, y) = cv2.invertAffineTransform(self.matrix).tolist()
        found = points.clone() if hasattr(points, "clone") else points.copy()  # type: ignore[attr-defined]
        found[:, 0] = a * points[:, 0] + b * points[:, 1] + x  # type: ignore[index]
        found[:, 1] = c * points[:, 0] + d * points[:, 1] + y  # type: ignore[index]
        return found  # type: ignore[no-any-return]


def compression(tilt: float, angle: float) -> NDArray[np.float64]:
    """(2, 2): divides what lies along a direction by `tilt`, and leaves what lies across it.

    Args:
        tilt: 1 changes nothing; a surface that is seen by an angle off its normal has 1 / cos of that angle.
        angle: of the direction, in radians from the x to the y axis.
    """
    along = np.array([np.cos(angle), np.sin(angle)])
    return np.asarray(np.eye(2) + (1 / tilt - 1) * np.outer(along, along), dtype=np.float64)


def affine_view(
    grey: NDArray[np.float32], linear: NDArray[np.floating], longest: int, keep: NDArray[np.bool_] | None = None
) -> View:
    """The whole of an image under a linear map, each pixel about the mean of its area.

    Args:
        grey: (H, W) in [0, 1].
        linear: (2, 2) of positive determinant: what becomes of the way from one pixel to another.
        longest: of the view's sides, in pixels; larger views are reduced to it.
        keep: (H, W), where keypoints are wanted; None for everywhere.
    """
    _, size = _framed(linear, grey.shape)
    linear = linear * min(1.0, longest / max(size))
    whole, size = _framed(linear, grey.shape)
    pixels, done = _without_aliases(grey, linear)
    matrix = _of_centres(whole)
    shown = np.ones(grey.shape, np.uint8) if keep is None else keep.astype(np.uint8)
    inside = cv2.warpAffine(shown, matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    side = 2 * _MARGIN + 1
    inside = cv2.erode(inside, np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return View(_warped(pixels, whole @ np.linalg.inv(done), size), inside > 0, matrix)


def _framed(linear: NDArray[np.floating], shape: tuple[int, ...]) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """The (3, 3) map that also moves an image so that all of it is in view, and the (width, height) of that.

    Maps are of places whose origin is the image's corner here, not the centre of its first pixel.
    """
    height, width = shape
    corners = linear @ np.array([[0, width, width, 0], [0, 0, height, height]])
    low, high = corners.min(axis=1), corners.max(axis=1)
    across, down = np.maximum(np.ceil(high - low - 1e-6), MIN_SIDE).astype(int).tolist()
    whole = np.eye(3)
    whole[:2, :2], whole[:2, 2] = linear, -low
    return whole, (across, down)


def _without_aliases(
    grey: NDArray[np.float32], linear: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The image reduced by areas nearly as far as a linear map reduces it, and the (3, 3) map of that."""
    _, singular, rows = np.linalg.svd(linear)
    most, least = np.minimum(_FINER * singular, 1.0)
    pixels, done = grey, np.eye(3)
    if most < 1:
        pixels, done = _averaged(pixels, done, most, most)
    if (ratio := least / most) < 1:
        x, y = rows[1] if rows[1][0] > 0 else -rows[1]  # the direction that is reduced most
        turn, size = _framed(np.array([[x, y], [-y, x]]), pixels.shape)
        pixels, done = _averaged(_warped(pixels, turn, size), turn @ done, ratio, 1.0)
    return pixels, done


def _averaged(
    pixels: NDArray[np.float32], done: NDArray[np.float64], across: float, down: float
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """An image reduced by areas, and what has been done with it, by the rounded size."""
    height, width = pixels.shape
    rows, columns = max(1, round(height * down)), max(1, round(width * across))
    return averaged(pixels, rows, columns), np.diag([columns / width, rows / height, 1.0]) @ done


def _warped(pixels: NDArray[np.float32], whole: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    if pixels.shape == size[::-1] and np.allclose(whole, np.eye(3), atol=1e-9):
        return pixels
    how, border = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(pixels, _of_centres(whole), size, flags=how, borderMode=border), np.float32)


def _of_centres(whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 3) map of pixel centres for a (3, 3) map of places."""
    half = np.eye(3)
    half[:2, 2] = 0.5
    return np.asarray((np.linalg.inv(half) @ whole @ half)[:2], dtype=np.float64)
