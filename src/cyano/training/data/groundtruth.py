"""True matches between detected keypoints, what is surely unmatched, and what nobody can tell.

SuperGlue, section 5 and supplementary material.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cyano.geometry.truth import PairTruth, Projection, Visibility
from cyano.models.assignment_loss import IGNORE, UNMATCHED

__all__ = ["match_labels"]

_Labels = NDArray[np.int64]


def match_labels(
    keypoints0: NDArray[np.floating],
    keypoints1: NDArray[np.floating],
    truth: PairTruth,
    *,
    positive_px: float = 3.0,
    negative_px: float = 5.0,
) -> tuple[_Labels, _Labels]:
    """Label the keypoints of a pair.

    Two keypoints match when each is the other's nearest after projection and both distances are at most
    `positive_px`. A keypoint is unmatched when the other image does not show its place, or shows it with no keypoint
    within `negative_px` either way. All others are ignored.

    Args:
        keypoints0: (M, 2) pixels of image 0.
        keypoints1: (N, 2) pixels of image 1.
        truth: where points truly lie.
        positive_px: see above, pixels.
        negative_px: likewise.

    Returns:
        matches0 (M,) int64: index in image 1, `UNMATCHED` or `IGNORE`; matches1 (N,) likewise.
    """
    there, back = truth.to_image1(keypoints0), truth.to_image0(keypoints1)
    matches0 = np.full(len(keypoints0), IGNORE, dtype=np.int64)
    matches1 = np.full(len(keypoints1), IGNORE, dtype=np.int64)
    # The larger of the two reprojection errors, so that scale changes are judged in the finer image.
    in1, in0 = _distances(there, keypoints1), _distances(back, keypoints0).T
    distance, lenient = np.maximum(in1, in0), np.fmin(in1, in0)
    for labels, axis, projection in ((matches0, 1, there), (matches1, 0, back)):
        nearest = lenient.min(axis=axis, initial=np.inf)
        labels[(projection.visibility == Visibility.VISIBLE) & (nearest > negative_px)] = UNMATCHED
        labels[projection.visibility == Visibility.HIDDEN] = UNMATCHED
    if distance.size:
        partner0, partner1 = distance.argmin(axis=1), distance.argmin(axis=0)
        own = np.arange(len(keypoints0))
        good = (partner1[partner0] == own) & (distance[own, partner0] <= positive_px)
        matches0[good] = partner0[good]
        matches1[partner0[good]] = own[good]
    return matches0, matches1


def _distances(projected: Projection, keypoints: NDArray[np.floating]) -> NDArray[np.float64]:
    """(M, N) distances of projected points from keypoints; infinite where a point is not visible."""
    visible = projected.visibility == Visibility.VISIBLE
    points = np.where(visible[:, None], projected.points, 0)
    difference = points[:, None, :] - np.asarray(keypoints, dtype=np.float64)[None, :, :]
    return np.where(visible[:, None], np.hypot(difference[..., 0], difference[..., 1]), np.inf)
