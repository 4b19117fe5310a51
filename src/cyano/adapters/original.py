"""The dictionary interface of the original's `Matching`, `SuperPoint` and `SuperGlue`.

Programs that were written for it run with another import. Images are (B, 1, H, W) tensors in [0, 1], taken at the size
that they have; positions are (x, y) in their pixels. Where the images of a batch have unequal numbers of keypoints,
which the original refuses, `matches0` and the others are padded with -1 and the scores with 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from cyano.adapters.common import batch_of, with_pixels, without_pixels
from cyano.adapters.original_config import Engine
from cyano.errors import InputError
from cyano.types import Features, ImageSize, Matches, ResizeMap

__all__ = ["Matching", "SuperGlue", "SuperPoint"]


class Matching(nn.Module):
    """Two images, or what was extracted from them before, to matches.

    Example:
        >>> matching = Matching({"superpoint": {"max_keypoints": 100}}).eval()
        >>> image = torch.rand(1, 1, 120, 160, generator=torch.Generator().manual_seed(0))
        >>> with torch.no_grad():
        ...     found = matching({"image0": image, "image1": image})
        >>> found["keypoints0"][0].shape, found["matches0"][0].shape
        (torch.Size([100, 2]), torch.Size([100]))
    """

    def __init__(self, config: Mapping[str, Any] | None = None, *, exact: bool = False) -> None:
        """Load the weights.

        Args:
            config: tables "superpoint" (nms_radius, keypoint_threshold, max_keypoints, remove_borders) and "superglue"
                (weights, sinkhorn_iterations, match_threshold). Values that are not given are those of the weights.
                "weights" is left out for Cyano's own; "indoor" and "outdoor" are the original's files in
                `models/weights`; others are those of `cyano.checkpoints.load`.
            exact: as the original in every respect: keypoints are whole pixels, their matches are not aligned, and
                keypoints that are each other's best without being a match keep their scores.

        Raises:
            InputError: a key is unknown, or a value cannot be.
            WeightsError: the weights are missing or damaged.
        """
        super().__init__()
        self._engine = Engine(config or {}, exact)
        self.superpoint = SuperPoint(engine=self._engine)
        self.superglue = SuperGlue(engine=self._engine)

    def forward(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Match a batch.

        Args:
            data: "image0" and "image1"; and keypoints0, scores0, descriptors0 or those of 1 where they are known, which
                are then not extracted anew.

        Returns:
            What was extracted (`keypoints0`: list of (N, 2); `scores0`: tuple of (N,); `descriptors0`: list of (D, N);
            likewise 1) and `matches0` (B, M), `matches1` (B, N) int64, `matching_scores0`, `matching_scores1`.
            Keypoints of image 1 that are extracted here are aligned with their partners.

        Raises:
            InputError: something is missing, or of another shape.
        """
        sides: list[list[Features]] = []
        found: dict[str, Any] = {}
        for side in "01":
            if f"keypoints{side}" in data:
                sides.append(_given(data, side))
            else:
                sides.append(self.superpoint.features(_batch(data, f"image{side}")))
                found |= {f"{key}{side}": value for key, value in _table(sides[-1]).items()}
        sides[0], sides[1] = self._alignable(data, sides)
        moved, matched = self.superglue.matched(*sides)
        if "keypoints1" in found:
            found["keypoints1"] = moved
        return {**found, **matched}

    def _alignable(self, data: Mapping[str, Any], sides: Sequence[list[Features]]) -> list[list[Features]]:
        """Features of both sides with their images, if keypoints of image 1 may move."""
        if "keypoints1" in data:
            return [[without_pixels(each) for each in side] for side in sides]
        if "keypoints0" in data and self._engine.options.align:
            images = _batch(data, "image0")
            first = [with_pixels(each, image) for each, image in zip(sides[0], images, strict=True)]
            return [first, sides[1]]
        return list(sides)


