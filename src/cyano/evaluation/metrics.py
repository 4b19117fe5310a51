"""The numbers of SuperGlue's pose evaluation (arXiv:1911.11763, section 5).

A pose is only as good as the estimator that made it: numbers are comparable for one estimator, threshold,
image size and seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cyano.concise import Concise
from cyano.errors import InputError
from cyano.geometry import (
    Camera,
    RobustEstimate,
    essential_from_pose,
    pose_error,
    symmetric_epipolar_distance_squared,
)

__all__ = [
    "AUC_THRESHOLDS",
    "CORRECT_BELOW",
    "EvaluationSummary",
    "PairEvaluation",
    "evaluate_pair",
    "pose_auc",
    "summarise",
]

CORRECT_BELOW = 5e-4
"""Symmetric squared epipolar distance, in normalised image coordinates, below which a match counts as
correct."""

AUC_THRESHOLDS = (5.0, 10.0, 20.0)
"""Degrees up to which the published tables integrate the recall."""


@dataclass(frozen=True, eq=False, repr=False)
class PairEvaluation(Concise):
    """How one pair of images came out.

    Attributes:
        error_t: angle in degrees between the estimated and the true direction of translation, sign ignored,
            0..90; infinite without an estimate.
        error_R: angle in degrees of the rotation that is left between the estimate and the truth, 0..180;
            infinite without an estimate.
        precision: correct matches / matches, 0 without matches.
        matching_score: correct matches / keypoints of image 0, 0 without keypoints.
        num_correct: the correct matches.
        epipolar_errors: (K,) float64 symmetric squared epipolar distances of the matches in normalised
            coordinates.

    Example:
        >>> evaluation = PairEvaluation(1.0, 0.5, 0.9, 0.4, 90, np.zeros(100))
        >>> evaluation.pose_error
        1.0
    """

    error_t: float
    error_R: float  # noqa: N815 - the name in the files that evaluations write
    precision: float
    matching_score: float
    num_correct: int
    epipolar_errors: NDArray[np.float64]

    @property
    def pose_error(self) -> float:
        """The larger of the two angles, in degrees: what the AUC is about."""
        return max(self.error_t, self.error_R)


@dataclass(frozen=True)
class EvaluationSummary:
    """One row of the published tables, in percent; precision and matching score are means over the pairs.

    Attributes:
        num_pairs: how many pairs there were.
        auc_5: area under the recall curve of the pose error up to 5 degrees.
        auc_10: up to 10 degrees.
        auc_20: up to 20 degrees.
        precision: mean share of correct matches.
        matching_score: mean share of the keypoints of image 0 that are correctly matched.

    Example:
        >>> right = PairEvaluation(1.0, 0.5, 0.9, 0.4, 90, np.zeros(100))
        >>> summary = summarise([right])
        >>> summary.num_pairs, summary.precision, summary.auc_5
        (1, 90.0, 90.0)
    """

    num_pairs: int
    auc_5: float
    auc_10: float
    auc_20: float
    precision: float
    matching_score: float


def pose_auc(errors_deg: ArrayLike, thresholds: Sequence[float] = AUC_THRESHOLDS) -> tuple[float, ...]:
    """Exact areas under the recall curve of the pose error, as shares of what is possible.

    The curve runs from (0, 0) through (i-th smallest error, i / K) in straight lines; it is integrated by
    trapezoids over the errors below the threshold and stays level from the last of them up to the threshold.
    This is the definition of the published numbers: no bins, and no jump at each error.

    Args:
        errors_deg: (K,) errors of K > 0 pairs in degrees; a failed pair counts with an infinite error.
        thresholds: positive angles in degrees.

    Returns:
        One value in [0, 1] for each threshold.

    Raises:
        InputError: no errors, an error that is negative or NaN, or a threshold that is not positive and
            finite.

    Example:
        >>> pose_auc([4.0, np.inf], thresholds=[10.0])  # a triangle up to a half, then level
        (0.4,)
    """
    errors = np.sort(np.asarray(errors_deg, dtype=np.float64))
    if errors.ndim != 1 or not errors.size or not (errors >= 0).all():
        raise InputError(
            "an AUC needs the errors of at least one pair, as a list of numbers from 0 up; a failed pair "
            "has an infinite error, not NaN"
        )
    if not all(0 < threshold < np.inf for threshold in thresholds):
        raise InputError(f"AUC thresholds are positive angles in degrees, not {tuple(thresholds)}")
    curve_x = np.concatenate([[0.0], errors])
    curve_y = np.arange(len(curve_x)) / len(errors)
    return tuple(_area(curve_x, curve_y, threshold) / threshold for threshold in thresholds)


def _area(x: NDArray[np.float64], y: NDArray[np.float64], end: float) -> float:
    """The area below the points with x < end, held level from the last of them to the end."""
    inside = int(np.searchsorted(x, end))
    x, y = np.append(x[:inside], end), np.append(y[:inside], y[inside - 1])
    return float(np.diff(x) @ (y[1:] + y[:-1]) / 2)


def evaluate_pair(
    matched0: NDArray[np.floating],
    matched1: NDArray[np.floating],
    num_keypoints0: int,
    camera0: Camera,
    camera1: Camera,
    T_0to1_true: NDArray[np.floating],
    estimate: RobustEstimate,
) -> PairEvaluation:
    """Judge the matches of one pair, and the pose estimated from them, by the true pose.

    A match is correct where its symmetric squared epipolar distance is below `CORRECT_BELOW`.

    Args:
        matched0: (K, 2) matched keypoints of image 0, in the pixels of `camera0`.
        matched1: (K, 2) their partners in image 1, in the pixels of `camera1`.
        num_keypoints0: all keypoints of image 0, matched or not.
        camera0: intrinsics of image 0.
        camera1: intrinsics of image 1.
        T_0to1_true: (4, 4) true motion from camera 0 to camera 1; its translation is not zero.
        estimate: a relative pose (`cyano.geometry.estimate_relative_pose`), successful or not.

    Returns:
        The evaluation; without an estimate both angles are infinite.

    Raises:
        InputError: the arrays do not fit, there are more matches than keypoints, the estimate is not one of a
            pose, or the true translation is zero, so that there are no epipolar lines.

    Example:
        >>> from cyano.geometry import Camera, estimate_relative_pose
        >>> camera, T_0to1 = Camera(500, 500, 320, 240), np.eye(4)
        >>> T_0to1[0, 3] = -1.0  # camera 1 stands to the right
        >>> points = np.random.default_rng(0).uniform((-2, -2, 4), (2, 2, 8), (100, 3))
        >>> pixels0, pixels1 = (500 * x[:, :2] / x[:, 2:] + (320, 240) for x in (points, points + T_0to1[:3, 3]))
        >>> estimate = estimate_relative_pose(pixels0, pixels1, camera, camera)
        >>> found = evaluate_pair(pixels0, pixels1, 200, camera, camera, T_0to1, estimate)
        >>> found.num_correct, found.matching_score, found.pose_error < 0.1
        (100, 0.5, True)
    """
    if estimate.kind != "pose":
        raise InputError(
            f"the evaluation needs an estimate of the relative pose, not of a {estimate.kind}: use "
            "estimate_relative_pose"
        )
    if num_keypoints0 < len(matched0):
        raise InputError(f"{len(matched0)} matches of {num_keypoints0} keypoints: give all keypoints of image 0")
    essential = _true_essential(T_0to1_true)
    distances = symmetric_epipolar_distance_squared(essential, camera0.normalise(matched0), camera1.normalise(matched1))
    num_correct = int((distances < CORRECT_BELOW).sum())
    errors = pose_error(T_0to1_true, estimate.T_0to1[:3, :3], estimate.T_0to1[:3, 3])
    return PairEvaluation(
        error_t=errors.translation,
        error_R=errors.rotation,
        precision=num_correct / max(len(distances), 1),
        matching_score=num_correct / max(num_keypoints0, 1),
        num_correct=num_correct,
        epipolar_errors=distances,
    )


def _true_essential(T_0to1: NDArray[np.floating]) -> NDArray[np.float64]:
    essential = essential_from_pose(T_0to1)
    if not essential.any():
        raise InputError("the ground-truth pose has no translation and so no epipolar lines; leave this pair out")
    return essential


def summarise(evaluations: Sequence[PairEvaluation]) -> EvaluationSummary:
    """The row of the table for these pairs.

    Raises:
        InputError: there are no pairs.

    Example:
        >>> right = PairEvaluation(1.0, 0.5, 0.9, 0.4, 90, np.zeros(100))
        >>> failed = PairEvaluation(np.inf, np.inf, 0.1, 0.0, 1, np.ones(10))
        >>> summarise([right, failed]).precision
        50.0
    """
    if not evaluations:
        raise InputError("there are no evaluated pairs to summarise; the pair list needs ground truth (38 fields)")
    auc_5, auc_10, auc_20 = pose_auc([evaluation.pose_error for evaluation in evaluations])
    return EvaluationSummary(
        num_pairs=len(evaluations),
        auc_5=100 * auc_5,
        auc_10=100 * auc_10,
        auc_20=100 * auc_20,
        precision=100 * float(np.mean([evaluation.precision for evaluation in evaluations])),
        matching_score=100 * float(np.mean([evaluation.matching_score for evaluation in evaluations])),
    )
