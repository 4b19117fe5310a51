"""Photographs of a rendered scene in a reconstruction of it: where they were taken is known exactly."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cyano.checkpoints import load
from cyano.engine import ExtractImages, Recipe, find_images, run_stage
from cyano.errors import ImageError, InputError, OutputError
from cyano.formats import CameraEntry
from cyano.geometry import LensCamera
from cyano.localisation import LocaliseOptions, Localiser, Map
from cyano.localisation.photograph.correspondences import find_correspondences
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from cyano.types import ImageSize
from support.commands import flat_image
from support.localised import Scene
from support.walk import render_walk, write_view

GIVEN = CameraEntry("PINHOLE", (400.0, 400.0, 240.0, 180.0))


def few(**options: object) -> Recipe:
    return Recipe(load(), MatcherOptions(max_keypoints=400, **options))


@pytest.fixture(scope="module")
def localiser(scene: Scene) -> Localiser:
    return Localiser(Map.open(scene.model, few(), scene.images))


def assert_right(scene: Scene, name: str, pose: np.ndarray) -> None:
    """Points are half a pixel off at most (0.3 px reprojection error), which 400 px make 0.07 degrees for a single one,
    and there are 200 and more: what is left are systematic errors of the map, whose own frame was fitted by six
    cameras. 0.025 degrees and 0.5 % of a step were measured."""
    degrees, steps = scene.errors(name, pose)
    assert degrees < 0.06
    assert steps < 0.015


@pytest.mark.parametrize("camera", [GIVEN, None])
def test_photographs_are_localised_where_they_were_taken(
    scene: Scene, localiser: Localiser, camera: CameraEntry | None
) -> None:
    names = sorted(scene.poses) if camera is None else sorted(scene.poses)[:1]
    for name, found in zip(
        names, localiser.localise_all([scene.queries / name for name in names], camera), strict=True
    ):
        assert found.ok
        assert_right(scene, name, found.T_world_to_camera)
        assert found.camera_source == ("map" if camera is None else "given")
        assert found.aligned
        assert found.camera is not None
        assert found.camera.params[0] == pytest.approx(400, rel=0.003)
        # The renderer's noise is none: positions are as uncertain as the pose is wrong, up to the map's own errors.
        deviations = np.sqrt(np.diag(found.covariance))
        assert (deviations[:3] < np.radians(0.05)).all()
        assert (deviations > 0).all()


def test_a_photograph_that_exif_turns_has_the_pose_of_what_is_displayed(
    scene: Scene, localiser: Localiser, tmp_path: Path
) -> None:
    """Stored a quarter turn off, with the orientation that sets it upright: the pose stays, and the camera follows."""
    name = sorted(scene.poses)[0]
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    with Image.open(scene.queries / name) as upright:
        upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / name, exif=exif)
    stored = CameraEntry("PINHOLE", (400.0, 400.0, 180.0, 240.0), ImageSize(480, 360))
    found = localiser.localise(tmp_path / name, stored)
    assert found.ok
    assert found.camera == LensCamera("PINHOLE", ImageSize(360, 480), (400.0, 400.0, 239.5, 179.5))
    assert_right(scene, name, found.T_world_to_camera)
    shown = localiser.localise(tmp_path / name, replace(GIVEN, size=ImageSize(360, 480)))  # that of the upright picture
    np.testing.assert_array_equal(shown.T_world_to_camera, found.T_world_to_camera)
    with pytest.raises(InputError, match="another aspect ratio"):
        localiser.localise(tmp_path / name, replace(GIVEN, size=ImageSize(480, 480)))


@pytest.mark.parametrize("change", ["half", "turned"])
def test_a_photograph_at_another_size_or_turned_has_the_camera_of_the_map(
    scene: Scene, localiser: Localiser, tmp_path: Path, change: str
) -> None:
    name = sorted(scene.poses)[0]
    with Image.open(scene.queries / name) as picture:
        half, turned = picture.resize((240, 180)), picture.transpose(Image.Transpose.ROTATE_270)
        (half if change == "half" else turned).save(tmp_path / name)  # nothing says that it was turned clockwise
    found = localiser.localise(tmp_path / name)
    assert found.ok
    assert found.camera_source == "map"
    assert found.camera is not None
    assert found.camera.focal_length == pytest.approx(200 if change == "half" else 400, rel=0.01)
    pose = found.T_world_to_camera.copy()
    if change == "turned":  # the camera's x is the upright picture's -y, its y the x of that
        pose[:3] = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]) @ pose[:3]
    degrees, steps = scene.errors(name, pose)
    # Half the pixels, and the detector's own answer to a turned picture: twice what the same picture is allowed.
    assert degrees < 0.12
    assert steps < 0.03


def test_a_mask_keeps_keypoints_off(scene: Scene, localiser: Localiser, tmp_path: Path) -> None:
    name = sorted(scene.poses)[0]
    pixels = np.full((360, 480), 255, np.uint8)
    pixels[:, :200] = 0
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    found = localiser.localise(scene.queries / name, GIVEN, tmp_path / "mask.png")
    assert found.ok
    assert found.points2D[:, 0].min() > 195  # alignment may move a point a little
    with pytest.raises(ImageError, match="the mask is"):
        localiser.localise(scene.queries / name, GIVEN, np.zeros((10, 10), np.uint8))


def test_pixels_are_localised_as_their_file_is(scene: Scene, localiser: Localiser) -> None:
    name = sorted(scene.poses)[1]
    with Image.open(scene.queries / name) as picture:
        pixels = np.asarray(picture)
    expected, found = localiser.localise(scene.queries / name, GIVEN), localiser.localise(pixels, GIVEN)
    np.testing.assert_array_equal(found.T_world_to_camera, expected.T_world_to_camera)
    assert (found.name, expected.name) == ("image", str(scene.queries / name))


def test_another_place_is_no_certain_pose(localiser: Localiser, tmp_path: Path) -> None:
    (view,) = render_walk(at=[2.5], seed=11)
    write_view(view, tmp_path / "elsewhere.png")
    write_view(replace(view, image=np.random.default_rng(0).random(view.image.shape)), tmp_path / "noise.png")
    for name in ("elsewhere.png", "noise.png"):
        found = localiser.localise(tmp_path / name)
        assert not found.ok
        assert found.confidence < 0.5
        assert found.message


def test_what_has_no_keypoints_and_what_is_no_photograph(localiser: Localiser, tmp_path: Path) -> None:
    grey = flat_image(tmp_path / "grey.png")
    (tmp_path / "broken.png").write_bytes(grey.read_bytes()[:100])
    plain, broken, absent = localiser.localise_all([grey, str(tmp_path / "broken.png"), tmp_path / "absent.png"])
    assert plain.status == "no keypoints"
    assert (broken.status, broken.name) == ("not usable", str(tmp_path / "broken.png"))
    assert absent.status == "not usable"
    assert not any(each.has_pose for each in (plain, broken, absent))
    with pytest.raises(ImageError):
        localiser.localise(tmp_path / "absent.png")


def test_a_reconstruction_says_where_its_images_are(scene: Scene) -> None:
    place = Map.open(scene.model, few())
    assert place.images == scene.model / "images"
    assert place.images.resolve() == scene.images.resolve()
    assert place.features("view0.png").image is not None


def test_without_the_pictures_of_the_map_nothing_is_aligned_and_that_is_told(scene: Scene, tmp_path: Path) -> None:
    name = sorted(scene.poses)[0]
    found = Localiser(Map.open(scene.without_images(tmp_path), few())).localise(scene.queries / name, GIVEN)
    assert found.ok
    assert not found.aligned
    assert "not refined" in found.message
    degrees, steps = scene.errors(name, found.T_world_to_camera)
    assert degrees < 0.15  # a keypoint is half a pixel of the detector off instead
    assert steps < 0.04
    wanted = Localiser(Map.open(scene.model, few(align=False), scene.images)).localise(scene.queries / name, GIVEN)
    assert not wanted.aligned
    assert "not refined" not in wanted.message  # it was asked for


def test_a_picture_of_the_map_that_is_gone_or_another_one_costs_its_alignment(scene: Scene, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(scene.images, images)
    (images / "view0.png").unlink()
    flat_image(images / "view1.png")  # of another size
    place = Map.open(scene.model, few(), images)
    assert place.features("view0.png").image is None
    assert place.features("view1.png").image is None
    assert place.features("view2.png").image is not None


def test_the_images_that_look_most_alike_are_matched(scene: Scene) -> None:
    """From where a photograph was taken, the nearest images of a walk look most like it."""
    place = Map.open(scene.model, few(), scene.images)
    localiser = Localiser(place, LocaliseOptions(top_k=2, all_up_to=0, expand=False))
    found = localiser.localise(scene.queries / "q_1.png")  # between view1 and view2
    assert len(found.candidates) == 2
    assert {each.name for each in found.candidates} & {"view1.png", "view2.png"}
    assert found.ok
    order = place.most_alike(place.store.read(["view3.png"])[0].descriptors.astype(np.float32), 6)
    assert order[0] == "view3.png"
    assert sorted(order) == place.names


def test_a_map_that_nobody_may_write_is_read(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Map.open(scene.model, few(), scene.images)
    before = {path: path.stat().st_mtime_ns for path in scene.model.rglob("*") if path.suffix != ".sqlite"}

    def refused(*_: object) -> None:
        raise OutputError("read-only")

    monkeypatch.setattr("cyano.retrieval.codebook.save_codebook", refused)
    shutil.rmtree(scene.model / "store" / "codebooks", ignore_errors=True)
    descriptors = place.store.read(["view3.png"])[0].descriptors.astype(np.float32)
    assert place.most_alike(descriptors, 1) == ["view3.png"]
    kept = (path for path in before if path.exists())
    assert all(path.stat().st_mtime_ns == before[path] for path in kept if path.is_file())


def test_features_of_other_options_are_refused(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"max_keypoints was 400 and is 1024 now.*reconstructed with") as refused:
        Map.open(scene.model, Recipe(load()), scene.images)
    assert "--overwrite" not in str(refused.value)
    shutil.copytree(scene.model / "sparse", tmp_path / "sparse")
    with pytest.raises(InputError, match="no features"):
        Map.open(tmp_path, few())
    assert not (tmp_path / "store").exists()
    with pytest.raises(InputError, match="no folder"):
        Map.open(scene.model, few(), tmp_path / "absent")
    with pytest.raises(InputError, match="no model of COLMAP"):
        Map.open(tmp_path / "sparse", few())


def test_features_that_are_others_are_noticed_even_where_there_are_as_many(scene: Scene, tmp_path: Path) -> None:
    """400 keypoints each, of smaller pictures: the model is not of them."""
    folder = tmp_path / "map"
    shutil.copytree(scene.model, folder)
    other = Recipe(load(), MatcherOptions(max_keypoints=400, resize=ResizeRule.longest(320)))
    run_stage(ExtractImages(other, scene.images, folder / "store"), find_images(scene.images), force=True)
    with pytest.raises(InputError, match="is not of the features there"):
        Map.open(folder, other, scene.images)


def test_a_map_without_points_is_none(scene: Scene, tmp_path: Path) -> None:
    import pycolmap

    folder = tmp_path / "map"
    shutil.copytree(scene.model, folder)
    model = pycolmap.Reconstruction(folder / "sparse" / "0")
    for number in list(model.points3D):
        model.delete_point3D(number)
    model.write(folder / "sparse" / "0")
    with pytest.raises(InputError, match="no points, which localisation needs"):
        Map.open(folder, few(), scene.images)
    points = scene.model / "sparse" / "0" / "points3D.bin"
    (folder / "sparse" / "0" / "points3D.bin").write_bytes(points.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"points3D\.bin"):
        Map.open(folder, few(), scene.images)


def test_features_are_kept_as_long_as_they_are_used(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cyano.localisation.map._KEPT", 2)
    place = Map.open(scene.model, few(), scene.images)
    first = place.features("view0.png")
    place.features("view1.png")
    assert place.features("view0.png") is first  # used again, so view1 is the one to go
    place.features("view2.png")
    assert place.features("view0.png") is first
    assert len(place._kept) == 2


def test_only_keypoints_that_are_points_of_the_map_count(scene: Scene) -> None:
    place = Map.open(scene.model, few(), scene.images)
    points = place.image("view0.png").points
    every = SimpleNamespace(
        iter_matches=lambda pairs: [
            SimpleNamespace(
                indices=np.stack([np.arange(len(points))] * 2, 1),
                keypoints1=np.zeros((len(points), 2), np.float32),
                scores=np.ones(len(points), np.float32),
            )
        ]
    )
    found = find_correspondences(every, place, ["view0.png"], place.features("view1.png"), first=3)
    np.testing.assert_array_equal(found.keypoints, np.flatnonzero(points >= 0))
    np.testing.assert_array_equal(found.points, points[points >= 0])
    assert (found.images == 3).all()
