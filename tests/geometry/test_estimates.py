from __future__ import annotations

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.geometry import EstimateStatus, RobustEstimate, RobustOptions, rigid_motion
from cyano.geometry.estimates import matrix_text


def _estimate(kind: str, matrix: np.ndarray, T_0to1: np.ndarray) -> RobustEstimate:
    return RobustEstimate(kind, EstimateStatus.OK, matrix, T_0to1, np.ones(9, bool), RobustOptions())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"estimator": "ransac"}, "poselib, opencv"),
        ({"threshold_px": 0.0}, "threshold_px"),
        ({"threshold_px": float("nan")}, "threshold_px"),
        ({"threshold_px": float("inf")}, "threshold_px"),
        ({"confidence": 1.0}, "confidence"),
        ({"confidence": 0.0}, "confidence"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"max_iterations": 2.5}, "max_iterations"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**31}, "seed"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        RobustOptions(**options)  # type: ignore[arg-type]


def test_the_default_thresholds_are_three_pixels_for_homographies_and_one_for_the_rest() -> None:
    kinds = ("homography", "fundamental", "essential", "pose")
    assert [RobustOptions().threshold_for(kind) for kind in kinds] == [3.0, 1.0, 1.0, 1.0]
    assert [RobustOptions(threshold_px=2.5).threshold_for(kind) for kind in kinds] == [2.5] * 4


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (EstimateStatus.OK, "relative pose: 2 inliers of 3 matches (threshold 1 px)"),
        (EstimateStatus.TOO_FEW_MATCHES, "no relative pose: 3 matches, at least 5 are needed"),
        (EstimateStatus.DEGENERATE, "no relative pose: degenerate, the matches lie on one line"),
        (EstimateStatus.NO_MODEL, "no relative pose: too few inliers among 3 matches (threshold 1 px)"),
    ],
)
def test_every_status_has_its_line(status: EstimateStatus, message: str) -> None:
    inliers = np.array([True, False, True])
    estimate = RobustEstimate("pose", status, np.eye(3), np.eye(4), inliers, RobustOptions())
    assert estimate.message == message
    assert estimate.ok == (status is EstimateStatus.OK)
    assert estimate.num_inliers == 2


def test_matrices_are_told_with_six_digits_in_columns() -> None:
    H = np.array([[0.98765432, -0.0, 123.456789], [-0.5, 1.0, -8.0], [1.23456789e-5, 0.0, 1.0]])
    text = matrix_text(H)
    assert np.allclose([[float(x) for x in line.strip("[]").split()] for line in text.split("\n")], H, rtol=5e-6)
    assert "-0 " not in text
    assert len({len(line) for line in text.split("\n")}) == 1
    for kind, name in (("homography", "H"), ("fundamental", "F"), ("essential", "E")):
        assert _estimate(kind, H, np.full((4, 4), np.nan)).facts() == [(name, text)]


@pytest.mark.parametrize(
    ("centre", "where"),
    [
        ((1, 0, 0), "right of camera 0, 0.0 degrees"),
        ((-1, 0, 0), "left of"),
        ((0, 1, 0), "below"),  # y points down
        ((0, -1, 0), "above"),
        ((0, 0, 1), "in front of"),
        ((0, 0, -1), "behind"),
        ((np.cos(np.radians(20)), 0, np.sin(np.radians(20))), "right of camera 0, 20.0 degrees"),
    ],
)
def test_a_pose_is_told_by_its_angle_and_where_the_second_camera_is(centre: tuple[float, ...], where: str) -> None:
    a = np.radians(30.0)  # about the y axis
    R = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    t = -R @ np.array(centre)
    facts = dict(_estimate("pose", np.eye(3), rigid_motion(R, t)).facts())
    assert list(facts) == ["R", "t", "rotation", "translation"]
    assert facts["rotation"] == "30.00 degrees"
    assert where in facts["translation"]
    assert np.allclose([float(x) for x in facts["t"].split("]")[0].strip("[").split()], t, atol=1e-6)
    assert np.allclose([[float(x) for x in line.strip("[]").split()] for line in facts["R"].split("\n")], R, atol=1e-6)


def test_what_a_notebook_shows_of_an_estimate() -> None:
    found = _estimate("homography", np.eye(3), np.full((4, 4), np.nan))
    assert "9 inliers of 9 matches" in found._repr_html_()
    assert "<th>H</th>" in found._repr_html_()
    none = RobustEstimate(
        "pose", EstimateStatus.NO_MODEL, np.eye(3) * np.nan, np.eye(4) * np.nan, np.zeros(9, bool), RobustOptions()
    )
    assert none.facts() == []
    assert "too few inliers" in none._repr_html_()
    assert "nan" not in none._repr_html_() + repr(none)
