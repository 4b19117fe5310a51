"""Posed images with depth as a source of training pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cyano.errors import InputError
from cyano.synthesis.scenes.posed_folders import read_folder, read_megadepth, read_scannet
from cyano.synthesis.scenes.posed_frames import FramePair

__all__ = ["read_posed"]


def read_posed(paths: Sequence[Path], *, allow_pickle: bool = False) -> list[FramePair]:
    """The pairs of some scenes, each in the layout that it is found to have.

    Args:
        paths: folders of ScanNet's exporter (with a folder `intrinsic`), folders with K.txt and poses.txt, or .npz
            files of MegaDepth's scene_info that lie in the folder which their paths start from.
        allow_pickle: see `read_megadepth`.

    Raises:
        InputError: a path is none of these, or a file in it is missing or malformed.
    """
    pairs: list[FramePair] = []
    for path in paths:
        if path.suffix == ".npz":
            pairs += read_megadepth(path, path.parent, allow_pickle=allow_pickle)
        elif (path / "intrinsic").is_dir():
            pairs += read_scannet(path)
        elif (path / "poses.txt").is_file():
            pairs += read_folder(path)
        else:
            raise InputError(
                f"{path} is no posed scene: give a folder with poses.txt and K.txt, one of ScanNet's exporter, or a "
                "scene_info .npz of MegaDepth"
            )
    return pairs
