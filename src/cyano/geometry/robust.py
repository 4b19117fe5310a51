"""Homography, epipolar geometry and pose from matches of which many may be wrong.

Both estimators, PoseLib's LO-RANSAC and OpenCV's MAGSAC++, stand behind one set of options and one result.
What counts as an inlier is decided here, by the final model and the threshold, so it means the same whichever
library found it:

- homography: the transfer error |x1 - H x0| in image 1;
- fundamental and essential matrix: the Sampson distance in pixels;
- pose: the Sampson distance in pixels, in front of both cameras.

A model whose inliers are no more than chance gives is DOUBTFUL: any four matches obey some homography, and 9 of 30
points at random obey some essential matrix (`cyano.geometry.significance`).

Some scenes leave a model open although every match obeys it. Matches on one line are reported as DEGENERATE.
Not detected, since the matches alone do not call them wrong: a plane seen by uncalibrated cameras (many
fundamental matrices fit; use the homography), and a camera that only rotates (the rotation is right, the
direction of the translation is arbitrary).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cyano.errors import InputError
from cyano.geometry.camera import checked_camera
from cyano.geometry.checks import matched_points, numbers_of
from cyano.geometry.epipolar import essential_from_pose, fundamental_from_essential, sampson_distance
from cyano.geometry.estimates import MIN_MATCHES, EstimateStatus, RobustEstimate, RobustOptions
from cyano.geometry.homography import scale_homography
from cyano.geometry.pose import in_front_of_both
from cyano.geometry.significance import FALSE_ALARMS, false_alarms
from cyano.geometry.solvers import Task, solve_opencv, solve_poselib
from cyano.geometry.transforms import warp_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cyano.geometry.camera import Camera
    from cyano.geometry.estimates import Kind

__all__ = ["FEW", "estimate_essential", "estimate_fundamental", "estimate_homography", "estimate_relative_pose"]

FEW = 30
"""Inliers below which doubtful matches have a say in the model; more of them do better by themselves."""

_SOLVERS = {"poselib": solve_poselib, "opencv": solve_opencv}
_DEFAULT_OPTIONS = RobustOptions()


def estimate_homography(
    points0: ArrayLike,
    points1: ArrayLike,
    options: RobustOptions = _DEFAULT_OPTIONS,
    doubtful: ArrayLike | None = None,
) -> RobustEstimate:
    """The homography that maps image 0 to image 1, from four matches or more.

    Args:
        points0: (K, 2) pixels of image 0.
        points1: (K, 2) pixels of image 1, row by row the matches of `points0`.
        options: estimator, threshold, seed.
        doubtful: (K,) bool, matches that have a say only where fewer than `FEW` of the others agree; either way
            those that agree are among the inliers. None for none.

    Returns:
        An estimate of kind "homography", never None; see its `status`.

    Raises:
        InputError: points that are not two finite (K, 2) arrays of one length, or `doubtful` is not (K,).

    Example:
        >>> points = np.random.default_rng(0).uniform(0, 640, (50, 2))
        >>> found = estimate_homography(points, points + [20, 10])
        >>> found.matrix.round(3)[:2, 2].tolist()
        [20.0, 10.0]
    """
    return _estimate("homography", points0, points1, (), options, doubtful)


def estimate_fundamental(
    points0: ArrayLike,
    points1: ArrayLike,
    options: RobustOptions = _DEFAULT_OPTIONS,
    doubtful: ArrayLike | None = None,
) -> RobustEstimate:
    """The fundamental matrix, x1^T F x0 = 0 in pixels, from eight matches or more.

    Matches on one plane of the scene fit many fundamental matrices, of which any one may come back.

    Args, Returns and Raises are those of `estimate_homography`, with kind "fundamental".

    Example:
        >>> scene = np.random.default_rng(0).uniform((-1, -1, 4), (1, 1, 8), (50, 3))
        >>> camera = LensCamera("PINHOLE", ImageSize(480, 640), (500, 500, 320, 240))
        >>> points0, points1 = camera.project(scene), camera.project(scene - [0.5, 0, 0])
        >>> estimate_fundamental(points0, points1).num_inliers
        50
    """
    return _estimate("fundamental", points0, points1, (), options, doubtful)


def estimate_essential(
    points0: ArrayLike,
    points1: ArrayLike,
    camera0: Camera,
    camera1: Camera,
    options: RobustOptions = _DEFAULT_OPTIONS,
    doubtful: ArrayLike | None = None,
) -> RobustEstimate:
    """The essential matrix, x1^T E x0 = 0 for normalised points, from five matches or more.

    Args:
        points0: (K, 2) pixels of image 0.
        points1: (K, 2) pixels of image 1, row by row the matches of `points0`.
        camera0: intrinsics of image 0, in the same pixels.
        camera1: intrinsics of image 1.
        options: estimator, threshold, seed.
        doubtful: see `estimate_homography`.

    Returns:
        An estimate of kind "essential", never None; see its `status`.

    Raises:
        InputError: points that are not two finite (K, 2) arrays of one length, or `doubtful` is not (K,).

    Example:
        >>> scene = np.random.default_rng(0).uniform((-1, -1, 4), (1, 1, 8), (50, 3))
        >>> camera = LensCamera("PINHOLE", ImageSize(480, 640), (500, 500, 320, 240))
        >>> points0, points1 = camera.project(scene), camera.project(scene - [0.5, 0, 0])
        >>> known = Camera(500, 500, 320, 240)
        >>> estimate_essential(points0, points1, known, known).num_inliers
        50
    """
    return _estimate("essential", points0, points1, (camera0, camera1), options, doubtful)


def estimate_relative_pose(
    points0: ArrayLike,
    points1: ArrayLike,
    camera0: Camera,
    camera1: Camera,
    options: RobustOptions = _DEFAULT_OPTIONS,
    doubtful: ArrayLike | None = None,
) -> RobustEstimate:
    """The motion from camera 0 to camera 1, its translation up to scale, from five matches or more.

    A camera that only rotates gets the right rotation and an arbitrary direction of translation.

    Args, Returns and Raises are those of `estimate_essential`, with kind "pose" and `T_0to1` filled.

    Example:
        >>> scene = np.random.default_rng(0).uniform((-1, -1, 4), (1, 1, 8), (50, 3))
        >>> camera = LensCamera("PINHOLE", ImageSize(480, 640), (500, 500, 320, 240))
        >>> points0, points1 = camera.project(scene), camera.project(scene - [0.5, 0, 0])
        >>> known = Camera(500, 500, 320, 240)
        >>> found = estimate_relative_pose(points0, points1, known, known)
        >>> [round(float(each), 3) + 0.0 for each in found.T_0to1[:3, 3]]  # of length 1
        [-1.0, 0.0, 0.0]
    """
    return _estimate("pose", points0, points1, (camera0, camera1), options, doubtful)


def _estimate(
    kind: Kind,
    points0: ArrayLike,
    points1: ArrayLike,
    cameras: Sequence[Camera],
    options: RobustOptions,
    doubtful: ArrayLike | None,
) -> RobustEstimate:
    if not isinstance(options, RobustOptions):
        raise InputError(f"options are RobustOptions, not {type(options).__name__}")
    for camera in cameras:
        checked_camera(camera)
    task = Task(kind, *matched_points(points0, points1), cameras, options)
    if doubtful is None:
        return _solved(task)
    sure = numbers_of(doubtful, "doubtful") == 0
    if sure.shape != (len(task.points0),):
        raise InputError(f"doubtful needs one value for each of the {len(task.points0)} matches, not {sure.shape}")
    estimate = _solved(replace(task, points0=task.points0[sure], points1=task.points1[sure]))
    if estimate.num_inliers < FEW and not sure.all():
        among_all = _solved(task)
        if among_all.ok or (not estimate.ok and (among_all.has_model or not estimate.has_model)):
            return among_all
    if not estimate.has_model:
        return replace(estimate, inliers=np.zeros(len(sure), dtype=np.bool_))
    return replace(estimate, inliers=_inliers(task, estimate.matrix, estimate.T_0to1))


def _solved(task: Task) -> RobustEstimate:
    """The model of all matches of a task."""
    kind, first, second, options = task.kind, task.points0, task.points1, task.options
    threshold = options.threshold_for(kind)
    none = np.zeros(len(first), dtype=np.bool_)

    def failed(status: EstimateStatus) -> RobustEstimate:
        return RobustEstimate(kind, status, np.full((3, 3), np.nan), np.full((4, 4), np.nan), none, options)

    if len(first) < MIN_MATCHES[kind]:
        return failed(EstimateStatus.TOO_FEW_MATCHES)
    if _degenerate(kind, first, second, threshold):
        return failed(EstimateStatus.DEGENERATE)
    model = _SOLVERS[options.estimator](task)
    if model is None or not np.isfinite(model).all() or not model.any():
        return failed(EstimateStatus.NO_MODEL)
    matrix, T_0to1 = _matrix_and_motion(kind, model)
    inliers = _inliers(task, matrix, T_0to1)
    if inliers.sum() < MIN_MATCHES[kind]:
        return failed(EstimateStatus.NO_MODEL)
    if _degenerate(kind, first[inliers], second[inliers], threshold):
        return failed(EstimateStatus.DEGENERATE)
    chance = false_alarms(kind, int(inliers.sum()), first, second, threshold) > FALSE_ALARMS
    status = EstimateStatus.DOUBTFUL if chance else EstimateStatus.OK
    return RobustEstimate(kind, status, matrix, T_0to1, inliers, options)


def _matrix_and_motion(kind: Kind, model: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The (3, 3) matrix at its documented scale and the (4, 4) motion, NaN except for a pose."""
    if kind == "pose":
        return essential_from_pose(model), model
    scaled = {"homography": scale_homography(model), "fundamental": model / np.linalg.norm(model)}
    return scaled.get(kind, model), np.full((4, 4), np.nan)


