"""`cyano localise`: what it prints and writes, its exit codes, and that nothing is done twice or lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from cyano.cli.main import app
from cyano.geometry.quaternions import quaternion
from cyano.localisation.localiser import Localiser
from cyano.localisation.output.records import read_records
from support.commands import flat_image, output, run
from support.localised import CAMERA, FEW, Scene


def localise(scene: Scene, queries: Path | str, *options: str | Path, images: bool = True) -> Result:
    """`cyano localise` with the options of the map; `--top-k` and so on come with `options`."""
    pictures = ("--images", scene.images) if images else ()
    return run("localise", queries, "--map", scene.model, *pictures, *FEW, *options)


@pytest.fixture(scope="module")
def found(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """All photographs, into a folder, with pictures and as JSON."""
    out = tmp_path_factory.mktemp("found") / "out"
    result = localise(scene, scene.queries, "--out", out, "--pictures", "--camera", CAMERA, "--json")
    return out, output(result)


def times(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_document_holds_the_poses(scene: Scene, found: tuple[Path, dict[str, Any]]) -> None:
    _, document = found
    assert (document["format"], document["photographs"], document["notes"]) == ("cyano-localise-1", 3, [])
    assert document["statuses"] == {"ok": 3}
    for each in document["localisations"]:
        pose = np.eye(4)
        w, x, y, z = each["quaternion"]
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        pose[:3, :3] += 2 * w * cross + 2 * cross @ cross
        pose[:3, 3] = each["translation"]
        degrees, steps = scene.errors(each["name"], pose)
        assert degrees < 0.06  # as in test_localiser.py
        assert steps < 0.015
        assert each["camera_source"] == "given"
        assert each["camera"]["params"] == [400, 400, 240, 180]


def test_files_of_other_programs(scene: Scene, found: tuple[Path, dict[str, Any]]) -> None:
    import pycolmap

    out, document = found
    by_name = {each["name"]: each for each in document["localisations"]}
    poses = (out / "poses.txt").read_text().splitlines()
    assert [line.split()[0] for line in poses] == sorted(scene.poses)
    for line in poses:
        name, *numbers = line.split()
        assert [float(each) for each in numbers] == [*by_name[name]["quaternion"], *by_name[name]["translation"]]
    trajectory = [line.split() for line in (out / "trajectory.txt").read_text().splitlines()]
    assert [line[0] for line in trajectory] == ["1", "2", "3"]
    np.testing.assert_allclose([float(each) for each in trajectory[1][1:4]], by_name["q_2.png"]["centre"])
    assert (out / "failed.txt").read_text() == ""
    assert json.loads((out / "summary.json").read_text())["statuses"] == {"ok": 3}
    model, before = pycolmap.Reconstruction(out / "sparse"), pycolmap.Reconstruction(scene.model / "sparse" / "0")
    assert model.num_points3D() == before.num_points3D()
    assert {image.name for image in model.images.values()} == {
        *(image.name for image in before.images.values()),
        *scene.poses,
    }
    for number, image in before.images.items():
        np.testing.assert_array_equal(model.image(number).cam_from_world().matrix(), image.cam_from_world().matrix())
        assert model.image(number).num_points3D == image.num_points3D
    for name, each in by_name.items():
        image = model.find_image_with_name(name)
        np.testing.assert_allclose(image.projection_center(), each["centre"], atol=1e-9)
        assert list(image.camera.params) == [400, 400, 240, 180]
    assert len(model.cameras) == len(before.cameras) + 1  # equal cameras are one
    for name in scene.poses:
        with Image.open(out / "pictures" / f"{name}.png") as picture:
            assert picture.width > picture.height


def test_a_rerun_does_nothing_again(
    scene: Scene, found: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, document = found
    before = (out / "localisations.jsonl").read_bytes()
    drawn = {name: at for name, at in times(out).items() if name.startswith("pictures")}

    def busy(*_: object) -> None:
        raise AssertionError("nothing is left to do")

    monkeypatch.setattr(Localiser, "localise", busy)
    again = output(localise(scene, scene.queries, "--out", out, "--pictures", "--camera", CAMERA, "--json"))
    assert again == document
    assert (out / "localisations.jsonl").read_bytes() == before
    assert {name: at for name, at in times(out).items() if name.startswith("pictures")} == drawn
    lines = localise(scene, scene.queries, "--out", out, "--camera", CAMERA)
    assert "3 reused" in lines.stdout


def test_a_line_for_each_photograph(scene: Scene, found: tuple[Path, dict[str, Any]]) -> None:
    out, document = found
    result = localise(scene, scene.queries, "--out", out, "--camera", CAMERA)
    assert result.exit_code == 0
    for each, line in zip(document["localisations"], result.stdout.splitlines(), strict=False):
        x, y, z = each["centre"]
        assert line.startswith(f"{each['name']}  ok  at ({x:.3f}, {y:.3f}, {z:.3f})  towards (")
        assert line.endswith(f"{each['inliers']} inliers  confidence {each['confidence']:.2f}  camera given (400 px)")
    assert "3 of 3 images localised" in result.stdout


def test_other_options_are_refused_unless_they_replace(scene: Scene, found: tuple[Path, dict[str, Any]]) -> None:
    out = found[0].with_name("other")
    shutil.copytree(found[0], out)
    one = scene.queries / "q_1.png"
    for options, text in ((("--seed", "1"), "other options"), (("--threshold", "2"), "other options")):
        refused = localise(scene, one, "--out", out, *options)
        assert refused.exit_code == 1
        assert text in refused.stderr
        assert "--overwrite" in refused.stderr
    assert times(out).keys() == times(found[0]).keys()
    document = output(localise(scene, one, "--out", out, "--seed", "1", "--overwrite", "--json"))
    assert document["photographs"] == 1
    assert "pictures" not in document["files"]  # of the results that were replaced
    assert not (out / "pictures").exists()
    assert [line.split()[0] for line in (out / "poses.txt").read_text().splitlines()] == ["q_1.png"]


def test_what_changed_is_done_again_and_the_rest_is_kept(scene: Scene, found: tuple[Path, dict[str, Any]]) -> None:
    out, queries = found[0].with_name("changed"), found[0].with_name("queries")
    shutil.copytree(found[0], out)
    shutil.copytree(scene.queries, queries)
    flat_image(queries / "q_2.png")
    result = localise(scene, queries, "--out", out, "--camera", CAMERA)
    assert result.exit_code == 3
    assert "2 ok, 1 not usable; 2 reused" in result.stdout  # a camera of 480 x 360 does not fit 160 x 120 in shape 4:3
    records = read_records(out / "localisations.jsonl")
    assert {name: record.status for name, record in records.items()} == {
        "q_1.png": "ok",
        "q_2.png": "not usable",
        "q_3.png": "ok",
    }
    assert len((out / "localisations.jsonl").read_text().splitlines()) == 3
    assert (out / "failed.txt").read_text().startswith("q_2.png: not usable: ")
    assert sorted(path.name for path in (out / "pictures").iterdir()) == ["q_1.png.png", "q_3.png.png"]
    assert json.loads((out / "summary.json").read_text())["files"]["pictures"] == str(out / "pictures")


@pytest.mark.parametrize(
    ("name", "status"), [("grey.png", "no keypoints"), ("broken.png", "not usable"), ("absent.png", "not usable")]
)
def test_a_photograph_that_fails_costs_itself(scene: Scene, tmp_path: Path, name: str, status: str) -> None:
    flat_image(tmp_path / "grey.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "list.txt").write_text(f"# a list\n{name}\n")
    result = localise(scene, tmp_path / "list.txt", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert document["statuses"] == {status: 1}
    assert f"{name}  {status}: " in result.stderr
    assert (tmp_path / "out" / "failed.txt").read_text().startswith(f"{name}: {status}: ")
    assert (tmp_path / "out" / "poses.txt").read_text() == ""
    assert not (tmp_path / "out" / "trajectory.txt").exists()


def test_names_on_standard_input_with_a_camera(scene: Scene, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    line = "q_1.png PINHOLE 960 720 800 800 480 360\n"  # twice the size of the picture
    arguments = ["localise", "-", "--query-images", scene.queries, "--map", scene.without_images(tmp_path), *FEW]
    arguments.append("--json")
    result = CliRunner().invoke(app, [str(each) for each in arguments], input=line)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    (only,) = document["localisations"]
    assert (only["name"], only["camera_source"]) == ("q_1.png", "given")
    assert only["camera"] == {"model": "PINHOLE", "width": 480, "height": 360, "params": [400, 400, 240, 180]}
    # There is no folder of the map's images here, which is told, as is where to give it.
    assert len(document["notes"]) == 1
    assert "--images" in document["notes"][0]
    assert "not refined" in only["message"]


def test_cameras_of_a_file(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "cameras.toml").write_text(
        '[[cameras]]\nimages = ["q_1.png"]\nmodel = "PINHOLE"\nparams = [400, 400, 240, 180]\n'
    )
    result = localise(scene, scene.queries / "q_1.png", "--cameras-file", tmp_path / "cameras.toml", "--json")
    assert output(result)["localisations"][0]["camera_source"] == "given"


def test_cameras_of_folders_and_masks_are_those_of_collections(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "queries" / "left").mkdir(parents=True)
    shutil.copy(scene.queries / "q_1.png", tmp_path / "queries" / "left" / "1.png")
    (tmp_path / "cameras.txt").write_text("left/* SIMPLE_PINHOLE 960 720 800 480 360\n")
    Image.fromarray(np.uint8([[0] * 240 + [255] * 240] * 360)).save(tmp_path / "right.png")
    (tmp_path / "masks.txt").write_text("left/* right.png\n")
    files = ("--cameras-file", tmp_path / "cameras.txt", "--query-masks", tmp_path / "masks.txt")
    (only,) = output(localise(scene, tmp_path / "queries", *files, "--json"))["localisations"]
    assert only["camera"] == {"model": "SIMPLE_PINHOLE", "width": 480, "height": 360, "params": [400, 240, 180]}
    (whole,) = output(localise(scene, tmp_path / "queries", *files[:2], "--json"))["localisations"]
    assert only["inliers"] < whole["inliers"]


def test_photographs_of_a_rig_are_localised_together(scene: Scene, tmp_path: Path) -> None:
    """Two photographs of the walk as a rig whose relative pose is the renderer's, in the unit of the map."""
    motion = scene.poses["q_2.png"] @ np.linalg.inv(scene.poses["q_1.png"])
    right = {
        "image_prefix": "right/",
        "cam_from_rig_rotation": quaternion(motion[:3, :3]).tolist(),
        "cam_from_rig_translation": (motion[:3, 3] / scene.scale).tolist(),
    }
    (tmp_path / "rig.json").write_text(
        json.dumps([{"cameras": [{"image_prefix": "left/", "ref_sensor": True}, right]}])
    )
    for side, name in (("left", "q_1.png"), ("right", "q_2.png")):
        (tmp_path / "walk" / side).mkdir(parents=True)
        shutil.copy(scene.queries / name, tmp_path / "walk" / side / "1.png")
    (tmp_path / "walk" / "right" / "2.png").write_bytes(b"none")
    options = ("--rig", tmp_path / "rig.json", "--out", tmp_path / "out", "--camera", CAMERA, "--json")
    result = localise(scene, tmp_path / "walk", *options, "--pictures")
    assert result.exit_code == 3
    found = {each["name"]: each for each in json.loads(result.stdout)["localisations"]}
    assert {name: each["status"] for name, each in found.items()} == {
        "left/1.png": "ok",
        "right/1.png": "ok",
        "right/2.png": "not usable",
    }
    records = read_records(tmp_path / "out" / "localisations.jsonl")
    for name, truth in (("left/1.png", "q_1.png"), ("right/1.png", "q_2.png")):
        degrees, steps = scene.errors(truth, records[name].T_world_to_camera)
        assert degrees < 0.06  # as single photographs, see test_localiser.py
        assert steps < 0.015
    pair = [records[f"{side}/1.png"].T_world_to_camera for side in ("left", "right")]
    np.testing.assert_allclose((pair[1] @ np.linalg.inv(pair[0]))[:3, :3], motion[:3, :3], atol=1e-9)
    again = localise(scene, tmp_path / "walk", *options[:-1])
    assert "2 reused" in again.stderr + again.stdout
    pictures = tmp_path / "out" / "pictures"
    assert (pictures / "left" / "1.png.png").exists()
    (tmp_path / "walk" / "right" / "2.png").unlink()
    flat_image(tmp_path / "walk" / "right" / "1.png")
    localise(scene, tmp_path / "walk", *options)
    assert not pictures.exists()
    (tmp_path / "walk" / "middle.png").write_bytes((scene.queries / "q_1.png").read_bytes())
    assert "belongs to no camera of the rig" in localise(scene, tmp_path / "walk", *options[:2]).stderr


