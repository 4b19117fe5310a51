"""The similarity between two frames from points that are known in both, of which some may be wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FittedSimilarity", "Similarity", "fit_similarity", "off_line", "similarity_between"]

_TRIES = 2000
_FLAT = 1e-3
"""Of the extents of three points, the least ratio for them to tell a rotation."""

_DEVIATIONS = 2.5
"""Of the noise, within which a point agrees: Rousseeuw and Leroy, "Robust Regression and Outlier Detection", 1987."""

_TO_DEVIATION = 1.4826
"""From the median of distances to a standard deviation, as there."""

_REFITS = 10


class Similarity(NamedTuple):
    """x1 = scale R x0 + t.

    Attributes:
        scale: positive.
        R: (3, 3) rotation.
        t: (3,) translation.
    """

    scale: float
    R: NDArray[np.float64]
    t: NDArray[np.float64]

    def apply(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 3) points of frame 0 in frame 1."""
        return self.scale * points @ self.R.T + self.t

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(3, 4), scale R beside t."""
        return np.column_stack([self.scale * self.R, self.t])


class FittedSimilarity(NamedTuple):
    """A similarity, and which points agree with it.

    Attributes:
        similarity: of the points that agree, by least squares.
        inliers: (N,) bool.
        residuals: (N,) distances in frame 1.
        noise: standard deviation of a coordinate of the points that agree, in frame 1.
    """

    similarity: Similarity
    inliers: NDArray[np.bool_]
    residuals: NDArray[np.float64]
    noise: float


def similarity_between(points0: NDArray[np.float64], points1: NDArray[np.float64]) -> Similarity:
    """The similarity that moves points nearest to others, in the sense of least squares.

    In closed form: Umeyama, "Least-Squares Estimation of Transformation Parameters Between Two Point Patterns", 1991.

    Args:
        points0: (N, 3), at least three that are not in a line.
        points1: (N, 3), where they are to go.
    """
    middle0, middle1 = points0.mean(axis=0), points1.mean(axis=0)
    centred0, centred1 = points0 - middle0, points1 - middle1
    U, values, Vt = np.linalg.svd(centred1.T @ centred0)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
    R = (U * signs) @ Vt
    scale = float((values * signs).sum() / (centred0**2).sum())
    return Similarity(scale, R, middle1 - scale * R @ middle0)


def off_line(points: NDArray[np.float64]) -> tuple[float, float]:
    """Root mean squares of (N, 3) points along their longest axis and along the next one."""
    if len(points) < 2:
        return 0.0, 0.0
    extents = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / math.sqrt(len(points))
    return float(extents[0]), float(extents[1])


def fit_similarity(
    points0: NDArray[np.float64], points1: NDArray[np.float64], *, max_error: float | None = None, seed: int = 0
) -> FittedSimilarity | None:
    """The similarity that most points agree with: least median of squares over samples of three, then least squares.

    Args:
        points0: (N, 3).
        points1: (N, 3), where they are to go, of which less than half may be wrong.
        max_error: how far points that agree may be off in frame 1; None for 2.5 times the noise, which follows from the
            median of the distances.
        seed: of the samples, where there are too many to try all.

    Returns:
        None without three points that are not in a line, and agree.
    """
    best: Similarity | None = None
    least = math.inf
    for rows in _samples(len(points0), seed):
        if min(_flatness(points0[rows]), _flatness(points1[rows])) < _FLAT:
            continue
        found = similarity_between(points0[rows], points1[rows])
        middle = float(np.median(_distances(found, points0, points1)))
        if middle < least:
            best, least = found, middle
    if best is None:
        return None
    return _refitted(best, least, points0, points1, max_error)


def _refitted(
    best: Similarity, middle: float, points0: NDArray[np.float64], points1: NDArray[np.float64], max_error: float | None
) -> FittedSimilarity | None:
    count = len(points0)
    near = math.inf if max_error is None else max_error
    if max_error is None and count > 3:
        rounding = 1e-9 * float(np.abs(points1).max())
        near = _DEVIATIONS * (_TO_DEVIATION * (1 + 5 / (count - 3)) * middle + rounding)
    before = inliers = _distances(best, points0, points1) <= near
    for _ in range(_REFITS):
        if inliers.sum() < 3 or min(_flatness(points0[inliers]), _flatness(points1[inliers])) < _FLAT:
            return None
        best, before = similarity_between(points0[inliers], points1[inliers]), inliers
        inliers = _distances(best, points0, points1) <= near
        if (inliers == before).all():
            break
    residuals = _distances(best, points0, points1)
    freedom = 3 * int(before.sum()) - 7
    return FittedSimilarity(best, before, residuals, float(np.sqrt((residuals[before] ** 2).sum() / freedom)))


def _samples(count: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Three different points each time: all of them, or many at random."""
    if math.comb(count, 3) <= _TRIES:
        yield from (np.array(rows) for rows in combinations(range(count), 3))
        return
    rng = np.random.default_rng(seed)
    for _ in range(_TRIES):
        yield rng.choice(count, 3, replace=False)


def _flatness(points: NDArray[np.float64]) -> float:
    longest, next_one = off_line(points)
    return next_one / longest if longest else 0.0


def _distances(
    similarity: Similarity, points0: NDArray[np.float64], points1: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(similarity.apply(points0) - points1, axis=1))