class SuperPoint(nn.Module):
    """Images to keypoints, scores and descriptors.

    Example:
        >>> detector = SuperPoint({"max_keypoints": 100}).eval()
        >>> image = torch.rand(1, 1, 120, 160, generator=torch.Generator().manual_seed(0))
        >>> with torch.no_grad():
        ...     found = detector({"image": image})
        >>> found["keypoints"][0].shape, found["descriptors"][0].shape
        (torch.Size([100, 2]), torch.Size([128, 100]))
        >>> len(detector.features([image[0]])[0])  # as cyano.Features
        100
    """

    def __init__(self, config: Mapping[str, Any] | None = None, *, engine: Engine | None = None) -> None:
        """Load the weights.

        Args:
            config: the table "superpoint" of `Matching`, with "weights" if wanted.
            engine: that of a `Matching`, instead of a configuration.

        Raises:
            InputError: a key is unknown, or a value cannot be.
            WeightsError: the weights are missing or damaged.
        """
        super().__init__()
        self._engine = engine or Engine({"superpoint": config or {}})

    def forward(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Detect and describe.

        Args:
            data: "image", (B, 1, H, W).

        Returns:
            keypoints: list of (N, 2); scores: tuple of (N,); descriptors: list of (D, N).

        Raises:
            InputError: there is no image, or something else in its place.
        """
        return _table(self.features(_batch(data, "image")))

    def features(self, images: Sequence[Tensor]) -> list[Features]:
        """The features of (1, H, W) images, on their device."""
        return self._engine.on(images[0].device).extract(images) if images else []


class SuperGlue(nn.Module):
    """Keypoints, scores and descriptors of two images to matches.

    Example:
        >>> detector, matcher = SuperPoint({"max_keypoints": 100}).eval(), SuperGlue().eval()
        >>> image = torch.rand(1, 1, 120, 160, generator=torch.Generator().manual_seed(0))
        >>> with torch.no_grad():
        ...     found = detector({"image": image})
        ...     sides = {f"{name}{side}": value for name, value in found.items() for side in (0, 1)}
        ...     matches = matcher({**sides, "image0": image, "image1": image})
        >>> matches["matches0"].shape
        torch.Size([1, 100])
    """

    def __init__(
        self, config: Mapping[str, Any] | None = None, *, exact: bool = False, engine: Engine | None = None
    ) -> None:
        """Load the weights.

        Args:
            config: the table "superglue" of `Matching`.
            exact: see `Matching`.
            engine: that of a `Matching`, instead of a configuration.

        Raises:
            InputError: a key is unknown, or a value cannot be.
            WeightsError: the weights are missing or damaged.
        """
        super().__init__()
        self._engine = engine or Engine({"superglue": config or {}}, exact)

    def forward(self, data: Mapping[str, Any]) -> dict[str, Tensor]:
        """Match a batch.

        Args:
            data: keypoints0 (B, M, 2), scores0 (B, M), descriptors0 (B, D, M) and image0, of which only the shape
                counts; likewise 1. Lists of B tensors do as well, and their counts may be unequal.

        Returns:
            matches0 (B, M) int64, the index in image 1 or -1; matching_scores0 (B, M); likewise 1.

        Raises:
            InputError: something is missing, or of another shape.
        """
        return self.matched(_given(data, "0"), _given(data, "1"))[1]

    def matched(self, side0: Sequence[Features], side1: Sequence[Features]) -> tuple[list[Tensor], dict[str, Tensor]]:
        """The keypoints of image 1 after alignment, and the matches, of each pair.

        Raises:
            InputError: the sides have unequal numbers of images.

        Example:
            >>> detector, matcher = SuperPoint({"max_keypoints": 100}).eval(), SuperGlue().eval()
            >>> image = torch.rand(1, 120, 160, generator=torch.Generator().manual_seed(0))
            >>> with torch.no_grad():
            ...     features = detector.features([image])
            ...     keypoints1, found = matcher.matched(features, features)
            >>> keypoints1[0].shape, found["matches0"].shape
            (torch.Size([100, 2]), torch.Size([1, 100]))
        """
        if len(side0) != len(side1):
            raise InputError(f"{len(side0)} images 0 cannot be matched with {len(side1)} images 1; give equal numbers")
        if not side0:
            raise InputError("a batch has at least one pair of images")
        device = side0[0].keypoints.device
        results = self._engine.on(device).match_features(zip(side0, side1, strict=True))
        keypoints = [torch.from_numpy(each.image1.keypoints).to(device) for each in results]
        each_pair = [self._filtered(result.matches) for result in results]
        return keypoints, {key: _stacked([pair[key] for pair in each_pair], device) for key in each_pair[0]}

    def _filtered(self, matches: Matches) -> dict[str, Tensor]:
        kept = matches.above(self._engine.threshold) if self._engine.exact else matches
        arrays = (kept.matches0, kept.matches1, matches.scores0, matches.scores1)
        keys = ("matches0", "matches1", "matching_scores0", "matching_scores1")
        return {key: torch.from_numpy(array) for key, array in zip(keys, arrays, strict=True)}


def _batch(data: Mapping[str, Any], key: str) -> list[Tensor]:
    return batch_of(_item(data, key), key)


def _item(data: Mapping[str, Any], key: str) -> Any:
    """An entry of the dictionary.

    Raises:
        InputError: it has none of that name.
    """
    if key not in data:
        raise InputError(f"{key!r} is missing in the dictionary, which has {', '.join(sorted(data)) or 'nothing'}")
    return data[key]


def _table(features: Sequence[Features]) -> dict[str, Any]:
    """The detector's dictionary: descriptors (D, N), as the original has them."""
    return {
        "keypoints": [each.keypoints for each in features],
        "scores": tuple(each.scores for each in features),
        "descriptors": [each.descriptors.t() for each in features],
    }


def _given(data: Mapping[str, Any], side: str) -> list[Features]:
    """Features from the keys of one side; the image is asked for its size alone."""
    keypoints, scores, descriptors = (_item(data, f"{key}{side}") for key in ("keypoints", "scores", "descriptors"))
    sizes = [ImageSize(*each.shape[-2:]) for each in _batch(data, f"image{side}")]
    if not len(keypoints) == len(scores) == len(descriptors) == len(sizes):
        counts = f"{len(keypoints)}, {len(scores)}, {len(descriptors)} and {len(sizes)}"
        raise InputError(f"keypoints, scores, descriptors and images of side {side} are of {counts} images")
    rows = zip(keypoints, scores, descriptors, sizes, strict=True)
    return [Features(places, values, words.t(), ResizeMap.identity(size)) for places, values, words, size in rows]


def _stacked(rows: Sequence[Tensor], device: torch.device) -> Tensor:
    """(B, N) from B rows, the shorter ones padded: indices with -1, scores with 0."""
    padding = 0.0 if rows[0].is_floating_point() else -1
    return pad_sequence(list(rows), batch_first=True, padding_value=padding).to(device)
