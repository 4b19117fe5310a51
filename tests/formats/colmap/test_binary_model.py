"""COLMAP's binary models as arrays; pycolmap writes them and is the oracle."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.formats.colmap.map_model import read_map_model
from support.scenes import rotation_about

pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Three images of two cameras; of 40 points with gaps in their numbers each has a track of its own length."""
    rng = np.random.default_rng(0)
    made = pycolmap.Reconstruction()
    for number, (kind, params) in enumerate(
        (("SIMPLE_RADIAL", [500, 320, 240, 0.01]), ("FOV", [400, 400, 300, 200, 0.3])), start=3
    ):
        made.add_camera_with_trivial_rig(
            pycolmap.Camera(camera_id=number, model=kind, width=640, height=480, params=params)
        )
    for number, name in enumerate(("cé.jpg", "a/1.jpg", "b.jpg"), start=5):
        places = rng.uniform(0, 480, (50, 2))
        image = pycolmap.Image(image_id=number, name=name, camera_id=3 + number % 2, keypoints=places)
        pose = np.column_stack([rotation_about(rng.normal(size=3), 40.0 * number), rng.normal(size=3)])
        made.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose))
    for row in range(40):
        seen = [pycolmap.TrackElement(number, row) for number in (5, 6, 7)[: 1 + row % 3]]
        made.add_point3D(rng.normal(size=3), pycolmap.Track(seen))
    made.delete_point3D(sorted(made.points3D)[4])
    made.write(str(tmp_path))
    return tmp_path


def test_arrays_are_what_colmap_reads(model: Path) -> None:
    found = read_map_model(model)
    text = model / "text"
    text.mkdir()
    pycolmap.Reconstruction(str(model)).write_text(str(text))
    expected = read_map_model(text)  # by pycolmap's own objects
    np.testing.assert_array_equal(found.point_ids, expected.point_ids)
    np.testing.assert_allclose(found.points, expected.points, atol=1e-12)  # the text has 17 digits
    assert list(found.images) == list(expected.images) == ["a/1.jpg", "b.jpg", "cé.jpg"]
    for name, image in expected.images.items():
        mine = found.images[name]
        assert mine.camera.model == image.camera.model
        np.testing.assert_allclose(mine.camera.params, image.camera.params, atol=1e-12)
        np.testing.assert_allclose(mine.T_world_to_camera, image.T_world_to_camera, atol=1e-12)
        np.testing.assert_allclose(mine.keypoints, image.keypoints, atol=1e-4)  # float32
        np.testing.assert_array_equal(mine.points, image.points)


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin", "points3D.bin"])
def test_files_that_are_damaged_are_named(model: Path, name: str) -> None:
    whole = (model / name).read_bytes()
    huge = struct.pack("<Q", 2**62) + whole[8:]
    for content in (b"", whole[:4], whole[:-3], whole + b"x", huge):
        (model / name).write_bytes(content)
        with pytest.raises(InputError, match=name.replace(".", r"\.")):
            read_map_model(model)


def test_a_point_that_is_not_there_is_told(model: Path) -> None:
    content = bytearray((model / "points3D.bin").read_bytes())
    content[8:16] = struct.pack("<Q", 123456)
    (model / "points3D.bin").write_bytes(content)
    with pytest.raises(InputError, match="refers to a camera or points that are not in the model"):
        read_map_model(model)
