"""From matches to a pose, on clouds of points whose cameras are known and with a matcher that makes no mistakes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.formats.poses.absolute_pose import Intrinsics
from cyano.formats.priors import PositionPrior
from cyano.geometry import rotation_angle_between
from cyano.localisation import Localisation, LocaliseOptions
from cyano.localisation.map import Map
from cyano.localisation.outcome import CameraSource
from cyano.localisation.photograph.agreement import cells_of, once_each
from cyano.localisation.photograph.correspondences import Correspondences, most_probable, nothing_found
from cyano.localisation.photograph.features import Photograph
from cyano.localisation.photograph.search import Search
from cyano.localisation.rigs import Member, RigSearch
from cyano.options import MatcherOptions
from cyano.types import ImageSize
from support.orbit import Orbit, orbit
from support.places import KNOWN, TrackMatcher, features_of, map_of, photograph_of
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
        assert ("not refined" in found.message) is not seen


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


def rig_of(place: Map, photographs: list[Photograph], turns: list[NDArray[np.float64]], **options: object) -> list[Any]:
    """The outcomes of photographs of a rig, with their cameras known."""
    taken = LocaliseOptions(**options)
    members = [
        Member(Search(place, TrackMatcher(), taken, photograph), GIVEN, turn)
        for photograph, turn in zip(photographs, turns, strict=True)
    ]
    for member in members:
        if len(member.search.photograph.features):
            member.explore(place.names)
    return RigSearch(members, taken).run()


def test_the_cameras_of_a_rig_have_one_pose() -> None:
    """One of them sees too little for a pose of its own, and gets that of the rig to the last digits."""
    scene, pose = orbit(), between(orbit())
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = rotation_about((0.0, 1.0, 0.0), -12.0), (0.8, 0.0, 0.1)
    photographs = [photograph_of(scene, pose, np.arange(150)), photograph_of(scene, turn @ pose, np.arange(9))]
    place = map_of(scene)
    assert search(place, photographs[1]).status == "too few matches"
    first, second = rig_of(place, photographs, [np.eye(4), turn])
    assert (first.status, second.status) == ("ok", "ok")
    np.testing.assert_allclose(first.T_world_to_camera, pose, atol=1e-5)  # float32 keypoints
    np.testing.assert_allclose(second.T_world_to_camera, turn @ first.T_world_to_camera, atol=1e-12)
    assert (first.inlier_count, second.inlier_count) == (150, 9)
    assert second.camera_source == "given"
    assert np.isfinite(second.covariance).all()


def test_a_rig_that_sees_nothing_of_the_map_has_no_pose() -> None:
    scene, pose = orbit(), between(orbit())
    few = [photograph_of(scene, pose, np.arange(5)), photograph_of(scene, pose, np.arange(5, 9))]
    assert [each.status for each in rig_of(map_of(scene), few, [np.eye(4)] * 2)] == ["too few matches"] * 2
    empty = [Photograph("empty.jpg", features_of(np.empty((0, 2)), np.arange(0)))] * 2
    assert [each.status for each in rig_of(map_of(scene), empty, [np.eye(4)] * 2)] == ["no keypoints"] * 2
    wrong = [disturbed(photograph_of(scene, pose, np.arange(100)), 1.0, seed) for seed in (0, 1)]
    assert [each.status for each in rig_of(map_of(scene), wrong, [np.eye(4)] * 2)] == ["no pose"] * 2
    assert all(np.isnan(each.T_world_to_camera).all() for each in rig_of(map_of(scene), wrong, [np.eye(4)] * 2))


def test_a_rig_in_a_place_that_is_there_twice_is_uncertain() -> None:
    scene, pose = orbit(), between(orbit())
    photographs = [photograph_of(scene, pose, np.arange(100)), photograph_of(scene, pose, np.arange(100, 200))]
    found = rig_of(map_of(scene, scene, twins=True), photographs, [np.eye(4)] * 2)
    assert [each.status for each in found] == ["uncertain"] * 2
    assert "elsewhere" in found[0].message


def with_prior(place: Map, photograph: Photograph, prior: PositionPrior, radius: float) -> Localisation:
    options = LocaliseOptions(prior_radius=radius)
    among = place.images_near(prior, radius)
    return Search(place, TrackMatcher(), options, photograph, prior, among).run(among, GIVEN)


def test_of_two_places_that_look_alike_the_one_that_is_near_is_right() -> None:
    scene, pose = orbit(), between(orbit())
    place, photograph = map_of(scene, scene, twins=True), photograph_of(scene, pose, np.arange(150))
    assert search(place, photograph).status == "uncertain"
    centre = -pose[:3, :3].T @ pose[:3, 3]
    for offset in (0.0, 100.0):
        x, y, z = (centre + np.array([offset + 1.0, -0.5, 0.0])).tolist()
        found = with_prior(place, photograph, PositionPrior((x, y, z)), 30.0)
        assert found.status == "ok"
        np.testing.assert_allclose(found.centre, centre + np.array([offset, 0, 0]), atol=1e-4)  # float32 keypoints
        assert {candidate.name[0] for candidate in found.candidates} == {"0" if offset == 0 else "1"}


def test_a_pose_that_is_not_where_it_was_known_to_be_is_uncertain() -> None:
    scene, pose = orbit(), between(orbit())
    prior = PositionPrior((0.0, 0.0, -3.0))
    names = map_of(scene).names
    options = LocaliseOptions(prior_radius=0.5)
    found = Search(map_of(scene), TrackMatcher(), options, photograph_of(scene, pose, np.arange(150)), prior).run(
        names, GIVEN
    )
    assert found.status == "uncertain"
    assert "from its known position" in found.message


def test_what_is_known_of_the_height_alone_does_not_count() -> None:
    prior = PositionPrior((1.0, 2.0, 500.0), None, (0.0, 0.0, 1.0))
    np.testing.assert_allclose(prior.distances(np.array([[1.0, 2.0, 0.0], [4.0, 6.0, 9.0]])), [0.0, 5.0], atol=1e-12)


def test_of_the_copies_of_a_match_the_most_probable_ones_count() -> None:
    keypoints, points = np.array([5, 5, 5, 5, 2, 5]), np.array([7, 7, 7, 7, 7, 8])
    scores = np.array([0.4, 0.9, 0.6, 0.6, 0.3, 0.2], np.float32)
    found = Correspondences(keypoints, np.zeros((6, 2)), points, np.arange(6), scores)
    np.testing.assert_array_equal(most_probable(found, 1), [False, True, False, False, True, True])
    np.testing.assert_array_equal(most_probable(found, 2), [False, True, True, False, True, True])
    np.testing.assert_array_equal(most_probable(found, 4), np.ones(6, bool))
    assert most_probable(nothing_found(), 3).shape == (0,)


def test_a_focal_length_that_was_held_adds_nothing_to_the_covariance() -> None:
    """However it is known; one that was refined makes the pose less certain."""
    scene, place = orbit(), map_of(orbit())
    photograph = photograph_of(scene, between(scene), np.arange(150))

    def covariance(known: Intrinsics, source: CameraSource) -> NDArray[np.float64]:
        found = Search(place, TrackMatcher(), LocaliseOptions(), photograph).run(place.names, [(known, source)])
        assert found.ok
        assert found.camera_source == source
        return found.covariance

    given, held = covariance(Intrinsics(KNOWN), "given"), covariance(Intrinsics(KNOWN), "map")
    refined = covariance(Intrinsics(KNOWN, exact=False), "map")
    np.testing.assert_array_equal(held, given)
    assert np.trace(refined) > 1.5 * np.trace(held)


def test_outcomes_of_a_rig_have_their_evidence() -> None:
    scene, pose = orbit(), between(orbit())
    photographs = [photograph_of(scene, pose, np.arange(150)), photograph_of(scene, pose, np.arange(60))]
    first, second = rig_of(map_of(scene), photographs, [np.eye(4), np.eye(4)])
    assert first.evidence is not None
    assert first.evidence == second.evidence
    assert first.evidence.inliers == 210
