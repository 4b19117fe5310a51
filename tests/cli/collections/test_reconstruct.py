"""`cyano reconstruct` and its stages, with the packaged weights, on a rendered scene whose cameras are known."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cyano.errors import InputError
from cyano.formats import ModelSummary, SparseModel, read_features, read_model, sparse_model
from cyano.geometry import invert_rigid, pose_error
from support.commands import flat_image, output, run
from support.recipes import DETECTOR_AND_MATCHER
from support.walk import write_walk

pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")


class Walk(NamedTuple):
    images: Path
    out: Path
    poses: Mapping[str, NDArray[np.float64]]
    document: dict


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    folder = tmp_path_factory.mktemp("walk")
    poses = write_walk(folder / "images")
    document = output(run("reconstruct", folder / "images", "--out", folder / "out", "--cameras", "all", "--json"))
    return Walk(folder / "images", folder / "out", poses, document)


def errors_deg(model: SparseModel, poses: Mapping[str, NDArray[np.float64]]) -> list[float]:
    """The larger of the errors of rotation and direction, for each two cameras."""
    found = dict(zip(model.names, model.T_world_to_camera, strict=True))
    errors = []
    for name0, name1 in combinations(model.names, 2):
        relative = found[name1] @ invert_rigid(found[name0])
        true = poses[name1] @ invert_rigid(poses[name0])
        errors.append(pose_error(true, relative[:3, :3], relative[:3, 3]).worst)
    return errors


def times(folder: Path) -> dict[str, int]:
    """When each file was written, but for catalogues, which a reader may renew."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".sqlite")
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


def test_cameras_stand_where_they_stood(walk: Walk) -> None:
    assert walk.document["model"]["registered"] == len(walk.poses) == walk.document["database"]["images"]
    assert walk.document["matched"]["total"] == 15
    assert walk.document["pairs"].startswith("exhaustive")
    errors = errors_deg(read_model(walk.out / "sparse" / "0"), walk.poses)
    # The points are a pixel off (reprojection), which a focal length of 400 pixels makes 0.14 degrees, and neighbours
    # stand 8 degrees apart: one point tells the direction from one to the other to 1 degree, and there are hundreds.
    assert np.median(errors) < 0.75
    assert max(errors) < 2.0
    assert walk.document["model"]["mean_reprojection_error"] < 1.5
    assert walk.document["model"]["sound"]
    assert walk.document["model"]["verdict"] == "6 of 6 images registered, and all agree"
    with Image.open(walk.out / "model.png") as picture:
        assert picture.size == (1800, 900)
    points = walk.document["model"]["points"]
    assert f"element vertex {points}\n".encode() in (walk.out / "model.ply").read_bytes()
    assert b"element face 36\n" in (walk.out / "model_cameras.ply").read_bytes()
    assert "6 of 6 images registered, and all agree" in (walk.out / "model.html").read_text("ascii")


def test_a_model_that_is_there_is_shown(walk: Walk, tmp_path: Path) -> None:
    result = run("view", walk.out / "sparse" / "0", "--out", tmp_path / "shown", "--json")
    assert set(output(result)["files"]) == {"picture", "page", "points", "cameras"}
    assert (tmp_path / "shown" / "model.ply").read_bytes() == (walk.out / "model.ply").read_bytes()
    wrong = run("view", tmp_path)
    assert wrong.exit_code == 1
    assert "no model of COLMAP" in wrong.stderr
    folder = run("view", walk.out)
    assert folder.exit_code == 1
    assert f"give {walk.out / 'sparse' / '0'}" in folder.stderr.replace("\n", " ")


