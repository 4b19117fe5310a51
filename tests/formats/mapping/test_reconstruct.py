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
from cyano.formats import CameraOptions, Mapper, MappingOptions, export_database, sparse_model
from cyano.formats.mapping.focal_lengths import estimate_focal_lengths, pooled_ratios
from cyano.formats.mapping.mappers import Start, run_mapper
from cyano.formats.mapping.soundness import agreement, camera_fault, median_ray_angle, read_evidence, unsound
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
    summary = sparse_model(database, None, tmp_path / "sparse", MappingOptions(mapper, threads=1))
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
        sparse_model(tmp_path / "x.db", None, tmp_path / str(keep), MappingOptions(mapper, keep, threads=1))
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


@pytest.mark.parametrize("known", [False, True])
def test_other_mappers_have_a_try_where_the_first_loses_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    stores = stores_of(orbit(aside=0.15), tmp_path / "store")
    cameras = CameraOptions("SIMPLE_PINHOLE", "all", params=(600.0, 320.0, 240.0) if known else ())
    export_database(tmp_path / "x.db", stores.features, stores.matches, cameras, verification="colmap")

    def lost(pycolmap: ModuleType, database: Path, images: None, start: Start, threads: int) -> list[Any]:
        if start.mapper == "global":
            return run_mapper(pycolmap, database, images, start, threads)
        (model,) = run_mapper(pycolmap, database, images, start, threads)
        for image in list(model.reg_image_ids())[2:]:
            model.deregister_frame(model.image(image).frame_id)
        return [model]

    monkeypatch.setattr("cyano.formats.mapping.reconstruct.run_mapper", lost)
    summary = sparse_model(tmp_path / "x.db", None, tmp_path / "sparse", MappingOptions(threads=1))
    assert (summary.mapper, summary.registered, summary.starts, summary.seed) == ("global", 6, 3, 2)
    assert summary.sound
    assert summary.verdict == "6 of 7 images registered, and all agree; not registered: empty.jpg"
    assert summary.unregistered == ["empty.jpg"]

    def failing(pycolmap: ModuleType, database: Path, images: None, start: Start, threads: int) -> list[Any]:
        if start.mapper == "global":
            raise RuntimeError("no solution")
        return lost(pycolmap, database, images, start, threads)

    monkeypatch.setattr("cyano.formats.mapping.reconstruct.run_mapper", failing)
    summary = sparse_model(tmp_path / "x.db", None, tmp_path / "sparse", MappingOptions(threads=1), overwrite=True)
    assert (summary.mapper, summary.registered) == ("incremental", 2)  # what was found stays, and is doubtful
    assert not summary.sound
    assert "doubtful: only 2 of the 6 images that match others have a pose; doubtful: no third image" in summary.verdict


def test_the_same_seed_and_one_thread_give_the_same_model(database: Path, tmp_path: Path) -> None:
    models = []
    for run in range(2):
        sparse_model(database, None, tmp_path / "sparse", MappingOptions(threads=1, seed=5), overwrite=run > 0)
        models.append((tmp_path / "sparse" / "0" / "points3D.bin").read_bytes())
    assert models[0] == models[1]


