from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.adapters.opencv import CyanoDescriptorMatcher, CyanoFeatures, from_cv, to_cv, to_stitching
from cyano.checkpoints.loading import Networks
from cyano.errors import ImageError, InputError
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from cyano.result import PairResult

Pictures = list[NDArray[np.uint8]]
SIZE = (200, 160)


@pytest.fixture(scope="module")
def features(matcher: Matcher) -> CyanoFeatures:
    return CyanoFeatures(matcher)


@pytest.fixture(scope="module")
def unaligned(networks: Networks, options: MatcherOptions) -> Matcher:
    return Matcher(networks, replace(options, align=False))


@pytest.fixture(scope="module")
def pair(matcher: Matcher, pictures: Pictures) -> PairResult:
    return matcher.match(pictures[0], pictures[1])


def _points(keypoints: Any) -> NDArray[np.float32]:
    return np.array([each.pt for each in keypoints], np.float32)


def test_keypoints_and_descriptors_are_those_of_extract(
    features: CyanoFeatures, matcher: Matcher, pictures: Pictures
) -> None:
    keypoints, descriptors = features.detectAndCompute(pictures[0], None)
    (expected,) = matcher.extract([pictures[0]])
    assert np.array_equal(_points(keypoints), expected.keypoints.numpy())
    assert np.array_equal(np.float32([each.response for each in keypoints]), expected.scores.numpy())
    assert np.array_equal(descriptors, expected.descriptors.numpy())
    assert [each.class_id for each in keypoints] == list(range(len(keypoints)))
    assert descriptors.shape[1] == features.descriptorSize() == 128
    assert features.descriptorType() == cv2.CV_32F
    assert features.defaultNorm() == cv2.NORM_L2
    assert np.array_equal(_points(features.detect(pictures[0])), _points(keypoints))


def test_sizes_are_in_pixels_of_the_original(networks: Networks, pictures: Pictures) -> None:
    halved = CyanoFeatures(Matcher(networks, MatcherOptions(resize=ResizeRule.longest(100))))
    assert {each.size for each in halved.detect(pictures[0])} == {16.0}  # 8 pixels of the halved image


def test_colours_are_bgr(features: CyanoFeatures, matcher: Matcher) -> None:
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    rgb = np.ascontiguousarray(data.astronaut()[:160, 100:300])
    expected = matcher.extract([rgb])[0].keypoints.numpy()
    for conversion in (cv2.COLOR_RGB2BGR, cv2.COLOR_RGB2BGRA):
        assert np.array_equal(_points(features.detect(cv2.cvtColor(rgb, conversion))), expected)


def test_a_mask_keeps_keypoints_out(features: CyanoFeatures, pictures: Pictures) -> None:
    mask = np.zeros((160, 200), np.uint8)
    mask[:, 100:] = 255
    # A keypoint is moved by less than a pixel after the mask was applied.
    assert _points(features.detect(pictures[0], mask))[:, 0].min() > 99


def test_no_keypoints(features: CyanoFeatures, pictures: Pictures) -> None:
    keypoints, descriptors = features.detectAndCompute(pictures[3], None)
    assert keypoints == ()
    assert descriptors.shape == (0, 128)
    assert descriptors.dtype == np.float32


def test_compute_describes_given_keypoints(features: CyanoFeatures, pictures: Pictures) -> None:
    keypoints, descriptors = features.detectAndCompute(pictures[0], None)
    same, again = features.compute(pictures[0], keypoints)
    assert same == keypoints
    # Positions go to original pixels and back in float32: about 1e-5 px, of descriptors that change over 8 px.
    assert np.abs(again - descriptors).max() < 1e-4
    assert features.compute(pictures[0], [])[1].shape == (0, 128)


def test_the_matcher_is_superglue(features: CyanoFeatures, unaligned: Matcher, pictures: Pictures) -> None:
    (kp0, d0), (kp1, d1) = (features.detectAndCompute(pictures[i], None) for i in (0, 1))
    matcher = CyanoDescriptorMatcher(unaligned)
    with pytest.raises(InputError, match="call setPairInfo"):
        matcher.match(d0, d1)
    matcher.setPairInfo(kp0, kp1, SIZE, SIZE)
    found = matcher.match(d0, d1)
    expected = unaligned.match(pictures[0], pictures[1])
    assert len(found) > 50
    assert [[each.queryIdx, each.trainIdx] for each in found] == expected.indices.tolist()
    assert [each.distance for each in found] == [np.float32(1 - score) for score in expected.scores.tolist()]
    rows = np.array([(*each.pt, each.response) for each in kp0])
    matcher.setPairInfo(rows, kp1, SIZE, SIZE)
    assert _indices(matcher.match(d0, d1)) == _indices(found)
    self_made = unaligned.match_features([(from_cv(kp0, d0, SIZE), from_cv(kp1, d1, SIZE))])[0]
    assert np.array_equal(self_made.matches.matches0, expected.matches.matches0)


def _indices(matches: Any) -> list[tuple[int, int]]:
    return [(each.queryIdx, each.trainIdx) for each in matches]


def test_rows_masks_and_radii(features: CyanoFeatures, unaligned: Matcher, pictures: Pictures) -> None:
    (kp0, d0), (kp1, d1) = (features.detectAndCompute(pictures[i], None) for i in (0, 1))
    matcher = CyanoDescriptorMatcher(unaligned)
    matcher.setPairInfo(kp0, kp1, SIZE, SIZE)
    found = matcher.match(d0, d1)
    rows = matcher.knnMatch(d0, d1, 2)
    assert len(rows) == len(d0)
    assert _indices([each for row in rows for each in row]) == _indices(found)
    assert len(matcher.knnMatch(d0, d1, 1, None, True)) == len(found)
    near = matcher.radiusMatch(d0, d1, 0.1, compactResult=True)
    assert 0 < len(near) == sum(each.distance <= 0.1 for each in found) < len(found)
    mask = np.ones((len(d0), len(d1)), np.uint8)
    mask[found[0].queryIdx] = 0
    assert _indices(matcher.match(d0, d1, mask)) == _indices(found[1:])
    with pytest.raises(InputError, match="k is at least 1"):
        matcher.knnMatch(d0, d1, 0)
    matcher.clearPairInfo()
    with pytest.raises(InputError, match="call setPairInfo"):
        matcher.match(d0, d1)


