"""A server of the live view in a thread of its own."""

from __future__ import annotations

import socket
import threading
from typing import Any

from cyano.checkpoints.loading import Networks
from cyano.live import LiveOptions, LiveSession
from cyano.options import MatcherOptions
from cyano.tracking import TrackOptions


def live_options(networks: Networks) -> LiveOptions:
    """Options for small pictures."""
    return LiveOptions(networks, MatcherOptions(max_keypoints=96), TrackOptions("first", min_matches=10))


class LiveServer:
    """Serves a session at `host` until it is closed; `quit` is set once a page has asked for the end."""

    def __init__(self, session: LiveSession) -> None:
        import uvicorn

        from cyano.live.router import live_app

        self.session, self.quit = session, threading.Event()
        place = socket.socket()
        place.bind(("127.0.0.1", 0))
        place.listen()
        self.host = f"127.0.0.1:{place.getsockname()[1]}"
        config = uvicorn.Config(live_app(session, self.quit.set), log_level="error", ws="websockets-sansio")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [place]})
        self._thread.start()

    def connect(self, **headers: Any) -> Any:
        """A WebSocket to the session."""
        from websockets.sync.client import connect

        return connect(f"ws://{self.host}/api/v1/live", max_size=None, **headers)

    def close(self) -> None:
        """End the session and the server."""
        self.session.close()
        self._server.should_exit = True
        self._thread.join()
