"""Similarities between frames, against pycolmap's and the ones that points were moved by."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.geometry.similarity import Similarity, fit_similarity, off_line, similarity_between
from support.scenes import rotation_about

TRUE = Similarity(7.3, rotation_about((1.0, -2.0, 0.4), 130.0), np.array([5e5, -3e4, 120.0]))


def points_of(count: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, [3, 2, 1], (count, 3))


def test_exact_points_give_the_similarity() -> None:
    for count in (3, 4, 20):
        points = points_of(count)
        found = similarity_between(points, TRUE.apply(points))
        # Coordinates of 5e5 are rounded to 6e-11, a few units of which are 1e-10 of the extents here.
        np.testing.assert_allclose(found.matrix[:, :3], TRUE.matrix[:, :3], atol=1e-8)
        np.testing.assert_allclose(found.apply(points), TRUE.apply(points), atol=1e-8)
        assert np.linalg.det(found.R) == pytest.approx(1)


def test_noisy_points_as_pycolmap() -> None:
    pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    points = points_of(15)
    moved = TRUE.apply(points) - TRUE.t + np.random.default_rng(1).normal(0, 2, (15, 3))
    wanted = pycolmap.estimate_sim3d(points, moved)
    np.testing.assert_allclose(similarity_between(points, moved).matrix, wanted.matrix(), rtol=1e-9, atol=1e-9)


def test_mirrored_points_are_not_mirrored() -> None:
    points = points_of(10)
    found = similarity_between(points, points * [1, 1, -1])
    assert np.linalg.det(found.R) == pytest.approx(1)
    assert found.scale > 0


@pytest.mark.parametrize(("count", "wrong"), [(5, 1), (12, 5), (60, 25)])
def test_wrong_points_are_found(count: int, wrong: int) -> None:
    points, rng = points_of(count), np.random.default_rng(2)
    moved = TRUE.apply(points) + rng.normal(0, 0.01, (count, 3))
    moved[:wrong] += rng.normal(0, 40, (wrong, 3)) + 5
    found = fit_similarity(points, moved)
    assert found is not None
    # Of right points 2.5 deviations leave out some; wrong ones are 500 deviations off.
    assert not found.inliers[:wrong].any()
    assert found.inliers[wrong:].mean() >= 0.75
    assert np.linalg.norm(found.similarity.apply(points[wrong:]) - TRUE.apply(points[wrong:]), axis=1).max() < 0.05
    assert 0.003 < found.noise < 0.03
    np.testing.assert_allclose(found.residuals, np.linalg.norm(found.similarity.apply(points) - moved, axis=1))


def test_a_limit_decides_which_points_agree() -> None:
    points = points_of(8)
    moved = TRUE.apply(points)
    moved[0] += [0, 0.5, 0]
    strict, loose = (fit_similarity(points, moved, max_error=limit) for limit in (0.1, 2.0))
    assert strict is not None
    assert loose is not None
    assert strict.inliers.tolist() == [False] + [True] * 7
    assert loose.inliers.all()


def test_points_in_a_line_tell_no_similarity() -> None:
    line = np.outer(np.arange(6.0), [1, 2, 3])
    assert fit_similarity(line, TRUE.apply(line)) is None
    assert fit_similarity(line[:2], line[:2]) is None
    assert off_line(line)[1] == pytest.approx(0, abs=1e-12)
    assert off_line(np.array([[1.0, 0, 0], [-1, 0, 0], [0, 0.5, 0], [0, -0.5, 0]])) == pytest.approx(
        (0.5**0.5, 0.125**0.5)
    )
