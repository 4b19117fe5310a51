"""What every kind of source has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from cyano.errors import InputError
from cyano.video.frames import Frame
from cyano.video.options import SourceOptions

__all__ = ["MOST_DAMAGED", "Kind", "Reader"]

Kind = Literal["movie", "camera", "stream", "images"]

MOST_DAMAGED = 100
"""So many damaged frames in a row are no source any more."""


class Reader(ABC):
    """A source that can be read once.

    Attributes:
        name: of the source.
        kind: of the source.
        rate: frames a second on average, if that is known.
        damaged: frames that could not be read until now, and were left out.
        problem: why it ended before its end; empty if it did not.
        files: the images that are read, as far as their names are known beforehand.
    """

    kind: Kind
    files: Sequence[Path] = ()

    def __init__(self, name: str) -> None:
        self.name = name
        self.rate: float | None = None
        self.damaged = 0
        self.problem = ""
        self._readable = self._in_a_row = 0

    def frames(self, options: SourceOptions) -> Iterator[Frame]:
        """The frames that are taken, in order.

        Raises:
            InputError: there is not one frame in it that can be read, or none between `start` and `end`.
        """
        taken = False
        for frame in self._frames(options):
            taken = True
            yield frame
        if self.problem and not self._readable:
            raise InputError(f"{self.name} has no frame that can be read; {self.problem}")
        if not taken and (options.start or options.end is not None):
            until = "" if options.end is None else f" to {options.end:g} s"
            raise InputError(f"{self.name} has no frame from {options.start:g} s{until}; check --start and --end")

    @abstractmethod
    def _frames(self, options: SourceOptions) -> Iterator[Frame]:
        """The frames that are taken. Each that can be read is noted by `_note`, each that cannot by `_spoilt`."""

    def _note(self) -> None:
        """A frame can be read."""
        self._readable, self._in_a_row = self._readable + 1, 0

    def _spoilt(self, why: str) -> bool:
        """A frame cannot be read; whether there were so many in a row that the source has ended."""
        self._in_a_row += 1
        if self._in_a_row >= MOST_DAMAGED:
            self._end_early(f"{MOST_DAMAGED} frames in a row cannot be read; {why}")
        return bool(self.problem)

    def _end_early(self, why: str) -> None:
        """It ends before its end: it was cut off or unplugged, has stalled, or is damaged. The first reason counts."""
        self.problem = self.problem or why

    def stop(self) -> None:  # noqa: B027 - what is read on demand has nothing to stop
        """Have the frames end soon; may be called from any thread, unlike `close`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the device or the file."""
