"""Points of images with known poses: of a made-up database, where the points are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")

from cyano.errors import InputError  # noqa: E402
from cyano.formats.known_poses import triangulate  # noqa: E402
from cyano.formats.map_model import read_map_model  # noqa: E402


def made_up(folder: Path) -> tuple[Path, object]:
    """A database of COLMAP's own synthetic scene, without noise, and its reconstruction."""
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, 5
    options.num_points3D, options.num_points2D_without_point3D = 60, 0
    pycolmap.set_random_seed(0)
    path = folder / "database.db"
    with pycolmap.Database.open(str(path)) as database:
        scene = pycolmap.synthesize_dataset(options, database)
    return path, scene


def test_poses_stay_and_points_are_where_they_were(tmp_path: Path) -> None:
    path, scene = made_up(tmp_path)
    before = path.read_bytes()
    poses = {
        image.name: np.vstack([image.cam_from_world().matrix(), (0, 0, 0, 1)])
        for image in scene.images.values()  # type: ignore[attr-defined]
    }
    summary = triangulate(path, poses, tmp_path / "model")
    assert path.read_bytes() == before
    model = read_map_model(tmp_path / "model")
    assert model.images.keys() == poses.keys()
    for name, image in model.images.items():
        np.testing.assert_allclose(image.T_world_to_camera, poses[name], atol=1e-12)
    assert summary.images == 5
    assert summary.points == len(model.points) > 40
    assert summary.mean_reprojection_error < 1e-3  # keypoints are float32
    true = np.array([point.xyz for point in scene.points3D.values()])  # type: ignore[attr-defined]
    nearest = np.linalg.norm(model.points[:, None] - true[None], axis=2).min(axis=1)
    assert np.median(nearest) < 1e-4
    assert not [each for each in tmp_path.iterdir() if each.name not in ("database.db", "model")]


def test_an_image_that_the_database_lacks_is_an_error(tmp_path: Path) -> None:
    path, _ = made_up(tmp_path)
    with pytest.raises(InputError, match="lacks images"):
        triangulate(path, {"nowhere.png": np.eye(4)}, tmp_path / "model")
    assert not (tmp_path / "model").exists()
