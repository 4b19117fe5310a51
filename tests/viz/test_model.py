"""Sparse models from above and from the side."""

from __future__ import annotations

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.geometry import rigid_motion
from cyano.synthesis.scenes.viewpoints import look_at
from cyano.viz import draw_model
from cyano.viz.model import frame_of


def test_right_is_right_and_up_is_up() -> None:
    middle = np.array([0.0, 0.0, 1.0])
    eyes = [np.array([x, -5.0, 1.0]) for x in (-1.0, 1.0)]
    poses = np.stack([look_at(eye, middle, 0.0) for eye in eyes])  # z is up, and they look along y
    turn = rigid_motion(np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]), np.array([3.0, 4, 5]))  # any frame will do
    points = np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 3.0]])
    turned = points @ turn[:3, :3].T + turn[:3, 3]
    figure = draw_model(turned, poses @ np.linalg.inv(turn), np.array([[255, 0, 0], [0, 255, 0]], np.uint8))
    above, side = figure.axes
    origin = turn[:3, 3]  # shifts only
    axes = np.array([turn[:3, :3] @ axis for axis in np.eye(3)])
    for panel, rows in ((above, [0, 1]), (side, [1, 2])):
        seen = np.asarray(panel.collections[0].get_offsets())
        np.testing.assert_allclose(seen, points[:, rows] + (axes @ origin)[rows], atol=1e-9)
        low, high = np.array([panel.get_xlim(), panel.get_ylim()]).T
        assert (low < np.asarray(panel.collections[2].get_offsets())).all()
        assert (high > np.asarray(panel.collections[2].get_offsets())).all()


def test_no_points_and_no_cameras() -> None:
    assert len(draw_model(np.empty((0, 3)), np.eye(4)[None]).axes) == 2
    with pytest.raises(InputError, match="without a camera"):
        draw_model(np.zeros((1, 3)), np.empty((0, 4, 4)))


def test_a_camera_that_is_far_off_does_not_empty_the_picture() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(-1, 1, (500, 3)), [[1e6, 0, 0]]])
    eyes = [np.array([x, -5.0, 0.0]) for x in (-1.0, 0.0, 1.0, 5000.0)]
    poses = np.stack([look_at(eye, np.zeros(3), 0.0) for eye in eyes])
    assert frame_of(points, poses).shown.tolist() == [True, True, True, False]
    figure = draw_model(points, poses, title="a title")
    for panel in figure.axes:
        assert np.ptp(panel.get_xlim()) < 12  # six units from the cameras to the far side, and the margins
        assert any("units of the model" in text.get_text() for text in panel.texts)
    assert figure.get_suptitle() == "a title\n4 cameras, of which 1 far off and not shown; 501 points"
    assert frame_of(points, np.stack([poses[0]])).shown.all()
