"""A WebSocket that somebody adds is behind the guard like everything else."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import APIRouter, WebSocket

from cyano.page.app import application
from cyano.page.service import Service
from cyano.page.settings import Settings
from cyano.page.worker import Worker

TOKEN = "t" * 43
OURS = {"host": "localhost", "origin": "http://localhost", "authorization": f"Bearer {TOKEN}"}


def routes() -> APIRouter:
    router = APIRouter()

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    router.add_api_websocket_route("/api/v1/live", echo)
    return router


async def talk(headers: dict[str, str]) -> list[Any]:
    """The kinds of messages that a WebSocket with these headers gets."""
    settings = Settings(token=TOKEN)
    app = application(Service(settings, Worker(settings)), [routes()])
    arriving: list[Any] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return arriving.pop(0) if arriving else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": "/api/v1/live", "headers": raw, "query_string": b"", "subprotocols": []}
    await app({**scope, "scheme": "ws", "root_path": "", "asgi": {"version": "3.0"}}, receive, send)
    return sent


def talked(headers: dict[str, str]) -> list[Any]:
    """In a thread, since a browser that another test drives has a loop of its own running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(talk(headers))).result()


def test_one_of_ours() -> None:
    sent = talked(OURS)
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert sent[1]["text"] == "hello"


@pytest.mark.parametrize(
    "foreign",
    [
        {"origin": "http://evil.example"},
        {"host": "evil.example", "origin": "http://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"authorization": "Bearer wrong"},
    ],
)
def test_one_of_somebody_elses(foreign: dict[str, str]) -> None:
    sent = talked({**OURS, **foreign})
    assert [message["type"] for message in sent] == ["websocket.close"]
