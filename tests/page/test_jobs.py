"""The queue, the deadline, and a worker that dies."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from cyano.page.memory import Memory
from support.serving import Served, problem


def upload(served: Served, content: bytes) -> httpx.Response:
    return served.client.put("/images", content=content)


def test_an_image_is_known_by_its_bytes(fake: Served) -> None:
    first, second = upload(fake, b"an image of ours").json(), upload(fake, b"an image of ours").json()
    assert (first["existing"], second["existing"]) == (False, True)
    assert first["id"] == second["id"]
    assert len(first["id"]) == 64
    assert (first["width"], first["height"], first["orientation"]) == (10, 20, 1)


def test_an_image_that_is_refused_is_not_kept(fake: Served) -> None:
    problem(upload(fake, b"bad image"), 415, "not-an-image")
    problem(fake.client.post("/matches", json={"image0": "0" * 64, "image1": "0" * 64}), 404, "not-found")


def test_bytes_that_kill_the_worker_are_refused_at_last(fake: Served) -> None:
    for _ in range(3):
        answer = upload(fake, b"die of this")
        problem(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert upload(fake, b"fine").status_code == 200  # the next request works
    problem(upload(fake, b"die of this"), 415, "not-an-image")
    problem(upload(fake, b"die of that"), 503, "unavailable")


def test_a_match_that_kills_the_worker_does_not_blame_its_images(fake: Served) -> None:
    one, two = (upload(fake, each).json()["id"] for each in (b"one", b"two"))
    deadly = {"image0": one, "image1": two, "options": {"layers": 1}}
    for _ in range(4):
        problem(fake.client.post("/matches", json=deadly), 503, "unavailable")
    pid = fake.worker.pid  # the fourth was not tried
    problem(fake.client.post("/matches", json=deadly), 503, "unavailable")
    assert fake.worker.pid == pid
    assert fake.client.post("/matches", json={"image0": one, "image1": two}).status_code == 200


def test_a_job_that_hangs_is_ended(fake: Served) -> None:
    told = problem(upload(fake, b"hang on this"), 503, "unavailable")
    assert "3 s" in str(told["detail"])
    assert upload(fake, b"fine again").status_code == 200


def test_a_fault_is_no_traceback(fake: Served) -> None:
    told = problem(upload(fake, b"fault in this"), 503, "unavailable")
    assert "ZeroDivision" not in str(told)


def test_a_worker_that_is_killed_in_a_match(fake: Served) -> None:
    one, two = (upload(fake, each).json()["id"] for each in (b"three", b"four"))
    slow = {"image0": one, "image1": two, "options": {"match_threshold": 0.9}}  # seconds, for the fake one
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(fake.client.post, "/matches", json=slow)
        time.sleep(0.4)
        pid = fake.worker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        problem(answer.result(), 503, "unavailable")
    assert fake.client.post("/matches", json=slow).status_code == 200
    assert fake.worker.pid != pid


def test_too_many_wait(fake: Served) -> None:
    bodies = [b"slow %d" % number for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda body: upload(fake, body), bodies))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 3  # one at work, two in the queue
    refused = next(answer for answer in answers if answer.status_code == 429)
    problem(refused, 429, "busy")
    assert int(refused.headers["retry-after"]) > 0
    assert fake.client.get("/health").json()["queue"] == 0


def test_the_same_question_is_asked_once(fake: Served) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: upload(fake, b"slow and the same"), range(8)))
    assert {answer.status_code for answer in answers} == {200}


def test_what_nobody_waits_for_is_dropped(fake: Served) -> None:
    def leave(number: int) -> None:
        body = b"slow to leave %d" % number
        head = f"PUT /api/v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", fake.port)) as connection:
            connection.sendall(head.encode() + body)
            time.sleep(0.1)

    threads = [threading.Thread(target=leave, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.1)
    assert fake.client.get("/health").json()["queue"] <= 1  # the one at work


def test_memory_forgets_the_oldest_and_the_stale() -> None:
    now = [0.0]
    memory = Memory[str, bytes](10, len, keep_seconds=60, clock=lambda: now[0])
    memory["a"], memory["b"] = b"1234", b"5678"
    assert memory.get("a") == b"1234"
    memory["c"] = b"9999"
    assert memory.get("b") is None  # asked for longest ago
    assert memory.bytes == 8
    memory["d"] = b"x" * 11
    assert memory.get("d") is None
    now[0] = 50
    assert "a" in memory
    now[0] = 70
    assert memory.get("c") is None
    assert memory.get("a") == b"1234"
    now[0] = 200
    assert memory.get("a") is None
    assert memory.bytes == 0


def test_uploads_are_kept_within_the_memory(fake: Served) -> None:
    ids = [upload(fake, b"%d" % number + b"0" * 90_000).json()["id"] for number in range(5)]  # 300,000 are kept
    statuses = [fake.client.get(f"/images/{each}/preview").status_code for each in (ids[0], ids[-1])]
    assert statuses[0] == 404
