"""Alignment of matches, patch by patch: see native/align.cpp and `cyano.processing.alignment`."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from cyano.native import library

__all__ = ["LevelRules", "align_level"]


class LevelRules(NamedTuple):
    """What `cyano.processing.alignment` says of a level; its constants of these names say what they are."""

    spacing: int
    sheared: bool
    stiffness: float
    window: float
    contrast: float
    steps: int
    still: float
    farthest_px: float


def align_level(
    images: tuple[tuple[Tensor, int], tuple[Tensor, int]],
    points: Tensor,
    maps: Tensor,
    origins: Tensor,
    centres: Tensor,
    shears: Tensor,
    rules: LevelRules,
) -> Tensor:
    """Move and shear patches of image 0 over image 1 until each lies still.

    All tensors are float32, in memory and contiguous.

    Args:
        images: of image 0 and image 1, (H, W) means of so many by so many pixels, and how many.
        points: (K, 2) centres of the patches in image 0.
        maps: (K, 2, 2) how image 1 lies over image 0 there.
        origins: (K, 2) where the patches were in image 1 before the first level.
        centres: (K, 2) where they are; changed in place.
        shears: (K, 2, 2) how they are sheared; changed in place.
        rules: of the level.

    Returns:
        (K,) uncertainties in pixels, see `cyano.processing.alignment.Alignment`.
    """
    (pixels0, side0), (pixels1, side1) = images
    uncertainty = centres.new_empty(len(centres))
    run = library.function("align", "piifpiifippppppfifffiffi")
    run(
        *(pixels0, *pixels0.shape, side0, pixels1, *pixels1.shape, side1),
        *(len(points), points, maps, origins, centres, shears, uncertainty),
        *(rules.spacing, int(rules.sheared), rules.stiffness, rules.window, rules.contrast),
        *(rules.steps, rules.still, rules.farthest_px, library.threads()),
    )
    return uncertainty
