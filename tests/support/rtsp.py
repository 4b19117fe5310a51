"""A small RTSP camera (RFC 2326): MPEG-4 video (RFC 6416) of bar codes, interleaved in the TCP connection."""

from __future__ import annotations

import socket
import struct
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from support.movies import HEIGHT, WIDTH, bar_code

RATE, CLOCK = 25, 90_000


def encoded(count: int) -> tuple[bytes, list[bytes]]:
    """The decoder's configuration and the packet of each of so many numbered frames."""
    av = pytest.importorskip("av", reason="PyAV encodes what the RTSP server sends")
    codec = av.CodecContext.create("mpeg4", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = WIDTH, HEIGHT, "yuv420p", Fraction(1, RATE)
    codec.flags |= av.codec.context.Flags.global_header
    codec.gop_size = 1
    packets = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(bar_code(number), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        packets += [bytes(packet) for packet in codec.encode(frame)]
    packets += [bytes(packet) for packet in codec.encode()]
    return bytes(codec.extradata), packets


class Camera(ThreadingTCPServer):
    """Sends its frames to each who asks, then hangs up or, with `stalls`, falls silent.

    With `pauses` it sends so many frames, and the others when `goes_on` is set. With a user such as "name:password" it
    asks for them.
    """

    daemon_threads = True

    def __init__(self, frames: int, stalls: bool, pauses: int | None, user: str) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.config, self.packets = encoded(frames)
        self.stalls, self.closed = stalls, threading.Event()
        self.pauses, self.goes_on = pauses, threading.Event()
        self.user, self.authorization = user, "Basic " + b64encode(user.encode()).decode()

    @property
    def address(self) -> str:
        return f"rtsp://{self.user}{'@' * bool(self.user)}127.0.0.1:{self.server_address[1]}/camera"


class _Talk(StreamRequestHandler):
    server: Camera

    def handle(self) -> None:
        with suppress(ConnectionError):
            self._talk()

    def _talk(self) -> None:
        while request := self._request():
            (method, address), headers = request
            if self.server.user and headers.get("authorization") != self.server.authorization:
                self._answer("401 Unauthorized", headers, {"WWW-Authenticate": 'Basic realm="camera"'})
            elif not address.removesuffix("/").removesuffix("/track").endswith("/camera"):
                self._answer("404 Not Found", headers)
            elif method == "DESCRIBE":
                self._answer("200 OK", headers, {"Content-Type": "application/sdp"}, self._description())
            elif method == "SETUP" and "TCP" not in headers["transport"]:
                self._answer("461 Unsupported Transport", headers)
            elif method == "SETUP":
                self._answer("200 OK", headers, {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1", "Session": "1"})
            elif method == "PLAY":
                self._answer("200 OK", headers, {"Session": "1"})
                self._play()
                return
            else:
                self._answer("200 OK", headers, {"Public": "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"})

    def _request(self) -> tuple[list[str], dict[str, str]] | None:
        lines = []
        while (line := self.rfile.readline().decode().strip()) or not lines:
            if not line:
                return None
            lines.append(line)
        pairs = (line.partition(":") for line in lines[1:])
        return lines[0].split()[:2], {name.lower(): value.strip() for name, _, value in pairs}

    def _answer(self, status: str, asked: dict[str, str], more: dict[str, Any] | None = None, body: str = "") -> None:
        headers = {"CSeq": asked["cseq"], **(more or {}), "Content-Length": len(body)}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.wfile.write(f"RTSP/1.0 {status}\r\n{head}\r\n{body}".encode())

    def _description(self) -> str:
        lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=camera", "t=0 0", "m=video 0 RTP/AVP 96"]
        lines += [f"a=rtpmap:96 MP4V-ES/{CLOCK}", f"a=fmtp:96 config={self.server.config.hex()}", "a=control:track"]
        return "".join(f"{line}\r\n" for line in lines)

    def _play(self) -> None:
        for number, packet in enumerate(self.server.packets):
            if number == self.server.pauses:
                self.server.goes_on.wait()
            rtp = struct.pack("!BBHII", 0x80, 0x80 | 96, number, number * CLOCK // RATE, 1) + packet
            self.wfile.write(struct.pack("!cBH", b"$", 0, len(rtp)) + rtp)
        if self.server.stalls:
            self.server.closed.wait()
        else:
            self.connection.shutdown(socket.SHUT_WR)


@contextmanager
def rtsp_camera(frames: int, *, stalls: bool = False, pauses: int | None = None, user: str = "") -> Iterator[Camera]:
    """A camera while the block runs."""
    with Camera(frames, stalls, pauses, user) as camera:
        thread = threading.Thread(target=camera.serve_forever)
        thread.start()
        try:
            yield camera
        finally:
            camera.closed.set()
            camera.goes_on.set()
            camera.shutdown()
            thread.join()
