from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyano.errors import InputError
from cyano.evaluation import PairEvaluation, evaluate_pair, pose_auc, summarise
from cyano.geometry import RobustEstimate, estimate_homography, estimate_relative_pose
from support.scenes import TwoViewScene, rotation_about, two_view_scene


def recall_curve_area(errors: list[float], threshold: float) -> float:
    """Slow twin: the recall curve as a function of the angle, integrated piece by piece."""
    below = sorted(error for error in errors if error < threshold)
    x, y, area = 0.0, 0.0, 0.0
    for rank, error in enumerate(below, start=1):
        recall = rank / len(errors)
        area += (error - x) * (y + recall) / 2
        x, y = error, recall
    return (area + (threshold - x) * y) / threshold


ANGLES = st.one_of(st.floats(0, 180), st.sampled_from([0.0, 5.0, 10.0, 20.0, math.inf]))


@given(st.lists(ANGLES, min_size=1, max_size=30))
def test_auc_equals_the_slow_twin(errors: list[float]) -> None:
    expected = [recall_curve_area(errors, threshold) for threshold in (5, 10, 20)]
    # 1e-12: float64 sums of some 30 terms in another order
    assert pose_auc(errors) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("errors", "threshold", "expected"),
    [
        ([0.0], 5, 1.0),  # all right: the curve is 1 from the start
        ([5.0], 5, 0.0),  # at the threshold is not below it
        ([math.inf], 20, 0.0),
        ([4.0], 10, (4 * 1 / 2 + 6) / 10),  # a triangle, then a rectangle
        ([4.0, math.inf], 10, (4 * 0.5 / 2 + 6 * 0.5) / 10),
        ([8.0, 2.0], 10, (2 * 0.5 / 2 + 6 * 0.75 + 2) / 10),  # in any order
    ],
)
def test_auc_of_hand_made_errors(errors: list[float], threshold: float, expected: float) -> None:
    # 1e-15: the sums are a few float64 roundings long
    assert pose_auc(errors, [threshold]) == pytest.approx((expected,), abs=1e-15)


@pytest.mark.parametrize("errors", [[], [math.nan], [1.0, -0.5], [[1.0]]])
def test_auc_refuses_what_is_no_list_of_errors(errors: list[float]) -> None:
    with pytest.raises(InputError, match="AUC"):
        pose_auc(errors)


@pytest.mark.parametrize("threshold", [0.0, -5.0, math.nan, math.inf])
def test_auc_refuses_thresholds_that_are_no_angles(threshold: float) -> None:
    with pytest.raises(InputError, match="thresholds"):
        pose_auc([1.0], [threshold])


def test_auc_does_not_sort_the_callers_array() -> None:
    errors = np.array([8.0, 2.0])
    pose_auc(errors)
    assert errors.tolist() == [8.0, 2.0]


@pytest.fixture(scope="module")
def scene() -> TwoViewScene:
    return two_view_scene(120, outlier_share=0.3, noise_px=0.3, seed=0)


@pytest.fixture(scope="module")
def estimate(scene: TwoViewScene) -> RobustEstimate:
    return estimate_relative_pose(scene.points0, scene.points1, scene.camera0, scene.camera1)


def judge(scene: TwoViewScene, estimate: RobustEstimate, num_keypoints0: int = 200) -> PairEvaluation:
    return evaluate_pair(
        scene.points0, scene.points1, num_keypoints0, scene.camera0, scene.camera1, scene.T_0to1, estimate
    )


def slow_epipolar_errors(scene: TwoViewScene) -> list[float]:
    """Squared distances to both epipolar lines, match by match: lines through projections of the true
    rays."""
    R, t = scene.T_0to1[:3, :3], scene.T_0to1[:3, 3]
    K0, K1 = scene.camera0.matrix, scene.camera1.matrix
    result = []
    for p0, p1 in zip(scene.points0, scene.points1, strict=True):
        ray0, ray1 = np.linalg.solve(K0, [*p0, 1.0]), np.linalg.solve(K1, [*p1, 1.0])
        line1 = np.cross(t, R @ ray0)  # in image 1: the epipole and the projection of the ray's far end
        line0 = np.cross(-R.T @ t, R.T @ ray1)
        result.append((ray1 @ line1) ** 2 / (line1[:2] @ line1[:2]) + (ray0 @ line0) ** 2 / (line0[:2] @ line0[:2]))
    return result


