"""Camera and pose by least squares: exact where the points are, and as uncertain as it says where they are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.optimize import least_squares

from cyano.formats.poses.absolute_pose import AbsolutePose, projected
from cyano.formats.poses.free_camera import freed_pose
from cyano.geometry import LensCamera
from cyano.types import ImageSize
from support.scenes import rotation_about

pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")

SIZE = ImageSize(480, 320)
TRUE = LensCamera("SIMPLE_PINHOLE", SIZE, (600.0, 0.0, 240.0))
"""The right half of a picture of twice the width."""

MIDDLE = LensCamera("SIMPLE_PINHOLE", SIZE, (560.0, 60.0, 240.0))


def cloud(count: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Points of different depths, far from the origin, and the pose of a camera that sees them."""
    rng = np.random.default_rng(0)
    points = rng.uniform((0, -1.5, -1.5), (2, 1.5, 1.5), (count, 3)) + 1000
    pose = np.eye(4)
    pose[:3, :3] = rotation_about((0.1, 1.0, 0.2), 8.0)
    pose[:3, 3] = np.array([0.1, 0.2, 6.0]) - pose[:3, :3] @ np.full(3, 1000.0)
    return points, pose


def nearby(points: np.ndarray, pose: np.ndarray) -> AbsolutePose:
    """A pose that is a degree and a tenth of a unit off."""
    middle = points.mean(0)
    start = np.eye(4)
    start[:3, :3] = rotation_about((1.0, 1.0, 0.0), 1.0) @ pose[:3, :3]
    start[:3, 3] = pose[:3, :3] @ middle + pose[:3, 3] + 0.1 - start[:3, :3] @ middle
    return AbsolutePose(start, MIDDLE, np.ones(len(points), bool))


def test_exact_points_give_the_exact_camera() -> None:
    points, pose = cloud()
    found = freed_pose(projected(points, pose, TRUE), points, nearby(points, pose))
    assert found is not None
    np.testing.assert_allclose(found.pose.camera.params, (*TRUE.params, 0), atol=1e-4)
    middle = points.mean(0)
    np.testing.assert_allclose(found.pose.T_world_to_camera[:3, :3], pose[:3, :3], atol=1e-7)
    there, here = (each[:3, :3] @ middle + each[:3, 3] for each in (pose, found.pose.T_world_to_camera))
    np.testing.assert_allclose(here, there, atol=1e-6)
    np.testing.assert_allclose(found.off, (-60, 0, 0), atol=1e-4)
    assert found.error < 1e-5 < found.error_before


def test_the_deviation_is_that_of_many_tries() -> None:
    """The deviation of 30 tries is off by 1 / sqrt(2 * 30), which is 13 %, by chance; three times that is 0.39."""
    points, pose = cloud()
    exact = projected(points, pose, TRUE)
    rng = np.random.default_rng(1)
    tries = [freed_pose(exact + rng.normal(0, 0.5, exact.shape), points, nearby(points, pose)) for _ in range(30)]
    offs = np.array([each.off for each in tries if each is not None])
    said = np.median([each.deviation for each in tries if each is not None], axis=0)
    assert len(offs) == 30
    np.testing.assert_allclose(offs.std(0)[:2], said[:2], rtol=0.39)


def test_a_lens_that_distorts_is_found_as_well() -> None:
    true = LensCamera("SIMPLE_RADIAL", SIZE, (600.0, 0.0, 240.0, -0.1))
    points, pose = cloud()
    found = freed_pose(projected(points, pose, true), points, nearby(points, pose), radial=True)
    assert found is not None
    np.testing.assert_allclose(found.pose.camera.params, true.params, atol=1e-4)
    assert found.off[2] == pytest.approx(-0.1, abs=1e-6)


@pytest.mark.parametrize("deviation", [0.01, 1.0, 20.0])
def test_what_is_known_of_the_principal_point_is_a_measurement_like_others(deviation: float) -> None:
    """As general least squares with two more residuals; the pose begins where the noise is that of the pixels."""
    points, pose = cloud()
    seen = projected(points, pose, TRUE) + np.random.default_rng(0).normal(0, 2.0, (len(points), 2))
    begun = freed_pose(seen, points, nearby(points, pose))
    assert begun is not None
    x, y = (begun.pose.camera.params[1] + 9.0, begun.pose.camera.params[2] - 9.0)
    start = AbsolutePose(
        begun.pose.T_world_to_camera, LensCamera("SIMPLE_PINHOLE", SIZE, (600.0, x, y)), begun.pose.inliers
    )
    found = freed_pose(seen, points, start, principal_deviation=deviation)
    assert found is not None
    noise = np.sqrt(
        np.square(projected(points, start.T_world_to_camera, start.camera) - seen).sum() / (2 * len(points) - 9)
    )

    def residuals(asked: np.ndarray) -> np.ndarray:
        T = moved(start.T_world_to_camera, points.mean(0), asked[:6])
        camera = LensCamera("SIMPLE_PINHOLE", SIZE, (600.0 * np.exp(asked[6]), x + asked[7], y + asked[8]))
        return np.concatenate([(projected(points, T, camera) - seen).ravel(), noise / deviation * asked[7:]])

    best = least_squares(residuals, np.zeros(9), x_scale="jac", xtol=1e-12, ftol=1e-12)
    np.testing.assert_allclose(found.off[:2], best.x[7:], atol=2e-3)  # of 9 px; steps end at 1e-7 of the squares


def moved(pose: np.ndarray, middle: np.ndarray, change: np.ndarray) -> np.ndarray:
    """After a rotation vector about a point of the world, and a translation."""
    after = np.eye(4)
    after[:3, :3] = cv2.Rodrigues(change[:3])[0] @ pose[:3, :3]
    after[:3, 3] = pose[:3, :3] @ middle + pose[:3, 3] + change[3:] - after[:3, :3] @ middle
    return after


def test_what_is_not_determined_is_none() -> None:
    points, pose = cloud(4)
    assert freed_pose(projected(points, pose, TRUE), points, nearby(points, pose)) is None  # 8 numbers of 9
