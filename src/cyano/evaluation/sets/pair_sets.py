"""What an evaluation is about: sets of image pairs whose truth is known, wherever they come from.

Folders are one source (`cyano.evaluation.sets.folders`). Another is memory: a program that renders scenes makes
`EvaluationPair`s of arrays and of `cyano.geometry.truth.DepthTruth`, and everything else follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.geometry.truth import DepthTruth
from cyano.processing.images import ImageSource

__all__ = [
    "EvaluationPair",
    "Kind",
    "KnownChange",
    "KnownCorrespondences",
    "KnownDisparity",
    "KnownHomography",
    "KnownPose",
    "PairSet",
    "Truth",
    "kind_of",
]

Kind: TypeAlias = Literal["pose", "homography", "stereo", "correspondences", "depth", "change"]
"""What is known of a set's pairs, and so what is measured on them."""


@dataclass(frozen=True, eq=False)
class KnownPose:
    """Two calibrated views of a rigid scene.

    Attributes:
        K0: (3, 3) intrinsics in pixels of the original image 0, before its turns.
        K1: likewise for image 1.
        T_0to1: (4, 4) motion from camera 0 to camera 1; its translation is not zero.
    """

    K0: NDArray[np.float64]
    K1: NDArray[np.float64]
    T_0to1: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class KnownHomography:
    """Two views of one plane.

    Attributes:
        H: (3, 3) maps pixels of the original image 0 to those of image 1.
    """

    H: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class KnownChange:
    """A photograph and itself after a controlled change.

    Attributes:
        H: (3, 3) maps pixels of the original image 0 to those of image 1.
        change: what was done; pairs of a set with the same one are reported together.
    """

    H: NDArray[np.float64]
    change: str


@dataclass(frozen=True, eq=False)
class KnownCorrespondences:
    """Some true correspondences of a rigid scene, made by hand or from measurements.

    Attributes:
        points0: (K, 2) pixels (x, y) of the original image 0.
        points1: (K, 2) their partners in the original image 1.
    """

    points0: NDArray[np.float64]
    points1: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class KnownDisparity:
    """A rectified stereo pair.

    Attributes:
        disparity: (H, W) of image 0: what its pixel (x, y) shows is at (x - disparity, y) in image 1; not finite, or
            0, where it was not measured.
    """

    disparity: NDArray[np.float32]


Truth: TypeAlias = KnownPose | KnownHomography | KnownChange | KnownCorrespondences | KnownDisparity | DepthTruth

_KINDS: dict[type, Kind] = {
    KnownPose: "pose",
    KnownHomography: "homography",
    KnownChange: "change",
    KnownDisparity: "stereo",
    KnownCorrespondences: "correspondences",
    DepthTruth: "depth",
}


def kind_of(truth: Truth) -> Kind:
    """What is known."""
    return _KINDS[type(truth)]


@dataclass(frozen=True, eq=False)
class EvaluationPair:
    """Two images and what is known of them.

    Attributes:
        name0: of image 0, unique in its set: equal names are the same image.
        name1: of image 1.
        image0: the image, or where it is.
        image1: likewise.
        truth: in pixels of the images as `cyano.processing.images.read` gives them.
        turns0: CLOCKWISE quarter turns that set image 0 upright before it is matched.
        turns1: likewise for image 1.
    """

    name0: str
    name1: str
    image0: ImageSource
    image1: ImageSource
    truth: Truth
    turns0: int = 0
    turns1: int = 0


@dataclass(frozen=True, eq=False)
class PairSet:
    """Pairs with one kind of truth, reported together.

    Attributes:
        name: what its files and its rows are called.
        pairs: at least one.

    Raises:
        InputError: there are no pairs, they are of several kinds, or the name cannot be that of a file.
    """

    name: str
    pairs: Sequence[EvaluationPair]

    def __post_init__(self) -> None:
        if not self.name or any(character in self.name for character in "/\\\0") or self.name.startswith("."):
            raise InputError(f"a set's name is used as a file name, which {self.name!r} cannot be; rename it")
        kinds = sorted({kind_of(pair.truth) for pair in self.pairs})
        if len(kinds) != 1:
            told = f"pairs of {' and '.join(kinds)}: make one set of each" if kinds else "no pairs: leave it out"
            raise InputError(f"the set {self.name} has {told}")

    @property
    def kind(self) -> Kind:
        """What is known of its pairs."""
        return kind_of(self.pairs[0].truth)
