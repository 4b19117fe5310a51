"""`cyano video` and `cyano frames`: files, numbers, the original's flags, bad input; all without a display."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cyano.checkpoints.catalogue import CATALOGUE, for_live
from cyano.cli.videos.options import named_weights
from cyano.tracking.run import track
from cyano.tracking.tracks import read_tracks
from cyano.video import open_source
from support.commands import output, run
from support.movies import bar_code, write_movie

QUICK = ("--max-keypoints", "128", "--min-matches", "20", "--resize", "240")


@pytest.fixture(scope="module")
def pictures() -> list[Any]:
    """A pan over a photograph, 8 pixels to the right each time."""
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    photograph = data.astronaut()
    return [np.ascontiguousarray(photograph[20:200, 8 * number : 8 * number + 240]) for number in range(12)]


@pytest.fixture
def frames(tmp_path: Path, pictures: list[Any]) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, picture in enumerate(pictures[:5]):
        Image.fromarray(picture).save(folder / f"{number:03d}.png")
    return folder


def begin_of(path: Path) -> float:
    """The time that a movie has for its first frame."""
    with pytest.importorskip("av").open(str(path)) as container:
        return float(next(container.decode(video=0)).time)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_movie_end_to_end(tmp_path: Path, pictures: list[Any]) -> None:
    movie = write_movie(
        tmp_path / "walk.mp4", [0.2 * number for number in range(12)], codec="libx264", pictures=pictures
    )
    out = tmp_path / "out"
    result = run("video", movie, "--out", out, "--every", "2", "--start", "0.7", "--homography", "--stabilise", *QUICK)
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == {
        "frames.jsonl",
        "tracks.npz",
        "summary.json",
        "matches.webm",
        "stabilised.webm",
    }
    head, *lines = lines_of(out / "frames.jsonl")
    assert (head["format"], head["kind"]) == ("cyano-frames-1", "movie")
    assert head["configuration"]["weights_sha256"]
    assert [(line["frame"], line["time"]) for line in lines] == [(4, 0.8), (6, 1.2), (8, 1.6), (10, 2.0)]
    assert [line["status"] for line in lines] == ["anchor", "tracked", "tracked", "tracked"]
    for line in lines[1:]:
        # The anchor's pixel x is at x - 8 * (frame - 4) in the frame; video compression costs a little exactness.
        np.testing.assert_allclose(
            line["homography"], [[1, 0, -8 * (line["frame"] - 4)], [0, 1, 0], [0, 0, 1]], atol=0.5
        )
    tracks = read_tracks(out / "tracks.npz")
    assert set(tracks.frames) == {4, 6, 8, 10}
    for name in ("matches.webm", "stabilised.webm"):
        shown = list(open_source(out / name))
        assert begin_of(out / name) == 0  # though the first frame is 0.8 s into the source
        np.testing.assert_allclose([frame.time for frame in shown], [0, 0.4, 0.8, 1.2], atol=2e-3)
    # Registered, the last frame lies over the first where both show the photograph.
    first, last = shown[0].rgb.astype(float), shown[-1].rgb.astype(float)
    assert np.abs(first[20:160, 60:200] - last[20:160, 60:200]).mean() < 6  # grey values; VP9 alone costs about 3


def test_the_original_command_line(tmp_path: Path, frames: Path) -> None:
    out = tmp_path / "dump"
    flags = "--resize 240 180 --max_length 3 --skip 2 --keypoint_threshold 0.0 --nms_radius 4 --sinkhorn_iterations 20"
    more = ["--match_threshold", "0.2", "--show_keypoints", "--no_display", "--force_cpu", "--max_keypoints", "128"]
    arguments = [
        "--input",
        str(frames),
        "--output_dir",
        str(out),
        "--image_glob",
        "*.png",
        "*.jpg",
        *flags.split(),
        *more,
    ]
    result = run("video", *arguments, "--min-matches", "20", "--anchor", "first")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.glob("*.png")) == ["matches_000000_000002.png", "matches_000000_000004.png"]
    assert [line["name"] for line in lines_of(out / "frames.jsonl")[1:]] == ["000.png", "002.png", "004.png"]


def test_files_of_a_run_keep_their_names_whatever_the_folder_is_called(tmp_path: Path, frames: Path) -> None:
    out = tmp_path / "out" / "frames"
    result = run("video", frames, "--output_dir", out, "--max-length", "2", "--no-movie", *QUICK)
    assert result.exit_code == 0, result.output
    files = json.loads((out / "summary.json").read_text())["files"]
    names = {"frames": "frames.jsonl", "tracks": "tracks.npz", "summary": "summary.json"}
    assert files == {**{key: str(out / name) for key, name in names.items()}, "pictures": str(out)}


def test_lines_on_standard_output_alone(tmp_path: Path, frames: Path) -> None:
    result = run("video", frames, "--json", "-", *QUICK, cwd=tmp_path)
    assert result.exit_code == 0, result.output
    head, *lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert head["format"] == "cyano-frames-1"
    assert [line["frame"] for line in lines] == [0, 1, 2, 3, 4]
    assert list(tmp_path.iterdir()) == [frames]


def test_an_image_as_anchor(tmp_path: Path, frames: Path, pictures: list[Any]) -> None:
    Image.fromarray(pictures[2]).save(tmp_path / "object.png")
    result = run("video", frames, "--out", tmp_path / "o", "--anchor", tmp_path / "object.png", "--no-movie", *QUICK)
    assert result.exit_code == 0, result.output
    assert {line["anchor"] for line in lines_of(tmp_path / "o" / "frames.jsonl")[1:]} == {-1}


def test_an_earlier_run_is_kept(tmp_path: Path, frames: Path) -> None:
    arguments = ("video", frames, "--out", tmp_path / "o", "--max-length", "2", "--no-movie", *QUICK)
    assert run(*arguments).exit_code == 0
    before = (tmp_path / "o" / "frames.jsonl").read_bytes()
    again = run(*arguments)
    assert again.exit_code == 1
    assert "holds an earlier run" in again.stderr
    assert (tmp_path / "o" / "frames.jsonl").read_bytes() == before
    assert run(*arguments, "--overwrite").exit_code == 0


def test_what_was_done_until_ctrl_c_is_written(tmp_path: Path, frames: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any) -> Iterator[Any]:
        for number, each in enumerate(track(*arguments)):
            if number == 2:
                raise KeyboardInterrupt
            yield each

    monkeypatch.setattr("cyano.tracking.run.track", interrupted)
    result = run("video", frames, "--out", tmp_path / "o", *QUICK)
    assert result.exit_code == 130
    assert json.loads((tmp_path / "o" / "summary.json").read_text())["frames"] == 2
    assert len(list(open_source(tmp_path / "o" / "matches.webm"))) == 2
    assert len(lines_of(tmp_path / "o" / "frames.jsonl")) == 3


def test_a_time_without_frames_is_an_error(tmp_path: Path, pictures: list[Any]) -> None:
    movie = write_movie(tmp_path / "m.mkv", list(range(12)), codec="mjpeg", pictures=pictures)
    result = run("video", movie, "--out", tmp_path / "o", "--start", "100", *QUICK)
    assert result.exit_code == 1
    assert "has no frame from 100 s" in result.stderr
    assert "check --start and --end" in " ".join(result.stderr.split())
    assert not list((tmp_path / "o").glob("*"))


def test_a_movie_that_was_cut_off_ends_with_status_3(tmp_path: Path, pictures: list[Any]) -> None:
    whole = write_movie(tmp_path / "m.mkv", list(range(12)), codec="mjpeg", pictures=pictures)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
    result = run("video", cut, "--out", tmp_path / "o", *QUICK)
    assert result.exit_code == 3, result.output
    assert "cut off" in result.stderr
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert summary["frames"] == len(list(open_source(tmp_path / "o" / "matches.webm"))) > 0
    assert summary["interrupted"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("video",), 2, "name a SOURCE"),
        (("video", "a", "--input", "b", "--out", "o"), 2, "give one of them"),
        (("video", "a"), 2, "say where the results go"),
        (("video", "nowhere.mp4", "--out", "o"), 1, "no such movie"),
        (("video", "a", "--json", "x.json"), 2, "--json takes -"),
        (("video", "a", "--json", "-", "--pictures"), 2, "add --out"),
        (("video", "a", "--out", "o", "--start", "3", "--end", "2"), 2, "lies before"),
        (("frames", "a", "--out", "o", "--every", "often"), 2, "--every is motion"),
    ],
)
def test_bad_input(tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    result = run(*arguments, cwd=tmp_path)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_a_movie_without_frames_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"nothing")
    result = run("video", folder, "--out", tmp_path / "o")
    assert result.exit_code == 1
    assert "none of the images" in result.stderr
    assert not [path for path in (tmp_path / "o").rglob("*") if path.is_file()]


def test_default_weights_are_the_quickest_that_are_known() -> None:
    assert for_live(named_weights(None, None)) == ("cyano-tiny" if "cyano-tiny" in CATALOGUE else None)
    assert for_live(named_weights("indoor", None)) == "magic-leap-community/superglue_indoor"
    assert for_live(named_weights(None, "x")) == "x"


def test_poses_of_frames_are_those_that_rendered_them(tmp_path: Path) -> None:
    """A walk of four views around a scene, against the renderer's own poses."""
    from cyano.geometry import invert_rigid, rotation_angle_between
    from support.walk import write_walk

    truth = write_walk(tmp_path / "walk", 4)
    poses = {}
    for name, camera in (("plain", "400,400,239.5,179.5"), ("colmap", "PINHOLE:400,400,240,180")):
        out = tmp_path / name
        flags = ("--anchor", "first", "--pose", "--camera", camera, "--no-movie", "--max-keypoints", "400")
        result = run("video", tmp_path / "walk", "--out", out, "--min-matches", "20", *flags)
        assert result.exit_code == 0, result.output
        poses[name] = [line["pose"] for line in lines_of(out / "frames.jsonl")[1:]]
    assert poses["plain"] == poses["colmap"]  # COLMAP's first pixel is at 0.5
    assert poses["plain"][0] is None  # the anchor itself
    names = sorted(truth)
    for name, pose in zip(names[1:], poses["plain"][1:], strict=True):
        true = truth[name] @ invert_rigid(truth[names[0]])
        found = np.array(pose["T_anchor_to_frame"])
        assert pose["status"] == "ok"
        assert np.degrees(rotation_angle_between(found[:3, :3], true[:3, :3])) < 1
        towards = true[:3, 3] / np.linalg.norm(true[:3, 3])
        assert np.degrees(np.arccos(np.clip(found[:3, 3] @ towards, -1, 1))) < 5  # of a baseline of a few steps
    for flags in (("--pose",), ("--camera", "1,2,3,4")):
        assert run("video", tmp_path / "walk", "--out", tmp_path / "none", *flags).exit_code == 2


