"""What can go wrong with a request: a fixed list, told as RFC 9457 has it (application/problem+json).

Never is there a traceback, a path or a version of a library in an answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

__all__ = ["BASE", "KINDS", "Kind", "Problem", "by_status"]

BASE = "/api/v1/problems/"
"""What `type` begins with: a resource of the server itself."""


@dataclass(frozen=True)
class Kind:
    """A kind of problem.

    Attributes:
        status: of HTTP.
        title: in a few words.
        remedy: what to do about it.
    """

    status: int
    title: str
    remedy: str


KINDS: Mapping[str, Kind] = {
    "bad-request": Kind(400, "The request cannot be understood", "Send what the OpenAPI document describes."),
    "token": Kind(401, "A token is needed", "Send Authorization: Bearer TOKEN, or open the address with ?token=TOKEN."),
    "forbidden": Kind(
        403,
        "The request comes from elsewhere",
        "Use the address that the server printed; a new name is given by --name.",
    ),
    "not-found": Kind(404, "Not found", "Images are kept for a while: upload it again."),
    "method": Kind(405, "Method not allowed", "The Allow header names the methods."),
    "slow": Kind(408, "The body came too slowly", "Send it again over a faster connection."),
    "length": Kind(411, "The length is missing", "Send Content-Length."),
    "too-large": Kind(413, "Too large", "Shrink the image, or start the server with a larger limit."),
    "not-an-image": Kind(415, "Not a supported image", "Send JPEG, PNG, WebP, TIFF, BMP, PPM, GIF or AVIF."),
    "options": Kind(422, "A value is not usable", "Change the field that is named."),
    "busy": Kind(429, "Too many requests", "Try again after the seconds in Retry-After."),
    "unavailable": Kind(503, "It could not be computed", "Try again, with a smaller image or at a lower resolution."),
}
_BY_STATUS = {kind.status: name for name, kind in KINDS.items()}


class Problem(HTTPException):
    """Ends a request with one of `KINDS`.

    raise Problem("options", "threshold_px must be a positive number", field="threshold_px")
    """

    def __init__(self, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        """A problem.

        Args:
            kind: one of `KINDS`.
            detail: a sentence about this one.
            headers: further ones of the answer.
            members: further ones of the document.
        """
        super().__init__(KINDS[kind].status, detail, dict(headers or {}))
        self.kind, self.members = kind, members

    @property
    def response(self) -> Response:
        """The answer."""
        kind = KINDS[self.kind]
        told = {"type": BASE + self.kind, "title": kind.title, "status": kind.status, "detail": self.detail}
        content = json.dumps({**told, **self.members}).encode()
        return Response(content, kind.status, self.headers, media_type="application/problem+json")


def by_status(error: HTTPException) -> Problem:
    """The problem of an error of the framework, such as a path or a method that is not there."""
    if isinstance(error, Problem):
        return error
    name = _BY_STATUS.get(error.status_code, "bad-request" if error.status_code < 500 else "unavailable")
    return Problem(name, KINDS[name].title, headers=error.headers)
