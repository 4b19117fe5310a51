"""Movies of pictures: whole or absent, with the times of their frames."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.atomic import written_beside
from cyano.errors import InputError, OutputError
from cyano.types import ImageSize
from cyano.video.movies import load_av

__all__ = ["CODECS", "Codec", "VideoWriter", "usual_codec"]

Codec: TypeAlias = Literal["vp9", "h264", "mp4v"]

_TICKS = 1000
"""Times are whole milliseconds."""

DEFAULT_RATE = 10.0
"""Frames a second of sources that do not tell."""

_PADDING = 255


class _Encoder(NamedTuple):
    name: str
    suffix: str
    options: dict[str, str]


CODECS: dict[Codec, _Encoder] = {
    "vp9": _Encoder("libvpx-vp9", ".webm", {"crf": "33", "b": "0", "deadline": "realtime", "cpu-used": "7"}),
    "h264": _Encoder("libx264", ".mp4", {"crf": "23", "preset": "veryfast"}),
    "mp4v": _Encoder("mpeg4", ".mp4", {"q": "4", "qmin": "2", "qmax": "8"}),
}
"""What PyAV encodes; browsers play all but mp4v. H.264 is libx264's, which is under the GPL."""


def usual_codec() -> Codec:
    """VP9, which browsers play; mp4v, which OpenCV writes as well, where PyAV is not installed."""
    return "vp9" if find_spec("av") else "mp4v"


class VideoWriter:
    """A movie that takes its name when it is complete; an exception within the block leaves what was there.

    It begins with its first picture, whatever the time of that one. Without a picture nothing is written. A picture of
    another size than the first is fitted into it. Sides are made even, as the codecs ask.

    Example:
        >>> with VideoWriter(Path("out.mp4"), "mp4v", rate=25.0) as movie:
        ...     for level in (0, 128, 255):
        ...         movie.add(np.full((96, 128, 3), level, np.uint8))
        >>> Path("out.mp4").stat().st_size > 0
        True
    """

    def __init__(self, path: Path, codec: Codec | None = None, *, rate: float | None = None, overwrite: bool = False):
        """Begin nothing yet.

        Args:
            path: of the movie; its ending is to be that of the codec.
            codec: how to encode; None is `usual_codec()`.
            rate: frames a second, for pictures without times.
            overwrite: replace what is there.

        Raises:
            InputError: the ending does not fit the codec.
            MissingExtraError: the codec needs PyAV, and it is not installed.
        """
        self.codec = codec or usual_codec()
        self.path, self._rate = path, rate or DEFAULT_RATE
        if path.suffix != CODECS[self.codec].suffix:
            raise InputError(f"{path} cannot hold {self.codec}; name it *{CODECS[self.codec].suffix}")
        if self.codec != "mp4v":
            load_av()
        self._overwrite = overwrite
        self._stack = ExitStack()
        self._movie: _Movie | None = None
        self._staging: Path | None = None
        self._size: ImageSize | None = None
        self.count = 0

    def __enter__(self) -> VideoWriter:
        self._staging = self._stack.enter_context(written_beside(self.path, overwrite=self._overwrite))
        return self

    def add(self, rgb: NDArray[np.uint8], time: float | None = None) -> None:
        """Add a picture.

        Args:
            rgb: (H, W, 3) uint8.
            time: seconds since some moment, later than that of the one before; None comes after it by 1 / rate.

        Raises:
            OutputError: it cannot be written.
        """
        if self._staging is None:
            raise InputError("frames are added inside the block: with VideoWriter(...) as movie")
        if self._size is None:
            height, width = rgb.shape[:2]
            self._size = ImageSize(height + height % 2, width + width % 2)
        if self._movie is None:
            kind = _PyAvMovie if find_spec("av") else _OpenCvMovie
            self._movie = kind(self._staging, CODECS[self.codec], self._size, self._rate)
        try:
            self._movie.add(_fitted(rgb, self._size), time)
        except OSError as error:  # FFmpeg's errors are such
            raise OutputError(f"{self.path} cannot be written: {error.strerror or error}; make room for it") from error
        self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._movie is None:
            self._stack.__exit__(InputError, InputError("a movie without a picture"), None)  # leaves nothing
            return
        if self._movie is not None:
            try:
                self._movie.close()
            except OSError as failure:
                if error is None:
                    error = OutputError(f"{self.path} cannot be written: {failure.strerror or failure}; make room")
                    self._stack.__exit__(type(error), error, None)
                    raise error from failure
        self._stack.__exit__(kind, error, trace)


class _Movie:
    """A movie in the making."""

    def add(self, rgb: NDArray[np.uint8], time: float | None) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class _PyAvMovie(_Movie):
    """By PyAV, each picture at its time."""

    def __init__(self, path: Path, encoder: _Encoder, size: ImageSize, rate: float) -> None:
        self._av = load_av()
        self._step = round(_TICKS / rate)
        self._last = -self._step
        self._began: float | None = None
        self._container = self._av.open(str(path), "w")
        self._stream = self._container.add_stream(encoder.name, rate=Fraction(rate).limit_denominator(1001))
        self._stream.width, self._stream.height, self._stream.pix_fmt = size.width, size.height, "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, _TICKS)
        self._stream.options = encoder.options

    def add(self, rgb: NDArray[np.uint8], time: float | None) -> None:
        frame = self._av.VideoFrame.from_ndarray(rgb, format="rgb24")
        wanted = self._last + self._step
        if time is not None:
            self._began = time if self._began is None else self._began
            wanted = round((time - self._began) * _TICKS)
        self._last = frame.pts = max(wanted, self._last + 1, 0)
        frame.time_base = Fraction(1, _TICKS)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode())
        finally:
            self._container.close()


class _OpenCvMovie(_Movie):
    """By OpenCV, so many pictures a second."""

    def __init__(self, path: Path, encoder: _Encoder, size: ImageSize, rate: float) -> None:
        del encoder  # mp4v is the only one
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, (size.width, size.height))
        if not self._writer.isOpened():
            raise OutputError(f"{path} cannot be written by OpenCV; check the folder and its space")

    def add(self, rgb: NDArray[np.uint8], time: float | None) -> None:
        del time
        self._writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        self._writer.release()


def _fitted(rgb: NDArray[np.uint8], size: ImageSize) -> NDArray[np.uint8]:
    """The picture on a canvas of that size: as it is where it fits by a pixel, else resized without distortion."""
    height, width = rgb.shape[:2]
    if (height, width) == (size.height, size.width):
        return np.ascontiguousarray(rgb)
    if size.height - height not in (0, 1) or size.width - width not in (0, 1):
        scale = min(size.height / height, size.width / width)
        inner = (max(1, int(width * scale)), max(1, int(height * scale)))
        rgb = np.asarray(cv2.resize(rgb, inner, interpolation=cv2.INTER_AREA), np.uint8)
        height, width = rgb.shape[:2]
    if size.height - height in (0, 1) and size.width - width in (0, 1):  # an edge that is made even shows itself twice
        padding = ((0, size.height - height), (0, size.width - width), (0, 0))
        return np.ascontiguousarray(np.pad(rgb, padding, mode="edge"))
    canvas = np.full((size.height, size.width, 3), _PADDING, np.uint8)
    canvas[:height, :width] = rgb
    return canvas
