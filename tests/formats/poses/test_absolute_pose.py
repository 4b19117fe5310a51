"""Poses from points and their projections: exact ones, wrong ones, pixels' conventions and uncertainty."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.formats.mapping.known_cameras import CameraEntry, displayed_camera
from cyano.formats.poses.absolute_pose import AbsolutePose, Intrinsics, absolute_pose, projected
from cyano.formats.poses.covariance import pose_covariance
from cyano.formats.priors import PositionPrior
from cyano.geometry import Camera, LensCamera
from cyano.types import ImageSize
from support.scenes import add_outliers, project, rotation_about

pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")

SIZE = ImageSize(480, 640)
PLAIN = Camera(600.0, 620.0, 319.5, 239.5, SIZE)
KNOWN = LensCamera.from_pinhole(PLAIN)
BENT = LensCamera("SIMPLE_RADIAL", SIZE, (600.0, 319.5, 239.5, 0.05))


def scene(count: int = 200, far: float = 0.0, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of the world, `far` from its origin, and the pose that sees them 4 to 8 units ahead."""
    rng = np.random.default_rng(seed)
    pose = np.eye(4)
    pose[:3, :3] = rotation_about((0.2, 1.0, -0.1), 35.0)
    inside = rng.uniform((-1.6, -1.2, 4.0), (1.6, 1.2, 8.0), (count, 3))
    centre = np.array([far + 0.3, 0.2 - far / 2, 0.1 + far / 3])
    pose[:3, 3] = -pose[:3, :3] @ centre
    return (inside - pose[:3, 3]) @ pose[:3, :3], pose


def test_projections_are_those_of_the_definition_with_the_half_pixel() -> None:
    points, pose = scene()
    expected = project(PLAIN, points @ pose[:3, :3].T + pose[:3, 3])
    np.testing.assert_allclose(projected(points, pose, KNOWN), expected, atol=1e-9)


def test_what_is_behind_the_camera_is_seen_nowhere() -> None:
    points = np.array([[0.0, 0.0, 2.0], [0.0, 0.0, -2.0], [0.0, 0.0, 0.0]])
    seen = projected(points, np.eye(4), KNOWN)
    np.testing.assert_allclose(seen[0], (319.5, 239.5))
    assert np.isnan(seen[1:]).all()


@pytest.mark.parametrize("far", [0.0, 1e3, 1e6])
def test_exact_points_give_the_exact_pose_also_far_away(far: float) -> None:
    points, pose = scene(far=far)
    found = absolute_pose(projected(points, pose, KNOWN), points, Intrinsics(KNOWN))
    assert found is not None
    assert found.inliers.all()
    assert found.camera == KNOWN
    # Near the points the pose is exact to a float's last digits; t itself has those of its size.
    np.testing.assert_allclose(found.T_world_to_camera[:3, :3], pose[:3, :3], atol=1e-8)
    centre = -found.T_world_to_camera[:3, :3].T @ found.T_world_to_camera[:3, 3]
    np.testing.assert_allclose(centre, -pose[:3, :3].T @ pose[:3, 3], atol=1e-6)


def test_half_of_the_points_may_be_wrong() -> None:
    points, pose = scene()
    seen, right = add_outliers(projected(points, pose, KNOWN), 0.5, SIZE, np.random.default_rng(1))
    found = absolute_pose(seen, points, Intrinsics(KNOWN))
    assert found is not None
    assert found.inliers[right].all()
    assert found.inliers[~right].sum() <= 2  # a random place is within 4 px of the right one once in 6,000
    np.testing.assert_allclose(found.T_world_to_camera, pose, atol=1e-3)


def test_the_focal_length_is_refined_or_searched_for() -> None:
    points, pose = scene()
    seen = projected(points, pose, LensCamera("SIMPLE_PINHOLE", SIZE, (600.0, 319.5, 239.5)))
    for start, guessed in ((560.0, False), (1200.0, True)):
        known = LensCamera("SIMPLE_PINHOLE", SIZE, (start, 319.5, 239.5))
        found = absolute_pose(seen, points, Intrinsics(known, exact=False, guessed=guessed), threshold_px=12.0)
        assert found is not None
        assert found.camera.params[0] == pytest.approx(600, rel=1e-5)
        np.testing.assert_allclose(found.T_world_to_camera, pose, atol=1e-4)


def test_too_few_points_have_no_pose() -> None:
    points, pose = scene(count=4)
    seen = projected(points, pose, KNOWN)
    for count in range(4):
        assert absolute_pose(seen[:count], points[:count], Intrinsics(KNOWN)) is None