def test_positions_that_are_known_restrict_the_search(scene: Scene, tmp_path: Path) -> None:
    (record,) = output(localise(scene, scene.queries / "q_1.png", "--camera", CAMERA, "--json"))["localisations"]
    x, y, z = record["centre"]
    (tmp_path / "priors.txt").write_text(f"q_1.png {x} {y} {z}\n")
    near = ("--prior", tmp_path / "priors.txt", "--prior-radius", str(1.6 * scene.step / scene.scale))
    (found,) = output(localise(scene, scene.queries / "q_1.png", "--camera", CAMERA, *near, "--json"))["localisations"]
    assert found["status"] == "ok"
    assert 0 < len(found["candidates"]) < len(record["candidates"])
    (tmp_path / "priors.txt").write_text("q_1.png 900 900 900\n")
    far = localise(scene, scene.queries / "q_1.png", *near)
    assert far.exit_code == 3
    assert "no candidates: no image of the map is within" in far.stdout
    assert "not georeferenced" in localise(scene, scene.queries, "--prior", "exif").stderr


def test_an_interrupt_leaves_usable_results(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Localiser.localise
    done = []

    def interrupted(self: Localiser, *arguments: Any) -> Any:
        if done:
            raise KeyboardInterrupt
        done.append(arguments)
        return whole(self, *arguments)

    monkeypatch.setattr(Localiser, "localise", interrupted)
    out = tmp_path / "out"
    stopped = localise(scene, scene.queries, "--out", out)
    assert stopped.exit_code == 130
    assert [line.split()[0] for line in (out / "poses.txt").read_text().splitlines()] == ["q_1.png"]
    assert json.loads((out / "summary.json").read_text())["photographs"] == 1
    monkeypatch.undo()
    again = localise(scene, scene.queries, "--out", out)
    assert again.exit_code == 0
    assert "3 ok; 1 reused" in again.stdout


def test_a_run_that_is_killed_goes_on_where_it_was(scene: Scene, tmp_path: Path) -> None:
    """Killed after its first line, which another one that was cut short follows; the rest is as if nothing had been."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "cyano", "localise", scene.queries, "--map", scene.model, "--out", out, *FEW]
    program = subprocess.Popen([str(each) for each in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = out / "localisations.jsonl"
    while program.poll() is None and not (lines.exists() and lines.read_bytes().count(b"\n")):
        time.sleep(0.02)
    program.send_signal(signal.SIGKILL)
    program.wait()
    done = lines.read_bytes().count(b"\n")
    assert 1 <= done <= 3
    first = lines.read_bytes().splitlines()[0]
    with lines.open("ab") as file:
        file.write(first[: len(first) // 2])
    again = localise(scene, scene.queries, "--out", out, images=False)
    assert again.exit_code == 0, again.output
    assert f"3 ok; {done} reused" in again.stdout
    assert lines.read_bytes().splitlines()[0] == first
    assert list(read_records(lines)) == sorted(scene.poses)
    assert lines.read_bytes().count(b"\n") == 3


def test_damaged_lines_are_told(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "localisations.jsonl").write_text("{}\nmore\n")
    result = localise(scene, scene.queries, "--out", tmp_path)
    assert result.exit_code == 1
    assert "line 1" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--camera", "PINHOLE"), 2, "MODEL:P,P"),
        (("--camera", "PINHOLE:1,2"), 2, "fx, fy, cx, cy"),
        (("--camera", "FISH:1,2"), 2, "unknown camera model"),
        (("--threshold", "0"), 2, "threshold_px"),
        (("--min-inliers", "2"), 2, "min-inliers"),
        (("--pictures",), 2, "--out"),
        (("--images", "absent"), 1, "no such folder"),
        (("--cameras-file", "absent"), 1, "no such file"),
        (("--max-keypoints", "300"), 1, "max_keypoints was 400 and is 300 now"),
    ],
)
def test_wrong_use(scene: Scene, options: tuple[str, ...], code: int, text: str) -> None:
    result = localise(scene, scene.queries, *options)
    assert result.exit_code == code
    assert text in " ".join(result.stderr.replace("│", " ").split())


def test_maps_and_photographs_that_are_not_there(scene: Scene, tmp_path: Path) -> None:
    for queries, place, text in (
        (scene.queries, tmp_path / "absent", "no such folder"),
        (scene.queries, tmp_path, "no model of COLMAP"),
        (tmp_path / "absent.png", scene.model, "no such file"),
        (tmp_path, scene.model, "holds no images"),
    ):
        result = run("localise", queries, "--map", place, *FEW)
        assert result.exit_code == 1
        assert text in result.stderr
        assert result.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []
