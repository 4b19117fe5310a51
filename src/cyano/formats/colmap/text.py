"""COLMAP's text files, for those who import features and matches with its own commands.

- `features/NAME.txt` of each image: a line `N 128`, then N lines `X Y SCALE ORIENTATION` and 128 numbers of a
  descriptor, in COLMAP's pixels;
- `pairs.txt`: lines `NAME0 NAME1`;
- `matches.txt`: for each pair a line `NAME0 NAME1`, lines `INDEX0 INDEX1`, and an empty line.

COLMAP takes descriptors of SIFT's length only, so zeros stand for Cyano's; the matches make up for them. For many
images the database is far faster.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import written_beside
from cyano.errors import InputError
from cyano.formats.colmap.pixels import keypoints_from_colmap, keypoints_to_colmap
from cyano.formats.items import check_indices, check_path, images_of, pairs_of
from cyano.reading import read_text
from cyano.store import FeatureStore, MatchStore, StoredImage, StoredPair

__all__ = ["export_text", "read_text_keypoints", "read_text_matches"]

_CHANNELS = 128
_ZEROS = " 0" * _CHANNELS
_DIGITS = 10  # of 2**31, more than any index


def export_text(
    folder: str | os.PathLike[str],
    features: FeatureStore,
    matches: MatchStore,
    *,
    verified: bool = False,
    overwrite: bool = False,
) -> None:
    """Write the text files of all images and pairs.

    Args:
        folder: where to; it appears whole or not at all.
        features: of the images.
        matches: made from them.
        verified: write only the matches that obey the stored two-view geometry, for a match list of type "inliers";
            else all, for type "raw".
        overwrite: replace an existing folder.

    Raises:
        InputError: matches are of other features, or a name has white space, which ends a name in these files.
        OutputError: the folder exists or cannot be written.

    Example:
        >>> features, matches, names = collection.stored()
        >>> export_text("text", features, matches, verified=True)
        >>> Path("text/pairs.txt").exists()
        True
    """
    names = sorted(features.keys())
    for name in names:
        _check_name(name)
    counts: dict[str, int] = {}
    with written_beside(Path(folder), overwrite=overwrite) as beside:
        for image in images_of(features, names):
            counts[image.name] = len(image.scores)
            path = beside / "features" / f"{image.name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_feature_lines(image), encoding="utf-8")
        beside.mkdir(exist_ok=True)
        with (
            (beside / "pairs.txt").open("w", encoding="utf-8") as pairs,
            (beside / "matches.txt").open("w", encoding="utf-8") as lines,
        ):
            for pair in pairs_of(matches, sorted(matches.keys())):
                check_indices(pair, counts)
                _write_pair(pair, pairs, lines, verified=verified)


def _check_name(name: str) -> None:
    check_path(name)
    if name.split() != [name] or name.startswith("#"):
        raise InputError(f"COLMAP's text files cannot hold the name {name!r}: white space ends a name; rename the file")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"text files are UTF-8 and cannot hold the name {name!r}; rename the file") from None


def _feature_lines(image: StoredImage) -> str:
    lines = [f"{len(image.scores)} {_CHANNELS}"]
    # Nine digits give the same float32 back. Scale and orientation are not known.
    lines += [f"{x:.9g} {y:.9g} 1 0{_ZEROS}" for x, y in keypoints_to_colmap(image.keypoints).tolist()]
    return "\n".join(lines) + "\n"


def _write_pair(pair: StoredPair, pairs: TextIO, lines: TextIO, *, verified: bool) -> None:
    indices = pair.indices
    if verified:
        indices = indices[:0] if pair.geometry is None else pair.verified
    pairs.write(f"{pair.name0} {pair.name1}\n")
    rows = "".join(f"{first} {second}\n" for first, second in indices.tolist())
    lines.write(f"{pair.name0} {pair.name1}\n{rows}\n")


def read_text_keypoints(path: str | os.PathLike[str]) -> NDArray[np.float32]:
    """The positions in COLMAP's text file of an image's features.

    Args:
        path: of the file.

    Returns:
        (N, 2) float32, (x, y) in Cyano's pixels.

    Raises:
        InputError: the file cannot be read or is not of this form.

    Example:
        >>> features, matches, names = collection.stored()
        >>> export_text("text", features, matches)
        >>> path = next(Path("text").rglob("view0.png.txt"))
        >>> read_text_keypoints(path).shape
        (200, 2)
    """
    lines = _lines(path)
    try:
        count, channels = (int(field) for field in lines[0].split())
        rows = [[float(field) for field in line.split()] for line in lines[1:] if line.strip()]
        if len(rows) != count or any(len(row) != 4 + channels for row in rows):
            raise ValueError(f"{len(rows)} features, not {count}, or not 4 and {channels} numbers in each line")
        positions = np.array([row[:2] for row in rows], np.float32).reshape(-1, 2)
        if not np.isfinite(positions).all():
            raise ValueError("a position is not finite")
    except (ValueError, IndexError) as error:
        raise InputError(f"{os.fspath(path)} is not a COLMAP text file of features: {error}") from error
    return keypoints_from_colmap(positions)


def read_text_matches(path: str | os.PathLike[str]) -> Iterator[StoredPair]:
    """The pairs in COLMAP's text file of matches, scores all 1.

    Args:
        path: of the file.

    Yields:
        Pairs in the order of the file.

    Raises:
        InputError: the file cannot be read or is not of this form; the message says the line.

    Example:
        >>> features, matches, names = collection.stored()
        >>> export_text("text", features, matches)
        >>> len(list(read_text_matches("text/matches.txt")))
        15
    """
    names: list[str] = []
    rows: list[tuple[int, int]] = []
    for number, line in enumerate([*_lines(path), ""], start=1):
        fields = line.split()
        if len(fields) not in (0, 2) or (names and not all(map(_is_index, fields))):
            raise InputError(
                f"{os.fspath(path)}, line {number}: not two names, two indices from 0, or the empty line after a pair"
            )
        if names and not fields:
            indices = np.array(rows, np.int32).reshape(-1, 2)
            yield StoredPair(names[0], names[1], indices, np.ones(len(rows), np.float32))
            names, rows = [], []
        elif names:
            rows.append((int(fields[0]), int(fields[1])))
        else:
            names = fields


def _is_index(field: str) -> bool:
    return field.isdecimal() and len(field) < _DIGITS


def _lines(path: str | os.PathLike[str]) -> list[str]:
    return read_text(path).splitlines()
