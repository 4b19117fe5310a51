from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyano.errors import InputError
from cyano.geometry import (
    corner_error,
    homography_dlt,
    image_corners,
    invert_homography,
    symmetric_transfer_error,
    warp_points,
)
from cyano.types import ImageSize
from support.scenes import H_TRUE, homography_matches

SIZE = ImageSize(480, 640)


@pytest.mark.parametrize("count", [4, 5, 100])
def test_exact_matches_give_the_homography_back(count: int) -> None:
    points0, points1, _ = homography_matches(count)
    # 1e-8 px: rounding, amplified by the condition of four random points
    assert corner_error(homography_dlt(points0, points1), H_TRUE, SIZE) < 1e-8


@given(
    small=st.lists(st.floats(-0.1, 0.1), min_size=4, max_size=4),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    perspective=st.tuples(st.floats(-3e-4, 3e-4), st.floats(-3e-4, 3e-4)),
)
def test_any_mild_homography_is_recovered(
    small: list[float], shift: tuple[float, float], perspective: tuple[float, float]
) -> None:
    H = np.array([[1 + small[0], small[1], shift[0]], [small[2], 1 + small[3], shift[1]], [*perspective, 1.0]])
    corners = image_corners(SIZE)
    assert corner_error(homography_dlt(corners, warp_points(H, corners)), H, SIZE) < 1e-7
    back = warp_points(invert_homography(H), warp_points(H, corners))
    np.testing.assert_allclose(back, corners, atol=1e-8)


def test_noise_is_averaged_as_least_squares_does() -> None:
    """Error falls with the root of the count: 100 times the matches, about a tenth of the error."""
    few = [
        corner_error(homography_dlt(*homography_matches(20, noise_px=1, seed=s)[:2]), H_TRUE, SIZE) for s in range(8)
    ]
    many = [
        corner_error(homography_dlt(*homography_matches(2000, noise_px=1, seed=s)[:2]), H_TRUE, SIZE) for s in range(8)
    ]
    assert 4 < np.median(few) / np.median(many) < 25  # 10, and what the luck of eight draws does to it


def test_the_fit_does_not_depend_on_the_frame() -> None:
    """The reason to normalise: shifting and scaling the pixels only shifts and scales the answer."""
    points0, points1, _ = homography_matches(50, noise_px=2)
    S = np.array([[0.01, 0, 500.0], [0, 0.01, -300.0], [0, 0, 1]])
    direct = homography_dlt(points0, points1)
    moved = homography_dlt(warp_points(S, points0), warp_points(S, points1))
    assert corner_error(np.linalg.inv(S) @ moved @ S, direct, SIZE) < 1e-7


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((0, 2)),
        np.array([[0.0, 0], [1, 0], [0, 1]]),
        np.full((10, 2), 7.0),
        np.stack([np.arange(10.0), 2 * np.arange(10.0)], axis=1),
        np.array([[0.0, 0], [1, 1], [2, 2], [5, 0]]),  # three of four on a line
    ],
    ids=["none", "three", "one place", "one line", "three on a line"],
)
def test_undetermined_is_nan_of_the_same_shape(points: np.ndarray) -> None:
    H = homography_dlt(points, points + 3)
    assert H.shape == (3, 3)
    assert np.isnan(H).all()
    assert corner_error(H, np.eye(3), SIZE) == float("inf")


def test_corner_error_of_a_shift_is_its_length() -> None:
    shift = np.array([[1.0, 0, 3], [0, 1, 4], [0, 0, 1]])
    assert corner_error(shift, np.eye(3), SIZE) == pytest.approx(5.0, rel=1e-12)
    # Enlarging by 1 % about the first pixel centre moves the corners by 0, 6.39, 4.79 and their diagonal.
    bigger = np.diag([1.01, 1.01, 1.0])
    assert corner_error(bigger, np.eye(3), SIZE) == pytest.approx((6.39 + 4.79 + np.hypot(6.39, 4.79)) / 4)


def test_symmetric_transfer_error_of_a_magnification() -> None:
    # H doubles: a match 2 px off in image 1 is 1 px off in image 0, so 4 + 1.
    error = symmetric_transfer_error(np.diag([2.0, 2.0, 1.0]), [[10.0, 10.0], [5.0, 5.0]], [[22.0, 20.0], [10.0, 10.0]])
    np.testing.assert_allclose(error, [5.0, 0.0], atol=1e-12)
    assert symmetric_transfer_error(np.eye(3), np.zeros((0, 2)), np.zeros((0, 2))).shape == (0,)


@pytest.mark.parametrize("H", [np.zeros((3, 3)), np.ones((3, 3)), np.full((3, 3), np.nan), np.eye(2)])
def test_a_matrix_without_inverse_is_refused(H: np.ndarray) -> None:
    with pytest.raises(InputError):
        invert_homography(H)


@pytest.mark.parametrize(
    ("points0", "points1"),
    [
        (np.zeros((4, 3)), np.zeros((4, 3))),
        (np.zeros((4, 2)), np.zeros((5, 2))),
        (np.full((4, 2), np.nan), np.zeros((4, 2))),
        ([[0, 1], [2]], [[0, 1], [2, 3]]),
    ],
)
def test_unusable_points_are_refused(points0: object, points1: object) -> None:
    with pytest.raises(InputError):
        homography_dlt(points0, points1)  # type: ignore[arg-type]


def test_arguments_stay_as_they_were() -> None:
    points0, points1, _ = homography_matches(10)
    copies = points0.copy(), points1.copy()
    homography_dlt(points0, points1)
    assert (points0 == copies[0]).all()
    assert (points1 == copies[1]).all()


def test_weights_say_how_much_a_match_counts() -> None:
    points0, points1, _ = homography_matches(40)
    spoiled = points1.copy()
    spoiled[3] += 100
    weights = np.ones(40)
    weights[3] = 0
    assert corner_error(homography_dlt(points0, spoiled), H_TRUE, SIZE) > 1
    assert corner_error(homography_dlt(points0, spoiled, weights), H_TRUE, SIZE) < 1e-8
    # Only their ratios count. 1e-8 px: rounding, as above.
    assert (
        corner_error(homography_dlt(points0, spoiled, np.full(40, 7.0)), homography_dlt(points0, spoiled), SIZE) < 1e-8
    )
    assert np.isnan(homography_dlt(points0, points1, np.zeros(40))).all()
    for wrong in (np.ones(39), -np.ones(40)):
        with pytest.raises(InputError, match="weights"):
            homography_dlt(points0, points1, wrong)
