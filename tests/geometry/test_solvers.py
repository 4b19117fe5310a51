from __future__ import annotations

import cv2
import numpy as np
import pytest

from cyano.geometry import (
    Camera,
    EstimateStatus,
    RobustOptions,
    essential_from_pose,
    estimate_essential,
    estimate_fundamental,
    estimate_relative_pose,
    fundamental_from_essential,
    pose_error,
    sampson_distance,
)
from support.scenes import two_view_scene

OPENCV = RobustOptions("opencv")


def test_a_distant_scene_keeps_its_points_in_front() -> None:
    """OpenCV's cheirality check drops points beyond 50 baselines unless told otherwise."""
    scene = two_view_scene(100)
    far = scene.T_0to1.copy()
    far[:3, 3] *= 0.05  # a baseline of 0.04 for a scene 4 to 8 away: 100 to 200 baselines
    X = np.random.default_rng(0).uniform((-1.6, -1.2, 4), (1.6, 1.2, 8), (100, 3))
    Y = X @ far[:3, :3].T + far[:3, 3]
    points = [(Z @ camera.matrix.T)[:, :2] / Z[:, 2:] for Z, camera in ((X, scene.camera0), (Y, scene.camera1))]
    result = estimate_relative_pose(*points, scene.camera0, scene.camera1, OPENCV)
    assert result.inliers.all()
    assert pose_error(far, result.T_0to1[:3, :3], result.T_0to1[:3, 3]).worst < 0.1


@pytest.mark.parametrize("answer", [None, np.zeros((0, 0))], ids=["None", "empty"])
def test_an_answer_of_none_becomes_a_status(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    scene = two_view_scene(50)
    monkeypatch.setattr(cv2, "findEssentialMat", lambda *_: (answer, None))
    monkeypatch.setattr(cv2, "findFundamentalMat", lambda *_: (answer, None))
    cameras = scene.camera0, scene.camera1
    assert estimate_essential(scene.points0, scene.points1, *cameras, OPENCV).status is EstimateStatus.NO_MODEL
    assert estimate_fundamental(scene.points0, scene.points1, OPENCV).status is EstimateStatus.NO_MODEL


def test_an_exception_of_opencv_becomes_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise cv2.error("a sample could not be drawn")

    monkeypatch.setattr(cv2, "findFundamentalMat", fail)
    scene = two_view_scene(50)
    assert estimate_fundamental(scene.points0, scene.points1, OPENCV).status is EstimateStatus.NO_MODEL


def test_of_stacked_matrices_the_one_that_the_matches_obey_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some builds of OpenCV return all solutions of a minimal sample, stacked to (3S, 3)."""
    scene = two_view_scene(50)
    right = essential_from_pose(scene.T_0to1)
    other = scene.T_0to1.copy()
    other[:3, 3] = (0.1, 0.9, 0.2)
    stacked = np.concatenate([essential_from_pose(other), right, essential_from_pose(other) + 0.1])
    monkeypatch.setattr(cv2, "findEssentialMat", lambda *_: (stacked, np.ones((50, 1), np.uint8)))
    result = estimate_essential(scene.points0, scene.points1, scene.camera0, scene.camera1, OPENCV)
    np.testing.assert_allclose(result.matrix, right, atol=1e-12)


def test_cameras_of_very_different_focal_lengths() -> None:
    """The threshold in pixels is divided by the mean focal length of both; inliers are judged in pixels."""
    scene = two_view_scene(150, noise_px=0.2)
    zoom = Camera(2000.0, 2020.0, 1600.0, 1160.0)
    points1 = (scene.camera1.normalise(scene.points1)) * (zoom.fx, zoom.fy) + (zoom.cx, zoom.cy)
    for estimator in ("poselib", "opencv"):
        options = RobustOptions(estimator, threshold_px=2.0)
        result = estimate_relative_pose(scene.points0, points1, scene.camera0, zoom, options)
        F = fundamental_from_essential(result.matrix, scene.camera0, zoom)
        error = sampson_distance(F, scene.points0, points1)
        assert (result.inliers == (error <= 2.0)).all()
        assert result.inliers.mean() > 0.9
