"""Bodies that lie about their length, do not end, or are no JSON."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest

from support.serving import Served, problem

HEAD = "{} /api/v1/{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n"


def ask(served: Served, method: str, path: str, headers: str, body: bytes) -> bytes:
    return served.raw(HEAD.format(method, path, headers).encode() + body)


def test_an_upload_says_its_length(fake: Served) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"an image"

    problem(fake.client.put("/images", content=pieces()), 411, "length")


def test_too_large_is_refused_before_it_is_read(fake: Served) -> None:
    answer = ask(fake, "PUT", "images", "Content-Length: 100001\r\n", b"")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"limit": 100000' in answer


def test_a_form_without_a_length_is_counted(fake: Served) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'--b\r\ncontent-disposition: form-data; name="image0"; filename="a"\r\n\r\n'
        for _ in range(20):
            yield b"0" * 100_000

    answer = fake.client.post("/match", content=pieces(), headers={"content-type": "multipart/form-data; boundary=b"})
    problem(answer, 413, "too-large")


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999999", "0x10", "8, 9"])
def test_a_length_that_is_none(fake: Served, length: str) -> None:
    answer = ask(fake, "PUT", "images", f"Content-Length: {length}\r\n", b"an image")
    assert answer.split(b" ")[1] in (b"400", b"413")
    assert b"application/problem+json" in answer


def test_a_body_that_ends_early(fake: Served) -> None:
    with socket.create_connection(("127.0.0.1", fake.port)) as connection:
        connection.sendall(HEAD.format("PUT", "images", "Content-Length: 50\r\n").encode() + b"less")
    assert fake.client.get("/health").json()["status"] == "ok"


@pytest.mark.parametrize("path", ["images", "match", "matches"])
def test_a_byte_now_and_then(fake: Served, path: str) -> None:
    method = "PUT" if path == "images" else "POST"
    kind = "multipart/form-data; boundary=b" if path == "match" else "application/json"
    head = HEAD.format(method, path, f"Content-Length: 5000\r\nContent-Type: {kind}\r\n").encode()
    with socket.create_connection(("127.0.0.1", fake.port), 20) as connection:
        connection.sendall(head)
        answer = b""
        connection.settimeout(0.1)
        for number in range(100):  # the fake server waits for a second
            try:
                connection.sendall(b"--b\r\n\r\n"[number : number + 1] or b" ")
                answer += connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            break
        connection.settimeout(20)
        while piece := connection.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"/problems/slow" in answer


def test_a_head_that_never_ends(fake: Served) -> None:
    with socket.create_connection(("127.0.0.1", fake.port), 20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-")
        assert connection.recv(100) == b""  # closed


def test_connections_are_not_too_many(fake: Served) -> None:
    held = [socket.create_connection(("127.0.0.1", fake.port), 20) for _ in range(64)]
    try:
        time.sleep(0.2)
        one_more = socket.create_connection(("127.0.0.1", fake.port), 20)
        with one_more, contextlib.suppress(ConnectionResetError):
            assert one_more.recv(1) == b""
    finally:
        for connection in held:
            connection.close()
    time.sleep(0.2)
    assert fake.client.get("/health").json()["status"] == "ok"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", 422, "options"),
        (b"{", 400, "bad-request"),
        (b"\xff\xfe", 400, "bad-request"),
        (b"[]", 422, "options"),
        (b"null", 422, "options"),
        (b'{"kind": NaN}', 400, "bad-request"),
        (b'{"a": ' + b"[" * 9 + b"]" * 9 + b"}", 400, "bad-request"),
        (b'{"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", 400, "bad-request"),
        (b'{"image0": "x", "image1": "y", "more": 1}', 422, "options"),
        (b'{"image0": 1, "image1": "y"}', 422, "options"),
        (b'{"image0": "x", "image1": "y", "options": {"resize": 1e99}}', 422, "options"),
        (b'{"image0": "x", "image1": "y", "options": {"resize": [1, 2, 3]}}', 422, "options"),
        (b'{"image0": "x", "image1": "y", "options": {"max_keypoints": "7"}}', 422, "options"),
        (b'{"image0": "x", "image1": "y", "options": {"match_threshold": 1e999}}', 422, "options"),
        (b'{"image0": "\\ud800", "image1": "y", "name0": "\\ud800"}', 422, "options"),
        (b'{"image0": "x", "image1": "y"}', 404, "not-found"),
        (b" " * 70_000, 413, "too-large"),
    ],
)
def test_json_that_is_refused(fake: Served, body: bytes, status: int, kind: str) -> None:
    answer = fake.client.post("/matches", content=body, headers={"content-type": "application/json"})
    told = problem(answer, status, kind)
    assert kind != "options" or "field" in told


def test_json_by_another_name(fake: Served) -> None:
    body = json.dumps({"image0": "x", "image1": "y"}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded"):  # what a foreign form could send
        assert fake.client.post("/matches", content=body, headers={"content-type": kind}).status_code in (400, 415, 422)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b"x"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\nx"),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"x: " + b"y" * 9000 + b"\r\n\r\n"),
        ("multipart/form-data; boundary=b", b'--b\r\ncontent-disposition: form-data; name="image0"\r\n\r\nno end'),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n\r\n" * 100 + b"--b--"),
        ("multipart/form-data; boundary=" + "b" * 5000, b"x"),
    ],
)
def test_forms_that_are_none(fake: Served, kind: str, body: bytes) -> None:
    problem(fake.client.post("/match", content=body, headers={"content-type": kind}), 400, "bad-request")


def test_fields_of_a_form(fake: Served) -> None:
    files = {"image0": ("a.jpg", b"one"), "image1": ("../b.jpg", b"two")}
    data = {"resize": "640x480", "max_keypoints": "100", "align": "false", "rotations": "auto"}
    pair = fake.client.post("/match", files=files, data=data).json()
    assert pair["names"] == ["a.jpg", "../b.jpg"]
    assert pair["options"] == {"resize": [640, 480], "max_keypoints": 100, "align": False, "rotations": "auto"}
    problem(fake.client.post("/match", files={"image0": b"one"}), 422, "options")
    for name in ("image0", "image1", "mask0"):
        bad = fake.client.post("/match", files={**files, name: b"bad image"})
        assert problem(bad, 415, "not-an-image")["field"] == name
    assert problem(fake.client.post("/match", files=files, data={"resise": "7"}), 422, "options")["field"] == "resise"
    assert problem(fake.client.post("/match", files=files, data={"layers": "x"}), 422, "options")["field"] == "layers"


def test_what_is_no_http(fake: Served) -> None:
    answer = fake.raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in answer
