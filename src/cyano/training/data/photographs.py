"""Any folder of photographs as grey arrays, split into training and validation by family."""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.errors import ImageError, InputError
from cyano.processing.images import read
from cyano.processing.resize import ResizeRule, apply
from cyano.reading import read_text

__all__ = ["Photographs", "find_photographs"]

logger = logging.getLogger(__name__)

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"})
_CACHED = 2500
"""Photographs kept in memory by each process, as bytes of grey: 0.3 MB each at 640x480."""


def find_photographs(folder: Path, validation: float = 0.05) -> tuple[list[Path], list[Path]]:
    """All photographs below a folder in a fixed order, and a share of them kept aside.

    Photographs of one family (the source before "#" or "|" in a `manifest.csv` beside them, else the file name before
    its number) go to the same side, since a validation on a neighbour of a training picture says nothing.

    Args:
        folder: searched with its sub-folders.
        validation: share to keep aside, at least one family if positive and there are two.

    Returns:
        Paths to train on, paths kept aside.

    Raises:
        InputError: the folder is missing or holds no photograph, or a manifest cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give one with photographs")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise InputError(f"{folder} holds no photographs ({', '.join(sorted(SUFFIXES))})")
    sources = _manifest_sources(folder)
    families: dict[str, list[Path]] = {}
    for path in paths:
        families.setdefault(sources.get(path, re.split(r"[\d_-]", path.stem)[0]), []).append(path)
    order = sorted(families, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    aside: list[Path] = []
    for name in order[:-1]:  # at least one family is trained on
        if len(aside) + len(families[name]) / 2 <= validation * len(paths) or (validation > 0 and not aside):
            aside += families[name]
    kept = set(aside)
    return [path for path in paths if path not in kept], sorted(aside)


def _manifest_sources(folder: Path) -> dict[Path, str]:
    """What the manifests below a folder say of the files beside them; rows without a file or a source say nothing."""
    sources = {}
    for path in folder.rglob("manifest.csv"):
        remedy = "save it as CSV in UTF-8, or rename it if it is not about photographs"
        try:
            rows = list(csv.DictReader(io.StringIO(read_text(path, remedy=remedy), newline="")))
        except csv.Error as error:
            raise InputError(f"{path} cannot be read as CSV ({error}); {remedy}") from error
        for row in rows:
            if row.get("file") and row.get("source"):
                sources[path.parent / row["file"]] = re.split(r"[#|]", row["source"])[0]
    return sources


class Photographs:
    """Photographs as grey arrays, read when wanted and kept while there is room."""

    def __init__(self, paths: Sequence[Path], longest: int = 640) -> None:
        """Name the photographs.

        Args:
            paths: what to read.
            longest: larger ones are reduced to this longest side, in pixels.
        """
        self.paths = tuple(paths)
        self._rule = ResizeRule.longest(longest)
        self._read = lru_cache(maxsize=_CACHED)(self._read_bytes)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        """(H, W) float32 in [0, 1].

        Raises:
            ImageError: it cannot be read.
        """
        return self._read(index).astype(np.float32) / np.float32(255)

    def _read_bytes(self, index: int) -> NDArray[np.uint8]:
        grey, _ = apply(read(self.paths[index]), self._rule)
        return np.rint(grey * 255).astype(np.uint8)

    def __getstate__(self) -> dict[str, object]:
        return {"paths": self.paths, "_rule": self._rule}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._read = lru_cache(maxsize=_CACHED)(self._read_bytes)

    def draw(self, rng: np.random.Generator) -> tuple[int, NDArray[np.float32]]:
        """A random photograph that can be read, with its number; damaged ones are passed over with a warning.

        Raises:
            InputError: a hundred in a row cannot be read.
        """
        for _ in range(100):
            index = int(rng.integers(len(self.paths)))
            try:
                return index, self[index]
            except ImageError as error:
                logger.warning("left out: %s", error)
        raise InputError("none of a hundred photographs could be read; check the folder")
