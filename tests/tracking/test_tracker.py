"""Tracks: ids against a slow oracle, keyframes, gaps; and places, by generated motion."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.geometry import image_corners, warp_points
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.tracking import FrameResult, Tracker, TrackOptions
from cyano.tracking.registration import Registration
from cyano.tracking.tracks import TrackRecorder
from cyano.types import ImageSize
from cyano.video import Frame
from support.made_up_matcher import MadeUpMatcher, numbered_frame


def track_all(seen: list[NDArray[np.int64]], options: TrackOptions) -> tuple[list[FrameResult], MadeUpMatcher]:
    matcher = MadeUpMatcher(seen)
    tracker = Tracker(cast(Any, matcher), options)
    return [tracker.push(numbered_frame(number)) for number in range(len(seen))], matcher


def oracle(results: list[FrameResult]) -> set[frozenset[tuple[int, int]]]:
    """Tracks as sets of (frame, keypoint): what matches connect, found by merging sets one match at a time."""
    sets: list[set[tuple[int, int]]] = []
    for each in results:
        if each.status != "tracked":
            continue
        for i, j in each.result.indices.tolist():
            joined = {(each.anchor_index, i), (each.frame.index, j)}
            for other in [known for known in sets if known & joined]:
                joined |= other
                sets.remove(other)
            sets.append(joined)
    return {frozenset(each) for each in sets}


def by_ids(results: list[FrameResult]) -> set[frozenset[tuple[int, int]]]:
    tracks: dict[int, set[tuple[int, int]]] = {}
    for each in results:
        for identity, (i, j) in zip(each.track_ids.tolist(), each.result.indices.tolist(), strict=True):
            if identity >= 0:
                tracks.setdefault(identity, set()).update({(each.anchor_index, i), (each.frame.index, j)})
    return {frozenset(each) for each in tracks.values()}


def drifting_scene(seed: int) -> list[NDArray[np.int64]]:
    """Sixty frames that look at 120 of 900 points in a row, 12 further each time; some see little, some nothing."""
    rng = np.random.default_rng(seed)
    seen = []
    for number in range(60):
        window = np.arange(12 * number, 12 * number + 120)
        share = rng.choice([0.9, 0.2, 0.0], p=[0.8, 0.1, 0.1])
        points = window[rng.random(120) < share]
        seen.append(rng.permutation(points))
    return seen


@pytest.mark.parametrize("anchor", ["first", "previous", "keyframe"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ids_are_what_matches_connect(anchor: Any, seed: int) -> None:
    results, _ = track_all(drifting_scene(seed), TrackOptions(anchor, min_matches=30, max_gap=3))
    assert by_ids(results) == oracle(results)
    assert by_ids(results)
    for each in results:
        assert (each.track_ids >= 0).all() == (each.status == "tracked" or not len(each.result))
        assert len(each.track_ids) == len(each.result)


def test_a_track_is_one_point_of_the_scene_also_across_keyframes() -> None:
    seen = drifting_scene(0)
    results, matcher = track_all(seen, TrackOptions(min_matches=30, max_gap=3))
    names: dict[int, set[int]] = {}
    for each in results:
        for identity, row in zip(each.track_ids.tolist(), each.result.indices[:, 1].tolist(), strict=True):
            if identity >= 0:
                names.setdefault(identity, set()).add(int(seen[each.frame.index][row]))
    assert all(len(each) == 1 for each in names.values())
    keyframes = {each.anchor_index for each in results if each.new_keyframe}
    assert len(keyframes) > 3
    assert matcher.extracted == 60  # once a frame
    assert matcher.matched <= 2 * 60


def test_a_keyframe_is_the_last_frame_that_was_tracked() -> None:
    results, _ = track_all(drifting_scene(1), TrackOptions(min_matches=30, max_gap=3))
    tracked = [-1]
    for each in results:
        if each.new_keyframe and each.status == "tracked":
            assert each.anchor_index == tracked[-1]
        if each.status != "few matches":
            tracked.append(each.frame.index)


def test_gaps_are_bridged_up_to_their_limit() -> None:
    points = np.arange(100)
    nothing = np.zeros(0, np.int64)
    seen = [points, points, *[nothing] * 3, points, *[nothing] * 4, points, points]
    results, _ = track_all(seen, TrackOptions(min_matches=50, max_gap=3))
    assert [each.status for each in results] == (
        ["anchor", "tracked"]
        + ["few matches"] * 3
        + ["tracked"]
        + ["few matches"] * 3
        + ["anchor"]
        + ["few matches"] * 2
    )
    np.testing.assert_array_equal(results[1].track_ids, results[5].track_ids)
    assert not (results[9].track_ids >= 0).any()


def test_previous_and_first() -> None:
    seen = drifting_scene(3)
    results, _ = track_all(seen, TrackOptions("previous", min_matches=30))
    for before, each in pairwise(results):
        if before.status != "few matches":
            assert each.anchor_index == before.frame.index or each.status == "anchor"
    results, _ = track_all(seen, TrackOptions("first", min_matches=30))
    assert {each.anchor_index for each in results} == {0}


def test_an_image_of_its_own_as_anchor() -> None:
    seen = [np.arange(40), np.arange(20, 60), np.arange(30)]
    tracker = Tracker(cast(Any, MadeUpMatcher(seen)), TrackOptions("first", min_matches=10), numbered_frame(2))
    results = [tracker.push(numbered_frame(number)) for number in range(2)]
    assert [len(each.result) for each in results] == [30, 10]
    with pytest.raises(InputError, match="first"):
        Tracker(cast(Any, MadeUpMatcher(seen)), TrackOptions(), numbered_frame(2))


def test_restart_takes_the_frame_at_hand() -> None:
    seen = [np.arange(100), np.arange(50, 150), np.arange(50, 150)]
    tracker = Tracker(cast(Any, MadeUpMatcher(seen)), TrackOptions("first", min_matches=10))
    tracker.push(numbered_frame(0))
    first = tracker.push(numbered_frame(1))
    tracker.restart()
    second = tracker.push(numbered_frame(2))
    assert second.anchor_index == 1
    assert second.new_keyframe
    assert set(first.track_ids) <= set(second.track_ids)  # tracks go on


def test_the_archive_has_every_observation() -> None:
    seen = drifting_scene(0)
    results, _ = track_all(seen, TrackOptions(min_matches=30, max_gap=3))
    recorder = TrackRecorder()
    for each in results:
        recorder.add(each)
    tracks = recorder.tracks()
    expected = sorted(len(each) for each in oracle(results))
    assert sorted(tracks.lengths.tolist()) == expected
    points = tracks.keypoints[:, 0] + 64 * tracks.keypoints[:, 1]
    for identity in np.unique(tracks.track_ids):
        rows = tracks.track_ids == identity
        assert len(np.unique(points[rows])) == 1
        assert (np.diff(tracks.frames[rows]) > 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"anchor": "last"}, "anchor"),
        ({"min_matches": 0}, "min_matches"),
        ({"max_gap": -1}, "max_gap"),
        ({"min_share": 2}, "min_share"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrackOptions(**options)


def panned(count: int) -> tuple[list[Frame], list[NDArray[np.float64]]]:
    """Views of a photograph by a turning and approaching camera, and the homographies from the photograph to each."""
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    frames, motions = [], []
    for number in range(count):
        angle, scale = np.radians(1.3 * number), 1 + 0.012 * number
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        x, y = -90 - 6.3 * number, -120 - 3.1 * number
        motions.append(np.array([[cos, -sin, x], [sin, cos, y], [2e-5 * number, -1e-5 * number, 1.0]]))
        rgb = cv2.warpPerspective(data.astronaut(), motions[-1], (320, 240), flags=cv2.INTER_CUBIC)
        frames.append(Frame(number, np.asarray(rgb, np.uint8), number / 10))
    return frames, motions


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher.from_pretrained(options=MatcherOptions(max_keypoints=300), device="cpu")


@pytest.mark.parametrize("follow", [False, True])
def test_places_do_not_creep(matcher: Matcher, follow: bool) -> None:
    """With keyframes, tracks are where the generated motion has them, to a fraction of a pixel, after ten frames."""
    frames, motions = panned(10)
    tracker = Tracker(matcher, TrackOptions(min_matches=40, follow=follow))
    begun: dict[int, tuple[int, NDArray[np.float32]]] = {}
    errors, followed = [], []
    for frame in frames:
        each = tracker.push(frame)
        rows = zip(each.track_ids, each.result.keypoints0, each.result.keypoints1, strict=True)
        for identity, start, place in rows:
            number, origin = begun.setdefault(int(identity), (each.anchor_index, start))
            motion = motions[frame.index] @ np.linalg.inv(motions[number])
            errors.append(float(np.linalg.norm(warp_points(motion, origin) - place)))
        followed += (each.result.scores == np.float32(matcher.assignment.matching_threshold)).tolist()
    # OpenCV's warp alone has places of 1/32 pixel; alignment is exact to about a tenth.
    assert np.median(errors) < 0.15
    assert np.percentile(errors, 90) < 0.6
    found = np.array(errors)[followed]
    if follow:
        assert len(found) > 0.04 * len(errors)
        assert np.median(found) < 0.15
        assert np.percentile(found, 90) < 1.0
    else:
        assert not len(found)


def test_what_is_covered_is_not_followed(matcher: Matcher) -> None:
    frames, motions = panned(6)
    block = np.s_[60:180, 100:240]
    noise = np.random.default_rng(0).integers(0, 255, (120, 140, 3), dtype=np.uint8)
    tracker = Tracker(matcher, TrackOptions("first", min_matches=20))
    for frame in frames:
        if frame.index >= 3:
            frame.rgb[block] = noise
        seen = tracker.push(frame)
        if frame.index < 3 or not len(seen.track_ids):
            continue
        truth = warp_points(motions[frame.index] @ np.linalg.inv(motions[0]), seen.result.keypoints0)
        depth = np.minimum(
            np.minimum(truth[:, 0] - 100, 239 - truth[:, 0]), np.minimum(truth[:, 1] - 60, 179 - truth[:, 1])
        )
        # A patch at the border of the block shows enough of what is beside it; 12 pixels within, none of it.
        assert (depth > 12).sum() <= 1
        assert (depth < 0).sum() > 40


def test_frames_are_registered_to_the_first(matcher: Matcher) -> None:
    """A stabilised movie of generated motion stands still to 0.2 pixels, also across keyframes."""
    frames, motions = panned(8)
    tracker, registration = Tracker(matcher, TrackOptions(min_matches=120, min_share=0.7)), Registration()
    corners = image_corners(ImageSize(240, 320))
    keyframes, residuals = 0, []
    for frame in frames:
        each = tracker.push(frame)
        keyframes += each.new_keyframe
        estimate = each.homography() if each.status == "tracked" else None
        registered = registration.add(each, estimate)
        assert registered is not None
        assert registered.reference == 0
        seen = warp_points(np.linalg.inv(motions[frame.index] @ np.linalg.inv(motions[0])), corners)
        inside = corners + np.clip(seen - corners, -60, 60)  # corners of what the frame shows of the first one
        truth = warp_points(motions[frame.index] @ np.linalg.inv(motions[0]), inside)
        residuals.append(np.linalg.norm(warp_points(np.linalg.inv(registered.H), truth) - inside, axis=1).mean())
    assert keyframes > 1
    assert np.median(residuals) <= 0.2
