"""Triangulation with known poses, against the points that the keypoints are projections of."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.formats.colmap.map_model import read_map_model
from cyano.formats.colmap.posed_model import PosedImage, write_posed
from cyano.formats.mapping.triangulation import Sightings, triangulated_model
from support.foreign import write_posed_model
from support.orbit import CAMERA, Orbit, orbit
from support.places import KNOWN

pycolmap: Any = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")

LENS = ("PINHOLE", (CAMERA.fx, CAMERA.fy, CAMERA.cx + 0.5, CAMERA.cy + 0.5), 640, 480)


def sightings_of(scene: Orbit, *, wrong: int = 0) -> Sightings:
    """All true matches, of which some are between rows that show nothing in common."""
    pairs = []
    for first, second in combinations(range(len(scene.names)), 2):
        _, rows0, rows1 = np.intersect1d(scene.tracks[first], scene.tracks[second], return_indices=True)
        rows1[:wrong] = np.roll(rows1[:wrong], 1)
        pairs.append((scene.names[first], scene.names[second], np.stack([rows0, rows1], 1).astype(np.int32)))
    return Sightings(dict(zip(scene.names, scene.keypoints, strict=True)), pairs)


@pytest.mark.parametrize("text", [False, True])
def test_points_are_where_they_were_and_cameras_stay(tmp_path: Path, text: bool) -> None:
    scene = orbit()
    scene.names[:] = [f"vue_é/{place}.jpg" for place in range(6)]  # COLMAP's text form has no spaces in names
    poses = dict(zip(scene.names, scene.poses, strict=True))
    numbers = {name: 90 - 7 * place for place, name in enumerate(scene.names)}
    before = write_posed_model(tmp_path / "posed", poses, LENS, numbers=numbers, text=text)
    if text:
        before = pycolmap.Reconstruction(tmp_path / "posed")  # as the text rounds it
    summary = triangulated_model(tmp_path / "posed", sightings_of(scene, wrong=5), tmp_path / "0")
    after = pycolmap.Reconstruction(tmp_path / "0")
    assert summary.images == 6
    assert summary.points == after.num_points3D() >= 230  # of 250: those that three of the six see and more
    assert summary.mean_reprojection_error < 1e-3  # keypoints are float32: 6e-5 of a pixel at 640
    assert summary.agreement > 0.95  # five of about 160 matches are wrong
    assert not summary.doubtful
    for number, image in before.images.items():
        there = after.images[number]
        assert there.name == image.name
        assert there.camera_id == image.camera_id == 7
        np.testing.assert_array_equal(there.cam_from_world().matrix(), image.cam_from_world().matrix())
    np.testing.assert_array_equal(after.cameras[7].params, before.cameras[7].params)
    tracks = {
        (name, row): point for place, name in enumerate(scene.names) for row, point in enumerate(scene.tracks[place])
    }
    for point in after.points3D.values():
        shown = [tracks[after.images[each.image_id].name, each.point2D_idx] for each in point.track.elements]
        (true,) = set(shown)
        # A pixel's 6e-5 is 6e-7 of the distance of 6 across, and ten times that in depth.
        np.testing.assert_allclose(point.xyz, scene.points[true], atol=1e-4)


def test_poses_alone_are_enough(tmp_path: Path) -> None:
    scene = orbit()
    images = [PosedImage(name, KNOWN, pose) for name, pose in zip(scene.names, scene.poses, strict=True)]
    write_posed(images, tmp_path / "posed")
    summary = triangulated_model(tmp_path / "posed", sightings_of(scene), tmp_path / "0")
    model = read_map_model(tmp_path / "0")
    assert summary.points == len(model.points) >= 230  # of 250, as above
    for name, pose in zip(scene.names, scene.poses, strict=True):
        np.testing.assert_allclose(model.images[name].T_world_to_camera, pose, atol=1e-12)
    nearest = np.linalg.norm(model.points[:, None] - scene.points[None], axis=2).min(axis=1)
    assert nearest.max() < 1e-4  # as above


def test_images_without_keypoints_are_left_out(tmp_path: Path) -> None:
    scene = orbit(views=4)
    write_posed_model(tmp_path / "posed", dict(zip(scene.names, scene.poses, strict=True)), LENS)
    sightings = sightings_of(scene)
    kept = {name: sightings.keypoints[name] for name in scene.names[:3]}
    summary = triangulated_model(
        tmp_path / "posed", Sightings(kept, sightings_of(orbit(views=3)).pairs), tmp_path / "0"
    )
    assert summary.images == 3
    assert {image.name for image in pycolmap.Reconstruction(tmp_path / "0").images.values()} == set(scene.names[:3])


def test_keypoints_of_images_without_a_pose_are_passed_over(tmp_path: Path) -> None:
    scene = orbit(views=5)
    poses = dict(zip(scene.names[:4], scene.poses[:4], strict=True))
    write_posed_model(tmp_path / "posed", poses, LENS)
    summary = triangulated_model(tmp_path / "posed", sightings_of(scene), tmp_path / "0")
    assert (summary.images, summary.doubtful) == (4, {})


def test_two_images_make_points(tmp_path: Path) -> None:
    scene = orbit(views=2)
    write_posed_model(tmp_path / "posed", dict(zip(scene.names, scene.poses, strict=True)), LENS)
    assert triangulated_model(tmp_path / "posed", sightings_of(scene), tmp_path / "0").points > 100


def test_an_image_with_a_wrong_pose_is_doubtful(tmp_path: Path) -> None:
    scene = orbit()
    poses = dict(zip(scene.names, scene.poses, strict=True))
    poses[scene.names[2]] = scene.poses[5]
    write_posed_model(tmp_path / "posed", poses, LENS)
    summary = triangulated_model(tmp_path / "posed", sightings_of(scene), tmp_path / "0")
    assert list(summary.doubtful) == [scene.names[2]]


def test_poses_that_no_match_agrees_with_are_an_error(tmp_path: Path) -> None:
    scene = orbit(views=3)
    rng = np.random.default_rng(0)
    poses = dict(zip(scene.names, scene.poses, strict=True))
    for pose in poses.values():
        pose[:3, 3] = rng.normal(0, 100, 3)
    write_posed_model(tmp_path / "posed", poses, LENS)
    with pytest.raises(InputError, match="the matches give no points"):
        triangulated_model(tmp_path / "posed", sightings_of(scene), tmp_path / "0")
    assert not (tmp_path / "0").exists()
