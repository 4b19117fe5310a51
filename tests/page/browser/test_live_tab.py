"""A person's walk through the live tab: a folder of frames behind it, and states that a folder does not have."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from support.browser import LOOKS

if TYPE_CHECKING:
    from page.browser.conftest import Opened

SOCKET = "**/api/v1/live"


def test_frames_are_shown_and_keys_do_what_the_demo_does(opened: Opened) -> None:
    with opened(tab="live") as seen:
        page = seen.page
        seen.until("document.querySelector('#live-summary')?.textContent === 'The end'")
        assert "frame 5 beside frame 0" in page.inner_text("#live-more")
        assert int(page.inner_text("#live-matches")) > 50  # one shift of 40 pixels
        seen.until("document.querySelector('#live-view').dataset.drawn > 0")
        seen.picture("live")
        page.focus("#live-view")
        page.keyboard.press("k")
        seen.until("document.querySelector('#live-points').getAttribute('aria-pressed') === 'true'")
        page.keyboard.press("f")
        seen.until("document.querySelector('#live-threshold + output').textContent === '0.25'")
        page.keyboard.press("r")
        seen.until("document.querySelector('#live-least-keypoint').value === '1'")
        assert page.is_hidden("#live-quit")  # who started the service ends it
        page.keyboard.press("k")  # as it was, for the other tests
        seen.until("document.querySelector('#live-points').getAttribute('aria-pressed') === 'false'")
        page.keyboard.press("d")
        seen.until("document.querySelector('#live-threshold + output').textContent === '0.20'")


def test_nothing_is_sent_to_a_tab_that_nobody_looks_at(opened: Opened) -> None:
    with opened(tab="live") as seen:
        seen.page.wait_for_selector("#live[data-state=result]")
        seen.page.click("#tab-match")
        seen.page.wait_for_timeout(100)
        frames: list[object] = []

        def note(frame: object) -> None:
            frames.append(frame)

        # A source at its end sends a single frame, perhaps before anyone could wait for it.
        seen.page.on("websocket", lambda again: again.on("framereceived", note))
        with seen.page.expect_websocket() as again:
            seen.page.click("#tab-live")
        for _ in range(600):
            if not frames:
                seen.page.wait_for_timeout(100)
        assert frames
        assert not again.value.is_closed()


def test_without_live_pictures_it_says_how_to_have_them(opened: Opened) -> None:
    with opened() as seen:
        _health(seen, live=False)
        seen.page.click("#tab-live")
        seen.page.wait_for_selector("#live[data-state=empty]")
        assert "cyano serve --live 0" in seen.page.inner_text("#live")
        seen.picture("live-empty")


def test_a_service_that_is_gone_comes_back(opened: Opened) -> None:
    with opened() as seen:
        seen.page.route("**/api/v1/health", lambda route: route.abort())
        seen.page.click("#tab-live")
        seen.page.wait_for_selector("#live[data-state=error]")
        assert "does not answer" in seen.page.inner_text("#live")
        seen.picture("live-gone")
        seen.page.unroute("**/api/v1/health")
        seen.page.wait_for_selector("#live[data-state=result]")


def _health(seen: Any, *, live: bool) -> None:
    told = json.dumps({"status": "ok", "version": "0", "weights": "none", "device": "cpu", "queue": 0, "live": live})
    seen.page.route("**/api/v1/health", lambda route: route.fulfill(body=told, content_type="application/json"))


def _frame(anchor: bytes, picture: bytes, **more: Any) -> bytes:
    rows = np.array([[10, 20, 12, 22, 0.9], [100, 90, 104, 92, 0.4]], "<f4")
    header = {
        "state": "running",
        "message": "",
        "source": "walk.mp4",
        "damaged": 2,
        "quits": True,
        "show_keypoints": False,
        "frame": 3,
        "time": 0.12,
        "anchor": 0,
        "status": "tracked",
        "matches": 2,
        "keypoints": [900, 800],
        "points": [],
        "sizes": [[240, 180], [240, 180]],
        "jpeg": [len(anchor), len(picture)],
        "seconds": {"match": 0.2},
        "keypoint_threshold": 0.01,
        "match_threshold": 0.2,
        **more,
    }
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 4)
    return struct.pack("<I", len(head)) + head + anchor + picture + rows.tobytes()


@pytest.fixture
def pictures(photographs: Path) -> tuple[bytes, bytes]:
    from PIL import Image

    from cyano.viz.encoding import image_bytes

    anchor, picture = (image_bytes(np.asarray(Image.open(photographs / f"{name}.png")), "jpg") for name in "ab")
    return anchor, picture


def test_commands_and_every_frame_that_was_shown_are_told(opened: Opened, pictures: tuple[bytes, bytes]) -> None:
    heard: list[dict[str, Any]] = []
    with opened() as seen:
        page = seen.page

        def serve(socket: Any) -> None:
            socket.on_message(lambda text: heard.append(json.loads(text)))
            socket.send(_frame(*pictures))
            socket.send(_frame(b"", b"no picture"))  # cannot be drawn, and is told of all the same
            socket.send(_frame(b"", pictures[1], status="few matches"))

        page.route_web_socket(SOCKET, serve)
        page.click("#tab-live")
        seen.until("document.querySelector('#live-summary')?.textContent.startsWith('Too few matches')")
        assert "2 damaged frames left out" in page.inner_text("#live-more")
        page.wait_for_timeout(200)
        assert [each["command"] for each in heard] == ["shown"] * 3
        page.focus("#live-view")
        for key in ("n", "f", " ", "q"):
            page.keyboard.press(key)
        page.wait_for_timeout(100)
        assert [each["command"] for each in heard[3:]] == ["anchor", "match_threshold", "pause", "quit"]
        assert heard[4]["value"] == pytest.approx(0.25)
        seen.picture("live-few-matches")


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_nothing_grave_and_nothing_sticks_out(opened: Opened, size: str, theme: str) -> None:
    with opened(size=size, theme=theme, tab="live") as seen:
        seen.until("document.querySelector('#live-summary')?.textContent === 'The end'")
        seen.picture(f"{size}-{theme}-live")
        assert not seen.grave()
        assert seen.is_as_wide_as_the_window()
