"""PLY files, read back by COLMAP and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cyano.formats import SparseModel
from cyano.formats.ply import cameras_ply, frusta, points_ply
from support.orbit import orbit

SCENE = orbit(views=3)


@pytest.fixture
def model() -> SparseModel:
    rng = np.random.default_rng(0)
    count, cameras = len(SCENE.points), len(SCENE.poses)
    return SparseModel(
        tuple(SCENE.names),
        np.stack(SCENE.poses),
        SCENE.points,
        rng.integers(0, 256, (count, 3), np.uint8),
        np.zeros(count),
        np.full(count, 2),
        np.tile([320 / 600, 240 / 600], (cameras, 1)),
        np.zeros(cameras, np.int64),
    )


def test_colmap_reads_the_points(model: SparseModel, tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    (tmp_path / "x.ply").write_bytes(points_ply(model))
    read = pycolmap.Reconstruction()
    read.import_PLY(str(tmp_path / "x.ply"))
    found = [read.points3D[number] for number in sorted(read.points3D)]
    np.testing.assert_allclose([point.xyz for point in found], model.points, atol=1e-6)  # float32
    np.testing.assert_array_equal([point.color for point in found], model.colours)


def test_the_corners_of_images_are_seen_at_the_corners(model: SparseModel) -> None:
    corners = frusta(model, depth=0.5)
    for pyramid, pose in zip(corners, model.T_world_to_camera, strict=True):
        seen = pyramid @ pose[:3, :3].T + pose[:3, 3]
        np.testing.assert_allclose(seen[0], 0, atol=1e-12)
        np.testing.assert_allclose(seen[1:, 2], 0.5)
        pixels = 600 * seen[1:, :2] / seen[1:, 2:] + (320, 240)
        np.testing.assert_allclose(pixels, [(0, 0), (640, 0), (640, 480), (0, 480)], atol=1e-9)


def test_cameras_are_pyramids(model: SparseModel) -> None:
    head, body = cameras_ply(model, 0.5).split(b"end_header\n")
    assert b"element vertex 15\n" in head
    assert b"element face 18\n" in head
    vertices = np.frombuffer(body[: 15 * 15], [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    faces = np.frombuffer(body[15 * 15 :], [("count", "u1"), ("vertices", "<i4", 3)])
    np.testing.assert_allclose(vertices["xyz"], frusta(model, 0.5).reshape(-1, 3), rtol=1e-6)
    assert (faces["count"] == 3).all()
    assert set(faces["vertices"][6:12].ravel()) == {5, 6, 7, 8, 9}
