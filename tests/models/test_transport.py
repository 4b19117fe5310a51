from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cyano.models.transport import fast_transport, log_transport
from support import twins


def _problem(rows: int, columns: int, scale: float, seed: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * scale


def _tolerance(scores: torch.Tensor, alpha: torch.Tensor) -> float:
    """1e-4, or eight roundings (2^-23) of the largest number where that is more: it enters sums that cancel."""
    largest = max(float(scores.abs().max()), abs(float(alpha)))
    return max(1e-4, 8 * 2**-23 * largest)


@pytest.mark.parametrize(("rows", "columns"), [(5, 7), (7, 5), (1, 1), (1, 6), (12, 12)])
@pytest.mark.parametrize("iterations", [1, 3, 30])
def test_log_form_is_the_definition(rows: int, columns: int, iterations: int) -> None:
    scores = _problem(rows, columns, 2.0, rows).double()
    ours = log_transport(scores[None], torch.tensor(0.7, dtype=torch.float64), iterations)[0]
    # Both are float64; only the order of summation differs.
    np.testing.assert_allclose(ours, twins.sinkhorn(scores.numpy(), 0.7, iterations), atol=1e-12)


@pytest.mark.parametrize(("rows", "columns"), [(50, 70), (300, 200), (1, 1), (1, 40), (40, 1)])
@pytest.mark.parametrize("scale", [0.0, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("bin_factor", [0.0, 1.0, -1.0, 5.0, -5.0])
def test_fast_form_matches_the_log_form(rows: int, columns: int, scale: float, bin_factor: float) -> None:
    scores = _problem(rows, columns, scale, 1)
    alpha = torch.tensor(scale * bin_factor)
    exact = log_transport(scores[None].double(), alpha.double(), 100)[0]
    fast = fast_transport(scores, alpha, 100)
    plausible = exact > -30  # below, a match has a probability under 1e-13 and nobody looks
    assert float((fast - exact)[plausible].abs().max()) < _tolerance(scores, alpha)
    # Among real keypoints probabilities agree as well.
    assert float((fast.exp() - exact.exp())[:-1, :-1].abs().max()) < 1e-4


@pytest.mark.parametrize("kind", ["permutation", "blocks", "huge", "one-sided", "near-ties", "contested"])
def test_fast_form_survives_hard_inputs(kind: str) -> None:
    generator = torch.Generator().manual_seed(3)
    count = 120
    alpha = 2.0
    noise = torch.randn(count, count, generator=generator)
    if kind == "permutation":  # certain matches: the kernel is 0 nearly everywhere
        scores = noise + 80 * torch.eye(count)[torch.randperm(count, generator=generator)]
    elif kind == "blocks":
        scores = noise + 60 * torch.block_diag(*[torch.ones(30, 30)] * 4)
    elif kind == "huge":
        scores, alpha = noise * 200, 150.0
    elif kind == "one-sided":  # all rows want the same column, by far
        scores = noise.clone()
        scores[:, 0] += 90
    elif kind == "near-ties":
        scores = 1e-3 * noise + 30
    else:  # rows and columns disagree about scale by orders of magnitude
        scores = noise + torch.linspace(-80, 80, count)[:, None] - torch.linspace(-80, 80, count)[None]
    exact = log_transport(scores[None].double(), torch.tensor(alpha).double(), 100)[0]
    fast = fast_transport(scores, torch.tensor(alpha), 100)
    assert torch.isfinite(fast).all()
    plausible = exact > -30
    assert float((fast - exact)[plausible].abs().max()) < _tolerance(scores, torch.tensor(alpha))


def test_fast_form_is_not_less_exact_than_the_log_form_in_float32() -> None:
    scores = _problem(100, 100, 100.0, 5)
    alpha = torch.tensor(300.0)
    exact = log_transport(scores[None].double(), alpha.double(), 100)[0]
    plausible = exact > -30
    slow_error = (log_transport(scores[None], alpha, 100)[0] - exact)[plausible].abs().max()
    fast_error = (fast_transport(scores, alpha, 100) - exact)[plausible].abs().max()
    assert fast_error <= slow_error


def test_inputs_stay_as_they_are() -> None:
    scores, alpha = _problem(20, 30, 3.0, 0), torch.tensor(1.0)
    before = scores.clone()
    fast_transport(scores, alpha, 10)
    log_transport(scores[None], alpha, 10)
    assert torch.equal(scores, before)
    assert alpha == 1


def test_marginals_hold_when_converged() -> None:
    rows, columns = 30, 45
    assignment = log_transport(_problem(rows, columns, 1.0, 2)[None].double(), torch.tensor(1.0), 2000)[0].exp()
    # 2000 iterations on a mild problem converge to rounding.
    torch.testing.assert_close(assignment[:-1].sum(1), torch.ones(rows).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(assignment[:, :-1].sum(0), torch.ones(columns).double(), atol=1e-9, rtol=0)
    assert assignment[-1].sum() == pytest.approx(columns)
    assert assignment[:, -1].sum() == pytest.approx(rows)


@settings(max_examples=30, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
)
def test_padding_does_not_change_a_pair(counts: list[tuple[int, int]], seed: int) -> None:
    rows, columns = max(c[0] for c in counts), max(c[1] for c in counts)
    scores = torch.full((len(counts), rows, columns), 77.0, dtype=torch.float64)  # what padding holds must not matter
    mask0, mask1 = torch.zeros(len(counts), rows).bool(), torch.zeros(len(counts), columns).bool()
    alone = []
    alpha = torch.tensor(0.5, dtype=torch.float64)
    for i, (m, n) in enumerate(counts):
        single = _problem(m, n, 3.0, seed + i).double()
        scores[i, :m, :n] = single
        mask0[i, :m], mask1[i, :n] = True, True
        alone.append(log_transport(single[None], alpha, 20)[0])
    together = log_transport(scores, alpha, 20, mask0, mask1)
    assert torch.isfinite(together).all()
    for i, (m, n) in enumerate(counts):
        # Float64 sums over more (zero) terms: rounding only.
        torch.testing.assert_close(together[i, :m, :n], alone[i][:-1, :-1], atol=1e-9, rtol=0)
        torch.testing.assert_close(together[i, :m, -1], alone[i][:-1, -1], atol=1e-9, rtol=0)
        torch.testing.assert_close(together[i, -1, :n], alone[i][-1, :-1], atol=1e-9, rtol=0)
        assert (together[i, :, :-1].exp()[:, n:] == 0).all()


def test_counting_padding_does_change_a_pair() -> None:
    """What transformers does, and the reason for masks: the unconverged result of real keypoints moves."""
    scores = torch.zeros(1, 12, 12)
    scores[0, :5, :9] = _problem(5, 9, 3.0, 0)
    mask0, mask1 = torch.arange(12)[None] < 5, torch.arange(12)[None] < 9
    alpha = torch.tensor(1.0)
    right = log_transport(scores, alpha, 20, mask0, mask1)
    counted = log_transport(scores, alpha, 20, mask0, mask1, count_padding=True)
    assert float((right - counted)[0, :5, :9].abs().max()) > 1e-3


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
def test_no_keypoints(shape: tuple[int, int]) -> None:
    alpha = torch.tensor(1.0)
    for result in (
        log_transport(torch.zeros(1, *shape), alpha, 10)[0],
        fast_transport(torch.zeros(shape), alpha, 10),
    ):
        assert result.shape == (shape[0] + 1, shape[1] + 1)
        assert result.dtype == torch.float32
        assert torch.isfinite(result).all()


def test_gradients_match_finite_differences() -> None:
    scores = _problem(4, 5, 1.0, 0)[None].double().requires_grad_()
    alpha = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    mask0 = torch.tensor([[True, True, True, False]])

    def loss(s: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        return log_transport(s, a, 15, mask0)[:, :3, :]

    assert torch.autograd.gradcheck(loss, (scores, alpha))
