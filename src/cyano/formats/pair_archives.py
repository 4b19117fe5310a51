"""The files of SuperGlue's evaluation program: `STEM0_STEM1_matches.npz` for each pair."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import archive_bytes, write_atomically
from cyano.concise import Concise
from cyano.errors import OutputError
from cyano.formats.items import batches, check_indices, dense_matches, pairs_of
from cyano.pairs import Pair, unique_stems
from cyano.reading import read_arrays, refusing
from cyano.store import FeatureStore, MatchStore, StoredImage, StoredPair

__all__ = ["PairArchive", "export_archives", "read_archive"]

_BATCH = 32  # pairs, and so at most twice as many images


@dataclass(frozen=True, eq=False, repr=False)
class PairArchive(Concise):
    """The content of one file.

    Attributes:
        keypoints0: (M, 2) float32, (x, y) in pixels of the resized image 0.
        keypoints1: (N, 2) float32 likewise.
        matches: (M,) int64, the index in image 1 of each keypoint of image 0, or -1.
        match_confidence: (M,) float32.

    Example:
        >>> features, matches, names = collection.stored()
        >>> (path,) = export_archives("archives", features, matches, [("view0.png", "view1.png")])
        >>> archive = read_archive(path)
        >>> archive.keypoints0.shape, archive.matches.shape
        ((200, 2), (200,))
    """

    keypoints0: NDArray[np.float32]
    keypoints1: NDArray[np.float32]
    matches: NDArray[np.int64]
    match_confidence: NDArray[np.float32]


def export_archives(
    folder: str | os.PathLike[str],
    features: FeatureStore,
    matches: MatchStore,
    pairs: Iterable[tuple[str, str]] | None = None,
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write one file for each pair, with the keys that `cyano match-pairs` writes, less the fingerprint.

    Args:
        folder: where to.
        features: that the matches were made from.
        matches: the matches.
        pairs: of images, in the direction in which they are written; None for all as they are stored.
        overwrite: replace existing files.

    Returns:
        The files in the order of the pairs; see `cyano.pairs.unique_stems` for their names.

    Raises:
        InputError: a pair or its features are not stored, a pair is given twice, or a keypoint has two matches.
        OutputError: a file exists or cannot be written.

    Example:
        >>> features, matches, names = collection.stored()
        >>> [path.name for path in export_archives("archives", features, matches, [("view0.png", "view1.png")])]
        ['view0_view1_matches.npz']
    """
    chosen = sorted(matches.keys()) if pairs is None else list(pairs)
    stems = unique_stems([Pair(name0, name1) for name0, name1 in chosen])
    paths = [Path(folder) / f"{stem}_matches.npz" for stem in stems]
    existing = [] if overwrite else [path for path in paths if path.exists()]
    if existing:
        remedy = "give another folder, or replace it with overwrite=True (--overwrite)"
        raise OutputError(f"{existing[0]} exists already; {remedy}")
    for batch in batches(zip(chosen, paths, strict=True), _BATCH):
        names = sorted({name for pair, _ in batch for name in pair})
        images = dict(zip(names, features.read(names), strict=True))
        for pair, (_, path) in zip(pairs_of(matches, [pair for pair, _ in batch]), batch, strict=True):
            write_atomically(path, _content(pair, images[pair.name0], images[pair.name1]))
    return paths


def _content(pair: StoredPair, image0: StoredImage, image1: StoredImage) -> bytes:
    check_indices(pair, {image.name: len(image.scores) for image in (image0, image1)})
    matches, confidence = dense_matches(pair, len(image0.scores))
    return archive_bytes(
        keypoints0=image0.frame.to_network(image0.keypoints),
        keypoints1=image1.frame.to_network(image1.keypoints),
        matches=matches,
        match_confidence=confidence,
        keypoints0_original=image0.keypoints,
        keypoints1_original=image1.keypoints,
        turns0=np.array(-image0.frame.quarter_turns % 4),
        turns1=np.array(-image1.frame.quarter_turns % 4),
    )


def read_archive(path: str | os.PathLike[str]) -> PairArchive:
    """Read the file of one pair, by whichever program it was written.

    Raises:
        InputError: it cannot be read, is not of this form, or unpacks to far more than such a file does.

    Example:
        >>> features, matches, names = collection.stored()
        >>> (path,) = export_archives("archives", features, matches, [("view0.png", "view1.png")])
        >>> archive = read_archive(path)
        >>> matched = archive.matches >= 0
        >>> len(archive.keypoints0[matched]) == len(archive.keypoints1[archive.matches[matched]])
        True
    """
    remedy = "match the pair again"
    found = PairArchive(**read_arrays(path, [field.name for field in fields(PairArchive)], remedy=remedy))
    with refusing(os.fspath(path), remedy):
        _check(found)
    return found


def _check(found: PairArchive) -> None:
    """Raise `ValueError` unless the arrays fit together."""
    shapes = [array.shape for array in vars(found).values()]
    count, other = (shape[0] if shape else 0 for shape in shapes[:2])
    if shapes != [(count, 2), (other, 2), (count,), (count,)] or found.matches.dtype.kind not in "iu":
        raise ValueError(f"shapes {shapes}, matches of {found.matches.dtype}")
    for array in (found.keypoints0, found.keypoints1, found.match_confidence):
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError("a number is not finite")
    if count and not -1 <= found.matches.min() <= found.matches.max() < other:
        raise ValueError("a match is out of range")
