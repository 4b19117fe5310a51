"""Cameras and network streams by OpenCV: the newest frame only, however slow its reader is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Condition, Event, Thread
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.progress import NOBODY, Watcher
from cyano.video.frames import Frame
from cyano.video.options import SourceOptions
from cyano.video.readers import Kind, Reader
from cyano.video.streams import SILENCE

__all__ = ["CameraReader", "Capture", "Clock", "SystemClock"]

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0
"""Seconds before a stream is opened again; each failure doubles them."""

_BETWEEN_FAILURES = 0.01
"""Seconds before a camera that gave no frame is asked again."""

_CAMERA_REMEDY = "that it is connected and not in use"

_PARTING = 3.0
"""Seconds that a thread is waited for at the end; one that hangs in a device's driver ends with the program."""


class Capture(Protocol):
    """What gives frames, such as `cv2.VideoCapture`."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether it can be read."""
        ...

    def read(self) -> tuple[bool, Any]:
        """Whether there is a frame, and the frame: (H, W, 3) BGR."""
        ...

    def release(self) -> None:
        """Let go of the device."""
        ...


class Clock(Protocol):
    """Tells seconds and waits for them."""

    def now(self) -> float:
        """Seconds since some moment; never less than before."""
        ...

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass, or fewer where the source is closed."""
        ...


class SystemClock:
    """The computer's clock."""

    def __init__(self, closed: Event) -> None:
        self._closed = closed

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the end."""
        self._closed.wait(seconds)


class _Shot(NamedTuple):
    number: int
    bgr: NDArray[np.uint8]
    time: float


class CameraReader(Reader):
    """A camera or a stream.

    A thread reads and holds the newest frame, so that a frame is no older than one frame when it is handed out. A
    stream that fails, or is silent for `silence` seconds, is opened again, after 1 second, then 2, and so on up to 30;
    a camera that gives no frame a hundred times has been unplugged.
    """

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], Capture],
        kind: Kind = "camera",
        watcher: Watcher = NOBODY,
        clock: Clock | None = None,
        silence: float = SILENCE,
    ) -> None:
        """Open it.

        Args:
            name: of the source.
            open_capture: opens the device; called again where a stream has failed.
            kind: "camera" or "stream".
            watcher: is told when a stream fails and comes back.
            clock: for tests; None is the computer's.
            silence: seconds after which `open_capture` and reading from a stream give up.

        Raises:
            InputError: it cannot be opened.
        """
        super().__init__(name)
        self._silence = silence
        self.kind = kind
        self._open, self._watcher = open_capture, watcher
        self._closed = Event()
        self._clock = clock or SystemClock(self._closed)
        self._changed = Condition()
        self._shot: _Shot | None = None
        self._count = 0
        self._over = False
        self._began: float | None = None
        self._thread: Thread | None = None
        self._capture = open_capture()
        if not self._capture.isOpened():
            self._capture.release()
            remedy = "the address, user and password, and the network" if kind == "stream" else _CAMERA_REMEDY
            raise InputError(f"the {kind} {name} cannot be opened; check {remedy}")

    def _frames(self, options: SourceOptions) -> Iterator[Frame]:
        """The frames that are taken: the newest each time, or all of them with `newest=False`."""
        shots = self._every(options) if options.newest is False else self._newest(options)
        for shot in shots:
            if options.is_over(shot.time):
                break
            if options.takes(shot.number, shot.time):
                yield Frame(shot.number, np.ascontiguousarray(shot.bgr[:, :, ::-1]), shot.time, self.name)

    def close(self) -> None:
        """Let go of the device, or have the thread do so that reads from it."""
        self.stop()
        if self._thread is None:
            self._capture.release()

    def stop(self) -> None:
        """Have the frames end."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()

    def _newest(self, options: SourceOptions) -> Iterator[_Shot]:
        self._thread = Thread(target=self._keep_newest, args=(options,), name="cyano-camera", daemon=True)
        self._thread.start()
        try:
            while (shot := self._take(options.patience)) is not None:
                yield shot
        finally:
            self.close()
            self._thread.join(timeout=_PARTING)

    def _keep_newest(self, options: SourceOptions) -> None:
        """What the thread does."""
        try:
            for shot in self._every(options):
                if options.takes(shot.number, shot.time):
                    with self._changed:
                        self._shot = shot
                        self._changed.notify_all()
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def _take(self, patience: float) -> _Shot | None:
        """The newest frame once there is one that was not taken; None at the end, or where a driver hangs."""
        with self._changed:
            news = lambda: self._shot is not None or self._over or self._closed.is_set()  # noqa: E731
            if not self._changed.wait_for(news, patience + _PARTING):
                self._end_early(f"it gave no frame for {patience:.0f} s" + ": it hangs" * (self.kind == "camera"))
            shot, self._shot = self._shot, None
            return None if self._closed.is_set() else shot

    def _every(self, options: SourceOptions) -> Iterator[_Shot]:
        """All frames, until the source has ended or is closed."""
        failures, failed_at = 0, 0.0
        try:
            while not self._closed.is_set():
                asked = self._clock.now()
                good, bgr = self._capture.read()
                now = self._clock.now()
                if good and bgr is not None and not self._is_late(now - asked):
                    if failures and self.kind == "stream":
                        self._watcher.say(f"{self.name} is back after {now - failed_at:.0f} s")
                    failures, self._began = 0, now if self._began is None else self._began
                    self._count += 1
                    self._note()
                    yield _Shot(self._count - 1, bgr, now - self._began)
                    continue
                failures += 1
                failed_at = asked if failures == 1 else failed_at
                if self._given_up(failures, now - failed_at, options.patience):
                    return
                self._try_again(failures)
        finally:
            self._capture.release()

    def _is_late(self, seconds: float) -> bool:
        """Whether a frame is one that the decoder still had when the stream fell silent."""
        return self.kind == "stream" and seconds >= self._silence

    def _given_up(self, failures: int, seconds: float, patience: float) -> bool:
        """Whether a source that fails has ended."""
        if self.kind == "camera":
            self.damaged += 1
            if self._spoilt("the camera may have been unplugged"):
                self.damaged -= failures  # those were no frames
        elif seconds >= patience:
            self._end_early(f"it gave no frame for {seconds:.0f} s")
        return bool(self.problem)

    def _try_again(self, failures: int) -> None:
        """Ask a camera again soon; open a stream again, later each time."""
        if self.kind == "camera":
            self._clock.wait(_BETWEEN_FAILURES)
            return
        pause = min(_FIRST_WAIT * 2 ** (failures - 1), _LONGEST_WAIT)
        self._watcher.say(f"{self.name} gives no frames; it is opened again in {pause:.0f} s")
        self._capture.release()
        self._clock.wait(pause)
        if not self._closed.is_set():
            self._capture = self._open()
