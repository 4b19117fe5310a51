from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyano.errors import InputError
from cyano.geometry import Camera, from_homogeneous, to_homogeneous
from cyano.types import ImageSize, ResizeMap

SIZE = ImageSize(480, 640)


def test_matrix_round_trip() -> None:
    camera = Camera(600.0, 620.0, 310.0, 250.0, SIZE)
    assert camera.matrix.tolist() == [[600, 0, 310], [0, 620, 250], [0, 0, 1]]
    assert Camera.from_matrix(camera.matrix, SIZE) == camera
    assert camera.mean_focal == 610


@pytest.mark.parametrize(
    ("size", "focal_mm", "pixels"),
    [
        (ImageSize(480, 720), 36.0, 720.0),  # 36 mm covers the long side once
        (ImageSize(720, 480), 36.0, 720.0),  # a portrait picture has the same lens
        (ImageSize(3000, 4000), 27.0, 3000.0),
    ],
)
def test_focal_length_of_35mm_film(size: ImageSize, focal_mm: float, pixels: float) -> None:
    camera = Camera.from_focal_35mm(focal_mm, size)
    assert (camera.fx, camera.fy) == (pixels, pixels)
    assert (camera.cx, camera.cy) == ((size.width - 1) / 2, (size.height - 1) / 2)


def test_field_of_view_spans_the_longest_side_from_edge_to_edge() -> None:
    camera = Camera.from_field_of_view(90.0, SIZE)
    assert camera.fx == pytest.approx(320.0, rel=1e-12)
    edges = camera.normalise([[-0.5, 239.5], [639.5, 239.5]])
    angles = np.degrees(np.arctan(edges[:, 0]))
    np.testing.assert_allclose(angles, [-45.0, 45.0], rtol=1e-12)


@given(
    height=st.integers(8, 300),
    width=st.integers(8, 300),
    network=st.tuples(st.integers(8, 300), st.integers(8, 300)),
)
def test_scaling_commutes_with_projection(height: int, width: int, network: tuple[int, int]) -> None:
    camera = Camera.from_field_of_view(60.0, ImageSize(height, width))
    frame = ResizeMap(ImageSize(height, width), ImageSize(*network))
    X = np.array([[0.3, -0.2, 2.0], [-1.0, 0.5, 3.0]])
    seen = from_homogeneous(X @ camera.matrix.T)
    expected = frame.to_network(seen)  # where the resized picture shows the same points
    # 1e-10: rounding of a few hundred pixels
    np.testing.assert_allclose(from_homogeneous(X @ camera.scaled(frame).matrix.T), expected, atol=1e-10)
    assert camera.scaled(frame).size == frame.network


def test_normalise_inverts_the_matrix() -> None:
    camera = Camera(600.0, 620.0, 310.0, 250.0)
    points = np.random.default_rng(0).uniform(0, 600, (10, 2))
    expected = to_homogeneous(points) @ np.linalg.inv(camera.matrix).T
    np.testing.assert_allclose(camera.normalise(points), expected[:, :2], atol=1e-13)
    assert camera.normalise(np.zeros((0, 2), np.float32)).shape == (0, 2)
    assert camera.normalise(np.zeros((0, 2), np.float32)).dtype == np.float64


@pytest.mark.parametrize("values", [(0, 1, 0, 0), (1, -1, 0, 0), (math.nan, 1, 0, 0), (1, 1, math.inf, 0)])
def test_impossible_parameters_are_refused(values: tuple[float, float, float, float]) -> None:
    with pytest.raises(InputError):
        Camera(*values)


@pytest.mark.parametrize(
    "K",
    [
        np.eye(4),
        [[600, 1e-3, 300], [0, 600, 200], [0, 0, 1]],  # skew
        [[600, 0, 300], [0, 600, 200], [0, 0, 2]],  # a scale that would be lost silently
        [[600, 0, 300], [0, -600, 200], [0, 0, 1]],
        [["a", 0, 0], [0, 1, 0], [0, 0, 1]],
    ],
)
def test_impossible_matrices_are_refused(K: object) -> None:
    with pytest.raises(InputError):
        Camera.from_matrix(K)  # type: ignore[arg-type]


def test_a_focal_length_of_zero_in_exif_is_refused() -> None:
    # EXIF writes 0 where the focal length is unknown.
    with pytest.raises(InputError, match="focal"):
        Camera.from_focal_35mm(0, SIZE)


@pytest.mark.parametrize("degrees", [0.0, 180.0, -10.0, math.nan])
def test_impossible_fields_of_view_are_refused(degrees: float) -> None:
    with pytest.raises(InputError, match="between 0 and 180"):
        Camera.from_field_of_view(degrees, SIZE)


def test_a_map_of_another_image_is_refused() -> None:
    with pytest.raises(InputError):
        Camera.from_field_of_view(60.0, SIZE).scaled(ResizeMap.identity(ImageSize(10, 10)))


def test_a_camera_fits_a_larger_or_smaller_image_of_its_shape() -> None:
    camera = Camera.from_field_of_view(60.0, ImageSize(960, 1280))
    X = np.array([[0.3, -0.2, 2.0], [-1.0, 0.5, 3.0]])
    half = camera.fitted(SIZE)
    frame = ResizeMap(ImageSize(960, 1280), SIZE)
    expected = frame.to_network(from_homogeneous(X @ camera.matrix.T))
    np.testing.assert_allclose(from_homogeneous(X @ half.matrix.T), expected, atol=1e-10)
    assert half.size == SIZE
    assert camera.fitted(ImageSize(960, 1280)) is camera
    assert Camera(1, 1, 0, 0).fitted(SIZE).size is None
    small = ResizeMap(SIZE, ImageSize(48, 64))
    assert camera.scaled(small) == half.scaled(small)


@pytest.mark.parametrize(
    ("size", "fits"), [((375, 500), True), ((333, 444), True), ((376, 500), True), ((378, 500), False)]
)
def test_rounded_sizes_have_the_same_shape(size: tuple[int, int], fits: bool) -> None:
    assert ImageSize(*size).has_shape_of(ImageSize(3000, 4000)) == fits


def test_a_camera_of_another_shape_is_refused() -> None:
    camera = Camera.from_field_of_view(60.0, SIZE)
    for size in (ImageSize(640, 480), ImageSize(480, 480)):
        with pytest.raises(InputError, match=r"a\.jpg is .* pixels, but its camera is for an image of 640x480"):
            camera.fitted(size, "a.jpg")
