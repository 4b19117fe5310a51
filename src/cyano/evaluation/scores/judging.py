"""The second loop, one pair at a time: what its predictions are worth under the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.evaluation.demo_pair import stereo_errors
from cyano.evaluation.methods.prediction import PairPrediction
from cyano.evaluation.metrics import CORRECT_BELOW
from cyano.evaluation.scores.dense import CLOSE_PX, DenseJudgement, judge_dense
from cyano.evaluation.scores.estimators import Estimators
from cyano.evaluation.sets.pair_sets import (
    KnownChange,
    KnownCorrespondences,
    KnownDisparity,
    KnownHomography,
    KnownPose,
    Truth,
)
from cyano.geometry import (
    Camera,
    corner_error,
    essential_from_pose,
    homography_dlt,
    larger_epipolar_distance,
    pose_error,
    symmetric_epipolar_distance_squared,
    warp_points,
)
from cyano.geometry.truth import DepthTruth, HomographyTruth
from cyano.processing.resize import ResizeRule
from cyano.types import ResizeMap

__all__ = ["ENOUGH", "SCORING_PX", "PairJudgement", "judge"]

ENOUGH = 300
"""Right matches with which a pair of a controlled change has the full score."""

SCORING_PX = 1024
"""Longest side of the images in which correspondences are judged; smaller ones are judged as they are."""


@dataclass(frozen=True, eq=False)
class PairJudgement:
    """The numbers of one pair.

    Attributes:
        errors: error of the model by the name of its estimator, infinite without one: the larger angle of a pose in
            degrees; the mean corner error of a homography in pixels of the resized images; the median distance of
            the true correspondences from the epipolar lines of a fundamental matrix, see `SCORING_PX`.
        values: further numbers by name; their means over a set are reported, NaN left out.
        residuals: (K,) float64 distance of each match from where the truth puts it in image 1, infinite where image 1
            does not show the point, NaN where nothing is known; in pixels of the resized image, of a stereo pair in
            those of the original; of a controlled change the larger of the distances in the two images.
    """

    errors: Mapping[str, float]
    values: Mapping[str, float]
    residuals: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


def judge(prediction: PairPrediction, truth: Truth, estimators: Estimators) -> PairJudgement:
    """Judge the matches of one pair, and the models estimated from them.

    Args:
        prediction: one that did not fail.
        truth: of its pair.
        estimators: how to estimate.

    Raises:
        InputError: the truth does not fit the images.
    """
    counts = {"matches": float(len(prediction.matches)), "keypoints": float(len(prediction.keypoints0))}
    found = _JUDGES[type(truth)](prediction, truth, estimators)
    return PairJudgement(found.errors, {**counts, **found.values}, found.residuals)


def _judge_pose(prediction: PairPrediction, truth: KnownPose, estimators: Estimators) -> PairJudgement:
    camera0 = Camera.from_matrix(truth.K0, prediction.frame0.original).scaled(prediction.frame0)
    camera1 = Camera.from_matrix(truth.K1, prediction.frame1.original).scaled(prediction.frame1)
    return _judge_calibrated(prediction, camera0, camera1, truth.T_0to1, estimators)


def _judge_calibrated(
    prediction: PairPrediction,
    camera0: Camera,
    camera1: Camera,
    T_0to1: NDArray[np.float64],
    estimators: Estimators,
) -> PairJudgement:
    """The numbers of the SuperGlue paper; cameras are those of the resized images, where thresholds are measured."""
    points0 = prediction.frame0.to_network(prediction.matched0)
    points1 = prediction.frame1.to_network(prediction.matched1)
    distances = symmetric_epipolar_distance_squared(
        essential_from_pose(T_0to1), camera0.normalise(points0), camera1.normalise(points1)
    )
    correct = int((distances < CORRECT_BELOW).sum())
    whole, doubtful = prediction.with_doubtful()
    seen0, seen1 = whole.frame0.to_network(whole.matched0), whole.frame1.to_network(whole.matched1)
    errors: dict[str, float] = {}
    for name in estimators.names:
        motion = estimators.pose(name, seen0, seen1, camera0, camera1, doubtful)
        errors[name] = pose_error(T_0to1, motion[:3, :3], motion[:3, 3]).worst
    values = {
        "precision": correct / max(len(distances), 1),
        "matching score": correct / max(len(prediction.keypoints0), 1),
    }
    return PairJudgement(errors, values)


def _judge_homography(prediction: PairPrediction, truth: KnownHomography, estimators: Estimators) -> PairJudgement:
    """All in the resized images: "1 px" then means the same for photographs of any size."""
    frame0, frame1 = prediction.frame0, prediction.frame1
    H_true = _resizing(frame1) @ truth.H @ np.linalg.inv(_resizing(frame0))
    points0, points1 = frame0.to_network(prediction.matched0), frame1.to_network(prediction.matched1)
    whole, doubtful = prediction.with_doubtful()
    seen0, seen1 = frame0.to_network(whole.matched0), frame1.to_network(whole.matched1)
    models: dict[str, NDArray[np.float64]] = {
        name: estimators.homography(name, seen0, seen1, doubtful) for name in estimators.names
    }
    weights = np.maximum(prediction.scores, 0)  # cosines may be negative
    least_squares = {
        "dlt": homography_dlt(points0, points1),
        "weighted dlt": homography_dlt(points0, points1, weights),
    }
    errors = {name: corner_error(H, H_true, frame0.network) for name, H in {**models, **least_squares}.items()}
    dense = judge_dense(prediction, HomographyTruth(truth.H, frame0.original, frame1.original))
    # A plane goes on beyond the border of the image: a match to a point outside is measured like any other.
    residuals = _transfer_distances(H_true, points0, points1)
    right = float((residuals <= CLOSE_PX).sum())
    return PairJudgement(errors, {"right matches": right, **_dense_values(dense)}, residuals)


def _transfer_distances(
    H: NDArray[np.float64], points0: NDArray[np.float64], points1: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(K,) distances in image 1, infinite on the horizon."""
    distances = np.linalg.norm(warp_points(H, points0) - points1, axis=1)
    return np.asarray(np.nan_to_num(distances, nan=np.inf), dtype=np.float64)


