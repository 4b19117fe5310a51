"""A stream over a network: MJPEG by HTTP from a server of this test, read by OpenCV as cameras' streams are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cyano.errors import InputError
from cyano.video import SourceOptions, open_source
from cyano.viz.encoding import image_bytes
from support.movies import bar_code, number_in

FRAMES = 6


class Camera(BaseHTTPRequestHandler):
    """Gives some frames to each who asks, and hangs up."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in range(FRAMES):
            picture = image_bytes(bar_code(number), "jpg")
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            self.wfile.write(head.encode() + picture + b"\r\n")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/camera.mjpg"
    server.shutdown()
    server.server_close()
    thread.join()


def test_frames_of_a_stream_and_its_end(address: str) -> None:
    with open_source(address, SourceOptions(newest=False, patience=0)) as source:
        numbers = [number_in(frame.rgb) for frame in source]
        assert source.kind == "stream"
        assert "gave no frame" in source.problem
    assert numbers == list(range(FRAMES))


def test_a_stream_that_comes_back_goes_on(address: str) -> None:
    with open_source(address, SourceOptions(newest=False, patience=30, max_frames=FRAMES + 2)) as source:
        frames = [(frame.index, number_in(frame.rgb)) for frame in source]
    assert frames == [(place, place % FRAMES) for place in range(FRAMES + 2)]  # opened again after a second


def test_a_stream_that_is_not_there(address: str) -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        open_source("http://127.0.0.1:9/camera.mjpg")
