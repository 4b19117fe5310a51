"""Matches and keypoints under a truth that knows where every point lies in the other image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.evaluation.methods.prediction import PairPrediction
from cyano.geometry.truth import PairTruth, Visibility

__all__ = ["CLOSE_PX", "DenseJudgement", "judge_dense"]

CLOSE_PX = 3.0
"""Distance in pixels of the resized images up to which two keypoints show the same point."""

_ROWS = 1024
"""Rows of a distance matrix made at a time: 2048 columns of them take 17 MB."""


class DenseJudgement(NamedTuple):
    """What such a truth tells.

    Attributes:
        residuals: (K,) float64 distance of each match from where image 0's keypoint truly lies in image 1, in pixels of
            the resized image; infinite where image 1 does not show it, NaN where nothing is known.
        repeatability: share of the keypoints of both images, among those that the other image shows, with a keypoint
            of the other image within `CLOSE_PX` of their true place; NaN if the images show nothing in common.
        recall: correct matches (within `CLOSE_PX`) as a share of the keypoints of image 0 that have such a partner;
            NaN if none has.
    """

    residuals: NDArray[np.float64]
    repeatability: float
    recall: float


def judge_dense(prediction: PairPrediction, truth: PairTruth) -> DenseJudgement:
    """Judge the matches and the keypoints of one pair; the truth is about the original images."""
    frame0, frame1 = prediction.frame0, prediction.frame1
    keypoints0, keypoints1 = prediction.keypoints0.astype(np.float64), prediction.keypoints1.astype(np.float64)
    there, back = truth.to_image1(keypoints0), truth.to_image0(keypoints1)
    true1, true0 = frame1.to_network(there.points), frame0.to_network(back.points)
    resized0, resized1 = frame0.to_network(keypoints0), frame1.to_network(keypoints1)
    first, second = prediction.matches[:, 0], prediction.matches[:, 1]
    residuals = np.linalg.norm(true1[first] - resized1[second], axis=1)
    residuals[there.visibility[first] == Visibility.HIDDEN] = np.inf
    residuals[there.visibility[first] == Visibility.UNKNOWN] = np.nan
    repeated0 = _nearest(true1[there.visibility == Visibility.VISIBLE], resized1) <= CLOSE_PX
    repeated1 = _nearest(true0[back.visibility == Visibility.VISIBLE], resized0) <= CLOSE_PX
    shown, matchable = len(repeated0) + len(repeated1), int(repeated0.sum())
    return DenseJudgement(
        residuals,
        float(repeated0.sum() + repeated1.sum()) / shown if shown else float("nan"),
        float((residuals <= CLOSE_PX).sum()) / matchable if matchable else float("nan"),
    )


def _nearest(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) distance of each of (N, 2) points to the nearest of (M, 2) others; infinite if there are none."""
    if not len(others):
        return np.full(len(points), np.inf)
    nearest = np.empty(len(points))
    for start in range(0, len(points), _ROWS):
        chunk = points[start : start + _ROWS]
        squared = (chunk[:, None, 0] - others[:, 0]) ** 2 + (chunk[:, None, 1] - others[:, 1]) ** 2
        nearest[start : start + _ROWS] = np.sqrt(squared.min(axis=1))
    return nearest
