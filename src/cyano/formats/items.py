"""What all exports share: items in batches, checked matches, names that may become paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import PurePosixPath, PureWindowsPath
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.store import FeatureStore, MatchStore, StoredImage, StoredPair

__all__ = ["batches", "check_indices", "check_path", "dense_matches", "images_of", "pairs_of", "verified_of"]

_IMAGES = 64  # a batch: about 70 MB of features
_PAIRS = 1000

T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of this size, the last one perhaps shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def images_of(features: FeatureStore, names: Iterable[str]) -> Iterator[StoredImage]:
    """The features of these images in this order, a batch in memory.

    Raises:
        InputError: some are not stored.
    """
    for batch in batches(names, _IMAGES):
        yield from features.read(batch)


def pairs_of(matches: MatchStore, pairs: Iterable[tuple[str, str]]) -> Iterator[StoredPair]:
    """The matches of these pairs in this order and direction, a batch in memory.

    Where nothing has verified them, without the doubtful ones that the store keeps for `cyano verify`.

    Raises:
        InputError: some are not stored.
    """
    usual = matches.configuration.get("match_threshold") if matches.configuration.get("verification") is None else None
    for batch in batches(pairs, _PAIRS):
        for pair in matches.read(batch):
            yield pair if usual is None else _above(pair, float(usual))


def verified_of(matches: MatchStore, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, NDArray[np.int32]]]:
    """The names of these pairs, and the (K, 2) rows of their verified matches; see `StoredPair.verified`."""
    for pair in pairs_of(matches, pairs):
        yield pair.name0, pair.name1, pair.verified


def _above(pair: StoredPair, threshold: float) -> StoredPair:
    kept = pair.scores > threshold
    return replace(pair, indices=pair.indices[kept], scores=pair.scores[kept])


def check_indices(pair: StoredPair, counts: Mapping[str, int]) -> None:
    """Refuse matches of keypoints that are not there.

    Args:
        pair: the matches.
        counts: keypoints of each image by name.

    Raises:
        InputError: an image is unknown, or an index is beyond its keypoints.
    """
    for name, indices in ((pair.name0, pair.indices[:, 0]), (pair.name1, pair.indices[:, 1])):
        if name not in counts:
            raise InputError(f"{name!r} has matches but no features; give the features that the matches were made from")
        if len(indices) and indices.max() >= counts[name]:
            raise InputError(
                f"matches of {pair.name0!r} and {pair.name1!r} refer to keypoint {indices.max()} of {name!r}, which "
                f"has {counts[name]}; give the features that the matches were made from"
            )


def dense_matches(pair: StoredPair, count0: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Matches as one entry for each keypoint of image 0.

    Args:
        pair: the matches, indices within the keypoints.
        count0: M, keypoints of image 0.

    Returns:
        (M,) int64, the index in image 1 or -1; and (M,) float32 scores, 0 where there is none.

    Raises:
        InputError: a keypoint of image 0 has two matches, which this form cannot hold.
    """
    matches = np.full(count0, -1, np.int64)
    scores = np.zeros(count0, np.float32)
    matches[pair.indices[:, 0]] = pair.indices[:, 1]
    scores[pair.indices[:, 0]] = pair.scores
    if (matches >= 0).sum() < len(pair.scores):
        raise InputError(
            f"a keypoint of {pair.name0!r} has several matches in {pair.name1!r}; the format allows one, so match them "
            "one to one"
        )
    return matches, scores


def check_path(name: str) -> str:
    """The name of an image, if a file may be named after it inside a folder.

    Raises:
        InputError: it is absolute, leads out of the folder, or cannot name a file.
    """
    parts = name.split("/")
    rooted = PurePosixPath(name).is_absolute() or bool(PureWindowsPath(name).drive)
    if rooted or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise InputError(f"no file can be named after the image {name!r}: it has to be a relative path inside a folder")
    return name
