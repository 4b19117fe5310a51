"""Sets of pairs from a folder: one reader for each layout, tried in turn."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError, MissingExtraError
from cyano.evaluation.demo_pair import load_demo_pair
from cyano.evaluation.sets.pair_sets import (
    EvaluationPair,
    KnownCorrespondences,
    KnownDisparity,
    KnownHomography,
    KnownPose,
    PairSet,
    Truth,
)
from cyano.pairs import read_pairs
from cyano.reading import read_text

__all__ = ["STEREO_SET", "find_sets", "stereo_set"]

STEREO_SET = "motorcycle"
"""The name of scikit-image's stereo pair."""

_IMAGE_ENDINGS = (".ppm", ".pgm", ".png", ".jpg", ".jpeg")


def find_sets(root: Path) -> list[PairSet]:
    """All sets in a folder and in the folders directly in it, in the order of their names.

    A set is a folder with one of:

    - `pairs.txt` or `*_pairs_with_gt.txt` (ScanNet-1500, YFCC and MegaDepth-1500 as SuperGlue's program takes them):
      a list in the match_pairs form with 38 fields a line; images are beside it, or in a folder beside it;
    - `pairs_calibrated.txt`: name0 name1 K0(9) K1(9) R(9) t(3), as glue-factory takes ScanNet-1500 and MegaDepth-1500;
    - `pairs_h.txt`: name0 name1 H(9), which maps pixels of image 0 to image 1;
    - `pairs_c.txt`: name0 name1 file, whose lines are x0 y0 x1 y1 of true correspondences;
    - the HPatches layout: folders `v_*` and `i_*` with images 1 to 6 and `H_1_2` to `H_1_6`. Those whose names begin
      with `i_` and those with `v_` become two sets.

    A folder with several of these gives several sets, the second and later ones named `NAME-homography` and so on.

    Raises:
        InputError: there is no such folder, no set in it, or a list that cannot be understood.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; give the one that holds the sets")
    inside = (path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    folders = [root, *sorted(inside)]
    sets = [found for folder in folders for found in _sets_in(folder)]
    if not sets:
        raise InputError(
            f"{root} and the folders in it hold no pairs.txt, pairs_h.txt, pairs_c.txt or another list with ground "
            "truth; see the documentation for the layouts"
        )
    return sets


def stereo_set() -> PairSet:
    """The stereo pair that scikit-image brings.

    Raises:
        MissingExtraError: scikit-image is not installed.
        InputError: its data is not there and cannot be fetched.
    """
    try:
        pair = load_demo_pair()
    except MissingExtraError:
        raise
    except (OSError, ValueError, ImportError) as error:  # pooch, absent or offline
        raise InputError(f"scikit-image's stereo pair is not on this machine: {error}") from error
    truth = KnownDisparity(pair.disparity)
    return PairSet(STEREO_SET, (EvaluationPair("left", "right", pair.left, pair.right, truth),))


_Pairs = list[EvaluationPair]


def _sets_in(folder: Path) -> Iterator[PairSet]:
    """The sets of one folder."""
    name = folder.resolve().name
    taken = False
    for file, kind, reader in _lists(folder):
        pairs = reader(file)
        if pairs:
            yield PairSet(f"{name}-{kind}" if taken else name, pairs)
            taken = True
    for letter, kind in (("v", "viewpoint"), ("i", "illumination")):
        pairs = [pair for scene in sorted(folder.glob(f"{letter}_*")) for pair in _hpatches_scene(scene)]
        if pairs:
            yield PairSet(f"{name}-{kind}", pairs)


def _lists(folder: Path) -> Iterator[tuple[Path, str, Callable[[Path], _Pairs]]]:
    posed = [folder / "pairs.txt", *sorted(folder.glob("*_pairs_with_gt.txt"))]
    for file in posed:
        yield file, f"pose-{file.stem}", _read_posed
    yield folder / "pairs_calibrated.txt", "calibrated", _read_calibrated
    yield folder / "pairs_h.txt", "homography", _read_homographies
    yield folder / "pairs_c.txt", "correspondences", _read_correspondences


def _read_posed(path: Path) -> _Pairs:
    if not path.is_file():
        return []
    listed = [pair for pair in read_pairs(path) if pair.has_ground_truth]
    folder = _image_folder(path.parent, [pair.name0 for pair in listed])
    pairs = []
    for pair in listed:
        if pair.K0 is None or pair.K1 is None or pair.T_0to1 is None:
            continue  # never: has_ground_truth says so, but not to the type checker
        truth = KnownPose(pair.K0, pair.K1, pair.T_0to1)
        pairs.append(_pair(folder, pair.name0, pair.name1, truth, (pair.turns0, pair.turns1)))
    return pairs


def _read_calibrated(path: Path) -> _Pairs:
    rows = list(_rows(path, 32))
    folder = _image_folder(path.parent, [fields[0] for fields in rows])
    pairs = []
    for fields in rows:
        numbers = _numbers(fields[2:], path)
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = numbers[18:27].reshape(3, 3), numbers[27:]
        truth = KnownPose(numbers[:9].reshape(3, 3), numbers[9:18].reshape(3, 3), T)
        pairs.append(_pair(folder, fields[0], fields[1], truth))
    return pairs


def _read_homographies(path: Path) -> _Pairs:
    return [
        _pair(path.parent, fields[0], fields[1], KnownHomography(_numbers(fields[2:], path).reshape(3, 3)))
        for fields in _rows(path, 11)
    ]


def _read_correspondences(path: Path) -> _Pairs:
    pairs = []
    for name0, name1, listed in _rows(path, 3):
        file = path.parent / listed
        points = np.array([_numbers(fields, file) for fields in _rows(file, 4)]).reshape(-1, 4)
        if not len(points):
            raise InputError(f"{path} names {file}, which is missing or holds no correspondences")
        pairs.append(_pair(path.parent, name0, name1, KnownCorrespondences(points[:, :2], points[:, 2:])))
    return pairs


def _hpatches_scene(folder: Path) -> Iterator[EvaluationPair]:
    """The pairs of image 1 with the others, where both images and the homography are there."""
    first = _numbered_image(folder, 1)
    for number in range(2, 7):
        other, file = _numbered_image(folder, number), folder / f"H_1_{number}"
        if first is None or other is None or not file.is_file():
            continue
        H = np.array([_numbers(fields, file) for fields in _rows(file, 3)])
        if H.shape != (3, 3):
            raise InputError(f"{file} has a matrix of {H.shape[0]} rows, not 3")
        names = (f"{folder.name}/{first.name}", f"{folder.name}/{other.name}")
        yield _pair(folder.parent, *names, KnownHomography(H))


def _numbered_image(folder: Path, number: int) -> Path | None:
    found = (folder / f"{number}{ending}" for ending in _IMAGE_ENDINGS)
    return next((path for path in found if path.is_file()), None)


def _image_folder(folder: Path, names: Sequence[str]) -> Path:
    """Where the images of a list are: the folder itself, or the first one in it that has one of them."""
    candidates = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    return next((place for place in candidates if any(os.path.isfile(place / name) for name in names)), folder)


def _pair(folder: Path, name0: str, name1: str, truth: Truth, turns: tuple[int, int] = (0, 0)) -> EvaluationPair:
    return EvaluationPair(name0, name1, folder / name0, folder / name1, truth, *turns)


def _rows(path: Path, count: int) -> Iterator[list[str]]:
    """The fields of each line that is not blank and not a comment; nothing if there is no such file.

    Raises:
        InputError: the file cannot be read, or a line has another number of fields.
    """
    if not path.is_file():
        return
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if len(fields) != count:
            raise InputError(f"{path}, line {number}: {len(fields)} fields where {count} are expected")
        yield fields


def _numbers(fields: Sequence[str], path: Path) -> NDArray[np.float64]:
    try:
        numbers = np.array([float(field) for field in fields])
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    if not np.isfinite(numbers).all():
        raise InputError(f"{path} holds numbers that are not finite")
    return numbers
