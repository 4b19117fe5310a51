"""Metrics against cases whose numbers are known without computing them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cyano.evaluation.scores.estimators import ESTIMATORS, Estimators
from cyano.evaluation.scores.judging import judge
from cyano.evaluation.sets.pair_sets import KnownCorrespondences, KnownDisparity, KnownHomography, KnownPose
from cyano.geometry import Camera, warp_points
from cyano.geometry.truth import DepthTruth
from cyano.types import ImageSize
from support.predictions import prediction
from support.scenes import H_TRUE, two_view_scene

DEFAULT = Estimators()
SHIFT = np.array([[1.0, 0, 10], [0, 1, -6], [0, 0, 1]])
GRID = np.stack(np.meshgrid(np.arange(30.0, 600, 60), np.arange(30.0, 450, 60)), axis=-1).reshape(-1, 2)


def test_perfect_matches_of_a_plane() -> None:
    found = judge(prediction(GRID, warp_points(H_TRUE, GRID)), KnownHomography(H_TRUE), DEFAULT)
    assert set(found.errors) == {*ESTIMATORS, "dlt", "weighted dlt"}
    # 1e-2 px: keypoints are float32, 3e-5 px at 600, and the corners lie outside the grid
    assert max(found.errors.values()) < 1e-2
    assert found.residuals.max() < 1e-4
    assert found.values["repeatability"] == found.values["recall"] == 1.0
    assert found.values["matches"] == found.values["right matches"] == len(GRID)


def test_matches_that_are_off_by_so_much() -> None:
    """Every match 2 px too far right: so are all corners, whatever estimates them."""
    found = judge(prediction(GRID, warp_points(SHIFT, GRID) + np.array([2, 0])), KnownHomography(SHIFT), DEFAULT)
    np.testing.assert_allclose(found.residuals, 2.0, atol=1e-4)
    assert found.errors == pytest.approx(dict.fromkeys(found.errors, 2.0), abs=1e-2)
    assert found.values["recall"] == 1.0  # 2 px is within 3


def test_pixels_are_those_of_the_resized_images() -> None:
    """In images shrunk to half, 4 px of the original are 2."""
    half = ImageSize(240, 320)
    off = prediction(GRID, warp_points(SHIFT, GRID) + np.array([4, 0]), resized0=half, resized1=half)
    found = judge(off, KnownHomography(SHIFT), DEFAULT)
    np.testing.assert_allclose(found.residuals, 2.0, atol=1e-4)
    assert found.errors == pytest.approx(dict.fromkeys(found.errors, 2.0), abs=1e-2)
    assert found.values["repeatability"] == 1.0  # 4 px would be too far


def test_images_resized_by_different_factors() -> None:
    """A perfect match stays one, and an error counts in image 1."""
    resized0, resized1 = ImageSize(480, 640), ImageSize(240, 160)  # not even the same aspect ratio
    off = prediction(GRID, warp_points(SHIFT, GRID) + np.array([0, 8]), resized0=resized0, resized1=resized1)
    np.testing.assert_allclose(judge(off, KnownHomography(SHIFT), DEFAULT).residuals, 4.0, atol=1e-4)


def test_one_outlier_spoils_least_squares_unless_its_weight_is_zero() -> None:
    there = warp_points(H_TRUE, GRID)
    there[7] += 200
    scores = np.ones(len(GRID))
    scores[7] = 0
    errors = judge(prediction(GRID, there, scores=scores), KnownHomography(H_TRUE), DEFAULT).errors
    assert errors["dlt"] > 1
    assert max(error for name, error in errors.items() if name != "dlt") < 1e-2


def test_repeatability_and_recall_count_what_the_other_image_shows() -> None:
    # Shifted by 320 px: the left half of image 0 is the right half of image 1. Four points of image 0, of which two
    # are shown; of these one has a partner, 2 px off. Image 1 has that partner and one point without.
    half = np.array([[1.0, 0, 320], [0, 1, 0], [0, 0, 1]])
    first = [(100, 100), (100, 300), (500, 100), (500, 300)]
    second = [(422, 100), (500, 200), (20, 20), (20, 40)]  # the last two show what image 0 does not
    found = judge(prediction(first, second), KnownHomography(half), DEFAULT)
    assert found.values["repeatability"] == pytest.approx((1 + 1) / (2 + 2))
    assert found.values["recall"] == 1.0
    assert found.residuals[0] == pytest.approx(2.0)


def test_no_matches_are_a_failure_of_the_model_not_of_the_program() -> None:
    none = np.zeros((0, 2))
    scene = two_view_scene(10)
    pose = KnownPose(scene.camera0.matrix, scene.camera1.matrix, scene.T_0to1)
    for truth in (KnownHomography(SHIFT), pose, KnownCorrespondences(GRID, GRID)):
        found = judge(prediction(none, none), truth, DEFAULT)
        assert all(math.isinf(error) for error in found.errors.values()), truth
        assert all(found.values[name] == 0 for name in found.values if name.startswith("mAA")), truth
    assert judge(prediction(none, none), pose, DEFAULT).values["precision"] == 0
    assert len(judge(prediction(none, none), KnownDisparity(np.ones((9, 9), np.float32)), DEFAULT).residuals) == 0


@pytest.mark.parametrize("name", ESTIMATORS)
def test_poses_of_a_scene_with_outliers(name: str) -> None:
    scene = two_view_scene(300, outlier_share=0.3)
    truth = KnownPose(scene.camera0.matrix, scene.camera1.matrix, scene.T_0to1)
    found = judge(prediction(scene.points0, scene.points1, size1=ImageSize(600, 800)), truth, DEFAULT)
    assert found.errors[name] < 0.1  # degrees; exact matches in float32, but outliers may pass by chance
    # Outliers fall on their lines by chance, here within 0.016 * 600 px of them.
    assert 0.7 <= found.values["precision"] < 0.75
    assert found.values["matching score"] == found.values["precision"]  # every keypoint is matched


@pytest.mark.parametrize("name", ESTIMATORS)
def test_doubtful_matches_are_for_the_estimators_alone(name: str) -> None:
    """From four matches no pose follows; plain RANSAC sees no others."""
    scene = two_view_scene(300)
    truth = KnownPose(scene.camera0.matrix, scene.camera1.matrix, scene.T_0to1)
    made = prediction(scene.points0, scene.points1, size1=ImageSize(600, 800))
    few = replace(made, matches=made.matches[:4], scores=made.scores[:4], doubtful=made.matches[4:])
    found = judge(few, truth, DEFAULT)
    assert found.values["matches"] == 4
    assert found.values["precision"] == 1
    if name == "opencv-ransac":
        assert math.isinf(found.errors[name])
    else:
        assert found.errors[name] < 0.1


def test_the_poses_threshold_is_in_resized_pixels() -> None:
    """At a quarter of the size, noise of 2 px is 0.5 px, and the matches are inliers again."""
    scene = two_view_scene(300, noise_px=1.5)
    truth = KnownPose(scene.camera0.matrix, scene.camera1.matrix, scene.T_0to1)
    seen: dict[int, list[float]] = {}
    for divisor in (1, 4):
        small0, small1 = ImageSize(480 // divisor, 640 // divisor), ImageSize(600 // divisor, 800 // divisor)
        made = prediction(scene.points0, scene.points1, size1=ImageSize(600, 800), resized0=small0, resized1=small1)
        seen[divisor] = [judge(made, truth, Estimators(("poselib",), seed=s)).errors["poselib"] for s in range(3)]
    assert np.median(seen[4]) < np.median(seen[1])


@pytest.mark.parametrize("name", ESTIMATORS)
def test_true_correspondences_obey_the_matrix_of_true_matches(name: str) -> None:
    scene, other = two_view_scene(300, outlier_share=0.2, seed=1), two_view_scene(12, seed=2)
    truth = KnownCorrespondences(other.points0, other.points1)
    found = judge(prediction(scene.points0, scene.points1, size1=ImageSize(600, 800)), truth, DEFAULT)
    assert found.errors[name] < 0.2  # px


@pytest.mark.parametrize("size", [ImageSize(768, 1024), ImageSize(1536, 2048)])
@pytest.mark.parametrize(("offset", "share"), [(0.0, 1.0), (2.5, 0.8), (4.5, 0.6), (9.5, 0.1), (20.0, 0.0)])
def test_correspondences_by_their_distance_from_the_lines(size: ImageSize, offset: float, share: float) -> None:
    """Lines are rows: an offset of 2.5 rows is below 3, 4, ... 10, eight of ten. Larger images are made smaller."""
    rng = np.random.default_rng(0)
    scale = size.width / 1024
    points = scale * rng.uniform((300, 0), (1000, 750), (200, 2))
    matches = prediction(points, points - scale * rng.uniform(10, 290, (200, 1)) * (1, 0), size0=size, size1=size)
    there = GRID * scale
    truth = KnownCorrespondences(there, there + scale * np.array([-70, offset]))
    found = judge(matches, truth, DEFAULT)
    for name in ESTIMATORS:
        assert found.values[f"mAA@10 {name}"] == pytest.approx(share), name
        assert found.errors[name] == pytest.approx(offset, abs=0.2)  # keypoints are float32, and rows are estimated


def test_some_of_the_correspondences_count_for_their_share() -> None:
    points = np.random.default_rng(0).uniform((300, 0), (600, 450), (200, 2))
    disparity = np.random.default_rng(1).uniform(10, 290, (200, 1))
    truth = KnownCorrespondences(GRID, GRID + np.where(np.arange(len(GRID)) % 2, 50.0, 0.0)[:, None] * (0, 1))
    assert len(GRID) % 2 == 0
    found = judge(prediction(points, points - disparity * (1, 0)), truth, DEFAULT)
    assert found.values["mAA@10 poselib"] == pytest.approx(0.5)


def test_stereo_matches_are_measured_by_the_disparity() -> None:
    disparity = np.full((480, 640), 20, np.float32)
    disparity[:, :100] = np.inf  # not measured
    matches = prediction([(200, 50), (300, 60), (50, 70)], [(180, 50), (283, 64), (30, 70)])
    np.testing.assert_allclose(judge(matches, KnownDisparity(disparity), DEFAULT).residuals, [0, 5, np.nan])


def test_a_wall_seen_from_the_side() -> None:
    """A wall 5 units ahead, the camera moved by 0.5 units: everything is 0.5 / 5 * f = 50 px further left."""
    camera = Camera(500.0, 500.0, 319.5, 239.5, ImageSize(480, 640))
    wall = np.full((480, 640), 5.0)
    wall[:, 600:] = 0  # unknown
    T = np.eye(4)
    T[0, 3] = -0.5
    truth = DepthTruth(wall, wall, camera, camera, T)
    matches = prediction([(200, 100), (300, 200), (20, 50), (630, 10)], [(150, 100), (254, 203), (5, 50), (580, 10)])
    found = judge(matches, truth, DEFAULT)
    # right; off by (4, 3); its point has left the image; nothing is known
    np.testing.assert_allclose(found.residuals, [0, 5, np.inf, np.nan], atol=1e-4)
    assert found.values["recall"] == 1.0
    assert set(found.errors) == set(ESTIMATORS)
