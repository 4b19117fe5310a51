"""Open whatever gives frames: a camera, a stream, a movie, a folder, names on standard input."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType

import cv2

from cyano.engine.finding import readable_suffixes
from cyano.errors import InputError
from cyano.progress import NOBODY, Watcher
from cyano.video.cameras import CameraReader
from cyano.video.frames import Frame
from cyano.video.images import ImageReader, images_in, images_like, names_from
from cyano.video.movies import MovieReader
from cyano.video.options import SourceOptions
from cyano.video.readers import Kind, Reader
from cyano.video.streams import open_stream, without_password

__all__ = ["Source", "open_source"]

_MILLISECOND = 1e-3
"""Times of frames are rounded by some files."""

_STREAM = re.compile(r"(rtsp|rtsps|rtmp|http|https|udp|tcp|srt|mms)://", re.IGNORECASE)


class Source:
    """Frames of a camera, a movie or a folder, to iterate over once.

    Attributes:
        options: which frames are taken.

    Example:
        >>> with open_source("walk.mp4", SourceOptions(every=2)) as source:
        ...     for frame in source:
        ...         print(frame.index, frame.time, frame.rgb.shape)
        0 0.0 (160, 240, 3)
        2 0.4 (160, 240, 3)
    """

    def __init__(self, reader: Reader, options: SourceOptions) -> None:
        """Wrap a reader, which the source closes."""
        self._reader = reader
        self.options = options

    def __iter__(self) -> Iterator[Frame]:
        """The frames that are taken, in order; see `Frame`."""
        return islice(self._unhurried(self._reader.frames(self.options)), self.options.max_frames)

    def _unhurried(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Those that keep the limit of frames a second."""
        limit, due = self.options.max_fps, -math.inf
        for frame in frames:
            if limit is None or frame.time is None or frame.time >= due - _MILLISECOND:
                due = (frame.time or 0.0) + 1 / (limit or 1.0)
                yield frame

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def stop(self) -> None:
        """Have the frames of a camera or a stream end soon; may be called from any thread, unlike `close`.

        Movies and images are read on demand, and have nothing to stop.

        Example:
            >>> camera = open_source("/dev/video0")  # doctest: +SKIP
            >>> camera.stop()  # doctest: +SKIP
        """
        self._reader.stop()

    def close(self) -> None:
        """Let go of the device or the file.

        Example:
            >>> source = open_source("walk.mp4")
            >>> first = next(iter(source))
            >>> source.close()
        """
        self._reader.close()

    @property
    def name(self) -> str:
        """What was opened."""
        return self._reader.name

    @property
    def kind(self) -> Kind:
        """A "movie", a "camera", a "stream" or "images"."""
        return self._reader.kind

    @property
    def files(self) -> Sequence[Path]:
        """The images that are read, as far as their names are known beforehand; none of a movie or a camera."""
        return self._reader.files

    @property
    def rate(self) -> float | None:
        """Frames a second on average; None where nobody knows."""
        return self.options.fps if self.kind == "images" else self._reader.rate

    @property
    def damaged(self) -> int:
        """Frames that could not be read until now, and were left out."""
        return self._reader.damaged

    @property
    def problem(self) -> str:
        """Why it ended before its end; empty if it did not."""
        return self._reader.problem


def open_source(
    name: str | Path | int,
    options: SourceOptions = SourceOptions(),  # noqa: B008 - it is frozen
    *,
    watcher: Watcher = NOBODY,
    lines: Iterable[bytes] | None = None,
) -> Source:
    """Open a source of frames.

    Args:
        name: the number or /dev/video path of a camera; an address such as rtsp://...; a movie; a folder of images,
            or a pattern such as `frames/*.png`; "-" for names of images, a line each, on standard input.
        options: which frames are taken.
        watcher: is told when a stream fails and comes back.
        lines: what "-" reads; None is standard input.

    Raises:
        InputError: there is no such thing, or it cannot be read.
        MissingExtraError: a movie needs PyAV, and it is not installed.

    Example:
        >>> with open_source("scene", SourceOptions(globs=("*.png",), fps=10.0)) as source:
        ...     [(frame.name, frame.time) for frame in source][:2]
        [('view0.png', 0.0), ('view1.png', 0.1)]
    """
    text = str(name)
    reader = _reader(text, options, watcher, sys.stdin.buffer if lines is None else lines)
    if reader.kind == "images" and options.fps is None and (options.start or options.end is not None):
        raise InputError("images have no times, so start and end cannot be used; give fps, frames per second")
    return Source(reader, options)


def _reader(name: str, options: SourceOptions, watcher: Watcher, lines: Iterable[bytes]) -> Reader:
    path = Path(name)
    if name == "-":
        return ImageReader("standard input", names_from(lines))
    if name.startswith("/dev/video") or (name.isdecimal() and not path.exists()):
        where = int(name) if name.isdecimal() else name
        return CameraReader(name, lambda: cv2.VideoCapture(where), "camera", watcher)
    if _STREAM.match(name):
        return CameraReader(without_password(name), lambda: open_stream(name), "stream", watcher)
    return _file_reader(name, path, options)


def _file_reader(name: str, path: Path, options: SourceOptions) -> Reader:
    if path.is_dir():
        return ImageReader(name, images_in(path, options.globs))
    if path.is_file():
        is_image = path.suffix.lower() in readable_suffixes() - {".gif"}
        return ImageReader(name, [path]) if is_image else MovieReader(path)
    if any(character in name for character in "*?["):
        return ImageReader(name, images_like(name))
    raise InputError(f"{name}: there is no such movie or folder; check SOURCE")
