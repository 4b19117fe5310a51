from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.native import library
from cyano.processing import keypoints, structure

SIZES = [(8, 8), (16, 9), (67, 133), (120, 88)]


def slow(scores: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Pixel after pixel: maxima, and twice those among what no maximum is near to."""

    def most(x: NDArray[np.float32]) -> NDArray[np.float32]:
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(x, radius, constant_values=-np.inf), (2 * radius + 1,) * 2
        )
        return np.asarray(windows.max((2, 3)))

    maxima = scores == most(scores)
    for _ in range(2):
        near = most(maxima.astype(np.float32)) > 0
        rest = np.where(near, 0, scores).astype(np.float32)
        maxima |= (rest == most(rest)) & ~near
    return np.where(maxima, scores, 0).astype(np.float32)


def maps(height: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(height)
    images = torch.rand(2, 1, height, width, generator=generator)
    return images, torch.rand(2, height // 8 * 8, width // 8 * 8, generator=generator) ** 8


@pytest.mark.parametrize("radius", [0, 1, 4, 9, 200])
@pytest.mark.parametrize("size", SIZES)
def test_suppression(target: str, size: tuple[int, int], radius: int) -> None:
    _, scores = maps(*size)
    ties = (scores * 12).round() / 12  # plateaus, and many zeros
    for each in (scores, ties):
        found = keypoints.suppress_non_maxima(each, radius)
        wide = min(radius, max(size))
        assert np.array_equal(found.numpy(), np.stack([slow(one, wide) for one in each.numpy()]))


@pytest.mark.parametrize("size", SIZES)
def test_response_and_scores(target: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    images, probabilities = maps(*size)
    response, scores = structure.response_and_scores(images, probabilities)
    monkeypatch.setattr(library, "serves", lambda *_: False)
    expected, expected_scores = structure.response_and_scores(images, probabilities)
    # Sums of 18 products in another order, of grey values up to 1.
    torch.testing.assert_close(response, expected, atol=1e-7, rtol=0)
    torch.testing.assert_close(scores, expected_scores, atol=5e-6, rtol=0)
    assert torch.equal(scores > 0, expected_scores > 0)


def test_plain_images_have_no_structure(target: str) -> None:
    response, scores = structure.response_and_scores(torch.full((1, 1, 32, 40), 0.4), torch.ones(1, 32, 40))
    assert response.abs().max() < 1e-10
    assert not scores[response <= 0].any()


def test_empty_batches(target: str) -> None:
    assert keypoints.suppress_non_maxima(torch.zeros(0, 16, 16), 4).shape == (0, 16, 16)
    response, scores = structure.response_and_scores(torch.zeros(0, 1, 16, 16), torch.zeros(0, 16, 16))
    assert response.shape == scores.shape == (0, 16, 16)


@pytest.mark.filterwarnings("ignore")  # of torch about its own tracing
def test_gradients_and_recording_keep_torchs_path(target: str) -> None:
    scores = torch.rand(1, 16, 16, requires_grad=True)
    assert not library.serves(scores)
    assert keypoints.suppress_non_maxima(scores, 2).requires_grad
    assert not library.serves(scores.detach().double())
    traced = torch.jit.trace(lambda x: keypoints.suppress_non_maxima(x, 2), torch.rand(1, 16, 16))
    other = torch.rand(1, 16, 16)
    assert torch.equal(traced(other), keypoints.suppress_non_maxima(other, 2))
