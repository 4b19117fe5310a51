"""The live view over HTTP: a page, and a WebSocket that tells of frames and takes commands.

Needs the extra `page`. The router can be mounted in any FastAPI application on this machine.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection
from contextlib import suppress
from importlib.resources import files

from fastapi import APIRouter, FastAPI, Request, Response, WebSocket, WebSocketDisconnect

from cyano.errors import InputError
from cyano.live.admission import LOOPBACK, is_admitted
from cyano.live.message import message
from cyano.live.session import LiveSession, Shown

__all__ = ["live_app", "live_router"]

SOCKET = "/api/v1/live"
_TYPES = {"live.html": "text/html", "live.js": "text/javascript", "live.css": "text/css", "live.svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self)",
    "Cache-Control": "no-store",
}
_LONGEST_COMMAND = 1000
_REFUSED = 1008
"""The WebSocket's code for a policy."""


def live_router(
    session: LiveSession, hosts: Collection[str] = LOOPBACK, quit_: Callable[[], None] | None = None
) -> APIRouter:
    """The page `/live` with its files, and the WebSocket `/api/v1/live`.

    The WebSocket sends the latest frame (`cyano.live.message`) whenever the page says that it has shown the one
    before, so that a slow page skips frames instead of falling behind; and takes commands as JSON, for example
    `{"command": "anchor"}`; see `LiveSession.command`.

    Args:
        session: what is shown; it is started and closed by whoever made it.
        hosts: names by which this server may be asked; see `is_admitted`.
        quit_: is called by the command "quit"; None refuses it.
    """
    router = APIRouter()

    def page_file(request: Request, name: str = "live.html") -> Response:
        if not is_admitted(request.headers, hosts):
            return Response("this server answers its own pages only", 403, _HEADERS, "text/plain")
        if name not in _TYPES:
            return Response("there is no such file", 404, _HEADERS, "text/plain")
        content = files("cyano.live").joinpath("static", name).read_bytes()
        return Response(content, 200, _HEADERS, _TYPES[name])

    async def frames(websocket: WebSocket) -> None:
        if not is_admitted(websocket.headers, hosts):
            await websocket.close(_REFUSED)
            return
        await websocket.accept()
        await _Viewer(websocket, session, quit_).serve()

    router.add_api_route("/live", page_file, methods=["GET"], include_in_schema=False)
    router.add_api_route("/live/{name}", page_file, methods=["GET"], include_in_schema=False)
    router.add_api_websocket_route(SOCKET, frames)
    return router


def live_app(session: LiveSession, quit_: Callable[[], None] | None = None) -> FastAPI:
    """An application that shows a session at `/`, and nothing else."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(live_router(session, quit_=quit_))

    def home() -> Response:
        return Response(status_code=307, headers={**_HEADERS, "Location": "/live"})

    def icon(request: Request) -> Response:
        content = files("cyano.live").joinpath("static", "live.svg").read_bytes()
        admitted = is_admitted(request.headers)
        return Response(content if admitted else b"", 200 if admitted else 403, _HEADERS, "image/svg+xml")

    app.add_api_route("/", home, methods=["GET"], include_in_schema=False)
    app.add_api_route("/favicon.ico", icon, methods=["GET"], include_in_schema=False)
    return app


class _Viewer:
    """One page that looks."""

    def __init__(self, websocket: WebSocket, session: LiveSession, quit_: Callable[[], None] | None) -> None:
        self._websocket, self._session, self._quit = websocket, session, quit_
        self._changed, self._ready = asyncio.Event(), asyncio.Event()
        self._ready.set()

    async def serve(self) -> None:
        """Send frames and take commands until the page is gone or the session is closed."""
        loop = asyncio.get_running_loop()

        def changed() -> None:
            loop.call_soon_threadsafe(self._changed.set)

        end = self._session.listen(changed)
        self._changed.set()
        receiving = asyncio.create_task(self._receive())
        sending = asyncio.create_task(self._send())
        try:
            await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            end()
            for task in (receiving, sending):
                task.cancel()
                with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                    await task

    async def _send(self) -> None:
        number, anchor = -1, -1
        while not self._session.is_closed:
            await self._changed.wait()
            await self._ready.wait()
            self._changed.clear()
            shown = self._session.latest()
            if shown.number == number:
                continue
            number = shown.number
            if shown.seen is None:
                await self._websocket.send_text(json.dumps(shown.state))
                continue
            self._ready.clear()
            await self._websocket.send_bytes(_bytes(shown, with_anchor=shown.anchor_number != anchor))
            anchor = shown.anchor_number
        await self._websocket.close()

    async def _receive(self) -> None:
        while True:
            text = await self._websocket.receive_text()
            try:
                self._obey(_command(text))
            except InputError as error:
                await self._websocket.send_text(json.dumps({"error": str(error)}))

    def _obey(self, command: dict[str, object]) -> None:
        name = command.get("command")
        if name == "shown":
            self._ready.set()
        elif name == "quit" and self._quit is not None:
            self._quit()
        else:
            self._session.command(str(name), command.get("value"))


def _bytes(shown: Shown, with_anchor: bool) -> bytes:
    if shown.seen is None:
        return b""
    return message(shown.seen, shown.anchor if with_anchor else b"", shown.picture, dict(shown.state), shown.keypoints)


def _command(text: str) -> dict[str, object]:
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
