"""Sharp, different frames of a source: what a reconstruction wants of a movie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.video.frames import Frame

__all__ = ["Chosen", "Rhythm", "choose_frames", "sharpness"]

_SIDE = 480
"""Longest side of the small picture by which frames are judged: of the large one, noise would count as sharpness."""

_RETURNED = 1.0
"""Pixels within which a corner that is followed there and back has to arrive, or else it was lost."""

_CORNERS, _FEWEST = 300, 30
"""Corners that are followed, and fewer of which say nothing of how far the picture moved."""


@dataclass(frozen=True)
class Rhythm:
    """How far apart chosen frames are.

    Attributes:
        unit: "motion", "frames" or "seconds".
        step: of the picture's diagonal by which corners have moved since the frame before; frames; or seconds.

    Raises:
        InputError: the step is not above 0.
    """

    unit: Literal["motion", "frames", "seconds"] = "motion"
    step: float = 0.05

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise InputError(f"frames are chosen by steps above 0, not {self.step!r}")


class Chosen(NamedTuple):
    """A frame, how sharp it is, and how many it was chosen from."""

    frame: Frame
    sharpness: float
    among: int


class _Place(NamedTuple):
    """Where a frame lies in its group: in the next one or not, and whether it may stand for it."""

    begins: bool
    counts: bool


class _Grouping(Protocol):
    def place(self, frame: Frame, grey: NDArray[np.uint8]) -> _Place: ...


def choose_frames(frames: Iterable[Frame], rhythm: Rhythm = Rhythm()) -> Iterator[Chosen]:
    """Of each group of frames in a row the sharpest, as soon as the group has ended.

    Groups are so many frames or seconds long, or end where the picture has moved by so much; of these only the later
    half counts, so that frames in a row are never of the same place. Frames without any corner are never chosen.

    Args:
        frames: in order; at most two are held.
        rhythm: how long a group is.

    Raises:
        InputError: the rhythm is in seconds, and the frames have no times.
    """
    grouping, best, among = _grouping(rhythm), None, 0
    for frame in frames:
        grey = _small(frame.rgb)
        begins, counts = grouping.place(frame, grey)
        if begins:
            if best is not None:
                yield best._replace(among=among)
            best, among = None, 0
        among += 1
        if counts:
            value = sharpness(grey)
            if value > 0 and (best is None or value > best.sharpness):
                best = Chosen(frame, value, 0)
    if best is not None:
        yield best._replace(among=among)


def sharpness(grey: NDArray[np.uint8]) -> float:
    """How sharp a picture is beside others of the same place: the mean squared step between neighbouring pixels.

    Args:
        grey: (H, W) uint8.
    """
    values = grey.astype(np.float32)
    return float((np.diff(values, axis=0) ** 2).mean() + (np.diff(values, axis=1) ** 2).mean())


def _grouping(rhythm: Rhythm) -> _Grouping:
    if rhythm.unit == "frames":
        return _ByNumber(rhythm.step)
    return _ByTime(rhythm.step) if rhythm.unit == "seconds" else _ByMotion(rhythm.step)


class _ByNumber:
    def __init__(self, step: float) -> None:
        self._step, self._group = step, -1

    def place(self, frame: Frame, grey: NDArray[np.uint8]) -> _Place:
        del grey
        before, self._group = self._group, int(self._where(frame) // self._step)
        return _Place(self._group != before, True)

    def _where(self, frame: Frame) -> float:
        return frame.index


class _ByTime(_ByNumber):
    def _where(self, frame: Frame) -> float:
        if frame.time is None:
            raise InputError("images have no times; choose by motion or number, or give fps, frames per second")
        return frame.time


Corners: TypeAlias = NDArray[np.float32]


class _ByMotion:
    """Corners followed from frame to frame by Lucas and Kanade's method."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._counted = False
        self._last: NDArray[np.uint8] | None = None
        self._begun: Corners = np.zeros((0, 1, 2), np.float32)
        self._now = self._begun

    def place(self, frame: Frame, grey: NDArray[np.uint8]) -> _Place:
        del frame
        same_size = self._last is not None and self._last.shape == grey.shape
        moved = self._moved(grey) if same_size else np.inf
        if moved >= self._step:
            self._begin(grey)
            # In fast motion no frame lies between two steps: then the one that begins a group stands for it.
            counts = not self._counted and len(self._begun) >= _FEWEST
            self._counted = False
            return _Place(True, counts)
        self._last = grey
        self._counted = self._counted or moved >= self._step / 2
        return _Place(False, moved >= self._step / 2)

    def _begin(self, grey: NDArray[np.uint8]) -> None:
        found = cv2.goodFeaturesToTrack(grey, _CORNERS, 0.01, 7)
        self._begun = np.zeros((0, 1, 2), np.float32) if found is None else found.astype(np.float32)
        self._now, self._last = self._begun, grey

    def _moved(self, grey: NDArray[np.uint8]) -> float:
        """By how much of the diagonal corners have moved since the group began; infinity where few can be followed."""
        if len(self._now) < _FEWEST or self._last is None:
            return np.inf
        now, good, _ = cv2.calcOpticalFlowPyrLK(self._last, grey, self._now, np.empty_like(self._now))
        back, again, _ = cv2.calcOpticalFlowPyrLK(grey, self._last, now, np.empty_like(now))
        returned = np.linalg.norm(back - self._now, axis=2).ravel() < _RETURNED
        kept = returned & (good.ravel() == 1) & (again.ravel() == 1)
        self._begun, self._now = self._begun[kept], np.asarray(now[kept], np.float32)
        if kept.sum() < _FEWEST:
            return np.inf
        return float(np.median(np.linalg.norm(self._now - self._begun, axis=2)) / np.hypot(*grey.shape))


def _small(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    scale = _SIDE / max(grey.shape)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)