def _judge_change(prediction: PairPrediction, truth: KnownChange, _: Estimators) -> PairJudgement:
    """A match is as wrong as it looks where the place is larger: in the photograph if the other is at half its size."""
    frame0, frame1 = prediction.frame0, prediction.frame1
    H = _resizing(frame1) @ truth.H @ np.linalg.inv(_resizing(frame0))
    points0, points1 = frame0.to_network(prediction.matched0), frame1.to_network(prediction.matched1)
    forward, backward = (
        _transfer_distances(H, points0, points1),
        _transfer_distances(np.linalg.inv(H), points1, points0),
    )
    residuals = np.maximum(forward, backward)
    right = int((residuals <= CLOSE_PX).sum())
    values = {
        "score": min(right, ENOUGH) / ENOUGH,
        "right matches": float(right),
        "precision": right / max(len(residuals), 1),
    }
    return PairJudgement({}, values, residuals)


def _resizing(frame: ResizeMap) -> NDArray[np.float64]:
    """The (3, 3) homography from pixels of the original image to those of the resized one, without turns."""
    sx, sy = frame.scale
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])


def _judge_stereo(prediction: PairPrediction, truth: KnownDisparity, _: Estimators) -> PairJudgement:
    residuals = stereo_errors(prediction.matched0, prediction.matched1, truth.disparity)
    return PairJudgement({}, {}, residuals)


def _judge_correspondences(
    prediction: PairPrediction, truth: KnownCorrespondences, estimators: Estimators
) -> PairJudgement:
    """By the protocol of the WxBS benchmark, whose images no method has to see at that size."""
    whole, doubtful = prediction.with_doubtful()
    points, true = [], []
    for frame, matched, known in (
        (whole.frame0, whole.matched0, truth.points0),
        (whole.frame1, whole.matched1, truth.points1),
    ):
        scoring = ResizeMap(frame.original, ResizeRule.longest(SCORING_PX).network_size(frame.original))
        points.append(scoring.to_network(matched))
        true.append(scoring.to_network(known))
    errors: dict[str, float] = {}
    values: dict[str, float] = {}
    for name in estimators.names:
        F = estimators.fundamental(name, points[0], points[1], doubtful)
        lost = not np.isfinite(F).all()
        distances = np.full(len(true[0]), np.inf) if lost else larger_epipolar_distance(F, true[0], true[1])
        errors[name] = float(np.median(distances))
        values[f"mAA@10 {name}"] = float(np.mean([(distances < limit).mean() for limit in range(1, 11)]))
    return PairJudgement(errors, values)


def _judge_depth(prediction: PairPrediction, truth: DepthTruth, estimators: Estimators) -> PairJudgement:
    dense = judge_dense(prediction, truth)
    camera0, camera1 = truth.camera0.scaled(prediction.frame0), truth.camera1.scaled(prediction.frame1)
    posed = _judge_calibrated(prediction, camera0, camera1, truth.T_0to1, estimators)
    return PairJudgement(posed.errors, {**posed.values, **_dense_values(dense)}, dense.residuals)


def _dense_values(dense: DenseJudgement) -> dict[str, float]:
    return {"repeatability": dense.repeatability, "recall": dense.recall}


_JUDGES: dict[type, Callable[[PairPrediction, Any, Estimators], PairJudgement]] = {
    KnownPose: _judge_pose,
    KnownHomography: _judge_homography,
    KnownChange: _judge_change,
    KnownDisparity: _judge_stereo,
    KnownCorrespondences: _judge_correspondences,
    DepthTruth: _judge_depth,
}
