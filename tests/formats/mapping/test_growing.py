"""Models that grow, against the scene that the keypoints are projections of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.formats.colmap.pixels import colmap_params
from cyano.formats.mapping.growing import GrowingModel, NewImage
from cyano.formats.mapping.triangulation import Sightings, triangulated_model
from cyano.geometry import invert_rigid, rotation_angle_between
from support.foreign import write_posed_model
from support.orbit import Orbit, orbit
from support.places import KNOWN
from support.scenes import rotation_about

pycolmap: Any = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")

LENS = ("PINHOLE", colmap_params(KNOWN), 640, 480)
OLD = 4


@dataclass(frozen=True, eq=False)
class Case:
    """Six views, of which four are a model."""

    scene: Orbit
    folder: Path
    pairs: list[tuple[str, str, NDArray[np.int32]]]

    @property
    def model(self) -> Any:
        return pycolmap.Reconstruction(self.folder)

    def new(self, place: int, **changes: Any) -> NewImage:
        """A view, its pose off by two pixels, as localised photographs are at most, without knowledge of points."""
        off = np.eye(4)
        off[:3, :3], off[:3, 3] = rotation_about((1.0, 2.0, 0.5), 0.1), (0.01, -0.005, 0.05)
        keypoints = self.scene.keypoints[place]
        none = np.full(len(keypoints), -1, np.int64)
        image = NewImage(self.scene.names[place], KNOWN, off @ self.scene.poses[place], keypoints, none, held=True)
        return image._replace(**changes)

    def shown(self, place: int) -> NDArray[np.int64]:
        """The numbers of the model's points that a view shows."""
        names = {name: number for number, name in enumerate(self.scene.names)}
        numbers = np.full(len(self.scene.points), -1, np.int64)
        model = self.model
        for number, point in model.points3D.items():
            first = point.track.elements[0]
            numbers[self.scene.tracks[names[model.images[first.image_id].name]][first.point2D_idx]] = number
        return numbers[self.scene.tracks[place]]

    def pose_error(self, model: Any, place: int) -> tuple[float, float]:
        """Degrees and distance."""
        found, true = np.eye(4), self.scene.poses[place]
        found[:3] = model.find_image_with_name(self.scene.names[place]).cam_from_world().matrix()
        turn = np.degrees(rotation_angle_between(found[:3, :3], true[:3, :3]))
        return float(turn), float(np.linalg.norm(invert_rigid(found)[:3, 3] - invert_rigid(true)[:3, 3]))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    scene = orbit(aside=0.05)
    pairs = []
    for first, second in combinations(range(len(scene.names)), 2):
        _, rows0, rows1 = np.intersect1d(scene.tracks[first], scene.tracks[second], return_indices=True)
        pairs.append((scene.names[first], scene.names[second], np.stack([rows0, rows1], 1).astype(np.int32)))
    poses = dict(zip(scene.names[:OLD], scene.poses, strict=False))
    numbers = {name: 20 + 5 * place for place, name in enumerate(poses)}
    write_posed_model(tmp_path / "posed", poses, LENS, numbers=numbers)
    old = Sightings(
        dict(zip(poses, scene.keypoints, strict=False)), [each for each in pairs if {each[0], each[1]} <= set(poses)]
    )
    triangulated_model(tmp_path / "posed", old, tmp_path / "model")
    return Case(scene, tmp_path / "model", pairs)


def grown(case: Case, images: list[NewImage], tmp_path: Path) -> tuple[GrowingModel, Any]:
    growing = GrowingModel(case.folder)
    growing.grow(images, case.pairs)
    growing.save(tmp_path / "grown")
    return growing, pycolmap.Reconstruction(tmp_path / "grown")


def assert_stays(before: Any, after: Any) -> None:
    """What was in the model is as it was, to the last bit, and tracks have lost nothing."""
    for number, image in before.images.items():
        there = after.images[number]
        assert (there.name, there.camera_id) == (image.name, image.camera_id)
        np.testing.assert_array_equal(there.cam_from_world().matrix(), image.cam_from_world().matrix())
        np.testing.assert_array_equal([point.xy for point in there.points2D], [point.xy for point in image.points2D])
    for number, camera in before.cameras.items():
        np.testing.assert_array_equal(after.cameras[number].params, camera.params)
    for number, point in before.points3D.items():
        np.testing.assert_array_equal(after.points3D[number].xyz, point.xyz)
        old, new = (
            {(each.image_id, each.point2D_idx) for each in p.track.elements} for p in (point, after.points3D[number])
        )
        assert old <= new


