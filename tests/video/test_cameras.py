"""Cameras and streams: the newest frame, ends, and streams that come back; cameras are made up."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.video import SourceOptions, cameras
from cyano.video.cameras import CameraReader
from support.movies import StepCamera, StillClock, bar_code, number_in


class Lines:
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    def at(self, stage: str, done: int, total: int) -> None:
        pass


class Flaky:
    """Gives the frames of a list; None is a failure, and opening it again goes on after that."""

    def __init__(self, frames: list[int | None]) -> None:
        self.frames, self.opened = frames, 0

    def __call__(self) -> Flaky:
        self.opened += 1
        return self

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def read(self) -> tuple[bool, object]:
        number = self.frames.pop(0) if self.frames else None
        return (False, None) if number is None else (True, bar_code(number)[:, :, ::-1])

    def release(self) -> None:
        pass


def test_a_slow_reader_sees_the_newest_frame() -> None:
    """A camera gives ten frames while one is matched, as 30 a second and a third of a second do.

    The frame that is handed out next is the last of the ten, so it is at most one frame old when its matching begins,
    and one frame and one match when it is shown.
    """
    camera = StepCamera()
    reader = CameraReader("fake", lambda: camera)
    frames = reader.frames(SourceOptions())
    threading.Thread(target=camera.press).start()
    camera_frames = [next(frames)]
    for match in range(1, 6):
        camera.press(10)  # returns when the camera waits for the next
        camera_frames.append(next(frames))
        assert number_in(camera_frames[-1].rgb) == 10 * match
    camera.release()
    frames.close()
    assert [frame.index for frame in camera_frames] == [0, 10, 20, 30, 40, 50]
    assert all(number_in(frame.rgb) == frame.index for frame in camera_frames)


def test_a_camera_that_was_unplugged_has_ended() -> None:
    capture = Flaky([0, 1, None, 2])
    reader = CameraReader("fake", capture, clock=StillClock())
    frames = list(reader.frames(SourceOptions(newest=False)))
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert "unplugged" in reader.problem
    assert reader.damaged == 1  # and not the hundred at the end
    assert capture.opened == 1


def test_a_stream_comes_back() -> None:
    clock, lines = StillClock(), Lines()
    capture = Flaky([0, 1, None, None, None, 2, 3])
    reader = CameraReader("rtsp://fake", capture, "stream", lines, clock)
    frames = list(reader.frames(SourceOptions(newest=False, patience=60)))
    assert [number_in(frame.rgb) for frame in frames] == [0, 1, 2, 3]
    assert clock.waits[:3] == [1, 2, 4]
    # 1 + 2 + 4 + 8 + 16 + 30 is the first sum above the patience.
    assert clock.waits[3:] == [1, 2, 4, 8, 16, 30]
    assert "is back after 7 s" in " ".join(lines.said)
    assert "no frame for 61 s" in reader.problem
    np.testing.assert_allclose([frame.time for frame in frames], [0, 0, 7, 7])


def test_a_camera_without_frames_is_an_error() -> None:
    reader = CameraReader("fake", Flaky([]), clock=StillClock())
    with pytest.raises(InputError, match="no frame that can be read"):
        list(reader.frames(SourceOptions()))


def test_a_camera_that_is_not_there_is_an_error() -> None:
    class Closed(Flaky):
        def isOpened(self) -> bool:  # noqa: N802
            return False

    with pytest.raises(InputError, match="cannot be opened"):
        CameraReader("7", Closed([]))


def test_a_camera_whose_driver_hangs_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It neither gives a frame nor says that it has none."""
    monkeypatch.setattr(cameras, "_PARTING", 0.1)
    camera = StepCamera()
    reader = CameraReader("fake", lambda: camera)
    threading.Thread(target=camera.press).start()
    frames = list(reader.frames(SourceOptions(patience=0.2)))
    assert len(frames) == 1
    assert "hangs" in reader.problem
    camera.release()


@pytest.mark.parametrize("newest", [True, False])
@pytest.mark.parametrize("taken", [0, 1])
def test_closing_lets_go_of_the_device(taken: int, newest: bool) -> None:
    """Whether or not frames were taken, and while somebody holds them still."""
    released = threading.Event()

    class Device(Flaky):
        def release(self) -> None:
            released.set()

    reader = CameraReader("fake", Device(list(range(50))), clock=StillClock())
    frames = reader.frames(SourceOptions(newest=newest))
    for _ in range(taken):
        next(frames)
    reader.close()
    assert released.wait(timeout=30)
    frames.close()


def test_a_reader_that_waits_can_be_stopped() -> None:
    camera = StepCamera()
    reader = CameraReader("fake", lambda: camera)
    taken: list[object] = []
    thread = threading.Thread(target=lambda: taken.extend(reader.frames(SourceOptions())))
    thread.start()
    camera.press(1)
    reader.stop()
    camera.release()  # a driver that hangs is waited for, and left alone then
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert len(taken) <= 1
