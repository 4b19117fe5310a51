"""What every kind of source has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal

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
    """

    kind: Kind

    def __init__(self, name: str) -> None:
        self.name = name
        self.rate: float | None = None
        self.damaged = 0
        self.problem = ""

    @abstractmethod
    def frames(self, options: SourceOptions) -> Iterator[Frame]:
        """The frames that are taken, in order."""

    def stop(self) -> None:  # noqa: B027 - what is read on demand has nothing to stop
        """Have the frames end soon; may be called from any thread, unlike `close`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the device or the file."""