@pytest.mark.parametrize("camera", [KNOWN, BENT])
@pytest.mark.parametrize("exact", [True, False])
def test_the_covariance_is_that_of_many_tries(camera: LensCamera, exact: bool) -> None:
    points, pose = scene(count=100, far=30.0)
    rng = np.random.default_rng(3)
    errors, told = [], []
    for _ in range(150):
        seen = projected(points, pose, camera) + rng.normal(0, 0.5, (len(points), 2))
        found = absolute_pose(seen, points, Intrinsics(camera, exact=exact), threshold_px=8.0)
        assert found is not None
        errors.append(_error(found, pose))
        covariance = pose_covariance(seen, points, found.T_world_to_camera, found.camera, focal_refined=not exact)
        told.append(np.sqrt(np.diag(covariance)))
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / np.mean(told, axis=0)
    # Deviations of 150 tries are themselves uncertain by 6 %, and COLMAP's robust refinement is a little less exact
    # than least squares, whose covariance this is. A wrong convention of the rotation would make it 2, a world whose
    # origin is not where the points are 10 and more.
    assert (ratio > 0.8).all()
    assert (ratio < 1.4).all()


def _error(found: AbsolutePose, pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """(6,) rotation vector after the true rotation, and difference of the translations."""
    turn = found.T_world_to_camera[:3, :3] @ pose[:3, :3].T
    vector = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    return np.concatenate([vector, found.T_world_to_camera[:3, 3] - pose[:3, 3]])


def test_copies_of_a_measurement_make_no_pose_more_certain() -> None:
    points, pose = scene()
    seen = projected(points, pose, KNOWN) + np.random.default_rng(0).normal(0, 0.5, (len(points), 2))
    once = pose_covariance(seen, points, pose, KNOWN)
    third = np.full(3 * len(points), 1 / 3)
    thrice = pose_covariance(np.tile(seen, (3, 1)), np.tile(points, (3, 1)), pose, KNOWN, weights=third)
    np.testing.assert_allclose(thrice, once, rtol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_points_determine_no_covariance(count: int) -> None:
    points, pose = scene()
    seen = projected(points, pose, KNOWN)
    found = pose_covariance(seen[:count], points[:count], pose, KNOWN)
    assert found.shape == (6, 6)
    assert np.isnan(found).all()
    line = np.linspace((0.0, 0.0, 4.0), (1.0, 0.5, 6.0), 50)  # around which the camera may turn
    assert np.isnan(pose_covariance(projected(line, np.eye(4), KNOWN) + 0.1, line, np.eye(4), KNOWN)).all()


def test_an_entry_is_the_camera_of_the_picture_as_it_is_displayed() -> None:
    stored = ImageSize(480, 640)
    known = CameraEntry("PINHOLE", (600.0, 620.0, 310.0, 250.0), ImageSize(960, 1280))
    half = displayed_camera(known, stored, 1, "a.jpg")
    assert half == LensCamera("PINHOLE", stored, (300.0, 310.0, 154.5, 124.5))
    # Orientation 6 is displayed a quarter turn clockwise: the row from the top is the column from the right.
    turned = displayed_camera(known, stored, 6, "a.jpg")
    assert turned == LensCamera("PINHOLE", ImageSize(640, 480), (310.0, 300.0, 480 - 125.5, 154.5))
    assert displayed_camera(CameraEntry("PINHOLE", (600.0, 620.0, 320.0, 240.0)), stored, 1, "a.jpg") == KNOWN
    for entry, text in (
        (CameraEntry("PINHOLE", (600.0, 620.0, 320.0, 240.0), ImageSize(500, 500)), "another aspect ratio"),
        (CameraEntry("PINHOLE", (600.0, 620.0, 32.0, 240.0)), "not near the centre"),
        (CameraEntry("PINHOLE"), "only the camera's model is given"),
    ):
        with pytest.raises(InputError, match=text):
            displayed_camera(entry, stored, 1, "a.jpg")


def test_a_position_that_is_known_has_a_say_by_its_deviations() -> None:
    points, pose = scene(count=60, far=1e3)
    seen = projected(points, pose, KNOWN) + np.random.default_rng(5).normal(0, 0.5, (60, 2))
    centre = -pose[:3, :3].T @ pose[:3, 3]
    x, y, z = (centre + np.array([0.05, -0.03, 0.02])).tolist()

    def found(deviations: tuple[float, float, float] | None) -> NDArray[np.float64]:
        estimate = absolute_pose(seen, points, Intrinsics(KNOWN), prior=PositionPrior((x, y, z), deviations))
        assert estimate is not None
        return -estimate.T_world_to_camera[:3, :3].T @ estimate.T_world_to_camera[:3, 3]

    alone = found(None)
    np.testing.assert_allclose(found((1e-6,) * 3), (x, y, z), atol=1e-5)
    np.testing.assert_allclose(found((1e4,) * 3), alone, atol=1e-4)
    along_x = found((1e-6, 1e4, 1e4))
    assert abs(along_x[0] - x) < 1e-5
    assert np.abs(along_x[1:] - (y, z)).max() > 1e-3
