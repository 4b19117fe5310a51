"""A camera or a movie, matched live.

`LiveSession` tracks in a thread and holds what was seen last; the page of `cyano live` and `cyano serve --live` shows
it (`cyano.page.work.live`). How to use it: docs/how-to/video.md.
"""

from cyano.live.session import LiveOptions, LiveSession

__all__ = ["LiveOptions", "LiveSession"]
