"""The transport that training differentiates: the numbers and gradients of `log_transport`, several times faster.

In the log domain every iteration is two passes of log-sum-exp over all pairs of keypoints, and as many on the way
back. After one such iteration the kernel exp(scores + potentials) has entries of at most 1, and every further one is
two products with a vector (Sinkhorn-Knopp with absorption: Schmitzer, arXiv:1610.06519, section 3.1). On the way back
each product leaves an outer product in the kernel's gradient; their sum is one matrix product.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cyano.models.precision import at_least_float32, full_precision
from cyano.models.transport import NEGLIGIBLE, is_safe, log_marginals, log_step, log_transport, with_dustbins

__all__ = ["scaling_transport"]


@full_precision
def scaling_transport(scores: Tensor, bin_score: Tensor, iterations: int) -> Tensor:
    """The log assignment of B pairs without padding, differentiable.

    Args:
        scores: (B, M, N) similarities.
        bin_score: the dustbins' score, a tensor of one element.
        iterations: T, at least 1; each updates the rows, then the columns.

    Returns:
        (B, M+1, N+1), equal to `log_transport` within float32 rounding, as its gradients are. Where scores are too far
        apart for scaling factors in float32 it is `log_transport`.
    """
    scores = at_least_float32(scores)
    couplings = with_dustbins(scores, bin_score)
    log_mu, log_nu, norm = log_marginals(scores, None, None)
    u, v = log_step(couplings, torch.zeros_like(log_nu), log_mu, log_nu)
    centred = couplings + u[:, :, None] + v[:, None, :]
    if iterations > 1:
        kernel = centred.exp()
        # Denormal numbers are slow, and these carry no mass.
        kernel = kernel.masked_fill(kernel < NEGLIGIBLE, 0)
        a, b = _Scaling.apply(kernel, log_mu.exp(), log_nu.exp(), iterations - 1)  # type: ignore[no-untyped-call]
        if not (is_safe(a.detach()) and is_safe(b.detach())):
            return log_transport(scores, bin_score, iterations)
        centred = centred + a.log()[:, :, None] + b.log()[:, None, :]
    return centred - norm[:, None, None]


class _Scaling(torch.autograd.Function):
    """T iterations a = mu / K b, b = nu / K' a from b = 1; marginals are constants."""

    @staticmethod
    def forward(ctx: Any, kernel: Tensor, mu: Tensor, nu: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
        rows, columns = [], [torch.ones_like(nu)]
        for _ in range(iterations):
            rows.append(mu / _product(kernel, columns[-1]))
            columns.append(nu / _product(kernel.transpose(1, 2), rows[-1]))
        ctx.save_for_backward(kernel, mu, nu, torch.stack(rows, dim=2), torch.stack(columns, dim=2))
        return rows[-1], columns[-1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        kernel, mu, nu, rows, columns = ctx.saved_tensors
        grad_a, grad_b = gradients
        to_rows, to_columns = torch.empty_like(rows), torch.empty_like(columns[:, :, 1:])
        for step in reversed(range(rows.shape[2])):
            a, b = rows[:, :, step], columns[:, :, step + 1]
            # d(nu / s) = -(b^2 / nu) ds for s = K' a, and likewise for the rows.
            to_columns[:, :, step] = column = -grad_b * b * b / nu
            to_rows[:, :, step] = row = -(grad_a + _product(kernel, column)) * a * a / mu
            grad_a, grad_b = torch.zeros_like(grad_a), _product(kernel.transpose(1, 2), row)
        grad = torch.baddbmm(rows @ to_columns.transpose(1, 2), to_rows, columns[:, :, :-1].transpose(1, 2))
        return grad, None, None, None


def _product(matrix: Tensor, vector: Tensor) -> Tensor:
    """(B, M, N) x (B, N) -> (B, M); as a product of a row, since those of columns take ten times as long on a CPU."""
    return torch.bmm(vector[:, None, :], matrix.transpose(1, 2))[:, 0, :]
