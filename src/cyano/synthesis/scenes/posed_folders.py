"""Readers of posed RGB-D data: plain folders, ScanNet's exported frames, MegaDepth's scenes.

Each returns the list of pairs; `load_pair` reads one of them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cyano.errors import InputError
from cyano.geometry.camera import Camera
from cyano.geometry.transforms import invert_rigid
from cyano.reading import read_arrays, read_text, refusing
from cyano.synthesis.scenes.posed_frames import FramePair, PosedFrame, read_matrix

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["read_folder", "read_megadepth", "read_scannet"]

_COLMAP_CENTRE = 0.5


def read_folder(folder: str | os.PathLike[str]) -> list[FramePair]:
    """A scene in a plain folder.

    color/F.jpg, depth/F.png (16 bits, millimetres, 0 where unknown, registered to the colour), K.txt (9 numbers,
    row by row, for both), poses.txt (lines of F and 16 numbers: T_camera_to_world, row by row, metres), pairs3d.txt
    (lines of F0, F1 and, if known, the overlap; further columns are skipped). Where poses of frames are coarse, as from
    motion capture, pairs3d_refined.txt takes its place: the same, and the last 16 numbers of a line are T_0to1. Lines
    that start with # are comments.

    Raises:
        InputError: a file is missing or malformed, or a pair names an unknown frame.
    """
    root = Path(folder)
    camera = Camera.from_matrix(read_matrix(root / "K.txt", 3))
    frames = {}
    for name, *numbers in _lines(root / "poses.txt", 17):
        pose = np.array([_number(root / "poses.txt", word) for word in numbers]).reshape(4, 4)
        frames[name] = PosedFrame(root / "color" / f"{name}.jpg", root / "depth" / f"{name}.png", camera, camera, pose)
    refined = root / "pairs3d_refined.txt"
    return _refined_pairs(refined, frames) if refined.is_file() else _listed_pairs(root / "pairs3d.txt", frames)


def read_scannet(folder: str | os.PathLike[str], gaps: Sequence[int] = (10, 20, 40)) -> list[FramePair]:
    """A ScanNet scene as its exporter writes it.

    color/F.jpg, depth/F.png (millimetres), pose/F.txt (T_camera_to_world, metres), intrinsic/intrinsic_color.txt
    and intrinsic/intrinsic_depth.txt; frames are numbered. Frames that were lost by the tracker (poses that are not
    finite) are left out. The pairs are those of pairs3d.txt (see `read_folder`) where there is one; else frames whose
    numbers differ by one of the gaps.

    Args:
        folder: the scene's.
        gaps: differences of frame numbers.

    Raises:
        InputError: a file is missing or malformed, or there is no frame.
    """
    root = Path(folder)
    camera, depth_camera = (
        Camera.from_matrix(read_matrix(root / "intrinsic" / f"intrinsic_{kind}.txt", 3)) for kind in ("color", "depth")
    )
    frames = {}
    for path in sorted((root / "pose").glob("*.txt"), key=lambda path: (len(path.stem), path.stem)):
        pose = read_matrix(path, 4)
        if np.isfinite(pose).all():
            image, depth = root / "color" / f"{path.stem}.jpg", root / "depth" / f"{path.stem}.png"
            frames[path.stem] = PosedFrame(image, depth, camera, depth_camera, pose)
    if not frames:
        raise InputError(f"{root / 'pose'} holds no pose; ScanNet scenes have pose/0.txt and so on")
    if (root / "pairs3d.txt").is_file():
        return _listed_pairs(root / "pairs3d.txt", frames)
    return list(_pairs_by_gap(frames, gaps, root))


def _pairs_by_gap(frames: dict[str, PosedFrame], gaps: Sequence[int], root: Path) -> Iterator[FramePair]:
    try:
        numbered = {int(name): frame for name, frame in frames.items()}
    except ValueError as error:
        raise InputError(f"{root}: frames are named by numbers, as in pose/0.txt: {error}") from error
    for gap in gaps:
        for number, frame in numbered.items():
            if number + gap in numbered:
                yield FramePair(frame, numbered[number + gap])


def read_megadepth(
    scene_info: str | os.PathLike[str],
    root: str | os.PathLike[str],
    overlap: tuple[float, float] = (0.1, 0.7),
    *,
    allow_pickle: bool = False,
) -> list[FramePair]:
    """The pairs of one scene_info file of MegaDepth, as D2-Net's preprocessing or LoFTR's split wrote it.

    The file is an .npz with image_paths, depth_paths, intrinsics and poses (world to camera) by image, and either
    overlap_matrix (D2-Net) or pair_infos (LoFTR: rows of two indices and their overlap). Both programs pickle some of
    these, and reading pickles runs code that is in the file. Intrinsics come from COLMAP, whose pixel centres lie at
    halves; here they are brought to this project's frame.

    Args:
        scene_info: the .npz file.
        root: the folder that its paths start from.
        overlap: keeps pairs strictly between the two shares. D2-Net's matrix is not symmetric; the smaller counts.
        allow_pickle: read pickled objects. Only for files from where you would run a program from.

    Raises:
        InputError: the file is missing, has other contents, or holds pickled objects that are not allowed.
    """
    path = Path(scene_info)
    remedy = "give a scene_info file of MegaDepth"
    if not allow_pickle:
        remedy += "; pickled objects run code when they are read: add --allow-pickle only if you trust the file"
    info = read_arrays(path, remedy=remedy, pickled=allow_pickle)
    missing = {"image_paths", "depth_paths", "intrinsics", "poses"} - set(info)
    if missing or not {"pair_infos", "overlap_matrix"} & set(info):
        needed = ", ".join(sorted(missing)) or "pair_infos or overlap_matrix"
        raise InputError(f"{path} is not a scene_info file of MegaDepth: it lacks {needed}")
    with refusing(path, remedy):
        return _megadepth_pairs(info, Path(root), overlap)


def _megadepth_pairs(info: dict[str, Any], root: Path, overlap: tuple[float, float]) -> list[FramePair]:
    """The pairs that overlap as wanted."""
    frames: dict[int, PosedFrame] = {}
    pairs = []
    for index0, index1, share in _megadepth_overlaps(info):
        if not overlap[0] < share < overlap[1]:
            continue
        for index in (index0, index1):
            if index not in frames:
                frames[index] = _megadepth_frame(info, index, root)
        pairs.append(FramePair(frames[index0], frames[index1], share))
    return pairs


def _megadepth_overlaps(info: dict[str, Any]) -> Iterator[tuple[int, int, float]]:
    """Two indices and the overlap of each pair whose images and depths exist."""
    if "pair_infos" in info:
        for row in info["pair_infos"]:
            yield int(row[0][0]), int(row[0][1]), float(row[1])
        return
    matrix = np.asarray(info["overlap_matrix"], dtype=np.float64)
    smaller = np.minimum(matrix, matrix.T)  # -1 where D2-Net did not compare them
    for index0, index1 in zip(*np.nonzero(np.triu(smaller, 1) > 0), strict=True):
        if all(info[kind][index] is not None for kind in ("image_paths", "depth_paths") for index in (index0, index1)):
            yield int(index0), int(index1), float(smaller[index0, index1])


def _megadepth_frame(info: dict[str, Any], index: int, root: Path) -> PosedFrame:
    K: NDArray[np.float64] = np.array(info["intrinsics"][index], dtype=np.float64)
    K[:2, 2] -= _COLMAP_CENTRE
    camera = Camera.from_matrix(K)
    image, depth = root / str(info["image_paths"][index]), root / str(info["depth_paths"][index])
    return PosedFrame(image, depth, camera, camera, invert_rigid(info["poses"][index]))


def _listed_pairs(path: Path, frames: dict[str, PosedFrame]) -> list[FramePair]:
    return _pairs(path, frames, _lines(path, 2))


def _pairs(path: Path, frames: dict[str, PosedFrame], lines: Iterable[list[str]]) -> list[FramePair]:
    """Pairs of lines that begin with the names of two frames and, if known, the overlap."""
    pairs = []
    for name0, name1, *rest in lines:
        unknown = {name0, name1} - set(frames)
        if unknown:
            raise InputError(f"{path} names frames without a pose: {', '.join(sorted(unknown))}")
        pairs.append(FramePair(frames[name0], frames[name1], _number(path, rest[0]) if rest else None))
    return pairs


def _refined_pairs(path: Path, frames: dict[str, PosedFrame]) -> list[FramePair]:
    """Pairs with relative poses of their own."""
    lines = list(_lines(path, 2 + 16))
    matrices = [[_number(path, word) for word in line[-16:]] for line in lines]
    pairs = _pairs(path, frames, (line[:-16] for line in lines))
    return [replace(pair, T_0to1=np.reshape(T, (4, 4))) for pair, T in zip(pairs, matrices, strict=True)]


def _lines(path: Path, words: int) -> Iterator[list[str]]:
    """The words of each line that is not a comment, at least so many."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if len(fields) < words:
            raise InputError(f"{path}, line {number}: {words} words are needed, not {len(fields)}")
        yield fields


def _number(path: Path, word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
