"""Cameras with lenses, against COLMAP's own projection and closed forms."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from PIL import Image

from cyano.errors import InputError
from cyano.formats.colmap.pixels import lens_from_colmap, lens_to_colmap
from cyano.geometry import LENS_MODELS, Camera, LensCamera
from cyano.processing.decode import _TRANSPOSES
from cyano.types import ImageSize, ResizeMap

SIZE = ImageSize(480, 640)
PINHOLE = Camera(500.0, 510.0, 321.0, 236.0, SIZE)
TWO, ONE = (500.0, 510.0, 321.0, 236.0), (505.0, 321.0, 236.0)
PARAMS = {
    "SIMPLE_PINHOLE": ONE,
    "PINHOLE": TWO,
    "SIMPLE_RADIAL": (*ONE, -0.12),
    "RADIAL": (*ONE, -0.12, 0.03),
    "OPENCV": (*TWO, -0.12, 0.03, 0.002, -0.003),
    "OPENCV_FISHEYE": (*TWO, -0.03, 0.01, 0.004, -0.002),
    "FULL_OPENCV": (*TWO, -0.12, 0.03, 0.002, -0.003, 0.01, 0.05, 0.02, 0.01),
    "SIMPLE_RADIAL_FISHEYE": (*ONE, -0.05),
    "RADIAL_FISHEYE": (*ONE, 0.04, -0.01),
    "SIMPLE_FISHEYE": ONE,
    "FISHEYE": TWO,
}
HELD = {
    "FOV": (*TWO, 0.5),
    "SIMPLE_DIVISION": (*ONE, -0.1),
    "DIVISION": (*TWO, -0.1),
    "EUCM": (*TWO, 0.5, 1.1),
    "THIN_PRISM_FISHEYE": (*TWO, -0.1, 0.02, 0.003, -0.004, 0.01, 0.02, 0.005, -0.006),
    "RAD_TAN_THIN_PRISM_FISHEYE": (*TWO, 0.1, -0.05, 0.01, 0.0, 0.0, 0.0, 0.003, -0.004, 0.005, -0.006, 0.002, 0.003),
}
LENSES = {model: LensCamera(model, SIZE, params) for model, params in PARAMS.items()}
each_model = pytest.mark.parametrize("model", PARAMS)


def points(count: int = 300) -> np.ndarray:
    return np.random.default_rng(0).uniform((-1.5, -1.2, 2.0), (1.5, 1.2, 4.0), (count, 3))


def rays_at(degrees: list[float]) -> np.ndarray:
    """(N, 3) rays in the plane y = 0, so many degrees off the axis."""
    angles = np.radians(degrees)
    return np.stack([np.sin(angles), 0 * angles, np.cos(angles)], axis=1)


def test_all_models_are_tested() -> None:
    assert PARAMS.keys() | HELD.keys() == set(LENS_MODELS)


@each_model
def test_pixels_are_those_of_colmap(model: str) -> None:
    pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    params = list(PARAMS[model])
    place = 2 if "fx" in LENS_MODELS[model] else 1
    params[place : place + 2] = [321.5, 236.5]  # COLMAP's centres of pixels lie at halves
    theirs = pycolmap.Camera(model=model, width=640, height=480, params=params)
    lens = LENSES[model]
    pixels = lens.project(points())
    np.testing.assert_allclose(pixels, theirs.img_from_cam(points()) - 0.5, atol=1e-9)
    np.testing.assert_allclose(lens.normalise(pixels), theirs.cam_from_img(pixels + 0.5), atol=1e-8)  # theirs iterates
    assert lens_from_colmap(theirs) == lens
    assert lens_to_colmap(pycolmap, lens).params.tolist() == params


@each_model
def test_normalise_undoes_project_to_the_corners(model: str) -> None:
    lens = LENSES[model]
    x, y = np.meshgrid(np.linspace(-0.5, 639.5, 33), np.linspace(-0.5, 479.5, 25))
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    rays = lens.normalise(pixels)
    back = lens.project(np.column_stack([rays, np.ones(len(rays))]))
    np.testing.assert_allclose(back, pixels, atol=1e-8)  # a ten-thousandth of a millionth of the focal length or so
    assert np.isfinite(rays).all()


def test_strong_distortion_is_undone_up_to_its_fold() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        k1, k2, p1, p2 = rng.uniform(-1, 1, 4) * (0.5, 0.3, 0.02, 0.02)
        fisheye = rng.uniform(-0.2, 0.2, 4)
        for lens in (
            LensCamera("OPENCV", SIZE, (*TWO, k1, k2, p1, p2)),
            LensCamera("FULL_OPENCV", SIZE, (*TWO, k1, k2, 0, 0, *rng.uniform(-0.3, 0.3, 4))),
            LensCamera("OPENCV_FISHEYE", SIZE, (*TWO, *fisheye)),
        ):
            plane = rng.uniform(-2, 2, (200, 2))
            pixels = lens.project(np.column_stack([plane, np.ones(200)]))
            seen = np.isfinite(pixels[:, 0])
            assert seen.any()
            # Where the distortion is nearly flat, close to its fold, an error in pixels is a larger one of the ray.
            found = lens.normalise(pixels[seen])
            again = lens.project(np.column_stack([found, np.ones(len(found))]))
            np.testing.assert_allclose(again, pixels[seen], atol=1e-7)
            assert (np.linalg.norm(found - plane[seen], axis=1) < 1e-3).all()
            assert np.isnan(lens.normalise(pixels[~seen])).all()


def test_a_fisheye_without_coefficients_is_equidistant() -> None:
    lens = LensCamera("OPENCV_FISHEYE", SIZE, (300.0, 300.0, 320.0, 240.0, 0, 0, 0, 0))
    pixels = lens.project(rays_at([0.0, 30.0, 60.0, 89.0, 91.0]))
    np.testing.assert_allclose(pixels[:4, 0], 320 + 300 * np.radians([0, 30, 60, 89]), atol=1e-9)
    assert np.isnan(pixels[4]).all()
    assert np.isnan(lens.normalise([[320 + 300 * np.radians(90.5), 240]])).all()  # no ray of a plane before the camera
    np.testing.assert_allclose(lens.normalise([[320 + 300 * np.radians(45), 240]]), [[1, 0]], atol=1e-12)


def test_nothing_is_said_behind_the_camera_and_beyond_the_fold() -> None:
    # r (1 - 0.1 r^2) grows up to r^2 = 1 / 0.3, which is 61.3 degrees off the axis, and is 1.217 there.
    lens = LensCamera("SIMPLE_RADIAL", SIZE, (500.0, 321.0, 236.0, -0.1))
    pixels = lens.project(rays_at([0.0, 30.0, 61.0, 61.6, 80.0, 120.0]))
    assert np.isnan(pixels).any(axis=1).tolist() == [False, False, False, True, True, True]
    assert (np.diff(pixels[:3, 0]) > 0).all()
    rays = lens.normalise([[321 + 500 * 1.216, 236], [321 + 500 * 1.218, 236], [np.nan, 1], [np.inf, 1]])
    assert np.isnan(rays).all(axis=1).tolist() == [False, True, True, True]


def test_denominators_end_the_lens_at_their_zero() -> None:
    # r / (1 - r^2) grows without bound towards r = 1, and says nothing beyond.
    lens = LensCamera("FULL_OPENCV", SIZE, (500.0, 500.0, 0.0, 0.0, 0, 0, 0, 0, 0, -1.0, 0, 0))
    pixels = lens.project([[0.5, 0, 1], [0.999, 0, 1], [1.5, 0, 1]])
    np.testing.assert_allclose(pixels[:, 0], [500 * 0.5 / 0.75, 500 * 0.999 / (1 - 0.999**2), np.nan])
    np.testing.assert_allclose(lens.normalise(pixels[:2])[:, 0], [0.5, 0.999])


def test_points_without_distortion_are_the_pinholes() -> None:
    lens = LENSES["OPENCV"]
    assert lens.pinhole == PINHOLE
    seen = lens.undistorted_points(lens.project(points()))
    np.testing.assert_allclose(seen, LensCamera.from_pinhole(PINHOLE).project(points()), atol=1e-8)
    plain = points()[:, :2] / points()[:, 2:] * (500.0, 510.0) + (321.0, 236.0)
    np.testing.assert_allclose(seen, plain, atol=1e-8)
    np.testing.assert_allclose(LensCamera.from_pinhole(PINHOLE).normalise(plain), PINHOLE.normalise(plain), atol=1e-12)


@each_model
@pytest.mark.parametrize("small", [ImageSize(180, 240), ImageSize(181, 239), ImageSize(100, 400)])
def test_the_resized_image_has_the_resized_pixels(model: str, small: ImageSize) -> None:
    lens = LENSES[model]
    expected = ResizeMap(SIZE, small).to_network(lens.project(points()))
    np.testing.assert_allclose(lens.scaled(small).project(points()), expected, atol=1e-9)
    assert lens.scaled(small).size == small
    if small == ImageSize(180, 240):
        assert lens.scaled(small).model == model
        assert lens.scaled(small).focal_length == pytest.approx(505 * 0.375)


def test_shapes_are_kept_and_checked() -> None:
    lens = LENSES["OPENCV"]
    assert lens.normalise(np.empty((0, 2))).shape == lens.project(np.empty((0, 3))).shape == (0, 2)
    assert lens.normalise(np.float32([[320, 240]])).dtype == np.float64
    with pytest.raises(InputError, match=r"must have shape \(N, 3\), not \(4, 2\)"):
        lens.project(np.zeros((4, 2)))
    with pytest.raises(InputError, match=r"must have shape \(N, 2\), not \(2,\)"):
        lens.normalise([1.0, 2.0])


def test_cameras_are_values() -> None:
    lens = LensCamera("PINHOLE", SIZE, np.array(TWO, np.float32))  # type: ignore[arg-type]
    lens.project(points())
    assert lens == LensCamera("PINHOLE", SIZE, TWO) == pickle.loads(pickle.dumps(lens))
    assert hash(lens) == hash(LensCamera("PINHOLE", SIZE, TWO))
    assert "PINHOLE" in repr(lens)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("PIN", SIZE, TWO), "unknown camera model 'PIN': choose one of SIMPLE_PINHOLE, PINHOLE"),
        (("OPENCV", SIZE, TWO), "OPENCV has the parameters fx, fy, cx, cy, k1, k2, p1, p2, not"),
        (("PINHOLE", SIZE, (500, np.nan, 1, 1)), "PINHOLE has the parameters"),
        (("PINHOLE", SIZE, (500, -1, 1, 1)), "focal lengths must be positive"),
        (("PINHOLE", (480, 640), TWO), "is an ImageSize"),
        (("PINHOLE", SIZE, "500"), "must be"),
    ],
)
def test_what_is_no_camera_is_refused(given: tuple, told: str) -> None:
    with pytest.raises(InputError, match=told):
        LensCamera(*given)
    with pytest.raises(InputError, match="needs the size"):
        LensCamera.from_pinhole(Camera(500.0, 500.0, 320.0, 240.0))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("model", [*PARAMS, *HELD])
def test_a_camera_follows_its_picture(model: str, orientation: int) -> None:
    """A ray's pixel, carried along by Pillow's own turn, is where COLMAP's turned camera sees the turned ray."""
    pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    lens = LensCamera(model, SIZE, (PARAMS | HELD)[model])
    camera, turned = (lens_to_colmap(pycolmap, each) for each in (lens, lens.turned(orientation)))
    rays = np.array([[0.2, 0.1, 1.0], [-0.3, 0.15, 1.0], [0.1, -0.2, 1.0], [0.0, 0.0, 1.0]])
    pixels = camera.img_from_cam(rays)
    x, y = np.meshgrid(np.arange(640, dtype=np.float32), np.arange(480, dtype=np.float32))
    planes = [Image.fromarray(plane) for plane in (x, y)]
    if orientation > 1:
        planes = [plane.transpose(_TRANSPOSES[orientation]) for plane in planes]
    came_from = np.stack([np.asarray(plane) for plane in planes], axis=-1) + 0.5  # of each pixel of the turned picture
    assert (turned.height, turned.width) == came_from.shape[:2]
    # The turn is affine: three of its pixels tell it.
    across, down = came_from[0, 1] - came_from[0, 0], came_from[1, 0] - came_from[0, 0]
    A = np.stack([across, down], axis=1)
    expected = (pixels - came_from[0, 0]) @ np.linalg.inv(A).T + 0.5
    moved = rays.copy()
    moved[:, :2] = rays[:, :2] @ np.linalg.inv(A).T
    np.testing.assert_allclose(turned.img_from_cam(moved), expected, atol=1e-9)


def test_a_camera_is_that_of_the_stored_or_the_displayed_picture_by_its_shape() -> None:
    lens = LENSES["OPENCV"]
    small, upright = ImageSize(240, 320), ImageSize(320, 240)
    assert lens.displayed(SIZE) == lens
    assert lens.displayed(small, 6) == lens.scaled(small).turned(6)
    assert lens.displayed(upright, 6) == lens.scaled(small)  # stored upright, displayed as the camera's picture
    for stored, orientation in ((upright, 1), (upright, 3), (ImageSize(400, 400), 6)):
        with pytest.raises(InputError, match="another aspect ratio"):
            lens.displayed(stored, orientation)


def test_models_that_are_only_held_are_not_projected() -> None:
    for model, params in HELD.items():
        lens = LensCamera(model, SIZE, params)
        assert lens.scaled(ImageSize(240, 320)).focal_length == pytest.approx(lens.focal_length / 2)
        with pytest.raises(InputError, match="undistort the images"):
            lens.project(points())
