"""Where points truly lie, against closed forms: a plane is a homography, a plate in front of it hides a strip."""

from __future__ import annotations

import numpy as np
import pytest

from cyano.geometry.camera import Camera
from cyano.geometry.transforms import from_homogeneous, invert_rigid, rigid_motion, to_homogeneous, warp_points
from cyano.geometry.truth import DepthTruth, HomographyTruth, Visibility, depth_at
from cyano.types import ImageSize

CAMERA0 = Camera(300.0, 310.0, 158.0, 121.5, ImageSize(240, 320))
CAMERA1 = Camera(250.0, 245.0, 190.0, 140.0, ImageSize(300, 400))
NORMAL, DISTANCE = np.array([0.2, -0.3, 0.9]), 3.0  # the plane n . X = d in the frame of camera 0


def _turn(axis: tuple[float, float, float], angle: float) -> np.ndarray:
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    K = np.array([(0, -z, y), (z, 0, -x), (-y, x, 0)])
    return np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K


T_0TO1 = rigid_motion(_turn((0.3, 1.0, 0.2), -0.35), (0.6, 0.15, 0.2))


def _pixels(camera: Camera) -> np.ndarray:
    assert camera.size is not None
    y, x = np.mgrid[: camera.size.height, : camera.size.width]
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)


def _plane_depth(camera: Camera, T: np.ndarray) -> np.ndarray:
    """Depth of the plane in a camera at T (from camera 0)."""
    assert camera.size is not None
    normal = T[:3, :3] @ NORMAL
    distance = DISTANCE + normal @ T[:3, 3]
    rays = to_homogeneous(camera.normalise(_pixels(camera)))
    return (distance / (rays @ normal)).reshape(camera.size.height, camera.size.width)


def _plane_homography() -> np.ndarray:
    R, t = T_0TO1[:3, :3], T_0TO1[:3, 3]
    return CAMERA1.matrix @ (R + np.outer(t, NORMAL) / DISTANCE) @ np.linalg.inv(CAMERA0.matrix)


def _plane_truth() -> DepthTruth:
    return DepthTruth(_plane_depth(CAMERA0, np.eye(4)), _plane_depth(CAMERA1, T_0TO1), CAMERA0, CAMERA1, T_0TO1)


def _random_points(size: ImageSize, count: int = 400) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, (size.width - 1, size.height - 1), (count, 2))


def test_a_plane_seen_by_two_cameras_is_a_homography() -> None:
    assert CAMERA0.size is not None
    assert CAMERA1.size is not None
    by_plane = HomographyTruth(_plane_homography(), CAMERA0.size, CAMERA1.size)
    truth = _plane_truth()
    for project, expected, size in (
        (truth.to_image1, by_plane.to_image1, CAMERA0.size),
        (truth.to_image0, by_plane.to_image0, CAMERA1.size),
    ):
        points = _random_points(size)
        found, wanted = project(points), expected(points)
        assert 0.3 < np.mean(found.visibility == Visibility.VISIBLE) < 1
        assert np.array_equal(found.visibility, wanted.visibility)
        # Inverse depth is affine on a plane, so interpolating it is exact: only rounding remains.
        np.testing.assert_allclose(found.points, wanted.points, atol=1e-8)


def test_there_and_back_is_where_it_started() -> None:
    truth = _plane_truth()
    points = _random_points(ImageSize(240, 320))
    there = truth.to_image1(points)
    seen = there.visibility == Visibility.VISIBLE
    np.testing.assert_allclose(truth.to_image0(there.points[seen]).points, points[seen], atol=1e-8)


def _plate_truth() -> tuple[DepthTruth, float]:
    """A wall at 4 m, a plate at 2 m over X in [-0.25, 0.25], the second camera 0.5 m to the right; and the baseline."""
    camera, baseline = Camera(200.0, 200.0, 99.5, 49.5, ImageSize(100, 200)), 0.5
    depths = []
    for eye in (0.0, baseline):
        at_plate = camera.normalise(_pixels(camera))[:, 0] * 2 + eye
        depths.append(np.where(np.abs(at_plate) <= 0.25, 2.0, 4.0).reshape(100, 200))
    return DepthTruth(depths[0], depths[1], camera, camera, rigid_motion(np.eye(3), (-baseline, 0, 0))), baseline