def test_a_doubtful_model_is_no_success(walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "sees 3 points"

    def all_but_one(*arguments: object, **options: object) -> ModelSummary:
        return replace(sparse_model(*arguments, **options), registered=5, taken_out={"view3.png": reason})

    monkeypatch.setattr("cyano.collection.outputs.sparse_model", all_but_one)
    out = tmp_path / "out"
    shutil.copytree(walk.out, out)
    for _ in range(2):  # made, and kept from before
        result = run("reconstruct", walk.images, "--out", out, "--cameras", "all", "--seed", "1", "--json")
        assert result.exit_code == 3
        model = json.loads(result.stdout)["model"]
        assert model["verdict"] == f"6 of 6 images registered; 5 agree, 1 taken out: view3.png ({reason})"
        assert not model["sound"]
        assert f"taken out: view3.png: {reason}" in result.stderr.splitlines()


def test_a_rerun_does_nothing_again(walk: Walk) -> None:
    before = times(walk.out)
    again = output(run("reconstruct", walk.images, "--out", walk.out, "--cameras", "all", "--json"))
    assert (again["images"]["kept"], again["matched"]["kept"]) == (6, 15)
    assert (again["images"]["done"], again["matched"]["done"]) == (0, 0)
    assert (again["database"], again["model"]) == (walk.document["database"], walk.document["model"])
    assert times(walk.out) == before


def test_other_options_are_refused_and_what_others_made_is_left(walk: Walk, tmp_path: Path) -> None:
    other = run("reconstruct", walk.images, "--out", walk.out, "--max-keypoints", "99")
    assert other.exit_code == 1
    assert "max_keypoints was" in other.stderr
    assert "--overwrite" in other.stderr
    out = tmp_path / "out"
    shutil.copytree(walk.out, out)
    (out / "database.json").unlink()
    foreign = run("colmap", walk.images, "--out", out, "--cameras", "all")
    assert foreign.exit_code == 1
    assert "was not made by this command" in foreign.stderr
    assert "verified" in run("colmap", walk.images, "--out", out, "--cameras", "all", "--force").stdout
    with pytest.raises(InputError, match="no model of COLMAP"):
        read_model(tmp_path)


def test_a_broken_image_is_listed_and_the_rest_goes_on(walk: Walk, tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    shutil.copytree(walk.images, images)
    shutil.copytree(walk.out, out)
    (images / "broken.png").write_bytes((images / "view0.png").read_bytes()[:900])
    for _ in range(2):
        result = run("reconstruct", images, "--out", out, "--cameras", "all", "--json")
        assert result.exit_code == 3
        document = json.loads(result.stdout)
        assert [failure["item"] for failure in document["images"]["failures"]] == [["broken.png"]]
        assert document["model"]["registered"] == 6
        assert "failed: broken.png: " in result.stderr.splitlines()[-1]
    flat_image(images / "broken.png")
    mended = run("reconstruct", images, "--out", out, "--cameras", "all", "--retry", "--json")
    assert mended.exit_code == 0
    (images / "d.jxl").write_bytes(b"passed over")
    told = run("reconstruct", images, "--out", out, "--cameras", "all")
    assert "6 of 7 images registered, and all agree; not registered: broken.png" in told.stdout
    assert "\nnote: " in told.stderr
    assert run("reconstruct", images, "--out", out, "--cameras", "all", "-q").output == ""
    assert (json.loads(mended.stdout)["model"]["images"], json.loads(mended.stdout)["model"]["registered"]) == (7, 6)


def test_features_alone_go_to_hloc(walk: Walk, tmp_path: Path) -> None:
    """Nothing is matched; the same keypoints as in the collection's own store."""
    document = output(run("extract", walk.images, "--out", tmp_path, "--hloc", "--json"))
    assert document["hloc"] == {"images": 6}
    images = {image.name: image for image in read_features(tmp_path / "features.h5")}
    assert sorted(images) == sorted(walk.poses)
    output(run("match-all", walk.images, "--out", tmp_path, "--json"))
    output(run("colmap", walk.images, "--out", tmp_path, "--cameras", "all", "--no-align", "--hloc", "--json"))
    for other in read_features(tmp_path / "hloc" / "features.h5"):
        np.testing.assert_array_equal(images[other.name].keypoints, other.keypoints)
        np.testing.assert_array_equal(images[other.name].descriptors, other.descriptors)
    before = (tmp_path / "features.h5").stat().st_mtime_ns
    assert "6 images, in" in run("extract", walk.images, "--out", tmp_path, "--hloc").stdout
    assert (tmp_path / "features.h5").stat().st_mtime_ns == before  # made from the same: not made again


def test_stages_in_shares_make_the_same(walk: Walk, tmp_path: Path) -> None:
    for command, *options in (("extract",), ("match-all", "--no-verify"), ("verify",), ("align",)):
        for share in ("1/2", "0/2"):
            assert run(command, walk.images, "--out", tmp_path, "--shard", share, *options).exit_code == 0
    exported = output(run("colmap", walk.images, "--out", tmp_path, "--cameras", "all", "--hloc", "--json"))
    assert exported["database"] == walk.document["database"]
    assert (exported["aligned"]["kept"], exported["aligned"]["done"]) == (6, 0)
    assert exported["hloc"] == {"images": 6, "pairs": 15}
    names = [image.name for image in read_features(tmp_path / "hloc" / "features.h5")]
    assert names == sorted(walk.poses)


def test_known_intrinsics_are_used_as_they_are(walk: Walk, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(walk.out, out)
    given = ("--cameras", "all", "--camera", "PINHOLE:800,800,480,360@960x720")  # twice the size of the images
    output(run("colmap", walk.images, "--out", out, *given, "--keep-cameras", "--model", "--json"))
    (camera,) = _cameras(out / "sparse" / "0")
    assert camera == ("PINHOLE", [400, 400, 240, 180])
    assert np.median(errors_deg(read_model(out / "sparse" / "0"), walk.poses)) < 0.75  # as above
    output(run("colmap", walk.images, "--out", out, *given, "--model", "--json"))  # refined: another model
    (camera,) = _cameras(out / "sparse" / "0")
    assert camera != ("PINHOLE", [400, 400, 240, 180])
    (tmp_path / "list.txt").write_text("* PINHOLE 480 360 410 400 240 180\n")
    given = ("--cameras", "all", "--cameras-file", str(tmp_path / "list.txt"))
    output(run("colmap", walk.images, "--out", out, *given, "--keep-cameras", "--model", "--json"))
    assert _cameras(out / "sparse" / "0") == [("PINHOLE", [410, 400, 240, 180])]
    for wrong, text in (
        (("--keep-cameras",), "goes with --camera, --camera-params"),
        (("--camera-params", "400"), "those of a --camera-model"),
        (("--camera-model", "PINHOLE", "--camera-params", "400,x"), "numbers with commas"),
        (("--camera-model", "PINHOLE", "--camera-params", "", "--keep-cameras"), "numbers with commas"),
        (("--camera-model", "PINHOLE", "--camera-params", "400,240,180"), "fx, fy, cx, cy"),
        (("--camera-model", "FISH"), "unknown camera model"),
    ):
        result = run("colmap", walk.images, "--out", out, *wrong)
        assert result.exit_code in {1, 2}
        assert text in " ".join(result.stderr.replace("│", " ").split())


def _cameras(model: Path) -> list[tuple[str, list[float]]]:
    import pycolmap

    return [(camera.model.name, list(camera.params)) for camera in pycolmap.Reconstruction(model).cameras.values()]


def test_what_was_reconstructed_is_trained_on(walk: Walk, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(DETECTOR_AND_MATCHER.replace("scenes = 0.5", "scenes = 0.0\nreconstructed = 1.0"))
    options = ["--run", tmp_path / "run", "--recipe", recipe, "--device", "cpu", "--reconstruction", walk.out]
    refused = run("train", "detector", walk.images, *options)
    assert refused.exit_code == 1
    assert "no stage of the recipe takes reconstructed images" in " ".join(refused.output.split())
    labels = DETECTOR_AND_MATCHER[
        DETECTOR_AND_MATCHER.index("[rounds.labels]") : DETECTOR_AND_MATCHER.index("[rounds.options]")
    ]
    recipe.write_text(recipe.read_text().replace(labels, ""))
    for network in ("detector", "matcher"):
        result = run("train", network, walk.images, *options)
        assert result.exit_code == 0, result.output
        assert f"{walk.out}: 6 images" in result.output  # "view0.png" and so on are one family, which stays together
    stage = json.loads((tmp_path / "run" / "matcher-1" / "stage.json").read_text())
    assert stage["places"] == 1
    moved = tmp_path / "moved"
    moved.mkdir()
    flat_image(moved / "other.png")
    options[1] = tmp_path / "again"
    (walk.out / "images").unlink()  # the link that reconstructing leaves, by which images are found that were moved
    missing = run("train", "matcher", moved, *options, "--from", tmp_path / "run" / "detector")
    assert missing.exit_code == 1
    assert "6 of 6 images" in missing.output
    (walk.out / "images").symlink_to(walk.images)
    found = run("train", "matcher", moved, *options, "--from", tmp_path / "run" / "detector")
    assert found.exit_code == 0, found.output


def test_folders_that_do_not_do(walk: Walk, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for images, out, text in (
        (tmp_path / "empty", tmp_path / "out", "holds no images"),
        (tmp_path / "absent", tmp_path / "out", "no such folder"),
        (walk.images, walk.images / "out", "is inside the image folder"),
    ):
        result = run("reconstruct", images, "--out", out)
        assert result.exit_code == 1
        assert result.stderr.startswith("error: ")
        assert text in result.stderr
        assert result.stderr.count("\n") == 1


def test_images_that_do_not_connect(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a.png", "b.png"):
        flat_image(images / name)
    (images / "c.png").write_bytes(b"no image")
    (images / "d.jxl").write_bytes(b"passed over")
    result = run("reconstruct", images, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert re.search(r"^note: .*d\.jxl", result.stderr, re.MULTILINE)
    assert "failed: c.png" in result.stderr
    assert "no model comes of" in result.stderr
    (images / "b.png").unlink()
    alone = run("reconstruct", images, "--out", tmp_path / "out")
    assert alone.exit_code == 1
    assert "a pair needs two; c.png: " in alone.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--workers", "2"], "--engine ray"),
        (["--top-k", "3"], "give --pairs as well"),
        (["--pairs", "sequential", "--min-score", "0.5"], "--loop-every"),
        (["--engine", "ray", "--workers", "0"], "at least one worker"),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: list[str], text: str) -> None:
    result = run("reconstruct", tmp_path, "--out", tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert text in " ".join(result.stderr.replace("│", " ").split())