def test_frames_for_a_reconstruction(tmp_path: Path, frames: Path) -> None:
    out = tmp_path / "photos"
    document = output(run("frames", frames, "--out", out, "--every", "2", "--json"))
    assert [each["among"] for each in document["frames"]] == [2, 2, 1]
    assert sorted(path.name for path in out.glob("*.jpg")) == [each["name"] for each in document["frames"]]
    assert run("frames", frames, "--out", out).exit_code == 1
    assert run("frames", frames, "--out", out, "--overwrite", "--format", "png").exit_code == 0
    assert not list(out.glob("*.jpg"))


def test_the_images_of_the_source_are_never_replaced(tmp_path: Path, pictures: list[Any]) -> None:
    """A folder of chosen frames, of which every second is asked for in the same folder, by whatever name."""
    folder = tmp_path / "sel"
    folder.mkdir()
    for number, picture in enumerate(pictures[:4]):
        Image.fromarray(picture).save(folder / f"frame_{number:06d}.jpg")
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "movie").symlink_to(folder / "frame_000001.jpg")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    named = [(folder, folder), (folder, "sel/../sel"), (folder, "link"), ("link", folder), ("sel/*.jpg", "sel")]
    for source, out in [*named, ("movie", "sel"), (tmp_path, "sel"), ("-", "sel")]:
        told = "sel/frame_000002.jpg\n"
        result = run("frames", source, "--every", "2", "--out", out, "--overwrite", cwd=tmp_path, told=told)
        assert result.exit_code == 1, (source, out)
        assert "give another --out" in " ".join(result.stderr.split())
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before, (source, out)


