"""Quaternions of rotations."""

from __future__ import annotations

import numpy as np
import pytest

from cyano.geometry.quaternions import quaternion
from support.scenes import rotation_about


@pytest.mark.parametrize("degrees", [0.0, 1e-6, 30.0, 90.0, 179.999999, 180.0])
@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, -2.0, 0.5)])
def test_it_is_half_the_angle_about_the_axis(axis: tuple[float, float, float], degrees: float) -> None:
    found = quaternion(rotation_about(axis, degrees))
    half = np.radians(degrees) / 2
    expected = np.array([np.cos(half), *(np.sin(half) * np.array(axis) / np.linalg.norm(axis))])
    sign = np.sign(found @ expected) if degrees == 180.0 else 1.0  # both signs are the same turn
    np.testing.assert_allclose(found, sign * expected, atol=1e-12)
    assert found[0] >= 0


def test_it_is_that_of_scipy() -> None:
    rotations = pytest.importorskip("scipy.spatial.transform").Rotation.random(50, random_state=0)
    for rotation in rotations:
        x, y, z, w = rotation.as_quat()
        expected = np.array([w, x, y, z]) * (1 if w >= 0 else -1)
        np.testing.assert_allclose(quaternion(rotation.as_matrix()), expected, atol=1e-12)
