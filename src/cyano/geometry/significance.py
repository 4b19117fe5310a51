"""Whether the inliers of a model are more than chance gives.

Source: Moisan and Stival, A probabilistic criterion to detect rigid point matches between two images and estimate the
fundamental matrix, 2004; for homographies Moisan, Moulon and Monasse, Automatic homographic registration of a pair of
images with a contrario elimination of outliers, 2012.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cyano.geometry.estimates import Kind

__all__ = ["FALSE_ALARMS", "false_alarms"]

FALSE_ALARMS = 0.1
"""Models as good as that which chance would give, in the mean, for a model to be doubtful."""

_SAMPLE = {"homography": 4, "fundamental": 7, "essential": 5, "pose": 5}
_MODELS = {"homography": 1, "fundamental": 3, "essential": 10, "pose": 10}
"""Matches of a minimal sample, and models that it gives at most."""

_SHIFT = math.sqrt(2)
"""Distance from an epipolar line over the Sampson distance, where both images have the same scale."""


def false_alarms(
    kind: Kind, inliers: int, points0: NDArray[np.float64], points1: NDArray[np.float64], threshold_px: float
) -> float:
    """How many models with so many inliers or more are expected of matches that have nothing to do with each other.

    The points of each image are taken to be anywhere in their bounding box. Each model of a minimal sample is one that
    could have been found; the other inliers agree with it independently.

    Args:
        kind: of the model.
        inliers: how many there are.
        points0: (K, 2) pixels of all matches in image 0.
        points1: (K, 2) likewise in image 1.
        threshold_px: largest error of an inlier.

    Returns:
        A number of at least 0, infinite where that is too large for one.
    """
    count, sample = len(points0), _SAMPLE[kind]
    sides = np.maximum([np.ptp(points0, axis=0), np.ptp(points1, axis=0)], threshold_px)  # (2, 2): images, axes
    if kind == "homography":
        area = math.pi * threshold_px**2 / sides[1].prod()
    else:
        area = float((2 * _SHIFT * threshold_px * np.hypot(*sides.T) / sides.prod(axis=1)).max())
    samples = _log_choices(count, inliers) + _log_choices(inliers, sample)
    tests = math.log(_MODELS[kind] * max(count - sample, 1)) + samples
    alarms = tests + (inliers - sample) * math.log(min(area, 1.0))
    return math.exp(alarms) if alarms < 700 else math.inf


def _log_choices(count: int, chosen: int) -> float:
    """The logarithm of the binomial coefficient."""
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)
