"""How image 1 lies over image 0 around each match: `cyano.processing.local_maps` in numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cyano.processing.alignment_rules import FEWEST, INLIER_PX, NEIGHBOURS, RIDGE

__all__ = ["local_maps"]

Floats = NDArray[np.float32]


def local_maps(points0: Floats, points1: Floats, scores: Floats) -> Floats:
    """The linear part of the affine map that fits each match's neighbours best, weighted by score and nearness.

    Args:
        points0: (K, 2) float32 (x, y) in pixels of image 0.
        points1: (K, 2) their partners in image 1.
        scores: (K,) probability of each match.

    Returns:
        (K, 2, 2) float32: steps in image 0 to steps in image 1; the identity where there are too few neighbours.
    """
    total = len(points0)
    identity = np.broadcast_to(np.eye(2, dtype=np.float32), (total, 2, 2))
    count = min(NEIGHBOURS, total - 1)
    if count < FEWEST:
        return identity.copy()
    distances = np.hypot(*(np.subtract.outer(axis, axis) for axis in points0.T))
    np.fill_diagonal(distances, np.inf)
    who = np.argpartition(distances, count - 1, axis=1)[:, :count]
    near = np.take_along_axis(distances, who, axis=1)
    radius = np.maximum(near.max(axis=1, keepdims=True), 1e-3)
    steps = (points0[who] - points0[:, None]) / radius[..., None]
    # What the identity leaves over, so that the ridge pulls towards it.
    rest = (points1[who] - points1[:, None]) / radius[..., None] - steps
    design = np.concatenate([np.ones_like(near)[..., None], steps], axis=2)
    weights = np.maximum(scores[who], 1e-3) * np.exp(-2 * (near / radius) ** 2)
    fit = _weighted_fit(design, rest, weights)
    error = np.linalg.norm(rest - design @ fit, axis=2) * radius / INLIER_PX
    fit = _weighted_fit(design, rest, weights / (1 + error**2) ** 2)
    maps: Floats = identity + fit[:, 1:].swapaxes(1, 2)
    return maps


def _weighted_fit(design: Floats, values: Floats, weights: Floats) -> Floats:
    """(K, 3, 2) least squares of K systems of N rows, the slopes pulled towards 0."""
    weighted = (design * weights[..., None]).swapaxes(1, 2)
    shares = np.array([1e-3, 1.0, 1.0], dtype=np.float32)
    pull = RIDGE * weights.sum(axis=1, keepdims=True) * shares
    solved: Floats = np.linalg.solve(
        weighted @ design + pull[..., None] * np.eye(3, dtype=np.float32), weighted @ values
    )
    return solved
