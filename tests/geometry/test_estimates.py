from __future__ import annotations

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.geometry import EstimateStatus, RobustEstimate, RobustOptions


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
        (EstimateStatus.OK, "relative pose: 2 of 3 matches agree within 1 px"),
        (EstimateStatus.TOO_FEW_MATCHES, "no relative pose: 3 matches, at least 5 are needed"),
        (EstimateStatus.DEGENERATE, "no relative pose: the matches lie on one line, which leaves it undetermined"),
        (EstimateStatus.NO_MODEL, "no relative pose: too few of 3 matches agree within 1 px"),
    ],
)
def test_every_status_has_its_line(status: EstimateStatus, message: str) -> None:
    inliers = np.array([True, False, True])
    estimate = RobustEstimate("pose", status, np.eye(3), np.eye(4), inliers, RobustOptions())
    assert estimate.message == message
    assert estimate.ok == (status is EstimateStatus.OK)
    assert estimate.num_inliers == 2
