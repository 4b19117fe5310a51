"""Pictures: textures land where the geometry says, without aliasing, and under the light that was asked for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cyano.errors import InputError
from cyano.geometry.camera import Camera
from cyano.geometry.transforms import invert_rigid
from cyano.geometry.truth import DepthTruth, Visibility
from cyano.synthesis.scenes.atlas import LEVELS, SIDE, Atlas, build_atlas, crop_texture
from cyano.synthesis.scenes.lighting import Lighting
from cyano.synthesis.scenes.render import render
from cyano.synthesis.scenes.surfaces import Coat, Quad, Sphere
from cyano.synthesis.scenes.viewpoints import look_at
from cyano.types import ImageSize
from support.posed_scenes import detailed_photographs, scene_of

CAMERA = Camera.from_field_of_view(50, ImageSize(120, 160))


def _wall(tile: float = 2.0) -> Quad:
    """4 x 3 m in the plane y = 0, seen from negative y."""
    return Quad(np.array([-2.0, 0.0, -1.5]), np.array([4.0, 0, 0]), np.array([0, 0, 3.0]), Coat(0, tile))


def test_two_views_of_a_wall_agree_with_its_homography() -> None:
    scene = scene_of([_wall()], detailed_photographs(1)[0])
    T0, T1 = (look_at(np.array(eye), np.zeros(3), 0.1) for eye in ((-0.5, -2.2, 0.2), (0.4, -2.0, -0.1)))
    (image0, depth0), (image1, depth1) = render(scene, CAMERA, T0), render(scene, CAMERA, T1)
    T_0to1 = T1 @ invert_rigid(T0)
    normal = T0[:3, 1]  # the world's y axis in camera 0; the wall is n . X = n . t
    H = CAMERA.matrix @ (T_0to1[:3, :3] + np.outer(T_0to1[:3, 3], normal) / (normal @ T0[:3, 3]))
    H = H @ np.linalg.inv(CAMERA.matrix)
    rng = np.random.default_rng(0)
    points = rng.uniform(0, (159, 119), (500, 2))
    found = DepthTruth(depth0, depth1, CAMERA, CAMERA, T_0to1).to_image1(points)
    seen = found.visibility == Visibility.VISIBLE
    assert seen.mean() > 0.5
    mapped = np.concatenate([points, np.ones((500, 1))], axis=1) @ H.T
    # Depths are single precision: 1e-7 of a disparity of some 50 pixels, with a margin.
    np.testing.assert_allclose(found.points[seen], (mapped[:, :2] / mapped[:, 2:])[seen], atol=1e-3)
    # And the picture does as the geometry says: the detail is about 2 pixels wide, so half a pixel would show.
    warped = cv2.warpPerspective(image0, H, (160, 120))
    inner = cv2.erode(cv2.warpPerspective(np.ones_like(image0), H, (160, 120)), np.ones((9, 9))) > 0.99
    shifted = np.roll(image1, 1, axis=1)
    assert np.median(np.abs(warped - image1)[inner]) < 0.3 * np.median(np.abs(warped - shifted)[inner])


def test_the_look_up_is_bilinear_and_mirrored_on_the_finest_level() -> None:
    rng = np.random.default_rng(2)
    atlas = build_atlas([rng.random((SIDE, SIDE), dtype=np.float32)], rng, 2, 0.0)
    pad = 2
    fine = atlas.pixels[SIDE + 3 * pad :][:SIDE, pad : pad + SIDE]  # of the second texture
    u, v = rng.uniform(-2 * SIDE, 3 * SIDE, (2, 40)).astype(np.float32)
    found = atlas.look_up(u[None].copy(), v[None].copy(), np.zeros((1, 40), np.float32), np.ones((1, 40), np.uint8))[0]
    tiled = np.pad(fine, 3 * SIDE, mode="symmetric")
    for k in range(40):
        x, y = u[k] - 0.5 + 3 * SIDE, v[k] - 0.5 + 3 * SIDE
        left, top = int(np.floor(x)), int(np.floor(y))
        fx, fy = x - left, y - top
        square = tiled[top : top + 2, left : left + 2]
        expected = np.array([1 - fy, fy]) @ square @ np.array([1 - fx, fx])
        # OpenCV rounds weights to 1/32 of a pixel: up to 1/64 of the contrast along either axis.
        assert abs(found[k] - expected) < 0.035


def test_levels_are_averages_of_the_finest() -> None:
    atlas = build_atlas([detailed_photographs(1)[0]], np.random.default_rng(0), 1, 0.0)
    middle = np.full((1, 1), SIDE / 2, np.float32)
    fine = atlas.pixels[2 : 2 + SIDE, 2 : 2 + SIDE]
    level = LEVELS - 2
    side = 2**level
    found = atlas.look_up(
        middle + side / 2, middle + side / 2, np.full((1, 1), level, np.float32), np.zeros((1, 1), np.uint8)
    )
    start = SIDE // 2
    # The look-up hits the centre of one coarse pixel; level is LEVELS - 2, so it is not blended with the last one.
    assert abs(found[0, 0] - fine[start : start + side, start : start + side].mean()) < 1e-3


def test_fine_patterns_far_away_turn_grey_instead_of_aliasing() -> None:
    chequers = (np.indices((SIDE, SIDE)).sum(axis=0) // 2 % 2).astype(np.uint8) * 255
    scene = scene_of([_wall(tile=0.4)], chequers)  # fields of 1.6 mm; at 3 m a pixel covers 17 mm
    image, depth = render(scene, CAMERA, look_at(np.array([0.0, -3.0, 0.0]), np.zeros(3), 0.3))
    assert (depth > 0).mean() > 0.9
    # One sample per pixel of the finest level would have a standard deviation near a quarter or more.
    assert image[20:100, 30:130].std() < 0.02


@pytest.mark.parametrize("angle_deg", [0.0, 40.0])
def test_light_is_ambient_plus_lambert(angle_deg: float) -> None:
    angle = np.radians(angle_deg)
    direction = np.array([np.sin(angle), -np.cos(angle), 0.0])
    light = Lighting(ambient=0.5, direction=direction, directional=0.8, gain=0.9, gamma=1.3)
    scene = scene_of([_wall()])
    grey = float(scene.atlas.pixels[10, 10])
    image, _ = render(scene, CAMERA, look_at(np.array([0.0, -2.0, 0.0]), np.zeros(3), 0.0), light)
    expected = (0.9 * grey * (0.5 + 0.8 * np.cos(angle))) ** 1.3
    np.testing.assert_allclose(image[60, 80], expected, rtol=1e-4)


def test_a_near_lamp_lights_planes_and_spheres_by_the_same_law() -> None:
    lamp, reach, power = np.array([0.7, -1.5, 0.4]), 1.2, 0.3
    light = Lighting(ambient=0.4, lamp=lamp, lamp_power=power, lamp_reach=reach)
    for surface, point, normal in (
        (_wall(), np.zeros(3), np.array([0.0, -1.0, 0.0])),
        (Sphere(np.array([0.0, 0.6, 0.0]), 0.6, np.eye(3), Coat(0, 1.0)), np.zeros(3), np.array([0.0, -1.0, 0.0])),
    ):
        scene = scene_of([surface])
        camera = Camera(100.0, 100.0, 80.0, 60.0, ImageSize(120, 160))  # a pixel centre looks right ahead
        image, depth = render(scene, camera, look_at(np.array([0.0, -2.0, 0.0]), np.zeros(3), 0.0), light)
        np.testing.assert_allclose(depth[60, 80], 2.0, rtol=1e-5)
        way = lamp - point
        squared = way @ way
        expected = 0.4 + 2 * power * reach**2 * (normal @ way) / np.sqrt(squared) / (squared + reach**2)
        np.testing.assert_allclose(image[60, 80], scene.atlas.pixels[10, 10] * expected, rtol=1e-4)


def test_crops_are_grey_squares_from_bytes_and_floats() -> None:
    photograph = detailed_photographs(1)[0]
    first = crop_texture(photograph, np.random.default_rng(4))
    second = crop_texture(photograph.astype(np.float64) / 255, np.random.default_rng(4))
    assert first.shape == (SIDE, SIDE)
    assert first.dtype == second.dtype == np.float32
    np.testing.assert_allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("wrong", [np.zeros((10, 10, 3), np.uint8), np.zeros((4, 40), np.uint8), np.zeros((9, 9), int)])
def test_other_textures_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match="texture"):
        crop_texture(wrong, np.random.default_rng(0))


def test_an_atlas_needs_textures() -> None:
    with pytest.raises(InputError, match="1 to 60"):
        build_atlas([], np.random.default_rng(0), 0, 0.5)
    only_procedural = build_atlas([], np.random.default_rng(0), 8, 0.0)
    assert isinstance(only_procedural, Atlas)
    assert 0 <= only_procedural.pixels.min() < only_procedural.pixels.max() <= 1
