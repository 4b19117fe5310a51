"""From matches to a pose, on clouds of points whose cameras are known and with a matcher that makes no mistakes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.formats.absolute_pose import Intrinsics
from cyano.geometry import rotation_angle_between
from cyano.localisation import Localisation, LocaliseOptions
from cyano.localisation.correspondences import Correspondences, nothing_found
from cyano.localisation.inliers import cells_of, once_each
from cyano.localisation.map import Map
from cyano.localisation.photographs import Photograph
from cyano.localisation.search import Search
from cyano.options import MatcherOptions
from cyano.types import ImageSize
from support.orbit import Orbit, orbit
from support.places import KNOWN, TrackMatcher, map_of, photograph_of
from support.scenes import rotation_about

pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")

GIVEN = [(Intrinsics(KNOWN), "given")]


def between(scene: Orbit) -> NDArray[np.float64]:
    """A pose that no image of an orbit has."""
    pose = np.eye(4)
    pose[:3, :3] = rotation_about((0.1, 1.0, 0.1), 24.0)
    pose[:3, 3] = (0.2, -0.1, 5.5)
    return pose


def search(place: Map, photograph: Photograph, names: list[str] | None = None, **options: object) -> Localisation:
    taken = LocaliseOptions(**options)
    return Search(place, TrackMatcher(), taken, photograph).run(names or place.names, GIVEN)


def disturbed(photograph: Photograph, share: float, seed: int = 0) -> Photograph:
    """With this share of the keypoints anywhere in the picture."""
    rng = np.random.default_rng(seed)
    keypoints = photograph.features.keypoints.clone()
    wrong = rng.choice(len(keypoints), round(share * len(keypoints)), replace=False)
    keypoints[wrong] = keypoints.new_tensor(rng.uniform((0, 0), (639, 479), (len(wrong), 2)))
    return replace(photograph, features=replace(photograph.features, keypoints=keypoints))


def test_exact_matches_give_the_exact_pose() -> None:
    scene = orbit()
    pose = between(scene)
    found = search(map_of(scene), photograph_of(scene, pose, np.arange(150)))
    assert found.status == "ok"
    assert found.ok
    # Keypoints are float32, rounded by 3e-5 px at most: 5e-8 radians each, and 3e-7 units at this distance of 6.
    assert rotation_angle_between(found.T_world_to_camera[:3, :3], pose[:3, :3]) < 1e-6
    np.testing.assert_allclose(found.T_world_to_camera, pose, atol=1e-5)
    np.testing.assert_allclose(found.centre, -pose[:3, :3].T @ pose[:3, 3], atol=1e-5)
    np.testing.assert_allclose(found.direction, pose[2, :3], atol=1e-6)
    assert found.inlier_count == 150
    assert found.inliers.all()
    assert found.camera_source == "given"
    assert "150 keypoints agree" in found.message


def test_the_same_seed_gives_the_same_pose_bit_for_bit() -> None:
    scene = orbit()
    photograph = disturbed(photograph_of(scene, between(scene), np.arange(150)), 0.4)
    first, second = (search(map_of(scene), photograph) for _ in range(2))
    np.testing.assert_array_equal(first.T_world_to_camera, second.T_world_to_camera)


def test_points_are_called_by_their_numbers_and_candidates_come_with_most_inliers_first() -> None:
    scene = orbit()
    place = map_of(scene)
    found = search(place, disturbed(photograph_of(scene, between(scene), np.arange(100)), 0.3))
    assert [each.inliers for each in found.candidates] == sorted(each.inliers for each in found.candidates)[::-1]
    np.testing.assert_array_equal(found.points, found.keypoints + 10)  # keypoint i shows point i
    for number, candidate in enumerate(found.candidates):
        of_it = found.seen_in == number
        assert (of_it.sum(), found.inliers[of_it].sum()) == (candidate.correspondences, candidate.inliers)
        assert set(found.keypoints[of_it]) <= set(place.image(candidate.name).points)


def test_half_of_the_matches_may_be_wrong() -> None:
    scene = orbit()
    pose = between(scene)
    found = search(map_of(scene), disturbed(photograph_of(scene, pose, np.arange(200)), 0.5))
    assert found.ok
    np.testing.assert_allclose(found.T_world_to_camera, pose, atol=1e-3)
    assert 100 <= found.inlier_count <= 103  # a random place is within 4 px of the right one once in 6,000


def test_matches_without_any_order_are_no_place() -> None:
    scene = orbit()
    found = search(map_of(scene), disturbed(photograph_of(scene, between(scene), np.arange(200)), 1.0))
    assert not found.ok
    assert found.status in ("no pose", "uncertain")


def test_too_few_matches_are_told() -> None:
    scene = orbit()
    found = search(map_of(scene), photograph_of(scene, between(scene), np.arange(11)))
    assert found.status == "too few matches"
    assert found.message.startswith("11 keypoints match points of the map")
    assert not found.has_pose
    assert np.isnan(found.T_world_to_camera).all()
    assert np.isnan(found.centre).all()
    assert len(found.candidates) == 6
    one = search(map_of(scene), photograph_of(scene, between(scene), np.arange(1)))
    assert one.message.startswith("1 keypoint match")
    enough = search(map_of(scene), photograph_of(scene, between(scene), np.arange(11)), min_inliers=8)
    assert enough.has_pose


def test_a_pose_of_too_few_keypoints_is_none() -> None:
    scene = orbit()
    photograph = disturbed(photograph_of(scene, between(scene), np.arange(40)), 0.5)
    found = search(map_of(scene), photograph, min_inliers=30)
    assert (found.status, found.has_pose) == ("no pose", False)
    assert "30 keypoints" in found.message


def test_the_pose_is_of_the_place_where_most_of_the_picture_is() -> None:
    one, other = orbit(seed=0), orbit(seed=1)
    place = map_of(one, other)
    pose = between(other)
    photograph = photograph_of(other, pose, np.arange(120), names=np.arange(120) + len(one.points))
    found = search(place, photograph)
    assert found.ok
    np.testing.assert_allclose(found.centre, -pose[:3, :3].T @ pose[:3, 3] + (100, 0, 0), atol=1e-4)


def test_two_places_that_look_alike_are_no_certain_answer() -> None:
    scene = orbit()
    photograph = photograph_of(scene, between(scene), np.arange(150))
    alone, twice = search(map_of(scene), photograph), search(map_of(scene, scene, twins=True), photograph)
    assert alone.ok
    assert alone.confidence > 0.75  # in 22 of 64 cells
    assert twice.status == "uncertain"
    assert "150 with one elsewhere" in twice.message
    assert twice.has_pose


def test_expansion_matches_what_shares_points_with_the_inliers() -> None:
    scene = orbit(views=8)
    place = map_of(scene)
    photograph = photograph_of(scene, between(scene), np.arange(200))
    found = search(place, photograph, place.names[:1])
    still = search(place, photograph, place.names[:1], expand=False)
    assert [each.name for each in still.candidates] == place.names[:1]
    assert len(found.candidates) > 1
    assert found.inlier_count > still.inlier_count


def test_missing_pictures_are_told() -> None:
    scene = orbit()

    class Aligning(TrackMatcher):
        options = MatcherOptions(align=True)

    photograph = photograph_of(scene, between(scene), np.arange(150))
    for seen in (True, False):
        place = map_of(scene, seen=seen)
        found = Search(place, Aligning(), LocaliseOptions(), photograph).run(place.names, GIVEN)
        assert found.ok
        assert found.aligned is seen
        assert ("not aligned" in found.message) is not seen


def test_a_camera_that_is_trusted_more_wins_unless_it_is_clearly_worse() -> None:
    scene = orbit()
    place, photograph = map_of(scene), photograph_of(scene, between(scene), np.arange(150))
    good, bad = Intrinsics(KNOWN), Intrinsics(replace(KNOWN, params=(300.0, 300.0, 320.0, 240.0)))
    for sources, expected in (
        ([(good, "map"), (good, "EXIF")], "map"),
        ([(bad, "map"), (good, "EXIF")], "EXIF"),
    ):
        found = Search(place, TrackMatcher(), LocaliseOptions(), photograph).run(place.names, sources)
        assert found.camera_source == expected


def test_an_unknown_focal_length_is_found() -> None:
    scene = orbit()
    guess = Intrinsics(replace(KNOWN, model="SIMPLE_PINHOLE", params=(768.0, 320.0, 240.0)), exact=False, guessed=True)
    place = map_of(scene)
    photograph = photograph_of(scene, between(scene), np.arange(150))
    found = Search(place, TrackMatcher(), LocaliseOptions(), photograph).run(place.names, [(guess, "estimated")])
    assert found.ok
    assert found.camera is not None
    assert found.camera.params[0] == pytest.approx(600, rel=1e-4)
    assert found.camera_source == "estimated"


def test_of_a_keypoint_with_several_points_the_one_that_fits_best_stays() -> None:
    keypoints, points = np.array([0, 0, 0, 1, 1, 2]), np.array([5, 6, 5, 7, 8, 9])
    found = Correspondences(keypoints, np.zeros((6, 2)), points, np.zeros(6, np.int64), np.ones(6, np.float32))
    errors = np.array([1.0, 2.0, 3.0, np.inf, 0.5, np.inf])
    # Keypoint 0 stays with both copies of point 5, keypoint 1 with point 8, and keypoint 2 has no inlier.
    np.testing.assert_array_equal(once_each(found, errors), [True, False, True, False, True, False])
    np.testing.assert_array_equal(once_each(found, np.full(6, np.inf)), np.zeros(6, bool))
    assert once_each(nothing_found(), np.zeros(0)).shape == (0,)


def test_cells_are_an_eighth_of_each_side() -> None:
    size = ImageSize(480, 640)  # cells of 80 x 60 pixels, the first from -0.5 to 79.5
    assert cells_of(np.array([[0.0, 0.0], [79.4, 59.4]]), size) == 1
    assert cells_of(np.array([[79.4, 0.0], [79.6, 0.0], [79.4, 59.6]]), size) == 3
    assert cells_of(np.array([[639.0, 479.0], [640.0, 480.0], [-1.0, -1.0], [0.0, 0.0]]), size) == 2
    assert cells_of(np.empty((0, 2)), size) == 0
    everywhere = np.stack(np.meshgrid(np.arange(640.0), np.arange(480.0)), -1).reshape(-1, 2)
    assert cells_of(everywhere, size) == 64


@pytest.mark.parametrize(
    "wrong",
    [
        {"top_k": 0},
        {"min_inliers": 3},
        {"threshold_px": 0.0},
        {"threshold_px": float("nan")},
        {"threshold_px": float("inf")},
        {"seed": -1},
        {"seed": 2**31},
        {"top_k": 2.5},
        {"all_up_to": -1},
    ],
)
def test_options_out_of_their_range(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        LocaliseOptions(**wrong)
