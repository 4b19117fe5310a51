"""Extreme viewpoints: a photograph and what becomes of it where it is seen from the side or from afar."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.processing.images import read
from cyano.processing.views import affine_view, compression
from cyano.result import PairResult
from cyano.view_search import Side, ViewSearch

OFF = MatcherOptions(max_keypoints=600)
AUTO = replace(OFF, views="auto")
SEARCHED = replace(AUTO, few_matches=10**6)


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher.from_pretrained(options=AUTO, device="cpu")


@pytest.fixture(scope="module")
def photograph() -> NDArray[np.uint8]:
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    return np.asarray(data.astronaut())[:, :480].copy()


def _under(
    photograph: NDArray[np.uint8], linear: NDArray[np.float64], longest: int = 640
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A photograph under a linear map, in grey, and the (2, 3) map of its pixels."""
    view = affine_view(read(photograph).grey, linear, longest)
    return np.rint(255 * view.grey).astype(np.uint8), view.matrix


def _errors(result: PairResult, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each match is from the truth, in pixels of image 0."""
    back = cv2.invertAffineTransform(matrix)
    there = result.keypoints1 @ back[:, :2].T + back[:, 2]
    return np.asarray(np.linalg.norm(there - result.keypoints0, axis=1))


@pytest.mark.parametrize("angle", [0.0, 1.2])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_surface_from_the_side(matcher: Matcher, photograph: NDArray[np.uint8], angle: float, swapped: bool) -> None:
    aside, matrix = _under(photograph, compression(7, angle))
    pair = (photograph, aside)
    plain = Matcher.from_pretrained(options=OFF, device="cpu").match(*pair[:: -1 if swapped else 1])
    assert len(plain) < 30
    result = matcher.match(*pair[:: -1 if swapped else 1])
    if swapped:
        result = replace(result, image0=result.image1, image1=result.image0, matches=_swapped(result), doubtful=None)
    assert len(result) > 100
    assert np.median(_errors(result, matrix)) < 2  # a pixel of the compressed image has seven of the photograph
    assert (_errors(result, matrix) < 8).mean() > 0.95
    assert result.image1.frame.original.height == aside.shape[0]


def _swapped(result: PairResult) -> object:
    found = result.matches
    return replace(
        found, matches0=found.matches1, matches1=found.matches0, scores0=found.scores1, scores1=found.scores0
    )


def test_a_detail_from_near(matcher: Matcher, photograph: NDArray[np.uint8]) -> None:
    far = cv2.resize(photograph, None, fx=1 / 5, fy=1 / 5, interpolation=cv2.INTER_AREA)
    near = photograph[30:350, 60:380]
    assert len(Matcher.from_pretrained(options=OFF, device="cpu").match(far, near)) < 30
    result = matcher.match(far, near)
    expected = (result.keypoints0 + 0.5) * 5 - 0.5 - (60, 30)
    assert len(result) > 20
    assert (np.abs(result.keypoints1 - expected).max(axis=1) < 8).mean() > 0.9


def test_blur_is_less_at_half_the_size(matcher: Matcher, photograph: NDArray[np.uint8]) -> None:
    blurred = cv2.GaussianBlur(photograph, (0, 0), 4.5)
    plain = Matcher.from_pretrained(options=OFF, device="cpu").match(photograph, blurred)
    result = matcher.match(photograph, blurred)
    apart = np.linalg.norm(result.keypoints1 - result.keypoints0, axis=1)
    assert (apart < 3).sum() > 2 * len(plain)
    assert (apart < 9).mean() > 0.95  # two deviations of the blur


@pytest.mark.parametrize("enlarged", [0.5, 3])
def test_original_pixels_whatever_the_size(matcher: Matcher, photograph: NDArray[np.uint8], enlarged: float) -> None:
    """Of images that are reduced for the detector, and of small ones."""
    scale = {"dsize": None, "fx": enlarged, "fy": enlarged, "interpolation": cv2.INTER_AREA}
    front = cv2.resize(photograph, **scale)  # type: ignore[call-overload]
    aside, matrix = _under(front, compression(5, 0.5), longest=2000)
    result = matcher.match(front, aside)
    assert len(result) > 80
    assert np.median(_errors(result, matrix)) < 2 * max(1, enlarged)


def test_with_an_image_that_lies_on_its_side(photograph: NDArray[np.uint8]) -> None:
    aside, matrix = _under(photograph, compression(5, 0))
    matcher = Matcher.from_pretrained(options=replace(SEARCHED, rotations="auto"), device="cpu")
    result = matcher.match(photograph, np.ascontiguousarray(np.rot90(aside)))
    x, y = result.keypoints1.T
    upright = replace(result.image1, keypoints=result.image1.keypoints.copy())
    upright.keypoints[:] = np.stack(
        [aside.shape[1] - 1 - result.image1.keypoints[:, 1], result.image1.keypoints[:, 0]], 1
    )
    assert len(x) == len(y) > 100
    assert np.median(_errors(replace(result, image1=upright), matrix)) < 2


def test_masks_hold_in_views(matcher: Matcher, photograph: NDArray[np.uint8]) -> None:
    aside, _ = _under(photograph, compression(7, 0))
    keep = np.zeros(photograph.shape[:2], np.uint8)
    keep[:, 240:] = 255
    result = matcher.match(photograph, aside, mask0=keep)
    assert len(result) > 30
    assert result.image0.keypoints[:, 0].min() > 239


def test_different_things_keep_what_they_had(matcher: Matcher, photograph: NDArray[np.uint8]) -> None:
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    other, options = np.asarray(data.chelsea()), OFF
    plain = Matcher.from_pretrained(options=options, device="cpu").match(photograph, other)
    searched = matcher.match(photograph, other)
    assert np.array_equal(plain.keypoints0, searched.keypoints0)
    assert np.array_equal(plain.keypoints1, searched.keypoints1)
    assert len(searched) < 15


def test_images_that_match_are_not_looked_at_again(
    matcher: Matcher, photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cyano.view_search.affine_view", lambda *_: pytest.fail("a view was made"))
    assert len(matcher.match(photograph, photograph)) > 100


@pytest.mark.parametrize("shape", [(16, 16), (16, 200), (40, 30, 3)])
def test_tiny_pictures_have_views_too(matcher: Matcher, shape: tuple[int, ...]) -> None:
    first, second = np.random.default_rng(0).integers(0, 256, (2, *shape), np.uint8)
    plain = Matcher.from_pretrained(options=OFF, device="cpu").match(first, second)
    assert len(matcher.match(first, second)) == len(plain)


@pytest.mark.parametrize("shade", [0, 128])
def test_plain_pictures_have_no_views_that_match(matcher: Matcher, shade: int) -> None:
    plain = np.full((120, 160), shade, np.uint8)
    assert len(matcher.match(plain, plain)) == 0


def test_an_image_without_keypoints_has_no_views(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can match it, and the search would take longest there."""
    asked = []
    monkeypatch.setattr(ViewSearch, "_seen", lambda *arguments: asked.append(arguments))
    assert (
        len(Matcher.from_pretrained(options=SEARCHED, device="cpu").match(photograph, np.full((90, 120), 99, np.uint8)))
        == 0
    )
    assert asked == []


def test_sides_give_what_images_give(matcher: Matcher, photograph: NDArray[np.uint8]) -> None:
    aside, _ = _under(photograph, compression(7, 0))
    sides = [Side(read(image), None, matcher.extract([image])[0]) for image in (photograph, aside)]
    by_sides, by_images = matcher.match_sides(*sides), matcher.match(photograph, aside)
    assert np.array_equal(by_sides.keypoints0, by_images.keypoints0)
    assert np.array_equal(by_sides.keypoints1, by_images.keypoints1)
    assert np.array_equal(by_sides.scores, by_images.scores)


def test_weights_without_alignment_search_as_well(photograph: NDArray[np.uint8]) -> None:
    aside, matrix = _under(photograph, compression(7, 0))
    result = Matcher.from_pretrained(options=replace(AUTO, align=False), device="cpu").match(photograph, aside)
    assert len(result) > 100
    assert (_errors(result, matrix) < 14).mean() > 0.9


def test_other_values_are_refused() -> None:
    with pytest.raises(InputError, match="views is 'off' or 'auto', not 'all'"):
        MatcherOptions(views="all")  # type: ignore[arg-type]
