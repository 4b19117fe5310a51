"""Optimal transport with dustbins (SuperGlue, arXiv:1911.11763, section 3.2): scores to an assignment.

Every keypoint carries one unit of mass, each dustbin as many units as the other image has keypoints; T Sinkhorn
iterations scale rows and columns of exp(scores) towards these marginals. Two forms give the same numbers:

- `log_transport`, in the log domain throughout: differentiable, batched, masked; the reference.
- `fast_transport`, matrix-vector products on exp(scores) after the first iteration has tamed the scale, with a
  guard that re-centres (and at worst falls back to the log domain) when a scaling factor leaves the safe range.

Padding is masked out exactly: the assignment of the real keypoints is the one of the unpadded problem. Half precision
is too coarse for either: both compute in float32 or better, also inside `torch.autocast`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cyano.models.precision import at_least_float32, full_precision

__all__ = ["NEGLIGIBLE", "fast_transport", "is_safe", "log_marginals", "log_step", "log_transport", "with_dustbins"]

SAFE_SCALE = 1e8
"""Scaling factors outside [1 / SAFE_SCALE, SAFE_SCALE] are folded into the potentials."""

NEGLIGIBLE = 1e-30
"""Smaller entries of the kernel become 0. With factors of at most SAFE_SCALE on both sides they would carry less
than 1e-14 of a keypoint's mass, and their products would be denormal numbers, which are slow on most CPUs."""

CHECK_EVERY = 10
"""Iterations between two looks at the scaling factors (a look costs as much as an iteration on small problems)."""


@full_precision
def log_transport(
    scores: Tensor,
    bin_score: Tensor,
    iterations: int,
    mask0: Tensor | None = None,
    mask1: Tensor | None = None,
    *,
    count_padding: bool = False,
) -> Tensor:
    """The log assignment of B pairs, in the log domain (section 3.2; supplementary material A).

    Args:
        scores: (B, M, N) similarity of every keypoint of image 0 with every one of image 1, of any floating dtype.
        bin_score: the dustbins' score, a tensor of one element.
        iterations: T; each updates the rows, then the columns.
        mask0: (B, M) bool, False where a row is padding; None where nothing is padded.
        mask1: (B, N) bool likewise for columns.
        count_padding: let padded rows and columns carry mass (into the dustbins), as transformers does. This
            changes the unconverged result of the real keypoints.

    Returns:
        (B, M+1, N+1) log of the assignment; real rows and columns of its exponential sum to 1 when converged.
        Padded entries are very small (finfo.min), but in the dustbins of a `count_padding` run.
    """
    scores = at_least_float32(scores)
    batch, rows, columns = scores.shape
    hidden = torch.finfo(scores.dtype).min
    if mask0 is not None:
        scores = scores.masked_fill(~mask0[:, :, None], hidden)
    if mask1 is not None:
        scores = scores.masked_fill(~mask1[:, None, :], hidden)
    couplings = with_dustbins(scores, bin_score)
    counted0 = None if count_padding else mask0
    counted1 = None if count_padding else mask1
    absent0 = ~_with_bin(counted0, batch, rows, scores.device)
    absent1 = ~_with_bin(counted1, batch, columns, scores.device)
    couplings = couplings.masked_fill(absent0[:, :, None] | absent1[:, None, :], hidden)
    log_mu, log_nu, norm = log_marginals(scores, counted0, counted1)
    u, v = torch.zeros_like(log_mu), torch.zeros_like(log_nu)
    for _ in range(iterations):
        # An absent row has no mass to give: a potential of 0 keeps it hidden, its own update would lift it to 0.
        u = (log_mu - torch.logsumexp(couplings + v[:, None, :], dim=2)).masked_fill(absent0, 0)
        v = (log_nu - torch.logsumexp(couplings + u[:, :, None], dim=1)).masked_fill(absent1, 0)
    # The sum can fall below the smallest number in padded entries; min keeps them finite.
    return (couplings + u[:, :, None] + v[:, None, :] - norm[:, None, None]).clamp(min=hidden)


def with_dustbins(scores: Tensor, bin_score: Tensor) -> Tensor:
    """(B, M, N) scores -> (B, M+1, N+1), the last row and column filled with the dustbin's score."""
    batch, rows, columns = scores.shape
    alpha = bin_score.to(scores.dtype).reshape(1, 1, 1)
    with_column = torch.cat([scores, alpha.expand(batch, rows, 1)], dim=2)
    return torch.cat([with_column, alpha.expand(batch, 1, columns + 1)], dim=1)


