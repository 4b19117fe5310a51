"""Models of images of which only the poses are known: what is written is what is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cyano.errors import OutputError
from cyano.formats.colmap.map_model import read_map_model
from cyano.formats.colmap.posed_model import PosedImage, write_posed, write_with_images
from support.orbit import orbit
from support.places import KNOWN

pycolmap: Any = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")


def test_images_have_their_poses_and_cameras_and_see_nothing(tmp_path: Path) -> None:
    scene = orbit(views=4)
    wide = replace(KNOWN, params=(400.0, 410.0, 320.0, 240.0))
    cameras = [KNOWN, wide, KNOWN, wide]
    images = [PosedImage(*each) for each in zip(scene.names, cameras, scene.poses, strict=True)]
    write_posed(images, tmp_path / "posed")
    model = read_map_model(tmp_path / "posed")
    assert not len(model.points)
    assert list(model.images) == sorted(scene.names)
    for name, camera, pose in images:
        assert model.images[name].camera == camera
        # COLMAP keeps a quaternion of float64.
        np.testing.assert_allclose(model.images[name].T_world_to_camera, pose, atol=1e-12)
    assert len(pycolmap.Reconstruction(tmp_path / "posed").cameras) == 2


def test_further_images_leave_what_is_there(tmp_path: Path) -> None:
    scene = orbit(views=3)
    images = [PosedImage(name, KNOWN, pose) for name, pose in zip(scene.names, scene.poses, strict=True)]
    write_posed(images[:2], tmp_path / "posed")
    write_with_images(tmp_path / "posed", [images[2], images[0]], tmp_path / "more")
    before, after = (pycolmap.Reconstruction(tmp_path / each) for each in ("posed", "more"))
    assert {image.name for image in after.images.values()} == {*scene.names, f"query/{scene.names[0]}"}
    for number, image in before.images.items():
        assert after.images[number].name == image.name
        np.testing.assert_array_equal(after.images[number].cam_from_world().matrix(), image.cam_from_world().matrix())


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_posed([PosedImage("a.jpg", KNOWN, np.eye(4))], tmp_path / "file" / "posed")
