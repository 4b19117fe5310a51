from __future__ import annotations

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.geometry import (
    essential_from_pose,
    fundamental_from_essential,
    larger_epipolar_distance,
    rigid_motion,
    sampson_distance,
    symmetric_epipolar_distance_squared,
)
from support.scenes import CAMERA0, CAMERA1, rotation_about, two_view_scene

T = rigid_motion(rotation_about((0.2, 1.0, 0.1), 12.0), (-0.8, 0.1, 0.2))


def test_essential_matrix_of_a_sideways_motion() -> None:
    # Camera 1 sees everything 5 units further along x: [t]x of the unit vector x.
    E = essential_from_pose(rigid_motion(np.eye(3), (5.0, 0.0, 0.0)))
    assert E.tolist() == [[0, 0, 0], [0, 0, -1], [0, 1, 0]]


def test_essential_matrix_has_two_equal_singular_values() -> None:
    np.testing.assert_allclose(np.linalg.svd(essential_from_pose(T))[1], [1, 1, 0], atol=1e-12)
    assert not essential_from_pose(np.eye(4)).any()


def test_true_matches_obey_both_matrices() -> None:
    scene = two_view_scene(50)
    E = essential_from_pose(scene.T_0to1)
    F = fundamental_from_essential(E, scene.camera0, scene.camera1)
    normalised = scene.camera0.normalise(scene.points0), scene.camera1.normalise(scene.points1)
    assert symmetric_epipolar_distance_squared(E, *normalised).max() < 1e-24  # (1e-12)^2, rounding
    assert sampson_distance(F, scene.points0, scene.points1).max() < 1e-9  # rounding of hundreds of pixels


def test_symmetric_distance_agrees_with_distances_to_the_drawn_lines() -> None:
    """The slow twin: the distance of each point to the line through two points of it."""
    scene = two_view_scene(20, outlier_share=1.0)
    E = essential_from_pose(scene.T_0to1)
    points0 = scene.camera0.normalise(scene.points0)
    points1 = scene.camera1.normalise(scene.points1)
    expected = [
        _line_distance(E @ (*p0, 1), p1) ** 2 + _line_distance(E.T @ (*p1, 1), p0) ** 2
        for p0, p1 in zip(points0, points1, strict=True)
    ]
    np.testing.assert_allclose(symmetric_epipolar_distance_squared(E, points0, points1), expected, rtol=1e-9)


def _line_distance(line: np.ndarray, point: np.ndarray) -> float:
    a, b, c = line
    start = np.array([-a * c, -b * c]) / (a * a + b * b)  # the line's point nearest the origin
    along = np.array([-b, a]) / np.hypot(a, b)
    from_start = point - start
    return float(np.linalg.norm(from_start - (from_start @ along) * along))


def test_sampson_distance_of_a_rectified_pair_is_the_vertical_offset_shared_by_two_images() -> None:
    # Lines are rows in both images: an offset of d rows needs d / 2 in each, together d / sqrt(2).
    F = fundamental_from_essential(essential_from_pose(rigid_motion(np.eye(3), (1.0, 0.0, 0.0))), CAMERA0, CAMERA0)
    distance = sampson_distance(F, [[100.0, 50.0], [100.0, 50.0]], [[70.0, 50.0], [70.0, 54.0]])
    np.testing.assert_allclose(distance, [0, 4 / np.sqrt(2)], atol=1e-9)


def test_the_larger_distance_is_that_of_the_larger_image() -> None:
    """Image 1 shows everything twice as large: row 50 is row 100, and 4 rows beyond are 2 in image 0."""
    F = np.array([[0, 0, 0], [0, 0, -1], [0, 2, 0.0]])  # 2 y0 - y1 = 0
    for matrix, first, second in ((F, [[9.0, 50.0]], [[70.0, 104.0]]), (F.T, [[70.0, 104.0]], [[9.0, 50.0]])):
        np.testing.assert_allclose(larger_epipolar_distance(matrix, first, second), [4])


def test_distances_do_not_depend_on_the_scale_of_the_matrix() -> None:
    scene = two_view_scene(20, outlier_share=1.0)
    F = fundamental_from_essential(essential_from_pose(T), CAMERA0, CAMERA1)
    for distance in (sampson_distance, larger_epipolar_distance, symmetric_epipolar_distance_squared):
        np.testing.assert_allclose(
            distance(-1e3 * F, scene.points0, scene.points1),
            distance(F, scene.points0, scene.points1),
            rtol=1e-9,
        )


def test_the_epipole_obeys_every_matrix_without_a_warning() -> None:
    E = essential_from_pose(rigid_motion(np.eye(3), (0.0, 0.0, 1.0)))  # forward: the epipole is the origin
    assert symmetric_epipolar_distance_squared(E, [[0.0, 0.0]], [[0.0, 0.0]]).tolist() == [0.0]
    assert sampson_distance(E, [[0.0, 0.0]], [[0.0, 0.0]]).tolist() == [0.0]


def test_no_matches_have_no_distances() -> None:
    none = np.zeros((0, 2), np.float32)
    for distance in (sampson_distance, larger_epipolar_distance, symmetric_epipolar_distance_squared):
        result = distance(essential_from_pose(T), none, none)
        assert result.shape == (0,)
        assert result.dtype == np.float64


def test_nan_matrices_are_refused() -> None:
    with pytest.raises(InputError):
        sampson_distance(np.full((3, 3), np.nan), np.zeros((1, 2)), np.zeros((1, 2)))
