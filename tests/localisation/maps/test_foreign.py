"""Maps of other programs' models: poses stay, photographs are localised in the very frame of the poses."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cyano.checkpoints import load
from cyano.engine import Recipe
from cyano.errors import InputError
from cyano.formats.colmap.pixels import lens_of
from cyano.geometry import invert_rigid, rotation_angle_between
from cyano.localisation import Localiser, Map, make_map
from cyano.options import MatcherOptions
from cyano.pairs import PairOptions
from cyano.types import ImageSize
from support.commands import output, run
from support.foreign import write_posed_model
from support.walk import render_walk, write_view, write_walk

pycolmap: Any = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")

LENS = ("PINHOLE", (400.0, 400.0, 240.0, 180.0), 480, 360)
FEW = ("--max-keypoints", "400")


@dataclass(frozen=True, eq=False)
class Foreign:
    """A model of a rendered walk with its true poses, its images, and the map of it."""

    model: Path
    images: Path
    map: Path
    poses: Mapping[str, NDArray[np.float64]]
    document: dict[str, Any]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Foreign:
    folder = tmp_path_factory.mktemp("foreign")
    poses = write_walk(folder / "images")
    write_posed_model(folder / "model", poses, LENS, text=True)
    result = run("map", folder / "model", "--images", folder / "images", "--out", folder / "map", *FEW, "--json")
    return Foreign(folder / "model", folder / "images", folder / "map", poses, output(result))


def recipe() -> Recipe:
    return Recipe(load(), MatcherOptions(max_keypoints=400))


def test_poses_and_cameras_stay(foreign: Foreign) -> None:
    before, after = (pycolmap.Reconstruction(path) for path in (foreign.model, foreign.map / "sparse" / "0"))
    assert foreign.document["left_out"] == foreign.document["model"]["doubtful"] == {}
    assert after.num_points3D() == foreign.document["model"]["points"] > 200
    # Renderings have no noise but their pixels': a fifth to a quarter of one, as keypoints of reconstructions have.
    assert foreign.document["model"]["mean_reprojection_error"] < 0.35
    assert set(after.images) == set(before.images)
    for number, image in before.images.items():
        np.testing.assert_array_equal(after.images[number].cam_from_world().matrix(), image.cam_from_world().matrix())
    np.testing.assert_array_equal(after.cameras[7].params, before.cameras[7].params)
    colours = np.array([point.color for point in after.points3D.values()])
    assert colours.std(axis=0).min() > 5  # read from the pictures


def test_photographs_are_localised_in_the_frame_of_the_poses(foreign: Foreign, tmp_path: Path) -> None:
    (view,) = render_walk(at=[2.4])
    write_view(view, tmp_path / "new.png")
    place = Map.open(foreign.map, recipe())  # its images are found by the link that is left
    assert place.images == foreign.map / "images"
    found = Localiser(place).localise(tmp_path / "new.png", lens_of("PINHOLE", LENS[1], ImageSize(360, 480)))
    assert found.ok
    assert found.aligned
    true = view.T_world_to_camera
    turn = np.degrees(rotation_angle_between(found.T_world_to_camera[:3, :3], true[:3, :3]))
    step = np.linalg.norm(np.diff([invert_rigid(pose)[:3, 3] for pose in foreign.poses.values()], axis=0), axis=1)
    # Of about 300 keypoints that are exact to a quarter of a pixel, which is 0.036 degrees here; see test_localiser.py.
    assert turn < 0.05
    assert np.linalg.norm(found.centre - invert_rigid(true)[:3, 3]) < 0.015 * np.median(step)


def test_nothing_is_done_twice_and_the_model_is_only_read(foreign: Foreign) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in foreign.map.rglob("*") if path.is_file()}
    held = sorted(path.name for path in foreign.model.iterdir())
    document = output(run("map", foreign.model, "--images", foreign.images, "--out", foreign.map, *FEW, "--json"))
    assert document["model"] == foreign.document["model"]
    assert document["matched"]["done"] == document["images"]["done"] == 0
    views = {"model.png", "model.html", "model.ply", "model_cameras.ply"}
    now = {path: path.stat().st_mtime_ns for path in foreign.map.rglob("*") if path.is_file()}
    assert {path.name for path in now if now[path] != stamps.get(path)} <= views
    assert sorted(path.name for path in foreign.model.iterdir()) == held


def test_images_that_cannot_be_used_are_said_and_left_out(foreign: Foreign, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(foreign.images, images)
    (images / "view0.png").unlink()
    with Image.open(images / "view1.png") as picture:
        exif = picture.getexif()
        exif[0x0112] = 3  # Orientation: upside down
        picture.save(images / "view1.png", exif=exif)
    with Image.open(images / "view2.png") as picture:
        picture.resize((240, 180)).save(images / "view2.png")
    (images / "view5.png").write_bytes(b"no image")
    shutil.copytree(foreign.map / "store", tmp_path / "map" / "store")
    result = run("map", foreign.model, "--images", images, "--out", tmp_path / "map", *FEW)
    assert result.exit_code == 1  # features in the store are of other images
    shutil.rmtree(tmp_path / "map")
    result = run("map", foreign.model, "--images", images, "--out", tmp_path / "map", *FEW)
    assert result.exit_code == 3
    for text in ("view0.png: it is not in", "view1.png: EXIF turns it", "view2.png: it has 240x180 pixels"):
        assert text in result.stderr
    (broken,) = (line for line in result.stderr.splitlines() if "view5.png" in line)
    assert broken.startswith("left out: view5.png: ")
    model = pycolmap.Reconstruction(tmp_path / "map" / "sparse" / "0")
    assert {image.name for image in model.images.values()} == {"view3.png", "view4.png"}


def test_folders_that_do_not_fit_are_errors(foreign: Foreign, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"0 of the 6 images of the model can be used.*--images"):
        make_map(foreign.model, tmp_path / "empty", tmp_path / "map", recipe())
    with pytest.raises(InputError, match="no model of COLMAP"):
        make_map(tmp_path / "empty", foreign.images, tmp_path / "map", recipe())
    listed = PairOptions("list", pair_list=tmp_path / "absent.txt")
    with pytest.raises(InputError, match=r"absent\.txt"):
        make_map(foreign.model, foreign.images, tmp_path / "map", recipe(), pairs=listed)
    assert not (tmp_path / "map").exists()


def test_from_colmap_opens_the_map(foreign: Foreign) -> None:
    place = Map.from_colmap(foreign.model, foreign.images, foreign.map, recipe())
    assert place.names == sorted(foreign.poses)
