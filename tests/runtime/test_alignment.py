"""The alignment in numpy against the one in torch, on random pictures and real ones."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from cyano.matcher import Matcher
from cyano.processing import aligned_matches, alignment, local_maps
from cyano.processing.alignment import Alignment
from cyano.processing.alignment_rules import CERTAIN_PX
from cyano.types import Features, Matches
from cyano_runtime import alignment as in_numpy
from cyano_runtime.features import Features as RuntimeFeatures
from cyano_runtime.local_maps import local_maps as maps_in_numpy
from support.random_weights import stereo_pair

PLACE_PX = 0.02
"""Both stop where a step is below 0.02 of the distance of two samples, which is a pixel at the last level: rounding may
decide whether one more such step is taken."""

SLOW_PX = 0.1
"""Of one point in a hundred, whose steps hardly shrink, so that rounding decides over several of them."""

WARP = np.array([[1.08, -0.2, 18.0], [0.16, 0.96, -12.0]])


@pytest.fixture(autouse=True)
def _by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle is torch's path, not the kernel's."""
    monkeypatch.setattr(alignment.library, "serves", lambda *_: False)


def _pictures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Soft noise, and a warp of it with other light, of another size."""
    rng = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(rng.normal(size=(240, 320)), (0, 0), sigma) * sigma for sigma in (1.5, 4.0)]
    texture = np.sum(layers, axis=0)
    image0 = (0.5 + 0.12 * texture / texture.std()).clip(0, 1).astype(np.float32)
    warped = cv2.warpAffine(image0, WARP, (333, 251), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return image0, (0.7 * warped + 0.2 + rng.normal(0, 0.01, warped.shape)).astype(np.float32)


def _matches(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points anywhere, on the border and beyond it too, partners a pixel or two off, a tenth of them wrong."""
    rng = np.random.default_rng(seed)
    points0 = rng.uniform((-5, -5), (325, 245), (count, 2))
    points1 = points0 @ WARP[:, :2].T + WARP[:, 2] + rng.normal(0, 1.2, (count, 2))
    wrong = rng.random(count) < 0.1
    points1[wrong] += rng.uniform(-60, 60, (wrong.sum(), 2))
    return points0.astype(np.float32), points1.astype(np.float32), rng.uniform(0.05, 1, count).astype(np.float32)


def _torch(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(each) for each in arrays]


def _apart(found: in_numpy.Alignment, expected: Alignment, which: np.ndarray) -> np.ndarray:
    """How far apart the two put each of some points, (N,) pixels; hardly at all."""
    return _distances(found.points1[which], expected.points1.numpy()[which])


def _distances(points: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """(N,) pixels between two arrays of points, which have to be small."""
    apart = np.abs(points - expected).max(axis=1, initial=0)
    assert (apart > PLACE_PX).sum() <= 0.01 * len(apart)
    assert (apart <= SLOW_PX).all()
    return np.asarray(apart)


def _assert_alike(found: in_numpy.Alignment, expected: Alignment) -> None:
    """Certain at the same places, but for those whose uncertainty is at the limit."""
    uncertainty = expected.uncertainty.numpy()
    assert np.array_equal(np.isnan(found.uncertainty), np.isnan(uncertainty))
    clear = ~(np.abs(uncertainty - CERTAIN_PX) < 0.01 * CERTAIN_PX)
    moved = expected.moved.numpy()
    assert np.array_equal(found.moved[clear], moved[clear])
    both = moved & found.moved
    assert np.median(_apart(found, expected, both)) < 1e-4  # float32 of some hundreds
    assert clear.mean() > 0.98


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [0, 1, 4, 5, 300, 700])
def test_random_pairs(seed: int, count: int) -> None:
    pictures, matches = _pictures(seed), _matches(seed, count)
    found = in_numpy.align(*pictures, *matches)
    assert found.points1.shape == (count, 2)
    assert found.points1.dtype == found.uncertainty.dtype == np.float32
    if not count:
        return
    expected = alignment.align(*_torch(*pictures, *matches))
    both = expected.moved.numpy() & found.moved
    _apart(found, expected, both)
    if count >= 300:
        assert both.sum() > count / 2
        _assert_alike(found, expected)


def test_plain_and_tiny_pictures() -> None:
    picture, plain = _pictures(0)[0], np.full((240, 320), 0.5, np.float32)
    matches = _matches(1, 50)
    tiny0, tiny1 = np.ascontiguousarray(picture[:3, :5]), np.ascontiguousarray(picture[:7, :2])
    for images in ((picture, plain), (plain, picture), (tiny0, picture), (picture, tiny1)):
        found, expected = in_numpy.align(*images, *matches), alignment.align(*_torch(*images, *matches))
        assert np.array_equal(np.isnan(found.uncertainty), np.isnan(expected.uncertainty.numpy()))
        assert np.isfinite(found.points1).all()


@pytest.mark.parametrize("count", [0, 1, 5, 6, 13, 400])
def test_maps_of_neighbours(count: int) -> None:
    matches = _matches(count, count)
    expected = local_maps.local_maps(*_torch(*matches)).numpy() if count else np.zeros((0, 2, 2))
    # Sums of 12 products in another order, times the condition of 3 x 3 systems.
    np.testing.assert_allclose(maps_in_numpy(*matches), expected, atol=2e-3)


@pytest.fixture(scope="module")
def real_pair() -> tuple[Features, Features, Matches]:
    """A stereo pair of photographs, its features and what the matcher says of them."""
    matcher = Matcher.from_pretrained(device="cpu")
    features0, features1 = matcher.extract(stereo_pair(360, 480))
    return features0, features1, matcher._assign([(features0, features1)])[0]


def _numpy(features: Features) -> RuntimeFeatures:
    arrays = (features.keypoints, features.scores, features.descriptors)
    assert features.image is not None
    return RuntimeFeatures(*(each.numpy() for each in arrays), features.frame, features.image.numpy())


def test_a_real_pair(real_pair: tuple[Features, Features, Matches]) -> None:
    features0, features1, matches = real_pair
    assert matches.count > 200
    moved, kept = in_numpy.align_matches(_numpy(features0), _numpy(features1), matches, 0.2)
    expected, kept_by_torch = aligned_matches.align_matches(features0, features1, matches, 0.2)
    differ = kept.matches0 != kept_by_torch.matches0
    assert differ.sum() <= 2  # at the limit of an uncertainty, or of the score that is asked without a place
    same = kept.matches0[(kept.matches0 >= 0) & ~differ]
    _distances(moved.keypoints[same], expected.keypoints.numpy()[same])
    assert (kept.scores0 > 0).sum() == (kept.matches0 >= 0).sum() == (kept.matches1 >= 0).sum()


def test_without_what_the_detector_saw_usual_matches_stay(real_pair: tuple[Features, Features, Matches]) -> None:
    features0, features1 = (_numpy(each) for each in real_pair[:2])
    matches = real_pair[2]
    blind = replace(features1, image=None)
    moved, kept = in_numpy.align_matches(features0, blind, matches, 0.5)
    assert moved is blind
    assert kept.count == (matches.scores0 > 0.5).sum()


def test_equal_pictures_agree_where_they_are() -> None:
    """Their cost is 0 but for rounding, which may make it less: no reason to be uncertain."""
    picture = _pictures(0)[0]
    points, _, scores = _matches(2, 300)
    found = in_numpy.align(picture, picture, points, points, scores)
    inside = (points > 8).all(axis=1) & (points < (311, 231)).all(axis=1)
    assert found.moved[inside].all()
    np.testing.assert_allclose(found.points1[inside], points[inside], atol=0.01)
