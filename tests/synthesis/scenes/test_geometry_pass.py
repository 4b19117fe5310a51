"""Depth by closed forms against rays that are cast one by one."""

from __future__ import annotations

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.geometry.camera import Camera
from cyano.synthesis.scenes.geometry_pass import NOTHING, intersect
from cyano.synthesis.scenes.layouts import KINDS, SceneKind, lay_out
from cyano.synthesis.scenes.render import render, render_depth
from cyano.synthesis.scenes.surfaces import Coat, Cylinder, Quad, Sphere, Surface
from cyano.synthesis.scenes.viewpoints import look_at
from cyano.types import ImageSize
from support.posed_scenes import scene_of
from support.raycaster import cast_depth

COAT = Coat(0, 1.0)
CAMERA = Camera(38.0, 41.0, 22.3, 15.9, ImageSize(33, 47))
AXES = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]


def _quad(**flags: bool) -> Quad:
    return Quad(-0.6 * AXES[0] - 0.5 * AXES[1], 1.4 * AXES[0], 1.1 * AXES[1], COAT, **flags)


SURFACES: dict[str, list[Surface]] = {
    "quad": [_quad()],
    "ellipse": [_quad(is_round=True)],
    "sphere": [Sphere(np.array([0.2, 0.5, 0.1]), 0.7, AXES, COAT)],
    "cylinder": [Cylinder(np.array([0.1, 0.4, -0.4]), 0.45, 0.9, AXES, COAT)],
    "crossing": [_quad(), Sphere(np.zeros(3), 0.6, AXES, COAT), Cylinder(np.zeros(3), 0.3, 1.5, AXES, COAT)],
    "floor": [Quad(np.array([-30.0, -30.0, -1.0]), np.array([60.0, 0, 0]), np.array([0, 60.0, 0]), COAT)],
}
"""The floor reaches behind the camera, so that its outline is cut at the near plane."""


def _views() -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    eyes = [2.2 * eye / np.linalg.norm(eye) for eye in rng.normal(size=(4, 3))]
    return [look_at(eye, rng.normal(0, 0.2, 3), rng.uniform(-3, 3)) for eye in eyes]


@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize("view", range(4))
def test_depth_equals_that_of_single_rays(name: str, view: int) -> None:
    T = _views()[view]
    found = render_depth(scene_of(SURFACES[name]), CAMERA, T)
    expected = cast_depth(SURFACES[name], CAMERA, T)
    assert found.dtype == np.float32
    met = (found > 0) & (expected > 0)
    # Along an outline single precision may decide a pixel the other way; and where a ray grazes a sphere, its
    # depth is the root of a difference near 0, which keeps half of the digits.
    assert np.mean((found > 0) != (expected > 0)) < 0.003
    error = np.abs(found[met] / expected[met] - 1)
    assert np.quantile(error, 0.98) < 1e-5
    assert np.mean(error < 2e-3) > 0.997
    if name != "floor":
        assert 0.02 < met.mean() < 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_whole_scenes_equal_single_rays(kind: SceneKind) -> None:
    rng = np.random.default_rng(11)
    build, stage, _ = lay_out(kind, rng, 3)
    camera = Camera.from_field_of_view(75, ImageSize(15, 21))
    T = look_at(rng.uniform(stage.low, stage.high), build.interests[-1], 0.2)
    found, expected = render_depth(scene_of(build.surfaces), camera, T), cast_depth(build.surfaces, camera, T)
    # As above: a pixel or two may fall on the other side of an outline.
    assert np.mean(np.abs(found - expected) < 1e-4 * expected + 1e-9) > 0.99


def test_the_back_of_a_closed_surface_is_not_drawn() -> None:
    quad = _quad(is_closed=True)
    middle = quad.corner + 0.5 * (quad.edge_u + quad.edge_v)
    for side in (1, -1):
        T = look_at(middle + side * 2 * np.cross(AXES[0], AXES[1]), middle, 0.0)
        assert (render_depth(scene_of([quad]), CAMERA, T) > 0).any() == (side == 1)


def test_normals_face_the_camera_and_patches_point_outwards() -> None:
    sphere = Sphere(np.zeros(3), 0.8, AXES, COAT)
    T = look_at(np.array([0.0, -3.0, 0.5]), np.zeros(3), 0.0)
    layers = intersect([sphere], CAMERA, T)
    patch = layers.patches[0]
    depth = layers.depth()[patch.window]
    x, y = layers.x[patch.window[1]][None], layers.y[patch.window[0]][:, None]
    points = np.stack([x * depth, y * depth, depth]) - (T[:3, 3])[:, None, None]  # from the centre, at the origin
    seen = layers.surface[patch.window] == 0
    # 0.8 m at 3 m in single precision.
    np.testing.assert_allclose(patch.normals[:, seen], points[:, seen] / 0.8, atol=1e-4)


def test_nothing_in_sight_is_depth_0_and_sky() -> None:
    T = look_at(np.array([0.0, -3.0, 0.0]), np.array([0.0, -4.0, 0.0]), 0.0)
    scene = scene_of([_quad()])
    image, depth = render(scene, CAMERA, T)
    assert not depth.any()
    assert (intersect(scene.surfaces, CAMERA, T).surface == NOTHING).all()
    assert image.min() >= min(scene.sky) - 1e-6
    assert image.max() <= max(scene.sky) + 1e-6


def test_a_camera_without_a_size_and_too_many_surfaces_are_refused() -> None:
    with pytest.raises(InputError, match="needs a size"):
        intersect([_quad()], Camera(30.0, 30.0, 10.0, 10.0), np.eye(4))
    with pytest.raises(InputError, match="at most 255"):
        intersect([_quad()] * 256, CAMERA, np.eye(4))
