"""hloc's files of matches: one HDF5 group for each pair, with `matches0` (M,) and `matching_scores0` (M,).

Slashes in names become dashes. Of the dashed names A and B, hloc now names the group `A/B`; it used to be `A_B`. Both
are read, the former is written. Neither tells the names of the images, so reading takes them from the features.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cyano.errors import InputError
from cyano.formats.hloc.features import SOURCE, file_digest
from cyano.formats.hloc.hdf5 import CheckedGroup, create, create_group, open_checked
from cyano.formats.items import batches, check_indices, dense_matches, pairs_of
from cyano.store import FeatureStore, MatchStore, Precision, StoredPair

__all__ = ["export_matches", "import_matches", "read_matches"]

_BATCH = 1000  # pairs


def export_matches(
    features: FeatureStore,
    matches: MatchStore,
    path: str | os.PathLike[str],
    pairs: Iterable[tuple[str, str]] | None = None,
    *,
    overwrite: bool = False,
) -> int:
    """Write hloc's file of matches; scores keep the precision of the store, and two-view geometries are left out.

    Args:
        features: that the matches were made from, which says how many keypoints there are.
        matches: the matches.
        path: of the file, usually `matches.h5`.
        pairs: of images, in the direction in which they are written; None for all as they are stored.
        overwrite: replace an existing file.

    Returns:
        How many pairs it holds.

    Raises:
        InputError: a pair or its features are not stored, a keypoint has two matches, or two images have the same
            name once slashes are dashes.
        OutputError: the file exists, cannot be written, or the disk has too little space.
        MissingExtraError: h5py is not installed.

    Example:
        >>> features, matches, names = collection.stored()
        >>> export_matches(features, matches, "matches.h5", [("view0.png", "view1.png")])
        1
    """
    chosen = sorted(matches.keys()) if pairs is None else list(pairs)
    names = sorted({name for pair in chosen for name in pair})
    for images in _by_dashed_name(names).values():
        _only(images)
    counts = features.keypoint_counts(names)
    with create(path, overwrite=overwrite) as file:
        for pair in pairs_of(matches, chosen):
            check_indices(pair, counts)
            _write_pair(file, pair, counts[pair.name0], matches.precision)
    return len(chosen)


def _write_pair(file: Any, pair: StoredPair, count: int, precision: Precision) -> None:
    matches0, scores0 = dense_matches(pair, count)
    group = create_group(create_group(file, _dashed(pair.name0)), _dashed(pair.name1))
    if len(group):
        raise InputError(f"the pair of {pair.name0!r} and {pair.name1!r} is given twice; give each pair once")
    group.create_dataset("matches0", data=matches0.astype(np.int32))
    group.create_dataset("matching_scores0", data=scores0.astype(precision))


def read_matches(path: str | os.PathLike[str], counts: Mapping[str, int]) -> Iterator[StoredPair]:
    """The matches of all pairs in hloc's file, one after the other.

    Args:
        path: of the file, by whomever it was made.
        counts: how many keypoints each image has, by name; images beyond those in the file do no harm.

    Yields:
        Pairs in the order of the file's groups. Of a pair that is there both ways round, the first counts.

    Raises:
        InputError: the file is not of this form, not safe to read, of other images or other features.
        MissingExtraError: h5py is not installed.

    Example:
        >>> features, matches, names = collection.stored()
        >>> count = export_matches(features, matches, "matches.h5", [("view0.png", "view1.png")])
        >>> [pair.name1 for pair in read_matches("matches.h5", features.keypoint_counts(names))]
        ['view1.png']
    """
    images = _by_dashed_name(counts)
    seen: set[tuple[str, str]] = set()
    with open_checked(path) as file:
        for group in file.groups():
            if "matches0" not in group.datasets:
                continue
            name0, name1 = _pair_names(group.name, images, file.path)
            if (name1, name0) not in seen:
                seen.add((name0, name1))
                yield _pair(group, name0, name1, counts)


def import_matches(
    path: str | os.PathLike[str],
    root: str | os.PathLike[str],
    features: FeatureStore,
    *,
    precision: Precision = "float32",
    force: bool = False,
) -> MatchStore:
    """Take hloc's matches into a store; what is there already is left.

    Args:
        path: of hloc's file.
        root: folder of the store.
        features: of the images.
        precision: of the scores in the store.
        force: begin anew beside the matches of other configurations or files instead of refusing.

    Returns:
        The store. Its configuration is that of the features, and the hash of the file.

    Raises:
        InputError: the file is not of this form, not safe to read, of other images or other features.
        OutputError: the store holds other matches, or cannot be written.
        MissingExtraError: h5py is not installed.

    Example:
        >>> features, matches, names = collection.stored()
        >>> counts = export_features(features, "features.h5"), export_matches(features, matches, "matches.h5")
        >>> imported = import_features("features.h5", "imported")
        >>> import_matches("matches.h5", "imported", imported).count()
        15
    """
    counts = features.keypoint_counts(features.keys())
    inherited = {f"features_{name}": value for name, value in features.configuration.items()}
    configuration = {**inherited, "source": SOURCE, "file_blake2b": file_digest(path)}
    store: MatchStore | None = None
    for batch in batches(read_matches(path, counts), _BATCH):
        if store is None:  # only for a file that begins well
            store = MatchStore(root, configuration, precision=precision, force=force)
        missing = set(store.missing([(pair.name0, pair.name1) for pair in batch]))
        store.write([pair for pair in batch if (pair.name0, pair.name1) in missing])
    if store is None:
        raise InputError(f"{os.fspath(path)} holds no matches; give hloc's file of matches")
    return store


def _dashed(name: str) -> str:
    return name.replace("/", "-")


def _by_dashed_name(names: Iterable[str]) -> dict[str, list[str]]:
    """The images that a dashed name may stand for."""
    images: dict[str, list[str]] = {}
    for name in names:
        images.setdefault(_dashed(name), []).append(name)
    return images


def _only(images: Sequence[str]) -> str:
    """The one image that a dashed name stands for."""
    if len(images) > 1:
        raise InputError(
            f"hloc's matches write slashes as dashes, so {images[0]!r} and {images[1]!r} are the same; rename one"
        )
    return images[0]


def _pair_names(group: str, images: Mapping[str, Sequence[str]], path: str) -> tuple[str, str]:
    """The names of the two images of a group, whichever of the two forms its name has."""
    separator = "/" if "/" in group else "_"
    places = [place for place, character in enumerate(group) if character == separator]
    divided = [(group[:place], group[place + 1 :]) for place in places]
    known = [(images[name0], images[name1]) for name0, name1 in divided if name0 in images and name1 in images]
    if len(known) != 1:
        fact = "may be several pairs" if known else "is not a pair"
        raise InputError(f"{path}: the group {group!r} {fact} of the images; give the features of these matches")
    images0, images1 = known[0]
    return _only(images0), _only(images1)


def _pair(group: CheckedGroup, name0: str, name1: str, counts: Mapping[str, int]) -> StoredPair:
    matches0 = group.array("matches0", "iu", (counts[name0],)).astype(np.int64)
    scores0 = group.array("matching_scores0", "f", (counts[name0],))
    matched = np.flatnonzero(matches0 != -1)
    matches1 = matches0[matched]
    if len(matches1) and not 0 <= matches1.min() <= matches1.max() < counts[name1]:
        raise InputError(
            f"{group.name!r} has match indices from {matches1.min()} to {matches1.max()}, and {name1!r} has "
            f"{counts[name1]} keypoints; give the features of these matches"
        )
    indices = np.stack([matched, matches1], axis=1).astype(np.int32)
    with np.errstate(over="ignore"):
        return StoredPair(name0, name1, indices, scores0[matched].astype(np.float32))
