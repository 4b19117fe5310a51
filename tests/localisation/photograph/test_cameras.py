"""Which intrinsics are tried, and what a photograph's file says of its camera."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cyano.errors import ImageError, InputError
from cyano.formats import CameraEntry
from cyano.geometry import LensCamera
from cyano.localisation.map import Map
from cyano.localisation.photograph.cameras import intrinsics_of
from cyano.localisation.photograph.features import Photograph
from cyano.types import ImageSize, ResizeMap
from support.collection import recipe
from support.orbit import orbit
from support.photographs import write_photographs
from support.places import KNOWN, features_of, map_of

pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")


SIZE = ImageSize(480, 640)


def photograph(focal: float | None = None, orientation: int = 1) -> Photograph:
    return Photograph("a.jpg", features_of(np.zeros((0, 2)), np.zeros(0, np.int64)), orientation, focal)


def with_focals(*focals: float) -> Map:
    """A map whose images have these focal lengths, in turn."""
    place = map_of(orbit(views=len(focals)))
    images = {
        name: replace(image, camera=replace(KNOWN, params=(focal, focal, 319.5, 239.5)))
        for (name, image), focal in zip(place.model.images.items(), focals, strict=True)
    }
    return replace(place, model=replace(place.model, images=images))


def sources(place: Map, asked: Photograph, given: LensCamera | CameraEntry | None = None) -> list[str]:
    return [source for _, source in intrinsics_of(place, asked, given)]


def test_the_most_trusted_comes_first() -> None:
    place = map_of(orbit())
    assert sources(place, photograph()) == ["map", "estimated", "estimated"]
    assert sources(place, photograph(focal=28.0)) == ["map", "EXIF", "estimated", "estimated"]
    assert sources(place, photograph(focal=28.0), KNOWN) == ["given"]


def test_what_is_known_is_held_and_the_rest_refined() -> None:
    ((given, _),) = intrinsics_of(map_of(orbit()), photograph(), KNOWN)
    assert (given.camera, given.exact, given.guessed) == (KNOWN, True, False)
    (alike, _), (exif, _), (zoomed, _), (guess, _) = intrinsics_of(map_of(orbit()), photograph(focal=27.0), None)
    assert (alike.camera, alike.exact, alike.guessed) == (KNOWN, True, False)
    assert (zoomed.camera, zoomed.exact, zoomed.guessed) == (KNOWN, False, False)
    # 27 mm on 36 mm film: 640 * 27 / 36 = 480; the middle of 640 x 480 is (319.5, 239.5).
    assert (exif.camera.params, exif.exact, exif.guessed) == ((480.0, 319.5, 239.5), False, False)
    assert (guess.camera.params, guess.exact, guess.guessed) == ((768.0, 319.5, 239.5), False, True)


def test_a_camera_of_the_map_is_held_where_its_images_have_one_and_refined_where_they_are_merely_alike() -> None:
    def held(place: Map, asked: Photograph) -> bool:
        ((known, source), *_) = intrinsics_of(place, asked, None)
        assert source == "map"
        return known.exact

    small = ImageSize(240, 320)
    half = replace(photograph(), features=replace(photograph().features, frame=ResizeMap(small, small)))
    assert held(with_focals(600.0, 600.0, 600.0), photograph())
    assert held(with_focals(600.0, 600.0, 600.0), half)
    assert not held(with_focals(600.0, 601.0, 600.0), photograph())
    assert not held(with_focals(600.0, 601.0, 600.0), half)
    assert not held(with_focals(600.0), photograph())  # one image alone may have a camera that is anyhow


def test_a_camera_that_is_given_is_scaled_and_turned_to_what_is_displayed() -> None:
    double = CameraEntry("PINHOLE", (1200.0, 1240.0, 640.0, 480.0), ImageSize(960, 1280))
    ((scaled, _),) = intrinsics_of(map_of(orbit()), photograph(), double)
    assert scaled.camera == LensCamera("PINHOLE", ImageSize(480, 640), (600.0, 620.0, 319.5, 239.5))
    upright = CameraEntry("PINHOLE", (620.0, 600.0, 240.0, 320.0), ImageSize(640, 480))
    ((turned, _),) = intrinsics_of(map_of(orbit()), photograph(orientation=8), upright)
    assert turned.camera == LensCamera("PINHOLE", ImageSize(480, 640), (600.0, 620.0, 319.5, 239.5))
    with pytest.raises(InputError, match="another aspect ratio"):
        intrinsics_of(map_of(orbit()), photograph(), upright)


def test_the_images_of_the_map_have_to_agree_on_a_camera() -> None:
    (agreed,) = with_focals(600.0, 602.0, 598.0, 610.0, 590.0).cameras.like(SIZE, 1, None)
    assert agreed.params[0] == 600.0
    assert not with_focals(600.0, 600.0, 900.0, 900.0).cameras.like(SIZE, 1, None)
    assert not with_focals(600.0).cameras.like(ImageSize(640, 640), 1, None)


@pytest.mark.parametrize("size", [ImageSize(240, 320), ImageSize(332, 443), ImageSize(960, 1280)])
def test_a_camera_of_the_map_is_scaled_to_the_same_picture_at_another_size(size: ImageSize) -> None:
    (found,) = with_focals(600.0, 600.0).cameras.like(size, 1, None)
    assert found == LensCamera("PINHOLE", SIZE, (600.0, 600.0, 319.5, 239.5)).scaled(size)


def test_a_camera_of_the_map_is_turned_to_a_picture_that_is_turned() -> None:
    plain, upright = LensCamera("PINHOLE", SIZE, (600.0, 620.0, 310.0, 235.0)), ImageSize(640, 480)
    place = with_focals(600.0)
    name, image = next(iter(place.model.images.items()))
    place = replace(place, model=replace(place.model, images={name: replace(image, camera=plain)}))
    assert place.cameras.like(SIZE, 6, None) == [plain.turned(6)]  # EXIF says which way round
    assert place.cameras.like(upright, 1, None) == [plain.turned(6), plain.turned(8)]  # nobody does
    assert place.cameras.like(ImageSize(320, 240), 1, None) == [
        plain.scaled(ImageSize(240, 320)).turned(each) for each in (6, 8)
    ]
    assert len(with_focals(600.0).cameras.like(upright, 1, None)) == 1  # its principal point is in the middle
    assert place.cameras.like(upright, 6, None) == [plain]


def test_images_of_another_focal_length_are_of_another_camera(tmp_path: Path) -> None:
    place = with_focals(600.0, 600.0, 900.0, 900.0)
    for name, focal in zip(place.names, (30, 30, 45, 45), strict=True):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = focal
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(tmp_path / name, exif=exif)
    here = replace(place, images=tmp_path)
    for focal, expected in ((30.0, 600.0), (45.0, 900.0)):
        (found,) = here.cameras.like(SIZE, 1, focal)
        assert found.params[0] == expected
    assert not here.cameras.like(SIZE, 1, 60.0)
    assert not here.cameras.like(SIZE, 1, None)  # which of both?


@pytest.fixture(scope="module")
def sideways(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph that is stored 128 x 96 and displayed a quarter turn clockwise, 96 x 128."""
    folder = tmp_path_factory.mktemp("sideways")
    write_photographs(folder, 1, ImageSize(96, 128))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 35
    path = folder / "turned.jpg"
    with Image.open(next(folder.glob("*.png"))) as upright:
        upright.save(path, quality=95, exif=exif)
    return path


