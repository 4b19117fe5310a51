"""The maps that neighbouring matches agree on, against least squares by numpy and against a known map."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cyano.processing.alignment_rules import FEWEST, NEIGHBOURS
from cyano.processing.local_maps import local_maps

MAP = torch.tensor([[0.9, -0.4], [0.3, 1.3]])


def _matches(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    points0 = torch.rand(count, 2, generator=generator) * 300
    return points0, points0 @ MAP.T + 40, torch.rand(count, generator=generator) * 0.8 + 0.2


def test_an_affine_map_is_found_exactly() -> None:
    found = local_maps(*_matches(60))
    # The pull towards the identity takes a hundredth of what differs from it, and more where all neighbours lie on
    # one side.
    np.testing.assert_allclose(found, MAP.expand(60, 2, 2), atol=0.05)
    assert (found - MAP).abs().median() < 0.005


def test_a_few_wrong_neighbours_do_not_turn_it() -> None:
    points0, points1, scores = _matches(60)
    points1[::10] += torch.tensor([80.0, -60.0])
    found = local_maps(points0, points1, scores)
    plain = torch.stack([_least_squares(points0, points1, i) for i in range(60)])
    errors = [(maps - MAP).abs().amax((1, 2)).median().item() for maps in (found, plain)]
    assert errors[0] < 0.05 < errors[1]


def test_a_wrong_match_has_no_part_in_its_own_map() -> None:
    points0, points1, scores = _matches(40)
    before = local_maps(points0, points1, scores)
    points1[7] += 25
    assert not torch.equal(local_maps(points0, points1, scores), before)
    np.testing.assert_allclose(local_maps(points0, points1, scores)[7], before[7], atol=1e-4)  # float32 sums


@pytest.mark.parametrize("count", [0, 1, FEWEST])
def test_too_few_matches_have_the_identity(count: int) -> None:
    assert torch.equal(local_maps(*_matches(count)), torch.eye(2).expand(count, 2, 2))


def test_matches_on_a_line_or_in_one_point_stay_near_the_identity_across_it() -> None:
    along = torch.linspace(0, 100, 20)
    line = torch.stack([along, torch.zeros(20)], dim=1)
    found = local_maps(line, line * 1.5, torch.ones(20))
    np.testing.assert_allclose(found, torch.tensor([[1.5, 0.0], [0.0, 1.0]]).expand(20, 2, 2), atol=0.02)
    assert torch.isfinite(local_maps(torch.ones(20, 2), torch.ones(20, 2), torch.ones(20))).all()


def _least_squares(points0: torch.Tensor, points1: torch.Tensor, which: int) -> torch.Tensor:
    """Of the nearest neighbours, all alike."""
    steps0, steps1 = (np.asarray(points - points[which], dtype=np.float64) for points in (points0, points1))
    near = np.argsort(np.linalg.norm(steps0, axis=1))[1 : NEIGHBOURS + 1]
    design = np.column_stack([np.ones(NEIGHBOURS), steps0[near]])
    return torch.from_numpy(np.linalg.lstsq(design, steps1[near], rcond=None)[0][1:].T)
