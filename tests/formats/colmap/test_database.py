"""COLMAP's database as COLMAP reads it: the half pixel, the cameras, the two-view geometries."""

from __future__ import annotations

import sqlite3
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cyano.errors import InputError, MissingExtraError, OutputError
from cyano.formats import CameraOptions, export_database, read_database
from cyano.geometry import LensCamera
from cyano.store import FeatureStore, MatchStore, StoredPair, TwoViewGeometry
from cyano.types import ImageSize
from support.orbit import CAMERA, Orbit, Stores, orbit, stores_of
from support.scenes import H_TRUE, homography_matches
from support.stores import CONFIGURATION, image

pycolmap = pytest.importorskip("pycolmap", reason="COLMAP databases need the extra collections")

SCENE = orbit(views=4, points=120)
# What COLMAP's own conventions make of the scene's camera: the middle of 640 x 480 pixels is (320, 240).
IN_COLMAP = CameraOptions("SIMPLE_PINHOLE", "all", params=(600.0, 320.0, 240.0))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return stores_of(SCENE, tmp_path_factory.mktemp("stores"))


@pytest.fixture(scope="module")
def database(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("database") / "database.db"
    summary = export_database(path, stores.features, stores.matches, IN_COLMAP)
    assert (summary.cameras, summary.images, summary.pairs, summary.verified_pairs) == (1, 5, 7, 6)
    assert summary.keypoints == 4 * 96
    assert summary.matches == summary.inlier_matches > 300
    assert list(path.parent.iterdir()) == [path]  # no write-ahead log, nothing temporary
    return path


def reprojection_errors(scene: Orbit, database: Path, shift: float) -> list[float]:
    """(views,) mean error in pixels of the keypoints in the database, shifted so far, by pycolmap's own projection."""
    with pycolmap.Database.open(database) as opened:
        means = []
        for name, pose, tracks in zip(scene.names, scene.poses, scene.tracks, strict=True):
            found = opened.read_image_with_name(name)
            seen = scene.points[tracks] @ pose[:3, :3].T + pose[:3, 3]
            projected = opened.read_camera(found.camera_id).img_from_cam(seen)
            offsets = opened.read_keypoints(found.image_id) + shift - projected
            means.append(float(np.linalg.norm(offsets, axis=1).mean()))
    return means


def test_the_half_pixel(database: Path) -> None:
    # float32 rounds positions up to 640 by 3e-5 pixels; without the half, both axes are half a pixel off.
    assert max(reprojection_errors(SCENE, database, 0.0)) < 1e-4
    for error in reprojection_errors(SCENE, database, -0.5):
        assert error == pytest.approx(np.sqrt(0.5), abs=1e-4)


def test_known_cameras_are_shifted_along(stores: Stores, tmp_path: Path) -> None:
    listed = dict.fromkeys(SCENE.names, LensCamera.from_pinhole(CAMERA))
    export_database(tmp_path / "x.db", stores.features, stores.matches, CameraOptions(listed=listed))
    assert max(reprojection_errors(SCENE, tmp_path / "x.db", 0.0)) < 1e-4
    with pycolmap.Database.open(tmp_path / "x.db") as opened:
        assert opened.num_cameras() == 2  # the known one, and that of the empty image
        cameras = {camera.model.name: camera for camera in opened.read_all_cameras()}
    assert cameras["PINHOLE"].params.tolist() == [600, 600, 320, 240]
    assert cameras["PINHOLE"].has_prior_focal_length
    assert cameras["SIMPLE_RADIAL"].params.tolist() == [768, 320, 240, 0]
    assert not cameras["SIMPLE_RADIAL"].has_prior_focal_length


def test_two_view_geometries_are_imported(database: Path) -> None:
    with pycolmap.Database.open(database) as opened:
        ids = [opened.read_image_with_name(name).image_id for name in SCENE.names]
        for first, second in combinations(range(4), 2):
            geometry = opened.read_two_view_geometry(ids[first], ids[second])
            assert geometry.config == int(pycolmap.TwoViewGeometryConfiguration.CALIBRATED)
            np.testing.assert_allclose(
                geometry.cam2_from_cam1.matrix(), SCENE.relative_pose(first, second)[:3], atol=1e-9
            )
            camera = opened.read_camera(1)
            inliers = geometry.inlier_matches
            rays = [
                np.c_[camera.cam_from_img(opened.read_keypoints(ids[view])[rows].astype(float)), np.ones(len(rows))]
                for view, rows in ((first, inliers[:, 0]), (second, inliers[:, 1]))
            ]
            assert np.abs(np.einsum("ki,ij,kj->k", rays[1], geometry.E, rays[0])).max() < 1e-6


def test_colmaps_own_verification_accepts_it(stores: Stores, tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    bare = export_database(path, stores.features, stores.matches, IN_COLMAP, verification="none")
    assert bare.verified_pairs == 0
    counts = []
    for _ in range(2):
        summary = export_database(
            path, stores.features, stores.matches, IN_COLMAP, verification="colmap", seed=3, overwrite=True
        )
        counts.append((summary.verified_pairs, summary.inlier_matches))
    assert counts[0] == counts[1] == (6, bare.matches)
    assert list(tmp_path.iterdir()) == [path]


def test_reading_gives_back_what_was_stored(stores: Stores, database: Path) -> None:
    before = database.read_bytes()
    found = read_database(database)
    assert database.read_bytes() == before
    assert list(database.parent.iterdir()) == [database]
    assert [entry.name for entry in found.images] == sorted([*SCENE.names, "empty.jpg"])
    for read, stored in zip(found.images, stores.features.read([entry.name for entry in found.images]), strict=True):
        assert (read.size, read.model, read.params) == (CAMERA.size, "SIMPLE_PINHOLE", (600.0, 320.0, 240.0))
        np.testing.assert_allclose(read.keypoints, stored.keypoints, atol=1e-4)
    assert len(found.pairs) == 7
    for pair in found.pairs:
        (stored_pair,) = stores.matches.read([(pair.name0, pair.name1)])
        np.testing.assert_array_equal(pair.indices, stored_pair.indices[np.argsort(stored_pair.indices[:, 0])])
        assert (pair.geometry is None) == (stored_pair.geometry is None)
        if pair.geometry and stored_pair.geometry:
            assert pair.geometry.kind == "pose"
            np.testing.assert_allclose(pair.geometry.matrix, stored_pair.geometry.matrix, atol=1e-9)
            assert pair.geometry.inliers.all()


def test_models_in_pixels_are_shifted(tmp_path: Path) -> None:
    """F and H fit the keypoints in the database, that is in COLMAP's pixels, and are Cyano's again when read."""
    points0, points1, _ = homography_matches(20)
    F = np.cross(np.eye(3), H_TRUE @ (320.0, 240.0, 1.0)) @ H_TRUE  # of all planes' F, one with this epipole
    F /= np.linalg.norm(F)
    features, matches = FeatureStore(tmp_path, CONFIGURATION), MatchStore(tmp_path, CONFIGURATION)
    features.write([_with_keypoints(name, points) for name, points in (("0", points0), ("1", points1), ("2", points1))])
    indices, inliers = np.repeat(np.arange(20, dtype=np.int32)[:, None], 2, axis=1), np.arange(20) % 3 > 0
    geometries = {"1": TwoViewGeometry("homography", H_TRUE, inliers), "2": TwoViewGeometry("fundamental", F, inliers)}
    scores = np.ones(20, np.float32)
    matches.write([StoredPair("0", name, indices, scores, geometry) for name, geometry in geometries.items()])
    export_database(tmp_path / "x.db", features, matches)
    with pycolmap.Database.open(tmp_path / "x.db") as opened:
        homogeneous = [np.c_[opened.read_keypoints(number), np.ones(20)] for number in (1, 2, 3)]
        H, F_colmap = opened.read_two_view_geometry(1, 2).H, opened.read_two_view_geometry(1, 3).F
    mapped = homogeneous[0] @ H.T
    np.testing.assert_allclose(mapped[:, :2] / mapped[:, 2:], homogeneous[1][:, :2], atol=1e-3)
    assert np.abs(np.einsum("ki,ij,kj->k", homogeneous[2], F_colmap, homogeneous[0])).max() < 1e-3
    for pair in read_database(tmp_path / "x.db").pairs:
        assert pair.geometry is not None
        assert pair.geometry.kind == geometries[pair.name1].kind
        np.testing.assert_allclose(pair.geometry.matrix, geometries[pair.name1].matrix, atol=1e-9)
        np.testing.assert_array_equal(pair.geometry.inliers, inliers)


def _with_keypoints(name: str, points: Any) -> Any:
    return replace(image(name, len(points)), keypoints=points.astype(np.float32))


@pytest.mark.parametrize(("sharing", "count"), [("image", 5), ("folder", 3), ("all", 1)])
def test_which_images_share_a_camera(stores: Stores, tmp_path: Path, sharing: Any, count: int) -> None:
    photographs = tmp_path / "photographs"
    (photographs / "folder 1").mkdir(parents=True)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 27  # FocalLengthIn35mmFilm
    Image.new("L", (640, 480)).save(photographs / "folder 1/vue é 3.jpg", exif=exif)
    (photographs / "folder 1/vue é 1.jpg").write_bytes(b"no image")
    options = CameraOptions(sharing=sharing, images=photographs)
    summary = export_database(tmp_path / "x.db", stores.features, stores.matches, options)
    assert summary.cameras == count
    with pycolmap.Database.open(tmp_path / "x.db") as opened:
        camera = opened.read_camera(opened.read_image_with_name("folder 1/vue é 3.jpg").camera_id)
        assert camera.params.tolist() == [27 / 36 * 640, 320, 240, 0]
        assert camera.has_prior_focal_length
        assert opened.num_rigs() == count
        assert opened.num_frames() == 5


def test_an_existing_database_is_kept_or_replaced_whole(stores: Stores, tmp_path: Path) -> None:
    path = tmp_path / "database.db"
    path.write_bytes(b"another's")
    with pytest.raises(OutputError, match="exists already"):
        export_database(path, stores.features, stores.matches)
    with pytest.raises(InputError, match="unknown camera model 'PIN'"):
        export_database(path, stores.features, stores.matches, CameraOptions("PIN"), overwrite=True)
    assert path.read_bytes() == b"another's"
    path.with_name("database.db-wal").write_bytes(b"stale")
    export_database(path, stores.features, stores.matches, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_what_a_database_cannot_hold_is_refused(stores: Stores, tmp_path: Path) -> None:
    def refused(message: str, features: FeatureStore, matches: MatchStore, *options: Any, **more: Any) -> None:
        with pytest.raises(InputError, match=message):
            export_database(tmp_path / "x.db", features, matches, *options, **more)

    refused("unknown verification", stores.features, stores.matches, verification="both")
    listed = CameraOptions(listed={"empty.jpg": LensCamera("PINHOLE", ImageSize(5, 5), (1, 1, 0, 0))})
    refused("has another aspect ratio", stores.features, stores.matches, listed)
    features, matches = FeatureStore(tmp_path / "s", CONFIGURATION), MatchStore(tmp_path / "s", CONFIGURATION)
    features.write([image("\udcff", 3)])
    refused("not valid UTF-8", features, matches)
    refused("but no features", FeatureStore(tmp_path / "empty", CONFIGURATION), stores.matches)
    with pytest.raises(InputError, match="has the parameters fx, fy, cx, cy"):
        CameraOptions("PINHOLE", params=(1.0, 2.0))
    with pytest.raises(InputError, match="unknown sharing"):
        CameraOptions(sharing="camera")  # type: ignore[arg-type]
    (tmp_path / "x.db").write_bytes(b"no database, though it is long enough to be one")
    for path in (tmp_path / "x.db", tmp_path / "absent.db"):
        with pytest.raises(InputError, match="cannot be used as a COLMAP database"):
            read_database(path)


def test_without_pycolmap_the_extra_is_named(stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"\.\[collections\]"):
        export_database(tmp_path / "x.db", stores.features, stores.matches)
