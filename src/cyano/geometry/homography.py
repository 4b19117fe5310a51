"""Homographies `x1 ~ H x0`: the least-squares fit and the errors that evaluations report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cyano.errors import InputError
from cyano.geometry.checks import finite_array, matched_points, numbers_of
from cyano.geometry.transforms import to_homogeneous, warp_points

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cyano.types import ImageSize

__all__ = [
    "corner_error",
    "homography_dlt",
    "image_corners",
    "invert_homography",
    "scale_homography",
    "symmetric_transfer_error",
]

# Rank decisions in float64 on Hartley-normalised points, whose equations have entries of order one.
_RANK_TOLERANCE = 1e-9


def homography_dlt(points0: ArrayLike, points1: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """The homography that fits all matches in the least-squares sense of the normalised DLT.

    Not robust: one wrong match spoils it. `estimate_homography` is the robust one. Source: Hartley and
    Zisserman, Multiple View Geometry, 2nd edition, algorithm 4.2.

    Args:
        points0: (K, 2) pixels of image 0.
        points1: (K, 2) pixels of image 1.
        weights: (K,) of the matches' squared errors, from 0 up; None is 1 for all.

    Returns:
        (3, 3) float64 H with H[2, 2] = 1 (unit norm if H[2, 2] vanishes); filled with NaN if the matches do
        not determine a homography: fewer than four, or too many of them on one line.

    Raises:
        InputError: points that are not two finite (K, 2) arrays of one length, or weights that do not fit them.

    Example:
        >>> square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
        >>> bool(np.allclose(homography_dlt(square, 2 * square), np.diag([2, 2, 1])))
        True
    """
    first, second = matched_points(points0, points1)
    undetermined = np.full((3, 3), np.nan)
    if len(first) < 4 or not (np.ptp(first, axis=0).any() and np.ptp(second, axis=0).any()):
        return undetermined
    N0, N1 = _normalisation(first), _normalisation(second)
    x0 = to_homogeneous(warp_points(N0, first))  # (K, 3)
    x1 = warp_points(N1, second)  # (K, 2)
    zeros = np.zeros_like(x0)
    roots = _weight_roots(weights, len(first))
    equations = np.concatenate(
        [
            roots * np.concatenate([x0, zeros, -x1[:, :1] * x0], axis=1),
            roots * np.concatenate([zeros, x0, -x1[:, 1:] * x0], axis=1),
            np.zeros((1, 9)),  # with four matches, the ninth row that a full set of right vectors needs
        ]
    )  # (2K + 1, 9)
    _, singular, rows = np.linalg.svd(equations, full_matrices=False)
    if singular[7] <= _RANK_TOLERANCE * singular[0]:
        return undetermined
    H = np.linalg.inv(N1) @ rows[8].reshape(3, 3) @ N0
    return scale_homography(H)


def _weight_roots(weights: ArrayLike | None, count: int) -> NDArray[np.float64]:
    """(K, 1) factors of the equations of each match."""
    if weights is None:
        return np.ones((count, 1))
    array = finite_array(weights, (count,), "weights")
    if (array < 0).any():
        raise InputError("weights of matches are numbers from 0 up")
    return np.sqrt(array)[:, None]


def scale_homography(H: ArrayLike) -> NDArray[np.float64]:
    """The same homography with H[2, 2] = 1, or of unit norm where H[2, 2] vanishes."""
    unit = np.asarray(H, dtype=np.float64) / np.linalg.norm(H)
    return unit / unit[2, 2] if abs(unit[2, 2]) > np.finfo(np.float64).eps else unit


def invert_homography(H: ArrayLike) -> NDArray[np.float64]:
    """The (3, 3) homography of the other direction.

    Raises:
        InputError: H is not a finite, invertible (3, 3) matrix.

    Example:
        >>> invert_homography(np.diag([2.0, 2.0, 1.0])).diagonal().tolist()
        [0.5, 0.5, 1.0]
    """
    matrix = finite_array(H, (3, 3), "H")
    if np.linalg.cond(matrix) > 1 / np.finfo(np.float64).eps:
        raise InputError("H has no inverse, so it is not a homography: check the matches behind it")
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def image_corners(size: ImageSize) -> NDArray[np.float64]:
    """(4, 2) centres of the corner pixels: top-left, top-right, bottom-right, bottom-left.

    Example:
        >>> image_corners(ImageSize(height=480, width=640))[2].tolist()
        [639.0, 479.0]
    """
    x, y = size.width - 1, size.height - 1
    return np.array([(0, 0), (x, 0), (x, y), (0, y)], dtype=np.float64)


def corner_error(H_estimated: ArrayLike, H_true: ArrayLike, size: ImageSize) -> float:
    """The mean distance between the corners of image 0 as the two homographies map them into image 1.

    Args:
        H_estimated: (3, 3) homography 0 -> 1; may be NaN-filled, as a failed estimate is.
        H_true: (3, 3) ground truth.
        size: size of image 0.

    Returns:
        The mean over the four corner pixels, in pixels of image 1; infinity for an estimate that is not
        finite or sends a corner to infinity.

    Example:
        >>> shift = np.array([[1, 0, 3], [0, 1, 4], [0, 0, 1]])
        >>> corner_error(shift, np.eye(3), ImageSize(480, 640))
        5.0
    """
    corners = image_corners(size)
    H = numbers_of(H_estimated, "H_estimated", (3, 3))
    truth = warp_points(finite_array(H_true, (3, 3), "H_true"), corners)
    distance = float(np.linalg.norm(warp_points(H, corners) - truth, axis=1).mean())
    return distance if np.isfinite(distance) else float("inf")


def symmetric_transfer_error(H: ArrayLike, points0: ArrayLike, points1: ArrayLike) -> NDArray[np.float64]:
    """Squared distances summed over both images: `|x1 - H x0|^2 + |x0 - H^-1 x1|^2`.

    Source: Hartley and Zisserman, Multiple View Geometry, 2nd edition, equation 4.7.

    Args:
        H: (3, 3) homography 0 -> 1.
        points0: (K, 2) pixels of image 0.
        points1: (K, 2) pixels of image 1.

    Returns:
        (K,) float64, squared pixels.

    Example:
        >>> symmetric_transfer_error(np.eye(3), [[0, 0]], [[3, 4]]).tolist()
        [50.0]
    """
    first, second = matched_points(points0, points1)
    forward = second - warp_points(H, first)
    backward = first - warp_points(invert_homography(H), second)
    return np.asarray((forward**2).sum(axis=1) + (backward**2).sum(axis=1), dtype=np.float64)


def _normalisation(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The similarity that brings (K, 2) points to centroid 0 and mean distance sqrt(2) from it."""
    centre = points.mean(axis=0)
    scale = np.sqrt(2) / np.linalg.norm(points - centre, axis=1).mean()
    return np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]])
