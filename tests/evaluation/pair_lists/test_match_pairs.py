"""The pair program below the command line: files, frames, cache, refusals."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cyano.checkpoints import Networks, load
from cyano.errors import InputError, OutputError
from cyano.evaluation.pair_lists.features import ImageFeatures
from cyano.evaluation.pair_lists.match_pairs import MatchPairsOptions, match_pairs
from cyano.evaluation.pair_lists.pictures import PictureOptions
from cyano.geometry import RobustOptions
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.pairs import Pair
from cyano.processing.resize import ResizeRule
from cyano.types import ResizeMap
from support.images import from_the_side
from support.posed_pair import SIZE, posed_pair, written

MATCHING = MatcherOptions(resize=ResizeRule.longest(240), max_keypoints=256)


@pytest.fixture(scope="module")
def networks() -> Networks:
    return load()


@pytest.fixture
def options(tmp_path: Path) -> MatchPairsOptions:
    return MatchPairsOptions(
        tmp_path / "images", tmp_path / "out", MATCHING, evaluation=RobustOptions(threshold_px=1.0)
    )


def _load(folder: Path, stem: str, kind: str) -> dict[str, np.ndarray]:
    with np.load(folder / f"{stem}_{kind}.npz", allow_pickle=False) as archive:
        return dict(archive)


def test_files_have_the_original_keys_and_dtypes(networks: Networks, options: MatchPairsOptions) -> None:
    pair = written(options.input_dir, posed_pair())
    report = match_pairs([pair], networks, options)
    found = _load(options.output_dir, "view0_0_view1_0", "matches")
    count0, count1 = len(found["keypoints0"]), len(found["keypoints1"])
    assert {name: (found[name].dtype, found[name].shape) for name in list(found)[:6]} == {
        "keypoints0": (np.float32, (count0, 2)),
        "keypoints1": (np.float32, (count1, 2)),
        "matches": (np.int64, (count0,)),
        "match_confidence": (np.float32, (count0,)),
        "keypoints0_original": (np.float32, (count0, 2)),
        "keypoints1_original": (np.float32, (count1, 2)),
    }
    assert ((found["matches"] >= -1) & (found["matches"] < count1)).all()
    counts = report.outcomes[0].counts
    assert counts is not None
    assert counts.num_matches == (found["matches"] >= 0).sum() > 50  # a nearly frontal textured plane: easy
    judged = _load(options.output_dir, "view0_0_view1_0", "evaluation")
    names = ["error_t", "error_R", "precision", "matching_score", "num_correct", "epipolar_errors"]
    assert list(judged)[:6] == names
    assert {"estimator", "threshold_px", "seed", "version", "weights_sha256"} <= judged.keys()
    assert len(judged["epipolar_errors"]) == counts.num_matches


def test_two_frames_differ_by_the_resize(networks: Networks, options: MatchPairsOptions) -> None:
    pair = written(options.input_dir, posed_pair())
    match_pairs([pair], networks, options)
    found = _load(options.output_dir, "view0_0_view1_0", "matches")
    # 320 pixels become 240, centres on centres.
    expected = (found["keypoints0_original"] + 0.5) * 0.75 - 0.5
    np.testing.assert_allclose(found["keypoints0"], expected, atol=1e-4)  # float32 at a few hundred
    assert found["keypoints0_original"][:, 0].max() > SIZE.height  # x runs along the longer side


@pytest.mark.parametrize("stored", [(1, 0), (2, 3), (3, 1)])
def test_turned_files_are_judged_like_upright_ones(
    networks: Networks, options: MatchPairsOptions, stored: tuple[int, int]
) -> None:
    # The networks see the very same upright images, and K and T describe the files as they are stored: whatever
    # the turns, the angles and the epipolar distances in normalised coordinates are the same.
    scene = posed_pair()
    upright = match_pairs([written(options.input_dir, scene)], networks, options).outcomes[0].evaluation
    pair = written(options.input_dir, scene, stored)
    turned = match_pairs([pair], networks, options).outcomes[0].evaluation
    assert upright is not None
    assert turned is not None
    assert upright.precision > 0.8  # or the comparison would say little
    np.testing.assert_allclose(turned.epipolar_errors, upright.epipolar_errors, rtol=1e-2, atol=1e-7)
    assert turned.num_correct == upright.num_correct
    # RANSAC sees points that differ by rounding, which can move matches across its threshold: no digits to compare,
    # but a pose judged in the wrong frame would be off by 90 degrees.
    assert max(turned.pose_error, upright.pose_error) < 10
    # In the file, the keypoints of the network's image are those of the upright run.
    files = [_load(options.output_dir, stem, "matches") for stem in ("view0_0_view1_0", _stem(pair))]
    np.testing.assert_allclose(files[1]["keypoints0"], files[0]["keypoints0"], atol=1e-3)
    np.testing.assert_array_equal(files[1]["matches"], files[0]["matches"])
    assert (files[1]["turns0"], files[1]["turns1"]) == stored


def _stem(pair: Pair) -> str:
    return f"{Path(pair.name0).stem}_{Path(pair.name1).stem}"


def test_exact_sizes_hold_before_the_turn(networks: Networks, options: MatchPairsOptions) -> None:
    written(options.input_dir, posed_pair(), (1, 0))  # 240 wide, 320 high as stored
    matcher = Matcher(networks, replace(MATCHING, resize=ResizeRule.none()))
    images = ImageFeatures(options.input_dir, matcher, ResizeRule.exact(160, 120))
    frame = images.features("view0_1.png", 1).frame
    assert (frame.network.height, frame.network.width, frame.quarter_turns) == (120, 160, 3)


def test_features_are_extracted_once_per_image_and_turn(
    networks: Networks, options: MatchPairsOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = written(options.input_dir, posed_pair())
    again = Pair(pair.name1, pair.name0)
    calls: list[int] = []
    extract = Matcher.extract
    monkeypatch.setattr(Matcher, "extract", lambda self, images: calls.append(1) or extract(self, images))
    match_pairs([replace(pair), again], networks, replace(options, evaluation=None))
    assert len(calls) == 2


def test_the_memory_of_features_is_bounded(networks: Networks, options: MatchPairsOptions) -> None:
    pair = written(options.input_dir, posed_pair())
    images = ImageFeatures(options.input_dir, Matcher(networks, MATCHING), ResizeRule.longest(64), capacity=1)
    first = images.features(pair.name0)
    assert images.features(pair.name0) is first
    images.features(pair.name1)
    assert images.features(pair.name0) is not first


def test_rotations_find_an_image_lying_on_its_side(networks: Networks, options: MatchPairsOptions) -> None:
    pair = written(options.input_dir, posed_pair(), (0, 1))
    lying = Pair(pair.name0, pair.name1, 0, 0, pair.K0, pair.K1, pair.T_0to1)  # the list does not know
    auto = replace(options, matching=replace(MATCHING, rotations="auto", few_matches=10**6))
    evaluation = match_pairs([lying], networks, auto).outcomes[0].evaluation
    assert evaluation is not None
    assert evaluation.precision > 0.8
    assert _load(options.output_dir, _stem(lying), "matches")["turns1"] == 1


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_views_find_a_surface_seen_from_the_side(networks: Networks, options: MatchPairsOptions, turns: int) -> None:
    options.input_dir.mkdir(parents=True)
    front, aside = from_the_side(options.input_dir, turns)
    auto = replace(options, evaluation=None, matching=replace(MATCHING, resize=ResizeRule.longest(480), views="auto"))
    pair = Pair(front.name, aside.name, 0, turns)
    plain = match_pairs([pair], networks, replace(auto, matching=replace(auto.matching, views="off")))
    assert plain.outcomes[0].counts.num_matches < 30
    match_pairs([pair], networks, replace(auto, overwrite=True))
    found = _load(options.output_dir, _stem(pair), "matches")
    matched = np.flatnonzero(found["matches"] >= 0)
    points0 = found["keypoints0_original"][matched]
    x, y = found["keypoints1_original"][found["matches"][matched]].T
    height, width = np.rot90(np.empty((512, 80)), turns).shape
    x, y = {0: (x, y), 1: (height - 1 - y, x), 2: (width - 1 - x, height - 1 - y)}[turns]
    assert len(matched) > 100
    assert np.median(np.abs((x + 0.5) * 6 - 0.5 - points0[:, 0])) < 3  # a pixel of the compressed image is six
    assert np.median(np.abs(y - points0[:, 1])) < 1


def test_a_broken_image_fails_its_pairs_alone(networks: Networks, options: MatchPairsOptions) -> None:
    good = written(options.input_dir, posed_pair())
    (options.input_dir / "broken.png").write_bytes((options.input_dir / good.name0).read_bytes()[:2000])
    bad = replace(good, name0="broken.png")
    absent = replace(good, name0="absent.png")
    os.mkfifo(options.input_dir / "pipe.png")  # nobody writes: whoever opens it waits for ever
    pipe, no_name = replace(good, name0="pipe.png"), replace(good, name0="nu\0ll.png")
    report = match_pairs([bad, absent, pipe, no_name, good], networks, options)
    assert [outcome.status for outcome in report.outcomes] == ["failed"] * 4 + ["matched"]
    assert "broken.png" in report.failures[0].error
    assert "absent.png" in report.failures[1].error
    assert "pipe.png" in report.failures[2].error
    assert report.summary is not None
    assert report.summary.num_pairs == 1
    assert not list(options.output_dir.glob("broken*"))


def test_a_flat_image_gives_empty_files_of_the_same_types(networks: Networks, options: MatchPairsOptions) -> None:
    scene = posed_pair()
    pair = written(options.input_dir, replace(scene, image0=np.full_like(scene.image0, 128)))
    outcome = match_pairs([pair], networks, options).outcomes[0]
    assert outcome.status == "matched"
    assert outcome.evaluation is not None
    assert outcome.evaluation.pose_error == np.inf
    found = _load(options.output_dir, _stem(pair), "matches")
    assert (found["keypoints0"].shape, found["keypoints0"].dtype) == ((0, 2), np.float32)
    assert (found["matches"].shape, found["matches"].dtype) == ((0,), np.int64)
    assert found["match_confidence"].dtype == np.float32


def test_equal_stems_get_files_of_their_own(networks: Networks, options: MatchPairsOptions) -> None:
    scene = posed_pair()
    options.input_dir.mkdir()
    for name in ("a", "b"):
        written(options.input_dir / name, scene)
    pairs = [Pair(f"{name}/view0_0.png", f"{name}/view1_0.png") for name in ("a", "b")]
    report = match_pairs(pairs, networks, replace(options, evaluation=None))
    assert len({outcome.stem for outcome in report.outcomes}) == 2
    assert len(list(options.output_dir.glob("*_matches.npz"))) == 2


class TestCache:
    def test_a_second_run_keeps_all_and_says_the_same(self, networks: Networks, options: MatchPairsOptions) -> None:
        pair = written(options.input_dir, posed_pair())
        pictured = replace(options, pictures=PictureOptions(fast=True), cache=True)
        first = match_pairs([pair], networks, pictured)
        times = {path: path.stat().st_mtime_ns for path in options.output_dir.glob("view*")}
        second = match_pairs([pair], networks, pictured)
        assert second.outcomes[0].status == "cached"
        assert second.summary == first.summary
        assert second.outcomes[0].counts == first.outcomes[0].counts
        assert {path: path.stat().st_mtime_ns for path in options.output_dir.glob("view*")} == times
        assert len(times) == 4

    def test_changed_options_are_refused_by_name(self, networks: Networks, options: MatchPairsOptions) -> None:
        pair = written(options.input_dir, posed_pair())
        match_pairs([pair], networks, options)
        before = (options.output_dir / "run.json").read_bytes()
        other = replace(options, cache=True, matching=replace(MATCHING, nms_radius=3))
        with pytest.raises(OutputError, match=r"nms_radius was 4 and is 3 now.*--overwrite"):
            match_pairs([pair], networks, other)
        with pytest.raises(OutputError, match="nms_radius"):
            match_pairs([pair], networks, replace(other, cache=False))
        assert (options.output_dir / "run.json").read_bytes() == before

    def test_overwrite_removes_what_other_options_made(self, networks: Networks, options: MatchPairsOptions) -> None:
        pair = written(options.input_dir, posed_pair())
        other = Pair(pair.name1, pair.name0)
        match_pairs([pair], networks, options)
        bystander = options.output_dir / "notes_matches.npz"
        bystander.write_text("mine")
        changed = replace(options, overwrite=True, evaluation=None, matching=replace(MATCHING, nms_radius=3))
        match_pairs([other], networks, changed)
        assert sorted(path.name for path in options.output_dir.iterdir()) == [
            "notes_matches.npz",
            "run.json",
            f"{_stem(other)}_matches.npz",
        ]

    def test_another_list_does_not_write_over_the_first(self, networks: Networks, options: MatchPairsOptions) -> None:
        pair = written(options.input_dir, posed_pair())
        (options.input_dir / "sub").mkdir()
        for name in (pair.name0, pair.name1):
            (options.input_dir / "sub" / name).write_bytes((options.input_dir / name).read_bytes())
        same_stem = Pair(f"sub/{pair.name0}", f"sub/{pair.name1}")
        options = replace(options, evaluation=None)
        match_pairs([pair], networks, options)
        before = _load(options.output_dir, _stem(pair), "matches")
        with pytest.raises(OutputError, match=r"was .* and is sub/.*--overwrite"):
            match_pairs([same_stem], networks, options)
        assert _load(options.output_dir, _stem(pair), "matches")["fingerprint"] == before["fingerprint"]
        match_pairs([same_stem], networks, replace(options, overwrite=True))
        assert _load(options.output_dir, _stem(pair), "matches")["fingerprint"] != before["fingerprint"]
        assert match_pairs([Pair(pair.name1, pair.name0)], networks, options).failures == ()  # another name: added

    def test_a_changed_image_is_matched_again(self, networks: Networks, options: MatchPairsOptions) -> None:
        scene = posed_pair()
        pair = written(options.input_dir, scene)
        match_pairs([pair], networks, options)
        written(options.input_dir, replace(scene, image1=scene.image0))
        outcome = match_pairs([pair], networks, replace(options, cache=True)).outcomes[0]
        assert outcome.status == "matched"

    def test_changed_truth_is_judged_again(self, networks: Networks, options: MatchPairsOptions) -> None:
        pair = written(options.input_dir, posed_pair())
        match_pairs([pair], networks, options)
        assert pair.T_0to1 is not None
        wrong = replace(pair, T_0to1=np.block([[pair.T_0to1[:3, :3], np.ones((3, 1))], [np.eye(4)[3:]]]))
        outcome = match_pairs([wrong], networks, replace(options, cache=True)).outcomes[0]
        assert outcome.status == "matched"

    def test_a_damaged_file_is_made_anew(self, networks: Networks, options: MatchPairsOptions) -> None:
        pair = written(options.input_dir, posed_pair())
        match_pairs([pair], networks, options)
        path = options.output_dir / f"{_stem(pair)}_matches.npz"
        path.write_bytes(path.read_bytes()[:300])
        assert match_pairs([pair], networks, replace(options, cache=True)).outcomes[0].status == "matched"
        assert len(_load(options.output_dir, _stem(pair), "matches")["matches"]) > 0

    def test_evaluating_afterwards_is_no_contradiction(self, networks: Networks, options: MatchPairsOptions) -> None:
        pair = written(options.input_dir, posed_pair())
        match_pairs([pair], networks, replace(options, evaluation=None))
        assert match_pairs([pair], networks, replace(options, cache=True)).summary is not None
        document = json.loads((options.output_dir / "run.json").read_text())
        assert set(document["configuration"]) == {"matching", "evaluation"}

    @pytest.mark.parametrize(
        "content",
        [
            "{",
            "[]",
            '{"format": "cyano-run-1", "configuration": {"matching": 5}, "pairs": {}}',
            '{"format": "cyano-run-1", "configuration": [], "pairs": {}}',
            '{"format": "cyano-run-1", "configuration": {}, "pairs": {"a_b": 1}}',
        ],
    )
    def test_an_unreadable_record_is_not_guessed_at(
        self, networks: Networks, options: MatchPairsOptions, content: str
    ) -> None:
        pair = written(options.input_dir, posed_pair())
        options.output_dir.mkdir()
        (options.output_dir / "run.json").write_text(content)
        with pytest.raises(OutputError, match=r"run\.json cannot be read"):
            match_pairs([pair], networks, options)

    def test_cache_and_overwrite_contradict_each_other(self, options: MatchPairsOptions) -> None:
        with pytest.raises(InputError, match=r"--cache.*--overwrite"):
            replace(options, cache=True, overwrite=True)


@pytest.mark.parametrize("stretch", [False, True])
def test_pictures_show_what_the_networks_saw(networks: Networks, options: MatchPairsOptions, stretch: bool) -> None:
    """Values of 12 bits in files of 16, which are nearly black unless they are stretched."""
    pair = written(options.input_dir, posed_pair())
    for name in (pair.name0, pair.name1):
        with Image.open(options.input_dir / name) as image:
            narrow = np.asarray(image.convert("L")).astype(np.uint16) * 16
        cv2.imwrite(str(options.input_dir / name), narrow)
    drawn = replace(options, matching=replace(MATCHING, stretch=stretch), pictures=PictureOptions(fast=True))
    report = match_pairs([pair], networks, drawn)
    assert not report.failures
    with Image.open(options.output_dir / "view0_0_view1_0_matches.png") as picture:
        shown = np.asarray(picture.convert("RGB"))[30:170]
    grey = shown[(shown.max(axis=2) == shown.min(axis=2)) & (shown.max(axis=2) < 250)]  # neither lines nor the gap
    assert (np.median(grey) > 60) == stretch


def test_evaluation_without_truth_names_the_flag(networks: Networks, options: MatchPairsOptions) -> None:
    pair = written(options.input_dir, posed_pair())
    with pytest.raises(InputError, match=r"--eval.*38 fields"):
        match_pairs([Pair(pair.name0, pair.name1)], networks, options)
    assert not options.output_dir.exists()


def test_unturned_frames_only_resize() -> None:
    from cyano.evaluation.pair_lists.match_pairs import _unturned

    frame = _unturned(ResizeMap(SIZE, SIZE.turned(1), 1))
    assert frame == ResizeMap.identity(SIZE)
