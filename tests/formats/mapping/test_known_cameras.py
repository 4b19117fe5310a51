"""Known cameras: scaled and turned like the pictures, or refused by name. COLMAP's own projection is the oracle."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cyano.errors import InputError
from cyano.formats import CameraEntry, CameraOptions, export_database, read_cameras_file, read_database
from cyano.formats.colmap.cameras import need_camera
from cyano.geometry import LensCamera
from cyano.pairs.entries import which
from cyano.store import FeatureStore, MatchStore, StoredImage
from cyano.types import ImageSize, ResizeMap

pycolmap = pytest.importorskip("pycolmap", reason="COLMAP's cameras need the extra collections")


def photograph(folder: Path, name: str, size: tuple[int, int], exif: Image.Exif | None = None) -> None:
    """Of (width, height) stored pixels."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, 90).save(folder / name, exif=Image.Exif() if exif is None else exif)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def database(folder: Path, cameras: CameraOptions) -> dict[str, tuple[str, tuple[float, ...]]]:
    """Models and parameters of the photographs in a folder, by their names."""
    from cyano.processing.images import read

    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))
    store = folder.parent / "store"
    features, matches = FeatureStore(store, {"test": 1}), MatchStore(store, {"test": 1})
    points = np.array([[5, 5], [20, 30]], np.float32)
    features.write(
        [
            StoredImage(
                *(name, "", points, np.ones(2, np.float32), np.eye(2, 8, dtype=np.float32)),
                ResizeMap.identity(read(folder / name).size),
            )
            for name in names
        ]
    )
    path = folder.parent / "x.db"
    export_database(path, features, matches, cameras, overwrite=True)
    return {image.name: (image.model, image.params) for image in read_database(path).images}


