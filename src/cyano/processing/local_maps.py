"""How image 1 lies over image 0 around each match, as far as the matches near it agree on that."""

from __future__ import annotations

import torch
from torch import Tensor

from cyano.models.transfers import upload
from cyano.processing.alignment_rules import FEWEST, INLIER_PX, NEIGHBOURS, RIDGE

__all__ = ["local_maps"]


def local_maps(points0: Tensor, points1: Tensor, scores: Tensor) -> Tensor:
    """The linear part of the affine map that fits each match's neighbours best, weighted by score and nearness.

    Two rounds of least squares, the second without those that the first does not fit, so a few wrong matches do not
    turn it. Every match's own position has no part in its map.

    Args:
        points0: (K, 2) (x, y) in pixels of image 0.
        points1: (K, 2) their partners in image 1.
        scores: (K,) probability of each match.

    Returns:
        (K, 2, 2): steps in image 0 to steps in image 1; the identity where there are too few neighbours.
    """
    identity = torch.eye(2, dtype=points0.dtype, device=points0.device).expand(len(points0), 2, 2)
    count = min(NEIGHBOURS, len(points0) - 1)
    if count < FEWEST:
        return identity.clone()
    distances = torch.cdist(points0, points0, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(torch.inf)
    near, who = distances.topk(count, largest=False)
    radius = near[:, -1:].clamp(min=1e-3)
    steps = (points0[who] - points0[:, None]) / radius[..., None]
    # What the identity leaves over, so that the ridge pulls towards it.
    rest = (points1[who] - points1[:, None]) / radius[..., None] - steps
    design = torch.cat([torch.ones_like(near)[..., None], steps], dim=2)
    weights = scores[who].clamp(min=1e-3) * torch.exp(-2 * (near / radius) ** 2)
    fit = _weighted_fit(design, rest, weights)
    error = (rest - design @ fit).norm(dim=2) * radius / INLIER_PX
    fit = _weighted_fit(design, rest, weights / (1 + error**2) ** 2)
    return identity + fit[:, 1:].transpose(1, 2)


def _weighted_fit(design: Tensor, values: Tensor, weights: Tensor) -> Tensor:
    """(K, 3, 2) least squares of K systems of N rows, the slopes pulled towards 0."""
    weighted = (design * weights[..., None]).transpose(1, 2)
    normal = weighted @ design
    shares = upload(torch.tensor([1e-3, 1.0, 1.0], dtype=design.dtype, device="cpu"), design.device)
    pull = RIDGE * weights.sum(1, keepdim=True) * shares
    # Without a look at whether it could be solved, for which a GPU would have to be waited; the pull sees to that.
    solved: Tensor = torch.linalg.solve_ex(normal + torch.diag_embed(pull), weighted @ values).result
    return solved
