"""A matcher that knows which keypoints show which points, to test what follows from matches."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cyano.image_keypoints import ImageKeypoints
from cyano.result import PairResult
from cyano.types import Features, ImageSize, Matches, ResizeMap
from cyano.video import Frame

SIZE = ImageSize(48, 64)


def numbered_frame(number: int) -> Frame:
    """A picture that tells its number to `MadeUpMatcher`."""
    return Frame(number, np.full((*(SIZE.height, SIZE.width), 3), number, np.uint8), number / 10)


class MadeUpMatcher:
    """Frame i shows the points `seen[i]` of the scene, as keypoints in that order, and matches equal points.

    Counts what it is asked for: `extracted` and `matched`.
    """

    def __init__(self, seen: Sequence[NDArray[np.int64]]) -> None:
        self._seen = seen
        self.assignment = SimpleNamespace(matching_threshold=0.2)
        self.extracted, self.matched = 0, 0

    def extract(self, images: Sequence[NDArray[np.uint8]]) -> list[Features]:
        self.extracted += len(images)
        return [self._features(int(image[0, 0, 0])) for image in images]

    def _features(self, number: int) -> Features:
        points = self._seen[number]
        places = np.stack([points % 64, points // 64], axis=1).astype(np.float32).reshape(-1, 2)
        names = torch.from_numpy(points.astype(np.float32))[:, None]
        return Features(torch.from_numpy(places), torch.ones(len(points)), names, ResizeMap.identity(SIZE))

    def match_features(self, pairs: Any) -> list[PairResult]:
        return [self._match(*pair) for pair in pairs]

    def _match(self, features0: Features, features1: Features) -> PairResult:
        self.matched += 1
        names0, names1 = (each.descriptors[:, 0].numpy() for each in (features0, features1))
        _, rows0, rows1 = np.intersect1d(names0, names1, return_indices=True)
        matches0, matches1 = (np.full(len(names), -1, np.int64) for names in (names0, names1))
        matches0[rows0], matches1[rows1] = rows1, rows0
        side0, side1 = ImageKeypoints.of_each([features0, features1])
        scores = [(each >= 0).astype(np.float32) for each in (matches0, matches1)]
        return PairResult(side0, side1, Matches(matches0, matches1, *scores))
