"""Which images show one place, and which poses are of different places."""

from __future__ import annotations

import numpy as np
import pytest

from cyano.localisation.photograph.groups import connected, differ
from support.scenes import rotation_about


def test_images_are_connected_by_eight_common_points_and_by_others() -> None:
    a, b, c = np.arange(0, 20), np.arange(12, 40), np.arange(32, 60)  # a and b share 8, b and c too, a and c none
    assert connected([a, b, c]) == [[0, 1, 2]]
    assert connected([a, c]) == [[0], [1]]
    assert connected([c, a, b]) == [[0, 1, 2]]
    assert connected([a, b[1:]]) == [[0], [1]]  # 7
    assert connected([]) == []


def test_keypoints_that_are_no_points_connect_nothing() -> None:
    none = np.full(30, -1)
    assert connected([none, none]) == [[0], [1]]


def test_the_same_point_twice_in_an_image_counts_once() -> None:
    assert connected([np.arange(7).repeat(2), np.arange(7).repeat(3)]) == [[0], [1]]


@pytest.mark.parametrize(
    ("degrees", "common", "different"), [(9.9, 100, False), (10.1, 100, True), (0, 50, False), (0, 49, True)]
)
def test_poses_differ_by_their_rotation_or_by_their_inliers(degrees: float, common: int, different: bool) -> None:
    one, other = np.zeros(400, bool), np.zeros(400, bool)
    one[:100] = True
    other[100 - common : 300 - common] = True  # 200, of which so many are among the 100
    pose, turned = np.eye(4), np.eye(4)
    turned[:3, :3] = rotation_about((0.3, 1.0, -0.2), degrees)
    assert differ(pose, one, turned, other) is different
    assert differ(turned, other, pose, one) is different