def test_a_nearer_plate_hides_a_strip_of_the_wall() -> None:
    truth, baseline = _plate_truth()
    points = _pixels(truth.camera0)
    x = truth.camera0.normalise(points)[:, 0]
    on_plate = np.abs(2 * x) <= 0.25
    wall = 4 * x  # X of the wall's point
    crossing = (wall + baseline) / 2  # where its ray to camera 1 passes the plate's plane
    found = truth.to_image1(points)
    column = np.where(on_plate, 200 * (2 * x - baseline) / 2, 200 * (wall - baseline) / 4) + 99.5
    outside = column < -0.5
    hidden = ~on_plate & (np.abs(crossing) <= 0.25)
    # A pixel to either side of an edge the four neighbours disagree, and nothing is claimed.
    near_edge = (np.abs(np.abs(2 * x) - 0.25) < 0.02) | (np.abs(np.abs(crossing) - 0.25) < 0.03)
    clear = ~near_edge & (np.abs(column + 0.5) > 1e-6)
    assert hidden[clear].sum() > 500
    expected = np.where(outside | hidden, Visibility.HIDDEN, Visibility.VISIBLE)
    assert np.array_equal(found.visibility[clear], expected[clear])
    visible = clear & (expected == Visibility.VISIBLE)
    np.testing.assert_allclose(found.points[visible], np.stack([column, points[:, 1]], axis=1)[visible], atol=1e-9)


def test_what_leaves_the_image_is_hidden_and_its_place_is_still_told() -> None:
    truth, _ = _plate_truth()
    found = truth.to_image1(np.array([[5.0, 50.0]]))
    assert found.visibility.tolist() == [Visibility.HIDDEN]
    np.testing.assert_allclose(found.points, [[5.0 - 200 * 0.5 / 4, 50.0]], atol=1e-9)


def test_what_is_behind_the_other_camera_is_hidden_and_has_no_place() -> None:
    camera = Camera(100.0, 100.0, 49.5, 49.5, ImageSize(100, 100))
    depth = np.full((100, 100), 2.0)
    truth = DepthTruth(depth, depth, camera, camera, rigid_motion(np.eye(3), (0, 0, -3)))
    found = truth.to_image1(np.array([[50.0, 50.0]]))
    assert found.visibility.tolist() == [Visibility.HIDDEN]
    assert np.isnan(found.points).all()


def test_holes_make_points_unknown_from_either_side() -> None:
    truth = _plane_truth()
    depth0, depth1 = truth.depth0.copy(), truth.depth1.copy()
    points = np.array([[160.0, 120.0], [100.0, 100.0]])
    there = truth.to_image1(points).points
    depth0[120, 160] = 0
    column, row = np.rint(there[1]).astype(int)
    depth1[row, column] = 0
    found = DepthTruth(depth0, depth1, CAMERA0, CAMERA1, T_0TO1).to_image1(points)
    assert found.visibility.tolist() == [Visibility.UNKNOWN] * 2
    assert np.isnan(found.points).all()


def test_a_hole_beside_the_place_in_the_other_image_does_no_harm() -> None:
    truth = _plane_truth()
    points = np.array([[100.0, 100.0]])
    there = truth.to_image1(points).points
    depth1 = truth.depth1.copy()
    column, row = np.rint(there[0]).astype(int)
    depth1[row - 1 : row + 2, column - 1 : column + 2] = 0
    depth1[row, column] = truth.depth1[row, column]
    found = DepthTruth(truth.depth0, depth1, CAMERA0, CAMERA1, T_0TO1).to_image1(points)
    assert found.visibility.tolist() == [Visibility.VISIBLE]
    np.testing.assert_array_equal(found.points, there)


def test_a_surface_a_little_in_front_is_too_close_to_call() -> None:
    camera = Camera(100.0, 100.0, 49.5, 49.5, ImageSize(100, 100))
    for nearer, expected in ((0.99, Visibility.VISIBLE), (0.95, Visibility.UNKNOWN), (0.9, Visibility.HIDDEN)):
        truth = DepthTruth(np.full((100, 100), 2.0), np.full((100, 100), 2.0 * nearer), camera, camera, np.eye(4))
        assert truth.to_image1(np.array([[50.0, 50.0]])).visibility.tolist() == [expected]


