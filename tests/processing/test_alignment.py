"""Matches made exact, against warps that are known in closed form and against a search over all shifts."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from cyano.processing import alignment, patches
from cyano.processing.aligned_matches import align_matches
from cyano.processing.alignment import Alignment, align
from cyano.processing.alignment_rules import (
    CERTAIN_PX,
    CONFIRMED,
    FARTHEST_PX,
    PRIOR,
    STIFFNESS,
    SURE,
    score_without_a_place,
)
from cyano.types import Features, ImageSize, Matches, ResizeMap

SIZE = 240, 320
WARP = np.array([[1.1, -0.25, 20.0], [0.2, 0.95, -15.0]])
"""Image 0 to image 1: a turn of 11 degrees, a zoom and a shear."""


def _texture(seed: int = 0) -> np.ndarray:
    """Soft blobs of several sizes, so that every patch has its own look; (H, W) float32 around 0.5."""
    rng = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(rng.normal(size=SIZE), (0, 0), sigma) * sigma for sigma in (1.5, 3.0, 6.0)]
    total = np.sum(layers, axis=0)
    return np.asarray(0.5 + 0.12 * total / total.std(), dtype=np.float32).clip(0, 1)


def _noise() -> np.ndarray:
    """What nothing can be laid over."""
    return np.random.default_rng(9).uniform(0, 1, SIZE).astype(np.float32)


def _warped(image: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(image, WARP, SIZE[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _grid(step: int = 20) -> np.ndarray:
    """Points of image 0 that image 1 shows with all of their surroundings."""
    x, y = np.meshgrid(np.arange(40, 280, step), np.arange(40, 200, step))
    points = np.stack([x.ravel(), y.ravel()], axis=1) + 0.3
    there = _there(points)
    inside = (there > 25).all(axis=1) & (there < np.array(SIZE[::-1]) - 26).all(axis=1)
    return points[inside].astype(np.float32)


def _there(points: np.ndarray) -> np.ndarray:
    return np.asarray(points @ WARP[:, :2].T + WARP[:, 2])


def _align(image0: np.ndarray, image1: np.ndarray, points0: np.ndarray, points1: np.ndarray) -> Alignment:
    images = (torch.from_numpy(np.ascontiguousarray(image)) for image in (image0, image1))
    points = (torch.from_numpy(np.asarray(each, dtype=np.float32)) for each in (points0, points1))
    return align(*images, *points, torch.full((len(points0),), 0.9))


@pytest.mark.parametrize("light", [(1.0, 0.0, 0.0), (0.6, 0.25, 0.0), (1.0, 0.0, 0.02)])
def test_a_known_warp_is_found_whatever_gain_offset_and_noise(light: tuple[float, float, float]) -> None:
    gain, offset, noise = light
    rng = np.random.default_rng(3)
    image0 = _texture()
    image1 = (_warped(image0) * gain + offset + rng.normal(0, noise or 1e-9, SIZE)).astype(np.float32)
    points0 = _grid()
    truth = _there(points0)
    found = _align(image0, image1, points0, truth + rng.normal(0, 1.2, truth.shape))
    errors = np.linalg.norm(found.points1.numpy() - truth, axis=1)
    assert len(errors) > 50
    # Linear interpolation of pictures like these is wrong by some hundredths of a pixel; noise adds to that.
    assert np.median(errors) < (0.1 if noise else 0.04)
    assert np.quantile(errors, 0.95) < (0.4 if noise else 0.15)
    assert found.uncertainty.max() < CERTAIN_PX
    assert found.moved.all()


def test_the_stiffer_the_nearer_where_neighbours_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """All patches of an affine warp are sheared alike: what else noise makes of them is wrong."""
    rng = np.random.default_rng(5)
    image0, points0 = _texture(), _grid(10)
    image1 = (_warped(image0) + rng.normal(0, 0.05, SIZE)).astype(np.float32)
    truth = _there(points0)
    start = truth + rng.normal(0, 0.2, truth.shape)
    errors = []
    for stiffness in (0.0, STIFFNESS, 10.0):
        for module in (alignment, patches):  # the kernel's and torch's
            monkeypatch.setattr(module, "STIFFNESS", stiffness)
        found = _align(image0, image1, points0, start)
        assert found.moved.float().mean() > 0.99
        errors.append(np.square(found.points1.numpy() - truth)[found.moved.numpy()].sum(1).mean())
    free, usual, stiff = errors
    assert stiff < 0.9 * free
    assert stiff < usual < free


def test_it_is_where_a_search_over_all_shifts_finds_the_highest_correlation() -> None:
    """Of a picture that is only shifted: patches by cubic interpolation, shifts of a twentieth of a pixel."""
    image0 = _texture()
    shift = np.array([2.35, -1.6])
    image1 = cv2.warpAffine(image0, np.column_stack([np.eye(2), shift]), SIZE[::-1], flags=cv2.INTER_CUBIC)
    points0 = _grid(40)
    found = _align(image0, image1, points0, points0 + np.round(shift))
    steps = np.arange(-3, 3.01, 0.05)
    for point, place in zip(points0[::4], found.points1.numpy()[::4], strict=True):
        template = cv2.getRectSubPix(image0, (15, 15), point.tolist())
        x, y = np.meshgrid(np.arange(-7, 8), np.arange(-7, 8))
        window = np.exp(-(x**2 + y**2) / (2 * 4.2**2))
        scores = [_correlation(template, image1, point + np.array([dx, dy]), window) for dy in steps for dx in steps]
        dy, dx = np.unravel_index(int(np.argmax(scores)), (len(steps), len(steps)))
        # The search itself is a fortieth of a pixel coarse; shears are free in one and not in the other.
        np.testing.assert_allclose(place - point, (steps[dx], steps[dy]), atol=0.1)


def _correlation(template: np.ndarray, image: np.ndarray, centre: np.ndarray, window: np.ndarray) -> float:
    patch = cv2.getRectSubPix(image, template.shape[::-1], [float(value) for value in centre])
    a, b = (part - np.average(part, weights=window) for part in (template, patch))
    return float((window * a * b).sum() / np.sqrt((window * a * a).sum() * (window * b * b).sum()))


def test_a_match_of_the_wrong_neighbour_finds_the_right_place() -> None:
    image0 = _texture()
    points0 = _grid()
    truth = _there(points0)
    points1 = truth.copy()
    points1[::9] += (4.0, -3.0)
    found = _align(image0, _warped(image0), points0, points1)
    errors = np.linalg.norm(found.points1.numpy() - truth, axis=1)[::9]
    assert (errors < 0.2).mean() > 0.8  # a few find something alike that is nearer


def test_what_looks_different_stays_where_it_is() -> None:
    points0 = _grid()
    points1 = _there(points0).astype(np.float32)
    found = _align(_texture(), _noise(), points0, points1)
    uncertain = found.uncertainty.numpy() > CERTAIN_PX
    assert uncertain.mean() > 0.9
    assert np.array_equal(found.moved.numpy(), ~uncertain)
    assert np.array_equal(found.points1.numpy()[uncertain], points1[uncertain])
    moves = np.linalg.norm(found.points1.numpy() - points1, axis=1)
    assert moves.max() <= FARTHEST_PX + 1e-3  # float32 positions


def test_plain_patches_say_nothing() -> None:
    image0, image1 = _texture(), np.full(SIZE, 0.5, np.float32)
    points = _grid()
    for pictures in ((image0, image1), (image1, image0), (image1, image1)):
        found = _align(*pictures, points, points)
        assert torch.isnan(found.uncertainty).all()
        assert not found.moved.any()
        assert np.array_equal(found.points1.numpy(), points)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_matches(count: int) -> None:
    image = _texture()
    points = _grid()[:count]
    found = _align(image, image, points, points + 0.8)
    assert found.points1.shape == (count, 2)
    np.testing.assert_allclose(found.points1, points, atol=0.02)


def test_points_on_the_border_and_tiny_images_are_finite() -> None:
    corners = np.array([(0, 0), (319, 0), (0, 239), (319, 239), (-3, 500)], np.float32)
    image = _texture()
    assert torch.isfinite(_align(image, image, corners, corners).points1).all()
    tiny = image[:3, :5]
    assert torch.isfinite(_align(tiny, image, corners, corners).points1).all()


def _features(image: np.ndarray, points: np.ndarray, turns: int = 0) -> Features:
    """What a detector would have given of an image that was turned and reduced by half before it saw it."""
    original = ImageSize(2 * SIZE[0], 2 * SIZE[1]).turned(-turns)
    frame = ResizeMap(original, ImageSize(*SIZE), turns)
    keypoints = frame.to_original(torch.from_numpy(points.astype(np.float32)))
    seen = torch.from_numpy(image).half()
    return Features(keypoints, torch.ones(len(points)), torch.ones(len(points), 1), frame, image=seen)


def _pair() -> tuple[np.ndarray, Features, Features, Matches]:
    image0, points0 = _texture(), _grid()
    truth = _there(points0)
    count = len(points0)
    order = np.random.default_rng(0).permutation(count)
    # The image 1 of the first half is as it should be; its keypoints come in another order.
    features1 = _features(_warped(image0), (truth + 0.7)[order])
    matches0 = np.argsort(order)
    scores = np.full(count, 0.6, np.float32)
    return truth, _features(image0, points0), features1, Matches(matches0, order, scores, scores.copy())


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_keypoints_of_image_1_move_in_original_pixels_of_turned_images(turns: int) -> None:
    truth, features0, upright, matches = _pair()
    features1 = replace(upright, **vars(_features(_warped(_texture()), upright.network_keypoints.numpy(), turns)))
    moved, kept = align_matches(features0, features1, matches)
    assert kept.count == matches.count
    expected = moved.frame.to_original(torch.from_numpy(truth[matches.matches1]))
    # float16 images and keypoints of some hundred pixels in float32 cost little; twice the pixels of the network.
    assert (moved.keypoints - expected).norm(dim=1).median() < 0.1
    assert (features1.keypoints - expected).norm(dim=1).median() > 1.5


def _partly_other(features: Features, rows: int) -> Features:
    """The same where image 1 shows something else in its first rows."""
    assert features.image is not None
    image = features.image.clone()
    image[:rows] = torch.from_numpy(_noise()[:rows]).half()
    return replace(features, image=image)


def test_matches_without_a_place_are_dropped_where_others_have_one() -> None:
    _, features0, features1, matches = _pair()
    rows = 100
    other = _partly_other(features1, rows)
    in_noise = (features1.network_keypoints[:, 1].numpy() < rows - 8)[matches.matches0]
    outside = (features1.network_keypoints[:, 1].numpy() > rows + 15)[matches.matches0]
    assert min(in_noise.sum(), outside.sum()) > 10
    matches.scores0[in_noise] = 0.35
    _, left = align_matches(features0, other, matches)
    dropped = left.matches0 < 0
    assert dropped[in_noise].mean() > 0.9
    assert dropped[outside].mean() < 0.1
    assert (left.scores0[dropped] == 0).all()
    assert (left.matches1[matches.matches0[dropped]] == -1).all()
    sure = replace(matches, scores0=np.full_like(matches.scores0, 0.95))
    assert align_matches(features0, other, sure)[1].count == matches.count


def test_where_hardly_any_match_has_a_place_that_says_nothing() -> None:
    _, features0, features1, matches = _pair()
    _, left = align_matches(features0, _partly_other(features1, SIZE[0]), matches)
    assert left.count == matches.count


@pytest.mark.parametrize(("with_place", "without"), [(0, 0), (200, 20), (30, 30), (0, 100)])
def test_the_score_asked_without_a_place_is_that_of_bayes(with_place: int, without: int) -> None:
    """Against the formula in probabilities, for matches of one score."""
    score = 0.6
    scores = np.full(with_place + without, score, np.float32)
    moved = np.arange(len(scores)) < with_place
    asked = score_without_a_place(scores, moved, np.ones_like(moved))
    lost = (PRIOR * (1 - CONFIRMED) + score * without) / (PRIOR + score * len(scores))

    def posterior(prior: float, lost: float) -> float:
        """Of a match without a place, if a wrong one never has one."""
        return prior * lost / (prior * lost + 1 - prior)

    assert asked <= SURE
    if asked < SURE:
        assert posterior(asked, lost) == pytest.approx(posterior(SURE, 1 - CONFIRMED), rel=1e-5)
    else:
        assert lost <= 1 - CONFIRMED + 1e-6


def test_doubtful_matches_need_a_certain_place() -> None:
    _, features0, features1, matches = _pair()
    assert features1.image is not None
    low = np.full_like(matches.scores0, 0.1)
    doubtful = replace(matches, scores0=low, scores1=low)
    _, kept = align_matches(features0, features1, doubtful, 0.2)
    assert kept.count == matches.count  # the pictures confirm them
    plain = replace(features1, image=torch.full_like(features1.image, 0.5))
    assert align_matches(features0, plain, doubtful, 0.2)[1].count == 0
    assert align_matches(features0, plain, matches, 0.2)[1].count == matches.count  # 0.6 each


def test_without_images_usual_matches_stay() -> None:
    _, features0, features1, matches = _pair()
    matches.scores0[matches.matches1[:5]] = 0.1
    for pair in ((replace(features0, image=None), features1), (features0, replace(features1, image=None))):
        moved, left = align_matches(*pair, matches, 0.2)
        assert moved is pair[1]
        assert left.count == matches.count - 5
        assert (left.matches1[:5] == -1).all()
