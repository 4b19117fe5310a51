"""Cameras files in all their forms say the same; COLMAP's own are written by COLMAP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cyano.errors import InputError
from cyano.formats import CameraEntry, CameraOptions, read_cameras_file
from cyano.formats.colmap.cameras import CameraPlan, need_camera
from cyano.types import ImageSize

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZE = ImageSize(180, 320)
LEFT = CameraEntry("OPENCV", (300, 310, 160, 90, -0.1, 0.02, 0, 0), SIZE)
QUERY = CameraEntry("SIMPLE_RADIAL", (290.5, 158.0, 91.0, 0.01), SIZE)
EXPECTED = {"left/": LEFT, "query/night 1.jpg": QUERY, "": CameraEntry("SIMPLE_RADIAL_FISHEYE", (), SIZE)}

TOML = """# of the rig
[[cameras]]
images = ["left/*"]
model = "OPENCV"
params = [300, 310, 160, 90, -0.1, 0.02, 0, 0]
size = [320, 180]
[[cameras]]
images = ["query/night 1.jpg"]
model = "SIMPLE_RADIAL"
params = [290.5, 158.0, 91.0, 0.01]
size = [320, 180]
[[cameras]]
images = ["*"]
model = "SIMPLE_RADIAL_FISHEYE"
size = [320, 180]
"""
LINES = """# name MODEL w h params, as hloc's lists of queries

left/* OPENCV 320 180 300 310 160 90 -1e-1 0.02 0 0
query/night 1.jpg SIMPLE_RADIAL 320 180 290.5 158.0 91.0 0.01\r
* SIMPLE_RADIAL_FISHEYE 320 180
"""


@pytest.mark.parametrize("name", ["cameras.toml", "cameras"])
def test_toml_and_lines_say_the_same(tmp_path: Path, name: str) -> None:
    for text in (
        (TOML, "\ufeff" + TOML) if name.endswith("toml") else (TOML, LINES, LINES.replace(" OPENCV", "\tOPENCV"))
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert read_cameras_file(tmp_path / name) == EXPECTED


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a.jpg PINHOLE 320 180 300 300 160 ninety", r"line 2: could not convert string to float: 'ninety'"),
        ("a.jpg PINHOLE 320 180 300 300 nan 90", "line 2: camera parameters are finite"),
        ("a.jpg PINHOLE 0 180", "line 2: an image has at least 1x1 pixels"),
        ("a.jpg 320 180 300 160 90", "line 2: not NAME MODEL WIDTH HEIGHT PARAMS"),
        ("PINHOLE 320 180 300 300 160 90", "line 2: not NAME"),
        ("left/* PINHOLE 320 180 300 300 160 90", "'left/\\*' appears twice"),
    ],
)
def test_lines_that_are_wrong_are_named(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "list.txt").write_text(f"left/ PINHOLE 320 180 300 300 160 90\n{line}\n")
    with pytest.raises(InputError, match=told):
        read_cameras_file(tmp_path / "list.txt")


def colmaps_files(folder: Path, images: Mapping[str, int]) -> Path:
    """A model of COLMAP with two cameras and these images of them, by COLMAP's own writer."""
    pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    model = pycolmap.Reconstruction()
    for number, known in ((3, LEFT), (7, QUERY)):
        params = list(known.params)
        model.add_camera_with_trivial_rig(
            pycolmap.Camera(camera_id=number, model=known.model, width=320, height=180, params=params)
        )
    for number, (name, camera) in enumerate(images.items(), start=1):
        image = pycolmap.Image(image_id=number, name=name, camera_id=camera)
        if number != 2:  # the second line of an image without points is empty
            image.points2D = pycolmap.Point2DList([pycolmap.Point2D([5.0 + number, 6.0])])
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d())
    model.write_text(str(folder))
    return folder / "cameras.txt"


def test_colmaps_cameras_are_those_of_its_images(tmp_path: Path) -> None:
    names = {"left/1.jpg": 3, "left/2 b.jpg": 3, "query.jpg": 7, "left/3.jpg": 3}
    listed = read_cameras_file(colmaps_files(tmp_path, names))
    assert {name: (known.model, known.params, known.size) for name, known in listed.items()} == {
        name: (known.model, known.params, SIZE) for name, known in zip(names, (LEFT, LEFT, QUERY, LEFT), strict=True)
    }
    plan = CameraPlan(names, CameraOptions(listed=listed))
    keys = {name: plan.of(name, SIZE)[0] for name in names}
    assert keys["left/1.jpg"] == keys["left/2 b.jpg"] == keys["left/3.jpg"] != keys["query.jpg"]
    alone = {name: CameraEntry(known.model, known.params, known.size) for name, known in listed.items()}
    plan = CameraPlan(names, CameraOptions(listed=alone))
    assert plan.of("left/1.jpg", SIZE)[0] != plan.of("left/3.jpg", SIZE)[0]
    assert str(CameraOptions(listed=alone)) != str(CameraOptions(listed=listed))


def test_colmaps_cameras_alone_are_of_all_or_refused(tmp_path: Path) -> None:
    path = colmaps_files(tmp_path, {"a.jpg": 3})
    (tmp_path / "images.txt").unlink()
    with pytest.raises(InputError, match="has 2 cameras but no image names"):
        read_cameras_file(path)
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("7")))
    assert read_cameras_file(path) == {"": LEFT}
    (tmp_path / "images.txt").write_text("1 1 0 0 0 0 0 0 7 a.jpg\n\n")
    with pytest.raises(InputError, match="is not an image of a camera in"):
        read_cameras_file(path)


def test_lists_of_any_length_are_checked_before_the_work() -> None:
    many = {f"{n}.jpg": CameraEntry("PINHOLE", (300 + n / 7, 300.0, 160.0, 90.0), SIZE) for n in range(6000)}
    need_camera(CameraOptions(listed=many), many)  # more than a command line takes
    with pytest.raises(InputError, match=r"'1\.jpg' belong to no image"):
        need_camera(CameraOptions(listed=many), many.keys() - {"1.jpg"})
    with pytest.raises(InputError, match="PINHOLE has the parameters fx, fy, cx, cy"):
        CameraEntry("PINHOLE", (300.0, 160.0, 90.0), SIZE)
