"""Sparse models from above and from the side."""

from __future__ import annotations

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.geometry import rigid_motion
from cyano.synthesis.scenes.viewpoints import look_at
from cyano.viz import draw_model
from cyano.viz.model import frame_of

CAMERA = (214, 39, 40)


def test_right_is_right_and_up_is_up() -> None:
    middle = np.array([0.0, 0.0, 1.0])
    eyes = [np.array([x, -5.0, 1.0]) for x in (-1.0, 1.0)]
    poses = np.stack([look_at(eye, middle, 0.0) for eye in eyes])  # z is up, and they look along y
    turn = rigid_motion(np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]), np.array([3.0, 4, 5]))  # any frame will do
    points = np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 3.0]])
    turned = points @ turn[:3, :3].T + turn[:3, 3]
    picture = draw_model(turned, poses @ np.linalg.inv(turn), np.array([[255, 0, 0], [0, 255, 0]], np.uint8))
    assert (picture.shape, picture.dtype) == ((900, 1800, 3), np.uint8)
    # The longest extent, from the cameras to 98 % of the points, is 5.98 units forward, and a panel holds a fifth more.
    # The first point is 2 units to the right of the second, 1 less far and 2 lower.
    unit = 788 / (1.2 * 5.98)
    for columns, across, down in ((slice(900), 2, 1), (slice(900, 1800), -1, 2)):
        red, green = (centre(picture[:, columns], channel) for channel in (0, 1))
        # A dot is placed to half a pixel.
        np.testing.assert_allclose(red - green, (across * unit, down * unit), atol=1.0)
        cameras = (picture[:, columns] == CAMERA).all(axis=2)
        assert cameras.sum() > 20
    above = picture[:, :900]
    cameras = np.argwhere((above == CAMERA).all(axis=2))
    assert cameras[:, 0].min() > centre(above, 0)[1]  # they look along y and stand before everything
    side = centre(picture[:, 900:], 0)
    assert np.argwhere((picture[:, 900:] == CAMERA).all(axis=2))[:, 1].max() < side[0]


def centre(picture: np.ndarray, channel: int) -> np.ndarray:
    """The (x, y) of the dot that has no other channel than this."""
    others = [each for each in range(3) if each != channel]
    rows, columns = np.nonzero((picture[..., channel] > 200) & (picture[..., others] == 0).all(axis=2))
    assert 4 < len(rows) < 60
    return np.array([columns.mean(), rows.mean()])


def test_no_points_and_no_cameras() -> None:
    assert (draw_model(np.empty((0, 3)), np.eye(4)[None]) == CAMERA).all(axis=2).any()
    with pytest.raises(InputError, match="without a camera"):
        draw_model(np.zeros((1, 3)), np.empty((0, 4, 4)))


def test_a_camera_that_is_far_off_does_not_empty_the_picture() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(-1, 1, (500, 3)), [[1e6, 0, 0]]])
    eyes = [np.array([x, -5.0, 0.0]) for x in (-1.0, 0.0, 1.0, 5000.0)]
    poses = np.stack([look_at(eye, np.zeros(3), 0.0) for eye in eyes])
    assert frame_of(points, poses).shown.tolist() == [True, True, True, False]
    picture = draw_model(points, poses, title="a title")
    assert not np.array_equal(picture[:30], draw_model(points, poses)[:30])
    # Three cameras: six units from them to the far side fill most of both panels.
    for panel in (picture[:, :900], picture[:, 900:]):
        points_seen = np.argwhere((panel == 80).all(axis=2))
        assert np.ptp(points_seen, axis=0).max() > 788 / 4
    assert frame_of(points, np.stack([poses[0]])).shown.all()


def test_counts_and_scale_are_written() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(-1, 1, (40, 3))
    poses = np.stack([look_at(np.array([x, -5.0, 0.0]), np.zeros(3), 0.0) for x in (-1.0, 1.0)])
    few, all_points, large = (draw_model(each, poses) for each in (points[:30], points, 7 * points))
    assert (few[:40] != all_points[:40]).any()  # "30 points" and "40 points"
    assert (few[:40, :600] == 255).all()
    foot = slice(900 - 12 - 70, 900 - 12 - 20), slice(70, 500)
    assert (all_points[foot] < 128).any()
    assert (all_points[foot] != large[foot]).any()


@pytest.mark.parametrize("reach", [3999.9999999999995, 0.39999999999999997, 4.0, 1e-9, 7e12])
def test_any_reach_has_a_scale(reach: float) -> None:
    """Also a hair below a power of ten, whose logarithm is rounded to that of the power."""
    poses = np.stack([np.eye(4), np.eye(4)])
    poses[1, 0, 3] = -reach
    picture = draw_model(np.empty((0, 3)), poses)
    bar = (picture[round(0.96 * 788) + 900 - 12 - 788, :900] == 0).all(axis=1)
    assert 788 / 1.2 / 10 - 4 <= bar.sum() <= 788 / 1.2 / 4 + 4  # from a tenth to a quarter of the reach, and the frame


def test_a_million_points_are_painted() -> None:
    points = np.random.default_rng(2).uniform(-1, 1, (1_000_000, 3))
    pose = look_at(np.array([0.0, -5.0, 0.0]), np.zeros(3), 0.0)
    picture = draw_model(points, pose[None])
    assert (picture[:, :900] == 80).all(axis=2).mean() > 0.05
