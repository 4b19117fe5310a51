"""kornia's interfaces: a module from two batches of images to matches, and matching of descriptors with their frames.

Nothing of kornia is needed for it. A local affine frame of a keypoint is upright, with the detector's cell for a scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cyano.adapters.common import DeviceMatchers, batch_of
from cyano.errors import InputError
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from cyano.result import PairResult
from cyano.types import Features, ImageSize, ResizeMap

__all__ = ["CyanoMatcher"]

SCALE = 8.0
"""Of a keypoint's frame, in pixels: the detector's cell."""

DEFAULT_OPTIONS = MatcherOptions(resize=ResizeRule.none())


class CyanoMatcher(nn.Module):
    """What `kornia.feature.LoFTR` and `LocalFeatureMatcher` are, with SuperPoint and SuperGlue inside.

    Example:
        >>> matcher = CyanoMatcher()
        >>> image = torch.rand(1, 1, 120, 160, generator=torch.Generator().manual_seed(0))
        >>> with torch.no_grad():
        ...     found = matcher({"image0": image, "image1": image})
        ...     lafs, responses, descriptors = matcher.extract(image)
        >>> found["keypoints0"].shape == found["keypoints1"].shape, lafs.shape[2:], descriptors.shape[2]
        (True, torch.Size([2, 3]), 128)
    """

    def __init__(self, weights: str | Path | None = None, *, options: MatcherOptions = DEFAULT_OPTIONS) -> None:
        """Load the weights.

        Args:
            weights: see `cyano.Matcher.from_pretrained`.
            options: see `cyano.Matcher`; by default images are matched at the size that they have.

        Raises:
            WeightsError: the weights are missing or damaged.
        """
        super().__init__()
        self._matchers = DeviceMatchers(weights, options)

    def forward(self, data: Mapping[str, Any]) -> dict[str, Tensor]:
        """Match a batch of pairs.

        Args:
            data: image0 (B, 1, H, W) in [0, 1] and image1 likewise, of another size if need be; mask0 and mask1
                (B, H, W) or (B, 1, H, W) where there are any, zero where no keypoint is wanted.

        Returns:
            keypoints0 and keypoints1 (K, 2) of all pairs, those of image 1 aligned with their partners; confidence
            (K,), the probability of each match; batch_indexes (K,), the pair that it belongs to; lafs0 and lafs1
            (1, K, 2, 3), the frames.

        Raises:
            InputError: an image is missing, or is none.
        """
        sides = [self._extracted(data, side) for side in "01"]
        if len(sides[0]) != len(sides[1]) or not sides[0]:
            raise InputError(
                f"{len(sides[0])} images 0 cannot be matched with {len(sides[1])} images 1; give equal numbers"
            )
        device = sides[0][0].keypoints.device
        results = self._matchers.on(device).match_features(zip(*sides, strict=True))
        counts = torch.tensor([len(each) for each in results], dtype=torch.int64, device=device)
        points0, points1 = (_joined(results, name, device) for name in ("keypoints0", "keypoints1"))
        return {
            "keypoints0": points0,
            "keypoints1": points1,
            "lafs0": _frames(points0)[None],
            "lafs1": _frames(points1)[None],
            "confidence": _joined(results, "scores", device),
            "batch_indexes": torch.arange(len(results), dtype=torch.int64, device=device).repeat_interleave(counts),
        }

    def extract(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Frames (1, N, 2, 3), responses (1, N) and descriptors (1, N, D) of one image (1, 1, H, W)."""
        images = batch_of(image, "image")
        if len(images) != 1:
            raise InputError(f"images have unequal numbers of keypoints: give one at a time, not {len(images)}")
        (found,) = self._matchers.on(images[0].device).extract(images)
        return _frames(found.keypoints)[None], found.scores[None], found.descriptors[None]

    def match_descriptors(
        self,
        desc1: Tensor,
        desc2: Tensor,
        lafs1: Tensor,
        lafs2: Tensor,
        hw1: tuple[int, int],
        hw2: tuple[int, int],
        *,
        responses: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Match what `extract` gave; such matches are not aligned.

        Args:
            desc1: (M, D) of image 1.
            desc2: (N, D) of image 2.
            lafs1: (1, M, 2, 3) of image 1.
            lafs2: (1, N, 2, 3) of image 2.
            hw1: height and width of image 1.
            hw2: of image 2.
            responses: (1, M) and (1, N), which SuperGlue reads beside the places.

        Returns:
            dists (K, 1), 1 - probability, and the indices (K, 2) of the matches.

        Raises:
            InputError: the shapes do not fit each other.

        Example:
            >>> matcher, hw = CyanoMatcher(), (120, 160)
            >>> image = torch.rand(1, 1, *hw, generator=torch.Generator().manual_seed(0))
            >>> with torch.no_grad():
            ...     lafs, scores, rows = matcher.extract(image)
            ...     found = matcher.match_descriptors(rows[0], rows[0], lafs, lafs, hw, hw, responses=(scores, scores))
            >>> distances, indices = found
            >>> indices.shape[1]
            2
        """
        given = ((desc1, lafs1, hw1, responses[0]), (desc2, lafs2, hw2, responses[1]))
        rule = self._matchers.options.resize
        sides = []
        for words, lafs, (height, width), scores in given:
            size = ImageSize(height, width)
            frame = ResizeMap(size, rule.network_size(size))
            rows = words.reshape(-1, words.shape[-1])
            sides.append(Features(lafs[0, :, :, 2], scores.reshape(-1), rows, frame))
        (result,) = self._matchers.on(desc1.device).match_features([(sides[0], sides[1])])
        distances = 1 - torch.from_numpy(result.scores)[:, None]
        return distances.to(desc1.device), torch.from_numpy(result.indices).to(desc1.device)

    def _extracted(self, data: Mapping[str, Any], side: str) -> list[Features]:
        if f"image{side}" not in data:
            raise InputError(f"'image{side}' is missing in the dictionary")
        images, masks = batch_of(data[f"image{side}"], f"image{side}"), data.get(f"mask{side}")
        if not images:
            return []
        return self._matchers.on(images[0].device).extract(images, masks=None if masks is None else list(masks))


def _joined(results: list[PairResult], name: str, device: torch.device) -> Tensor:
    return torch.cat([torch.from_numpy(getattr(each, name)) for each in results]).to(device)


def _frames(points: Tensor) -> Tensor:
    """Upright frames (K, 2, 3) around points (K, 2)."""
    axes = SCALE * torch.eye(2, dtype=points.dtype, device=points.device)
    return torch.cat([axes.expand(len(points), 2, 2), points[:, :, None]], dim=2)