def test_a_photograph_is_read_as_it_is_displayed(sideways: Path) -> None:
    found = Photograph.read(sideways, recipe().matcher())
    assert (found.name, found.orientation, found.focal_35mm) == (str(sideways), 6, 35.0)
    assert (found.size, found.stored) == (ImageSize(128, 96), ImageSize(96, 128))


def test_whatever_the_matcher_takes_gives_the_same_features(sideways: Path) -> None:
    matcher = recipe().matcher()
    expected = matcher.extract([sideways])[0]
    with Image.open(sideways) as picture:
        upright = np.rot90(np.asarray(picture), -1)
        for source, orientation in (
            (sideways, 6),
            (str(sideways), 6),
            (sideways.read_bytes(), 6),
            (picture, 6),
            (np.ascontiguousarray(upright), 1),
            (torch.from_numpy(upright.copy()), 1),
        ):
            found = Photograph.read(source, matcher)
            assert found.orientation == orientation
            assert torch.equal(found.features.keypoints, expected.keypoints)
            assert torch.equal(found.features.descriptors, expected.descriptors)


def test_what_is_no_photograph(tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        Photograph.read(tmp_path / "absent.jpg", recipe().matcher())
    with pytest.raises(ImageError):
        Photograph.read(io.BytesIO(b"none").read(), recipe().matcher())
