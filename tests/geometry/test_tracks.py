"""Sparse truth against closed forms: two views of a wall, of a plate before it, of both sides of a thin board."""

from __future__ import annotations

import numpy as np
import pytest

from cyano.geometry.lens import LensCamera
from cyano.geometry.tracked_views import ScenePoints, TrackedView, track_truth
from cyano.geometry.tracks import TrackTruth
from cyano.geometry.transforms import rigid_motion
from cyano.geometry.truth import Visibility
from cyano.models.assignment_loss import IGNORE, UNMATCHED
from cyano.training.data.groundtruth import match_labels
from cyano.types import ImageSize, ResizeMap
from support.scenes import rotation_about

SIZE = ImageSize(240, 320)
LENS = LensCamera("SIMPLE_RADIAL", SIZE, (300.0, 159.5, 119.5, -0.05))
EYE0, EYE1 = np.eye(4), rigid_motion(np.eye(3), (-1.0, 0.0, 0.0))  # the second camera is 1 m to the right


def _view(T: np.ndarray, places: np.ndarray, observed: np.ndarray, lens: LensCamera = LENS) -> TrackedView:
    blank = TrackedView(lens, T, np.zeros(0, np.int64), np.zeros((0, 2)))
    return TrackedView(lens, T, observed, blank.project(places[observed])[0])


def _points(places: np.ndarray, eyes: tuple[np.ndarray, ...] = (EYE0, EYE1)) -> ScenePoints:
    """As if both cameras had observed each point."""
    rays = [np.linalg.inv(T)[:3, 3] - places for T in eyes]
    return ScenePoints(places, np.mean([ray / np.linalg.norm(ray, axis=1, keepdims=True) for ray in rays], axis=0))


def _wall(count: int = 600, depth: float = 4.0, seed: int = 0) -> np.ndarray:
    xy = np.random.default_rng(seed).uniform((-1.9, -1.3), (2.9, 1.3), (count, 2))
    return np.column_stack([xy, np.full(count, depth)])


