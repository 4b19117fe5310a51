"""The process for live pictures: `python -m cyano.page.work.live FD SOURCE`. It tracks a source and tells what it sees.

    process  {"ready": {...}}, or {"refused": "options", "detail": "..."}
    process  {"frame": {...}, "anchor": 1} + the anchor's JPEG (empty where it is the one before), the frame's, numbers
    process  {"state": {...}}              while there is no frame
    server   {"command": "pause", "value": true, "viewer": 1}
    process  {"error": "...", "viewer": 1} of a command that is none

It tells the newest frame whenever the server has taken the one before.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections import deque
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from cyano.errors import CyanoError, InputError
from cyano.live import LiveOptions, LiveSession
from cyano.live.message import described
from cyano.page.work.server import Server

__all__ = ["main", "told_name"]


class _Teller:
    """Tells the server of a session, and the session what the server asks for."""

    def __init__(self, session: LiveSession, server: Server) -> None:
        self._session, self._server = session, server
        self._news, self._gone = Event(), False
        self._errors: deque[dict[str, Any]] = deque()
        self._anchor = -1

    def run(self) -> None:
        """Until the server is gone.

        Raises:
            ConnectionError: it is.
        """
        self._session.listen(self._news.set)
        Thread(target=self._listen, name="cyano-commands", daemon=True).start()
        self._session.start()
        while not self._gone:
            self._news.wait()
            self._news.clear()
            while self._errors:
                self._server.send(self._errors.popleft())
            self._tell()

    def _tell(self) -> None:
        shown = self._session.latest()
        source = str(shown.state["source"])
        message = str(shown.state["message"]).replace(source, told_name(source))
        state = {**shown.state, "source": told_name(source), "message": message}
        if shown.seen is None:
            self._server.send({"state": state})
            return
        header, numbers = described(shown.seen, state, shown.keypoints)
        anchor = b"" if shown.anchor_number == self._anchor else shown.anchor
        self._anchor = shown.anchor_number
        self._server.send({"frame": header, "anchor": self._anchor}, anchor, shown.picture, numbers)

    def _listen(self) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                asked = self._server.receive()
                try:
                    self._session.command(str(asked["command"]), asked["value"])
                except InputError as error:
                    self._errors.append({"error": str(error), "viewer": asked["viewer"]})
                    self._news.set()
        self._gone = True
        self._news.set()


def told_name(source: str) -> str:
    """What a page learns of where pictures come from: no folders, no passwords."""
    if "://" in source:
        return urlsplit(source).hostname or "stream"
    return source if source.startswith("/dev/") else Path(source).name or source


class _Aside:
    """Lines for people go where errors go."""

    def say(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")

    def at(self, stage: str, done: int, total: int) -> None:
        pass


def _session(told: dict[str, Any]) -> LiveSession:
    """A session of what is asked for; see `cyano.page.settings.LiveSource`.

    Raises:
        CyanoError: there is no such source, or a value is not usable.
    """
    from cyano.checkpoints import load
    from cyano.checkpoints.catalogue import for_live
    from cyano.page.work.desk import device_named
    from cyano.page.work.matching import options_of
    from cyano.tracking.anchors import named_anchor
    from cyano.video import SourceOptions, open_source

    frames: dict[str, Any] = {**told["frames"], "globs": tuple(told["frames"].get("globs", ()))}
    matching, device = options_of(told["matching"]), device_named(told["device"])
    tracking, image = named_anchor(told["anchor"], told["min_matches"], told["max_gap"])
    source = open_source(told["name"], SourceOptions(**frames), watcher=_Aside())
    networks = load(for_live(told["weights"]))
    return LiveSession(source, LiveOptions(networks, matching, tracking, device, image, told["show_keypoints"]))


def main() -> None:
    """Open the source and load the networks, then show."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process
    server = Server.from_arguments()
    with contextlib.suppress(ConnectionError):
        try:
            session = _session(json.loads(sys.argv[2]))
        except CyanoError as error:
            server.send({"refused": "options", "detail": str(error)})
            return
        server.send({"ready": {}})
        _Teller(session, server).run()


if __name__ == "__main__":
    main()
