"""The pair list of SuperGlue's evaluation program: one pair of images a line.

A line is `name0 name1 [turns0 turns1 [K0 x9 K1 x9 T_0to1 x16]]`, separated by white space, matrices row by
row: 2, 4 or 38 fields. Blank lines and lines that begin with `#` are skipped. Names cannot hold white space.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import write_atomically
from cyano.errors import InputError, OutputError
from cyano.reading import read_text

__all__ = ["Pair", "parse_fields", "plain_stem", "read_pairs", "unique_stems", "write_pairs"]

RIGID_TOLERANCE = 1e-3
"""How far R^T R may be from the identity, per element: lists in use print poses with as few as four
decimals."""

_MAX_NAME = 230
"""Bytes of a name that an ending of up to 25 follows; file systems take 255."""

_Number = TypeVar("_Number", int, float)

_FIELDS = "give 2 fields (names), 4 (and rotations), or 38 (and K0, K1, T_0to1 row by row); names cannot hold spaces"


@dataclass(frozen=True, eq=False, slots=True)
class Pair:
    """Two images to match, with their ground truth where it is known.

    The intrinsics and the pose belong to the images as they are stored, before the turns.

    Attributes:
        name0: path of the first image, relative to the folder of the images.
        name1: path of the second image.
        turns0: 90-degree CLOCKWISE turns that set the first image upright, 0..3 (`numpy.rot90(image,
            -turns0)`).
        turns1: likewise for the second image.
        K0: (3, 3) float64 intrinsics of camera 0 in pixels, or None.
        K1: (3, 3) float64 intrinsics of camera 1 in pixels, or None.
        T_0to1: (4, 4) float64 rigid motion that maps points of camera 0 to camera 1, or None.

    Example:
        >>> pair = Pair("a.jpg", "b.jpg", turns1=1)  # b.jpg stands upright after a quarter turn clockwise
        >>> pair.has_ground_truth
        False
    """

    name0: str
    name1: str
    turns0: int = 0
    turns1: int = 0
    K0: NDArray[np.float64] | None = None
    K1: NDArray[np.float64] | None = None
    T_0to1: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if not self.name0 or not self.name1:
            raise InputError("a pair needs the names of two images, and one is empty")
        for turns in (self.turns0, self.turns1):
            if turns not in range(4):
                raise InputError(
                    f"an image is rotated 0, 1, 2 or 3 times by 90 degrees clockwise, not {turns} times; "
                    "this is not the EXIF tag, which runs from 1 to 8"
                )
        if self.K0 is self.K1 is self.T_0to1 is None:  # nearly all of a collection's million pairs
            return
        if any(value is None for value in (self.K0, self.K1, self.T_0to1)):
            raise InputError("ground truth is K0, K1 and T_0to1 together; give all three or none")
        for name, intrinsics in (("K0", self.K0), ("K1", self.K1)):
            if intrinsics is not None:
                _check_intrinsics(name, intrinsics)
        if self.T_0to1 is not None:
            _check_rigid(self.T_0to1)

    @property
    def has_ground_truth(self) -> bool:
        """Whether the intrinsics and the relative pose are known."""
        return self.T_0to1 is not None


def _check_intrinsics(name: str, K: NDArray[np.float64]) -> None:
    if K.shape != (3, 3) or not np.isfinite(K).all():
        raise InputError(f"{name} has to be a 3x3 matrix of finite numbers")
    if K[0, 0] <= 0 or K[1, 1] <= 0 or K[1, 0] != 0 or not np.array_equal(K[2], (0, 0, 1)):
        raise InputError(
            f"{name} is not a matrix of intrinsics: it has the form [fx s cx; 0 fy cy; 0 0 1] with positive "
            f"focal lengths in pixels, row by row, not {K.tolist()}"
        )


def _check_rigid(T: NDArray[np.float64]) -> None:
    if T.shape != (4, 4) or not np.isfinite(T).all():
        raise InputError("T_0to1 has to be a 4x4 matrix of finite numbers")
    R = T[:3, :3]
    worst = float(np.abs(R.T @ R - np.eye(3)).max())
    if worst > RIGID_TOLERANCE or np.linalg.det(R) < 0 or not np.array_equal(T[3], (0, 0, 0, 1)):
        raise InputError(
            "T_0to1 is not a rigid motion: its upper left 3x3 block has to be a rotation (R^T R is "
            f"{worst:.2g} from the identity, det R = {np.linalg.det(R):.3g}) and its last row 0 0 0 1, "
            "row by row, translation in the last column"
        )


def read_pairs(path: str | os.PathLike[str]) -> list[Pair]:
    """Read a pair list.

    Args:
        path: the text file, in UTF-8.

    Returns:
        The pairs in the order of the file.

    Raises:
        InputError: the file cannot be read, a line is not understood, or the same two names occur twice; the
            message says the file, the line and what to change.

    Example:
        >>> written = Path("pairs.txt").write_text("a.jpg b.jpg 0 1")
        >>> read_pairs("pairs.txt")[0].turns1
        1
    """
    text = read_text(path, remedy="give a pair list, a text file in UTF-8")
    pairs: list[Pair] = []
    first_lines: dict[tuple[str, str], int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        try:
            pair = parse_fields(fields)
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from error
        earlier = first_lines.setdefault((pair.name0, pair.name1), number)
        if earlier != number:
            raise InputError(
                f"{path}: lines {earlier} and {number} are the same pair, {pair.name0} {pair.name1}, and "
                "would write the same files; remove one"
            )
        pairs.append(pair)
    return pairs


def parse_fields(fields: Sequence[str]) -> Pair:
    """One line's fields as a pair.

    Raises:
        InputError: they are not understood.
    """
    if len(fields) not in (2, 4, 38):
        raise InputError(f"{len(fields)} fields; {_FIELDS}")
    name0, name1 = fields[:2]
    turns = [_number(field, "a number of turns", int) for field in fields[2:4]] or [0, 0]
    if len(fields) < 38:
        return Pair(name0, name1, turns[0], turns[1])
    values = np.array([_number(field, "a number", float) for field in fields[4:]], dtype=np.float64)
    K0, K1, T = values[:9].reshape(3, 3), values[9:18].reshape(3, 3), values[18:].reshape(4, 4)
    return Pair(name0, name1, turns[0], turns[1], K0, K1, T)


def _number(field: str, what: str, convert: Callable[[str], _Number]) -> _Number:
    try:
        return convert(field)
    except ValueError:
        raise InputError(f"{field!r} is not {what}; {_FIELDS}") from None


def write_pairs(path: str | os.PathLike[str], pairs: Iterable[Pair]) -> None:
    """Write a pair list that `read_pairs` reads back exactly.

    The file appears whole or not at all. Turns are written only where some are needed or ground truth
    follows.

    Args:
        path: the file to write; an existing one is replaced.
        pairs: the pairs, in the order of the file.

    Raises:
        InputError: a name cannot stand in such a list, or the same two names occur twice.
        OutputError: the file cannot be written.

    Example:
        >>> write_pairs("pairs.txt", [Pair("a.jpg", "b.jpg")])
        >>> Path("pairs.txt").read_text().split()
        ['a.jpg', 'b.jpg']
    """
    listed = list(pairs)
    _refuse_repeats(listed)
    text = "".join(_format(pair) + "\n" for pair in listed)
    target = Path(path)
    if target.is_dir() or not target.parent.is_dir():
        raise OutputError(f"cannot write the pair list {path}; give the name of a file in a folder that exists")
    write_atomically(target, text.encode("utf-8"))


def _format(pair: Pair) -> str:
    """The line of one pair; `repr` of a float is the shortest text that gives the same float back."""
    fields = [_checked_name(pair.name0), _checked_name(pair.name1)]
    if pair.turns0 or pair.turns1 or pair.has_ground_truth:
        fields += [str(int(pair.turns0)), str(int(pair.turns1))]
    for matrix in (pair.K0, pair.K1, pair.T_0to1):
        if matrix is not None:
            fields += [repr(float(value)) for value in matrix.flat]
    return " ".join(fields)


def _checked_name(name: str) -> str:
    """The name, if a line of a pair list can hold it."""
    if name.split() != [name] or name.startswith(("#", "\ufeff")):
        raise InputError(
            f"a pair list cannot hold the name {name!r}: fields are separated by white space and # begins a "
            "comment; rename the file"
        )
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"a pair list is UTF-8 and cannot hold the name {name!r}; rename the file") from None
    return name


def plain_stem(pair: Pair) -> str:
    """The name that the original program gives a pair's output files: `{stem0}_{stem1}`, without folders.

    Example:
        >>> plain_stem(Pair("left/1.jpg", "right/1.jpg"))
        '1_1'
    """
    return f"{PurePath(pair.name0).stem}_{PurePath(pair.name1).stem}"


def unique_stems(pairs: Sequence[Pair]) -> list[str]:
    r"""A name for each pair's output files, no two alike.

    A pair has its `plain_stem`, as the original program writes it, unless another pair of the list would have
    the same: `a/1.jpg b/1.jpg` and `c/1.jpg d/1.jpg` both give `1_1`. All pairs of such a group are named by
    their whole paths instead, `a+1.jpg=b+1.jpg`; the characters `+ = % \` of the paths themselves are
    written as `%2B` and so on, so different pairs never meet. A pair is named by its paths exactly where the
    result differs from `plain_stem(pair)`, which is how a program can tell its user. Of a name that is longer than
    file systems take with its ending, a hash stands for the end.

    Args:
        pairs: the pairs of one run.

    Returns:
        One name for each pair, in the same order; it holds no path separator.

    Raises:
        InputError: the same two names occur twice.

    Example:
        >>> unique_stems([Pair("a/1.jpg", "b/1.jpg"), Pair("c/1.jpg", "d/1.jpg"), Pair("c/2.jpg", "d/1.jpg")])
        ['a+1.jpg=b+1.jpg', 'c+1.jpg=d+1.jpg', '2_1']
    """
    _refuse_repeats(pairs)
    plain = [plain_stem(pair) for pair in pairs]
    qualified = [f"{_flat(pair.name0)}={_flat(pair.name1)}" for pair in pairs]
    counts, taken = Counter(plain), set(qualified)
    return [
        _shortened(short if counts[short] == 1 and short not in taken else whole)
        for short, whole in zip(plain, qualified, strict=True)
    ]


def _shortened(name: str) -> str:
    """A name of a bounded number of bytes; different names stay different."""
    encoded = os.fsencode(name)
    if len(encoded) <= _MAX_NAME:
        return name
    digest = hashlib.blake2b(encoded, digest_size=8).hexdigest()
    return f"{encoded[: _MAX_NAME - 17].decode('utf-8', 'ignore')}~{digest}"


def _flat(name: str) -> str:
    """A path as one file name; different paths give different names."""
    escaped = name
    for character in "%+=\\":  # % first: it is what the others are written with
        escaped = escaped.replace(character, f"%{ord(character):02X}")
    return escaped.replace("/", "+")


def _refuse_repeats(pairs: Sequence[Pair]) -> None:
    first_seen: dict[tuple[str, str], int] = {}
    for position, pair in enumerate(pairs, start=1):
        earlier = first_seen.setdefault((pair.name0, pair.name1), position)
        if earlier != position:
            raise InputError(
                f"entries {earlier} and {position} of the list are the same pair, {pair.name0} "
                f"{pair.name1}, and would write the same files; remove one"
            )
