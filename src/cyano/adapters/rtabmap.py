"""rtabmap's Python scripts: `init` and `match` of its matchers, `init` and `detect` of its detectors.

rtabmap calls the functions of a script by these names, once `init` and then the other for each pair or image. Nothing
of rtabmap is needed to import them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cyano.adapters.common import DeviceMatchers
from cyano.errors import InputError
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.types import Features, ImageSize, ResizeMap

__all__ = ["detect", "init", "init_detector", "match"]

_OWN = {"", "indoor", "outdoor"}
"""Values of `PyMatcher/Model` that mean Cyano's own weights; "indoor" is rtabmap's default."""

_READY: dict[str, Matcher] = {}
"""What `init` and `init_detector` made."""


def init(descriptorDim: int, matchThreshold: float, iterations: int, cuda: int, model: str) -> None:
    """Load the matcher.

    Args:
        descriptorDim: D of the descriptors.
        matchThreshold: least probability of a match.
        iterations: of the transport.
        cuda: 1 for a GPU, if there is one.
        model: weights, see `cyano.Matcher.from_pretrained`; "", "indoor" and "outdoor" are Cyano's own.

    Raises:
        InputError: the weights match descriptors of another width.
        WeightsError: the weights are missing or damaged.

    Example:
        >>> init(128, matchThreshold=0.2, iterations=20, cuda=0, model="indoor")
    """
    options = MatcherOptions(match_threshold=matchThreshold, sinkhorn_iterations=iterations, align=False)
    matcher = _loaded(None if model in _OWN else model, options, cuda)
    wanted = matcher.assignment.input_size or matcher.assignment.hidden_size
    if descriptorDim != wanted:
        raise InputError(
            f"{matcher.source} matches descriptors of {wanted} numbers, not of {descriptorDim}; use Cyano's detector "
            "as well (cyano.adapters.rtabmap.detect)"
        )
    _READY["match"] = matcher


def match(
    kptsFrom: NDArray[Any],
    kptsTo: NDArray[Any],
    scoresFrom: NDArray[Any],
    scoresTo: NDArray[Any],
    descriptorsFrom: NDArray[Any],
    descriptorsTo: NDArray[Any],
    imageWidth: int,
    imageHeight: int,
) -> NDArray[np.int32]:
    """Match two images.

    Args:
        kptsFrom: (M, 2) x and y.
        kptsTo: (N, 2).
        scoresFrom: (M,) responses.
        scoresTo: (N,).
        descriptorsFrom: (M, D).
        descriptorsTo: (N, D).
        imageWidth: of both images.
        imageHeight: of both images.

    Returns:
        (K, 2) int32 indices of the matches.

    Raises:
        InputError: `init` was not called, or the shapes do not fit each other.

    Example:
        >>> init_detector(cuda=0)
        >>> init(128, matchThreshold=0.2, iterations=20, cuda=0, model="")
        >>> found, rows = detect(np.random.default_rng(0).integers(0, 256, (120, 160), dtype=np.uint8))
        >>> match(found[:, :2], found[:, :2], found[:, 2], found[:, 2], rows, rows, 160, 120).shape[1]
        2
    """
    matcher, size = _ready("match", "init"), ImageSize(imageHeight, imageWidth)
    frame = ResizeMap(size, matcher.options.resize.network_size(size))
    given = ((kptsFrom, scoresFrom, descriptorsFrom), (kptsTo, scoresTo, descriptorsTo))
    sides = []
    for arrays in given:  # copies, for these are views of memory that rtabmap owns
        keypoints, scores, words = (torch.from_numpy(np.array(each, np.float32)) for each in arrays)
        sides.append(Features(keypoints, scores, words, frame))
    return matcher.match_features([(sides[0], sides[1])])[0].indices.astype(np.int32)


def init_detector(cuda: int) -> None:
    """Load the detector; a script gives it the name `init`.

    Args:
        cuda: 1 for a GPU, if there is one.

    Raises:
        WeightsError: the weights are missing or damaged.

    Example:
        >>> init_detector(cuda=0)
    """
    _READY["detect"] = _loaded(None, MatcherOptions(align=False), cuda)


def detect(imageBuffer: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Keypoints (N, 3) of x, y and response, and descriptors (N, D), of a grey image (H, W).

    Raises:
        InputError: `init_detector` was not called.
        ImageError: this is no image.

    Example:
        >>> init_detector(cuda=0)
        >>> image = np.random.default_rng(0).integers(0, 256, (120, 160), dtype=np.uint8)
        >>> keypoints, descriptors = detect(image)
        >>> keypoints.shape[1], descriptors.shape[1]
        (3, 128)
    """
    (found,) = _ready("detect", "init_detector").extract([np.array(imageBuffer)])
    keypoints = torch.cat([found.keypoints, found.scores[:, None]], dim=1).cpu().numpy()
    return np.ascontiguousarray(keypoints), np.ascontiguousarray(found.descriptors.cpu().numpy())


def _loaded(weights: str | None, options: MatcherOptions, cuda: int) -> Matcher:
    return DeviceMatchers(weights, options).on("cuda" if cuda and torch.cuda.is_available() else "cpu")


def _ready(what: str, first: str) -> Matcher:
    if what not in _READY:
        raise InputError(f"call {first} before {what}")
    return _READY[what]
