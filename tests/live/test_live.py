"""A live session: the newest frame, commands, and sources that fail."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cyano.checkpoints.loading import Networks
from cyano.errors import InputError
from cyano.live import LiveSession
from cyano.video import Frame, SourceOptions, open_source
from cyano.video.cameras import CameraReader
from cyano.video.source import Source
from support.live import live_options
from support.movies import StepCamera, number_in


def test_the_shown_frame_is_one_frame_and_one_match_old(networks: Networks) -> None:
    """A camera gives ten frames while each is matched; what is matched next is the newest of them."""
    camera = StepCamera()
    reader = CameraReader("fake", lambda: camera)
    session = LiveSession(Source(reader, SourceOptions()), live_options(networks))
    matched: list[int] = []

    def slow_push(frame: Frame) -> Any:
        seen = push(frame)
        matched.append(number_in(frame.rgb))
        camera.press(10)
        return seen

    push, session._tracker.push = session._tracker.push, slow_push  # type: ignore[method-assign]
    session.start()
    camera.press(1)
    while len(matched) < 4:
        threading.Event().wait(0.02)
    camera.release()
    session.close()
    np.testing.assert_array_equal(matched[:4], [0, 10, 20, 30])


def test_pausing_anchors_and_thresholds(folder: Path, networks: Networks) -> None:
    session = LiveSession(open_source(folder), live_options(networks))
    session.command("pause", True)
    session.start()
    assert session.latest().state["state"] == "paused"
    session.command("match_threshold", 0.4)
    session.command("keypoint_threshold", 0.001)
    session.command("pause", False)
    while session.latest().state["state"] != "ended":
        threading.Event().wait(0.02)
    shown = session.latest()
    assert shown.state["match_threshold"] == 0.4
    assert shown.seen is not None
    assert shown.seen.result.scores.min() > 0.4
    assert shown.seen.result.image1.scores.min() >= 0.001
    session.close()
    with pytest.raises(InputError, match="no command"):
        session.command("dance")


def test_a_session_that_never_began_closes_its_source(folder: Path, networks: Networks) -> None:
    source = open_source(folder)
    closed = threading.Event()
    source.close = closed.set  # type: ignore[method-assign]
    LiveSession(source, live_options(networks)).close()
    assert closed.is_set()


def test_an_error_that_nobody_expected_ends_the_session(
    folder: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages are told, and whoever reads the log sees where it happened."""
    logged: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", logged.append)
    session = LiveSession(open_source(folder), live_options(networks))

    def fail(frame: Frame) -> Any:
        raise RuntimeError("out of memory\n  at 0x7f")

    session._tracker.push = fail  # type: ignore[method-assign]
    session.start()
    session._thread.join(timeout=60)
    state = session.latest().state
    assert (state["state"], state["message"]) == ("failed", "out of memory")
    assert [each.exc_type for each in logged] == [RuntimeError]
    session.close()


def test_a_source_that_fails_says_why(tmp_path: Path, networks: Networks) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    session = LiveSession(open_source(tmp_path), live_options(networks))
    session.start()
    while session.latest().state["state"] != "failed":
        threading.Event().wait(0.02)
    assert "none of the images" in session.latest().state["message"]
    session.close()
