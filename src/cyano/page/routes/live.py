"""Live pictures: a WebSocket that tells of frames and takes commands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from cyano.errors import InputError
from cyano.page.feed import Feed, Viewer, frame_bytes

__all__ = ["router"]

_LONGEST_COMMAND = 1000
_NOT_HERE = "the server is ended where it was started, by Ctrl-C"


def router(feed: Feed, quit_: Callable[[], None]) -> APIRouter:
    """The WebSocket /live.

    It sends the latest frame (`cyano.page.feed.frame_bytes`) whenever the page says that it has shown the one before,
    so that a slow page skips frames instead of falling behind; states without a frame are sent as JSON. Commands are
    JSON, for example `{"command": "anchor"}`; see `cyano.live.LiveSession.command`.

    Args:
        feed: what is shown.
        quit_: is called by the command "quit", where the feed's source allows it.
    """
    routes = APIRouter()

    @routes.websocket("/live")
    async def live(websocket: WebSocket) -> None:
        await websocket.accept()
        with feed.viewer() as viewer:
            await _Talk(websocket, feed, viewer, quit_).run()

    return routes


class _Talk:
    """With one page."""

    def __init__(self, websocket: WebSocket, feed: Feed, viewer: Viewer, quit_: Callable[[], None]) -> None:
        self._websocket, self._feed, self._viewer, self._quit = websocket, feed, viewer, quit_
        self._ready, self._anchor = True, -1
        self._sent: object = None

    async def run(self) -> None:
        """Until the page is gone; nothing that waits for it is left then."""
        tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._send())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                    await task

    async def _send(self) -> None:
        while True:
            await self._viewer.news.wait()
            self._viewer.news.clear()
            while self._viewer.errors:
                await self._say({"error": self._viewer.errors.pop(0)})
            await self._show()

    async def _show(self) -> None:
        """The frame, if there is one that was not sent and the page has shown the last one; else the state."""
        feed, more = self._feed, {"quits": self._feed.source.quits}
        newest = feed.state if feed.frame is None else feed.frame
        if newest is self._sent or (feed.frame is not None and not self._ready):
            return
        self._sent = newest
        if feed.frame is None:
            await self._say({**feed.state, **more})
            return
        self._ready = False
        _, picture, numbers = feed.frame.blobs
        anchor = b"" if feed.anchor_number == self._anchor else feed.anchor
        self._anchor = feed.anchor_number
        await self._websocket.send_bytes(frame_bytes({**feed.state, **more}, anchor, picture, numbers))

    async def _say(self, document: dict[str, Any]) -> None:
        await self._websocket.send_text(json.dumps(document))

    async def _receive(self) -> None:
        while True:
            text = await self._websocket.receive_text()
            try:
                await self._obey(_command(text))
            except InputError as error:
                self._viewer.errors.append(str(error))
                self._viewer.news.set()

    async def _obey(self, command: dict[str, Any]) -> None:
        name = command.get("command")
        if name == "shown":
            self._ready = True
            self._viewer.news.set()
        elif name == "quit":
            if not self._feed.source.quits:
                raise InputError(_NOT_HERE)
            self._quit()
        else:
            await self._feed.command(self._viewer, str(name), command.get("value"))


def _command(text: str) -> dict[str, Any]:
    """A command in JSON.

    Raises:
        InputError: it is none.
    """
    try:
        document = json.loads(text) if len(text) <= _LONGEST_COMMAND else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InputError('a command is a JSON object such as {"command": "anchor"}')
    return document