def test_one_camera_for_pictures_of_other_sizes_and_turns(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    photograph(folder, "land.jpg", (320, 180))
    photograph(folder, "half.jpg", (160, 90))
    photograph(folder, "right.jpg", (320, 180), turned(6))
    photograph(folder, "left.jpg", (320, 180), turned(8))
    photograph(folder, "half over.jpg", (160, 90), turned(3))
    options = CameraOptions("PINHOLE", "all", (300.0, 310.0, 158.0, 93.0), images=folder)
    assert {name: params for name, (_, params) in database(folder, options).items()} == {
        "land.jpg": (300, 310, 158, 93),
        "half.jpg": (150, 155, 79, 46.5),
        "right.jpg": (310, 300, 180 - 93, 158),
        "left.jpg": (310, 300, 93, 320 - 158),
        "half over.jpg": (150, 155, 160 - 79, 90 - 46.5),
    }


def test_pictures_of_another_shape_are_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    photograph(folder, "land.jpg", (320, 180))
    photograph(folder, "square.jpg", (200, 200))
    given = ("PINHOLE", "all", (300.0, 300.0, 160.0, 90.0))
    with pytest.raises(InputError, match=r"'square\.jpg' is stored as 200x200 pixels.*an image of 320x180"):
        database(folder, CameraOptions(*given, images=folder))
    folder = tmp_path / "others" / "images"
    photograph(folder, "land.jpg", (320, 180))
    photograph(folder, "tall.jpg", (180, 320))  # pixels that were turned, and no EXIF that says so
    with pytest.raises(InputError, match=r"'tall\.jpg'"):
        database(folder, CameraOptions(*given, images=folder))


def test_parameters_of_pictures_that_are_not_there_are_refused_or_scaled_by_their_size(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    photograph(folder, "half.jpg", (160, 90))
    given: tuple[Any, ...] = ("PINHOLE", "all", (300.0, 300.0, 160.0, 90.0))
    with pytest.raises(InputError, match=r"centre of the images \(160x90 px\).*\(--camera MODEL:P,P,\.\.\.@WxH"):
        database(folder, CameraOptions(*given, images=folder))
    known = CameraOptions(*given, images=folder, size=ImageSize(180, 320))
    assert database(folder, known)["half.jpg"] == ("PINHOLE", (150, 150, 80, 45))
    off = CameraOptions("PINHOLE", "all", (300.0, 300.0, 20.0, 45.0), images=folder, size=ImageSize(90, 160))
    assert database(folder, off)["half.jpg"] == ("PINHOLE", (300, 300, 20, 45))  # who says the size means it


def test_lenses_of_images_are_scaled_where_the_shape_fits_and_shared_where_they_are_equal(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        photograph(folder, name, (160, 90))
    lens = LensCamera("OPENCV_FISHEYE", ImageSize(180, 320), (300, 310, 159.5, 89.5, 0.1, 0.01, 0, 0))
    pinhole = LensCamera.from_pinhole(lens.pinhole)
    listed = {"a.jpg": lens, "b.jpg": pinhole, "c.jpg": pinhole}
    found = database(folder, CameraOptions(listed=listed))
    assert found["a.jpg"] == ("OPENCV_FISHEYE", (150, 155, 80, 45, 0.1, 0.01, 0, 0))
    assert found["b.jpg"] == found["c.jpg"] == ("PINHOLE", (150, 155, 80, 45))
    with pycolmap.Database.open(tmp_path / "x.db") as opened:
        assert opened.num_cameras() == 2
    other = LensCamera("PINHOLE", ImageSize(200, 320), (300, 300, 160, 100))
    with pytest.raises(
        InputError, match=r"'a\.jpg' is stored as 160x90 pixels, but its camera is for an image of 320x200"
    ):
        database(folder, CameraOptions(listed={"a.jpg": other}))


def test_a_camera_keeps_its_model_where_rounding_changed_the_shape(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    photograph(folder, "a.jpg", (107, 60))  # a third of 320 x 180 would be 106.7 wide
    found = database(folder, CameraOptions("SIMPLE_PINHOLE", "all", (300.0, 160.0, 90.0), folder, ImageSize(180, 320)))
    model, (focal, *_) = found["a.jpg"]
    assert model == "SIMPLE_PINHOLE"
    assert focal == pytest.approx(300 * (107 / 320 + 60 / 180) / 2)


FILE = """
[[cameras]]
images = ["left/", "right/wide.jpg"]
model = "OPENCV"
params = [300, 300, 160, 90, -0.1, 0, 0, 0]
size = [320, 180]

[[cameras]]
images = ["right/"]
model = "SIMPLE_RADIAL_FISHEYE"
"""


def test_cameras_of_folders_and_images(tmp_path: Path) -> None:
    folder, file = tmp_path / "images", tmp_path / "cameras.toml"
    file.write_text(FILE)
    for name in ("left/1.jpg", "left/deep/2.jpg", "right/wide.jpg", "right/3.jpg", "4.jpg"):
        photograph(folder, name, (160, 90))
    listed = read_cameras_file(file)
    options = CameraOptions(listed=listed, images=folder, sharing="folder")
    found = database(folder, options)
    opencv = ("OPENCV", (150, 150, 80, 45, -0.1, 0, 0, 0))
    assert found["left/1.jpg"] == found["left/deep/2.jpg"] == found["right/wide.jpg"] == opencv
    assert found["right/3.jpg"] == ("SIMPLE_RADIAL_FISHEYE", (1.2 * 160, 80, 45, 0))
    assert found["4.jpg"] == ("SIMPLE_RADIAL", (1.2 * 160, 80, 45, 0))
    assert str(options) != str(CameraOptions(images=folder, sharing="folder"))  # another database
    assert which(listed, "leftover/1.jpg") is None
    need_camera(options, found)
    with pytest.raises(InputError, match=r"'right/wide\.jpg' belong to no image"):
        need_camera(options, ["left/1.jpg", "right/3.jpg"])
    with pytest.raises(InputError, match="unknown camera model 'PIN'"):
        CameraEntry("PIN")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("OPENCV", 3), "model should be str"),
        (("size = [320, 180]", "size = [320]"), "size takes 2 values"),
        (("size = [320, 180]", "size = [320, -180]"), "at least 1x1"),
        (("params =", "parms ="), "did you mean 'params'"),
        (('"right/"', '"left/"'), "'left/' appears twice"),
        (("300, 300", "nan, 300"), "finite"),
        (("[[cameras]]", "[["), "cannot be read as TOML"),
    ],
)
def test_files_that_are_wrong_are_named(tmp_path: Path, change: tuple[Any, Any], told: str) -> None:
    (tmp_path / "cameras.toml").write_text(
        FILE.replace(f'"{change[0]}"' if change[1] == 3 else change[0], str(change[1]))
    )
    with pytest.raises(InputError, match=told):
        read_cameras_file(tmp_path / "cameras.toml")


def test_positions_are_pose_priors(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 30.0, 36.0), 3: "W", 4: (2.0, 0.0, 0.0), 5: b"\0", 6: 12.5})
    photograph(folder, "a.jpg", (160, 90), exif)
    photograph(folder, "b.jpg", (160, 90))
    database(folder, CameraOptions(images=folder))
    with pycolmap.Database.open(tmp_path / "x.db") as opened:
        (prior,) = opened.read_all_pose_priors()
        names = {image.image_id: image.name for image in opened.read_all_images()}
    np.testing.assert_allclose(prior.position, [48.51, -2.0, 12.5], atol=1e-9)
    assert prior.coordinate_system == pycolmap.PosePriorCoordinateSystem.WGS84
    assert names[prior.corr_data_id.id] == "a.jpg"


def test_pictures_of_pillow_are_those_of_the_table() -> None:
    """What EXIF turns is read as it is displayed."""
    from cyano.processing.images import read

    buffer = io.BytesIO()
    Image.new("L", (32, 18)).save(buffer, "JPEG", exif=turned(6))
    assert read(buffer.getvalue()).size == ImageSize(32, 18)
