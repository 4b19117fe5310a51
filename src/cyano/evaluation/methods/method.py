"""The methods that an evaluation compares, behind one small interface."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cyano.evaluation.provenance import Record
from cyano.processing.images import LoadedImage
from cyano.types import Features
from cyano.view_search import Side

__all__ = ["Extractor", "Found", "Method", "SeesImages"]


NO_ROWS = np.zeros((0, 2), np.int64)


class Found(NamedTuple):
    """The matches of a pair.

    Attributes:
        matches: (K, 2) int64 rows (index in image 0, index in image 1).
        scores: (K,) float32.
        keypoints1: (N, 2) float32, image 1's keypoints where the method moved them for this pair; None if it did not.
        doubtful: (L, 2) int64 rows like those of `matches`, for estimators alone; see `PairResult.verified`.
        keypoints0: (M, 2) float32, image 0's keypoints where the method found others for this pair.
    """

    matches: NDArray[np.int64]
    scores: NDArray[np.float32]
    keypoints1: NDArray[np.float32] | None = None
    doubtful: NDArray[np.int64] = NO_ROWS
    keypoints0: NDArray[np.float32] | None = None


class Extractor(Protocol):
    """Finds keypoints; methods that share one share its features."""

    def extract(self, image: LoadedImage, turns: int) -> Features:
        """The features of an image in pixels of the original, seen after so many CLOCKWISE quarter turns.

        Raises:
            InputError: the image cannot be used.
        """
        ...


class Method(Protocol):
    """Matches the features of two images."""

    @property
    def name(self) -> str:
        """What its files and rows are called."""
        ...

    @property
    def record(self) -> Record:
        """Everything that decides its matches: two runs with equal records give the same."""
        ...

    @property
    def extractor(self) -> Extractor:
        """Where its features come from."""
        ...

    def match(self, features0: Features, features1: Features) -> Found:
        """Match what the extractor found in two images."""
        ...


@runtime_checkable
class SeesImages(Protocol):
    """A method that looks at the images again, beyond what the extractor found in them."""

    def match_sides(self, side0: Side, side1: Side) -> Found:
        """Match two images with what the extractor found in them."""
        ...