def _with_bin(mask: Tensor | None, batch: int, count: int, device: torch.device) -> Tensor:
    """(B, M) or None -> (B, M+1) bool: the dustbin is always real."""
    real = torch.ones(batch, count + 1, dtype=torch.bool, device=device)
    if mask is not None:
        real[:, :count] = mask
    return real


def log_marginals(scores: Tensor, mask0: Tensor | None, mask1: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Log mass of rows (B, M+1) and columns (B, N+1), and the log of what normalises it (B,).

    The whole mass is 1: a keypoint has 1 / (M + N), the dustbin of image 0 N / (M + N), as many units as
    keypoints that it may have to take. What stands in padded places does not matter: they are hidden.
    """
    batch, rows, columns = scores.shape
    count0 = scores.new_full((batch,), rows) if mask0 is None else mask0.sum(1).to(scores.dtype)
    count1 = scores.new_full((batch,), columns) if mask1 is None else mask1.sum(1).to(scores.dtype)
    norm = -torch.log((count0 + count1).clamp(min=1))  # two empty images: any finite number will do
    tiny = torch.finfo(scores.dtype).tiny  # an image without keypoints leaves the other dustbin without mass
    bin0, bin1 = count1.clamp(min=tiny).log() + norm, count0.clamp(min=tiny).log() + norm
    log_mu = torch.cat([norm[:, None].expand(batch, rows), bin0[:, None]], dim=1)
    log_nu = torch.cat([norm[:, None].expand(batch, columns), bin1[:, None]], dim=1)
    return log_mu, log_nu, norm


@full_precision
def fast_transport(scores: Tensor, bin_score: Tensor, iterations: int) -> Tensor:
    """The log assignment of one pair without padding, by matrix-vector products; inference only.

    After one log-domain iteration the kernel exp(couplings + u + v) has entries of at most 1 and the scaling
    factors start at 1, so the remaining iterations are two matrix-vector products each (Sinkhorn-Knopp with
    absorption: Schmitzer, arXiv:1610.06519, section 3.1) instead of two log-sum-exp passes.

    Args:
        scores: (M, N) similarities.
        bin_score: the dustbins' score, a tensor of one element.
        iterations: T, at least 1 for a meaningful result.

    Returns:
        (M+1, N+1) float32, equal to `log_transport` within float32 rounding.
    """
    scores = scores.float()
    couplings = with_dustbins(scores[None], bin_score)[0]
    log_mu, log_nu, norm = (part[0] for part in log_marginals(scores[None], None, None))
    u, v = torch.zeros_like(log_mu), torch.zeros_like(log_nu)
    done = 0
    while done < iterations:
        u, v = log_step(couplings, v, log_mu, log_nu)
        done += 1
        if done < iterations:
            u, v, used = _scaling_steps(couplings, u, v, log_mu, log_nu, iterations - done)
            done += used
    return couplings.add_(u[:, None]).add_(v - norm)


def log_step(couplings: Tensor, v: Tensor, log_mu: Tensor, log_nu: Tensor) -> tuple[Tensor, Tensor]:
    """One iteration in the log domain, of one pair or a batch: rows, then columns."""
    u = log_mu - torch.logsumexp(couplings + v[..., None, :], dim=-1)
    v = log_nu - torch.logsumexp(couplings + u[..., None], dim=-2)
    return u, v


def _scaling_steps(
    couplings: Tensor, u: Tensor, v: Tensor, log_mu: Tensor, log_nu: Tensor, steps: int
) -> tuple[Tensor, Tensor, int]:
    """Up to `steps` iterations on the kernel around (u, v).

    Returns the new potentials and the number of iterations that count. Iterations since the last check are thrown away
    when a factor has left the safe range (0 may come back: the caller then takes its next step in the log domain).
    """
    mu, nu = log_mu.exp(), log_nu.exp()
    kernel = (couplings + u[:, None]).add_(v).exp_()
    kernel.masked_fill_(kernel < NEGLIGIBLE, 0)
    transposed = kernel.t()
    b = torch.ones_like(v)
    a = torch.ones_like(u)
    good_a, good_b, counted = a, b, 0
    while counted < steps:
        chunk = min(CHECK_EVERY, steps - counted)
        for _ in range(chunk):
            a = mu / torch.mv(kernel, b)
            b = nu / torch.mv(transposed, a)
        if not (is_safe(a) and is_safe(b)):
            break
        good_a, good_b, counted = a, b, counted + chunk
    return u + good_a.log(), v + good_b.log(), counted


def is_safe(factors: Tensor) -> bool:
    """Whether all scaling factors are finite and inside the safe range (NaN fails both comparisons)."""
    low, high = torch.aminmax(factors)
    return float(low) > 1 / SAFE_SCALE and float(high) < SAFE_SCALE and math.isfinite(float(high))