def test_depth_maps_of_single_precision_do() -> None:
    truth = _plane_truth()
    single = DepthTruth(truth.depth0.astype(np.float32), truth.depth1.astype(np.float32), CAMERA0, CAMERA1, T_0TO1)
    points = _random_points(ImageSize(240, 320))
    # A relative error of 6e-8 in depth moves a point by less than that times the disparity in pixels.
    np.testing.assert_allclose(single.to_image1(points).points, truth.to_image1(points).points, atol=1e-4)


def test_depth_at_is_exact_on_planes_and_certain_nowhere_near_an_edge() -> None:
    depth = _plane_depth(CAMERA0, np.eye(4))
    points = _random_points(ImageSize(240, 320))
    found, certain = depth_at(depth, points)
    assert certain.all()
    rays = to_homogeneous(CAMERA0.normalise(points))
    np.testing.assert_allclose(found, DISTANCE / (rays @ NORMAL), rtol=1e-12)
    depth[:, 100:] *= 2
    found, certain = depth_at(depth, np.array([[99.5, 50.0], [99.0, 50.0], [98.9, 50.0], [100.0, 50.0]]))
    assert certain.tolist() == [False, False, True, True]


def test_no_points_give_empty_results_of_the_same_kind() -> None:
    truth = _plane_truth()
    for found in (truth.to_image1(np.zeros((0, 2))), truth.to_image0(np.zeros((0, 2)))):
        assert found.points.shape == (0, 2)
        assert found.visibility.shape == (0,)
        assert found.visibility.dtype == np.int64


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_homography_is_the_same_at_any_scale_and_sign(sign: float, mirrored: bool) -> None:
    size = ImageSize(240, 320)
    H = np.array([[0.9, 0.1, 30.0], [-0.08, 1.05, 12.0], [1e-3, -5e-4, 1.0]])
    if mirrored:
        H = H @ np.array([[-1.0, 0, 319], [0, 1, 0], [0, 0, 1]])
    points = _random_points(size)
    found = HomographyTruth(2.5 * sign * H, size, size).to_image1(points)
    mapped = warp_points(H, points)
    inside = (mapped > -0.5).all(axis=1) & (mapped < (319.5, 239.5)).all(axis=1)
    assert np.array_equal(found.visibility == Visibility.VISIBLE, inside)
    np.testing.assert_allclose(found.points[inside], mapped[inside], atol=1e-9)


def test_beyond_the_horizon_nothing_is_visible() -> None:
    """A floor seen by a level camera: the lower half of the image; the upper half maps into the other image too."""
    size = ImageSize(200, 200)
    camera = Camera(100.0, 100.0, 99.5, 99.5, size)
    tilt = _turn((1, 0, 0), 0.15)  # the camera looks a little down, so that the centre shows the floor
    normal, height = tilt @ (0.0, 1.0, 0.0), 1.5
    t = np.array([0.0, 0.0, -0.2])
    H = camera.matrix @ (np.eye(3) + np.outer(t, normal) / height) @ np.linalg.inv(camera.matrix)
    truth = HomographyTruth(H, size, size)
    points = _pixels(camera)
    rays = to_homogeneous(camera.normalise(points))
    depth = height / (rays @ normal)
    there = rays * depth[:, None] + t
    mapped = from_homogeneous(there) * 100 + 99.5
    # The scale is the ratio of the depths: the homography alone tells no more than that they have one sign.
    shown = (there[:, 2] / depth > 0) & (mapped > -0.5).all(axis=1) & (mapped < 199.5).all(axis=1)
    found = truth.to_image1(points)
    assert np.array_equal(found.visibility == Visibility.VISIBLE, shown)


def test_the_pose_runs_from_camera_0_to_camera_1() -> None:
    """Exchanging the images exchanges the two directions."""
    truth = _plane_truth()
    exchanged = DepthTruth(truth.depth1, truth.depth0, CAMERA1, CAMERA0, invert_rigid(T_0TO1))
    points = _random_points(ImageSize(240, 320))
    np.testing.assert_allclose(truth.to_image1(points).points, exchanged.to_image0(points).points, atol=1e-9)
