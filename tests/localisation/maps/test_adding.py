"""Maps that grow: what was there stays, new poses are right, and what cannot be added is said."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cyano.checkpoints import load
from cyano.engine import Recipe
from cyano.errors import InputError
from cyano.formats.colmap.pixels import lens_of
from cyano.formats.mapping.growing import GrowingModel
from cyano.localisation import LocaliseOptions, Localiser, Map, PositionPrior, add_images
from cyano.localisation.queries import Query
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.pairs import PairOptions
from cyano.types import ImageSize
from support.commands import flat_image, output, run
from support.localised import FEW, Scene
from support.walk import render_walk, write_view

pycolmap: Any = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")


@pytest.fixture(scope="module")
def place(scene: Scene) -> Map:
    return Map.open(scene.model, Recipe(load(), MatcherOptions(max_keypoints=400)), scene.images)


@pytest.fixture(scope="module")
def grown(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[Path, bytes]]:
    """The photographs in the map, what the command says, and the files of the old map before."""
    before = {path: path.read_bytes() for path in scene.model.rglob("*") if path.is_file()}
    out = tmp_path_factory.mktemp("grown") / "out"
    result = run(
        "add",
        scene.queries,
        "--to",
        scene.model,
        "--images",
        scene.images,
        "--out",
        out,
        *FEW,
        "--prefix",
        "new/",
        "--json",
    )
    return out, output(result), before


def model_of(folder: Path) -> Any:
    return pycolmap.Reconstruction(folder / "sparse" / "0")


def assert_old_stays(before: Any, after: Any) -> None:
    for number, image in before.images.items():
        there = after.images[number]
        assert (there.name, there.camera_id) == (image.name, image.camera_id)
        np.testing.assert_array_equal(there.cam_from_world().matrix(), image.cam_from_world().matrix())
    for number, camera in before.cameras.items():
        np.testing.assert_array_equal(after.cameras[number].params, camera.params)
    for number, point in before.points3D.items():
        np.testing.assert_array_equal(after.points3D[number].xyz, point.xyz)


def test_old_images_stay_and_new_ones_are_where_they_were_taken(
    scene: Scene, grown: tuple[Path, dict[str, Any], dict[Path, bytes]]
) -> None:
    out, document, before = grown
    assert document["model"]["failed"] == {}
    assert set(document["model"]["added"]) == {f"new/{name}" for name in scene.poses}
    assert {path: path.read_bytes() for path in before} == before  # the old map is only read
    old, new = model_of(scene.model), model_of(out)
    assert_old_stays(old, new)
    assert new.num_points3D() == old.num_points3D() + document["model"]["new_points"]
    for name in scene.poses:
        pose = np.eye(4)
        image = new.find_image_with_name(f"new/{name}")
        pose[:3] = image.cam_from_world().matrix()
        degrees, steps = scene.errors(name, pose)
        assert degrees < 0.06  # as localised photographs; see test_localiser.py
        assert steps < 0.015
        assert image.camera_id == 1  # all images of the map share one, so it is theirs, too
    # New keypoints are as exact as old ones: within a tenth, as adding is held to on photographs.
    assert document["model"]["mean_reprojection_error"] < 1.1 * old_error(old)


def old_error(model: Any) -> float:
    misses = [
        np.linalg.norm(
            model.images[each.image_id].project_point(point.xyz)
            - model.images[each.image_id].point2D(each.point2D_idx).xy
        )
        for point in model.points3D.values()
        for each in point.track.elements
    ]
    return float(np.mean(misses))


def test_the_grown_map_is_a_map(grown: tuple[Path, dict[str, Any], dict[Path, bytes]], tmp_path: Path) -> None:
    out, _, _ = grown
    (view,) = render_walk(at=[2.0])
    write_view(view, tmp_path / "again.png")
    document = output(run("localise", tmp_path / "again.png", "--map", out, *FEW, "--json"))  # images by its links
    (found,) = document["localisations"]
    assert found["status"] == "ok"
    assert all(each["aligned"] for each in found["candidates"])
    assert {each["name"] for each in found["candidates"]} >= {"new/q_1.png", "view2.png"}
    assert run("view", out / "sparse" / "0", "--out", tmp_path / "shown").exit_code == 0


def test_nothing_is_done_twice(scene: Scene, grown: tuple[Path, dict[str, Any], dict[Path, bytes]]) -> None:
    out, document, _ = grown
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    again = output(
        run(
            "add",
            scene.queries,
            "--to",
            scene.model,
            "--images",
            scene.images,
            "--out",
            out,
            *FEW,
            "--prefix",
            "new/",
            "--json",
        )
    )
    assert again["model"] == document["model"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == stamps


def test_images_that_fail_are_said(scene: Scene, tmp_path: Path) -> None:
    images = tmp_path / "more"
    images.mkdir()
    shutil.copy(scene.queries / "q_2.png", images)
    flat_image(images / "flat.png")
    (images / "broken.png").write_bytes(b"no image")
    result = run("add", images, "--to", scene.model, "--images", scene.images, "--out", tmp_path / "out", *FEW)
    assert result.exit_code == 3
    assert "not added: flat.png: no keypoints" in result.stderr
    (broken,) = (line for line in result.stderr.splitlines() if "broken.png" in line)
    assert broken.startswith("not added: broken.png: ")
    assert "1 of 3 images" in result.stdout
    assert {image.name for image in model_of(tmp_path / "out").images.values()} == {
        "q_2.png",
        *(path.name for path in scene.images.iterdir()),
    }
    (images / "q_2.png").unlink()
    result = run("add", images, "--to", scene.model, "--images", scene.images, "--out", tmp_path / "none", *FEW)
    assert result.exit_code == 1
    assert "none of 1 images can be added (flat.png: no keypoints" in result.stderr
    assert not (tmp_path / "none" / "sparse").exists()


def test_images_that_fail_are_tried_again_in_the_grown_map(
    scene: Scene, place: Map, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = tmp_path / "further"
    images.mkdir()
    for name, view in zip(("near.png", "far.png"), render_walk(at=(9, 14.5)), strict=True):
        write_view(view, images / name)
    matchers = []

    class Watched(Localiser):
        def __init__(self, place: Map, options: LocaliseOptions, matcher: Matcher | None = None) -> None:
            super().__init__(place, options, matcher)
            matchers.append(self.matcher)

    monkeypatch.setattr("cyano.localisation.maps.growth.Localiser", Watched)
    # Of 400 keypoints about 110 of the nearer agree with the map, and 25 of the farther.
    done = add_images(place, images, tmp_path / "out", options=LocaliseOptions(min_inliers=60))
    assert set(done.model.added) == {"near.png", "far.png"}
    assert done.model.rounds == 2
    assert len(matchers) == 2
    assert matchers[0] is matchers[1]  # networks are built once
    assert done.exit_status == 0
    assert_old_stays(model_of(scene.model), model_of(tmp_path / "out"))


def test_an_image_is_not_added_far_from_where_it_is_said_to_be_taken(scene: Scene, place: Map, tmp_path: Path) -> None:
    far = Query("q_2.png", scene.queries / "q_2.png", prior=PositionPrior((1e4, 0.0, 0.0)))
    with pytest.raises(InputError, match=r"none of 1 images can be added .*no candidates"):
        add_images(place, [far], tmp_path / "out")
    assert not (tmp_path / "out" / "sparse").exists()


def test_all_can_be_refined(scene: Scene, place: Map, tmp_path: Path) -> None:
    done = add_images(place, scene.queries / "q_2.png", tmp_path / "out", fix_old=False)
    before, after = model_of(scene.model), model_of(tmp_path / "out")
    assert len(done.model.added) == 1
    for number, image in before.images.items():
        there = after.images[number]
        assert (there.name, there.camera_id) == (image.name, image.camera_id)
        assert np.abs((there.cam_from_world() * image.cam_from_world().inverse()).rotation.angle()) < np.radians(0.5)
    assert (after.cameras[1].params != before.cameras[1].params).any()
    assert done.model.mean_reprojection_error < 1.1 * old_error(before)  # likewise
    assert Localiser(Map.open(tmp_path / "out", place.recipe)).localise(scene.images / "view1.png").ok


def test_images_are_added_to_a_map_of_more_images_than_are_matched(scene: Scene, place: Map, tmp_path: Path) -> None:
    """They are chosen by global descriptors, in each round by those of the map at that time, which are not kept."""
    grown = add_images(place, scene.queries, tmp_path / "out", options=LocaliseOptions(top_k=4, all_up_to=1))
    assert grown.model.failed == {}
    assert set(Map.open(tmp_path / "out", place.recipe, scene.images).names) == {*place.names, *scene.poses}
    assert not (tmp_path / "out" / "store" / "retrieval").exists()


def test_a_run_that_is_stopped_leaves_no_model_and_goes_on_with_the_camera_given(
    scene: Scene, place: Map, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = lens_of("PINHOLE", (401.0, 401.0, 240.0, 180.0), ImageSize(360, 480))
    asked = [Query("q.png", scene.queries / "q_1.png", camera)]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(GrowingModel, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            add_images(place, asked, tmp_path / "out")
    assert not (tmp_path / "out" / "sparse").exists()
    done = add_images(place, asked, tmp_path / "out")
    assert (done.extraction.done, done.matching.done) == (0, 0)  # that was done before
    assert list(done.model.added) == ["q.png"]
    image = model_of(tmp_path / "out").find_image_with_name("q.png")
    assert image.camera_id == 2
    np.testing.assert_array_equal(image.camera.params, (401.0, 401.0, 240.0, 180.0))


def test_a_run_that_is_killed_goes_on_to_the_same_model(
    scene: Scene, grown: tuple[Path, dict[str, Any], dict[Path, bytes]], tmp_path: Path
) -> None:
    out, document, _ = grown
    arguments = ["add", scene.queries, "--to", scene.model, "--images", scene.images, "--out", tmp_path / "out", *FEW]
    arguments += ["--prefix", "new/"]
    with subprocess.Popen([sys.executable, "-m", "cyano", *map(str, arguments)], stdout=subprocess.DEVNULL) as killed:
        while len(list((tmp_path / "out").glob("store/features/*/*.safetensors"))) < 2 and killed.poll() is None:
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "out" / "sparse").exists()
    again = output(run(*arguments, "--json"))
    assert again["images"]["done"] == 0
    assert again["model"] == document["model"]
    for name in ("cameras.bin", "images.bin", "points3D.bin"):
        assert (tmp_path / "out" / "sparse" / "0" / name).read_bytes() == (out / "sparse" / "0" / name).read_bytes()


def test_images_that_were_added_are_not_lost(
    scene: Scene, grown: tuple[Path, dict[str, Any], dict[Path, bytes]]
) -> None:
    out, _, _ = grown
    before = (out / "sparse" / "0" / "images.bin").read_bytes()
    to = ("--to", scene.model, "--images", scene.images, "--out", out, *FEW)
    result = run("add", scene.queries / "q_1.png", *to, "--prefix", "new/")
    assert result.exit_code == 1
    assert "with other images added (new/q_2.png, new/q_3.png)" in result.stderr
    assert (out / "sparse" / "0" / "images.bin").read_bytes() == before


def test_what_does_not_fit_is_an_error(scene: Scene, place: Map, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the map itself"):
        add_images(place, scene.queries, scene.model)
    with pytest.raises(InputError, match=r"names of 1 to add \(view0.png\).*--prefix"):
        add_images(place, scene.images / "view0.png", tmp_path / "out")
    with pytest.raises(InputError, match="no images to add"):
        add_images(place, [], tmp_path / "out")
    masked = Query("q.png", scene.queries / "q_1.png", mask=scene.queries / "q_2.png")
    with pytest.raises(InputError, match=r"masks of their own \(q.png\).*Recipe.masks"):
        add_images(place, [masked], tmp_path / "out")
    absent = tmp_path / "absent.txt"
    for wanted in (PairOptions("list", pair_list=absent), PairOptions("spatial", poses=absent)):
        with pytest.raises(InputError, match=r"absent\.txt"):
            add_images(place, scene.queries, tmp_path / "out", pairs=wanted)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "images").symlink_to(scene.images)  # as a reconstruction leaves it
    with pytest.raises(InputError, match="results of other images"):
        add_images(place, scene.queries, tmp_path / "other")
    assert sorted(path.name for path in scene.images.iterdir()) == place.names
    shutil.copytree(scene.model, tmp_path / "moved", symlinks=True)
    (tmp_path / "moved" / "images").unlink()
    blind = Map.open(tmp_path / "moved", place.recipe)
    with pytest.raises(InputError, match="--images"):
        add_images(blind, scene.queries, tmp_path / "out")
    assert not (tmp_path / "out").exists()
