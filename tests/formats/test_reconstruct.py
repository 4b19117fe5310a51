"""A scene whose cameras are known, reconstructed by COLMAP from an exported database."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cyano.errors import InputError, OutputError
from cyano.formats import CameraOptions, Mapper, export_database, sparse_model
from cyano.formats.focal_lengths import estimate_focal_lengths
from cyano.formats.reconstruct import _How, _incremental
from cyano.geometry import pose_error
from support.orbit import orbit, stores_of

pycolmap = pytest.importorskip("pycolmap", reason="COLMAP's mappers need the extra collections")

SCENE = orbit()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scene")
    stores = stores_of(SCENE, folder / "store")
    cameras = CameraOptions("SIMPLE_PINHOLE", "all", params=(600.0, 320.0, 240.0))
    export_database(folder / "database.db", stores.features, stores.matches, cameras)
    return folder / "database.db"


@pytest.mark.parametrize("mapper", ["incremental", "global"])
def test_relative_poses_are_right(database: Path, tmp_path: Path, mapper: Mapper) -> None:
    before = database.read_bytes()
    summary = sparse_model(database, None, tmp_path / "sparse", mapper, seed=0, threads=1)
    assert (summary.registered, summary.images, summary.models) == (6, 7, 1)
    assert summary.points > 200
    assert summary.mean_track_length > 3
    assert summary.mean_reprojection_error < 0.01
    assert json.loads((tmp_path / "sparse" / "summary.json").read_text())["points"] == summary.points
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sparse"]
    assert database.read_bytes() == before
    assert not list(database.parent.glob("database.db-*"))
    model = pycolmap.Reconstruction(tmp_path / "sparse" / "0")
    poses = [
        np.vstack([model.find_image_with_name(name).cam_from_world().matrix(), (0, 0, 0, 1)]) for name in SCENE.names
    ]
    for first, second in combinations(range(6), 2):
        found = poses[second] @ np.linalg.inv(poses[first])
        error = pose_error(SCENE.relative_pose(first, second), found[:3, :3], found[:3, 3])
        assert error.rotation < 0.1
        assert error.translation < 0.1


@pytest.mark.parametrize("mapper", ["incremental", "global"])
def test_known_cameras_are_kept_and_guessed_ones_refined(tmp_path: Path, mapper: Mapper) -> None:
    stores = stores_of(SCENE, tmp_path / "store")
    wrong = (630.0, 320.0, 240.0)  # 600 is right
    export_database(
        tmp_path / "x.db", stores.features, stores.matches, CameraOptions("SIMPLE_PINHOLE", "all", params=wrong)
    )
    found = {}
    for keep in (True, False):
        sparse_model(tmp_path / "x.db", None, tmp_path / str(keep), mapper, keep_cameras=keep, threads=1)
        (camera,) = pycolmap.Reconstruction(tmp_path / str(keep) / "0").cameras.values()
        found[keep] = tuple(camera.params)
    assert found[True] == wrong
    assert found[False][0] == pytest.approx(600, abs=1)  # exact points; the rest is where the solver stops


def test_focal_lengths_that_nobody_told_are_estimated_and_known_ones_left(tmp_path: Path) -> None:
    # Fundamental matrices do not tell the focal length of cameras whose axes meet (Sturm, 1997).
    stores = stores_of(orbit(aside=0.15), tmp_path / "store")
    told = CameraOptions("SIMPLE_PINHOLE", "all", params=(650.0, 320.0, 240.0))
    focal_lengths = []
    for number, cameras in enumerate((CameraOptions(sharing="all"), told)):
        path = tmp_path / f"{number}.db"
        summary = export_database(path, stores.features, stores.matches, cameras, verification="colmap")
        assert summary.guessed_cameras == 1 - number
        assert estimate_focal_lengths(pycolmap, path, seed=0) == summary.guessed_cameras
        with pycolmap.Database.open(str(path)) as opened:
            (camera,) = opened.read_all_cameras()
            assert opened.num_verified_image_pairs() == summary.verified_pairs
        focal_lengths.append(camera.params[0])
    assert focal_lengths[0] == pytest.approx(600, rel=0.02)  # the guess is 768; fundamental matrices are robust fits
    assert focal_lengths[1] == 650


@pytest.mark.parametrize("told", [False, True])
def test_the_global_mapper_has_a_try_where_the_other_loses_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    stores = stores_of(orbit(aside=0.15), tmp_path / "store")
    cameras = CameraOptions("SIMPLE_PINHOLE", "all", params=(600.0, 320.0, 240.0) if told else ())
    export_database(tmp_path / "x.db", stores.features, stores.matches, cameras, verification="colmap")

    def lost(pycolmap: ModuleType, database: Path, images: None, how: _How) -> list[Any]:
        (model,) = _incremental(pycolmap, database, images, how)
        for image in list(model.reg_image_ids())[2:]:
            model.deregister_frame(image)
        return [model]

    monkeypatch.setattr("cyano.formats.reconstruct._incremental", lost)
    summary = sparse_model(tmp_path / "x.db", None, tmp_path / "sparse", threads=1)
    assert (summary.mapper, summary.registered) == (("incremental", 2) if told else ("global", 6))

    def failing(*_: object) -> list[Any]:
        raise RuntimeError("no solution")

    monkeypatch.setattr("cyano.formats.reconstruct._global", failing)
    summary = sparse_model(tmp_path / "x.db", None, tmp_path / "sparse", threads=1, overwrite=True)
    assert (summary.mapper, summary.registered) == ("incremental", 2)  # what was found stays


def test_the_same_seed_and_one_thread_give_the_same_model(database: Path, tmp_path: Path) -> None:
    models = []
    for run in range(2):
        sparse_model(database, None, tmp_path / "sparse", threads=1, seed=5, overwrite=run > 0)
        models.append((tmp_path / "sparse" / "0" / "points3D.bin").read_bytes())
    assert models[0] == models[1]


def test_what_gives_no_model_is_refused(database: Path, tmp_path: Path) -> None:
    stores = stores_of(orbit(views=2, points=20), tmp_path / "store", verified=False)
    export_database(tmp_path / "x.db", stores.features, stores.matches)
    with pytest.raises(InputError, match=r"no model comes of .*: 3 images and 0 verified pairs"):
        sparse_model(tmp_path / "x.db", None, tmp_path / "sparse")
    with pytest.raises(InputError, match="unknown mapper"):
        sparse_model(database, None, tmp_path / "sparse", "hybrid")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="there is no folder"):
        sparse_model(database, tmp_path / "absent", tmp_path / "sparse")
    with pytest.raises(InputError, match="seed must be"):
        sparse_model(database, None, tmp_path / "sparse", seed=-1)
    with pytest.raises(InputError, match="cannot be used as a COLMAP database"):
        sparse_model(tmp_path / "absent.db", None, tmp_path / "sparse")
    assert not (tmp_path / "sparse").exists()
    (tmp_path / "sparse").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        sparse_model(database, None, tmp_path / "sparse")
