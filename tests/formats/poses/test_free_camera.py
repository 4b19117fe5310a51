"""Camera and pose by least squares: exact where the points are, and as uncertain as it says where they are not."""

from __future__ import annotations

import numpy as np
import pytest

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


@pytest.mark.parametrize("principal", [True, False])
def test_a_lens_that_distorts_is_found_as_well(principal: bool) -> None:
    true = LensCamera("SIMPLE_RADIAL", SIZE, (600.0, 0.0 if principal else 60.0, 240.0, -0.1))
    points, pose = cloud()
    found = freed_pose(projected(points, pose, true), points, nearby(points, pose), principal=principal, radial=True)
    assert found is not None
    np.testing.assert_allclose(found.pose.camera.params, true.params, atol=1e-4)
    assert found.off[2] == pytest.approx(-0.1, abs=1e-6)
    assert (found.deviation[:2] == 0).all() is not principal


def test_what_is_not_determined_is_none() -> None:
    points, pose = cloud(4)
    assert freed_pose(projected(points, pose, TRUE), points, nearby(points, pose)) is None  # 8 numbers of 9
