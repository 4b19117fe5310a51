"""Which frames of a source are taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

from cyano.errors import InputError

__all__ = ["SourceOptions"]


@dataclass(frozen=True)
class SourceOptions:
    """Which frames of a source are taken, and how long it is waited for.

    Attributes:
        every: takes frame 0 and every N-th after it, counted in the source's own frames.
        start: seconds from the beginning before which frames are left out.
        end: seconds from the beginning after which it ends; None for no end.
        max_frames: so many are taken at most; None for all.
        max_fps: so many frames are taken at most for each second of the source; None for no limit.
        globs: of a folder, the patterns of the names that count, such as `*.png`; none for all images.
        fps: of images, which have no times: so many a second; None leaves them without.
        newest: hand out the newest frame and drop those before it, so that whoever is slow sees the present; None does
            so for cameras and streams, and takes every frame of movies and images.
        patience: seconds for which a camera or a stream may fail before it has ended.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> options = SourceOptions(every=5, end=10.0)  # every fifth frame of the first ten seconds
        >>> options.takes(10, time=0.4), options.takes(11, time=0.44), options.is_over(10.5)
        (True, False, True)
    """

    every: int = 1
    start: float = 0.0
    end: float | None = None
    max_frames: int | None = None
    max_fps: float | None = None
    globs: tuple[str, ...] = ()
    fps: float | None = None
    newest: bool | None = None
    patience: float = 60.0

    def __post_init__(self) -> None:
        for name, count in (("every", self.every), ("max_frames", self.max_frames)):
            if count is not None and (not isinstance(count, Integral) or isinstance(count, bool) or count < 1):
                raise InputError(f"{name} is a whole number of at least 1, not {count!r}")
        for name, value in (("start", self.start), ("end", self.end), ("patience", self.patience)):
            if value is not None and not (isinstance(value, Real) and value >= 0):
                raise InputError(f"{name} is a number of seconds of at least 0, not {value!r}")
        for name, rate in (("fps", self.fps), ("max_fps", self.max_fps)):
            if rate is not None and not (isinstance(rate, Real) and 0 < rate < math.inf):
                raise InputError(f"{name} is a number of frames a second above 0, not {rate!r}")
        if self.end is not None and self.end < self.start:
            raise InputError(f"the end, {self.end:g} s, lies before the start, {self.start:g} s")

    def takes(self, index: int, time: float | None) -> bool:
        """Whether the frame of this number and time is taken."""
        return index % self.every == 0 and (time is None or time >= self.start)

    def is_over(self, time: float | None) -> bool:
        """Whether a frame of this time lies after the end."""
        return self.end is not None and time is not None and time > self.end