def test_new_poses_are_found_and_all_else_stays(case: Case, tmp_path: Path) -> None:
    before = case.model
    growing, after = grown(case, [case.new(4), case.new(5)], tmp_path)
    assert_stays(before, after)
    for place in (4, 5):
        turn, moved = case.pose_error(after, place)
        assert turn < 1e-3  # keypoints are float32, 6e-5 of a pixel at 640; points of before are as exact as that
        assert moved < 1e-4
    assert set(growing.added) == set(case.scene.names[4:])
    assert min(growing.added.values()) > 180  # of 200 keypoints
    old, new = growing.points
    assert old == before.num_points3D()
    assert old + new == after.num_points3D() >= 240  # of 250: 246 that three views and more show, on average
    assert max(growing.errors()) < 1e-2
    assert set(growing.map_model().images) == set(case.scene.names)
    assert after.images[max(after.images)].image_id == max(before.images) + 2  # numbers go on


def test_points_that_are_known_are_observed_and_wrong_ones_left_out(case: Case, tmp_path: Path) -> None:
    points = case.shown(4)
    wrong = points.copy()
    wrong[:40] = np.roll(wrong[:40], 1)
    growing = GrowingModel(case.folder)
    growing.grow([case.new(4, T_world_to_camera=case.scene.poses[4], points=wrong)], [])  # no matches: points alone
    growing.save(tmp_path / "grown")
    after = pycolmap.Reconstruction(tmp_path / "grown")
    assert_stays(case.model, after)
    right = int((points >= 0).sum() - 40)
    (seen,) = growing.added.values()
    assert right <= seen <= right + 3  # a wrong point may be projected near by chance
    assert case.pose_error(after, 4)[0] < 0.02


def test_a_camera_of_its_own_gets_its_focal_length(case: Case, tmp_path: Path) -> None:
    guess = replace(KNOWN, params=(603.0, 603.0, *KNOWN.params[2:]))  # half a percent too long
    _, after = grown(case, [case.new(4, camera=guess, held=False), case.new(5, camera=guess, held=False)], tmp_path)
    cameras = [after.find_image_with_name(name).camera for name in case.scene.names[4:]]
    assert len({camera.camera_id for camera in cameras} | {7}) == 3
    for camera in cameras:
        np.testing.assert_allclose(camera.params[:2], 600, rtol=1e-4)


def test_cameras_that_are_known_are_held_and_shared(case: Case, tmp_path: Path) -> None:
    other = replace(KNOWN, params=(603.0, 603.0, *KNOWN.params[2:]))
    images = [case.new(4, camera=other), case.new(5, camera=other)]
    _, after = grown(case, images, tmp_path)
    (number,) = {after.find_image_with_name(name).camera_id for name in case.scene.names[4:]}
    np.testing.assert_array_equal(after.cameras[number].params, colmap_params(other))
    growing = GrowingModel(case.folder)
    growing.grow([case.new(4, held=False, like=case.scene.names[0])], case.pairs)
    growing.save(tmp_path / "like")
    after = pycolmap.Reconstruction(tmp_path / "like")
    assert after.find_image_with_name(case.scene.names[4]).camera_id == 7
    np.testing.assert_array_equal(after.cameras[7].params, LENS[1])


def test_images_can_be_taken_out_again(case: Case, tmp_path: Path) -> None:
    growing = GrowingModel(case.folder)
    growing.grow([case.new(4), case.new(5)], case.pairs)
    growing.remove([case.scene.names[5]])
    growing.save(tmp_path / "grown")
    after = pycolmap.Reconstruction(tmp_path / "grown")
    assert list(growing.added) == [case.scene.names[4]]
    assert {after.image(number).name for number in after.reg_image_ids()} == set(case.scene.names[:5])
    assert_stays(case.model, after)


def test_refining_all_keeps_numbers(case: Case, tmp_path: Path) -> None:
    growing = GrowingModel(case.folder)
    growing.grow([case.new(4), case.new(5)], case.pairs)
    growing.refine_all(case.pairs)
    growing.save(tmp_path / "grown")
    before, after = case.model, pycolmap.Reconstruction(tmp_path / "grown")
    assert {number: image.name for number, image in before.images.items()}.items() <= {
        number: image.name for number, image in after.images.items()
    }.items()
    assert set(before.cameras) <= set(after.cameras)
    assert len(set(before.points3D) & set(after.points3D)) > 0.9 * before.num_points3D()
    assert max(growing.errors()) < 1e-2
