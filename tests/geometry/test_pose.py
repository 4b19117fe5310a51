from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyano.errors import InputError
from cyano.geometry import in_front_of_both, pose_error, rigid_motion
from support.scenes import rotation_about, two_view_scene

R_TRUE = rotation_about((0.2, 1.0, 0.1), 12.0)
T_TRUE = rigid_motion(R_TRUE, (1.0, 0.0, 0.0))


@given(rotation=st.floats(0, 170), translation=st.floats(0, 180))
def test_known_errors_come_back(rotation: float, translation: float) -> None:
    R = rotation_about((1, 2, 3), rotation) @ R_TRUE
    t = rotation_about((0, 0, 1), translation) @ (7.0, 0.0, 0.0)  # its length does not matter
    error = pose_error(T_TRUE, R, t)
    assert error.rotation == pytest.approx(rotation, abs=1e-8)
    assert error.translation == pytest.approx(min(translation, 180 - translation), abs=1e-8)
    assert error.worst == max(error.rotation, error.translation)


def test_the_sign_of_the_translation_is_free() -> None:
    assert pose_error(T_TRUE, R_TRUE, [[-1.0], [0.0], [0.0]]).translation == pytest.approx(0, abs=1e-12)


def test_a_failed_estimate_is_infinitely_wrong() -> None:
    nan = np.full((4, 4), np.nan)
    assert pose_error(T_TRUE, nan[:3, :3], nan[:3, 3]) == (math.inf, math.inf)


def test_a_translation_without_direction() -> None:
    still = rigid_motion(R_TRUE, np.zeros(3))
    assert pose_error(still, R_TRUE, (0.3, -0.5, 0.1)).translation == 0.0
    assert pose_error(T_TRUE, R_TRUE, np.zeros(3)).translation == 90.0


def test_a_truth_of_nan_is_refused() -> None:
    with pytest.raises(InputError):
        pose_error(np.full((4, 4), np.nan), R_TRUE, np.ones(3))


def test_points_ahead_are_in_front_of_both_and_a_flipped_baseline_puts_them_behind() -> None:
    scene = two_view_scene(50)
    points0 = scene.camera0.normalise(scene.points0)
    points1 = scene.camera1.normalise(scene.points1)
    assert in_front_of_both(scene.T_0to1, points0, points1).all()
    flipped = scene.T_0to1.copy()
    flipped[:3, 3] *= -1
    assert not in_front_of_both(flipped, points0, points1).any()


def test_front_of_one_camera_only() -> None:
    # Camera 1 stands at z = 5 of camera 0 and looks the same way; the point at z = 3 is behind it.
    T = rigid_motion(np.eye(3), (0.0, 0.0, -5.0))
    ahead, between, behind = (np.array([1.0, 1.0, z]) for z in (8.0, 3.0, -4.0))
    seen0 = [(X / X[2])[:2] for X in (ahead, between, behind)]
    moved = [X - (0, 0, 5) for X in (ahead, between, behind)]
    seen1 = [(X / X[2])[:2] for X in moved]
    assert in_front_of_both(T, seen0, seen1).tolist() == [True, False, False]


def test_no_points_give_an_empty_mask() -> None:
    mask = in_front_of_both(T_TRUE, np.zeros((0, 2)), np.zeros((0, 2)))
    assert mask.shape == (0,)
    assert mask.dtype == np.bool_
