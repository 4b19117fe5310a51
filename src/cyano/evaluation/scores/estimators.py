"""The estimators that models are judged with: Cyano's two, and OpenCV's plain RANSAC of the published tables.

Published numbers of SuperGlue and its successors were made with OpenCV's RANSAC. It is the weakest of the three and
tells the most about the matches; only comparisons need it, so it is here and not among those that Cyano offers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.geometry import (
    Camera,
    RobustOptions,
    estimate_fundamental,
    estimate_homography,
    estimate_relative_pose,
    rigid_motion,
)

__all__ = ["ESTIMATORS", "EstimatorName", "Estimators", "estimator_names"]

EstimatorName: TypeAlias = Literal["poselib", "opencv", "opencv-ransac"]
ESTIMATORS: tuple[EstimatorName, ...] = get_args(EstimatorName)
"""PoseLib's LO-RANSAC, OpenCV's MAGSAC++, OpenCV's RANSAC."""

_FARTHEST_POINT = 1e9
"""Baselines beyond which a triangulated point counts as wrong in `recoverPose`: never."""


def estimator_names(names: Sequence[str]) -> tuple[EstimatorName, ...]:
    """The names as those of estimators.

    Raises:
        InputError: one is not, or there are none.
    """
    unknown = [name for name in names if name not in ESTIMATORS]
    if unknown or not names:
        raise InputError(f"estimators are some of {', '.join(ESTIMATORS)}, not {', '.join(unknown) or 'none'}")
    return tuple(estimator for name in names for estimator in ESTIMATORS if estimator == name)


@dataclass(frozen=True)
class Estimators:
    """How models are estimated; thresholds are in pixels of the RESIZED images where nothing else is said.

    Doubtful matches are seen as `cyano.geometry` sees them, and not at all by plain RANSAC.

    Attributes:
        names: which ones.
        pose_px: largest error of an inlier of a relative pose.
        fundamental_px: largest error of an inlier of a fundamental matrix, in the images in which correspondences are
            judged (see `cyano.evaluation.scores.judging.SCORING_PX`).
        homography_px: largest error of an inlier of a homography.
        confidence: that a sample without outliers was drawn before sampling stops.
        max_iterations: number of samples at most.
        seed: of the sampling; OpenCV's plain RANSAC always draws the same samples.
    """

    names: tuple[EstimatorName, ...] = ESTIMATORS
    pose_px: float = 1.0
    homography_px: float = 3.0
    fundamental_px: float = 1.5
    confidence: float = 0.99999
    max_iterations: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        estimator_names(self.names)  # which checks them
        for threshold_px in (self.pose_px, self.homography_px, self.fundamental_px):
            self._options("poselib", threshold_px)  # likewise the numbers

    def pose(
        self,
        name: EstimatorName,
        points0: NDArray[np.float64],
        points1: NDArray[np.float64],
        camera0: Camera,
        camera1: Camera,
        doubtful: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """(4, 4) motion from camera 0 to camera 1, filled with NaN where there is none."""
        if name == "opencv-ransac":
            sure = _sure(points0, doubtful)
            return self._or_nan((4, 4), _ransac_pose, points0[sure], points1[sure], camera0, camera1, self)
        options = self._options(name, self.pose_px)
        return estimate_relative_pose(points0, points1, camera0, camera1, options, doubtful).T_0to1

    def homography(
        self,
        name: EstimatorName,
        points0: NDArray[np.float64],
        points1: NDArray[np.float64],
        doubtful: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """(3, 3) homography from image 0 to image 1, filled with NaN where there is none."""
        if name == "opencv-ransac":
            sure = _sure(points0, doubtful)
            return self._or_nan((3, 3), _ransac_homography, points0[sure], points1[sure], self)
        return estimate_homography(points0, points1, self._options(name, self.homography_px), doubtful).matrix

    def fundamental(
        self,
        name: EstimatorName,
        points0: NDArray[np.float64],
        points1: NDArray[np.float64],
        doubtful: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """(3, 3) fundamental matrix, filled with NaN where there is none."""
        if name == "opencv-ransac":
            sure = _sure(points0, doubtful)
            return self._or_nan((3, 3), _ransac_fundamental, points0[sure], points1[sure], self)
        return estimate_fundamental(points0, points1, self._options(name, self.fundamental_px), doubtful).matrix

    def _options(self, name: Literal["poselib", "opencv"], threshold_px: float) -> RobustOptions:
        return RobustOptions(name, threshold_px, self.confidence, self.max_iterations, self.seed)

    def _or_nan(
        self, shape: tuple[int, int], estimate: Callable[..., NDArray[np.float64] | None], *arguments: Any
    ) -> NDArray[np.float64]:
        """What OpenCV finds; it raises for samples that it cannot draw or solve."""
        try:
            found = estimate(*arguments)
        except cv2.error:
            found = None
        return np.full(shape, np.nan) if found is None or not np.isfinite(found).all() else found


def _sure(points0: NDArray[np.float64], doubtful: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Matches that plain RANSAC sees: those of the published tables are all alike."""
    return np.ones(len(points0), dtype=np.bool_) if doubtful is None else ~doubtful


def _ransac_pose(
    points0: NDArray[np.float64],
    points1: NDArray[np.float64],
    camera0: Camera,
    camera1: Camera,
    options: Estimators,
) -> NDArray[np.float64] | None:
    """The protocol of the SuperGlue paper: an essential matrix of normalised points, then the cheirality check.

    The threshold in pixels is divided by the mean of the four focal lengths.
    """
    if len(points0) < 5:
        return None
    normalised0, normalised1 = camera0.normalise(points0), camera1.normalise(points1)
    focal = (camera0.mean_focal + camera1.mean_focal) / 2
    essentials, mask = cv2.findEssentialMat(
        normalised0,
        normalised1,
        np.eye(3),
        method=cv2.RANSAC,
        prob=options.confidence,
        threshold=options.pose_px / focal,
    )
    if essentials is None:
        return None
    best, most = None, 0
    for essential in np.asarray(essentials, dtype=np.float64).reshape(-1, 3, 3):
        count, R, t, _, _ = cv2.recoverPose(
            essential, normalised0, normalised1, np.eye(3), distanceThresh=_FARTHEST_POINT, mask=mask.copy()
        )
        if count > most:
            best, most = rigid_motion(np.asarray(R), np.asarray(t)), count
    return best


def _ransac_homography(
    points0: NDArray[np.float64], points1: NDArray[np.float64], options: Estimators
) -> NDArray[np.float64] | None:
    if len(points0) < 4:
        return None
    found, _ = cv2.findHomography(
        points0, points1, cv2.RANSAC, options.homography_px, None, options.max_iterations, options.confidence
    )
    return None if found is None else np.asarray(found, dtype=np.float64)


def _ransac_fundamental(
    points0: NDArray[np.float64], points1: NDArray[np.float64], options: Estimators
) -> NDArray[np.float64] | None:
    if len(points0) < 8:
        return None
    found, _ = cv2.findFundamentalMat(
        points0, points1, cv2.FM_RANSAC, options.fundamental_px, options.confidence, options.max_iterations
    )
    return None if found is None or found.shape != (3, 3) else np.asarray(found, dtype=np.float64)
