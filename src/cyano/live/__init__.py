"""A camera or a movie, matched live and shown on a page of this machine.

`LiveSession` tracks in a thread and holds what was seen last; `cyano.live.router` shows it over HTTP and a WebSocket.
How to use it: docs/how-to/video.md.
"""

from cyano.live.session import LiveOptions, LiveSession

__all__ = ["LiveOptions", "LiveSession"]
