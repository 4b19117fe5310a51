"""HTTP connections: not too many, none that never says what it wants, and refusals in the form of all others."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from cyano.page.guard import HEADERS
from cyano.page.problems import Problem
from cyano.page.settings import Limits

__all__ = ["Connection", "protocol_of"]


class Connection(H11Protocol):
    """A connection within limits."""

    limits = Limits()
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, unless there are too many."""
        if len(self.connections) >= self.limits.connections:
            transport.abort()
            return
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._unwatch()
        if self.transport is not None:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Ends the connection unless the head of its next request is whole in time."""
        waiting = self.conn.their_state is h11.IDLE
        if not waiting:
            self._unwatch()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.limits.slow_seconds, self._end)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP gets a problem, too."""
        problem = Problem("bad-request", "this is not HTTP").response
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        headers: list[Any] = [*problem.raw_headers, *((k.encode(), v.encode()) for k, v in HEADERS.items())]
        events = (
            h11.Response(status_code=400, headers=[*headers, (b"connection", b"close")], reason=b"Bad Request"),
            h11.Data(data=bytes(problem.body)),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def protocol_of(limits: Limits) -> type[Connection]:
    """The protocol for uvicorn with these limits."""

    class Limited(Connection):
        pass

    Limited.limits = limits
    return Limited
