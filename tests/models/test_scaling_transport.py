"""The transport of training against the reference: numbers, gradients, and where it gives way."""

import pytest
import torch
from torch import Tensor

from cyano.models import scaling_transport as module
from cyano.models import transport
from cyano.models.scaling_transport import scaling_transport
from cyano.models.transport import log_transport


def scores_of(batch: int, rows: int, columns: int, strength: float, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(rows * columns)
    scores = strength * torch.randn(batch, rows, columns, generator=generator, dtype=dtype)
    index = torch.arange(min(rows, columns) // 2)
    scores[:, index, index] += 4 * strength
    return scores


@pytest.mark.parametrize("iterations", [1, 2, 5, 40])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (30, 30), (7, 40), (0, 5)])
def test_numbers_and_gradients_are_the_references(rows: int, columns: int, iterations: int) -> None:
    weights = torch.randn(2, rows + 1, columns + 1, generator=torch.Generator().manual_seed(5))
    results = []
    for form in (log_transport, scaling_transport):
        scores = scores_of(2, rows, columns, 4.0).requires_grad_()
        bin_score = torch.tensor(3.0, requires_grad=True)
        found = form(scores, bin_score, iterations)
        finite = torch.where(found > -1e3, found, 0)  # an empty side leaves a dustbin without mass
        (finite * weights).sum().backward()
        results.append((finite.detach(), scores.grad, bin_score.grad))
    for one, other in zip(*results, strict=True):
        # Float32 rounding of logarithms up to about 40, over all iterations.
        assert torch.allclose(one, other, atol=1e-3, rtol=1e-3)


def test_gradients_match_finite_differences() -> None:
    scores = scores_of(2, 4, 3, 1.0, torch.float64).requires_grad_()
    bin_score = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s, b: scaling_transport(s, b, 8), (scores, bin_score))


def test_the_logarithmic_form_takes_over_where_factors_leave_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(module, "log_transport", lambda *given: called.append(1) or log_transport(*given))
    mild, wild = scores_of(1, 20, 20, 3.0), scores_of(1, 20, 20, 60.0)
    scaling_transport(mild, torch.tensor(1.0), 20)
    assert not called
    monkeypatch.setattr(transport, "SAFE_SCALE", 1.5)
    assert torch.equal(scaling_transport(wild, torch.tensor(1.0), 20), log_transport(wild, torch.tensor(1.0), 20))
    assert called
