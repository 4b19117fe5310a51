"""Poses of cameras in generated scenes, whose poses, pixels and outliers are exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.formats import AbsolutePose, AbsolutePoseOptions, absolute_pose
from cyano.geometry import EstimateStatus, LensCamera, rotation_angle_between
from cyano.types import ImageSize
from support.scenes import rotation_about

pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")

SIZE = ImageSize(480, 640)
LENSES = {
    "PINHOLE": LensCamera("PINHOLE", SIZE, (500.0, 505.0, 318.0, 243.0)),
    "SIMPLE_RADIAL": LensCamera("SIMPLE_RADIAL", SIZE, (520.0, 318.0, 243.0, -0.1)),
    "OPENCV": LensCamera("OPENCV", SIZE, (500.0, 505.0, 318.0, 243.0, -0.15, 0.04, 0.002, -0.003)),
    "OPENCV_FISHEYE": LensCamera("OPENCV_FISHEYE", SIZE, (300.0, 303.0, 318.0, 243.0, -0.03, 0.01, 0.002, 0.0)),
}
each_lens = pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)


@dataclass(frozen=True, eq=False)
class Scene:
    """Correspondences, the pose, and which of them are right."""

    points2D: np.ndarray  # noqa: N815
    points3D: np.ndarray  # noqa: N815
    T: np.ndarray
    right: np.ndarray


def scene(lens: LensCamera, outliers: float = 0.0, noise: float = 0.0, count: int = 200, seed: int = 0) -> Scene:
    """Points that fill the image, at depths of 2 to 6, in a world that lies elsewhere than the camera."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform((0, 0), (639, 479), (count, 2))
    depths = rng.uniform(2, 6, (count, 1))
    seen = np.column_stack([lens.normalise(pixels), np.ones(count)]) * depths
    T = np.eye(4)
    T[:3, :3] = rotation_about((0.3, 1.0, -0.2), 40.0)
    T[:3, 3] = (0.4, -0.3, 1.5)
    world = (seen - T[:3, 3]) @ T[:3, :3]
    pixels += noise * rng.normal(size=(count, 2))
    right = np.arange(count) >= round(outliers * count)
    pixels[~right] = rng.uniform((0, 0), (639, 479), ((~right).sum(), 2))
    return Scene(pixels, world, T, right)


def errors(found: AbsolutePose, T: np.ndarray) -> tuple[float, float]:
    """Of the rotation in degrees and of the centre in the world's units."""
    centre = -T[:3, :3].T @ T[:3, 3]
    angle = rotation_angle_between(found.T_world_to_camera[:3, :3], T[:3, :3])
    return float(np.degrees(angle)), float(np.linalg.norm(found.centre - centre))


@each_lens
def test_exact_correspondences_give_the_exact_pose(lens: LensCamera) -> None:
    """Half a pixel that is forgotten turns the camera by 0.06 degrees or more; the solver stops far below that."""
    given = scene(lens)
    found = absolute_pose(given.points2D, given.points3D, lens)
    assert found.ok
    assert found.inliers.all()
    assert found.message == "200 of 200 correspondences agree with a pose within 4 px"
    assert found.camera is lens
    angle, off = errors(found, given.T)
    assert angle < 1e-4
    assert off < 1e-5
    shifted = absolute_pose(given.points2D + 0.5, given.points3D, lens)
    assert errors(shifted, given.T)[0] > 0.03


@each_lens
@pytest.mark.parametrize("seed", range(3))
def test_outliers_are_found(lens: LensCamera, seed: int) -> None:
    given = scene(lens, outliers=0.3, noise=0.5, seed=seed)
    found = absolute_pose(given.points2D, given.points3D, lens)
    # Of 140 points with half a pixel of noise, the standard deviations are about 0.01 degrees and 0.001.
    angle, off = errors(found, given.T)
    assert angle < 0.06
    assert off < 0.006
    assert found.inliers[given.right].all()  # four pixels are eight standard deviations
    assert found.inliers[~given.right].mean() < 0.05


@each_lens
@pytest.mark.parametrize("guess", [0.6, 1.0, 1.7])
def test_unknown_focal_lengths_are_estimated(lens: LensCamera, guess: float) -> None:
    given = scene(lens, outliers=0.3, noise=0.5)
    names = 1 if lens.model == "SIMPLE_RADIAL" else 2
    params = tuple(guess * value for value in lens.params[:names]) + lens.params[names:]
    guessed = LensCamera(lens.model, SIZE, params)
    found = absolute_pose(given.points2D, given.points3D, guessed, AbsolutePoseOptions(estimate_focal_length=True))
    assert found.camera.focal_length == pytest.approx(lens.focal_length, rel=0.03)
    assert found.camera.params[names:] == pytest.approx(lens.params[names:])
    assert errors(found, given.T)[0] < 0.3


def closed_covariance(lens: LensCamera, given: Scene) -> np.ndarray:
    """Of rotation and centre: the inverse of J^T J, with J by central differences."""

    def pixels(change: np.ndarray) -> np.ndarray:
        angle = np.linalg.norm(change[:3])
        turn = rotation_about(tuple(change[:3]), np.degrees(angle)) if angle else np.eye(3)
        R = turn @ given.T[:3, :3]
        centre = -given.T[:3, :3].T @ given.T[:3, 3] + change[3:]
        return lens.project((given.points3D - centre) @ R.T).ravel()

    J = np.stack([(pixels(1e-5 * unit) - pixels(-1e-5 * unit)) / 2e-5 for unit in np.eye(6)], axis=1)
    return np.linalg.inv(J.T @ J)