def _seen(places: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Rows of the places within the image."""
    pixels, _ = _view(T, places, np.zeros(0, np.int64)).project(places)
    inside = (pixels > 0).all(axis=1) & (pixels < (SIZE.width - 1, SIZE.height - 1)).all(axis=1)
    return np.flatnonzero(inside)


def test_what_both_views_observed_moves_from_one_observation_to_the_other() -> None:
    wall = _wall()
    both = np.intersect1d(_seen(wall, EYE0), _seen(wall, EYE1))
    view0, view1 = _view(EYE0, wall, _seen(wall, EYE0)), _view(EYE1, wall, _seen(wall, EYE1))
    truth = track_truth(_points(wall), view0, view1)
    own0, own1 = (view.keypoints[np.searchsorted(view.points, both)] for view in (view0, view1))
    there, back = truth.to_image1(own0), truth.to_image0(own1)
    assert len(both) > 100
    assert (there.visibility == Visibility.VISIBLE).all()
    np.testing.assert_allclose(there.points, own1, atol=1e-9)
    np.testing.assert_allclose(back.points, own0, atol=1e-9)


def test_pixels_beside_a_point_move_with_the_surface_and_farther_ones_are_unknown() -> None:
    # Cameras that look at the point from either side alike, so that the wall is the plane that faces both of them, and
    # the distortion of both, by which its pixels move.
    point = np.array([[0.0, 0.0, 4.0]])
    eyes = [rigid_motion(rotation_about((0, 1, 0), angle), (0, 0, 0)) for angle in (-18.0, 18.0)]
    for T, x in zip(eyes, (-1.4, 1.4), strict=True):
        T[:3, :3] = rotation_about((0, 0, 1), 20 * x) @ T[:3, :3]
        T[:3, 3] = -T[:3, :3] @ (x, 0.0, 0.0)
    points = _points(point, tuple(eyes))
    views = [_view(T, point, np.array([0])) for T in eyes]
    truth = track_truth(points, *views)
    near = np.column_stack([np.random.default_rng(0).uniform(-0.02, 0.02, (50, 2)), np.full(50, 4.0)])
    asked, expected = (view.project(near)[0] for view in views)
    found = truth.to_image1(asked)
    away = np.linalg.norm(asked - views[0].keypoints, axis=1)
    assert (away > 0.5).sum() > 30
    assert (away < 3).all()
    assert (found.visibility == Visibility.VISIBLE).all()
    np.testing.assert_allclose(found.points, expected, atol=0.04)  # of second order in the distance, 2 px at most
    unmoved = views[1].keypoints + asked - views[0].keypoints
    assert np.abs(unmoved - expected).max() > 0.3
    far = truth.to_image1(views[0].keypoints + np.array([[3.1, 0.0]]))
    assert far.visibility.tolist() == [Visibility.UNKNOWN]
    assert np.isnan(far.points).all()


def test_a_projection_onto_the_observed_surface_is_the_place_itself() -> None:
    wall = _wall()
    seen0, seen1 = _seen(wall, EYE0), _seen(wall, EYE1)
    lost = seen1[::3]  # image 1 shows them and has not observed them
    view0, view1 = _view(EYE0, wall, seen0), _view(EYE1, wall, np.setdiff1d(seen1, lost))
    truth = track_truth(_points(wall), view0, view1)
    wanted = np.intersect1d(lost, seen0)
    found = truth.to_image1(view0.keypoints[np.searchsorted(seen0, wanted)])
    known = found.visibility == Visibility.VISIBLE
    assert known.mean() > 0.6  # not those at the edge of the image, which observed points do not surround
    assert not (found.visibility == Visibility.HIDDEN).any()
    # Where a point itself is doubtful, that which lies within 3 px tells of it, by its motion.
    difference = np.linalg.norm(found.points[known] - view1.project(wall[wanted][known])[0], axis=1)
    assert np.median(difference) < 1e-9
    assert difference.max() < 0.3


def test_nearer_points_all_around_hide_what_lies_behind() -> None:
    wall, plate = _wall(), _wall(depth=2.0, seed=1) * (0.2, 0.2, 1.0) + (0.7, 0.0, 0.0)
    places = np.concatenate([wall, plate])
    # In image 0 the plate is beside what it hides in image 1; no view has observed the hidden part of the wall but 0.
    covered = _view(EYE1, places, np.zeros(0, np.int64)).project(wall)[0]
    covering = _view(EYE1, places, np.arange(600, 1200)).keypoints
    low, high = covering.min(axis=0), covering.max(axis=0)
    behind = np.flatnonzero(((covered > low + 4) & (covered < high - 4)).all(axis=1))
    clear = np.flatnonzero(((covered < low - 40) | (covered > high + 40)).any(axis=1))
    seen1 = np.intersect1d(_seen(wall, EYE1), clear)
    seen0 = _seen(places, EYE0)
    beside = _view(EYE0, places, np.arange(600, 1200)).keypoints[:, 0].min() - 4
    seen0 = seen0[(seen0 >= 600) | (_view(EYE0, places, seen0).keypoints[:, 0] < beside)]
    view0, view1 = _view(EYE0, places, seen0), _view(EYE1, places, np.concatenate([seen1, np.arange(600, 1200)]))
    truth = track_truth(_points(places), view0, view1)
    asked = np.intersect1d(behind, seen0)
    found = truth.to_image1(view0.keypoints[np.searchsorted(seen0, asked)])
    assert len(asked) >= 5
    assert (found.visibility == Visibility.HIDDEN).mean() > 0.8
    assert not (found.visibility == Visibility.VISIBLE).any()


def test_outside_is_hidden_by_a_margin_and_so_is_behind_the_camera() -> None:
    columns = np.array([-30.0, -9.0, -7.0, -1.0, 5.0])  # of image 1, whose camera is 1 m to the right: 75 px at 4 m
    places = np.column_stack([(columns - 159.5) / 300 * 4 + 1, np.linspace(-1, 1, 5), np.full(5, 4.0)])
    plain = LensCamera.from_pinhole(LENS.pinhole)
    points = _points(places)
    view0, view1 = _view(EYE0, places, np.arange(5), plain), _view(EYE1, places, np.zeros(0, np.int64), plain)
    found = track_truth(points, view0, view1).to_image1(view0.keypoints)
    hidden, unknown = Visibility.HIDDEN, Visibility.UNKNOWN
    assert found.visibility.tolist() == [hidden, hidden, unknown, unknown, unknown]
    past = _view(rigid_motion(np.eye(3), (0, 0, -5.0)), places, np.zeros(0, np.int64))  # 5 m ahead, the points behind
    assert (track_truth(points, view0, past).to_image1(view0.keypoints).visibility == hidden).all()


def test_a_camera_at_the_back_of_a_board_does_not_see_its_front() -> None:
    board = _wall(300) * (0.5, 0.5, 1.0)
    turned = rigid_motion(rotation_about((0, 1, 0), 180.0), (0, 0, 0))
    turned[:3, 3] = -turned[:3, :3] @ (0.25, 0.0, 8.05)
    front, back = board, board[::-1] + np.array([0, 0, 0.05])
    places = np.concatenate([front, back])
    rays = np.concatenate([-front, np.array([0.25, 0, 8.05]) - back])
    points = ScenePoints(places, rays / np.linalg.norm(rays, axis=1, keepdims=True))
    view0, view1 = _view(EYE0, places, np.arange(300)), _view(turned, places, np.arange(300, 600))
    truth = track_truth(points, view0, view1)
    # 5 cm at 4 m is less than sparse depth can tell apart: by depth alone the front would be on the back's surface.
    assert not (truth.to_image1(view0.keypoints).visibility == Visibility.VISIBLE).any()
    assert not (truth.to_image0(view1.keypoints).visibility == Visibility.VISIBLE).any()


def test_points_that_contradict_each_other_say_nothing() -> None:
    visible, hidden = int(Visibility.VISIBLE), int(Visibility.HIDDEN)
    places0 = np.array([(10.0, 10.0), (11.0, 10.0), (50.0, 10.0), (51.0, 10.0), (90.0, 10.0), (91.0, 10.0)])
    places1 = np.array([(20.0, 20.0), (40.0, 20.0), (60.0, 20.0), (np.nan, np.nan), (80.0, 20.0), (82.0, 20.0)])
    fates = np.array([visible, visible, visible, hidden, visible, visible])
    truth = TrackTruth(places0, places1, np.full(6, visible), fates, np.tile(np.eye(2), (6, 1, 1)))
    found = truth.to_image1(np.array([(10.0, 10.0), (50.2, 10.0), (47.5, 10.0), (90.0, 11.0), (91.0, 11.0)]))
    unknown = int(Visibility.UNKNOWN)
    # Of two points 1 px apart and 20 px apart in the other image one is wrong, and so with one that is not there;
    # beyond the reach of the second nothing contradicts the first.
    assert found.visibility.tolist() == [unknown, unknown, visible, visible, visible]
    np.testing.assert_allclose(found.points[2:], [(57.5, 20.0), (80.0, 21.0), (82.0, 21.0)])


def test_labels_are_matches_near_tracks_and_ignored_elsewhere() -> None:
    wall = _wall()
    seen0, seen1 = _seen(wall, EYE0), _seen(wall, EYE1)
    both = np.intersect1d(seen0, seen1)
    view0, view1 = _view(EYE0, wall, seen0), _view(EYE1, wall, seen1)
    truth = track_truth(_points(wall), view0, view1)
    rng = np.random.default_rng(1)
    found = both[::2]
    away = np.array([(2.0, 2.0)])  # a corner that no point of the wall is near to
    assert np.linalg.norm(view0.keypoints - away, axis=1).min() > 3
    left = np.setdiff1d(seen0, both)
    left = left[view1.project(wall[left])[0][:, 0] < -10]
    own0 = view0.keypoints[np.searchsorted(seen0, np.concatenate([found, left, both[1::2]]))]
    keypoints0 = np.concatenate([own0 + rng.uniform(-0.5, 0.5, own0.shape), away])
    keypoints1 = view1.keypoints[np.searchsorted(seen1, found)]
    keypoints1 = keypoints1[np.linalg.norm(keypoints1[:, None] - keypoints1, axis=2).argsort()[:, 0]]
    labels0, labels1 = match_labels(keypoints0, keypoints1, truth, positive_px=1.5, negative_px=3.0)
    alone = np.linalg.norm(keypoints1[:, None] - keypoints1, axis=2) + 1e9 * np.eye(len(found))
    clear = alone.min(axis=1) > 6
    assert clear.sum() > 30
    assert np.array_equal(labels0[: len(found)][clear], np.flatnonzero(clear))
    assert np.array_equal(labels1[clear], np.flatnonzero(clear))
    assert (labels0[len(found) : len(found) + len(left)] == UNMATCHED).mean() > 0.9
    assert labels0[-1] == IGNORE
    missed = labels0[len(found) + len(left) : -1]  # seen by both, and not among the keypoints of image 1
    assert np.isin(missed, (UNMATCHED, IGNORE)).mean() > 0.9
    assert (missed == UNMATCHED).sum() > 20


def test_truth_follows_the_resized_images() -> None:
    wall = _wall()
    views = [_view(T, wall, _seen(wall, T)) for T in (EYE0, EYE1)]
    frames = [ResizeMap(SIZE, ImageSize(120, 160)), ResizeMap(SIZE, ImageSize(180, 200))]
    small = track_truth(_points(wall), *(view.resized(frame) for view, frame in zip(views, frames, strict=True)))
    both = np.intersect1d(views[0].points, views[1].points)
    own0, own1 = (view.keypoints[np.searchsorted(view.points, both)] for view in views)
    found = small.to_image1(frames[0].to_network(own0))
    told = found.visibility == Visibility.VISIBLE  # of points less than 6 px apart at half the size, some contradict
    assert told.mean() > 0.9
    np.testing.assert_allclose(found.points[told], frames[1].to_network(own1)[told], atol=1e-9)


@pytest.mark.parametrize("asked", [0, 5])
def test_without_points_nothing_is_known(asked: int) -> None:
    empty = TrackedView(LENS, EYE0, np.zeros(0, np.int64), np.zeros((0, 2)))
    truth = track_truth(ScenePoints(np.zeros((0, 3)), np.zeros((0, 3))), empty, empty)
    found = truth.to_image1(np.full((asked, 2), 7.0))
    assert found.points.shape == (asked, 2)
    assert found.visibility.tolist() == [Visibility.UNKNOWN] * asked
