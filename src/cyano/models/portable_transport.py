"""The transport for exported graphs: a fixed list of operations, whatever the scores are.

`fast_transport` looks at its scaling factors and takes steps in the log domain where they grow too large. A graph
cannot look, so it takes such a step every ten iterations in any case (docs/decisions/0025-portable-form.md). Padding is
told by masks, and the assignment of the real keypoints is the one without padding.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from cyano.models.transport import CHECK_EVERY, NEGLIGIBLE

__all__ = ["HIDDEN", "portable_transport"]

HIDDEN: Final = -1e9
"""The score of padding: its exponential is 0 beside any real score's, and its sums stay finite in float32."""

_LEAST = torch.finfo(torch.float32).tiny


def portable_transport(scores: Tensor, bin_score: float, iterations: int, valid0: Tensor, valid1: Tensor) -> Tensor:
    """The log assignment of one pair, by matrix-vector products.

    Every keypoint has a mass of 1, each dustbin as many as the other image has keypoints: `log_transport` divides all
    masses by their sum and multiplies the result by it, which changes nothing but rounding.

    Args:
        scores: (M, N) float32 similarities, M and N at least 1.
        bin_score: the dustbins' score.
        iterations: T, at least 1.
        valid0: (M,) bool, False where a row is padding.
        valid1: (N,) bool likewise for columns.

    Returns:
        (M+1, N+1) float32, equal to `log_transport` within float32 rounding; about `HIDDEN` where a row or column is
        padding. Factors stay within float32 over ten iterations, but where thousands of keypoints compete for one: they
        grow by the number of these in each iteration. A thousand are still exact to 3e-4.
    """
    real0, real1 = F.pad(valid0.float(), (0, 1), value=1.0), F.pad(valid1.float(), (0, 1), value=1.0)
    mass0, mass1 = _masses(valid0, valid1), _masses(valid1, valid0)
    absent = torch.maximum(1 - real0[:, None], 1 - real1[None])  # (M+1, N+1), 1 in padding
    couplings = F.pad(scores, (0, 1, 0, 1), value=bin_score) + HIDDEN * absent
    log_mass0, log_mass1 = (mass.clamp(min=_LEAST).log() for mass in (mass0, mass1))
    u, v = torch.zeros_like(mass0), torch.zeros_like(mass1)
    for done in range(0, iterations, CHECK_EVERY):
        # Padding has no mass to give: a potential of 0 keeps it hidden, its own update would lift it to 0.
        u = (log_mass0 - _log_sums(couplings + v, 1).t()) * real0
        v = (log_mass1 - _log_sums(couplings + u.t(), 0)) * real1
        steps = min(CHECK_EVERY, iterations - done) - 1
        if steps:
            a, b = _scaling_steps((couplings + u.t() + v).exp(), absent, mass0, mass1, real1[None], steps)
            u, v = u + _logs(a, real0), v + _logs(b, real1)
    return couplings + u.t() + v


def _masses(valid: Tensor, other: Tensor) -> Tensor:
    """(1, M+1): 1 of a keypoint, 0 of padding, and the dustbin's, which is never 0, so that nothing is divided by 0."""
    return torch.cat([valid.float(), other.float().sum(0, keepdim=True).clamp(min=1)])[None]


def _log_sums(x: Tensor, axis: int) -> Tensor:
    """log(sum(exp(x))) along an axis, which stays; step by step, since not all engines take out the greatest first."""
    most = x.amax(axis, keepdim=True)
    return most + (x - most).exp().sum(axis, keepdim=True).log()


def _scaling_steps(
    kernel: Tensor, absent: Tensor, mass0: Tensor, mass1: Tensor, start: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """(1, M+1) and (1, N+1) factors after so many iterations.

    Padded rows and columns of the kernel are 1 and have no mass, so that their factors are 0 divided by a sum that is
    not. Vectors are rows, which all engines multiply quickly.
    """
    kernel = torch.where(kernel < NEGLIGIBLE, absent, kernel)
    transposed = kernel.t().contiguous()
    a, b = mass0, start
    for _ in range(steps):
        a = mass0 / (b @ transposed)
        b = mass1 / (a @ kernel)
    return a, b


def _logs(factors: Tensor, real: Tensor) -> Tensor:
    """Logarithms of the factors, 0 in padding."""
    return (factors + (1 - real)).clamp(min=_LEAST).log()