def test_what_gives_no_model_is_refused(database: Path, tmp_path: Path) -> None:
    stores = stores_of(orbit(views=2, points=20), tmp_path / "store", verified=False)
    export_database(tmp_path / "x.db", stores.features, stores.matches)
    with pytest.raises(InputError, match=r"no model comes of .*: 3 images and 0 verified pairs"):
        sparse_model(tmp_path / "x.db", None, tmp_path / "sparse")
    with pytest.raises(InputError, match="there is no folder"):
        sparse_model(database, tmp_path / "absent", tmp_path / "sparse")
    with pytest.raises(InputError, match="cannot be used as a COLMAP database"):
        sparse_model(tmp_path / "absent.db", None, tmp_path / "sparse")
    assert not (tmp_path / "sparse").exists()
    (tmp_path / "sparse").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        sparse_model(database, None, tmp_path / "sparse")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"mapper": "hybrid"}, "unknown mapper"), ({"seed": -1}, "seed must be"), ({"starts": 0}, "at least one start")],
)
def test_options_of_mapping_are_checked(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MappingOptions(**wrong)


def test_focal_lengths_are_pooled() -> None:
    # Cameras 1 to 3 took an image each: the median of the likely ones, 0.5, 1 and 2, once for each image.
    found = pooled_ratios({1: 0.5, 2: 8.0, 3: 2.0, 4: 1.0}, {1: 1, 2: 1, 3: 1, 4: 6, 5: 1})
    assert found == pytest.approx({1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0, 5: 1.0})
    assert pooled_ratios({1: 0.7, 2: 1.4}, {1: 5, 2: 20}) == pytest.approx({1: 0.7, 2: 1.4})  # many images each
    assert pooled_ratios({1: 0.01, 2: -3.0}, {1: 1, 2: 9}) == {}


@pytest.fixture
def model(database: Path, tmp_path: Path) -> Any:
    sparse_model(database, None, tmp_path / "sparse", MappingOptions(keep_cameras=True, threads=1))
    return pycolmap.Reconstruction(tmp_path / "sparse" / "0")


def test_true_poses_agree_and_wrong_ones_do_not(database: Path, model: Any) -> None:
    evidence = read_evidence(pycolmap, database)
    assert len(evidence.connected) == len(SCENE.names)
    assert set(agreement(model, evidence).values()) == {1.0}  # the matches are exact
    assert unsound(model, evidence, agreement(model, evidence)) == {}
    # The largest angle of the rays to a point is that of its first and its last view, from a step of 10 degrees to 50.
    assert 40 < median_ray_angle(model) < 52
    wrong = model.find_image_with_name(SCENE.names[2])
    pose = wrong.cam_from_world()
    turned = pycolmap.Rotation3d(np.array([0.0, np.sin(0.1), 0.0, np.cos(0.1)])) * pose.rotation  # by 11 degrees
    model.frame(wrong.frame_id).rig_from_world = pycolmap.Rigid3d(turned, pose.translation)
    shares = agreement(model, evidence)
    assert min(shares, key=shares.__getitem__) == wrong.image_id
    assert shares[wrong.image_id] < 0.2
    assert min(share for number, share in shares.items() if number != wrong.image_id) > 0.6  # 4 of 5 pairs are right
    assert list(unsound(model, evidence, shares)) == [wrong.image_id]


def test_a_mirrored_model_agrees_with_the_epipolar_geometry_and_not_with_what_is_in_front(
    database: Path, model: Any
) -> None:
    evidence = read_evidence(pycolmap, database)
    for number in model.reg_image_ids():  # all translations the other way: the same epipolar lines
        image = model.image(number)
        pose = image.cam_from_world()
        model.frame(image.frame_id).rig_from_world = pycolmap.Rigid3d(pose.rotation, -pose.translation)
    assert max(agreement(model, evidence).values()) == 0.0


def test_images_that_are_not_sound_are_taken_out_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = stores_of(SCENE, tmp_path / "store")
    cameras = CameraOptions("SIMPLE_PINHOLE", params=(600.0, 320.0, 240.0))
    export_database(tmp_path / "x.db", stores.features, stores.matches, cameras)
    far, blind, *others = SCENE.names

    def broken(*arguments: Any) -> list[Any]:
        (model,) = run_mapper(*arguments)
        model.camera(model.find_image_with_name(far).camera_id).params = [-132503.0, 320.0, 240.0]
        image = model.find_image_with_name(blind)
        for number, point in enumerate(image.points2D):
            if point.has_point3D():
                model.delete_observation(image.image_id, number)
        return [model]

    monkeypatch.setattr("cyano.formats.mapping.reconstruct.run_mapper", broken)
    summary = sparse_model(tmp_path / "x.db", None, tmp_path / "sparse", MappingOptions(threads=1, starts=2))
    reasons = {far: "a focal length of -132503 px in images of 640 px", blind: "sees 0 points"}
    assert summary.taken_out == reasons
    assert (summary.registered, summary.starts, summary.sound) == (4, 2, False)
    told = f"2 taken out: {far} ({reasons[far]}), {blind} (sees 0 points)"
    assert summary.verdict == f"6 of 7 images registered; 4 agree, {told}; not registered: empty.jpg"
    model = pycolmap.Reconstruction(tmp_path / "sparse" / "0")
    posed = {image.name: image.cam_from_world().matrix() for image in model.images.values() if image.has_pose}
    assert posed.keys() == set(others)
    assert all(camera.mean_focal_length() == pytest.approx(600, abs=1) for camera in model.cameras.values())
    poses = {name: np.vstack([posed[name], (0, 0, 0, 1)]) for name in others}
    for first, second in combinations(others, 2):
        found = poses[second] @ np.linalg.inv(poses[first])
        true = SCENE.relative_pose(SCENE.names.index(first), SCENE.names.index(second))
        assert pose_error(true, found[:3, :3], found[:3, 3]).worst < 0.1


def test_a_model_that_lost_most_of_its_points_is_doubtful(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def thinned(*arguments: Any) -> list[Any]:
        (model,) = run_mapper(*arguments)
        for number in sorted(model.point3D_ids())[99:]:
            model.delete_point3D(number)
        return [model]

    monkeypatch.setattr("cyano.formats.mapping.reconstruct.run_mapper", thinned)
    summary = sparse_model(database, None, tmp_path / "sparse", MappingOptions(threads=1))
    assert (summary.registered, summary.starts, summary.sound) == (6, 3, False)
    assert summary.verdict == "6 of 7 images registered; not registered: empty.jpg; doubtful: only 99 points"


def test_what_cameras_cannot_be() -> None:
    begun = pycolmap.Camera(model="SIMPLE_RADIAL", width=640, height=480, params=[700.0, 320.0, 240.0, 0.0])
    given = pycolmap.Camera(begun.todict())
    given.has_prior_focal_length = True

    def fault(*params: float, before: Any = begun) -> str:
        camera = pycolmap.Camera(model="SIMPLE_RADIAL", width=640, height=480, params=list(params))
        return camera_fault(camera, before) or ""

    assert not fault(700.0, 320.0, 240.0, -0.3)
    assert not fault(200.0, 320.0, 240.0, 0.0)  # 116 degrees
    assert "a focal length of 180 px" in fault(180.0, 320.0, 240.0, 0.0)  # 121 degrees
    assert "a focal length of -132503 px in images of 640 px" in fault(-132503.0, 320.0, 240.0, 0.0)
    assert "a focal length of nan px" in fault(float("nan"), 320.0, 240.0, 0.0)
    assert not fault(1390.0, 320.0, 240.0, 0.0, before=given)
    assert "a focal length of 1410 px" in fault(1410.0, 320.0, 240.0, 0.0, before=given)
    assert "a principal point 200 px off" in fault(700.0, 520.0, 240.0, 0.0)
    assert "a distortion parameter" in fault(700.0, 320.0, 240.0, 4.0)
    # A long lens: 3 (320 / 5000)^2 is 1 % of displacement at the edge.
    assert not fault(5000.0, 320.0, 240.0, 3.0)