def _inliers(task: Task, matrix: NDArray[np.float64], T_0to1: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(K,) bool, by the definitions at the top of this module."""
    if task.kind == "homography":
        error = np.linalg.norm(warp_points(matrix, task.points0) - task.points1, axis=1)
        return np.asarray(error <= task.threshold_px)
    F = fundamental_from_essential(matrix, *task.cameras) if task.cameras else matrix
    close = sampson_distance(F, task.points0, task.points1) <= task.threshold_px
    if task.kind == "pose":
        camera0, camera1 = task.cameras
        close &= in_front_of_both(T_0to1, camera0.normalise(task.points0), camera1.normalise(task.points1))
    return np.asarray(close)


def _degenerate(kind: Kind, points0: NDArray[np.float64], points1: NDArray[np.float64], tolerance_px: float) -> bool:
    """Whether matches on a line leave the model undetermined.

    For a homography and a fundamental matrix a line in either image is enough. Known cameras still determine
    the pose from it, unless the points lie in one plane with both cameras: a line in both images.
    """
    lines = (_on_one_line(points0, tolerance_px), _on_one_line(points1, tolerance_px))
    return all(lines) if kind in ("essential", "pose") else any(lines)


def _on_one_line(points: NDArray[np.float64], tolerance_px: float) -> bool:
    """Whether all (K, 2) points lie within the tolerance of one line, or coincide."""
    centred = points - points.mean(axis=0)
    normal = np.linalg.svd(centred, full_matrices=False)[2][1]
    return bool((np.abs(centred @ normal) <= tolerance_px).all())
