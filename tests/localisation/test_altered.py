"""Photographs that were cut or mirrored, on clouds of points whose cameras are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.formats.poses.absolute_pose import Intrinsics, projected
from cyano.geometry import LensCamera, rotation_angle_between
from cyano.localisation import Localisation, LocaliseOptions
from cyano.localisation.outcome import CameraSource
from cyano.localisation.photograph.features import Photograph
from cyano.localisation.photograph.search import Search
from cyano.types import Features, ImageSize, ResizeMap
from support.orbit import CAMERA, Orbit, orbit
from support.places import TrackMatcher, features_of, map_of, photograph_of
from support.scenes import project, rotation_about

pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")


def between() -> NDArray[np.float64]:
    """A pose that no image of an orbit has."""
    pose = np.eye(4)
    pose[:3, :3] = rotation_about((0.1, 1.0, 0.1), 24.0)
    pose[:3, 3] = (0.2, -0.1, 5.5)
    return pose


def part_of(scene: Orbit, pose: NDArray[np.float64], left: int, top: int, size: ImageSize, noise: float) -> Photograph:
    """What is left of a photograph where it is cut."""
    seen = project(CAMERA, scene.points @ pose[:3, :3].T + pose[:3, 3])
    seen += np.random.default_rng(0).normal(0, noise, seen.shape)
    seen -= (left, top)
    inside = ((seen > 0) & (seen < (size.width, size.height))).all(axis=1)
    features = features_of(seen[inside].astype(np.float32), np.flatnonzero(inside))
    return Photograph("part.jpg", replace(features, frame=ResizeMap(size, size)))


def localised(
    scene: Orbit, photograph: Photograph, source: CameraSource = "estimated", matcher: object = None
) -> Localisation:
    place, size = map_of(scene), photograph.size
    guess = LensCamera("SIMPLE_PINHOLE", size, (1.2 * size.longest, (size.width - 1) / 2, (size.height - 1) / 2))
    sources: Sequence[tuple[Intrinsics, CameraSource]] = [(Intrinsics(guess, exact=False, guessed=True), source)]
    search = Search(place, matcher or TrackMatcher(), LocaliseOptions(), photograph)  # type: ignore[arg-type]
    return search.run(place.names, sources)


@pytest.mark.parametrize(("left", "top", "width", "height"), [(320, 0, 320, 480), (0, 160, 640, 320)])
def test_the_principal_point_of_a_part_of_a_picture_is_found(left: int, top: int, width: int, height: int) -> None:
    scene = orbit(points=600)
    found = localised(scene, part_of(scene, between(), left, top, ImageSize(height, width), noise=0.3))
    assert found.camera is not None
    focal, x, y = found.camera.params
    # 0.3 px of 200 and more points: the deviations that were estimated are 3 px and less.
    assert focal == pytest.approx(600, rel=0.01)
    assert (x, y) == pytest.approx((CAMERA.cx - left, CAMERA.cy - top), abs=9)
    assert np.degrees(rotation_angle_between(found.T_world_to_camera[:3, :3], between()[:3, :3])) < 1
    assert "a cropped image" in found.message
    assert found.ok


def test_the_distortion_of_a_lens_is_found() -> None:
    """It moves the corners by 18 px, and a pinhole camera would have another focal length and stand elsewhere."""
    scene, pose = orbit(points=600), between()
    lens = LensCamera("SIMPLE_RADIAL", ImageSize(480, 640), (600.0, 319.5, 239.5, -0.1))
    seen = projected(scene.points, pose, lens) + np.random.default_rng(0).normal(0, 0.3, (600, 2))
    photograph = Photograph("lens.jpg", features_of(seen.astype(np.float32), np.arange(600)))
    found = localised(scene, photograph)
    assert found.camera is not None
    focal, x, y, distortion = found.camera.params
    assert focal == pytest.approx(600, rel=0.01)
    assert (x, y) == pytest.approx((319.5, 239.5), abs=6)  # 1 % of the picture is what is known of it
    assert distortion == pytest.approx(-0.1, abs=0.02)  # the points fill three fifths of the picture, to r^2 = 0.1
    assert np.degrees(rotation_angle_between(found.T_world_to_camera[:3, :3], pose[:3, :3])) < 0.15  # 3 deviations
    assert "part of" not in found.message


@pytest.mark.parametrize("off", [(0, 0), (8, -9)])
def test_the_principal_point_of_a_whole_picture_is_found_near_the_middle(off: tuple[int, int]) -> None:
    """As lenses have it: 1 % and 2 % of a side off. Held in the middle it would turn the camera by a degree."""
    scene = orbit(points=600)
    found = localised(scene, part_of(scene, between(), *off, ImageSize(480, 640), noise=0.5))
    assert found.camera is not None
    # Pixels of noise, 600 points: the deviations that were estimated are 1.5 px, three times which is this.
    assert found.camera.params[1:] == pytest.approx((319.5 - off[0], 239.5 - off[1]), abs=4.5)
    assert np.degrees(rotation_angle_between(found.T_world_to_camera[:3, :3], between()[:3, :3])) < 0.45
    assert "part of" not in found.message


def test_what_is_not_known_of_the_camera_makes_the_direction_less_certain() -> None:
    """A turn would make up for a principal point that is elsewhere, and a part may have been cut anywhere."""
    scene = orbit(points=600)
    whole = part_of(scene, between(), 0, 0, ImageSize(480, 640), noise=0.5)
    camera = LensCamera("SIMPLE_PINHOLE", ImageSize(480, 640), (600.0, CAMERA.cx, CAMERA.cy))
    place = map_of(scene)
    search = Search(place, TrackMatcher(), LocaliseOptions(), whole)  # type: ignore[arg-type]
    given = search.run(place.names, [(Intrinsics(camera), "given")])
    cut = localised(scene, part_of(scene, between(), 110, 0, ImageSize(480, 420), noise=0.5))
    assert "part of" not in cut.message
    variances = [np.diag(each.covariance)[:2] for each in (given, localised(scene, whole), cut)]
    assert (variances[1] > 2 * variances[0]).all()
    assert (variances[2] > variances[1]).all()


class Mirrors(TrackMatcher):
    """Finds all keypoints in the mirror image."""

    def __init__(self, features: Features) -> None:
        self.features = features

    def extract(self, images: Sequence[object]) -> list[Features]:
        (image,) = images
        assert isinstance(image, np.ndarray)
        assert image[0, 0] == 1  # the last pixel of the row comes first
        return [self.features]


@pytest.mark.parametrize("mirrored", [True, False])
def test_a_mirror_image_that_fits_better_is_no_certain_place(mirrored: bool) -> None:
    """Half of the matches of the photograph itself are wrong, so the mirror is looked at."""
    scene = orbit()
    pose, grey = between(), np.zeros((480, 640), np.float32)
    grey[0, -1] = 1
    tracks = np.arange(200)
    names = tracks.copy()
    names[:100] = np.roll(names[:100], 37)
    photograph = replace(photograph_of(scene, pose, tracks, names=names), grey=grey)
    mirror = photograph_of(scene, pose, np.arange(250) if mirrored else np.arange(60)).features
    found = localised(scene, photograph, matcher=Mirrors(mirror))
    assert found.has_pose
    assert found.ok is not mirrored
    assert ("may be mirrored" in found.message) is mirrored


def test_without_its_pixels_nothing_is_known_of_the_mirror() -> None:
    scene = orbit()
    names = np.arange(200)
    names[:100] = np.roll(names[:100], 37)
    assert localised(scene, photograph_of(scene, between(), np.arange(200), names=names)).has_pose
