from __future__ import annotations

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.viz.colours import (
    INLIER,
    OUTLIER,
    SCORE_ANCHORS,
    UNKNOWN,
    error_colours,
    inlier_colours,
    one_colour,
    score_colours,
)


def lightness(rgb: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB colours, from the definition (IEC 61966-2-1 and CIE 1976)."""
    c = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    Y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(Y > (6 / 29) ** 3, 116 * np.cbrt(Y) - 16, Y * (29 / 3) ** 3)


def test_scores_at_the_anchors_have_the_anchors_colours() -> None:
    colours = score_colours(np.array([0.0, 0.25, 0.5, 0.75, 1.0], dtype=np.float32))
    assert colours.dtype == np.uint8
    assert colours.tolist() == [list(anchor) for anchor in SCORE_ANCHORS]


def test_scores_between_anchors_are_interpolated() -> None:
    middle = (np.array(SCORE_ANCHORS[0]) + SCORE_ANCHORS[1]) / 2
    # 0.5: rounding to whole levels
    assert np.abs(score_colours(np.array([0.125]))[0] - middle).max() <= 0.5


def test_scores_outside_the_range_have_the_colours_of_the_ends() -> None:
    assert np.array_equal(score_colours(np.array([-3.0, 7.0])), score_colours(np.array([0.0, 1.0])))


def test_score_map_runs_from_red_over_light_yellow_to_green() -> None:
    colours = score_colours(np.linspace(0, 1, 41)).astype(int)
    light = lightness(colours)
    assert light.argmax() == 20  # yellow, in the middle
    assert (np.diff(light[:21]) > 0).all()  # one way up
    assert (np.diff(light[20:]) < 0).all()  # one way down
    assert colours[0, 0] > 2 * colours[0, 1]
    assert colours[-1, 1] > 2 * colours[-1, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_have_to_be_finite(bad: float) -> None:
    with pytest.raises(InputError, match="finite"):
        score_colours(np.array([0.5, bad]))


def test_inliers_and_outliers() -> None:
    assert inlier_colours(np.array([True, False])).tolist() == [list(INLIER), list(OUTLIER)]


def test_inliers_and_outliers_differ_for_the_colour_blind() -> None:
    # Red and green cones confused: only blue against the mean of red and green is left to tell the two apart.
    def blue_yellow(rgb: tuple[int, int, int]) -> float:
        return rgb[2] - (rgb[0] + rgb[1]) / 2

    assert blue_yellow(INLIER) - blue_yellow(OUTLIER) > 200  # of at most 510


def test_errors_are_yellow_at_the_threshold_and_red_from_twice_that() -> None:
    colours = error_colours(np.array([0.0, 3.0, 6.0, 1e9, np.inf]), threshold=3.0)
    expected = score_colours(np.array([1.0, 0.5, 0.0, 0.0, 0.0]))
    assert np.array_equal(colours, expected)


def test_errors_without_ground_truth_are_grey() -> None:
    assert error_colours(np.array([np.nan]), threshold=3.0).tolist() == [list(UNKNOWN)]


@pytest.mark.parametrize("threshold", [0.0, -1.0, np.nan, np.inf])
def test_error_threshold_is_positive(threshold: float) -> None:
    with pytest.raises(InputError, match="threshold"):
        error_colours(np.array([1.0]), threshold)


def test_errors_are_not_negative() -> None:
    with pytest.raises(InputError, match="negative"):
        error_colours(np.array([-1.0]), 3.0)


def test_no_values_give_no_colours() -> None:
    nothing = np.zeros(0, dtype=np.float32)
    for colours in (
        score_colours(nothing),
        error_colours(nothing, 3.0),
        inlier_colours(np.zeros(0, dtype=bool)),
        one_colour(INLIER, 0),
    ):
        assert colours.shape == (0, 3)
        assert colours.dtype == np.uint8