@each_lens
def test_the_covariance_is_the_closed_one(lens: LensCamera) -> None:
    given = scene(lens)
    found = absolute_pose(given.points2D, given.points3D, lens)
    expected = closed_covariance(lens, given)
    scale = np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
    np.testing.assert_allclose(found.covariance / scale, expected / scale, atol=1e-4)


def test_nothing_is_lost_far_from_the_origin() -> None:
    lens, far = LENSES["PINHOLE"], np.array([4.5e6, -3e6, 5e5])  # metres from the middle of the Earth
    given = scene(lens)
    near = absolute_pose(given.points2D, given.points3D, lens)
    found = absolute_pose(given.points2D, given.points3D + far, lens)
    np.testing.assert_allclose(found.T_world_to_camera[:3, :3], near.T_world_to_camera[:3, :3], atol=1e-7)
    np.testing.assert_allclose(found.centre - far, near.centre, atol=1e-6)
    np.testing.assert_allclose(found.covariance, near.covariance, rtol=1e-3, atol=1e-10)


def test_the_seed_decides() -> None:
    given = scene(LENSES["OPENCV"], outliers=0.5, noise=1.0)
    found = [absolute_pose(given.points2D, given.points3D, LENSES["OPENCV"]) for _ in range(2)]
    assert np.array_equal(found[0].T_world_to_camera, found[1].T_world_to_camera)
    assert np.array_equal(found[0].covariance, found[1].covariance)


def test_pixels_without_a_ray_are_no_inliers() -> None:
    lens = LensCamera("SIMPLE_RADIAL", SIZE, (300.0, 319.5, 239.5, -0.25))  # folds within the image
    rng = np.random.default_rng(0)
    pixels = rng.uniform((0, 0), (639, 479), (300, 2))
    rays = lens.normalise(pixels)
    dark = np.isnan(rays[:, 0])
    assert 20 < dark.sum() < 280
    places = np.column_stack([np.nan_to_num(rays), np.ones(300)]) * rng.uniform(2, 6, (300, 1))
    found = absolute_pose(pixels, places, lens)
    assert np.array_equal(found.inliers, ~dark)
    np.testing.assert_allclose(found.T_world_to_camera, np.eye(4), atol=1e-5)


def nothing(found: AbsolutePose, status: EstimateStatus, count: int) -> bool:
    blank = np.isnan(found.T_world_to_camera).all() and np.isnan(found.covariance).all()
    return bool(found.status is status and not found.ok and blank and found.inliers.tolist() == [False] * count)


def test_what_gives_no_pose_says_why() -> None:
    lens, rng = LENSES["PINHOLE"], np.random.default_rng(7)
    given = scene(lens)
    few = absolute_pose(given.points2D[:11], given.points3D[:11], lens)
    assert nothing(few, EstimateStatus.TOO_FEW_MATCHES, 11)
    assert nothing(absolute_pose(np.empty((0, 2)), np.empty((0, 3)), lens), EstimateStatus.TOO_FEW_MATCHES, 0)
    repeated = absolute_pose(np.repeat(given.points2D[:5], 9, 0), np.repeat(given.points3D[:5], 9, 0), lens)
    assert nothing(repeated, EstimateStatus.TOO_FEW_MATCHES, 45)
    five = AbsolutePoseOptions(min_inliers=5)
    assert absolute_pose(given.points2D[:5], given.points3D[:5], lens, five).ok
    random = absolute_pose(rng.uniform(0, 479, (100, 2)), given.points3D[:100], lens)
    assert nothing(random, EstimateStatus.NO_MODEL, 100)
    assert random.message == "fewer than 12 of 100 correspondences agree with a pose within 4 px"
    line = np.linspace(-1, 1, 50)[:, None] * (1.0, 0.2, 0.1)
    of_line = absolute_pose(lens.project(line + np.array((0, 0, 4))), line, lens)
    assert nothing(of_line, EstimateStatus.DEGENERATE, 50)
    assert "as points on a line do" in of_line.message
    point = absolute_pose(given.points2D[:50], np.ones((50, 3)), lens)
    assert nothing(point, EstimateStatus.DEGENERATE, 50)


def test_a_plane_is_enough() -> None:
    lens = LENSES["OPENCV"]
    plane = np.random.default_rng(0).uniform(-1, 1, (60, 3)) * (1, 1, 0)
    found = absolute_pose(lens.project(plane + np.array((0.1, 0.2, 3))), plane, lens)
    np.testing.assert_allclose(found.centre, (-0.1, -0.2, -3), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"points3D": np.zeros((3, 3))}, r"points3D are finite places \(K, 3\) of the 200 points"),
        ({"points3D": np.full((200, 3), np.nan)}, "nor with NaN"),
        ({"points2D": np.full((200, 2), np.nan)}, "points2D contains NaN"),
        ({"camera": LENSES["PINHOLE"].pinhole}, "LensCamera.from_pinhole"),
    ],
)
def test_what_is_wrong_is_refused(change: dict, told: str) -> None:
    given = scene(LENSES["PINHOLE"])
    with pytest.raises(InputError, match=told):
        absolute_pose(**{"points2D": given.points2D, "points3D": given.points3D, "camera": LENSES["PINHOLE"], **change})


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"threshold_px": 0}, "threshold_px must be a positive"),
        ({"min_inliers": 3}, "min_inliers must be an integer from 4"),
        ({"confidence": 1}, "confidence must lie"),
        ({"seed": -1}, "seed must be"),
        ({"max_iterations": 0.5}, "max_iterations must be"),
    ],
)
def test_options_out_of_range_are_refused(option: dict, told: str) -> None:
    with pytest.raises(InputError, match=told):
        AbsolutePoseOptions(**option)
