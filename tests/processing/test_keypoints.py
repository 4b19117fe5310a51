from __future__ import annotations

import numpy as np
import pytest
import torch

from cyano.processing.keypoints import pick_fixed, pick_keypoints, suppress_non_maxima
from support import twins


@pytest.mark.parametrize("radius", [0, 1, 3, 4, 7])
@pytest.mark.parametrize("kind", ["noise", "ties", "ridge", "flat"])
def test_suppression_is_the_twins(radius: int, kind: str) -> None:
    generator = torch.Generator().manual_seed(radius)
    scores = torch.rand(37, 29, generator=generator)
    if kind == "ties":
        scores = (scores * 4).round() / 4
    elif kind == "ridge":  # each pixel is beaten by its neighbour, so the later rounds matter
        scores = scores * 0.01 + torch.linspace(0, 1, 29)[None]
    elif kind == "flat":
        scores = torch.zeros_like(scores)
    ours = suppress_non_maxima(scores[None], radius)[0].numpy()
    np.testing.assert_array_equal(ours, twins.suppress_non_maxima(scores.numpy(), radius))


def test_suppression_treats_a_batch_image_by_image_and_leaves_it_alone() -> None:
    scores = torch.rand(3, 20, 30)
    before = scores.clone()
    together = suppress_non_maxima(scores, 4)
    for i in range(3):
        assert torch.equal(together[i], suppress_non_maxima(scores[i : i + 1], 4)[0])
    assert torch.equal(scores, before)


def test_a_radius_beyond_the_image_keeps_its_maximum() -> None:
    scores = torch.rand(1, 20, 30)
    kept = suppress_non_maxima(scores, 10**6)
    assert torch.nonzero(kept).tolist() == torch.nonzero(scores == scores.max()).tolist()


def test_no_two_keypoints_are_near() -> None:
    kept = suppress_non_maxima(torch.rand(1, 60, 80), 4)[0]
    y, x = np.nonzero(kept.numpy())
    distance = np.maximum(abs(x[:, None] - x[None]), abs(y[:, None] - y[None])) + 99 * np.eye(len(x))
    assert distance.min() > 4


def _map(points: dict[tuple[int, int], float]) -> torch.Tensor:
    scores = torch.zeros(40, 60)
    for (x, y), value in points.items():
        scores[y, x] = value
    return scores


def test_keypoints_are_x_then_y_in_row_major_order() -> None:
    keypoints, scores = pick_keypoints(_map({(50, 10): 0.3, (20, 30): 0.9, (12, 10): 0.5}), 0.1)
    assert keypoints.tolist() == [[12, 10], [50, 10], [20, 30]]
    assert scores.tolist() == pytest.approx([0.5, 0.3, 0.9])
    assert keypoints.dtype == scores.dtype == torch.float32


def test_threshold_is_strict() -> None:
    threshold = float(np.float32(0.25))
    assert len(pick_keypoints(_map({(20, 20): threshold}), threshold)[0]) == 0


def test_borders() -> None:
    edges = {(4, 20): 1.0, (3, 20): 1.0, (55, 20): 1.0, (56, 20): 1.0, (30, 4): 1.0, (30, 3): 1.0, (30, 35): 1.0}
    edges[(30, 36)] = 1.0
    everywhere = pick_keypoints(_map(edges), 0.5, border=4)[0].tolist()
    assert sorted(everywhere) == [[4, 20], [30, 4], [30, 35], [55, 20]]
    top_left = pick_keypoints(_map(edges), 0.5, border=4, sides="top-left")[0].tolist()
    assert sorted(top_left) == [[4, 20], [30, 4], [30, 35], [30, 36], [55, 20], [56, 20]]
    assert len(pick_keypoints(_map(edges), 0.5, border=0)[0]) == 8


def test_the_strongest_come_first() -> None:
    scores = _map({(10 + 4 * i, 10 + i): 0.1 * (i + 1) for i in range(6)})
    keypoints, values = pick_keypoints(scores, 0.05, max_keypoints=3)
    assert values.tolist() == pytest.approx([0.6, 0.5, 0.4])
    assert keypoints.tolist() == [[30, 15], [26, 14], [22, 13]]
    assert len(pick_keypoints(scores, 0.05, max_keypoints=0)[0]) == 0
    assert len(pick_keypoints(scores, 0.05, max_keypoints=-1)[0]) == 6


@pytest.mark.parametrize("limit", [-1, 0, 5])
def test_nothing_found_has_the_usual_types(limit: int) -> None:
    keypoints, scores = pick_keypoints(torch.zeros(16, 24), 0.1, limit)
    assert keypoints.shape == (0, 2)
    assert scores.shape == (0,)
    assert keypoints.dtype == scores.dtype == torch.float32


def test_a_border_below_zero_is_none() -> None:
    scores = _map({(0, 20): 1.0, (30, 4): 0.9})
    assert pick_keypoints(scores, 0.5, border=-1)[0].tolist() == [[30, 4], [0, 20]]
    keypoints, values, real = pick_fixed(scores, 0.5, 3, border=-1)
    assert keypoints[:2].tolist() == [[0, 20], [30, 4]]
    assert (values.tolist()[:2], real.tolist()) == (pytest.approx([1.0, 0.9]), [True, True, False])
