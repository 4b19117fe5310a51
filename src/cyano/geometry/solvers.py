"""The two libraries behind `robust`: one function each, from a task to a matrix or a motion, or None.

All that differs between them, and between their releases, ends here: their options, their frames, their ways
to say that nothing was found. Inputs are checked before, results after, in `robust`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cyano.geometry.epipolar import essential_from_pose, sampson_distance
from cyano.geometry.transforms import rigid_motion

if TYPE_CHECKING:
    from collections.abc import Sequence

    import cv2
    from numpy.typing import NDArray

    from cyano.geometry.camera import Camera
    from cyano.geometry.estimates import Kind, RobustOptions

__all__ = ["Task", "solve_opencv", "solve_poselib"]

# PoseLib's own floor on the number of samples, which guards against stopping on an early lucky one.
_POSELIB_MIN_ITERATIONS = 1000
# `recoverPose` drops points beyond so many baselines, 50 by default, which are most points of a distant
# scene.
_FARTHEST_POINT_BASELINES = 1e9


@dataclass(frozen=True, eq=False)
class Task:
    """A checked problem: at least as many matches as the model needs, all finite.

    Attributes:
        kind: the model to estimate.
        points0: (K, 2) float64 pixels of image 0.
        points1: (K, 2) float64 pixels of image 1.
        cameras: of both images for "essential" and "pose", else empty.
        options: threshold, confidence, number of samples and seed.
    """

    kind: Kind
    points0: NDArray[np.float64]
    points1: NDArray[np.float64]
    cameras: Sequence[Camera]
    options: RobustOptions

    @property
    def threshold_px(self) -> float:
        """The inlier threshold in force, in pixels of the original images."""
        return self.options.threshold_for(self.kind)


def solve_poselib(task: Task) -> NDArray[np.float64] | None:
    """By PoseLib: the (3, 3) matrix of the task's kind, or the (4, 4) motion for "pose".

    PoseLib has no solver for the essential matrix as such: it is that of the pose.
    """
    import poselib

    options = {
        "max_reproj_error": task.threshold_px,
        "max_epipolar_error": task.threshold_px,
        "success_prob": task.options.confidence,
        "max_iterations": task.options.max_iterations,
        "min_iterations": min(_POSELIB_MIN_ITERATIONS, task.options.max_iterations),
        "seed": task.options.seed,
    }
    if task.kind == "homography":
        return np.asarray(poselib.estimate_homography(task.points0, task.points1, options)[0])
    if task.kind == "fundamental":
        return np.asarray(poselib.estimate_fundamental(task.points0, task.points1, options)[0])
    cameras = [_poselib_camera(camera) for camera in task.cameras]
    pose, _ = poselib.estimate_relative_pose(task.points0, task.points1, *cameras, options)
    motion = _unit_motion(np.asarray(pose.R), np.asarray(pose.t))
    return motion if task.kind == "pose" or motion is None else essential_from_pose(motion)


def solve_opencv(task: Task) -> NDArray[np.float64] | None:
    """By OpenCV's MAGSAC++ (USAC): the (3, 3) matrix of the task's kind, or the (4, 4) motion for "pose"."""
    import cv2

    try:
        if task.kind in ("essential", "pose"):
            return _opencv_calibrated(task)
        find = cv2.findHomography if task.kind == "homography" else cv2.findFundamentalMat
        found, _ = find(task.points0, task.points1, _usac_params(task, task.threshold_px))
        return _best(found, task.points0, task.points1)
    except cv2.error:  # raised where a sample of the given matches cannot be drawn or solved
        return None


def _opencv_calibrated(task: Task) -> NDArray[np.float64] | None:
    """The essential matrix, or the motion that puts the most inliers in front of both cameras."""
    import cv2

    camera0, camera1 = task.cameras
    normalised0, normalised1 = camera0.normalise(task.points0), camera1.normalise(task.points1)
    undistorted = np.zeros(4)
    # Pixels and intrinsics, not normalised points: OpenCV normalises them itself, and for points given as normalised
    # its poses are far worse (on ten real pairs AUC@10 36 instead of 84).
    found, mask = cv2.findEssentialMat(
        task.points0,
        task.points1,
        camera0.matrix,
        camera1.matrix,
        undistorted,
        undistorted,
        _usac_params(task, task.threshold_px),
    )
    E = _best(found, normalised0, normalised1)
    if E is None or not np.isfinite(E).all():
        return None
    if task.kind == "essential":
        U, _, Vt = np.linalg.svd(E)  # at any scale, singular values only nearly equal
        return np.asarray(U @ np.diag([1.0, 1.0, 0.0]) @ Vt)
    _, R, t, _, _ = cv2.recoverPose(
        E, normalised0, normalised1, np.eye(3), distanceThresh=_FARTHEST_POINT_BASELINES, mask=mask.copy()
    )
    return _unit_motion(np.asarray(R, dtype=np.float64), np.asarray(t, dtype=np.float64))


def _usac_params(task: Task, threshold: float) -> cv2.UsacParams:
    """The settings of the USAC_MAGSAC flag, and the seed, which the flag cannot carry."""
    import cv2

    params = cv2.UsacParams()
    params.sampler = cv2.SAMPLING_UNIFORM
    params.score = cv2.SCORE_METHOD_MAGSAC
    params.loMethod = cv2.LOCAL_OPTIM_SIGMA
    params.final_polisher = cv2.MAGSAC
    params.threshold = threshold
    params.confidence = task.options.confidence
    params.maxIterations = task.options.max_iterations
    params.randomGeneratorState = task.options.seed
    return params


def _best(found: Any, points0: NDArray[np.float64], points1: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """One (3, 3) matrix of what OpenCV returns: None, one, or several epipolar ones stacked to (3S, 3)."""
    if found is None or np.size(found) == 0:
        return None
    candidates = np.asarray(found, dtype=np.float64).reshape(-1, 3, 3)
    if len(candidates) == 1:
        return np.asarray(candidates[0])
    return np.asarray(min(candidates, key=lambda F: float(np.median(sampson_distance(F, points0, points1)))))


def _poselib_camera(camera: Camera) -> dict[str, Any]:
    """PoseLib never looks at the size of a pinhole camera's image."""
    params = [camera.fx, camera.fy, camera.cx, camera.cy]
    return {"model": "PINHOLE", "width": 0, "height": 0, "params": params}


def _unit_motion(R: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The motion with a translation of length one, or None without a translation or with NaN."""
    length = np.linalg.norm(t)
    return rigid_motion(R, t / length) if np.isfinite(R).all() and np.isfinite(length) and length > 0 else None
