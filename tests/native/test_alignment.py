"""The kernel against torch's form; tests/processing/test_alignment.py holds what is used against closed forms."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from cyano.native import library
from cyano.processing.alignment import Alignment, align

SIZE = 180, 220


def pictures(seed: int) -> tuple[Tensor, Tensor]:
    """Soft blobs, a plain corner, and the same turned a little, brighter, with noise."""
    rng = np.random.default_rng(seed)
    total = sum(cv2.GaussianBlur(rng.normal(size=SIZE), (0, 0), sigma) * sigma for sigma in (1.5, 3.0, 6.0))
    image = (0.5 + 0.12 * total / np.std(total)).astype(np.float32)
    image[120:, 150:] = 0.5
    warp = np.array([[1.05, -0.15, 14.0], [0.12, 0.97, -9.0]])
    other = cv2.warpAffine(image, warp, SIZE[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return torch.from_numpy(image), torch.from_numpy((0.8 * other + 0.1 + rng.normal(0, 0.01, SIZE)).astype(np.float32))


def matches(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Up to some pixels off, a quarter of them anywhere; some beyond the border."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-3, np.array(SIZE[::-1]) + 3, (count, 2))
    there = points @ np.array([[1.05, -0.15], [0.12, 0.97]]).T + (14.0, -9.0) + rng.normal(0, 1.5, points.shape)
    wrong = rng.random(count) < 0.25
    there[wrong] = rng.uniform(0, SIZE[::-1], (int(wrong.sum()), 2))
    parts = (points, there, rng.uniform(0.05, 1, count))
    points0, points1, scores = (torch.from_numpy(part.astype(np.float32)) for part in parts)
    return points0, points1, scores


def both(images: tuple[Tensor, Tensor], *rest: Tensor) -> tuple[Alignment, Alignment]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "serves", lambda *_: False)
        return align(*images, *rest), _found(images, rest)


def _found(images: tuple[Tensor, Tensor], rest: tuple[Tensor, ...]) -> Alignment:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "serves", lambda *_: True)
        return align(*images, *rest)


@pytest.mark.parametrize("count", [1, 5, 300])
def test_as_by_torch(target: str, count: int) -> None:
    torch_found, found = both(pictures(count), *matches(count, seed=count))
    assert torch.equal(found.uncertainty.isnan(), torch_found.uncertainty.isnan())
    # Eight steps from the same place: rounding decides once in a while where a patch that nothing holds ends up.
    same = (found.points1 - torch_found.points1).norm(dim=1) < 1e-2
    assert same.float().mean() >= (0.99 if count > 5 else 1)
    assert (found.moved == torch_found.moved).float().mean() >= (0.99 if count > 5 else 1)
    held = torch_found.moved & same
    torch.testing.assert_close(found.uncertainty[held], torch_found.uncertainty[held], atol=1e-2, rtol=1e-2)
    if count > 5:
        assert 0.3 < found.moved.float().mean() < 0.9  # so there is something to compare on both sides


def test_threads_change_nothing(target: str) -> None:
    images, parts = pictures(3), matches(120, seed=3)
    before, found = torch.get_num_threads(), []
    for threads in (1, 4):
        torch.set_num_threads(threads)
        found.append(_found(images, parts))
    torch.set_num_threads(before)
    assert torch.equal(found[0].points1, found[1].points1)


@pytest.mark.parametrize("size", [(1, 1), (2, 40), (9, 3)])
def test_images_smaller_than_a_patch(target: str, size: tuple[int, int]) -> None:
    image = torch.rand(size)
    points = torch.rand(6, 2) * torch.tensor([size[1], size[0]])
    torch_found, found = both((image, image), points, points.clone(), torch.ones(6))
    torch.testing.assert_close(found.points1, torch_found.points1, atol=1e-3, rtol=0)


def test_places_that_are_none_stay_where_they_are(target: str) -> None:
    points0, points1, scores = matches(40, seed=1)
    points1[7] = torch.nan
    points0[9, 0] = torch.inf
    found = _found(pictures(1), (points0, points1, scores))
    assert not found.moved[7]
    assert not found.moved[9]
    assert torch.equal(found.points1[9], points1[9])
    assert found.points1[7].isnan().all()


def test_equal_pictures_have_a_place_for_every_patch_with_texture(target: str) -> None:
    """Their cost is 0 but for rounding, which may bring it below: then it is 0, and no patch counts as plain."""
    image, _ = pictures(5)
    x, y = torch.meshgrid(torch.arange(30.0, 130, 7), torch.arange(30.0, 100, 7), indexing="xy")  # not in the corner
    points = torch.stack([x.ravel(), y.ravel()], dim=1)
    for found in both((image, image), points, points, torch.ones(len(points))):
        assert found.moved.all()
        assert (found.uncertainty < 0.01).all()  # px; no NaN
        assert torch.allclose(found.points1, points, atol=0.01)
