"""Distorted projection, against COLMAP's own and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.geometry.camera import Camera
from cyano.geometry.lens import Lens
from cyano.types import ImageSize, ResizeMap

SIZE = ImageSize(480, 640)
CAMERA = Camera(500.0, 510.0, 321.0, 236.0, SIZE)
OPENCV = Lens(CAMERA, (-0.12, 0.03), (0.002, -0.003))


def _points(count: int = 300) -> np.ndarray:
    return np.random.default_rng(0).uniform((-1.5, -1.2, 2.0), (1.5, 1.2, 4.0), (count, 3))


def test_pixels_are_those_of_colmap() -> None:
    pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    params = [500.0, 510.0, 321.5, 236.5, -0.12, 0.03, 0.002, -0.003]  # whose pixel centres lie at halves
    theirs = pycolmap.Camera(model="OPENCV", width=640, height=480, params=params)
    np.testing.assert_allclose(OPENCV.project(_points()), theirs.img_from_cam(_points()) - 0.5, atol=1e-9)


def test_without_distortion_it_is_the_pinhole_camera() -> None:
    points = _points()
    plain = points[:, :2] / points[:, 2:] * (CAMERA.fx, CAMERA.fy) + (CAMERA.cx, CAMERA.cy)
    np.testing.assert_allclose(Lens(CAMERA).project(points), plain, atol=1e-9)


def test_nothing_is_said_behind_the_camera_and_beyond_the_fold() -> None:
    # r (1 - 0.1 r^2) grows up to r^2 = 1 / 0.3, which is 61.3 degrees off the axis.
    lens = Lens(CAMERA, (-0.1, 0.0))
    angles = np.radians([0.0, 30.0, 61.0, 61.6, 80.0, 120.0])
    pixels = lens.project(np.stack([np.sin(angles), 0 * angles, np.cos(angles)], axis=1))
    assert np.isnan(pixels).any(axis=1).tolist() == [False, False, False, True, True, True]
    assert (np.diff(pixels[:3, 0]) > 0).all()


def test_the_resized_image_has_the_resized_pixels() -> None:
    frame = ResizeMap(SIZE, ImageSize(180, 240))
    expected = frame.to_network(OPENCV.project(_points()))
    np.testing.assert_allclose(OPENCV.scaled(frame).project(_points()), expected, atol=1e-9)
    assert OPENCV.scaled(frame).size == frame.network


def test_a_lens_knows_its_size() -> None:
    with pytest.raises(InputError, match="knows the size"):
        _ = Lens(Camera(500.0, 500.0, 320.0, 240.0)).size
