"""Run it: a socket, the worker, and uvicorn, none of which needs torch in this process."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn

from cyano.errors import InputError, OutputError
from cyano.page.app import application
from cyano.page.connections import protocol_of
from cyano.page.feed import Feed
from cyano.page.service import Service
from cyano.page.settings import Settings, is_address
from cyano.page.worker import Worker, WorkerLostError

__all__ = ["serve", "uvicorn_of"]


def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM, or until a page ends it that may.

    Args:
        settings: of the server.
        ready: is called with the address once it answers.

    Raises:
        CyanoError: the address is taken, the networks cannot be loaded, or live pictures cannot be had.
    """
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # what clients do wrong is told to them
    with _listening(settings) as listener:
        asyncio.run(_serve(settings, listener, ready))


async def _serve(settings: Settings, listener: socket.socket, ready: Callable[[str], None]) -> None:
    worker, feed = Worker(settings), None if settings.live is None else Feed(settings.live)
    try:
        if feed is not None:
            await feed.start()
        try:
            await worker.start()
        except WorkerLostError as lost:
            raise OutputError(f"{lost.detail}; `cyano env` shows what is installed") from lost
        ready(_address(settings, listener))
        await uvicorn_of(settings, worker, feed).serve(sockets=[listener])
    finally:
        await worker.stop()
        if feed is not None:
            await feed.stop()
    if feed is not None and feed.problem:
        raise InputError(feed.problem)


class _Server(uvicorn.Server):
    """Ends at a signal, and does not raise it again: the worker has to be ended, too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def uvicorn_of(settings: Settings, worker: Worker, feed: Feed | None = None) -> uvicorn.Server:
    """The server over processes that run; see `serve`."""

    def quit_() -> None:
        server.should_exit = True

    limits = settings.limits
    config = uvicorn.Config(
        application(Service(settings, worker), feed, quit_),
        http=protocol_of(limits),
        ws="none" if feed is None else "websockets-sansio",
        ws_max_size=64 * 1024,
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, int(limits.slow_seconds)),
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=16 * 1024,
    )
    server = _Server(config)
    return server


def _listening(settings: Settings) -> socket.socket:
    """The socket, bound.

    Raises:
        InputError: there is no such address here.
        OutputError: it is taken.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, number)
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except (socket.gaierror, UnicodeError) as error:  # IDNA does not know names such as a..b
        raise InputError(f"there is no address {settings.host!r}; give that of this machine, or 127.0.0.1") from error
    except (OSError, OverflowError) as error:
        listener.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = "another program listens there" if taken else str(error)
        raise OutputError(f"cannot listen at {settings.host}:{settings.port}: {reason}; give another --port") from error
    return listener


def _address(settings: Settings, listener: socket.socket) -> str:
    name, port = listener.getsockname()[:2]
    everywhere = is_address(name) and ipaddress.ip_address(name).is_unspecified
    host = "localhost" if everywhere or settings.host == "localhost" else name
    token = "" if settings.token is None else f"?token={settings.token}"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/{token}"
