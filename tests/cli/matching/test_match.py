"""`cyano match`: results against a known shift, files, models, bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.commands import SHIFT, flat_image, output, run, shifted_photographs
from support.images import exif, from_the_side
from support.posed_pair import CAMERA, posed_pair, written

INTRINSICS = f"{CAMERA.fx},{CAMERA.fy},{CAMERA.cx},{CAMERA.cy}"


def test_bare_command_writes_picture_and_json(tmp_path: Path) -> None:
    result = run("match", *shifted_photographs(tmp_path), cwd=tmp_path)
    assert result.exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a_b_matches.json", "a_b_matches.png", "b.png"]
    document = json.loads((tmp_path / "a_b_matches.json").read_text())
    assert f"matches       {len(document['scores'])}" in result.stdout
    assert "cyano-small" in result.stdout
    assert document["configuration"]["licence"] in result.stdout
    Image.open(tmp_path / "a_b_matches.png").verify()


def test_wide_image_end_to_end(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path, height=500, width=1000)
    document = output(run("match", a, b, "--json", "--resize", "400", cwd=tmp_path))
    assert [(image["height"], image["width"]) for image in document["images"]] == [(500, 1000)] * 2
    points0, points1 = np.array(document["keypoints0"]), np.array(document["keypoints1"])
    assert points0[:, 0].max() > 500  # x is the wide axis
    assert points0[:, 1].max() < 500
    # One network pixel is 2.5 original ones; the median over many matches is well within two of them.
    np.testing.assert_allclose(np.median(points0 - points1, axis=0), SHIFT, atol=2.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]  # --json is output enough


def test_few_matches_name_the_remedy_and_it_works(tmp_path: Path) -> None:
    front, aside = from_the_side(tmp_path)
    plain = run("match", front, aside, cwd=tmp_path)
    assert "--rotations auto and --views auto may find more" in plain.stdout
    result = run("match", front, aside, "--views", "auto", cwd=tmp_path)
    document = json.loads((tmp_path / "front_aside_matches.json").read_text())
    assert len(document["scores"]) > 100
    assert document["configuration"]["views"] == "auto"
    assert "may find more" not in result.stdout
    x0, x1 = (np.array(document[name])[:, 0] for name in ("keypoints0", "keypoints1"))
    assert np.median(np.abs((x1 + 0.5) * 6 - 0.5 - x0)) < 3  # a pixel of the compressed image is six


def test_a_file_is_no_folder_for_outputs(tmp_path: Path) -> None:
    (tmp_path / "out.png").write_bytes(b"mine")
    a, b = shifted_photographs(tmp_path)
    result = run("match", a, b, "--out", tmp_path / "out.png")
    assert result.exit_code == 2
    assert "one picture is --picture" in " ".join(result.stderr.replace("│", " ").split())
    assert (tmp_path / "out.png").read_bytes() == b"mine"


def test_out_dir_is_made(tmp_path: Path) -> None:
    assert run("match", *shifted_photographs(tmp_path), "--out-dir", tmp_path / "x" / "y", "--json").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "x" / "y").iterdir()) == ["a_b_matches.json", "a_b_matches.png"]


def test_only_what_is_named_is_written(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    assert run("match", a, b, "--npz", "all.npz", cwd=tmp_path).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "all.npz", "b.png"]
    with np.load(tmp_path / "all.npz", allow_pickle=False) as archive:
        assert archive["matches0"].dtype == np.int64
        assert tuple(archive["image_size0"]) == (180, 240)


def test_homography_and_registration(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    document = output(run("match", a, b, "--registered", "on_a.png", "--picture", "m.pdf", "--json", cwd=tmp_path))
    (model,) = document["models"]
    assert (model["kind"], model["status"], model["estimator"], model["seed"]) == ("homography", "ok", "poselib", 0)
    assert len(model["inliers"]) == len(document["scores"])
    assert sum(model["inliers"]) == model["num_inliers"] > 30
    # The shift; the middle of the image tells it better than the translation of a matrix with perspective.
    moved = np.array(model["matrix"]) @ (120, 90, 1)
    np.testing.assert_allclose((120, 90) - moved[:2] / moved[2], SHIFT, atol=1.5)
    registered, original = (np.asarray(Image.open(tmp_path / name), dtype=float) for name in ("on_a.png", "a.png"))
    inner = (slice(30, -30), slice(40, -40))  # b's part of a, away from its border
    assert np.abs(registered[inner] - original[inner]).mean() < 15  # unregistered: about 40
    assert (tmp_path / "m.pdf").read_bytes().startswith(b"%PDF")


def test_pose_from_intrinsics(tmp_path: Path) -> None:
    scene = posed_pair()
    pair = written(tmp_path, scene)
    command = ("match", tmp_path / pair.name0, tmp_path / pair.name1, "--pose", "--json", "--threshold", "1.5")
    nine = " ".join(str(value) for value in CAMERA.matrix.flat)
    document = output(run(*command, "--intrinsics0", INTRINSICS, "--intrinsics1", nine))
    (model,) = document["models"]
    R, t = np.array(model["T_0to1"])[:3, :3], np.array(model["T_0to1"])[:3, 3]
    angle = np.degrees(np.arccos((np.trace(R.T @ scene.T_0to1[:3, :3]) - 1) / 2))
    assert angle < 5  # the small weights are good to 2 or 3 px, about half a degree each, and the baseline is short
    assert abs(t @ scene.T_0to1[:3, 3]) / np.linalg.norm(scene.T_0to1[:3, 3]) > np.cos(np.radians(15))


def test_one_camera_or_a_cameras_file_is_the_same_as_intrinsics(tmp_path: Path) -> None:
    pair = written(tmp_path, posed_pair())
    a, b = tmp_path / pair.name0, tmp_path / pair.name1
    params = CAMERA.fx, CAMERA.fy, CAMERA.cx + 0.5, CAMERA.cy + 0.5  # as COLMAP counts
    with Image.open(a) as picture:
        width, height = picture.size
    last = Path(pair.name1).name
    (tmp_path / "cameras.txt").write_text(
        f"* PINHOLE {width} {height} {' '.join(map(str, params))}\n"
        f"{last} PINHOLE {2 * width} {2 * height} {' '.join(str(2 * value) for value in params)}\n"
    )
    expected, one, listed = (
        output(run("match", a, b, "--pose", *given, "--json"))["models"]
        for given in (
            ("--intrinsics0", INTRINSICS, "--intrinsics1", INTRINSICS),
            ("--camera", f"PINHOLE:{','.join(map(str, params))}"),
            ("--cameras-file", tmp_path / "cameras.txt"),
        )
    )
    assert one == expected
    np.testing.assert_allclose(listed[0]["T_0to1"], expected[0]["T_0to1"], atol=1e-9)
    cameras = tmp_path / "cameras.txt"
    before = cameras.read_bytes()
    clash = run("match", a, b, "--pose", "--cameras-file", cameras, "--save-json", cameras)
    assert clash.exit_code == 2
    assert "cameras.txt is an input" in " ".join(clash.stderr.replace("│", " ").split())
    assert cameras.read_bytes() == before
    assert run("match", a, b, "--camera", "PINHOLE:1,1,1,1").exit_code == 2
    assert "unknown camera model" in run("match", a, b, "--pose", "--camera", "PIN:1,1,1").stderr


@pytest.mark.parametrize("form", ["{0},0,{2},0,{1},{3},0,0,1", "[[{0}, 0, {2}], [0, {1}, {3}], [0, 0, 1]]"])
def test_intrinsics_as_a_matrix(tmp_path: Path, form: str) -> None:
    pair = written(tmp_path, posed_pair())
    a, b = tmp_path / pair.name0, tmp_path / pair.name1
    matrix = form.format(CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy)
    four, nine = (
        output(run("match", a, b, "--pose", "--intrinsics0", text, "--intrinsics1", text, "--json"))["models"]
        for text in (INTRINSICS, matrix)
    )
    assert nine == four


def test_models_are_printed_with_their_numbers(tmp_path: Path) -> None:
    scene = posed_pair()
    pair = written(tmp_path, scene)
    cameras = ("--intrinsics0", INTRINSICS, "--intrinsics1", INTRINSICS, "--save-json", tmp_path / "m.json")
    models = ("--homography", "--fundamental", "--pose")
    result = run("match", tmp_path / pair.name0, tmp_path / pair.name1, *models, *cameras)
    assert result.exit_code == 0
    homography, fundamental, pose = json.loads((tmp_path / "m.json").read_text())["models"]
    lines = result.stdout.splitlines()

    def printed(name: str, rows: int = 3) -> list[list[float]]:
        first = next(index for index, line in enumerate(lines) if line.startswith(f"{name} "))
        return [[float(x) for x in re.findall(r"\[(.*?)\]", line)[0].split()] for line in lines[first : first + rows]]

    # Six digits are printed.
    np.testing.assert_allclose(printed("H"), homography["matrix"], rtol=1e-5)
    np.testing.assert_allclose(printed("F"), fundamental["matrix"], rtol=1e-5)
    T = np.array(pose["T_0to1"])
    np.testing.assert_allclose(printed("R"), T[:3, :3], atol=1e-6)
    np.testing.assert_allclose(printed("t", 1)[0], T[:3, 3], atol=1e-6)
    angle = np.degrees(np.arccos((np.trace(T[:3, :3]) - 1) / 2))
    assert f"{angle:.2f} degrees" in result.stdout
    assert re.search(r"camera 1 is .* camera 0, [\d.]+ degrees off that axis", result.stdout)


def test_another_pair_does_not_overwrite_the_first(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    (tmp_path / "matches.png").write_bytes(b"mine")
    first, second = run("match", a, b, cwd=tmp_path), run("match", b, a, cwd=tmp_path)
    assert "replaced" not in first.stdout + second.stdout
    assert (tmp_path / "matches.png").read_bytes() == b"mine"
    names = [
        json.loads((tmp_path / f"{stem}_matches.json").read_text())["images"][0]["name"] for stem in ("a_b", "b_a")
    ]
    assert names == [str(a), str(b)]
    again = run("match", a, b, cwd=tmp_path)
    assert "replaced" in again.stdout
    assert "written" not in again.stdout


def test_long_names_are_shortened(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    a, b = a.rename(tmp_path / f"{'ä' * 110}.png"), b.rename(tmp_path / f"{'b' * 240}.png")
    assert run("match", a, b, cwd=tmp_path).exit_code == 0
    assert (tmp_path / f"{'ä' * 50}_{'b' * 100}_matches.png").is_file()


def test_a_registered_image_comes_with_the_matches(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    assert run("match", a, b, "--registered", tmp_path / "out" / "r.png", cwd=tmp_path).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_b_matches.png", "r.png"]


def test_a_picture_draws_as_many_lines_as_are_wanted(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    none, some = (
        run("match", a, b, "--picture", f"{count}.png", "--max-lines", str(count), cwd=tmp_path) for count in (0, 40)
    )
    assert none.exit_code == some.exit_code == 0
    empty, drawn = (np.asarray(Image.open(tmp_path / f"{count}.png"), dtype=float) for count in (0, 40))
    assert (empty != drawn).any(axis=-1).mean() > 0.02


def test_pose_from_exif(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    for path in (a, b):
        Image.open(path).save(path.with_suffix(".jpg"), exif=exif(focal_35mm=35), quality=95)
    document = output(run("match", a.with_suffix(".jpg"), b.with_suffix(".jpg"), "--pose", "--json"))
    assert document["models"][0]["kind"] == "pose"


def test_pose_without_intrinsics_names_the_flag(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    result = run("match", a, b, "--pose", "--intrinsics0", INTRINSICS, cwd=tmp_path)
    assert result.exit_code == 1
    assert "--intrinsics1" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]  # nothing is half-done


def test_masks_keep_keypoints_out(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    mask = np.zeros((180, 240), np.uint8)
    mask[:, 100:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    document = output(run("match", a, b, "--mask0", tmp_path / "mask.png", "--json"))
    assert np.array(document["keypoints0"])[:, 0].min() >= 99.5


def test_flat_images_give_valid_empty_files(tmp_path: Path) -> None:
    a, _ = shifted_photographs(tmp_path)
    flat = flat_image(tmp_path / "flat.png")
    names = ("--picture", "m.png", "--save-json", "m.json", "--npz", "m.npz", "--homography")
    assert run("match", a, flat, *names, cwd=tmp_path).exit_code == 0
    document = json.loads((tmp_path / "m.json").read_text())
    assert document["keypoints0"] == document["keypoints1"] == document["scores"] == []
    assert document["models"][0]["status"] == "too few matches"
    assert document["models"][0]["matrix"] is None
    with np.load(tmp_path / "m.npz") as archive:
        assert archive["keypoints1"].shape == (0, 2)
    Image.open(tmp_path / "m.png").verify()
    unregistered = run("match", a, flat, "--registered", "r.png", cwd=tmp_path)
    assert unregistered.exit_code == 1
    assert "--registered" in unregistered.stderr
    assert not (tmp_path / "r.png").exists()


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_files_that_are_no_images(tmp_path: Path, content: bytes) -> None:
    a, b = shifted_photographs(tmp_path)
    b.write_bytes(content)
    result = run("match", a, b, cwd=tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "b.png" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_link_to_itself_is_no_image(tmp_path: Path) -> None:
    a, _ = shifted_photographs(tmp_path)
    (tmp_path / "loop.png").symlink_to("loop.png")
    result = run("match", a, "loop.png", cwd=tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: loop.png")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    (tmp_path / "file").write_text("")
    result = run("match", a, b, "--out-dir", tmp_path / "file" / "sub")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--overlay", "blend"), "--registered"),
        (("--intrinsics1", "1,1,1,1"), "--pose"),
        (("--threshold", "2"), "--homography"),
        (("--pose", "--intrinsics0", "1,2"), "--intrinsics0"),
        (("--pose", "--intrinsics0", "1,2,x,4"), "--intrinsics0"),
        (("--pose", "--intrinsics0", "-1,2,3,4"), "--intrinsics0"),
        (("--picture", "m.txt"), "--picture"),
        (("--registered", "m.pdf"), "--registered"),
        (("--picture", "b.png"), "b.png"),
        (("--npz", "."), "folder"),
        (("--picture", "m.png", "--registered", "m.png"), "m.png"),
        (("--max-lines", "-2"), "--max-lines"),
        (("--device", "tpu"), "--device"),
        (("--device", "cuda:99"), "--device"),
        (("--resize", "0"), "--resize"),
        (("--resize", "1", "2", "3"), "--resize"),
        (("--max-keypoints", "-2"), "max_keypoints"),
        (("--match-threshold", "1.5"), "match_threshold"),
        (("--homography", "--threshold", "-1"), "threshold"),
        (("--homography", "--seed", "-1"), "seed"),
        (("--estimator", "magic"), "poselib"),
    ],
)
def test_wrong_use_names_the_option(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    result = run("match", *shifted_photographs(tmp_path), *arguments, cwd=tmp_path)
    assert result.exit_code == 2
    assert named in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    result = run("match", *shifted_photographs(tmp_path), "--weights", tmp_path / "absent")
    assert result.exit_code == 1
    assert "cyano-small" in result.stderr  # the remedy


def test_the_record_tells_the_options_in_force(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    document = output(
        run("match", a, b, "--json", "--resize", "160", "120", "--max_keypoints", "50", "--nms_radius", "2")
    )
    record = document["configuration"]
    assert record["resize"] == "to 160 x 120 (width x height)"
    assert (record["max_keypoints"], record["nms_radius"]) == (50, 2)
    assert record["match_threshold"] == 0.2  # the weights' own
    assert len(record["weights_sha256"]) == 64
    assert document["images"][0]["keypoints"] <= 50
