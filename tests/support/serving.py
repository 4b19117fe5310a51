"""A server in a thread, with a worker that does nothing or the real one."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from cyano.page.feed import Feed
from cyano.page.server import uvicorn_of
from cyano.page.settings import Settings
from cyano.page.worker import Worker

__all__ = ["FAKE", "FAKE_FEED", "Served", "problem", "serving"]

FAKE = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))
"""The command of a worker without networks."""

FAKE_FEED = (sys.executable, str(Path(__file__).with_name("fake_feed.py")))
"""The command of a process for live pictures without a source."""


@dataclass(eq=False)
class Served:
    """A server that answers.

    Attributes:
        port: at 127.0.0.1.
        worker: of it.
        client: for its API.
        server: uvicorn's.
        feed: of live pictures, if there are any.
        loop: that it runs in.
    """

    port: int
    worker: Worker
    client: httpx.Client
    server: uvicorn.Server
    feed: Feed | None
    loop: asyncio.AbstractEventLoop

    def watch(self, **headers: Any) -> Any:
        """A WebSocket to the live pictures."""
        from websockets.sync.client import connect

        return connect(f"ws://127.0.0.1:{self.port}/api/v1/live", max_size=None, **headers)

    def raw(self, request: bytes, seconds: float = 20.0) -> bytes:
        """What comes back for bytes that may be no HTTP, until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as connection:
            connection.sendall(request)
            answer = bytearray()
            while piece := connection.recv(65536):
                answer += piece
        return bytes(answer)


@contextmanager
def serving(
    settings: Settings, command: Sequence[str] = FAKE, feed_command: Sequence[str] = FAKE_FEED
) -> Iterator[Served]:
    """While a server runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    started: list[tuple[uvicorn.Server, Worker, Feed | None, asyncio.AbstractEventLoop]] = []
    ready = threading.Event()

    async def main() -> None:
        worker, feed = Worker(settings, command), None
        await worker.start()
        if settings.live is not None:
            feed = Feed(settings.live, feed_command)
            await feed.start()
        server = uvicorn_of(settings, worker, feed)
        started.append((server, worker, feed, asyncio.get_running_loop()))
        ready.set()
        await server.serve(sockets=[listener])
        await worker.stop()
        if feed is not None:
            await feed.stop()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(300)  # for a worker with networks, on a machine that has other things to do
    server, worker, feed, loop = started[0]
    port = listener.getsockname()[1]
    # Connections are not used again: a server that ends idle ones after a second may do so as a request sets out.
    once = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=120, limits=once) as client:
        yield Served(port, worker, client, server, feed, loop)
    server.should_exit = True
    thread.join(30)


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, object]:
    """The document of a problem, after a look at its form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = answer.json()
    assert document["type"] == f"/api/v1/problems/{kind}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document
