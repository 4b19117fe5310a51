"""The live view: frames over a WebSocket, commands, latency, refusals; the server runs in a thread, with no browser."""

from __future__ import annotations

import json
import struct
import threading
import urllib.error
import urllib.request
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
from support.live import LiveServer, live_options
from support.movies import StepCamera, number_in

pytest.importorskip("fastapi", reason="the extra page serves")
pytest.importorskip("websockets", reason="the extra page serves")


@pytest.fixture
def served(folder: Path, networks: Networks, serve: Any) -> LiveServer:
    return serve(LiveSession(open_source(folder), live_options(networks)))


def read_message(content: bytes) -> tuple[dict[str, Any], list[bytes], np.ndarray, list[np.ndarray]]:
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


def next_frame(
    websocket: Any, *, acknowledge: bool = True
) -> tuple[dict[str, Any], list[bytes], np.ndarray, list[Any]]:
    while isinstance(content := websocket.recv(timeout=60), str):
        pass
    if acknowledge:
        websocket.send(json.dumps({"command": "shown"}))
    return read_message(content)


def test_frames_and_matches_arrive(served: LiveServer) -> None:
    with served.connect(origin=f"http://{served.host}") as websocket:
        served.session.command("keypoints", True)
        served.session.start()
        while True:
            header, pictures, rows, points = next_frame(websocket)
            if header["state"] == "ended":
                break
        assert (header["frame"], header["anchor"], header["status"]) == (5, 0, "tracked")
        assert header["sizes"] == [[160, 120]] * 2
        # Frame 5 shows what frame 0 does 40 pixels further left.
        np.testing.assert_allclose(np.median(rows[:, :2] - rows[:, 2:4], axis=0), [40, 0], atol=0.3)
        assert ((rows[:, 4] > 0) & (rows[:, 4] <= 1)).all()
        assert [len(each) for each in points] == header["keypoints"]
        assert pictures[1][:3] == b"\xff\xd8\xff"


def test_the_anchor_is_sent_once(served: LiveServer) -> None:
    with served.connect() as websocket:  # a program of this machine says no origin
        served.session.start()
        sizes = []
        while (header := next_frame(websocket)[0])["state"] != "ended":
            sizes.append(header["jpeg"][0])
    assert sizes[0] > 0
    assert not any(sizes[1:])


def test_a_slow_page_skips_frames(served: LiveServer) -> None:
    with served.connect() as websocket:
        served.session.start()
        header, *_ = next_frame(websocket, acknowledge=False)
        while served.session.latest().state["state"] != "ended":
            threading.Event().wait(0.05)
        websocket.send(json.dumps({"command": "shown"}))
        later, *_ = next_frame(websocket)
    assert later["frame"] == 5
    assert header["frame"] < 5


def test_commands_over_the_socket(served: LiveServer) -> None:
    with served.connect() as websocket:
        for text, told in (
            ("{", "a command is a JSON object"),
            ("[1]", "a command is a JSON object"),
            ('{"command": "dance"}', "no command 'dance'"),
            ('{"command": "match_threshold", "value": 2}', "from 0 to 1"),
            ('{"command": "pause", "value": 1}', "true or false"),
            ("[" * 900, "a command is a JSON object"),
        ):
            websocket.send(text)
            while "error" not in (answer := json.loads(websocket.recv(timeout=60))):
                pass
            assert told in answer["error"]
        websocket.send('{"command": "quit"}')
        assert served.quit.wait(60)


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"additional_headers": {"Host": "evil.example"}}]
)
def test_other_sites_are_refused(served: LiveServer, headers: Any) -> None:
    websockets = pytest.importorskip("websockets")
    with pytest.raises(websockets.exceptions.InvalidHandshake):
        served.connect(**headers)


def get(server: LiveServer, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(f"http://{server.host}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_the_page_asks_nobody_else(served: LiveServer) -> None:
    for path, kind in (
        ("/", "text/html"),
        ("/live", "text/html"),
        ("/live/live.js", "text/javascript"),
        ("/live/live.css", "text/css"),
        ("/favicon.ico", "image/svg+xml"),
    ):
        status, headers, content = get(served, path)
        assert status == 200
        assert headers["content-type"].startswith(kind)
        assert "default-src 'none'" in headers["content-security-policy"]
        foreign = content.replace(b"http://www.w3.org/2000/svg", b"")  # a name space, which nobody fetches
        assert b"http://" not in foreign
        assert b"https://" not in foreign
        assert b" style=" not in content
        assert b"onclick=" not in content
    for path in ("/live/session.py", "/live/..%2frouter.py", "/docs", "/openapi.json"):
        assert get(served, path)[0] == 404
    assert get(served, "/live", Host="evil.example")[0] == 403
    assert get(served, "/live", Origin="http://evil.example")[0] == 403


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


def test_a_source_that_fails_says_why(tmp_path: Path, networks: Networks) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    session = LiveSession(open_source(tmp_path), live_options(networks))
    session.start()
    while session.latest().state["state"] != "failed":
        threading.Event().wait(0.02)
    assert "none of the images" in session.latest().state["message"]
    session.close()