def test_evaluation_of_a_known_scene(scene: TwoViewScene, estimate: RobustEstimate) -> None:
    evaluation = judge(scene, estimate)
    expected = slow_epipolar_errors(scene)
    # 1e-9: float64 in another order of operations; the errors are small differences of numbers near 1
    assert evaluation.epipolar_errors == pytest.approx(expected, rel=1e-9, abs=1e-12)
    correct = sum(error < 5e-4 for error in expected)
    assert evaluation.num_correct == correct
    assert evaluation.precision == correct / 120
    assert evaluation.matching_score == correct / 200
    # The true matches are at least correct, and most of the random ones are not.
    assert scene.is_inlier.sum() <= correct <= scene.is_inlier.sum() + 12


def test_pose_errors_are_those_of_a_pose_that_was_turned(scene: TwoViewScene, estimate: RobustEstimate) -> None:
    wrong = scene.T_0to1.copy()
    wrong[:3, :3] = rotation_about((1.0, 0.0, 0.0), 7.0) @ wrong[:3, :3]
    # An axis at right angles to the translation turns its direction by the whole angle.
    across = np.cross(scene.T_0to1[:3, 3], (0.0, 0.0, 1.0))
    wrong[:3, 3] = -3 * rotation_about(tuple(across), 11.0) @ wrong[:3, 3]  # of any length, of either sign
    evaluation = judge(scene, replace(estimate, T_0to1=wrong))
    # 1e-5 degrees: the arc cosine of a number near 1 keeps half of float64's digits
    assert evaluation.error_R == pytest.approx(7.0, abs=1e-5)
    assert evaluation.error_t == pytest.approx(11.0, abs=1e-5)
    assert evaluation.pose_error == evaluation.error_t


def test_failed_estimate_has_infinite_errors_and_the_matches_still_count(scene: TwoViewScene) -> None:
    failed = estimate_relative_pose(scene.points0[:2], scene.points1[:2], scene.camera0, scene.camera1)
    evaluation = judge(scene, failed)
    assert evaluation.error_t == evaluation.error_R == evaluation.pose_error == math.inf
    assert evaluation.num_correct > 0


@pytest.mark.parametrize("num_keypoints0", [0, 50])
def test_no_matches(scene: TwoViewScene, num_keypoints0: int) -> None:
    none = np.zeros((0, 2), dtype=np.float32)
    failed = estimate_relative_pose(none, none, scene.camera0, scene.camera1)
    evaluation = evaluate_pair(none, none, num_keypoints0, scene.camera0, scene.camera1, scene.T_0to1, failed)
    assert (evaluation.precision, evaluation.matching_score, evaluation.num_correct) == (0.0, 0.0, 0)
    assert evaluation.epipolar_errors.shape == (0,)
    assert evaluation.epipolar_errors.dtype == np.float64


def test_more_matches_than_keypoints_are_refused(scene: TwoViewScene, estimate: RobustEstimate) -> None:
    with pytest.raises(InputError, match="120 matches of 119 keypoints"):
        judge(scene, estimate, num_keypoints0=119)


def test_estimate_of_another_model_is_refused(scene: TwoViewScene) -> None:
    with pytest.raises(InputError, match="homography"):
        judge(scene, estimate_homography(scene.points0, scene.points1))


def test_truth_without_translation_is_refused(scene: TwoViewScene, estimate: RobustEstimate) -> None:
    turned = np.eye(4)
    turned[:3, :3] = scene.T_0to1[:3, :3]
    with pytest.raises(InputError, match="no translation"):
        judge(replace(scene, T_0to1=turned), estimate)


def pair_of(error_t: float, error_R: float, precision: float, matching_score: float) -> PairEvaluation:
    return PairEvaluation(error_t, error_R, precision, matching_score, 3, np.zeros(4))


def test_summary_is_in_percent_and_means_over_pairs() -> None:
    summary = summarise(
        [pair_of(4.0, 1.0, 0.75, 0.2), pair_of(0.5, 8.0, 0.25, 0.1), pair_of(math.inf, math.inf, 0, 0)]
    )  # By hand: errors 4, 8, inf; recall 1/3 at 4, 2/3 at 8.
    first, second = 4 / 6, 4 * 0.5
    # 1e-12: a few float64 roundings
    assert summary.num_pairs == 3
    assert summary.auc_5 == pytest.approx(100 * (first + 1 / 3) / 5, abs=1e-12)
    assert summary.auc_10 == pytest.approx(100 * (first + second + 2 * 2 / 3) / 10, abs=1e-12)
    assert summary.auc_20 == pytest.approx(100 * (first + second + 12 * 2 / 3) / 20, abs=1e-12)
    assert summary.precision == pytest.approx(100 / 3, abs=1e-12)
    assert summary.matching_score == pytest.approx(10, abs=1e-12)


def test_summary_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no evaluated pairs"):
        summarise([])
