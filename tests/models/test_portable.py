"""The portable form of the matcher and of the transport against both other forms."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cyano.errors import InputError
from cyano.models.fast_superglue import FastSuperGlue
from cyano.models.portable_superglue import PortableSuperGlue
from cyano.models.portable_transport import HIDDEN, portable_transport
from cyano.models.superglue import KeypointSet
from cyano.models.transport import fast_transport, log_transport
from cyano.processing.assignment import mutual_matches
from support.networks import SMALL_SUPERGLUE, random_keypoints, random_superglue


def _side(keypoints: KeypointSet, padding: int = 0) -> tuple[Tensor, ...]:
    """What the portable form reads of one side, with so many keypoints of padding that are not zero."""
    count = keypoints.scores.shape[1]
    rest = random_keypoints(padding, keypoints.descriptors.shape[2], seed=9)
    parts = [torch.cat(both, dim=1) for both in zip(keypoints[:3], rest[:3], strict=True)]
    return (*parts, (torch.arange(count + padding) < count)[None])


@pytest.mark.parametrize(
    ("count0", "count1", "kinds"),
    [
        *((*counts, ("self", "cross") * 2) for counts in ((1, 1), (1, 7), (2, 5), (30, 41))),
        (127, 4096, ("cross",)),
        *((30, 41, kinds) for kinds in (("cross",), ("self", "self"), ())),
    ],
)
@torch.no_grad()
def test_matcher(count0: int, count1: int, kinds: tuple[str, ...]) -> None:
    model = random_superglue(replace(SMALL_SUPERGLUE, gnn_layers_types=kinds))
    sets = random_keypoints(count0, seed=1), random_keypoints(count1, seed=2)
    portable = PortableSuperGlue(model)
    sides = [_side(each) for each in sets]
    found = portable.log_assignment(*([part[0] for part in side] for side in sides))
    # Float32 products over a few layers, folded and in another order: as for the fast form.
    torch.testing.assert_close(found, model(*sets)[0], atol=2e-4, rtol=0)
    fast = FastSuperGlue(model)(*sets)
    torch.testing.assert_close(found, fast[0], atol=2e-4, rtol=0)
    expected, matches = mutual_matches(fast, SMALL_SUPERGLUE.matching_threshold), portable(*sides[0], *sides[1])
    assert (matches.matches0 == expected.matches0).all()
    assert (matches.matches1 == expected.matches1).all()
    torch.testing.assert_close(matches.matching_scores0, expected.scores0, atol=1e-5, rtol=0)
    torch.testing.assert_close(matches.matching_scores1, expected.scores1, atol=1e-5, rtol=0)


@pytest.mark.parametrize("padding", [(0, 3), (40, 0), (11, 200)])
@torch.no_grad()
def test_padding_changes_nothing(padding: tuple[int, int]) -> None:
    sets = random_keypoints(30, seed=1), random_keypoints(41, seed=2)
    portable = PortableSuperGlue(random_superglue())
    alone = portable(*_side(sets[0]), *_side(sets[1]))
    padded = portable(*_side(sets[0], padding[0]), *_side(sets[1], padding[1]))
    assert (padded.matches0[:, :30] == alone.matches0).all()
    assert (padded.matches1[:, :41] == alone.matches1).all()
    assert (padded.matches0[:, 30:] == -1).all()
    assert (padded.matches1[:, 41:] == -1).all()
    # Sums of another length: a few roundings of numbers of at most 1.
    torch.testing.assert_close(padded.matching_scores0[:, :30], alone.matching_scores0, atol=1e-6, rtol=1e-5)
    assert (padded.matching_scores1[:, 41:] == 0).all()


@pytest.mark.parametrize("real", [(0, 9), (9, 0), (0, 0)])
@torch.no_grad()
def test_padding_alone_has_no_matches(real: tuple[int, int]) -> None:
    sets = [random_keypoints(count, seed=count) for count in real]
    found = PortableSuperGlue(random_superglue())(*_side(sets[0], 9 - real[0]), *_side(sets[1], 9 - real[1]))
    assert (found.matches0 == -1).all()
    assert (found.matches1 == -1).all()
    assert (found.matching_scores0 == 0).all()


@pytest.mark.parametrize("spread", [1, 10, 50])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 300), (300, 200)])
@pytest.mark.parametrize("iterations", [1, 2, 10, 11, 50])
def test_transport(spread: float, rows: int, columns: int, iterations: int) -> None:
    scores, bin_score = spread * torch.randn(rows, columns), torch.tensor(1.0)
    exact = log_transport(scores[None].double(), bin_score, iterations)[0].exp()
    found = portable_transport(scores, 1.0, iterations, torch.ones(rows).bool(), torch.ones(columns).bool()).exp()
    # Potentials of a few hundred have roundings of 2e-5 in float32, and six sums of them.
    near = {"atol": 1e-5 if spread == 1 else 4e-4, "rtol": 1e-5}
    torch.testing.assert_close(found, exact.float(), **near)
    torch.testing.assert_close(found, fast_transport(scores, bin_score, iterations).exp(), **near)


def test_transport_where_many_compete_for_one() -> None:
    """Factors grow a thousandfold in each iteration, which a graph cannot see; the fast form sees it."""
    scores = torch.full((1000, 50), -20.0)
    scores[:, 0] = 100 + 3 * torch.randn(1000)
    exact = log_transport(scores[None].double(), torch.tensor(1.0), 50)[0].exp()
    found = portable_transport(scores, 1.0, 50, torch.ones(1000).bool(), torch.ones(50).bool()).exp()
    assert float((found - exact).abs().max()) < 5e-4


def test_padding_is_hidden() -> None:
    found = portable_transport(
        torch.zeros(3, 2), 1.0, 20, torch.tensor([True, False, True]), torch.tensor([True, False])
    )
    assert (found[1] < HIDDEN / 2).all()
    assert (found[:, 1] < HIDDEN / 2).all()
    assert torch.isfinite(found).all()


def test_other_features_are_refused() -> None:
    with pytest.raises(InputError, match="without extras"):
        PortableSuperGlue(random_superglue(replace(SMALL_SUPERGLUE, keypoint_extras=3)))
