"""Errors of stereo matches against a disparity written down by hand."""

from __future__ import annotations

import numpy as np

from cyano.evaluation.demo_pair import load_demo_pair, stereo_errors


def test_errors_are_distances_from_the_disparity() -> None:
    disparity = np.array([[2, 2, 0, 5], [np.inf, np.nan, 3, 5]], dtype=np.float32)
    points0 = np.array([[1, 0], [3, 1], [2.4, 1.3], [2, 0], [0, 1], [1, 1], [3.4, -0.4]], dtype=np.float32)
    offsets = np.array([[0, 0], [3, 4], [0, 0.5], [0, 0], [0, 0], [0, 0], [-1, 0]], dtype=np.float32)
    shifts = np.array([2, 5, 3, 0, 0, 0, 5], dtype=np.float32)  # of the nearest pixel, read off the table above
    points1 = points0 - np.stack([shifts, np.zeros(7)], axis=1) + offsets
    errors = stereo_errors(points0, points1.astype(np.float32), disparity)
    # float32 positions of a few pixels
    np.testing.assert_allclose(errors, [0, 5, 0.5, np.nan, np.nan, np.nan, 1], atol=1e-5)


def test_no_matches() -> None:
    none = np.zeros((0, 2), dtype=np.float32)
    errors = stereo_errors(none, none, np.ones((4, 4), dtype=np.float32))
    assert (errors.shape, errors.dtype) == ((0,), np.float64)


def test_the_disparity_belongs_to_the_left_image() -> None:
    # Moving the right image's pixels by the disparity gives the left image; by its opposite it does not.
    scene = load_demo_pair()
    rows, columns = np.nonzero(np.isfinite(scene.disparity) & (scene.disparity > 0))
    shift = np.rint(scene.disparity[rows, columns]).astype(int)
    inside = (columns - shift >= 0) & (columns + shift < scene.left.shape[1])
    rows, columns, shift = rows[inside], columns[inside], shift[inside]
    left = scene.left[rows, columns].astype(float)
    right, wrong = (scene.right[rows, columns + sign * shift].astype(float) for sign in (-1, 1))
    assert np.abs(left - right).mean() < 0.5 * np.abs(left - wrong).mean()
