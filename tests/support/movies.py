"""Movies whose frames carry their number as a bar code, and a camera that gives frames on command."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from threading import Condition
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

BITS, BAR = 10, 12
WIDTH, HEIGHT = BITS * BAR, 96


def bar_code(number: int) -> NDArray[np.uint8]:
    """(96, 120, 3) the number in binary as black and white bars at the top, a ramp below that tells left from right."""
    image = np.repeat(np.linspace(60, 200, WIDTH).astype(np.uint8)[None, :, None], HEIGHT, 0).repeat(3, 2)
    for bit in range(BITS):
        image[: HEIGHT // 3, bit * BAR : (bit + 1) * BAR] = 255 if number >> bit & 1 else 0
    return image


def number_in(rgb: NDArray[np.uint8]) -> int:
    """The number that a frame carries, also after compression."""
    middles = rgb[HEIGHT // 6, BAR // 2 :: BAR].mean(axis=1)
    return int(sum(int(value > 128) << bit for bit, value in enumerate(middles)))


def write_movie(
    path: Path, times: Sequence[float], rotation: int = 0, codec: str = "mpeg4", pictures: Sequence[Any] | None = None
) -> Path:
    """A movie by PyAV alone, which has frame i at the i-th time, in seconds."""
    av = pytest.importorskip("av", reason="PyAV writes the movies")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        for number, time in enumerate(times):
            rgb = bar_code(number) if pictures is None else pictures[number]
            if not number:
                stream.height, stream.width = rgb.shape[:2]
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        if times:
            container.mux(stream.encode())
    return path


class StepCamera:
    """Gives a frame whenever `press` allows one, as a `cv2.VideoCapture` does; an exhausted one has been unplugged."""

    def __init__(self, last: int | None = None) -> None:
        self._condition = Condition()
        self._allowed = self.count = 0
        self._last, self._released, self._idle = last, False, False

    def press(self, frames: int = 1) -> None:
        """Allow so many frames, and wait until all were read and the next is being asked for."""
        with self._condition:
            self._allowed += frames
            self._idle = False
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._idle or self._released)

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def read(self) -> tuple[bool, Any]:
        with self._condition:
            if self._last is not None and self.count > self._last:
                return False, None
            while self.count >= self._allowed and not self._released:
                self._idle = True
                self._condition.notify_all()
                self._condition.wait(timeout=0.05)
                if self._released:
                    return False, None
            self._idle = False
            self.count += 1
            return True, np.ascontiguousarray(bar_code(self.count - 1)[:, :, ::-1])

    def release(self) -> None:
        with self._condition:
            self._released = True
            self._condition.notify_all()


class StillClock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds
