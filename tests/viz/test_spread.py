"""Which matches are drawn where there are too many: counts per region, against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cyano.viz.spread import paint_order, spread

SIZE = (300, 400)  # height, width: 12 square cells of 100 pixels


def _one_group(points: np.ndarray) -> np.ndarray:
    return np.zeros(len(points), np.intp)


def _regions(points: np.ndarray) -> np.ndarray:
    """(3, 4) counts in squares of 100 pixels."""
    return np.histogram2d(points[:, 1], points[:, 0], (3, 4), ((0, 300), (0, 400)))[0]


def test_a_crowd_of_high_scores_does_not_take_all() -> None:
    rng = np.random.default_rng(0)
    crowd = rng.uniform(0, 100, (1000, 2))  # in the first square, scores above all others
    rest = rng.uniform((0, 0), (400, 300), (600, 2))
    points, scores = (
        np.concatenate([crowd, rest]),
        np.concatenate([rng.uniform(0.9, 1, 1000), rng.uniform(0, 0.8, 600)]),
    )
    chosen = points[spread(points, SIZE, 120, scores, _one_group(points))]
    assert len(chosen) == 120
    assert _regions(chosen).min() >= 7  # about 10 each; the highest scores are all in the first
    assert _regions(chosen).max() <= 16


def test_each_cell_gives_its_best_first() -> None:
    points = np.array([[x, y] for y in (50.0, 150.0, 250.0) for x in (50.0, 150.0, 250.0, 350.0)]).repeat(3, axis=0)
    scores = np.tile([0.2, 0.9, 0.5], 12)
    chosen = spread(points, SIZE, 12, scores, _one_group(points))
    assert chosen.tolist() == list(range(1, 36, 3))


def test_groups_keep_their_proportion() -> None:
    rng = np.random.default_rng(1)
    points, scores = rng.uniform((0, 0), (400, 300), (1000, 2)), rng.uniform(0, 1, 1000)
    right = np.arange(1000) < 700
    chosen = spread(points, SIZE, 250, np.where(right, scores + 1, scores), right.astype(np.intp))
    assert (right[chosen].sum(), len(chosen)) == (175, 250)  # 70 %


@pytest.mark.parametrize("limit", [0, 1, 7])
def test_as_many_as_asked_for(limit: int) -> None:
    points = np.random.default_rng(2).uniform(-50, 500, (90, 2))  # some outside the image
    groups = np.arange(90) % 3
    assert len(np.unique(spread(points, SIZE, limit, None, groups))) == limit


def test_few_points_are_all_chosen() -> None:
    points = np.zeros((5, 2))
    assert spread(points, SIZE, 5, None, _one_group(points)).tolist() == [0, 1, 2, 3, 4]
    assert spread(points[:0], SIZE, 5, None, _one_group(points[:0])).tolist() == []


def test_the_smaller_group_is_painted_last_and_in_it_the_highest_score() -> None:
    scores, groups = np.array([0.9, 0.1, 0.5, 0.8, 0.2]), np.array([1, 0, 0, 1, 0])
    assert paint_order(scores, groups).tolist() == [1, 4, 2, 3, 0]
    assert paint_order(None, groups).tolist() == [1, 2, 4, 0, 3]
