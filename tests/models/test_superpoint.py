from __future__ import annotations

import numpy as np
import pytest
import torch

from cyano.models.superpoint import SuperPoint, pixel_scores
from support.networks import random_superpoint


def test_channels_become_pixels_row_by_row() -> None:
    logits = torch.full((1, 65, 2, 3), -20.0)
    logits[0, 64] = 0.0
    logits[0, 19, 1, 2] = 20.0  # channel 19 is row 2, column 3 of its cell
    scores = pixel_scores(logits)
    assert scores.shape == (1, 16, 24)
    y, x = np.unravel_index(int(scores[0].argmax()), (16, 24))
    assert (y, x) == (8 + 2, 16 + 3)


def test_scores_are_probabilities_with_a_dustbin() -> None:
    logits = torch.randn(2, 65, 3, 4)
    scores = pixel_scores(logits)
    cells = scores.unflatten(1, (3, 8)).unflatten(3, (4, 8)).sum((2, 4))
    torch.testing.assert_close(cells, 1 - torch.softmax(logits, 1)[:, 64])


@pytest.mark.parametrize(("height", "width"), [(64, 80), (67, 85), (8, 8), (9, 23)])
def test_shapes(height: int, width: int) -> None:
    model = random_superpoint()
    with torch.no_grad():
        dense = model(torch.rand(2, 1, height, width))
    rows, columns = height // 8, width // 8
    assert dense.scores.shape == (2, 8 * rows, 8 * columns)
    assert dense.descriptors.shape == (2, 32, rows, columns)
    torch.testing.assert_close(dense.descriptors.norm(dim=1), torch.ones(2, rows, columns))


def test_fresh_weights_carry_the_signal() -> None:
    """With small weights the maps would be flat and every pixel a keypoint of equal score."""
    with torch.no_grad():
        dense = SuperPoint().eval()(torch.rand(1, 1, 64, 64))
    assert dense.scores.std() > 1e-3


def test_gradients_reach_every_parameter() -> None:
    model = random_superpoint()
    dense = model(torch.rand(1, 1, 32, 32))
    (dense.scores.square().sum() + dense.descriptors[:, 0].sum()).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in model.parameters())
