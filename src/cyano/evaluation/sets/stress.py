"""The stress set: photographs, each beside itself after one controlled change, with the exact place of every point.

Where a method fails on real pairs, several things change at once and the truth is rough. Here one thing changes, and
what is lost can be said of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError, MissingExtraError
from cyano.evaluation.sets.pair_sets import EvaluationPair, KnownChange, PairSet
from cyano.processing.images import ImageSource, read
from cyano.processing.resize import ResizeRule
from cyano.synthesis.changes import CHANGES, Change, changed
from cyano.types import ImageSize

__all__ = ["NUM_PHOTOGRAPHS", "STRESS_SET", "chosen_photographs", "pictures_of_skimage", "stress_set"]

STRESS_SET = "stress"
"""The name of the set."""

NUM_PHOTOGRAPHS = 6
"""Photographs of a folder that are taken unless more are asked for: each becomes a pair for every change."""

_SIZE = ResizeRule.longest(640, allow_upscale=True)
"""Changes are measured in pixels of the photograph, so all photographs have one size: that which methods see."""

_OF_SKIMAGE = ("astronaut", "brick", "camera", "chelsea", "coffee", "gravel")


def stress_set(photographs: Mapping[str, ImageSource], seed: int = 0, changes: Sequence[Change] = CHANGES) -> PairSet:
    """Pairs of each photograph with itself after each change.

    Args:
        photographs: by their names; they are brought to a longest side of 640 pixels first.
        seed: of directions and noise; the same seed gives the same pixels.
        changes: what to do.

    Raises:
        InputError: a photograph cannot be used, or there are none.
    """
    pairs = []
    for name, source in photographs.items():
        photograph = _at_size(read(source).rgb)
        for change in changes:
            picture, H = changed(photograph, change, seed)
            pairs.append(
                EvaluationPair(name, f"{name} {change.name}", photograph, picture, KnownChange(H, change.name))
            )
    return PairSet(STRESS_SET, pairs)


def _at_size(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = _SIZE.network_size(ImageSize(*rgb.shape[:2]))
    how = cv2.INTER_AREA if size.longest <= max(rgb.shape[:2]) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, (size.width, size.height), interpolation=how), dtype=np.uint8)


def chosen_photographs(folder: Path, paths: Sequence[Path], count: int = NUM_PHOTOGRAPHS) -> dict[str, ImageSource]:
    """So many of a folder's photographs by their names, spread evenly over the list; all of them if they are fewer.

    Raises:
        InputError: there are none, or none are asked for.
    """
    if not paths or count < 1:
        raise InputError("a stress set is made of at least one photograph; give a folder that holds some")
    return {paths[index].relative_to(folder).as_posix(): paths[index] for index in _spread(count, len(paths))}


def _spread(count: int, total: int) -> list[int]:
    """So many places of a list, evenly."""
    return [round(place) for place in np.linspace(0, total - 1, min(count, total))]


def pictures_of_skimage(count: int = NUM_PHOTOGRAPHS) -> dict[str, ImageSource]:
    """So many of six photographs that scikit-image ships, for those who give none.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    try:
        from skimage import data
    except ImportError as error:
        raise MissingExtraError(
            'the stress set takes its photographs from scikit-image: pip install ".[demo]" in the folder of Cyano, or '
            "give a folder of your own (--photographs)"
        ) from error
    names = [_OF_SKIMAGE[index] for index in _spread(count, len(_OF_SKIMAGE))]
    return {name: np.asarray(getattr(data, name)()) for name in names}
