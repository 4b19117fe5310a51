"""Live pictures over a WebSocket: who gets them, how fast, and what is left when somebody leaves."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.page.feed import COMMAND, Feed
from cyano.page.settings import Limits, LiveSource, Settings
from cyano.page.work.live import told_name
from support.serving import Served, problem, serving

websockets = pytest.importorskip("websockets", reason="the extra page brings it")

TOKEN = "t" * 43


@pytest.fixture
def live() -> Iterator[Served]:
    """A server whose frames come when they are asked for."""
    with serving(Settings(live=LiveSource("fake", quits=True))) as served:
        yield served


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not become true"
        time.sleep(0.01)


def say(websocket: Any, command: str, value: Any = None) -> None:
    websocket.send(json.dumps({"command": command, "value": value}))


def frame_of(content: bytes) -> tuple[dict[str, Any], list[bytes], np.ndarray, list[np.ndarray]]:
    (length,) = struct.unpack("<I", content[:4])
    header, at = json.loads(content[4 : 4 + length]), 4 + length
    assert at % 4 == 0
    pictures = []
    for size in header["jpeg"]:
        pictures.append(content[at : at + size])
        at += size
    count = 5 * header["matches"]
    rows = np.frombuffer(content, "<f4", count, at).reshape(-1, 5)
    at += 4 * count
    points = []
    for each in header["points"]:
        points.append(np.frombuffer(content, "<f4", 2 * each, at).reshape(-1, 2))
        at += 8 * each
    assert at == len(content)
    return header, pictures, rows, points


def next_frame(websocket: Any) -> tuple[dict[str, Any], list[bytes], np.ndarray, list[np.ndarray]]:
    while isinstance(content := websocket.recv(timeout=60), str):
        pass
    return frame_of(content)


def next_text(websocket: Any, name: str) -> Any:
    while name not in (document := json.loads(websocket.recv(timeout=60))):
        pass
    return document[name]


def test_frames_come_one_by_one_and_the_anchor_once(live: Served) -> None:
    with live.watch(origin=f"http://127.0.0.1:{live.port}") as page:
        assert next_text(page, "state") == "running"
        sizes = []
        for number in range(3):
            say(page, "next", 1)
            header, (anchor, picture), *_ = next_frame(page)
            assert (header["frame"], len(picture)) == (number, 200_000)
            sizes.append(len(anchor))
            say(page, "shown")
        assert sizes == [6, 0, 0]
    with live.watch() as another:  # a program of this machine says no origin, and has not seen the anchor
        assert next_frame(another)[1][0] == b"anchor"


def test_a_page_that_does_not_say_shown_gets_nothing_and_then_the_newest(live: Served) -> None:
    with live.watch() as slow, live.watch() as quick:
        say(slow, "next", 1)
        assert next_frame(slow)[0]["frame"] == next_frame(quick)[0]["frame"] == 0
        say(quick, "next", 250)
        until(lambda: live.feed and live.feed.state.get("frame") == 250)
        with pytest.raises(TimeoutError):
            slow.recv(timeout=0.3)
        say(slow, "shown")
        header, (anchor, _), *_ = next_frame(slow)
        assert header["frame"] == 250
        assert anchor == b"anchor"  # another one since, which came with a frame that was left out


def test_nothing_waits_for_a_page_that_is_gone(live: Served) -> None:
    async def tasks() -> int:
        return len(asyncio.all_tasks())

    def count() -> int:
        return asyncio.run_coroutine_threadsafe(tasks(), live.loop).result(60)

    before = count()
    for _ in range(5):
        with live.watch() as page:
            say(page, "next", 1)
            next_frame(page)  # and it never says that it has shown it
            page.socket.shutdown(socket.SHUT_RDWR)  # without a goodbye
    until(lambda: count() <= before)
    assert live.feed is not None
    assert not live.feed._viewers


def test_a_page_that_looks_for_long_is_not_taken_for_a_slow_one() -> None:
    """Connections have to say what they want within `slow_seconds`; this one has said it."""
    limits = Limits(slow_seconds=0.5)
    with serving(Settings(live=LiveSource("fake"), limits=limits)) as served, served.watch() as page:
        assert next_text(page, "state") == "running"
        time.sleep(4 * limits.slow_seconds)
        say(page, "next", 1)
        assert next_frame(page)[0]["frame"] == 0


@pytest.mark.parametrize(
    "text", ["{", "[1]", "[" * 900, "x" * 2000, '{"command": "dance"}', '{"command": null}', '{"value": 1}']
)
def test_what_is_no_command(live: Served, text: str) -> None:
    with live.watch() as page, live.watch() as another:
        page.send(text)
        assert next_text(page, "error")
        say(page, "next", 1)
        assert next_frame(another)[0]["frame"] == 0  # who has asked for nothing is told of no error


def test_who_may_end_the_server() -> None:
    with serving(Settings(live=LiveSource("fake", quits=True))) as served, served.watch() as page:
        say(page, "quit")
        until(lambda: served.server.should_exit)
    with serving(Settings(live=LiveSource("fake"))) as served, served.watch() as page:
        say(page, "quit")
        assert "Ctrl-C" in next_text(page, "error")
        assert not served.server.should_exit


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("localhost", "Origin: http://evil.example"),
        ("localhost", "Origin: null"),
        ("localhost", "Origin: http://localhost:9999"),  # another program of this machine
        ("evil.example", "Origin: http://evil.example"),  # a name that was made to mean this machine
        ("evil.example", "Accept: */*"),
        ("localhost", "Sec-Fetch-Site: cross-site"),
    ],
)
def test_pages_of_others_are_refused(live: Served, host: str, more: str) -> None:
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    key = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455's
    request = f"GET /api/v1/live HTTP/1.1\r\nHost: {host}\r\n{more}\r\n{upgrade}{key}\r\n\r\n"
    assert live.raw(request.encode()).split(b" ")[1] == b"403"
    assert live.feed is not None
    assert not live.feed._viewers


def test_the_token_is_asked_for() -> None:
    with serving(Settings(host="0.0.0.0", token=TOKEN, live=LiveSource("fake"))) as served:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            with pytest.raises(websockets.exceptions.InvalidStatus):
                served.watch(additional_headers=headers)
        with served.watch(additional_headers={"Authorization": f"Bearer {TOKEN}"}) as page:
            assert next_text(page, "state") == "running"


def test_a_server_without_live_pictures_says_so(fake: Served, live: Served) -> None:
    assert fake.client.get("/health").json()["live"] is False
    assert live.client.get("/health").json()["live"] is True
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    answer = fake.client.get("/live", headers={**upgrade, "sec-websocket-key": "x" * 24})
    problem(answer, 404, "not-found")


def test_a_process_that_ends_is_told_of(live: Served) -> None:
    with live.watch() as page:
        say(page, "next", 1)
        next_frame(page)
        say(page, "end")
        told = json.loads(page.recv(timeout=60))
        assert (told["state"], "start the server again" in told["message"]) == ("failed", True)
    assert live.client.get("/health").status_code == 200
    assert live.feed is not None
    assert "ended" in live.feed.problem


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    def start() -> None:
        asyncio.run(Feed(LiveSource(str(tmp_path / "walk.mp4"))).start())

    # In a thread of its own: a browser that another test has opened keeps this one's loop running.
    with ThreadPoolExecutor(1) as pool, pytest.raises(InputError, match="no such movie or folder"):
        pool.submit(start).result()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/home/somebody/walk.mp4", "walk.mp4"),
        ("frames/", "frames"),
        ("rtsp://user:secret@camera.local:554/one", "camera.local"),
        ("/dev/video0", "/dev/video0"),
        ("0", "0"),
    ],
)
def test_no_folder_and_no_password_is_told(source: str, name: str) -> None:
    assert told_name(source) == name


def test_a_folder_is_matched(tmp_path: Path) -> None:
    """The real process: frame 5 shows what frame 0 does 40 pixels further left."""
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    from PIL import Image

    for number in range(6):
        Image.fromarray(data.astronaut()[20:140, 8 * number : 8 * number + 160]).save(tmp_path / f"{number}.png")
    source = LiveSource(str(tmp_path), device="cpu", matching={"max_keypoints": 96}, min_matches=10)
    with serving(Settings(live=source), feed_command=COMMAND) as served, served.watch() as page:
        header: dict[str, Any] = {"state": "running"}
        while header["state"] != "ended":
            header, pictures, rows, _ = next_frame(page)
            say(page, "shown")
        assert (header["frame"], header["anchor"], header["status"]) == (5, 0, "tracked")
        assert header["source"] == tmp_path.name
        assert header["sizes"] == [[160, 120]] * 2
        # The shift is whole pixels; places are found to a third of one at 160 pixels.
        np.testing.assert_allclose(np.median(rows[:, :2] - rows[:, 2:4], axis=0), [40, 0], atol=0.3)
        assert pictures[1][:3] == b"\xff\xd8\xff"
        say(page, "keypoints", True)
        header, _, _, points = next_frame(page)
        assert [len(each) for each in points] == header["keypoints"]
        say(page, "match_threshold", 2)
        assert "from 0 to 1" in next_text(page, "error")
