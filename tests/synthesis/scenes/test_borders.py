"""Borders between surfaces: as smooth as a picture that was rendered large and averaged."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from cyano.geometry.camera import Camera
from cyano.synthesis.scenes.borders import smooth_borders
from cyano.synthesis.scenes.geometry_pass import NOTHING, intersect
from cyano.synthesis.scenes.render import render
from cyano.synthesis.scenes.surfaces import Coat, Quad, Sphere, Surface
from cyano.synthesis.scenes.viewpoints import look_at
from cyano.types import ImageSize, ResizeMap
from support.posed_scenes import scene_of

SIZE = ImageSize(48, 64)
FACTOR = 8
T = look_at(np.array([0.1, -2.0, 0.2]), np.zeros(3), 0.13)


def _quad(is_round: bool = False) -> Quad:
    return Quad(np.array([-0.5, 0.0, -0.4]), np.array([1.0, 0, 0]), np.array([0, 0, 0.8]), Coat(0, 1.0), is_round)


@pytest.mark.parametrize("surface", [_quad(), _quad(is_round=True)])
def test_covered_parts_of_pixels_are_those_of_a_larger_picture(surface: Surface) -> None:
    scene = replace(scene_of([surface]), sky=(1.0, 1.0))
    camera = Camera.from_field_of_view(50, SIZE)
    large = camera.scaled(ResizeMap(SIZE, ImageSize(SIZE.height * FACTOR, SIZE.width * FACTOR)))
    expected = cv2.resize(render(scene, large, T)[0], (SIZE.width, SIZE.height), interpolation=cv2.INTER_AREA)
    image, _ = render(scene, camera, T)
    grey = scene.atlas.pixels[10, 10]
    mixed = (expected > grey + 0.02) & (expected < 0.98)
    assert mixed.sum() > 60
    error = np.abs(image - expected)[mixed] / (1 - grey)
    # Four rays tell quarters, so that a pixel may be off by a quarter and a little; one ray is off by 1/4 in the mean.
    assert error.max() < 0.3
    assert error.mean() < 0.09
    np.testing.assert_allclose(image[~mixed], expected[~mixed], atol=0.02 + 1e-6)


def test_only_pixels_along_borders_change_and_curved_borders_are_blurred() -> None:
    surfaces = [_quad(), Sphere(np.array([0.4, -0.3, 0.0]), 0.3, np.eye(3), Coat(0, 1.0))]
    layers = intersect(surfaces, Camera.from_field_of_view(50, SIZE), T)
    greys = np.zeros(256, np.float32)
    greys[0], greys[1], greys[NOTHING] = 0.2, 0.9, 0.5
    before = greys[layers.surface]
    image = before.copy()
    smooth_borders(image, layers)
    inner = cv2.erode((layers.surface == 1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert inner.sum() > 50
    assert np.array_equal(image[inner], before[inner])
    changed = image != before
    around = cv2.morphologyEx(layers.surface, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    assert changed.any()
    assert not (changed & ~around).any()
    assert greys[0] <= image.min()
    assert image.max() <= greys[1]


def test_a_picture_of_one_surface_stays_as_it_is() -> None:
    wall = Quad(np.array([-9.0, 0.0, -9.0]), np.array([18.0, 0, 0]), np.array([0, 0, 18.0]), Coat(0, 1.0))
    layers = intersect([wall], Camera.from_field_of_view(50, SIZE), T)
    image = np.random.default_rng(0).random((48, 64), dtype=np.float32)
    before = image.copy()
    smooth_borders(image, layers)
    assert np.array_equal(image, before)
