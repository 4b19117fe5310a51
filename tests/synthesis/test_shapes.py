"""Synthetic shapes: corners are where the picture has them, and smooth shapes have none."""

from collections.abc import Callable
from itertools import combinations

import cv2
import numpy as np
import pytest

from cyano.synthesis import shapes
from cyano.synthesis.shapes import draw_shapes
from cyano.types import ImageSize

SIZE = ImageSize(120, 160)
SUPER = shapes._SUPER


def test_a_picture_is_a_function_of_the_generator() -> None:
    first, corners = draw_shapes(SIZE, np.random.default_rng(4))
    again, same = draw_shapes(SIZE, np.random.default_rng(4))
    assert np.array_equal(first, again)
    assert np.array_equal(corners, same)


@pytest.mark.parametrize("seed", range(12))
def test_pictures_are_in_range_and_corners_inside(seed: int) -> None:
    picture, corners = draw_shapes(SIZE, np.random.default_rng(seed))
    assert picture.shape == (120, 160)
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert corners.ndim == 2
    assert ((corners > 0) & (corners < (159, 119))).all()


def test_inner_corners_of_a_checkerboard_are_where_opencv_refines_them_to() -> None:
    errors = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        canvas = np.full((SUPER * SIZE.height, SUPER * SIZE.width), 0.5, dtype=np.float32)
        corners = (shapes._checkerboard(canvas, rng) + 0.5) / SUPER - 0.5
        picture = cv2.resize(canvas, (SIZE.width, SIZE.height), interpolation=cv2.INTER_AREA)
        inside = ((corners > 8) & (corners < (151, 111))).all(axis=1)
        start = corners[inside].astype(np.float32).reshape(-1, 1, 2).copy()
        if len(start):
            grey = (picture * 255).clip(0, 255).astype(np.uint8)
            refined = cv2.cornerSubPix(grey, start.copy(), (3, 3), (-1, -1), (3, 50, 1e-4))
            errors += list(np.linalg.norm((refined - start).reshape(-1, 2), axis=1))
    # The median is free of outer corners, which the refinement is not made for; filled shapes reach half a drawing
    # pixel (an eighth of a pixel here) beyond their outline.
    assert len(errors) > 40
    assert np.median(errors) < 0.3


def test_ellipses_and_noise_have_no_corners() -> None:
    for paint in (shapes._ellipses, shapes._noise):
        assert paint(np.full((200, 200), 0.5, np.float32), np.random.default_rng(1)).shape == (0, 2)


def test_a_polygon_hides_the_corners_that_it_covers() -> None:
    square = np.array([[10.0, 10], [50, 10], [50, 50], [10, 50]])
    assert shapes._hidden(np.array([[30.0, 30], [100, 100], [10, 10]]), square).tolist() == [True, False, True]


@pytest.mark.parametrize("paint", [shapes._stripes, shapes._checkerboard])
def test_neighbours_differ_in_what_is_shown(paint: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """Corners between areas that are alike would not be seen."""
    filled: list[tuple[np.ndarray, float]] = []
    monkeypatch.setattr(shapes, "_fill", lambda _, quad, shade: filled.append((quad, min(max(shade, 0.0), 1.0))))
    canvas = np.full((SUPER * SIZE.height, SUPER * SIZE.width), 0.5, dtype=np.float32)
    differences = []
    for seed in range(300):
        filled.clear()
        paint(canvas, np.random.default_rng(seed))
        for (quad, shade), (other, another) in combinations(filled, 2):
            if sum(point.tolist() in other.tolist() for point in quad) == 2:  # they have an edge in common
                differences.append(abs(shade - another))
    assert len(differences) > 1000
    assert min(differences) > 0.0999  # float64
