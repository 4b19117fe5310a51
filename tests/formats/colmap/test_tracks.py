"""Tracks of a model that COLMAP made of a scene whose cameras, points and observations are known."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.formats import CameraOptions, export_database, sparse_model
from cyano.formats.colmap.tracks import TrackedModel, read_tracks
from cyano.formats.mapping.mappers import MappingOptions
from cyano.geometry.tracked_views import track_truth
from cyano.geometry.truth import Visibility
from support.orbit import CAMERA, orbit, stores_of

pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")

SCENE = orbit(points=120)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracks")
    stores = stores_of(SCENE, folder / "store")
    cameras = CameraOptions("SIMPLE_RADIAL", "all", params=(600.0, 320.0, 240.0, 0.0))
    export_database(folder / "database.db", stores.features, stores.matches, cameras)
    sparse_model(folder / "database.db", None, folder / "sparse", MappingOptions(keep_cameras=True, threads=1))
    return folder / "sparse" / "0"


def _true_rows(read: TrackedModel) -> list[np.ndarray]:
    """For each view which point of the scene each of its observations shows."""
    rows = []
    for name, view in zip(read.names, read.views, strict=True):
        number = SCENE.names.index(name)
        distances = np.linalg.norm(SCENE.keypoints[number][:, None] - view.keypoints, axis=2)
        assert distances.min(axis=0).max() < 1e-4  # the half pixel is taken off again
        rows.append(SCENE.tracks[number][distances.argmin(axis=0)])
    return rows


def test_observations_of_a_point_are_observations_of_one_point(model: Path) -> None:
    read = read_tracks(model)
    assert read.names == tuple(sorted(SCENE.names))
    assert len(read.points.places) > 100
    shown = np.full(len(read.points.places), -1)
    for view, rows in zip(read.views, _true_rows(read), strict=True):
        assert (np.diff(view.points) > 0).all()
        assert ((shown[view.points] == rows) | (shown[view.points] == -1)).all()
        shown[view.points] = rows
        assert view.lens.pinhole.cx == pytest.approx(CAMERA.cx)
        projected, depths = view.project(read.points.places[view.points])
        np.testing.assert_allclose(projected, view.keypoints, atol=0.05)  # where the solver stops
        assert (depths > 0).all()
    counts = np.bincount(np.concatenate([view.points for view in read.views]))
    assert counts.min() >= 3


def test_the_truth_of_two_views_is_the_scenes(model: Path) -> None:
    read = read_tracks(model)
    true = _true_rows(read)
    for first, second in combinations(range(len(read.views)), 2):
        truth = track_truth(read.points, read.views[first], read.views[second])
        numbers = [SCENE.names.index(read.names[each]) for each in (first, second)]
        found = truth.to_image1(read.views[first].keypoints)
        told = found.visibility == Visibility.VISIBLE
        there = dict(zip(SCENE.tracks[numbers[1]], SCENE.keypoints[numbers[1]], strict=True))
        both = told & np.isin(true[first], SCENE.tracks[numbers[1]])
        assert both.sum() > 40
        expected = np.array([there[point] for point in true[first][both]])
        assert np.quantile(np.linalg.norm(found.points[both] - expected, axis=1), 0.95) < 0.1


def test_short_tracks_and_bad_observations_are_left_out(model: Path, tmp_path: Path) -> None:
    changed = pycolmap.Reconstruction(str(model))
    (image,) = [image for image in changed.images.values() if image.name == SCENE.names[2]]
    observed = [number for number, point in enumerate(image.points2D) if point.has_point3D()]
    moved = image.points2D[observed[0]]
    gone = moved.point3D_id
    moved.xy = moved.xy + np.array([9.0, 0.0])
    changed.write(str(tmp_path))
    before, after = read_tracks(model), read_tracks(tmp_path)
    place = before.names.index(SCENE.names[2])
    assert len(after.views[place].points) == len(before.views[place].points) - 1
    lengths = [point.track.length() for point in changed.points3D.values()]
    wanted = sum(length >= 4 for length in lengths) - (changed.points3D[gone].track.length() == 4)
    assert len(read_tracks(tmp_path, least_track=4).points.places) == wanted


def test_some_of_the_images(model: Path) -> None:
    read = read_tracks(model)
    some = read.subset([4, 1])
    assert some.names == (read.names[4], read.names[1])
    assert some.views == (read.views[4], read.views[1])


def test_what_cannot_be_read_is_refused(tmp_path: Path, model: Path) -> None:
    with pytest.raises(InputError, match="holds no model of COLMAP"):
        read_tracks(tmp_path)
    (tmp_path / "empty").mkdir()
    pycolmap.Reconstruction().write(str(tmp_path / "empty"))
    with pytest.raises(InputError, match=r"no image of the model in .* has a pose"):
        read_tracks(tmp_path / "empty")
    changed = pycolmap.Reconstruction(str(model))
    (camera,) = changed.cameras.values()
    camera.model = pycolmap.CameraModelId.FOV
    camera.params = [600.0, 600.0, 320.0, 240.0, 0.1]
    changed.write(str(tmp_path))
    with pytest.raises(InputError, match=r"FOV is not supported here.*undistort"):
        read_tracks(tmp_path)
