"""Folders, patterns and lists of image files as sources."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePath

from cyano.engine.finding import find_images, readable_suffixes
from cyano.errors import ImageError, InputError
from cyano.processing.images import read
from cyano.video.frames import Frame
from cyano.video.options import SourceOptions
from cyano.video.readers import Reader

__all__ = ["ImageReader", "images_in", "images_like", "names_from"]


class ImageReader(Reader):
    """Image files, each a frame: the i-th of them is frame i."""

    kind = "images"

    def __init__(self, name: str, paths: Iterable[Path]) -> None:
        """Read nothing yet.

        Args:
            name: of the source.
            paths: of the files, taken as they are needed.
        """
        super().__init__(name)
        self._paths = paths
        self.files = paths if isinstance(paths, list) else ()

    def _frames(self, options: SourceOptions) -> Iterator[Frame]:
        """The frames that are taken; files that cannot be read are counted and left out."""
        first = ""
        for index, path in enumerate(self._paths):
            time = None if options.fps is None else index / options.fps
            if options.is_over(time):
                return
            if not options.takes(index, time):
                continue
            try:
                image = read(path)
            except ImageError as error:
                self.damaged, first = self.damaged + 1, first or str(error)
                if self._spoilt(str(error)):
                    return
                continue
            self._note()
            yield Frame(index, image.rgb, time, path.name)
        if self.damaged and not self._readable:
            self._end_early(f"none of the images can be read: {first}")

    def close(self) -> None:
        """Nothing is open."""


def images_in(folder: Path, globs: tuple[str, ...] = ()) -> list[Path]:
    """The images of a folder and of those below, by name.

    Args:
        folder: where they are.
        globs: patterns of the names that count; none for all.

    Raises:
        InputError: there are none.
    """
    names = find_images(folder, readable_suffixes())
    chosen = [name for name in names if not globs or any(fnmatch(PurePath(name).name, each) for each in globs)]
    if not chosen:
        raise InputError(f"{folder} holds {len(names)} images, none of them {' or '.join(globs)}; check --image-glob")
    return [folder / name for name in chosen]


def images_like(pattern: str) -> list[Path]:
    """The files that a pattern means, by name.

    Raises:
        InputError: there are none.
    """
    paths = [Path(name) for name in sorted(glob.glob(pattern, recursive=True)) if Path(name).is_file()]
    if not paths:
        raise InputError(f"no file is named {pattern}; check SOURCE")
    return paths


def names_from(lines: Iterable[bytes]) -> Iterator[Path]:
    """The paths in lines, as they come; empty lines count for nothing."""
    for line in lines:
        name = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
        if name:
            yield Path(name)
