"""RTSP: a camera of this test, read by OpenCV as cameras in a network are."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cyano.cli.videos import options as given
from cyano.errors import InputError
from cyano.video import SourceOptions, open_source
from cyano.video.cameras import CameraReader
from cyano.video.streams import open_stream, without_password
from support.commands import run
from support.movies import number_in
from support.rtsp import rtsp_camera

FRAMES = 6


def test_frames_and_the_end() -> None:
    with rtsp_camera(FRAMES) as camera, open_source(camera.address, SourceOptions(newest=False, patience=0)) as source:
        assert source.kind == "stream"
        assert [number_in(frame.rgb) for frame in source] == list(range(FRAMES))
        assert "gave no frame" in source.problem


def test_a_stream_that_comes_back_goes_on() -> None:
    options = SourceOptions(newest=False, patience=30, max_frames=FRAMES + 2)
    with rtsp_camera(FRAMES) as camera, open_source(camera.address, options) as source:
        frames = [(frame.index, number_in(frame.rgb)) for frame in source]
    assert frames == [(place, place % FRAMES) for place in range(FRAMES + 2)]


def test_a_slow_reader_gets_the_newest_frame() -> None:
    """The second frame that is handed out is the last that was decoded, and the others are dropped."""
    with rtsp_camera(60, stalls=True, pauses=6) as camera:
        # Long enough that the stream has not ended when a busy machine takes the first frame.
        reader = CameraReader("camera", lambda: open_stream(camera.address, 10.0), "stream", silence=10.0)
        frames = reader.frames(SourceOptions(patience=60))
        first = next(frames)
        camera.goes_on.set()
        while reader._shot is None or reader._shot.number < 58:  # MPEG-4's decoder holds the last one back
            time.sleep(0.01)
        second = next(frames)
        frames.close()
    assert number_in(first.rgb) == first.index
    assert second.index == number_in(second.rgb) == 58


@pytest.mark.parametrize("newest", [False, True])
def test_a_stream_that_falls_silent_has_ended(newest: bool) -> None:
    """The frame that the decoder still holds comes a second late, and is not taken for a sign of life."""
    with rtsp_camera(FRAMES, stalls=True) as camera:
        reader = CameraReader("camera", lambda: open_stream(camera.address, 1.0), "stream", silence=1.0)
        frames = list(reader.frames(SourceOptions(newest=newest, patience=0.5)))
    assert number_in(frames[-1].rgb) == FRAMES - 2
    assert "gave no frame for 1 s" in reader.problem


def test_a_password_is_sent_and_not_shown() -> None:
    with (
        rtsp_camera(FRAMES, user="viewer:secret") as camera,
        open_source(camera.address, SourceOptions(newest=False, max_frames=1)) as source,
    ):
        assert [frame.name for frame in source] == [source.name]
        assert source.name == camera.address.replace("viewer:secret@", "")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://a:b@host/live?x=1@2", "rtsp://host/live?x=1@2"),
        ("rtsp://host:554/a@b", "rtsp://host:554/a@b"),
        ("http://a@host", "http://host"),
        ("rtsp://a:p@ss@[::1]:554/", "rtsp://[::1]:554/"),
    ],
)
def test_an_address_without_its_password(address: str, shown: str) -> None:
    assert without_password(address) == shown


def test_wrong_addresses_are_errors() -> None:
    with rtsp_camera(FRAMES, user="viewer:secret") as camera:
        for wrong in (camera.address.replace("/camera", "/other"), camera.address.replace("secret", "guess")):
            with pytest.raises(InputError, match=r"^the stream rtsp://127[^@]* cannot be opened; check the address"):
                open_source(wrong)


def test_no_reader_of_opencv_prints_a_password(capfd: pytest.CaptureFixture[str]) -> None:
    """A percent sign made one of them take the address for a pattern of numbered images."""
    with pytest.raises(InputError, match="cannot be opened"):
        open_source("rtsp://viewer:sec%40ret@127.0.0.1:9/camera")
    assert "sec%40ret" not in "".join(capfd.readouterr())


def test_the_command_writes_what_came_before_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = given.source_options
    monkeypatch.setattr(given, "source_options", lambda **wanted: replace(made(**wanted), patience=0.0))
    with rtsp_camera(FRAMES, user="viewer:secret") as camera:
        result = run("video", camera.address, "--out", tmp_path / "out", "--every-frame", "--no-movie")
    assert result.exit_code == 3
    assert "gave no frame" in result.stderr
    written = (tmp_path / "out" / "summary.json").read_text()
    assert json.loads(written)["frames"] == FRAMES
    assert "secret" not in written + result.stderr + result.stdout