def test_only_frames_of_an_earlier_run_are_replaced_and_only_by_others(tmp_path: Path, frames: Path) -> None:
    out = tmp_path / "photos"
    output(run("frames", frames, "--out", out, "--every", "2", "--json"))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "a.png").write_bytes(b"nothing")
    for source in (tmp_path / "nowhere.mp4", empty):
        assert run("frames", source, "--out", out, "--overwrite").exit_code == 1
        assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    (out / "frame_000099.jpg").write_bytes(b"somebody's own")
    refused = run("frames", frames, "--out", out, "--overwrite")
    assert refused.exit_code == 1
    assert "frame_000099.jpg" in refused.stderr
    assert {path.name for path in out.iterdir()} == {*before, "frame_000099.jpg"}
    (out / "frame_000099.jpg").unlink()
    (out / "frames.json").write_bytes(b"damaged")
    assert run("frames", frames, "--out", out, "--overwrite").exit_code == 1
    for name in before.keys() - {"frames.json"}:
        (out / name).unlink()
    assert run("frames", frames, "--out", out).exit_code == 1  # it may be somebody's own, too
    assert (out / "frames.json").read_bytes() == b"damaged"


def test_frames_without_texture_are_said_to_be_so(tmp_path: Path) -> None:
    for number in range(2):
        Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / f"{number}.png")
    result = run("frames", tmp_path, "--out", tmp_path / "o")
    assert result.exit_code == 0
    assert "try --every 1s" in result.stderr


def test_bar_codes_survive(tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "m.mp4", [number / 25 for number in range(9)])
    document = output(run("frames", movie, "--out", tmp_path / "o", "--every", "3", "--format", "png", "--json"))
    for each in document["frames"]:
        pixels = np.asarray(Image.open(tmp_path / "o" / each["name"]))
        assert np.abs(pixels[10].astype(int) - bar_code(each["frame"])[10]).mean() < 30
