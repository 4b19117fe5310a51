"""A stored pair is another one each time that it is drawn, as far as that costs nothing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cyano.models.assignment_loss import UNMATCHED

__all__ = ["varied"]

KEPT = 7 / 8
"""Share of each side's keypoints that is drawn; who loses the partner has none."""

SHIFT, SCALE = 0.1, 0.15
"""Largest move of a side's positions, an image spanning 1.4, and largest logarithm of their scale."""

Pair = dict[str, Tensor]


def varied(pair: Pair, rng: np.random.Generator) -> Pair:
    """The sides change places or not, some keypoints leave, and the images' frames move a little.

    Args:
        pair: names ending in 0 or 1 for the side, (N, ...) each; `matches0` and `matches1` as `assignment_loss` wants.
            Others stay as they are.
        rng: decides everything.
    """
    sides = [{name[:-1]: value for name, value in pair.items() if name.endswith(end)} for end in "01"]
    if rng.random() < 0.5:
        sides.reverse()
    kept = [_drawn(len(side["matches"]), rng) for side in sides]
    result: Pair = {name: value for name, value in pair.items() if name[-1] not in "01"}
    for end, (own, other) in enumerate((kept, kept[::-1])):
        side = {name: value[own] for name, value in sides[end].items()}
        side["matches"] = _renumbered(side["matches"], other, len(sides[1 - end]["matches"]))
        side["positions"] = _moved(side["positions"], rng)
        result.update({f"{name}{end}": value for name, value in side.items()})
    return result


def _drawn(count: int, rng: np.random.Generator) -> Tensor:
    """The numbers that stay, in order."""
    return torch.from_numpy(np.sort(rng.permutation(count)[: round(count * KEPT)]))


def _renumbered(matches: Tensor, kept: Tensor, count: int) -> Tensor:
    """Matches by the numbers that the other side's keypoints have now."""
    numbers = torch.full((count,), UNMATCHED, dtype=torch.int64, device="cpu")
    numbers[kept] = torch.arange(len(kept), dtype=torch.int64, device="cpu")
    return torch.where(matches >= 0, numbers[matches.clamp(min=0)], matches)


def _moved(positions: Tensor, rng: np.random.Generator) -> Tensor:
    """What another frame around the same content would give."""
    scale = float(np.exp(rng.uniform(-SCALE, SCALE)))
    return positions * scale + torch.from_numpy(rng.uniform(-SHIFT, SHIFT, 2).astype(np.float32))
