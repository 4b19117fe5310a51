from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyano.errors import InputError
from cyano.geometry import (
    Camera,
    angle_between,
    from_homogeneous,
    invert_rigid,
    quarter_turn_motion,
    rigid_motion,
    rotation_angle_between,
    to_homogeneous,
    warp_points,
)
from cyano.types import ImageSize, ResizeMap
from support.scenes import rotation_about

ROUNDING = 1e-12  # float64 over values of order one

components = st.floats(-10, 10)
axes = st.tuples(components, components, components).filter(lambda axis: math.hypot(*axis) > 0.1)


def test_homogeneous_coordinates_append_one_and_divide_by_it() -> None:
    assert to_homogeneous([[3.0, 4.0]]).tolist() == [[3.0, 4.0, 1.0]]
    assert from_homogeneous([[6.0, 8.0, 2.0]]).tolist() == [[3.0, 4.0]]


def test_no_points_stay_no_points() -> None:
    assert to_homogeneous(np.zeros((0, 2))).shape == (0, 3)
    assert warp_points(np.eye(3), np.zeros((0, 2), np.float32)).shape == (0, 2)
    assert warp_points(np.eye(3), np.zeros((0, 2), np.float32)).dtype == np.float64


def test_warp_points_agrees_with_a_loop_over_the_definition() -> None:
    H = np.array([[1.1, 0.2, 5.0], [-0.1, 0.9, -7.0], [1e-3, 2e-3, 1.0]])
    points = np.random.default_rng(0).uniform(0, 100, (20, 2))
    expected = []
    for x, y in points:
        u, v, w = (row[0] * x + row[1] * y + row[2] for row in H)
        expected.append((u / w, v / w))
    np.testing.assert_allclose(warp_points(H, points), expected, rtol=ROUNDING)


def test_a_point_on_the_horizon_is_not_finite_and_does_not_warn() -> None:
    H = np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, 0]])
    assert not np.isfinite(warp_points(H, [[0.0, 3.0]])).any()


@given(axis=axes, degrees=st.floats(-180, 180), t=st.tuples(components, components, components))
def test_a_motion_and_its_inverse_cancel(
    axis: tuple[float, float, float], degrees: float, t: tuple[float, float, float]
) -> None:
    T = rigid_motion(rotation_about(axis, degrees), t)
    np.testing.assert_allclose(invert_rigid(T) @ T, np.eye(4), atol=1e-13 * 100)
    np.testing.assert_allclose(invert_rigid(T), np.linalg.inv(T), atol=1e-11)


def test_a_motion_rotates_then_translates_and_takes_column_vectors() -> None:
    T = rigid_motion(rotation_about((0, 0, 1), 90), [[1.0], [2.0], [3.0]])
    np.testing.assert_allclose(T @ (1, 0, 0, 1), (1, 3, 3, 1), atol=ROUNDING)


@pytest.mark.parametrize(
    ("R", "t"), [(np.eye(4), np.zeros(3)), (np.eye(3), np.zeros(2)), (np.full((3, 3), np.nan), np.zeros(3))]
)
def test_motions_of_wrong_shape_or_nan_are_refused(R: np.ndarray, t: np.ndarray) -> None:
    with pytest.raises(InputError):
        rigid_motion(R, t)


@pytest.mark.parametrize("degrees", [0.0, 1e-7, 1e-3, 30.0, 90.0, 179.0, 180.0])
def test_angles_keep_their_digits_where_the_arccosine_loses_them(degrees: float) -> None:
    # 1e-9 degrees: the arccosine of float64 cannot tell angles below 1e-6 degrees from 0.
    R = rotation_about((1.0, -2.0, 0.5), 40)
    turned = rotation_about((0.3, 0.2, -1.0), degrees) @ R
    # Near 180 degrees the chord is flat in the angle, which costs half of the digits there.
    tolerance = 1e-9 if degrees < 179.5 else 1e-5
    assert math.degrees(rotation_angle_between(R, turned)) == pytest.approx(degrees, abs=tolerance)
    u, v = np.array([2.0, 0.0, 0.0]), rotation_about((0, 1, 1), degrees) @ (5.0, 0.0, 0.0)
    assert math.degrees(angle_between(u, v)) == pytest.approx(degrees, abs=1e-9)


@given(axis=axes, degrees=st.floats(0, 170))
def test_rotation_angle_does_not_depend_on_the_axis(axis: tuple[float, float, float], degrees: float) -> None:
    angle = rotation_angle_between(np.eye(3), rotation_about(axis, degrees))
    assert math.degrees(angle) == pytest.approx(degrees, abs=1e-8)


@pytest.mark.parametrize("turns", [-1, 0, 1, 2, 3, 4, 5])
def test_turning_the_camera_and_the_picture_agree(turns: int) -> None:
    """A point seen by the turned camera lands where the turned picture shows it."""
    size = ImageSize(480, 640)
    camera = Camera(600.0, 620.0, 310.0, 250.0, size)
    frame = ResizeMap(size, size.turned(turns), turns)
    X = np.random.default_rng(1).uniform((-2, -1, 4), (2, 1, 8), (10, 3))
    seen = from_homogeneous(X @ camera.matrix.T)
    turned = X @ quarter_turn_motion(turns)[:3, :3].T
    np.testing.assert_allclose(
        from_homogeneous(turned @ camera.scaled(frame).matrix.T), frame.to_network(seen), atol=1e-10
    )