@pytest.mark.parametrize("ours", [CyanoFeatures, CyanoDescriptorMatcher])
def test_parameters_are_named_as_in_opencv(ours: type) -> None:
    """OpenCV's own signature is the first line of the docstring of its methods."""
    theirs = {CyanoFeatures: cv2.Feature2D, CyanoDescriptorMatcher: cv2.DescriptorMatcher}[ours]
    for name in ("detect", "compute", "detectAndCompute", "match", "knnMatch", "radiusMatch"):
        if not hasattr(ours, name):
            continue
        line = getattr(theirs, name).__doc__.split("->")[0]
        words = line.replace("(", ",").replace("[", "").replace("]", "").replace(")", "").split(",")
        given = [word.strip() for word in words[1:]]
        have = list(inspect.signature(getattr(ours, name)).parameters)[1:]
        assert have == [word for word in given if word in have], name
        assert not set(given) - set(have) - {"descriptors"}, name


def test_setpairinfo_is_that_of_opencvs_lightglue() -> None:
    if not hasattr(cv2, "LightGlueMatcher"):
        pytest.skip("this OpenCV has no LightGlueMatcher (5.0 has)")
    line = cv2.LightGlueMatcher.setPairInfo.__doc__.split("->")[0]
    names = list(inspect.signature(CyanoDescriptorMatcher.setPairInfo).parameters)[1:]
    assert line.replace("[", "").replace("]", "").strip() == f"setPairInfo({', '.join(names)})"


def test_a_result_in_opencvs_types_goes_on(pair: PairResult, pictures: Pictures) -> None:
    kp0, kp1, matches = to_cv(pair)
    assert np.array_equal(_points(kp0), pair.image0.keypoints)
    assert np.array_equal(_points(kp1), pair.image1.keypoints)
    picture = cv2.drawMatches(pictures[0], kp0, pictures[1], kp1, matches, None)
    assert picture.shape == (160, 400, 3)
    from0 = np.array([kp0[each.queryIdx].pt for each in matches])
    to1 = np.array([kp1[each.trainIdx].pt for each in matches])
    matrix, _ = cv2.findHomography(from0, to1, cv2.RANSAC, 1.0)
    # Crops of one photograph: the homography is their shift, exact but for the aligned positions' 0.05 px.
    assert np.abs(matrix / matrix[2, 2] - [[1, 0, -24], [0, 1, -24], [0, 0, 1]]).max() < 0.3


def test_stitching_takes_it(pair: PairResult, matcher: Matcher, pictures: Pictures) -> None:
    found = matcher.extract(pictures[:2])
    sides, infos = to_stitching(found, {(0, 1): pair})
    assert len(infos) == 4
    there, back = infos[1], infos[2]
    assert (there.src_img_idx, there.dst_img_idx, back.src_img_idx) == (0, 1, 1)
    assert there.num_inliers == sum(there.getInliers()) > 50
    assert there.confidence > 1
    # The middles of crops of one size are as far apart as the crops; the two directions undo each other.
    assert np.abs(there.H - [[1, 0, -24], [0, 1, -24], [0, 0, 1]]).max() < 0.3
    assert np.allclose(there.H @ back.H / (there.H @ back.H)[2, 2], np.eye(3), atol=1e-9)
    assert list(cv2.detail.leaveBiggestComponent(sides, infos, 1.0).ravel()) == [0, 1]


def test_homographies_are_in_the_frame_of_opencvs_own_matcher(
    pair: PairResult, matcher: Matcher, pictures: Pictures
) -> None:
    """What OpenCV itself finds with ORB in the same two pictures, in a frame that only it knows."""
    orb = cv2.ORB_create(500)
    theirs = [cv2.detail.computeImageFeatures2(orb, each) for each in pictures[:2]]
    info = cv2.detail_BestOf2NearestMatcher(False, 0.3).apply(theirs[0], theirs[1])
    ours = to_stitching(matcher.extract(pictures[:2]), {(0, 1): pair})[1][1]
    assert np.abs(info.H - ours.H).max() < 1.0  # ORB's positions are whole pixels of its pyramid


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f.detect(None), "cv2.imread gives None"),
        (lambda f: f.detectAndCompute(np.zeros((160, 200), np.uint8), None, None, True), "use compute"),
        (lambda f: f.compute(np.zeros((160, 200), np.uint8), np.zeros((3, 2))), "x, y and response"),
        (lambda f: f.compute(np.zeros((160, 200), np.uint8), [1, 2]), "cv2.KeyPoint objects"),
    ],
)
def test_wrong_input(features: CyanoFeatures, call: Any, message: str) -> None:
    with pytest.raises((InputError, ImageError), match=message):
        call(features)


def test_wrong_pairs_for_stitching(pair: PairResult, matcher: Matcher, pictures: Pictures) -> None:
    found = matcher.extract(pictures[:2])
    with pytest.raises(InputError, match="not a pair of 2 images"):
        to_stitching(found, {(0, 2): pair})
    with pytest.raises(InputError, match="not of these features"):
        to_stitching([found[0], matcher.extract([pictures[3]])[0]], {(0, 1): pair})
