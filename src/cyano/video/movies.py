"""Movies by PyAV: true frame numbers and times, turned as their metadata say, and an honest end."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError, MissingExtraError
from cyano.video.frames import Frame
from cyano.video.options import SourceOptions
from cyano.video.readers import Reader

__all__ = ["MovieReader", "load_av"]

_LATE_SECONDS = 0.5
"""A movie that ends so much before its header's word, or by three frames where that is more, was cut off."""

_WITH_HIDDEN_PACKETS = ("vp8",)
"""Codecs some of whose packets are never shown, so that packets are no count of frames."""


def load_av() -> Any:
    """The package PyAV.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError('movies need PyAV: pip install ".[video]" in the folder of Cyano') from error
    return av


class MovieReader(Reader):
    """The first video stream of a file.

    A frame's number is how many frames of the file are shown before it, which its packets tell: one that is damaged
    and missing counts as well, so that all others keep their numbers.
    """

    kind = "movie"

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            InputError: it is no movie, is damaged, or has no pictures.
            MissingExtraError: PyAV is not installed.
        """
        super().__init__(str(path))
        self._av = load_av()
        try:
            self._container = self._av.open(str(path))
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as a movie: {_reason(error)}; it may be truncated") from error
        if not self._container.streams.video:
            self._container.close()
            raise InputError(f"{path} has no frames; give a movie")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.rate = float(rate) if rate else None

    def _frames(self, options: SourceOptions) -> Iterator[Frame]:
        """The frames that are taken, in order; the others are decoded but not converted."""
        numbered = _Numbers(self._stream.codec_context.name not in _WITH_HIDDEN_PACKETS)
        last: float | None = None
        over = False
        for frame in self._decoded(numbered):
            index, lost = (numbered.next(), 1) if frame is None else numbered.of(frame.pts)
            self.damaged += lost
            if frame is None:
                continue
            last = self._time(frame.pts)
            if over := options.is_over(last):
                break
            if options.takes(index, last):
                yield Frame(index, _displayed(frame), last, self.name)
        self.damaged += 0 if over else numbered.left
        if not self._readable:
            self._end_early("it may be cut off")
        elif not over and (missing := self._missing_end(last or 0.0)):
            self._end_early(missing)

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()

    def _decoded(self, numbered: _Numbers) -> Iterator[Any]:
        """Frames in the order of their times; None for one whose packet cannot be decoded."""
        packets = self._container.demux(self._stream)
        while not self.problem:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (self._av.error.FFmpegError, OSError) as error:
                self._end_early(f"reading ended early: {_reason(error)}")
                return
            if packet.size and not packet.is_discard:
                numbered.announce(packet.pts)
            try:
                frames = [] if self._is_cut(packet) else packet.decode()
            except self._av.error.EOFError:
                return
            except (self._av.error.FFmpegError, ValueError):
                frames = []
                self._spoilt("the movie is damaged")
                if not numbered.by_packets:
                    yield None  # else the next frame's number tells that it is missing
            for frame in frames:
                if not frame.is_corrupt:
                    self._note()
                    yield frame
                    continue
                self._spoilt("the movie is damaged")
                if not numbered.by_packets:
                    yield None

    def _is_cut(self, packet: Any) -> bool:
        """Whether the file ends within a packet: half a picture decodes without an error.

        Transport streams mark packets as well that merely follow a gap.
        """
        cut = bool(packet.is_corrupt) and "mpegts" not in self._container.format.name
        if cut:
            self._spoilt("the movie is damaged")
        return cut

    def _time(self, pts: int | None) -> float | None:
        if pts is None or self._stream.time_base is None:
            return None
        return float((pts - (self._stream.start_time or 0)) * self._stream.time_base)

    def _missing_end(self, last: float) -> str:
        """What is said of a movie that ends before its header's word; nothing of one that does not."""
        stream, container = self._stream, self._container
        declared = None
        if container.format.name == "avi" and stream.time_base is not None:
            declared = float(stream.frames * stream.time_base)  # its duration is FFmpeg's, of what is left
        elif stream.duration is not None and stream.time_base is not None:
            declared = float(stream.duration * stream.time_base)
        elif container.duration is not None and len(container.streams) == 1:
            declared = container.duration / self._av.time_base
        frames = 3 / self.rate if self.rate else 0.0
        if declared is None or last + max(_LATE_SECONDS, frames) >= declared:
            return ""
        return f"it ends after {last:.2f} s, though its header says {declared:.2f} s: it was cut off, or is damaged"


class _Numbers:
    """How many frames are shown before each, from the times of all packets."""

    def __init__(self, by_packets: bool) -> None:
        self.by_packets = by_packets
        self._waiting: list[int] = []
        self._count = 0

    def announce(self, pts: int | None) -> None:
        """A packet was read; one without a time ends the counting by packets."""
        if pts is None:
            self.by_packets = False
        elif self.by_packets:
            heapq.heappush(self._waiting, pts)

    def next(self) -> int:
        """The number of a frame, by counting."""
        self._count += 1
        return self._count - 1

    def of(self, pts: int | None) -> tuple[int, int]:
        """The number of the frame of this time, and how many before it were never seen."""
        lost = 0
        while self.by_packets and pts is not None and self._waiting and self._waiting[0] < pts:
            heapq.heappop(self._waiting)
            lost += 1
        if self._waiting and self._waiting[0] == pts:
            heapq.heappop(self._waiting)
        self._count += lost
        return self.next(), lost

    @property
    def left(self) -> int:
        """Frames that were announced and never seen."""
        return len(self._waiting) if self.by_packets else 0


def _displayed(frame: Any) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, turned as the stream's display matrix says."""
    pixels: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text).rstrip(".")
